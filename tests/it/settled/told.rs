//! A run in which most was held leaves a trace of what is new, and refers to an earlier one for the rest. Whoever reads
//! it back hears all that was said.

use std::collections::BTreeMap;
use std::fs;

use serde_json::Value;

use super::{answered, contains, masked, settle};
use crate::project::{Project, files_below};

const DEFINITION: &str = r#"
[defaults]
pass_env = ["LOG"]
[source]
one = "one.txt"
two = "two.txt"
[node.a]
cmd = 'echo a >> "$LOG"; ! grep bad {{in.one}} && cat {{in.one}} > {{out.a}}'
in = ["one"]
out = { a = "out/a.txt" }
[node.b]
cmd = 'echo b >> "$LOG"; echo from b; cat {{in.two}} > {{out.b}}'
in = ["two"]
out = { b = "out/b.txt" }
[node.c]
cmd = 'echo c >> "$LOG"; echo c > {{out.c}}'
out = { c = "out/c.txt" }
[node.d]
cmd = 'echo d >> "$LOG"; cat {{in.a}} > {{out.d}}'
in = ["a"]
out = { d = "out/d.txt" }
[node.e]
cmd = 'echo e >> "$LOG"; cat {{in.b}} {{in.c}} > {{out.e}}'
in = ["b", "c"]
out = { e = "out/e.txt" }
"#;

fn resting() -> Project {
    let project = Project::new(DEFINITION);
    project.write("one.txt", "1\n");
    project.write("two.txt", "2\n");
    settle(&project);
    project.executed();
    project
}

/// Whether the last run's trace leaves nodes to another one's although something had changed.
fn refers(project: &Project) -> bool {
    let traces = files_below(&project.store().join("traces"));
    let last = fs::read(traces.last().expect("a run leaves a trace")).unwrap();
    contains(&last, b"\"but\"")
}

/// What a run said, or what is read back of it, whatever the order.
fn sorted(said: &Value) -> Value {
    let mut said = masked(said.clone());
    let nodes = said["nodes"].as_array_mut().unwrap();
    nodes.sort_by_key(|node| node["name"].to_string());
    said
}

#[test]
fn what_is_read_back_is_what_was_said() {
    let project = resting();
    let mut said = BTreeMap::new();
    let (mut short, mut chain, mut longest) = (0, 0, 0);
    for round in 0..24 {
        let (path, text) = match round {
            3 => ("one.txt", "bad\n".to_owned()),
            4 => ("one.txt", "good\n".to_owned()),
            // Known from before.
            18 => ("two.txt", "round 6\n".to_owned()),
            _ if round % 3 == 0 => ("two.txt", format!("round {round}\n")),
            _ => ("one.txt", format!("round {round}\n")),
        };
        project.write(path, &text);
        let run = project.jalon(&["run", "--json", "--events", "../events"]);
        let run = run.expect(if round == 3 { 1 } else { 0 }).json();
        let events = super::events(&project, "../events");
        let hits = |event: &&Value| event["event"] == "node.hit";
        let hits = events.iter().filter(hits).count();
        assert_eq!(hits as u64, run["counts"]["hit"].as_u64().unwrap());
        let numbers: Vec<_> = events.iter().map(|event| event["seq"].clone()).collect();
        assert_eq!(
            numbers,
            (0..events.len()).map(Value::from).collect::<Vec<_>>()
        );
        let refers = refers(&project);
        short += usize::from(refers);
        chain = if refers { chain + 1 } else { 0 };
        longest = longest.max(chain);
        said.insert(run["run"].as_str().unwrap().to_owned(), sorted(&run));
        if round % 5 == 4 {
            settle(&project);
            assert!(answered(&project));
        }
    }
    // All but the one after the failure, and those for which too many would have to be gone through. Where something
    // was too fresh to be told by its stat, nothing was kept to go by.
    assert!(
        (18..=22).contains(&short) && longest <= 16,
        "{short}, {longest}"
    );
    for (run, said) in &said {
        let log = sorted(&project.json(&["log", run, "--json"]));
        for name in ["counts", "status", "nodes", "saved_seconds", "targets"] {
            assert_eq!(log[name], said[name], "{run}: {name}");
        }
    }
}

#[test]
fn what_is_referred_to_is_kept_and_no_more() {
    let project = resting();
    for text in ["x\n", "y\n", "z\n"] {
        project.write("one.txt", text);
        project.run_ok(&[]);
        assert!(refers(&project), "{text}");
        settle(&project);
    }
    let log = || sorted(&project.json(&["log", "last", "--json"]));
    let before = log();
    project.executed();
    project.jalon(&["gc", "--yes", "--max-age", "0s"]).expect(0);
    assert_eq!(log(), before);
    super::forget(&project);
    for path in ["out/c.txt", "out/d.txt", "out/e.txt"] {
        project.remove(path);
    }
    project.run_ok(&[]);
    assert!(project.executed().is_empty(), "something was collected");
    // What came of other contents was nobody's any more.
    project.write("one.txt", "y\n");
    project.run_ok(&[]);
    let mut executed = project.executed();
    executed.sort();
    assert_eq!(executed, ["a", "d"]);
}

#[test]
fn reasons_are_found_by_way_of_others() {
    let project = resting();
    for text in ["x\n", "y\n", "z\n"] {
        project.write("one.txt", text);
        project.run_ok(&[]);
        settle(&project);
    }
    project.write("two.txt", "3\n");
    let plan = project.json(&["plan", "--json"]);
    let node = |name: &str| {
        let nodes = plan["nodes"].as_array().unwrap();
        nodes
            .iter()
            .find(|node| node["name"] == name)
            .unwrap()
            .clone()
    };
    assert_eq!(node("b")["verdict"], "run");
    assert!(node("b")["reason"].to_string().contains("two"), "{plan}");
    assert_eq!(node("a")["verdict"], "hit");
    let log = project.jalon(&["log", "last", "b"]).expect(0);
    assert!(log.stdout.contains("from b"), "{log}");
}
