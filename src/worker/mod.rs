//! Executing one attempt of one node: a process, its environment and what it prints.
//!
//! Knows nothing of keys, store or schedule.

pub mod environment;
pub mod lifeline;
pub mod mask;
pub mod observed;
pub mod process;
mod spawn;
pub mod text;
pub mod trace;
pub mod transcript;
pub mod trial;
