//! What an earlier run left at rest, held against what is declared now: what need not be judged again.
//!
//! An entry of the ledger says of a node what judging it came to. It still comes to that if all that judging rests on is the
//! same: the definition, the machine and whatever lies at undeclared paths, for which whoever hands a ledger on
//! answers; the declared sources and code, which are compared here; and what other nodes give, for which no node
//! is held that comes after one that is not. A node is not held either if its outcome rested on an output that it
//! does not declare.
//!
//! Knows nothing of files and stats.

use std::time::Duration;

use jalon_conf::pipeline::{ArtifactId, NodeId};
use jalon_store::canonical::Encoder;
use jalon_store::content::Content;
use jalon_store::digest::{ActionKey, BlobDigest};
use jalon_store::outcome::Traced;
use serde::{Deserialize, Serialize};

use super::{Inputs, Plan, always};
use crate::graph::Graph;
use crate::judge::{Judged, Observations};

/// What judging a node came to that hit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Held {
    /// The strong key.
    pub key: ActionKey,
    /// Milliseconds that it took when it ran.
    pub wall_ms: u64,
    /// How well it was observed.
    pub traced: Traced,
    /// What it reads without declaring it.
    pub undeclared: Vec<String>,
    /// What it gave, in the order of its outputs.
    pub outputs: Vec<Content>,
    /// Its declared code, where it has any.
    code: Option<BlobDigest>,
}

/// A ledger, and who told of the nodes in it.
#[derive(Debug, Clone, Copy)]
pub struct Before<'a> {
    /// What judging came to.
    pub ledger: &'a Ledger,
    /// The run whose trace tells of each node that hits in it.
    pub run: &'a str,
    /// How many traces that one refers to, one by way of the other.
    pub chain: u32,
}

/// Traces that one has to go through, one by way of the other, to be told of a node.
const CHAIN: u32 = 16;

impl Before<'_> {
    /// Whether a trace may refer to the one of that run.
    pub fn may_be_referred_to(&self) -> bool {
        self.chain < CHAIN
    }
}

/// What judging all nodes came to.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Ledger {
    /// By node; nothing for one that has to be judged each time.
    nodes: Vec<Option<Held>>,
    /// By artifact: the sources.
    sources: Vec<Option<Content>>,
}

impl Held {
    /// What is to be known of an outcome again; nothing where it rests on an output that is not declared.
    fn of(judged: &Judged, code: &[(String, Content)]) -> Option<Held> {
        let record = judged.found.as_ref().filter(|_| !judged.overhears)?;
        Some(Held {
            key: record.key,
            wall_ms: record.outcome.cost.wall_ms,
            traced: record.attestation.traced,
            undeclared: judged.undeclared.to_vec(),
            outputs: record
                .outcome
                .outputs
                .iter()
                .map(|one| one.content)
                .collect(),
            code: digest(code),
        })
    }

    /// Seconds that it took when it ran.
    pub fn seconds(&self) -> f64 {
        self.wall_ms as f64 / 1000.0
    }

    /// The same.
    pub fn took(&self) -> Duration {
        Duration::from_millis(self.wall_ms)
    }
}

impl Ledger {
    /// What a plan came to, but for the nodes that run.
    pub fn of(inputs: &Inputs<'_>, plan: &Plan) -> Ledger {
        let observations = inputs.judge.observations;
        let nodes = plan.judged.iter().zip(&observations.code).zip(&plan.held);
        Ledger {
            nodes: nodes
                .zip(&plan.verdicts)
                .map(|(((judged, code), held), verdict)| match judged {
                    // Who holds a node refers to the run that told of it.
                    _ if !verdict.is_hit() => None,
                    Some(judged) => Held::of(judged, code),
                    None => held.clone(),
                })
                .collect(),
            sources: inputs.sources.to_vec(),
        }
    }

    /// Of what judging each node came to, and of the sources; each by its number.
    pub fn of_parts(nodes: Vec<Option<Held>>, sources: Vec<Option<Content>>) -> Ledger {
        Ledger { nodes, sources }
    }

    /// By node: what judging it came to.
    pub fn nodes(&self) -> &[Option<Held>] {
        &self.nodes
    }

    /// By artifact: the sources.
    pub fn sources(&self) -> &[Option<Content>] {
        &self.sources
    }

    /// By node: what still stands.
    pub fn hold(
        &self,
        graph: &Graph,
        observations: &Observations,
        is_open: impl Fn(NodeId) -> bool,
    ) -> Vec<Option<Held>> {
        let mut held: Vec<Option<Held>> = vec![None; graph.len()];
        if self.nodes.len() != graph.len() || self.sources.len() != observations.sources.len() {
            return held;
        }
        let same = |read: ArtifactId| {
            let at = read.0 as usize;
            self.sources[at] == observations.sources[at]
        };
        for &node in graph.order() {
            let at = node.0 as usize;
            let Some(entry) = &self.nodes[at] else {
                continue;
            };
            let stands = !is_open(node)
                && graph.reads(node).all(same)
                && entry.outputs.len() == graph.makes(node).count()
                && entry.code == digest(&observations.code[at])
                && graph
                    .before(node)
                    .all(|(before, _)| held[before.0 as usize].is_some());
            if stands {
                held[at] = Some(entry.clone());
            }
        }
        held
    }
}

/// By node: what need not be judged, of what was handed to a run.
pub(super) fn of(inputs: &Inputs<'_>) -> Vec<Option<Held>> {
    let selected = &inputs.selection.selected;
    match inputs.ledger {
        Some(ledger) => ledger.hold(inputs.graph, inputs.judge.observations, |node| {
            !selected[node.0 as usize] || always(inputs, node).is_some()
        }),
        None => vec![None; inputs.graph.len()],
    }
}

fn digest(code: &[(String, Content)]) -> Option<BlobDigest> {
    if code.is_empty() {
        return None;
    }
    let mut to = Encoder::new();
    for (name, content) in code {
        to.text(name).digest(content.digest_bytes());
        match content {
            Content::File { executable, .. } => to.variant(0).truth(*executable),
            Content::Tree { .. } => to.variant(1),
        };
    }
    Some(BlobDigest::of(&to.into_bytes()))
}
