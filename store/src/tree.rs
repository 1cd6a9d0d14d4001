//! Trees: a directory as a sorted listing, named by the digest of its canonical encoding.
//!
//! Decoding accepts exactly what encoding writes, so a tree and its digest are one to one. Knows
//! nothing of the file system: `ingest` makes trees, `materialise` lays them out.

use std::fmt;

use crate::canonical::{Decoder, Encoder, NotCanonical};
use crate::digest::{BlobDigest, Hasher, TreeDigest, context};

/// Longest target of a symbolic link, in bytes (Linux's PATH_MAX).
pub const MAX_LINK: usize = 4096;

/// Longest name, in bytes (NAME_MAX everywhere).
pub const MAX_NAME: usize = 255;

/// Most directories inside one another that are taken or laid out. Removing a directory holds a file
/// descriptor a level, and a path has at most 4096 bytes.
pub const MAX_DEPTH: usize = 128;

/// What a name in a tree stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// A regular file.
    File {
        /// Its bytes.
        digest: BlobDigest,
        /// Its length in bytes.
        size: u64,
        /// Whether its owner may execute it; no other permission is kept.
        executable: bool,
    },
    /// A directory.
    Directory {
        /// Its tree.
        digest: TreeDigest,
        /// Bytes of all files below it.
        size: u64,
        /// Number of files and links below it.
        files: u64,
    },
    /// A symbolic link, kept as such.
    Symlink {
        /// What it points to.
        target: Vec<u8>,
    },
}

/// Why something is no tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TreeError {
    /// A name that no directory could hold, or that would leave it.
    BadName(Vec<u8>),
    /// The same name twice.
    Duplicate(Vec<u8>),
    /// Names out of order: somebody else's encoder, or damage.
    Unsorted(Vec<u8>),
    /// A link to nothing, too long, or with a NUL.
    BadLink(Vec<u8>),
    /// Sizes whose sum does not fit 64 bits.
    TooLarge,
    /// Bytes that are no encoding.
    Encoding(NotCanonical),
}

impl fmt::Display for TreeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, name) = match self {
            Self::BadName(name) => ("bad name in a tree", name),
            Self::Duplicate(name) => ("name twice in a tree", name),
            Self::Unsorted(name) => ("name out of order in a tree", name),
            Self::BadLink(name) => ("bad symbolic link in a tree", name),
            Self::TooLarge => return f.write_str("tree sizes overflow"),
            Self::Encoding(cause) => return write!(f, "tree: {cause}"),
        };
        write!(f, "{what}: `{}`", name.escape_ascii())
    }
}

impl std::error::Error for TreeError {}

impl From<NotCanonical> for TreeError {
    fn from(cause: NotCanonical) -> Self {
        Self::Encoding(cause)
    }
}

/// A directory: valid names in byte order, each once.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tree {
    entries: Vec<(Vec<u8>, Entry)>,
}

impl Tree {
    /// Sorts the entries and checks every name and link.
    pub fn new(mut entries: Vec<(Vec<u8>, Entry)>) -> Result<Self, TreeError> {
        entries.sort_by(|(a, _), (b, _)| a.cmp(b));
        Self::sorted(entries)
    }

    fn sorted(entries: Vec<(Vec<u8>, Entry)>) -> Result<Self, TreeError> {
        for (name, entry) in &entries {
            if !is_name(name) {
                return Err(TreeError::BadName(name.clone()));
            }
            if let Entry::Symlink { target } = entry
                && (target.is_empty() || target.len() > MAX_LINK || target.contains(&0))
            {
                return Err(TreeError::BadLink(name.clone()));
            }
        }
        for pair in entries.windows(2) {
            match pair[0].0.cmp(&pair[1].0) {
                std::cmp::Ordering::Less => {}
                std::cmp::Ordering::Equal => return Err(TreeError::Duplicate(pair[1].0.clone())),
                std::cmp::Ordering::Greater => return Err(TreeError::Unsorted(pair[1].0.clone())),
            }
        }
        let tree = Self { entries };
        tree.totals().ok_or(TreeError::TooLarge)?;
        Ok(tree)
    }

    /// Names and what they stand for, in byte order of the names.
    pub fn entries(&self) -> &[(Vec<u8>, Entry)] {
        &self.entries
    }

    /// What `name` stands for.
    pub fn get(&self, name: &[u8]) -> Option<&Entry> {
        let found = self
            .entries
            .binary_search_by(|(have, _)| have.as_slice().cmp(name))
            .ok()?;
        Some(&self.entries[found].1)
    }

    /// Bytes of all files below, as the entries say.
    pub fn size(&self) -> u64 {
        self.totals().map_or(u64::MAX, |(size, _)| size)
    }

    /// Number of files and links below, as the entries say.
    pub fn files(&self) -> u64 {
        self.totals().map_or(u64::MAX, |(_, files)| files)
    }

    fn totals(&self) -> Option<(u64, u64)> {
        self.entries
            .iter()
            .try_fold((0_u64, 0_u64), |(size, files), (_, entry)| {
                let (more, count) = match entry {
                    Entry::File { size, .. } => (*size, 1),
                    Entry::Directory { size, files, .. } => (*size, *files),
                    Entry::Symlink { .. } => (0, 1),
                };
                Some((size.checked_add(more)?, files.checked_add(count)?))
            })
    }

    /// The canonical encoding.
    pub fn encode(&self) -> Vec<u8> {
        let mut to = Encoder::new();
        to.list(self.entries.len());
        for (name, entry) in &self.entries {
            to.bytes(name);
            match entry {
                Entry::File {
                    digest,
                    size,
                    executable,
                } => to
                    .variant(0)
                    .digest(digest.as_bytes())
                    .number(*size)
                    .truth(*executable),
                Entry::Directory {
                    digest,
                    size,
                    files,
                } => to
                    .variant(1)
                    .digest(digest.as_bytes())
                    .number(*size)
                    .number(*files),
                Entry::Symlink { target } => to.variant(2).bytes(target),
            };
        }
        to.into_bytes()
    }

    /// The tree that `bytes` encode; anything but the canonical encoding of a tree is refused.
    pub fn decode(bytes: &[u8]) -> Result<Self, TreeError> {
        let mut from = Decoder::new(bytes);
        let count = from.list()?;
        let mut entries = Vec::with_capacity(count.min(bytes.len() / 8));
        for _ in 0..count {
            let name = from.bytes()?.to_vec();
            let entry = match from.variant()? {
                0 => Entry::File {
                    digest: BlobDigest::from_bytes(from.digest()?),
                    size: from.number()?,
                    executable: from.truth()?,
                },
                1 => Entry::Directory {
                    digest: TreeDigest::from_bytes(from.digest()?),
                    size: from.number()?,
                    files: from.number()?,
                },
                2 => Entry::Symlink {
                    target: from.bytes()?.to_vec(),
                },
                _ => return Err(NotCanonical("kind of entry").into()),
            };
            entries.push((name, entry));
        }
        from.end()?;
        Self::sorted(entries)
    }

    /// The digest of an encoding, whatever it holds.
    pub fn digest_of(encoding: &[u8]) -> TreeDigest {
        let mut hasher = Hasher::context(context::TREE);
        hasher.update(encoding);
        TreeDigest::from_bytes(hasher.finish())
    }

    /// The tree's digest.
    pub fn digest(&self) -> TreeDigest {
        Self::digest_of(&self.encode())
    }
}

/// Whether a directory may hold `name` and the name stays in it.
pub fn is_name(name: &[u8]) -> bool {
    !name.is_empty()
        && name.len() <= MAX_NAME
        && name != b"."
        && name != b".."
        && !name.contains(&b'/')
        && !name.contains(&0)
}

/// Whether a link with this target, `depth` directories below a root, cannot lead out of the root
/// whatever else lies there: some `..`, at most `depth` of them, and then only plain names.
///
/// A `..` behind a name is refused even where it looks harmless, for the name may be a link itself.
pub fn stays_inside(target: &[u8], depth: usize) -> bool {
    if target.is_empty() || target.starts_with(b"/") {
        return false;
    }
    let mut ups = 0;
    let mut named = false;
    for part in target.split(|byte| *byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." if named => return false,
            b".." => ups += 1,
            _ => named = true,
        }
    }
    ups <= depth
}
