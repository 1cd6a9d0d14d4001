//! Directories in and out of the store: names, links, forged trees, depth.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use jalon_store::content::Content;
use jalon_store::digest::TreeDigest;
use jalon_store::error::{IngestError, MaterialiseError};
use jalon_store::index::Memory;
use jalon_store::tree::{Entry, Tree};
use jalon_store::{GcPolicy, GcRoots, LinkMode};

use crate::common::open;

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
