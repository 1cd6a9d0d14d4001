//! A sequence of edits and runs, each run held against the naive evaluation.

use std::collections::BTreeSet;

use crate::compare::Compare;
use crate::edit::{Edit, apply};
use crate::pipeline::{Pipeline, pick};
use crate::system::{Request, System};

/// A pipeline and what happens to it. Prints as a script.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// At the beginning.
    pub pipeline: Pipeline,
    /// Then, one after the other.
    pub steps: Vec<Step>,
}

/// Some edits, then a plan and a run.
#[derive(Debug, Clone, Default)]
pub struct Step {
    /// What happens.
    pub edits: Vec<Edit>,
    /// What changes keeps its size, where the model lets it, and its modification time.
    pub quiet: bool,
    /// What is asked for, by raw index; empty: what a bare run makes.
    pub targets: Vec<u32>,
    /// What is forced, by raw index.
    pub forced: Vec<u32>,
}

impl Step {
    /// What is asked for, of what is there.
    pub fn request(&self, pipeline: &Pipeline) -> Request {
        let present: Vec<usize> = (0..pipeline.nodes.len())
            .filter(|&node| pipeline.nodes[node].present)
            .collect();
        let picked = |raw: &[u32]| {
            let picked: BTreeSet<usize> = raw
                .iter()
                .filter_map(|&raw| pick(&present, raw).copied())
                .collect();
            picked.into_iter().collect()
        };
        Request {
            targets: picked(&self.targets),
            forced: picked(&self.forced),
        }
    }
}

/// Runs a scenario and compares after each step.
///
/// # Errors
/// What differed, at which step, with the transcript of that run.
pub fn check(scenario: &Scenario, system: &mut dyn System) -> Result<(), String> {
    let mut pipeline = scenario.pipeline.clone();
    let mut compare = Compare::default();
    system.write(&pipeline, false);
    for (number, step) in scenario.steps.iter().enumerate() {
        for edit in &step.edits {
            if let Some(disturbance) = apply(edit, &mut pipeline) {
                system.write(&pipeline, step.quiet);
                compare.disturbed(&disturbance, system.shares());
                system.disturb(&disturbance);
            }
        }
        system.write(&pipeline, step.quiet);
        let request = step.request(&pipeline);
        let turns = if system.answers_from_memory() { 2 } else { 1 };
        for turn in 0..turns {
            let plan = system.plan(&request);
            let observed = system.run(&request);
            compare
                .step(&pipeline, &request, &plan, &observed)
                .map_err(|what| {
                    format!(
                        "step {number}, turn {turn}: {what}\n{}",
                        observed.transcript
                    )
                })?;
        }
    }
    Ok(())
}
