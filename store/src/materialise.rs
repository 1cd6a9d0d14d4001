//! Contents laid out as files: shared blocks where the file system can, else a copy, or a read-only
//! hardlink on request. Everything is made under a temporary name beside its place, verified, and renamed.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use crate::content::Content;
use crate::digest::{BlobDigest, TreeDigest, pump};
use crate::error::{At, IoAt, MaterialiseError};
use crate::local::LocalStore;
use crate::local::atomic::{self, Temporary, TemporaryDirectory};
use crate::local::holes::{Copy, has_holes};
use crate::tree::{Entry, MAX_DEPTH, stays_inside};

/// How files come to lie where they are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkMode {
    /// Shared blocks, else a copy.
    Auto,
    /// A copy, always.
    Copy,
    /// A read-only hardlink; for privileged processes, which write through it, a copy.
    Hardlink,
}

impl LocalStore {
    /// Lays a content out at `dest`, in place of a file that may be there. A directory must not be.
    ///
    /// # Errors
    /// See [`MaterialiseError`]; `dest` then holds what it held.
    pub fn materialise(
        &self,
        content: &Content,
        dest: &Path,
        link: LinkMode,
    ) -> Result<(), MaterialiseError> {
        match content {
            Content::File {
                digest, executable, ..
            } => self.lay_file(digest, *executable, dest, link),
            Content::Tree { digest, .. } => {
                let parent = parent_of(dest);
                let temporary = TemporaryDirectory::in_directory(parent)?;
                let inner = temporary.path().join("t");
                self.lay_tree(digest, &inner, link, 0, dest)?;
                fs::rename(&inner, dest).at("rename a new directory to", dest)?;
                Ok(())
            }
        }
    }

    fn lay_tree(
        &self,
        digest: &TreeDigest,
        place: &Path,
        link: LinkMode,
        depth: usize,
        dest: &Path,
    ) -> Result<(), MaterialiseError> {
        if depth > MAX_DEPTH {
            let error = std::io::Error::new(
                std::io::ErrorKind::InvalidData,
                "its directories lie too deep",
            );
            return Err(IoAt::new("lay out", dest, error).into());
        }
        let missing = || MaterialiseError::Missing {
            what: format!("the directory {}", digest.short()),
        };
        let tree = self.read_tree(digest)?.ok_or_else(missing)?;
        fs::create_dir(place).at("create", place)?;
        for (name, entry) in tree.entries() {
            let inner = place.join(OsStr::from_bytes(name));
            match entry {
                Entry::File {
                    digest, executable, ..
                } => self.lay_file(digest, *executable, &inner, link)?,
                Entry::Directory { digest, .. } => {
                    self.lay_tree(digest, &inner, link, depth + 1, dest)?
                }
                Entry::Symlink { target } if stays_inside(target, depth) => {
                    symlink(OsStr::from_bytes(target), &inner).at("create the link", &inner)?;
                }
                Entry::Symlink { .. } => {
                    return Err(MaterialiseError::Escaping {
                        path: dest.to_owned(),
                    });
                }
            }
        }
        Ok(())
    }

    fn lay_file(
        &self,
        digest: &BlobDigest,
        executable: bool,
        dest: &Path,
        link: LinkMode,
    ) -> Result<(), MaterialiseError> {
        let missing = || MaterialiseError::Missing {
            what: format!("the file {}", digest.short()),
        };
        let Some(loose) = self.loose(digest) else {
            let bytes = self.read_blob(digest)?.ok_or_else(missing)?;
            let mut temporary = Temporary::in_directory(parent_of(dest))?;
            temporary.file().write_all(&bytes).at("write", dest)?;
            return finish(temporary, executable, dest);
        };
        if link == LinkMode::Hardlink && !executable && !is_privileged() {
            self.verify_loose(digest, &loose)?;
            if hardlink(&loose, dest).is_ok() {
                return Ok(());
            }
        }
        let mut temporary = Temporary::in_directory(parent_of(dest))?;
        if link == LinkMode::Copy || !temporary.clone_from_path(&loose) {
            let mut from = File::open(&loose).at("open", &loose)?;
            let metadata = from.metadata().at("stat", &loose)?;
            if has_holes(&metadata) {
                let copy = Copy::of(&metadata, temporary.file());
                let mut at = 0;
                pump(&mut from, |piece| {
                    copy.write(piece, at)?;
                    at += piece.len() as u64;
                    Ok(())
                })
                .and_then(|length| copy.finish(length))
                .at("copy to", dest)?;
            } else {
                // The kernel may do it by itself.
                std::io::copy(&mut from, temporary.file()).at("copy to", dest)?;
            }
        }
        // What is verified is what was laid out, not what it was made from.
        let mut laid = File::open(temporary.path()).at("open", temporary.path())?;
        let (found, _) = BlobDigest::of_file(&mut laid).at("read", dest)?;
        if found != *digest {
            self.quarantine(&loose);
            return Err(missing());
        }
        finish(temporary, executable, dest)
    }

    fn verify_loose(&self, digest: &BlobDigest, loose: &Path) -> Result<(), MaterialiseError> {
        let mut file = File::open(loose).at("open", loose)?;
        let (found, _) = BlobDigest::of_file(&mut file).at("read", loose)?;
        if found == *digest {
            return Ok(());
        }
        self.quarantine(loose);
        Err(MaterialiseError::Missing {
            what: format!("the file {}", digest.short()),
        })
    }
}

fn parent_of(dest: &Path) -> &Path {
    dest.parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}

/// Execution is allowed where reading is, as the umask left it.
fn finish(temporary: Temporary, executable: bool, dest: &Path) -> Result<(), MaterialiseError> {
    let mode = fs::metadata(temporary.path())
        .at("stat", temporary.path())?
        .permissions()
        .mode()
        & 0o777;
    let readable = (mode | 0o600) & 0o666;
    let wanted = if executable {
        readable | ((readable & 0o444) >> 2)
    } else {
        readable
    };
    if wanted != mode {
        temporary.set_mode(wanted)?;
    }
    temporary.persist(dest)?;
    Ok(())
}

/// The link gets a temporary name first: it may have to take the place of a file.
fn hardlink(loose: &Path, dest: &Path) -> Result<(), IoAt> {
    let directory = TemporaryDirectory::in_directory(parent_of(dest))?;
    let name = directory.path().join("f");
    fs::hard_link(loose, &name).at("link", dest)?;
    fs::rename(&name, dest).at("rename", dest)
}

/// Whether permissions do not bind this process.
fn is_privileged() -> bool {
    rustix::process::geteuid().is_root()
}

/// Takes away what was being laid out in a directory when its process was killed. Nobody else may be laying out there.
pub fn remove_litter(directory: &Path) {
    atomic::sweep(directory, |_| false);
}

/// Whether a directory's file system shares blocks between files.
pub fn can_reflink(directory: &Path) -> bool {
    let Ok(mut from) = Temporary::in_directory(directory) else {
        return false;
    };
    let Ok(mut to) = Temporary::in_directory(directory) else {
        return false;
    };
    from.file().write_all(&[7; 4096]).is_ok() && to.clone_from_path(from.path())
}
