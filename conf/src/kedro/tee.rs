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
