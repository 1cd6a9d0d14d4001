//! Looking back: log, show, diff, report; and keeping house: gc, verify, stats, graph, init, doctor.

use crate::project::Project;

/// The fixture after two runs; the run ids in order.
fn two_runs() -> (Project, String, String) {
    let project = Project::fixture();
    project.edit(
        "jalon.toml",
        "sh clean.sh",
        "echo heard; echo also >&2; sh clean.sh",
    );
    let id = |run: crate::project::Run| run.json["run"].as_str().unwrap().to_owned();
    let first = id(project.run_ok(&[]));
    project.edit("params.yml", "0.1", "0.7");
    project.edit("raw.txt", "two", "two\nthree");
    let second = id(project.run_ok(&[]));
    (project, first, second)
}

#[test]
fn log_lists_runs_and_keeps_what_nodes_said() {
    let (project, first, second) = two_runs();
    let list = project.jalon(&["log"]).expect(0);
    assert!(
        list.stdout.contains(&first[..8]) && list.stdout.contains(&second[..8]),
        "{list}"
    );
    let one = project.jalon(&["log", &first]).expect(0);
    assert!(one.stdout.contains("train[a]"), "{one}");
    let node = project.jalon(&["log", &first, "clean"]).expect(0);
    assert!(
        node.all().contains("heard") && node.all().contains("also"),
        "{node}"
    );
    project.jalon(&["log", "nonsense"]).expect(4);
    // What a node said is replayed from the store for a run in which it was a hit.
    let third = project.run_ok(&[]).json["run"].as_str().unwrap().to_owned();
    let node = project.jalon(&["log", &third, "clean"]).expect(0);
    assert!(node.all().contains("heard"), "{node}");
}

#[test]
fn show_leads_back_to_the_sources() {
    let (project, first, _) = two_runs();
    let shown = project.jalon(&["show", "metrics"]).expect(0);
    for word in ["evaluate", "train[a]", "clean", "raw"] {
        assert!(shown.stdout.contains(word), "{word}: {shown}");
    }
    let now = project.json(&["show", "clean", "--json"]);
    let then = project.json(&["show", &format!("clean@{first}"), "--json"]);
    assert!(now["digest"].is_string(), "{now}");
    assert_ne!(now["digest"], then["digest"]);
    project.jalon(&["show", "nonsense"]).expect(4);
}

#[test]
fn diff_tells_parameters_inputs_and_metrics() {
    let (project, first, second) = two_runs();
    let diff = project.jalon(&["diff", &first, &second]).expect(0);
    for word in ["train.a.rate", "0.1", "0.7", "raw", "lines"] {
        assert!(diff.stdout.contains(word), "{word}: {diff}");
    }
    let same = project.json(&["diff", &first, &first, "--json"]);
    assert!(!same.to_string().contains("train.a.rate"), "{same}");
}

#[test]
fn reports() {
    let (project, first, _) = two_runs();
    let trace: serde_json::Value =
        serde_json::from_str(&project.jalon(&["report", "--trace"]).expect(0).stdout)
            .expect("a Chrome trace is JSON");
    let events = trace
        .get("traceEvents")
        .unwrap_or(&trace)
        .as_array()
        .unwrap();
    assert!(
        events
            .iter()
            .any(|event| event["name"] == "clean" && event["ph"] == "X"),
        "{trace}"
    );
    let junit = project.jalon(&["report", "--junit", &first]).expect(0);
    assert!(
        junit.stdout.contains("<testsuite") && junit.stdout.contains("clean"),
        "{junit}"
    );
    let markdown = project.jalon(&["report", "--markdown"]).expect(0);
    assert!(
        markdown.stdout.contains("fixture") && markdown.stdout.contains("| 4 |"),
        "{markdown}"
    );
    let html = project.jalon(&["report", "--html"]).expect(0);
    assert!(
        html.stdout.contains("<html") || html.stdout.contains("<!doctype"),
        "{html}"
    );
}

#[test]
fn graphs() {
    let project = Project::fixture();
    assert!(
        project
            .jalon(&["graph"])
            .expect(0)
            .stdout
            .contains("evaluate")
    );
    let dot = project.jalon(&["graph", "--dot"]).expect(0);
    assert!(
        dot.stdout.starts_with("digraph") && dot.stdout.contains("train[a]"),
        "{dot}"
    );
    let mermaid = project.jalon(&["graph", "--mermaid"]).expect(0);
    assert!(
        mermaid.stdout.contains("graph") || mermaid.stdout.contains("flowchart"),
        "{mermaid}"
    );
    assert!(
        project
            .json(&["graph", "--json"])
            .to_string()
            .contains("train[b]")
    );
}

#[test]
fn gc_is_dry_and_then_keeps_what_the_last_run_needs() {
    let (project, first, _) = two_runs();
    project.executed();
    let size = || {
        crate::project::files_below(&project.store())
            .iter()
            .map(|path| path.metadata().unwrap().len())
            .sum::<u64>()
    };
    let before = size();
    project.jalon(&["gc"]).expect(0);
    assert!(size() >= before, "dry unless --yes");
    project.jalon(&["gc", "--yes"]).expect(0);
    project.jalon(&["cache", "verify"]).expect(0);
    for output in ["data", "models", "joined.txt", "metrics.json"] {
        project.remove(output);
    }
    project.run_ok(&[]);
    assert_eq!(project.executed(), [""; 0]);
    assert!(project.read("joined.txt").contains("three"));
    // The first run may be gone by now; if its bytes are, that is said.
    let get = project.jalon(&["get", &format!("clean@{first}"), "-o", "old.txt"]);
    assert!(get.code == 0 || !get.stderr.is_empty(), "{get}");
}

#[test]
fn a_pin_survives_gc() {
    let (project, first, _) = two_runs();
    project.jalon(&["gc", "--pin", &first]).expect(0);
    project.jalon(&["gc", "--yes"]).expect(0);
    project
        .jalon(&["get", &format!("clean@{first}"), "-o", "old.txt"])
        .expect(0);
    assert_eq!(project.read("old.txt"), "one\ntwo\n");
}

#[test]
fn init_writes_a_first_file_that_is_valid() {
    let project = Project::new("");
    project.remove("jalon.toml");
    project.write("src/prepare.py", "print('hello')\n");
    project.write("data/raw.csv", "a\n1\n");
    project.jalon(&["init"]).expect(0);
    project.jalon(&["check"]).expect(0);
    let text = project.read("jalon.toml");
    assert_ne!(
        project.jalon(&["init"]).code,
        0,
        "an existing file is not overwritten"
    );
    assert_eq!(project.read("jalon.toml"), text);
}

#[test]
fn doctor_completions_and_man_pages() {
    let project = Project::fixture();
    let doctor = project.jalon(&["doctor"]).expect(0);
    assert!(doctor.stdout.to_lowercase().contains("store"), "{doctor}");
    for shell in ["bash", "zsh", "fish"] {
        assert!(
            project
                .jalon(&["completions", shell])
                .expect(0)
                .stdout
                .contains("jalon")
        );
    }
}

#[test]
fn gc_of_a_store_that_is_not_there_has_nothing_to_do() {
    let project = Project::fixture();
    project.jalon(&["gc"]).expect(0);
    assert!(!project.store().exists(), "looking leaves no store behind");
    project.jalon(&["gc", "--yes", "--max-size", "0"]).expect(0);
    let found = project.json(&["doctor", "--json"]).to_string();
    assert!(!found.contains("read-only"), "{found}");
}
