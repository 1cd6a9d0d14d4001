//! Torn, cut, flipped and swapped bytes: a right answer or none, and room for the right one.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use jalon_store::content::Content;
use jalon_store::digest::BlobDigest;
use jalon_store::outcome::ActionRecord;
use jalon_store::tree::{Entry, Tree};

use crate::common::{files, key, open, put};

#[test]
fn damaged_bytes_can_be_put_again() {
    for size in [100, 100_000] {
        let root = tempfile::tempdir().unwrap();
        let bytes = vec![7; size];
        let digest = open(root.path()).put_bytes(&bytes).unwrap();
        let packs = files(&root.path().join("packs"), ".pack");
        let loose = digest.to_string();
        let path = packs.first().cloned().unwrap_or(
            root.path()
                .join("blobs")
                .join(&loose[..2])
                .join(&loose[2..]),
        );
        let mut whole = fs::read(&path).unwrap();
        *whole.last_mut().unwrap() ^= 1;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        fs::write(&path, whole).unwrap();
        let store = open(root.path());
        assert_eq!(store.read_blob(&digest).unwrap(), None, "{size}");
        assert!(store.damage() > 0);
        assert!(
            !store.has_blob(&digest, size as u64),
            "what was seen to be damaged is not there: {size}"
        );
        assert_eq!(store.put_bytes(&bytes).unwrap(), digest);
        assert_eq!(
            store.read_blob(&digest).unwrap().as_deref(),
            Some(&bytes[..]),
            "{size}"
        );
        drop(store);
        assert_eq!(
            open(root.path()).read_blob(&digest).unwrap().as_deref(),
            Some(&bytes[..]),
            "{size}"
        );
    }
}

#[test]
fn a_tree_that_was_damaged_can_be_put_again() {
    let root = tempfile::tempdir().unwrap();
    let tree = Tree::new(vec![(
        b"l".to_vec(),
        Entry::Symlink {
            target: b"x".to_vec(),
        },
    )])
    .unwrap();
    let digest = open(root.path()).put_tree(&tree).unwrap();
    let path = files(&root.path().join("packs"), ".pack").remove(0);
    let mut whole = fs::read(&path).unwrap();
    *whole.last_mut().unwrap() ^= 1;
    fs::write(&path, whole).unwrap();
    let store = open(root.path());
    assert_eq!(store.read_tree(&digest).unwrap(), None);
    store.put_tree(&tree).unwrap();
    assert_eq!(store.read_tree(&digest).unwrap(), Some(tree));
}

#[test]
fn a_store_cut_anywhere_gives_right_answers_or_none() {
    let root = tempfile::tempdir().unwrap();
    let store = open(root.path());
    let records: Vec<ActionRecord> = (0..3)
        .map(|number| put(&store, number, &[number; 20]))
        .collect();
    drop(store);
    let path = files(&root.path().join("packs"), ".pack").remove(0);
    let whole = fs::read(&path).unwrap();
    let check = |what: String| {
        let store = open(root.path());
        for expected in &records {
            let found = store.action(&expected.key).unwrap();
            assert!(
                found.is_none() || found.as_ref() == Some(expected),
                "{what}"
            );
            let Content::File { digest, .. } = expected.outcome.outputs[0].content else {
                unreachable!()
            };
            let bytes = store.read_blob(&digest).unwrap();
            assert!(
                bytes.is_none_or(|bytes| BlobDigest::of(&bytes) == digest),
                "{what}"
            );
        }
    };
    for end in 0..whole.len() {
        fs::write(&path, &whole[..end]).unwrap();
        check(format!("cut at {end}"));
    }
    for at in 0..whole.len() {
        let mut flipped = whole.clone();
        flipped[at] ^= 0x10;
        fs::write(&path, &flipped).unwrap();
        check(format!("flipped at {at}"));
    }
    fs::write(&path, &whole).unwrap();
    assert_eq!(
        open(root.path()).action(&key(2)).unwrap().as_ref(),
        Some(&records[2])
    );
}

#[test]
fn a_blob_that_vanished_does_not_stop_the_sync() {
    let root = tempfile::tempdir().unwrap();
    let store = open(root.path());
    let digest = store.put_bytes(&vec![3; 50_000]).unwrap();
    let hex = digest.to_string();
    fs::remove_file(root.path().join("blobs").join(&hex[..2]).join(&hex[2..])).unwrap();
    store.sync().unwrap();
}

#[test]
fn a_damaged_index_misleads_nobody() {
    let root = tempfile::tempdir().unwrap();
    let store = open(root.path());
    let digests: Vec<BlobDigest> = (0..100_u8)
        .map(|number| store.put_bytes(&[number; 9]).unwrap())
        .collect();
    drop(store);
    let path = files(&root.path().join("packs"), ".idx").remove(0);
    let whole = fs::read(&path).unwrap();
    for at in (0..whole.len()).step_by(13).chain([whole.len()]) {
        let mut other = whole.clone();
        match other.get_mut(at) {
            Some(byte) => *byte ^= 0x41,
            None => other.truncate(at / 2),
        }
        // A new file, as it is mapped by whoever opened the one before.
        fs::remove_file(&path).unwrap();
        fs::write(&path, other).unwrap();
        let store = open(root.path());
        for digest in &digests {
            let bytes = store.read_blob(digest).unwrap();
            assert!(
                bytes.is_none_or(|bytes| BlobDigest::of(&bytes) == *digest),
                "{at}"
            );
        }
    }
    fs::remove_file(&path).unwrap();
    let store = open(root.path());
    assert!(
        digests
            .iter()
            .all(|digest| store.read_blob(digest).unwrap().is_some())
    );
    assert!(path.exists(), "it is made again");
}

#[test]
fn wrong_bytes_under_a_right_key_do_not_outlive_the_right_ones() {
    let bytes = b"right";
    let root = tempfile::tempdir().unwrap();
    let digest = open(root.path()).put_bytes(bytes).unwrap();
    let other = tempfile::tempdir().unwrap();
    open(other.path()).put_bytes(b"wrong").unwrap();
    let pack = files(&other.path().join("packs"), ".pack").remove(0);
    let mut frame = fs::read(&pack).unwrap();
    // The oldest stamp, and the key of another blob, with a header that holds.
    frame[24..32].fill(0);
    frame[40..72].copy_from_slice(digest.as_bytes());
    let mut check = jalon_store::digest::Hasher::context("jalon 1 frame");
    check.update(&frame[16..80]);
    frame[80..88].copy_from_slice(&check.finish()[..8]);
    fs::write(root.path().join("packs/foreign.pack"), frame).unwrap();
    let store = open(root.path());
    assert_eq!(store.verify(&mut |_| ()).unwrap().damaged.len(), 1);
    assert_eq!(
        store.read_blob(&digest).unwrap().as_deref(),
        Some(&bytes[..])
    );
    drop(store);
    let report = open(root.path()).verify(&mut |_| ()).unwrap();
    assert_eq!(report.damaged, Vec::<String>::new());
}
