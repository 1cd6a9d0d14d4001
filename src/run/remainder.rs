//! The nodes that a run has nothing to do with: they are not in its graph, and are reused as they are.
//!
//! Whoever hands a run a part of a pipeline answers for it that every node which the change reaches is in the part, and
//! that what the others gave lies where they left it. What such a node gave is a source to the part.

use std::sync::Arc;

use jalon_conf::pipeline::ArtifactId;
use jalon_remote::Remotes;
use jalon_store::content::Content;

use super::RunError;
use crate::event::{Counts, Planned, Reused};
use crate::judge::Observations;
use crate::observe::Elsewhere;
use crate::plan::held::Held;

/// See the module.
#[derive(Debug)]
pub struct Remainder {
    /// Nodes that are reused.
    pub nodes: u64,
    /// Nodes that were not asked for.
    pub not_needed: u64,
    /// Seconds that those took which are reused.
    pub saved_seconds: f64,
    /// What all nodes make that are not in the graph.
    pub elsewhere: Arc<Elsewhere>,
    /// What they gave that is a source to the graph.
    pub given: Vec<(ArtifactId, Content)>,
    /// What judging those came to that gave it.
    pub givers: Vec<Held>,
    /// Secrets that some of them are told.
    pub secrets: Vec<String>,
    /// Some of them see the whole environment.
    pub sees_all: bool,
}

impl Remainder {
    /// How many there are of each kind.
    pub fn counts(&self) -> Counts {
        Counts {
            hit: self.nodes,
            not_needed: self.not_needed,
            ..Counts::default()
        }
    }

    /// A plan of the part as one of the whole.
    pub fn add_to(&self, planned: Planned) -> Planned {
        Planned {
            nodes: planned.nodes + self.nodes,
            hit: planned.hit + self.nodes,
            ..planned
        }
    }

    /// What is told of it to those who hear of each node of the part.
    pub fn told(&self, of: &str, part: Vec<String>) -> Reused {
        Reused {
            of: of.to_owned(),
            nodes: self.nodes,
            saved_seconds: self.saved_seconds,
            but: Some(part),
            beside: self.nodes,
        }
    }

    /// Tells the remotes which records name what they gave: some of them have to know.
    pub fn note(&self, remotes: &Remotes) {
        for held in &self.givers {
            remotes.note(&held.key, &held.outputs, held.took());
        }
    }

    /// Whether the part finds what the remainder gave, and needs nothing else of it.
    ///
    /// # Errors
    /// It does not: the pipeline has to be run whole.
    pub fn suffices(&self, observations: &Observations) -> Result<(), RunError> {
        let mut given = self.given.iter();
        let lies_there = given.all(|(artifact, content)| {
            observations.sources[artifact.0 as usize].as_ref() == Some(content)
        });
        if lies_there && !self.elsewhere.was_asked() {
            Ok(())
        } else {
            Err(RunError::Whole)
        }
    }
}
