//! Outcomes: what a successful action gave, what is known of how it was made, and the records that
//! keep both. Small, for a run with nothing to do decodes one a node; the explanation lies beside it.

use serde::{Deserialize, Serialize};

use crate::action::{Derivation, PathEntry, Seen};
use crate::content::Content;
use crate::digest::{ActionKey, BlobDigest, WeakKey};

/// One declared output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedContent {
    /// The output's name in its node.
    pub name: String,
    /// What it is.
    pub content: Content,
}

/// What an execution cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Cost {
    /// Elapsed time, milliseconds.
    pub wall_ms: u64,
    /// Processor time in user mode, milliseconds.
    pub user_ms: u64,
    /// Processor time in the kernel, milliseconds.
    pub system_ms: u64,
    /// Largest resident set, bytes.
    pub max_rss_bytes: u64,
}

/// What a successful action gave.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Outcome {
    /// A content for each declared output.
    pub outputs: Vec<NamedContent>,
    /// Captured standard output and standard error.
    pub transcript: Option<BlobDigest>,
    /// What it cost.
    pub cost: Cost,
}

/// How completely an execution was observed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Traced {
    /// Every file access.
    Full,
    /// Some of them.
    Partial,
    /// None.
    #[default]
    None,
}

/// What is known of how an outcome was made.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Attestation {
    /// How completely it was observed.
    pub traced: Traced,
    /// Whether it used something outside the project that another host need not have.
    pub host_bound: bool,
    /// Whether the project's version control had no uncommitted changes; `None` where there is none.
    pub clean: Option<bool>,
    /// How often a repetition gave the same bytes.
    pub confirmed: u32,
    /// What else is to be said: which exemptions applied.
    pub notes: Vec<String>,
    /// Where it came from, if it was not made here. Said by who took it over, never by who made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
}

/// From where an outcome was taken over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The remote, without what gives access to it.
    pub remote: String,
    /// The key that vouched for it, in its printed form, if one that is trusted did.
    pub signer: Option<String>,
}

/// Where and when an outcome was made.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Made {
    /// Milliseconds since the Unix epoch.
    pub at_ms: u64,
    /// The run.
    pub run: String,
    /// The node instance.
    pub node: String,
    /// The pipeline.
    pub project: String,
    /// jalon's version.
    pub jalon: String,
    /// The host's name.
    pub host: String,
}

/// What the action cache keeps under a strong key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActionRecord {
    /// The strong key: a record found under another key is not believed.
    pub key: ActionKey,
    /// The weak key.
    pub weak: WeakKey,
    /// What the action gave.
    pub outcome: Outcome,
    /// What is known of it.
    pub attestation: Attestation,
    /// Where and when.
    pub made: Made,
}

/// What a strong key was computed from, in full; read only to explain.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Explanation {
    /// The recipe.
    pub derivation: Derivation,
    /// What was observed.
    pub observed: Vec<(PathEntry, Seen)>,
}
