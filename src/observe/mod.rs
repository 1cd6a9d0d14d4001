//! What was observed, and what it means: sightings of an execution become a path set with what lies at
//! its paths, or the finding that order was luck.
//!
//! `fold` decides what a sighting stands for, `territory` whose a path is (`elsewhere`, where it is no part of the graph), `rules` what stands for nothing,
//! `python` which distribution a file belongs to, `programs` what a program counts by. `strict` is
//! what an isolated node may see. `sight` looks at an entry, now and at every later lookup, in the same way. Knows nothing of how it was observed, of order or of
//! running.

mod declared;
mod elsewhere;
mod end;
mod fold;
mod folded;
mod installed;
mod programs;
mod python;
mod relative;
mod required;
mod rules;
mod sight;
mod strict;
mod territory;
mod told;

pub use declared::Declared;
pub use elsewhere::{Elsewhere, Paths};
pub use fold::{Known, fold};
pub use folded::{Folded, Trespass, undeclared};
pub use installed::{Deviation, Installed, distribution, verify};
pub use rules::Rules;
pub use sight::{Bytes, Finding, Sight, directory_of};
pub use strict::Strict;
pub use territory::{Owner, Territory, paths};
