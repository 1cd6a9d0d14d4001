//! The code version of a Python function as a *static closure*: every definition of the project that it can
//! reach, found in the text, so that no interpreter starts.
//!
//! Pure: no file system, environment or clock. Sources come through [`Sources`]; a [`Closure`] holds its parts as
//! canonical bytes for the caller to hash, and says what it looked at and looked for.
//!
//! What it rests on: Python finds what it uses by name. From the function, names are followed through modules,
//! imports and re-exports to functions, classes and constants; of every module that is imported on the way,
//! the statements that do something when it is imported count as well. Where code finds things otherwise (by a
//! computed name, in a namespace, by unpickling), the closure *widens*: to the module, the package, or the whole
//! project, and says where and why.
//!
//! What it does not see: that a statement which is not reached, and does nothing else, fails; what a distribution does with the project's code unasked (it is known by its
//! version), and names on the list of what is dynamic that a distribution hides behind another name.

mod analysis;
mod closure;
mod encode;
mod facts;
mod inert;
mod known;
mod locate;
mod lookup;
mod modules;
mod parts;
mod python;
mod reach;
mod sources;

pub use analysis::{Analysis, Entry};
pub use closure::{Absent, Closure, Consulted, Elsewhere, Missing, Part, Place, Reach, Widening};
pub use facts::{Argument, Signature};
pub use sources::{EntryKind, Listed, Memory, Sources};
