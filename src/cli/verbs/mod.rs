//! One file a verb.

pub mod cache;
pub mod check;
pub mod diff;
pub mod doctor;
pub mod explain;
pub mod gc;
pub mod get;
pub mod graph;
pub mod import;
pub mod init;
pub mod log;
pub mod plan;
pub mod report;
pub mod run;
mod settled;
pub mod show;
