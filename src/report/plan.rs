//! A plan as reports show it.

use std::collections::BTreeMap;

use jalon_conf::pipeline::NodeId;
use serde_json::{Value, json};

use crate::event::{Made, Notice};
use crate::history::History;
use crate::plan::Plan;
use crate::project::Project;
use crate::run::made_of;
use crate::verdict::{Reason, Verdict};

/// What would run, and why.
#[derive(Debug, Clone)]
pub struct PlanReport {
    /// The pipeline's name.
    pub project: String,
    /// `--env`.
    pub env: String,
    /// As asked for.
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

impl PlanReport {
    /// The report of a plan.
    pub fn new(
        project: &Project,
        targets: &[String],
        plan: &Plan,
        history: &History<'_>,
    ) -> PlanReport {
        let graph = &project.graph;
        let nodes = (0..graph.len()).map(|at| {
            let id = NodeId(at as u32);
            let name = graph.node(id).name.to_string();
            let judged = plan.judged[at].as_ref();
            let record = judged.and_then(|judged| judged.found.as_ref());
            let outputs = record
                .into_iter()
                .flat_map(|record| graph.makes(id).zip(&record.outcome.outputs));
            let outputs = outputs.map(|(artifact, output)| {
                let artifact = graph.artifact(artifact);
                (
                    artifact.name.to_string(),
                    made_of(&output.content, &artifact.path),
                )
            });
            let expected_seconds = match (plan.verdicts[at], record) {
                (Verdict::NotNeeded, _) => None,
                (_, Some(record)) => Some(record.outcome.cost.wall_ms as f64 / 1000.0),
                _ => history.of(&name).first().map(|earlier| earlier.seconds),
            };
            PlannedNode {
                verdict: plan.verdicts[at],
                key: judged.map(|judged| judged.key().to_string()),
                reason: plan.reasons[at].clone(),
                outputs: outputs.collect(),
                expected_seconds,
                name,
            }
        });
        PlanReport {
            project: project.name.clone(),
            env: graph.pipeline().env.clone(),
            targets: targets.to_vec(),
            nodes: nodes.collect(),
            notices: Vec::new(),
        }
    }

    /// How many nodes have this verdict.
    pub fn count(&self, verdict: Verdict) -> u64 {
        self.nodes
            .iter()
            .filter(|node| node.verdict == verdict)
            .count() as u64
    }

    /// Seconds that nodes with this verdict took the last time.
    pub fn seconds(&self, verdict: Verdict) -> f64 {
        self.nodes
            .iter()
            .filter(|node| node.verdict == verdict)
            .filter_map(|node| node.expected_seconds)
            .sum()
    }

    /// The object of the contract.
    pub fn to_json(&self) -> Value {
        let nodes: Vec<Value> = self
            .nodes
            .iter()
            .map(|node| {
                json!({
                    "name": node.name,
                    "verdict": node.verdict,
                    "key": node.key,
                    "reason": node.reason,
                    "expected_seconds": node.expected_seconds,
                    "outputs": node.outputs,
                })
            })
            .collect();
        json!({
            "schema": 1,
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
            "nodes": nodes,
            "notices": self.notices,
        })
    }
}
