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
        Pin {
            kept: Kept::Content(content),
            why: why.into(),
        }
    }

    /// A pin on a run.
    pub fn run(id: impl Into<String>, why: impl Into<String>) -> Pin {
        Pin {
            kept: Kept::Run(id.into()),
            why: why.into(),
        }
    }

    /// The content it keeps, if it is one.
    pub fn content_of(&self) -> Option<Content> {
        match &self.kept {
            Kept::Content(content) => Some(*content),
            Kept::Run(_) => None,
        }
    }
}

/// The file of a pin: its name with all but letters, digits, `-`, `_` and `.` as `%` and two hexadecimal
/// digits a byte, and likewise a `.` that it begins with. No two names share a file.
pub(crate) fn file_name(name: &str) -> String {
    let mut file = String::with_capacity(name.len());
    for (at, byte) in name.bytes().enumerate() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' => file.push(byte as char),
            b'.' if at > 0 => file.push('.'),
            _ => file.push_str(&format!("%{byte:02x}")),
        }
    }
    file
}

/// The name of the pin in a file; the file's own where no pin's name gives it.
pub(crate) fn name_of(file: &str) -> String {
    decode(file)
        .filter(|name| file_name(name) == file)
        .unwrap_or_else(|| file.to_owned())
}

fn decode(file: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(file.len());
    let mut rest = file.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digit = |digit: Option<u8>| char::from(digit?).to_digit(16);
            let (high, low) = (digit(rest.next())?, digit(rest.next())?);
            bytes.push((high * 16 + low) as u8);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}
