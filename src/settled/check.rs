//! Whether every witness still finds what it found: a stat each, below its open directory, on all processors.

use std::collections::HashMap;
use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use jalon_store::index::{self, Sight, StatId};
use rayon::prelude::*;
use rustix::fs::{AtFlags, Mode, OFlags, Stat, openat, statat};
use rustix::io::Errno;

use super::format::{Group, Snapshot};
use crate::witness::{Recording, Witnesses};

/// Bytes of witnesses from which on other threads are worth waking.
const MANY: usize = 64 * 1024;

/// The bits of `st_mode` that tell the type.
const TYPE: u32 = 0o170_000;

/// What the look came to.
pub enum Checked {
    /// Every stat is what it was.
    Same,
    /// Of some files the stat is another, or told nothing, and the content the same: what they are now.
    Touched(HashMap<PathBuf, Sight>),
}

/// What a witness finds.
enum Found {
    Same,
    /// Only a digest can tell.
    Unknown,
    Other,
}

/// Looks at everything; nothing where something is not what it was.
pub fn check(root: &Path, private: &Path, snapshot: &Snapshot<'_>) -> Option<Checked> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let base = rustix::fs::open(root, flags, Mode::empty()).ok()?;
    let differs = AtomicBool::new(false);
    let unknown = Mutex::new(Vec::new());
    let look = |group: &Group<'_>| {
        let same = !differs.load(Ordering::Relaxed) && look(group, root, base.as_fd(), &unknown);
        if !same {
            differs.store(true, Ordering::Relaxed);
        }
        same
    };
    let weight: usize = snapshot.groups.iter().map(Group::weight).sum();
    let same = if weight < MANY {
        snapshot.groups.iter().all(look)
    } else {
        snapshot.groups.par_iter().all(look)
    };
    let unknown = unknown.into_inner().unwrap_or_else(PoisonError::into_inner);
    match (same, unknown.is_empty()) {
        (false, _) => None,
        (true, true) => Some(Checked::Same),
        (true, false) => touched(private, &unknown),
    }
}

fn look(
    group: &Group<'_>,
    root: &Path,
    base: BorrowedFd<'_>,
    unknown: &Mutex<Vec<(PathBuf, Sight)>>,
) -> bool {
    let directory = match open(group.directory, base) {
        Ok(directory) => directory,
        Err(errno) if is_absent(errno) => None,
        Err(_) => return false,
    };
    let opened = directory.as_ref().map(Opened::as_fd);
    group.witnesses().all(|witness| {
        let Some(witness) = witness else {
            return false;
        };
        let found = match opened {
            Some(opened) => found(opened, witness.name, &witness.sight),
            None if matches!(witness.sight, Sight::Absent | Sight::Vacant) => Found::Same,
            None => Found::Other,
        };
        if matches!(found, Found::Unknown) {
            let path = group.path(root, witness.name);
            let mut unknown = unknown.lock().unwrap_or_else(PoisonError::into_inner);
            unknown.push((path, witness.sight));
        }
        !matches!(found, Found::Other)
    })
}

enum Opened<'a> {
    Own(OwnedFd),
    Base(BorrowedFd<'a>),
}

impl Opened<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Opened::Own(own) => own.as_fd(),
            Opened::Base(base) => *base,
        }
    }
}

fn open<'a>(directory: &CStr, base: BorrowedFd<'a>) -> Result<Option<Opened<'a>>, Errno> {
    if directory.is_empty() {
        return Ok(Some(Opened::Base(base)));
    }
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let opened = openat(base, directory, flags, Mode::empty())?;
    Ok(Some(Opened::Own(opened)))
}

fn is_absent(errno: Errno) -> bool {
    matches!(errno, Errno::NOENT | Errno::NOTDIR)
}

fn found(directory: BorrowedFd<'_>, name: &CStr, sight: &Sight) -> Found {
    let followed = !matches!(
        sight,
        Sight::Vacant
            | Sight::Link { .. }
            | Sight::Kind {
                followed: false,
                ..
            }
    );
    let flags = if followed {
        AtFlags::empty()
    } else {
        AtFlags::SYMLINK_NOFOLLOW
    };
    let stat = match statat(directory, name, flags) {
        Ok(stat) => stat,
        Err(errno) if is_absent(errno) && matches!(sight, Sight::Absent | Sight::Vacant) => {
            return Found::Same;
        }
        Err(_) => return Found::Other,
    };
    let same = |same: bool| if same { Found::Same } else { Found::Other };
    match sight {
        Sight::File { id, settled, .. } => {
            if *settled && id_of(&stat) == Some(*id) {
                Found::Same
            } else {
                Found::Unknown
            }
        }
        Sight::Directory { id, .. } | Sight::Link { id, .. } => same(id_of(&stat) == Some(*id)),
        Sight::Kind { mode, .. } => same(stat.st_mode & TYPE == *mode),
        Sight::Absent | Sight::Vacant | Sight::Unclear => Found::Other,
    }
}

fn id_of(stat: &Stat) -> Option<StatId> {
    let time = |seconds: i64, nanos: i64| i128::from(seconds) * 1_000_000_000 + i128::from(nanos);
    Some(StatId {
        size: u64::try_from(stat.st_size).ok()?,
        mtime_ns: time(stat.st_mtime, i64::try_from(stat.st_mtime_nsec).ok()?),
        ctime_ns: time(stat.st_ctime, i64::try_from(stat.st_ctime_nsec).ok()?),
        inode: stat.st_ino,
        device: stat.st_dev,
    })
}

/// Takes the digests of files whose stat does not tell.
fn touched(private: &Path, unknown: &[(PathBuf, Sight)]) -> Option<Checked> {
    let cache = Arc::new(index::in_memory(private));
    let now: Option<HashMap<PathBuf, Sight>> = unknown
        .par_iter()
        .map(|(path, before)| {
            let witnesses = Arc::new(Witnesses::default());
            let recording = Recording::new(cache.clone(), witnesses.clone());
            jalon_store::digest_path(path, &recording).ok()??;
            let all = witnesses.all()?;
            let &[(_, now)] = all.as_slice() else {
                return None;
            };
            is_same_content(before, &now).then(|| (path.clone(), now))
        })
        .collect();
    now.map(Checked::Touched)
}

fn is_same_content(before: &Sight, now: &Sight) -> bool {
    match (before, now) {
        (
            Sight::File {
                digest, executable, ..
            },
            Sight::File {
                digest: now,
                executable: may,
                ..
            },
        ) => (digest, executable) == (now, may),
        _ => false,
    }
}
