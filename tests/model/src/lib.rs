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
//! file names, a read in a process of a process, an output of a node that it only comes after. The naive model performs them like any other and so needs
//! no notion of declaring. Under the binary they are observed as any process is; the stand-in notes down
//! what it uses as an observer of processes would. [`UNDECLARED`] switches them off where executions cannot
//! be observed, and `JALON_MODEL_UNDECLARED=0` or `=1` goes over it.
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

/// Whether scenarios include undeclared reads, which are right only where executions are observed.
pub const UNDECLARED: bool = true;

/// [`UNDECLARED`], unless `JALON_MODEL_UNDECLARED` is set.
pub fn undeclared() -> bool {
    std::env::var_os("JALON_MODEL_UNDECLARED").map_or(UNDECLARED, |value| value == "1")
}

/// How many scenarios to try: `JALON_TEST_ROUNDS`, else the usual number.
pub fn rounds(usual: u32) -> u32 {
    let set = std::env::var("JALON_TEST_ROUNDS").ok();
    set.and_then(|text| text.parse().ok()).unwrap_or(usual)
}
