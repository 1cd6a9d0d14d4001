//! The project's modules as they lie on disk, every look told to the stat cache.
//!
//! Knows nothing of Python.

use std::cell::RefCell;
use std::path::Path;

use jalon_closure::{EntryKind, Listed, Sources};
use jalon_store::content::Content;
use jalon_store::digest::BlobDigest;
use rustc_hash::FxHashMap;

use crate::witness;
use crate::workspace::Workspace;

/// How often a file that changes while it is read is read again.
const TRIES: u32 = 5;

/// A project's files.
pub struct Disk<'a> {
    workspace: &'a Workspace,
    read: RefCell<FxHashMap<String, Content>>,
}

impl<'a> Disk<'a> {
    /// Of which nothing was read yet.
    pub fn new(workspace: &'a Workspace) -> Disk<'a> {
        Disk {
            workspace,
            read: RefCell::default(),
        }
    }

    /// What a file held when it was read, or holds now where it was not read.
    pub fn content(&self, path: &str) -> Option<Content> {
        if let Some(content) = self.read.borrow().get(path) {
            return Some(*content);
        }
        self.workspace.current(path).ok()?
    }

    fn place(&self, path: &str) -> std::path::PathBuf {
        let root = self.workspace.root();
        if path.is_empty() {
            root.to_owned()
        } else {
            root.join(path)
        }
    }
}

impl Sources for &Disk<'_> {
    fn read(&self, path: &str) -> Option<Vec<u8>> {
        for _ in 0..TRIES {
            let content = self.workspace.current(path).ok()??;
            let Content::File { digest, .. } = content else {
                return None;
            };
            let bytes = std::fs::read(self.place(path)).ok()?;
            if BlobDigest::of(&bytes) == digest {
                self.read.borrow_mut().insert(path.to_owned(), content);
                return Some(bytes);
            }
        }
        None
    }

    fn list(&self, directory: &str) -> Option<Vec<Listed>> {
        let place = self.place(directory);
        let cache = self.workspace.cache();
        if !witness::metadata(cache, &place).is_ok_and(|found| found.is_dir()) {
            return None;
        }
        let names = witness::names(cache, &place).into_iter();
        let entries = names.filter_map(|name| {
            let kind = kind(cache, &place.join(&name))?;
            Some(Listed {
                name: name.into_string().ok()?,
                kind,
            })
        });
        Some(entries.collect())
    }
}

fn kind(cache: &dyn jalon_store::index::StatCache, place: &Path) -> Option<EntryKind> {
    let found = place.symlink_metadata().ok()?;
    if found.is_symlink() {
        let leads_to_directory = witness::is_directory(cache, place);
        return Some(if leads_to_directory {
            EntryKind::Link
        } else {
            EntryKind::File
        });
    }
    Some(if found.is_dir() {
        EntryKind::Directory
    } else {
        EntryKind::File
    })
}
