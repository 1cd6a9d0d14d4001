//! What is asked for is made, with what it needs, and nothing else.

use crate::project::{FIXTURE, Project};

const NOTHING: [&str; 0] = [];

#[test]
fn a_target_is_an_artifact_a_node_a_tag_or_a_path() {
    let all = vec!["clean", "evaluate", "train[a]", "train[b]"];
    for (target, expected) in [
        ("clean", vec!["clean"]),
        ("model[b]", vec!["clean", "train[b]"]),
        ("train[a]", vec!["clean", "train[a]"]),
        ("tag:slow", vec!["clean", "train[a]", "train[b]"]),
        ("data/clean.txt", vec!["clean"]),
        ("./models/a.txt", vec!["clean", "train[a]"]),
        ("metrics", all.clone()),
        ("evaluate", all),
    ] {
        let project = Project::fixture();
        let run = project.run_ok(&[target]);
        assert_eq!(project.executed(), expected, "{target}\n{}", run.output);
    }
}

#[test]
fn several_targets_are_made_together() {
    let project = Project::fixture();
    project.run_ok(&["model[a]", "clean"]);
    assert_eq!(project.executed(), ["clean", "train[a]"]);
}

#[test]
fn nothing_matched() {
    let project = Project::fixture();
    for target in ["nonsense", "model[z]", "tag:nonsense", "no/such/file"] {
        let output = project.jalon(&["run", target]).expect(4);
        assert!(output.stderr.contains(target), "{output}");
    }
    let output = project.jalon(&["run", "metric"]).expect(4);
    assert!(
        output.stderr.contains("metrics"),
        "the nearest name is suggested: {output}"
    );
    let error = project.json(&["run", "--json", "nonsense"]);
    assert!(
        error["error"]["message"]
            .as_str()
            .unwrap()
            .contains("nonsense"),
        "{error}"
    );
    assert_eq!(project.executed(), NOTHING);
}

#[test]
fn default_targets() {
    let project = Project::fixture();
    project.write(
        "jalon.toml",
        FIXTURE.replace("[pipeline]", "[pipeline]\ndefault = [\"model[a]\"]"),
    );
    project.run_ok(&[]);
    assert_eq!(project.executed(), ["clean", "train[a]"]);
    project.run_ok(&["metrics"]);
    assert_eq!(project.executed(), ["evaluate", "train[b]"]);
}

const SIDE_EFFECT: &str = r#"
[defaults]
pass_env = ["LOG"]
[node.make]
cmd = 'echo make >> "$LOG"; echo 1 > {{out.x}}'
out = { x = "x" }
[node.publish]
cmd = 'echo publish >> "$LOG"; cat {{in.x}}'
in = ["x"]
cache = false
[node.say]
cmd = 'echo say >> "$LOG"'
in = ["x"]
[node.once]
cmd = 'echo once >> "$LOG"'
in = ["x"]
cache = true
"#;

#[test]
fn side_effects() {
    let project = Project::new(SIDE_EFFECT);
    project.run_ok(&[]);
    assert_eq!(
        project.executed(),
        ["make", "once", "say"],
        "a bare run leaves out what is `cache = false`, on request only"
    );
    project.run_ok(&[]);
    assert_eq!(
        project.executed(),
        ["say"],
        "a node without outputs runs each time, unless `cache = true`"
    );
    for _ in 0..2 {
        project.run_ok(&["publish"]);
        assert_eq!(project.executed(), ["publish"]);
    }
    project.run_ok(&["x"]);
    assert_eq!(project.executed(), NOTHING);
    project.run_ok(&["once"]);
    assert_eq!(project.executed(), NOTHING);
}

#[test]
fn a_node_without_cache_runs_when_its_output_is_needed() {
    let project = Project::new(
        r#"
[defaults]
pass_env = ["LOG"]
[node.fetch]
cmd = 'echo fetch >> "$LOG"; echo 1 > {{out.x}}'
out = { x = "x" }
cache = false
[node.use]
cmd = 'echo use >> "$LOG"; cat {{in.x}} > {{out.y}}'
in = ["x"]
out = { y = "y" }
"#,
    );
    project.run_ok(&["y"]);
    assert_eq!(project.executed(), ["fetch", "use"]);
    project.run_ok(&["y"]);
    assert_eq!(
        project.executed(),
        ["fetch"],
        "it runs each time; its reader is cut off"
    );
}

#[test]
fn order_without_data() {
    let project = Project::new(
        r#"
[defaults]
pass_env = ["LOG"]
[node.second]
cmd = 'echo second >> "$LOG"; echo 2 > {{out.y}}'
after = ["first"]
out = { y = "y" }
[node.first]
cmd = 'sleep 0.3; echo first >> "$LOG"; echo 1 > {{out.x}}'
out = { x = "x" }
"#,
    );
    project.run_ok(&["-j", "2"]);
    assert_eq!(project.executed_in_order(), ["first", "second"]);
    project.edit("jalon.toml", "echo 1 >", "echo 11 >");
    project.run_ok(&["-j", "2"]);
    assert_eq!(
        project.executed(),
        ["first"],
        "no data, so no reason to run"
    );
}
