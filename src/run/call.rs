//! Calling a Python function: what `python/call.py` is asked, and the command that asks it.
//!
//! Decides nothing about keys: what the request says is in them.

use std::ffi::OsString;
use std::path::PathBuf;

use jalon_conf::pipeline::{Call, Node, Shape};
use jalon_store::digest::BlobDigest;
use serde_json::{Value as Json, json};

use super::attempt::Shop;
use crate::worker::private::write_once;
use crate::workspace::PRIVATE_DIRECTORY;

const WORKER: &str = include_str!("../../python/call.py");

impl Shop<'_> {
    /// The command that calls the function of a node, whose inputs lie at these paths. Nothing where there is no
    /// interpreter.
    ///
    /// # Errors
    /// The request cannot be written.
    pub(super) fn call(
        &self,
        node: &Node,
        call: &Call,
        inputs: &[Vec<PathBuf>],
    ) -> std::io::Result<Option<Vec<OsString>>> {
        let Some(interpreter) = self.judge.interpreter() else {
            return Ok(None);
        };
        let private = self.project.root.join(PRIVATE_DIRECTORY);
        let by = self.bus.run();
        write_once(&private.join("call"), "call.py", WORKER.as_bytes(), by)?;
        if let Some(path) = inputs.iter().flatten().find(|path| path.to_str().is_none()) {
            let message = format!("the name of {} is not UTF-8", path.display());
            return Err(std::io::Error::new(
                std::io::ErrorKind::InvalidData,
                message,
            ));
        }
        let request = self.request(node, call, inputs).to_string();
        let digest = BlobDigest::of(request.as_bytes()).to_string();
        let name = format!("{}.call.json", &digest[..16]);
        write_once(&private.join("params"), &name, request.as_bytes(), by)?;
        Ok(Some(vec![
            interpreter.place.clone().into_os_string(),
            format!("{PRIVATE_DIRECTORY}/call/call.py").into(),
            format!("{PRIVATE_DIRECTORY}/params/{name}").into(),
        ]))
    }

    fn request(&self, node: &Node, call: &Call, inputs: &[Vec<PathBuf>]) -> Json {
        let graph = self.graph();
        let pipeline = graph.pipeline();
        let given = node.inputs.iter().zip(inputs).map(|(input, paths)| {
            let artifacts: Vec<_> = input
                .artifacts
                .iter()
                .map(|&id| graph.artifact(id))
                .collect();
            let is_glob = artifacts.iter().any(|it| it.shape == Shape::Glob);
            // Of a pattern each match is a path; of anything else there is one path an artifact.
            let form = |at: usize| artifacts.get(at).filter(|_| !is_glob)?.format;
            let files = paths.iter().enumerate().map(|(at, path)| {
                let whole_is_file = self.project.root.join(path).is_file();
                let form = form(at).filter(|_| whole_is_file).map(|form| form.word());
                json!({"path": path.to_string_lossy(), "form": form})
            });
            json!({
                "name": input.alias,
                "list": input.list || is_glob,
                "files": files.collect::<Vec<_>>(),
            })
        });
        let made = node.outputs.iter().map(|output| {
            let artifact = graph.artifact(output.artifact);
            let form = artifact.format.map(|form| form.word());
            json!({"name": output.alias, "path": artifact.path, "form": form})
        });
        let params = node.params.iter().map(|(path, value)| {
            // As text, for JSON of ours has numbers that others would round.
            (path.clone(), Json::from(value.to_json()))
        });
        let matrix = node.name.matrix.iter();
        let matrix = matrix.map(|(key, value)| (key.clone(), Json::from(value.clone())));
        json!({
            "function": call.function,
            "path": pipeline.python_path,
            "inputs": given.collect::<Vec<_>>(),
            "outputs": made.collect::<Vec<_>>(),
            "params": params.collect::<serde_json::Map<_, _>>(),
            "matrix": matrix.collect::<serde_json::Map<_, _>>(),
        })
    }
}
