//! What to do next: a pure machine that planning and running share.
//!
//! Need runs up the graph, values run down. The machine says which node to judge and which to
//! start; its driver answers with what it found. A *value* stands for an artifact's contents and is
//! only ever compared, so a driver may use digests (running), digests or "unknown" (planning) or plain
//! numbers (tests). Knows nothing of files, stores, clocks, threads or resources.
//!
//! A hit is provisional: when an input's bytes are gone, its producer is made again, and if that gives
//! another value, everything judged on the old one is judged anew (suspending scheduler with early
//! cutoff and constructive traces, Mokhov et al. 2018, made to forget).

use std::collections::BTreeSet;

use jalon_conf::pipeline::{ArtifactId, NodeId};

use crate::graph::Graph;

/// What the driver must do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// All inputs have values: find out whether the outcome is known, then call one of
    /// [`Schedule::hit`], [`Schedule::must_run`], [`Schedule::failed`].
    Judge(NodeId),
    /// All inputs have values and bytes as far as is known: check the bytes ([`Schedule::missing`] if
    /// some are gone), else run it and call [`Schedule::ran`] or [`Schedule::failed`].
    Start(NodeId),
}

/// How a node enters the schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stance {
    /// Outside the selection.
    Unselected,
    /// To be judged.
    Open,
    /// A hit from the start: its outputs have values, and so is everything before it that is selected.
    Held,
}

/// Where a node stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Outside the selection.
    Unselected,
    /// Waits for inputs.
    Waiting,
    /// Handed out to be judged.
    Judging,
    /// Must run; waits for inputs, or for its turn.
    MustRun,
    /// Handed out to be started.
    Running,
    /// Its outcome was known.
    Hit,
    /// It ran in this run.
    Ran,
    /// It failed.
    Failed,
    /// Something it needs failed.
    Blocked(NodeId),
}

impl State {
    fn settled(self) -> bool {
        matches!(self, State::Hit | State::Ran)
    }
}

#[derive(Debug, Clone)]
struct Cell {
    state: State,
    /// Nodes before it that are not settled.
    waiting: u32,
    /// An input changed since it was judged or started.
    dirty: bool,
    /// Nodes that read its outputs and are running now.
    readers: u32,
    /// It ran in this run, so its bytes are there.
    ran: bool,
}

/// The machine. `V` is the value of an artifact.
#[derive(Debug)]
pub struct Schedule<'g, V> {
    graph: &'g Graph,
    cells: Vec<Cell>,
    values: Vec<Option<V>>,
    /// Position in topological order: what is judged first.
    rank: Vec<u32>,
    judge: BTreeSet<(u32, NodeId)>,
    start: BTreeSet<(u32, NodeId)>,
    running: u32,
    halted: bool,
}

impl<'g, V: Clone + Eq> Schedule<'g, V> {
    /// `values` holds a value for every source that a selected node reads, and for the outputs of held nodes.
    pub fn new(graph: &'g Graph, stances: &[Stance], values: Vec<Option<V>>) -> Self {
        let mut rank = vec![0; graph.len()];
        for (position, node) in graph.order().iter().enumerate() {
            rank[node.0 as usize] = position as u32;
        }
        let mut cells: Vec<Cell> = stances
            .iter()
            .map(|stance| Cell {
                state: match stance {
                    Stance::Unselected => State::Unselected,
                    Stance::Open => State::Waiting,
                    Stance::Held => State::Hit,
                },
                waiting: 0,
                dirty: false,
                readers: 0,
                ran: false,
            })
            .collect();
        let mut judge = BTreeSet::new();
        for &node in graph.order() {
            if stances[node.0 as usize] == Stance::Open {
                let waiting = graph
                    .before(node)
                    .filter(|(before, _)| stances[before.0 as usize] == Stance::Open)
                    .count();
                cells[node.0 as usize].waiting = waiting as u32;
                if waiting == 0 {
                    judge.insert((rank[node.0 as usize], node));
                }
            }
        }
        Schedule {
            graph,
            cells,
            values,
            rank,
            judge,
            start: BTreeSet::new(),
            running: 0,
            halted: false,
        }
    }

    /// Where a node stands.
    pub fn state(&self, node: NodeId) -> State {
        self.cell(node).state
    }

    /// An artifact's value, as far as it is known now.
    pub fn value(&self, artifact: ArtifactId) -> Option<&V> {
        self.values[artifact.0 as usize].as_ref()
    }

    /// How many nodes are handed out to run.
    pub fn running(&self) -> u32 {
        self.running
    }

    /// No node is started any more (fail-fast, interruption); what runs may end.
    pub fn halt(&mut self) {
        self.halted = true;
    }

    /// The next step. At most `slots` nodes run at once, and only those that `fits` has room for.
    ///
    /// Judging comes first: it is cheap, and it may find that something already queued is to be remade.
    pub fn next(&mut self, slots: u32, mut fits: impl FnMut(NodeId) -> bool) -> Option<Step> {
        if self.halted {
            return None;
        }
        if let Some((_, node)) = self.judge.pop_first() {
            let cell = self.cell_mut(node);
            cell.state = State::Judging;
            cell.dirty = false;
            return Some(Step::Judge(node));
        }
        if self.running >= slots {
            return None;
        }
        // A node that is made again must not pull the bytes from under one that reads them.
        let &(rank, node) = self
            .start
            .iter()
            .find(|(_, node)| self.cell(*node).readers == 0 && fits(*node))?;
        self.start.remove(&(rank, node));
        let cell = self.cell_mut(node);
        cell.state = State::Running;
        cell.dirty = false;
        self.running += 1;
        self.readers(node, 1);
        Some(Step::Start(node))
    }

    /// Judged: its outcome is known and gives these values, in the order of its outputs.
    pub fn hit(&mut self, node: NodeId, outputs: Vec<V>) {
        debug_assert_eq!(self.state(node), State::Judging);
        self.settle(node, State::Hit, outputs);
    }

    /// Judged: it must run. `gone` are inputs whose bytes are nowhere.
    pub fn must_run(&mut self, node: NodeId, gone: &[ArtifactId]) {
        debug_assert_eq!(self.state(node), State::Judging);
        self.cell_mut(node).state = State::MustRun;
        self.remake_all(gone);
        self.enqueue(node);
    }

    /// Handed out to start, but these inputs' bytes are gone: they are made again first. Returns the
    /// first of them that ran in this run already, which no second run would mend.
    pub fn missing(&mut self, node: NodeId, gone: &[ArtifactId]) -> Option<ArtifactId> {
        self.release(node);
        self.cell_mut(node).state = State::MustRun;
        let hopeless = gone.iter().copied().find(|&artifact| {
            self.graph
                .artifact(artifact)
                .producer
                .is_none_or(|producer| self.cell(producer).ran)
        });
        if hopeless.is_none() {
            self.remake_all(gone);
            self.enqueue(node);
        }
        hopeless
    }

    /// An outcome is known but bytes of it are asked for and are gone: the node runs although it hit.
    /// Does nothing unless it is a hit now.
    pub fn remake(&mut self, node: NodeId) {
        if self.state(node) == State::Hit {
            self.unsettle(node);
            self.cell_mut(node).state = State::MustRun;
            self.enqueue(node);
        }
    }

    /// Started, and succeeded with these values.
    pub fn ran(&mut self, node: NodeId, outputs: Vec<V>) {
        self.release(node);
        self.cell_mut(node).ran = true;
        self.settle(node, State::Ran, outputs);
    }

    /// Started, but another process made the outcome meanwhile.
    pub fn taken(&mut self, node: NodeId, outputs: Vec<V>) {
        self.release(node);
        self.settle(node, State::Hit, outputs);
    }

    /// It failed, judging or running; everything unsettled that needs it is blocked. Returns those.
    pub fn failed(&mut self, node: NodeId) -> Vec<NodeId> {
        if self.state(node) == State::Running {
            self.release(node);
        }
        self.cell_mut(node).state = State::Failed;
        let mut blocked = Vec::new();
        let mut stack = vec![node];
        while let Some(current) = stack.pop() {
            let graph = self.graph;
            for (next, _) in graph.after(current) {
                if matches!(
                    self.state(next),
                    State::Waiting | State::MustRun | State::Judging
                ) {
                    self.dequeue(next);
                    self.cell_mut(next).state = State::Blocked(node);
                    blocked.push(next);
                    stack.push(next);
                }
            }
        }
        blocked.sort_by_key(|node| self.rank[node.0 as usize]);
        blocked
    }

    fn cell(&self, node: NodeId) -> &Cell {
        &self.cells[node.0 as usize]
    }

    fn cell_mut(&mut self, node: NodeId) -> &mut Cell {
        &mut self.cells[node.0 as usize]
    }

    fn release(&mut self, node: NodeId) {
        debug_assert_eq!(self.state(node), State::Running);
        self.running -= 1;
        self.readers(node, -1);
    }

    fn readers(&mut self, node: NodeId, by: i32) {
        let graph = self.graph;
        for (before, _) in graph.before(node) {
            let cell = self.cell_mut(before);
            cell.readers = cell.readers.saturating_add_signed(by);
        }
    }

    /// Puts a node that lacks nothing into the queue of its state.
    fn enqueue(&mut self, node: NodeId) {
        let entry = (self.rank[node.0 as usize], node);
        let cell = self.cell(node);
        if cell.waiting > 0 {
            return;
        }
        match cell.state {
            State::Waiting => {
                self.judge.insert(entry);
            }
            State::MustRun if cell.dirty => {
                self.cell_mut(node).state = State::Waiting;
                self.judge.insert(entry);
            }
            State::MustRun => {
                self.start.insert(entry);
            }
            _ => {}
        }
    }

    fn dequeue(&mut self, node: NodeId) {
        let entry = (self.rank[node.0 as usize], node);
        self.judge.remove(&entry);
        self.start.remove(&entry);
    }

    fn remake_all(&mut self, gone: &[ArtifactId]) {
        for &artifact in gone {
            if let Some(producer) = self.graph.artifact(artifact).producer {
                self.remake(producer);
            }
        }
    }

    /// A settled node is open again: what depends on it waits, what was judged on it stays provisional.
    fn unsettle(&mut self, node: NodeId) {
        debug_assert!(self.state(node).settled());
        self.cell_mut(node).state = State::Waiting;
        let graph = self.graph;
        for (next, _) in graph.after(node) {
            if self.state(next) != State::Unselected {
                self.dequeue(next);
                self.cell_mut(next).waiting += 1;
            }
        }
    }

    fn settle(&mut self, node: NodeId, state: State, outputs: Vec<V>) {
        let graph = self.graph;
        let mut changed = Vec::new();
        for (artifact, value) in graph.makes(node).zip(outputs) {
            let slot = &mut self.values[artifact.0 as usize];
            if slot.as_ref() != Some(&value) {
                if slot.is_some() {
                    changed.push(artifact);
                }
                *slot = Some(value);
            }
        }
        self.cell_mut(node).state = state;
        for (next, _) in graph.after(node) {
            if self.state(next) == State::Unselected {
                continue;
            }
            let reads_changed =
                !changed.is_empty() && graph.reads(next).any(|read| changed.contains(&read));
            let cell = self.cell_mut(next);
            cell.waiting -= 1;
            if reads_changed {
                cell.dirty = true;
                if cell.state.settled() {
                    self.unsettle(next);
                }
            }
            self.enqueue(next);
        }
        // It ran while an input of it was made again and came out different: judge it on the new one.
        if self.cell(node).dirty {
            self.unsettle(node);
            self.enqueue(node);
        }
    }
}

#[cfg(test)]
mod tests;
