//! Whether a run left everything at rest: the next one, if nothing changes, has nothing to do.
//!
//! A run that found nothing to do is the proof itself. After one that worked, the same is found out by going
//! once more through all that the next one would go through: a rehearsal, with every look recorded anew. Knows
//! nothing of what is made of it.

use std::cell::LazyCell;
use std::time::Duration;

use jalon_conf::pipeline::{Finally, Hook, NodeId, When};
use jalon_store::content::Content;
use jalon_store::digest::ActionKey;
use jalon_store::error::ReadError;

use super::remainder::Remainder;
use super::{Options, Setting, finish, hooks};
use crate::event::{Counts, Notice, Planned};
use crate::graph::Graph;
use crate::history::History;
use crate::judge::{self, Judge, is_cached};
use crate::observe::{Sight, Territory};
use crate::plan::held::Ledger;
use crate::plan::{self, Plan};
use crate::report::made_of;
use crate::report::summary::{Standing, Summary};
use crate::report::words;
use crate::verdict::Verdict;
use crate::witness::{Look, Witnesses};

/// A rehearsal may take so much of a run's time, and a short one is never felt.
const SHARE: u32 = 5;
const SHORT: Duration = Duration::from_millis(20);

/// The events of a run that finds nothing to do.
const TOLD: [&str; 4] = ["run.started", "run.planned", "node.hit", "run.finished"];

/// What the next run will say, if nothing changes.
#[derive(Debug, Clone, PartialEq)]
pub struct Rest {
    /// How it will be planned.
    pub planned: Planned,
    /// How it will end.
    pub counts: Counts,
    /// Seconds that the hits took when they ran.
    pub saved_seconds: f64,
    /// What it will say besides.
    pub notices: Vec<Notice>,
    /// The hits, in the order in which it will tell of them.
    pub hits: Vec<NodeId>,
    /// What the store's records were before the first was looked up.
    pub store: [u8; 32],
    /// What judging each came to.
    pub ledger: Ledger,
    /// How many traces this run's refers to for its hits, one by way of the other.
    pub chain: u32,
}

/// What of a plan stands however the nodes end that run: what judging the others came to, and every look that it
/// rests on. What they find changed by then is found so by their stats.
#[derive(Debug)]
pub struct Basis {
    ledger: Ledger,
    looks: Vec<Look>,
}

impl Basis {
    /// Of a plan. Nothing where a look could not tell what it found.
    pub fn of(inputs: &plan::Inputs<'_>, plan: &Plan, witnesses: &Witnesses) -> Option<Basis> {
        let looks = (!plan.hits.is_empty()).then(|| witnesses.all())??;
        let ledger = Ledger::of(inputs, plan);
        Some(Basis { ledger, looks })
    }
}

/// Whether runs of these nodes may come to rest at all: nothing runs each time, and nobody is to be told.
pub fn can_rest(graph: &Graph, options: &Options) -> bool {
    let pipeline = graph.pipeline();
    let mut nodes = pipeline.nodes.iter().zip(&options.selection.selected);
    let is_told = |hook: &Hook| TOLD.iter().any(|name| hooks::wants(&hook.on, name));
    // A secret of theirs that is not set stops every run.
    let is_due = |finally: &Finally| finally.when != When::Failure || !finally.secrets.is_empty();
    !pipeline.loaded.asks
        && !pipeline.loaded.hooks_on_hit
        && !options.hooks
        && !pipeline.hooks.iter().any(is_told)
        && !pipeline.finally.iter().any(is_due)
        && !options.forced.contains(&true)
        && nodes.all(|(node, &selected)| !selected || is_cached(node))
}

/// Whether a rehearsal is worth its time, of a run that took so long and was planned in so long.
pub fn is_worth_rehearsing(run: Duration, planning: Duration) -> bool {
    planning < SHORT || planning * SHARE < run
}

/// What a run with this plan says, if the plan is that nothing runs.
pub fn of(
    inputs: &plan::Inputs<'_>,
    remainder: Option<&Remainder>,
    planned: Planned,
    plan: &Plan,
    store: [u8; 32],
) -> Option<Rest> {
    let graph = inputs.graph;
    let is_hit = |verdict: &Verdict| matches!(verdict, Verdict::Hit | Verdict::NotNeeded);
    if !plan.verdicts.iter().all(is_hit) {
        return None;
    }
    let saved = plan
        .judged
        .iter()
        .zip(&plan.held)
        .filter_map(|it| match it {
            (_, Some(held)) => Some(held.seconds()),
            (judged, None) => {
                let record = judged.as_ref()?.found.as_ref()?;
                Some(record.outcome.cost.wall_ms as f64 / 1000.0)
            }
        });
    let hit = plan.hits.len() as u64;
    let beside = remainder.map_or(Counts::default(), Remainder::counts);
    Some(Rest {
        planned,
        counts: Counts {
            hit: hit + beside.hit,
            not_needed: graph.len() as u64 - hit + beside.not_needed,
            ..Counts::default()
        },
        saved_seconds: words::total(saved.chain(remainder.map(|it| it.saved_seconds))),
        notices: plan::notices(graph, plan, inputs.store),
        hits: plan.hits.clone(),
        store,
        ledger: Ledger::of(inputs, plan),
        chain: 0,
    })
}

/// Goes through a run without running anything after one with the plan `ran`, but for what a basis knows; nothing where
/// the next one may find work, or would tell of other outcomes than this one did.
///
/// # Errors
/// The store cannot be read.
pub fn rehearse(
    setting: &Setting<'_>,
    options: &Options,
    summary: &Summary,
    ran: &Plan,
    basis: Option<Basis>,
) -> Result<Option<Rest>, ReadError> {
    let (ledger, looks) =
        basis.map_or_else(Default::default, |basis| (Some(basis.ledger), basis.looks));
    let graph = &setting.project.graph;
    setting.witnesses.renew();
    let state = setting.store.state()?;
    setting.store.refresh()?;
    let selected = &options.selection.selected;
    // Eyes that have seen nothing yet, so that every look is taken again.
    let sight = Sight::new(graph, setting.machine, setting.workspace, setting.store)
        .reaching(setting.remotes)
        .beside(setting.elsewhere());
    let observed = judge::observe(graph, selected, &sight, setting.ambient.clone());
    let Ok(observations) = observed else {
        return Ok(None);
    };
    let judge = Judge::new(graph, &sight, &observations);
    let history = History::before(setting.store, &setting.project.name, &summary.run);
    let inputs = plan::Inputs::new(judge, &options.selection, &options.forced, &history).with(
        setting
            .before
            .map(|before| before.ledger)
            .or(ledger.as_ref()),
    );
    let plan = plan::plan(&inputs)?;
    let suffices = |it: &Remainder| it.suffices(&observations).is_ok();
    if !setting.remainder.is_none_or(suffices) {
        return Ok(None);
    }
    let planned = super::planned(setting, options, &plan, &history);
    // What was held by the same ledger then was told by it, and what it had made was found when that was handed on. Who
    // changed it since is found out by those looks, as whoever changes it later.
    let stands: Vec<bool> = summary
        .nodes
        .iter()
        .zip(ran.held.iter().zip(&plan.held))
        .map(|(told, (then, now))| {
            let held = setting.before.is_some() && then.is_some() && now.is_some();
            held && told.standing == Standing::Hit
        })
        .collect();
    let stands = |id: NodeId| stands.get(id.0 as usize) == Some(&true);
    let rests = finish::rests(graph, setting.workspace, options, &plan.contents, stands)
        && are_told(graph, &plan, summary, stands);
    // What a node makes is no other's input that does not say so, and what is declared was compared.
    let territory = LazyCell::new(|| Territory::new(graph));
    let may =
        |look: &Look| look.declared || territory.is_output(setting.workspace.root(), &look.path);
    if !setting.witnesses.adopt(looks, may) {
        // Some of it changed while nodes ran, and was looked at again: all is judged by what is there now.
        return rehearse(setting, options, summary, ran, None);
    }
    let rest = || of(&inputs, setting.remainder, planned, &plan, state);
    Ok(rests.then(rest).flatten())
}

/// Whether the outcomes are those that the run told of.
fn are_told(
    graph: &Graph,
    plan: &Plan,
    summary: &Summary,
    stands: impl Fn(NodeId) -> bool,
) -> bool {
    let mut hits = plan.hits.iter().filter(|&&id| !stands(id));
    hits.all(|&id| {
        let (at, name) = (id.0 as usize, graph.node(id).name.to_string());
        let Some(told) = summary.nodes.get(at).filter(|node| node.name == name) else {
            return false;
        };
        let tells = |key: &ActionKey, undeclared: &[String], outputs: &[&Content]| {
            told.key == key.to_string()
                && told.undeclared == undeclared
                && told.outputs.len() == outputs.len()
                && graph.makes(id).zip(outputs).all(|(artifact, content)| {
                    let artifact = graph.artifact(artifact);
                    let made = made_of(content, &artifact.path);
                    told.outputs.get(&artifact.name.to_string()) == Some(&made)
                })
        };
        match (&plan.held[at], &plan.judged[at]) {
            (Some(held), _) => {
                let outputs: Vec<&Content> = held.outputs.iter().collect();
                tells(&held.key, &held.undeclared, &outputs)
            }
            (None, Some(judged)) => judged.found.as_ref().is_some_and(|record| {
                let outputs = record.outcome.outputs.iter();
                let outputs: Vec<&Content> = outputs.map(|output| &output.content).collect();
                tells(&record.key, &judged.undeclared, &outputs)
            }),
            (None, None) => false,
        }
    })
}
