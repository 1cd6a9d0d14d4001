//! The stat cache: what a file's digest was when it was last read, by everything a stat tells of it.
//!
//! Holds only what can be deleted at any time. An entry is made only if a later change of the file must
//! show in its ctime: the file was stat-ed before it was hashed and looks the same after, and either the
//! file system stamps every change that follows a stat anew (multigrain time stamps, probed), or the
//! stamp was older than the clock's granularity when hashing began ("racy" files are hashed again).

mod kept;
mod memory;
mod primed;

use std::fs::{File, Metadata};
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

pub use memory::Memory;
pub use primed::{Ask, Primed};

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

/// What a look at a path found: all that what was made of it can have rested on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sight {
    /// Nothing, links followed.
    Absent,
    /// Nothing, not even a link that leads nowhere.
    Vacant,
    /// A regular file, links followed, that was digested.
    File {
        /// Its stat, from before it was read.
        id: StatId,
        /// Its bytes.
        digest: BlobDigest,
        /// Whether its owner may execute it.
        executable: bool,
        /// Whether a later change must show in the stat.
        settled: bool,
    },
    /// Something, links followed, of which nothing but the stat tells whether it is what it was: a directory of
    /// which the names were read, a file of which something was found out that is not kept with it.
    Same {
        /// Its stat, from before they were read.
        id: StatId,
        /// As for a file.
        settled: bool,
    },
    /// A link, not followed, of which the target was read.
    Link {
        /// Its stat, from before it was read.
        id: StatId,
        /// As for a file.
        settled: bool,
    },
    /// Something of which no more than the type was asked.
    Kind {
        /// The type's bits of `st_mode`.
        mode: u32,
        /// Whether links were followed.
        followed: bool,
    },
    /// A regular file, links followed, of which no more than the size was asked, and whether it may be executed.
    Size {
        /// Bytes.
        size: u64,
        /// Whether its owner may execute it.
        executable: bool,
    },
    /// Something that changed meanwhile or could not be looked at: another look may find anything.
    Unclear,
}

/// Remembers digests.
pub trait StatCache: Send + Sync {
    /// The digest of the file at `path`, if it still is what it was.
    fn get(&self, path: &Path, id: &StatId) -> Option<BlobDigest>;

    /// Remembers a digest whose hashing began at `began_ns`, unless the file is too fresh to be sure.
    fn put(&self, path: &Path, id: StatId, digest: BlobDigest, began_ns: i128);

    /// Writes to disk what is to outlive the process.
    fn flush(&self);

    /// Bytes that would have to be hashed again if nothing was flushed, as far as that is counted; a file counts some
    /// more than it holds.
    fn at_stake(&self) -> u64 {
        u64::MAX
    }

    /// Whether a change after `at_ns` must show in this stat.
    fn is_settled(&self, id: &StatId, at_ns: i128) -> bool;

    /// Is told of every look at a path. Everything that looks at a project does so through its cache, so
    /// whoever stands in its place knows all that was looked at.
    fn saw(&self, _path: &Path, _sight: Sight) {}
}

/// Tells a cache of something that is about to be looked into: a directory's names, a file's bytes.
pub fn saw_same(cache: &dyn StatCache, path: &Path, metadata: &Metadata) {
    let id = StatId::of(metadata);
    let settled = cache.is_settled(&id, now_ns());
    cache.saw(path, Sight::Same { id, settled });
}

/// Tells a cache of a link that is about to be read.
pub fn saw_link(cache: &dyn StatCache, path: &Path, metadata: &Metadata) {
    let id = StatId::of(metadata);
    let settled = cache.is_settled(&id, now_ns());
    cache.saw(path, Sight::Link { id, settled });
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
            Arc::new(in_memory(directory)),
            Some(format!("the stat cache is in memory only: {why}")),
        ),
    }
}

/// Whether a change after `at_ns` must show in this stat, on whatever file system it is.
pub fn is_surely_settled(id: &StatId, at_ns: i128) -> bool {
    Freshness { fine: None }.is_settled(id, at_ns)
}

/// A cache that ends with the process; the file system of `directory` tells which stamps it may believe.
pub fn in_memory(directory: &Path) -> Memory {
    Memory::new(Freshness::probe(directory))
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
