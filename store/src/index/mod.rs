//! The stat cache: what a file's digest was when it was last read, by everything a stat tells of it.
//!
//! Holds only what can be deleted at any time. An entry is made only if a later change of the file must
//! show in its ctime: the file was stat-ed before it was hashed and looks the same after, and either the
//! file system stamps every change that follows a stat anew (multigrain time stamps, probed), or the
//! stamp was older than the clock's granularity when hashing began ("racy" files are hashed again).

mod kept;
mod memory;

use std::fs::{File, Metadata};
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

pub use memory::Memory;

use crate::digest::BlobDigest;

/// Nanoseconds within which two changes may carry one stamp, where nothing better is known.
const COARSE: i128 = 20_000_000;
/// The same for file systems that count whole seconds.
const SECONDS: i128 = 2_000_000_000;

/// What a stat tells that changes when the content does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct StatId {
    /// Bytes.
    pub size: u64,
    /// Modification time, nanoseconds since the Unix epoch.
    pub mtime_ns: i128,
    /// Change time, likewise.
    pub ctime_ns: i128,
    /// Inode.
    pub inode: u64,
    /// Device.
    pub device: u64,
}

impl StatId {
    /// Of a stat.
    pub fn of(metadata: &Metadata) -> StatId {
        let time =
            |seconds: i64, nanos: i64| i128::from(seconds) * 1_000_000_000 + i128::from(nanos);
        StatId {
            size: metadata.len(),
            mtime_ns: time(metadata.mtime(), metadata.mtime_nsec()),
            ctime_ns: time(metadata.ctime(), metadata.ctime_nsec()),
            inode: metadata.ino(),
            device: metadata.dev(),
        }
    }
}

/// Remembers digests.
pub trait StatCache: Send + Sync {
    /// The digest of the file at `path`, if it still is what it was.
    fn get(&self, path: &Path, id: &StatId) -> Option<BlobDigest>;

    /// Remembers a digest whose hashing began at `began_ns`, unless the file is too fresh to be sure.
    fn put(&self, path: &Path, id: StatId, digest: BlobDigest, began_ns: i128);

    /// Writes to disk what is to outlive the process.
    fn flush(&self);
}

/// Nanoseconds since the Unix epoch.
pub fn now_ns() -> i128 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_nanos() as i128)
}

/// Opens the cache in `directory`, with paths below `base` kept relative to it, so that a project that
/// is moved keeps it. Where it cannot be opened (another process has it, it is damaged beyond repair, the
/// disk is read-only) the cache lives in memory, and the note says so.
pub fn open(directory: &Path, base: &Path, write: bool) -> (Arc<dyn StatCache>, Option<String>) {
    match kept::Kept::open(directory, base, write) {
        Ok(kept) => (Arc::new(kept), None),
        Err(why) => (
            Arc::new(Memory::new(Freshness::probe(directory))),
            Some(format!("the stat cache is in memory only: {why}")),
        ),
    }
}

/// When a stamp is old enough.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Freshness {
    fine: Option<u64>,
}

impl Freshness {
    /// Finds out whether the file system of `directory` stamps each change that follows a stat anew.
    pub(crate) fn probe(directory: &Path) -> Freshness {
        Freshness {
            fine: probe(directory),
        }
    }

    /// Whether a change after hashing began must show in the ctime.
    pub(crate) fn is_settled(self, id: &StatId, began_ns: i128) -> bool {
        let granularity = if self.fine == Some(id.device) {
            0
        } else if id.ctime_ns % 1_000_000_000 == 0 {
            SECONDS
        } else {
            COARSE
        };
        id.ctime_ns + granularity < began_ns
    }
}

/// The device, if three changes in a row, each after a stat, get three stamps.
fn probe(directory: &Path) -> Option<u64> {
    let path = directory.join(format!(".probe-{}", std::process::id()));
    let outcome = (|| {
        let mut file = File::create(&path).ok()?;
        let mut last = StatId::of(&file.metadata().ok()?);
        for _ in 0..3 {
            file.write_all(b"x").ok()?;
            let now = StatId::of(&file.metadata().ok()?);
            if now.ctime_ns <= last.ctime_ns {
                return None;
            }
            last = now;
        }
        Some(last.device)
    })();
    // It never held anything.
    let _ = std::fs::remove_file(&path);
    outcome
}
