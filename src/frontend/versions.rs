//! Which versions of what has no bytes of its own are there now: asked of a command that the project names, or of
//! the file system of a bucket. Knows nothing of what is made of the answers.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use jalon_conf::kedro;
use rayon::prelude::*;
use serde_json::{Value as Json, json};

use super::bench::Bench;
use crate::worker::ask::ask;
use crate::worker::loader::Loader;

/// How long a command may take that tells the version of a dataset.
const PATIENCE: Duration = Duration::from_secs(60);

/// Which versions of what has no bytes of its own are there, where a command is named that tells.
pub fn by_command(
    own: &kedro::Own,
    asked: &[String],
    root: &Path,
    bench: &Bench,
) -> BTreeMap<String, Result<String, String>> {
    let commands = own.versions.par_iter();
    let commands = commands.filter(|(name, _, _)| asked.contains(name));
    commands
        .map(|(name, command, _)| {
            let answer = ask(command, root, bench.machine.variables.clone(), PATIENCE);
            (name.clone(), answer)
        })
        .collect()
}

/// Which versions of files in buckets are there, as their file systems say: all asked for in one process, for it has to
/// load the project to know how they are reached.
pub fn in_buckets(
    names: Vec<String>,
    loader: &Loader,
    root: &Path,
    bench: &Bench,
) -> BTreeMap<String, Result<String, String>> {
    let (false, [python, start, request, ..]) = (names.is_empty(), loader.argv.as_slice()) else {
        return BTreeMap::new();
    };
    let mut env = bench.machine.variables.clone();
    env.insert("DO_NOT_TRACK".into(), "1".into());
    env.insert("JALON_ASK_PYTHON".into(), python.clone());
    env.insert(
        "JALON_ASK_SCRIPT".into(),
        Path::new(start).with_file_name("ukeys.py").into_os_string(),
    );
    env.insert("JALON_ASK_REQUEST".into(), request.clone());
    env.insert("JALON_ASK_NAMES".into(), json!(names).to_string().into());
    let command =
        r#"exec "$JALON_ASK_PYTHON" "$JALON_ASK_SCRIPT" "$JALON_ASK_REQUEST" "$JALON_ASK_NAMES""#;
    let answer = ask(command, root, env, PATIENCE).and_then(|text| {
        serde_json::from_str::<Json>(&text).map_err(|_| "its answer is not understood".to_owned())
    });
    let each = names.into_iter().map(|name| {
        let version = answer.clone().and_then(|all| {
            let one = &all[&name];
            match (one["version"].as_str(), one["why"].as_str()) {
                (Some(version), _) => Ok(version.to_owned()),
                (_, why) => Err(why.unwrap_or("nothing was said of it").to_owned()),
            }
        });
        (name, version)
    });
    each.collect()
}
