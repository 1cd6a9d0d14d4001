//! A plan laid over the picture of its graph: what every drawing of a plan says of each cell.

use std::collections::BTreeSet;

use super::marks::{self, Mark};
use super::picture::{Picture, line};
use super::plan::PlanReport;
use super::words;
use crate::graph::Graph;
use crate::verdict::{Reason, Verdict};

/// What a cell's nodes come to.
pub struct Said {
    /// The most urgent verdict.
    pub mark: Mark,
    /// All of them: `run`, `2 run, 7 reuse`.
    pub words: String,
    /// Why, in one line; empty where nothing needs a reason.
    pub why: String,
}

/// A plan's picture.
pub struct View {
    /// Cells and links.
    pub picture: Picture,
    /// For each cell.
    pub said: Vec<Said>,
    /// `penguins (local): 14 nodes: 3 run, 11 reuse`.
    pub headline: String,
}

impl View {
    /// Everything for a bare plan; for targets, what they need and nothing else.
    pub fn new(graph: &Graph, report: &PlanReport) -> View {
        let verdict = |at: usize| {
            report
                .nodes
                .get(at)
                .map_or(Verdict::NotNeeded, |node| node.verdict)
        };
        let all = report.targets.is_empty();
        let picture = Picture::new(graph, |id| {
            all || verdict(id.0 as usize) != Verdict::NotNeeded
        });
        let said = picture.cells.iter().map(|cell| {
            let members = || cell.members.iter().map(|id| id.0 as usize);
            let (mark, words) = marks::together(members().map(|at| Mark::of_verdict(verdict(at))))
                .expect("a cell has a member");
            let reasons = members().filter_map(|at| report.nodes.get(at)?.reason.as_ref());
            Said {
                mark,
                words,
                why: why(reasons.map(Reason::line)),
            }
        });
        let nodes = picture.cells.iter().flat_map(|cell| &cell.members);
        let marks: Vec<Mark> = nodes
            .map(|id| Mark::of_verdict(verdict(id.0 as usize)))
            .collect();
        let count = words::count(marks.len() as u64, "node");
        let total = match marks::together(marks.into_iter()) {
            Some((_, words)) => format!(": {words}"),
            None => String::new(),
        };
        let headline = format!(
            "{} ({}): {count}{total}",
            line(&report.project),
            line(&report.env)
        );
        View {
            said: said.collect(),
            picture,
            headline,
        }
    }
}

/// The first reason, and how many others there are.
pub fn why(reasons: impl Iterator<Item = String>) -> String {
    let mut first = None;
    let mut others = BTreeSet::new();
    for reason in reasons {
        let reason = line(&reason);
        if *first.get_or_insert_with(|| reason.clone()) != reason {
            others.insert(reason);
        }
    }
    let first = first.unwrap_or_default();
    match others.len() {
        0 => first,
        more => format!("{first}; and {}", words::count(more as u64, "other reason")),
    }
}
