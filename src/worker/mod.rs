//! Executing one attempt of one node: a process, its environment and what it prints.
//!
//! Knows nothing of keys, store or schedule.

pub mod ask;
pub mod attend;
mod beside;
pub mod environment;
pub mod lifeline;
pub mod loader;
pub mod mask;
pub mod observed;
pub mod private;
pub mod process;
pub mod session;
mod spawn;
pub mod text;
pub mod trace;
pub mod transcript;
pub mod trial;
pub mod wire;
