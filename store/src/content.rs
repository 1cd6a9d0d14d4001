//! Content: the value of an artifact, a file or a directory. Knows no store and no path.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::digest::{BlobDigest, TreeDigest};

/// What an artifact is: its digest and its size, without its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Content {
    /// A regular file.
    File {
        /// Its bytes.
        digest: BlobDigest,
        /// Its length in bytes.
        size: u64,
        /// Whether its owner may execute it.
        executable: bool,
    },
    /// A directory.
    Tree {
        /// Its tree.
        digest: TreeDigest,
        /// Bytes of all files below it.
        size: u64,
        /// Number of files and links below it.
        files: u64,
    },
}

impl Content {
    /// The digest as 64 hexadecimal digits.
    pub fn digest_hex(&self) -> String {
        match self {
            Self::File { digest, .. } => digest.to_string(),
            Self::Tree { digest, .. } => digest.to_string(),
        }
    }

    /// The digest's bytes.
    pub fn digest_bytes(&self) -> &[u8; 32] {
        match self {
            Self::File { digest, .. } => digest.as_bytes(),
            Self::Tree { digest, .. } => digest.as_bytes(),
        }
    }

    /// Bytes of all files.
    pub fn size(&self) -> u64 {
        match self {
            Self::File { size, .. } | Self::Tree { size, .. } => *size,
        }
    }

    /// Whether it is a directory.
    pub fn is_tree(&self) -> bool {
        matches!(self, Self::Tree { .. })
    }
}

impl fmt::Display for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.is_tree() { "tree" } else { "file" };
        write!(f, "{kind} {}", self.digest_hex())
    }
}
