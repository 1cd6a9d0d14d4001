//! The event stream folded into one summary: what `run --json` prints and every report starts from.
//!
//! Works on a stream as it comes and on one read back from a trace. A stream without an end is that of a
//! run that goes on or was killed: what had started then is unknown, never taken for success.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};

use crate::event::{
    Body, Counts, Event, Finished, Made, Notice, Planned, Problem, Sink, Started, State, Status,
    Traced,
};
use crate::graph::Graph;
use crate::verdict::Reason;

/// Where a node stands, as the contract names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Known here.
    Hit,
    /// Known from a remote.
    Fetched,
    /// Executed, successfully.
    Ran,
    /// Executed without success.
    Failed,
    /// Never reached.
    Blocked,
    /// Stopped, or never started, because the run was.
    Cancelled,
    /// Started; nobody knows how it ended.
    Unknown,
    /// Not asked for.
    NotNeeded,
}

impl Standing {
    /// The contract's word; what was stopped counts as not reached.
    pub fn word(self) -> &'static str {
        match self {
            Standing::Hit => "hit",
            Standing::Fetched => "fetched",
            Standing::Ran => "ran",
            Standing::Failed => "failed",
            Standing::Blocked | Standing::Cancelled | Standing::Unknown => "blocked",
            Standing::NotNeeded => "not_needed",
        }
    }

    /// Kubeflow's word.
    pub fn state(self) -> State {
        match self {
            Standing::Hit | Standing::Fetched | Standing::Ran => State::Succeeded,
            Standing::Failed => State::Failed,
            Standing::Blocked | Standing::NotNeeded => State::Skipped,
            Standing::Cancelled => State::Cancelled,
            Standing::Unknown => State::Unknown,
        }
    }
}

/// One node in a summary.
#[derive(Debug, Clone)]
pub struct NodeSummary {
    /// Its name.
    pub name: String,
    /// Where it stands.
    pub standing: Standing,
    /// Its key, hex; empty where it came to none.
    pub key: String,
    /// Seconds it ran.
    pub seconds: f64,
    /// Seconds that reusing it saved.
    pub saved_seconds: f64,
    /// CPU seconds.
    pub cpu_seconds: f64,
    /// How well it was observed.
    pub traced: Traced,
    /// Its exit code, where it ran.
    pub exit_code: Option<i32>,
    /// Attempts, the first one counted.
    pub attempts: u32,
    /// Why it ran.
    pub reason: Option<Reason>,
    /// What it read without declaring it.
    pub undeclared: Vec<String>,
    /// It gave what it had given before.
    pub cutoff: bool,
    /// Its outputs.
    pub outputs: BTreeMap<String, Made>,
    /// Why it failed.
    pub error: Option<Problem>,
    /// The end of what it printed, where it failed.
    pub tail: String,
    /// The node that keeps it from running.
    pub blocked_by: Option<String>,
    /// When its last attempt started, milliseconds since the Unix epoch.
    pub started_at: Option<u64>,
    /// When it ended.
    pub ended_at: Option<u64>,
}

impl NodeSummary {
    fn new(name: &str) -> NodeSummary {
        NodeSummary {
            name: name.to_owned(),
            standing: Standing::NotNeeded,
            key: String::new(),
            seconds: 0.0,
            saved_seconds: 0.0,
            cpu_seconds: 0.0,
            traced: Traced::None,
            exit_code: None,
            attempts: 0,
            reason: None,
            undeclared: Vec::new(),
            cutoff: false,
            outputs: BTreeMap::new(),
            error: None,
            tail: String::new(),
            blocked_by: None,
            started_at: None,
            ended_at: None,
        }
    }

    fn to_json(&self) -> Value {
        let outputs: serde_json::Map<String, Value> = self
            .outputs
            .iter()
            .map(|(name, made)| {
                (
                    name.clone(),
                    json!({"digest": made.digest, "size": made.size, "path": made.path}),
                )
            })
            .collect();
        let mut value = json!({
            "name": self.name,
            "status": self.standing.word(),
            "key": self.key,
            "seconds": self.seconds,
            "saved_seconds": self.saved_seconds,
            "traced": self.traced,
            "exit_code": self.exit_code,
            "attempts": self.attempts,
            "reason": self.reason,
            "undeclared": self.undeclared,
            "cutoff": self.cutoff,
            "outputs": outputs,
        });
        if let Some(error) = &self.error {
            value["error"] = json!(error);
        }
        if let Some(by) = &self.blocked_by {
            value["blocked_by"] = by.clone().into();
        }
        value
    }
}

/// A run in one piece.
#[derive(Debug, Clone)]
pub struct Summary {
    /// Its id.
    pub run: String,
    /// How it ended.
    pub status: Status,
    /// Whether it is known to have ended.
    pub ended: bool,
    /// The environment.
    pub env: String,
    /// Wall time.
    pub seconds: f64,
    /// Nodes by status.
    pub counts: Counts,
    /// Seconds that reuse saved.
    pub saved_seconds: f64,
    /// In definition order, as far as known.
    pub nodes: Vec<NodeSummary>,
    /// What the user should know.
    pub notices: Vec<Notice>,
    /// The first error.
    pub error: Option<Problem>,
    /// How it started.
    pub started: Option<Started>,
    /// What was planned.
    pub planned: Option<Planned>,
    /// When it started, milliseconds since the Unix epoch.
    pub at: u64,
}

impl Summary {
    /// The summary of a stream read back.
    pub fn of_events(events: &[Event]) -> Summary {
        let mut fold = Fold::default();
        events.iter().for_each(|event| fold.take(event));
        let run = events
            .first()
            .map(|event| event.run.clone())
            .unwrap_or_default();
        let finished = fold.finished.clone();
        let status = finished
            .as_ref()
            .map_or(Status::Interrupted, |finished| finished.status);
        let last = events.last().map_or(0, |event| event.at);
        let seconds = finished
            .as_ref()
            .map_or(last.saturating_sub(fold.at) as f64 / 1000.0, |finished| {
                finished.seconds
            });
        let error = finished
            .as_ref()
            .and_then(|finished| finished.error.clone());
        fold.summary(&run, status, seconds, error.as_ref())
    }

    /// The object of the contract.
    pub fn to_json(&self) -> Value {
        let nodes: Vec<Value> = self.nodes.iter().map(NodeSummary::to_json).collect();
        let mut value = json!({
            "schema": 1,
            "run": self.run,
            "status": self.status,
            "env": self.env,
            "seconds": self.seconds,
            "saved_seconds": self.saved_seconds,
            "counts": self.counts,
            "nodes": nodes,
            "notices": self.notices,
        });
        if !self.ended {
            value["ended"] = false.into();
        }
        if let Some(error) = &self.error {
            value["error"] = json!({"code": error.code, "message": error.message, "help": error.help, "spans": []});
        }
        value
    }
}

/// Kubeflow's final status of a task (a node, a group or the whole run), with every node's.
pub fn final_status(summary: &Summary, task: &str) -> Value {
    let state = match summary.status {
        Status::Succeeded => State::Succeeded,
        Status::Failed => State::Failed,
        Status::Interrupted => State::Cancelled,
    };
    let nodes: Vec<Value> = summary
        .nodes
        .iter()
        .filter(|node| node.standing != Standing::NotNeeded)
        .map(node_status)
        .collect();
    let mut value = json!({
        "schema": 1,
        "state": state,
        "pipeline_job_resource_name": summary.run,
        "pipeline_task_name": task,
        "nodes": nodes,
    });
    if let Some(error) = &summary.error {
        value["error_code"] = error.code.clone().into();
        value["error_message"] = error.message.clone().into();
    }
    value
}

fn node_status(node: &NodeSummary) -> Value {
    json!({
        "name": node.name,
        "state": node.standing.state(),
        "exit_code": node.exit_code,
        "error": node.error.as_ref().map(|error| error.message.clone()),
        "seconds": node.seconds,
        "key": node.key,
    })
}

/// A shared fold: one end is a sink of the run, the other is asked for summaries.
#[derive(Clone)]
pub struct Tally {
    fold: Arc<Mutex<Fold>>,
}

impl Tally {
    /// A fold that lists every node of the graph, in definition order.
    pub fn new(graph: &Graph) -> Tally {
        let mut fold = Fold {
            env: graph.pipeline().env.clone(),
            ..Fold::default()
        };
        for node in &graph.pipeline().nodes {
            fold.node(&node.name.to_string());
        }
        Tally {
            fold: Arc::new(Mutex::new(fold)),
        }
    }

    /// The summary as of now.
    pub fn summary(
        &self,
        run: &str,
        status: Status,
        elapsed: Duration,
        error: Option<&Problem>,
    ) -> Summary {
        let fold = self.fold.lock().unwrap_or_else(PoisonError::into_inner);
        let mut summary = fold.summary(run, status, elapsed.as_secs_f64(), error);
        summary.ended = true;
        summary
    }

    /// Nodes by status, and the seconds that reuse saved.
    pub fn counts(&self) -> (Counts, f64) {
        self.fold
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .counts()
    }
}

impl Sink for Tally {
    fn take(&mut self, event: &Event) {
        self.fold
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take(event);
    }
}

#[derive(Default)]
struct Fold {
    env: String,
    at: u64,
    nodes: Vec<NodeSummary>,
    by_name: HashMap<String, usize>,
    notices: Vec<Notice>,
    started: Option<Started>,
    planned: Option<Planned>,
    finished: Option<Finished>,
}

impl Fold {
    fn node(&mut self, name: &str) -> &mut NodeSummary {
        let at = match self.by_name.get(name) {
            Some(&at) => at,
            None => {
                self.nodes.push(NodeSummary::new(name));
                self.by_name.insert(name.to_owned(), self.nodes.len() - 1);
                self.nodes.len() - 1
            }
        };
        &mut self.nodes[at]
    }

    fn take(&mut self, event: &Event) {
        let at = event.at;
        match &event.body {
            Body::RunStarted(started) => {
                self.at = at;
                self.env.clone_from(&started.env);
                self.started = Some(started.clone());
            }
            Body::RunPlanned(planned) => self.planned = Some(planned.clone()),
            Body::RunFinished(finished) => self.finished = Some(finished.clone()),
            Body::NodeQueued { node, reason } => {
                let node = self.node(node);
                node.standing = Standing::Blocked;
                node.reason = Some(reason.clone());
            }
            Body::NodeStarted { node, attempt, .. } => {
                let node = self.node(node);
                node.standing = Standing::Unknown;
                node.attempts = *attempt;
                node.started_at = Some(at);
            }
            Body::NodeHit(hit) => {
                let node = self.node(&hit.node);
                node.standing = if hit.fetched {
                    Standing::Fetched
                } else {
                    Standing::Hit
                };
                node.key.clone_from(&hit.key);
                node.saved_seconds = hit.saved_seconds;
                node.traced = hit.traced;
                node.outputs.clone_from(&hit.outputs);
                node.reason = None;
            }
            Body::NodeSucceeded(done) => {
                let node = self.node(&done.node);
                node.standing = Standing::Ran;
                node.key.clone_from(&done.key);
                node.seconds = done.seconds;
                node.saved_seconds = 0.0;
                node.cpu_seconds = done.cpu_seconds;
                node.traced = done.traced;
                node.exit_code = Some(0);
                node.attempts = done.attempts;
                node.undeclared.clone_from(&done.undeclared);
                node.cutoff = done.cutoff;
                node.outputs.clone_from(&done.outputs);
                node.ended_at = Some(at);
            }
            Body::NodeFailed(failed) => {
                let node = self.node(&failed.node);
                node.standing = Standing::Failed;
                node.key.clone_from(&failed.key);
                node.seconds = failed.seconds;
                node.exit_code = failed.exit_code;
                node.attempts = failed.attempts;
                node.error = Some(failed.error.clone());
                node.tail.clone_from(&failed.tail);
                node.ended_at = Some(at);
            }
            Body::NodeBlocked { node, by } => {
                let node = self.node(node);
                node.standing = Standing::Blocked;
                node.blocked_by.clone_from(by);
            }
            Body::NodeCancelled { node } => {
                let node = self.node(node);
                node.standing = Standing::Cancelled;
                node.ended_at = node.started_at.map(|_| at);
            }
            Body::Notice(notice) => self.notices.push(notice.clone()),
            Body::NodeRetrying { .. }
            | Body::NodeOverdue { .. }
            | Body::NodeOutput { .. }
            | Body::ArtifactMaterialised { .. }
            | Body::ArtifactStored { .. }
            | Body::GroupStarted { .. }
            | Body::GroupFinished { .. } => {}
        }
    }

    fn counts(&self) -> (Counts, f64) {
        let mut counts = Counts::default();
        let mut saved = 0.0;
        for node in &self.nodes {
            saved += node.saved_seconds;
            *match node.standing.word() {
                "hit" => &mut counts.hit,
                "fetched" => &mut counts.fetched,
                "ran" => &mut counts.ran,
                "failed" => &mut counts.failed,
                "not_needed" => &mut counts.not_needed,
                _ => &mut counts.blocked,
            } += 1;
        }
        (counts, saved)
    }

    fn summary(&self, run: &str, status: Status, seconds: f64, error: Option<&Problem>) -> Summary {
        let (counts, saved) = self.counts();
        Summary {
            run: run.to_owned(),
            status,
            ended: self.finished.is_some(),
            env: self.env.clone(),
            seconds,
            counts,
            saved_seconds: saved,
            nodes: self.nodes.clone(),
            notices: self.notices.clone(),
            error: error.cloned(),
            started: self.started.clone(),
            planned: self.planned.clone(),
            at: self.at,
        }
    }
}
