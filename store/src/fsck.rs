//! Verification: everything read and held against its name or its check.

use std::fs::File;

use crate::digest::{BlobDigest, TreeDigest};
use crate::error::{At, VerifyError};
use crate::local::LocalStore;
use crate::local::pack::Kind;
use crate::outcome::{ActionRecord, Explanation};
use crate::piece::Lies;
use crate::record::{self, RecordError};
use crate::tree::Tree;

/// What verification found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VerifyReport {
    /// Things that were read.
    pub checked: u64,
    /// What is damaged, in words.
    pub damaged: Vec<String>,
}

impl LocalStore {
    /// Reads everything. What is damaged is set aside where the store may be written, and is absent from
    /// then on. `progress` is told how many things were read.
    ///
    /// # Errors
    /// The disk did not answer.
    pub fn verify(&self, progress: &mut dyn FnMut(u64)) -> Result<VerifyReport, VerifyError> {
        let mut report = VerifyReport::default();
        for (digest, _, path) in self.loose_blobs()? {
            let mut file = File::open(&path).at("open", &path)?;
            let (found, _) = BlobDigest::of_file(&mut file).at("read", &path)?;
            if found != digest {
                report.damaged.push(format!("blob {digest}"));
                self.quarantine(&path);
            }
            report.checked += 1;
            progress(report.checked);
        }
        let mut torn = false;
        for found in self.packs.all() {
            let payload = found.read()?;
            let fine =
                payload.is_some_and(|bytes| is_right(found.frame.kind, &found.frame.key, &bytes));
            if !fine {
                torn = true;
                let kind = Kind::from_byte(found.frame.kind).map_or("frame", name);
                report.damaged.push(format!(
                    "{kind} {}",
                    BlobDigest::from_bytes(found.frame.key)
                ));
            }
            report.checked += 1;
            progress(report.checked);
        }
        // The end of a run that was killed is torn: said by `log`, no damage of results.
        for id in self.list_traces()? {
            self.read_trace(&id)?.into_iter().flatten().for_each(drop);
            report.checked += 1;
            progress(report.checked);
        }
        for tail in self.packs.torn() {
            report.damaged.push(format!("the end of pack {tail}"));
            torn = true;
        }
        if torn {
            // Merging copies only what is right. While others use the store, it waits for the next time.
            let _ = self.alone(&|| true, || Ok(self.packs.replace(|_| true, is_right)?));
        }
        Ok(report)
    }
}

fn name(kind: Kind) -> &'static str {
    match kind {
        Kind::Blob => "blob",
        Kind::Tree => "tree",
        Kind::Action => "outcome",
        Kind::Explanation => "explanation",
        Kind::PathSet => "path set",
        Kind::Forget => "mark",
        Kind::Sha256 => "SHA-256",
        Kind::Piece => "piece",
    }
}

/// Whether a payload is what its key says. A record of a newer jalon is no damage.
pub(crate) fn is_right(kind: u8, key: &[u8; 32], bytes: &[u8]) -> bool {
    match Kind::from_byte(kind) {
        Some(Kind::Blob) => BlobDigest::of(bytes).as_bytes() == key,
        Some(Kind::Tree) => {
            Tree::digest_of(bytes) == TreeDigest::from_bytes(*key) && Tree::decode(bytes).is_ok()
        }
        Some(Kind::Action) => believed(record::decode::<ActionRecord>(bytes), |record| {
            record.key.as_bytes() == key
        }),
        Some(Kind::Explanation) => believed(record::decode::<Explanation>(bytes), |_| true),
        Some(Kind::PathSet) => believed(record::decode::<crate::action::PathSet>(bytes), |_| true),
        Some(Kind::Sha256) => bytes.len() == 32,
        Some(Kind::Piece) => Lies::decode(bytes).is_some(),
        Some(Kind::Forget) | None => true,
    }
}

fn believed<T>(record: Result<T, RecordError>, fits: impl Fn(&T) -> bool) -> bool {
    match record {
        Ok(record) => fits(&record),
        Err(cause) => matches!(cause, RecordError::Newer(_)),
    }
}
