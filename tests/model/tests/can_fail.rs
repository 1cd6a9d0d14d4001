//! The comparison itself: an ideal executor passes, and each executor with one fault is caught.

use std::collections::{BTreeMap, BTreeSet};

use jalon_model::edit::Disturbance;
use jalon_model::naive::{Content, Evaluated, Fate, evaluate};
use jalon_model::pipeline::{Input, Instance, Pipeline};
use jalon_model::scenario::check;
use jalon_model::strategy::{Size, try_all};
use jalon_model::system::{Observed, Request, System};

/// What is wrong with an executor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    None,
    /// Its keys leave out the code.
    ForgetsCode,
    /// Its keys leave out the inputs' contents.
    ForgetsInputs,
    /// Its keys leave out what is read without being declared.
    ForgetsUndeclared,
    /// It believes an output that is there, as `--only-missing-outputs` does.
    BelievesTheWorkspace,
    /// It executes everything each time.
    RunsAlways,
    /// It remembers failures.
    CachesFailures,
    /// It leaves ephemeral outputs behind.
    KeepsEphemerals,
    /// It does not do what is forced.
    IgnoresForce,
    /// It starts nodes in another order than theirs.
    IgnoresOrder,
    /// It says `hit` whatever it did.
    Lies,
    /// Its plan says `hit` of everything.
    PlansHits,
    /// Its plan says `maybe` of everything.
    PlansMaybes,
    /// Its plan says `run` where it should say `maybe`.
    PlansRuns,
}

/// Executes by evaluating, and remembers by key.
struct Memory {
    fault: Fault,
    pipeline: Pipeline,
    known: BTreeMap<String, Outcome>,
    /// Of the current checkout and of the other.
    workspaces: [BTreeMap<String, Content>; 2],
}

/// What is remembered of an action.
struct Outcome {
    fate: Fate,
    /// The outputs whose bytes are kept.
    stored: BTreeSet<usize>,
}

impl Memory {
    fn new(fault: Fault) -> Self {
        Memory {
            fault,
            pipeline: Pipeline::default(),
            known: BTreeMap::new(),
            workspaces: Default::default(),
        }
    }

    fn key(&self, key: &str) -> String {
        let cut = |from: &str, to: &str| {
            let (before, rest) = key.split_once(from).unwrap_or((key, ""));
            let after = rest
                .split_once(to)
                .map_or(String::new(), |it| format!("{to}{}", it.1));
            format!("{before}{after}")
        };
        match self.fault {
            Fault::ForgetsCode => cut(" code=", " out="),
            Fault::ForgetsInputs => cut(" in=", " deaf="),
            Fault::ForgetsUndeclared => {
                let (before, after) = key.split_once(" touchy=").unwrap_or((key, ""));
                format!("{before} {}", after.split(' ').next().unwrap_or_default())
            }
            _ => key.to_owned(),
        }
    }

    fn known(&self, it: &Evaluated) -> Option<&Outcome> {
        self.known.get(&self.key(&it.key))
    }

    fn selected(&self, request: &Request) -> Vec<Evaluated> {
        let selected = self.pipeline.selected(&request.targets);
        let all = evaluate(&self.pipeline).into_iter();
        all.filter(|it| selected[it.instance.node]).collect()
    }

    /// Whether it runs whatever its readers need: forced, uncached, unknown, or asked for and not kept.
    fn always(&self, request: &Request, it: &Evaluated) -> bool {
        let forced =
            request.forced.contains(&it.instance.node) && self.fault != Fault::IgnoresForce;
        forced || !self.pipeline.nodes[it.instance.node].is_cached()
    }

    fn must(&self, request: &Request, it: &Evaluated) -> bool {
        let node = &self.pipeline.nodes[it.instance.node];
        let believed = self.fault == Fault::BelievesTheWorkspace && self.made(it.instance);
        let lost = |outcome: &Outcome| {
            self.pipeline.is_target(&request.targets, it.instance.node)
                && (0..node.outputs.len())
                    .any(|at| !node.outputs[at].ephemeral && !outcome.stored.contains(&at))
        };
        self.fault == Fault::RunsAlways
            || self.always(request, it)
            || (self.known(it).is_none_or(lost) && !believed)
    }

    /// Whether one of these reads something of it that is not kept.
    fn is_needed(&self, it: &Evaluated, readers: &BTreeSet<Instance>) -> bool {
        let none = BTreeSet::new();
        let stored = self.known(it).map_or(&none, |outcome| &outcome.stored);
        readers.iter().any(|reader| {
            self.pipeline.used(reader.node).iter().any(|input| {
                matches!(input, Input::Output(node, at) if *node == it.instance.node && !stored.contains(at))
            })
        })
    }

    fn made(&self, instance: Instance) -> bool {
        let outputs = self.pipeline.nodes[instance.node].outputs.len();
        outputs > 0
            && (0..outputs).all(|output| self.workspaces[0].contains_key(&instance.path(output)))
    }

    /// What executes: backwards, so that what is not kept is made again for readers that execute.
    fn executed(&self, request: &Request, all: &[Evaluated]) -> BTreeSet<Instance> {
        let mut executed = BTreeSet::new();
        for it in all.iter().rev() {
            if it.fate != Fate::Blocked && (self.must(request, it) || self.is_needed(it, &executed))
            {
                executed.insert(it.instance);
            }
        }
        executed
    }

    fn settle(&mut self, it: &Evaluated, did: bool, fate: &Fate) {
        let node = self.pipeline.nodes[it.instance.node].clone();
        let key = self.key(&it.key);
        let mut stored = BTreeSet::new();
        if let Fate::Made(outputs) = fate {
            for (index, content) in outputs.iter().enumerate() {
                let path = it.instance.path(index);
                let ephemeral = node.outputs[index].ephemeral;
                let believed = self.fault == Fault::BelievesTheWorkspace
                    && !did
                    && self.workspaces[0].contains_key(&path);
                if !ephemeral {
                    stored.insert(index);
                }
                if ephemeral && self.fault != Fault::KeepsEphemerals {
                    self.workspaces[0].remove(&path);
                } else if !believed {
                    self.workspaces[0].insert(path, content.clone());
                }
            }
        } else if self.fault != Fault::CachesFailures || *fate != Fate::Failed {
            return;
        }
        if did && node.is_cached() {
            let before = self.known.remove(&key);
            stored.extend(before.into_iter().flat_map(|outcome| outcome.stored));
            let fate = fate.clone();
            self.known.insert(key, Outcome { fate, stored });
        }
    }
}

impl System for Memory {
    fn write(&mut self, pipeline: &Pipeline, _: bool) {
        self.pipeline = pipeline.clone();
    }

    fn disturb(&mut self, disturbance: &Disturbance) {
        match disturbance {
            Disturbance::Remove(path) => drop(self.workspaces[0].remove(path)),
            Disturbance::Overwrite(path) | Disturbance::Corrupt(path) => {
                if let Some(content) = self.workspaces[0].get_mut(path) {
                    *content = Content::File("666\n".to_owned());
                }
            }
            Disturbance::LoseStore => self.known.clear(),
            Disturbance::Switch => self.workspaces.swap(0, 1),
            _ => {}
        }
    }

    fn plan(&mut self, request: &Request) -> BTreeMap<String, String> {
        let all = self.selected(request);
        let mut verdicts: BTreeMap<Instance, &str> = BTreeMap::new();
        let mut remade = BTreeSet::new();
        // What is made again makes maybes of its readers, which may then need nothing made again.
        loop {
            for it in &all {
                let waits =
                    self.pipeline
                        .used(it.instance.node)
                        .into_iter()
                        .any(|input| match input {
                            Input::Source(_) => false,
                            Input::Output(node, _) => self
                                .pipeline
                                .instances_of(node)
                                .iter()
                                .any(|from| verdicts[from] != "hit"),
                        });
                let verdict = match (waits, self.fault) {
                    (_, Fault::PlansHits) => "hit",
                    (_, Fault::PlansMaybes) => "maybe",
                    (true, Fault::PlansRuns) => "run",
                    (true, _) if !self.always(request, it) => "maybe",
                    (true, _) => "run",
                    _ if self.must(request, it) || remade.contains(&it.instance) => "run",
                    _ => "hit",
                };
                verdicts.insert(it.instance, verdict);
            }
            let runs = verdicts.iter().filter(|(_, verdict)| **verdict == "run");
            let runs: BTreeSet<Instance> = runs.map(|(instance, _)| *instance).collect();
            let needed = all
                .iter()
                .filter(|it| verdicts[&it.instance] == "hit" && self.is_needed(it, &runs));
            let needed: Vec<Instance> = needed.map(|it| it.instance).collect();
            if needed.is_empty() {
                break;
            }
            remade.extend(needed);
        }
        verdicts
            .into_iter()
            .map(|(instance, verdict)| (instance.name(), verdict.to_owned()))
            .collect()
    }

    fn run(&mut self, request: &Request) -> Observed {
        let all = self.selected(request);
        let executed = self.executed(request, &all);
        let mut observed = Observed {
            succeeded: true,
            ..Observed::default()
        };
        for it in &all {
            let name = it.instance.name();
            let did = executed.contains(&it.instance);
            let fate = match self.known(it) {
                Some(outcome) if !did => outcome.fate.clone(),
                _ => it.fate.clone(),
            };
            if did {
                observed.executed.push(name.clone());
            }
            let claim = match &fate {
                Fate::Made(_) if did && self.fault != Fault::Lies => "ran",
                Fate::Made(_) => "hit",
                Fate::Failed => "failed",
                Fate::Blocked => "blocked",
            };
            observed.succeeded &= matches!(fate, Fate::Made(_));
            observed.claimed.insert(name, claim.to_owned());
            self.settle(it, did, &fate);
        }
        if self.fault == Fault::IgnoresOrder {
            observed.executed.reverse();
        }
        observed.contents = self.workspaces[0].clone();
        observed
    }
}

fn try_fault(fault: Fault, cases: u32, shrink: u32) -> Result<(), String> {
    let size = Size {
        nodes: 8,
        steps: 6,
        undeclared: true,
    };
    try_all(size, cases, shrink, Some(7), |scenario| {
        check(scenario, &mut Memory::new(fault))
    })
}

#[test]
fn an_ideal_executor_passes() {
    if let Err(found) = try_fault(Fault::None, 1000, 0) {
        panic!("{found}");
    }
}

#[test]
fn each_fault_is_caught() {
    for fault in [
        Fault::ForgetsCode,
        Fault::ForgetsInputs,
        Fault::ForgetsUndeclared,
        Fault::BelievesTheWorkspace,
        Fault::RunsAlways,
        Fault::CachesFailures,
        Fault::KeepsEphemerals,
        Fault::IgnoresForce,
        Fault::IgnoresOrder,
        Fault::Lies,
        Fault::PlansHits,
        Fault::PlansMaybes,
        Fault::PlansRuns,
    ] {
        assert!(try_fault(fault, 400, 0).is_err(), "{fault:?} passed");
    }
}

#[test]
fn what_fails_comes_back_as_a_small_script() {
    let found = try_fault(Fault::ForgetsUndeclared, 400, 5000).expect_err("it has a fault");
    let nodes = |line: &&str| line.starts_with("node ");
    assert!(found.lines().filter(nodes).count() <= 3, "{found}");
    assert!(
        found
            .lines()
            .filter(|line| line.starts_with("step "))
            .count()
            <= 3,
        "{found}"
    );
    assert!(
        found.contains("  + ") && found.contains(" extra/"),
        "{found}"
    );
    assert!(
        found.contains("should have executed") || found.contains("is stale"),
        "{found}"
    );
}
