//! A run in Chrome's trace format, for chrome://tracing and ui.perfetto.dev: one complete event a node that
//! ran, in as many lanes as ran at once. Format: the "Trace Event Format" document, JSON object form.

use serde_json::{Value, json};

use super::tally::{NodeSummary, Standing, Summary};
use crate::verdict::Reason;

/// The trace; times are microseconds since the run's start.
///
/// A node's bar is its last attempt. One that nobody saw end lasts until the end of the run.
pub fn trace(summary: &Summary) -> String {
    let end = summary.at + (summary.seconds * 1000.0) as u64;
    let mut bars: Vec<Bar<'_>> = summary
        .nodes
        .iter()
        .filter_map(|node| Bar::of(node, end))
        .collect();
    bars.sort_by_key(|bar| (bar.from, bar.to));
    let lanes = lanes(&bars);
    let mut events = vec![named(
        "process_name",
        0,
        &format!("jalon run {}", summary.run),
    )];
    let count = lanes.iter().max().map_or(0, |last| last + 1);
    events.extend((0..count).map(|lane| named("thread_name", lane, &format!("slot {}", lane + 1))));
    events.extend(
        bars.iter()
            .zip(&lanes)
            .map(|(bar, lane)| bar.event(summary.at, *lane)),
    );
    let started = summary.started.as_ref();
    json!({
        "traceEvents": events,
        "displayTimeUnit": "ms",
        "otherData": {
            "run": summary.run,
            "project": started.map(|started| started.project.as_str()),
            "status": summary.status,
            "env": summary.env,
            "host": started.map(|started| started.host.as_str()),
        },
    })
    .to_string()
}

/// A node's time on the machine, milliseconds since the Unix epoch.
struct Bar<'a> {
    node: &'a NodeSummary,
    from: u64,
    to: u64,
}

impl Bar<'_> {
    fn of(node: &NodeSummary, end: u64) -> Option<Bar<'_>> {
        let from = node.started_at?;
        Some(Bar {
            node,
            from,
            to: node.ended_at.unwrap_or(end).max(from),
        })
    }

    fn event(&self, origin: u64, lane: usize) -> Value {
        let node = self.node;
        let category = match node.standing {
            Standing::Cancelled => "cancelled",
            Standing::Unknown => "unknown",
            other => other.word(),
        };
        json!({
            "ph": "X",
            "name": node.name,
            "cat": category,
            "pid": 1,
            "tid": lane,
            "ts": self.from.saturating_sub(origin) * 1000,
            "dur": (self.to - self.from) * 1000,
            "args": {
                "key": node.key,
                "reason": node.reason.as_ref().map(Reason::line),
                "attempts": node.attempts,
                "cpu": node.cpu_seconds,
                "exit_code": node.exit_code,
                "error": node.error.as_ref().map(|error| error.message.as_str()),
            },
        })
    }
}

/// For each bar, in order of start, the first lane that is free: as many lanes as ran at once.
fn lanes(bars: &[Bar<'_>]) -> Vec<usize> {
    let mut free_at: Vec<u64> = Vec::new();
    let mut lane_of = |bar: &Bar<'_>| {
        let lane = free_at
            .iter()
            .position(|&free| free <= bar.from)
            .unwrap_or(free_at.len());
        if lane == free_at.len() {
            free_at.push(bar.to);
        } else {
            free_at[lane] = bar.to;
        }
        lane
    };
    bars.iter().map(&mut lane_of).collect()
}

fn named(what: &str, lane: usize, name: &str) -> Value {
    json!({"ph": "M", "name": what, "pid": 1, "tid": lane, "args": {"name": name}})
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    fn bars(trace: &Value) -> Vec<&Value> {
        let events = trace["traceEvents"].as_array().expect("a list");
        events.iter().filter(|event| event["ph"] == "X").collect()
    }

    #[test]
    fn what_ran_stands_in_the_lane_it_ran_in() {
        let trace: Value = serde_json::from_str(&trace(&sample::summary())).expect("JSON");
        let rows: Vec<(&str, u64, u64, u64)> = bars(&trace)
            .into_iter()
            .map(|bar| {
                let number = |key: &str| bar[key].as_u64().expect("a number");
                (
                    bar["name"].as_str().expect("a name"),
                    number("tid"),
                    number("ts"),
                    number("dur"),
                )
            })
            .collect();
        let expected = [
            ("train[gbm,1]", 0, 30_000, 36_000_000),
            ("特徴量", 1, 31_000, 2_001_000),
            ("train[mlp,1]", 1, 5_041_000, 36_000_000),
            ("train[gbm,2]", 0, 36_040_000, 36_000_000),
        ];
        assert_eq!(rows, expected);
        let names = trace["traceEvents"].as_array().expect("a list");
        assert_eq!(
            names
                .iter()
                .filter(|event| event["name"] == "thread_name")
                .count(),
            2
        );
    }

    #[test]
    fn a_bar_says_why_and_how_often() {
        let trace: Value = serde_json::from_str(&trace(&sample::summary())).expect("JSON");
        let args = &bars(&trace)[0]["args"];
        assert_eq!(args["key"], "e".repeat(64));
        assert_eq!(args["reason"], "params train.gbm.lr: 0.1 → 0.2");
        assert_eq!(
            (args["attempts"].as_u64(), args["cpu"].as_f64()),
            (Some(1), Some(35.5))
        );
        assert_eq!(
            bars(&trace)[2]["args"]["error"],
            "exit code 3: a < b & c | d"
        );
    }

    #[test]
    fn a_node_that_was_cut_off_lasts_until_the_last_that_was_seen() {
        let events = sample::events();
        let cut = events
            .iter()
            .position(|event| event.at >= sample::summary().at + 22_000)
            .expect("there");
        let trace = trace(&Summary::of_events(&events[..=cut]));
        let trace: Value = serde_json::from_str(&trace).expect("JSON");
        let mlp = bars(&trace)[2].clone();
        assert_eq!(
            (&mlp["cat"], mlp["ts"].as_u64(), mlp["dur"].as_u64()),
            (&json!("unknown"), Some(5_041_000), Some(16_959_000))
        );
    }

    #[test]
    fn nothing_ran() {
        let trace: Value = serde_json::from_str(&trace(&Summary::of_events(&[]))).expect("JSON");
        assert!(bars(&trace).is_empty());
    }
}
