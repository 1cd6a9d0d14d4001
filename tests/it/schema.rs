//! What `--json` answers, held against docs/output.schema.json, as a script in another language would.

use serde_json::Value;

use crate::project::Project;

#[track_caller]
pub fn assert_valid(value: &Value) {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/output.schema.json");
    let schema: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let errors: Vec<String> = validator
        .iter_errors(value)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{}\n{value:#}", errors.join("\n"));
}

#[test]
fn run_plan_and_explain_at_every_stage() {
    let project = Project::fixture();
    for stage in 0..3 {
        assert_valid(&project.json(&["plan", "--json"]));
        for node in ["clean", "train", "train[a]", "evaluate"] {
            assert_valid(&project.json(&["explain", node, "--json"]));
        }
        let run = project.run_ok(&[]).json;
        assert_valid(&run);
        let id = run["run"].as_str().unwrap();
        assert_valid(&project.json(&["log", id, "--json"]));
        if stage == 0 {
            project.edit("params.yml", "rate: 0.1", "rate: 0.9");
        }
    }
}

#[test]
fn a_run_that_failed() {
    let definition = "[node.a]\ncmd = 'echo hm; exit 3'\nout = { x = \"x\" }\n\
                      [node.b]\ncmd = 'cp {{in.x}} {{out.y}}'\nin = [\"x\"]\nout = { y = \"y\" }\n";
    let project = Project::new(definition);
    let run = project.jalon(&["run", "--json"]).expect(1).json();
    assert_valid(&run);
    assert_eq!(run["nodes"][0]["state"], "FAILED");
    assert_eq!(run["nodes"][1]["blocked_by"], "a");
}

#[test]
fn errors() {
    let invalid = Project::new("[node.a]\ncmdd = 'true'\n");
    assert_valid(&invalid.jalon(&["run", "--json"]).expect(3).json());
    let project = Project::fixture();
    assert_valid(
        &project
            .jalon(&["run", "nothing", "--json"])
            .expect(4)
            .json(),
    );
    assert_valid(
        &project
            .jalon(&["run", "--locked", "--json"])
            .expect(5)
            .json(),
    );
}
