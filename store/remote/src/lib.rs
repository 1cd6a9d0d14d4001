//! Stores elsewhere: what others have computed, found by key, verified, and brought when it is needed.
//!
//! Everything that comes is bytes from a stranger until it hashes to its name (`objects`) or is vouched for
//! (`trust`). Knows no pipeline, no terminal, no environment.

pub mod access;
pub mod fault;
mod flow;
mod objects;
mod pack;
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

pub use remotes::Remotes;
pub use tiers::{Remark, SLOTS, Settings, Slot, Tally, WIDTH};
pub use upload::{Parcel, Waited};
