//! The store on disk: damage, collection, locks, links; each test is a promise.

use std::cell::RefCell;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jalon_store::action::{Access, PathEntry, PathSet, Place};
use jalon_store::content::Content;
use jalon_store::digest::{ActionKey, BlobDigest, TreeDigest, WeakKey};
use jalon_store::error::{GcError, IngestError, MaterialiseError, OpenError, WriteError};
use jalon_store::index::Memory;
use jalon_store::outcome::{ActionRecord, Attestation, Explanation, Made, NamedContent, Outcome};
use jalon_store::pin::Pin;
use jalon_store::tree::{Entry, Tree};
use jalon_store::{GcPolicy, GcRoots, LinkMode, LocalStore, Mode};

fn open(path: &Path) -> LocalStore {
    LocalStore::open(path, Mode::ReadWrite).unwrap()
}

fn key(number: u8) -> ActionKey {
    ActionKey::from_bytes([number; 32])
}

fn record(store: &LocalStore, number: u8, bytes: &[u8]) -> ActionRecord {
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

fn put(store: &LocalStore, number: u8, bytes: &[u8]) -> ActionRecord {
    let record = record(store, number, bytes);
    store
        .put_action(&record, &Explanation::default(), &PathSet::default())
        .unwrap();
    record
}

fn files(directory: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    found.retain(|path| path.to_string_lossy().ends_with(ending));
    found
}

fn set(path: &str) -> PathSet {
    PathSet::new(vec![PathEntry {
        place: Place::Project,
        path: path.into(),
        access: Access::Content,
    }])
}

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
    with(&a, &set("new"));
    drop(flight);
    let _mine = b.flight(&weak, &|| false).unwrap().unwrap();
    assert_eq!(b.path_sets(&weak).unwrap(), [set("new"), set("old")]);
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
    assert!(
        fs::read_dir(root.path().join("locks/flight"))
            .unwrap()
            .next()
            .is_none()
    );
    assert!(matches!(store.put_bytes(b"new"), Err(WriteError::ReadOnly)));
    assert!(matches!(
        store.gc(|| Ok(GcRoots::default()), GcPolicy::default(), &|| true),
        Err(GcError::ReadOnly)
    ));
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

#[test]
fn links_in_a_followed_directory_mean_what_they_meant() {
    let root = tempfile::tempdir().unwrap();
    let at = |path: &str| root.path().join(path);
    for directory in ["store", "data", "far/inner"] {
        fs::create_dir_all(at(directory)).unwrap();
    }
    fs::write(at("far/value"), "right").unwrap();
    fs::write(at("data/value"), "wrong").unwrap();
    symlink("../value", at("far/inner/link")).unwrap();
    symlink(at("far/inner"), at("data/followed")).unwrap();
    let store = open(&at("store"));
    let content = store.ingest(&at("data"), &Memory::default()).unwrap();
    store
        .materialise(&content, &at("out"), LinkMode::Auto)
        .unwrap();
    assert_eq!(
        fs::read_to_string(at("out/followed/link")).unwrap(),
        "right"
    );
}

#[test]
fn directories_come_back_whatever_their_names() {
    let root = tempfile::tempdir().unwrap();
    let data = root.path().join("data");
    for name in [
        &b"a b"[..],
        b"quo\"te'",
        b"new\nline",
        b"\xff\xfe",
        "ü".as_bytes(),
        b"-rf",
        b"$(x)",
    ] {
        let inner = data.join("d").join(std::ffi::OsStr::from_bytes(name));
        fs::create_dir_all(inner.join("empty")).unwrap();
        fs::write(inner.join(std::ffi::OsStr::from_bytes(name)), name).unwrap();
    }
    fs::write(data.join("big"), vec![9; 100_000]).unwrap();
    fs::write(data.join("tool"), "#!/bin/sh\n").unwrap();
    fs::set_permissions(data.join("tool"), fs::Permissions::from_mode(0o755)).unwrap();
    symlink("d/none", data.join("dangling")).unwrap();
    symlink("../tool", data.join("d/up")).unwrap();
    let store = open(&root.path().join("store"));
    let cache = Memory::default();
    let content = store.ingest(&data, &cache).unwrap();
    assert_eq!(store.digest_path(&data, &cache).unwrap(), Some(content));
    let out = root.path().join("out");
    for link in [LinkMode::Auto, LinkMode::Copy, LinkMode::Hardlink] {
        store.materialise(&content, &out, link).unwrap();
        assert_eq!(store.digest_path(&out, &cache).unwrap(), Some(content));
        assert_eq!(
            fs::metadata(out.join("tool")).unwrap().permissions().mode() & 0o100,
            0o100
        );
        assert_eq!(
            fs::read_link(out.join("d/up")).unwrap(),
            Path::new("../tool")
        );
        fs::remove_dir_all(&out).unwrap();
    }
    assert!(store.verify(&mut |_| ()).unwrap().damaged.is_empty());
}

#[test]
fn what_cannot_be_kept_is_named() {
    let root = tempfile::tempdir().unwrap();
    let data = root.path().join("data");
    fs::create_dir(&data).unwrap();
    let store = open(&root.path().join("store"));
    let ingest = || store.ingest(&data, &Memory::default());
    symlink("/no/such/place", data.join("l")).unwrap();
    assert!(matches!(ingest(), Err(IngestError::Dangling { .. })));
    fs::remove_file(data.join("l")).unwrap();
    symlink(&data, data.join("l")).unwrap();
    assert!(matches!(ingest(), Err(IngestError::Circle(_))));
    fs::remove_file(data.join("l")).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(data.join("s")).unwrap();
    assert!(matches!(ingest(), Err(IngestError::Special(_))));
}

#[test]
fn forged_trees_lead_nowhere() {
    let root = tempfile::tempdir().unwrap();
    let store = open(&root.path().join("store"));
    let out = root.path().join("out");
    for target in ["../x", "/etc/passwd", "a/../../x"] {
        let tree = Tree::new(vec![(
            b"l".to_vec(),
            Entry::Symlink {
                target: target.into(),
            },
        )])
        .unwrap();
        let content = Content::Tree {
            digest: store.put_tree(&tree).unwrap(),
            size: 0,
            files: 1,
        };
        assert!(matches!(
            store.materialise(&content, &out, LinkMode::Auto),
            Err(MaterialiseError::Escaping { .. })
        ));
        assert!(!out.exists());
    }
    for name in [&b".."[..], b".", b"", b"a/b", b"a\0", &[b'x'; 256]] {
        assert!(
            Tree::new(vec![(
                name.to_vec(),
                Entry::Symlink {
                    target: b"x".to_vec()
                }
            )])
            .is_err()
        );
    }
}

#[test]
fn a_forged_tower_of_trees_does_not_overflow_the_stack() {
    let root = tempfile::tempdir().unwrap();
    let store = open(&root.path().join("store"));
    let mut digest: TreeDigest = store.put_tree(&Tree::default()).unwrap();
    for _ in 0..20_000 {
        let entry = Entry::Directory {
            digest,
            size: 0,
            files: 0,
        };
        digest = store
            .put_tree(&Tree::new(vec![(b"d".to_vec(), entry)]).unwrap())
            .unwrap();
    }
    let content = Content::Tree {
        digest,
        size: 0,
        files: 0,
    };
    store.has_content(&content);
    assert!(
        store
            .materialise(&content, &root.path().join("out"), LinkMode::Auto)
            .is_err()
    );
    let roots = GcRoots {
        contents: vec![content],
        ..GcRoots::default()
    };
    store.gc_dry(&roots, GcPolicy::default()).unwrap();
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
fn a_tower_of_directories_is_an_error() {
    let root = tempfile::tempdir().unwrap();
    let (data, out) = (root.path().join("data"), root.path().join("out"));
    let store = open(&root.path().join("store"));
    let ingest = |levels| {
        fs::create_dir_all((0..levels).fold(data.clone(), |path, _| path.join("d"))).unwrap();
        store.ingest(&data, &Memory::default())
    };
    let content = ingest(120).unwrap();
    store.materialise(&content, &out, LinkMode::Auto).unwrap();
    assert_eq!(
        store.digest_path(&out, &Memory::default()).unwrap(),
        Some(content)
    );
    assert!(matches!(ingest(450), Err(IngestError::Io(_))));
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
