//! A world of numbers, in which it is known what a run must come to.

use std::collections::{HashMap, HashSet};

use jalon_conf::pipeline::{ArtifactId, NodeId};

use super::seeds;
use crate::graph::Graph;
use crate::schedule::{Schedule, Stance, State, Step};

/// What decides a node's outputs: the node, the version of its code, what it reads.
pub type Key = (NodeId, u64, Vec<u64>);

/// A world in which a node is a function of what it reads, and outcomes are remembered.
pub struct World<'g> {
    pub graph: &'g Graph,
    /// By node: the version of its code.
    pub code: Vec<u64>,
    /// (node, code, inputs) → outputs.
    pub known: HashMap<Key, Vec<u64>>,
    /// Bytes that can be had.
    pub bytes: HashSet<(ArtifactId, u64)>,
    /// Nodes that give other bytes each time.
    pub fickle: Vec<bool>,
    pub clock: u64,
    pub executed: Vec<Key>,
}

impl World<'_> {
    fn inputs(&self, schedule: &Schedule<'_, u64>, node: NodeId) -> Vec<u64> {
        self.graph
            .reads(node)
            .map(|read| *schedule.value(read).expect("judged with all inputs known"))
            .collect()
    }

    fn key(&self, schedule: &Schedule<'_, u64>, node: NodeId) -> Key {
        (
            node,
            self.code[node.0 as usize],
            self.inputs(schedule, node),
        )
    }

    fn gone(&self, schedule: &Schedule<'_, u64>, node: NodeId) -> Vec<ArtifactId> {
        let made = self
            .graph
            .reads(node)
            .filter(|read| self.graph.artifact(*read).producer.is_some());
        made.filter(|read| {
            !self
                .bytes
                .contains(&(*read, *schedule.value(*read).expect("known")))
        })
        .collect()
    }

    /// Few values, so that early cutoff happens often.
    fn function(&mut self, key: &Key, output: usize) -> u64 {
        self.clock += 1;
        let chance = if self.fickle[key.0.0 as usize] {
            self.clock
        } else {
            0
        };
        let sum: u64 = key
            .2
            .iter()
            .enumerate()
            .map(|(at, value)| value * (at as u64 + 1))
            .sum();
        (sum + key.1 * 3 + u64::from(key.0.0) + output as u64 + chance) % 5
    }

    /// One run; `slots` nodes at once, ended in the order that `pick` says. The final values.
    pub fn run(
        &mut self,
        selected: &[bool],
        slots: u32,
        mut pick: impl FnMut(usize) -> usize,
    ) -> Vec<Option<u64>> {
        self.run_held(selected, &[], slots, &mut pick)
    }

    /// The same, where of what is known already some nodes are held.
    pub fn run_held(
        &mut self,
        selected: &[bool],
        may_hold: &[bool],
        slots: u32,
        pick: &mut dyn FnMut(usize) -> usize,
    ) -> Vec<Option<u64>> {
        let (stances, values) = self.stances(selected, may_hold);
        let mut schedule = Schedule::new(self.graph, &stances, values);
        let mut running: Vec<(NodeId, Key)> = Vec::new();
        self.executed.clear();
        for _ in 0..10_000 {
            if let Some(step) = schedule.next(slots, |_| true) {
                self.step(&mut schedule, step, &mut running);
                continue;
            }
            if running.is_empty() {
                return self.check(&schedule, selected);
            }
            let (node, key) = running.remove(pick(running.len()));
            let outputs: Vec<u64> = (0..self.graph.makes(node).count())
                .map(|at| self.function(&key, at))
                .collect();
            self.bytes
                .extend(self.graph.makes(node).zip(outputs.iter().copied()));
            self.known.insert(key, outputs.clone());
            schedule.ran(node, outputs);
        }
        panic!("the machine does not come to an end");
    }

    /// How nodes enter: held is what is known and comes after nothing but held nodes, of those that may be.
    fn stances(&self, selected: &[bool], may_hold: &[bool]) -> (Vec<Stance>, Vec<Option<u64>>) {
        let mut values = seeds(self.graph);
        let mut stances: Vec<Stance> = selected
            .iter()
            .map(|&selected| {
                if selected {
                    Stance::Open
                } else {
                    Stance::Unselected
                }
            })
            .collect();
        for &node in self.graph.order() {
            let at = node.0 as usize;
            let mut before = self.graph.before(node);
            let may = stances[at] == Stance::Open
                && may_hold.get(at) == Some(&true)
                && !self.graph.node(node).outputs.is_empty()
                && before.all(|(before, _)| stances[before.0 as usize] == Stance::Held);
            if !may {
                continue;
            }
            let reads = self.graph.reads(node);
            let inputs = reads.map(|read| values[read.0 as usize].expect("held"));
            let key = (node, self.code[at], inputs.collect());
            if let Some(outputs) = self.known.get(&key) {
                stances[at] = Stance::Held;
                for (made, value) in self.graph.makes(node).zip(outputs) {
                    values[made.0 as usize] = Some(*value);
                }
            }
        }
        (stances, values)
    }

    fn step(
        &mut self,
        schedule: &mut Schedule<'_, u64>,
        step: Step,
        running: &mut Vec<(NodeId, Key)>,
    ) {
        match step {
            Step::Judge(node) => {
                let key = self.key(schedule, node);
                match self.known.get(&key) {
                    Some(outputs) if !self.graph.node(node).outputs.is_empty() => {
                        schedule.hit(node, outputs.clone())
                    }
                    _ => {
                        let gone = self.gone(schedule, node);
                        schedule.must_run(node, &gone);
                    }
                }
            }
            Step::Start(node) => {
                let gone = self.gone(schedule, node);
                if !gone.is_empty() {
                    assert_eq!(
                        schedule.missing(node, &gone),
                        None,
                        "bytes made in this run are there"
                    );
                    return;
                }
                let key = self.key(schedule, node);
                for (other, _) in &*running {
                    assert_ne!(*other, node, "started twice at once");
                    let clash = self
                        .graph
                        .reads(*other)
                        .any(|read| self.graph.artifact(read).producer == Some(node));
                    assert!(!clash, "made again under a reader");
                }
                self.executed.push(key.clone());
                running.push((node, key));
            }
        }
    }

    /// Everything selected is settled, and on the values that its inputs have in the end.
    fn check(&self, schedule: &Schedule<'_, u64>, selected: &[bool]) -> Vec<Option<u64>> {
        for &node in self.graph.order() {
            if !selected[node.0 as usize] {
                assert_eq!(schedule.state(node), State::Unselected);
                continue;
            }
            assert!(
                schedule.state(node).settled(),
                "{} is {:?}",
                self.graph.node(node).name,
                schedule.state(node)
            );
            let outputs = &self.known[&self.key(schedule, node)];
            for (made, value) in self.graph.makes(node).zip(outputs) {
                assert_eq!(
                    schedule.value(made),
                    Some(value),
                    "one value an artifact a run"
                );
            }
        }
        let artifacts = 0..self.graph.pipeline().artifacts.len() as u32;
        artifacts
            .map(|id| schedule.value(ArtifactId(id)).copied())
            .collect()
    }
}
