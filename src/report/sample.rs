//! Two plausible runs for the tests of reports, with reuse, a retry, a failure and what it blocks, early
//! cutoff, and output that every format must escape: one as `--events` writes it, with a name of wide
//! characters; one built here, to be cut off and varied.

use std::collections::BTreeMap;

use serde_json::json;

use super::tally::Summary;
use crate::event::{
    Body, Counts, Event, Failed, Finished, Hit, Made, Notice, Planned, Problem, SCHEMA, Shape,
    Started, State, Status, Succeeded, Traced,
};
use crate::verdict::Reason;

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

pub const RUN: &str = "01JD0000000000000000000000";
/// 2026-11-21 07:40:12 UTC.
pub const START: u64 = 1_795_246_812_000;

pub fn event(seq: u64, after_ms: u64, body: Body) -> Event {
    Event {
        schema: SCHEMA,
        run: RUN.into(),
        seq,
        at: START + after_ms,
        body,
    }
}

pub fn exit_1() -> Problem {
    Problem {
        code: "exit".into(),
        message: "evaluate failed: exit 1".into(),
        help: "`jalon log last evaluate` shows all it printed".into(),
    }
}

pub fn made(artifact: &str, path: &str, size: u64) -> BTreeMap<String, Made> {
    let digest = "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262".into();
    let made = Made {
        digest,
        size,
        path: path.into(),
        shape: Shape::File,
        executable: false,
    };
    BTreeMap::from([(artifact.to_owned(), made)])
}

pub fn hit(node: &str, saved_seconds: f64, fetched: bool) -> Body {
    Body::NodeHit(Hit {
        node: node.into(),
        key: "aa".repeat(32),
        saved_seconds,
        fetched,
        traced: Traced::Full,
        undeclared: Vec::new(),
        outputs: made(node, &format!("data/{node}.parquet"), 4096),
    })
}

pub fn queued(node: &str, reason: Reason) -> Body {
    Body::NodeQueued {
        node: node.into(),
        reason,
    }
}

pub fn started(node: &str, attempt: u32) -> Body {
    Body::NodeStarted {
        node: node.into(),
        attempt,
        expected: Some(2.5),
    }
}

pub fn succeeded(node: &str, seconds: f64, attempts: u32) -> Body {
    Body::NodeSucceeded(Succeeded {
        node: node.into(),
        key: "bb".repeat(32),
        seconds,
        cpu_seconds: seconds * 0.9,
        max_rss: 123_456_789,
        attempts,
        cutoff: node == "train[gbm,1]",
        traced: Traced::Partial,
        undeclared: vec!["src/util.py".into()],
        transcript: None,
        outputs: made(&node.replace("train", "model"), "models/m.bin", 1_048_576),
        recorded: true,
        unkept: None,
    })
}

fn lr() -> Reason {
    Reason {
        field: "params".into(),
        what: "train.gbm.lr".into(),
        old: json!(0.1),
        new: json!(0.2),
    }
}

fn opening() -> [Body; 2] {
    [
        Body::RunStarted(Started {
            project: "churn".into(),
            root: "/home/ada/churn".into(),
            env: "local".into(),
            targets: vec!["publish".into()],
            jobs: 2,
            jalon: "0.1.0".into(),
            host: "ada".into(),
            pid: 4711,
            commit: "1234abcd+".into(),
        }),
        Body::RunPlanned(Planned {
            project: "churn".into(),
            env: "local".into(),
            targets: vec!["publish".into()],
            nodes: 6,
            hit: 2,
            run: 2,
            maybe: 2,
            expected: 9.0,
        }),
    ]
}

/// Two hits, two that ran (one at its second attempt), one failed, one blocked.
pub fn failing() -> Vec<Event> {
    let [start, plan] = opening();
    let tail = "reading models/gbm-1.bin\n\u{1b}[31mTraceback\u{1b}[0m: <score> & \"f1\" ]]> ```\nValueError: 数据 is empty\u{0}\n";
    let crash = Problem {
        code: "signal".into(),
        message: "killed by signal 9".into(),
        help: String::new(),
    };
    let steps: Vec<(u64, Body)> = vec![
        (0, start),
        (5, plan),
        (
            6,
            Body::Notice(Notice {
                code: "untraced".into(),
                text: "reads are not observed here".into(),
            }),
        ),
        (10, hit("prepare", 12.0, false)),
        (11, hit("features", 0.5, true)),
        (
            20,
            Body::GroupStarted {
                group: "training".into(),
            },
        ),
        (21, queued("train[gbm,1]", lr())),
        (22, queued("train[gbm,2]", Reason::word(Reason::NEW, ""))),
        (23, started("train[gbm,1]", 1)),
        (24, started("train[gbm,2]", 1)),
        (
            1024,
            Body::NodeOutput {
                node: "train[gbm,1]".into(),
                stream: 1,
                text: "epoch 1\nepoch 2\n".into(),
            },
        ),
        (
            1500,
            Body::NodeRetrying {
                node: "train[gbm,2]".into(),
                attempt: 1,
                error: crash,
                wait: 0.2,
            },
        ),
        (1700, started("train[gbm,2]", 2)),
        (3423, succeeded("train[gbm,1]", 3.4, 1)),
        (3700, succeeded("train[gbm,2]", 2.0, 2)),
        (
            3701,
            Body::GroupFinished {
                group: "training".into(),
                state: State::Succeeded,
            },
        ),
        (
            3702,
            queued("evaluate", Reason::word(Reason::UPSTREAM, "model[gbm,1]")),
        ),
        (3703, started("evaluate", 1)),
        (5203, failed("evaluate", tail)),
        (
            5204,
            Body::NodeBlocked {
                node: "publish".into(),
                by: Some("evaluate".into()),
            },
        ),
        (
            5250,
            finished(
                Status::Failed,
                Counts {
                    hit: 1,
                    fetched: 1,
                    ran: 2,
                    failed: 1,
                    blocked: 1,
                    not_needed: 0,
                },
            ),
        ),
    ];
    steps
        .into_iter()
        .enumerate()
        .map(|(seq, (at, body))| event(seq as u64, at, body))
        .collect()
}

fn failed(node: &str, tail: &str) -> Body {
    Body::NodeFailed(Failed {
        node: node.into(),
        key: "cc".repeat(32),
        seconds: 1.5,
        attempts: 1,
        exit_code: Some(1),
        error: exit_1(),
        transcript: None,
        tail: tail.into(),
    })
}

fn finished(status: Status, counts: Counts) -> Body {
    let error = (status == Status::Failed).then(exit_1);
    Body::RunFinished(Finished {
        status,
        seconds: 5.25,
        counts,
        saved_seconds: 12.5,
        error,
    })
}

/// Compares with tests/golden/report/NAME; `UPDATE_GOLDEN=1` writes it anew.
#[track_caller]
pub fn golden(name: &str, text: &str) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden/report")
        .join(name);
    if option_env!("UPDATE_GOLDEN").is_some() {
        std::fs::create_dir_all(path.parent().expect("it has one")).expect("a writable checkout");
        std::fs::write(&path, text).expect("a writable checkout");
        return;
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        golden == text,
        "{} differs; it is now:\n{text}\n--- it was:\n{golden}",
        path.display()
    );
}
