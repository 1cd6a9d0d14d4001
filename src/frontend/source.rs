//! What is to be read, and why it could not be: shared by all front ends.

use std::io;
use std::path::{Path, PathBuf};

use jalon_conf::diagnostic::{Diagnostic, Severity};
use jalon_conf::{Lowered, Pipeline};

use crate::graph::Graph;
use crate::project::Project;

/// What to read.
#[derive(Debug, Clone, Default)]
pub struct Source {
    /// Where to look from, upwards.
    pub from: PathBuf,
    /// The definition itself, where it is named.
    pub file: Option<PathBuf>,
    /// The user's own settings file, if there may be one.
    pub user: Option<PathBuf>,
    /// `--env`.
    pub env: String,
    /// `-p key=value`.
    pub set: Vec<(String, String)>,
    /// jalon's version, for `requires`.
    pub version: String,
    /// `--python`: the interpreter of a Kedro project.
    pub python: Option<String>,
    /// What of a Kedro project is meant.
    pub kedro: Kedro,
}

/// Kedro's own way to say what is to be run; the meanings are Kedro's.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Kedro {
    /// `--pipelines`.
    pub pipelines: Vec<String>,
    /// `--from-nodes`.
    pub from_nodes: Vec<String>,
    /// `--to-nodes`.
    pub to_nodes: Vec<String>,
    /// `--nodes`.
    pub nodes: Vec<String>,
    /// `--from-inputs`.
    pub from_inputs: Vec<String>,
    /// `--to-outputs`.
    pub to_outputs: Vec<String>,
    /// `--tags`.
    pub tags: Vec<String>,
    /// `--namespaces`.
    pub namespaces: Vec<String>,
    /// `--load-versions`: datasets and the versions that are read.
    pub load_versions: Vec<(String, String)>,
    /// `--conf-source`.
    pub conf_source: Option<String>,
    /// `--only-missing-outputs`.
    pub only_missing_outputs: bool,
}

/// Why there is no project.
#[derive(Debug)]
pub enum LoadError {
    /// No definition here or above.
    NotFound {
        /// Where the search began.
        from: PathBuf,
        /// Files of other tools that were seen there.
        others: Vec<&'static str>,
    },
    /// It cannot be read.
    Io(PathBuf, io::Error),
    /// A project that is loaded by its own interpreter says that it cannot be.
    Refused(Refusal),
    /// It is not valid; the texts are for drawing.
    Invalid {
        /// All that is wrong, and warnings.
        diagnostics: Vec<Diagnostic>,
        /// Name and text of each file that was read.
        texts: Vec<(String, String)>,
    },
}

/// Why a project cannot be loaded.
#[derive(Debug)]
pub struct Refusal {
    /// A word for programs.
    pub code: String,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub help: String,
}

/// A definition that was read: where it is, what it says, and the texts of which that is said.
pub(super) struct Read {
    /// The directory that paths are relative to, absolute.
    pub root: PathBuf,
    /// The definition file, relative to it.
    pub definition: String,
    /// What came of it.
    pub lowered: Lowered,
    /// Name and text of each file that was read.
    pub texts: Vec<(String, String)>,
}

impl Read {
    /// The project, if the definition is valid.
    pub fn into_project(self) -> Result<Project, LoadError> {
        let invalid = |diagnostics, texts| LoadError::Invalid { diagnostics, texts };
        let Lowered {
            pipeline,
            diagnostics,
            ..
        } = self.lowered;
        let Some(pipeline) = pipeline else {
            return Err(invalid(diagnostics, self.texts));
        };
        let name = name(&pipeline, &self.root);
        let graph = Graph::new(pipeline).map_err(|cycle| {
            let message = format!("these nodes wait for each other: {}", cycle.join(" → "));
            let problem = Diagnostic {
                severity: Severity::Error,
                code: "cycle",
                message,
                help: None,
                spans: Vec::new(),
            };
            invalid(vec![problem], self.texts)
        })?;
        Ok(Project {
            root: self.root,
            definition: self.definition,
            name,
            graph,
            loader: None,
            warnings: diagnostics,
        })
    }
}

fn name(pipeline: &Pipeline, root: &Path) -> String {
    pipeline.name.clone().unwrap_or_else(|| {
        root.file_name().map_or_else(
            || "pipeline".into(),
            |name| name.to_string_lossy().into_owned(),
        )
    })
}

/// The directory of a definition, absolute, and its name.
pub(super) fn place(path: &Path) -> Result<(PathBuf, String), LoadError> {
    let root = path
        .parent()
        .map_or_else(|| PathBuf::from("."), Path::to_owned);
    let root = root
        .canonicalize()
        .map_err(|error| LoadError::Io(root, error))?;
    let name = path.file_name().unwrap_or_default();
    Ok((root, name.to_string_lossy().into_owned()))
}
