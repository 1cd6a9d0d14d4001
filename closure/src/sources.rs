//! Where sources come from: the caller reads files and directories, this crate only asks.
//!
//! Knows nothing of where a project lies.

use std::collections::{BTreeMap, BTreeSet};

/// A project's files. Paths are relative to the project's root, with `/` between names; the root itself
/// is the empty path. Asked at most once for each path.
pub trait Sources {
    /// A file's bytes; nothing if there is no file to be read.
    fn read(&self, path: &str) -> Option<Vec<u8>>;

    /// What a directory holds, in any order; nothing if it is no directory. Names that are not UTF-8 are
    /// left out: Python's modules have none.
    fn list(&self, directory: &str) -> Option<Vec<Listed>>;
}

/// A name in a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Without the directory.
    pub name: String,
    /// What it names.
    pub kind: EntryKind,
}

/// What a name in a directory stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum EntryKind {
    /// A file, or a link to one.
    File,
    /// A directory.
    Directory,
    /// A link to a directory. Where all modules are looked for, at most one is followed on a path.
    Link,
}

impl EntryKind {
    pub(crate) fn is_directory(self) -> bool {
        self != Self::File
    }
}

/// Sources in memory: for tests, and for what is not on a disk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// Bytes by path.
    pub files: BTreeMap<String, Vec<u8>>,
}

impl Sources for Memory {
    fn read(&self, path: &str) -> Option<Vec<u8>> {
        self.files.get(path).cloned()
    }

    fn list(&self, directory: &str) -> Option<Vec<Listed>> {
        let prefix = match directory {
            "" => String::new(),
            _ => format!("{directory}/"),
        };
        let below = self
            .files
            .keys()
            .filter_map(|path| path.strip_prefix(&prefix));
        let found: BTreeSet<(&str, EntryKind)> = below
            .map(|rest| match rest.split_once('/') {
                Some((name, _)) => (name, EntryKind::Directory),
                None => (rest, EntryKind::File),
            })
            .collect();
        (!found.is_empty()).then(|| {
            let entry = |(name, kind): (&str, EntryKind)| Listed {
                name: name.to_owned(),
                kind,
            };
            found.into_iter().map(entry).collect()
        })
    }
}
