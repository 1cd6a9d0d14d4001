//! `explain`: the difference to the nearest earlier derivation, field by field.

use serde_json::Value;

use crate::project::Project;

fn difference<'a>(reply: &'a Value, field: &str) -> &'a Value {
    let all = reply["differences"]
        .as_array()
        .unwrap_or_else(|| panic!("no differences: {reply}"));
    all.iter()
        .find(|it| it["field"] == field)
        .unwrap_or_else(|| panic!("no difference in {field}: {reply}"))
}

fn explain_after(node: &str, edit: impl FnOnce(&Project)) -> Value {
    let project = Project::fixture();
    project.run_ok(&[]);
    edit(&project);
    project.json(&["explain", node, "--json"])
}

#[test]
fn a_hit_has_no_difference() {
    let reply = explain_after("train[a]", |_| {});
    assert_eq!(
        (&reply["node"], &reply["verdict"]),
        (&"train[a]".into(), &"hit".into())
    );
    assert_eq!(
        reply["differences"].as_array().map(Vec::len),
        Some(0),
        "{reply}"
    );
    assert!(reply["key"].is_string());
}

#[test]
fn a_parameter() {
    let reply = explain_after("train[a]", |project| {
        project.edit("params.yml", "0.1", "0.7")
    });
    assert_eq!(reply["verdict"], "run");
    let it = difference(&reply, "params");
    assert_eq!(it["what"], "train.a.rate", "{reply}");
    assert_eq!(
        (&it["old"], &it["new"]),
        (&0.1.into(), &0.7.into()),
        "{reply}"
    );
    assert!(it["where"].to_string().contains("params.yml"), "{reply}");
    assert_eq!(reply["differences"].as_array().unwrap().len(), 1, "{reply}");
    assert!(
        reply["compared_with"]["run"].is_string() && reply["compared_with"]["key"].is_string(),
        "{reply}"
    );
    assert_ne!(reply["compared_with"]["key"], reply["key"]);
}

#[test]
fn code_and_command() {
    let reply = explain_after("clean", |project| {
        project.edit("clean.sh", "grep", "grep -h")
    });
    assert_eq!(difference(&reply, "code")["what"], "clean.sh", "{reply}");
    let reply = explain_after("clean", |project| {
        project.edit("jalon.toml", "sh clean.sh", "sh -x clean.sh")
    });
    assert!(reply["differences"].to_string().contains("-x"), "{reply}");
}

#[test]
fn an_input_names_the_artifact() {
    let reply = explain_after("clean", |project| project.edit("raw.txt", "one", "1"));
    assert!(
        reply["differences"][0]["what"].to_string().contains("raw"),
        "{reply}"
    );
    let reply = explain_after("train[a]", |project| project.edit("raw.txt", "one", "1"));
    assert_eq!(reply["verdict"], "maybe", "{reply}");
    assert!(
        reply.to_string().contains("clean"),
        "which upstream: {reply}"
    );
}

#[test]
fn an_environment_variable() {
    let project = Project::fixture();
    project.edit(
        "jalon.toml",
        "tags = [\"slow\"]",
        "env = { THREADS = \"1\" }",
    );
    project.run_ok(&[]);
    project.edit("jalon.toml", "THREADS = \"1\"", "THREADS = \"2\"");
    let reply = project.json(&["explain", "train[b]", "--json"]);
    let it = difference(&reply, "env");
    assert_eq!(
        (&it["what"], &it["old"], &it["new"]),
        (&"THREADS".into(), &"1".into(), &"2".into()),
        "{reply}"
    );
}

#[test]
fn a_node_that_never_ran() {
    let project = Project::fixture();
    let reply = project.json(&["explain", "clean", "--json"]);
    assert_eq!(reply["verdict"], "run");
    assert!(reply["compared_with"].is_null(), "{reply}");
    project.jalon(&["explain", "nonsense"]).expect(4);
    project.jalon(&["explain"]).expect(2);
}

/// After the run one asks why it ran.
#[test]
fn after_the_fact() {
    let project = Project::fixture();
    project.run_ok(&[]);
    project.edit("params.yml", "0.1", "0.7");
    project.run_ok(&[]);
    let output = project.jalon(&["explain", "train[a]"]).expect(0);
    assert!(output.stdout.contains("train[a]"), "{output}");
}
