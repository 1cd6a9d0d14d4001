//! Which text wins: built-in < user < project < `[env.NAME]` < command line, and what came from where.
//!
//! Knows the names of the layers and how tables merge, not what the settings mean.

use crate::diagnostic::Location;
use crate::layer::Layer;
use crate::raw::{Item, Raw, Table};

/// A text to read.
#[derive(Debug, Clone)]
pub struct Text {
    /// As the user knows it: project-relative.
    pub file: String,
    /// Its contents.
    pub text: String,
    /// [`Layer::User`] or [`Layer::Project`].
    pub layer: Layer,
}

/// A setting that is in force, and where it came from.
#[derive(Debug, Clone, PartialEq)]
pub struct Setting {
    /// Dotted: `store.path`.
    pub key: String,
    /// Its value as compact JSON.
    pub value: String,
    /// The layer that set it.
    pub layer: Layer,
    /// The place; empty for a built-in one.
    pub at: Location,
}

/// Puts `over` above `base`, marking what it brings as coming from the selected environment.
pub(crate) fn overlay(base: &mut Table, mut over: Table) {
    for entry in &mut over.entries {
        mark(&mut entry.item);
    }
    base.merge(over);
}

fn mark(item: &mut Item) {
    item.layer = Layer::Env;
    match &mut item.raw {
        Raw::Table(t) => t.entries.iter_mut().for_each(|e| mark(&mut e.item)),
        Raw::List(l) => l.iter_mut().for_each(mark),
        _ => {}
    }
}
