//! Cycles among nodes, through artifacts and through `after`.

use std::collections::HashSet;

use crate::diagnostic::Diagnostic;
use crate::findings::Findings;
use crate::pipeline::{Artifact, Node, NodeId};

/// Nodes of a cycle that are shown, each with its place.
const MOST_SHOWN: usize = 100;

/// Says each cycle once, with the place of each step.
pub(crate) fn check(nodes: &[Node], artifacts: &[Artifact], findings: &mut Findings) {
    let edges: Vec<Vec<usize>> = nodes.iter().map(|n| needs(n, artifacts)).collect();
    let mut said = HashSet::new();
    for ring in rings(&edges) {
        let mut bases: Vec<&str> = ring.iter().map(|&n| nodes[n].name.base.as_str()).collect();
        bases.sort_unstable();
        bases.dedup();
        if said.insert(bases.join("\0")) {
            say(&ring, nodes, artifacts, findings);
        }
    }
}

fn needs(node: &Node, artifacts: &[Artifact]) -> Vec<usize> {
    let inputs = node.inputs.iter().flat_map(|i| &i.artifacts);
    let producers = inputs.filter_map(|a| artifacts.get(a.0 as usize)?.producer);
    producers
        .chain(node.after.iter().copied())
        .map(|NodeId(n)| n as usize)
        .collect()
}

/// One ring for each back edge that a depth-first walk finds into its own path.
fn rings(edges: &[Vec<usize>]) -> Vec<Vec<usize>> {
    #[derive(Clone, Copy, PartialEq)]
    enum Mark {
        New,
        Open,
        Done,
    }
    const MOST: usize = 100;
    let mut marks = vec![Mark::New; edges.len()];
    let mut rings = Vec::new();
    for start in 0..edges.len() {
        if marks[start] != Mark::New {
            continue;
        }
        let mut path = vec![(start, 0)];
        marks[start] = Mark::Open;
        while let Some((node, next)) = path.last_mut() {
            let node = *node;
            let Some(&to) = edges[node].get(*next) else {
                marks[node] = Mark::Done;
                path.pop();
                continue;
            };
            *next += 1;
            match marks.get(to) {
                Some(Mark::New) => {
                    marks[to] = Mark::Open;
                    path.push((to, 0));
                }
                Some(Mark::Open) if rings.len() < MOST => {
                    let from = path.iter().position(|(n, _)| *n == to).unwrap_or(0);
                    rings.push(path[from..].iter().map(|(n, _)| *n).collect());
                }
                _ => {}
            }
        }
    }
    rings
}

/// `ring` lists nodes of which each needs the next, and the last the first.
fn say(ring: &[usize], nodes: &[Node], artifacts: &[Artifact], findings: &mut Findings) {
    let first = ring
        .iter()
        .enumerate()
        .min_by_key(|(_, n)| **n)
        .map_or(0, |(i, _)| i);
    let ring: Vec<usize> = ring[first..]
        .iter()
        .chain(&ring[..first])
        .copied()
        .collect();
    let names: Vec<String> = ring
        .iter()
        .chain(ring.first())
        .map(|&n| nodes[n].name.to_string())
        .collect();
    let message = match names.len() {
        2 => format!("`{}` needs its own result", names[0]),
        n if n > MOST_SHOWN => {
            format!(
                "{} nodes that need each other: {} → …",
                n - 1,
                names[..MOST_SHOWN].join(" → ")
            )
        }
        _ => format!("nodes that need each other: {}", names.join(" → ")),
    };
    let mut what = Diagnostic::error("cycle", message);
    for (i, &node) in ring.iter().enumerate().take(MOST_SHOWN) {
        let to = ring[(i + 1) % ring.len()];
        let through = nodes[node].inputs.iter().find(|input| {
            input.artifacts.iter().any(|a| {
                artifacts.get(a.0 as usize).and_then(|a| a.producer)
                    == Some(NodeId(crate::place::clamp(to)))
            })
        });
        let place = through.map_or(&nodes[node].at, |input| &input.at).clone();
        let label = format!("`{}` needs `{}` here", nodes[node].name, nodes[to].name);
        what = what.also(place, label);
    }
    findings.push(what);
}
