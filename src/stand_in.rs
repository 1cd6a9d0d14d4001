//! What is kept in place of a Python object that cannot be kept: which node makes it, and from what.
//!
//! `python/jalon_kedro/memory.py` writes it. Whoever reads the object has it made again in its own process.

use jalon_store::LocalStore;
use jalon_store::content::Content;

/// How it begins, and how long it may be.
const MAGIC: &[u8] = b"jalonin\x01";
const LONGEST: u64 = 4096;

/// Whether a content is one; bytes that cannot be read are none.
pub fn is_one(store: &LocalStore, content: &Content) -> bool {
    let Content::File { digest, size, .. } = content else {
        return false;
    };
    let is_short = (MAGIC.len() as u64..=LONGEST).contains(size);
    is_short
        && store
            .read_blob(digest)
            .is_ok_and(|bytes| bytes.is_some_and(|bytes| bytes.starts_with(MAGIC)))
}
