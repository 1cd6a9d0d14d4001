//! What a language runtime told of itself: modules and distributions that it looked for, by name.
//!
//! Seen from outside each is a listing of a directory, which depends on every name there; what was told depends on
//! the names that were asked for.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use jalon_store::action::{Access, Place};

use super::fold::Fold;
use super::python;
use crate::workspace::PRIVATE_DIRECTORY;
use crate::workspace::see::DISTRIBUTIONS;

impl Fold<'_, '_> {
    /// Which distributions were looked for; where none is installed, whether one appears.
    pub(super) fn distributions(&mut self, asked: &[PathBuf]) {
        for one in asked {
            let (Some(directory), Some(name)) = (one.parent(), one.file_name()) else {
                continue;
            };
            // As it was named: `.` is where it was asked.
            let directory: PathBuf = directory.components().collect();
            if let Some((site, rest)) = self.packages(&directory)
                && rest.as_os_str().is_empty()
            {
                let label = self.sight.site(&site).label.clone();
                let name = name.to_string_lossy();
                let entry = match &*name {
                    "*" => python::all(&label),
                    name => python::entry(&label, &python::normal(name)),
                };
                self.entries.entry(entry).or_insert(None);
            } else if !self.is_runtimes(&directory) {
                let (place, relative) = match directory.strip_prefix(&self.rules.root) {
                    Ok(relative) => (Place::Project, relative),
                    Err(_) => (Place::Absolute, directory.as_path()),
                };
                let path = [relative.as_os_str().as_bytes(), b"\0", DISTRIBUTIONS].concat();
                self.add(place, &path, Access::Module, None);
            }
        }
    }

    /// Where modules were looked for, only their names count, not every name that lies there.
    pub(super) fn modules(&mut self, asked: &[PathBuf]) {
        let mut places: BTreeMap<&Path, BTreeSet<&[u8]>> = BTreeMap::new();
        for module in asked {
            if let (Some(directory), Some(name)) = (module.parent(), module.file_name()) {
                places.entry(directory).or_default().insert(name.as_bytes());
            }
        }
        let private = self.rules.root.join(PRIVATE_DIRECTORY);
        places.retain(|directory, _| !directory.starts_with(&private));
        for (directory, names) in places {
            let names: Vec<&[u8]> = names.into_iter().collect();
            if let Some((site, rest)) = self.packages(directory) {
                let label = self.sight.site(&site).label.clone();
                let entry = python::modules(&label, rest.as_os_str().as_bytes(), &names);
                self.entries.entry(entry).or_insert(None);
                continue;
            }
            let (place, relative) = match directory.strip_prefix(&self.rules.root) {
                Ok(relative) => (Place::Project, relative),
                Err(_) => (Place::Absolute, directory),
            };
            let path = [relative.as_os_str().as_bytes(), b"\0", &names.join(&0)].concat();
            self.add(place, &path, Access::Module, None);
        }
    }
}
