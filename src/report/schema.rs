//! Holds docs/output.schema.json to what the code prints: the objects of runs and plans, and each of them broken.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::plan::{PlanReport, PlannedNode};
use super::sample;
use super::tally::Summary;
use crate::event::{Made, Notice, Shape};
use crate::explain::Difference;
use crate::verdict::{Reason, Verdict};

fn schema() -> Value {
    serde_json::from_str(include_str!("../../docs/output.schema.json")).expect("the schema is JSON")
}

/// What is wrong with a value, as one of the kinds and as any.
fn faults(kind: &str, value: &Value) -> Vec<String> {
    let mut one = schema();
    one["oneOf"] = json!([{"$ref": format!("#/definitions/{kind}")}]);
    let mut all = Vec::new();
    for schema in [one, schema()] {
        let validator = jsonschema::validator_for(&schema).expect("a schema");
        all.extend(validator.iter_errors(value).map(|error| error.to_string()));
    }
    all
}

fn plan() -> PlanReport {
    let made = Made {
        digest: "1".repeat(64),
        size: 7,
        path: "data/é.csv".into(),
        shape: Shape::Directory,
        executable: false,
    };
    let node = |name: &str, verdict, key: Option<String>, reason| PlannedNode {
        name: name.into(),
        verdict,
        expected_seconds: key.as_ref().map(|_| 3.5),
        outputs: key
            .iter()
            .map(|_| (name.to_owned(), made.clone()))
            .collect::<BTreeMap<_, _>>(),
        key,
        reason,
    };
    let reason = Reason {
        field: "params".into(),
        what: "train.lr".into(),
        old: json!(0.1),
        new: json!({"a": [1]}),
    };
    PlanReport {
        project: "churn".into(),
        env: "ci".into(),
        targets: vec!["tag:gpu".into()],
        nodes: vec![
            node("prepare", Verdict::Hit, Some("a".repeat(64)), None),
            node(
                "train[gbm,1]",
                Verdict::Run,
                Some("b".repeat(64)),
                Some(reason),
            ),
            node(
                "evaluate",
                Verdict::Maybe,
                None,
                Some(Reason::word(Reason::UPSTREAM, "model[gbm,1]")),
            ),
            node("publish", Verdict::NotNeeded, None, None),
        ],
        notices: vec![Notice {
            code: "untraced".into(),
            text: "reads are not observed".into(),
        }],
    }
}

fn explanation() -> Value {
    let difference = Difference {
        field: "code".into(),
        what: "src/a.py".into(),
        old: json!("c".repeat(64)),
        new: Value::Null,
        place: "src/a.py".into(),
    };
    let one = json!({
        "schema": 1, "node": "train", "verdict": Verdict::Run, "reason": "code", "key": "d".repeat(64),
        "compared_with": {"run": "01KA", "key": "e".repeat(64)}, "differences": [difference],
        "widened": [{"to": "all of pkg.x", "where": "pkg/x.py:3", "why": "a module whose name is computed is imported"}],
    });
    let mut all = one.clone();
    all["others"] = json!([one]);
    all
}

fn failure() -> Value {
    let span = json!({"file": "jalon.toml", "line": 3, "column": 1, "length": 4, "label": "here"});
    let error = json!({"code": "unknown-key", "message": "there is no `imputs`", "help": null, "spans": [span]});
    json!({"schema": 1, "error": error, "errors": [error]})
}

#[test]
fn what_is_printed_is_as_the_schema_says() {
    let cut = Summary::of_events(&sample::events()[..9]);
    for (kind, value) in [
        ("run", sample::summary().to_json()),
        ("run", cut.to_json()),
        ("plan", plan().to_json()),
        ("explain", explanation()),
        ("failure", failure()),
    ] {
        assert_eq!(faults(kind, &value), [""; 0], "{value:#}");
    }
}

#[test]
fn what_is_not_as_the_contract_says_is_noticed() {
    let run = sample::summary().to_json();
    for (pointer, wrong) in [
        ("/schema", json!(2)),
        ("/status", json!("ok")),
        ("/seconds", json!("1.0")),
        ("/counts/hit", json!(-1)),
        ("/nodes/0/status", json!("unknown")),
        ("/nodes/0/key", json!("abc")),
        ("/nodes/0/traced", Value::Null),
        ("/nodes/2/reason", json!("params")),
        ("/notices/0", json!("text")),
        ("/error/message", Value::Null),
    ] {
        let mut broken = run.clone();
        *broken.pointer_mut(pointer).expect(pointer) = wrong;
        assert!(!faults("run", &broken).is_empty(), "{pointer}");
    }
    let node = run["nodes"][0].as_object().expect("a node").clone();
    for field in node.keys() {
        let mut broken = run.clone();
        broken["nodes"][0]
            .as_object_mut()
            .expect("a node")
            .remove(field);
        assert!(!faults("run", &broken).is_empty(), "{field}");
    }
}
