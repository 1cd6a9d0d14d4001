//! What an entry of a path set finds now: the second phase of a lookup.

use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

use jalon_store::action::{Access, PathEntry, PathKind, Place, Seen, listing_digest};
use jalon_store::content::Content;

use super::{Workspace, glob};

impl Workspace {
    /// What lies at an observed path now; `None` where that cannot be found out, so that no key comes of it.
    pub fn see(&self, entry: &PathEntry) -> Option<Seen> {
        let path = std::ffi::OsStr::from_bytes(&entry.path);
        let place = match entry.place {
            Place::Project => self.root.join(path),
            Place::Absolute => PathBuf::from(path),
            Place::Distribution => return None,
        };
        let Ok(link) = place.symlink_metadata() else {
            return Some(Seen::Absent);
        };
        match entry.access {
            Access::Link if link.is_symlink() => Some(Seen::Link(
                std::fs::read_link(&place).ok()?.into_os_string().into_vec(),
            )),
            Access::Link | Access::Existence => {
                let found = if entry.access == Access::Link {
                    link
                } else {
                    place.metadata().ok()?
                };
                Some(Seen::Exists(kind(found.file_type())))
            }
            Access::Content => Some(match self.store.digest_path(&place, &*self.cache).ok()? {
                None => Seen::Absent,
                Some(Content::File {
                    digest, executable, ..
                }) => Seen::File { digest, executable },
                Some(Content::Tree { digest, .. }) => Seen::Directory(digest),
            }),
            Access::Listing => {
                let mut names = Vec::new();
                for entry in std::fs::read_dir(&place).ok()? {
                    let entry = entry.ok()?;
                    let name = entry.file_name().into_vec();
                    if !glob::PRIVATE
                        .iter()
                        .any(|private| private.as_bytes() == name)
                    {
                        names.push((name, kind(entry.file_type().ok()?)));
                    }
                }
                Some(Seen::Listing(listing_digest(&names)))
            }
        }
    }
}

fn kind(found: std::fs::FileType) -> PathKind {
    if found.is_symlink() {
        PathKind::Symlink
    } else if found.is_dir() {
        PathKind::Directory
    } else if found.is_file() {
        PathKind::File
    } else {
        PathKind::Other
    }
}
