//! What may be opened as a store, and what a read-only one does.

use std::fs;

use jalon_store::digest::WeakKey;
use jalon_store::error::{GcError, OpenError, WriteError};
use jalon_store::{GcPolicy, GcRoots, LocalStore, Mode};

use crate::common::{key, open, put};

#[test]
fn a_directory_that_holds_something_else_is_refused() {
    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join("thesis.tex"), "x").unwrap();
    let refused = LocalStore::open(root.path(), Mode::Auto);
    assert!(matches!(refused, Err(OpenError::NotAStore(_))));
    assert_eq!(fs::read_dir(root.path()).unwrap().count(), 1);
}

#[test]
fn a_newer_store_is_said_to_be_newer() {
    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join("FORMAT"), "jalon store 2\n").unwrap();
    assert!(matches!(
        LocalStore::open(root.path(), Mode::ReadWrite),
        Err(OpenError::Newer { .. })
    ));
}

#[test]
fn a_read_only_store_reads_and_says_that_it_cannot_keep() {
    let root = tempfile::tempdir().unwrap();
    let store = open(root.path());
    put(&store, 1, b"x");
    drop(store);
    let store = LocalStore::open(root.path(), Mode::ReadOnly).unwrap();
    assert!(store.action(&key(1)).unwrap().is_some());
    assert!(
        store
            .flight(&WeakKey::from_bytes([1; 32]), &|| false)
            .unwrap()
            .is_some()
    );
    assert!(!root.path().join("locks/flights").exists());
    assert!(matches!(store.put_bytes(b"new"), Err(WriteError::ReadOnly)));
    assert!(matches!(
        store.gc(|| Ok(GcRoots::default()), GcPolicy::default(), &|| true),
        Err(GcError::ReadOnly)
    ));
}
