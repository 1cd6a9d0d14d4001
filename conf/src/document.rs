//! The two steps of reading: texts to a [`Document`], and, once the parameter files are there,
//! to a [`Lowered`] pipeline. Between the two the caller reads files; nothing here does.

use crate::check::check;
use crate::diagnostic::{Diagnostic, Location, Severity};
use crate::findings::Findings;
use crate::layers::{Setting, Text, overlay};
use crate::lower;
use crate::nearest::did_you_mean;
use crate::params::{ParamsFile, Wanted};
use crate::pipeline::Pipeline;
use crate::raw::{Raw, Table};
use crate::request::Request;
use crate::scope::{PARAMS_TOO_EARLY, Scope, resolve_vars};
use crate::settings;
use crate::toml_text;

/// Another tool's definition that is to be joined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Import {
    /// Project-relative.
    pub path: String,
    /// What its nodes are called after.
    pub prefix: Option<String>,
    /// Where it was written.
    pub at: Location,
}

/// What came of a definition.
#[derive(Debug)]
pub struct Lowered {
    /// None if there is any error.
    pub pipeline: Option<Pipeline>,
    /// Errors and warnings, by file and place.
    pub diagnostics: Vec<Diagnostic>,
    /// Where each setting came from.
    pub provenance: Vec<Setting>,
}

/// A definition that was read but not yet lowered.
#[derive(Debug)]
pub struct Document {
    table: Table,
    findings: Findings,
    request: Request,
    wanted: Vec<Wanted>,
}

/// Reads texts; what is wrong is collected, not returned.
#[must_use]
pub fn parse(texts: Vec<Text>, request: &Request) -> Document {
    let mut findings = Findings::default();
    let mut table = Table::default();
    let mut texts = texts;
    texts.sort_by_key(|t| t.layer);
    for text in &texts {
        table.merge(read(text, &mut findings));
    }
    let uses_env = texts
        .iter()
        .any(|t| t.text.contains("{{env}}") || t.text.contains("{{ env }}"));
    select_env(&mut table, &request.env, uses_env, &mut findings);
    requires(&table, &request.version, &mut findings);
    let wanted = wanted(&table, &request.env, &mut findings);
    Document {
        table,
        findings,
        request: request.clone(),
        wanted,
    }
}

impl Document {
    /// The parameter files to read, in merge order; a glob's matches are merged in sorted order.
    #[must_use]
    pub fn wanted_params(&self) -> Vec<Wanted> {
        self.wanted.clone()
    }

    /// The dvc.yaml to join, if the definition asks for one.
    #[must_use]
    pub fn wanted_dvc(&mut self) -> Option<Import> {
        let import = self.table.sub("import")?.sub("dvc")?;
        let path = import.get("path")?;
        let prefix = import
            .get("prefix")
            .and_then(|item| Some((item.text()?, item.at)));
        if let Some((prefix, at)) = prefix
            && let Some(problem) = crate::check::bad_name(prefix)
        {
            self.findings
                .say(at, Diagnostic::error("bad-name", problem));
        }
        let clean = lower::paths::clean(path.text()?, path.at, false, &mut self.findings)?;
        Some(Import {
            path: clean.text,
            prefix: prefix.map(|(prefix, _)| prefix.to_owned()),
            at: self.findings.texts.locate(path.at),
        })
    }

    /// Adds what the caller found, such as a parameter file that is missing.
    pub fn report(&mut self, d: Diagnostic) {
        if d.severity == Severity::Error {
            self.findings.shake("params");
        }
        self.findings.push(d);
    }

    /// Resolves everything.
    #[must_use]
    pub fn lower(self, params: Vec<ParamsFile>) -> Lowered {
        let Document {
            table,
            mut findings,
            request,
            wanted,
        } = self;
        let pipeline = lower::lower(&table, &request, params, &wanted, &mut findings);
        let provenance = settings::provenance(&table, &findings.texts);
        let pipeline = pipeline.filter(|_| !findings.has_errors());
        Lowered {
            pipeline,
            diagnostics: findings.into_sorted(),
            provenance,
        }
    }
}

/// One text, checked.
pub(crate) fn read(text: &Text, findings: &mut Findings) -> Table {
    let contents = text.text.strip_prefix('\u{feff}').unwrap_or(&text.text);
    let file = findings.texts.add(&text.file, contents);
    let read = toml_text::read(file, contents, text.layer);
    findings.all_shaken |= !read.mistakes.is_empty();
    for m in read.mistakes {
        findings.say(
            m.at,
            Diagnostic::error(m.code, m.message).maybe_help(m.help),
        );
    }
    check(&read.table, text.layer, findings);
    read.table
}

/// Lays `[env.NAME]` over the rest; warns where the choice changes nothing.
fn select_env(table: &mut Table, env: &str, uses_env: bool, findings: &mut Findings) {
    let mut envs = table
        .take("env")
        .map_or_else(Table::default, |e| match e.item.raw {
            Raw::Table(envs) => envs,
            _ => Table::default(),
        });
    if let Some(selected) = envs.take(env) {
        if let Raw::Table(over) = selected.item.raw {
            overlay(table, over);
        }
    } else if env != "local" && !uses_env {
        let message = format!(
            "the environment `{env}` changes nothing: there is no [env.{env}] and no {{{{env}}}}"
        );
        let help = did_you_mean(env, envs.entries.iter().map(|e| e.key.as_str()));
        findings.push(Diagnostic::warning("unknown-env", message).maybe_help(help));
    }
}

fn requires(table: &Table, version: &str, findings: &mut Findings) {
    let Some(item) = table.sub("pipeline").and_then(|p| p.get("requires")) else {
        return;
    };
    let Some(text) = item.text() else { return };
    match semver::VersionReq::parse(text) {
        Err(error) => {
            let what = Diagnostic::error(
                "bad-requires",
                format!("{text:?} is not a range of versions: {error}"),
            )
            .help("write a range like \">=0.1\" or \">=0.1, <2\"");
            findings.say(item.at, what);
        }
        Ok(range) => {
            let Ok(mut own) = semver::Version::parse(version) else {
                return;
            };
            own.pre = semver::Prerelease::EMPTY;
            if !range.matches(&own) {
                let message =
                    format!("this pipeline requires jalon {text}, and this is jalon {version}");
                findings.say(
                    item.at,
                    Diagnostic::error("requires", message).help("install a jalon in that range"),
                );
            }
        }
    }
}

fn wanted(table: &Table, env: &str, findings: &mut Findings) -> Vec<Wanted> {
    let Some(pipeline) = table.sub("pipeline") else {
        return Vec::new();
    };
    let Some(patterns) = pipeline.get("params").and_then(|p| p.list()) else {
        return Vec::new();
    };
    let mut unsaid = Findings::default();
    let vars = resolve_vars(pipeline.sub("vars"), env, None, &mut unsaid);
    let early: Vec<Diagnostic> = unsaid.into_sorted();
    let early = early.iter().any(|d| d.code == PARAMS_TOO_EARLY);
    let scope = Scope {
        vars: &vars,
        env,
        params: None,
        matrix: None,
        shaken: false,
    };
    let mut out = Vec::new();
    for item in patterns {
        let Some(text) = item.text() else { continue };
        let before = findings.count();
        let Some(pattern) = scope.text(text, item.at, findings) else {
            if early && findings.count() == before {
                let message = "a variable that needs parameters cannot say where they are";
                findings.say(item.at, Diagnostic::error(PARAMS_TOO_EARLY, message));
            }
            continue;
        };
        let outside = lower::paths::allow_outside(table);
        if let Some(path) = lower::paths::clean(&pattern, item.at, outside, findings) {
            let is_glob = lower::paths::is_glob(&path.text);
            out.push(Wanted {
                pattern: path.text,
                at: findings.texts.locate(item.at),
                is_glob,
            });
        }
    }
    out
}
