//! A run in which nothing changed is answered from what the last one saw; never where a run would do more.
//!
//! Whether it was answered so shows in the trace alone, which refers to an earlier run. Forgetting what was
//! kept (`.jalon/settled` may be deleted at any time) makes the same run the long way: both must say the same.

mod held;
mod part;
mod random;
mod shared;
mod told;

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::time::{Duration, SystemTime};

use serde_json::Value;

use crate::project::{Project, files_below, wait_until};

/// Every kind of thing that is looked at: files, patterns, directories, parameters, code, all kinds of output.
const DEFINITION: &str = r#"
[pipeline]
params = ["conf/*.yml", "extra.yml"]
[defaults]
pass_env = ["LOG"]
[source]
one = "in/one.txt"
many = "data/**/*.csv"
tree = "tree/"
[node.a]
cmd = 'echo a >> "$LOG"; cat {{in.one}} {{in.many}} {{params.file}} > {{out.a}}; sh code/a.sh >> {{out.a}}'
code = ["code/*.sh"]
in = ["one", "many"]
params = ["x"]
out = { a = "out/a.txt" }
[node.b]
cmd = 'echo b >> "$LOG"; mkdir -p {{out.b}}/sub; cat {{in.tree}}/* > {{out.b}}/sub/all'
in = ["tree"]
out = { b = "out/b/" }
[node.c]
cmd = 'echo c >> "$LOG"; cat {{in.a}} {{in.b}}/sub/all > {{out.c}}'
in = ["a", "b"]
out = { c = { path = "tmp/c", keep = "run" } }
[node.d]
cmd = 'echo d >> "$LOG"; wc -c < {{in.c}} > {{out.d}}; cat {{in.c}} >> {{out.d}}; cat notes.txt >> {{out.d}} 2>&1 || :'
in = ["c"]
out = { d = "d.txt" }
"#;

fn project() -> Project {
    let project = Project::new(DEFINITION);
    for (path, text) in [
        ("in/one.txt", "1\n"),
        ("data/x.csv", "x\n"),
        ("data/deep/y.csv", "y\n"),
        ("tree/p", "p\n"),
        ("tree/q", "q\n"),
        ("code/a.sh", "echo code\n"),
        ("conf/base.yml", "x: 1\n"),
        ("extra.yml", "z: 1\n"),
    ] {
        project.write(path, text);
    }
    project
}

/// A project at rest, with nothing left that is too fresh for its stat to be believed.
fn settled() -> Project {
    let project = project();
    settle(&project);
    project.executed();
    project
}

pub fn settle(project: &Project) {
    wait_until("the project comes to rest", || {
        project.run_ok(&[]);
        answered(project)
    });
}

/// Whether the last run was answered from what was kept.
pub fn answered(project: &Project) -> bool {
    let traces = files_below(&project.store().join("traces"));
    let last = fs::read(traces.last().expect("a run leaves a trace")).unwrap();
    contains(&last, b"run.reused") && !contains(&last, b"\"but\"")
}

/// How many nodes the last run had nothing to do with.
pub fn beside(project: &Project) -> u64 {
    let traces = files_below(&project.store().join("traces"));
    let last = fs::read(traces.last().expect("a run leaves a trace")).unwrap();
    let text = String::from_utf8_lossy(&last);
    let number = text.split("\"beside\":").nth(1);
    let digits = number.map(|rest| rest.split(|it: char| !it.is_ascii_digit()).next());
    digits.flatten().map_or(0, |digits| digits.parse().unwrap())
}

fn contains(bytes: &[u8], word: &[u8]) -> bool {
    bytes.windows(word.len()).any(|window| window == word)
}

fn forget(project: &Project) {
    let _ = fs::remove_dir_all(project.path(".jalon/settled"));
}

/// What differs from run to run, whatever they do.
fn masked(mut value: Value) -> Value {
    for name in ["run", "at", "seconds", "pid"] {
        if value.get(name).is_some() {
            value[name] = Value::Null;
        }
    }
    value
}

fn events(project: &Project, path: &str) -> Vec<Value> {
    let text = project.read(path);
    project.remove(path);
    text.lines()
        .map(|line| masked(serde_json::from_str(line).unwrap()))
        .collect()
}

fn log(project: &Project) -> Value {
    let mut log = project.json(&["log", "last", "--json"]);
    // What is only read back is told in the order in which it was heard.
    log["nodes"]
        .as_array_mut()
        .unwrap()
        .sort_by_key(|node| node["name"].to_string());
    masked(log)
}

#[test]
fn both_ways_say_the_same() {
    let project = settled();
    let words = ["--events", "../events"];
    let mut all = Vec::new();
    for way in ["short", "long", "short again"] {
        if way == "long" {
            forget(&project);
        }
        let run = project.run_ok(&words);
        assert_eq!(answered(&project), way != "long", "{way}");
        run.assert(&[("a", "hit"), ("b", "hit"), ("c", "hit"), ("d", "hit")]);
        all.push((
            masked(run.json),
            events(&project, "../events"),
            log(&project),
        ));
        let verbose = project.jalon(&["run", "-v"]).expect(0).stderr;
        assert_eq!(verbose.matches("reused  ").count(), 4, "{verbose}");
    }
    assert_eq!(all[0], all[1]);
    assert_eq!(all[1], all[2]);
    assert!(project.executed().is_empty());
}

#[test]
fn a_run_of_a_part_is_another_question() {
    let project = settled();
    for targets in [["d"], ["a"]] {
        project.run_ok(&targets);
        project.run_ok(&targets);
        assert!(answered(&project), "{targets:?}");
        let short = masked(project.run_ok(&targets).json);
        forget(&project);
        assert_eq!(masked(project.run_ok(&targets).json), short);
    }
    assert_eq!(project.run_ok(&["a"]).count("not_needed"), 3);
}

/// What is done to a project, and what must then run.
type Case = (&'static str, fn(&Project), &'static [&'static str]);

/// Keeps size and modification time; only the change time tells.
fn forge(path: &Path, bytes: &[u8]) {
    let metadata = path.metadata().unwrap();
    assert_eq!(metadata.len(), bytes.len() as u64);
    let file = fs::File::options().write(true).open(path).unwrap();
    fs::write(path, bytes).unwrap();
    file.set_modified(metadata.modified().unwrap()).unwrap();
}

#[test]
fn what_changes_is_seen() {
    let cases: [Case; 19] = [
        (
            "a source",
            |it| it.write("in/one.txt", "2\n"),
            &["a", "c", "d"],
        ),
        (
            "of the same size and time",
            |it| forge(&it.path("in/one.txt"), b"3\n"),
            &["a", "c", "d"],
        ),
        (
            "replaced by a rename",
            |it| {
                it.write("new", "4\n");
                let metadata = it.path("in/one.txt").metadata().unwrap();
                let new = fs::File::options()
                    .write(true)
                    .open(it.path("new"))
                    .unwrap();
                new.set_modified(metadata.modified().unwrap()).unwrap();
                fs::rename(it.path("new"), it.path("in/one.txt")).unwrap();
            },
            &["a", "c", "d"],
        ),
        (
            "a new match",
            |it| it.write("data/z.csv", "z\n"),
            &["a", "c", "d"],
        ),
        (
            "a new match far down",
            |it| it.write("data/deep/down/z.csv", "z\n"),
            &["a", "c", "d"],
        ),
        (
            "a match that goes",
            |it| it.remove("data/x.csv"),
            &["a", "c", "d"],
        ),
        (
            "a file in a directory",
            |it| it.write("tree/p", "p2\n"),
            &["b", "c", "d"],
        ),
        (
            "a new one in it",
            |it| it.write("tree/r", "r\n"),
            &["b", "c", "d"],
        ),
        (
            "a link in it",
            |it| symlink("p", it.path("tree/s")).unwrap(),
            &["b", "c", "d"],
        ),
        (
            "code",
            |it| it.write("code/a.sh", "echo kode\n"),
            &["a", "c", "d"],
        ),
        ("code that comes", |it| it.write("code/b.sh", ""), &["a"]),
        (
            "a parameter",
            |it| it.write("conf/base.yml", "x: 2\n"),
            &["a", "c", "d"],
        ),
        (
            "a parameter file that comes",
            |it| it.write("conf/new.yml", "x: 3\n"),
            &["a", "c", "d"],
        ),
        (
            "the definition",
            |it| it.edit("jalon.toml", "wc -c", "wc  -c"),
            &["c", "d"],
        ),
        (
            "a right to execute",
            |it| {
                let path = it.path("code/a.sh");
                fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
            },
            &["a"],
        ),
        (
            "the records",
            |it| it.remove(".jalon/store/packs"),
            &["a", "b", "c", "d"],
        ),
        (
            "the store",
            |it| it.remove(".jalon/store"),
            &["a", "b", "c", "d"],
        ),
        (
            "what was looked for and not there",
            |it| it.write("notes.txt", "noted\n"),
            &["c", "d"],
        ),
        (
            "nothing that counts",
            |it| it.write("extra.yml", "z: 2\n"),
            &[],
        ),
    ];
    for (what, change, executed) in cases {
        let project = settled();
        change(&project);
        project.run_ok(&[]);
        assert!(!answered(&project), "{what}");
        assert_eq!(project.executed(), executed, "{what}");
        settle(&project);
        assert!(project.executed().is_empty(), "{what}");
    }
}

#[test]
fn outputs_that_are_not_right_are_brought_back() {
    for (path, what) in [
        ("out/a.txt", "a file"),
        ("d.txt", "a target"),
        ("out/b/sub/all", "a file in a directory"),
        ("out/b/more", "another one in it"),
        ("tmp/c", "what does not stay"),
    ] {
        let project = settled();
        let before = project.exists(path).then(|| project.read(path));
        for remove in [true, false] {
            match (remove, &before) {
                (true, Some(_)) => project.remove(path),
                (true, None) => continue,
                (false, _) => project.write(path, "made by hand\n"),
            }
            project.run_ok(&[]);
            assert!(!answered(&project), "{what}");
            let after = project.exists(path).then(|| project.read(path));
            assert_eq!(after, before, "{what}");
            settle(&project);
        }
        assert!(project.executed().is_empty(), "{what}");
    }
}

#[test]
fn what_is_only_touched_is_answered_and_remembered() {
    let project = settled();
    for path in [
        "in/one.txt",
        "out/a.txt",
        "conf/base.yml",
        "jalon.toml",
        "out/b/sub/all",
    ] {
        let file = fs::File::options()
            .append(true)
            .open(project.path(path))
            .unwrap();
        file.set_modified(SystemTime::now() + Duration::from_secs(60))
            .unwrap();
        drop(file);
        let kept = || {
            let kept = files_below(&project.path(".jalon/settled"));
            assert_eq!(kept.len(), 3);
            kept[0].metadata().unwrap().ino()
        };
        let before = kept();
        project.run_ok(&[]);
        assert!(answered(&project), "{path}");
        assert_ne!(kept(), before, "{path}: it is brought up to date");
    }
    assert!(project.executed().is_empty());
}

#[test]
fn another_question_is_another_answer() {
    let mut project = settled();
    let asked = |project: &Project, words: &[&str]| {
        project.run_ok(words);
        answered(project)
    };
    assert!(asked(&project, &["-j", "1", "--locked", "--fail-fast"]));
    for words in [
        &["--env", "ci"][..],
        &["-p", "x=7"],
        &["--force", "a"],
        &["--materialize", "all"],
        &["a"],
    ] {
        assert!(!asked(&project, words), "{words:?}");
    }
    settle(&project);
    for (name, value) in [
        ("LANG", "xx"),
        ("TZ", "UTC"),
        ("PYTHONPATH", "in"),
        ("JALON_POOLS", "licence=2"),
    ] {
        project.set_env(name, value);
        assert!(!asked(&project, &[]), "{name}");
        settle(&project);
    }
    project.set_env("UNRELATED", "1");
    assert!(asked(&project, &[]));
    // What such a variable points to is looked at as well.
    project.write("in/module.py", "");
    assert!(!asked(&project, &[]));
}

#[test]
fn a_project_that_moves_is_run_there() {
    let project = settled();
    let elsewhere = project.beside("elsewhere");
    fs::rename(&project.dir, &elsewhere).unwrap();
    fs::create_dir(&project.dir).unwrap();
    let run = project
        .start_in(&elsewhere, &["run", "--json"])
        .wait()
        .expect(0);
    assert_eq!(run.json()["counts"]["hit"], 4);
    assert!(project.executed().is_empty());
    fs::remove_dir(&project.dir).unwrap();
    fs::rename(&elsewhere, &project.dir).unwrap();
    project.run_ok(&[]);
    assert!(answered(&project), "it is back where it was");
}

#[test]
fn something_that_must_happen_happens() {
    for (what, more) in [
        (
            "a hook",
            "[[hook]]\non = [\"run.*\"]\nrun = [\"sh\", \"-c\", \"echo happened >> ../happened\"]\nmode = \"each\"\n",
        ),
        (
            "finally",
            "[finally.f]\ncmd = 'echo happened >> ../happened'\n",
        ),
        (
            "a side effect",
            "[node.e]\ncmd = 'echo happened >> ../happened'\n",
        ),
        (
            "an uncached node",
            "[node.e]\ncmd = 'echo happened >> ../happened; echo > {{out.e}}'\ncache = false\nout = { e = \"e\" }\n",
        ),
    ] {
        let project = project();
        project.write("jalon.toml", format!("{DEFINITION}{more}"));
        for _ in 0..3 {
            let words: &[&str] = if more.contains("node.e") {
                &["d", "e"]
            } else {
                &[]
            };
            project.run_ok(words);
            assert!(!answered(&project), "{what}");
            assert!(project.beside("happened").exists(), "{what}");
            fs::remove_file(project.beside("happened")).unwrap();
        }
    }
}

#[test]
fn who_hears_only_of_failures_is_in_nobodys_way() {
    let project = project();
    let more = "[[hook]]\non = [\"node.failed\", \"node.retrying\"]\nrun = [\"false\"]\n\
                [finally.f]\ncmd = 'false'\nwhen = \"failure\"\n";
    project.write("jalon.toml", format!("{DEFINITION}{more}"));
    settle(&project);
    let secret = "secrets = [\"TOKEN\"]\n";
    project.write("jalon.toml", format!("{DEFINITION}{more}{secret}"));
    project.jalon(&["run"]).expect(7);
}

#[test]
fn a_damaged_file_is_none() {
    let project = settled();
    let kept = files_below(&project.path(".jalon/settled")).remove(0);
    let whole = fs::read(&kept).unwrap();
    let expected = masked(project.run_ok(&[]).json);
    let mut damaged: Vec<Vec<u8>> = [0, 1, 15, 16, 47, 48, 100, whole.len() - 1]
        .map(|length| whole[..length].to_vec())
        .into();
    for at in (0..whole.len()).step_by(whole.len() / 24 + 1) {
        let mut flipped = whole.clone();
        flipped[at] ^= 1 << (at % 8);
        damaged.push(flipped);
    }
    damaged.push([whole.clone(), b"more".to_vec()].concat());
    for bytes in damaged {
        fs::write(&kept, &bytes).unwrap();
        assert_eq!(masked(project.run_ok(&[]).json), expected);
        assert!(!answered(&project), "{} bytes", bytes.len());
    }
    assert!(project.executed().is_empty());
    // One that answers something else, under the name of this.
    project.run_ok(&["a"]);
    let other = files_below(&project.path(".jalon/settled"));
    let other = other.iter().find(|path| **path != kept).unwrap();
    fs::copy(other, &kept).unwrap();
    assert_eq!(masked(project.run_ok(&[]).json), expected);
    assert!(!answered(&project));
}

#[test]
fn nobody_answers_while_another_works() {
    let project = settled();
    project.edit(
        "jalon.toml",
        "echo a >>",
        "while [ -e ../wait ]; do sleep 0.01; done; echo a >>",
    );
    fs::write(project.beside("wait"), "").unwrap();
    project.write("other.toml", DEFINITION);
    project.run_ok(&["--file", "other.toml"]);
    project.run_ok(&["--file", "other.toml"]);
    assert!(answered(&project));
    let working = project.start(&["run"]);
    wait_until("the node runs", || !project.exists("out/a.txt"));
    project
        .jalon(&["run", "--file", "other.toml", "--no-wait"])
        .expect(75);
    fs::remove_file(project.beside("wait")).unwrap();
    working.wait().expect(0);
}

#[test]
fn what_another_project_records_or_collects_in_the_store_is_seen() {
    let project = project().with_store();
    settle(&project);
    let other = project.copy();
    other.edit("jalon.toml", "wc -c", "wc   -c");
    other.run_ok(&[]);
    project.run_ok(&[]);
    assert!(!answered(&project), "a record was added");
    settle(&project);
    project.executed();
    project.jalon(&["gc", "--yes", "--max-age", "0s"]).expect(0);
    project.run_ok(&[]);
    assert!(project.executed().is_empty());
}

#[test]
fn history_goes_by_the_run_that_knows() {
    let project = settled();
    let last = project.run_ok(&[]).json["run"].as_str().unwrap().to_owned();
    assert!(answered(&project));
    let log = project.jalon(&["log"]).expect(0);
    assert!(log.stdout.contains(&last), "{log}");
    let one = project.json(&["log", &last, "--json"]);
    assert_eq!(one["nodes"].as_array().unwrap().len(), 4, "{one}");
    assert_eq!(one["counts"]["hit"], 4);
    assert_eq!(
        project.json(&["show", &format!("d@{last}"), "--json"])["artifact"],
        "d"
    );
    project
        .jalon(&["get", &format!("a@{last}"), "-o", "-"])
        .expect(0);
    project.jalon(&["log", &last, "a"]).expect(0);
    for form in ["--html", "--trace", "--junit", "--markdown"] {
        let report = project.jalon(&["report", &last, form]).expect(0);
        assert!(report.stdout.contains('d'), "{report}");
    }
    // The run that it refers to stays as long as it does, and so does all that both need.
    let traces = || files_below(&project.store().join("traces")).len();
    project.jalon(&["gc", "--yes", "--max-age", "0s"]).expect(0);
    assert_eq!(traces(), 2);
    assert_eq!(project.json(&["log", &last, "--json"]), one);
    project.remove("d.txt");
    project.run_ok(&[]);
    assert!(project.executed().is_empty());
}

#[test]
fn old_snapshots_are_forgotten() {
    let project = settled();
    for number in 0..20 {
        project.run_ok(&["-p", &format!("y={number}")]);
    }
    assert_eq!(files_below(&project.path(".jalon/settled")).len(), 48);
}
