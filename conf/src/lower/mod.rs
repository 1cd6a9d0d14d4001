//! From the merged definition to a [`Pipeline`]: names bound, matrices expanded, rules checked.
//!
//! Each file here is one step; none looks at a disk. Steps go on after errors, so that all are
//! said in one pass; the caller throws the pipeline away if there was one.

mod artifacts;
mod call;
mod command;
pub(crate) mod cycle;
mod draft;
mod ends;
mod glob;
mod inputs;
mod matrix;
mod nodes;
mod overlap;
mod overwritten;
pub(crate) mod paths;
pub(crate) mod run_settings;

use crate::diagnostic::Diagnostic;
use crate::findings::Findings;
use crate::name::Selector;
use crate::params::{self, Params, ParamsFile, Wanted};
use crate::pipeline::{Pipeline, Programs};
use crate::raw::{Item, Table};
use crate::request::Request;
use crate::scope::{Scope, Vars, resolve_vars};
use crate::settings;

/// What every step sees.
pub(crate) struct Context<'a> {
    pub table: &'a Table,
    pub env: &'a str,
    pub params: &'a Params,
    pub vars: &'a Vars,
    pub outside: bool,
}

impl<'a> Context<'a> {
    /// References outside a node.
    pub fn scope(&self) -> Scope<'a> {
        Scope {
            vars: self.vars,
            env: self.env,
            params: Some(self.params),
            matrix: None,
            shaken: false,
        }
    }
}

/// Lowers a merged definition.
pub(crate) fn lower(
    table: &Table,
    request: &Request,
    files: Vec<ParamsFile>,
    wanted: &[Wanted],
    findings: &mut Findings,
) -> Option<Pipeline> {
    let params = params::read(files, &request.set, findings);
    let own = table.sub("pipeline");
    let vars = resolve_vars(
        own.and_then(|p| p.sub("vars")),
        &request.env,
        Some(&params),
        findings,
    );
    let outside = paths::allow_outside(table);
    let cx = Context {
        table,
        env: &request.env,
        params: &params,
        vars: &vars,
        outside,
    };
    let store = settings::store(table.sub("store"), &cx.scope(), findings);
    let mut drafts = nodes::draft(&cx, findings);
    let catalog = artifacts::declare(&cx, &mut drafts, findings);
    let nodes = nodes::build(&cx, &drafts, &catalog, findings);
    let store_at = table.sub("store").and_then(|s| s.get("path")).map(|i| i.at);
    let store_path = store.path.as_deref().zip(store_at);
    let store_path = store_path
        .and_then(|(path, at)| Some((paths::clean(path, at, true, &mut Findings::default())?, at)));
    let claims = overlap::claims(&drafts, &catalog, &nodes, store_path.as_ref());
    overlap::check(&claims, &catalog, findings);
    overwritten::check(&claims, &nodes, wanted, findings);
    cycle::check(&nodes, &catalog.artifacts, findings);
    let caches = caches(own, findings);
    let python = call::interpreter(&cx, own, findings);
    let python_path = call::search_path(&cx, own, findings);
    let finally = ends::finally(&cx, findings);
    let hooks = ends::hooks(&cx, findings);
    let default = own
        .and_then(|p| p.get("default"))
        .map(|d| default_targets(&cx, d, &nodes, &catalog, findings));
    if findings.has_errors() {
        return None;
    }
    Some(Pipeline {
        name: own
            .and_then(|p| p.get("name"))
            .and_then(Item::text)
            .map(str::to_owned),
        env: request.env.clone(),
        default,
        store,
        programs: match own.and_then(|p| p.get("programs")).and_then(Item::text) {
            Some("content") => Programs::Content,
            _ => Programs::Version,
        },
        caches,
        allow_outside: outside,
        python,
        python_path,
        loaded: Default::default(),
        artifacts: catalog.artifacts,
        nodes,
        finally,
        hooks,
        params: params.value,
        params_parts: params.parts,
    })
}

/// `[pipeline] caches`.
pub(crate) fn caches(own: Option<&Table>, findings: &mut Findings) -> Vec<String> {
    let items = own
        .and_then(|p| p.get("caches"))
        .and_then(Item::list)
        .unwrap_or_default();
    let mut caches = Vec::with_capacity(items.len());
    for item in items {
        let Some(text) = item.text() else { continue };
        if let Some(why) = glob::malformed(text) {
            findings.say(item.at, Diagnostic::error("bad-pattern", why));
        } else if let Some(clean) = paths::clean(text, item.at, false, findings) {
            caches.push(clean.text);
        }
    }
    caches
}

type Targets = Vec<(Selector, crate::diagnostic::Location)>;

/// `[pipeline] default`: each must select something.
fn default_targets(
    cx: &Context<'_>,
    item: &Item,
    nodes: &[crate::pipeline::Node],
    catalog: &artifacts::Catalog,
    findings: &mut Findings,
) -> Targets {
    let mut out = Vec::new();
    for item in item.list().unwrap_or(&[]) {
        let Some(text) = item
            .text()
            .and_then(|t| cx.scope().text(t, item.at, findings))
        else {
            continue;
        };
        let selector = match Selector::parse(&text) {
            Ok(selector) => selector,
            Err(problem) => {
                findings.say(item.at, Diagnostic::error("bad-selector", problem));
                continue;
            }
        };
        if let Some(problem) = unknown_target(&selector, &text, nodes, catalog)
            && !findings.is_shaken("node")
            && !findings.is_shaken("source")
        {
            findings.say(item.at, problem);
        }
        out.push((selector, findings.texts.locate(item.at)));
    }
    out
}

fn unknown_target(
    selector: &Selector,
    text: &str,
    nodes: &[crate::pipeline::Node],
    catalog: &artifacts::Catalog,
) -> Option<Diagnostic> {
    let names = || {
        nodes
            .iter()
            .map(|n| &n.name)
            .chain(catalog.artifacts.iter().map(|a| &a.name))
    };
    match selector {
        Selector::Name { base, .. } => {
            if names().any(|n| selector.matches(n)) {
                return None;
            }
            let known: Vec<String> = names()
                .filter(|n| &n.base == base)
                .map(ToString::to_string)
                .collect();
            let help = if known.is_empty() {
                crate::nearest::did_you_mean(base, names().map(|n| n.base.as_str()))
            } else {
                Some(format!(
                    "known: {}",
                    crate::nearest::listing(known.iter().map(String::as_str))
                ))
            };
            let message = format!("`{text}` is neither a node nor an artifact");
            Some(Diagnostic::error("unknown-target", message).maybe_help(help))
        }
        Selector::Tag(tag) => {
            if nodes.iter().any(|n| n.tags.contains(tag)) {
                return None;
            }
            let known = nodes.iter().flat_map(|n| &n.tags).map(String::as_str);
            let help = crate::nearest::did_you_mean(tag, known);
            Some(
                Diagnostic::error("unknown-target", format!("no node has the tag `{tag}`"))
                    .maybe_help(help),
            )
        }
        Selector::Path(_) => None,
    }
}
