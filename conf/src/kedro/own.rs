//! `[tool.jalon]` of a `pyproject.toml`: what is said of a Kedro project besides what Kedro knows.

use std::collections::HashMap;
use std::time::Duration;

use crate::check::check_as;
use crate::diagnostic::{Diagnostic, Location, Severity};
use crate::findings::Findings;
use crate::layer::Layer;
use crate::lower;
use crate::lower::run_settings::{self, Inherited, RunSettings};
use crate::pipeline::{Resources, Retries, StoreSettings, Undeclared};
use crate::raw::{Item, Table};
use crate::scope::Scope;
use crate::settings::{self, texts};
use crate::shape::TOOL;
use crate::toml_text;

/// What `[tool.jalon]` says.
#[derive(Debug, Clone, Default)]
pub struct Own {
    /// `store`.
    pub store: StoreSettings,
    /// `kedro.caches`: project-relative paths and patterns that belong to tools.
    pub caches: Vec<String>,
    /// `kedro.hooks_on_hit`: hooks of the run are called although every node hits.
    pub hooks_on_hit: bool,
    /// `kedro.tee`: patterns of datasets that are handed on in memory.
    pub tee: Vec<String>,
    /// `kedro.versions`: by dataset, the command that tells which version of it is there, and where that is said.
    pub versions: Vec<(String, String, Location)>,
    /// `kedro.nodes`: by pattern, what is said of a node.
    nodes: Vec<(String, Table, Location)>,
    /// What is wrong with it.
    pub diagnostics: Vec<Diagnostic>,
}

/// What is said of one node.
#[derive(Debug, Clone)]
pub struct NodeSettings {
    /// Cores, memory, pools.
    pub resources: Resources,
    /// Further attempts.
    pub retries: Retries,
    /// Limit for an attempt.
    pub timeout: Option<Duration>,
    /// What an undeclared read comes to.
    pub undeclared: Undeclared,
}

/// Reads `pyproject.toml`; nothing where it is not a Kedro project's, or no TOML.
pub fn own(file: &str, text: &str) -> Option<Own> {
    let mut findings = Findings::default();
    let contents = text.strip_prefix('\u{feff}').unwrap_or(text);
    let number = findings.texts.add(file, contents);
    let mut read = toml_text::read(number, contents, Layer::Project);
    if !read.mistakes.is_empty() {
        return None;
    }
    let tool = read.table.take("tool")?.item;
    let tool = tool.table()?;
    tool.sub("kedro")?;
    let Some(own) = tool.get("jalon") else {
        return Some(Own::default());
    };
    check_as(own, &TOOL, &mut findings);
    let table = own.table().cloned().unwrap_or_default();
    let store = in_plain_words(|scope| settings::store(table.sub("store"), scope, &mut findings));
    let none = Table::default();
    let kedro = table.sub("kedro").unwrap_or(&none);
    let entries = |key: &str| kedro.sub(key).map_or(&[][..], |table| &table.entries);
    let versions = entries("versions").iter().filter_map(|entry| {
        let command = entry.item.text()?.to_owned();
        Some((
            entry.key.clone(),
            command,
            findings.texts.locate(entry.key_at),
        ))
    });
    let versions = versions.collect();
    let nodes: Vec<(String, Table, Location)> = entries("nodes")
        .iter()
        .filter_map(|entry| {
            let table = entry.item.table()?.clone();
            Some((
                entry.key.clone(),
                table,
                findings.texts.locate(entry.key_at),
            ))
        })
        .collect();
    for (_, table, _) in &nodes {
        let _ = run_settings(table, &mut findings);
    }
    let caches = lower::caches(Some(kedro), &mut findings);
    Some(Own {
        store,
        caches,
        hooks_on_hit: kedro.get("hooks_on_hit").and_then(Item::bool) == Some(true),
        tee: texts(kedro.get("tee")),
        versions,
        nodes,
        diagnostics: findings.into_sorted(),
    })
}

impl Own {
    /// Whether what it says can be relied on.
    pub fn is_sound(&self) -> bool {
        self.diagnostics
            .iter()
            .all(|one| one.severity != Severity::Error)
    }

    /// What is said of a node: of what is said twice, the last holds.
    pub fn of(&self, node: &str) -> NodeSettings {
        let mut table = Table::default();
        for (pattern, said, _) in &self.nodes {
            if matches(pattern, node) {
                table.merge(said.clone());
            }
        }
        let read = run_settings(&table, &mut Findings::default());
        NodeSettings {
            resources: read.resources,
            retries: read.retries,
            timeout: read.timeout,
            undeclared: read.undeclared,
        }
    }

    /// Whether a dataset is to be handed on in memory.
    pub fn hands_on(&self, dataset: &str) -> bool {
        self.tee.iter().any(|pattern| matches(pattern, dataset))
    }

    /// Patterns that none of these nodes match.
    pub fn idle<'n>(&self, nodes: impl Iterator<Item = &'n str> + Clone) -> Vec<Diagnostic> {
        let unmatched = self
            .nodes
            .iter()
            .filter(|(pattern, _, _)| !nodes.clone().any(|node| matches(pattern, node)));
        unmatched
            .map(|(pattern, _, at)| {
                let help = crate::nearest::did_you_mean(pattern, nodes.clone());
                Diagnostic::warning("no-match", format!("no node is called `{pattern}`"))
                    .maybe_help(help)
                    .at(at.clone())
            })
            .collect()
    }
}

fn run_settings(table: &Table, findings: &mut Findings) -> RunSettings {
    let from = Inherited::new(None);
    in_plain_words(|scope| run_settings::read(&from, table, scope, findings))
}

/// There is nothing here that `{{…}}` could stand for.
fn in_plain_words<T>(read: impl FnOnce(&Scope<'_>) -> T) -> T {
    let vars = HashMap::new();
    read(&Scope {
        vars: &vars,
        env: "",
        params: None,
        matrix: None,
        shaken: false,
    })
}

/// Whether a name is one that a pattern means; `*` stands for anything.
pub fn matches(pattern: &str, name: &str) -> bool {
    let Some((before, after)) = pattern.split_once('*') else {
        return pattern == name;
    };
    let Some(mut rest) = name.strip_prefix(before) else {
        return false;
    };
    let mut parts: Vec<&str> = after.split('*').collect();
    let last = parts.pop().unwrap_or_default();
    for part in parts {
        let Some(at) = rest.find(part) else {
            return false;
        };
        rest = &rest[at + part.len()..];
    }
    rest.len() >= last.len() && rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        for (pattern, name, expected) in [
            ("a", "a", true),
            ("a", "ab", false),
            ("*", "", true),
            ("a.*", "a.b.c", true),
            ("a.*", "ab", false),
            ("*.train", "forest.train", true),
            ("*.train", "train", false),
            ("a*b*c", "axxbyyc", true),
            ("a*b*c", "axxbyy", false),
            ("a*a", "a", false),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn what_is_said_of_nodes_adds_up() {
        let text = r#"
[tool.kedro]
package_name = "p"
[tool.jalon.kedro.nodes]
"*" = { timeout = "10m", retries = 1 }
"forest.*" = { resources = { cpu = 2, mem = "1GiB", gpu = 1 }, timeout = "20m" }
"#;
        let own = own("pyproject.toml", text).expect("a Kedro project");
        assert!(own.diagnostics.is_empty(), "{:?}", own.diagnostics);
        let other = own.of("linear.train");
        assert_eq!(other.timeout, Some(Duration::from_secs(600)));
        assert_eq!((other.retries.max, other.resources.cpu), (1, 1.0));
        let forest = own.of("forest.train");
        assert_eq!(forest.timeout, Some(Duration::from_secs(1200)));
        assert_eq!((forest.retries.max, forest.resources.cpu), (1, 2.0));
        assert_eq!(forest.resources.mem, Some(1 << 30));
        assert_eq!(forest.resources.pools.get("gpu"), Some(&1.0));
        let idle = own.idle(["linear.train"].into_iter());
        assert_eq!(idle.len(), 1);
        assert!(idle[0].message.contains("forest.*"));
    }

    #[test]
    fn mistakes_are_said_where_they_are() {
        let text = "[tool.kedro]\n[tool.jalon.kedro]\nhooks_on_hits = true\n[tool.jalon.kedro.nodes]\ntrain = { timeout = \"soon\" }\n";
        let own = own("pyproject.toml", text).expect("a Kedro project");
        assert!(!own.is_sound());
        let said: Vec<(u32, &str)> = own
            .diagnostics
            .iter()
            .map(|one| (one.spans[0].0.line, one.code))
            .collect();
        assert_eq!(said, [(3, "unknown-key"), (5, "bad-duration")]);
    }
}
