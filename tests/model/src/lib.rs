//! What jalon must do, computed naively: the specification that everything cleverer is held to.
//!
//! [`pipeline`] is a small language of pipelines whose nodes do arithmetic; [`naive`] evaluates one from
//! scratch, every time, with no memory; [`edit`] is what may happen between two runs; [`scenario`] runs a
//! sequence of edits through a [`system::System`], and [`compare`] compares. Nothing there knows how jalon
//! decides. Three promises are checked: what a run leaves equals what a clean run leaves; no action whose
//! outcome is available executes again; what a plan says is what the run then does.
//!
//! # Two systems
//!
//! [`binary::Binary`] drives the real program, whose nodes are processes of `sh` ([`shell`]).
//! [`in_process::InProcess`] drives the library in this process, with a real store and real files in a
//! scratch directory; its nodes are performed by a stand-in for processes ([`perform`]), which reads and
//! writes the same files. The first costs a tenth of a second a run, the second a few milliseconds.
//!
//! # Undeclared reads
//!
//! A node's behaviour may include reads that the definition does not mention ([`pipeline::Undeclared`]):
//! a file, a path that may be absent, a directory's names, a file behind a link, a file that another
//! file names, a read in a process of a process. The naive model performs them like any other and so needs
//! no notion of declaring. They are generated where [`UNDECLARED`] says so. While executions are not
//! observed, such a pipeline is stale by design, and one of the tests shows that the comparison notices;
//! once they are, the constant becomes `true`, and `perform::ended` is the place that hands what the
//! stand-in observed to the library. `JALON_MODEL_UNDECLARED=1` tries them without changing the constant.
//!
//! # Reading a failure
//!
//! proptest shrinks what fails, and a [`scenario::Scenario`] prints as a script, one line a statement.

pub mod binary;
pub mod compare;
pub mod definition;
pub mod edit;
pub mod in_process;
pub mod naive;
pub mod perform;
pub mod pipeline;
pub mod place;
pub mod scenario;
pub mod script;
pub mod shell;
pub mod strategy;
pub mod system;

/// Whether scenarios include undeclared reads: only where executions are observed.
pub const UNDECLARED: bool = false;

/// [`UNDECLARED`], unless `JALON_MODEL_UNDECLARED` is set.
pub fn undeclared() -> bool {
    std::env::var_os("JALON_MODEL_UNDECLARED").map_or(UNDECLARED, |value| value == "1")
}

/// How many scenarios to try: `JALON_TEST_ROUNDS`, else the usual number.
pub fn rounds(usual: u32) -> u32 {
    let set = std::env::var("JALON_TEST_ROUNDS").ok();
    set.and_then(|text| text.parse().ok()).unwrap_or(usual)
}
