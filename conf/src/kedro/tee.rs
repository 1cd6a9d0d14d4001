//! Which datasets are handed on in memory while they are saved.
//!
//! Such a dataset is two artifacts: what its node gave, kept as what is in memory is kept, which its readers take; and
//! the file, which a node of its own makes of that. So nobody waits for a write, and nobody reads back. What readers
//! get is what was given and not what loading would make of the file, so it is done where that is said: by Kedro's
//! `CachedDataset`, or by the user. Knows no artifacts.

use std::collections::BTreeSet;

use super::description::{Dataset, Description};
use super::own::Own;
use crate::diagnostic::{Diagnostic, Location};
use crate::nearest::did_you_mean;

/// Their names, and what is to be said of those that cannot be.
pub(super) fn handed_on(
    told: &Description,
    own: &Own,
    at: &Location,
) -> (BTreeSet<String>, Vec<Diagnostic>) {
    let (mut all, mut problems) = (BTreeSet::new(), Vec::new());
    for node in told.nodes.iter().filter(|node| !node.beyond) {
        for name in &node.outputs {
            let Some(dataset) = told.datasets.get(name) else {
                continue;
            };
            if dataset.category == "memory" || !(dataset.cached || own.hands_on(name)) {
                continue;
            }
            let is_read = |node: &super::description::Node| {
                let mut inputs = node.inputs.iter();
                inputs.any(|(_, read)| read == name)
            };
            if !told.nodes.iter().any(is_read) {
                continue;
            }
            match obstacle(dataset, node.generator) {
                None => drop(all.insert(name.clone())),
                // A pattern means those that can be.
                Some(why) if own.tee.contains(name) => {
                    let message = format!("{name} cannot be handed on in memory: {why}");
                    let what = Diagnostic::warning("no-tee", message).at(at.clone());
                    problems.push(what.help("take it out of [tool.jalon.kedro] tee"));
                }
                Some(_) => {}
            }
        }
    }
    (all, problems)
}

/// What is said of names that mean nothing in the whole project: datasets to hand on that no node makes or none
/// reads, and versions of what has bytes of its own.
pub(super) fn idle(told: &Description, own: &Own, at: &Location) -> Vec<Diagnostic> {
    let made = |name: &String| told.nodes.iter().any(|node| node.outputs.contains(name));
    let read = |name: &String| {
        let mut inputs = told.nodes.iter().flat_map(|node| &node.inputs);
        inputs.any(|(_, read)| read == name)
    };
    let known = || told.datasets.keys().map(String::as_str);
    let warning = |message: String| Diagnostic::warning("no-match", message).at(at.clone());
    let mut all = Vec::new();
    for name in own.tee.iter().filter(|name| !name.contains('*')) {
        if !told.datasets.contains_key(name) {
            let what = warning(format!("`tee`: no dataset is called `{name}`"));
            all.push(what.maybe_help(did_you_mean(name, known())));
        } else if !made(name) || !read(name) {
            let lack = if made(name) { "reads" } else { "makes" };
            all.push(warning(format!("`tee`: no node {lack} `{name}`")));
        }
    }
    for (name, _, at) in &own.versions {
        let why = match told.datasets.get(name) {
            None => format!("`versions`: no dataset is called `{name}`"),
            Some(dataset) if dataset.category != "opaque" => {
                format!("`versions`: `{name}` has bytes of its own, which count")
            }
            Some(_) => continue,
        };
        let help = did_you_mean(name, known().filter(|known| known != name));
        let what = Diagnostic::warning("no-match", why).at(at.clone());
        all.push(what.maybe_help(help.filter(|_| !told.datasets.contains_key(name))));
    }
    all
}

/// Why what is loaded is another thing than what was saved, if it is.
fn obstacle(dataset: &Dataset, generator: bool) -> Option<&'static str> {
    if generator {
        Some("its node gives it in pieces")
    } else if dataset.append {
        Some("it is added to")
    } else if dataset.stateful || dataset.class.ends_with(".PartitionedDataset") {
        Some("what is loaded are functions that load its parts")
    } else {
        None
    }
}
