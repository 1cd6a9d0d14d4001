//! Collection and merging: what is rooted stays, and whoever has the store open notices the rest.

use std::cell::RefCell;
use std::fs;

use jalon_store::error::GcError;
use jalon_store::index::Memory;
use jalon_store::{GcPolicy, GcRoots};

use crate::common::{files, key, open, put};

#[test]
fn collection_is_noticed_by_whoever_stays_open() {
    let root = tempfile::tempdir().unwrap();
    let data = tempfile::tempdir().unwrap();
    fs::write(data.path().join("f"), "small").unwrap();
    fs::write(data.path().join("g"), vec![1; 50_000]).unwrap();
    let store = open(root.path());
    let content = store.ingest(data.path(), &Memory::default()).unwrap();
    assert!(store.has_content(&content));
    store
        .gc(|| Ok(GcRoots::default()), GcPolicy::default(), &|| true)
        .unwrap();
    assert!(!store.has_content(&content));
    assert_eq!(
        store.ingest(data.path(), &Memory::default()).unwrap(),
        content
    );
    assert!(store.has_content(&content));
}

#[test]
fn collection_waits_for_nobody_and_harms_nobody() {
    let root = tempfile::tempdir().unwrap();
    let running = open(root.path());
    let digest = running.put_bytes(b"needed").unwrap();
    let other = open(root.path());
    assert!(matches!(
        other.gc(|| Ok(GcRoots::default()), GcPolicy::default(), &|| true),
        Err(GcError::Busy)
    ));
    assert_eq!(
        running.read_blob(&digest).unwrap().as_deref(),
        Some(&b"needed"[..])
    );
    drop(running);
    other
        .gc(|| Ok(GcRoots::default()), GcPolicy::default(), &|| true)
        .unwrap();
    assert_eq!(other.read_blob(&digest).unwrap(), None);
}

#[test]
fn collection_keeps_what_was_recorded_while_it_waited() {
    let root = tempfile::tempdir().unwrap();
    let (store, other) = (open(root.path()), open(root.path()));
    let busy = RefCell::new(Some(other));
    let record_and_go = || {
        if let Some(other) = busy.take() {
            put(&other, 1, b"late");
        }
        false
    };
    let roots = || {
        assert!(
            busy.borrow().is_none(),
            "others use it, and may record more"
        );
        Ok(GcRoots {
            actions: vec![(key(1), 1)],
            ..GcRoots::default()
        })
    };
    store
        .gc(roots, GcPolicy::default(), &record_and_go)
        .unwrap();
    let record = store.action(&key(1)).unwrap().unwrap();
    assert!(store.has_content(&record.outcome.outputs[0].content));
}

#[test]
fn a_blob_may_be_a_root() {
    let root = tempfile::tempdir().unwrap();
    let store = open(root.path());
    let (small, large) = (b"said".to_vec(), vec![b'x'; 50_000]);
    let kept = [&small, &large].map(|bytes| store.put_bytes(bytes).unwrap());
    let gone = store.put_bytes(b"other").unwrap();
    let roots = GcRoots {
        blobs: kept.to_vec(),
        ..GcRoots::default()
    };
    let policy = GcPolicy { max_size: Some(1) };
    store.gc(|| Ok(roots), policy, &|| true).unwrap();
    assert_eq!(store.read_blob(&kept[0]).unwrap(), Some(small));
    assert_eq!(store.read_blob(&kept[1]).unwrap(), Some(large));
    assert_eq!(store.read_blob(&gone).unwrap(), None);
}

#[test]
fn merged_packs_hold_what_they_held() {
    let root = tempfile::tempdir().unwrap();
    for number in 0..40 {
        put(&open(root.path()), number, &[number; 10]);
    }
    let store = open(root.path());
    store.tidy().unwrap();
    assert_eq!(files(&root.path().join("packs"), ".pack").len(), 1);
    for store in [store, open(root.path())] {
        for number in 0..40 {
            assert!(
                store
                    .action(&key(number))
                    .unwrap()
                    .is_some_and(|record| store.has_content(&record.outcome.outputs[0].content))
            );
        }
    }
}
