//! The record envelope: magic, kind and version before MessagePack. The one door of rmp-serde.
//!
//! Decoding is strict and bounded, and never panics: what is damaged, of another kind or of a newer
//! jalon is a typed reason not to believe it. Knows no file.

use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::action::PathSet;

use crate::outcome::{ActionRecord, Explanation};
use crate::pin::Pin;

/// The first two bytes of a record.
const MAGIC: [u8; 2] = *b"jR";

/// Largest record that is written or believed, in bytes.
pub const MAX: usize = 256 << 20;

/// Deepest nesting that is decoded.
const DEPTH: usize = 64;

/// A type that is kept as a record.
pub trait Record: Serialize + DeserializeOwned {
    /// Which record it is.
    const KIND: u8;
    /// The version that is written; older ones are read.
    const VERSION: u8 = 1;
}

impl Record for ActionRecord {
    const KIND: u8 = 1;
}

impl Record for Explanation {
    const KIND: u8 = 2;
}

impl Record for PathSet {
    const KIND: u8 = 3;
}

impl Record for Pin {
    const KIND: u8 = 4;
}

/// Why bytes are not believed to be a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecordError {
    /// No envelope.
    NotARecord,
    /// A record of another kind.
    OtherKind(u8),
    /// A newer jalon wrote it.
    Newer(u8),
    /// Longer than [`MAX`].
    TooLarge(usize),
    /// The envelope is right and what is in it is not.
    Malformed(String),
}

impl fmt::Display for RecordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotARecord => f.write_str("not a record"),
            Self::OtherKind(kind) => write!(f, "a record of another kind ({kind})"),
            Self::Newer(version) => write!(
                f,
                "a record of version {version}, which a newer jalon wrote"
            ),
            Self::TooLarge(size) => write!(f, "a record of {size} bytes is too large"),
            Self::Malformed(cause) => write!(f, "malformed record: {cause}"),
        }
    }
}

impl std::error::Error for RecordError {}

/// The record's bytes.
pub fn encode<T: Record>(record: &T) -> Result<Vec<u8>, RecordError> {
    let mut out = vec![MAGIC[0], MAGIC[1], T::KIND, T::VERSION];
    rmp_serde::encode::write(&mut out, record)
        .map_err(|e| RecordError::Malformed(e.to_string()))?;
    if out.len() > MAX {
        return Err(RecordError::TooLarge(out.len()));
    }
    Ok(out)
}

/// The record that `bytes` hold.
pub fn decode<T: Record>(bytes: &[u8]) -> Result<T, RecordError> {
    if bytes.len() > MAX {
        return Err(RecordError::TooLarge(bytes.len()));
    }
    let Some(([m0, m1, kind, version], body)) = bytes.split_first_chunk::<4>() else {
        return Err(RecordError::NotARecord);
    };
    if [*m0, *m1] != MAGIC || *version == 0 {
        return Err(RecordError::NotARecord);
    }
    if *kind != T::KIND {
        return Err(RecordError::OtherKind(*kind));
    }
    if *version > T::VERSION {
        return Err(RecordError::Newer(*version));
    }
    let mut rest: &[u8] = body;
    let mut from = rmp_serde::Deserializer::new(&mut rest);
    from.set_max_depth(DEPTH);
    let record = T::deserialize(&mut from).map_err(|e| RecordError::Malformed(e.to_string()))?;
    drop(from);
    if rest.is_empty() {
        Ok(record)
    } else {
        Err(RecordError::Malformed("bytes after the end".into()))
    }
}
