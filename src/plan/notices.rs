//! What is to be said of a plan besides.

use std::collections::BTreeMap;

use jalon_conf::pipeline::{ArtifactId, Command, NodeId};
use jalon_store::LocalStore;

use super::Plan;
use crate::event::Notice;
use crate::graph::Graph;
use crate::stand_in;
use crate::verdict::Verdict;

/// Says that nobody is told of a run, because no Python starts.
pub const SILENT: &str = "hooks-not-called";

/// What is to be said of a plan besides: what cannot be known, and who is not told.
pub fn notices(graph: &Graph, plan: &Plan, store: &LocalStore) -> Vec<Notice> {
    let notice = |code: &str, text: String| Notice {
        code: code.to_owned(),
        text,
    };
    let mut unknown: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (node, verdict) in graph.pipeline().nodes.iter().zip(&plan.verdicts) {
        if let (Command::Task(task), true) = (&node.command, *verdict != Verdict::NotNeeded) {
            for why in &task.unknown {
                unknown.entry(why).or_default().push(node.name.to_string());
            }
        }
    }
    let mut all: Vec<Notice> = unknown
        .into_iter()
        .map(|(why, nodes)| {
            let verb = if nodes.len() == 1 { "runs" } else { "run" };
            let text = format!("{why}, so {} {verb} each time", nodes.join(", "));
            notice("unknown", text)
        })
        .collect();
    let is_due = |verdict: &Verdict| matches!(verdict, Verdict::Run | Verdict::Maybe);
    let mut readers: BTreeMap<ArtifactId, Vec<String>> = BTreeMap::new();
    for (at, _) in plan
        .verdicts
        .iter()
        .enumerate()
        .filter(|(_, it)| is_due(it))
    {
        let id = NodeId(at as u32);
        for read in graph.reads(id).filter(|read| graph.artifact(*read).private) {
            let names = readers.entry(read).or_default();
            names.push(graph.node(id).name.to_string());
        }
    }
    for (id, names) in readers {
        let artifact = graph.artifact(id);
        let (Some(maker), Some(content)) = (artifact.producer, &plan.contents[id.0 as usize])
        else {
            continue;
        };
        if !stand_in::is_one(store, content) {
            continue;
        }
        let each = match names.len() {
            1 => "has",
            _ => "each have",
        };
        let text = format!(
            "{} lives in memory only: {} {each} {} run again in their own process",
            artifact.name,
            names.join(", "),
            graph.node(maker).name
        );
        all.push(notice("in-memory-only", text));
    }
    let loaded = &graph.pipeline().loaded;
    let works = plan.count(Verdict::Run) + plan.count(Verdict::Maybe) > 0;
    if !works && !loaded.hooks_on_hit && !loaded.run_hooks.is_empty() {
        let text = format!(
            "nothing has to run, so the hooks of the run ({}) are not called; --with-hooks calls them",
            loaded.run_hooks.join(", ")
        );
        all.push(notice(SILENT, text));
    }
    all
}
