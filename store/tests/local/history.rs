//! What is kept by name beside blobs: records that may be forgotten, path sets, traces, pins.

use std::fs;

use jalon_store::digest::WeakKey;
use jalon_store::outcome::Explanation;
use jalon_store::pin::Pin;
use jalon_store::{GcPolicy, GcRoots};

use crate::common::{key, open, put, record, set};

#[test]
fn a_trace_cut_anywhere_ends_there() {
    let root = tempfile::tempdir().unwrap();
    let store = open(root.path());
    let mut trace = store.create_trace("r1").unwrap();
    for event in [&b"one"[..], b"", b"three"] {
        trace.append(event).unwrap();
    }
    trace.finish().unwrap();
    let path = root.path().join("traces/r1.trace");
    let whole = fs::read(&path).unwrap();
    let expected: Vec<Vec<u8>> = vec![b"one".to_vec(), vec![], b"three".to_vec()];
    for end in 0..=whole.len() {
        fs::write(&path, &whole[..end]).unwrap();
        let found: Vec<Vec<u8>> = store.read_trace("r1").unwrap().unwrap().collect();
        assert!(expected.starts_with(&found), "{end}");
        assert_eq!(found.len() == 3, end == whole.len());
    }
}

#[test]
fn a_trace_is_a_file_among_the_traces() {
    let root = tempfile::tempdir().unwrap();
    let store = open(root.path());
    for id in ["../pins/x", "", ".x", "a/b"] {
        assert!(store.create_trace(id).is_err(), "{id}");
        assert!(store.read_trace(id).unwrap().is_none(), "{id}");
    }
}

#[test]
fn what_was_forgotten_stays_forgotten_after_collection() {
    let root = tempfile::tempdir().unwrap();
    let store = open(root.path());
    put(&store, 1, b"wrong");
    store.forget(&key(1)).unwrap();
    assert_eq!(store.action(&key(1)).unwrap(), None);
    put(&store, 2, b"right");
    let roots = GcRoots {
        actions: vec![(key(1), 1), (key(2), 2)],
        ..GcRoots::default()
    };
    store
        .gc(|| Ok(roots), GcPolicy::default(), &|| true)
        .unwrap();
    assert_eq!(store.action(&key(1)).unwrap(), None);
    assert!(store.action(&key(2)).unwrap().is_some());
    drop(store);
    assert_eq!(open(root.path()).action(&key(1)).unwrap(), None);
}

#[test]
fn a_forgotten_key_can_be_recorded_again() {
    let root = tempfile::tempdir().unwrap();
    let store = open(root.path());
    put(&store, 1, b"wrong");
    store.forget(&key(1)).unwrap();
    let again = put(&store, 1, b"right");
    assert_eq!(store.action(&key(1)).unwrap(), Some(again));
}

#[test]
fn a_path_set_that_counts_again_comes_first_again() {
    let root = tempfile::tempdir().unwrap();
    let store = open(root.path());
    for name in ["one", "two", "one"] {
        let record = record(&store, 1, b"x");
        store
            .put_action(&record, &Explanation::default(), &set(name))
            .unwrap();
    }
    assert_eq!(
        store.path_sets(&WeakKey::from_bytes([1; 32])).unwrap(),
        [set("one"), set("two")]
    );
}

#[test]
fn pins_of_different_names_are_different_pins() {
    let root = tempfile::tempdir().unwrap();
    let store = open(root.path());
    let names = ["a-b", "a/b", ".x", "-.x", "a b\n", "ü%", "run.1"];
    for name in names {
        store.pin(name, &Pin::run(name, "")).unwrap();
    }
    let mut found: Vec<String> = store
        .pins()
        .unwrap()
        .into_iter()
        .map(|(name, pin)| {
            assert_eq!(pin, Pin::run(name.clone(), ""));
            name
        })
        .collect();
    found.sort();
    let mut names = names.map(str::to_owned);
    names.sort();
    assert_eq!(found, names);
    assert!(store.unpin("a/b").unwrap());
    assert_eq!(store.pins().unwrap().len(), 6);
}
