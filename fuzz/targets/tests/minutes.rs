//! The kept inputs, and inputs a few changes away from them, without libFuzzer: what was found once is not lost
//! again, and each test run looks at places where nobody looked before.
//!
//! `JALON_TEST_ROUNDS=100000` tries more.

use std::fs;
use std::path::Path;

use jalon_fuzz_targets::ALL;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{Config, TestCaseError, TestRunner};

/// Inputs a target, where `JALON_TEST_ROUNDS` says nothing else.
const INPUTS: u32 = 10_000;

/// Bytes at which encodings and numbers turn over.
const EDGES: [u8; 12] = [
    0, 1, 0x0a, b' ', b'"', b'{', b'[', 0x7f, 0x80, 0xc0, 0xdf, 0xff,
];

/// One thing that befalls an input.
#[derive(Debug, Clone)]
enum Change {
    /// A bit turns over.
    Flip(Index, u8),
    /// A byte becomes another.
    Put(Index, u8),
    /// Bytes come in between.
    Insert(Index, Vec<u8>),
    /// Bytes are gone, from here to there.
    Cut(Index, Index),
    /// A stretch comes twice.
    Twice(Index, Index),
    /// From here on it is another input.
    Splice(Index, Index, Index),
}

fn change() -> impl Strategy<Value = Change> {
    let at = any::<Index>;
    let byte = || prop_oneof![any::<u8>(), select(&EDGES[..])];
    prop_oneof![
        (at(), 0..8_u8).prop_map(|(at, bit)| Change::Flip(at, bit)),
        (at(), byte()).prop_map(|(at, byte)| Change::Put(at, byte)),
        (at(), prop::collection::vec(byte(), 1..9)).prop_map(|(at, it)| Change::Insert(at, it)),
        (at(), at()).prop_map(|(from, to)| Change::Cut(from, to)),
        (at(), at()).prop_map(|(from, to)| Change::Twice(from, to)),
        (at(), at(), at()).prop_map(|(at, other, from)| Change::Splice(at, other, from)),
    ]
}

impl Change {
    fn befall(&self, input: &mut Vec<u8>, corpus: &[Vec<u8>]) {
        // One more place than there are bytes.
        let place = |at: &Index, bytes: &[u8]| at.index(bytes.len() + 1);
        let stretch = |from: &Index, to: &Index, bytes: &[u8]| {
            let (from, to) = (place(from, bytes), place(to, bytes));
            from.min(to)..from.max(to)
        };
        match self {
            Change::Flip(at, bit) if !input.is_empty() => *at.get_mut(input) ^= 1 << bit,
            Change::Put(at, byte) if !input.is_empty() => *at.get_mut(input) = *byte,
            Change::Flip(..) | Change::Put(..) => {}
            Change::Insert(at, bytes) => {
                let at = place(at, input);
                input.splice(at..at, bytes.iter().copied());
            }
            Change::Cut(from, to) => drop(input.drain(stretch(from, to, input))),
            Change::Twice(from, to) => {
                let stretch = stretch(from, to, input);
                let (end, again) = (stretch.end, input[stretch].to_vec());
                input.splice(end..end, again);
            }
            Change::Splice(at, other, from) => {
                input.truncate(place(at, input));
                let other = other.get(corpus);
                input.extend_from_slice(&other[place(from, other)..]);
            }
        }
    }
}

fn corpus(name: &str) -> Vec<Vec<u8>> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../corpus")
        .join(name);
    let mut files: Vec<_> = fs::read_dir(&directory)
        .unwrap_or_else(|error| panic!("{}: {error}", directory.display()))
        .map(|entry| entry.expect("an entry").path())
        .collect();
    files.sort();
    assert!(!files.is_empty(), "{name} has no inputs");
    let read = |path| fs::read(path).expect("an input can be read");
    files.into_iter().map(read).collect()
}

fn target(name: &str) {
    let (_, run) = ALL
        .iter()
        .find(|(known, _)| *known == name)
        .expect("it is a target");
    let corpus = corpus(name);
    corpus.iter().for_each(|input| run(input));
    let rounds = std::env::var("JALON_TEST_ROUNDS").ok();
    let cases = rounds.and_then(|text| text.parse().ok()).unwrap_or(INPUTS);
    let mut runner = TestRunner::new(Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    });
    let changes = prop::collection::vec(change(), 1..6);
    let input = (any::<Index>(), changes).prop_map(|(seed, changes)| {
        let mut input = seed.get(&corpus).clone();
        for change in &changes {
            change.befall(&mut input, &corpus);
        }
        input
    });
    let held = runner.run(&input, |input| {
        run(&input);
        Ok::<(), TestCaseError>(())
    });
    if let Err(error) = held {
        panic!("{name}: {error}");
    }
}

macro_rules! targets {
    ($($name:ident)*) => {
        $(
            #[test]
            fn $name() {
                target(stringify!($name));
            }
        )*

        #[test]
        fn every_target_is_here() {
            assert_eq!(ALL.map(|(name, _)| name).as_slice(), [$(stringify!($name)),*]);
        }
    };
}

targets! { closure definition dvc events pack params record remote tree worker }
