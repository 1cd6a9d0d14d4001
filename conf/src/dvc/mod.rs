//! A DVC project as a `Pipeline`: dvc.yaml, `.dvc` files and parameter files, as DVC 3 reads them.
//!
//! Nothing here is written back, and no disk is looked at: the caller gives the definitions and is
//! asked for parameter files. Each file here is one step; all go on after errors, so that all are said in one pass.

mod bind;
mod build;
mod check;
mod config;
mod context;
mod export;
mod expression;
mod join;
mod paths;
mod stages;
mod tracked;

use crate::diagnostic::Diagnostic;
use crate::document::Lowered;
use crate::findings::Findings;
use crate::layers::Text;
use crate::params::yaml::{Dialect, Located, What, read_located};
use crate::params::{ParamsFile, text_of};
use crate::pipeline::Kind;
use crate::request::Request;
use crate::value::Value;

pub use export::export;
pub use join::join;

use context::{Context, Files};
use stages::{Reader, Stage};

/// What a DVC project consists of; all paths are relative to jalon's project.
#[derive(Debug, Clone, Default)]
pub struct Texts {
    /// The directory that DVC calls its root; empty is the project's own.
    pub root: String,
    /// The dvc.yaml whose stages a bare run makes.
    pub main: String,
    /// Every dvc.yaml.
    pub definitions: Vec<ParamsFile>,
    /// Every `.dvc` file.
    pub tracked: Vec<ParamsFile>,
    /// `.dvc/config` and `.dvc/config.local`, the later over the earlier.
    pub config: Vec<ParamsFile>,
    /// The user's own settings.
    pub user: Option<Text>,
}

/// What the caller knows of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Its bytes.
    Text(Vec<u8>),
    /// There is none.
    Missing,
    /// It cannot be read, and why.
    Unreadable(String),
}

/// The caller, asked for a file by its path relative to jalon's project.
pub type Ask<'a> = dyn FnMut(&str) -> Answer + 'a;

/// Reads everything; what is wrong is collected.
#[must_use]
pub fn lower(texts: &Texts, request: &Request, ask: &mut Ask<'_>) -> Lowered {
    let mut findings = Findings::default();
    refuse(request, &mut findings);
    let how = config::arguments(&texts.config);
    let mut files = Files::new(ask);
    let mut all: Vec<Stage> = Vec::new();
    let mut kinds: Vec<(String, Kind)> = Vec::new();
    for definition in &texts.definitions {
        let Some(root) = yaml(definition, &mut findings) else {
            continue;
        };
        check::file(&root, &mut findings);
        let file = definition.file.as_str();
        let mut context = Context::default();
        context.load(
            Some("params.yaml"),
            check::get(&root, "vars"),
            paths::parent(file),
            &[],
            &mut files,
            &mut findings,
        );
        let mut reader = Reader {
            file,
            context: &context,
            how,
            files: &mut files,
            findings: &mut findings,
        };
        all.extend(reader.stages(&root));
        if let Some(root) = context.resolve(&root_lists(&root), None, how, &mut findings) {
            kinds.extend(stages::kinds(&root, file));
        }
    }
    let tracked = texts
        .tracked
        .iter()
        .filter_map(|file| tracked::read(file, &mut findings))
        .collect();
    let project = build::Project {
        texts,
        request,
        stages: all,
        tracked,
        kinds,
    };
    let pipeline = build::pipeline(project, &mut files, &mut findings);
    let pipeline = pipeline.filter(|_| !findings.has_errors());
    Lowered {
        pipeline,
        diagnostics: findings.into_sorted(),
        provenance: Vec::new(),
    }
}

/// What jalon's flags ask for and a DVC project cannot give.
fn refuse(request: &Request, findings: &mut Findings) {
    if let Some((key, _)) = request.set.first() {
        let message = format!(
            "`-p {key}` cannot be set: the stages of a dvc.yaml read their parameter files themselves"
        );
        findings.push(Diagnostic::error("params-set", message).help("edit the parameter file"));
    }
    if request.env != "local" {
        let message = format!(
            "the environment `{}` changes nothing: a dvc.yaml has none",
            request.env
        );
        findings.push(Diagnostic::warning("unknown-env", message));
    }
}

fn yaml(file: &ParamsFile, findings: &mut Findings) -> Option<Located> {
    let (id, text) = text_of(file, findings)?;
    let root = read_located(id, text, Dialect::Dvc, findings)?;
    let empty = matches!(root.what, What::Scalar(Value::Null));
    let what = What::Table(Vec::new());
    Some(if empty {
        Located { what, ..root }
    } else {
        root
    })
}

/// The sections at the top that say what outputs are.
fn root_lists(root: &Located) -> Located {
    let wanted = |key: &str| matches!(key, "metrics" | "plots");
    let entries = check::table(Some(root)).iter();
    let entries = entries.filter(|entry| wanted(&entry.key)).cloned();
    Located {
        what: What::Table(entries.collect()),
        at: root.at,
    }
}
