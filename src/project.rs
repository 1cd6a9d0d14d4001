//! A project: where it is, its graph, and what the machine it is on offers.
//!
//! Everything the library knows of the outside comes in through [`Machine`]; it asks nobody itself.

use std::path::PathBuf;
use std::sync::Arc;

use jalon_conf::diagnostic::Diagnostic;

use crate::graph::Graph;
use crate::worker::environment::Variables;
use crate::worker::loader::Loader;

/// A definition that is valid, in its place.
#[derive(Debug)]
pub struct Project {
    /// The directory that paths are relative to, absolute.
    pub root: PathBuf,
    /// The definition file, project-relative where it lies below.
    pub definition: String,
    /// `[pipeline] name`, else the directory's name: what runs are filed under.
    pub name: String,
    /// The pipeline and its order.
    pub graph: Graph,
    /// What loads it again, where its nodes run in processes that have it loaded.
    pub loader: Option<Arc<Loader>>,
    /// Warnings from reading it.
    pub warnings: Vec<Diagnostic>,
}

/// What jalon was started with and on.
#[derive(Debug, Clone)]
pub struct Machine {
    /// The environment.
    pub variables: Variables,
    /// Its name.
    pub host: String,
    /// Processors that may be used.
    pub cpus: u32,
    /// Memory in bytes, if known.
    pub memory: Option<u64>,
    /// Capacity of named pools (`gpu`) as far as it was found out or declared.
    pub pools: std::collections::BTreeMap<String, f64>,
    /// `linux`, `x86_64`, `gnu`.
    pub platform: [String; 3],
    /// jalon's own program, for the helper that outlives it.
    pub program: Option<PathBuf>,
    /// Nanoseconds within which two changes of a file may carry one time stamp.
    pub now_ms: fn() -> u64,
}
