//! `matrix` and `skip`: the combinations a node is expanded to, in written order.

use std::collections::HashSet;

use crate::diagnostic::Diagnostic;
use crate::findings::Findings;
use crate::nearest::{did_you_mean, listing};
use crate::raw::{Item, Table};

/// Instances of one node at most: a slip in a matrix should be said, not run.
const MOST_INSTANCES: usize = 1_000_000;

/// A key and its value, as text, for each place.
pub(crate) type Values = Vec<(String, String)>;

/// The matrix of a node.
#[derive(Debug, Default)]
pub(crate) struct Matrix {
    /// Keys in written order.
    pub keys: Vec<String>,
    /// One entry for each instance; without a matrix, one that is empty.
    pub instances: Vec<Values>,
}

/// Expands a node's matrix; `None` after an error that leaves the instances unknown.
pub(crate) fn expand(node: &Table, findings: &mut Findings) -> Option<Matrix> {
    let Some(item) = node.get("matrix") else {
        if let Some(skip) = node.entry("skip") {
            findings.say(
                skip.key_at,
                Diagnostic::error("skip-without-matrix", "`skip` without `matrix`"),
            );
        }
        return Some(Matrix {
            keys: Vec::new(),
            instances: vec![Vec::new()],
        });
    };
    let mut keys: Vec<(String, Vec<String>)> = Vec::new();
    let mut good = true;
    for entry in &item.table()?.entries {
        let values = values(&entry.item, findings);
        good &= values.is_some();
        keys.push((entry.key.clone(), values.unwrap_or_default()));
    }
    if keys.is_empty() {
        findings.say(
            item.at,
            Diagnostic::error("empty-matrix", "a matrix without keys"),
        );
        return None;
    }
    let skips = skips(node.get("skip"), &keys, good, findings);
    if !good {
        return None;
    }
    let count = keys
        .iter()
        .try_fold(1_usize, |n, (_, v)| n.checked_mul(v.len()));
    if count.is_none_or(|n| n > MOST_INSTANCES) {
        let message = format!("this matrix has more than {MOST_INSTANCES} combinations");
        findings.say(item.at, Diagnostic::error("matrix-too-big", message));
        return None;
    }
    let instances: Vec<Values> = product(&keys)
        .into_iter()
        .filter(|i| !skipped(i, &skips))
        .collect();
    if instances.is_empty() {
        findings.say(
            item.at,
            Diagnostic::error(
                "empty-matrix",
                "`skip` leaves no combination of this matrix",
            ),
        );
        return None;
    }
    Some(Matrix {
        keys: keys.into_iter().map(|(k, _)| k).collect(),
        instances,
    })
}

fn values(list: &Item, findings: &mut Findings) -> Option<Vec<String>> {
    let mut seen = HashSet::new();
    let mut out = Vec::new();
    let items = list.list()?;
    if items.is_empty() {
        findings.say(
            list.at,
            Diagnostic::error("empty-matrix", "a matrix key without values"),
        );
        return None;
    }
    for item in items {
        let word = item.to_value().word()?;
        if word.is_empty()
            || word.contains(|c: char| "[],=*{}".contains(c) || c.is_control())
            || word.trim() != word
        {
            let message = format!("{word:?} cannot be a matrix value");
            findings.say(item.at, Diagnostic::error("bad-matrix-value", message)
                .help("values name instances: no `[`, `]`, `,`, `=`, `*`, braces, or blanks at the ends"));
            return None;
        }
        if !seen.insert(word.clone()) {
            findings.say(
                item.at,
                Diagnostic::error(
                    "duplicate-value",
                    format!("the value `{word}` is given twice"),
                ),
            );
            return None;
        }
        out.push(word);
    }
    Some(out)
}

fn skips(
    item: Option<&Item>,
    keys: &[(String, Vec<String>)],
    good: bool,
    findings: &mut Findings,
) -> Vec<Values> {
    let mut out = Vec::new();
    for skip in item.and_then(Item::list).unwrap_or(&[]) {
        let Some(table) = skip.table() else { continue };
        let mut values = Vec::new();
        for entry in &table.entries {
            let Some((key, known)) = keys.iter().find(|(k, _)| *k == entry.key) else {
                let names = || keys.iter().map(|(k, _)| k.as_str());
                let help = did_you_mean(&entry.key, names())
                    .unwrap_or_else(|| format!("known: {}", listing(names())));
                let message = format!("the matrix has no key `{}`", entry.key);
                findings.say(
                    entry.key_at,
                    Diagnostic::error("unknown-matrix-key", message).help(help),
                );
                continue;
            };
            let Some(word) = entry.item.to_value().word() else {
                continue;
            };
            if good && !known.contains(&word) {
                let message = format!("`{key}` has no value `{word}`");
                let help = format!("known: {}", listing(known.iter().map(String::as_str)));
                findings.say(
                    entry.item.at,
                    Diagnostic::error("unknown-matrix-value", message).help(help),
                );
            }
            values.push((key.clone(), word));
        }
        if table.entries.is_empty() {
            findings.say(
                skip.at,
                Diagnostic::error("empty-skip", "an empty table would skip every combination"),
            );
        } else if values.len() == table.entries.len() {
            out.push(values);
        }
    }
    out
}

fn skipped(instance: &Values, skips: &[Values]) -> bool {
    skips
        .iter()
        .any(|skip| skip.iter().all(|pair| instance.contains(pair)))
}

fn product(keys: &[(String, Vec<String>)]) -> Vec<Values> {
    let mut out: Vec<Values> = vec![Vec::new()];
    for (key, values) in keys {
        let mut next = Vec::with_capacity(out.len() * values.len());
        for so_far in &out {
            for value in values {
                let mut one = so_far.clone();
                one.push((key.clone(), value.clone()));
                next.push(one);
            }
        }
        out = next;
    }
    out
}
