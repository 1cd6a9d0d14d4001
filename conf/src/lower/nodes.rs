//! Nodes: one draft for each table, then one [`Node`] for each instance.

use std::collections::{BTreeMap, HashMap};

use super::artifacts::Catalog;
use super::command::{Io, command, covers};
use super::draft::Draft;
use super::matrix::{Matrix, Values, expand};
use super::paths::{clean, clean_written};
use super::run_settings::{self, Inherited};
use super::{Context, call, inputs};
use crate::diagnostic::{Diagnostic, Location};
use crate::findings::Findings;
use crate::name::{Instance, Selector};
use crate::nearest::did_you_mean;
use crate::pipeline::{Cache, Command, Node, NodeId, Output};
use crate::place::clamp;
use crate::raw::{Item, Table};
use crate::scope::Scope;
use crate::value::Value;

/// Numbers all instances.
pub(crate) fn draft<'a>(cx: &Context<'a>, findings: &mut Findings) -> Vec<Draft<'a>> {
    let mut drafts = Vec::new();
    let mut next = 0;
    for entry in cx.table.sub("node").map_or(&[][..], |t| &t.entries) {
        let Some(table) = entry.item.table() else {
            continue;
        };
        let matrix = expand(table, findings);
        let unexpanded = matrix.is_none();
        let matrix = matrix.unwrap_or_else(|| unknown_instances(table));
        let count = matrix.instances.len();
        drafts.push(Draft {
            name: &entry.key,
            at: entry.key_at,
            table,
            first: next,
            outputs: vec![Vec::new(); count],
            shaken: unexpanded || findings.is_shaken(&format!("node.{}", entry.key)),
            unexpanded,
            matrix,
        });
        next += clamp(count);
    }
    drafts
}

/// No instances, but the keys as far as they are known.
fn unknown_instances(table: &Table) -> Matrix {
    let keys = table
        .sub("matrix")
        .map_or(&[][..], |t| &t.entries)
        .iter()
        .map(|e| e.key.clone())
        .collect();
    Matrix {
        keys,
        instances: Vec::new(),
    }
}

/// Builds every instance.
pub(crate) fn build(
    cx: &Context<'_>,
    drafts: &[Draft<'_>],
    catalog: &Catalog,
    findings: &mut Findings,
) -> Vec<Node> {
    let inherited = Inherited::new(cx.table.sub("defaults"));
    let by_name: HashMap<&str, &Draft<'_>> = drafts.iter().map(|d| (d.name, d)).collect();
    let mut nodes = Vec::with_capacity(drafts.iter().map(|d| d.matrix.instances.len()).sum());
    for draft in drafts {
        for (index, values) in draft.matrix.instances.iter().enumerate() {
            let builder = Builder {
                cx,
                draft,
                values,
                index,
                catalog,
                by_name: &by_name,
                inherited: &inherited,
            };
            nodes.push(builder.node(findings));
        }
    }
    nodes
}

struct Builder<'b, 'a> {
    cx: &'b Context<'a>,
    draft: &'b Draft<'a>,
    values: &'b Values,
    index: usize,
    catalog: &'b Catalog,
    by_name: &'b HashMap<&'a str, &'b Draft<'a>>,
    inherited: &'b Inherited<'a>,
}

impl Builder<'_, '_> {
    fn node(&self, findings: &mut Findings) -> Node {
        let (draft, table) = (self.draft, self.draft.table);
        let scope = draft.scope(self.cx, self.values);
        let inputs = inputs::bind(draft, &scope, self.catalog, findings);
        let outputs: Vec<Output> = draft.outputs[self.index]
            .iter()
            .map(|(alias, artifact)| Output {
                alias: alias.clone(),
                artifact: *artifact,
            })
            .collect();
        let params = self.params(&scope, findings);
        let io = Io {
            table,
            inputs: &inputs,
            outputs: &outputs,
            catalog: self.catalog,
            params: &params.0,
        };
        let command = self.command(&scope, &io, findings);
        let settings = run_settings::read(self.inherited, table, &scope, findings);
        Node {
            name: Instance {
                base: draft.name.to_owned(),
                matrix: self.values.clone(),
            },
            command,
            code: self.code(&scope, findings),
            inputs,
            outputs,
            params: params.1,
            env: settings.env,
            pass_env: settings.pass_env,
            secrets: settings.secrets,
            root_env: Vec::new(),
            directory: None,
            partly_read: Vec::new(),
            after: self.after(&scope, findings),
            tags: self.expanded("tags", &scope, findings),
            group: table
                .get("group")
                .and_then(|i| scope.text(i.text()?, i.at, findings)),
            resources: settings.resources,
            retries: settings.retries,
            timeout: settings.timeout,
            cache: match table.get("cache").and_then(Item::bool) {
                None => Cache::Default,
                Some(true) => Cache::Yes,
                Some(false) => Cache::No,
            },
            checkpoint: self.checkpoint(&scope, findings),
            undeclared: settings.undeclared,
            isolation: settings.isolation,
            at: findings.texts.locate(draft.at),
        }
    }

    fn command(&self, scope: &Scope<'_>, io: &Io<'_>, findings: &mut Findings) -> Command {
        let table = self.draft.table;
        match (table.get("cmd"), table.get("call")) {
            (Some(item), None) => return command(item, scope, Some(io), findings),
            (None, Some(item)) => return call::read(item, scope, io, findings),
            (Some(_), Some(item)) => {
                let message = format!("the node `{}` has both `cmd` and `call`", self.draft.name);
                let what = Diagnostic::error("two-commands", message);
                findings.say(
                    item.at,
                    what.help("a node is a command or a function: keep one"),
                );
            }
            (None, None) if self.draft.shaken => {}
            (None, None) => {
                let message = format!(
                    "the node `{}` has neither `cmd` nor `call`",
                    self.draft.name
                );
                let help = "write cmd = \"…\" for a shell, cmd = [\"…\", \"…\"], or call = \"package.module:function\"";
                findings.say(
                    self.draft.at,
                    Diagnostic::error("missing-key", message).help(help),
                );
            }
        }
        Command::Exec(Vec::new())
    }

    fn expanded(&self, key: &str, scope: &Scope<'_>, findings: &mut Findings) -> Vec<String> {
        self.draft
            .texts(key)
            .filter_map(|(t, at)| scope.text(t, at, findings))
            .collect()
    }

    fn code(&self, scope: &Scope<'_>, findings: &mut Findings) -> Vec<(String, Location)> {
        let mut out = Vec::new();
        for (text, at) in self.draft.texts("code") {
            let Some(path) = scope
                .text(text, at, findings)
                .and_then(|p| clean(&p, at, self.cx.outside, findings))
            else {
                continue;
            };
            if let Some(problem) = super::glob::malformed(&path.text) {
                findings.say(at, Diagnostic::error("bad-path", problem));
            }
            let below = if path.directory { "/**" } else { "" };
            out.push((format!("{}{below}", path.text), findings.texts.locate(at)));
        }
        out
    }

    fn checkpoint(&self, scope: &Scope<'_>, findings: &mut Findings) -> Option<String> {
        let item = self.draft.table.get("checkpoint")?;
        let path = scope.text(item.text()?, item.at, findings)?;
        Some(clean_written(&path, item.at, self.cx.outside, findings)?.text)
    }

    /// The declared paths, and their values, sorted and without what another one covers.
    fn params(
        &self,
        scope: &Scope<'_>,
        findings: &mut Findings,
    ) -> (Vec<String>, Vec<(String, Value)>) {
        let mut found = BTreeMap::new();
        let mut declared = Vec::new();
        for (text, at) in self.draft.texts("params") {
            let Some(path) = scope.text(text, at, findings) else {
                continue;
            };
            match self.cx.params.find(&path) {
                Ok(value) => drop(found.insert(path.clone(), value)),
                Err(_) if findings.is_shaken("params") => {}
                Err(problem) => findings.say(at, problem),
            }
            declared.push(path);
        }
        let covered = |path: &str| {
            declared
                .iter()
                .any(|d| d.len() < path.len() && covers(d, path))
        };
        let values = found
            .iter()
            .filter(|(p, _)| !covered(p))
            .map(|(p, v)| (p.clone(), (*v).clone()))
            .collect();
        (declared, values)
    }

    fn after(&self, scope: &Scope<'_>, findings: &mut Findings) -> Vec<NodeId> {
        let mut out = Vec::new();
        for (text, at) in self.draft.texts("after") {
            let Some(text) = scope.text(text, at, findings) else {
                continue;
            };
            let problem = match Selector::parse(&text) {
                Ok(selector @ Selector::Name { .. }) => {
                    match self.after_one(&selector, findings.few(), &mut out) {
                        Some(problem) => problem,
                        None => continue,
                    }
                }
                Ok(_) => Diagnostic::error(
                    "bad-selector",
                    format!("`{text}` is not the name of a node"),
                ),
                Err(problem) => Diagnostic::error("bad-selector", problem),
            };
            if !findings.is_shaken("node") {
                findings.say(at, problem);
            }
        }
        out.sort_unstable();
        out.dedup();
        out
    }

    /// Without brackets every instance; otherwise those that match.
    fn after_one(
        &self,
        selector: &Selector,
        suggest: bool,
        out: &mut Vec<NodeId>,
    ) -> Option<Diagnostic> {
        let Selector::Name { base, .. } = selector else {
            return None;
        };
        let Some(draft) = self.by_name.get(base.as_str()) else {
            let near = suggest
                .then(|| did_you_mean(base, self.by_name.keys().copied()))
                .flatten();
            let help = near.or_else(|| {
                self.catalog.families.get(base).map(|_| {
                    format!(
                        "`{base}` is an artifact: name the node that makes it, or put it in `in`"
                    )
                })
            });
            return Some(
                Diagnostic::error("unknown-node", format!("unknown node `{base}`"))
                    .maybe_help(help),
            );
        };
        let before = out.len();
        for (index, values) in draft.matrix.instances.iter().enumerate() {
            let name = Instance {
                base: base.clone(),
                matrix: values.clone(),
            };
            if selector.matches(&name) {
                out.push(NodeId(draft.first + clamp(index)));
            }
        }
        let nothing = out.len() == before && !draft.unexpanded;
        nothing.then(|| {
            Diagnostic::error(
                "no-instance",
                format!("no instance of `{base}` is selected"),
            )
        })
    }
}
