//! The distributions that code needs which was loaded before anybody looked: those of the modules that it imports,
//! and those that these say they need, installed ones only.
//!
//! Source: the core metadata specification (`Requires-Dist`). Extras and markers are not weighed: what is installed
//! and might be used counts.

use std::collections::BTreeSet;
use std::path::Path;

use jalon_store::action::PathEntry;
use rustc_hash::FxHashMap;

use super::programs::Programs;
use super::python;

use crate::witness;

/// What is installed beside an interpreter.
#[derive(Debug, Default)]
pub(super) struct Installation {
    /// By the first part of a module's path: distributions, with the name of their environment.
    owners: FxHashMap<Vec<u8>, Vec<(String, String)>>,
    /// By distribution: what it needs.
    needs: FxHashMap<String, Vec<String>>,
    /// By distribution: its environment.
    environments: FxHashMap<String, String>,
}

/// Entries for the distributions of these modules, and of these names, with all that they need.
pub(super) fn required(
    installed: &Installation,
    modules: &[&str],
    names: &[String],
) -> Vec<PathEntry> {
    let mut open: Vec<String> = names.iter().map(|name| python::normal(name)).collect();
    for module in modules {
        let ends = ["", ".py"];
        let found = ends
            .iter()
            .filter_map(|end| installed.owners.get(format!("{module}{end}").as_bytes()));
        open.extend(found.flatten().map(|(name, _)| name.clone()));
    }
    let mut known = BTreeSet::new();
    while let Some(name) = open.pop() {
        if installed.environments.contains_key(&name) && known.insert(name.clone()) {
            open.extend(installed.needs.get(&name).into_iter().flatten().cloned());
        }
    }
    known
        .iter()
        .map(|name| python::entry(&installed.environments[name], name))
        .collect()
}

impl Installation {
    /// Of an interpreter.
    pub fn of(programs: &Programs<'_>, root: &Path, interpreter: &Path) -> Installation {
        let mut installed = Installation::default();
        let cache = programs.cache();
        let home = python::home(cache, interpreter);
        for site in home
            .map(|home| python::sites(cache, &home))
            .unwrap_or_default()
        {
            let label = python::label(programs, root, &site);
            for (first, names) in python::owners(cache, &site) {
                let named = names.into_iter().map(|name| (name, label.clone()));
                installed.owners.entry(first).or_default().extend(named);
            }
            for (name, _, place) in python::distributions(cache, &site) {
                let text = witness::text(cache, &place.join("METADATA")).unwrap_or_default();
                installed.needs.insert(name.clone(), needs(&text));
                installed.environments.entry(name).or_insert(label.clone());
            }
        }
        installed
    }
}

/// The names behind `Requires-Dist:` in the head of a METADATA file.
fn needs(text: &str) -> Vec<String> {
    let head = text.lines().take_while(|line| !line.is_empty());
    let required = head.filter_map(|line| line.strip_prefix("Requires-Dist:"));
    required
        .map(|one| {
            let one = one.trim();
            let end = one.find(|it: char| !(it.is_alphanumeric() || "-_.".contains(it)));
            python::normal(&one[..end.unwrap_or(one.len())])
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_distribution_needs_is_in_the_head_of_its_metadata() {
        let text = "Name: a\nRequires-Dist: NumPy>=1.26\nRequires-Dist: foo_bar[x] (<2); extra == 'all'\nRequires-Dist: b\n\nRequires-Dist: text\n";
        assert_eq!(needs(text), ["numpy", "foo-bar", "b"]);
    }
}
