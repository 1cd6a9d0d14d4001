//! Why a node failed, in words for people and for `retries`.

use std::ffi::OsString;
use std::time::Duration;

use jalon_conf::pipeline::{Cause, Node};
use jalon_store::digest::BlobDigest;

use crate::event::Problem;
use crate::worker::process::{Ended, How};
use crate::workspace::PublishError;
use crate::workspace::links::Outside;

/// A failure.
#[derive(Debug)]
pub struct Failure {
    /// Why.
    pub problem: Problem,
    /// The exit code, if it ended by itself.
    pub exit_code: Option<i32>,
    /// Attempts.
    pub attempts: u32,
    /// Wall time of the last.
    pub wall: Duration,
    /// What it printed.
    pub transcript: Option<BlobDigest>,
    /// The end of it.
    pub tail: String,
}

impl Failure {
    /// A failure of the first attempt, before anything was printed.
    pub fn new(code: &str, message: impl Into<String>, help: impl Into<String>) -> Box<Failure> {
        Box::new(Failure {
            problem: Problem {
                code: code.into(),
                message: message.into(),
                help: help.into(),
            },
            exit_code: None,
            attempts: 1,
            wall: Duration::ZERO,
            transcript: None,
            tail: String::new(),
        })
    }
}

impl From<PublishError> for Box<Failure> {
    fn from(error: PublishError) -> Box<Failure> {
        match &error {
            PublishError::Outside(_) => Failure::new("outside", error.to_string(), Outside::HELP),
            _ => Failure::new("workspace", error.to_string(), ""),
        }
    }
}

/// Whether `retries` ask for another attempt after this.
pub fn is_worth_another(node: &Node, failure: &Failure) -> bool {
    node.retries.on.iter().any(|cause| match cause {
        Cause::Any => !matches!(
            failure.problem.code.as_str(),
            "missing-secret" | "not-found"
        ),
        Cause::Timeout => failure.problem.code == "timeout",
        Cause::Oom => failure.problem.code == "oom",
        Cause::Signal => matches!(failure.problem.code.as_str(), "signal" | "oom"),
        Cause::Exit(code) => failure.exit_code == Some(*code),
    })
}

/// What an end comes to, if it is a failure.
pub fn failure_of(node: &Node, argv: &[OsString], ended: &Ended) -> Option<Box<Failure>> {
    let program = argv
        .first()
        .map(|program| program.to_string_lossy().into_owned())
        .unwrap_or_default();
    match &ended.how {
        How::Exit(0) | How::Cancelled => None,
        How::Exit(code) => {
            let message = match code {
                127 => "exit 127: the shell did not find a command".to_owned(),
                code => format!("exit {code}"),
            };
            // A shell reports a child that was killed this way.
            let kind = if *code == 137 { "oom" } else { "exit" };
            let mut failure = Failure::new(kind, message, "");
            failure.exit_code = Some(*code);
            Some(failure)
        }
        How::Signal(9) => {
            let help = "most often the kernel does this when memory runs out: give the node less to do, or more memory";
            Some(Failure::new("oom", "killed by signal 9 (SIGKILL)", help))
        }
        How::Signal(signal) => Some(Failure::new(
            "signal",
            format!("ended by signal {signal}"),
            "",
        )),
        How::TimedOut => {
            let limit = node.timeout.unwrap_or_default().as_secs_f64();
            Some(Failure::new(
                "timeout",
                format!("took longer than its timeout of {limit} s"),
                "",
            ))
        }
        How::NotStarted(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let help = "install it, or give its path relative to the project";
            Some(Failure::new(
                "not-found",
                format!("the program {program} is not found"),
                help,
            ))
        }
        How::NotStarted(error) => {
            // A process that is forked has no program of its own.
            let message = match program.is_empty() {
                true => error.to_string(),
                false => format!("cannot start {program}: {error}"),
            };
            Some(Failure::new("not-started", message, ""))
        }
    }
}

impl From<Problem> for Box<Failure> {
    fn from(problem: Problem) -> Box<Failure> {
        Failure::new(&problem.code, problem.message, problem.help)
    }
}
