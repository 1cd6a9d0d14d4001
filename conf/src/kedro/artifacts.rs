//! Datasets as artifacts: at their own paths, or in jalon's own directory.
//!
//! Two datasets of one path are one artifact (transcoding is the usual reason). Knows no nodes but by number.

use std::collections::BTreeMap;

use super::description::{Dataset, Description};
use crate::diagnostic::{Diagnostic, Location};
use crate::format::Format;
use crate::name::Instance;
use crate::pipeline::{Artifact, ArtifactId, Keep, Kind, NodeId, Shape};
use crate::place::clamp;

/// Where jalon keeps what Kedro has in memory, and copies of versioned files.
const PRIVATE: &str = ".jalon/kedro";

/// All artifacts.
pub(super) struct Catalog {
    pub artifacts: Vec<Artifact>,
    /// By the name of a dataset.
    by_name: BTreeMap<String, ArtifactId>,
    /// Of those that are handed on in memory: what is in memory.
    in_memory: BTreeMap<String, ArtifactId>,
    pub problems: Vec<Diagnostic>,
    /// Something lies outside the project.
    pub outside: bool,
    at: Location,
}

impl Catalog {
    /// Of every dataset that has bytes of its own.
    pub fn new(told: &Description, at: &Location) -> Catalog {
        let mut catalog = Catalog {
            artifacts: Vec::new(),
            by_name: BTreeMap::new(),
            in_memory: BTreeMap::new(),
            problems: Vec::new(),
            outside: false,
            at: at.clone(),
        };
        let mut by_path: BTreeMap<String, ArtifactId> = BTreeMap::new();
        for (name, dataset) in &told.datasets {
            let Some(artifact) = catalog.artifact(name, dataset) else {
                continue;
            };
            let place = artifact
                .versions
                .clone()
                .unwrap_or_else(|| artifact.path.clone());
            let id = *by_path.entry(place).or_insert_with(|| {
                catalog.artifacts.push(artifact);
                ArtifactId(clamp(catalog.artifacts.len() - 1))
            });
            catalog.by_name.insert(name.clone(), id);
        }
        catalog
    }

    fn artifact(&mut self, name: &str, dataset: &Dataset) -> Option<Artifact> {
        let own = |kind: &str| format!("{PRIVATE}/{kind}/{}", escaped(name));
        let (path, versions, private) = match (dataset.category.as_str(), &dataset.path) {
            ("memory", _) if dataset.value.is_none() => (own("memory"), None, true),
            ("file", Some(path)) => {
                self.outside |= path.starts_with('/');
                let path = path.clone();
                match dataset.versioned {
                    true => (own("versions"), Some(path), true),
                    false => (path, None, false),
                }
            }
            _ => return None,
        };
        let kind = match Format::of(versions.as_deref().unwrap_or(&path)) {
            Some(Format::Plot) => Kind::Plot,
            _ => Kind::Data,
        };
        Some(Artifact {
            name: Instance::new(if dataset.registered {
                &dataset.base
            } else {
                name
            }),
            path,
            shape: Shape::Any,
            producer: None,
            keep: Keep::Store,
            kind,
            format: None,
            stateful: dataset.append || dataset.stateful,
            private,
            versions,
            load_version: dataset.load_version.clone(),
            except: Vec::new(),
            obtain: None,
            at: self.at.clone(),
        })
    }

    /// What a node gives in memory for a dataset that another one saves.
    pub fn handed_on(&mut self, name: &str, by: NodeId) -> ArtifactId {
        let id = ArtifactId(clamp(self.artifacts.len()));
        self.artifacts.push(Artifact {
            name: Instance::new(format!("{name} in memory")),
            path: format!("{PRIVATE}/memory/{}", escaped(&format!("{name} in memory"))),
            shape: Shape::Any,
            producer: Some(by),
            keep: Keep::Store,
            kind: Kind::Data,
            format: None,
            stateful: false,
            private: true,
            versions: None,
            load_version: None,
            except: Vec::new(),
            obtain: None,
            at: self.at.clone(),
        });
        self.in_memory.insert(name.to_owned(), id);
        id
    }

    /// What is in memory of a dataset that is handed on so.
    pub fn in_memory(&self, name: &str) -> Option<ArtifactId> {
        self.in_memory.get(name).copied()
    }

    /// The artifact of a dataset.
    pub fn find(&self, name: &str) -> Option<ArtifactId> {
        self.by_name.get(name).copied()
    }

    /// The same, made by a node.
    pub fn made(&mut self, name: &str, by: NodeId) -> Option<ArtifactId> {
        let id = self.find(name)?;
        let artifact = &mut self.artifacts[id.0 as usize];
        if artifact.producer.is_some_and(|producer| producer != by) {
            let message = format!("two nodes make {}, which lies at {}", name, artifact.path);
            let what = Diagnostic::error("two-producers", message).at(self.at.clone());
            self.problems
                .push(what.help("give one of the datasets another path"));
        }
        artifact.producer = Some(by);
        Some(id)
    }
}

/// A dataset's name as the name of a file.
fn escaped(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for byte in name.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'-' => out.push(byte as char),
            b'.' if !out.is_empty() => out.push('.'),
            _ => out.push_str(&format!("%{byte:02x}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_files_are_told_apart() {
        assert_eq!(escaped("forest.x_train"), "forest.x_train");
        assert_eq!(escaped("../x"), "%2e.%2fx");
        assert_ne!(escaped("a/b"), escaped("a%2fb"));
    }
}
