//! The end of folding: entries that follow from others leave, each is looked at, and what moved is told.

use std::os::unix::ffi::OsStrExt;

use jalon_conf::pipeline::ArtifactId;
use jalon_store::action::{Access, PathEntry, Place, Seen};
use jalon_store::content::Content;
use jalon_store::outcome::Traced;
use rayon::prelude::*;
use rustc_hash::FxHashSet;

use super::fold::Fold;
use super::folded::Folded;
use super::python;
use super::relative::parents;
use super::sight::{Finding, directory_of};
use crate::worker::observed::{Extent, Kind, Observed, Sighting, Uses};
use crate::worker::trace;
use crate::workspace::see::digest_of;

impl Fold<'_, '_> {
    /// What all sightings come to.
    pub fn end(
        mut self,
        observed: &Observed,
        value: &(dyn Fn(ArtifactId) -> Option<Content> + Sync),
    ) -> Folded {
        self.leave_out_what_follows();
        let (sight, moment) = (self.sight, python::Moment::default());
        let entries: Vec<(PathEntry, Option<&Sighting>)> =
            std::mem::take(&mut self.entries).into_iter().collect();
        let found: Vec<(PathEntry, Option<&Sighting>, Option<Seen>)> = entries
            .into_par_iter()
            // Waking others takes longer than a few looks.
            .with_min_len(64)
            .map(|(entry, sighting)| {
                let seen = match sight.territory.owner(directory_of(&entry)) {
                    Some(_) if entry.place == Place::Project => match sight.see(&entry, value) {
                        Finding::Seen(seen) => Some(seen),
                        Finding::Unsettled(_) | Finding::Blind => None,
                    },
                    // Not from memory: it may have moved since the run began.
                    _ => sight.look(&entry, &moment),
                };
                (entry, sighting, seen)
            })
            .collect();
        let mut list = Vec::with_capacity(found.len());
        for (entry, sighting, seen) in found {
            let name = || String::from_utf8_lossy(directory_of(&entry)).into_owned();
            let Some(seen) = seen else {
                self.moved.get_or_insert_with(name);
                continue;
            };
            if sighting.is_some_and(|sighting| self.has_moved(sighting, &entry, &seen)) {
                self.moved.get_or_insert_with(name);
            }
            list.push((entry, seen));
        }
        list.sort();
        let told = |seen: &Seen| !matches!(seen, Seen::Absent | Seen::Exists(_) | Seen::Version(_));
        let is_beside =
            |entry: &PathEntry| entry.place == Place::Project && entry.path.starts_with(b"../");
        // What an administrator installs has the same place everywhere.
        let is_local = |entry: &PathEntry| entry.path.starts_with(b"/usr/local/");
        let host_bound = list.iter().any(|(entry, seen)| {
            (entry.place.is_elsewhere() || is_beside(entry)) && told(seen) && !is_local(entry)
        });
        let (traced, gaps) = match &observed.extent {
            Extent::Full => (Traced::Full, Vec::new()),
            Extent::Partial(why) => (Traced::Partial, why.clone()),
            Extent::None(why) => (Traced::None, vec![why.clone()]),
        };
        let mut notes = Vec::new();
        if observed.network {
            notes.push("network".to_owned());
        }
        self.strays.sort();
        self.strays.dedup();
        Folded {
            observed: list,
            traced,
            gaps,
            host_bound,
            notes,
            touched: self.touched,
            moved: self.moved,
            strays: self.strays,
            outside: self.outside,
            trespasses: self.trespasses,
        }
    }

    /// Directories are known to exist by what was read below them, and a file's bytes tell its size.
    fn leave_out_what_follows(&mut self) {
        let mut above: FxHashSet<(Place, Vec<u8>)> = FxHashSet::default();
        let mut whole: FxHashSet<(Place, Vec<u8>)> = FxHashSet::default();
        // What a node declares lies in directories that are there before it starts, wherever it runs.
        for path in self.declared.reads.iter().chain(&self.declared.writes) {
            above.extend(parents(path).map(|parent| (Place::Project, parent.to_vec())));
        }
        for (entry, sighting) in &self.entries {
            if matches!(entry.access, Access::Content | Access::Listing) {
                whole.insert((entry.place, entry.path.clone()));
            }
            if sighting.is_none_or(|sighting| sighting.first.is_some()) {
                let path = directory_of(entry);
                above.extend(parents(path).map(|parent| (entry.place, parent.to_vec())));
                if entry.access == Access::Module {
                    above.insert((entry.place, path.to_vec()));
                }
            }
        }
        self.entries.retain(|entry, sighting| match entry.access {
            Access::Stat | Access::Existence => {
                let at = (entry.place, entry.path.clone());
                let is_there = sighting.is_none_or(|sighting| sighting.first.is_some());
                !(whole.contains(&at) || (is_there && above.contains(&at)))
            }
            _ => true,
        });
    }

    /// Whether what lies there now is not what was used.
    fn has_moved(&self, sighting: &Sighting, entry: &PathEntry, seen: &Seen) -> bool {
        if let Some(mark) = sighting.mark {
            return digest_of(seen).is_some_and(|now| now != mark);
        }
        if !sighting.stamped
            || matches!(
                entry.access,
                Access::Link | Access::Listing | Access::Module
            )
        {
            return false;
        }
        let now = trace::stamp(sighting.path.as_os_str().as_bytes());
        match (sighting.first, now) {
            (None, None) => false,
            (Some(first), Some(now)) if first.kind == Kind::File => first != now,
            (Some(first), Some(now)) => first.kind != now.kind,
            // It made or took it away itself after it had looked: told as a stray, if it is one.
            _ => !sighting.uses.any(Uses::WRITING),
        }
    }
}
