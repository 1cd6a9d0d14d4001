//! What is asked for arrives, or it is said that it did not: full devices, closed pipes, numbers in words.

use std::fs;

use crate::project::{Project, skip};

/// Words that run jalon by a shell, whose script has it as `"$@"`.
fn by(script: &str) -> [&str; 4] {
    ["sh", "-c", script, "sh"]
}

fn twice() -> Project {
    let project = Project::fixture();
    project.run_ok(&[]);
    project.edit("params.yml", "0.1", "0.7");
    project.run_ok(&[]);
    project
}

#[test]
fn an_answer_that_does_not_arrive_is_a_failure() {
    let mut project = twice();
    project.set_launcher(&by("exec \"$@\" > /dev/full"));
    let verbs: [&[&str]; 26] = [
        &["run", "--json"],
        &["plan"],
        &["plan", "--json"],
        &["explain", "clean"],
        &["explain", "clean", "--json"],
        &["check"],
        &["check", "--json"],
        &["graph"],
        &["graph", "--dot"],
        &["log"],
        &["log", "--json"],
        &["log", "last"],
        &["show", "metrics"],
        &["show", "metrics", "--json"],
        &["diff", "last~1"],
        &["diff", "last~1", "--json"],
        &["get", "metrics", "-o", "-"],
        &["report", "--markdown"],
        &["cache", "stats"],
        &["cache", "verify"],
        &["gc"],
        &["init", "--print"],
        &["doctor"],
        &["completions", "bash"],
        &["--help"],
        &["--version"],
    ];
    for verb in verbs {
        let output = project.jalon(verb).expect(6);
        let silent = verb[0].starts_with("--");
        assert!(
            silent || output.stderr.contains("standard output"),
            "{output}"
        );
    }
}

#[test]
fn what_became_of_the_run_is_told_first() {
    let mut project = Project::new("[node.a]\ncmd = 'exit 3'\nout = { x = 'x' }\n");
    project.set_launcher(&by("exec \"$@\" > /dev/full"));
    project.jalon(&["run", "--json"]).expect(1);
    let output = project.jalon(&["run", "nonsense", "--json"]).expect(4);
    assert!(output.stderr.contains("nonsense"), "{output}");
}

#[test]
fn events_that_cannot_be_written_are_told_and_stop_nothing() {
    let project = Project::fixture();
    let run = project.run(&["--events", "/dev/full"]);
    assert_eq!(run.output.code, 6, "{}", run.output);
    assert_eq!(run.json["status"], "succeeded", "{}", run.output);
    assert_eq!(project.executed().len(), 4);
    let notices = run.json["notices"].to_string();
    assert!(notices.contains("events-lost"), "{notices}");
    assert!(run.output.stderr.contains("/dev/full"), "{}", run.output);
    project.edit("evaluate.sh", "cat", "exit 9; cat");
    let failed = project.run(&["--events", "/dev/full"]);
    assert_eq!(failed.output.code, 1, "{}", failed.output);
}

#[test]
fn remarks_that_cannot_be_written_stop_nothing() {
    let mut project = Project::fixture();
    project.set_launcher(&by("exec \"$@\" 2> /dev/full"));
    project.jalon(&["run", "-v"]).expect(0);
    project.jalon(&["gc"]).expect(0);
}

#[test]
fn a_reader_who_has_heard_enough_ends_it_quietly() {
    let mut project = twice();
    project.set_launcher(&by("{ \"$@\"; echo \"code $?\" >&2; } | :"));
    let output = project.jalon(&["run", "--json"]);
    assert_eq!(output.stderr, "code 0\n", "{output}");
    for verb in ["plan", "log", "doctor"] {
        let output = project.jalon(&[verb]);
        assert!(
            ["code 0\n", "code 141\n"].contains(&output.stderr.as_str()),
            "{output}"
        );
    }
}

/// A power cut after the last word must not take the history with it.
#[test]
fn the_trace_is_on_the_disk_before_the_end_is_told() {
    let mut project = Project::fixture();
    let calls = project.beside("calls");
    let calls = calls.to_str().unwrap();
    project.set_launcher(&[
        "strace",
        "-f",
        "-qq",
        "-y",
        "-s",
        "20",
        "-e",
        "trace=fsync,fdatasync,write",
        "-o",
        calls,
    ]);
    if std::process::Command::new("strace")
        .args(["-qq", "-o", "/dev/null", "true"])
        .status()
        .is_ok_and(|status| status.success())
    {
        project.jalon(&["run", "--json"]).expect(0);
        let text = fs::read_to_string(calls).unwrap();
        let find = |what: &dyn Fn(&str) -> bool| text.lines().position(what);
        let synced = find(&|line| line.contains("sync(") && line.contains(".trace>"));
        let directory = find(&|line| line.contains("sync(") && line.contains("/traces>"));
        let told = find(&|line| {
            line.contains("write(1<") && line.contains("{\\\"schema") && line.contains("/out-")
        });
        assert!(told.is_some(), "{text}");
        assert!(
            synced.is_some() && synced < told,
            "{synced:?} {told:?}\n{text}"
        );
        assert!(
            directory.is_some() && directory < told,
            "{directory:?} {told:?}\n{text}"
        );
    } else {
        skip("that the trace is synced: strace does not work here");
    }
}

#[test]
fn one_thing_is_one_thing() {
    let project = Project::new("[node.a]\ncmd = 'echo 1 > {{out.x}}'\nout = { x = 'x' }\n");
    project.run_ok(&[]);
    for (verb, said) in [
        (&["gc"][..], "1 blob left ("),
        (&["check"], "valid: 1 node, 1 artifact\n"),
        (&["doctor"], "jalon.toml: 1 node\n"),
        (&["cache", "stats"], "1 blob holding"),
    ] {
        let output = project.jalon(verb).expect(0);
        assert!(output.stdout.contains(said), "{output}");
    }
}

#[test]
fn nothing_takes_no_time() {
    let project = Project::fixture();
    let plan = project.jalon(&["plan", "--json"]);
    assert!(!plan.stdout.contains("-0.0"), "{plan}");
}

/// A character that is written in two goes is told as one.
#[test]
fn characters_are_told_whole() {
    let project = Project::new(
        r"
[node.a]
cmd = '''printf 'caf\303'; sleep 0.3; printf '\251\n'; printf '\377'
'''
",
    );
    let events = project.path("events");
    project.run_ok(&["--events", events.to_str().unwrap()]);
    let text: String = fs::read_to_string(events)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .filter(|event| event["event"] == "node.output")
        .map(|event| event["text"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(text, "café\n\u{fffd}");
}
