//! What the tests of the store on disk share.

use std::fs;
use std::path::{Path, PathBuf};

use jalon_store::action::{Access, PathEntry, PathSet, Place};
use jalon_store::content::Content;
use jalon_store::digest::{ActionKey, WeakKey};
use jalon_store::outcome::{ActionRecord, Attestation, Explanation, Made, NamedContent, Outcome};
use jalon_store::{LocalStore, Mode};

/// Open for writing.
pub fn open(path: &Path) -> LocalStore {
    LocalStore::open(path, Mode::ReadWrite).unwrap()
}

/// A strong key.
pub fn key(number: u8) -> ActionKey {
    ActionKey::from_bytes([number; 32])
}

/// An outcome of one file, whose bytes are in the store.
pub fn record(store: &LocalStore, number: u8, bytes: &[u8]) -> ActionRecord {
    let digest = store.put_bytes(bytes).unwrap();
    let content = Content::File {
        digest,
        size: bytes.len() as u64,
        executable: false,
    };
    ActionRecord {
        key: key(number),
        weak: WeakKey::from_bytes([number; 32]),
        outcome: Outcome {
            outputs: vec![NamedContent {
                name: "o".into(),
                content,
            }],
            ..Outcome::default()
        },
        attestation: Attestation::default(),
        made: Made::default(),
    }
}

/// The same, recorded.
pub fn put(store: &LocalStore, number: u8, bytes: &[u8]) -> ActionRecord {
    let record = record(store, number, bytes);
    store
        .put_action(&record, &Explanation::default(), &PathSet::default())
        .unwrap();
    record
}

/// What a directory holds with this ending.
pub fn files(directory: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    found.retain(|path| path.to_string_lossy().ends_with(ending));
    found
}

/// One path that was read.
pub fn set(path: &str) -> PathSet {
    PathSet::new(vec![PathEntry {
        place: Place::Project,
        path: path.into(),
        access: Access::Content,
    }])
}
