//! What travels between stores: an outcome with all that explains it, or a path set, in an envelope that
//! says which key it answers and who vouches for it.
//!
//! The envelope carries signatures and does not judge them. What is signed is a digest of kind, key and
//! payload, so that nothing can be moved under another key. Knows no remote.

use serde::{Deserialize, Serialize};

use crate::action::{PathSet, bytes, strong_key};
use crate::canonical::Encoder;
use crate::digest::{ActionKey, BlobDigest, Hasher, WeakKey, context};
use crate::error::{ReadError, WriteError};
use crate::local::LocalStore;
use crate::outcome::{ActionRecord, Explanation};
use crate::record::{self, Record, RecordError};

/// What an envelope holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Holds {
    /// A [`Shared`] outcome.
    Outcome,
    /// A path set.
    PathSet,
}

/// Somebody's word for an envelope: an ed25519 public key, and its signature of [`Sealed::message`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signature {
    /// 32 bytes.
    #[serde(with = "bytes")]
    pub key: Vec<u8>,
    /// 64 bytes.
    #[serde(with = "bytes")]
    pub signature: Vec<u8>,
}

/// The envelope.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sealed {
    /// What it holds.
    pub holds: Holds,
    /// The key under which it is kept.
    #[serde(with = "bytes")]
    pub key: Vec<u8>,
    /// A record's bytes.
    #[serde(with = "bytes")]
    pub payload: Vec<u8>,
    /// Who vouches for it.
    pub signatures: Vec<Signature>,
}

impl Record for Sealed {
    const KIND: u8 = 5;
}

impl Sealed {
    /// An envelope that nobody signed yet.
    pub fn new(holds: Holds, key: &[u8; 32], payload: Vec<u8>) -> Sealed {
        Sealed {
            holds,
            key: key.to_vec(),
            payload,
            signatures: Vec::new(),
        }
    }

    /// What is signed.
    pub fn message(&self) -> [u8; 32] {
        let mut to = Encoder::new();
        to.variant(match self.holds {
            Holds::Outcome => 0,
            Holds::PathSet => 1,
        });
        to.bytes(&self.key).bytes(&self.payload);
        let mut hasher = Hasher::context(context::SEAL);
        hasher.update(&to.into_bytes());
        hasher.finish()
    }

    /// Whether it is what was asked for.
    pub fn answers(&self, holds: Holds, key: &[u8; 32]) -> bool {
        self.holds == holds && self.key == key
    }
}

/// An outcome and what its key was computed from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shared {
    /// The outcome.
    pub record: ActionRecord,
    /// The recipe, and what was observed.
    pub explanation: Explanation,
    /// What was printed, where that is short.
    #[serde(with = "bytes")]
    pub transcript: Vec<u8>,
}

impl Record for Shared {
    const KIND: u8 = 6;
}

impl Shared {
    /// The outcome that a payload holds, if it is the one of this key: both keys must follow from what it
    /// says of itself.
    ///
    /// # Errors
    /// No record, or one of another key.
    pub fn decode(payload: &[u8], key: &ActionKey) -> Result<Shared, RecordError> {
        let shared: Shared = record::decode(payload)?;
        let Shared {
            record,
            explanation,
            ..
        } = &shared;
        let follows = record.key == *key
            && explanation.derivation.weak_key() == record.weak
            && strong_key(&record.weak, &explanation.observed) == *key;
        if follows {
            Ok(shared)
        } else {
            Err(RecordError::Malformed(
                "its key does not follow from what it says".into(),
            ))
        }
    }
}

/// Longest transcript that travels with its outcome, bytes.
const TRANSCRIPT: usize = 64 << 10;

impl LocalStore {
    /// An outcome as it is to travel; nothing where it is not known any more.
    ///
    /// # Errors
    /// The disk did not answer.
    pub fn share(&self, record: ActionRecord) -> Result<Option<Shared>, ReadError> {
        let Some(explanation) = self.explanation(&record.key)? else {
            return Ok(None);
        };
        let printed = match &record.outcome.transcript {
            Some(digest) => self.read_blob(digest)?.unwrap_or_default(),
            None => Vec::new(),
        };
        let transcript = if printed.len() <= TRANSCRIPT {
            printed
        } else {
            Vec::new()
        };
        Ok(Some(Shared {
            record,
            explanation,
            transcript,
        }))
    }

    /// Takes an outcome over from elsewhere.
    ///
    /// # Errors
    /// See [`WriteError`].
    pub fn adopt_outcome(&self, shared: &Shared) -> Result<(), WriteError> {
        if shared.record.outcome.transcript == Some(BlobDigest::of(&shared.transcript)) {
            self.put_bytes(&shared.transcript)?;
        }
        self.put_action(&shared.record, &shared.explanation, &shared.path_set())
    }
}

impl Shared {
    /// The paths that it was observed to use.
    pub fn path_set(&self) -> PathSet {
        let entries = self.explanation.observed.iter();
        PathSet::new(entries.map(|(entry, _)| entry.clone()).collect())
    }
}

/// Where the path sets of a weak key lie: a bounded number of places, filled from the first.
pub fn slot(weak: &WeakKey, number: u8) -> [u8; 32] {
    let mut to = Encoder::new();
    to.digest(weak.as_bytes()).number(u64::from(number));
    let mut hasher = Hasher::context(context::SLOT);
    hasher.update(&to.into_bytes());
    hasher.finish()
}
