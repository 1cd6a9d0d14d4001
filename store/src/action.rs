//! Keys: a derivation's fields, what an execution was observed to use, and the two keys over them.
//!
//! One list of fields is both hashed and shown by an explanation. Knows no pipeline: what a field
//! means is the caller's affair.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::canonical::Encoder;
use crate::digest::{ActionKey, BlobDigest, Hasher, ListingDigest, TreeDigest, WeakKey, context};

/// One part of a recipe.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Field {
    /// Which part: `command`, `code`, `params`, `env`, `input`, `output`, `platform`…
    pub field: Cow<'static, str>,
    /// Which of them: a parameter's path, a variable's name, an artifact, a file. May be empty.
    #[serde(with = "bytes")]
    pub what: Vec<u8>,
    /// Its value.
    pub value: FieldValue,
}

/// The value of a [`Field`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum FieldValue {
    /// Looked for and not there.
    Absent,
    /// Text.
    Text(String),
    /// The digest of something too large to write down.
    Digest(#[serde(with = "bytes32")] [u8; 32]),
    /// A JSON value; the caller writes it in one form.
    Json(String),
    /// Any bytes.
    Bytes(#[serde(with = "bytes")] Vec<u8>),
}

impl FieldValue {
    fn encode(&self, to: &mut Encoder) {
        match self {
            Self::Absent => to.variant(0),
            Self::Text(text) => to.variant(1).text(text),
            Self::Digest(digest) => to.variant(2).digest(digest),
            Self::Json(json) => to.variant(3).text(json),
            Self::Bytes(bytes) => to.variant(4).bytes(bytes),
        };
    }
}

/// A recipe with its declared inputs bound to digests: fields in order, each once.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Derivation {
    /// Sorted; [`Derivation::new`] sees to it.
    pub fields: Vec<Field>,
}

impl Derivation {
    /// Sorts the fields and drops repetitions.
    pub fn new(mut fields: Vec<Field>) -> Self {
        fields.sort();
        fields.dedup();
        Self { fields }
    }

    /// The bytes that the weak key is a digest of.
    pub fn encode(&self) -> Vec<u8> {
        let mut fields: Vec<&Field> = self.fields.iter().collect();
        fields.sort();
        fields.dedup();
        let mut to = Encoder::new();
        to.list(fields.len());
        for field in fields {
            to.text(&field.field).bytes(&field.what);
            field.value.encode(&mut to);
        }
        to.into_bytes()
    }

    /// The weak key.
    pub fn weak_key(&self) -> WeakKey {
        WeakKey::from_bytes(derive(context::WEAK_KEY, &self.encode()))
    }
}

/// How a path was used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Access {
    /// Its bytes were read.
    Content,
    /// It was asked whether it exists, and as what.
    Existence,
    /// The target of a symbolic link was read.
    Link,
    /// A directory's names were listed.
    Listing,
    /// Its type was asked for, and if it is a file, its size.
    Stat,
    /// It was looked for as a module of a language: the path with any of the endings that a module may have.
    Module,
}

/// What a path in a path set is relative to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Place {
    /// The project's root.
    Project,
    /// The root directory: the outcome is bound to this host.
    Absolute,
    /// A language environment: the program that belongs to it as for [`Place::Program`], a colon, the name of
    /// a distribution, or of a module where it was looked for as one.
    Distribution,
    /// The user's home directory.
    Home,
    /// A program, by the name under which it is found on the search path, or by its path.
    Program,
    /// A variable of the environment, by its name; what was found is a digest of its value.
    Variable,
}

impl Place {
    /// Whether what is found there may differ between hosts without the project being another.
    pub fn is_elsewhere(self) -> bool {
        matches!(self, Self::Absolute | Self::Home)
    }
}

/// A path that an execution was observed to use.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PathEntry {
    /// What the path is relative to.
    pub place: Place,
    /// The path, any bytes.
    #[serde(with = "bytes")]
    pub path: Vec<u8>,
    /// How it was used.
    pub access: Access,
}

/// What further paths an execution used, without what it found there: sorted, each once.
#[derive(Debug, Clone, PartialEq, Eq, Default, Hash, Serialize, Deserialize)]
pub struct PathSet {
    /// Sorted; [`PathSet::new`] sees to it.
    pub entries: Vec<PathEntry>,
}

impl PathSet {
    /// Most entries that a store keeps in one path set.
    pub const MAX: usize = 1 << 20;

    /// Sorts the entries and drops repetitions.
    pub fn new(mut entries: Vec<PathEntry>) -> Self {
        entries.sort();
        entries.dedup();
        Self { entries }
    }
}

/// What exists at a path, as far as asking for existence tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum PathKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Symlink,
    /// A device, a socket, a pipe.
    Other,
}

/// What was found at a path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Seen {
    /// Nothing.
    Absent,
    /// A file with these bytes.
    File {
        /// Its bytes.
        digest: BlobDigest,
        /// Whether its owner may execute it.
        executable: bool,
    },
    /// Something of this type; its content was not asked for.
    Exists(PathKind),
    /// A symbolic link with this target.
    Link(#[serde(with = "bytes")] Vec<u8>),
    /// A directory with these names.
    Listing(ListingDigest),
    /// A directory with this content.
    Directory(TreeDigest),
    /// A distribution or a program in this version, RECORD digest included where there is one.
    Version(String),
    /// A file of this size; its bytes were not asked for.
    Size {
        /// Bytes.
        size: u64,
        /// Whether its owner may execute it.
        executable: bool,
    },
}

impl Seen {
    fn encode(&self, to: &mut Encoder) {
        match self {
            Self::Absent => to.variant(0),
            Self::File { digest, executable } => {
                to.variant(1).digest(digest.as_bytes()).truth(*executable)
            }
            Self::Exists(kind) => to.variant(2).variant(kind.code()),
            Self::Link(target) => to.variant(3).bytes(target),
            Self::Listing(digest) => to.variant(4).digest(digest.as_bytes()),
            Self::Directory(digest) => to.variant(5).digest(digest.as_bytes()),
            Self::Version(version) => to.variant(6).text(version),
            Self::Size { size, executable } => to.variant(7).number(*size).truth(*executable),
        };
    }
}

impl PathKind {
    fn code(self) -> u8 {
        match self {
            Self::File => 0,
            Self::Directory => 1,
            Self::Symlink => 2,
            Self::Other => 3,
        }
    }
}

impl PathEntry {
    fn encode(&self, to: &mut Encoder) {
        to.variant(match self.place {
            Place::Project => 0,
            Place::Absolute => 1,
            Place::Distribution => 2,
            Place::Home => 3,
            Place::Program => 4,
            Place::Variable => 5,
        });
        to.bytes(&self.path);
        to.variant(match self.access {
            Access::Content => 0,
            Access::Existence => 1,
            Access::Link => 2,
            Access::Listing => 3,
            Access::Stat => 4,
            Access::Module => 5,
        });
    }
}

/// The bytes that a strong key is a digest of. The order of `observed` makes no difference.
pub fn encode_observed(weak: &WeakKey, observed: &[(PathEntry, Seen)]) -> Vec<u8> {
    let mut sorted: Vec<&(PathEntry, Seen)> = observed.iter().collect();
    sorted.sort();
    sorted.dedup();
    let mut to = Encoder::new();
    to.digest(weak.as_bytes()).list(sorted.len());
    for (entry, seen) in sorted {
        entry.encode(&mut to);
        seen.encode(&mut to);
    }
    to.into_bytes()
}

/// The strong key: the weak key, and what is at every path of the path set.
pub fn strong_key(weak: &WeakKey, observed: &[(PathEntry, Seen)]) -> ActionKey {
    ActionKey::from_bytes(derive(
        context::ACTION_KEY,
        &encode_observed(weak, observed),
    ))
}

/// The digest of a directory's names and types, in any order.
pub fn listing_digest(names: &[(Vec<u8>, PathKind)]) -> ListingDigest {
    let mut sorted: Vec<&(Vec<u8>, PathKind)> = names.iter().collect();
    sorted.sort();
    let mut to = Encoder::new();
    to.list(sorted.len());
    for (name, kind) in sorted {
        to.bytes(name).variant(kind.code());
    }
    ListingDigest::from_bytes(derive(context::LISTING, &to.into_bytes()))
}

fn derive(context: &'static str, bytes: &[u8]) -> [u8; 32] {
    let mut hasher = Hasher::context(context);
    hasher.update(bytes);
    hasher.finish()
}

/// Byte strings as such, not as lists of numbers.
pub(crate) mod bytes {
    use std::fmt;

    use serde::de::{self, SeqAccess, Visitor};
    use serde::{Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_bytes(bytes)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        from.deserialize_byte_buf(Bytes)
    }

    struct Bytes;

    impl<'de> Visitor<'de> for Bytes {
        type Value = Vec<u8>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("bytes")
        }

        fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
            Ok(bytes.to_vec())
        }

        fn visit_byte_buf<E: de::Error>(self, bytes: Vec<u8>) -> Result<Vec<u8>, E> {
            Ok(bytes)
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Vec<u8>, A::Error> {
            let mut bytes = Vec::new();
            while let Some(byte) = seq.next_element()? {
                bytes.push(byte);
            }
            Ok(bytes)
        }
    }
}

/// Thirty-two bytes as such.
mod bytes32 {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::digest::BlobDigest;

    pub(super) fn serialize<S: Serializer>(bytes: &[u8; 32], to: S) -> Result<S::Ok, S::Error> {
        BlobDigest::from_bytes(*bytes).serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<[u8; 32], D::Error> {
        BlobDigest::deserialize(from).map(|digest| *digest.as_bytes())
    }
}
