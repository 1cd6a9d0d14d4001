//! What the pack target and the making of seeds share: things to keep, and how bytes become frames.

use jalon_store::action::{
    Access, Derivation, Field, FieldValue, PathEntry, PathKind, PathSet, Place, Seen, strong_key,
};
use jalon_store::content::Content;
use jalon_store::digest::{ActionKey, BlobDigest, Hasher, ListingDigest, WeakKey};
use jalon_store::outcome::{
    ActionRecord, Attestation, Cost, Explanation, Made, NamedContent, Outcome, Traced,
};
use jalon_store::sealed::Shared;
use jalon_store::tree::{Entry, Tree};

/// The first bytes of a pack.
pub const MAGIC: &[u8; 16] = b"jalon pack 1\n\0\0\0";

/// Bytes of a frame before its payload.
pub const HEADER: usize = 72;

/// The blobs that the sound pack holds.
pub const BLOBS: [&[u8]; 2] = [b"one\n", b"another\n"];

/// A tree with an entry of each kind.
#[must_use]
pub fn tree() -> Tree {
    let file = |bytes: &[u8], executable| Entry::File {
        digest: BlobDigest::of(bytes),
        size: bytes.len() as u64,
        executable,
    };
    let empty = Tree::default();
    let entries = vec![
        (b"a".to_vec(), file(BLOBS[0], false)),
        (b"run.sh".to_vec(), file(BLOBS[1], true)),
        (
            b"d".to_vec(),
            Entry::Directory {
                digest: empty.digest(),
                size: 0,
                files: 0,
            },
        ),
        (
            b"l".to_vec(),
            Entry::Symlink {
                target: b"a".to_vec(),
            },
        ),
    ];
    Tree::new(entries).expect("these are names")
}

/// A path set.
#[must_use]
pub fn path_set() -> PathSet {
    PathSet::new(observed().into_iter().map(|(entry, _)| entry).collect())
}

fn observed() -> Vec<(PathEntry, Seen)> {
    let entry = |place, path: &[u8], access| PathEntry {
        place,
        path: path.to_vec(),
        access,
    };
    vec![
        (
            entry(Place::Project, b"lib/x.py", Access::Content),
            Seen::File {
                digest: BlobDigest::of(BLOBS[0]),
                executable: false,
            },
        ),
        (
            entry(Place::Project, b"lib", Access::Listing),
            Seen::Listing(ListingDigest::from_bytes([7; 32])),
        ),
        (
            entry(Place::Absolute, b"/etc/\xff", Access::Existence),
            Seen::Exists(PathKind::Other),
        ),
        (
            entry(Place::Absolute, b"/bin/sh", Access::Link),
            Seen::Link(b"dash".to_vec()),
        ),
        (
            entry(Place::Distribution, b"numpy", Access::Content),
            Seen::Version("2.1".into()),
        ),
    ]
}

fn derivation() -> Derivation {
    let field = |field: &'static str, what: &[u8], value| Field {
        field: field.into(),
        what: what.to_vec(),
        value,
    };
    Derivation::new(vec![
        field("command", b"", FieldValue::Text("cat a > o".into())),
        field("env", b"HOME", FieldValue::Absent),
        field("input", b"a", FieldValue::Digest([3; 32])),
        field("params", b"seed", FieldValue::Json("1".into())),
        field("code", b"m.py", FieldValue::Bytes(b"\x00\xff".to_vec())),
    ])
}

/// An explanation.
#[must_use]
pub fn explanation() -> Explanation {
    Explanation {
        derivation: derivation(),
        observed: observed(),
    }
}

/// The weak key of the action in the sound pack.
#[must_use]
pub fn weak() -> WeakKey {
    derivation().weak_key()
}

/// Its strong key.
#[must_use]
pub fn strong() -> ActionKey {
    strong_key(&weak(), &observed())
}

/// An action record.
#[must_use]
pub fn action() -> ActionRecord {
    let tree = tree();
    ActionRecord {
        key: strong(),
        weak: weak(),
        outcome: Outcome {
            outputs: vec![
                NamedContent {
                    name: "o".into(),
                    content: Content::File {
                        digest: BlobDigest::of(BLOBS[0]),
                        size: BLOBS[0].len() as u64,
                        executable: false,
                    },
                },
                NamedContent {
                    name: "d".into(),
                    content: Content::Tree {
                        digest: tree.digest(),
                        size: tree.size(),
                        files: tree.files(),
                    },
                },
            ],
            transcript: Some(BlobDigest::of(BLOBS[1])),
            cost: Cost {
                wall_ms: 70_000,
                user_ms: 2,
                system_ms: 300,
                max_rss_bytes: 1 << 33,
            },
        },
        attestation: Attestation {
            traced: Traced::Partial,
            host_bound: true,
            clean: Some(false),
            confirmed: 1,
            notes: vec!["note".into()],
            origin: None,
        },
        made: Made {
            at_ms: 1_700_000_000_000,
            run: "01J".into(),
            node: "n[1]".into(),
            project: "p".into(),
            jalon: "0.1.0".into(),
            host: "h".into(),
        },
    }
}

/// An outcome that may travel.
#[must_use]
pub fn shared() -> Shared {
    let mut record = action();
    record.attestation.host_bound = false;
    Shared {
        record,
        explanation: explanation(),
        transcript: BLOBS[1].to_vec(),
    }
}

fn check(bytes: &[u8]) -> [u8; 8] {
    let mut hasher = Hasher::context("jalon 1 frame");
    hasher.update(bytes);
    let [a, b, c, d, e, f, g, h, ..] = hasher.finish();
    [a, b, c, d, e, f, g, h]
}

/// Makes a pack of the bytes, whose frames have sums that hold: chance finds none, and without them
/// nothing behind the first header would be tried. Byte 5 of a frame says what is made right: its key
/// (1), not the payload's sum (2).
pub fn mend(bytes: &mut Vec<u8>) {
    bytes.splice(0..0, *MAGIC);
    let mut at = MAGIC.len();
    while bytes.len() - at >= HEADER {
        let (header, rest) = bytes[at..].split_at_mut(HEADER);
        let wanted = usize::from(u16::from_le_bytes([header[16], header[17]]));
        let length = wanted.min(rest.len());
        let payload = &rest[..length];
        let how = header[5];
        header[..4].copy_from_slice(b"jF1\n");
        header[5..8].fill(0);
        header[16..24].copy_from_slice(&(length as u64).to_le_bytes());
        if how & 1 != 0 {
            let key = match header[4] {
                1 => *BlobDigest::of(payload).as_bytes(),
                2 => *Tree::digest_of(payload).as_bytes(),
                5 => *weak().as_bytes(),
                _ => *strong().as_bytes(),
            };
            header[24..56].copy_from_slice(&key);
        }
        if how & 2 == 0 {
            header[56..64].copy_from_slice(&check(payload));
        }
        let sum = check(&header[..64]);
        header[64..].copy_from_slice(&sum);
        at += HEADER + length;
    }
}

/// The keys in what may be a pack, by walking its lengths.
#[must_use]
pub fn keys(pack: &[u8]) -> Vec<[u8; 32]> {
    let mut keys = Vec::new();
    let mut rest = pack.get(MAGIC.len()..).unwrap_or_default();
    while let Some(header) = rest.first_chunk::<HEADER>()
        && keys.len() < 64
    {
        let mut key = [0; 32];
        key.copy_from_slice(&header[24..56]);
        keys.push(key);
        let length = usize::from(u16::from_le_bytes([header[16], header[17]]));
        rest = rest.get(HEADER + length..).unwrap_or_default();
    }
    keys
}
