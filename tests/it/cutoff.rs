//! A node that gave the same bytes again stops the wave there.

use crate::project::Project;

#[test]
fn the_same_bytes_stop_the_wave() {
    let project = Project::fixture();
    project.run_ok(&[]);
    project.executed();
    project.edit("raw.txt", "# a comment", "# another comment");
    let run = project.run_ok(&[]);
    assert_eq!(project.executed(), ["clean"]);
    run.assert(&[
        ("clean", "ran"),
        ("train[a]", "hit"),
        ("train[b]", "hit"),
        ("evaluate", "hit"),
    ]);
    assert_eq!(run.node("clean")["cutoff"], true, "{}", run.output);
    assert_eq!(run.node("train[a]")["cutoff"], false, "{}", run.output);
}

#[test]
fn other_bytes_do_not() {
    let project = Project::fixture();
    project.run_ok(&[]);
    project.edit("raw.txt", "one", "eleven");
    let run = project.run_ok(&[]);
    assert_eq!(run.node("clean")["cutoff"], false, "{}", run.output);
    run.assert(&[("clean", "ran"), ("train[a]", "ran"), ("evaluate", "ran")]);
}

#[test]
fn the_plan_says_maybe_not_unchanged() {
    let project = Project::fixture();
    project.run_ok(&[]);
    project.executed();
    project.edit("raw.txt", "# a comment", "# another comment");
    let plan = project.json(&["plan", "--json"]);
    let verdict = |name: &str| {
        let nodes = plan["nodes"].as_array().unwrap();
        nodes.iter().find(|node| node["name"] == name).unwrap()["verdict"].clone()
    };
    assert_eq!(verdict("clean"), "run");
    assert_eq!(verdict("train[a]"), "maybe");
    assert_eq!(verdict("evaluate"), "maybe");
    assert_eq!(project.executed(), [""; 0]);
}

/// Two outputs, of which an edit changes one: only that one's readers follow.
#[test]
fn it_holds_for_each_output() {
    let project = Project::new(
        r#"
[defaults]
pass_env = ["LOG"]
[source]
raw = "raw.txt"
[node.split]
cmd = 'echo split >> "$LOG"; head -n 1 {{in.raw}} > {{out.head}}; tail -n 1 {{in.raw}} > {{out.tail}}'
in = ["raw"]
out = { head = "head.txt", tail = "tail.txt" }
[node.first]
cmd = 'echo first >> "$LOG"; cat {{in.head}} > {{out.f}}'
in = ["head"]
out = { f = "first.txt" }
[node.last]
cmd = 'echo last >> "$LOG"; cat {{in.tail}} > {{out.l}}'
in = ["tail"]
out = { l = "last.txt" }
"#,
    );
    project.write("raw.txt", "a\nb\n");
    project.run_ok(&[]);
    project.executed();
    project.write("raw.txt", "a\nc\n");
    project.run_ok(&[]);
    assert_eq!(project.executed(), ["last", "split"]);
    assert_eq!(project.read("last.txt"), "c\n");
}
