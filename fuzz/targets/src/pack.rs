//! A store with a foreign pack beside a sound one gives right answers or none, before verification and
//! after it, and never loses a blob or a tree that the sound pack has.
//!
//! The first byte says whether the rest is the pack as it is (odd) or is given sums that hold (even).

use std::cell::OnceCell;
use std::fs;
use std::path::Path;

use crate::samples::{BLOBS, action, explanation, keys, mend, path_set, strong, tree, weak};
use jalon_store::digest::{ActionKey, BlobDigest, TreeDigest, WeakKey};
use jalon_store::{LocalStore, Mode};
use tempfile::TempDir;

/// Longer packs are slow, and say nothing new.
const LONGEST: usize = 32 << 10;

struct Bench {
    root: TempDir,
    sound: Vec<u8>,
}

thread_local! {
    static BENCH: OnceCell<Bench> = const { OnceCell::new() };
}

fn bench() -> Bench {
    // In memory where that can be had: every input is a file, and is opened twice.
    let memory = Path::new("/dev/shm");
    let root = if memory.is_dir() {
        TempDir::new_in(memory)
    } else {
        TempDir::new()
    }
    .expect("a temporary directory");
    let store = open(root.path());
    for bytes in BLOBS {
        store.put_bytes(bytes).expect("room");
    }
    store.put_tree(&tree()).expect("room");
    store
        .put_action(&action(), &explanation(), &path_set())
        .expect("room");
    drop(store);
    let packs = root.path().join("packs");
    let pack = fs::read_dir(packs)
        .expect("packs")
        .map(|entry| entry.expect("an entry").path())
        .find(|path| path.extension().is_some_and(|ending| ending == "pack"))
        .expect("one pack");
    let sound = fs::read(pack).expect("the pack");
    Bench { root, sound }
}

fn open(path: &Path) -> LocalStore {
    LocalStore::open(path, Mode::ReadWrite).expect("the directory is a store")
}

fn ask(store: &LocalStore, keys: &[[u8; 32]]) {
    for bytes in BLOBS {
        let found = store.read_blob(&BlobDigest::of(bytes)).expect("an answer");
        assert_eq!(found.as_deref(), Some(bytes));
    }
    let known = tree();
    let found = store.read_tree(&known.digest()).expect("an answer");
    assert_eq!(found, Some(known));
    for key in keys {
        let digest = BlobDigest::from_bytes(*key);
        if let Some(bytes) = store.read_blob(&digest).expect("an answer") {
            assert_eq!(BlobDigest::of(&bytes), digest);
            assert!(store.has_blob(&digest, bytes.len() as u64));
        }
        let digest = TreeDigest::from_bytes(*key);
        if let Some(tree) = store.read_tree(&digest).expect("an answer") {
            assert_eq!(tree.digest(), digest);
        }
        let key = ActionKey::from_bytes(*key);
        if let Some(record) = store.action(&key).expect("an answer") {
            assert_eq!(record.key, key);
            for output in &record.outcome.outputs {
                let _ = store.has_content(&output.content);
            }
        }
        let _ = store.explanation(&key).expect("an answer");
        let _ = store
            .path_sets(&WeakKey::from_bytes(*key.as_bytes()))
            .expect("an answer");
    }
}

/// Takes the input in, and panics where the promise does not hold.
pub fn run(data: &[u8]) {
    let Some((how, pack)) = data.split_first() else {
        return;
    };
    if pack.len() > LONGEST {
        return;
    }
    let mut pack = pack.to_vec();
    if how & 1 == 0 {
        mend(&mut pack);
    }
    let mut keys = keys(&pack);
    keys.extend([*strong().as_bytes(), *weak().as_bytes()]);
    BENCH.with(|cell| {
        let bench = cell.get_or_init(bench);
        let root = bench.root.path();
        let packs = root.join("packs");
        for entry in fs::read_dir(&packs).expect("packs") {
            fs::remove_file(entry.expect("an entry").path()).expect("removed");
        }
        fs::write(packs.join("sound.pack"), &bench.sound).expect("room");
        fs::write(packs.join("foreign.pack"), &pack).expect("room");
        let store = open(root);
        ask(&store, &keys);
        store.verify(&mut |_| ()).expect("an answer");
        ask(&store, &keys);
        drop(store);
        let store = open(root);
        ask(&store, &keys);
        // What verification found it has also put right.
        let report = store.verify(&mut |_| ()).expect("an answer");
        assert_eq!(report.damaged, Vec::<String>::new());
    });
}
