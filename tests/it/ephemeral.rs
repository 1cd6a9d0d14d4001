//! `keep = "run"`: bytes that do not outlive the run, and yet are no reason to run again.

use crate::project::Project;

/// `make` has a kept and an ephemeral output; `use` and `other` read the ephemeral one.
const DEFINITION: &str = r#"
[defaults]
pass_env = ["LOG"]
[source]
raw = "raw.txt"
[node.make]
cmd = 'echo make >> "$LOG"; cp {{in.raw}} {{out.kept}}; sort {{in.raw}} > {{out.passing}}'
in = ["raw"]
[node.make.out]
kept = "kept.txt"
passing = { path = "passing.txt", keep = "run" }
[node.use]
cmd = 'echo use >> "$LOG"; sh use.sh < {{in.passing}} > {{out.used}}'
code = ["use.sh"]
in = ["passing"]
out = { used = "used.txt" }
[node.other]
cmd = 'echo other >> "$LOG"; wc -l < {{in.passing}} > {{out.counted}}'
in = ["passing"]
out = { counted = "counted.txt" }
"#;

fn project() -> Project {
    let project = Project::new(DEFINITION);
    project.write("raw.txt", "b\na\n");
    // Other bytes than the ephemeral ones: those that the store has under another name need not be made.
    project.write("use.sh", "sed s/^/-/\n");
    project
}

#[test]
fn the_file_is_gone_and_the_rerun_is_a_hit() {
    let project = project();
    project.run_ok(&[]);
    assert_eq!(project.executed(), ["make", "other", "use"]);
    assert!(!project.exists("passing.txt"));
    assert!(project.exists("kept.txt"));
    assert_eq!(project.read("used.txt"), "-a\n-b\n");
    let run = project.run_ok(&[]);
    assert_eq!(project.executed(), [""; 0]);
    run.assert(&[("make", "hit"), ("use", "hit"), ("other", "hit")]);
    assert!(!project.exists("passing.txt"));
}

#[test]
fn its_bytes_are_not_in_the_store() {
    let project = project();
    project.write("raw.txt", "zebra-1729\nantelope-1729\n");
    project.write("use.sh", "wc -l\n");
    project.run_ok(&[]);
    let get = project.jalon(&["get", "passing", "-o", "got"]);
    assert_ne!(get.code, 0, "{get}");
}

#[test]
fn it_is_made_again_for_a_reader_that_must_run() {
    let project = project();
    project.run_ok(&[]);
    project.executed();
    project.write("use.sh", "tr a-z A-Z\n");
    let run = project.run_ok(&[]);
    assert_eq!(project.executed(), ["make", "use"], "and nobody else runs");
    run.assert(&[("make", "ran"), ("use", "ran"), ("other", "hit")]);
    assert_eq!(project.read("used.txt"), "A\nB\n");
    assert!(!project.exists("passing.txt"));
    project.run_ok(&[]);
    assert_eq!(project.executed(), [""; 0]);
}

/// The producer gives other bytes the second time: every reader is judged by those.
#[test]
fn other_bytes_judge_every_reader_anew() {
    let project = project();
    project.edit(
        "jalon.toml",
        "sort {{in.raw}} > {{out.passing}}",
        "{ sort {{in.raw}}; cat \"$LOG.extra\" 2>/dev/null || true; } > {{out.passing}}",
    );
    project.run_ok(&[]);
    assert_eq!(project.read("counted.txt").trim(), "2");
    project.executed();
    std::fs::write(project.beside("executed.extra"), "c\n").unwrap();
    project.write("use.sh", "cat -n\n");
    project.run_ok(&[]);
    assert_eq!(project.executed(), ["make", "other", "use"]);
    assert_eq!(
        project.read("counted.txt").trim(),
        "3",
        "one digest an artifact a run"
    );
    assert!(project.read("used.txt").contains('c'));
}

#[test]
fn a_failure_leaves_no_ephemeral_file_that_passes_for_new() {
    let project = project();
    project.write("use.sh", "exit 1\n");
    assert_eq!(project.run(&[]).output.code, 1);
    project.executed();
    project.write("raw.txt", "c\n");
    project.write("use.sh", "cat\n");
    project.run_ok(&[]);
    assert_eq!(project.read("used.txt"), "c\n");
    assert!(!project.exists("passing.txt"));
}

#[test]
fn a_chain_of_ephemerals_is_made_again_as_far_as_needed() {
    let project = Project::new(
        r#"
[defaults]
pass_env = ["LOG"]
[node.a]
cmd = 'echo a >> "$LOG"; echo 1 > {{out.x}}'
out = { x = { path = "x", keep = "run" } }
[node.b]
cmd = 'echo b >> "$LOG"; sed s/^/-/ {{in.x}} > {{out.y}}'
in = ["x"]
out = { y = { path = "y", keep = "run" } }
[node.c]
cmd = 'echo c >> "$LOG"; sed s/^/-/ {{in.y}} > {{out.z}}'
in = ["y"]
out = { z = "z" }
"#,
    );
    project.run_ok(&[]);
    assert_eq!(project.executed_in_order(), ["a", "b", "c"]);
    project.run_ok(&[]);
    assert_eq!(project.executed(), [""; 0]);
    project.edit("jalon.toml", "{{in.y}} >", "{{in.y}} {{in.y}} >");
    project.run_ok(&[]);
    assert_eq!(project.executed_in_order(), ["a", "b", "c"]);
    assert_eq!(project.read("z"), "--1\n--1\n");
}
