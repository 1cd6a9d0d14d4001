//! Sources and outputs: every artifact instance with its path, and the families that share a name.

use std::collections::HashMap;

use super::Context;
use super::draft::Draft;
use super::paths::{clean, clean_written, is_glob};
use crate::diagnostic::Diagnostic;
use crate::findings::Findings;
use crate::format::Format;
use crate::name::Instance;
use crate::pipeline::{Artifact, ArtifactId, Keep, Kind, NodeId, Shape};
use crate::place::{At, clamp};
use crate::raw::{Entry, Raw};

/// All artifacts, by id and by name.
#[derive(Default)]
pub(crate) struct Catalog {
    pub artifacts: Vec<Artifact>,
    /// Where each artifact's path was written.
    pub path_at: Vec<At>,
    pub families: HashMap<String, Family>,
}

/// The instances of one artifact.
pub(crate) struct Family {
    pub name_at: At,
    /// Keys of the producer's matrix.
    pub keys: Vec<String>,
    pub ids: Vec<ArtifactId>,
    /// Instances by all their values; empty without a matrix.
    pub by_values: HashMap<Vec<String>, ArtifactId>,
    /// An instance could not be made: nothing is said of what is missing.
    pub broken: bool,
}

/// One output as written.
struct Written<'a> {
    entry: &'a Entry,
    path: Option<(&'a str, At)>,
    keep: Keep,
    kind: Kind,
    format: Option<Format>,
}

/// Declares sources, then every output of every draft.
pub(crate) fn declare(
    cx: &Context<'_>,
    drafts: &mut [Draft<'_>],
    findings: &mut Findings,
) -> Catalog {
    let mut catalog = Catalog::default();
    for entry in cx.table.sub("source").map_or(&[][..], |t| &t.entries) {
        source(cx, entry, &mut catalog, findings);
    }
    for draft in drafts {
        for entry in draft.table.sub("out").map_or(&[][..], |t| &t.entries) {
            let written = written(entry);
            outputs(cx, draft, &written, &mut catalog, findings);
        }
    }
    catalog
}

fn source(cx: &Context<'_>, entry: &Entry, catalog: &mut Catalog, findings: &mut Findings) {
    catalog.family(entry, &[]);
    let at = entry.item.at;
    let path = entry
        .item
        .text()
        .and_then(|t| cx.scope().text(t, at, findings));
    let Some(path) = path.and_then(|p| clean(&p, at, cx.outside, findings)) else {
        catalog.broken(&entry.key);
        return;
    };
    let shape = match (is_glob(&path.text), path.directory) {
        (true, false) => Shape::Glob,
        (false, true) => Shape::Directory,
        (false, false) => Shape::Any,
        (true, true) => {
            let what = Diagnostic::error(
                "bad-path",
                "a pattern matches files, and this one ends with a /",
            );
            findings.say(at, what.help("write `**` for everything below a directory"));
            return catalog.broken(&entry.key);
        }
    };
    if shape == Shape::Glob
        && let Some(problem) = super::glob::malformed(&path.text)
    {
        findings.say(at, Diagnostic::error("bad-path", problem));
        return catalog.broken(&entry.key);
    }
    let artifact = Artifact {
        name: Instance::new(&entry.key),
        format: shape.format(&path.text),
        path: path.text,
        shape,
        producer: None,
        keep: Keep::Store,
        kind: Kind::Data,
        stateful: false,
        private: false,
        versions: None,
        load_version: None,
        except: Vec::new(),
        obtain: None,
        at: findings.texts.locate(entry.key_at),
    };
    catalog.add(artifact, at);
}

fn written(entry: &Entry) -> Written<'_> {
    let mut written = Written {
        entry,
        path: None,
        keep: Keep::Store,
        kind: Kind::Data,
        format: None,
    };
    match &entry.item.raw {
        Raw::Text(text) => written.path = Some((text, entry.item.at)),
        Raw::Table(table) => {
            written.path = table.get("path").and_then(|i| Some((i.text()?, i.at)));
            if table.get("keep").and_then(|i| i.text()) == Some("run") {
                written.keep = Keep::Run;
            }
            let kind = table.get("kind").and_then(|i| i.text());
            written.format = kind.and_then(Format::named);
            written.kind = match kind {
                Some("metrics") => Kind::Metrics,
                Some("plot") => Kind::Plot,
                _ => Kind::Data,
            };
        }
        _ => {}
    }
    written
}

fn outputs(
    cx: &Context<'_>,
    draft: &mut Draft<'_>,
    out: &Written<'_>,
    catalog: &mut Catalog,
    findings: &mut Findings,
) {
    let key = &out.entry.key;
    if let Some(first) = catalog.families.get(key) {
        let message = format!("two producers of the artifact `{key}`");
        let what = findings.related(
            Diagnostic::error("two-producers", message),
            first.name_at,
            "first declared here",
        );
        findings.say(out.entry.key_at, what.help("give one of them another name"));
        return;
    }
    catalog.family(out.entry, &draft.matrix.keys);
    if draft.unexpanded {
        catalog.broken(key);
    }
    for (index, values) in draft.matrix.instances.iter().enumerate() {
        let scope = draft.scope(cx, values);
        let path = out.path.and_then(|(text, at)| {
            let text = scope.text(text, at, findings)?;
            Some((clean_written(&text, at, cx.outside, findings)?, at))
        });
        let Some((path, at)) = path else {
            catalog.broken(key);
            continue;
        };
        let shape = if path.directory {
            Shape::Directory
        } else {
            Shape::File
        };
        let id = catalog.add(
            Artifact {
                name: Instance {
                    base: key.clone(),
                    matrix: values.clone(),
                },
                format: out.format.or_else(|| shape.format(&path.text)),
                path: path.text,
                shape,
                producer: Some(NodeId(draft.first + clamp(index))),
                keep: out.keep,
                kind: out.kind,
                stateful: false,
                private: false,
                versions: None,
                load_version: None,
                except: Vec::new(),
                obtain: None,
                at: findings.texts.locate(out.entry.key_at),
            },
            at,
        );
        draft.outputs[index].push((key.clone(), id));
    }
}

impl Catalog {
    fn family(&mut self, entry: &Entry, keys: &[String]) {
        let family = Family {
            name_at: entry.key_at,
            keys: keys.to_vec(),
            ids: Vec::new(),
            by_values: HashMap::new(),
            broken: false,
        };
        self.families.insert(entry.key.clone(), family);
    }

    fn broken(&mut self, name: &str) {
        if let Some(family) = self.families.get_mut(name) {
            family.broken = true;
        }
    }

    fn add(&mut self, artifact: Artifact, path_at: At) -> ArtifactId {
        let id = ArtifactId(clamp(self.artifacts.len()));
        if let Some(family) = self.families.get_mut(&artifact.name.base) {
            family.ids.push(id);
            if !family.keys.is_empty() {
                let values = artifact
                    .name
                    .matrix
                    .iter()
                    .map(|(_, v)| v.clone())
                    .collect();
                family.by_values.insert(values, id);
            }
        }
        self.artifacts.push(artifact);
        self.path_at.push(path_at);
        id
    }

    pub fn get(&self, id: ArtifactId) -> &Artifact {
        &self.artifacts[id.0 as usize]
    }
}
