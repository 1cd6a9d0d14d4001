//! `in`: artifact names and selectors to the instances they bind.

use super::artifacts::{Catalog, Family};
use super::draft::Draft;
use crate::diagnostic::Diagnostic;
use crate::findings::Findings;
use crate::name::{Match, Selector};
use crate::nearest::{did_you_mean, listing};
use crate::pipeline::{ArtifactId, Input};
use crate::place::At;
use crate::raw::{Item, Raw};
use crate::scope::Scope;

/// What one entry of `in` says.
struct Entry<'a> {
    /// Absent in a list: the artifact's own name.
    alias: Option<&'a str>,
    items: &'a [Item],
    at: At,
}

/// Binds the inputs of one instance.
pub(crate) fn bind(
    draft: &Draft<'_>,
    scope: &Scope<'_>,
    catalog: &Catalog,
    findings: &mut Findings,
) -> Vec<Input> {
    let mut inputs: Vec<Input> = Vec::new();
    for entry in entries(draft.table.get("in")) {
        let mut artifacts = Vec::new();
        let mut list = entry.items.len() != 1;
        let mut name = None;
        for item in entry.items {
            let Some((base, bound, many)) = one(item, scope, catalog, findings) else {
                continue;
            };
            list |= many;
            artifacts.extend(bound);
            name.get_or_insert(base);
        }
        let Some(alias) = entry.alias.map(str::to_owned).or(name) else {
            continue;
        };
        if inputs.iter().any(|i| i.alias == alias) {
            let message = format!("two inputs are called `{alias}`");
            let help = "write in = { a = \"…\", b = \"…\" } to give each a name of its own";
            findings.say(
                entry.at,
                Diagnostic::error("duplicate-input", message).help(help),
            );
            continue;
        }
        inputs.push(Input {
            alias,
            artifacts,
            list,
            within: None,
            at: findings.texts.locate(entry.at),
        });
    }
    inputs
}

fn entries(item: Option<&Item>) -> Vec<Entry<'_>> {
    match item.map(|i| &i.raw) {
        Some(Raw::List(items)) => items
            .iter()
            .map(|i| Entry {
                alias: None,
                items: std::slice::from_ref(i),
                at: i.at,
            })
            .collect(),
        Some(Raw::Table(table)) => table
            .entries
            .iter()
            .map(|e| Entry {
                alias: Some(&e.key),
                items: e.item.one_or_many(),
                at: e.item.at,
            })
            .collect(),
        _ => Vec::new(),
    }
}

type Bound = (String, Vec<ArtifactId>, bool);

fn one(
    item: &Item,
    scope: &Scope<'_>,
    catalog: &Catalog,
    findings: &mut Findings,
) -> Option<Bound> {
    let text = scope.text(item.text()?, item.at, findings)?;
    let (base, matches) = match Selector::parse(&text) {
        Ok(Selector::Name { base, matches }) => (base, matches),
        Ok(Selector::Tag(_)) => {
            return refuse(
                item.at,
                "a tag selects nodes, not artifacts".into(),
                findings,
            );
        }
        Ok(Selector::Path(path)) => {
            let message = format!("`{path}` is a path: inputs are named");
            return refuse(item.at, message, findings);
        }
        Err(problem) => return refuse(item.at, problem, findings),
    };
    let Some(family) = catalog.families.get(&base) else {
        if !findings.is_shaken("node") && !findings.is_shaken("source") {
            let known = catalog.families.keys().map(String::as_str);
            let help = findings.few().then(|| did_you_mean(&base, known)).flatten();
            let help =
                help.unwrap_or_else(|| "declare it in [source], or in the `out` of a node".into());
            findings.say(
                item.at,
                Diagnostic::error("unknown-artifact", format!("unknown artifact `{base}`"))
                    .help(help),
            );
        }
        return Some((base, Vec::new(), false));
    };
    let (ids, list) = match &matches {
        None => (bare(&base, family, scope, item.at, findings), false),
        Some(matches) => (
            selected(&text, matches, family, catalog, item.at, findings),
            true,
        ),
    };
    Some((base, ids, list))
}

fn refuse(at: At, message: String, findings: &mut Findings) -> Option<Bound> {
    let help = "write the name of an artifact; a path is given a name in [source]";
    findings.say(at, Diagnostic::error("bad-selector", message).help(help));
    None
}

/// A bare name: the only instance, or the one with this node's own values.
fn bare(
    base: &str,
    family: &Family,
    scope: &Scope<'_>,
    at: At,
    findings: &mut Findings,
) -> Vec<ArtifactId> {
    if family.keys.is_empty() {
        return family.ids.clone();
    }
    let own = scope.matrix.unwrap_or(&[]);
    let value = |key: &String| own.iter().find(|(k, _)| k == key).map(|(_, v)| v.clone());
    let stars = vec!["*"; family.keys.len()].join(",");
    let Some(values) = family
        .keys
        .iter()
        .map(value)
        .collect::<Option<Vec<String>>>()
    else {
        let keys = listing(family.keys.iter().map(String::as_str));
        let what = Diagnostic::error(
            "which-instance",
            format!("`{base}` has an instance for each {keys}"),
        )
        .help(format!(
            "write `{base}[*]` for all of them, or `{base}[{stars}]` with a value for some `*`"
        ));
        findings.say(at, what);
        return Vec::new();
    };
    match family.by_values.get(&values) {
        Some(id) => vec![*id],
        None => {
            if !family.broken && !scope.shaken {
                let message = format!("there is no `{base}[{}]`", values.join(","));
                let help =
                    format!("write `{base}[*]` for all there are, or skip this combination too");
                findings.say(at, Diagnostic::error("no-instance", message).help(help));
            }
            Vec::new()
        }
    }
}

fn selected(
    text: &str,
    matches: &[Match],
    family: &Family,
    catalog: &Catalog,
    at: At,
    findings: &mut Findings,
) -> Vec<ArtifactId> {
    let value = |m: &Match| {
        if let Match::Value(v) = m {
            Some(v.clone())
        } else {
            None
        }
    };
    if let Some(values) = matches.iter().map(value).collect::<Option<Vec<String>>>()
        && let Some(id) = family.by_values.get(&values)
    {
        return vec![*id];
    }
    let base = family
        .ids
        .first()
        .map_or("", |id| catalog.get(*id).name.base.as_str());
    let selector = Selector::Name {
        base: base.to_owned(),
        matches: Some(matches.to_vec()),
    };
    let ids: Vec<ArtifactId> = family
        .ids
        .iter()
        .copied()
        .filter(|id| selector.matches(&catalog.get(*id).name))
        .collect();
    if ids.is_empty() && !family.broken {
        let known: Vec<String> = family
            .ids
            .iter()
            .map(|id| catalog.get(*id).name.to_string())
            .collect();
        let mut help = format!("known: {}", listing(known.iter().map(String::as_str)));
        for m in matches {
            if let Match::Key(key, _) = m
                && !family.keys.contains(key)
            {
                help = format!(
                    "the keys are {}; {help}",
                    listing(family.keys.iter().map(String::as_str))
                );
                break;
            }
        }
        findings.say(
            at,
            Diagnostic::error("no-instance", format!("`{text}` selects nothing")).help(help),
        );
    }
    ids
}
