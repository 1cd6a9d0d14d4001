//! A plan as reports show it: what would run, why, and what it would cost.
//!
//! Knows nothing of how it was decided.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::words;
use crate::event::{Made, Notice};
use crate::verdict::{Reason, Verdict};

/// What would run, and why.
#[derive(Debug, Clone, Default)]
pub struct PlanReport {
    /// The pipeline's name.
    pub project: String,
    /// `--env`.
    pub env: String,
    /// As asked for; empty for a bare run.
    pub targets: Vec<String>,
    /// In definition order.
    pub nodes: Vec<PlannedNode>,
    /// What the user should know.
    pub notices: Vec<Notice>,
}

/// One node of a plan.
#[derive(Debug, Clone)]
pub struct PlannedNode {
    /// Its name.
    pub name: String,
    /// What is decided.
    pub verdict: Verdict,
    /// Its key, where that is known.
    pub key: Option<String>,
    /// Why it would run.
    pub reason: Option<Reason>,
    /// What it has, where its outcome is known.
    pub outputs: BTreeMap<String, Made>,
    /// Seconds it took the last time.
    pub expected_seconds: Option<f64>,
}

impl PlannedNode {
    /// Seconds that reusing it saves.
    pub fn saved_seconds(&self) -> f64 {
        match self.verdict {
            Verdict::Hit | Verdict::HitRemote => self.expected_seconds.unwrap_or_default(),
            _ => 0.0,
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
        json!({
            "name": self.name,
            "verdict": self.verdict,
            "key": self.key,
            "reason": self.reason,
            "expected_seconds": self.expected_seconds,
            "saved_seconds": self.saved_seconds(),
            "outputs": outputs,
        })
    }
}

impl PlanReport {
    /// How many nodes have this verdict.
    pub fn count(&self, verdict: Verdict) -> u64 {
        self.nodes
            .iter()
            .filter(|node| node.verdict == verdict)
            .count() as u64
    }

    /// Seconds that nodes with this verdict took the last time, as far as that is known.
    pub fn seconds(&self, verdict: Verdict) -> f64 {
        let nodes = self.nodes.iter().filter(|node| node.verdict == verdict);
        words::total(nodes.filter_map(|node| node.expected_seconds))
    }

    /// How many nodes with this verdict never told how long they take.
    pub fn untimed(&self, verdict: Verdict) -> u64 {
        self.nodes
            .iter()
            .filter(|node| node.verdict == verdict && node.expected_seconds.is_none())
            .count() as u64
    }

    /// Seconds that reuse saves.
    pub fn saved_seconds(&self) -> f64 {
        words::total(self.nodes.iter().map(PlannedNode::saved_seconds))
    }

    /// The object of the contract.
    pub fn to_json(&self) -> Value {
        let nodes: Vec<Value> = self.nodes.iter().map(PlannedNode::to_json).collect();
        json!({
            "schema": 1,
            "project": self.project,
            "env": self.env,
            "targets": self.targets,
            "counts": {
                "hit": self.count(Verdict::Hit),
                "hit_remote": self.count(Verdict::HitRemote),
                "run": self.count(Verdict::Run),
                "maybe": self.count(Verdict::Maybe),
                "not_needed": self.count(Verdict::NotNeeded),
            },
            "seconds": {"run": self.seconds(Verdict::Run), "maybe": self.seconds(Verdict::Maybe)},
            "saved_seconds": self.saved_seconds(),
            "nodes": nodes,
            "notices": self.notices,
        })
    }
}
