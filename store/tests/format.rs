//! A store that was written once, as files beside this test, and is read by every later version. What
//! lies in `format/v1` is never written anew: a change that cannot read it needs a new number in FORMAT.
//!
//! `UPDATE_FORMAT=1` makes the store of a number that has none yet.

use std::fs;
use std::path::{Path, PathBuf};

use jalon_store::action::{
    Access, Derivation, Field, FieldValue, PathEntry, PathKind, PathSet, Place, Seen, strong_key,
};
use jalon_store::content::Content;
use jalon_store::digest::{ActionKey, BlobDigest, TreeDigest, WeakKey};
use jalon_store::outcome::{
    ActionRecord, Attestation, Cost, Explanation, Made, NamedContent, Outcome, Traced,
};
use jalon_store::pin::Pin;
use jalon_store::tree::{Entry, Tree};
use jalon_store::{LocalStore, Mode};

const SMALL: &[u8] = b"id,mass\n1,3750\n";
const SCRIPT: &[u8] = b"#!/bin/sh\necho done\n";
const EVENTS: [&[u8]; 3] = [b"{\"event\":\"begun\"}", b"", b"\x00\xff"];

/// Digests as they were when the store was made: computing them anew would follow a change of the hashing.
const BLOB: &str = "b5b8128215ee29e9b68c8e7ec3b2e564602570c6b4d5f4781801ebeb0b8c68bc";
const LOOSE: &str = "b7010d79da1827eac0cc85b5fe728daea55aaae78b79016869b01aed1eba072a";
const TREE: &str = "23f8f1d61ba21861aeebb5a572c16628022ba87c7dfce6df76a379e11e151315";
const WEAK: &str = "a907c00d432820b9c3d9f945098c60ca1f4347f9bc4ed5a7522e6d3af2fd344f";
const STRONG: &str = "49aeae8729248829c2a229bdeac36888d71a8a69d0ba75b1f6499e48a13f954b";

/// Just long enough to be a file of its own.
fn loose() -> Vec<u8> {
    b"0123456789abcde\n".repeat(1024)
}

fn tree() -> Tree {
    let file = |bytes: &[u8], executable| Entry::File {
        digest: BlobDigest::of(bytes),
        size: bytes.len() as u64,
        executable,
    };
    Tree::new(vec![
        (b"table.csv".to_vec(), file(SMALL, false)),
        (b"run\xff.sh".to_vec(), file(SCRIPT, true)),
        (b"large".to_vec(), file(&loose(), false)),
        (
            b"nothing".to_vec(),
            Entry::Directory {
                digest: Tree::default().digest(),
                size: 0,
                files: 0,
            },
        ),
        (
            b"latest".to_vec(),
            Entry::Symlink {
                target: b"table.csv".to_vec(),
            },
        ),
    ])
    .unwrap()
}

fn explanation() -> Explanation {
    let field = |field: &'static str, what: &[u8], value| Field {
        field: field.into(),
        what: what.to_vec(),
        value,
    };
    let entry = |place, path: &[u8], access| PathEntry {
        place,
        path: path.to_vec(),
        access,
    };
    Explanation {
        derivation: Derivation::new(vec![
            field("command", b"", FieldValue::Text("./run.sh".into())),
            field("env", b"LANG", FieldValue::Absent),
            field("input", b"raw", FieldValue::Digest([9; 32])),
            field("params", b"seed", FieldValue::Json("[1,2.5]".into())),
            field("code", b"m.py", FieldValue::Bytes(b"\x00\xff".to_vec())),
        ]),
        observed: vec![
            (
                entry(Place::Project, b"lib/x.py", Access::Content),
                Seen::File {
                    digest: BlobDigest::of(SCRIPT),
                    executable: true,
                },
            ),
            (
                entry(Place::Project, b"lib", Access::Existence),
                Seen::Exists(PathKind::Directory),
            ),
            (
                entry(Place::Absolute, b"/bin/sh", Access::Link),
                Seen::Link(b"dash".to_vec()),
            ),
            (
                entry(Place::Distribution, b"numpy", Access::Content),
                Seen::Version("2.1".into()),
            ),
        ],
    }
}

fn path_set() -> PathSet {
    PathSet::new(
        explanation()
            .observed
            .into_iter()
            .map(|(entry, _)| entry)
            .collect(),
    )
}

fn action() -> ActionRecord {
    let explanation = explanation();
    let weak = explanation.derivation.weak_key();
    let tree = tree();
    ActionRecord {
        key: strong_key(&weak, &explanation.observed),
        weak,
        outcome: Outcome {
            outputs: vec![
                NamedContent {
                    name: "table".into(),
                    content: Content::File {
                        digest: BlobDigest::of(SMALL),
                        size: SMALL.len() as u64,
                        executable: false,
                    },
                },
                NamedContent {
                    name: "all".into(),
                    content: Content::Tree {
                        digest: tree.digest(),
                        size: tree.size(),
                        files: tree.files(),
                    },
                },
            ],
            transcript: Some(BlobDigest::of(SCRIPT)),
            cost: Cost {
                wall_ms: 70_000,
                user_ms: 60_000,
                system_ms: 12,
                max_rss_bytes: 5 << 30,
            },
        },
        attestation: Attestation {
            traced: Traced::Full,
            host_bound: true,
            clean: Some(false),
            confirmed: 2,
            notes: vec!["undeclared: /etc/hosts".into()],
            origin: None,
        },
        made: Made {
            at_ms: 1_700_000_000_000,
            run: "01HF000000000000000000RUN1".into(),
            node: "train[gbm,1]".into(),
            project: "penguins".into(),
            jalon: "0.1.0".into(),
            host: "h".into(),
        },
    }
}

fn pins() -> Vec<(String, Pin)> {
    let content = action().outcome.outputs[1].content;
    vec![
        ("a run".into(), Pin::run("r-1", "published")),
        ("paper/v1".into(), Pin::content(content, "in the paper")),
    ]
}

fn kept() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/format/v1")
}

fn make(path: &Path) {
    let store = LocalStore::open(path, Mode::ReadWrite).unwrap();
    for bytes in [SMALL, SCRIPT, &loose()] {
        store.put_bytes(bytes).unwrap();
    }
    store.put_tree(&Tree::default()).unwrap();
    store.put_tree(&tree()).unwrap();
    store
        .put_action(&action(), &explanation(), &path_set())
        .unwrap();
    let mut trace = store.create_trace("r-1").unwrap();
    for event in EVENTS {
        trace.append(event).unwrap();
    }
    trace.finish().unwrap();
    for (name, pin) in pins() {
        store.pin(&name, &pin).unwrap();
    }
    drop(store);
    // Locks and directories for what is under way are made anew where they are missing, as in a checkout.
    for passing in ["locks", "tmp", "quarantine"] {
        let _ = fs::remove_dir_all(path.join(passing));
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::write(&to, fs::read(entry.path()).unwrap()).unwrap();
        }
    }
}

fn read_all(store: &LocalStore) {
    let blob: BlobDigest = BLOB.parse().unwrap();
    assert_eq!(store.read_blob(&blob).unwrap().as_deref(), Some(SMALL));
    let blob: BlobDigest = LOOSE.parse().unwrap();
    assert_eq!(store.read_blob(&blob).unwrap(), Some(loose()));
    let digest: TreeDigest = TREE.parse().unwrap();
    assert_eq!(store.read_tree(&digest).unwrap(), Some(tree()));
    let (weak, strong): (WeakKey, ActionKey) = (WEAK.parse().unwrap(), STRONG.parse().unwrap());
    assert_eq!((action().weak, action().key), (weak, strong));
    let found = store.action(&strong).unwrap();
    assert_eq!(found.as_ref(), Some(&action()));
    for output in action().outcome.outputs {
        assert!(store.has_content(&output.content), "{}", output.name);
    }
    assert_eq!(store.explanation(&strong).unwrap(), Some(explanation()));
    assert_eq!(store.path_sets(&weak).unwrap(), vec![path_set()]);
    let traces = store.list_traces().unwrap();
    assert_eq!(traces, ["r-1"]);
    let events: Vec<Vec<u8>> = store.read_trace("r-1").unwrap().unwrap().collect();
    assert_eq!(events, EVENTS);
    let mut found = store.pins().unwrap();
    found.sort_by(|(a, _), (b, _)| a.cmp(b));
    assert_eq!(found, pins());
    assert_eq!(store.damage(), 0);
}

#[test]
fn a_store_of_version_1_is_read() {
    let kept = kept();
    if std::env::var_os("UPDATE_FORMAT").is_some() && !kept.exists() {
        make(&kept);
    }
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("store");
    copy(&kept, &path);
    read_all(&LocalStore::open(&path, Mode::ReadOnly).unwrap());
    let store = LocalStore::open(&path, Mode::ReadWrite).unwrap();
    read_all(&store);
    let report = store.verify(&mut |_| ()).unwrap();
    assert_eq!(report.damaged, Vec::<String>::new());
    read_all(&store);
    // It is gone on with, and what was there stays.
    store.put_bytes(b"new").unwrap();
    drop(store);
    read_all(&LocalStore::open(&path, Mode::ReadWrite).unwrap());
}

/// The files are read by others than this code too: where they lie is part of the format.
#[test]
fn a_store_of_version_1_has_its_files_where_the_format_says() {
    let kept = kept();
    assert_eq!(fs::read(kept.join("FORMAT")).unwrap(), b"jalon store 1\n");
    let blob = kept.join("blobs").join(&LOOSE[..2]).join(&LOOSE[2..]);
    assert_eq!(fs::read(blob).unwrap(), loose());
    for pin in ["a%20run", "paper%2fv1"] {
        assert!(
            fs::read(kept.join("pins").join(pin))
                .unwrap()
                .starts_with(b"jR\x04\x01")
        );
    }
    let trace = fs::read(kept.join("traces/r-1.trace")).unwrap();
    assert!(trace.starts_with(b"jalon trace 1\n\0\0"));
}
