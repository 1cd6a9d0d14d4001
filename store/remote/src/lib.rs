//! Stores elsewhere: what others have computed, found by key, verified, and brought when it is needed.
//!
//! Everything that comes is bytes from a stranger until it hashes to its name (`objects`) or is vouched for
//! (`trust`). Knows no pipeline, no terminal, no environment.

pub mod access;
pub mod fault;
mod flow;
mod objects;
mod pack;
mod pieces;
pub mod place;
mod profile;
mod reapi;
mod remotes;
pub mod sign;
mod tier;
mod tiers;
pub mod trust;
mod upload;
mod wire;

/// What is made of bytes that a remote gave, for fuzzing.
#[cfg(feature = "fuzzing")]
pub mod fuzzing {
    /// Unpacks; true where it gave no more than it may.
    pub fn unpacks_within(bytes: Vec<u8>, most: u64) -> bool {
        crate::pack::unpack(bytes, most).is_none_or(|out| out.len() as u64 <= most)
    }

    /// Reads a list of pieces; true where they fit the blob that it is about.
    pub fn lists_what_fits(bytes: &[u8], size: u64) -> bool {
        crate::pieces::decode(bytes, size).is_none_or(|pieces| {
            let total: u64 = pieces.iter().map(|(_, length)| u64::from(*length)).sum();
            total == size
        })
    }

    /// Reads what a Bazel cache says of an action.
    pub fn action_result(bytes: &[u8]) {
        crate::reapi::fuzz(bytes);
    }
}

pub use remotes::Remotes;
pub use tiers::{Remark, SLOTS, Settings, Slot, Tally, WIDTH};
pub use upload::{Parcel, Waited};
