//! jalon and the servers that teams have: what one clone makes another finds, and whatever a server does wrong,
//! results are right, runs end in time, and it is said.
//!
//! `get` makes the servers ready where they are not yet; where one cannot be had, what needs it says so and passes.
//! Faults are put between jalon and a real server by `fault`, a proxy of ours, or into the server's own files.

mod fault;
mod faults;
mod large;
#[path = "../../it/project.rs"]
#[allow(dead_code, reason = "the other tests use more of it")]
mod project;
mod servers;
mod share;
mod trust;
mod verbs;
