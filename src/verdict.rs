//! What is decided about a node, and why, in the words of the user's contract.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What a plan says of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The outcome for its key is known here.
    Hit,
    /// Known from a remote only.
    HitRemote,
    /// It must run.
    Run,
    /// An input will be made again; if it comes out the same, this node need not run.
    Maybe,
    /// No target needs it.
    NotNeeded,
}

impl Verdict {
    /// Whether the outcome is known, here or elsewhere.
    pub fn is_hit(self) -> bool {
        matches!(self, Verdict::Hit | Verdict::HitRemote)
    }

    /// The word used in JSON and on screens.
    pub fn word(self) -> &'static str {
        match self {
            Verdict::Hit => "hit",
            Verdict::HitRemote => "hit_remote",
            Verdict::Run => "run",
            Verdict::Maybe => "maybe",
            Verdict::NotNeeded => "not_needed",
        }
    }
}

/// Why a node runs: the first field that differs from the nearest earlier derivation, or one of
/// [`Reason::NEW`], [`Reason::FORCED`] and the other words below.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reason {
    /// The field of the derivation, or one of the words below.
    pub field: String,
    /// Which one: a parameter's dotted path, a file, an artifact.
    pub what: String,
    /// Before; `null` where it was not there.
    #[serde(default)]
    pub old: Value,
    /// Now; `null` where it is not there any more.
    #[serde(default)]
    pub new: Value,
}

impl Reason {
    /// It never ran before in this project, nor did anyone else's equal node.
    pub const NEW: &str = "new";
    /// `--force`.
    pub const FORCED: &str = "forced";
    /// No outputs, and not `cache = true`.
    pub const SIDE_EFFECT: &str = "side-effect";
    /// `cache = false`.
    pub const UNCACHED: &str = "uncached";
    /// The outcome is known, but bytes of it are needed and are gone (ephemeral or evicted).
    pub const GONE: &str = "gone";
    /// The same derivation ran before, but its record is not in the store.
    pub const FORGOTTEN: &str = "forgotten";
    /// It ran, and what it gave was not kept; `what` says why.
    pub const UNKEPT: &str = "unkept";
    /// An input will be made first, so nobody knows yet.
    pub const UPSTREAM: &str = "upstream";
    /// Its last attempt with this key failed or was cut off.
    pub const UNFINISHED: &str = "unfinished";

    /// A reason that is a word rather than a field.
    pub fn word(word: &str, what: impl Into<String>) -> Reason {
        Reason {
            field: word.into(),
            what: what.into(),
            old: Value::Null,
            new: Value::Null,
        }
    }

    /// One line for people: `params train.gbm.lr: 0.1 → 0.2`.
    pub fn line(&self) -> String {
        match self.field.as_str() {
            Reason::NEW => "never ran before".into(),
            Reason::FORCED => "forced".into(),
            Reason::SIDE_EFFECT => "has no outputs: runs each time".into(),
            Reason::UNCACHED => "cache = false: runs each time".into(),
            Reason::GONE => format!("{} is needed and no longer kept", self.what),
            Reason::FORGOTTEN => "its record is no longer in the store".into(),
            Reason::UNKEPT => format!("its last execution was not kept: {}", self.what),
            Reason::UPSTREAM => format!("{} is made first", self.what),
            Reason::UNFINISHED => "did not finish last time".into(),
            field => {
                let (old, new) = (short(&self.old), short(&self.new));
                match (&self.old, &self.new) {
                    (Value::Null, _) => format!("{field} {} is new: {new}", self.what),
                    (_, Value::Null) => format!("{field} {} is gone (was {old})", self.what),
                    _ => format!("{field} {}: {old} → {new}", self.what),
                }
            }
        }
    }
}

/// A value for a line: digests by their first characters, long text cut.
fn short(value: &Value) -> String {
    let text = match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let is_digest = text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit());
    if is_digest {
        return text[..10].to_owned();
    }
    let mut line: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(60)
        .collect();
    if text.chars().count() > 60 {
        line.push('…');
    }
    line
}
