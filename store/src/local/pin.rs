//! Pins: small files that keep a run or a content alive whatever collection thinks of it.

use serde::{Deserialize, Serialize};

use crate::content::Content;

/// What is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kept {
    /// A content.
    Content(Content),
    /// A run, by its id, with all it refers to.
    Run(String),
}

/// One pin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pin {
    /// What it keeps.
    pub kept: Kept,
    /// Why, for people.
    pub why: String,
}

impl Pin {
    /// A pin on a content.
    pub fn content(content: Content, why: impl Into<String>) -> Pin {
        Pin { kept: Kept::Content(content), why: why.into() }
    }

    /// A pin on a run.
    pub fn run(id: impl Into<String>, why: impl Into<String>) -> Pin {
        Pin { kept: Kept::Run(id.into()), why: why.into() }
    }

    /// The content it keeps, if it is one.
    pub fn content_of(&self) -> Option<Content> {
        match &self.kept {
            Kept::Content(content) => Some(*content),
            Kept::Run(_) => None,
        }
    }
}
