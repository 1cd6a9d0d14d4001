//! `.dvc` files: data that DVC tracks. To jalon each of their outputs is a source, counted by what lies there.

use super::check::{get, list, text};
use super::paths::{join, parent, scheme};
use crate::diagnostic::Diagnostic;
use crate::findings::Findings;
use crate::params::ParamsFile;
use crate::place::At;

/// A `.dvc` file.
#[derive(Debug)]
pub(super) struct Tracked {
    /// Its own path, project-relative.
    pub file: String,
    /// What it tracks, project-relative.
    pub outs: Vec<(String, At)>,
}

/// Reads one.
pub(super) fn read(file: &ParamsFile, findings: &mut Findings) -> Option<Tracked> {
    let root = super::yaml(file, findings)?;
    if let Some(cmd) = get(&root, "cmd") {
        let what = Diagnostic::error(
            "old-stage",
            "a `.dvc` file with a command is a stage of DVC before 1.0",
        );
        let help = "write it as a stage of a dvc.yaml: `dvc stage add` makes one";
        findings.say(cmd.at, what.help(help));
    }
    let base = parent(&file.file);
    let directory = get(&root, "wdir").and_then(text);
    let directory = directory.map_or_else(|| base.to_owned(), |(wdir, _)| join(base, wdir));
    let mut outs = Vec::new();
    for out in list(get(&root, "outs")) {
        let Some((path, at)) = get(out, "path").and_then(text) else {
            let what = Diagnostic::error("missing-key", "an output of a `.dvc` file has a `path`");
            findings.say(out.at, what);
            continue;
        };
        if scheme(path).is_none() {
            outs.push((join(&directory, path), at));
        }
    }
    Some(Tracked {
        file: file.file.clone(),
        outs,
    })
}
