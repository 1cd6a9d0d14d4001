//! What would run and why: the schedule driven without running anything.
//!
//! A node that must run gives values that nobody knows yet; what depends on them is *maybe* (early cutoff
//! may spare it), never "unchanged". Reads the store and the project; changes nothing.

mod far;
pub mod held;
mod notices;

use std::cell::RefCell;

use jalon_conf::pipeline::{ArtifactId, Command, Keep, NodeId};
use jalon_store::LocalStore;
use jalon_store::content::Content;
use jalon_store::digest::ActionKey;
use jalon_store::error::ReadError;
use rayon::prelude::*;

use self::held::{Held, Ledger};
pub use self::notices::{SILENT, notices};
use crate::explain::{self, Difference};
use crate::graph::{Graph, Selection};
use crate::history::{Earlier, History, Unkept};
use crate::judge::{Judge, Judged, Values, is_cached};
use crate::schedule::{Schedule, Stance, Step};
use crate::verdict::{Reason, Verdict};
use crate::workspace::Workspace;

/// Fewer nodes than this are not worth another thread.
const LEAST: usize = 16;

/// What planning looks at.
pub struct Inputs<'a> {
    /// The pipeline.
    pub graph: &'a Graph,
    /// What is asked for.
    pub selection: &'a Selection,
    /// Nodes that run whatever is known.
    pub forced: &'a [bool],
    /// Digests of the sources, by artifact.
    pub sources: &'a [Option<Content>],
    /// The judge.
    pub judge: Judge<'a>,
    /// The store.
    pub store: &'a LocalStore,
    /// The project's files.
    pub workspace: &'a Workspace,
    /// Earlier runs, for reasons.
    pub history: &'a History<'a>,
    /// What an earlier run left at rest, where nothing has changed since but what nodes declare to read.
    pub ledger: Option<&'a Ledger>,
}

impl<'a> Inputs<'a> {
    /// What there is to look at, for these nodes.
    pub fn new(
        judge: Judge<'a>,
        selection: &'a Selection,
        forced: &'a [bool],
        history: &'a History<'a>,
    ) -> Inputs<'a> {
        Inputs {
            graph: judge.graph,
            selection,
            forced,
            sources: &judge.observations.sources,
            store: judge.sight.store,
            workspace: judge.sight.workspace,
            history,
            ledger: None,
            judge,
        }
    }

    /// The same, with what need not be judged again as long as it stands.
    #[must_use]
    pub fn with(self, ledger: Option<&'a Ledger>) -> Inputs<'a> {
        Inputs { ledger, ..self }
    }
}

/// The plan, by node.
#[derive(Debug, Clone)]
pub struct Plan {
    /// What is decided.
    pub verdicts: Vec<Verdict>,
    /// Why, for what is not a hit.
    pub reasons: Vec<Option<Reason>>,
    /// What is known, where all inputs have values and it had to be found out.
    pub judged: Vec<Option<Judged>>,
    /// What is known without judging; these are hits.
    pub held: Vec<Option<Held>>,
    /// By artifact: its content, where it is known.
    pub contents: Vec<Option<Content>>,
    /// The hits, in the order in which a run tells of them that finds nothing else.
    pub hits: Vec<NodeId>,
    /// There is no outcome at all, here or elsewhere.
    nothing_known: bool,
}

impl Plan {
    /// By artifact: what is known before anything is judged.
    pub fn known(&self, inputs: &Inputs<'_>) -> Vec<Option<Content>> {
        let mut known = inputs.sources.to_vec();
        let nodes = (0..self.held.len() as u32).map(NodeId).zip(&self.held);
        for (node, held) in nodes {
            let outputs = held.iter().flat_map(|held| &held.outputs);
            for (artifact, output) in inputs.graph.makes(node).zip(outputs) {
                known[artifact.0 as usize] = Some(*output);
            }
        }
        known
    }

    /// By node: how it enters the schedule.
    pub fn stances(&self, selected: &[bool]) -> Vec<Stance> {
        let nodes = selected.iter().zip(&self.held);
        nodes
            .map(|(&selected, held)| match (selected, held) {
                (false, _) => Stance::Unselected,
                (true, None) => Stance::Open,
                (true, Some(_)) => Stance::Held,
            })
            .collect()
    }

    /// How many nodes have this verdict.
    pub fn count(&self, verdict: Verdict) -> u64 {
        self.verdicts.iter().filter(|&&one| one == verdict).count() as u64
    }
}

/// Makes the plan.
///
/// # Errors
/// The store cannot be read.
pub fn plan(inputs: &Inputs<'_>) -> Result<Plan, ReadError> {
    let graph = inputs.graph;
    let mut plan = Plan {
        verdicts: vec![Verdict::NotNeeded; graph.len()],
        reasons: vec![None; graph.len()],
        judged: vec![None; graph.len()],
        held: held::of(inputs),
        contents: Vec::new(),
        hits: Vec::new(),
        nothing_known: inputs.judge.sight.remotes.is_none()
            && inputs.history.is_empty()
            && inputs.store.stats()?.records == 0,
    };
    far::note_held(inputs, &plan.held);
    for &node in graph.order() {
        if plan.held[node.0 as usize].is_some() {
            plan.verdicts[node.0 as usize] = Verdict::Hit;
        }
    }
    let known = plan.known(inputs);
    let values = known.iter().map(|value| value.map(Some)).collect();
    let mut ahead = ahead(inputs, &plan.held, known);
    far::ask_for_targets(inputs, &ahead);
    let mut schedule: Schedule<'_, Option<Content>> =
        Schedule::new(graph, &plan.stances(&inputs.selection.selected), values);
    while let Some(step) = schedule.next(u32::MAX, |_| true) {
        match step {
            Step::Judge(node) => {
                let ahead = ahead[node.0 as usize].take();
                judge(inputs, &mut plan, &mut schedule, node, ahead)?;
            }
            // Nobody knows what it will give.
            Step::Start(node) => {
                if plan.verdicts[node.0 as usize].is_hit() {
                    // It was not judged as one that runs, so nobody asked for the bytes of its inputs yet.
                    let reads: Vec<ArtifactId> = graph.reads(node).collect();
                    let needed = known_and_gone(inputs, &schedule, &reads);
                    if !needed.is_empty() && schedule.missing(node, &needed).is_none() {
                        continue;
                    }
                    // One that was held was not judged at all.
                    if plan.judged[node.0 as usize].is_none() {
                        let judged = judge_now(inputs, &schedule, node, &reads)?;
                        plan.judged[node.0 as usize] = judged;
                    }
                    plan.verdicts[node.0 as usize] = Verdict::Run;
                    let what = gone_output(inputs, &plan, node);
                    plan.reasons[node.0 as usize] = Some(Reason::word(Reason::GONE, what));
                }
                schedule.ran(node, vec![None; graph.node(node).outputs.len()]);
            }
        }
    }
    let artifacts = 0..graph.pipeline().artifacts.len() as u32;
    plan.contents = artifacts
        .map(|id| schedule.value(ArtifactId(id)).copied().flatten())
        .collect();
    // Whatever was held, or judged ahead.
    let order = graph.order().iter().copied();
    plan.hits = order
        .filter(|node| plan.verdicts[node.0 as usize].is_hit())
        .collect();
    Ok(plan)
}

/// A node judged on assumptions.
struct Ahead {
    /// What its inputs hold.
    contents: Vec<Content>,
    /// What other outputs hold that an earlier execution of it read.
    asked: Vec<(ArtifactId, Option<Content>)>,
    judged: Judged,
}

impl Ahead {
    /// Whether the assumptions hold.
    fn stands(&self, inputs: &[&Content], values: Values<'_>) -> bool {
        self.contents.iter().eq(inputs.iter().copied())
            && self
                .asked
                .iter()
                .all(|(artifact, assumed)| values(*artifact) == *assumed)
    }
}

/// By node: what judging comes to if everything before it hits, found out level by level on all processors. The
/// schedule decides what becomes of it; what is judged in vain would have been judged there.
fn ahead(
    inputs: &Inputs<'_>,
    held: &[Option<Held>],
    mut values: Vec<Option<Content>>,
) -> Vec<Option<Ahead>> {
    let (graph, judge) = (inputs.graph, &inputs.judge);
    let mut ahead: Vec<Option<Ahead>> = (0..graph.len()).map(|_| None).collect();
    let selected = graph.order().iter().copied().filter(|node| {
        let at = node.0 as usize;
        inputs.selection.selected[at] && held[at].is_none()
    });
    let mut levels: Vec<Vec<NodeId>> = Vec::new();
    for node in selected {
        let depth = graph.depth(node) as usize;
        levels.resize_with(levels.len().max(depth + 1), Vec::new);
        levels[depth].push(node);
    }
    for level in levels {
        let judged: Vec<(NodeId, Option<Ahead>)> = level
            .into_par_iter()
            .with_min_len(LEAST)
            .map(|node| (node, judge_ahead(graph, judge, &values, node)))
            .collect();
        let judged = match judge.sight.remotes {
            Some(_) => far::ask(judge, &values, judged),
            None => judged,
        };
        for (node, found) in judged {
            let record = found.as_ref().and_then(|ahead| ahead.judged.found.as_ref());
            let outputs = record
                .into_iter()
                .flat_map(|record| &record.outcome.outputs);
            for (artifact, output) in graph.makes(node).zip(outputs) {
                values[artifact.0 as usize] = Some(output.content);
            }
            ahead[node.0 as usize] = found;
        }
    }
    ahead
}

fn judge_ahead(
    graph: &Graph,
    judge: &Judge<'_>,
    values: &[Option<Content>],
    node: NodeId,
) -> Option<Ahead> {
    let reads = graph.reads(node);
    let contents: Vec<Content> = reads
        .map(|read| values[read.0 as usize])
        .collect::<Option<_>>()?;
    let known: Vec<&Content> = contents.iter().collect();
    let asked = RefCell::default();
    let value = |artifact: ArtifactId| {
        let value = values[artifact.0 as usize];
        Vec::push(&mut asked.borrow_mut(), (artifact, value));
        value
    };
    // What cannot be read is met again in its turn, and said there.
    let judged = judge.judge(node, &known, &value).ok()?;
    let asked = asked.take();
    Some(Ahead {
        contents,
        asked,
        judged,
    })
}

/// Judges a node whose inputs are known by now; nothing if they are not.
fn judge_now(
    inputs: &Inputs<'_>,
    schedule: &Schedule<'_, Option<Content>>,
    node: NodeId,
    reads: &[ArtifactId],
) -> Result<Option<Judged>, ReadError> {
    let value = |artifact: ArtifactId| schedule.value(artifact).copied().flatten();
    let known: Option<Vec<Content>> = reads.iter().map(|&read| value(read)).collect();
    let Some(known) = known else {
        return Ok(None);
    };
    let known: Vec<&Content> = known.iter().collect();
    inputs.judge.judge(node, &known, &value).map(Some)
}

fn judge(
    inputs: &Inputs<'_>,
    plan: &mut Plan,
    schedule: &mut Schedule<'_, Option<Content>>,
    node: NodeId,
    ahead: Option<Ahead>,
) -> Result<(), ReadError> {
    let graph = inputs.graph;
    let at = node.0 as usize;
    let reads: Vec<ArtifactId> = graph.reads(node).collect();
    let known: Option<Vec<&Content>> = reads
        .iter()
        .map(|&read| schedule.value(read).and_then(Option::as_ref))
        .collect();
    let Some(known) = known else {
        let unknown = reads
            .iter()
            .find(|&&read| schedule.value(read).is_none_or(Option::is_none));
        let what = unknown.map_or_else(String::new, |&read| graph.artifact(read).name.to_string());
        // Whoever runs in any case needs the bytes of the inputs that are known already.
        let mut needed = Vec::new();
        let (verdict, reason) = match always(inputs, node) {
            Some(reason) => {
                needed = known_and_gone(inputs, schedule, &reads);
                (Verdict::Run, reason)
            }
            // Nothing was ever recorded, so nothing can be reused.
            None if plan.nothing_known => (Verdict::Run, Reason::word(Reason::NEW, "")),
            None => (Verdict::Maybe, Reason::word(Reason::UPSTREAM, what)),
        };
        plan.verdicts[at] = verdict;
        plan.reasons[at] = Some(reason);
        schedule.must_run(node, &needed);
        return Ok(());
    };
    let values = |artifact: ArtifactId| schedule.value(artifact).copied().flatten();
    let judged = match ahead.filter(|ahead| ahead.stands(&known, &values)) {
        Some(ahead) => ahead.judged,
        None => {
            let mut judged = inputs.judge.judge(node, &known, &values)?;
            inputs.judge.ask_far(node, &mut judged, &values)?;
            judged
        }
    };
    inputs.judge.note(&judged);
    if let (Some(artifact), None, None) = (judged.unsettled, &judged.found, always(inputs, node)) {
        let what = graph.artifact(artifact).name.to_string();
        plan.verdicts[at] = Verdict::Maybe;
        plan.reasons[at] = Some(Reason::word(Reason::UPSTREAM, what));
        plan.judged[at] = Some(judged);
        schedule.must_run(node, &[]);
        return Ok(());
    }
    match (&judged.found, always(inputs, node)) {
        (Some(record), None) => {
            plan.verdicts[at] = match judged.far {
                Some(_) => Verdict::HitRemote,
                None => Verdict::Hit,
            };
            plan.reasons[at] = None;
            let outputs: Vec<Content> = record
                .outcome
                .outputs
                .iter()
                .map(|output| output.content)
                .collect();
            schedule.hit(node, outputs.iter().copied().map(Some).collect());
            if lost_target(inputs, node, &outputs) {
                schedule.remake(node);
            }
        }
        (_, always) => {
            let gone = needed(inputs, node, &judged, &known, &values)?;
            plan.verdicts[at] = Verdict::Run;
            plan.reasons[at] = Some(always.unwrap_or_else(|| why(inputs, node, &judged)));
            schedule.must_run(node, &gone);
        }
    }
    plan.judged[at] = Some(judged);
    Ok(())
}

/// The nodes that were not chosen and would have to run all the same, with what is read of each.
pub fn out_of_reach(graph: &Graph, plan: &Plan) -> Vec<(NodeId, ArtifactId)> {
    let ids = (0..graph.len() as u32).map(NodeId);
    let missed = ids.filter(|id| {
        let node = graph.node(*id);
        matches!(&node.command, Command::Task(task) if task.beyond)
            && matches!(plan.verdicts[id.0 as usize], Verdict::Run | Verdict::Maybe)
    });
    missed
        .filter_map(|id| Some((id, graph.makes(id).next()?)))
        .collect()
}

/// The reason for which a node runs whatever is known of it.
pub fn always(inputs: &Inputs<'_>, node: NodeId) -> Option<Reason> {
    let this = inputs.graph.node(node);
    if inputs.forced[node.0 as usize] {
        Some(Reason::word(Reason::FORCED, ""))
    } else if is_cached(this) {
        None
    } else if this.outputs.is_empty() {
        Some(Reason::word(Reason::SIDE_EFFECT, ""))
    } else {
        Some(Reason::word(Reason::UNCACHED, ""))
    }
}

/// Of inputs some of which nobody knows yet, those that are known and whose bytes are nowhere.
fn known_and_gone(
    inputs: &Inputs<'_>,
    schedule: &Schedule<'_, Option<Content>>,
    reads: &[ArtifactId],
) -> Vec<ArtifactId> {
    let known = reads
        .iter()
        .filter_map(|&read| Some((read, schedule.value(read)?.as_ref()?)));
    let (reads, contents): (Vec<ArtifactId>, Vec<&Content>) = known.unzip();
    gone(inputs, &reads, &contents)
}

/// What a node that is to run needs and whose bytes are neither in the project nor in the store: inputs, and
/// what earlier executions of it read of the nodes that it only comes after.
///
/// # Errors
/// The store cannot be read.
pub fn needed(
    inputs: &Inputs<'_>,
    node: NodeId,
    judged: &Judged,
    contents: &[&Content],
    values: Values<'_>,
) -> Result<Vec<ArtifactId>, ReadError> {
    let reads: Vec<ArtifactId> = inputs.graph.reads(node).collect();
    let mut needed = gone(inputs, &reads, contents);
    for artifact in inputs.judge.overheard(node, &judged.weak)? {
        let is_gone = |content: Content| !is_there(inputs, artifact, &content);
        if values(artifact).is_some_and(is_gone) && !needed.contains(&artifact) {
            needed.push(artifact);
        }
    }
    Ok(needed)
}

/// The inputs whose bytes are neither in the project nor in the store.
fn gone(inputs: &Inputs<'_>, reads: &[ArtifactId], contents: &[&Content]) -> Vec<ArtifactId> {
    let mut gone = Vec::new();
    for (&read, content) in reads.iter().zip(contents) {
        let artifact = inputs.graph.artifact(read);
        if artifact.producer.is_some() && !is_there(inputs, read, content) {
            gone.push(read);
        }
    }
    gone
}

/// Whether an artifact's bytes can be had without running anything.
pub fn is_there(inputs: &Inputs<'_>, artifact: ArtifactId, content: &Content) -> bool {
    is_here(inputs, artifact, content)
        || inputs
            .judge
            .sight
            .remotes
            .is_some_and(|remotes| remotes.has(&[*content]) == [true])
}

/// Whether an artifact's bytes are in the project or in the store.
pub fn is_here(inputs: &Inputs<'_>, artifact: ArtifactId, content: &Content) -> bool {
    let path = &inputs.graph.artifact(artifact).path;
    inputs.store.has_content(content)
        || matches!(inputs.workspace.current(path), Ok(Some(current)) if current == *content)
}

/// Whether bytes that are asked for, and are meant to be kept, are nowhere.
pub fn lost_target(inputs: &Inputs<'_>, node: NodeId, outputs: &[Content]) -> bool {
    inputs
        .graph
        .makes(node)
        .zip(outputs)
        .any(|(artifact, content)| {
            inputs.selection.wanted[artifact.0 as usize]
                && inputs.graph.artifact(artifact).keep == Keep::Store
                && !is_there(inputs, artifact, content)
        })
}

fn gone_output(inputs: &Inputs<'_>, plan: &Plan, node: NodeId) -> String {
    let record = plan.judged[node.0 as usize]
        .as_ref()
        .and_then(|judged| judged.found.clone());
    let outputs = record.iter().flat_map(|record| &record.outcome.outputs);
    let lost = inputs
        .graph
        .makes(node)
        .zip(outputs)
        .find(|(artifact, output)| !is_there(inputs, *artifact, &output.content));
    let artifact = lost
        .map(|(artifact, _)| artifact)
        .or_else(|| inputs.graph.makes(node).next());
    artifact.map_or_else(String::new, |artifact| {
        inputs.graph.artifact(artifact).name.to_string()
    })
}

/// An earlier derivation of a node, and what differs from it now.
#[derive(Debug)]
pub struct Nearest {
    /// The run that had it.
    pub earlier: Earlier,
    /// In the order of telling; none where it is the same.
    pub differences: Vec<Difference>,
}

/// The earlier derivation with the fewest differences; of equals, the newest. `but` is left out.
pub fn nearest(
    inputs: &Inputs<'_>,
    node: NodeId,
    judged: &Judged,
    but: Option<ActionKey>,
) -> Option<Nearest> {
    let name = inputs.graph.node(node).name.to_string();
    let past = inputs.history.of(&name);
    let earlier = past.earlier.iter();
    let known = earlier
        .filter(|earlier| but != Some(earlier.key))
        .filter_map(|earlier| {
            let old = inputs.store.explanation(&earlier.key).ok()??;
            let seen = inputs.judge.now(&old.observed);
            let differences = explain::differences(&old, &judged.derivation, &seen);
            Some(Nearest {
                earlier: earlier.clone(),
                differences,
            })
        });
    known.min_by_key(|nearest| nearest.differences.len())
}

/// Why a node must run of which no outcome is known: the first difference to the nearest earlier derivation,
/// or what became of the last execution.
pub fn why(inputs: &Inputs<'_>, node: NodeId, judged: &Judged) -> Reason {
    let name = inputs.graph.node(node).name.to_string();
    let past = inputs.history.of(&name);
    let unkept = past.unkept.as_ref();
    let nearest = nearest(inputs, node, judged, None);
    let because = |unkept: &Unkept| Reason::word(Reason::UNKEPT, unkept.why.as_str());
    match (nearest, unkept) {
        (_, Some(unkept)) if unkept.key == judged.key() => because(unkept),
        (Some(nearest), _) => match (nearest.differences.first(), unkept) {
            (Some(difference), _) => Reason::from(difference),
            (None, Some(unkept)) => because(unkept),
            (None, None) => Reason::word(Reason::FORGOTTEN, ""),
        },
        _ if past.unfinished => Reason::word(Reason::UNFINISHED, ""),
        (None, Some(unkept)) => because(unkept),
        _ if past.earlier.is_empty() => Reason::word(Reason::NEW, ""),
        _ => Reason::word(Reason::FORGOTTEN, ""),
    }
}
