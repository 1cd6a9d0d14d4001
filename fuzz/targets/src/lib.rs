//! What is fuzzed: each module takes any bytes in, and panics where a promise does not hold.
//!
//! Beside libFuzzer, which needs nightly and hours, `tests/minutes.rs` runs them with every test run.

pub mod closure;
pub mod definition;
pub mod dvc;
pub mod events;
pub mod pack;
pub mod params;
pub mod record;
pub mod remote;
pub mod samples;
pub mod tree;
pub mod worker;

/// A target: its name, which is that of its corpus, and what takes an input in.
pub type Target = (&'static str, fn(&[u8]));

/// All of them.
pub const ALL: [Target; 10] = [
    ("closure", closure::run),
    ("definition", definition::run),
    ("dvc", dvc::run),
    ("events", events::run),
    ("pack", pack::run),
    ("params", params::run),
    ("record", record::run),
    ("remote", remote::run),
    ("tree", tree::run),
    ("worker", worker::run),
];
