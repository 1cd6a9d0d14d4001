//! A cache that was told of files beforehand, and opens another one only when it is asked for more.
//!
//! Who has just looked at all files of a project need not read about them from disk; and what a run hashed that is
//! kept elsewhere need not be written there. Knows nothing of where that is.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};

use rustc_hash::FxHashMap;

use super::{Freshness, StatCache, StatId};
use crate::digest::BlobDigest;

type Open = Box<dyn Fn() -> Arc<dyn StatCache> + Send + Sync>;

/// What is known of a file, for whoever would have to read much to know it of all.
pub type Ask = Box<dyn Fn(&Path) -> Option<(StatId, BlobDigest)> + Send + Sync>;

/// See the module.
pub struct Primed {
    /// The newest that is known of a path. Of one that is here, the other cache knows nothing better.
    known: RwLock<FxHashMap<PathBuf, (StatId, BlobDigest)>>,
    /// What was hashed since, and when that began.
    unwritten: Mutex<FxHashMap<PathBuf, i128>>,
    freshness: Freshness,
    other: OnceLock<Arc<dyn StatCache>>,
    open: Open,
    /// Asked before the other.
    more: Option<Ask>,
    /// The other holds nothing before something is written to it.
    empty: bool,
}

/// What it takes to open a file and to read it, in bytes that are hashed in that time.
const OPENING: u64 = 16 << 10;

impl Primed {
    /// Knows these files. The file system of `directory` tells which stamps may be believed.
    pub fn new(
        files: impl IntoIterator<Item = (PathBuf, StatId, BlobDigest)>,
        directory: &Path,
        open: impl Fn() -> Arc<dyn StatCache> + Send + Sync + 'static,
    ) -> Primed {
        let known = files
            .into_iter()
            .map(|(path, id, digest)| (path, (id, digest)));
        Primed {
            known: RwLock::new(known.collect()),
            unwritten: Mutex::default(),
            freshness: Freshness::probe(directory),
            other: OnceLock::new(),
            open: Box::new(open),
            more: None,
            empty: false,
        }
    }

    /// Knows nothing, before another one that holds nothing yet: it is opened when something is to be written to it.
    pub fn first(
        directory: &Path,
        open: impl Fn() -> Arc<dyn StatCache> + Send + Sync + 'static,
    ) -> Primed {
        Primed {
            empty: true,
            ..Primed::new([], directory, open)
        }
    }

    /// The same, with files that are known to another one who is asked.
    #[must_use]
    pub fn asking(self, more: Ask) -> Primed {
        let more = Some(more);
        Primed { more, ..self }
    }

    fn other(&self) -> &dyn StatCache {
        self.other.get_or_init(|| (self.open)()).as_ref()
    }
}

impl StatCache for Primed {
    fn get(&self, path: &Path, id: &StatId) -> Option<BlobDigest> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        match known.get(path) {
            Some((known, digest)) => (known == id).then_some(*digest),
            None if self.empty => None,
            None => match self.more.as_ref().and_then(|more| more(path)) {
                Some((known, digest)) => (known == *id).then_some(digest),
                None => self.other().get(path, id),
            },
        }
    }

    fn put(&self, path: &Path, id: StatId, digest: BlobDigest, began_ns: i128) {
        if !self.freshness.is_settled(&id, began_ns) {
            return;
        }
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.insert(path.to_owned(), (id, digest));
        let mut unwritten = self
            .unwritten
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        unwritten.insert(path.to_owned(), began_ns);
    }

    fn flush(&self) {
        let mut unwritten = self
            .unwritten
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if unwritten.is_empty() {
            return;
        }
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        for (path, began_ns) in unwritten.drain() {
            if let Some((id, digest)) = known.get(&path) {
                self.other().put(&path, *id, *digest, began_ns);
            }
        }
        self.other().flush();
    }

    fn at_stake(&self) -> u64 {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let unwritten = self
            .unwritten
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let sizes = unwritten.keys().filter_map(|path| known.get(path));
        sizes.map(|(id, _)| id.size + OPENING).sum()
    }

    fn is_settled(&self, id: &StatId, at_ns: i128) -> bool {
        self.freshness.is_settled(id, at_ns)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Memory;
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    fn id(size: u64) -> StatId {
        StatId {
            size,
            mtime_ns: 5,
            ctime_ns: 7,
            inode: 9,
            device: 11,
        }
    }

    const LATER: i128 = 1_000_000_000_000;

    struct Behind {
        cache: Arc<Memory>,
        opened: Arc<AtomicU32>,
        primed: Primed,
    }

    fn primed(files: &[(&str, u64)]) -> Behind {
        let cache = Arc::new(Memory::new(Freshness { fine: None }));
        let opened = Arc::new(AtomicU32::new(0));
        let (behind, count) = (cache.clone(), opened.clone());
        let files = files.iter().map(|(path, size)| {
            (
                PathBuf::from(path),
                id(*size),
                BlobDigest::of(path.as_bytes()),
            )
        });
        let directory = std::env::temp_dir();
        let primed = Primed::new(files, &directory, move || {
            count.fetch_add(1, Ordering::Relaxed);
            behind.clone()
        });
        Behind {
            cache,
            opened,
            primed,
        }
    }

    #[test]
    fn of_what_it_knows_nobody_else_is_asked() {
        let it = primed(&[("a", 1)]);
        let (a, new) = (Path::new("a"), BlobDigest::of(b"new"));
        assert_eq!(it.primed.get(a, &id(1)), Some(BlobDigest::of(b"a")));
        // It is another file by now.
        assert_eq!(it.primed.get(a, &id(2)), None);
        it.primed.put(a, id(2), new, LATER);
        assert_eq!(it.primed.get(a, &id(2)), Some(new));
        assert_eq!(it.opened.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn of_all_else_the_other_is_asked_which_is_opened_once() {
        let it = primed(&[("a", 1)]);
        let digest = BlobDigest::of(b"b");
        it.cache.put(Path::new("b"), id(1), digest, LATER);
        assert_eq!(it.primed.get(Path::new("b"), &id(1)), Some(digest));
        assert_eq!(it.primed.get(Path::new("c"), &id(1)), None);
        assert_eq!(it.opened.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn one_that_holds_nothing_is_not_asked() {
        let it = primed(&[]);
        let primed = Primed {
            empty: true,
            ..it.primed
        };
        assert_eq!(primed.get(Path::new("b"), &id(1)), None);
        assert_eq!(it.opened.load(Ordering::Relaxed), 0);
        let digest = BlobDigest::of(b"b");
        primed.put(Path::new("b"), id(1), digest, LATER);
        assert_eq!(primed.get(Path::new("b"), &id(1)), Some(digest));
        primed.flush();
        assert_eq!(it.cache.get(Path::new("b"), &id(1)), Some(digest));
    }

    #[test]
    fn what_was_hashed_is_at_stake_until_it_is_written() {
        let it = primed(&[("a", 1)]);
        it.primed.flush();
        assert_eq!(it.opened.load(Ordering::Relaxed), 0);
        let digest = BlobDigest::of(b"b");
        it.primed.put(Path::new("b"), id(10), digest, LATER);
        it.primed.put(Path::new("fresh"), id(100), digest, 8);
        assert_eq!(it.primed.at_stake(), 10 + OPENING);
        it.primed.flush();
        assert_eq!(it.primed.at_stake(), 0);
        assert_eq!(it.cache.get(Path::new("b"), &id(10)), Some(digest));
        assert_eq!(it.cache.get(Path::new("a"), &id(1)), None);
    }
}
