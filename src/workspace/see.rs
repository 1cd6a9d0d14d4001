//! What lies at a place now, in the words of a path set: the second phase of a lookup.

use std::ffi::OsStr;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use jalon_store::action::{Access, PathKind, Seen, listing_digest};
use jalon_store::content::Content;

use super::Workspace;

/// Whether a name in a listing is nobody's business.
pub type Hidden<'a> = &'a dyn Fn(&OsStr) -> bool;

impl Workspace {
    /// What lies at an absolute path now; `None` where that cannot be found out, so that no key comes of it.
    /// Of a listing, the names that are not `hidden`.
    pub fn see(&self, place: &Path, access: Access, hidden: Hidden<'_>) -> Option<Seen> {
        if access == Access::Module {
            return modules(place, hidden);
        }
        let Ok(link) = place.symlink_metadata() else {
            return Some(Seen::Absent);
        };
        if access == Access::Link && link.is_symlink() {
            let target = std::fs::read_link(place).ok()?;
            return Some(Seen::Link(target.into_os_string().into_vec()));
        }
        match access {
            Access::Content => Some(seen(self.store.digest_path(place, &*self.cache).ok()?)),
            Access::Listing => match std::fs::read_dir(place) {
                Ok(entries) => names(entries, hidden),
                // A link that leads nowhere, or a file by now: it says as much.
                Err(_) => Some(there(place)),
            },
            _ => Some(there(place)),
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
fn there(place: &Path) -> Seen {
    match place.metadata() {
        Err(_) => Seen::Absent,
        Ok(found) if found.is_file() => Seen::Size {
            size: found.len(),
            executable: found.permissions().mode() & 0o100 != 0,
        },
        Ok(found) => Seen::Exists(kind(found.file_type())),
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

/// Of a directory, a zero byte, and names of modules divided by zero bytes: which of them it holds.
fn modules(place: &Path, hidden: Hidden<'_>) -> Option<Seen> {
    let mut parts = place.as_os_str().as_bytes().split(|&byte| byte == 0);
    let directory = Path::new(OsStr::from_bytes(parts.next()?));
    let wanted: rustc_hash::FxHashSet<&[u8]> = parts.collect();
    let stem = |name: &OsStr| {
        let stem = name.as_bytes().split(|&byte| byte == b'.').next();
        stem.is_some_and(|stem| wanted.contains(stem))
    };
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
