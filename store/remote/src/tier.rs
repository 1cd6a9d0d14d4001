//! What every kind of remote must be able to do: small records by key, and bytes by digest, many at once.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use jalon_store::LocalStore;
use jalon_store::digest::{BlobDigest, TreeDigest};

use crate::fault::Fault;
use crate::flow::Flow;

/// Largest record that is taken from a remote, bytes, as stored and as unpacked.
pub const MOST_RECORD: u64 = 64 << 20;

/// Largest tree that is taken from a remote, bytes of its encoding.
pub const MOST_TREE: u64 = 256 << 20;

/// Bytes that are named by what they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Item {
    /// A blob and its length.
    Blob(BlobDigest, u64),
    /// A tree's encoding.
    Tree(TreeDigest),
}

impl Item {
    /// The digest as 64 hexadecimal digits.
    pub fn hex(&self) -> String {
        match self {
            Item::Blob(digest, _) => digest.to_string(),
            Item::Tree(digest) => digest.to_string(),
        }
    }

    /// Whether it is here already.
    pub fn is_in(&self, store: &LocalStore) -> bool {
        match self {
            Item::Blob(digest, size) => store.has_blob(digest, *size),
            Item::Tree(digest) => matches!(store.read_tree(digest), Ok(Some(_))),
        }
    }
}

/// Why an item could not be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gone {
    /// It is not there.
    Absent,
    /// What is there is not what its name says.
    Damaged,
}

/// One remote. Whatever it hands out is verified, or vouched for, by who asked.
#[async_trait]
pub trait Tier: Send + Sync {
    /// What lies under a key.
    async fn record(&self, key: &[u8; 32]) -> Result<Option<Vec<u8>>, Fault>;

    /// Puts a record, over what may lie there. `names` are the items that it names: they are there.
    async fn put_record(&self, key: &[u8; 32], bytes: Vec<u8>, names: &[Item])
    -> Result<(), Fault>;

    /// Which of these are not there, as far as one question each tells. `owner` is the key of a record that names them.
    async fn missing(&self, items: &[Item], owner: Option<&[u8; 32]>) -> Result<Vec<Item>, Fault>;

    /// Which of these are not there with all that belongs to them.
    async fn lacking(&self, items: &[Item], owner: Option<&[u8; 32]>) -> Result<Vec<Item>, Fault> {
        self.missing(items, owner).await
    }

    /// Brings items into the store; those that could not be had, and why.
    async fn fetch(
        &self,
        items: &[Item],
        owner: Option<&[u8; 32]>,
        into: &Arc<LocalStore>,
        flow: &Flow,
    ) -> Result<Vec<(Item, Gone)>, Fault>;

    /// Takes items from the store to the remote, whether or not they are there. Those that the store does not
    /// hold (any more) are an error.
    async fn send(&self, items: &[Item], from: &Arc<LocalStore>, flow: &Flow) -> Result<(), Fault>;

    /// Whether it answers, in words: what it is, what it offers.
    async fn greet(&self) -> Result<String, Fault>;

    /// Makes what was sent outlast a power cut, where that is up to us.
    async fn settle(&self) -> Result<(), Fault> {
        Ok(())
    }
}

/// What a mutex guards, whoever may have panicked holding it: nothing here is half done in between.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
