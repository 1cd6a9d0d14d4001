//! In which form a Python function's value lies in a file: what `kind` says, else what the file's name says.
//!
//! Knows names only; who reads and writes the forms is elsewhere.

use serde::{Deserialize, Serialize};

/// The form of a value in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Format {
    /// `json.load`.
    Json,
    /// A `str`, UTF-8.
    Text,
    /// `bytes`.
    Bytes,
    /// `pickle.load`.
    Pickle,
    /// A pandas data frame.
    Parquet,
    /// A pandas data frame.
    Csv,
    /// A NumPy array.
    Npy,
    /// A picture: written (a matplotlib figure, or bytes), not read.
    Plot,
}

/// Every form with its word, and the ends of file names that mean it.
const FORMATS: [(Format, &str, &[&str]); 8] = [
    (Format::Json, "json", &["json"]),
    (Format::Text, "text", &["txt", "md", "html", "log"]),
    (Format::Bytes, "bytes", &["bin"]),
    (Format::Pickle, "pickle", &["pkl", "pickle"]),
    (Format::Parquet, "parquet", &["parquet", "pq"]),
    (Format::Csv, "csv", &["csv"]),
    (Format::Npy, "npy", &["npy"]),
    (Format::Plot, "plot", &["png", "svg", "pdf", "jpg", "jpeg"]),
];

/// The words of `kind`: what reports make of an output, and its form.
pub(crate) const KINDS: &[&str] = &[
    "data", "metrics", "plot", "json", "text", "bytes", "pickle", "parquet", "csv", "npy",
];

impl Format {
    /// By its word.
    #[must_use]
    pub fn named(word: &str) -> Option<Format> {
        let found = FORMATS.iter().find(|(_, name, _)| *name == word);
        found.map(|(format, ..)| *format)
    }

    /// What the path of a file means by its ending.
    #[must_use]
    pub fn of(path: &str) -> Option<Format> {
        let name = path.rsplit('/').next().unwrap_or(path);
        let (_, ending) = name.rsplit_once('.')?;
        let ending = ending.to_ascii_lowercase();
        let found = FORMATS.iter().find(|(.., ends)| ends.contains(&&*ending));
        found.map(|(format, ..)| *format)
    }

    /// Its word.
    #[must_use]
    pub fn word(self) -> &'static str {
        let found = FORMATS.iter().find(|(format, ..)| *format == self);
        found.map_or("", |(_, word, _)| word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_found_by_its_word_and_by_its_endings() {
        for (format, word, ends) in FORMATS {
            assert_eq!(Format::named(word), Some(format));
            assert_eq!(format.word(), word);
            assert!(KINDS.contains(&word));
            for end in ends {
                let path = format!("a.b/c.{}", end.to_uppercase());
                assert_eq!(Format::of(&path), Some(format));
            }
        }
        assert_eq!(Format::of("a.json/b"), None);
        assert_eq!(Format::of("json"), None);
    }
}
