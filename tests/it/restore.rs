//! After a run the workspace holds what the run is about; a hand's work is put aside, never lost.

use crate::project::{Output, Project};

#[test]
fn missing_and_changed_outputs_are_restored() {
    let project = Project::fixture();
    project.run_ok(&[]);
    let joined = project.read("joined.txt");
    project.executed();
    project.remove("joined.txt");
    project.write("data/clean.txt", "changed by hand\n");
    project.write("models/a.txt", "");
    project.run_ok(&[]);
    assert_eq!(project.executed(), [""; 0]);
    assert_eq!(project.read("joined.txt"), joined);
    assert_eq!(project.read("data/clean.txt"), "one\ntwo\n");
    assert!(project.read("models/a.txt").contains("one\ntwo\n"));
}

#[test]
fn locked_restores_too() {
    let project = Project::fixture();
    project.run_ok(&[]);
    project.remove("metrics.json");
    project.jalon(&["run", "--locked"]).expect(0);
    assert!(project.exists("metrics.json"));
}

#[test]
fn a_hand_edit_is_saved_before_it_goes() {
    let project = Project::fixture();
    project.run_ok(&[]);
    project.write("data/clean.txt", "an afternoon's work\n");
    let output = project.jalon(&["run", "--plain"]).expect(0);
    assert_eq!(project.read("data/clean.txt"), "one\ntwo\n");
    follow_the_advice(&project, &output);
    let found = crate::project::files_below(&project.dir)
        .into_iter()
        .any(|path| std::fs::read(path).is_ok_and(|bytes| bytes == b"an afternoon's work\n"));
    assert!(found, "`jalon get` brings the edit back:\n{output}");
}

#[test]
fn a_hand_edit_is_saved_before_a_node_overwrites_it() {
    let project = Project::fixture();
    project.run_ok(&[]);
    project.write("data/clean.txt", "an afternoon's work\n");
    project.edit("raw.txt", "two", "three");
    let output = project.jalon(&["run", "--plain"]).expect(0);
    assert_eq!(project.read("data/clean.txt"), "one\nthree\n");
    follow_the_advice(&project, &output);
}

#[test]
fn a_file_that_was_there_before_the_first_run_is_saved() {
    let project = Project::fixture();
    project.write("joined.txt", "not made by any node\n");
    let output = project.jalon(&["run", "--plain"]).expect(0);
    follow_the_advice(&project, &output);
}

#[test]
fn what_jalon_wrote_itself_is_replaced_in_silence() {
    let project = Project::fixture();
    project.run_ok(&[]);
    project.edit("raw.txt", "two", "three");
    let output = project.jalon(&["run", "--plain"]).expect(0);
    assert!(!output.all().contains("jalon get"), "{output}");
}

/// Not a target: what lies there and differs would be stale, so it goes.
#[test]
fn what_is_not_materialised_is_absent_never_stale() {
    let project = Project::fixture().with_store();
    project.run_ok(&[]);
    let clone = project.copy();
    for output in ["data", "models", "joined.txt", "metrics.json"] {
        clone.remove(output);
    }
    clone.executed();
    clone.run_ok(&["metrics"]);
    assert_eq!(clone.executed(), [""; 0]);
    assert!(clone.exists("metrics.json"));
    assert!(
        !clone.exists("data/clean.txt"),
        "a hit that nobody asked for stays in the store"
    );

    clone.write("data/clean.txt", "stale\n");
    clone.run_ok(&["metrics"]);
    assert!(!clone.exists("data/clean.txt"));
}

#[test]
fn materialise_all_and_none() {
    let project = Project::fixture().with_store();
    project.run_ok(&[]);
    let clone = project.copy();
    for output in ["data", "models", "joined.txt", "metrics.json"] {
        clone.remove(output);
    }
    clone.run_ok(&["--materialize", "none"]);
    assert!(!clone.exists("metrics.json"));
    clone.run_ok(&["metrics", "--materialize", "all"]);
    assert!(
        clone.exists("metrics.json")
            && clone.exists("data/clean.txt")
            && clone.exists("models/b.txt")
    );
}

/// Nor does what cannot be read pass for what was made.
#[test]
fn what_cannot_be_read_does_not_stay_where_a_result_was() {
    let project = Project::fixture();
    project.run_ok(&["metrics"]);
    project.remove("data/clean.txt");
    std::os::unix::fs::symlink("clean.txt", project.path("data/clean.txt")).unwrap();
    project.run_ok(&["metrics"]);
    assert!(!project.exists("data/clean.txt"), "a link to itself");
}

#[test]
fn get_fetches_without_running() {
    let project = Project::fixture();
    let run = project.run_ok(&[]);
    let first = run.json["run"].as_str().unwrap().to_owned();
    project.edit("raw.txt", "two", "three");
    project.run_ok(&[]);
    project.jalon(&["get", "clean", "-o", "now.txt"]).expect(0);
    assert_eq!(project.read("now.txt"), "one\nthree\n");
    project
        .jalon(&["get", &format!("clean@{first}"), "-o", "then.txt"])
        .expect(0);
    assert_eq!(project.read("then.txt"), "one\ntwo\n");
    project
        .jalon(&["get", "model[a]", "-o", "sub/dir/a.txt"])
        .expect(0);
    assert!(project.read("sub/dir/a.txt").contains("three"));
    project.jalon(&["get", "nonsense", "-o", "x"]).expect(4);
    for directory in ["sub/", "new/deep/", "sub/dir", "."] {
        project
            .jalon(&["get", "model[a]", "-o", directory])
            .expect(0);
        let place = format!("{directory}/a.txt");
        assert_eq!(project.read(&place), project.read("sub/dir/a.txt"));
    }
}

#[test]
fn get_into_a_directory_needs_a_name() {
    let project = Project::fixture();
    project.run_ok(&[]);
    let shown = project.json(&["show", "model[a]", "--json"]);
    let digest = shown["digest"].as_str().unwrap();
    project.jalon(&["gc", "--pin", "model[a]"]).expect(0);
    let output = project.jalon(&["get", digest, "-o", "sub/"]).expect(2);
    assert!(output.stderr.contains("no name of its own"), "{output}");
    project.jalon(&["get", digest, "-o", "sub/x"]).expect(0);
    assert_eq!(project.read("sub/x"), project.read("models/a.txt"));
}

/// Runs the first `jalon get …` that was printed, as it was printed.
fn follow_the_advice(project: &Project, output: &Output) {
    let text = output.all();
    let command = text
        .lines()
        .find_map(|line| {
            line.find("jalon get")
                .map(|at| line[at..].trim_end_matches(['`', '.', ')']).to_owned())
        })
        .unwrap_or_else(|| panic!("no `jalon get` was printed:\n{output}"));
    let words: Vec<&str> = command.split_whitespace().skip(1).collect();
    project.jalon(&words).expect(0);
}
