//! The real `jalon`, driven over a project of `sh` nodes in a scratch directory.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::Value;

use crate::definition::{LeftOut, definition};
use crate::edit::Disturbance;
use crate::pipeline::Pipeline;
use crate::place::Place;
use crate::shell;
use crate::system::{Observed, Request, System};

/// How many runs were answered from what an earlier one had kept.
pub static ANSWERED: AtomicU32 = AtomicU32::new(0);

/// How many runs had to do with a part of the pipeline only.
pub static PARTS: AtomicU32 = AtomicU32::new(0);

/// A project, and the program that runs it.
#[derive(Debug)]
pub struct Binary {
    program: PathBuf,
    place: Place,
    pipeline: Pipeline,
    definition: String,
    /// Nobody hears of each node while it runs, so that a change has to do with what it reaches only.
    quiet: bool,
}

impl Binary {
    /// An empty project for this `jalon`.
    pub fn new(program: &Path) -> Self {
        Binary {
            program: program.to_owned(),
            place: Place::new(),
            pipeline: Pipeline::default(),
            definition: String::new(),
            quiet: false,
        }
    }

    /// The same, of which each run is asked about afterwards.
    pub fn quiet(program: &Path) -> Self {
        Binary {
            quiet: true,
            ..Binary::new(program)
        }
    }

    fn jalon(&self, arguments: &[&str], request: &Request) -> Output {
        let path = std::env::var_os("PATH").expect("PATH is set");
        let name = |node: &usize| format!("n{node}");
        let forced = request.forced.iter().map(name);
        Command::new(&self.program)
            .args(arguments)
            .args(request.targets.iter().map(name))
            .args(forced.flat_map(|name| ["--force".to_owned(), name]))
            .current_dir(self.place.directory())
            .env_clear()
            .env("PATH", path)
            .env("HOME", self.place.base())
            .env("LOG", self.log())
            .env("JALON_STORE", self.place.store())
            .stdin(Stdio::null())
            .output()
            .expect("jalon starts")
    }

    /// The last run's trace.
    fn last(&self) -> String {
        let traces = fs::read_dir(self.place.store().join("traces"));
        let last = traces.into_iter().flatten().flatten();
        let last = last.map(|entry| entry.path()).max();
        let bytes = last.and_then(|path| fs::read(path).ok());
        String::from_utf8_lossy(&bytes.unwrap_or_default()).into_owned()
    }

    fn log(&self) -> PathBuf {
        self.place.base().join("executed")
    }
}

impl System for Binary {
    fn answers_from_memory(&self) -> bool {
        true
    }

    fn write(&mut self, pipeline: &Pipeline, quietly: bool) {
        self.pipeline = pipeline.clone();
        self.definition = definition(pipeline, LeftOut::default(), |node| {
            shell::command(pipeline, node)
        });
        self.place.write(pipeline, self.definition.clone(), quietly);
    }

    fn disturb(&mut self, disturbance: &Disturbance) {
        self.place.disturb(disturbance);
        if let Disturbance::Collect(all) = disturbance {
            let size = if *all { &["--max-size", "0"][..] } else { &[] };
            let output = self.jalon(&[&["gc", "--yes"], size].concat(), &Request::default());
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "jalon gc: {said}");
        }
    }

    fn plan(&mut self, request: &Request) -> BTreeMap<String, String> {
        words(&reply(&self.jalon(&["plan", "--json"], request)), "verdict")
    }

    fn run(&mut self, request: &Request) -> Observed {
        let _ = fs::remove_file(self.log());
        let output = if self.quiet {
            let ran = self.jalon(&["run", "--quiet"], request);
            let said = self.jalon(&["log", "last", "--json"], &Request::default());
            Output {
                stdout: said.stdout,
                ..ran
            }
        } else {
            self.jalon(&["run", "--json"], request)
        };
        let last = self.last();
        // It refers to an earlier one instead of telling of its nodes.
        if last.contains("run.reused") && !last.contains("\"but\"") {
            ANSWERED.fetch_add(1, Ordering::Relaxed);
        }
        if last.contains("\"beside\"") {
            PARTS.fetch_add(1, Ordering::Relaxed);
        }
        let executed = fs::read_to_string(self.log()).unwrap_or_default();
        Observed {
            succeeded: output.status.success(),
            executed: executed.lines().map(str::to_owned).collect(),
            claimed: words(&reply(&output), "status"),
            contents: self.place.contents(&self.pipeline),
            transcript: format!(
                "--- jalon.toml\n{}\n--- exit {:?}\n{}\n--- stderr\n{}",
                self.definition,
                output.status.code(),
                String::from_utf8_lossy(&output.stdout),
                String::from_utf8_lossy(&output.stderr),
            ),
        }
    }
}

fn reply(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_default()
}

/// A field of each node of a reply, by the node's name.
fn words(reply: &Value, field: &str) -> BTreeMap<String, String> {
    let nodes = reply["nodes"].as_array().into_iter().flatten();
    let words = nodes.filter_map(|node| Some((node["name"].as_str()?, node[field].as_str()?)));
    words
        .map(|(name, word)| (name.to_owned(), word.to_owned()))
        .collect()
}
