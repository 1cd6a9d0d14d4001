//! `jalon.toml` and its parameter files: found, read, handed to the pure reader.

use std::io;
use std::path::{Path, PathBuf};

use jalon_conf::diagnostic::{Diagnostic, Severity};
use jalon_conf::{Layer, ParamsFile, Request, Text};

use crate::graph::Graph;
use crate::project::Project;
use crate::workspace::glob;

/// The definition's name.
pub const FILE: &str = "jalon.toml";

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
    /// It is not valid; the texts are for drawing.
    Invalid {
        /// All that is wrong, and warnings.
        diagnostics: Vec<Diagnostic>,
        /// Name and text of each file that was read.
        texts: Vec<(String, String)>,
    },
}

/// Reads, checks and lowers a definition.
///
/// # Errors
/// See [`LoadError`].
pub fn load(source: &Source) -> Result<Project, LoadError> {
    let path = find(source)?;
    let root = path
        .parent()
        .map_or_else(|| PathBuf::from("."), Path::to_owned);
    let root = root
        .canonicalize()
        .map_err(|error| LoadError::Io(root, error))?;
    let definition = path
        .file_name()
        .map_or_else(|| FILE.into(), |name| name.to_string_lossy().into_owned());
    let mut texts = Vec::new();
    if let Some(user) = &source.user
        && let Ok(text) = std::fs::read_to_string(user)
    {
        texts.push(Text {
            file: user.display().to_string(),
            text,
            layer: Layer::User,
        });
    }
    let bytes = std::fs::read(&path).map_err(|error| LoadError::Io(path.clone(), error))?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        LoadError::Io(
            path.clone(),
            io::Error::new(
                io::ErrorKind::InvalidData,
                format!("not UTF-8 at byte {at}"),
            ),
        )
    })?;
    texts.push(Text {
        file: definition.clone(),
        text,
        layer: Layer::Project,
    });
    let mut shown: Vec<(String, String)> = texts
        .iter()
        .map(|text| (text.file.clone(), text.text.clone()))
        .collect();
    let request = Request {
        env: source.env.clone(),
        set: source.set.clone(),
        version: source.version.clone(),
    };
    let mut document = jalon_conf::parse(texts, &request);
    let params = params(&root, &mut document)?;
    shown.extend(params.iter().map(|file| {
        (
            file.file.clone(),
            String::from_utf8_lossy(&file.text).into_owned(),
        )
    }));
    let lowered = document.lower(params);
    let Some(pipeline) = lowered.pipeline else {
        return Err(LoadError::Invalid {
            diagnostics: lowered.diagnostics,
            texts: shown,
        });
    };
    let name = pipeline.name.clone().unwrap_or_else(|| {
        root.file_name().map_or_else(
            || "pipeline".into(),
            |name| name.to_string_lossy().into_owned(),
        )
    });
    let graph = Graph::new(pipeline).map_err(|cycle| LoadError::Invalid {
        diagnostics: vec![Diagnostic {
            severity: Severity::Error,
            code: "cycle",
            message: format!("these nodes wait for each other: {}", cycle.join(" → ")),
            help: None,
            spans: Vec::new(),
        }],
        texts: shown,
    })?;
    Ok(Project {
        root,
        definition,
        name,
        graph,
        warnings: lowered.diagnostics,
    })
}

/// The definition named, or the nearest one upwards.
fn find(source: &Source) -> Result<PathBuf, LoadError> {
    if let Some(file) = &source.file {
        return Ok(source.from.join(file));
    }
    let from = source
        .from
        .canonicalize()
        .map_err(|error| LoadError::Io(source.from.clone(), error))?;
    for directory in from.ancestors() {
        let candidate = directory.join(FILE);
        if candidate.is_file() {
            return Ok(candidate);
        }
    }
    let others = ["dvc.yaml", "pyproject.toml", "Snakefile"]
        .into_iter()
        .filter(|name| from.join(name).is_file());
    Err(LoadError::NotFound {
        others: others.collect(),
        from: from.clone(),
    })
}

/// The parameter files that the definition asks for, in merge order.
fn params(root: &Path, document: &mut jalon_conf::Document) -> Result<Vec<ParamsFile>, LoadError> {
    let mut files = Vec::new();
    for wanted in document.wanted_params() {
        let paths = if wanted.is_glob {
            let pattern = match glob::Pattern::new(&wanted.pattern) {
                Ok(pattern) => pattern,
                Err(why) => {
                    document.report(problem(
                        "bad-pattern",
                        format!("`{}`: {why}", wanted.pattern),
                        &wanted,
                        None,
                    ));
                    continue;
                }
            };
            pattern
                .files(root)
                .map_err(|(path, error)| LoadError::Io(path, error))?
        } else {
            vec![PathBuf::from(&wanted.pattern)]
        };
        for path in paths {
            let file = path.to_string_lossy().into_owned();
            match std::fs::read(root.join(&path)) {
                Ok(text) => files.push(ParamsFile { file, text }),
                Err(error) => {
                    let help = (error.kind() == io::ErrorKind::NotFound)
                        .then(|| "make the file, or name a pattern such as `conf/*.yml`, which may match nothing".into());
                    document.report(problem(
                        "params-file",
                        format!("cannot read {file}: {error}"),
                        &wanted,
                        help,
                    ));
                }
            }
        }
    }
    Ok(files)
}

fn problem(
    code: &'static str,
    message: String,
    wanted: &jalon_conf::Wanted,
    help: Option<String>,
) -> Diagnostic {
    let spans = vec![(wanted.at.clone(), String::new())];
    Diagnostic {
        severity: Severity::Error,
        code,
        message,
        help,
        spans,
    }
}
