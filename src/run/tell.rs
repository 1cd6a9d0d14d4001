//! What the coordinator tells the bus when a node has ended, and what that means for the schedule.

use std::collections::BTreeMap;

use jalon_conf::pipeline::NodeId;
use jalon_store::content::Content;
use jalon_store::outcome::{ActionRecord, Traced};

use super::attempt::Ran;
use super::bus::Known;
use super::drive::Drive;
use super::failure::Failure;
use super::remainder::Remainder;
use crate::event::{self, Body, Made, Reused};
use crate::graph::Graph;
use crate::plan::Plan;
use crate::plan::held::{Before, Held};
use crate::report::{made_of, words};

impl Drive<'_, '_> {
    pub(super) fn ran(&mut self, node: NodeId, ran: &Ran) {
        let graph = self.graph();
        let name = graph.node(node).name.to_string();
        let outcome = &ran.record.outcome;
        let outputs = made(graph, node, contents(&ran.record));
        let past = self.history.of(&name);
        let before = past.earlier.first();
        let cutoff = !outputs.is_empty()
            && before.is_some_and(|before| {
                before.outputs.len() == outputs.len()
                    && before.outputs.iter().all(|(name, old)| {
                        outputs
                            .get(name)
                            .is_some_and(|new| new.digest == old.digest)
                    })
            });
        if ran.recorded {
            for (artifact, made) in &outputs {
                let (artifact, digest, size) = (artifact.clone(), made.digest.clone(), made.size);
                self.shop.bus.emit(Body::ArtifactStored {
                    artifact,
                    digest,
                    size,
                });
            }
        }
        self.shop.bus.emit(Body::NodeSucceeded(event::Succeeded {
            node: name,
            key: ran.record.key.to_string(),
            seconds: outcome.cost.wall_ms as f64 / 1000.0,
            cpu_seconds: (outcome.cost.user_ms + outcome.cost.system_ms) as f64 / 1000.0,
            max_rss: outcome.cost.max_rss_bytes,
            attempts: ran.attempts,
            cutoff,
            traced: traced(ran.record.attestation.traced),
            undeclared: ran.undeclared.clone(),
            transcript: outcome.transcript.map(|digest| digest.to_string()),
            outputs,
            recorded: ran.recorded,
            unkept: ran.unkept.clone(),
        }));
        self.group_ends(node, event::State::Succeeded);
        self.schedule.ran(
            node,
            outcome
                .outputs
                .iter()
                .map(|output| output.content)
                .collect(),
        );
    }

    pub(super) fn hit(
        &mut self,
        node: NodeId,
        record: &ActionRecord,
        undeclared: Vec<String>,
        fetched: bool,
    ) {
        let graph = self.graph();
        self.shop.bus.emit(Body::NodeHit(event::Hit {
            node: graph.node(node).name.to_string(),
            key: record.key.to_string(),
            saved_seconds: record.outcome.cost.wall_ms as f64 / 1000.0,
            fetched,
            traced: traced(record.attestation.traced),
            undeclared,
            outputs: made(graph, node, contents(record)),
        }));
        self.group_ends(node, event::State::Succeeded);
    }

    /// What need not be judged hits, and is told of like every other hit.
    pub(super) fn tell_held(&mut self, known: Known) {
        let graph = self.graph();
        let order = graph.order().iter();
        let held =
            order.filter_map(|&node| Some((node, self.plan.held[node.0 as usize].as_ref()?)));
        let hits = held.clone().map(|(node, held)| event::Hit {
            node: graph.node(node).name.to_string(),
            key: held.key.to_string(),
            saved_seconds: held.seconds(),
            fetched: false,
            traced: traced(held.traced),
            undeclared: held.undeclared.to_vec(),
            outputs: made(graph, node, held.outputs.iter()),
        });
        self.shop.bus.reuse(known, hits);
        let held: Vec<NodeId> = held.map(|(node, _)| node).collect();
        for node in held {
            self.group_ends(node, event::State::Succeeded);
        }
    }

    pub(super) fn failure(&mut self, node: NodeId, failure: Failure) {
        let name = self.graph().node(node).name.to_string();
        let key = self.judged[node.0 as usize]
            .as_ref()
            .map(|judged| judged.key().to_string())
            .unwrap_or_default();
        let problem = failure.problem.clone();
        self.shop.bus.emit(Body::NodeFailed(event::Failed {
            node: name,
            key,
            seconds: failure.wall.as_secs_f64(),
            attempts: failure.attempts,
            exit_code: failure.exit_code,
            error: failure.problem,
            transcript: failure.transcript.map(|digest| digest.to_string()),
            tail: failure.tail,
        }));
        self.block(node, problem);
    }

    pub(super) fn group_starts(&mut self, node: NodeId) {
        let Some(group) = &self.graph().node(node).group else {
            return;
        };
        if let Some((_, state @ event::State::Unknown)) = self.groups.get_mut(group) {
            *state = event::State::Succeeded;
            self.shop.bus.emit(Body::GroupStarted {
                group: group.clone(),
            });
        }
    }

    pub(super) fn group_ends(&mut self, node: NodeId, how: event::State) {
        let Some(group) = &self.graph().node(node).group else {
            return;
        };
        let Some((left, state)) = self.groups.get_mut(group) else {
            return;
        };
        *left = left.saturating_sub(1);
        if *state != event::State::Failed && how != event::State::Succeeded {
            *state = how;
        }
        if *left == 0 && *state != event::State::Unknown {
            self.shop.bus.emit(Body::GroupFinished {
                group: group.clone(),
                state: *state,
            });
        }
    }
}

/// What a trace says in place of the nodes that are held: those that an earlier one tells of, if that is most of them, or
/// nobody else could.
pub fn referring(
    before: &Before<'_>,
    remainder: Option<&Remainder>,
    selected: &[bool],
    graph: &Graph,
    plan: &Plan,
) -> Option<Reused> {
    let (mut nodes, saved) = remainder.map_or((0, 0.0), |it| (it.nodes, it.saved_seconds));
    let mut but = Vec::new();
    for &node in graph.order() {
        let at = node.0 as usize;
        match &plan.held[at] {
            Some(_) => nodes += 1,
            None if selected[at] => but.push(graph.node(node).name.to_string()),
            None => {}
        }
    }
    let held = plan.held.iter().flatten();
    let is_most = remainder.is_some() || nodes >= but.len() as u64;
    (is_most && before.may_be_referred_to()).then(|| Reused {
        of: before.run.to_owned(),
        nodes,
        saved_seconds: words::total(held.map(Held::seconds).chain([saved])),
        but: Some(but),
        beside: remainder.map_or(0, |it| it.nodes),
    })
}

fn contents(record: &ActionRecord) -> impl Iterator<Item = &Content> {
    record.outcome.outputs.iter().map(|output| &output.content)
}

fn made<'a>(
    graph: &Graph,
    node: NodeId,
    contents: impl Iterator<Item = &'a Content>,
) -> BTreeMap<String, Made> {
    let outputs = graph.makes(node).zip(contents);
    outputs
        .map(|(artifact, content)| {
            let artifact = graph.artifact(artifact);
            (artifact.name.to_string(), made_of(content, &artifact.path))
        })
        .collect()
}

fn traced(traced: Traced) -> event::Traced {
    match traced {
        Traced::Full => event::Traced::Full,
        Traced::Partial => event::Traced::Partial,
        Traced::None => event::Traced::None,
    }
}
