//! Whether every witness still finds what it found: a stat each, below its open directory, on all processors.

use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use jalon_store::index::{self, Sight, StatId};
use rayon::prelude::*;
use rustc_hash::FxHashMap;
use rustix::fs::{AtFlags, Mode, OFlags, Stat, openat, statat};
use rustix::io::Errno;

use super::format::{Group, Snapshot};
use crate::witness::{Look, Recording, TYPE, Witnesses};

/// Bytes of witnesses from which on other threads are worth waking.
const MANY: usize = 64 * 1024;

/// The type of a regular file.
const FILE: u32 = 0o100_000;

/// What the look came to.
pub enum Checked {
    /// Every stat is what it was.
    Same,
    /// Of some files the stat is another, or told nothing.
    Touched(Touched),
}

/// What became of files whose stat does not tell.
#[derive(Default)]
pub struct Touched {
    /// What they are now, by the bytes of their paths (to hash a path is to take it apart).
    pub now: FxHashMap<Vec<u8>, Sight>,
    /// Those with another content: files that were looked at as something declared, and as nothing else.
    pub changed: Vec<PathBuf>,
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
    check_of(root, private, snapshot, &|_, _| true)
}

/// The same of those witnesses that are meant, by their group and name.
pub fn check_of(
    root: &Path,
    private: &Path,
    snapshot: &Snapshot<'_>,
    is_meant: &(impl Fn(&Group<'_>, &CStr) -> bool + Sync),
) -> Option<Checked> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let base = rustix::fs::open(root, flags, Mode::empty()).ok()?;
    let differs = AtomicBool::new(false);
    let unknown: Mutex<Vec<Look>> = Mutex::default();
    let look = |group: &Group<'_>| {
        let same =
            !differs.load(Ordering::Relaxed) && look(group, root, base.as_fd(), is_meant, &unknown);
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
    is_meant: &impl Fn(&Group<'_>, &CStr) -> bool,
    unknown: &Mutex<Vec<Look>>,
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
        if !is_meant(group, witness.name) {
            return true;
        }
        let found = match opened {
            Some(opened) => found(opened, witness.name, &witness.sight),
            None if matches!(witness.sight, Sight::Absent | Sight::Vacant) => Found::Same,
            None => Found::Other,
        };
        if matches!(found, Found::Unknown) {
            let look = Look {
                path: group.path(root, witness.name),
                sight: witness.sight,
                declared: witness.declared,
            };
            let mut unknown = unknown.lock().unwrap_or_else(PoisonError::into_inner);
            unknown.push(look);
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
        Sight::Same { id, .. } | Sight::Link { id, .. } => same(id_of(&stat) == Some(*id)),
        Sight::Kind { mode, .. } => same(stat.st_mode & TYPE == *mode),
        Sight::Size { size, executable } => same(
            stat.st_mode & TYPE == FILE
                && u64::try_from(stat.st_size) == Ok(*size)
                && (stat.st_mode & 0o100 != 0) == *executable,
        ),
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

/// Takes the digests of files whose stat does not tell; nothing where one is another that more than what is
/// declared may rest on.
fn touched(private: &Path, unknown: &[Look]) -> Option<Checked> {
    let cache = Arc::new(index::in_memory(private));
    let now: Option<Vec<(PathBuf, Sight, bool)>> = unknown
        .par_iter()
        .map(|before| {
            let witnesses = Arc::new(Witnesses::default());
            let recording = Recording::new(cache.clone(), witnesses.clone());
            jalon_store::digest_path(&before.path, &recording).ok()??;
            let all = witnesses.all()?;
            let [now] = all.as_slice() else {
                return None;
            };
            let same = is_same_content(&before.sight, &now.sight)?;
            (same || before.declared).then(|| (before.path.clone(), now.sight, !same))
        })
        .collect();
    let mut touched = Touched::default();
    for (path, now, changed) in now? {
        if changed {
            touched.changed.push(path.clone());
        }
        touched.now.insert(path.into_os_string().into_vec(), now);
    }
    Some(Checked::Touched(touched))
}

/// Whether two files have the same content; nothing where one of the looks did not find a file.
fn is_same_content(before: &Sight, now: &Sight) -> Option<bool> {
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
        ) => Some((digest, executable) == (now, may)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settled::example::kept;
    use crate::settled::format;
    use jalon_store::digest::BlobDigest;
    use std::os::unix::fs::symlink;

    const QUESTION: [u8; 32] = [0; 32];

    fn id(path: &Path) -> StatId {
        StatId::of(&path.symlink_metadata().expect("it is there"))
    }

    fn file(path: &Path, bytes: &[u8], settled: bool) -> Sight {
        Sight::File {
            id: id(path),
            digest: BlobDigest::of(bytes),
            executable: false,
            settled,
        }
    }

    fn look(path: PathBuf, sight: Sight) -> Look {
        Look {
            path,
            sight,
            declared: false,
        }
    }

    fn checked(root: &Path, looks: Vec<Look>) -> Option<Checked> {
        let bytes = format::write(&kept(), &QUESTION, root, looks).expect("it can be written");
        let snapshot = Snapshot::read(&bytes, &QUESTION).expect("it can be read");
        let private = tempfile::tempdir().expect("a directory");
        check(root, private.path(), &snapshot)
    }

    /// Whether a witness still finds what it found.
    fn holds(root: &Path, name: &str, sight: Sight) -> bool {
        matches!(
            checked(root, vec![look(root.join(name), sight)]),
            Some(Checked::Same)
        )
    }

    #[test]
    fn each_kind_of_look_is_held_to_what_it_asked() {
        let place = tempfile::tempdir().expect("a directory");
        let root = place.path();
        let path = |name: &str| root.join(name);
        std::fs::write(path("file"), "x").expect("written");
        std::fs::create_dir(path("dir")).expect("made");
        symlink("file", path("link")).expect("linked");
        symlink("nothing", path("dangling")).expect("linked");
        let of = |name: &str| id(&path(name));
        let kind = |mode, followed| Sight::Kind { mode, followed };
        let size = |size, executable| Sight::Size { size, executable };
        let link = |name| Sight::Link {
            id: of(name),
            settled: true,
        };
        let directory = |name| Sight::Same {
            id: of(name),
            settled: true,
        };
        for (name, sight, expected) in [
            ("none", Sight::Absent, true),
            ("none", Sight::Vacant, true),
            ("none/below", Sight::Absent, true),
            ("file/below", Sight::Absent, true),
            ("file", Sight::Absent, false),
            ("dangling", Sight::Absent, true),
            ("dangling", Sight::Vacant, false),
            ("file", file(&path("file"), b"x", true), true),
            ("link", file(&path("file"), b"x", true), true),
            ("dir", file(&path("file"), b"x", true), false),
            ("none", file(&path("file"), b"x", true), false),
            ("none/below", file(&path("file"), b"x", true), false),
            ("dir", directory("dir"), true),
            ("", directory(""), true),
            ("dir", directory(""), false),
            ("link", link("link"), true),
            ("dangling", link("link"), false),
            ("file", kind(0o100_000, true), true),
            ("link", kind(0o100_000, true), true),
            ("link", kind(0o100_000, false), false),
            ("link", kind(0o120_000, false), true),
            ("dir", kind(0o100_000, true), false),
            ("dangling", kind(0o100_000, true), false),
            ("file", size(1, false), true),
            ("file", size(2, false), false),
            ("file", size(1, true), false),
            ("dir", size(of("dir").size, true), false),
        ] {
            assert_eq!(holds(root, name, sight), expected, "{name}: {sight:?}");
        }
    }

    #[test]
    fn a_fresh_file_is_digested_whatever_its_stat() {
        let place = tempfile::tempdir().expect("a directory");
        let root = place.path();
        let path = root.join("file");
        std::fs::write(&path, "x").expect("written");
        let fresh = |bytes, declared| {
            let look = look(path.clone(), file(&path, bytes, false));
            checked(root, vec![Look { declared, ..look }])
        };
        // The same stat, and other bytes: changed within one tick of the clock.
        assert!(fresh(b"y", false).is_none());
        for (bytes, declared, changes) in [
            (b"x", false, false),
            (b"x", true, false),
            (b"y", true, true),
        ] {
            let Some(Checked::Touched(touched)) = fresh(bytes, declared) else {
                panic!("the bytes are the same, or only what is declared rests on them");
            };
            assert_eq!(touched.changed.len(), usize::from(changes));
            assert!(
                matches!(touched.now.get(path.as_os_str().as_encoded_bytes()), Some(Sight::File { digest, .. }) if *digest == BlobDigest::of(b"x"))
            );
        }
    }

    #[test]
    fn many_are_looked_at_like_few() {
        let place = tempfile::tempdir().expect("a directory");
        let root = place.path();
        let mut looks = Vec::new();
        for number in 0..3000 {
            let path = root.join(format!("{}/{number}", number % 3));
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("made");
            std::fs::write(&path, "x").expect("written");
            looks.push(look(path.clone(), file(&path, b"x", true)));
        }
        assert!(matches!(checked(root, looks.clone()), Some(Checked::Same)));
        std::fs::write(root.join("1/1000"), "y").expect("written");
        assert!(checked(root, looks).is_none());
    }
}
