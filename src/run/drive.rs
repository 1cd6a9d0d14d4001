//! The coordinator's loop: judge what can be judged, start what fits, take what ends.

use std::collections::HashMap;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::Scope;
use std::time::{Duration, Instant};

use jalon_conf::pipeline::{ArtifactId, Command, NodeId};
use jalon_store::content::Content;
use jalon_store::error::ReadError;
use jalon_store::outcome::Traced;

use super::attempt::{Done, Job, Shop};
use super::bus::Known;
use super::carry::Carriers;
use super::far::Progress;
use super::resources::Pools;
use super::{Message, Options};
use crate::event::{self, Body, Problem};
use crate::graph::Graph;
use crate::history::History;
use crate::judge::Judged;
use crate::plan::{self, Plan};
use crate::schedule::{Schedule, State, Step};
use crate::verdict::Reason;

/// The loop and what it knows.
pub struct Drive<'r, 's> {
    pub(super) shop: &'r Shop<'s>,
    pub(super) inputs: &'r plan::Inputs<'r>,
    pub(super) plan: &'r Plan,
    pub(super) options: &'r Options,
    pub(super) history: &'r History<'r>,
    pub(super) schedule: Schedule<'r, Content>,
    pub(super) judged: Vec<Option<Judged>>,
    running: HashMap<NodeId, Running>,
    pools: Pools,
    pub(super) groups: HashMap<String, (u32, event::State)>,
    failed: bool,
    error: Option<Problem>,
    interrupted: bool,
    roamed: bool,
    /// Hits whose bytes are asked for, on their way.
    pub(super) carriers: Option<Carriers>,
    progress: Option<Progress<'r>>,
}

struct Running {
    since: Instant,
    expected: Option<f64>,
    overdue: bool,
}

/// What the loop came to.
pub struct Ended {
    /// By node.
    pub states: Vec<State>,
    /// By artifact.
    pub contents: Vec<Option<Content>>,
    /// A node failed.
    pub failed: bool,
    /// A signal came.
    pub interrupted: bool,
    /// The first failure.
    pub error: Option<Problem>,
    /// Something ran of which not all is known that it did.
    pub roamed: bool,
}

/// So many nodes at once may do nothing but save what others gave, besides those that compute.
const MOST_IN_BACKGROUND: u32 = 16;

/// Whether a node only writes down what another one gave: nobody needs to wait for it.
fn is_background(graph: &Graph, node: NodeId) -> bool {
    matches!(&graph.node(node).command, Command::Task(task) if task.saves.is_some())
}

impl<'r, 's> Drive<'r, 's> {
    /// Ready to go.
    pub fn new(
        shop: &'r Shop<'s>,
        inputs: &'r plan::Inputs<'r>,
        plan: &'r Plan,
        options: &'r Options,
        history: &'r History<'r>,
    ) -> Self {
        let graph = inputs.graph;
        let mut groups: HashMap<String, (u32, event::State)> = HashMap::new();
        for (at, node) in graph.pipeline().nodes.iter().enumerate() {
            if let (Some(group), true) = (&node.group, options.selection.selected[at]) {
                groups
                    .entry(group.clone())
                    .or_insert((0, event::State::Unknown))
                    .0 += 1;
            }
        }
        Drive {
            shop,
            inputs,
            plan,
            options,
            history,
            schedule: Schedule::new(
                graph,
                &plan.stances(&options.selection.selected),
                plan.known(inputs),
            ),
            judged: vec![None; graph.len()],
            running: HashMap::new(),
            pools: Pools::new(shop.machine, options.jobs),
            groups,
            failed: false,
            error: None,
            interrupted: false,
            roamed: false,
            carriers: shop.remotes.map(|_| Carriers::new()),
            progress: shop.remotes.map(|remotes| Progress::new(remotes, shop.bus)),
        }
    }

    pub(super) fn graph(&self) -> &'r Graph {
        self.inputs.graph
    }

    /// Until nothing is left to do. Some is `known` from an earlier trace.
    ///
    /// # Errors
    /// The store cannot be read; what runs is ended first.
    pub fn go(
        mut self,
        known: Known,
        sender: Sender<Message>,
        receiver: &Receiver<Message>,
    ) -> Result<Ended, ReadError> {
        let (jobs, queue) = channel::<Job>();
        let queue = Arc::new(Mutex::new(queue));
        let mut broken = None;
        self.tell_held(known);
        std::thread::scope(|scope| {
            let mut workers = 0;
            let jobs = jobs;
            loop {
                if broken.is_none()
                    && let Err(error) = self.steps(scope, &jobs, &queue, &sender, &mut workers)
                {
                    self.schedule.halt();
                    broken = Some(error);
                }
                if self.schedule.running() == 0 && (broken.is_some() || !self.is_fetching()) {
                    break;
                }
                self.listen(receiver);
            }
            drop(jobs);
            self.carriers = None;
        });
        match broken {
            Some(error) => Err(error),
            None => Ok(self.end()),
        }
    }

    /// Everything that can be judged or started now.
    fn steps<'scope>(
        &mut self,
        scope: &'scope Scope<'scope, '_>,
        jobs: &Sender<Job>,
        queue: &Arc<Mutex<Receiver<Job>>>,
        sender: &Sender<Message>,
        workers: &mut u32,
    ) -> Result<(), ReadError>
    where
        'r: 'scope,
        's: 'scope,
    {
        loop {
            let (graph, pools) = (self.inputs.graph, &self.pools);
            let background = self
                .running
                .keys()
                .filter(|node| is_background(graph, **node));
            let slots = self.options.jobs + (background.count() as u32).min(MOST_IN_BACKGROUND);
            let Some(step) = self
                .schedule
                .next(slots, |node| pools.fits(&graph.node(node).resources))
            else {
                return Ok(());
            };
            match step {
                Step::Judge(node) => {
                    self.judge(node)?;
                    if let (Some(carriers), Some(remotes)) = (&mut self.carriers, self.shop.remotes)
                    {
                        carriers.call(scope, remotes, sender);
                    }
                }
                Step::Start(node) => {
                    let Some(job) = self.job(node) else { continue };
                    self.pools.take(&graph.node(node).resources);
                    self.group_starts(node);
                    let (since, expected) = (Instant::now(), job.expected);
                    self.running.insert(
                        node,
                        Running {
                            since,
                            expected,
                            overdue: false,
                        },
                    );
                    if *workers < self.schedule.running() {
                        *workers += 1;
                        spawn(scope, self.shop, queue.clone(), sender.clone());
                    }
                    // The queue lives as long as this loop does.
                    let _ = jobs.send(job);
                }
            }
        }
    }

    fn judge(&mut self, node: NodeId) -> Result<(), ReadError> {
        let graph = self.graph();
        let reads: Vec<ArtifactId> = graph.reads(node).collect();
        let contents: Option<Vec<Content>> = reads
            .iter()
            .map(|&read| self.schedule.value(read).copied())
            .collect();
        let Some(contents) = contents else {
            self.fail(node, internal("a node was judged before its inputs"));
            return Ok(());
        };
        if self.shop.project.loader.is_some() {
            let given = reads.iter().copied().zip(contents.iter().copied());
            let mut all = self
                .shop
                .given
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            all.insert(node, given.collect());
        }
        let known: Vec<&Content> = contents.iter().collect();
        let judged = match self.planned(node, &reads, &contents) {
            Some(judged) => judged,
            None => {
                let values = |artifact: ArtifactId| self.schedule.value(artifact).copied();
                let mut judged = self.inputs.judge.judge(node, &known, &values)?;
                self.inputs.judge.ask_far(node, &mut judged, &values)?;
                judged
            }
        };
        self.inputs.judge.note(&judged);
        let always = plan::always(self.inputs, node);
        if let (Some(record), None) = (judged.found.clone(), &always) {
            let outputs: Vec<Content> = record
                .outcome
                .outputs
                .iter()
                .map(|output| output.content)
                .collect();
            self.schedule.hit(node, outputs.clone());
            if plan::lost_target(self.inputs, node, &outputs) {
                self.queued(
                    node,
                    Reason::word(Reason::GONE, graph.node(node).name.to_string()),
                );
                self.schedule.remake(node);
            } else {
                self.take_over(&judged);
                self.hit(
                    node,
                    &record,
                    judged.undeclared.to_vec(),
                    judged.far.is_some(),
                );
                self.bring(node, &outputs);
            }
        } else {
            let values = |artifact: ArtifactId| self.schedule.value(artifact).copied();
            let gone = plan::needed(self.inputs, node, &judged, &known, &values)?;
            for &artifact in &gone {
                self.remade(artifact);
            }
            let reason = always.unwrap_or_else(|| self.reason(node, &judged));
            self.queued(node, reason);
            self.schedule.must_run(node, &gone);
        }
        self.judged[node.0 as usize] = Some(judged);
        Ok(())
    }

    /// What planning found, if the inputs are still the same.
    fn planned(&self, node: NodeId, reads: &[ArtifactId], contents: &[Content]) -> Option<Judged> {
        let judged = self.plan.judged[node.0 as usize].clone()?;
        // Only a hit stands: what was unknown then may have been made by another process since.
        judged.found.as_ref()?;
        let same = reads
            .iter()
            .zip(contents)
            .all(|(read, now)| self.plan.contents[read.0 as usize] == Some(*now));
        same.then_some(judged)
    }

    fn reason(&self, node: NodeId, judged: &Judged) -> Reason {
        match &self.plan.reasons[node.0 as usize] {
            Some(reason) if reason.field != Reason::UPSTREAM => reason.clone(),
            _ => plan::why(self.inputs, node, judged),
        }
    }

    pub(super) fn queued(&self, node: NodeId, reason: Reason) {
        let node = self.graph().node(node).name.to_string();
        self.shop.bus.emit(Body::NodeQueued { node, reason });
    }

    /// The producer of an artifact whose bytes are gone is about to run again.
    fn remade(&self, artifact: ArtifactId) {
        let artifact = self.graph().artifact(artifact);
        if let Some(producer) = artifact.producer
            && self.schedule.state(producer) == State::Hit
        {
            self.queued(
                producer,
                Reason::word(Reason::GONE, artifact.name.to_string()),
            );
        }
    }

    fn job(&mut self, node: NodeId) -> Option<Job> {
        let graph = self.graph();
        let inputs: Option<Vec<(ArtifactId, Content)>> = graph
            .reads(node)
            .map(|read| Some((read, *self.schedule.value(read)?)))
            .collect();
        let judged = match (&inputs, self.judged[node.0 as usize].clone()) {
            (Some(inputs), None) => self.judge_held(node, inputs),
            (_, judged) => judged,
        };
        let (Some(inputs), Some(judged)) = (inputs, judged) else {
            self.fail(node, internal("a node was started before it was judged"));
            return None;
        };
        let whatever = plan::always(self.inputs, node).is_some() || judged.found.is_some();
        let expected = match &judged.found {
            Some(record) => Some(record.outcome.cost.wall_ms as f64 / 1000.0),
            None => self
                .history
                .of(&graph.node(node).name.to_string())
                .earlier
                .first()
                .map(|earlier| earlier.seconds),
        };
        let after = graph.node(node).after.iter();
        let beside = after
            .flat_map(|&before| graph.makes(before))
            .filter(|made| inputs.iter().all(|(read, _)| read != made))
            .filter_map(|made| Some((made, *self.schedule.value(made)?)))
            .collect();
        Some(Job {
            node,
            inputs,
            beside,
            judged,
            whatever,
            expected,
        })
    }

    /// Judges a node that was held and is to be made again all the same.
    fn judge_held(&self, node: NodeId, inputs: &[(ArtifactId, Content)]) -> Option<Judged> {
        self.plan.held[node.0 as usize].as_ref()?;
        let known: Vec<&Content> = inputs.iter().map(|(_, content)| content).collect();
        let values = |artifact: ArtifactId| self.schedule.value(artifact).copied();
        // A store that cannot be read has been met before.
        self.inputs.judge.judge(node, &known, &values).ok()
    }

    /// Waits for the next thing to happen.
    fn listen(&mut self, receiver: &Receiver<Message>) {
        match receiver.recv_timeout(self.patience()) {
            Ok(Message::Done(node, done)) => self.done(node, *done),
            Ok(Message::Brought(node, came)) => self.brought(node, came),
            Ok(Message::Interrupt) => {
                self.interrupted = true;
                self.schedule.halt();
                if let Some(remotes) = self.shop.remotes {
                    remotes.stop_fetching();
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            // The control keeps a sender, so this cannot be; should it be, what runs still reports.
            Err(RecvTimeoutError::Disconnected) => std::thread::sleep(Duration::from_millis(10)),
        }
        if let Some(progress) = &self.progress {
            progress.tell();
        }
        self.overdue();
    }

    /// How long nothing may happen before something is looked at: while bytes come, how many.
    fn patience(&self) -> Duration {
        Duration::from_millis(if self.is_fetching() { 300 } else { 1000 })
    }

    fn overdue(&mut self) {
        for (&node, running) in &mut self.running {
            let Some(expected) = running.expected else {
                continue;
            };
            let seconds = running.since.elapsed().as_secs_f64();
            if !running.overdue && seconds > (expected * 3.0).max(10.0) {
                running.overdue = true;
                let node = self.inputs.graph.node(node).name.to_string();
                self.shop.bus.emit(Body::NodeOverdue {
                    node,
                    seconds,
                    expected,
                });
            }
        }
    }

    fn done(&mut self, node: NodeId, done: Done) {
        let graph = self.graph();
        self.pools.give(&graph.node(node).resources);
        self.running.remove(&node);
        self.roamed |= match &done {
            Done::Ran(ran) => {
                let traced = ran.record.attestation.traced;
                ran.attempts > 1 || !ran.recorded || traced != Traced::Full
            }
            Done::Failed(_) | Done::Cancelled => true,
            Done::Taken(..) | Done::Missing(_) => false,
        };
        match done {
            Done::Ran(ran) => self.ran(node, &ran),
            Done::Taken(record, undeclared) => {
                self.schedule.taken(
                    node,
                    record
                        .outcome
                        .outputs
                        .iter()
                        .map(|output| output.content)
                        .collect(),
                );
                self.hit(node, &record, undeclared, false);
            }
            Done::Missing(gone) => {
                for &artifact in &gone {
                    self.remade(artifact);
                }
                if let Some(hopeless) = self.schedule.missing(node, &gone) {
                    let path = &graph.artifact(hopeless).path;
                    let message = format!("its input {path} was removed while the run went on");
                    self.fail(node, problem("input-gone", message));
                }
            }
            Done::Failed(failure) => self.failure(node, *failure),
            Done::Cancelled => {
                // The word of the signal may come after that of the worker it stopped.
                self.interrupted = true;
                self.schedule.halt();
                self.schedule.failed(node);
                self.cancelled(node);
            }
        }
    }

    /// A failure that no process had a part in.
    fn fail(&mut self, node: NodeId, problem: Problem) {
        self.shop.bus.emit(Body::NodeFailed(event::Failed {
            node: self.graph().node(node).name.to_string(),
            key: String::new(),
            seconds: 0.0,
            attempts: 0,
            exit_code: None,
            error: problem.clone(),
            transcript: None,
            tail: String::new(),
        }));
        self.block(node, problem);
    }

    pub(super) fn block(&mut self, node: NodeId, problem: Problem) {
        self.failed = true;
        let name = self.graph().node(node).name.to_string();
        self.error.get_or_insert(Problem {
            message: format!("{name}: {}", problem.message),
            ..problem
        });
        self.group_ends(node, event::State::Failed);
        for blocked in self.schedule.failed(node) {
            let by = Some(name.clone());
            self.shop.bus.emit(Body::NodeBlocked {
                node: self.graph().node(blocked).name.to_string(),
                by,
            });
            self.group_ends(blocked, event::State::Skipped);
        }
        if self.options.fail_fast {
            self.schedule.halt();
        }
    }

    fn cancelled(&mut self, node: NodeId) {
        self.shop.bus.emit(Body::NodeCancelled {
            node: self.graph().node(node).name.to_string(),
        });
        self.group_ends(node, event::State::Cancelled);
    }

    /// What never got its turn is said too.
    fn end(mut self) -> Ended {
        let graph = self.graph();
        for &node in graph.order() {
            if matches!(
                self.schedule.state(node),
                State::Waiting | State::MustRun | State::Judging
            ) || (self.interrupted
                && matches!(self.schedule.state(node), State::Blocked(_))
                && !self.failed)
            {
                if self.interrupted {
                    self.cancelled(node);
                } else {
                    let name = graph.node(node).name.to_string();
                    self.shop.bus.emit(Body::NodeBlocked {
                        node: name,
                        by: None,
                    });
                }
            }
        }
        let nodes = (0..graph.len() as u32).map(NodeId);
        let artifacts = (0..graph.pipeline().artifacts.len() as u32).map(ArtifactId);
        Ended {
            states: nodes.map(|node| self.schedule.state(node)).collect(),
            contents: artifacts
                .map(|artifact| self.schedule.value(artifact).copied())
                .collect(),
            failed: self.failed,
            interrupted: self.interrupted,
            error: self.error.take(),
            roamed: self.roamed,
        }
    }
}

fn spawn<'scope, 'r: 'scope, 's: 'scope>(
    scope: &'scope Scope<'scope, '_>,
    shop: &'r Shop<'s>,
    queue: Arc<Mutex<Receiver<Job>>>,
    sender: Sender<Message>,
) {
    scope.spawn(move || {
        loop {
            let job = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
            let Ok(job) = job else { return };
            let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| shop.work(&job)));
            let done = done.unwrap_or_else(|_| {
                let failure = internal("the worker panicked; this is a bug of jalon's");
                Done::Failed(failure.into())
            });
            if sender
                .send(Message::Done(job.node, Box::new(done)))
                .is_err()
            {
                return;
            }
        }
    });
}

fn problem(code: &str, message: impl Into<String>) -> Problem {
    Problem {
        code: code.into(),
        message: message.into(),
        help: String::new(),
    }
}

fn internal(message: &str) -> Problem {
    problem("internal", message)
}
