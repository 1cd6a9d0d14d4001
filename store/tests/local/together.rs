//! Several threads and processes on one store lose nothing of each other.

use std::sync::Arc;

use jalon_store::LocalStore;
use jalon_store::action::PathSet;
use jalon_store::digest::{BlobDigest, WeakKey};
use jalon_store::outcome::Explanation;

use crate::common::{open, record, set};

#[test]
fn what_another_process_learned_is_known_once_its_flight_ends() {
    let root = tempfile::tempdir().unwrap();
    let (a, b) = (open(root.path()), open(root.path()));
    let weak = WeakKey::from_bytes([1; 32]);
    let with = |store: &LocalStore, set: &PathSet| {
        let record = record(store, 1, b"x");
        store
            .put_action(&record, &Explanation::default(), set)
            .unwrap();
    };
    with(&a, &set("old"));
    assert_eq!(b.path_sets(&weak).unwrap(), [set("old")]);
    let flight = a.flight(&weak, &|| false).unwrap();
    assert!(
        b.flight(&weak, &|| true).unwrap().is_none(),
        "it is in flight"
    );
    let another = WeakKey::from_bytes([2; 32]);
    assert!(b.flight(&another, &|| true).unwrap().is_some());
    assert!(
        a.flight(&weak, &|| true).unwrap().is_none(),
        "for others of its process too"
    );
    with(&a, &set("new"));
    drop(flight);
    let _mine = b.flight(&weak, &|| false).unwrap().unwrap();
    assert_eq!(b.path_sets(&weak).unwrap(), [set("new"), set("old")]);
}

#[test]
fn threads_that_write_the_same_and_different_things_lose_none() {
    let root = tempfile::tempdir().unwrap();
    let stores: Vec<Arc<LocalStore>> = (0..3).map(|_| Arc::new(open(root.path()))).collect();
    std::thread::scope(|scope| {
        for thread in 0..6_u32 {
            let store = stores[thread as usize % 3].clone();
            scope.spawn(move || {
                for number in 0..200_u32 {
                    store.put_bytes(&number.to_le_bytes()).unwrap();
                    store
                        .put_bytes(format!("{thread} {number}").as_bytes())
                        .unwrap();
                }
                store.put_bytes(&vec![1; 40_000]).unwrap();
            });
        }
    });
    for store in [stores[0].clone(), {
        drop(stores);
        Arc::new(open(root.path()))
    }] {
        for number in 0..200_u32 {
            assert!(
                store
                    .read_blob(&BlobDigest::of(&number.to_le_bytes()))
                    .unwrap()
                    .is_some()
            );
            for thread in 0..6 {
                assert!(
                    store
                        .read_blob(&BlobDigest::of(format!("{thread} {number}").as_bytes()))
                        .unwrap()
                        .is_some()
                );
            }
        }
    }
}
