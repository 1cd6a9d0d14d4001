//! Where only what nodes declare to read has changed, the rest is not looked at again; and never more than that.
//!
//! What a run goes by shows in a note of `-v` alone.

use std::fs;

use serde_json::Value;

use super::{answered, settle};
use crate::project::{Output, Project};

/// Whether a run went by what was kept of some nodes.
pub fn held(run: &Output) -> bool {
    count(run) > 0
}

pub fn count(run: &Output) -> usize {
    let note = run
        .stderr
        .lines()
        .find_map(|line| line.strip_prefix("note: nothing that "));
    note.map_or(0, |note| note.split(' ').next().unwrap().parse().unwrap())
}

/// What a run says of each node's outcome, by the node's name.
pub fn keys(run: &Output) -> Vec<(String, Value, Value)> {
    let json = run.json();
    let nodes = json["nodes"].as_array().unwrap().iter();
    let mut keys: Vec<_> = nodes
        .map(|node| {
            (
                node["name"].as_str().unwrap().to_owned(),
                node["key"].clone(),
                node["outputs"].clone(),
            )
        })
        .collect();
    keys.sort_by(|a, b| a.0.cmp(&b.0));
    keys
}

pub const TWO: &str = r#"
[defaults]
pass_env = ["LOG"]
[source]
one = "one.txt"
two = "two.txt"
tree = "tree/"
[node.a]
cmd = 'echo a >> "$LOG"; cat {{in.one}} > {{out.a}}'
in = ["one"]
out = { a = "out/a.txt" }
[node.b]
cmd = 'echo b >> "$LOG"; cat {{in.two}} > {{out.b}}'
in = ["two"]
out = { b = "out/b.txt" }
[node.c]
cmd = 'echo c >> "$LOG"; cat {{in.a}} {{in.b}} > {{out.c}}'
in = ["a", "b"]
out = { c = "out/c.txt" }
[node.d]
cmd = 'echo d >> "$LOG"; cat {{in.tree}}/* > {{out.d}}; sh code/d.sh >> {{out.d}}'
in = ["tree"]
code = ["code/*.sh"]
out = { d = "out/d.txt" }
"#;

/// A project at rest.
pub fn resting(definition: &str) -> Project {
    resting_with(definition, &[])
}

/// The same, with more files than are always there.
pub fn resting_with(definition: &str, more: &[(&str, &str)]) -> Project {
    let project = Project::new(definition);
    let files = [
        ("one.txt", "1\n"),
        ("two.txt", "2\n"),
        ("tree/p", "p\n"),
        ("code/d.sh", "echo d\n"),
    ];
    for (path, text) in files.iter().chain(more) {
        project.write(path, text);
    }
    settle(&project);
    project.executed();
    project
}

/// Runs after an edit: how many nodes were held, and what ran, sorted. What it came to, the long way comes to too.
fn after(project: &Project, edit: impl FnOnce(&Project)) -> (usize, Vec<String>) {
    edit(project);
    let run = project.jalon(&["run", "-v", "--json"]).expect(0);
    let mut executed = project.executed();
    executed.sort();
    super::forget(project);
    let long = project.jalon(&["run", "-v", "--json"]).expect(0);
    assert_eq!(
        project.executed(),
        Vec::<String>::new(),
        "the long way had work left"
    );
    assert_eq!(count(&long), 0);
    assert_eq!(keys(&long), keys(&run));
    settle(project);
    project.executed();
    (count(&run), executed)
}

pub fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn only_what_a_change_reaches_is_judged() {
    let project = resting(TWO);
    for (path, text, held, ran) in [
        ("one.txt", "other\n", 2, &["a", "c"][..]),
        ("two.txt", "other\n", 2, &["b", "c"]),
        ("tree/p", "other\n", 3, &["d"]),
        ("code/d.sh", "echo other\n", 3, &["d"]),
        // Known from before.
        ("one.txt", "1\n", 2, &["c"]),
    ] {
        let found = after(&project, |it| it.write(path, text));
        assert_eq!(found, (held, names(ran)), "{path}");
    }
    assert_eq!(project.read("out/c.txt"), "1\nother\n");
    // Both at once, and with one that is only touched.
    let found = after(&project, |it| {
        it.write("tree/p", "both\n");
        it.write("two.txt", "both\n");
        let file = fs::File::options()
            .append(true)
            .open(it.path("one.txt"))
            .unwrap();
        file.set_modified(std::time::SystemTime::now()).unwrap();
    });
    assert_eq!(found, (1, names(&["b", "c", "d"])));
}

#[test]
fn the_next_run_goes_by_what_this_one_kept() {
    let project = resting(TWO);
    for round in 0..4 {
        project.write("one.txt", format!("round {round}\n"));
        let run = project.jalon(&["run", "-v", "--json"]).expect(0);
        assert_eq!(count(&run), 2, "{round}");
        assert_eq!(project.executed().len(), 2);
        settle(&project);
        assert!(answered(&project));
        assert_eq!(project.executed(), Vec::<String>::new());
        let log = project.json(&["log", "last", "--json"]);
        assert_eq!(log["nodes"].as_array().unwrap().len(), 4);
    }
    // What was looked at before the first of them is still looked at.
    project.remove("out/d.txt");
    let run = project.jalon(&["run", "-v", "--json"]).expect(0);
    assert_eq!((count(&run), project.exists("out/d.txt")), (0, true));
}

#[test]
fn what_others_read_too_without_saying_so_is_found_out() {
    // b reads one.txt, and lists code/, without a word.
    let sly = TWO.replace("cat {{in.two}} >", "cat {{in.two}} one.txt >");
    let project = resting(&sly);
    let (held, ran) = after(&project, |it| it.write("one.txt", "other\n"));
    assert_eq!((held, ran), (0, names(&["a", "b", "c"])));
    let (held, ran) = after(&project, |it| it.write("two.txt", "other\n"));
    assert_eq!((held, ran), (2, names(&["b", "c"])));
    // A parameter file that is a source as well counts as both.
    let read = format!("[pipeline]\nparams = [\"one.txt\"]\n{TWO}")
        .replace("cat {{in.two}} >", "cat {{in.two}} {{params.file}} >");
    let read = read.replace("in = [\"two\"]", "in = [\"two\"]\nparams = [\"x\"]");
    let read = read.replace("one.txt", "one.yml");
    let project = resting_with(&read, &[("one.yml", "x: 1\n")]);
    let (held, ran) = after(&project, |it| it.write("one.yml", "x: 2\n"));
    assert_eq!((held, ran), (0, names(&["a", "b", "c"])));
}

#[test]
fn what_is_overheard_of_another_node_is_heard_again() {
    // b reads what a gives, after it, and does not say so.
    let sly = TWO.replace("cat {{in.two}} >", "cat {{in.two}} out/a.txt >");
    let sly = sly.replace("in = [\"two\"]", "in = [\"two\"]\nafter = [\"a\"]");
    let project = resting(&sly);
    let (_, ran) = after(&project, |it| it.write("one.txt", "other\n"));
    assert_eq!(ran, names(&["a", "b", "c"]));
    assert_eq!(project.read("out/b.txt"), "2\nother\n");
    let (held, ran) = after(&project, |it| it.write("tree/p", "other\n"));
    // b is judged each time, and what comes after it.
    assert_eq!((held, ran), (1, names(&["d"])));
}

#[test]
fn more_than_another_content_is_the_long_way() {
    for edit in [
        |it: &Project| it.remove("out/a.txt"),
        |it: &Project| it.write("out/d.txt", "mine\n"),
        |it: &Project| it.write("tree/new", "new\n"),
        |it: &Project| it.write("code/new.sh", "echo new\n"),
        |it: &Project| it.edit("jalon.toml", "echo a >>", "echo  a >>"),
    ] {
        let project = resting(TWO);
        let (held, _) = after(&project, |it| {
            it.write("one.txt", "other\n");
            edit(it);
        });
        assert_eq!(held, 0);
    }
    let project = resting(TWO);
    project.write("one.txt", "other\n");
    let forced = project
        .jalon(&["run", "-v", "--json", "--force", "d"])
        .expect(0);
    assert_eq!(count(&forced), 0);
    assert_eq!(project.executed().len(), 3);
}

#[test]
fn bytes_that_are_gone_are_made_again_by_a_node_that_was_held() {
    let project = resting(&TWO.replace(
        "a = \"out/a.txt\"",
        "a = { path = \"out/a.txt\", keep = \"run\" }",
    ));
    assert!(!project.exists("out/a.txt"));
    let (held, ran) = after(&project, |it| it.write("two.txt", "other\n"));
    assert_eq!((held, ran), (2, names(&["a", "b", "c"])));
    assert_eq!(project.read("out/c.txt"), "1\nother\n");
    // And if it gives something else then, what else rests on it is judged by that.
    let fickle = TWO
        .replace("cat {{in.one}} >", "cat {{in.one}} ../chance >")
        .replace(
            "a = \"out/a.txt\"",
            "a = { path = \"out/a.txt\", keep = \"run\" }",
        )
        .replace("cat {{in.tree}}/* >", "cat {{in.tree}}/* {{in.a}} >")
        .replace("in = [\"tree\"]", "in = [\"tree\", \"a\"]")
        .replace(
            "pass_env = [\"LOG\"]",
            "pass_env = [\"LOG\"]\nisolation = \"none\"",
        );
    let project = resting_with(&fickle, &[("../chance", "x\n")]);
    project.write("../chance", "y\n");
    project.write("two.txt", "other\n");
    let run = project.jalon(&["run", "-v", "--json"]).expect(0);
    assert_eq!(count(&run), 2);
    let mut executed = project.executed();
    executed.sort();
    assert_eq!(executed, names(&["a", "b", "c", "d"]));
    assert_eq!(project.read("out/c.txt"), "1\ny\nother\n");
    assert_eq!(project.read("out/d.txt"), "p\n1\ny\nd\n");
}

#[test]
fn halves_of_two_runs_and_damaged_ledgers_are_not_gone_by() {
    let project = resting(TWO);
    let ledgers = || {
        let kept = crate::project::files_below(&project.path(".jalon/settled"));
        let mut ledgers = kept.into_iter().filter(|it| it.extension().is_some());
        ledgers.next().unwrap()
    };
    let whole = fs::read(ledgers()).unwrap();
    let mut round = 0;
    let mut with = |bytes: &[u8]| {
        fs::write(ledgers(), bytes).unwrap();
        round += 1;
        after(&project, |it| {
            it.write("one.txt", format!("damaged {round}\n"))
        })
    };
    let ran = names(&["a", "c"]);
    // The run has come to rest anew since: that ledger is of an earlier one.
    assert_eq!(with(&whole), (2, ran.clone()));
    assert_eq!(with(&whole), (0, ran.clone()));
    assert_eq!(with(b""), (0, ran.clone()));
    let mut torn = fs::read(ledgers()).unwrap();
    *torn.last_mut().unwrap() ^= 1;
    assert_eq!(with(&torn), (0, ran));
}

#[test]
fn a_run_the_long_way_leaves_what_the_next_goes_by() {
    let definition = TWO.replace("cat {{in.two}} >", "cat {{in.two}} extra.csv >");
    let project = resting_with(&definition, &[("extra.csv", "x\n")]);
    let long = |text: &str| {
        super::forget(&project);
        project.write("one.txt", text);
        let run = project.jalon(&["run", "-v", "--json"]).expect(0);
        assert_eq!((count(&run), project.executed()), (0, names(&["a", "c"])));
    };
    long("other\n");
    project.run_ok(&[]);
    assert!(answered(&project));
    // What did not run rests on more than what it declares.
    long("more\n");
    project.write("extra.csv", "y\n");
    project.run_ok(&[]);
    assert_eq!(project.executed(), names(&["b", "c"]));
    long("most\n");
    project.write("tree/p", "other\n");
    let short = project.jalon(&["run", "-v", "--json"]).expect(0);
    assert_eq!((count(&short), project.executed()), (3, names(&["d"])));
}

#[test]
fn what_changed_while_nodes_ran_is_no_nodes_past() {
    let definition = TWO
        .replace("cat {{in.one}} >", "sleep 0.5; cat {{in.one}} extra.csv >")
        .replace("cat {{in.two}} >", "cat {{in.two}} extra.csv >");
    let project = resting_with(&definition, &[("extra.csv", "0\n")]);
    for (turn, long) in [(1, false), (2, true)] {
        if long {
            super::forget(&project);
        }
        project.write("one.txt", format!("turn {turn}\n"));
        let running = project.start(&["run"]);
        let log = project.beside("executed");
        while !fs::read_to_string(&log).is_ok_and(|log| log.contains('a')) {
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
        // Both read it; one was judged by then, the other finds what it is now.
        project.write("extra.csv", format!("{turn}\n"));
        running.wait();
        project.executed();
        project.run_ok(&[]);
        assert_eq!(project.executed(), names(&["b", "c"]), "turn {turn}");
        settle(&project);
        project.executed();
    }
}

#[test]
fn what_was_hashed_is_kept_once() {
    let project = resting(TWO);
    let index = project.path(".jalon/index");
    let short = |text: &[u8]| {
        project.write("one.txt", text);
        let run = project.jalon(&["run", "-v", "--json"]).expect(0);
        assert_eq!((count(&run), project.executed().len()), (2, 2));
    };
    short(b"other\n");
    assert!(!index.exists(), "it lies in what answers the next run");
    project.run_ok(&[]);
    super::forget(&project);
    assert_eq!(project.run_ok(&[]).count("hit"), 4);
    assert!(!index.exists(), "little was hashed, and that is kept too");
    settle(&project);
    // Too much to be hashed again, should what answers the next run be gone.
    short(&vec![b'x'; (64 << 20) + 1]);
    assert!(index.exists());
    // Nothing answers the next run where one failed.
    fs::remove_dir_all(&index).unwrap();
    let fails = "[source]\none = \"one.txt\"\n[node.no]\ncmd = \"exit 1\"\nin = [\"one\"]\nout.no = \"no\"\n";
    project.write("jalon.toml", fails);
    project.jalon(&["run"]).expect(1);
    assert!(index.exists(), "and it need not hash again");
}
