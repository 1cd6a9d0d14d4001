//! Whose a project path is: an output of which node. Pure; paths are project-relative bytes.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

use jalon_conf::pipeline::{ArtifactId, Shape};
use rustc_hash::{FxHashMap, FxHashSet};

use super::elsewhere::{Elsewhere, Paths};
use super::relative::{parents, trimmed};
use crate::graph::Graph;

/// All outputs of a pipeline by where they lie.
#[derive(Debug, Default)]
pub struct Territory {
    outputs: FxHashMap<Vec<u8>, ArtifactId>,
    /// Directories that hold an output, at any depth: they come and go with runs.
    above: FxHashSet<Vec<u8>>,
    /// Those of nodes that are no part of the graph.
    elsewhere: Option<Arc<Elsewhere>>,
}

/// Whose an output is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// A node's of the graph.
    Here(ArtifactId),
    /// One's that is no part of it; its number there.
    Elsewhere(u32),
}

/// Where the outputs of a graph lie.
fn places(graph: &Graph) -> impl Iterator<Item = (&[u8], ArtifactId)> {
    let artifacts = graph
        .pipeline()
        .artifacts
        .iter()
        .zip(0..)
        .map(|(artifact, at)| (artifact, ArtifactId(at)));
    artifacts
        .filter(|(artifact, _)| artifact.producer.is_some() && artifact.shape != Shape::Glob)
        .flat_map(|(artifact, id)| {
            let paths = [Some(&artifact.path), artifact.versions.as_ref()];
            paths
                .into_iter()
                .flatten()
                .map(move |path| (trimmed(path.as_bytes()), id))
        })
}

/// The paths of a graph's outputs, for whoever runs a part of it.
pub fn paths(graph: &Graph) -> Option<Paths> {
    Paths::new(places(graph).map(|(path, id)| (path, id.0)).collect())
}

impl Territory {
    /// Of a graph.
    pub fn new(graph: &Graph) -> Territory {
        let mut territory = Territory::default();
        for (path, id) in places(graph) {
            territory.outputs.insert(path.to_vec(), id);
            for parent in parents(path) {
                if !territory.above.insert(parent.to_vec()) {
                    break;
                }
            }
        }
        territory
    }

    /// The same, with what lies elsewhere.
    #[must_use]
    pub fn beside(self, elsewhere: Option<Arc<Elsewhere>>) -> Territory {
        Territory { elsewhere, ..self }
    }

    /// Whose the output is that a path is or lies in.
    pub fn owner(&self, path: &[u8]) -> Option<Owner> {
        match self.output(path) {
            Some((id, _)) => Some(Owner::Here(id)),
            None => self.elsewhere.as_ref()?.output(path).map(Owner::Elsewhere),
        }
    }

    /// What lies elsewhere, if there is any.
    pub fn elsewhere(&self) -> Option<&Elsewhere> {
        self.elsewhere.as_deref()
    }

    /// The output that a path is or lies in, and the rest of the path below it.
    pub fn output<'p>(&self, path: &'p [u8]) -> Option<(ArtifactId, &'p [u8])> {
        let path = trimmed(path);
        std::iter::once(path)
            .chain(parents(path))
            .find_map(|above| {
                let id = self.outputs.get(above)?;
                let rest = path.get(above.len() + 1..).unwrap_or_default();
                Some((*id, rest))
            })
    }

    /// Whether an absolute path is an output of a project, or lies in one.
    pub fn is_output(&self, root: &Path, path: &Path) -> bool {
        let below = path.strip_prefix(root);
        below.is_ok_and(|path| self.owner(path.as_os_str().as_bytes()).is_some())
    }

    /// Whether an output lies somewhere below a path.
    pub fn is_above(&self, path: &[u8]) -> bool {
        self.above.contains(trimmed(path))
            || self
                .elsewhere()
                .is_some_and(|elsewhere| elsewhere.is_above(path))
    }

    /// Whether a path exists, or may, because runs make it: an output, or a directory above one.
    pub fn is_made(&self, path: &[u8]) -> bool {
        self.is_above(path) || self.owner(path).is_some()
    }
}
