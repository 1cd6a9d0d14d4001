//! The machine's part of every key: the platform, and the variables that count wherever they are set.
//!
//! Variables that name places count by what lies there, not by where that is, so that the same project
//! elsewhere has the same keys.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use jalon_store::LocalStore;
use jalon_store::action::FieldValue;
use jalon_store::content::Content;
use jalon_store::index::StatCache;

use crate::action::Ambient;
use crate::project::Machine;
use crate::worker::environment::{self, PLACES};
use crate::workspace::glob::Pattern;

/// Looks at the machine. What is installed in an active environment is looked at only where a node is not observed
/// (`unseen`).
pub fn observe(
    root: &Path,
    machine: &Machine,
    store: &LocalStore,
    cache: &dyn StatCache,
    unseen: bool,
) -> Ambient {
    let mut variables: Vec<(String, FieldValue)> = environment::hashed_texts(&machine.variables)
        .map(|(name, value)| (name.to_string_lossy().into_owned(), text(value)))
        .collect();
    let mut environments = Vec::new();
    let counts = |name: &&str| unseen || *name == "PYTHONPATH";
    for name in PLACES.into_iter().filter(counts) {
        let Some(value) = machine
            .variables
            .get(OsStr::new(name))
            .filter(|value| !value.is_empty())
        else {
            continue;
        };
        let parts = value
            .as_bytes()
            .split(|&byte| byte == b':')
            .filter(|part| !part.is_empty());
        for (position, part) in parts.enumerate() {
            let place = root.join(OsStr::from_bytes(part));
            let what = if name == "PYTHONPATH" {
                format!("{name}[{position}]")
            } else {
                name.to_owned()
            };
            let pattern = if name == "PYTHONPATH" {
                "**/*.py"
            } else {
                "lib*/python*/site-packages/*.dist-info/RECORD"
            };
            let into = match name {
                "PYTHONPATH" => &mut variables,
                _ => &mut environments,
            };
            into.push((what, contained(&place, pattern, store, cache)));
        }
    }
    Ambient {
        platform: machine.platform.clone(),
        variables,
        environments,
    }
}

fn text(value: &OsStr) -> FieldValue {
    match value.to_str() {
        Some(text) => FieldValue::Text(text.to_owned()),
        None => FieldValue::Bytes(value.as_bytes().to_vec()),
    }
}

/// The digest of the files below a place that match, under names relative to it.
fn contained(place: &Path, pattern: &str, store: &LocalStore, cache: &dyn StatCache) -> FieldValue {
    let files: Vec<PathBuf> = Pattern::new(pattern)
        .ok()
        .and_then(|pattern| pattern.files(place, cache).ok())
        .unwrap_or_default();
    match store.digest_files(place, &files, cache) {
        Ok(Content::Tree { digest, .. }) => FieldValue::Digest(*digest.as_bytes()),
        Ok(Content::File { digest, .. }) => FieldValue::Digest(*digest.as_bytes()),
        Err(_) => FieldValue::Absent,
    }
}
