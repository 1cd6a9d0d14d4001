//! `finally`, hooks and the final status: what runs at the end, what it is told, what it may change.

use serde_json::Value;

use crate::project::Project;

fn project(extra: &str) -> Project {
    let definition = format!(
        r#"
[pipeline]
name = "lifecycle"
[defaults]
pass_env = ["LOG"]
[node.a]
cmd = 'echo a >> "$LOG"; echo 1 > {{{{out.x}}}}'
out = {{ x = "x" }}
[node.b]
cmd = 'echo b >> "$LOG"; echo broken >&2; sh b.sh; cat {{{{in.x}}}} > {{{{out.y}}}}'
code = ["b.sh"]
in = ["x"]
out = {{ y = "y" }}
{extra}
"#
    );
    let project = Project::new(&definition);
    project.write("b.sh", "exit 0\n");
    project
}

const FINALLY: &str = r#"
[finally.always]
cmd = 'echo "always {{run.status}} {{run.env}}" >> "$LOG"; printf %s "$JALON_FINAL_STATUS" > "$LOG.env"; cat > "$LOG.stdin"'
[finally.success]
cmd = 'echo success >> "$LOG"'
when = "success"
[finally.failure]
cmd = 'echo failure >> "$LOG"'
when = "failure"
"#;

fn final_status(project: &Project) -> Value {
    let read = |name: &str| std::fs::read_to_string(project.beside(name)).unwrap();
    let by_env: Value = serde_json::from_str(&read("executed.env")).unwrap();
    let by_stdin: Value = serde_json::from_str(&read("executed.stdin")).unwrap();
    assert_eq!(by_env, by_stdin);
    by_env
}

#[test]
fn after_success() {
    let project = project(FINALLY);
    for expected in [
        &["a", "always succeeded local", "b", "success"][..],
        &["always succeeded local", "success"],
    ] {
        let run = project.run_ok(&[]);
        assert_eq!(project.executed(), expected);
        let status = final_status(&project);
        assert_eq!(status["state"], "SUCCEEDED", "{status}");
        assert_eq!(
            status["pipeline_job_resource_name"], run.json["run"],
            "{status}"
        );
        assert!(status["pipeline_task_name"].is_string(), "{status}");
        let nodes = status["nodes"].as_array().unwrap();
        assert_eq!(nodes.len(), 2, "{status}");
        for node in nodes {
            for field in ["name", "state", "exit_code", "seconds", "key"] {
                assert!(node.get(field).is_some(), "{field} in {node}");
            }
        }
    }
}

#[test]
fn after_failure() {
    let project = project(FINALLY);
    project.write("b.sh", "exit 7\n");
    let run = project.run(&["--env", "ci"]);
    assert_eq!(run.output.code, 1, "{}", run.output);
    assert_eq!(
        project.executed(),
        ["a", "always failed ci", "b", "failure"]
    );
    let status = final_status(&project);
    assert_eq!(status["state"], "FAILED", "{status}");
    assert!(
        !status["error_message"]
            .as_str()
            .unwrap_or_default()
            .is_empty(),
        "{status}"
    );
    assert!(!status["error_code"].is_null(), "{status}");
    let nodes = status["nodes"].as_array().unwrap();
    let b = nodes.iter().find(|node| node["name"] == "b").unwrap();
    assert_eq!(
        (&b["state"], &b["exit_code"]),
        (&"FAILED".into(), &7.into()),
        "{status}"
    );
}

#[test]
fn a_failing_finally_fails_a_run_that_had_succeeded() {
    let project = project("[finally.f]\ncmd = 'exit 4'\n[finally.g]\ncmd = 'echo g >> \"$LOG\"'\n");
    let run = project.run(&[]);
    assert_eq!(run.output.code, 1, "{}", run.output);
    assert_eq!(run.json["status"], "failed");
    assert_eq!(
        project.executed(),
        ["a", "b", "g"],
        "the other `finally` nodes run all the same"
    );
}

#[test]
fn a_failing_finally_does_not_hide_the_failure_before_it() {
    let project = project("[finally.f]\ncmd = 'exit 4'\n");
    project.write("b.sh", "exit 7\n");
    let run = project.run(&[]);
    assert_eq!(run.output.code, 1);
    run.assert(&[("b", "failed")]);
    assert_eq!(run.node("b")["exit_code"], 7, "{}", run.output);
}

fn hooked(hook: &str) -> Project {
    let project = project(&format!("[[hook]]\n{hook}\n"));
    let log = project.beside("hooks");
    project.write(
        "ops/hook",
        format!(
            "#!/bin/sh\ncat >> '{0}'; echo >> '{0}'; pwd > '{0}.cwd'\n",
            log.display()
        ),
    );
    let path = project.path("ops/hook");
    std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    project
}

fn told(project: &Project) -> Vec<Value> {
    let text = std::fs::read_to_string(project.beside("hooks")).unwrap_or_default();
    text.lines()
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn names(events: &[Value]) -> Vec<String> {
    events
        .iter()
        .map(|event| event["event"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn a_hook_hears_what_it_asked_for() {
    let project = hooked("on = [\"node.failed\", \"run.finished\"]\nrun = [\"./ops/hook\"]");
    project.run_ok(&[]);
    assert_eq!(names(&told(&project)), ["run.finished"]);
    let cwd = std::fs::read_to_string(project.beside("hooks.cwd")).unwrap();
    assert_eq!(
        std::path::Path::new(cwd.trim()),
        project.dir.canonicalize().unwrap()
    );

    project.write("b.sh", "exit 7\n");
    project.run(&[]);
    let events = told(&project);
    assert_eq!(names(&events[1..]), ["node.failed", "run.finished"]);
    assert_eq!(events[1]["node"], "b", "{}", events[1]);
    for event in &events {
        assert!(
            event["schema"].is_number(),
            "an event is versioned: {event}"
        );
    }
}

#[test]
fn a_stream_is_one_process() {
    let project = hooked("on = [\"*\"]\nrun = [\"./ops/hook\"]\nmode = \"stream\"");
    project.run_ok(&[]);
    let names = names(&told(&project));
    let count = |name: &str| names.iter().filter(|&it| it == name).count();
    assert_eq!(count("run.started"), 1, "{names:?}");
    assert_eq!(count("node.succeeded"), 2, "{names:?}");
    assert_eq!(count("run.finished"), 1, "{names:?}");
    assert_eq!(names.last().unwrap(), "run.finished");
}

#[test]
fn a_failing_hook_warns_or_fails() {
    for (failure, code) in [("warn", 0), ("fail", 1)] {
        let project = hooked(&format!(
            "on = [\"run.finished\"]\nrun = [\"false\"]\nfailure = \"{failure}\""
        ));
        let run = project.run(&[]);
        assert_eq!(run.output.code, code, "{}", run.output);
    }
}

#[test]
fn a_hook_changes_no_key() {
    let project = project("");
    project.run_ok(&[]);
    project.executed();
    let definition = project.read("jalon.toml");
    project.write(
        "jalon.toml",
        format!("{definition}\n[[hook]]\non = [\"run.finished\"]\nrun = [\"true\"]\n{FINALLY}"),
    );
    project.run_ok(&[]);
    assert_eq!(project.executed(), ["always succeeded local", "success"]);
}

#[test]
fn events_tell_the_whole_story_once() {
    let project = project("");
    project
        .jalon(&["run", "--events", "events.jsonl"])
        .expect(0);
    let read = || -> Vec<Value> {
        project
            .read("events.jsonl")
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    };
    let events = read();
    let names = names(&events);
    for (name, times) in [
        ("run.planned", 1),
        ("run.started", 1),
        ("node.started", 2),
        ("node.succeeded", 2),
        ("artifact.stored", 2),
        ("run.finished", 1),
    ] {
        assert_eq!(
            names.iter().filter(|&it| it == name).count(),
            times,
            "{name} in {names:?}"
        );
    }
    assert_eq!(names.last().unwrap(), "run.finished");
    let _ = std::fs::remove_file(project.path("events.jsonl"));
    project
        .jalon(&["run", "--events", "events.jsonl"])
        .expect(0);
    let hits = read()
        .iter()
        .filter(|event| event["event"] == "node.hit")
        .count();
    assert_eq!(hits, 2);
}

#[test]
fn a_checkpoint_survives_failed_attempts() {
    let project = Project::new(
        r#"
[defaults]
pass_env = ["LOG"]
[node.n]
cmd = 'echo n >> "$LOG"; mkdir -p ckpt; echo step >> ckpt/steps; sh n.sh; wc -l < ckpt/steps > {{out.x}}'
checkpoint = "ckpt/"
out = { x = "x" }
"#,
    );
    project.write("n.sh", "test $(wc -l < ckpt/steps) -ge 3\n");
    assert_eq!(project.run(&[]).output.code, 1);
    assert_eq!(project.run(&[]).output.code, 1);
    project.run_ok(&[]);
    assert_eq!(project.read("x").trim(), "3");
    // Another key starts afresh.
    project.edit("jalon.toml", "echo step", "echo another step");
    assert_eq!(project.run(&[]).output.code, 1);
}
