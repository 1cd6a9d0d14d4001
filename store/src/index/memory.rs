//! A stat cache that ends with the process.

use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};

use rustc_hash::FxHashMap;

use super::{Freshness, StatCache, StatId};
use crate::digest::BlobDigest;

/// The cache.
#[derive(Debug)]
pub struct Memory {
    freshness: Freshness,
    entries: RwLock<FxHashMap<PathBuf, (StatId, BlobDigest)>>,
}

impl Memory {
    pub(crate) fn new(freshness: Freshness) -> Memory {
        Memory {
            freshness,
            entries: RwLock::default(),
        }
    }
}

impl Default for Memory {
    /// A cache that believes only stamps that are old by the coarsest clock.
    fn default() -> Memory {
        Memory::new(Freshness { fine: None })
    }
}

impl StatCache for Memory {
    fn get(&self, path: &Path, id: &StatId) -> Option<BlobDigest> {
        let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner);
        entries
            .get(path)
            .filter(|(known, _)| known == id)
            .map(|(_, digest)| *digest)
    }

    fn put(&self, path: &Path, id: StatId, digest: BlobDigest, began_ns: i128) {
        if self.freshness.is_settled(&id, began_ns) {
            self.entries
                .write()
                .unwrap_or_else(PoisonError::into_inner)
                .insert(path.to_owned(), (id, digest));
        }
    }

    fn flush(&self) {}

    fn is_settled(&self, id: &StatId, at_ns: i128) -> bool {
        self.freshness.is_settled(id, at_ns)
    }
}
