//! What a node declares, as paths: what it may read and write without a word.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use jalon_conf::pipeline::{ArtifactId, NodeId};
use jalon_store::content::Content;
use rustc_hash::FxHashSet;

use super::relative::{parents, trimmed};
use crate::graph::Graph;
use crate::ways::Ways;
use crate::workspace::Workspace;

/// What a node declares, by project-relative path.
pub struct Declared {
    /// Paths that may be read with all that is below them.
    pub reads: FxHashSet<Vec<u8>>,
    /// Paths that may be written, likewise.
    pub writes: FxHashSet<Vec<u8>>,
    /// Nodes whose outputs may be read undeclared.
    pub after: Vec<NodeId>,
    /// Outputs of which a part is declared: what is read of the rest is known in time, and counts.
    pub parts: Vec<ArtifactId>,
    /// Where links lead that are declared, or that lie on the way to what is.
    real: FxHashSet<PathBuf>,
    /// Where the directories of all that really are.
    ways: Ways,
}

impl Declared {
    /// Of a node, by what its patterns match now. `modules` are the files of its function.
    pub fn new(
        workspace: &Workspace,
        graph: &Graph,
        id: NodeId,
        modules: &[(String, Content)],
    ) -> Declared {
        let node = graph.node(id);
        let bytes = |path: &str| trimmed(path.as_bytes()).to_vec();
        let mut reads = FxHashSet::default();
        let mut parts = Vec::new();
        for input in &node.inputs {
            for &artifact in &input.artifacts {
                let path = &graph.artifact(artifact).path;
                if let Some(within) = &input.within {
                    reads.insert(bytes(&format!("{path}/{within}")));
                    parts.push(artifact);
                    continue;
                }
                reads.extend(graph.artifact(artifact).versions.as_deref().map(bytes));
                let words = workspace.words(graph.artifact(artifact));
                reads.extend(
                    words
                        .unwrap_or_default()
                        .iter()
                        .map(|path| trimmed(path.as_os_str().as_bytes()).to_vec()),
                );
            }
        }
        reads.extend(node.partly_read.iter().map(|path| bytes(path)));
        for (pattern, _) in &node.code {
            let files = workspace.code(pattern).unwrap_or_default();
            reads.extend(files.iter().map(|(path, _)| bytes(path)));
        }
        reads.extend(modules.iter().map(|(path, _)| bytes(path)));
        let made = node
            .outputs
            .iter()
            .map(|output| graph.artifact(output.artifact));
        let outputs = made.flat_map(|artifact| {
            let versions = artifact.versions.as_deref();
            [Some(artifact.path.as_str()), versions]
                .into_iter()
                .flatten()
                .map(bytes)
        });
        let writes: FxHashSet<Vec<u8>> = outputs
            .chain(node.checkpoint.as_deref().map(bytes))
            .collect();
        let mut ways = Ways::default();
        let real = real(workspace.root(), reads.iter().chain(&writes), &mut ways);
        Declared {
            real,
            ways,
            reads,
            writes,
            after: node.after.clone(),
            parts,
        }
    }

    /// Takes over what was found out of directories.
    pub fn ways(&mut self) -> Ways {
        std::mem::take(&mut self.ways)
    }

    /// Whether an absolute path is the real name of something declared under another, or lies in it.
    pub fn is_really(&self, path: &Path) -> bool {
        !self.real.is_empty() && path.ancestors().any(|above| self.real.contains(above))
    }

    /// Whether a path is one of these, or lies in one.
    pub fn covers(set: &FxHashSet<Vec<u8>>, path: &[u8]) -> bool {
        set.contains(path) || parents(path).any(|above| set.contains(above))
    }
}

/// The real names of those paths that have another than they are called by.
fn real<'p>(
    root: &Path,
    paths: impl Iterator<Item = &'p Vec<u8>>,
    ways: &mut Ways,
) -> FxHashSet<PathBuf> {
    let others = paths.filter_map(|path| {
        let path = root.join(OsStr::from_bytes(path));
        let here = ways.beside(&path).unwrap_or_else(|| path.clone());
        let real = if here.is_symlink() {
            here.canonicalize().unwrap_or(here)
        } else {
            here
        };
        (real != path).then_some(real)
    });
    others.collect()
}
