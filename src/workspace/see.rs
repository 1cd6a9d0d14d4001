//! What lies at a place now, in the words of a path set: the second phase of a lookup.

use std::ffi::OsStr;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use jalon_store::action::{Access, PathKind, Seen, listing_digest};
use jalon_store::content::Content;
use jalon_store::index::{Sight, StatCache, saw_link};

use super::Workspace;
use crate::witness::{self, is_absent};

/// Whether a name in a listing is nobody's business.
pub type Hidden<'a> = &'a dyn Fn(&OsStr) -> bool;

impl Workspace {
    /// What lies at an absolute path now; `None` where that cannot be found out, so that no key comes of it.
    /// Of a listing, the names that are not `hidden`.
    pub fn see(&self, place: &Path, access: Access, hidden: Hidden<'_>) -> Option<Seen> {
        let seen = self.look(place, access, hidden);
        if seen.is_none() {
            self.cache.saw(place, Sight::Unclear);
        }
        seen
    }

    fn look(&self, place: &Path, access: Access, hidden: Hidden<'_>) -> Option<Seen> {
        let cache = &*self.cache;
        if access == Access::Module {
            return modules(cache, place, hidden);
        }
        let link = match place.symlink_metadata() {
            Ok(link) => link,
            Err(error) => {
                let absent = is_absent(&error);
                cache.saw(
                    place,
                    if absent {
                        Sight::Vacant
                    } else {
                        Sight::Unclear
                    },
                );
                return Some(Seen::Absent);
            }
        };
        if access == Access::Link && link.is_symlink() {
            saw_link(cache, place, &link);
            let target = std::fs::read_link(place).ok()?;
            return Some(Seen::Link(target.into_os_string().into_vec()));
        }
        match access {
            Access::Content => Some(seen(self.store.digest_path(place, cache).ok()?)),
            Access::Listing => {
                // Before its names are read.
                let _ = witness::metadata(cache, place);
                match std::fs::read_dir(place) {
                    Ok(entries) => names(entries, hidden),
                    // A link that leads nowhere, or a file by now: it says as much.
                    Err(_) => Some(there(cache, place)),
                }
            }
            _ => Some(there(cache, place)),
        }
        .map(|seen| match (seen, access) {
            (Seen::Size { .. }, Access::Existence) => Seen::Exists(PathKind::File),
            (seen, _) => seen,
        })
    }
}

/// A content as a path set has it.
pub fn seen(content: Option<Content>) -> Seen {
    match content {
        None => Seen::Absent,
        Some(Content::File {
            digest, executable, ..
        }) => Seen::File { digest, executable },
        Some(Content::Tree { digest, .. }) => Seen::Directory(digest),
    }
}

/// The digest in what was seen.
pub fn digest_of(seen: &Seen) -> Option<[u8; 32]> {
    match seen {
        Seen::File { digest, .. } => Some(*digest.as_bytes()),
        Seen::Listing(digest) => Some(*digest.as_bytes()),
        _ => None,
    }
}

/// Type, and size of a file; what cannot be asked is absent, as it is for whoever asks.
fn there(cache: &dyn StatCache, place: &Path) -> Seen {
    match place.metadata() {
        Err(error) => {
            cache.saw(place, witness::missing(&error));
            Seen::Absent
        }
        Ok(found) if found.is_file() => {
            let (size, executable) = (found.len(), found.mode() & 0o100 != 0);
            cache.saw(place, Sight::Size { size, executable });
            Seen::Size { size, executable }
        }
        Ok(found) => {
            let mode = found.mode() & witness::TYPE;
            let followed = true;
            cache.saw(place, Sight::Kind { mode, followed });
            Seen::Exists(kind(found.file_type()))
        }
    }
}

fn names(entries: std::fs::ReadDir, hidden: Hidden<'_>) -> Option<Seen> {
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.ok()?;
        let name = entry.file_name();
        if !hidden(&name) {
            names.push((name.into_vec(), kind(entry.file_type().ok()?)));
        }
    }
    Some(Seen::Listing(listing_digest(&names)))
}

/// In a module's place: everything that says that a distribution is installed there.
pub const DISTRIBUTIONS: &[u8] = b"*.dist-info";

/// Of a directory, a zero byte, and names of modules divided by zero bytes: which of them it holds.
fn modules(cache: &dyn StatCache, place: &Path, hidden: Hidden<'_>) -> Option<Seen> {
    let mut parts = place.as_os_str().as_bytes().split(|&byte| byte == 0);
    let directory = Path::new(OsStr::from_bytes(parts.next()?));
    let wanted: rustc_hash::FxHashSet<&[u8]> = parts.collect();
    let installed = wanted.contains(DISTRIBUTIONS);
    let stem = |name: &OsStr| {
        let ends = |end: &[u8]| name.as_bytes().ends_with(end);
        if installed && (ends(b".dist-info") || ends(b".egg-info")) {
            return true;
        }
        let stem = name.as_bytes().split(|&byte| byte == b'.').next();
        stem.is_some_and(|stem| wanted.contains(stem))
    };
    // Before its names are read.
    let _ = witness::metadata(cache, directory);
    match std::fs::read_dir(directory) {
        Ok(entries) => names(entries, &|name| !stem(name) || hidden(name)),
        Err(_) => Some(Seen::Absent),
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
