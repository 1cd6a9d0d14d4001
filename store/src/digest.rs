//! Digests: what a thing is called by its bytes. The only room that names BLAKE3.
//!
//! A digest of a blob, of a tree and of an action are different types, so that one can never stand
//! for another. Knows nothing of files but that they can be read.

mod spread;

use std::cell::RefCell;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::str::FromStr;

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Bytes in a digest.
pub const LEN: usize = 32;

/// Above this many bytes in one piece, hashing is spread over the rayon pool.
const PARALLEL: usize = 512 * 1024;

/// Bytes read at a time of a stream.
const CHUNK: usize = 1024 * 1024;

/// A text that is not 64 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseDigestError(String);

impl fmt::Display for ParseDigestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is not a digest (64 hexadecimal digits)", self.0)
    }
}

impl std::error::Error for ParseDigestError {}

struct DigestVisitor;

impl<'de> Visitor<'de> for DigestVisitor {
    type Value = [u8; LEN];

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("32 bytes")
    }

    fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Self::Value, E> {
        bytes
            .try_into()
            .map_err(|_| E::invalid_length(bytes.len(), &self))
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut out = [0; LEN];
        for (i, slot) in out.iter_mut().enumerate() {
            *slot = seq
                .next_element()?
                .ok_or_else(|| de::Error::invalid_length(i, &self))?;
        }
        match seq.next_element::<u8>()? {
            None => Ok(out),
            Some(_) => Err(de::Error::invalid_length(LEN + 1, &self)),
        }
    }
}

macro_rules! digest {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; LEN]);

        impl $name {
            /// The digest with these bytes, wherever they came from.
            pub const fn from_bytes(bytes: [u8; LEN]) -> Self {
                Self(bytes)
            }

            /// The 32 bytes.
            pub const fn as_bytes(&self) -> &[u8; LEN] {
                &self.0
            }

            /// The first 12 hexadecimal digits, for people.
            pub fn short(&self) -> String {
                let mut hex = self.to_string();
                hex.truncate(12);
                hex
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&to_hex(&self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.short())
            }
        }

        impl FromStr for $name {
            type Err = ParseDigestError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                from_hex(text).map(Self)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.serialize_bytes(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                from.deserialize_bytes(DigestVisitor).map(Self)
            }
        }
    };
}

digest! {
    /// BLAKE3 of a file's raw bytes.
    BlobDigest
}
digest! {
    /// Digest of a [`Tree`](crate::tree::Tree)'s canonical encoding.
    TreeDigest
}
digest! {
    /// Digest of a derivation with its declared inputs bound to digests.
    WeakKey
}
digest! {
    /// Strong key: the weak key with everything that an execution was observed to use.
    ActionKey
}
digest! {
    /// Digest of a directory listing: sorted names and types, without contents.
    ListingDigest
}

impl BlobDigest {
    /// The digest of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        let mut hasher = Hasher::blob();
        hasher.update(bytes);
        Self(hasher.finish())
    }

    /// The digest and the length of a file that was just opened.
    ///
    /// # Errors
    /// Reading failed; `UnexpectedEof` where it was cut short meanwhile. Of one that grew, what lies up to
    /// some length that it had is digested: the caller who must know compares its stat.
    pub fn of_file(file: &mut File) -> io::Result<(Self, u64)> {
        Self::of_file_to(file, |_, _| Ok(()))
    }

    /// The same, with each piece handed on while it is at hand, with its offset: in whatever order, several
    /// at once.
    pub(crate) fn of_file_to(
        file: &mut File,
        each: impl Fn(&[u8], u64) -> io::Result<()> + Sync,
    ) -> io::Result<(Self, u64)> {
        let length = file.metadata()?.len();
        if length >= spread::WORTH_IT {
            return Ok((Self(spread::hash(file, length, &each)?), length));
        }
        // To its end, wherever that is: what a file in /proc has to say is longer than its stat says.
        let mut hasher = Hasher::blob();
        let mut at = 0;
        let length = pump(file, |piece| {
            hasher.update(piece);
            each(piece, at)?;
            at += piece.len() as u64;
            Ok(())
        })?;
        Ok((Self(hasher.finish()), length))
    }
}

/// Hands everything that `from` gives to `each` in large pieces; returns the number of bytes.
/// Nothing is mapped: a file that another process truncates meanwhile must not kill this one.
pub(crate) fn pump(
    from: &mut impl Read,
    mut each: impl FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<u64> {
    let mut buffer = Vec::new();
    let mut total = 0;
    loop {
        buffer.clear();
        let read = from.by_ref().take(CHUNK as u64).read_to_end(&mut buffer)?;
        if read == 0 {
            return Ok(total);
        }
        each(&buffer)?;
        total += read as u64;
    }
}

/// An incremental hash of one kind.
pub struct Hasher(blake3::Hasher);

impl Hasher {
    /// Plain BLAKE3, as blobs are named.
    pub fn blob() -> Self {
        Self(blake3::Hasher::new())
    }

    /// BLAKE3 in derive-key mode: no digest of one context equals a digest of another, or a blob's.
    pub fn context(context: &'static str) -> Self {
        thread_local! {
            /// Deriving a context's key takes as long as hashing a small record.
            static BEGUN: RefCell<Vec<(&'static str, blake3::Hasher)>> = const { RefCell::new(Vec::new()) };
        }
        BEGUN.with_borrow_mut(|begun| {
            if let Some((_, hasher)) = begun.iter().find(|(known, _)| *known == context) {
                return Self(hasher.clone());
            }
            let hasher = blake3::Hasher::new_derive_key(context);
            begun.push((context, hasher.clone()));
            Self(hasher)
        })
    }

    /// Adds bytes; where the pieces are cut makes no difference.
    pub fn update(&mut self, bytes: &[u8]) {
        if bytes.len() >= PARALLEL {
            self.0.update_rayon(bytes);
        } else {
            self.0.update(bytes);
        }
    }

    /// The hash of what was added.
    pub fn finish(self) -> [u8; LEN] {
        *self.0.finalize().as_bytes()
    }
}

/// One context string for every kind of thing that is hashed in derive-key mode. The number is the
/// version of the encoding; an encoding that changes gets a new string, never new bytes under the old.
pub mod context {
    /// A tree's encoding.
    pub const TREE: &str = "jalon 1 tree";
    /// A derivation.
    pub const WEAK_KEY: &str = "jalon 1 weak key";
    /// A weak key and what was observed.
    pub const ACTION_KEY: &str = "jalon 1 action key";
    /// A directory listing.
    pub const LISTING: &str = "jalon 1 listing";
    /// What is signed of what travels.
    pub const SEAL: &str = "jalon 1 sealed record";
    /// Where path sets lie on a remote.
    pub const SLOT: &str = "jalon 1 path set slot";
    /// What a settled run was asked.
    pub const QUESTION: &str = "jalon 1 settled question";
    /// What is remembered of a settled run.
    pub const SETTLED: &str = "jalon 1 settled";
    /// What a lookup of records can rest on.
    pub(crate) const STORE: &str = "jalon 1 store state";
    /// The check of a pack's frame header.
    pub(crate) const FRAME: &str = "jalon 1 frame";
    /// The check of an event in a trace.
    pub(crate) const EVENT: &str = "jalon 1 event";
    /// The check of a group of stat-cache entries.
    pub(crate) const STAT: &str = "jalon 1 stat cache";
}

/// The first eight bytes of a hash in `context`: a guard against damage, not against malice.
pub(crate) fn check(context: &'static str, parts: &[&[u8]]) -> [u8; 8] {
    let mut hasher = Hasher::context(context);
    for part in parts {
        hasher.update(part);
    }
    let hash = hasher.finish();
    [
        hash[0], hash[1], hash[2], hash[3], hash[4], hash[5], hash[6], hash[7],
    ]
}

/// Lower-case hexadecimal.
pub(crate) fn to_hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut hex = vec![0; bytes.len() * 2];
    for (pair, byte) in hex.chunks_exact_mut(2).zip(bytes) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 15)];
    }
    // Looks at it once more, as fast as at any ASCII.
    String::from_utf8(hex).unwrap_or_default()
}

fn from_hex(text: &str) -> Result<[u8; LEN], ParseDigestError> {
    let wrong = || ParseDigestError(text.chars().take(80).collect());
    let digits = text.as_bytes();
    if digits.len() != LEN * 2 {
        return Err(wrong());
    }
    let mut out = [0; LEN];
    for (slot, pair) in out.iter_mut().zip(digits.chunks_exact(2)) {
        let high = nibble(pair[0]).ok_or_else(wrong)?;
        let low = nibble(pair[1]).ok_or_else(wrong)?;
        *slot = high << 4 | low;
    }
    Ok(out)
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}
