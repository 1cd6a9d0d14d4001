//! A failed node stops what needs it and nothing else, and leaves no record.

use crate::project::{Project, wait_until};

/// `bad` fails while `ok.flag` is missing; `good` does not depend on it; `after` does.
const BRANCHES: &str = r#"
[defaults]
pass_env = ["LOG"]
[node.bad]
cmd = 'echo bad >> "$LOG"; echo partial > {{out.b}}; echo said; echo complained >&2; sh bad.sh'
code = ["bad.sh"]
out = { b = "bad.txt" }
[node.after]
cmd = 'echo after >> "$LOG"; cp {{in.b}} {{out.a}}'
in = ["b"]
out = { a = "after.txt" }
[node.last]
cmd = 'echo last >> "$LOG"; cp {{in.a}} {{out.l}}'
in = ["a"]
out = { l = "last.txt" }
[node.good]
cmd = 'sleep 0.2; echo good >> "$LOG"; echo good > {{out.g}}'
out = { g = "good.txt" }
[node.better]
cmd = 'echo better >> "$LOG"; cat {{in.g}} > {{out.better}}'
in = ["g"]
out = { better = "better.txt" }
"#;

fn branches() -> Project {
    let project = Project::new(BRANCHES);
    project.write("bad.sh", "exit 3\n");
    project
}

#[test]
fn other_branches_go_on() {
    let project = branches();
    let run = project.run(&["-j", "2"]);
    assert_eq!(run.output.code, 1, "{}", run.output);
    assert_eq!(run.json["status"], "failed");
    run.assert(&[
        ("bad", "failed"),
        ("after", "blocked"),
        ("last", "blocked"),
        ("good", "ran"),
        ("better", "ran"),
    ]);
    assert_eq!(run.node("bad")["exit_code"], 3, "{}", run.output);
    assert_eq!(
        (run.count("failed"), run.count("blocked"), run.count("ran")),
        (1, 2, 2)
    );
    assert_eq!(project.executed(), ["bad", "better", "good"]);
    assert!(!project.exists("after.txt"));
}

#[test]
fn a_rerun_continues() {
    let project = branches();
    project.run(&[]);
    project.executed();
    let run = project.run(&[]);
    assert_eq!(run.output.code, 1);
    assert_eq!(
        project.executed(),
        ["bad"],
        "a failure is never cached, a success always"
    );
    project.write("bad.sh", "exit 0\n");
    project.run_ok(&[]);
    assert_eq!(project.executed(), ["after", "bad", "last"]);
    assert_eq!(project.read("last.txt"), "partial\n");
}

#[test]
fn outputs_of_a_failed_node_are_not_recorded() {
    let project = branches();
    project.run(&[]);
    let output = project.jalon(&["get", "b", "-o", "got.txt"]);
    assert_ne!(output.code, 0, "{output}");
    assert!(!project.exists("got.txt"));
    assert_ne!(project.jalon(&["run", "--locked", "b"]).code, 0);
}

#[test]
fn fail_fast_starts_nothing_more() {
    let project = branches();
    let run = project.run(&["--fail-fast", "-j", "1", "bad", "good", "better"]);
    assert_eq!(run.output.code, 1, "{}", run.output);
    let executed = project.executed();
    if executed.first().is_some_and(|name| name == "bad") {
        assert_eq!(executed, ["bad"], "{}", run.output);
    }
    assert!(!executed.contains(&"better".to_owned()) || executed.contains(&"good".to_owned()));
}

#[test]
fn a_failure_shows_what_the_node_said() {
    let project = branches();
    let output = project.jalon(&["run", "--plain"]).expect(1);
    assert!(output.all().contains("complained"), "{output}");
    assert!(output.all().contains("bad"), "{output}");
}

#[test]
fn a_missing_declared_output_is_a_failure() {
    let project = Project::new(
        r#"
[defaults]
pass_env = ["LOG"]
[node.half]
cmd = 'echo half >> "$LOG"; echo x > {{out.one}}'
out = { one = "one.txt", two = "two.txt" }
"#,
    );
    for _ in 0..2 {
        let run = project.run(&[]);
        assert_eq!(run.output.code, 1, "{}", run.output);
        run.assert(&[("half", "failed")]);
        assert_eq!(project.executed(), ["half"]);
        assert!(project.jalon(&["run", "--plain"]).all().contains("two.txt"));
        project.executed();
    }
}

/// An output of the wrong kind: a directory where a file is declared, and the other way round.
#[test]
fn an_output_of_the_wrong_kind_is_a_failure() {
    for (path, command) in [("x.txt", "mkdir {{out.x}}"), ("x/", "echo > {{out.x}}")] {
        let definition = format!("[node.n]\ncmd = '{command}'\nout = {{ x = \"{path}\" }}\n");
        let project = Project::new(&definition);
        let run = project.run(&[]);
        assert_eq!(run.output.code, 1, "{command}\n{}", run.output);
    }
}

/// What an earlier attempt left must not pass for the output of this one.
#[test]
fn outputs_are_absent_before_a_node_starts() {
    let project = Project::new(
        r#"
[node.n]
cmd = 'if [ -e {{out.x}} ] || [ ! -d "$(dirname {{out.x}})" ]; then echo present; exit 9; fi; echo made > {{out.x}}'
out = { x = "deep/er/x.txt" }
"#,
    );
    project.write("deep/er/x.txt", "left over\n");
    project.run_ok(&[]);
    assert_eq!(project.read("deep/er/x.txt"), "made\n");
}

#[test]
fn a_program_that_is_killed_failed() {
    let project = Project::new("[node.n]\ncmd = 'kill -KILL $$'\nout = { x = \"x\" }\n");
    let run = project.run(&[]);
    assert_eq!(run.output.code, 1, "{}", run.output);
    run.assert(&[("n", "failed")]);
}

#[test]
fn a_shell_command_stops_at_its_first_failure() {
    let project = Project::new("[node.n]\ncmd = 'false; echo > {{out.x}}'\nout = { x = \"x\" }\n");
    assert_eq!(project.run(&[]).output.code, 1);
    let project =
        Project::new("[node.n]\ncmd = 'echo $UNSET_VARIABLE > {{out.x}}'\nout = { x = \"x\" }\n");
    assert_eq!(project.run(&[]).output.code, 1);
}

/// A background process that outlives its node does not keep the run waiting for ever.
#[test]
fn a_child_that_stays_does_not_hang_the_run() {
    let project = Project::new(
        "[node.n]\ncmd = 'sleep 300 & echo $! > pid.tmp; mv pid.tmp {{out.x}}'\nout = { x = \"x\" }\n",
    );
    let mut running = project.start(&["run"]);
    wait_until("the run ends although a child of the node lives", || {
        running.ended()
    });
    let _ = running.wait();
    crate::project::signal(project.read("x").trim().parse().unwrap(), "KILL");
}
