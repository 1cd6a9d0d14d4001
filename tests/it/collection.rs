//! `gc` beside running processes, and what it leaves of the runs that are kept.

use crate::project::{Project, wait_until};

/// A node that waits for a gate.
fn gated() -> (Project, std::path::PathBuf) {
    let mut project = Project::new(
        r#"
[defaults]
pass_env = ["LOG", "GATE"]
[node.n]
cmd = 'echo n >> "$LOG"; while [ ! -e "$GATE" ]; do sleep 0.02; done; echo 1 > {{out.x}}'
out = { x = "x.txt" }
"#,
    );
    let gate = project.beside("gate");
    project.set_env("GATE", gate.to_str().unwrap());
    (project, gate)
}

#[test]
fn it_waits_for_a_run_and_keeps_what_that_made() {
    let (project, gate) = gated();
    let run = project.start(&["run"]);
    wait_until("the node runs", || project.beside("executed").exists());
    let collection = project.start(&["gc", "--yes"]);
    wait_until("it says that it waits", || {
        collection.said().contains("waiting for others")
    });
    std::fs::write(&gate, "").unwrap();
    run.wait().expect(0);
    collection.wait().expect(0);
    project.remove("x.txt");
    project.run_ok(&[]);
    assert_eq!(project.executed(), ["n"], "only the first run executed it");
    assert_eq!(project.read("x.txt"), "1\n");
}

#[test]
fn it_does_not_wait_when_told_so() {
    let (project, gate) = gated();
    let run = project.start(&["run"]);
    wait_until("the node runs", || project.beside("executed").exists());
    let output = project.jalon(&["gc", "--yes", "--no-wait"]).expect(75);
    assert!(output.stderr.contains("uses the store"), "{output}");
    project.jalon(&["gc"]).expect(0);
    std::fs::write(&gate, "").unwrap();
    run.wait().expect(0);
}

/// Nothing but its trace leads to what a node printed that failed, or is never recorded.
#[test]
fn what_nodes_printed_stays_while_their_run_does() {
    let project = Project::new(
        r#"
[node.broken]
cmd = 'echo the reason of it; exit 1'
out = { x = "x.txt" }
[node.effect]
cmd = 'echo sent a letter'
[node.free]
cmd = 'echo done freely; echo 1 > {{out.y}}'
cache = false
out = { y = "y.txt" }
"#,
    );
    assert_eq!(project.run(&["broken", "effect", "free"]).output.code, 1);
    project.remove("y.txt");
    project.jalon(&["gc", "--yes"]).expect(0);
    for (node, said) in [
        ("broken", "the reason of it\n"),
        ("effect", "sent a letter\n"),
        ("free", "done freely\n"),
    ] {
        let output = project.jalon(&["log", "last", node]).expect(0);
        assert_eq!(output.stdout, said, "{output}");
    }
    project.jalon(&["get", "y"]).expect(0);
    assert_eq!(project.read("y.txt"), "1\n");
}
