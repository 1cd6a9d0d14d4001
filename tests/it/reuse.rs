//! A result is computed once; what an edit cannot reach does not run again.

use crate::project::{FIXTURE_NODES, Project};

/// What executes after an edit to the fixture that ran once.
fn executed_after(edit: impl FnOnce(&mut Project)) -> Vec<String> {
    let mut project = Project::fixture();
    project.run_ok(&[]);
    assert_eq!(project.executed(), FIXTURE_NODES);
    edit(&mut project);
    project.run_ok(&[]);
    let executed = project.executed();
    let run = project.run_ok(&[]);
    assert_eq!(
        project.executed(),
        [""; 0],
        "a run after the run has nothing to do"
    );
    assert_eq!(
        run.count("hit"),
        run.json["nodes"].as_array().unwrap().len() as u64,
        "{}",
        run.output
    );
    executed
}

#[test]
fn the_second_run_reuses_everything() {
    let project = Project::fixture();
    let first = project.run_ok(&[]);
    assert_eq!(project.executed(), FIXTURE_NODES);
    for node in FIXTURE_NODES {
        first.assert(&[(node, "ran")]);
    }
    assert_eq!(project.read("data/clean.txt"), "one\ntwo\n");
    assert!(project.read("models/a.txt").contains("0.1"));
    let metrics = project.read("metrics.json");

    let second = project.run_ok(&[]);
    assert_eq!(project.executed(), [""; 0]);
    for node in FIXTURE_NODES {
        second.assert(&[(node, "hit")]);
        assert_eq!(first.node(node)["key"], second.node(node)["key"]);
        assert_eq!(first.node(node)["outputs"], second.node(node)["outputs"]);
    }
    assert_eq!((second.count("hit"), second.count("ran")), (4, 0));
    assert_eq!(project.read("metrics.json"), metrics);
}

#[test]
fn a_touched_file_is_the_same_file() {
    let executed = executed_after(|project| {
        std::thread::sleep(std::time::Duration::from_millis(20));
        for file in ["raw.txt", "clean.sh", "params.yml", "jalon.toml"] {
            let text = project.read(file);
            project.write(file, text);
        }
    });
    assert_eq!(executed, [""; 0]);
}

#[test]
fn a_parameter_concerns_its_declared_readers() {
    let executed = executed_after(|project| project.edit("params.yml", "0.1", "0.5"));
    assert_eq!(executed, ["evaluate", "train[a]"]);
    let executed = executed_after(|project| project.edit("params.yml", "unused: 1", "unused: 2"));
    assert_eq!(executed, [""; 0]);
}

#[test]
fn a_parameter_written_otherwise_is_the_same() {
    let executed = executed_after(|project| {
        project.write(
            "params.yml",
            "unused: 1\ntrain:\n  b:\n    rate: 0.20\n  a:\n    rate: 0.1   # as before\n",
        );
    });
    assert_eq!(executed, [""; 0]);
}

#[test]
fn code_concerns_its_node_and_what_follows() {
    let executed = executed_after(|project| project.edit("clean.sh", "'^#'", "'^[#t]'"));
    assert_eq!(executed, FIXTURE_NODES);
    let executed = executed_after(|project| project.edit("evaluate.sh", "cat", "cat -n"));
    assert_eq!(executed, ["evaluate"]);
}

#[test]
fn an_input_concerns_all_that_follows() {
    let executed = executed_after(|project| project.edit("raw.txt", "two", "three"));
    assert_eq!(executed, FIXTURE_NODES);
}

#[test]
fn a_command_or_a_hashed_variable_concerns_its_node() {
    let executed =
        executed_after(|project| project.edit("jalon.toml", "sh evaluate.sh", "sh  evaluate.sh"));
    assert_eq!(executed, ["evaluate"]);
    let executed = executed_after(|project| {
        project.edit(
            "jalon.toml",
            "tags = [\"slow\"]",
            "env = { THREADS = \"2\" }",
        )
    });
    assert_eq!(
        executed
            .iter()
            .filter(|name| name.starts_with("train"))
            .count(),
        2,
        "{executed:?}"
    );
    assert!(!executed.contains(&"clean".to_owned()));
}

#[test]
fn tags_limits_and_unhashed_variables_concern_nobody() {
    let executed = executed_after(|project| {
        project.edit(
            "jalon.toml",
            "tags = [\"slow\"]",
            "tags = [\"fast\"]\ntimeout = \"9m\"\nretries = { max = 2 }\nresources = { cpu = 1, mem = \"1MiB\" }\npass_env = [\"OTHER\"]",
        );
        project.set_env("OTHER", "x");
        project.set_env("UNNAMED", "y");
    });
    assert_eq!(executed, [""; 0]);
}

#[test]
fn the_locale_is_hashed() {
    let executed = executed_after(|project| project.set_env("LC_ALL", "C"));
    assert!(executed.contains(&"clean".to_owned()), "{executed:?}");
}

#[test]
fn a_new_matrix_value_runs_alone() {
    let executed = executed_after(|project| {
        project.edit("jalon.toml", "[\"a\", \"b\"]", "[\"a\", \"b\", \"c\"]");
        project.edit("params.yml", "  b:", "  c: {rate: 3}\n  b:");
    });
    assert_eq!(executed, ["evaluate", "train[c]"]);
}

#[test]
fn an_edit_taken_back_is_a_hit() {
    let project = Project::fixture();
    project.run_ok(&[]);
    let before = project.read("joined.txt");
    project.edit("raw.txt", "two", "three");
    project.run_ok(&[]);
    assert_ne!(project.read("joined.txt"), before);
    project.executed();

    project.edit("raw.txt", "three", "two");
    project.run_ok(&[]);
    assert_eq!(project.executed(), [""; 0]);
    assert_eq!(project.read("joined.txt"), before);
}

#[test]
fn a_parameter_from_the_command_line_is_a_parameter() {
    let project = Project::fixture();
    project.run_ok(&[]);
    project.executed();
    project.run_ok(&["-p", "train.b.rate=0.9"]);
    assert_eq!(project.executed(), ["evaluate", "train[b]"]);
    assert!(project.read("models/b.txt").contains("0.9"));
    project.run_ok(&["-p", "train.b.rate=0.2"]);
    assert_eq!(
        project.executed(),
        [""; 0],
        "the value is what counts, not where it was written"
    );
}

#[test]
fn another_directory_has_the_same_keys() {
    let project = Project::fixture().with_store();
    let first = project.run_ok(&[]);
    project.executed();
    let clone = project.copy();
    for output in ["data", "models", "joined.txt", "metrics.json"] {
        clone.remove(output);
    }
    let second = clone.run_ok(&[]);
    assert_eq!(clone.executed(), [""; 0]);
    for node in FIXTURE_NODES {
        assert_eq!(first.node(node)["key"], second.node(node)["key"]);
    }
    assert_eq!(clone.read("joined.txt"), project.read("joined.txt"));
    assert_eq!(clone.read("data/clean.txt"), "one\ntwo\n");
}

#[test]
fn an_edit_within_the_second_that_keeps_size_and_time_is_seen() {
    let project = Project::fixture();
    project.run_ok(&[]);
    for (old, new) in [("two", "six"), ("six", "ten"), ("ten", "two")] {
        let path = project.path("raw.txt");
        let modified = path.metadata().unwrap().modified().unwrap();
        project.edit("raw.txt", old, new);
        std::fs::File::options()
            .append(true)
            .open(&path)
            .unwrap()
            .set_modified(modified)
            .unwrap();
        project.run_ok(&[]);
        assert_eq!(project.read("data/clean.txt"), format!("one\n{new}\n"));
    }
}

#[test]
fn force_executes_and_the_rest_is_reused() {
    let project = Project::fixture();
    project.run_ok(&[]);
    project.executed();
    let run = project.run_ok(&["--force", "clean"]);
    assert_eq!(project.executed(), ["clean"]);
    run.assert(&[("clean", "ran"), ("train[a]", "hit"), ("evaluate", "hit")]);
}

#[test]
fn locked_does_not_run() {
    let project = Project::fixture();
    project.run_ok(&[]);
    project.executed();
    project.jalon(&["run", "--locked"]).expect(0);
    project.edit("params.yml", "0.1", "0.3");
    project.jalon(&["run", "--locked"]).expect(5);
    assert_eq!(project.executed(), [""; 0]);
    project.run_ok(&[]);
    assert_eq!(project.executed(), ["evaluate", "train[a]"]);
}

#[test]
fn the_default_store_lies_in_the_project() {
    let project = Project::fixture();
    project.run_ok(&[]);
    assert!(project.exists(".jalon/store"));
    let mut elsewhere = Project::fixture();
    let shared = elsewhere.beside("shared");
    elsewhere.set_env("JALON_STORE", shared.to_str().unwrap());
    elsewhere.run_ok(&[]);
    assert!(shared.exists());
    assert!(!elsewhere.exists(".jalon/store"));
}

#[test]
fn a_definition_is_found_upwards_and_by_flag() {
    let project = Project::fixture();
    project.write("deep/er/file", "");
    project
        .start_in(&project.path("deep/er"), &["run"])
        .wait()
        .expect(0);
    assert_eq!(project.executed(), FIXTURE_NODES);
    let dir = project.dir.to_str().unwrap().to_owned();
    project
        .start_in(&project.beside("home"), &["run", "-C", &dir])
        .wait()
        .expect(0);
    let file = project.path("jalon.toml");
    project
        .start_in(
            &project.beside("home"),
            &["run", "--file", file.to_str().unwrap()],
        )
        .wait()
        .expect(0);
    assert_eq!(project.executed(), [""; 0]);
}

/// A source that is edited while a node reads it: what came out belongs to neither content.
#[test]
fn an_input_that_moves_is_not_recorded() {
    let mut project = Project::new(
        r#"
[defaults]
pass_env = ["LOG", "GATE"]
[source]
raw = "raw.txt"
[node.n]
cmd = 'echo n >> "$LOG"; cat {{in.raw}} > {{out.x}}; while [ ! -e "$GATE" ]; do sleep 0.02; done'
in = ["raw"]
out = { x = "x.txt" }
"#,
    );
    let gate = project.beside("gate");
    project.set_env("GATE", gate.to_str().unwrap());
    project.write("raw.txt", "before\n");
    let running = project.start(&["run", "--json"]);
    crate::project::wait_until("the node runs", || project.exists("x.txt"));
    project.write("raw.txt", "after\n");
    std::fs::write(&gate, "").unwrap();
    running.wait();
    assert_eq!(project.executed(), ["n"]);
    for content in ["after\n", "before\n"] {
        project.write("raw.txt", content);
        let plan = project.json(&["plan", "--json"]);
        let reason = &plan["nodes"][0]["reason"];
        assert_eq!(reason["field"], "unkept", "{plan}");
        assert_eq!(reason["what"], "raw changed while it ran", "{plan}");
    }
    let said = project.jalon(&["plan"]).stdout;
    assert!(said.contains("its last execution was not kept"), "{said}");
    project.write("raw.txt", "after\n");
    project.run_ok(&[]);
    assert_eq!(project.executed(), ["n"]);
    assert_eq!(project.read("x.txt"), "after\n");
    project.write("raw.txt", "before\n");
    project.run_ok(&[]);
    assert_eq!(
        project.executed(),
        ["n"],
        "nothing was recorded for the content that moved"
    );
    assert_eq!(project.read("x.txt"), "before\n");
}

#[test]
fn byte_code_is_no_code() {
    let project = Project::new(
        r#"
[defaults]
pass_env = ["LOG"]
[node.n]
cmd = 'echo n >> "$LOG"; python3 src/main.py > {{out.x}}'
code = ["src/**/*"]
out = { x = "x.txt" }
"#,
    );
    project.write("src/main.py", "import helper\nprint(helper.VALUE)\n");
    project.write("src/helper.py", "VALUE = 1\n");
    project.run_ok(&[]);
    assert!(project.exists("src/__pycache__"), "Python wrote byte code");
    assert_eq!(project.executed(), ["n"]);
    project.run_ok(&[]);
    assert_eq!(project.executed(), [""; 0]);
    project.write("src/helper.py", "VALUE = 22\n");
    project.run_ok(&[]);
    assert_eq!(project.executed(), ["n"]);
    assert_eq!(project.read("x.txt"), "22\n");
}

#[test]
fn a_new_file_that_matches_the_code_is_code() {
    let project = Project::fixture();
    project.edit(
        "jalon.toml",
        "[\"clean.sh\"]",
        "[\"clean.sh\", \"lib/**/*.sh\"]",
    );
    project.run_ok(&[]);
    project.executed();
    project.write("lib/deep/new.sh", "true\n");
    project.run_ok(&[]);
    assert_eq!(project.executed(), ["clean"]);
}

#[test]
fn the_directory_that_an_output_is_to_lie_in_is_no_reason_to_run() {
    let project = Project::new(
        r#"
[defaults]
pass_env = ["LOG"]
[node.make]
cmd = 'echo make >> "$LOG"; mkdir -p out/deep; echo 1 > {{out.made}}'
out = { made = "out/deep/made.txt" }
[node.use]
cmd = 'echo use >> "$LOG"; test -d out/deep; cat {{in.made}} > {{out.used}}'
in = ["made"]
out = { used = "used.txt" }
"#,
    )
    .with_store();
    project.run_ok(&[]);
    assert_eq!(project.executed(), ["make", "use"]);
    let clone = project.copy();
    clone.remove("out");
    clone.remove("used.txt");
    clone.run_ok(&[]).assert(&[("make", "hit"), ("use", "hit")]);
    assert_eq!(clone.executed(), [""; 0]);
}
