//! Whatever executes pipelines: the real binary, or the library inside this process.

use std::collections::BTreeMap;

use crate::edit::Disturbance;
use crate::naive::Content;
use crate::pipeline::Pipeline;

/// What executes pipelines and can be looked at from outside.
pub trait System {
    /// Whether what nothing has happened to may be answered in another way than by looking everywhere. Each run
    /// is made twice then.
    fn answers_from_memory(&self) -> bool {
        false
    }

    /// Whether what is lost here is still to be had elsewhere.
    fn shares(&self) -> bool {
        false
    }

    /// Brings the definition and all that it reads to what the pipeline says, touching nothing else. What
    /// changes `quietly` changes in place and keeps its modification time.
    fn write(&mut self, pipeline: &Pipeline, quietly: bool);

    /// Something happens beside the definition.
    fn disturb(&mut self, disturbance: &Disturbance);

    /// The verdicts of a plan, by instance name.
    fn plan(&mut self, request: &Request) -> BTreeMap<String, String>;

    /// Runs.
    fn run(&mut self, request: &Request) -> Observed;
}

/// What is asked of a plan or a run: nodes by index.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Request {
    /// What to make; none: what a bare run makes.
    pub targets: Vec<usize>,
    /// `--force`
    pub forced: Vec<usize>,
}

/// What a run did, seen from outside.
#[derive(Debug, Clone, Default)]
pub struct Observed {
    /// Whether it says that it succeeded.
    pub succeeded: bool,
    /// The instances that executed, by name, in the order in which they started, by their own testimony; one
    /// may stand twice.
    pub executed: Vec<String>,
    /// The statuses that it claims, by instance name.
    pub claimed: BTreeMap<String, String>,
    /// What lies at the paths of the outputs now.
    pub contents: BTreeMap<String, Content>,
    /// For a message: everything that it said.
    pub transcript: String,
}
