//! The stat cache on disk, one value a directory. The one door of sled.
//!
//! sled holds only what can be deleted: a value that does not check out is as good as none, and a
//! database that cannot be opened is removed and made anew. Loaded a directory at a time, written once at the
//! end. Value: check (8 bytes), then for each file its name's length (4, little-endian), name, size (8),
//! mtime (16), ctime (16), inode (8), device (8), digest (32).

use std::cell::Cell;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, Once, PoisonError, RwLock};

use rustc_hash::FxHashMap;

use super::{Freshness, StatCache, StatId};
use crate::digest::{BlobDigest, check, context};

type Files = FxHashMap<OsString, (StatId, BlobDigest)>;

#[derive(Debug, Default)]
struct Directory {
    files: RwLock<Files>,
    dirty: std::sync::atomic::AtomicBool,
}

/// The cache.
pub(super) struct Kept {
    base: PathBuf,
    freshness: Freshness,
    database: Mutex<Option<sled::Db>>,
    directories: RwLock<FxHashMap<PathBuf, Arc<Directory>>>,
}

impl Kept {
    /// Opens the database in `directory`.
    pub(super) fn open(directory: &Path, base: &Path, write: bool) -> Result<Kept, String> {
        if !write && !directory.is_dir() {
            return Err("there is none yet".into());
        }
        std::fs::create_dir_all(directory).map_err(|error| error.to_string())?;
        let database = match database(directory) {
            Ok(database) => database,
            Err(Refused::Held) => return Err("another process has it open".into()),
            Err(Refused::Damaged(why)) => {
                // It can be deleted at any time; now is one.
                std::fs::remove_dir_all(directory)
                    .map_err(|error| format!("{why}; and {error}"))?;
                std::fs::create_dir_all(directory).map_err(|error| error.to_string())?;
                database_again(directory)?
            }
        };
        Ok(Kept {
            base: base.to_owned(),
            freshness: Freshness::probe(directory),
            database: Mutex::new(Some(database)),
            directories: RwLock::default(),
        })
    }

    fn directory(&self, path: &Path) -> Option<(Arc<Directory>, OsString)> {
        let parent = path.parent()?;
        let parent = parent.strip_prefix(&self.base).unwrap_or(parent);
        let name = path.file_name()?.to_owned();
        if let Some(directory) = self
            .directories
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(parent)
        {
            return Some((directory.clone(), name));
        }
        let mut all = self
            .directories
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        let directory = all
            .entry(parent.to_owned())
            .or_insert_with(|| Arc::new(self.load(parent)))
            .clone();
        Some((directory, name))
    }

    fn load(&self, parent: &Path) -> Directory {
        let database = self.database.lock().unwrap_or_else(PoisonError::into_inner);
        let value = guard(|| {
            database
                .as_ref()?
                .get(parent.as_os_str().as_bytes())
                .ok()
                .flatten()
        })
        .flatten();
        let files = value.and_then(|value| decode(&value)).unwrap_or_default();
        Directory {
            files: RwLock::new(files),
            dirty: false.into(),
        }
    }
}

impl StatCache for Kept {
    fn get(&self, path: &Path, id: &StatId) -> Option<BlobDigest> {
        let (directory, name) = self.directory(path)?;
        let files = directory
            .files
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        files
            .get(&name)
            .filter(|(known, _)| known == id)
            .map(|(_, digest)| *digest)
    }

    fn put(&self, path: &Path, id: StatId, digest: BlobDigest, began_ns: i128) {
        if !self.freshness.is_settled(&id, began_ns) {
            return;
        }
        if let Some((directory, name)) = self.directory(path) {
            directory
                .files
                .write()
                .unwrap_or_else(PoisonError::into_inner)
                .insert(name, (id, digest));
            directory
                .dirty
                .store(true, std::sync::atomic::Ordering::Relaxed);
        }
    }

    /// What cannot be written is found out again.
    fn flush(&self) {
        let database = self.database.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(database) = database.as_ref() else {
            return;
        };
        let mut written = false;
        for (path, directory) in self
            .directories
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
        {
            if directory
                .dirty
                .swap(false, std::sync::atomic::Ordering::Relaxed)
            {
                let place = self.base.join(path);
                let mut files = directory
                    .files
                    .write()
                    .unwrap_or_else(PoisonError::into_inner);
                // Once in a while, so that files long gone do not stay for ever.
                if files.len() > 64 && files.len().is_power_of_two() {
                    files.retain(|name, _| place.join(name).symlink_metadata().is_ok());
                }
                let value = encode(&files);
                written |= guard(|| database.insert(path.as_os_str().as_bytes(), value).is_ok())
                    == Some(true);
            }
        }
        if written {
            guard(|| database.flush().is_ok());
        }
    }

    fn is_settled(&self, id: &StatId, at_ns: i128) -> bool {
        self.freshness.is_settled(id, at_ns)
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.flush();
        let database = self
            .database
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        guard(|| drop(database));
    }
}

enum Refused {
    Held,
    Damaged(String),
}

fn database(directory: &Path) -> Result<sled::Db, Refused> {
    let config = sled::Config::new()
        .path(directory)
        .cache_capacity(8 << 20)
        .flush_every_ms(None)
        .mode(sled::Mode::HighThroughput);
    match guard(|| config.open()) {
        Some(Ok(database)) => Ok(database),
        Some(Err(sled::Error::Io(error))) if error.to_string().contains("lock") => {
            Err(Refused::Held)
        }
        Some(Err(error)) => Err(Refused::Damaged(error.to_string())),
        None => Err(Refused::Damaged("it cannot be read".into())),
    }
}

fn database_again(directory: &Path) -> Result<sled::Db, String> {
    database(directory).map_err(|refused| match refused {
        Refused::Held => "another process has it open".to_owned(),
        Refused::Damaged(why) => why,
    })
}

thread_local! {
    /// Whether this thread is inside sled.
    static GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// sled panics on some damaged files, and where the disk refuses; a cache must never end the process, nor be heard of.
fn guard<T>(work: impl FnOnce() -> T) -> Option<T> {
    static QUIET: Once = Once::new();
    QUIET.call_once(|| {
        let others = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if !GUARDED.get() {
                others(panic);
            }
        }));
    });
    GUARDED.set(true);
    let done = catch_unwind(AssertUnwindSafe(work)).ok();
    GUARDED.set(false);
    done
}

fn encode(files: &Files) -> Vec<u8> {
    let mut body = Vec::with_capacity(files.len() * 128);
    for (name, (id, digest)) in files {
        body.extend_from_slice(&(name.len() as u32).to_le_bytes());
        body.extend_from_slice(name.as_bytes());
        body.extend_from_slice(&id.size.to_le_bytes());
        body.extend_from_slice(&id.mtime_ns.to_le_bytes());
        body.extend_from_slice(&id.ctime_ns.to_le_bytes());
        body.extend_from_slice(&id.inode.to_le_bytes());
        body.extend_from_slice(&id.device.to_le_bytes());
        body.extend_from_slice(digest.as_bytes());
    }
    let mut value = check(context::STAT, &[&body]).to_vec();
    value.extend_from_slice(&body);
    value
}

fn decode(value: &[u8]) -> Option<Files> {
    let (sum, mut body) = value.split_at_checked(8)?;
    if sum != check(context::STAT, &[body]) {
        return None;
    }
    let mut files = Files::default();
    while !body.is_empty() {
        let length = u32::from_le_bytes(*take(&mut body)?) as usize;
        let (name, rest) = body.split_at_checked(length)?;
        body = rest;
        let id = StatId {
            size: u64::from_le_bytes(*take(&mut body)?),
            mtime_ns: i128::from_le_bytes(*take(&mut body)?),
            ctime_ns: i128::from_le_bytes(*take(&mut body)?),
            inode: u64::from_le_bytes(*take(&mut body)?),
            device: u64::from_le_bytes(*take(&mut body)?),
        };
        let digest = BlobDigest::from_bytes(*take(&mut body)?);
        files.insert(OsStr::from_bytes(name).to_owned(), (id, digest));
    }
    Some(files)
}

fn take<'a, const N: usize>(body: &mut &'a [u8]) -> Option<&'a [u8; N]> {
    let (head, rest) = body.split_first_chunk::<N>()?;
    *body = rest;
    Some(head)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u64) -> StatId {
        StatId {
            size: number,
            mtime_ns: 5,
            ctime_ns: 7,
            inode: 9,
            device: 11,
        }
    }

    #[test]
    fn what_was_put_is_there_after_reopening_elsewhere() {
        let root = tempfile::tempdir().unwrap();
        let (here, there) = (root.path().join("here"), root.path().join("there"));
        let digest = BlobDigest::of(b"x");
        let cache = Kept::open(&here.join("index"), &here, true).unwrap();
        cache.put(&here.join("data/a b\n"), id(1), digest, 1_000_000_000_000);
        drop(cache);
        std::fs::rename(&here, &there).unwrap();
        let cache = Kept::open(&there.join("index"), &there, true).unwrap();
        assert_eq!(cache.get(&there.join("data/a b\n"), &id(1)), Some(digest));
        assert_eq!(cache.get(&there.join("data/a b\n"), &id(2)), None);
    }

    #[test]
    fn a_fresh_stamp_is_not_believed() {
        let root = tempfile::tempdir().unwrap();
        let cache = Kept::open(&root.path().join("index"), root.path(), true).unwrap();
        cache.put(&root.path().join("a"), id(1), BlobDigest::of(b"x"), 8);
        assert_eq!(cache.get(&root.path().join("a"), &id(1)), None);
    }

    #[test]
    fn a_damaged_database_is_made_anew() {
        let root = tempfile::tempdir().unwrap();
        let place = root.path().join("index");
        let cache = Kept::open(&place, root.path(), true).unwrap();
        cache.put(
            &root.path().join("a"),
            id(1),
            BlobDigest::of(b"x"),
            1_000_000_000_000,
        );
        drop(cache);
        for entry in std::fs::read_dir(&place).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                std::fs::write(path, b"garbage that no database ever wrote").unwrap();
            }
        }
        let cache = Kept::open(&place, root.path(), true);
        assert!(cache.is_ok_and(|cache| cache.get(&root.path().join("a"), &id(1)).is_none()));
    }

    #[test]
    fn a_second_process_goes_without() {
        let root = tempfile::tempdir().unwrap();
        let place = root.path().join("index");
        let _first = Kept::open(&place, root.path(), true).unwrap();
        assert!(Kept::open(&place, root.path(), true).is_err());
    }
}
