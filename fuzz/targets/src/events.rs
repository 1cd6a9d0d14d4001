//! Any text is the trace of a run, of which what can be read is told: no panic, whatever is missing or comes twice.

use jalon::event::Event;
use jalon::report::summary::Summary;
use jalon::report::{chrome, junit, markdown};

/// Longer inputs find nothing that these do not, and are slow.
const LONGEST: usize = 16 << 10;

/// Takes the input in, and panics where the promise does not hold.
pub fn run(data: &[u8]) {
    if data.len() > LONGEST {
        return;
    }
    let lines = data.split(|byte| *byte == b'\n');
    let events: Vec<Event> = lines
        .filter_map(|line| serde_json::from_slice(line).ok())
        .collect();
    for event in &events {
        // What was read is written as it was read.
        let written = serde_json::to_vec(event).expect("an event is JSON");
        let again: Event = serde_json::from_slice(&written).expect("what is written can be read");
        assert_eq!(again, *event);
    }
    let summary = Summary::of_events(&events);
    let _ = summary.to_json().to_string();
    let _ = markdown::page(&summary, "project");
    let xml = junit::xml(&summary, "project");
    // Nothing in it that no XML may hold. Source: XML 1.0, 2.2.
    assert!(
        xml.chars()
            .all(|one| one >= ' ' || matches!(one, '\t' | '\n' | '\r'))
    );
    let trace = chrome::trace(&summary);
    assert!(serde_json::from_str::<serde_json::Value>(&trace).is_ok());
}
