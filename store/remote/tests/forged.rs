//! What somebody who may write to a remote could put there, so that everything verifies and nothing is true.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jalon_remote::place::Place;
use jalon_remote::{Parcel, Remotes, Settings, Waited};
use jalon_store::action::{Derivation, Field, FieldValue, strong_key};
use jalon_store::content::Content;
use jalon_store::digest::{BlobDigest, TreeDigest};
use jalon_store::outcome::{ActionRecord, Attestation, Explanation, Made, NamedContent, Outcome};
use jalon_store::sealed::Shared;
use jalon_store::tree::{Entry, Tree};
use jalon_store::{LocalStore, Mode};

struct Ground {
    base: tempfile::TempDir,
}

impl Ground {
    fn new() -> Ground {
        Ground {
            base: tempfile::tempdir().unwrap(),
        }
    }

    fn cache(&self) -> PathBuf {
        self.base.path().join("cache")
    }

    fn store(&self, name: &str) -> Arc<LocalStore> {
        Arc::new(LocalStore::open(&self.base.path().join(name), Mode::ReadWrite).unwrap())
    }

    fn remotes(&self, store: &Arc<LocalStore>) -> Remotes {
        let address = format!("file://{}", self.cache().display());
        let settings = Settings {
            places: vec![Place::parse(&address).unwrap()],
            push: true,
            ..Settings::default()
        };
        Remotes::open(settings, store.clone()).unwrap()
    }

    fn put(&self, digest: &str, bytes: &[u8]) {
        let directory = self.cache().join("cas");
        std::fs::create_dir_all(&directory).unwrap();
        std::fs::write(directory.join(digest), bytes).unwrap();
    }
}

fn shared(content: Content) -> Shared {
    let derivation = Derivation::new(vec![Field {
        field: "command".into(),
        what: Vec::new(),
        value: FieldValue::Text("make".into()),
    }]);
    let weak = derivation.weak_key();
    Shared {
        record: ActionRecord {
            key: strong_key(&weak, &[]),
            weak,
            outcome: Outcome {
                outputs: vec![NamedContent {
                    name: "out".into(),
                    content,
                }],
                ..Outcome::default()
            },
            attestation: Attestation::default(),
            made: Made::default(),
        },
        explanation: Explanation {
            derivation,
            observed: Vec::new(),
        },
        transcript: Vec::new(),
    }
}

fn tree_of(tree: &Tree) -> Content {
    Content::Tree {
        digest: tree.digest(),
        size: tree.size(),
        files: tree.files(),
    }
}

fn is_refused(content: Content, put: &[(String, Vec<u8>)]) {
    let ground = Ground::new();
    for (digest, bytes) in put {
        ground.put(digest, bytes);
    }
    let store = ground.store("store");
    let remotes = ground.remotes(&store);
    assert_eq!(remotes.has(&[content]), [true]);
    assert!(!remotes.bring(&content, true));
    assert!(!remotes.remarks().is_empty());
    // And asking again, when parts of it are here, does not make it right.
    assert!(!remotes.bring(&content, true));
}

fn link(target: &[u8]) -> Tree {
    let entry = Entry::Symlink {
        target: target.to_vec(),
    };
    Tree::new(vec![(b"l".to_vec(), entry)]).unwrap()
}

#[test]
fn a_directory_that_leads_out_of_itself_is_not_taken() {
    for target in [&b"/etc/passwd"[..], b"../outside", b"a/../../outside"] {
        let tree = link(target);
        is_refused(
            tree_of(&tree),
            &[(tree.digest().to_string(), tree.encode())],
        );
    }
    // One level down one step up is allowed, and two are not.
    let inner = link(b"../../outside");
    let outer = Tree::new(vec![(
        b"d".to_vec(),
        Entry::Directory {
            digest: inner.digest(),
            size: 0,
            files: 1,
        },
    )])
    .unwrap();
    let both = [&outer, &inner].map(|tree| (tree.digest().to_string(), tree.encode()));
    is_refused(tree_of(&outer), &both);
}

#[test]
fn names_that_no_directory_holds_are_not_taken() {
    let sound = Tree::new(vec![(
        b"aa".to_vec(),
        Entry::Symlink {
            target: b"x".to_vec(),
        },
    )])
    .unwrap();
    for name in [b"..", b"./", b"/a", b"a\0"] {
        let mut encoding = sound.encode();
        let at = encoding.windows(2).position(|it| it == b"aa").unwrap();
        encoding[at..at + 2].copy_from_slice(name);
        let digest: TreeDigest = Tree::digest_of(&encoding);
        let content = Content::Tree {
            digest,
            size: 0,
            files: 1,
        };
        is_refused(content, &[(digest.to_string(), encoding)]);
    }
}

#[test]
fn directories_without_end_are_not_taken() {
    let mut tree = Tree::default();
    let mut put = vec![(tree.digest().to_string(), tree.encode())];
    for _ in 0..200 {
        let below = Entry::Directory {
            digest: tree.digest(),
            size: 0,
            files: 0,
        };
        tree = Tree::new(vec![(b"d".to_vec(), below)]).unwrap();
        put.push((tree.digest().to_string(), tree.encode()));
    }
    is_refused(tree_of(&tree), &put);
}

#[test]
fn a_length_that_lies_is_not_believed() {
    let digest = BlobDigest::of(b"four");
    for size in [3, 5, u64::MAX] {
        let content = Content::File {
            digest,
            size,
            executable: false,
        };
        let ground = Ground::new();
        ground.put(&digest.to_string(), b"four");
        let store = ground.store("store");
        let remotes = ground.remotes(&store);
        assert!(!remotes.bring(&content, true), "{size}");
        assert!(!store.has_content(&content));
    }
}

fn only_file(directory: &Path) -> PathBuf {
    let mut all = std::fs::read_dir(directory).unwrap();
    all.next().unwrap().unwrap().path()
}

#[test]
fn what_was_sent_is_found_and_a_part_that_came_is_not_asked_for_again() {
    let ground = Ground::new();
    let here = ground.store("here");
    // More than eight MiB, and nothing that could be packed.
    let bytes: Vec<u8> = (0..400_000_u32)
        .flat_map(|n| *BlobDigest::of(&n.to_le_bytes()).as_bytes())
        .collect();
    let digest = here.put_bytes(&bytes).unwrap();
    let size = bytes.len() as u64;
    let content = Content::File {
        digest,
        size,
        executable: false,
    };
    let remotes = ground.remotes(&here);
    let sent = shared(content);
    let set = sent.path_set();
    remotes.push(Parcel {
        shared: sent.clone(),
        set,
    });
    assert_eq!(
        remotes.finish(Duration::from_secs(60), &|| false),
        Waited::Done
    );
    assert_eq!(remotes.tally().sent, 1, "{:?}", remotes.remarks());

    let there = ground.store("there");
    let mut begun = there.receive(&digest, size).unwrap();
    assert!(begun.write(&bytes[..9_000_000]).unwrap());
    drop(begun);
    let remotes = ground.remotes(&there);
    let found = remotes.outcome(&sent.record.key).expect("the record");
    assert_eq!(found.record.outcome, sent.record.outcome);
    assert!(remotes.bring(&content, true));
    // The pieces behind what was there, the one that it ended in, and the list of them.
    let (down, rest) = (remotes.tally().down, size - 9_000_000);
    assert!(
        (rest..rest + (2 << 20) + 4096).contains(&down),
        "{down} bytes for {rest}"
    );
    assert_eq!(
        there.read_blob(&digest).unwrap().as_deref(),
        Some(bytes.as_slice())
    );

    // A beginning that is not the blob's is noticed in the end, and done without.
    let third = ground.store("third");
    let mut begun = third.receive(&digest, size).unwrap();
    assert!(begun.write(&vec![7; 9_000_000]).unwrap());
    drop(begun);
    let remotes = ground.remotes(&third);
    let first = remotes.bring(&content, true);
    assert!(first || remotes.bring(&content, true));
    assert_eq!(
        third.read_blob(&digest).unwrap().as_deref(),
        Some(bytes.as_slice())
    );
    assert!(only_file(&ground.cache().join("cas")).is_file());
}
