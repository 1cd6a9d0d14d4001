//! What is wrong with a definition, and where. Knows nothing of how it is drawn.

use serde::{Deserialize, Serialize};

/// A place in one of the texts that were read.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Location {
    /// The file as the user knows it (project-relative), or `--params`, `-p` and the like.
    #[serde(with = "file")]
    pub file: std::sync::Arc<str>,
    /// Byte offset of the first byte.
    pub offset: usize,
    /// Length in bytes.
    pub length: usize,
    /// 1-based.
    pub line: u32,
    /// 1-based, in characters.
    pub column: u32,
    /// Length in characters, on the first line; at least 1.
    pub width: u32,
}

/// A file's name, kept once for all the places in it that are read after each other.
mod file {
    use std::borrow::Cow;
    use std::cell::RefCell;
    use std::sync::Arc;

    use serde::{Deserialize, Deserializer, Serializer};

    thread_local! {
        static LAST: RefCell<Arc<str>> = RefCell::new(Arc::from(""));
    }

    pub fn serialize<S: Serializer>(file: &Arc<str>, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(file)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Arc<str>, D::Error> {
        let name = Cow::<str>::deserialize(from)?;
        Ok(LAST.with_borrow_mut(|last| {
            if **last != *name {
                *last = Arc::from(&*name);
            }
            last.clone()
        }))
    }
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Said; nothing stops.
    Warning,
    /// The definition is invalid: exit 3.
    Error,
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad.
    pub severity: Severity,
    /// A stable word for scripts: `unknown-key`, `two-producers`.
    pub code: &'static str,
    /// One sentence: what is wrong.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
    /// Where; the first is the place itself, the others are related, each with a label (may be empty).
    pub spans: Vec<(Location, String)>,
}

impl Diagnostic {
    /// An error without a place yet.
    #[must_use]
    pub fn error(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(Severity::Error, code, message.into())
    }

    /// A warning without a place yet.
    #[must_use]
    pub fn warning(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(Severity::Warning, code, message.into())
    }

    fn new(severity: Severity, code: &'static str, message: String) -> Self {
        Self {
            severity,
            code,
            message,
            help: None,
            spans: Vec::new(),
        }
    }

    /// The place itself if it is the first, else a related one.
    #[must_use]
    pub fn at(mut self, place: Location) -> Self {
        self.spans.push((place, String::new()));
        self
    }

    /// A related place with what it has to do with it.
    #[must_use]
    pub fn also(mut self, place: Location, label: impl Into<String>) -> Self {
        self.spans.push((place, label.into()));
        self
    }

    /// What to do about it.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Help that may be absent.
    #[must_use]
    pub fn maybe_help(mut self, help: Option<String>) -> Self {
        if help.is_some() {
            self.help = help;
        }
        self
    }
}
