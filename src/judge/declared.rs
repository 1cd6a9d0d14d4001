//! What nodes declare to read, observed before judging begins.
//!
//! Knows nothing of keys and outcomes.

use std::sync::Arc;

use jalon_conf::pipeline::{ArtifactId, Command, Node, NodeId};
use jalon_store::content::Content;
use rayon::prelude::*;
use rustc_hash::FxHashMap;

use crate::action::Ambient;
use crate::function::{self, Functions, Uncallable};
use crate::graph::Graph;
use crate::observe::Sight;
use crate::workspace::{ObserveError, Workspace};

/// What was observed for all nodes before judging begins.
pub struct Observations {
    /// By artifact: the contents of the sources that selected nodes read.
    pub sources: Vec<Option<Content>>,
    /// By node: declared code files.
    pub code: Vec<Arc<Vec<(String, Content)>>>,
    /// Python functions.
    pub functions: Functions,
    /// The machine.
    pub ambient: Ambient,
}

/// Something declared that is not there, cannot be read, or may not be written.
#[derive(Debug)]
pub struct Unobserved {
    /// Where it was declared.
    pub at: jalon_conf::diagnostic::Location,
    /// `source`, `code`, `output`, `function`.
    pub what: &'static str,
    /// The source's name or the code pattern.
    pub name: String,
    /// Why.
    pub error: ObserveError,
    /// How to get it, where that is known.
    pub obtain: Option<String>,
}

/// Takes the digests of all sources and code files that the selected nodes name, in parallel.
///
/// # Errors
/// All that is missing or unreadable.
pub fn observe(
    graph: &Graph,
    selected: &[bool],
    sight: &Sight<'_>,
    ambient: Ambient,
) -> Result<Observations, Vec<Unobserved>> {
    let workspace = sight.workspace;
    let chosen = || {
        (0..graph.len() as u32)
            .map(NodeId)
            .filter(|id| selected[id.0 as usize])
    };
    let mut read = vec![false; graph.pipeline().artifacts.len()];
    chosen()
        .flat_map(|id| graph.reads(id))
        .for_each(|artifact| read[artifact.0 as usize] = true);
    let artifacts = &graph.pipeline().artifacts;
    let sources: Vec<Result<Option<Content>, Box<Unobserved>>> = artifacts
        .par_iter()
        .zip(&read)
        .map(|(artifact, &read)| {
            if !read || artifact.producer.is_some() {
                return Ok(None);
            }
            let name = artifact.name.to_string();
            let at = artifact.at.clone();
            let missed = |error| {
                Box::new(Unobserved {
                    at,
                    what: "source",
                    name,
                    error,
                    obtain: artifact.obtain.clone(),
                })
            };
            workspace.source(artifact).map(Some).map_err(missed)
        })
        .collect();
    let mut missed = Vec::new();
    let sources = sources
        .into_iter()
        .map(|found| {
            found.unwrap_or_else(|error| {
                missed.push(*error);
                None
            })
        })
        .collect();
    let mut patterns: FxHashMap<&str, &jalon_conf::diagnostic::Location> = FxHashMap::default();
    for (pattern, at) in chosen().flat_map(|id| &graph.node(id).code) {
        patterns.entry(pattern).or_insert(at);
    }
    let files: Vec<_> = patterns
        .into_par_iter()
        .map(|(pattern, at)| {
            let (at, name) = (at.clone(), pattern.to_owned());
            let missed = |error| {
                Box::new(Unobserved {
                    at,
                    what: "code",
                    name,
                    error,
                    obtain: None,
                })
            };
            (pattern, workspace.code(pattern).map_err(missed))
        })
        .collect();
    let mut by_pattern = FxHashMap::default();
    for (pattern, found) in files {
        match found {
            Ok(files) => drop(by_pattern.insert(pattern, files)),
            Err(error) => missed.push(*error),
        }
    }
    missed.extend(leaving(graph, chosen(), workspace));
    let functions = function::observe(graph, chosen(), sight).unwrap_or_else(|wrong| {
        missed.extend(wrong.into_iter().filter_map(|one| uncallable(graph, one)));
        Functions::default()
    });
    if !missed.is_empty() {
        missed.sort_by(|a, b| (&a.at.file, a.at.offset).cmp(&(&b.at.file, b.at.offset)));
        return Err(missed);
    }
    let none = Arc::new(Vec::new());
    let code = graph
        .pipeline()
        .nodes
        .iter()
        .map(|node| code_of(node, &by_pattern, &none))
        .collect();
    Ok(Observations {
        sources,
        code,
        functions,
        ambient,
    })
}

fn uncallable(graph: &Graph, one: Uncallable) -> Option<Unobserved> {
    let node = graph.node(one.node);
    let (at, what, name) = match &node.command {
        Command::Call(call) => (&call.at, "function", call.function.clone()),
        Command::Task(task) => (&node.at, "function of the node", task.node.clone()),
        _ => return None,
    };
    Some(Unobserved {
        at: at.clone(),
        what,
        name,
        error: ObserveError::Uncallable(one.message, one.help),
        obtain: None,
    })
}

/// The outputs that would not be written in the project.
fn leaving(
    graph: &Graph,
    chosen: impl Iterator<Item = NodeId>,
    workspace: &Workspace,
) -> Vec<Unobserved> {
    let outputs: FxHashMap<&str, ArtifactId> = chosen
        .flat_map(|id| graph.makes(id))
        .map(|id| (graph.artifact(id).path.as_str(), id))
        .collect();
    let refused = workspace.fences(outputs.keys().copied());
    let unobserved = refused.into_iter().map(|(path, outside)| {
        let artifact = graph.artifact(outputs[path]);
        Unobserved {
            at: artifact.at.clone(),
            what: "output",
            name: artifact.name.to_string(),
            error: ObserveError::Outside(outside),
            obtain: None,
        }
    });
    unobserved.collect()
}

fn code_of(
    node: &Node,
    by_pattern: &FxHashMap<&str, Vec<(String, Content)>>,
    none: &Arc<Vec<(String, Content)>>,
) -> Arc<Vec<(String, Content)>> {
    if node.code.is_empty() {
        return none.clone();
    }
    let files = node
        .code
        .iter()
        .filter_map(|(pattern, _)| by_pattern.get(pattern.as_str()))
        .flatten()
        .cloned();
    Arc::new(files.collect())
}
