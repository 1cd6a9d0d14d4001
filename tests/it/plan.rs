//! `plan`: what would run and why, without changing anything.

use serde_json::Value;

use crate::project::{Project, files_below};

fn verdict<'a>(plan: &'a Value, name: &str) -> &'a Value {
    let nodes = plan["nodes"]
        .as_array()
        .unwrap_or_else(|| panic!("no nodes: {plan}"));
    nodes
        .iter()
        .find(|node| node["name"] == name)
        .unwrap_or_else(|| panic!("no {name}: {plan}"))
}

#[test]
fn before_between_and_after() {
    let project = Project::fixture();
    let plan = project.json(&["plan", "--json"]);
    assert_eq!(verdict(&plan, "clean")["verdict"], "run");
    for name in ["train[a]", "evaluate"] {
        let word = &verdict(&plan, name)["verdict"];
        assert!(word == "run" || word == "maybe", "{name}: {word}");
    }
    project.run_ok(&[]);
    let plan = project.json(&["plan", "--json"]);
    for name in crate::project::FIXTURE_NODES {
        assert_eq!(verdict(&plan, name)["verdict"], "hit", "{plan}");
    }
    project.edit("params.yml", "0.1", "0.7");
    let plan = project.json(&["plan", "--json"]);
    assert_eq!(verdict(&plan, "clean")["verdict"], "hit");
    assert_eq!(verdict(&plan, "train[a]")["verdict"], "run");
    assert_eq!(verdict(&plan, "train[b]")["verdict"], "hit");
    assert_eq!(verdict(&plan, "evaluate")["verdict"], "maybe");
    let plan = project.json(&["plan", "--json", "model[b]"]);
    assert_eq!(verdict(&plan, "train[b]")["verdict"], "hit");
}

#[test]
fn reasons_name_the_field_and_both_values() {
    let project = Project::fixture();
    project.run_ok(&[]);
    project.edit("params.yml", "0.1", "0.7");
    let plan = project.json(&["plan", "--json"]);
    let reason = &verdict(&plan, "train[a]")["reason"];
    assert_eq!(reason["field"], "params", "{plan}");
    assert_eq!(reason["what"], "train.a.rate", "{plan}");
    assert_eq!(
        (&reason["old"], &reason["new"]),
        (&0.1.into(), &0.7.into()),
        "{plan}"
    );

    project.edit("params.yml", "0.7", "0.1");
    project.edit("clean.sh", "grep", "grep -h");
    let plan = project.json(&["plan", "--json"]);
    let reason = &verdict(&plan, "clean")["reason"];
    assert_eq!(
        (&reason["field"], &reason["what"]),
        (&"code".into(), &"clean.sh".into()),
        "{plan}"
    );
}

#[test]
fn the_same_reason_stands_in_the_run() {
    let project = Project::fixture();
    project.run_ok(&[]);
    project.edit("params.yml", "0.1", "0.7");
    let plan = project.json(&["plan", "--json"]);
    let run = project.run_ok(&[]);
    assert_eq!(
        run.node("train[a]")["reason"],
        verdict(&plan, "train[a]")["reason"]
    );
}

#[test]
fn it_changes_nothing() {
    let project = Project::fixture();
    let look = || -> Vec<_> {
        files_below(&project.dir)
            .into_iter()
            .filter(|path| !path.starts_with(project.path(".jalon")))
            .map(|path| (path.clone(), std::fs::read(&path).unwrap()))
            .collect()
    };
    let before = look();
    project.jalon(&["plan"]).expect(0);
    assert_eq!(look(), before);
    project.run_ok(&[]);
    project.executed();
    project.remove("joined.txt");
    project.write("data/clean.txt", "other\n");
    let before = look();
    project.jalon(&["plan"]).expect(0);
    assert_eq!(look(), before);
    assert_eq!(project.executed(), [""; 0]);
}

#[test]
fn exit_code_tells_whether_there_is_work() {
    let project = Project::fixture();
    project.jalon(&["plan"]).expect(0);
    project.jalon(&["plan", "--exit-code"]).expect(5);
    project.run_ok(&[]);
    project.jalon(&["plan", "--exit-code"]).expect(0);
    project.edit("params.yml", "0.1", "0.7");
    project.jalon(&["plan", "--exit-code"]).expect(5);
    project
        .jalon(&["plan", "--exit-code", "model[b]"])
        .expect(0);
}

/// Whatever the plan calls a hit does not execute, and whatever it calls `run` does.
#[test]
fn the_run_does_what_the_plan_said() {
    let project = Project::fixture();
    type Edit = fn(&Project);
    let edits: [Edit; 6] = [
        |p| p.edit("params.yml", "0.2", "0.4"),
        |p| p.edit("raw.txt", "# a", "# b"),
        |p| p.edit("evaluate.sh", "cat", "cat -n"),
        |p| p.remove("joined.txt"),
        |p| p.edit("raw.txt", "one", "1"),
        |p| p.edit("params.yml", "0.4", "0.2"),
    ];
    project.run_ok(&[]);
    for edit in edits {
        edit(&project);
        project.executed();
        let plan = project.json(&["plan", "--json"]);
        project.run_ok(&[]);
        let executed = project.executed();
        for node in plan["nodes"].as_array().unwrap() {
            let name = node["name"].as_str().unwrap().to_owned();
            match node["verdict"].as_str().unwrap() {
                "run" => assert!(executed.contains(&name), "{name} should run: {plan}"),
                "maybe" => {}
                _ => assert!(!executed.contains(&name), "{name} should not run: {plan}"),
            }
        }
    }
}

/// `first` makes what does not outlive the run, and others read it.
const MADE_AGAIN: &str = r#"
[source]
raw = "raw.txt"
[node.first]
cmd = 'echo 1 > {{out.passing}}'
out = { passing = { path = "passing.txt", keep = "run" } }
[node.second]
cmd = 'cat {{in.passing}} > {{out.also}}'
in = ["passing"]
out = { also = { path = "also.txt", keep = "run" } }
[node.beside]
cmd = 'cat {{in.raw}} > {{out.copy}}'
in = ["raw"]
out = { copy = "copy.txt" }
[node.publish]
cmd = 'cat {{in.passing}} {{in.copy}}'
in = ["passing", "copy"]
"#;

#[test]
fn what_a_side_effect_needs_again_is_planned_although_another_input_of_it_is_unknown() {
    let project = Project::new(MADE_AGAIN);
    project.write("raw.txt", "a\n");
    project.run_ok(&[]);
    project.write("raw.txt", "b\n");
    let plan = project.json(&["plan", "--json"]);
    assert_eq!(verdict(&plan, "first")["verdict"], "run", "{plan}");
    assert_eq!(verdict(&plan, "first")["reason"]["field"], "gone", "{plan}");
    assert_eq!(verdict(&plan, "publish")["verdict"], "run", "{plan}");
    project.run_ok(&[]).assert(&[("first", "ran")]);
}

#[test]
fn what_a_lost_result_is_made_of_is_planned_too() {
    let project = Project::new(MADE_AGAIN);
    project.write("raw.txt", "a\n");
    project.run_ok(&[]);
    // From now on its bytes are asked for, and they are nowhere; nor are those that it is made of.
    project.edit(
        "jalon.toml",
        r#"{ path = "also.txt", keep = "run" }"#,
        r#""also.txt""#,
    );
    let plan = project.json(&["plan", "--json", "also"]);
    assert_eq!(verdict(&plan, "first")["verdict"], "run", "{plan}");
    assert_ne!(verdict(&plan, "second")["verdict"], "hit", "{plan}");
    project
        .run_ok(&["also"])
        .assert(&[("first", "ran"), ("second", "ran")]);
}
