//! A plausible run for the tests of reports: reuse, a retry, a failure and what it blocks, early cutoff, a
//! name of wide characters, and output that every format must escape. As `--events` writes it.

use super::tally::Summary;
use crate::event::Event;

/// The stream.
pub fn events() -> Vec<Event> {
    let lines = include_str!("sample.jsonl").lines();
    lines
        .map(|line| serde_json::from_str(line).expect("an event a line"))
        .collect()
}

/// What it comes to.
pub fn summary() -> Summary {
    Summary::of_events(&events())
}
