//! Whose a project path is: an output of which node. Pure; paths are project-relative bytes.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use jalon_conf::pipeline::{ArtifactId, Shape};
use rustc_hash::{FxHashMap, FxHashSet};

use crate::graph::Graph;

/// All outputs of a pipeline by where they lie.
#[derive(Debug, Default)]
pub struct Territory {
    outputs: FxHashMap<Vec<u8>, ArtifactId>,
    /// Directories that hold an output, at any depth: they come and go with runs.
    above: FxHashSet<Vec<u8>>,
}

impl Territory {
    /// Of a graph.
    pub fn new(graph: &Graph) -> Territory {
        let mut territory = Territory::default();
        for (at, artifact) in graph.pipeline().artifacts.iter().enumerate() {
            if artifact.producer.is_none() || artifact.shape == Shape::Glob {
                continue;
            }
            let paths = [Some(&artifact.path), artifact.versions.as_ref()];
            for path in paths.into_iter().flatten() {
                let path = trimmed(path.as_bytes());
                territory
                    .outputs
                    .insert(path.to_vec(), ArtifactId(at as u32));
                for parent in parents(path) {
                    if !territory.above.insert(parent.to_vec()) {
                        break;
                    }
                }
            }
        }
        territory
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
        below.is_ok_and(|path| self.output(path.as_os_str().as_bytes()).is_some())
    }

    /// Whether an output lies somewhere below a path.
    pub fn is_above(&self, path: &[u8]) -> bool {
        self.above.contains(trimmed(path))
    }

    /// Whether a path exists, or may, because runs make it: an output, or a directory above one.
    pub fn is_made(&self, path: &[u8]) -> bool {
        let path = trimmed(path);
        self.above.contains(path) || self.output(path).is_some()
    }
}

/// A path without a closing slash.
pub fn trimmed(path: &[u8]) -> &[u8] {
    path.strip_suffix(b"/").unwrap_or(path)
}

/// The directories above a relative path, nearest first, without the root.
pub fn parents(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = path;
    std::iter::from_fn(move || {
        let end = rest.iter().rposition(|&byte| byte == b'/')?;
        rest = &rest[..end];
        Some(rest)
    })
}
