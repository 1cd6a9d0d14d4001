//! Which Python calls the project's functions: the one that the definition names, else the active environment's,
//! else the project's own, else the first on the search path.
//!
//! Starts none.

use std::path::PathBuf;

use crate::observe::Sight;
use crate::witness;

/// A Python.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interpreter {
    /// Where it lies.
    pub place: PathBuf,
    /// By what name it is the same elsewhere.
    pub name: String,
}

/// Finds it; every place that was looked at is told.
pub fn find(named: Option<&str>, sight: &Sight<'_>) -> Option<Interpreter> {
    let place = match named {
        Some(named) => sight.programs.find(named.as_bytes()),
        None => own(sight).or_else(|| {
            let known = [b"python3".as_slice(), b"python"];
            known.into_iter().find_map(|name| sight.programs.find(name))
        }),
    }?;
    Some(Interpreter {
        name: sight.interpreter_name(&place),
        place,
    })
}

/// The environment that is active, or that lies in the project.
fn own(sight: &Sight<'_>) -> Option<PathBuf> {
    let cache = sight.programs.cache();
    let active = sight.virtual_env.clone();
    let places = active.into_iter().chain([sight.rules.root.join(".venv")]);
    let mut interpreters = places.map(|place| place.join("bin/python"));
    interpreters.find(|place| witness::is_program(cache, place))
}
