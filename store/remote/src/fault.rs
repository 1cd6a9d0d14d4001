//! What can go wrong with a remote, by what follows from it: nothing here ever fails a run by itself.

use std::fmt;

/// What follows from a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It does not answer, or not in time: it is left alone for a while.
    Unavailable,
    /// It does not let us in.
    Denied,
    /// What was asked for is not there.
    Absent,
    /// It answered something that nothing can be made of, or refused this one request.
    Refused,
    /// The fault is on our side: the disk, the store.
    Here,
}

/// One fault, in words.
#[derive(Debug, Clone)]
pub struct Fault {
    /// What follows from it.
    pub kind: Kind,
    /// One line.
    pub message: String,
}

impl Fault {
    /// A fault of a kind.
    pub fn new(kind: Kind, message: impl fmt::Display) -> Fault {
        let message = message.to_string();
        let line: String = message
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .take(300)
            .collect();
        Fault {
            kind,
            message: line,
        }
    }

    /// It does not answer.
    pub fn unavailable(message: impl fmt::Display) -> Fault {
        Fault::new(Kind::Unavailable, message)
    }

    /// It answered something that is of no use.
    pub fn refused(message: impl fmt::Display) -> Fault {
        Fault::new(Kind::Refused, message)
    }

    /// The disk or the store.
    pub fn here(message: impl fmt::Display) -> Fault {
        Fault::new(Kind::Here, message)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Fault {}

/// An error with what caused it, in one line; what a cause repeats is said once.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let more = cause.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        next = cause.source();
    }
    text
}
