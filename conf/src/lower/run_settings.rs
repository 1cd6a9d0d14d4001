//! What a node inherits from `[defaults]`: resources, retries, limits, variables.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::diagnostic::{Diagnostic, Location};
use crate::findings::Findings;
use crate::pipeline::{Cause, Isolation, Resources, Retries, Undeclared};
use crate::place::At;
use crate::quantity;
use crate::raw::{Entry, Item, Raw, Table};
use crate::scope::Scope;
use crate::settings::size_of;

/// `[defaults]`, or nothing.
pub(crate) struct Inherited<'a> {
    table: Option<&'a Table>,
}

/// The settings in force for one node.
pub(crate) struct RunSettings {
    pub env: BTreeMap<String, String>,
    pub pass_env: Vec<String>,
    pub secrets: Vec<(String, Location)>,
    pub resources: Resources,
    pub retries: Retries,
    pub timeout: Option<Duration>,
    pub undeclared: Undeclared,
    pub isolation: Isolation,
}

impl<'a> Inherited<'a> {
    pub fn new(table: Option<&'a Table>) -> Self {
        Self { table }
    }

    fn get<'t>(&self, own: &'t Table, key: &str) -> Option<&'t Item>
    where
        'a: 't,
    {
        own.get(key).or_else(|| self.table?.get(key))
    }

    /// Defaults first, the node's own after them.
    fn both<'t>(&self, own: &'t Table, key: &str) -> impl Iterator<Item = &'t Item>
    where
        'a: 't,
    {
        self.table
            .and_then(|t| t.get(key))
            .into_iter()
            .chain(own.get(key))
    }

    /// The entries of two tables; the later wins where both have a key.
    fn entries<'t>(&self, own: &'t Table, key: &str) -> impl Iterator<Item = &'t Entry>
    where
        'a: 't,
    {
        self.both(own, key)
            .filter_map(Item::table)
            .flat_map(|t| &t.entries)
    }
}

/// Reads all of them.
pub(crate) fn read(
    from: &Inherited<'_>,
    own: &Table,
    scope: &Scope<'_>,
    findings: &mut Findings,
) -> RunSettings {
    RunSettings {
        env: env(from, own, scope, findings),
        pass_env: names(from, own, "pass_env", findings)
            .into_iter()
            .map(|(n, _)| n)
            .collect(),
        secrets: secrets(from, own, findings),
        resources: resources(from, own, findings),
        retries: retries(from, own, findings),
        timeout: from
            .get(own, "timeout")
            .and_then(duration_of)
            .filter(|d| !d.is_zero()),
        undeclared: match from.get(own, "undeclared").and_then(Item::text) {
            Some("warn") => Undeclared::Warn,
            Some("error") => Undeclared::Error,
            _ => Undeclared::Follow,
        },
        isolation: match from.get(own, "isolation").and_then(Item::text) {
            Some("strict") => Isolation::Strict,
            Some("none") => Isolation::None,
            _ => Isolation::Trace,
        },
    }
}

/// A duration that was checked.
pub(crate) fn duration_of(item: &Item) -> Option<Duration> {
    match &item.raw {
        Raw::Text(text) => quantity::duration(text),
        Raw::Int(i) => u64::try_from(*i).ok().map(Duration::from_secs),
        _ => None,
    }
}

fn env(
    from: &Inherited<'_>,
    own: &Table,
    scope: &Scope<'_>,
    findings: &mut Findings,
) -> BTreeMap<String, String> {
    let mut out = BTreeMap::new();
    for entry in from.entries(own, "env") {
        let value = match &entry.item.raw {
            Raw::Text(text) => scope.text(text, entry.item.at, findings),
            other => other.clone().into_value().word(),
        };
        if let Some(value) = value {
            out.insert(entry.key.clone(), value);
        }
    }
    out
}

/// Names of environment variables, each once, in order.
fn names(
    from: &Inherited<'_>,
    own: &Table,
    key: &str,
    findings: &mut Findings,
) -> Vec<(String, At)> {
    let mut out: Vec<(String, At)> = Vec::new();
    for item in from.both(own, key).filter_map(Item::list).flatten() {
        let Some(name) = item.text() else { continue };
        if name.is_empty() || name.contains(['=', ' ', '{', '$']) {
            let message = format!("{name:?} is not the name of an environment variable");
            findings.say(item.at, Diagnostic::error("bad-name", message));
        } else if !out.iter().any(|(n, _)| n == name) {
            out.push((name.to_owned(), item.at));
        }
    }
    out
}

fn secrets(from: &Inherited<'_>, own: &Table, findings: &mut Findings) -> Vec<(String, Location)> {
    let names = names(from, own, "secrets", findings);
    for (name, at) in &names {
        if own.sub("env").is_some_and(|t| t.entry(name).is_some()) {
            let message =
                format!("`{name}` is both a secret and set in `env`, which is hashed and recorded");
            findings.say(*at, Diagnostic::error("secret-in-env", message));
        }
    }
    names
        .into_iter()
        .map(|(n, at)| (n, findings.texts.locate(at)))
        .collect()
}

fn resources(from: &Inherited<'_>, own: &Table, findings: &mut Findings) -> Resources {
    let at = from
        .get(own, "resources")
        .map(|i| findings.texts.locate(i.at));
    let mut out = Resources {
        cpu: 1.0,
        mem: None,
        pools: BTreeMap::new(),
        at,
    };
    for entry in from.entries(own, "resources") {
        if entry.key == "mem" {
            out.mem = size_of(&entry.item);
            continue;
        }
        let amount = match entry.item.raw {
            Raw::Int(i) => i as f64,
            Raw::Float(f) => f,
            _ => continue,
        };
        if !(amount > 0.0 && amount.is_finite()) {
            let message = format!("`{}` must be more than zero", entry.key);
            findings.say(entry.item.at, Diagnostic::error("out-of-range", message));
        } else if entry.key == "cpu" {
            out.cpu = amount;
        } else {
            out.pools.insert(entry.key.clone(), amount);
        }
    }
    out
}

fn retries(from: &Inherited<'_>, own: &Table, findings: &mut Findings) -> Retries {
    let mut out = Retries {
        max: 0,
        on: vec![Cause::Any],
        wait: Duration::ZERO,
    };
    for item in from.both(own, "retries") {
        let table = match &item.raw {
            Raw::Int(i) => {
                out.max = u32::try_from(*i).unwrap_or(u32::MAX);
                continue;
            }
            Raw::Table(table) => table,
            _ => continue,
        };
        if let Some(Raw::Int(i)) = table.get("max").map(|i| &i.raw) {
            out.max = u32::try_from(*i).unwrap_or(u32::MAX);
        }
        if let Some(list) = table.get("on").and_then(Item::list) {
            out.on = list.iter().filter_map(|i| cause(i, findings)).collect();
        }
        if let Some(wait) = table.get("wait").and_then(duration_of) {
            out.wait = wait;
        }
    }
    out
}

fn cause(item: &Item, findings: &mut Findings) -> Option<Cause> {
    let text = item.text()?;
    let cause = match text {
        "timeout" => Some(Cause::Timeout),
        "oom" => Some(Cause::Oom),
        "signal" => Some(Cause::Signal),
        "any" => Some(Cause::Any),
        _ => text
            .strip_prefix("exit:")
            .and_then(|c| c.parse().ok())
            .filter(|c| (1..=255).contains(c))
            .map(Cause::Exit),
    };
    if cause.is_none() {
        let help = crate::nearest::did_you_mean(text, ["timeout", "oom", "signal", "any"])
            .unwrap_or_else(|| {
                "known: timeout, oom, signal, any, exit:CODE with a code from 1 to 255".into()
            });
        findings.say(
            item.at,
            Diagnostic::error(
                "unknown-word",
                format!("{text:?} is not a cause of failure"),
            )
            .help(help),
        );
    }
    cause
}
