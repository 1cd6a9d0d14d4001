//! jalon from outside: the real binary on small projects, a module a promise.
//!
//! Whether a node executed is read from a log that the nodes themselves write, never from what
//! jalon says about it. The contract (`docs/COMMANDS.md`, `docs/LANGUAGE.md`) is all that is known here.

mod project;

mod architecture;
mod call;
mod check;
mod ci;
mod collection;
mod concurrency;
mod counts;
mod crash;
mod cutoff;
mod definition;
mod directories;
mod docs;
mod dvc;
mod ephemeral;
mod explain;
mod failure;
mod faults;
mod golden;
mod history;
mod json;
mod lifecycle;
mod limits;
mod links;
mod matrix;
mod names;
mod output;
mod plan;
mod power;
mod restore;
mod reuse;
mod schema;
mod secrets;
mod settled;
mod signals;
mod storage;
mod targets;
mod undeclared;
