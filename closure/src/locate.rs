//! Where Python would find a module, by the rules of its path finder: in each root in turn a package, an
//! extension module, a source file; a directory without any of these is a namespace package.
//!
//! Does not look into modules. Remembers every file and directory it asked for.

use std::collections::{BTreeMap, BTreeSet};

use rustc_hash::FxHashMap;

use crate::sources::{EntryKind, Listed, Sources};

/// The names in a directory.
pub(crate) type Listing = BTreeMap<String, EntryKind>;

/// Where a module lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Location {
    pub(crate) what: Found,
    /// Directories in which its submodules lie; none if it is no package.
    pub(crate) search: Vec<String>,
}

/// What a module is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    Source(String),
    /// Compiled: an extension module, or byte code without source.
    Native(String),
    Namespace,
}

/// Finds modules.
pub(crate) struct Finder<S> {
    sources: S,
    roots: Vec<String>,
    listings: FxHashMap<String, Option<Listing>>,
    absent: BTreeSet<(String, String)>,
}

/// What a compiled module's file ends with, after the module's name.
fn is_extension(rest: &str) -> bool {
    matches!(rest, ".so" | ".pyd")
        || rest.starts_with('.') && (rest.ends_with(".so") || rest.ends_with(".pyd"))
}

pub(crate) fn join(directory: &str, name: &str) -> String {
    match directory {
        "" => name.to_owned(),
        _ => format!("{directory}/{name}"),
    }
}

impl<S: Sources> Finder<S> {
    pub(crate) fn new(sources: S, roots: Vec<String>) -> Self {
        Self {
            sources,
            roots,
            listings: FxHashMap::default(),
            absent: BTreeSet::new(),
        }
    }

    pub(crate) fn roots(&self) -> &[String] {
        &self.roots
    }

    pub(crate) fn read(&self, path: &str) -> Option<Vec<u8>> {
        self.sources.read(path)
    }

    /// Directories that were listed, and pairs of a directory and a module that was not found there.
    pub(crate) fn asked(&self) -> (BTreeSet<String>, &BTreeSet<(String, String)>) {
        let listed = self.listings.iter().filter(|(_, found)| found.is_some());
        (listed.map(|(path, _)| path.clone()).collect(), &self.absent)
    }

    /// What a directory holds.
    pub(crate) fn list(&mut self, directory: &str) -> Option<&Listing> {
        if !self.listings.contains_key(directory) {
            let listed = self.sources.list(directory).map(|entries| {
                entries
                    .into_iter()
                    .map(|Listed { name, kind }| (name, kind))
                    .collect()
            });
            self.listings.insert(directory.to_owned(), listed);
        }
        self.listings.get(directory).and_then(Option::as_ref)
    }

    /// Looks for a module in directories, in their order.
    pub(crate) fn find(&mut self, name: &str, search: &[String]) -> Option<Location> {
        let mut portions = Vec::new();
        for directory in search {
            match self.find_in(name, directory) {
                Some(Location {
                    what: Found::Namespace,
                    search,
                }) => portions.extend(search),
                Some(found) => return Some(found),
                None => drop(self.absent.insert((directory.clone(), name.to_owned()))),
            }
        }
        (!portions.is_empty()).then_some(Location {
            what: Found::Namespace,
            search: portions,
        })
    }

    fn find_in(&mut self, name: &str, directory: &str) -> Option<Location> {
        let is_package = self
            .list(directory)?
            .get(name)
            .is_some_and(|it| it.is_directory());
        let path = join(directory, name);
        if is_package && let Some(what) = self.file(&path, "__init__") {
            return Some(Location {
                what,
                search: vec![path],
            });
        }
        if let Some(what) = self.file(directory, name) {
            return Some(Location {
                what,
                search: Vec::new(),
            });
        }
        is_package.then(|| Location {
            what: Found::Namespace,
            search: vec![path],
        })
    }

    /// The file of a module, extension modules first, as Python has it.
    fn file(&mut self, directory: &str, name: &str) -> Option<Found> {
        let listing = self.list(directory)?;
        let from = listing
            .range(name.to_owned()..)
            .take_while(|(entry, _)| entry.starts_with(name));
        let files: Vec<&str> = from
            .filter(|(_, kind)| !kind.is_directory())
            .filter_map(|(entry, _)| entry.strip_prefix(name))
            .collect();
        if let Some(rest) = files.iter().find(|rest| is_extension(rest)) {
            return Some(Found::Native(join(directory, &format!("{name}{rest}"))));
        }
        if files.contains(&".py") {
            return Some(Found::Source(join(directory, &format!("{name}.py"))));
        }
        let compiled = files.contains(&".pyc");
        compiled.then(|| Found::Native(join(directory, &format!("{name}.pyc"))))
    }
}
