//! Rows and blocks over a sample run.

use jalon::event::{Body, Event, Planned};
use unicode_width::UnicodeWidthStr;

use super::board::Board;
use super::rows::Rows;
use super::style::Style;

fn events() -> Vec<Event> {
    let lines = include_str!("../../report/sample.jsonl").lines();
    let mut events: Vec<Event> = lines
        .map(|line| serde_json::from_str(line).expect("an event a line"))
        .collect();
    let planned = Planned {
        project: "churn".into(),
        env: "local".into(),
        targets: vec!["metrics".into()],
        nodes: 9,
        hit: 2,
        run: 4,
        maybe: 3,
        expected: 94.5,
    };
    events.insert(
        1,
        Event {
            body: Body::RunPlanned(planned),
            ..events[0].clone()
        },
    );
    events
}

fn told(mut rows: Rows) -> String {
    let rows: Vec<String> = events().iter().flat_map(|event| rows.of(event)).collect();
    rows.join("\n") + "\n"
}

fn rows(quiet: bool, verbose: u8) -> Rows {
    Rows::new(Style::PLAIN, quiet, verbose)
}

#[test]
fn a_run_in_rows() {
    let expected = "\
9 nodes: 2 to reuse, up to 7 to run, about 1 min 35 s of work
note    reads are not observed: a file that a node reads without declaring it is not seen to change
reused  prepare                              saved 12.5s
remote  split                                saved 3.2s
ran     特徴量                         2.0s  code src/特徴.py: cccccccccc → dddddddddd; same result as before
retry   train[mlp,1]                         attempt 1: exit code 75; again in 1.0s
slow    train[mlp,1]                         17.0s so far, took 8.0s before
reused  join
ran     train[gbm,1]                  36.0s  params train.gbm.lr: 0.1 → 0.2
FAILED  train[mlp,1]                  36.0s  exit code 3: a < b & c | d
        | epoch 1 | loss 0.7
        | ValueError: ```nan``` is not a number ]]>
        help: see what it printed
wait    evaluate                             needs train[mlp,1]
wait    report                               needs train[mlp,1]
ran     train[gbm,2]                  36.0s  params train.gbm.lr: 0.1 → 0.2
note    s3://acme/churn could not be reached: nothing was pushed | retry later
failed: 3 ran, 2 reused, 1 fetched, 1 failed, 2 not reached in 1 min 12 s; 15.8s saved
  jalon log last 'train[mlp,1]' shows all it printed; jalon run goes on from here
";
    assert_eq!(told(rows(false, 0)), expected);
}

#[test]
fn quiet_tells_what_went_wrong() {
    let expected = "\
retry   train[mlp,1]                         attempt 1: exit code 75; again in 1.0s
FAILED  train[mlp,1]                  36.0s  exit code 3: a < b & c | d
        | epoch 1 | loss 0.7
        | ValueError: ```nan``` is not a number ]]>
        help: see what it printed
failed: 3 ran, 2 reused, 1 fetched, 1 failed, 2 not reached in 1 min 12 s; 15.8s saved
  jalon log last 'train[mlp,1]' shows all it printed; jalon run goes on from here
";
    assert_eq!(told(rows(true, 0)), expected);
}

#[test]
fn verbose_tells_what_nodes_print_and_every_notice() {
    let told = told(rows(false, 1));
    assert!(told.contains("\n特徴量  1,024 rows\n"), "{told}");
    assert!(told.contains("\nnote    reads are not observed"), "{told}");
}

#[test]
fn rows_fit_a_narrow_terminal_and_errors_are_told_in_full() {
    let mut narrow = rows(false, 0);
    narrow.fit(40);
    let told = told(narrow);
    for row in told
        .lines()
        .filter(|row| row.starts_with("ran ") || row.starts_with("reused"))
    {
        assert!(row.width() <= 40, "{row}");
    }
    assert!(told.contains("exit code 3: a < b & c | d\n"), "{told}");
}

#[test]
fn many_reused_nodes_are_one_row() {
    let hit = events()
        .into_iter()
        .find(|event| matches!(event.body, Body::NodeHit(_)))
        .expect("one");
    let end = events().pop().expect("an end");
    let mut rows = rows(false, 0);
    let silent = (0..10_000).map(|_| rows.of(&hit).len()).sum::<usize>();
    let told = rows.of(&end);
    assert_eq!(
        (silent, told[0].as_str()),
        (0, "reused  10,000 nodes reused, 1 d 10 h saved")
    );
}

#[test]
fn the_block_lists_what_runs() {
    let mut board = Board::default();
    let all = events();
    let start = all[0].at;
    let until = |board: &mut Board, from: u64, to: u64| {
        let some = all
            .iter()
            .filter(|event| (from..to).contains(&(event.at - start)));
        some.for_each(|event| board.take(event, (event.at - start) as f64 / 1000.0));
    };
    until(&mut board, 0, 30);
    assert!(!board.is_busy());
    until(&mut board, 30, 6_000);
    let expected = [
        "run     train[gbm,1]                     6s of about 34.0s",
        "run     train[mlp,1]                     0s of about 8.0s, attempt 2",
    ];
    assert_eq!(board.rows(Style::PLAIN, 79, 8, 6.03), expected);
    assert_eq!(
        board.rows(Style::PLAIN, 39, 8, 6.03)[1],
        "run     train[mlp,1]                 0s"
    );
    assert_eq!(board.rows(Style::PLAIN, 79, 1, 6.03), ["2 running"]);
    assert_eq!(board.tail(66.9), "4/9  1 min 6 s");
    until(&mut board, 6_000, 80_000);
    assert!(board.rows(Style::PLAIN, 79, 8, 73.0).is_empty());
    assert_eq!(board.progress(), (9, 9));
}

#[test]
fn no_row_of_the_block_is_wider_than_the_window() {
    let mut board = Board::default();
    for node in [
        "特徴量を作る長い名前のノード[東京,1]",
        "a\u{1b}[31m\nb",
        "👩‍🚀👩‍🚀👩‍🚀👩‍🚀👩‍🚀👩‍🚀👩‍🚀👩‍🚀👩‍🚀",
        "x",
    ] {
        let body = Body::NodeStarted {
            node: node.into(),
            attempt: 1,
            expected: Some(4000.0),
        };
        board.take(
            &Event {
                body,
                ..events()[0].clone()
            },
            0.0,
        );
    }
    for columns in 8..120 {
        for row in board.rows(Style::PLAIN, columns, 3, 7.0) {
            assert!(row.width() <= columns, "{columns}: {row}");
        }
    }
}

#[test]
fn moving_parts_only_where_they_can_be_seen() {
    use clap::Parser;
    let moves = |words: &str, variables: &[(&str, &str)]| {
        let words = ["jalon", "run"].into_iter().chain(words.split_whitespace());
        let cli = super::super::args::Cli::try_parse_from(words).expect("valid");
        super::moves(&cli.common, |name| {
            variables
                .iter()
                .find(|(key, _)| *key == name)
                .map(|(_, value)| (*value).into())
        })
    };
    let xterm = ("TERM", "xterm-256color");
    assert!(moves("", &[xterm]) && moves("", &[xterm, ("CI", "")]));
    assert!(
        !moves("", &[]) && !moves("", &[("TERM", "dumb")]) && !moves("", &[xterm, ("CI", "true")])
    );
    assert!(!moves("--plain", &[xterm]) && !moves("-q", &[xterm]) && !moves("-v", &[xterm]));
}
