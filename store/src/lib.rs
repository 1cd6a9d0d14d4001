//! What is kept: bytes by their digest, outcomes by their key, runs by their id. Knows no pipeline.
//!
//! FORMAT.md beside this crate has the bytes and what holds after a crash.

pub mod action;
pub mod canonical;
pub mod content;
pub mod digest;
pub mod error;
mod fsck;
mod gc;
pub mod index;
mod ingest;
mod local;
mod materialise;
pub mod outcome;
mod piece;
pub mod pin;
mod receive;
pub mod record;
pub mod sealed;
pub mod tree;

pub use fsck::VerifyReport;
pub use gc::{GcPolicy, GcReport, GcRoots, Stats};
pub use ingest::digest_path;
pub use local::{Flight, Frames, Glance, LocalStore, Mode, TraceWriter};
pub use materialise::{LinkMode, can_reflink, remove_litter};
pub use receive::{Incoming, Received};
