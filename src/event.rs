//! What happens in a run: one stream, below the runner and below every reporter.
//!
//! Screen, JSON, hooks, trace and reports consume these and nothing else. Every event serialises to one
//! JSON object whose `event` names it (DEPLOY: `run.started`, `node.hit`, …). Knows nothing of who listens.

use std::collections::BTreeMap;

use jalon_store::content::Content;
use serde::{Deserialize, Serialize};

use crate::verdict::Reason;

/// The number of the event format; fields may be added without changing it.
pub const SCHEMA: u32 = 1;

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// [`SCHEMA`].
    pub schema: u32,
    /// The run's id, a ULID.
    pub run: String,
    /// Position in the run, from 0, without gaps.
    pub seq: u64,
    /// Milliseconds since the Unix epoch.
    pub at: u64,
    /// What.
    #[serde(flatten)]
    pub body: Body,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event")]
pub enum Body {
    /// Everything was judged that can be judged before the first node runs. A hook may veto here.
    #[serde(rename = "run.planned")]
    RunPlanned(Planned),
    /// The run holds its locks and goes on to work.
    #[serde(rename = "run.started")]
    RunStarted(Started),
    /// Exactly once, whatever happened.
    #[serde(rename = "run.finished")]
    RunFinished(Finished),
    /// It must run and waits for room.
    #[serde(rename = "node.queued")]
    NodeQueued {
        /// Its name.
        node: String,
        /// Why it runs.
        reason: Reason,
    },
    /// An attempt began.
    #[serde(rename = "node.started")]
    NodeStarted {
        /// Its name.
        node: String,
        /// 1 for the first.
        attempt: u32,
        /// Seconds it took the last time, if that is known.
        expected: Option<f64>,
    },
    /// Its outcome was known.
    #[serde(rename = "node.hit")]
    NodeHit(Hit),
    /// Nodes are known as they were in an earlier run. In traces only: who reads one back, and who listens, hears of
    /// each node as in that run.
    #[serde(rename = "run.reused")]
    RunReused(Reused),
    /// It ran and its outputs were taken.
    #[serde(rename = "node.succeeded")]
    NodeSucceeded(Succeeded),
    /// Its last attempt failed.
    #[serde(rename = "node.failed")]
    NodeFailed(Failed),
    /// An attempt failed and another follows.
    #[serde(rename = "node.retrying")]
    NodeRetrying {
        /// Its name.
        node: String,
        /// The attempt that failed.
        attempt: u32,
        /// Why it failed.
        error: Problem,
        /// Seconds until the next.
        wait: f64,
    },
    /// Something it needs failed.
    #[serde(rename = "node.blocked")]
    NodeBlocked {
        /// Its name.
        node: String,
        /// The node that failed; none where the run stopped for another reason (`--fail-fast`, a veto).
        by: Option<String>,
    },
    /// It was stopped, or never started, because the run was interrupted.
    #[serde(rename = "node.cancelled")]
    NodeCancelled {
        /// Its name.
        node: String,
    },
    /// It runs far longer than it ever did.
    #[serde(rename = "node.overdue")]
    NodeOverdue {
        /// Its name.
        node: String,
        /// Seconds so far.
        seconds: f64,
        /// Seconds it took the last time.
        expected: f64,
    },
    /// Something it printed, secrets masked; not kept in the trace.
    #[serde(rename = "node.output")]
    NodeOutput {
        /// Its name.
        node: String,
        /// 1 or 2.
        stream: u8,
        /// Lossy where it was not UTF-8.
        text: String,
    },
    /// An output was laid out in the project.
    #[serde(rename = "artifact.materialised")]
    ArtifactMaterialised {
        /// Its name.
        artifact: String,
        /// Project-relative.
        path: String,
    },
    /// An output was put into the store.
    #[serde(rename = "artifact.stored")]
    ArtifactStored {
        /// Its name.
        artifact: String,
        /// Hex.
        digest: String,
        /// Bytes.
        size: u64,
    },
    /// The first node of a group started.
    #[serde(rename = "group.started")]
    GroupStarted {
        /// Its name.
        group: String,
    },
    /// The last node of a group ended.
    #[serde(rename = "group.finished")]
    GroupFinished {
        /// Its name.
        group: String,
        /// Kubeflow's word.
        state: State,
    },
    /// Bytes that came from remotes and went to them so far; now and then while some move, not kept in the trace.
    #[serde(rename = "remote.progress")]
    RemoteProgress {
        /// Bytes that came.
        downloaded: u64,
        /// Bytes that went.
        uploaded: u64,
        /// Outcomes still on their way out.
        to_send: u64,
    },
    /// What remotes were good for, at the end of a run that has some.
    #[serde(rename = "remote.used")]
    RemoteUsed(RemoteUse),
    /// Something the user should know; said once a run for each text.
    #[serde(rename = "notice")]
    Notice(Notice),
}

/// `run.planned`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Planned {
    /// The pipeline's name.
    pub project: String,
    /// `--env`.
    pub env: String,
    /// As asked for; empty for a bare run.
    pub targets: Vec<String>,
    /// Selected nodes.
    pub nodes: u64,
    /// Of these, known to hit.
    pub hit: u64,
    /// Known to run. Not `run`: that is the event's own, the run's id.
    #[serde(rename = "to_run")]
    pub run: u64,
    /// One or the other.
    pub maybe: u64,
    /// Seconds of work that the nodes to run took the last time, as far as known.
    pub expected: f64,
}

/// `run.started`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Started {
    /// The pipeline's name.
    pub project: String,
    /// The project's directory.
    pub root: String,
    /// `--env`.
    pub env: String,
    /// As asked for.
    pub targets: Vec<String>,
    /// Nodes at once.
    pub jobs: u32,
    /// jalon's version.
    pub jalon: String,
    /// The machine.
    pub host: String,
    /// The process.
    pub pid: u32,
    /// Git commit, `+` appended where the tree has changes; empty outside git.
    #[serde(default)]
    pub commit: String,
}

/// `remote.used`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemoteUse {
    /// By address: `read-write`, `read-only` or `unavailable`.
    pub remotes: BTreeMap<String, String>,
    /// Outcomes that were taken over.
    pub fetched: u64,
    /// Outcomes that were sent.
    pub sent: u64,
    /// Outcomes that were to be sent and were not.
    pub unsent: u64,
    /// Bytes that came.
    pub downloaded: u64,
    /// Bytes that went.
    pub uploaded: u64,
    /// Records that were not believed.
    pub disbelieved: u64,
    /// Faults, retries aside.
    pub errors: u64,
}

/// `run.finished`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finished {
    /// How it ended.
    pub status: Status,
    /// Wall time.
    pub seconds: f64,
    /// By status.
    pub counts: Counts,
    /// Seconds that the hits took when they ran.
    pub saved_seconds: f64,
    /// The first error.
    pub error: Option<Problem>,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// All that was asked for is there.
    Succeeded,
    /// A node, a `finally` or a hook that counts failed.
    Failed,
    /// SIGINT or SIGTERM.
    Interrupted,
}

impl Status {
    /// The word used in JSON and for `{{run.status}}`.
    pub fn word(self) -> &'static str {
        match self {
            Status::Succeeded => "succeeded",
            Status::Failed => "failed",
            Status::Interrupted => "interrupted",
        }
    }
}

/// Kubeflow's words for how something ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum State {
    /// It did, now or earlier.
    Succeeded,
    /// It did not.
    Failed,
    /// Stopped by the user.
    Cancelled,
    /// Never started, because something before it failed.
    Skipped,
    /// Nobody can tell: never taken for success.
    Unknown,
}

/// Nodes by status; the names are those of the contract.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Known here.
    pub hit: u64,
    /// Known from a remote.
    pub fetched: u64,
    /// Executed, successfully.
    pub ran: u64,
    /// Executed without success.
    pub failed: u64,
    /// Not reached.
    pub blocked: u64,
    /// Not asked for.
    pub not_needed: u64,
}

/// `run.reused`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reused {
    /// The run whose trace tells of each node.
    pub of: String,
    /// How many nodes.
    pub nodes: u64,
    /// Seconds they took when they ran.
    pub saved_seconds: f64,
    /// Nodes that it tells of and that are not meant; of a run in which nothing had changed, nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub but: Option<Vec<String>>,
    /// Of those that are meant, nodes that the run had nothing to do with: no change reaches them, so they were not read.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub beside: u64,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// `node.hit`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Hit {
    /// Its name.
    pub node: String,
    /// Its strong key, hex.
    pub key: String,
    /// Seconds it took when it ran.
    pub saved_seconds: f64,
    /// Known from a remote only.
    pub fetched: bool,
    /// How well it was observed when it ran.
    pub traced: Traced,
    /// What it reads without declaring it.
    #[serde(default)]
    pub undeclared: Vec<String>,
    /// Its outputs, by artifact.
    pub outputs: BTreeMap<String, Made>,
}

/// `node.succeeded`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Succeeded {
    /// Its name.
    pub node: String,
    /// Its strong key, hex; what it would have been, for a node that is never cached.
    pub key: String,
    /// Wall time of the last attempt.
    pub seconds: f64,
    /// CPU time, user and system.
    pub cpu_seconds: f64,
    /// Largest resident set of one process, bytes.
    pub max_rss: u64,
    /// Attempts, the first one counted.
    pub attempts: u32,
    /// Same digests as before, so its dependants need not run.
    pub cutoff: bool,
    /// How well it was observed.
    pub traced: Traced,
    /// What it read without declaring it.
    pub undeclared: Vec<String>,
    /// Blob of what it printed, hex, if anything.
    pub transcript: Option<String>,
    /// Its outputs, by artifact.
    pub outputs: BTreeMap<String, Made>,
    /// Whether a record was kept.
    pub recorded: bool,
    /// Why not, where it should have been: the rest of "it was not kept: ".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unkept: Option<String>,
}

/// `node.failed`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Failed {
    /// Its name.
    pub node: String,
    /// Its key, if it came to one.
    pub key: String,
    /// Wall time of the last attempt.
    pub seconds: f64,
    /// Attempts, the first one counted.
    pub attempts: u32,
    /// Exit code of the last attempt, if it ended by itself.
    pub exit_code: Option<i32>,
    /// Why.
    pub error: Problem,
    /// Blob of what it printed, hex, if anything.
    pub transcript: Option<String>,
    /// The last lines of it.
    pub tail: String,
}

/// An output as reports show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Made {
    /// Hex.
    pub digest: String,
    /// Bytes.
    pub size: u64,
    /// Project-relative.
    pub path: String,
    /// `file` or `directory`.
    #[serde(default)]
    pub shape: Shape,
    /// A file that may be executed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub executable: bool,
}

impl Made {
    /// The content that is spoken of; nothing where its digest is none.
    pub fn content(&self) -> Option<Content> {
        Some(match self.shape {
            Shape::File => Content::File {
                digest: self.digest.parse().ok()?,
                size: self.size,
                executable: self.executable,
            },
            Shape::Directory => Content::Tree {
                digest: self.digest.parse().ok()?,
                size: self.size,
                files: 0,
            },
        })
    }
}

/// What an output is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Shape {
    /// One file.
    #[default]
    File,
    /// A directory.
    Directory,
}

/// How well an execution was observed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Traced {
    /// Every read was seen.
    Full,
    /// Some reads may have been missed.
    Partial,
    /// Not at all.
    None,
}

/// An error as told to scripts and to people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// A stable word: `exit`, `signal`, `timeout`, `oom`, `missing-output`, …
    pub code: String,
    /// One sentence.
    pub message: String,
    /// What to do.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub help: String,
}

/// Something the user should know.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Notice {
    /// A stable word for scripts.
    pub code: String,
    /// One sentence.
    pub text: String,
}

/// Who listens.
pub trait Sink: Send {
    /// Takes an event; must not fail and should not wait.
    fn take(&mut self, event: &Event);

    /// Whether it is enough that `run.reused` names the run that tells of nodes.
    fn refers(&self) -> bool {
        false
    }
}

impl From<Succeeded> for Hit {
    /// What a later run says of a node that ran and was recorded.
    fn from(done: Succeeded) -> Hit {
        Hit {
            node: done.node,
            key: done.key,
            saved_seconds: done.seconds,
            fetched: false,
            traced: done.traced,
            undeclared: done.undeclared,
            outputs: done.outputs,
        }
    }
}

impl Body {
    /// Whether it is of the moment: nobody reads it later, and no hook is told.
    pub fn is_passing(&self) -> bool {
        matches!(self, Body::NodeOutput { .. } | Body::RemoteProgress { .. })
    }

    /// The word in `event`.
    pub fn name(&self) -> &'static str {
        match self {
            Body::RunPlanned(_) => "run.planned",
            Body::RunStarted(_) => "run.started",
            Body::RunFinished(_) => "run.finished",
            Body::NodeQueued { .. } => "node.queued",
            Body::NodeStarted { .. } => "node.started",
            Body::RunReused(_) => "run.reused",
            Body::NodeHit(_) => "node.hit",
            Body::NodeSucceeded(_) => "node.succeeded",
            Body::NodeFailed(_) => "node.failed",
            Body::NodeRetrying { .. } => "node.retrying",
            Body::NodeBlocked { .. } => "node.blocked",
            Body::NodeCancelled { .. } => "node.cancelled",
            Body::NodeOverdue { .. } => "node.overdue",
            Body::NodeOutput { .. } => "node.output",
            Body::ArtifactMaterialised { .. } => "artifact.materialised",
            Body::ArtifactStored { .. } => "artifact.stored",
            Body::GroupStarted { .. } => "group.started",
            Body::GroupFinished { .. } => "group.finished",
            Body::RemoteProgress { .. } => "remote.progress",
            Body::RemoteUsed(_) => "remote.used",
            Body::Notice(_) => "notice",
        }
    }
}
