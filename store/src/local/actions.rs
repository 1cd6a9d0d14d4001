//! Outcomes, what explains them, and path sets: records in packs.

use super::LocalStore;
use super::pack::Kind;
use super::packs;
use crate::action::PathSet;
use crate::digest::{ActionKey, WeakKey};
use crate::error::{ReadError, WriteError};
use crate::outcome::{ActionRecord, Explanation};
use crate::record::{self, Record};

impl LocalStore {
    /// Keeps an outcome: what explains it and its path set first, the record last.
    ///
    /// # Errors
    /// See [`WriteError`].
    pub fn put_action(
        &self,
        record: &ActionRecord,
        explanation: &Explanation,
        set: &PathSet,
    ) -> Result<(), WriteError> {
        self.may_write()?;
        if set.entries.len() > PathSet::MAX {
            return Err(WriteError::TooManyPaths(set.entries.len()));
        }
        let append = |kind, key: &[u8; 32], bytes: Vec<u8>| self.packs.append(kind, key, &bytes);
        append(
            Kind::Explanation,
            record.key.as_bytes(),
            record::encode(explanation)?,
        )?;
        // They are tried newest first, so one that counts again is written again.
        if self.path_sets(&record.weak)?.first() != Some(set) {
            append(Kind::PathSet, record.weak.as_bytes(), record::encode(set)?)?;
        }
        append(Kind::Action, record.key.as_bytes(), record::encode(record)?)?;
        Ok(())
    }

    /// The outcome under a strong key; damage is absence.
    ///
    /// # Errors
    /// The disk did not answer.
    pub fn action(&self, key: &ActionKey) -> Result<Option<ActionRecord>, ReadError> {
        let forgotten = self
            .packs
            .find(Kind::Forget, key.as_bytes())?
            .first()
            .map(|found| found.frame.stamp);
        for found in self.packs.find(Kind::Action, key.as_bytes())? {
            if forgotten.is_some_and(|stamp| stamp > found.frame.stamp) {
                return Ok(None);
            }
            if let Some(record) = self.record::<ActionRecord>(&found)?
                && record.key == *key
            {
                return Ok(Some(record));
            }
        }
        Ok(None)
    }

    /// What an outcome's key was computed from; damage is absence.
    ///
    /// # Errors
    /// The disk did not answer.
    pub fn explanation(&self, key: &ActionKey) -> Result<Option<Explanation>, ReadError> {
        for found in self.packs.find(Kind::Explanation, key.as_bytes())? {
            if let Some(explanation) = self.record(&found)? {
                return Ok(Some(explanation));
            }
        }
        Ok(None)
    }

    /// The path sets under a weak key, newest first, each once.
    ///
    /// # Errors
    /// The disk did not answer.
    pub fn path_sets(&self, weak: &WeakKey) -> Result<Vec<PathSet>, ReadError> {
        let mut sets: Vec<PathSet> = Vec::new();
        for found in self.packs.find(Kind::PathSet, weak.as_bytes())? {
            if let Some(set) = self.record(&found)?
                && !sets.contains(&set)
            {
                sets.push(set);
            }
        }
        Ok(sets)
    }

    fn record<T: Record>(&self, found: &packs::Found) -> Result<Option<T>, ReadError> {
        match found.read()?.map(|bytes| record::decode(&bytes)) {
            Some(Ok(record)) => Ok(Some(record)),
            // Of a newer jalon: not for us, and not damaged.
            Some(Err(record::RecordError::Newer(_))) => Ok(None),
            _ => {
                self.spoil(found);
                Ok(None)
            }
        }
    }

    /// From now on earlier outcomes under this key do not count.
    ///
    /// # Errors
    /// See [`WriteError`].
    pub fn forget(&self, key: &ActionKey) -> Result<(), WriteError> {
        self.may_write()?;
        Ok(self.packs.append(Kind::Forget, key.as_bytes(), &[])?)
    }
}
