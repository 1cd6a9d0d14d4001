//! What the newest outcome of each node was seen to use, and the declarations that would say so.
//!
//! Reads history and records; changes nothing. What is declared by now counts as declared, whatever was when the
//! node ran. Knows nothing of the definition file's form or of screens.

use std::collections::{BTreeMap, BTreeSet};

use jalon_conf::pipeline::NodeId;
use jalon_conf::{Additions, NodeAdditions};
use jalon_store::LocalStore;
use jalon_store::action::{Access, PathEntry, Place, Seen};
use jalon_store::digest::ActionKey;
use jalon_store::error::ReadError;

use crate::event::{self, Body};
use crate::graph::Graph;
use crate::history::History;
use crate::observe::{Declared, Territory, distribution};
use crate::workspace::Workspace;
use crate::workspace::glob::is_pattern;

/// What one outcome was seen to use.
#[derive(Debug, Clone)]
pub struct Reading {
    /// The run that it is known from.
    pub run: String,
    /// Its strong key.
    pub key: String,
    /// How completely it was observed.
    pub traced: event::Traced,
    /// Why it was not observed in full, and exemptions that applied.
    pub notes: Vec<String>,
    /// Its record is kept; else only what the run's trace says is known: how it was traced and what is undeclared.
    pub recorded: bool,
    /// Project files that were read and are not declared, sorted.
    pub undeclared: Vec<String>,
    /// Directories that were listed, project-relative; `.` for the project's own.
    pub listings: Vec<String>,
    /// How many paths were looked for and not found.
    pub absent: u64,
    /// Environment, name and version of the Python distributions that it rests on.
    pub packages: Vec<(String, String, String)>,
    /// Programs that ran, and what they count by.
    pub programs: Vec<(String, String)>,
    /// It rests on something that another host need not have.
    pub host_bound: bool,
    /// What that is.
    pub bound_by: Vec<String>,
}

/// By node: the newest outcome that a run knows of.
///
/// # Errors
/// The store cannot be read.
pub fn readings(
    graph: &Graph,
    workspace: &Workspace,
    store: &LocalStore,
    history: &History<'_>,
) -> Result<Vec<Option<Reading>>, ReadError> {
    let mut found: Vec<Option<Reading>> = vec![None; graph.len()];
    let mut open = graph.len();
    for run in history.ids()? {
        if open == 0 {
            break;
        }
        // The last word of a run on a node counts.
        for event in history.events(&run)?.into_iter().rev() {
            let (name, key, traced, undeclared) = match event.body {
                Body::NodeHit(hit) => (hit.node, hit.key, hit.traced, hit.undeclared),
                Body::NodeSucceeded(done) => (done.node, done.key, done.traced, done.undeclared),
                _ => continue,
            };
            let Some(node) = graph.find(&name) else {
                continue;
            };
            let place = &mut found[node.0 as usize];
            if place.is_some() {
                continue;
            }
            let mut reading = Reading::of_event(&run, key, traced, undeclared);
            reading.complete(store)?;
            let declared = Declared::new(workspace, graph, node, &[]);
            reading
                .undeclared
                .retain(|path| !Declared::covers(&declared.reads, path.as_bytes()));
            *place = Some(reading);
            open -= 1;
        }
    }
    Ok(found)
}

impl Reading {
    fn of_event(run: &str, key: String, traced: event::Traced, undeclared: Vec<String>) -> Reading {
        Reading {
            run: run.to_owned(),
            key,
            traced,
            notes: Vec::new(),
            recorded: false,
            undeclared,
            listings: Vec::new(),
            absent: 0,
            packages: Vec::new(),
            programs: Vec::new(),
            host_bound: false,
            bound_by: Vec::new(),
        }
    }

    /// What the record says beyond the event, if it is kept.
    fn complete(&mut self, store: &LocalStore) -> Result<(), ReadError> {
        let Ok(key) = self.key.parse::<ActionKey>() else {
            return Ok(());
        };
        let (Some(record), Some(explanation)) = (store.action(&key)?, store.explanation(&key)?)
        else {
            return Ok(());
        };
        self.recorded = true;
        self.notes = record.attestation.notes;
        self.host_bound = record.attestation.host_bound;
        for (entry, seen) in &explanation.observed {
            self.take(entry, seen);
        }
        Ok(())
    }

    fn take(&mut self, entry: &PathEntry, seen: &Seen) {
        let path = String::from_utf8_lossy(&entry.path).into_owned();
        if *seen == Seen::Absent {
            self.absent += 1;
        }
        if let (Some((environment, name)), Seen::Version(version)) = (distribution(entry), seen) {
            // Name, version and the digest of RECORD.
            let version = match name.as_str() {
                "*" => version.clone(),
                _ => version.split(' ').nth(1).unwrap_or_default().to_owned(),
            };
            self.packages.push((environment, name, version));
        }
        if let (Place::Program, Seen::Version(version)) = (entry.place, seen) {
            self.programs.push((path.clone(), version.clone()));
        }
        let is_listed = matches!(entry.access, Access::Listing) && *seen != Seen::Absent;
        if entry.place == Place::Project && is_listed {
            self.listings.push(match path.as_str() {
                "" => ".".to_owned(),
                path => path.to_owned(),
            });
        }
        let is_told = !matches!(seen, Seen::Absent | Seen::Exists(_) | Seen::Version(_));
        match entry.place {
            Place::Home if is_told => self.bound_by.push(format!("~/{path}")),
            Place::Absolute if is_told => self.bound_by.push(path),
            Place::Project if is_told && path.starts_with("../") => self.bound_by.push(path),
            _ => {}
        }
    }
}

/// Declarations for what is undeclared, and what they cannot say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Proposal {
    /// To be written into the definition.
    pub additions: Additions,
    /// Node, path, and why it is not among them.
    pub left: Vec<(String, String, &'static str)>,
}

impl Proposal {
    /// Whether there is nothing to declare.
    pub fn is_empty(&self) -> bool {
        self.additions == Additions::default()
    }
}

/// Endings of files that are data rather than a part of a program.
const DATA: [&str; 40] = [
    "arrow",
    "avro",
    "bin",
    "bmp",
    "csv",
    "dat",
    "db",
    "feather",
    "geojson",
    "gif",
    "gz",
    "h5",
    "hdf5",
    "jpeg",
    "jpg",
    "json",
    "jsonl",
    "model",
    "mp3",
    "ndjson",
    "nc",
    "npy",
    "npz",
    "onnx",
    "orc",
    "parquet",
    "pickle",
    "pkl",
    "png",
    "pt",
    "safetensors",
    "sqlite",
    "tif",
    "tiff",
    "tsv",
    "txt",
    "wav",
    "xlsx",
    "zip",
    "zst",
];

/// What would declare the undeclared reads: a file as `code` of the node that read it; as an input where it is a
/// source or an output already, or data that several nodes read, for which a source is made.
pub fn propose(graph: &Graph, workspace: &Workspace, readings: &[Option<Reading>]) -> Proposal {
    let mut readers: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (node, reading) in graph.pipeline().nodes.iter().zip(readings) {
        for path in reading.iter().flat_map(|reading| &reading.undeclared) {
            readers.entry(path).or_default().insert(&node.name.base);
        }
    }
    let mut work = Work {
        graph,
        workspace,
        territory: Territory::new(graph),
        nodes: BTreeMap::new(),
        proposal: Proposal::default(),
    };
    for (path, nodes) in readers {
        work.declare(path, &nodes);
    }
    // In the order of the definition.
    for node in &graph.pipeline().nodes {
        if let Some(additions) = work.nodes.remove(node.name.base.as_str()) {
            work.proposal.additions.nodes.push(additions);
        }
    }
    work.proposal
}

struct Work<'a> {
    graph: &'a Graph,
    workspace: &'a Workspace,
    territory: Territory,
    nodes: BTreeMap<&'a str, NodeAdditions>,
    proposal: Proposal,
}

impl<'a> Work<'a> {
    fn declare(&mut self, path: &str, nodes: &BTreeSet<&'a str>) {
        let why = if let Some((artifact, _)) = self.territory.output(path.as_bytes()) {
            let name = &self.graph.artifact(artifact).name;
            if name.to_string() == name.base {
                return self.input(&name.base.clone(), nodes);
            }
            "it is an output of one instance of a matrix: which one is meant is for you to say"
        } else if path.contains("{{") || path.contains(['{', '}', '\\']) || is_pattern(path) {
            "its name would be read as a pattern"
        } else if !self.workspace.root().join(path).exists() {
            "it is no longer there"
        } else {
            return self.file(path, nodes);
        };
        for node in nodes {
            self.proposal
                .left
                .push(((*node).to_owned(), path.to_owned(), why));
        }
    }

    fn file(&mut self, path: &str, nodes: &BTreeSet<&'a str>) {
        let mut artifacts = self.graph.pipeline().artifacts.iter();
        let known = artifacts.find(|artifact| artifact.producer.is_none() && artifact.path == path);
        if let Some(source) = known {
            return self.input(&source.name.base.clone(), nodes);
        }
        let ending = path.rsplit_once('.').map_or("", |(_, ending)| ending);
        if nodes.len() > 1 && DATA.contains(&ending.to_ascii_lowercase().as_str()) {
            let name = self.name(path);
            self.proposal
                .additions
                .sources
                .push((name.clone(), path.to_owned()));
            return self.input(&name, nodes);
        }
        for node in nodes {
            self.of(node).code.push(path.to_owned());
        }
    }

    fn input(&mut self, artifact: &str, nodes: &BTreeSet<&'a str>) {
        for node in nodes {
            self.of(node).inputs.push(artifact.to_owned());
        }
    }

    fn of(&mut self, node: &'a str) -> &mut NodeAdditions {
        let additions = self.nodes.entry(node).or_default();
        additions.node = node.to_owned();
        additions
    }

    /// A name for a source that nothing has yet: that of its file.
    fn name(&self, path: &str) -> String {
        let file = path.rsplit('/').next().unwrap_or(path);
        let stem = file
            .split('.')
            .find(|part| !part.is_empty())
            .unwrap_or("data");
        let plain = |c: char| {
            if c.is_alphanumeric() || c == '_' || c == '-' {
                c
            } else {
                '_'
            }
        };
        let stem: String = stem.chars().map(plain).collect();
        let stem = match stem.trim_start_matches('-') {
            "" => "data",
            stem => stem,
        };
        let sources = &self.proposal.additions.sources;
        let is_free = |name: &String| {
            let artifacts = self.graph.pipeline().artifacts.iter();
            let nodes = self.graph.pipeline().nodes.iter();
            let mut known = artifacts
                .map(|a| &a.name.base)
                .chain(nodes.map(|n| &n.name.base));
            known.all(|known| known != name) && sources.iter().all(|(known, _)| known != name)
        };
        let numbered = (2..).map(|number| format!("{stem}_{number}"));
        let mut names = std::iter::once(stem.to_owned()).chain(numbered);
        names.find(is_free).unwrap_or_default()
    }
}

/// Nodes with their readings, in the order of the definition.
pub fn each<'a>(
    graph: &'a Graph,
    readings: &'a [Option<Reading>],
) -> impl Iterator<Item = (NodeId, &'a Option<Reading>)> {
    (0..graph.len() as u32).map(NodeId).zip(readings)
}
