//! What an execution's sightings come to, as data.

use super::territory::Owner;
use jalon_store::action::{PathEntry, Place, Seen};
use jalon_store::outcome::Traced;

/// A use of another node's output that nothing puts in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trespass {
    /// The path that was used, project-relative.
    pub path: String,
    /// Whose the output is that it is or lies in.
    pub owner: Owner,
}

/// What an execution's sightings come to.
#[derive(Debug)]
pub struct Folded {
    /// The path set, with what lies at each path.
    pub observed: Vec<(PathEntry, Seen)>,
    /// How much was seen.
    pub traced: Traced,
    /// Why not everything was.
    pub gaps: Vec<String>,
    /// Something that counts lies outside the project, and is no program or package.
    pub host_bound: bool,
    /// Exemptions that applied.
    pub notes: Vec<String>,
    /// Something declared that was written to meanwhile, even if it holds the same again.
    pub touched: Option<String>,
    /// What moved while it was being used, if anything did.
    pub moved: Option<String>,
    /// Project files that it made, changed or took away, and that are no outputs.
    pub strays: Vec<String>,
    /// The same outside the project.
    pub outside: Vec<String>,
    /// Uses of other nodes' outputs that nothing puts in order.
    pub trespasses: Vec<Trespass>,
}

impl Folded {
    /// The project files that were read without being declared, sorted.
    pub fn undeclared(&self) -> Vec<String> {
        undeclared(&self.observed)
    }
}

/// Of what was observed, the project files that were read.
pub fn undeclared(observed: &[(PathEntry, Seen)]) -> Vec<String> {
    let read = observed.iter().filter(|(entry, seen)| {
        entry.place == Place::Project
            && matches!(seen, Seen::File { .. } | Seen::Directory(_))
            && !entry.path.starts_with(b"../")
    });
    read.map(|(entry, _)| String::from_utf8_lossy(&entry.path).into_owned())
        .collect()
}
