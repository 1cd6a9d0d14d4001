//! jalon: an incremental, build-system-style executor for data and machine-learning pipelines.
//!
//! The library decides and executes; it never prints, reads the environment or picks an exit code.
//! Data flows one way: a front end gives a pipeline, `graph` its order, `action` its keys, `schedule` what
//! to do next, `run` does it, and every reporter consumes the [`event`] stream. ARCHITECTURE.md is the map.

pub mod action;
pub mod ambient;
pub mod commit;
pub mod compare;
pub mod event;
pub mod explain;
pub mod frontend;
pub mod function;
pub mod graph;
pub mod history;
pub mod judge;
pub mod observe;
pub mod plan;
pub mod project;
pub mod reading;
pub mod repeat;
pub mod report;
pub mod roots;
pub mod run;
pub mod schedule;
pub mod settled;
pub mod stand_in;
pub mod trace;
pub mod verdict;
mod ways;
pub mod witness;
pub mod worker;
pub mod workspace;
