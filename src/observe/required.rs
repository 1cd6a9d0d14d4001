//! The distributions that code needs which was loaded before anybody looked: those of the modules that it imports,
//! and those that these say they need, installed ones only.
//!
//! Source: the core metadata specification (`Requires-Dist`). Markers are not weighed; of what is not loaded yet, an
//! import is seen when it is made.

use std::collections::BTreeSet;
use std::path::Path;

use jalon_store::action::PathEntry;
use rustc_hash::{FxHashMap, FxHashSet};

use super::programs::Programs;
use super::python;

use crate::witness;

/// Something that a distribution needs.
#[derive(Debug, PartialEq, Eq)]
struct Need {
    name: String,
    /// Only if something is asked for besides.
    extra: bool,
}

/// What is installed beside an interpreter.
#[derive(Debug, Default)]
pub(super) struct Installation {
    /// By the first part of a module's path: distributions, with the name of their environment.
    owners: FxHashMap<Vec<u8>, Vec<(String, String)>>,
    /// By distribution: what it needs.
    needs: FxHashMap<String, Vec<Need>>,
    /// Distributions of which something is loaded: of any other, what is used is seen.
    loaded: FxHashSet<String>,
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
    open.extend(
        modules
            .iter()
            .flat_map(|module| installed.owners_of(module)),
    );
    let mut known = BTreeSet::new();
    while let Some(name) = open.pop() {
        if !installed.loaded.contains(&name) || !known.insert(name.clone()) {
            continue;
        }
        let needs = installed.needs.get(&name).into_iter().flatten();
        // Its extras are there for single datasets, of which it is known what each uses.
        let needs = needs.filter(|need| !need.extra || name != "kedro-datasets");
        open.extend(needs.map(|need| need.name.clone()));
    }
    let known = known.iter().filter_map(|name| {
        let label = installed.environments.get(name)?;
        Some(python::entry(label, name))
    });
    known.collect()
}

impl Installation {
    /// Of an interpreter that has these modules loaded.
    pub fn of(
        programs: &Programs<'_>,
        root: &Path,
        interpreter: &Path,
        loaded: &[String],
    ) -> Installation {
        let mut installed = Installation::default();
        let cache = programs.cache();
        let home = python::home(cache, interpreter);
        for site in home
            .map(|home| python::sites(cache, &home))
            .unwrap_or_default()
        {
            let label = python::label(programs, root, &site);
            for (first, names) in python::owners(programs, &site) {
                let named = names.into_iter().map(|name| (name, label.clone()));
                installed.owners.entry(first).or_default().extend(named);
            }
            for (name, _, place) in python::distributions(cache, &site) {
                let text = witness::text(cache, &place.join("METADATA")).unwrap_or_default();
                installed.needs.insert(name.clone(), needs(&text));
                installed.environments.entry(name).or_insert(label.clone());
            }
        }
        let names = loaded.iter().flat_map(|module| installed.owners_of(module));
        installed.loaded = names.collect();
        installed
    }

    /// The distributions that have a module of this name.
    fn owners_of(&self, module: &str) -> Vec<String> {
        let found = ["", ".py"]
            .iter()
            .filter_map(|end| self.owners.get(format!("{module}{end}").as_bytes()));
        found.flatten().map(|(name, _)| name.clone()).collect()
    }
}

/// What stands behind `Requires-Dist:` in the head of a METADATA file.
fn needs(text: &str) -> Vec<Need> {
    let head = text.lines().take_while(|line| !line.is_empty());
    let required = head.filter_map(|line| line.strip_prefix("Requires-Dist:"));
    required
        .map(|one| {
            let one = one.trim();
            let end = one.find(|it: char| !(it.is_alphanumeric() || "-_.".contains(it)));
            let marker = one.split_once(';').map_or("", |(_, marker)| marker);
            Need {
                name: python::normal(&one[..end.unwrap_or(one.len())]),
                extra: marker.contains("extra"),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_distribution_needs_is_in_the_head_of_its_metadata() {
        let text = "Name: a\nRequires-Dist: NumPy>=1.26\nRequires-Dist: foo_bar[x] (<2); extra == 'all'\nRequires-Dist: b\n\nRequires-Dist: text\n";
        let found: Vec<(String, bool)> = needs(text)
            .into_iter()
            .map(|need| (need.name, need.extra))
            .collect();
        let expected = [("numpy", false), ("foo-bar", true), ("b", false)];
        assert_eq!(
            found,
            expected.map(|(name, extra)| (name.to_owned(), extra))
        );
    }
}
