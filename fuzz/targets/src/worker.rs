//! Any bytes are what a worker says: messages, or the end of the conversation; and any of them is what a Kedro
//! project says of itself: a pipeline, or why there is none.
//!
//! Where the first byte is odd, the rest are messages with NUL between them; else it is the stream itself.

use std::collections::BTreeMap;
use std::io::Cursor;

use jalon::graph::Graph;
use jalon::worker::{transcript, wire};
use jalon_conf::Severity;
use jalon_conf::kedro::{self, Own, Surroundings};

/// Longer inputs find nothing that these do not, and are slow.
const LONGEST: usize = 16 << 10;

/// Takes the input in, and panics where the promise does not hold.
pub fn run(data: &[u8]) {
    let Some((form, rest)) = data.split_first() else {
        return;
    };
    if data.len() > LONGEST {
        return;
    }
    let stream = match form % 2 {
        0 => rest.to_vec(),
        _ => rest.split(|byte| *byte == 0).flat_map(framed).collect(),
    };
    // What was printed has frames too.
    let _ = transcript::frames(&stream).count();
    let mut from = Cursor::new(stream);
    while let Ok(Some(message)) = wire::read(&mut from) {
        let _ = wire::about(&message);
        let _ = wire::reaped(Some(&message));
        if let Some(pid) = wire::forked(&message) {
            // A signal for it reaches nobody else.
            assert!(pid.as_raw_nonzero().get() > 1);
        }
        describe(&message.to_string());
    }
}

fn framed(message: &[u8]) -> Vec<u8> {
    let mut bytes = (message.len() as u32).to_be_bytes().to_vec();
    bytes.extend_from_slice(message);
    bytes
}

fn describe(text: &str) {
    let around = Surroundings {
        definition: "pyproject.toml".into(),
        env: "local".into(),
        own: Own::default(),
        versions: BTreeMap::new(),
        whole: true,
    };
    let _ = (kedro::without_bytes(text), kedro::in_buckets(text));
    let Ok(lowered) = kedro::lower(text, &around) else {
        return;
    };
    let wrong = lowered
        .diagnostics
        .iter()
        .any(|found| found.severity == Severity::Error);
    // A user who gets no pipeline must be told why.
    assert_eq!(lowered.pipeline.is_none(), wrong);
    if let Some(pipeline) = lowered.pipeline {
        let _ = Graph::new(pipeline);
    }
}
