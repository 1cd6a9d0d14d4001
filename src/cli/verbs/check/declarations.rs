//! What `check --trace` and `check --fix` have in common: readings of the last runs, and declarations as text and JSON.

use std::path::PathBuf;

use serde_json::{Value, json};

use jalon::history::History;
use jalon::reading::{self, Proposal, Reading};

use super::super::super::exit::Failure;
use super::super::super::session::Session;

/// What is known of reads, and what would declare them.
pub struct Known {
    /// By node.
    pub readings: Vec<Option<Reading>>,
    /// For what is undeclared.
    pub proposal: Proposal,
}

impl Known {
    /// From the project's last runs.
    pub fn of(session: &Session) -> Result<Known, Failure> {
        let graph = &session.project.graph;
        let workspace = session.files();
        let history = History::new(&session.store, &session.project.name);
        let readings = reading::readings(graph, &workspace, &session.store, &history)?;
        let proposal = reading::propose(graph, &workspace, &readings);
        Ok(Known { readings, proposal })
    }
}

/// Where the definition lies.
pub fn place(session: &Session) -> PathBuf {
    session.project.root.join(&session.project.definition)
}

/// The declarations as they would stand in the file, without what stands there already.
pub fn lines(proposal: &Proposal) -> String {
    let mut text = String::new();
    if !proposal.additions.sources.is_empty() {
        text += "[source]\n";
        for (name, path) in &proposal.additions.sources {
            text += &format!("{} = {}\n", key(name), quoted(path));
        }
        text.push('\n');
    }
    for node in &proposal.additions.nodes {
        text += &format!("[node.{}]\n", key(&node.node));
        for (key, values) in [("code", &node.code), ("in", &node.inputs)] {
            if !values.is_empty() {
                text += &format!("{key} = {}\n", list(values));
            }
        }
        text.push('\n');
    }
    text
}

/// The same for scripts.
pub fn object(proposal: &Proposal) -> Value {
    let sources: serde_json::Map<String, Value> = proposal
        .additions
        .sources
        .iter()
        .map(|(name, path)| (name.clone(), path.clone().into()))
        .collect();
    let nodes: Vec<Value> = proposal
        .additions
        .nodes
        .iter()
        .map(|node| json!({"node": node.node, "code": node.code, "in": node.inputs}))
        .collect();
    json!({"sources": sources, "nodes": nodes, "left": left(proposal)})
}

/// What cannot be declared for the user.
pub fn left(proposal: &Proposal) -> Vec<Value> {
    let left = proposal.left.iter();
    left.map(|(node, path, why)| json!({"node": node, "path": path, "why": why}))
        .collect()
}

fn list(values: &[String]) -> String {
    let quoted: Vec<String> = values.iter().map(|value| quoted(value)).collect();
    format!("[{}]", quoted.join(", "))
}

/// A basic string of TOML, which escapes as JSON does.
fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

fn key(name: &str) -> String {
    let is_bare = name
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'));
    if is_bare && !name.is_empty() {
        name.to_owned()
    } else {
        quoted(name)
    }
}
