//! A run in one piece: what `run --json` prints, what `finally` is told, what every report starts from.
//!
//! Knows nothing of how it was folded together, nor of who shows it.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::event::{
    Counts, Made, Notice, Planned, Problem, RemoteUse, Started, State, Status, Traced,
};
use crate::verdict::Reason;

/// Where a node stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// Executed without success.
    Failed,
    /// Started; nobody knows how it ended.
    Unknown,
    /// Stopped, or never started, because the run was.
    Cancelled,
    /// Not reached: something it needs failed, or the stream ended before its turn came.
    Blocked,
    /// Executed, successfully.
    Ran,
    /// Known from a remote.
    Fetched,
    /// Known here.
    Hit,
    /// Not asked for.
    NotNeeded,
}

impl Standing {
    /// The contract's word: what was stopped, or is not known to have ended, counts as not reached.
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

    /// The word for people, which tells apart what the contract takes together.
    pub fn label(self) -> &'static str {
        match self {
            Standing::Hit => "hit",
            Standing::Fetched => "fetched",
            Standing::Ran => "ran",
            Standing::Failed => "failed",
            Standing::Blocked => "blocked",
            Standing::Cancelled => "cancelled",
            Standing::Unknown => "unknown",
            Standing::NotNeeded => "not needed",
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

/// One attempt of a node.
#[derive(Debug, Clone, PartialEq)]
pub struct Attempt {
    /// 1 for the first.
    pub number: u32,
    /// Milliseconds since the Unix epoch.
    pub started_at: u64,
    /// The same; nothing while it goes on, or where nobody saw it end.
    pub ended_at: Option<u64>,
    /// Why it failed, where it did.
    pub error: Option<Problem>,
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
    /// Seconds its last attempt ran.
    pub seconds: f64,
    /// Seconds that reusing it saved.
    pub saved_seconds: f64,
    /// CPU seconds.
    pub cpu_seconds: f64,
    /// Largest resident set, bytes.
    pub max_rss: u64,
    /// How well it was observed.
    pub traced: Traced,
    /// Its exit code, where it ran.
    pub exit_code: Option<i32>,
    /// Attempts, the first one counted.
    pub attempts: u32,
    /// Each of them.
    pub tries: Vec<Attempt>,
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
    /// When that ended.
    pub ended_at: Option<u64>,
    /// When it came to stand where it stands.
    pub at: Option<u64>,
}

impl NodeSummary {
    /// A node of which nothing has been heard.
    pub fn new(name: &str) -> NodeSummary {
        NodeSummary {
            name: name.to_owned(),
            standing: Standing::NotNeeded,
            key: String::new(),
            seconds: 0.0,
            saved_seconds: 0.0,
            cpu_seconds: 0.0,
            max_rss: 0,
            traced: Traced::None,
            exit_code: None,
            attempts: 0,
            tries: Vec::new(),
            reason: None,
            undeclared: Vec::new(),
            cutoff: false,
            outputs: BTreeMap::new(),
            error: None,
            tail: String::new(),
            blocked_by: None,
            started_at: None,
            ended_at: None,
            at: None,
        }
    }

    /// One line for people: why it stands where it stands.
    pub fn why(&self) -> String {
        match (self.standing, &self.error, &self.blocked_by, &self.reason) {
            (Standing::Failed, Some(error), ..) => error.message.clone(),
            (Standing::Blocked, _, Some(by), _) => format!("needs {by}"),
            (Standing::Blocked, ..) => "the run stopped".to_owned(),
            (Standing::Unknown, ..) => "started; nobody saw it end".to_owned(),
            (Standing::Hit | Standing::Fetched | Standing::NotNeeded, ..) => String::new(),
            (.., Some(reason)) => reason.line(),
            _ => String::new(),
        }
    }

    fn to_json(&self) -> Value {
        let made =
            |made: &Made| json!({"digest": made.digest, "size": made.size, "path": made.path});
        let outputs: Map<String, Value> = self
            .outputs
            .iter()
            .map(|(name, output)| (name.clone(), made(output)))
            .collect();
        let mut value = json!({
            "name": self.name,
            "status": self.standing.word(),
            "state": self.standing.state(),
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
        if self.attempts > 0 {
            value["cpu_seconds"] = self.cpu_seconds.into();
            value["max_rss"] = self.max_rss.into();
        }
        if let Some(error) = &self.error {
            value["error"] = json!(error);
            value["tail"] = self.tail.clone().into();
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
    /// How it ended; `interrupted` where that is not known.
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
    /// In definition order where that is known, else as they were heard of.
    pub nodes: Vec<NodeSummary>,
    /// How the groups that ended did.
    pub groups: BTreeMap<String, State>,
    /// What the user should know.
    pub notices: Vec<Notice>,
    /// The first error.
    pub error: Option<Problem>,
    /// How it started.
    pub started: Option<Started>,
    /// What was planned.
    pub planned: Option<Planned>,
    /// What remotes were good for, where there are some.
    pub remote: Option<RemoteUse>,
    /// When it started, milliseconds since the Unix epoch.
    pub at: u64,
    /// The last that was heard of it, milliseconds since the Unix epoch.
    pub until: u64,
}

impl Summary {
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
        if let Some(remote) = &self.remote {
            value["remote"] = json!(remote);
        }
        if let Some(error) = &self.error {
            value["error"] = json!({"code": error.code, "message": error.message, "help": error.help, "spans": []});
        }
        value
    }

    /// Nodes that answered without running, and those that ran or should have: the base of a hit rate.
    pub fn reused_of(&self) -> (u64, u64) {
        let counts = &self.counts;
        let reused = counts.hit + counts.fetched;
        (reused, reused + counts.ran + counts.failed + counts.blocked)
    }

    /// The pipeline's name, where it is known.
    pub fn project(&self) -> &str {
        self.started
            .as_ref()
            .map_or("", |started| started.project.as_str())
    }

    /// How it ended, for people.
    pub fn status_label(&self) -> &'static str {
        if self.ended {
            self.status.word()
        } else {
            "not finished: it goes on, or was killed"
        }
    }

    /// Kubeflow's word for the whole run.
    pub fn state(&self) -> State {
        match (self.ended, self.status) {
            (false, _) => State::Unknown,
            (_, Status::Succeeded) => State::Succeeded,
            (_, Status::Failed) => State::Failed,
            (_, Status::Interrupted) => State::Cancelled,
        }
    }
}

/// Kubeflow's final status of a task, with every node's: `task` is a node, a group, or anything else for
/// the whole run. The fields are those that an exit task written for Kubeflow Pipelines reads.
pub fn final_status(summary: &Summary, task: &str) -> Value {
    let node = summary.nodes.iter().find(|node| node.name == task);
    let (state, error) = match (node, summary.groups.get(task)) {
        (Some(node), _) => (node.standing.state(), node.error.as_ref()),
        (None, Some(state)) => (
            *state,
            summary.error.as_ref().filter(|_| *state == State::Failed),
        ),
        (None, None) => (summary.state(), summary.error.as_ref()),
    };
    let asked = summary
        .nodes
        .iter()
        .filter(|node| node.standing != Standing::NotNeeded);
    let nodes: Vec<Value> = asked.map(node_status).collect();
    let mut value = json!({
        "schema": 1,
        "state": state,
        "pipeline_job_resource_name": summary.run,
        "pipeline_task_name": task,
        "nodes": nodes,
    });
    if let Some(error) = error {
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
