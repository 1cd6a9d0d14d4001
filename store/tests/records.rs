//! Records: what is encoded is decoded, and what no encoder wrote is refused, never a panic.

use jalon_store::action::{
    Access, Derivation, Field, FieldValue, PathEntry, PathKind, PathSet, Place, Seen,
    encode_observed, strong_key,
};
use jalon_store::content::Content;
use jalon_store::digest::{ActionKey, BlobDigest, ListingDigest, TreeDigest, WeakKey};
use jalon_store::outcome::{
    ActionRecord, Attestation, Cost, Explanation, Made, NamedContent, Outcome, Traced,
};
use jalon_store::record::{self, RecordError};
use proptest::prelude::*;

fn action(number: u8) -> ActionRecord {
    ActionRecord {
        key: ActionKey::from_bytes([number; 32]),
        weak: WeakKey::from_bytes([number ^ 1; 32]),
        outcome: Outcome {
            outputs: vec![NamedContent {
                name: "model".into(),
                content: Content::File {
                    digest: BlobDigest::of(&[number]),
                    size: 1,
                    executable: true,
                },
            }],
            transcript: Some(BlobDigest::of(b"said")),
            cost: Cost {
                wall_ms: 1,
                user_ms: 2,
                system_ms: 3,
                max_rss_bytes: 4,
            },
        },
        attestation: Attestation {
            traced: Traced::Full,
            host_bound: true,
            clean: Some(false),
            confirmed: 3,
            notes: vec!["note".into()],
            origin: None,
        },
        made: Made {
            at_ms: 5,
            run: "r".into(),
            node: "n".into(),
            ..Made::default()
        },
    }
}

#[test]
fn an_action_record_comes_back() {
    let bytes = record::encode(&action(7)).unwrap();
    assert_eq!(record::decode::<ActionRecord>(&bytes), Ok(action(7)));
}

#[test]
fn every_prefix_and_every_suffix_is_refused() {
    let bytes = record::encode(&action(7)).unwrap();
    for end in 0..bytes.len() {
        assert!(
            record::decode::<ActionRecord>(&bytes[..end]).is_err(),
            "{end}"
        );
    }
    let mut longer = bytes;
    longer.push(0xc0);
    assert!(record::decode::<ActionRecord>(&longer).is_err());
}

#[test]
fn what_a_newer_jalon_wrote_is_said() {
    let mut bytes = record::encode(&action(7)).unwrap();
    bytes[3] = 9;
    assert_eq!(
        record::decode::<ActionRecord>(&bytes),
        Err(RecordError::Newer(9))
    );
    bytes[3] = 0;
    assert_eq!(
        record::decode::<ActionRecord>(&bytes),
        Err(RecordError::NotARecord)
    );
    bytes[3] = 1;
    assert_eq!(
        record::decode::<PathSet>(&bytes),
        Err(RecordError::OtherKind(1))
    );
}

#[test]
fn a_forged_length_costs_no_memory() {
    // An array of 2^32 - 1 elements, of which none follows.
    for body in [
        &[0xdd, 0xff, 0xff, 0xff, 0xff][..],
        &[0x91, 0xdd, 0xff, 0xff, 0xff, 0xff],
        &[0x91, 0xc6, 0xff, 0xff, 0xff, 0xff],
    ] {
        let mut bytes = b"jR\x03\x01".to_vec();
        bytes.extend_from_slice(body);
        assert!(record::decode::<PathSet>(&bytes).is_err());
    }
    let mut deep = b"jR\x03\x01".to_vec();
    deep.extend(std::iter::repeat_n(0x91, 1 << 20));
    assert!(record::decode::<PathSet>(&deep).is_err());
}

fn value() -> impl Strategy<Value = FieldValue> {
    prop_oneof![
        Just(FieldValue::Absent),
        "[ab]{0,3}".prop_map(FieldValue::Text),
        "[ab]{0,3}".prop_map(FieldValue::Json),
        prop::collection::vec(0..3_u8, 0..4).prop_map(FieldValue::Bytes),
        (0..3_u8).prop_map(|byte| FieldValue::Digest([byte; 32])),
    ]
}

prop_compose! {
    fn field()(field in "[ab]{0,2}", what in prop::collection::vec(0..4_u8, 0..3), value in value()) -> Field {
        Field {
            field: field.into(),
            what,
            value,
        }
    }
}

fn seen() -> impl Strategy<Value = Seen> {
    let kind = prop_oneof![
        Just(PathKind::File),
        Just(PathKind::Directory),
        Just(PathKind::Symlink),
        Just(PathKind::Other)
    ];
    prop_oneof![
        Just(Seen::Absent),
        (0..2_u8, any::<bool>()).prop_map(|(byte, executable)| Seen::File {
            digest: BlobDigest::from_bytes([byte; 32]),
            executable
        }),
        kind.prop_map(Seen::Exists),
        prop::collection::vec(0..3_u8, 0..3).prop_map(Seen::Link),
        (0..2_u8).prop_map(|byte| Seen::Listing(ListingDigest::from_bytes([byte; 32]))),
        (0..2_u8).prop_map(|byte| Seen::Directory(TreeDigest::from_bytes([byte; 32]))),
        "[ab]{0,2}".prop_map(Seen::Version),
    ]
}

fn path_entry() -> impl Strategy<Value = PathEntry> {
    let place = prop_oneof![
        Just(Place::Project),
        Just(Place::Absolute),
        Just(Place::Distribution)
    ];
    let access = prop_oneof![
        Just(Access::Content),
        Just(Access::Existence),
        Just(Access::Link),
        Just(Access::Listing)
    ];
    (place, prop::collection::vec(any::<u8>(), 0..3), access).prop_map(|(place, path, access)| {
        PathEntry {
            place,
            path,
            access,
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn derivations_encode_alike_only_if_they_are(
        a in prop::collection::vec(field(), 0..4), b in prop::collection::vec(field(), 0..4),
    ) {
        let (a, b) = (Derivation::new(a), Derivation::new(b));
        prop_assert_eq!(a == b, a.encode() == b.encode());
        prop_assert_eq!(a == b, a.weak_key() == b.weak_key());
    }

    #[test]
    fn observations_encode_alike_only_if_they_are(
        a in prop::collection::btree_set((path_entry(), seen()), 0..3),
        b in prop::collection::btree_set((path_entry(), seen()), 0..3),
        weak in 0..2_u8, other in 0..2_u8,
    ) {
        let (weak, other) = (WeakKey::from_bytes([weak; 32]), WeakKey::from_bytes([other; 32]));
        let same = (&a, weak) == (&b, other);
        let (a, b): (Vec<_>, Vec<_>) = (a.into_iter().collect(), b.into_iter().collect());
        prop_assert_eq!(same, encode_observed(&weak, &a) == encode_observed(&other, &b));
        let mut turned = a.clone();
        turned.reverse();
        prop_assert_eq!(strong_key(&weak, &a), strong_key(&weak, &turned));
    }

    #[test]
    fn explanations_come_back(fields in prop::collection::vec(field(), 0..4), observed in prop::collection::vec((path_entry(), seen()), 0..4)) {
        let explanation = Explanation { derivation: Derivation::new(fields), observed };
        let bytes = record::encode(&explanation).unwrap();
        prop_assert_eq!(record::decode::<Explanation>(&bytes), Ok(explanation));
    }

    #[test]
    fn no_bytes_make_the_decoder_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), kind in 1..5_u8) {
        let mut framed = vec![b'j', b'R', kind, 1];
        framed.extend(&bytes);
        let _ = record::decode::<ActionRecord>(&framed);
        let _ = record::decode::<Explanation>(&framed);
        let _ = record::decode::<PathSet>(&framed);
    }
}
