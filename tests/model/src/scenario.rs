//! A sequence of edits and runs, each run held against the naive evaluation.

use std::collections::{BTreeMap, BTreeSet};

use crate::edit::{Edit, apply};
use crate::naive::{Evaluated, Fate, evaluate};
use crate::pipeline::{Input, Pipeline};
use crate::system::{Observed, System};

/// A pipeline and what happens to it.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// At the beginning.
    pub pipeline: Pipeline,
    /// Then, one after the other.
    pub steps: Vec<Step>,
}

/// Some edits, then a run.
#[derive(Debug, Clone)]
pub struct Step {
    /// What happens.
    pub edits: Vec<Edit>,
    /// What is asked for, by raw index; empty: everything.
    pub targets: Vec<u32>,
}

/// What is known of an action that executed and succeeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Known {
    /// Its outcome is in the store.
    Surely,
    /// The store was disturbed since.
    Perhaps,
}

/// Runs a scenario and compares after each step.
///
/// # Errors
/// What differed, at which step, with the transcript of that run.
pub fn check(scenario: &Scenario, system: &mut dyn System) -> Result<(), String> {
    let mut pipeline = scenario.pipeline.clone();
    let mut known = BTreeMap::new();
    system.write(&pipeline);
    for (number, step) in scenario.steps.iter().enumerate() {
        for edit in &step.edits {
            if let Some(disturbance) = apply(edit, &mut pipeline) {
                system.write(&pipeline);
                if disturbance.spoils_store() {
                    known.values_mut().for_each(|it| *it = Known::Perhaps);
                }
                system.disturb(&disturbance);
            }
        }
        system.write(&pipeline);
        let targets = targets(&pipeline, &step.targets);
        let observed = system.run(&targets);
        compare(&pipeline, &targets, &mut known, &observed).map_err(|what| {
            format!(
                "step {number} ({:?}, targets {targets:?}): {what}\n{}",
                step.edits, observed.transcript
            )
        })?;
    }
    Ok(())
}

/// The nodes that are meant, of those that are there.
fn targets(pipeline: &Pipeline, raw: &[u32]) -> Vec<usize> {
    let present: Vec<usize> = (0..pipeline.nodes.len())
        .filter(|&node| pipeline.nodes[node].present)
        .collect();
    let picked: BTreeSet<usize> = raw
        .iter()
        .filter_map(|&raw| crate::pipeline::pick(&present, raw).copied())
        .collect();
    picked.into_iter().collect()
}

fn compare(
    pipeline: &Pipeline,
    targets: &[usize],
    known: &mut BTreeMap<String, Known>,
    observed: &Observed,
) -> Result<(), String> {
    let selected = pipeline.selected(targets);
    let all: Vec<Evaluated> = evaluate(pipeline)
        .into_iter()
        .filter(|it| selected[it.instance.node])
        .collect();
    let should_succeed = all.iter().all(|it| matches!(it.fate, Fate::Made(_)));
    if observed.succeeded != should_succeed {
        return Err(format!(
            "it should {}",
            if should_succeed { "succeed" } else { "fail" }
        ));
    }
    compare_contents(pipeline, targets, &all, observed)?;
    compare_executions(pipeline, &all, known, observed)?;
    compare_claims(&all, observed)?;
    for it in &all {
        if matches!(it.fate, Fate::Made(_)) && observed.executed.contains(&it.instance.name()) {
            known.insert(it.key.clone(), Known::Surely);
        }
    }
    Ok(())
}

/// Incremental equals clean: targets are there and right, the rest is right or absent, never stale.
fn compare_contents(
    pipeline: &Pipeline,
    targets: &[usize],
    all: &[Evaluated],
    observed: &Observed,
) -> Result<(), String> {
    for it in all {
        let Fate::Made(outputs) = &it.fate else {
            continue;
        };
        let is_target = targets.is_empty() || targets.contains(&it.instance.node);
        for (index, expected) in outputs.iter().enumerate() {
            let path = it.instance.path(index);
            let found = observed.contents.get(&path);
            let ephemeral = pipeline.nodes[it.instance.node].outputs[index].ephemeral;
            match found {
                Some(_) if ephemeral => {
                    return Err(format!("{path} is ephemeral and is still there"));
                }
                Some(found) if found != expected => {
                    return Err(format!(
                        "{path} is stale: {found:?}, should be {expected:?}"
                    ));
                }
                None if is_target && !ephemeral => return Err(format!("{path} is missing")),
                _ => {}
            }
        }
    }
    Ok(())
}

/// What must execute did, once; what need not did not.
fn compare_executions(
    pipeline: &Pipeline,
    all: &[Evaluated],
    known: &BTreeMap<String, Known>,
    observed: &Observed,
) -> Result<(), String> {
    let executed: BTreeSet<&str> = observed.executed.iter().map(String::as_str).collect();
    if executed.len() != observed.executed.len() {
        return Err(format!(
            "something executed twice in one run: {:?}",
            observed.executed
        ));
    }
    for it in all {
        let name = it.instance.name();
        let node = &pipeline.nodes[it.instance.node];
        let side_effect = node.outputs.is_empty() && !node.cached;
        let did = executed.contains(name.as_str());
        match &it.fate {
            Fate::Blocked if did => {
                return Err(format!(
                    "{name} executed although something it needs failed"
                ));
            }
            Fate::Blocked => {}
            Fate::Failed if !did => {
                return Err(format!(
                    "{name} should have executed: a failure is never cached"
                ));
            }
            Fate::Failed => {}
            Fate::Made(_) if side_effect || !known.contains_key(&it.key) => {
                if !did {
                    return Err(format!("{name} should have executed, and did not"));
                }
            }
            Fate::Made(_)
                if did
                    && known[&it.key] == Known::Surely
                    && !is_remade(pipeline, it, &executed) =>
            {
                return Err(format!(
                    "{name} executed again although its outcome is available"
                ));
            }
            Fate::Made(_) => {}
        }
    }
    let selected: BTreeSet<String> = all.iter().map(|it| it.instance.name()).collect();
    match executed.iter().find(|name| !selected.contains(**name)) {
        Some(name) => Err(format!("{name} executed, and nobody asked for it")),
        None => Ok(()),
    }
}

/// Whether it makes something ephemeral that a node needs which executes in the same run.
fn is_remade(pipeline: &Pipeline, it: &Evaluated, executed: &BTreeSet<&str>) -> bool {
    let makes = |output: usize| pipeline.nodes[it.instance.node].outputs[output].ephemeral;
    pipeline.instances().into_iter().filter(|reader| executed.contains(reader.name().as_str())).any(|reader| {
        pipeline
            .inputs(reader.node)
            .into_iter()
            .any(|input| matches!(input, Input::Output(node, output) if node == it.instance.node && makes(output)))
    })
}

/// What it says that it did is what was done.
fn compare_claims(all: &[Evaluated], observed: &Observed) -> Result<(), String> {
    for it in all {
        let name = it.instance.name();
        let Some(claim) = observed.claimed.get(&name) else {
            return Err(format!("{name} is not reported"));
        };
        let did = observed.executed.contains(&name);
        let right = match it.fate {
            Fate::Blocked => claim == "blocked",
            Fate::Failed => claim == "failed",
            Fate::Made(_) if did => claim == "ran",
            Fate::Made(_) => claim == "hit" || claim == "not_needed",
        };
        if !right {
            return Err(format!("{name} is reported as {claim}"));
        }
    }
    Ok(())
}
