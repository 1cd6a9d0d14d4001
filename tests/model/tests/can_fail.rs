//! The comparison itself: an ideal executor passes, and each executor with one fault is caught.

use std::collections::{BTreeMap, BTreeSet};

use jalon_model::edit::Disturbance;
use jalon_model::naive::{Content, Fate, evaluate};
use jalon_model::pipeline::{Instance, Pipeline};
use jalon_model::scenario::check;
use jalon_model::strategy::scenario;
use jalon_model::system::{Observed, System};
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};

/// What is wrong with an executor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    None,
    /// Its keys leave out the code.
    ForgetsCode,
    /// Its keys leave out the inputs' contents.
    ForgetsInputs,
    /// It believes an output that is there, as `--only-missing-outputs` does.
    BelievesTheWorkspace,
    /// It executes everything each time.
    RunsAlways,
    /// It remembers failures.
    CachesFailures,
    /// It leaves ephemeral outputs behind.
    KeepsEphemerals,
    /// It says `hit` whatever it did.
    Lies,
}

/// Executes by evaluating, and remembers by key.
struct Memory {
    fault: Fault,
    pipeline: Pipeline,
    known: BTreeMap<String, Fate>,
    workspace: BTreeMap<String, Content>,
}

impl Memory {
    fn new(fault: Fault) -> Self {
        let pipeline = Pipeline {
            sources: vec![],
            params: vec![],
            code: vec![],
            nodes: vec![],
        };
        Memory {
            fault,
            pipeline,
            known: BTreeMap::new(),
            workspace: BTreeMap::new(),
        }
    }

    fn key(&self, key: &str) -> String {
        let cut = |from: &str, to: &str| {
            let (before, rest) = key.split_once(from).unwrap_or((key, ""));
            format!("{before}{}", rest.split_once(to).map_or("", |it| it.1))
        };
        match self.fault {
            Fault::ForgetsCode => cut(" code=", " out="),
            Fault::ForgetsInputs => cut(" in=", "\n"),
            _ => key.to_owned(),
        }
    }

    fn made(&self, instance: Instance) -> bool {
        let outputs = self.pipeline.nodes[instance.node].outputs.len();
        outputs > 0
            && (0..outputs).all(|output| self.workspace.contains_key(&instance.path(output)))
    }
}

impl System for Memory {
    fn write(&mut self, pipeline: &Pipeline) {
        self.pipeline = pipeline.clone();
    }

    fn disturb(&mut self, disturbance: &Disturbance) {
        match disturbance {
            Disturbance::Remove(path) => drop(self.workspace.remove(path)),
            Disturbance::Overwrite(path) => {
                if let Some(content) = self.workspace.get_mut(path) {
                    *content = Content::File("666\n".to_owned());
                }
            }
            _ => {}
        }
    }

    fn run(&mut self, targets: &[usize]) -> Observed {
        let selected = self.pipeline.selected(targets);
        let all = evaluate(&self.pipeline);
        let all: Vec<_> = all
            .into_iter()
            .filter(|it| selected[it.instance.node])
            .collect();
        let mut observed = Observed {
            succeeded: true,
            ..Observed::default()
        };
        let mut executed = BTreeSet::new();
        // Backwards, so that what is ephemeral is made again for readers that execute.
        for it in all.iter().rev() {
            let node = &self.pipeline.nodes[it.instance.node];
            let side_effect = node.outputs.is_empty() && !node.cached;
            let known = self.known.contains_key(&self.key(&it.key))
                || (self.fault == Fault::BelievesTheWorkspace && self.made(it.instance));
            let remade = (0..node.outputs.len()).any(|output| {
                let path = jalon_model::pipeline::Input::Output(it.instance.node, output);
                node.outputs[output].ephemeral
                    && executed
                        .iter()
                        .any(|reader: &Instance| self.pipeline.inputs(reader.node).contains(&path))
            });
            if it.fate != Fate::Blocked
                && (side_effect || !known || remade || self.fault == Fault::RunsAlways)
            {
                executed.insert(it.instance);
            }
        }
        for it in &all {
            let name = it.instance.name();
            let did = executed.contains(&it.instance);
            let fate = match self.known.get(&self.key(&it.key)) {
                Some(fate) if !did => fate.clone(),
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
            let Fate::Made(outputs) = &fate else {
                if self.fault == Fault::CachesFailures && fate == Fate::Failed {
                    self.known.insert(self.key(&it.key), fate);
                }
                continue;
            };
            for (index, content) in outputs.iter().enumerate() {
                let path = it.instance.path(index);
                let ephemeral = self.pipeline.nodes[it.instance.node].outputs[index].ephemeral;
                let believed = self.fault == Fault::BelievesTheWorkspace
                    && !did
                    && self.workspace.contains_key(&path);
                if ephemeral && self.fault != Fault::KeepsEphemerals {
                    self.workspace.remove(&path);
                } else if !believed {
                    self.workspace.insert(path, content.clone());
                }
            }
            if did {
                self.known.insert(self.key(&it.key), fate);
            }
        }
        observed.contents = self.workspace.clone();
        observed
    }
}

fn try_all(fault: Fault, cases: u32) -> Result<(), String> {
    let config = Config {
        cases,
        failure_persistence: None,
        max_shrink_iters: 0,
        ..Config::default()
    };
    let random = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    TestRunner::new_with_rng(config, random)
        .run(&scenario(8, 6), |scenario| {
            check(&scenario, &mut Memory::new(fault)).map_err(TestCaseError::fail)
        })
        .map_err(|error| error.to_string())
}

#[test]
fn an_ideal_executor_passes() {
    if let Err(error) = try_all(Fault::None, 4000) {
        panic!("{error}");
    }
}

#[test]
fn each_fault_is_caught() {
    for fault in [
        Fault::ForgetsCode,
        Fault::ForgetsInputs,
        Fault::BelievesTheWorkspace,
        Fault::RunsAlways,
        Fault::CachesFailures,
        Fault::KeepsEphemerals,
        Fault::Lies,
    ] {
        assert!(try_all(fault, 400).is_err(), "{fault:?} passed");
    }
}
