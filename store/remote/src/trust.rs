//! What is believed of what a remote says: the envelope opened, the signature checked, the policy applied.

use jalon_store::action::PathSet;
use jalon_store::digest::{ActionKey, WeakKey};
use jalon_store::outcome::{ActionRecord, Origin, Traced};
use jalon_store::record::{self, RecordError};
use jalon_store::sealed::{Holds, Sealed, Shared, slot};

use crate::sign::{PrivateKey, PublicKey, signer};

/// What is asked of an outcome before it is believed.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    /// Somebody trusted vouches for it.
    pub signed: bool,
    /// Its execution was observed completely.
    pub traced: bool,
    /// It was made from a tree without uncommitted changes.
    pub clean: bool,
    /// Who is trusted. Where somebody is, all must be signed.
    pub trusted: Vec<PublicKey>,
    /// Our own keys: we vouch with the first, and trust all.
    pub own: Vec<PrivateKey>,
}

/// Why a record is taken for none.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Disbelief {
    /// It is no record, or answers another key.
    Damaged,
    /// A newer jalon wrote it.
    Newer,
    /// Nobody vouches for it.
    Unsigned,
    /// Nobody who is trusted does.
    Untrusted,
    /// It falls short of what is required: the word of the policy.
    Short(&'static str),
}

impl Policy {
    /// Whether somebody trusted must vouch for what is believed.
    pub fn must_sign(&self) -> bool {
        self.signed || !self.trusted.is_empty()
    }

    /// Whether a record that is there serves others as well as ours would. What says something else may be of
    /// bytes that got lost.
    pub(crate) fn is_as_good(&self, there: &ActionRecord, ours: &ActionRecord) -> bool {
        let worth = |record: &ActionRecord| {
            let traced = match record.attestation.traced {
                Traced::Full => 2,
                Traced::Partial => 1,
                Traced::None => 0,
            };
            (traced, record.attestation.clean == Some(true))
        };
        let (theirs, mine) = (worth(there), worth(ours));
        let origin = there.attestation.origin.as_ref();
        let signed = origin.is_some_and(|origin| origin.signer.is_some());
        there.outcome.outputs == ours.outcome.outputs
            && theirs.0 >= mine.0
            && theirs.1 >= mine.1
            && (signed || self.own.is_empty())
    }

    fn believed(&self) -> Vec<PublicKey> {
        let own = self.own.iter().map(PrivateKey::public);
        self.trusted.iter().cloned().chain(own).collect()
    }

    fn open(
        &self,
        bytes: &[u8],
        holds: Holds,
        key: &[u8; 32],
    ) -> Result<(Sealed, Option<PublicKey>), Disbelief> {
        let sealed: Sealed = record::decode(bytes).map_err(broken)?;
        if !sealed.answers(holds, key) {
            return Err(Disbelief::Damaged);
        }
        let believed = self.believed();
        let signer = signer(&sealed, &believed).cloned();
        match signer {
            None if self.must_sign() && sealed.signatures.is_empty() => Err(Disbelief::Unsigned),
            None if self.must_sign() => Err(Disbelief::Untrusted),
            signer => Ok((sealed, signer)),
        }
    }

    /// The outcome of this key, from a remote of this name.
    ///
    /// # Errors
    /// See [`Disbelief`].
    pub fn outcome(
        &self,
        bytes: &[u8],
        key: &ActionKey,
        remote: &str,
    ) -> Result<Shared, Disbelief> {
        let (sealed, signer) = self.open(bytes, Holds::Outcome, key.as_bytes())?;
        let mut shared = Shared::decode(&sealed.payload, key).map_err(broken)?;
        let attestation = &mut shared.record.attestation;
        if self.traced && attestation.traced != Traced::Full {
            return Err(Disbelief::Short("traced"));
        }
        if self.clean && attestation.clean != Some(true) {
            return Err(Disbelief::Short("clean"));
        }
        if attestation.host_bound {
            return Err(Disbelief::Short("portable"));
        }
        attestation.origin = Some(Origin {
            remote: remote.to_owned(),
            signer: signer.map(|key| key.to_string()),
        });
        Ok(shared)
    }

    /// The path set in a slot of this weak key.
    ///
    /// # Errors
    /// See [`Disbelief`].
    pub fn path_set(&self, bytes: &[u8], weak: &WeakKey, number: u8) -> Result<PathSet, Disbelief> {
        let (sealed, _) = self.open(bytes, Holds::PathSet, &slot(weak, number))?;
        let set: PathSet = record::decode(&sealed.payload).map_err(broken)?;
        if set.entries.len() > PathSet::MAX {
            return Err(Disbelief::Damaged);
        }
        Ok(set)
    }

    /// An outcome as it travels. We vouch for what was made here, and for what somebody trusted vouched for.
    ///
    /// # Errors
    /// It is too large.
    pub fn seal_outcome(&self, shared: &Shared) -> Result<Vec<u8>, RecordError> {
        let mut shared = shared.clone();
        let origin = shared.record.attestation.origin.take();
        let ours = origin.is_none_or(|origin| origin.signer.is_some());
        let key = *shared.record.key.as_bytes();
        self.seal(Holds::Outcome, &key, record::encode(&shared)?, ours)
    }

    /// A path set as it travels.
    ///
    /// # Errors
    /// It is too large.
    pub fn seal_path_set(
        &self,
        set: &PathSet,
        weak: &WeakKey,
        number: u8,
    ) -> Result<Vec<u8>, RecordError> {
        self.seal(
            Holds::PathSet,
            &slot(weak, number),
            record::encode(set)?,
            true,
        )
    }

    fn seal(
        &self,
        holds: Holds,
        key: &[u8; 32],
        payload: Vec<u8>,
        ours: bool,
    ) -> Result<Vec<u8>, RecordError> {
        let mut sealed = Sealed::new(holds, key, payload);
        if let (Some(own), true) = (self.own.first(), ours) {
            own.seal(&mut sealed);
        }
        record::encode(&sealed)
    }
}

fn broken(error: RecordError) -> Disbelief {
    match error {
        RecordError::Newer(_) => Disbelief::Newer,
        _ => Disbelief::Damaged,
    }
}
