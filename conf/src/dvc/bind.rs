//! Who makes what: outputs by path, and what stands for a dependency, whole or in part.
//!
//! A dependency is an output, lies inside one, has some inside it, or is a source.

use std::collections::{BTreeMap, HashMap};

use super::paths::{below, is_outside, scheme};
use super::stages::{Out, Stage};
use super::tracked::Tracked;
use crate::diagnostic::Diagnostic;
use crate::findings::Findings;
use crate::format::Format;
use crate::name::Instance;
use crate::pipeline::{Artifact, ArtifactId, Input, Keep, Kind, NodeId, Shape};
use crate::place::{At, clamp};

/// Artifacts while they are being found.
#[derive(Default)]
pub(super) struct Catalog {
    pub artifacts: Vec<Artifact>,
    /// Outputs of nodes, by their paths' components.
    outputs: BTreeMap<Vec<String>, ArtifactId>,
    /// By path: what to do where it is missing.
    obtain: BTreeMap<Vec<String>, String>,
    sources: HashMap<String, ArtifactId>,
}

/// Somebody who says that something lies at a path.
struct Claim<'a> {
    key: Vec<String>,
    path: &'a str,
    at: At,
    who: String,
}

fn components(path: &str) -> Vec<String> {
    let absolute = path.starts_with('/').then(|| "/".to_owned());
    let parts = path.split('/').filter(|part| !part.is_empty());
    absolute
        .into_iter()
        .chain(parts.map(str::to_owned))
        .collect()
}

impl Catalog {
    /// All outputs of the nodes, in order; what frozen stages and `.dvc` files stand for are sources.
    pub fn declare(
        &mut self,
        nodes: &[&Stage],
        frozen: &[&Stage],
        tracked: &[Tracked],
        kinds: &[(String, Kind)],
        findings: &mut Findings,
    ) {
        let mut claims = Vec::new();
        for stage in nodes.iter().chain(frozen) {
            for out in &stage.outs {
                if usable(out, findings) {
                    claims.push(claim(
                        &out.path,
                        out.at,
                        format!("the stage `{}`", stage.name),
                    ));
                }
            }
        }
        for file in tracked {
            for (path, at) in &file.outs {
                claims.push(claim(path, *at, file.file.clone()));
            }
        }
        overlaps(claims, findings);
        let kinds: HashMap<&str, Kind> =
            kinds.iter().map(|(path, kind)| (&**path, *kind)).collect();
        for (index, stage) in nodes.iter().enumerate() {
            for out in &stage.outs {
                let kind = kinds.get(out.path.as_str()).copied();
                let kind = kind.filter(|_| out.kind == Kind::Data).unwrap_or(out.kind);
                self.output(out, kind, NodeId(clamp(index)), findings);
            }
        }
        for stage in frozen {
            for out in &stage.outs {
                let help = format!(
                    "the stage `{}` is frozen and never runs: `dvc pull {}` gets its output, or take `frozen` away",
                    stage.name, out.path
                );
                self.obtain.insert(components(&out.path), help);
            }
        }
        for file in tracked {
            for (path, _) in &file.outs {
                let help = format!(
                    "{} has only its digest: `dvc pull {}` gets the data",
                    file.file, file.file
                );
                self.obtain.insert(components(path), help);
            }
        }
    }

    fn output(&mut self, out: &Out, kind: Kind, producer: NodeId, findings: &Findings) {
        let id = ArtifactId(clamp(self.artifacts.len()));
        self.outputs.insert(components(&out.path), id);
        self.artifacts.push(Artifact {
            name: Instance::new(&out.path),
            path: out.path.clone(),
            shape: Shape::Any,
            producer: Some(producer),
            keep: Keep::Store,
            kind,
            format: Format::of(&out.path),
            stateful: out.persist,
            private: false,
            versions: None,
            load_version: None,
            except: Vec::new(),
            obtain: None,
            at: findings.texts.locate(out.at),
        });
    }

    /// The output at a path.
    pub fn output_at(&self, path: &str) -> Option<ArtifactId> {
        self.outputs.get(&components(path)).copied()
    }

    /// The output that a path is or lies in, and the way from there.
    pub fn around(&self, path: &str) -> Option<(ArtifactId, Option<String>)> {
        let key = components(path);
        (1..=key.len()).rev().find_map(|length| {
            let id = self.outputs.get(&key[..length])?;
            let within = key[length..].join("/");
            Some((*id, (!within.is_empty()).then_some(within)))
        })
    }

    /// What a dependency stands for.
    pub fn input(&mut self, path: &str, at: At, findings: &mut Findings) -> Option<Input> {
        if let Some(scheme) = scheme(path) {
            unsupported(scheme, path, at, findings);
            return None;
        }
        let alias = if path.is_empty() { "." } else { path }.to_owned();
        let place = findings.texts.locate(at);
        let mut input = Input {
            alias,
            artifacts: Vec::new(),
            list: false,
            within: None,
            at: place,
        };
        if let Some((id, within)) = self.around(path) {
            input.artifacts.push(id);
            input.within = within;
            return Some(input);
        }
        let key = components(path);
        let inside = self.outputs.range(key.clone()..);
        let inside: Vec<ArtifactId> = inside
            .take_while(|(other, _)| other.starts_with(&key))
            .map(|(_, id)| *id)
            .collect();
        input.list = !inside.is_empty();
        let rest = self.source(path, &inside, at, findings);
        input.artifacts = inside.into_iter().chain([rest]).collect();
        Some(input)
    }

    /// What lies at a path and nobody makes.
    fn source(
        &mut self,
        path: &str,
        made: &[ArtifactId],
        at: At,
        findings: &Findings,
    ) -> ArtifactId {
        let pattern = (!made.is_empty() || path.is_empty()).then(|| everything_below(path));
        let name = pattern.as_deref().unwrap_or(path);
        if let Some(known) = self.sources.get(name) {
            return *known;
        }
        let made = made
            .iter()
            .map(|id| self.artifacts[id.0 as usize].path.clone());
        let id = ArtifactId(clamp(self.artifacts.len()));
        let artifact = Artifact {
            name: Instance::new(name),
            path: name.to_owned(),
            shape: pattern.as_ref().map_or(Shape::Any, |_| Shape::Glob),
            producer: None,
            keep: Keep::Store,
            kind: Kind::Data,
            format: pattern.as_ref().map_or_else(|| Format::of(name), |_| None),
            stateful: false,
            private: false,
            versions: None,
            load_version: None,
            except: made.collect(),
            obtain: self.obtained(path),
            at: findings.texts.locate(at),
        };
        self.sources.insert(name.to_owned(), id);
        self.artifacts.push(artifact);
        id
    }

    /// How to get what lies at a path, or around it.
    fn obtained(&self, path: &str) -> Option<String> {
        let key = components(path);
        (1..=key.len())
            .rev()
            .find_map(|length| self.obtain.get(&key[..length]).cloned())
    }
}

/// A pattern for all files below a directory.
fn everything_below(directory: &str) -> String {
    let mut pattern = String::new();
    for c in directory.chars() {
        if "*?[]{}\\!".contains(c) {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    if !pattern.is_empty() {
        pattern.push('/');
    }
    pattern + "**"
}

fn claim(path: &str, at: At, who: String) -> Claim<'_> {
    let key = components(path);
    Claim { key, path, at, who }
}

/// Whether something can be made there; says why not.
fn usable(out: &Out, findings: &mut Findings) -> bool {
    let path = out.path.as_str();
    if let Some(scheme) = scheme(path) {
        unsupported(scheme, path, out.at, findings);
        return false;
    }
    let last = path.rsplit('/').next().unwrap_or(path);
    let private = path
        .split('/')
        .any(|part| matches!(part, ".git" | ".dvc" | ".jalon"));
    let own = matches!(last, "dvc.yaml" | "dvc.lock" | "jalon.toml") || last.ends_with(".dvc");
    let problem = if path.is_empty() {
        Diagnostic::error("bad-path", "an output cannot be the whole project")
    } else if private || own {
        Diagnostic::error("reserved-path", format!("`{path}` cannot be an output"))
    } else if is_outside(path) && out.cache {
        Diagnostic::error(
            "outside",
            format!("the output `{path}` lies outside the project"),
        )
        .help("move it into the project; with `cache: false` it may stay where it is, as under DVC")
    } else {
        return true;
    };
    findings.say(out.at, problem);
    false
}

fn unsupported(scheme: &str, path: &str, at: At, findings: &mut Findings) {
    let (message, help) = match scheme {
        "ds" => (
            format!("`{path}` is a dataset of DVC, which jalon does not read"),
            "get the data with `dvc pull` or a stage of its own, and depend on the files",
        ),
        _ => (
            format!("`{path}` is not a path: addresses are not supported"),
            "let a stage with `always_changed: true` fetch it into the project, or `dvc import-url` it, and depend on the file",
        ),
    };
    findings.say(at, Diagnostic::error("not-a-path", message).help(help));
}

/// Says every two that are the same, and every one inside another.
fn overlaps(mut claims: Vec<Claim<'_>>, findings: &mut Findings) {
    claims.sort_by(|a, b| a.key.cmp(&b.key).then(a.at.cmp(&b.at)));
    let mut open: Vec<&Claim<'_>> = Vec::new();
    for claim in &claims {
        while open
            .last()
            .is_some_and(|outer| below(claim.path, outer.path).is_none())
        {
            open.pop();
        }
        if let Some(outer) = open.last() {
            let same = outer.key == claim.key;
            let (code, message) = if same && outer.who == claim.who {
                (
                    "same-path",
                    format!("{} makes `{}` twice", claim.who, claim.path),
                )
            } else if same {
                (
                    "two-producers",
                    format!("both {} and {} make `{}`", outer.who, claim.who, claim.path),
                )
            } else {
                (
                    "output-in-output",
                    format!(
                        "`{}` of {} lies inside `{}` of {}",
                        claim.path, claim.who, outer.path, outer.who
                    ),
                )
            };
            let what = findings.related(Diagnostic::error(code, message), outer.at, "the other");
            findings.say(claim.at, what.help("give each output a path of its own"));
        } else {
            open.push(claim);
        }
    }
}
