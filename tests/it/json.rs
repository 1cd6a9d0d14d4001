//! The shapes of `--json`, field by field: scripts rely on them.

use serde_json::Value;

use crate::project::Project;

/// Asserts that the fields exist and have one of these types, each a letter: s for text, n for numbers,
/// b for booleans, a for arrays, o for objects; with `?` it may be null or absent.
#[track_caller]
fn shape(value: &Value, fields: &[(&str, &str)]) {
    for (field, types) in fields {
        let it = &value[*field];
        let letter = match it {
            Value::Null => "?",
            Value::Bool(_) => "b",
            Value::Number(_) => "n",
            Value::String(_) => "s",
            Value::Array(_) => "a",
            Value::Object(_) => "o",
        };
        assert!(
            types.contains(letter),
            "{field} should be one of {types:?}:\n{value:#}"
        );
    }
}

#[test]
fn run() {
    let project = Project::fixture();
    for status in ["ran", "hit"] {
        let run = project.run_ok(&[]);
        shape(
            &run.json,
            &[
                ("schema", "n"),
                ("run", "s"),
                ("status", "s"),
                ("env", "s"),
                ("seconds", "n"),
                ("counts", "o"),
                ("nodes", "a"),
                ("notices", "a"),
            ],
        );
        assert_eq!(run.json["env"], "local");
        for count in ["hit", "fetched", "ran", "failed", "blocked", "not_needed"] {
            run.count(count);
        }
        let node = run.node("train[a]");
        shape(
            node,
            &[
                ("name", "s"),
                ("status", "s"),
                ("key", "s"),
                ("seconds", "n"),
                ("saved_seconds", "n"),
                ("traced", "s"),
                ("exit_code", "n?"),
                ("attempts", "n"),
                ("reason", "o?"),
                ("undeclared", "a"),
                ("cutoff", "b"),
                ("outputs", "o"),
            ],
        );
        assert_eq!(node["status"], status);
        let output = &node["outputs"]["model[a]"];
        shape(output, &[("digest", "s"), ("size", "n"), ("path", "s")]);
        assert_eq!(output["path"], "models/a.txt");
        assert_eq!(output["size"], project.read("models/a.txt").len());
        assert_eq!(
            output["digest"]
                .as_str()
                .unwrap()
                .rsplit(':')
                .next()
                .unwrap()
                .len(),
            64,
            "BLAKE3 in hex: {output}"
        );
        for notice in run.json["notices"].as_array().unwrap() {
            shape(notice, &[("code", "s"), ("text", "s")]);
        }
    }
}

#[test]
fn only_the_object_is_on_stdout_and_only_messages_on_stderr() {
    let project = Project::fixture();
    let output = project.jalon(&["run", "--json"]).expect(0);
    assert_eq!(
        output
            .stdout
            .trim()
            .lines()
            .filter(|line| line.starts_with('{'))
            .count(),
        1
    );
    assert!(!output.stderr.contains("\"schema\""), "{output}");
    let output = project.jalon(&["run"]).expect(0);
    assert!(
        !output.all().contains('\u{1b}'),
        "NO_COLOR is honoured: {output}"
    );
}

#[test]
fn saved_seconds_are_what_running_had_cost() {
    let project =
        Project::new("[node.n]\ncmd = 'sleep 0.3; echo > {{out.x}}'\nout = { x = \"x\" }\n");
    let first = project.run_ok(&[]);
    assert_eq!(first.node("n")["saved_seconds"], 0.0);
    assert!(first.node("n")["seconds"].as_f64().unwrap() >= 0.3);
    let second = project.run_ok(&[]);
    assert!(
        second.node("n")["saved_seconds"].as_f64().unwrap() >= 0.3,
        "{}",
        second.output
    );
}

#[test]
fn plan_and_explain() {
    let project = Project::fixture();
    for edit in [("rate: 0.", "rate: 1."), ("", "")] {
        let plan = project.json(&["plan", "--json"]);
        for node in plan["nodes"].as_array().unwrap() {
            shape(node, &[("name", "s"), ("verdict", "s"), ("reason", "o?")]);
            let verdict = node["verdict"].as_str().unwrap();
            assert!(
                ["hit", "hit_remote", "run", "maybe", "not_needed"].contains(&verdict),
                "{node}"
            );
            let must = verdict == "run" || verdict == "maybe";
            assert_eq!(
                must,
                !node["reason"].is_null(),
                "what may run has a reason: {node}"
            );
        }
        let explain = project.json(&["explain", "clean", "--json"]);
        shape(
            &explain,
            &[
                ("node", "s"),
                ("verdict", "s"),
                ("key", "s?"),
                ("compared_with", "o?"),
                ("differences", "a"),
            ],
        );
        project.run_ok(&[]);
        project.edit("params.yml", edit.0, edit.1);
    }
}

#[test]
fn errors() {
    let project = Project::new("[node.a]\ncmdd = 'true'\n");
    for verb in [
        &["run", "--json"][..],
        &["plan", "--json"],
        &["check", "--json"],
        &["explain", "a", "--json"],
        &["graph", "--json"],
    ] {
        let reply = project.jalon(verb).expect(3).json();
        shape(
            &reply["error"],
            &[
                ("code", "s"),
                ("message", "s"),
                ("help", "s?"),
                ("spans", "a"),
            ],
        );
        shape(
            &reply["error"]["spans"][0],
            &[
                ("file", "s"),
                ("line", "n"),
                ("column", "n"),
                ("length", "n"),
            ],
        );
    }
}

#[test]
fn a_failed_run_is_a_reply_too() {
    let project = Project::new("[node.a]\ncmd = 'exit 3'\nout = { x = \"x\" }\n");
    let reply = project.jalon(&["run", "--json"]).expect(1).json();
    assert_eq!(reply["status"], "failed");
    assert_eq!(reply["nodes"][0]["exit_code"], 3);
}

/// Every verb that has a reply has one with `schema`.
#[test]
fn every_reply_carries_schema() {
    let project = Project::fixture();
    let run = project.run_ok(&[]).json["run"].as_str().unwrap().to_owned();
    project.edit("raw.txt", "two", "three");
    let again = project.run_ok(&[]).json["run"].as_str().unwrap().to_owned();
    for args in [
        &["plan"][..],
        &["check"],
        &["graph"],
        &["log"],
        &["log", &run],
        &["show", "metrics"],
        &["diff", &run, &again],
        &["explain", "clean"],
        &["cache", "stats"],
        &["cache", "verify"],
        &["gc"],
        &["doctor"],
    ] {
        let mut words = args.to_vec();
        words.push("--json");
        project.jalon(&words).expect(0).json();
    }
}

#[test]
fn untraced_is_said() {
    let project = Project::fixture();
    let run = project.run_ok(&[]);
    let traced = run.node("clean")["traced"].as_str().unwrap().to_owned();
    assert!(
        ["full", "partial", "none"].contains(&traced.as_str()),
        "{traced}"
    );
    let notices = run.json["notices"].as_array().unwrap();
    let said = notices
        .iter()
        .filter(|notice| notice["code"] == "untraced")
        .count();
    assert_eq!(
        said,
        usize::from(traced == "none"),
        "once a run: {}",
        run.output
    );
}
