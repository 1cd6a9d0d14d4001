//! Exit codes, and errors that carry one.

use serde_json::{Value, json};

use jalon_conf::diagnostic::{Diagnostic, Location};

/// Done, cached or not.
pub const DONE: u8 = 0;
/// A node failed.
pub const FAILED: u8 = 1;
/// Wrong use.
pub const USAGE: u8 = 2;
/// The definition is invalid.
pub const INVALID: u8 = 3;
/// Nothing matched.
pub const NO_MATCH: u8 = 4;
/// `--locked`, or `plan --exit-code` found work.
pub const LOCKED: u8 = 5;
/// A required store is unavailable or damaged, or what was asked for cannot be written where it should go.
pub const STORE: u8 = 6;
/// A secret, interpreter or tool is missing.
pub const MISSING: u8 = 7;
/// A bug of jalon's.
pub const BUG: u8 = 70;
/// Held by another run.
pub const HELD: u8 = 75;

/// Why a verb did not do what was asked.
#[derive(Debug)]
pub struct Failure {
    /// The exit code.
    pub exit: u8,
    /// What is wrong, one entry for each thing.
    pub problems: Vec<Diagnostic>,
    /// The texts that the places are in: name and content.
    pub texts: Vec<(String, String)>,
}

impl Failure {
    /// A failure without a place.
    pub fn new(exit: u8, code: &'static str, message: impl Into<String>) -> Failure {
        let severity = jalon_conf::Severity::Error;
        let problem = Diagnostic {
            severity,
            code,
            message: message.into(),
            help: None,
            spans: Vec::new(),
        };
        Failure {
            exit,
            problems: vec![problem],
            texts: Vec::new(),
        }
    }

    /// The same with what to do about it.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Failure {
        if let Some(problem) = self.problems.first_mut() {
            problem.help = Some(help.into());
        }
        self
    }

    /// The object that `--json` prints.
    pub fn json(&self) -> Value {
        let errors: Vec<Value> = self
            .problems
            .iter()
            .filter(|p| p.severity == jalon_conf::Severity::Error)
            .map(error)
            .collect();
        json!({"schema": 1, "error": errors.first(), "errors": errors})
    }
}

/// One problem as scripts see it.
pub fn error(problem: &Diagnostic) -> Value {
    let spans: Vec<Value> = problem
        .spans
        .iter()
        .map(|(place, label)| span(place, label))
        .collect();
    json!({"code": problem.code, "message": problem.message, "help": problem.help, "spans": spans})
}

fn span(place: &Location, label: &str) -> Value {
    let mut span = json!({"file": &*place.file, "line": place.line, "column": place.column, "length": place.width});
    if !label.is_empty() {
        span["label"] = label.into();
    }
    span
}

impl<E: Into<ErrorText>> From<E> for Failure {
    fn from(error: E) -> Failure {
        let ErrorText {
            exit,
            code,
            message,
            help,
        } = error.into();
        let failure = Failure::new(exit, code, message);
        match help {
            Some(help) => failure.help(help),
            None => failure,
        }
    }
}

/// What an error of the library comes to.
pub struct ErrorText {
    exit: u8,
    code: &'static str,
    message: String,
    help: Option<String>,
}

macro_rules! store_errors {
    ($($error:ident => $code:literal),* $(,)?) => {$(
        impl From<jalon_store::error::$error> for ErrorText {
            fn from(error: jalon_store::error::$error) -> ErrorText {
                ErrorText { exit: STORE, code: $code, message: error.to_string(), help: error.help() }
            }
        }
    )*};
}

store_errors! {
    OpenError => "store-open", ReadError => "store-read", WriteError => "store-write", IngestError => "ingest",
    MaterialiseError => "materialise", GcError => "gc", VerifyError => "verify",
}

impl From<std::io::Error> for ErrorText {
    fn from(error: std::io::Error) -> ErrorText {
        ErrorText {
            exit: STORE,
            code: "io",
            message: error.to_string(),
            help: None,
        }
    }
}
