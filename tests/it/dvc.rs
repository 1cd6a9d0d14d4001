//! A dvc.yaml is run as it is, joined by `[import]`, and written out by `jalon import`.
//!
//! Beside the real DVC the same is tried in `tests/real/dvc`.

use std::path::Path;

use crate::project::{Project, files_below};
use crate::settled::{answered, settle};

const TWO: &str = r#"
stages:
  count:
    cmd: echo count >> "$LOG" && wc -l < raw.txt > out/count.txt
    deps: [raw.txt]
    outs: [out/count.txt]
  twice:
    cmd:
      - echo "$DVC_STAGE" >> "$LOG"
      - cat out/count.txt out/count.txt > twice.txt
    deps: [out]
    outs: [twice.txt]
"#;

/// A DVC project: no jalon.toml.
fn project(definition: &str) -> Project {
    let project = Project::new("");
    project.remove("jalon.toml");
    project.write("dvc.yaml", definition);
    project
}

fn two() -> Project {
    let project = project(TWO);
    project.write("raw.txt", "a\nb\n");
    project
}

#[test]
fn it_runs_as_it_is_and_nothing_is_written_beside_it() {
    let project = two();
    project.write(".dvc/config", "[core]\n");
    let run = project.run_ok(&[]);
    assert_eq!(run.json["counts"]["ran"], 2, "{}", run.output);
    assert_eq!(project.executed_in_order(), ["count", "twice"]);
    assert_eq!(project.read("twice.txt").matches('2').count(), 2);
    let environment = |notice: &serde_json::Value| notice["code"] == "environment";
    let notices = run.json["notices"].as_array().expect("a list");
    assert_eq!(notices.iter().filter(|it| environment(it)).count(), 1);
    project.run_ok(&[]);
    assert_eq!(project.executed(), Vec::<String>::new());
    project.edit("raw.txt", "a\n", "c\n");
    project.run_ok(&[]);
    assert_eq!(project.executed(), ["count"], "the count is the same");
    let mut files: Vec<String> = files_below(&project.dir)
        .iter()
        .map(|path| {
            path.strip_prefix(&project.dir)
                .expect("below")
                .display()
                .to_string()
        })
        .filter(|path| !path.starts_with(".jalon/"))
        .collect();
    files.sort();
    let expected = [
        ".dvc/config",
        "dvc.yaml",
        "out/count.txt",
        "raw.txt",
        "twice.txt",
    ];
    assert_eq!(files, expected);
}

#[test]
fn jalon_toml_comes_first_and_file_names_either() {
    let project = two();
    project.write(
        "jalon.toml",
        "[node.own]\ncmd = 'echo own >> \"$LOG\"'\npass_env = [\"LOG\"]\n",
    );
    project.run_ok(&[]);
    assert_eq!(project.executed(), ["own"]);
    project.run_ok(&["--file", "dvc.yaml"]);
    assert_eq!(project.executed(), ["count", "twice"]);
}

#[test]
fn stages_see_the_whole_environment_and_where_they_are() {
    let mut project = project(
        "stages:\n  a:\n    wdir: work\n    cmd: echo \"$MINE,$DVC_ROOT,$DVC_STAGE,$PWD\" > out.txt\n    outs: [out.txt]\n",
    );
    project.write("work/README", "");
    project.set_env("MINE", "my own");
    project.run_ok(&[]);
    let root = project.dir.canonicalize().expect("it is there");
    let root = root.display();
    let seen = project.read("work/out.txt");
    assert_eq!(seen.trim(), format!("my own,{root},a,{root}/work"));
    project.set_env("MINE", "another");
    let again = project.run_ok(&[]);
    assert_eq!(
        again.json["counts"]["hit"], 1,
        "it does not count: {}",
        again.output
    );
}

#[test]
fn each_command_goes_to_the_shell_of_the_caller_until_one_fails() {
    let mut project = project(
        "stages:\n  a:\n    cmd:\n      - X=1; cd /; echo \"first $0\" >> \"$LOG\"\n      - test -f dvc.yaml && echo \"second $X\" >> \"$LOG\"\n      - exit 7\n      - echo never >> \"$LOG\"\n",
    );
    let run = project.run(&[]);
    assert_eq!(run.output.code, 1, "{}", run.output);
    assert_eq!(run.node("a")["exit_code"], 7, "{}", run.output);
    let said = project.executed_in_order();
    assert_eq!(said, ["first /bin/sh", "second "]);
    if !Path::new("/bin/bash").exists() {
        return crate::project::skip("the shell of a stage: there is no /bin/bash");
    }
    project.set_env("SHELL", "/bin/bash");
    project.write(
        "dvc.yaml",
        "stages:\n  a: {cmd: 'echo \"${BASH_VERSION:+bash}\" >> \"$LOG\"'}\n",
    );
    // `${…}` is a reference to DVC, so it is escaped.
    project.edit("dvc.yaml", "${", "\\${");
    project.run_ok(&[]);
    assert_eq!(project.executed(), ["bash"]);
}

#[test]
fn targets_are_stages_groups_files_and_paths() {
    let project = project(
        "stages:\n  each:\n    foreach: [a, b]\n    do:\n      cmd: echo \"$DVC_STAGE\" >> \"$LOG\" && echo ${item} > ${item}.txt\n      outs: [\"${item}.txt\"]\n",
    );
    project.write(
        "sub/dvc.yaml",
        "stages:\n  s: {cmd: 'echo \"$DVC_STAGE\" >> \"$LOG\" && cp ../a.txt s.txt', deps: [../a.txt], outs: [s.txt]}\n",
    );
    for (target, executed) in [
        ("each@b", &["each@b"][..]),
        ("sub/dvc.yaml:s", &["each@a", "sub/dvc.yaml:s"]),
        ("each", &["each@a", "each@b"]),
        ("sub/dvc.yaml", &["each@a", "sub/dvc.yaml:s"]),
        ("b.txt", &["each@b"]),
    ] {
        let _ = std::fs::remove_dir_all(project.path(".jalon"));
        project.run_ok(&[target]);
        assert_eq!(project.executed(), executed, "{target}");
    }
    let _ = std::fs::remove_dir_all(project.path(".jalon"));
    project.run_ok(&[]);
    assert_eq!(
        project.executed(),
        ["each@a", "each@b"],
        "as dvc repro does here"
    );
    let run = project.run(&["other"]);
    assert_eq!(run.output.code, 4, "{}", run.output);
}

#[test]
fn a_part_of_a_project_is_run_from_its_own_directory() {
    let project = project(
        "stages:\n  s: {cmd: 'echo \"$DVC_STAGE\" >> \"$LOG\" && echo 1 > a.txt', outs: [a.txt]}\n",
    );
    project.write(".dvc/config", "");
    project.write(
        "sub/dvc.yaml",
        "stages:\n  s: {cmd: 'echo \"$DVC_STAGE\" >> \"$LOG\" && cp ../a.txt b.txt', deps: [../a.txt], outs: [b.txt]}\n",
    );
    project.write("other/.dvc/config", "");
    project.write("other/dvc.yaml", "this is another project's\n");
    for words in [&["run"][..], &["run", "s"]] {
        let _ = std::fs::remove_dir_all(project.path(".jalon"));
        let output = project.start_in(&project.path("sub"), words).wait();
        assert_eq!(output.code, 0, "{output}");
        assert_eq!(project.executed(), ["s", "sub/dvc.yaml:s"]);
    }
    assert!(!project.exists("sub/.jalon"), "there is one project");
}

#[test]
fn outputs_that_go_on_are_not_removed_and_what_they_held_counts() {
    let project = project(
        "stages:\n  grow:\n    cmd: echo grow >> \"$LOG\" && cat add.txt >> log.txt\n    deps: [add.txt]\n    outs:\n      - log.txt: {persist: true}\n",
    );
    project.write("add.txt", "1\n");
    project.run_ok(&[]);
    assert_eq!(project.read("log.txt"), "1\n");
    project.run_ok(&[]);
    assert_eq!(project.executed(), ["grow"], "it is as it was left");
    project.write("add.txt", "2\n");
    project.run_ok(&[]);
    assert_eq!(project.read("log.txt"), "1\n2\n");
    project.write("add.txt", "1\n");
    let plan = project.json(&["plan", "--json"]);
    assert_eq!(plan["nodes"][0]["verdict"], "run", "not from here: {plan}");
    project.run_ok(&[]);
    assert_eq!(project.read("log.txt"), "1\n2\n1\n");
    assert_eq!(project.executed(), ["grow", "grow"]);
    project.remove("log.txt");
    project.run_ok(&[]);
    assert_eq!(
        project.read("log.txt"),
        "1\n",
        "as it was made from nothing"
    );
    assert_eq!(project.executed(), Vec::<String>::new());
}

#[test]
fn a_node_that_goes_on_writes_into_nobody_elses_file() {
    let project = project(
        "stages:\n  grow:\n    cmd: cat add.txt >> log.txt\n    deps: [add.txt]\n    outs:\n      - log.txt: {persist: true}\n",
    );
    project.write("add.txt", "1\n");
    project.write("elsewhere.txt", "0\n");
    std::fs::hard_link(project.path("elsewhere.txt"), project.path("log.txt")).expect("a link");
    project.run_ok(&[]);
    assert_eq!(project.read("log.txt"), "0\n1\n");
    assert_eq!(
        project.read("elsewhere.txt"),
        "0\n",
        "as with a file linked to a cache"
    );
}

#[test]
fn only_the_part_that_is_read_counts() {
    let project = project(
        "stages:\n  split:\n    cmd: mkdir parts && head -n 1 raw.txt > parts/a && tail -n 1 raw.txt > parts/b\n    deps: [raw.txt]\n    outs: [parts]\n  a:\n    cmd: echo a >> \"$LOG\" && cp parts/a a.txt\n    deps: [parts/a]\n    outs: [a.txt]\n",
    );
    project.write("raw.txt", "1\n2\n");
    project.run_ok(&[]);
    project.write("raw.txt", "1\n3\n");
    project.run_ok(&[]);
    assert_eq!(project.executed(), ["a"]);
    project.write("raw.txt", "4\n3\n");
    project.run_ok(&[]);
    assert_eq!(project.executed(), ["a"]);
    assert_eq!(project.read("a.txt"), "4\n");
}

#[test]
fn a_parameter_file_counts_by_what_is_declared_of_it() {
    let project = project(
        "stages:\n  a:\n    cmd: echo a >> \"$LOG\" && cat params.yaml .gitignore > a.txt\n    params: [lr]\n    outs: [a.txt]\n",
    );
    project.write("params.yaml", "lr: 1\nother: 1\n");
    project.write(".gitignore", "/a.txt\n");
    let run = project.run_ok(&[]);
    assert_eq!(
        run.node("a")["undeclared"],
        serde_json::json!([]),
        "{}",
        run.output
    );
    project.edit("params.yaml", "other: 1", "other: 2");
    project.write(".gitignore", "/b.txt\n");
    project.run_ok(&[]);
    assert_eq!(project.executed(), ["a"], "neither counts");
    project.edit("params.yaml", "lr: 1", "lr: 2");
    project.run_ok(&[]);
    assert_eq!(project.executed(), ["a"]);
}

#[test]
fn what_is_read_beside_the_declared_part_counts_too() {
    let project = project(
        "stages:\n  split:\n    cmd: mkdir parts && head -n 1 raw.txt > parts/a && tail -n 1 raw.txt > parts/b\n    deps: [raw.txt]\n    outs: [parts]\n  a:\n    cmd: echo a >> \"$LOG\" && cat parts/a parts/b helper.txt > a.txt\n    deps: [parts/a]\n    outs: [a.txt]\n",
    );
    project.write("raw.txt", "1\n2\n");
    project.write("helper.txt", "help\n");
    let run = project.run_ok(&[]);
    if run.node("a")["traced"] == "none" {
        return crate::project::skip("undeclared reads of a stage: reads cannot be observed here");
    }
    project.write("raw.txt", "1\n3\n");
    project.run_ok(&[]);
    project.write("helper.txt", "other\n");
    project.run_ok(&[]);
    assert_eq!(project.read("a.txt"), "1\n3\nother\n");
    assert_eq!(project.executed(), ["a", "a", "a"]);
    project.run_ok(&[]);
    assert_eq!(project.executed(), Vec::<String>::new());
}

#[test]
fn mistakes_are_exit_3_with_their_place_all_at_once() {
    let project = project("stages:\n  a:\n    cmd: echo ${no.such}\n    dps: [x]\n");
    let output = project.jalon(&["run", "--json"]);
    assert_eq!(output.code, 3, "{output}");
    let errors = output.json();
    let errors = errors["errors"].as_array().expect("a list");
    let places = errors.iter().map(|error| {
        let span = &error["spans"][0];
        format!(
            "{}:{}:{} {}",
            span["file"], span["line"], span["column"], error["code"]
        )
    });
    assert_eq!(
        places.collect::<Vec<_>>(),
        [
            "\"dvc.yaml\":3:10 \"unknown-reference\"",
            "\"dvc.yaml\":4:5 \"unknown-key\""
        ]
    );
    project.write("dvc.yaml", "stages:\n  a: {cmd: x, deps: [gone.csv]}\n");
    project.write("gone.csv.dvc", "outs:\n- {md5: 0a, path: gone.csv}\n");
    let output = project.jalon(&["run"]);
    assert_eq!(output.code, 3, "{output}");
    assert!(output.stderr.contains("dvc pull gone.csv.dvc"), "{output}");
    let output = project.jalon(&["run", "-p", "lr=1"]);
    assert_eq!(output.code, 3, "{output}");
}

#[test]
fn a_directory_to_work_in_must_be_there() {
    let project = project("stages:\n  a: {cmd: \"true\", wdir: gone}\n");
    let output = project.jalon(&["run"]);
    assert_eq!(output.code, 1, "{output}");
    assert!(output.stderr.contains("there is no directory"), "{output}");
}

#[test]
fn imported_stages_meet_the_own_nodes_at_paths() {
    let project = Project::new(
        r#"
[source]
count = "legacy/out/count.txt"
[node.make]
cmd = 'echo make >> "$LOG"; printf "a\nb\n" > {{out.raw}}'
out = { raw = "legacy/raw.txt" }
pass_env = ["LOG"]
[node.show]
cmd = 'echo show >> "$LOG"; cat {{in.count}} > {{out.shown}}'
in = ["count"]
out = { shown = "shown.txt" }
pass_env = ["LOG"]
[import]
dvc = { path = "legacy/dvc.yaml", prefix = "old" }
"#,
    );
    project.write("legacy/dvc.yaml", TWO);
    let run = project.run_ok(&[]);
    assert_eq!(run.json["counts"]["ran"], 4, "{}", run.output);
    let order = project.executed_in_order();
    let at = |name: &str| order.iter().position(|it| it == name);
    assert!(
        at("make") < at("count") && at("count") < at("show"),
        "{order:?}"
    );
    assert_eq!(project.read("shown.txt").trim(), "2");
    assert_eq!(run.node("old:count")["status"], "ran");
    project.run_ok(&["old:twice"]);
    assert_eq!(project.executed(), Vec::<String>::new());
    project.edit("jalon.toml", "legacy/raw.txt", "legacy/out");
    let output = project.jalon(&["check"]);
    assert_eq!(output.code, 3, "{output}");
    project.edit("jalon.toml", "legacy/dvc.yaml", "legacy/none.yaml");
    let output = project.jalon(&["check"]);
    assert_eq!(output.code, 3, "{output}");
    assert!(
        output.stderr.contains("there is no legacy/none.yaml"),
        "{output}"
    );
}

#[test]
fn an_imported_definition_is_said_to_be_wrong_in_its_own_place() {
    let project = Project::new("[import]\ndvc = { path = \"legacy/dvc.yaml\" }\n");
    project.write("legacy/dvc.yaml", "stages:\n  a: {cdm: x}\n");
    let output = project.jalon(&["check"]);
    assert_eq!(output.code, 3, "{output}");
    assert!(
        output
            .stderr
            .contains("legacy/dvc.yaml:2:7: error: unknown key `cdm`"),
        "{output}"
    );
}

#[test]
fn import_writes_a_definition_that_makes_the_same() {
    let project = two();
    let output = project.jalon(&["init"]);
    assert_eq!(output.code, 2, "there is something already: {output}");
    let printed = project.jalon(&["import", "--print"]);
    assert_eq!(printed.code, 0, "{printed}");
    assert!(!project.exists("jalon.toml"));
    project.run_ok(&[]);
    let made = project.read("twice.txt");
    project.executed();
    let output = project.jalon(&["import"]);
    assert_eq!(output.code, 0, "{output}");
    assert_eq!(project.read("jalon.toml"), printed.stdout);
    project.remove("twice.txt");
    project.run_ok(&[]);
    assert_eq!(project.executed(), ["count", "twice"]);
    assert_eq!(project.read("twice.txt"), made);
    let again = project.jalon(&["import"]);
    assert_eq!(again.code, 2, "nothing is overwritten: {again}");
}

#[test]
fn doctor_knows_it() {
    let project = two();
    let found = project.json(&["doctor", "--json"]);
    let findings = found["findings"].as_array().expect("a list");
    let one = findings.iter().find(|one| one["what"] == "dvc.yaml");
    assert_eq!(one.expect("it is named")["ok"], true, "{found}");
    project.write("jalon.toml", "[node.a]\ncmd = \"true\"\n");
    let found = project.json(&["doctor", "--json"]);
    let findings = found["findings"].as_array().expect("a list");
    let one = findings.iter().find(|one| one["what"] == "dvc.yaml");
    assert_eq!(one.expect("it is named")["ok"], false, "{found}");
}

#[test]
fn one_at_rest_is_answered_until_something_it_reads_changes() {
    let project = project(
        r#"
vars: [conf/more.yaml]
stages:
  count:
    cmd: echo count >> "$LOG"; cat raw.txt ${suffix} > out/count.txt
    deps: [raw.txt]
    params: [size]
    outs: [out/count.txt]
"#,
    );
    project.write("raw.txt", "a\nb\n");
    project.write("suffix", "s\n");
    project.write("other", "o\n");
    project.write("conf/more.yaml", "suffix: suffix\n");
    project.write("params.yaml", "size: 1\n");
    project.write("nested/readme", "nothing\n");
    let another =
        "stages:\n  more:\n    cmd: echo more >> \"$LOG\"; echo > more.txt\n    outs: [more.txt]\n";
    let runs = |executed: &[&str]| {
        project.run_ok(&[]);
        assert!(!answered(&project));
        assert_eq!(project.executed(), executed);
        settle(&project);
        assert_eq!(project.executed(), Vec::<String>::new());
    };
    runs(&["count"]);
    project.edit("raw.txt", "a\n", "c\n");
    runs(&["count"]);
    project.edit("params.yaml", "1", "2");
    runs(&["count"]);
    project.edit("conf/more.yaml", "suffix: suffix", "suffix: other");
    runs(&["count"]);
    project.edit("dvc.yaml", "raw.txt $", "raw.txt  $");
    runs(&["count"]);
    project.write("nested/dvc.yaml", another);
    runs(&[]);
    project.run_ok(&["nested/dvc.yaml:more"]);
    assert_eq!(project.executed(), ["more"]);
    project.remove("nested/dvc.yaml");
    runs(&[]);
    project.write(".dvc/config.local", "[core]\n");
    runs(&[]);
}

#[test]
fn a_definition_that_joins_one_is_answered_until_that_changes() {
    let project = Project::new("[import]\ndvc = { path = \"part/dvc.yaml\" }\n");
    let definition = |text: &str| {
        format!(
            "stages:\n  one:\n    cmd: echo one >> \"$LOG\"; echo {text} > one.txt\n    outs: [one.txt]\n"
        )
    };
    project.write("part/dvc.yaml", definition("1"));
    project.run_ok(&[]);
    assert_eq!(project.executed(), ["one"]);
    settle(&project);
    project.write("part/dvc.yaml", definition("2"));
    project.run_ok(&[]);
    assert_eq!(project.executed(), ["one"]);
}
