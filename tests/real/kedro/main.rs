//! jalon beside the real Kedro, on the same project: the same files, the same hooks, and the nodes that must run.
//!
//! `get` installs Kedro where it is not yet; where it cannot be had, everything here says so and passes. The project is
//! `examples/rookery`, unchanged; a hook of its own writes down what happens where `$ROOKERY_EVENTS` says, which is how it is
//! known what ran.

mod beside;
mod buckets;
mod edits;
mod failures;
mod ground;
mod missing;
#[path = "../../it/project.rs"]
#[allow(dead_code, reason = "of it only what servers need")]
mod project;
#[path = "../remote/servers.rs"]
#[allow(dead_code, reason = "of it only the bucket")]
mod servers;
mod settings;
mod steady;
mod tee;
