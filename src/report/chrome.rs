//! A run in Chrome's trace format (for ui.perfetto.dev, chrome://tracing, speedscope).
//!
//! One lane for each node that ran at the same time as others, one for what was reused, and a counter.
//! The format is the "JSON Object Format" of the Trace Event Format document; times are microseconds.

use serde_json::{Value, json};

use super::summary::{Attempt, NodeSummary, Standing, Summary};

/// The lane of what was reused.
const REUSED: usize = 0;

/// The document, one line of JSON.
pub fn trace(summary: &Summary) -> String {
    let mut text = document(summary).to_string();
    text.push('\n');
    text
}

fn document(summary: &Summary) -> Value {
    let mut attempts: Vec<(&NodeSummary, &Attempt)> = summary
        .nodes
        .iter()
        .flat_map(|node| node.tries.iter().map(move |attempt| (node, attempt)))
        .collect();
    attempts.sort_by_key(|(_, attempt)| attempt.started_at);
    let mut lanes: Vec<u64> = Vec::new();
    let mut events = Vec::new();
    let mut changes: Vec<(u64, i64)> = Vec::new();
    for (node, attempt) in attempts {
        let end = attempt
            .ended_at
            .unwrap_or(summary.until)
            .max(attempt.started_at);
        let lane = free_lane(&mut lanes, attempt.started_at, end);
        changes.extend([(attempt.started_at, 1), (end, -1)]);
        events.push(slice(summary, node, attempt, lane, end));
    }
    events.extend(summary.nodes.iter().filter_map(|node| reuse(summary, node)));
    events.extend(counter(summary, changes));
    let mut all = names(summary, lanes.len());
    all.extend(events);
    json!({
        "displayTimeUnit": "ms",
        "traceEvents": all,
        "otherData": {
            "run": summary.run,
            "status": if summary.ended { summary.status.word() } else { "unknown" },
            "env": summary.env,
            "project": summary.project(),
        },
    })
}

/// The first lane that is free at `start`, taken until `end`. Ends come before starts of the same millisecond.
fn free_lane(lanes: &mut Vec<u64>, start: u64, end: u64) -> usize {
    let lane = lanes
        .iter()
        .position(|&busy_until| busy_until <= start)
        .unwrap_or(lanes.len());
    if lane == lanes.len() {
        lanes.push(end);
    } else {
        lanes[lane] = end;
    }
    lane + 1
}

fn micros(summary: &Summary, at: u64) -> u64 {
    since(summary.at, at)
}

/// Microseconds between two moments in milliseconds; none where the clock went back.
fn since(from: u64, to: u64) -> u64 {
    to.saturating_sub(from).saturating_mul(1000)
}

fn slice(summary: &Summary, node: &NodeSummary, attempt: &Attempt, lane: usize, end: u64) -> Value {
    let last = attempt.number == node.attempts;
    let state = match (&attempt.error, attempt.ended_at) {
        (Some(_), _) => "failed",
        (None, None) => "unknown",
        (None, Some(_)) => node.standing.label(),
    };
    let mut args = json!({"status": state, "attempt": attempt.number, "key": node.key});
    if let Some(reason) = &node.reason {
        args["reason"] = reason.line().into();
    }
    if let Some(error) = &attempt.error {
        args["error"] = error.message.clone().into();
    }
    if last && node.standing == Standing::Ran {
        args["cpu_seconds"] = node.cpu_seconds.into();
        args["max_rss"] = node.max_rss.into();
        args["cutoff"] = node.cutoff.into();
    }
    let mut event = json!({
        "name": node.name,
        "cat": "node",
        "ph": "X",
        "ts": micros(summary, attempt.started_at),
        "dur": since(attempt.started_at, end),
        "pid": 1,
        "tid": lane,
        "args": args,
    });
    if attempt.error.is_some() {
        event["cname"] = "terrible".into();
    }
    event
}

fn reuse(summary: &Summary, node: &NodeSummary) -> Option<Value> {
    if !matches!(node.standing, Standing::Hit | Standing::Fetched) {
        return None;
    }
    Some(json!({
        "name": node.name,
        "cat": "reused",
        "ph": "i",
        "s": "t",
        "ts": micros(summary, node.at?),
        "pid": 1,
        "tid": REUSED,
        "args": {"status": node.standing.label(), "key": node.key, "saved_seconds": node.saved_seconds},
    }))
}

/// How many run at once, over time.
fn counter(summary: &Summary, mut changes: Vec<(u64, i64)>) -> Vec<Value> {
    changes.sort_unstable();
    let mut running = 0;
    let mut events = Vec::new();
    for (at, (moment, change)) in changes.iter().enumerate() {
        running += change;
        if changes.get(at + 1).is_none_or(|(next, _)| next != moment) {
            let ts = micros(summary, *moment);
            events.push(json!({"name": "running", "ph": "C", "ts": ts, "pid": 1, "args": {"nodes": running}}));
        }
    }
    events
}

fn names(summary: &Summary, lanes: usize) -> Vec<Value> {
    let named = |what: &str, tid: usize, args: Value| json!({"name": what, "ph": "M", "pid": 1, "tid": tid, "args": args});
    let title = format!("jalon {} {}", summary.project(), summary.run);
    let mut all = vec![named("process_name", 0, json!({"name": title}))];
    for lane in 0..=lanes {
        let name = if lane == REUSED {
            "reused".to_owned()
        } else {
            format!("slot {lane}")
        };
        all.push(named("thread_name", lane, json!({"name": name})));
        all.push(named(
            "thread_sort_index",
            lane,
            json!({"sort_index": lane}),
        ));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    fn slices(trace: &Value) -> Vec<&Value> {
        trace["traceEvents"]
            .as_array()
            .expect("events")
            .iter()
            .filter(|event| event["ph"] == "X")
            .collect()
    }

    #[test]
    fn golden() {
        let trace = document(&Summary::of_events(&sample::failing()));
        sample::golden("chrome.json", &format!("{trace:#}\n"));
    }

    #[test]
    fn no_two_slices_of_a_lane_overlap_and_no_lane_is_wasted() {
        let trace = document(&Summary::of_events(&sample::failing()));
        let slices = slices(&trace);
        assert_eq!(slices.len(), 4, "each attempt is one");
        for (at, one) in slices.iter().enumerate() {
            let end = one["ts"].as_u64().expect("ts") + one["dur"].as_u64().expect("dur");
            for other in slices[at + 1..]
                .iter()
                .filter(|other| other["tid"] == one["tid"])
            {
                assert!(other["ts"].as_u64().expect("ts") >= end, "{one} {other}");
            }
            assert!(
                one["tid"]
                    .as_u64()
                    .is_some_and(|lane| lane == 1 || lane == 2)
            );
        }
    }

    #[test]
    fn a_clock_that_jumps_makes_no_length_absurd() {
        for jump in [0, u64::MAX] {
            let mut events = sample::failing();
            let half = events.len() / 2;
            events[half..].iter_mut().for_each(|event| event.at = jump);
            let trace = document(&Summary::of_events(&events));
            for slice in slices(&trace) {
                let (ts, dur) = (slice["ts"].as_u64(), slice["dur"].as_u64());
                assert!(ts.is_some() && dur.is_some(), "{slice}");
                assert!(jump > 0 || dur < Some(3_600_000_000), "{slice}");
            }
        }
    }

    #[test]
    fn what_did_not_end_lasts_to_the_last_event() {
        let trace = document(&Summary::of_events(&sample::failing()[..11]));
        for slice in slices(&trace) {
            assert_eq!(slice["args"]["status"], "unknown");
            let end = slice["ts"].as_u64().expect("ts") + slice["dur"].as_u64().expect("dur");
            assert_eq!(end, 1_024_000);
        }
    }
}
