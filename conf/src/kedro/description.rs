//! What a Kedro project says of itself (`python/jalon_kedro/describe.py`), as it is written.
//!
//! Knows nothing of what becomes of it.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value as Json;

/// The number of this form.
pub(super) const SCHEMA: u32 = 1;

/// A loaded project.
#[derive(Debug, Deserialize)]
pub(super) struct Description {
    pub schema: u32,
    pub kedro: String,
    pub package: Option<String>,
    /// Where its modules are found, relative to it.
    pub roots: Vec<String>,
    pub nodes: Vec<Node>,
    pub datasets: BTreeMap<String, Dataset>,
    pub parameters: BTreeMap<String, Told>,
    pub hooks: Vec<Hook>,
    /// The first parts of the names of all modules that are loaded.
    pub loaded: Vec<String>,
    /// What else was read or asked for while loading, with digests: added by who observed it.
    #[serde(default)]
    pub read: Vec<(String, String)>,
    /// Names that are read, are not registered, and are made by no node of the selection.
    #[serde(default)]
    pub unsatisfied: Vec<String>,
}

/// A node.
#[derive(Debug, Deserialize)]
pub(super) struct Node {
    pub name: String,
    pub namespace: Option<String>,
    pub tags: Vec<String>,
    pub function: Function,
    /// Arguments, where they are named, with what they are given.
    pub inputs: Vec<(Option<String>, String)>,
    pub outputs: Vec<String>,
    pub confirms: Vec<String>,
    /// Nodes that it reads something of.
    pub after: Vec<String>,
    pub single_process: bool,
    /// It was not chosen: what it makes is read, and is to be had from earlier runs or not at all.
    #[serde(default)]
    pub beyond: bool,
    /// It gives its outputs in pieces.
    #[serde(default)]
    pub generator: bool,
}

/// Where a function's code is.
#[derive(Debug, Deserialize)]
pub(super) struct Function {
    /// `module:qualified.name`; `module:*` is all of a module.
    pub entries: Vec<String>,
    /// What is bound to it besides its arguments.
    pub bound: Vec<Told>,
    /// Why that is not all.
    pub opaque: Vec<String>,
}

/// A Python value, as far as it can be told.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) struct Told {
    #[serde(default, deserialize_with = "present")]
    pub json: Option<Json>,
    /// A digest of its pickle.
    pub pickle: Option<String>,
    /// `module:class`, of it or it itself.
    pub class: Option<String>,
    pub path: Option<String>,
    /// Why it cannot be told.
    pub opaque: Option<String>,
}

/// `null` is a value too.
fn present<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<Json>, D::Error> {
    Json::deserialize(from).map(Some)
}

/// A dataset.
#[derive(Debug, Deserialize)]
pub(super) struct Dataset {
    /// Its name without what follows an `@`.
    pub base: String,
    pub registered: bool,
    pub class: String,
    pub class_in_project: bool,
    /// `file`, `memory` or `opaque`.
    pub category: String,
    /// For a file: relative to the project, or absolute.
    pub path: Option<String>,
    pub versioned: bool,
    pub load_version: Option<String>,
    pub append: bool,
    pub stateful: bool,
    /// Kedro hands it on in memory, too.
    #[serde(default)]
    pub cached: bool,
    /// The first parts of the names of the modules that its class may use.
    pub needs: Vec<String>,
    pub definition: Json,
    /// What it holds, where that was given with it.
    pub value: Option<Told>,
    /// Why what it holds cannot be told.
    pub why: String,
    /// Its file system tells which version of it is there.
    #[serde(default)]
    pub asks: bool,
}

/// What is called when something happens.
#[derive(Debug, Deserialize)]
pub(super) struct Hook {
    pub module: String,
    pub qualname: String,
    pub in_project: bool,
    pub distribution: Option<String>,
    pub implements: Vec<String>,
}
