//! The part of a pipeline that changes reach, as a pipeline of its own.
//!
//! What others of the whole gave is a source to it. That is possible where all they have to do with the part is what
//! they gave, where that lies where a run leaves it, and where what judging them came to is known; else the pipeline is
//! run whole.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jalon_conf::pipeline::{Artifact, ArtifactId, Command, Node, NodeId, Pipeline};
use jalon_store::content::Content;
use rustc_hash::FxHashMap;

use super::Asked;
use super::format::Snapshot;
use super::standing::{self, Entry, Outline, SheetRows};
use crate::graph::{Graph, Selection};
use crate::observe::Elsewhere;
use crate::plan::held::{Before, Held, Ledger};
use crate::project::Project;
use crate::run::remainder::Remainder;
use crate::run::rest::Rest;

/// See the module.
pub struct Part {
    /// What is to be made of it.
    pub selection: Selection,
    /// What it leaves out.
    pub remainder: Remainder,
    /// What judging its nodes came to.
    ledger: Ledger,
    /// The run that told of all nodes, and how many traces that one's refers to.
    run: (String, u32),
    /// What it makes, by its number in the whole.
    made: BTreeSet<u32>,
    /// Its nodes' numbers in the whole.
    nodes: Vec<u32>,
    /// Its artifacts' numbers in the whole; nothing for what is a source here and not there.
    artifacts: Vec<Option<u32>>,
}

impl Part {
    /// What a run of it is handed.
    pub fn before(&self) -> Before<'_> {
        Before {
            ledger: &self.ledger,
            run: &self.run.0,
            chain: self.run.1,
        }
    }

    /// Of a pipeline, that which the change of these files reaches, as a project.
    pub(super) fn of(
        asked: &Asked,
        snapshot: &Snapshot<'_>,
        entry: Entry<'_>,
        pipeline: &Arc<Vec<u8>>,
        changed: &[PathBuf],
    ) -> Option<(Project, Part)> {
        let outline = standing::outline(pipeline)?;
        let (reach, sheet) = (&outline.reach, &entry.sheet);
        // What has to be judged each time, what is told each time, and who may be told of a failure: all is theirs.
        let is_open = |node: u32| reach.selected.get(node as usize) == Some(&true);
        let told = !outline.rest.finally.is_empty() || !outline.rest.hooks.is_empty();
        if told || !snapshot.notices.is_empty() || sheet.open().any(is_open) {
            return None;
        }
        let relative = changed
            .iter()
            .map(|path| path.strip_prefix(&asked.root).unwrap_or(path));
        let changed: Vec<&Path> = relative.collect();
        let nodes = reach.of_changes(&changed)?;
        if nodes.is_empty() {
            return None;
        }
        let cut = Cut::new(&outline, &nodes)?;
        let held: Vec<Option<Held>> = nodes
            .iter()
            .map(|at| sheet.node(*at))
            .collect::<Option<_>>()?;
        let mut given = Vec::new();
        let mut givers = BTreeMap::new();
        let mut sources = Vec::with_capacity(cut.artifacts.len());
        for (&at, here) in cut.artifacts.iter().zip(0..) {
            sources.push(match reach.producers.get(at as usize)? {
                None => sheet.source(at)?,
                Some(maker) if nodes.binary_search(maker).is_ok() => None,
                Some(maker) => {
                    let held = sheet.node(*maker)??;
                    let content = made(&outline, &held, *maker, at)?;
                    given.push((ArtifactId(here), content));
                    givers.insert(*maker, held);
                    Some(content)
                }
            });
        }
        let saved = held.iter().flatten().map(|held| held.wall_ms);
        let saved_ms =
            ((snapshot.saved_seconds * 1000.0).round() as u64).checked_sub(saved.sum())?;
        let selected = reach.selected.iter().filter(|it| **it).count() as u64;
        let beside = selected
            .checked_sub(nodes.len() as u64)
            .filter(|count| *count > 0)?;
        let is_wanted = |at: &u32| reach.wanted.get(*at as usize) == Some(&true);
        let project = Project {
            root: asked.root.clone(),
            definition: asked.definition.clone(),
            name: outline.name.to_owned(),
            graph: cut.graph(&outline)?,
            loader: None,
            warnings: Vec::new(),
        };
        let part = Part {
            selection: Selection {
                selected: vec![true; nodes.len()],
                wanted: cut.artifacts.iter().map(is_wanted).collect(),
            },
            remainder: Remainder {
                nodes: beside,
                not_needed: reach.selected.len() as u64 - selected,
                saved_seconds: saved_ms as f64 / 1000.0,
                elsewhere: Arc::new(elsewhere(&outline, pipeline)),
                given,
                givers: givers.into_values().collect(),
                secrets: reach.secrets.clone(),
                sees_all: reach.sees_all,
            },
            ledger: Ledger::of_parts(held, sources),
            run: (entry.run, entry.chain),
            artifacts: cut
                .artifacts
                .iter()
                .map(|at| is_source(&outline, *at).then_some(*at))
                .collect(),
            made: nodes
                .iter()
                .flat_map(|node| reach.makes.get(*node))
                .copied()
                .collect(),
            nodes,
        };
        part.before()
            .may_be_referred_to()
            .then_some((project, part))
    }

    /// The output of another node than the part's that a path is or lies in.
    pub(super) fn output_elsewhere(&self, path: &[u8]) -> Option<u32> {
        let output = self.remainder.elsewhere.output(path)?;
        (!self.made.contains(&output)).then_some(output)
    }

    /// The rows of the whole's ledger, with what a run of the part came to.
    pub(super) fn rows(&self, entry: &Entry<'_>, rest: &Rest) -> Option<SheetRows> {
        let nodes = self.nodes.iter().copied().zip(rest.ledger.nodes());
        let sources = self.artifacts.iter().zip(rest.ledger.sources());
        let sources = sources.filter_map(|(at, source)| Some(((*at)?, source)));
        SheetRows::amended(&entry.sheet, nodes, sources)
    }
}

fn is_source(outline: &Outline<'_>, at: u32) -> bool {
    outline.reach.producers.get(at as usize) == Some(&None)
}

/// What a node gave, by what judging it came to; nothing where it does not lie where it belongs.
fn made(outline: &Outline<'_>, held: &Held, maker: u32, artifact: u32) -> Option<Content> {
    let reach = &outline.reach;
    let mut makes = reach.makes.get(maker).iter();
    let at = makes.position(|made| *made == artifact)?;
    (reach.laid.get(artifact as usize) == Some(&true)).then(|| held.outputs.get(at).copied())?
}

fn elsewhere(outline: &Outline<'_>, pipeline: &Arc<Vec<u8>>) -> Elsewhere {
    let pipeline = pipeline.clone();
    let names = move |output: u32| {
        let names = || {
            let outline = standing::outline(&pipeline)?;
            let artifact = outline.artifact(output)?;
            let producer = outline.node(artifact.producer?.0)?;
            Some((artifact.name.to_string(), producer.name.to_string()))
        };
        names().unwrap_or_default()
    };
    Elsewhere::new(outline.reach.outputs.clone(), Box::new(names))
}

/// Nodes of a pipeline, cut out of it.
struct Cut {
    nodes: Vec<Node>,
    /// What they read and make, by its number in the whole.
    artifacts: Vec<u32>,
    /// The numbers that those have from now on.
    here: FxHashMap<u32, u32>,
}

impl Cut {
    /// Nothing where one of them has more to do with others than to read what they made.
    fn new(outline: &Outline<'_>, numbers: &[u32]) -> Option<Cut> {
        let reach = &outline.reach;
        let lists = numbers
            .iter()
            .flat_map(|&node| [reach.reads.get(node), reach.makes.get(node)]);
        let artifacts: BTreeSet<u32> = lists.flatten().copied().collect();
        let here = artifacts.iter().copied().zip(0..).collect();
        let artifacts = artifacts.into_iter().collect();
        let nodes = numbers.iter().map(|&at| outline.node(at));
        let mut cut = Cut {
            nodes: nodes.collect::<Option<_>>()?,
            artifacts,
            here,
        };
        let is_within = |artifact: ArtifactId| {
            let maker = reach.producers.get(artifact.0 as usize)?;
            maker
                .is_none_or(|maker| numbers.binary_search(&maker).is_ok())
                .then_some(())
        };
        for node in &mut cut.nodes {
            if node.group.is_some() || matches!(node.command, Command::Task(_)) {
                return None;
            }
            for after in &mut node.after {
                *after = NodeId(u32::try_from(numbers.binary_search(&after.0).ok()?).ok()?);
            }
            for input in &mut node.inputs {
                for artifact in &mut input.artifacts {
                    if input.within.is_some() {
                        is_within(*artifact)?;
                    }
                    *artifact = ArtifactId(*cut.here.get(&artifact.0)?);
                }
            }
            for output in &mut node.outputs {
                output.artifact = ArtifactId(*cut.here.get(&output.artifact.0)?);
            }
        }
        Some(cut)
    }

    fn graph(&self, outline: &Outline<'_>) -> Option<Graph> {
        let mut artifacts: Vec<Artifact> = Vec::with_capacity(self.artifacts.len());
        for at in &self.artifacts {
            let mut artifact = outline.artifact(*at)?;
            if artifact.versions.is_some() {
                return None;
            }
            artifact.producer = None;
            artifacts.push(artifact);
        }
        for (node, at) in self.nodes.iter().zip(0..) {
            for output in &node.outputs {
                artifacts[output.artifact.0 as usize].producer = Some(NodeId(at));
            }
        }
        let pipeline = Pipeline {
            artifacts,
            nodes: self.nodes.clone(),
            ..outline.rest.clone()
        };
        Graph::new(pipeline).ok()
    }
}
