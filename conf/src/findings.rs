//! The diagnostics collected so far, and which parts of the definition they make unreliable.
//!
//! A mistake is said once: what follows from a part that is known to be broken is not said.

use std::collections::{HashMap, HashSet};

use crate::diagnostic::{Diagnostic, Severity};
use crate::place::{At, Texts};

/// Of one kind: a matrix says the same of each instance.
const MOST_AT_ONE_PLACE: usize = 4;

/// Collects diagnostics.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    pub texts: Texts,
    list: Vec<Diagnostic>,
    seen: HashMap<(At, &'static str), HashSet<String>>,
    places: HashSet<At>,
    /// A statement could not be read at all: anything may be missing.
    pub all_shaken: bool,
    shaken: HashSet<String>,
}

impl Findings {
    /// Says something about a place, once.
    pub fn say(&mut self, at: At, mut what: Diagnostic) {
        let said = self.seen.entry((at, what.code)).or_default();
        if said.len() < MOST_AT_ONE_PLACE && said.insert(what.message.clone()) {
            self.places.insert(at);
            what.spans.insert(0, (self.texts.locate(at), String::new()));
            self.list.push(what);
        }
    }

    /// Whether anything was said of exactly this place.
    pub fn said_at(&self, at: At) -> bool {
        self.places.contains(&at)
    }

    /// Adds one whose places are known.
    pub fn push(&mut self, what: Diagnostic) {
        self.list.push(what);
    }

    /// Adds a related place to a diagnostic.
    pub fn related(&self, what: Diagnostic, at: At, label: &str) -> Diagnostic {
        what.also(self.texts.locate(at), label)
    }

    /// Remembers that a table (`node.train`, `source`) cannot be relied on.
    pub fn shake(&mut self, part: &str) {
        self.shaken.insert(part.to_owned());
    }

    pub fn is_shaken(&self, part: &str) -> bool {
        self.all_shaken || self.shaken.contains(part)
    }

    /// Few enough so far that looking for the nearest of many words is worth its time.
    pub fn few(&self) -> bool {
        self.list.len() < 200
    }

    /// How many there are so far.
    pub fn count(&self) -> usize {
        self.list.len()
    }

    pub fn has_errors(&self) -> bool {
        self.list.iter().any(|d| d.severity == Severity::Error)
    }

    /// All, by file and place.
    pub fn into_sorted(mut self) -> Vec<Diagnostic> {
        self.list.sort_by(|a, b| {
            let place = |d: &Diagnostic| d.spans.first().map(|(l, _)| (l.file.clone(), l.offset));
            place(a)
                .cmp(&place(b))
                .then_with(|| a.message.cmp(&b.message))
        });
        self.list
    }
}
