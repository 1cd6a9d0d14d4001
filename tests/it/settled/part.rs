//! Where nobody hears of each node, a run goes through the part that changes reach, and leaves all else as it is.
//!
//! How many nodes it left out shows in its trace. What it came to, the long way comes to too.

use super::held::{TWO, keys, names, resting, resting_with};
use super::{answered, beside, forget, settle};
use crate::project::{Project, wait_until};

/// Runs quietly after an edit: how many nodes it had nothing to do with, and what ran, sorted.
fn after(project: &Project, edit: impl FnOnce(&Project)) -> (u64, Vec<String>) {
    edit(project);
    project.jalon(&["run", "-q"]).expect(0);
    let found = (beside(project), executed(project));
    let said = project.jalon(&["log", "last", "--json"]).expect(0);
    is_what_the_long_way_says(project, &keys(&said));
    settle(project);
    project.executed();
    found
}

fn is_what_the_long_way_says(
    project: &Project,
    said: &[(String, serde_json::Value, serde_json::Value)],
) {
    forget(project);
    let long = project.jalon(&["run", "-v", "--json"]).expect(0);
    assert_eq!(project.executed(), Vec::<String>::new());
    assert_eq!(keys(&long), said);
}

fn executed(project: &Project) -> Vec<String> {
    let mut executed = project.executed();
    executed.sort();
    executed
}

#[test]
fn only_the_part_that_a_change_reaches_is_gone_through() {
    let project = resting(TWO);
    for (path, text, left, ran) in [
        ("one.txt", "other\n", 2, &["a", "c"][..]),
        ("two.txt", "other\n", 2, &["b", "c"]),
        ("tree/p", "other\n", 3, &["d"]),
        ("code/d.sh", "echo other\n", 3, &["d"]),
        // Known from before.
        ("one.txt", "1\n", 2, &["c"]),
    ] {
        let found = after(&project, |it| it.write(path, text));
        assert_eq!(found, (left, names(ran)), "{path}");
    }
    assert_eq!(project.read("out/c.txt"), "1\nother\n");
    let found = after(&project, |it| {
        it.write("one.txt", "both\n");
        it.write("tree/p", "both\n");
        it.write("two.txt", "other\n");
    });
    assert_eq!(found, (1, names(&["a", "c", "d"])));
    // Who wants to hear of each is told by a run of the whole.
    project.write("one.txt", "told\n");
    project.jalon(&["run", "--json"]).expect(0);
    assert_eq!(beside(&project), 0);
}

#[test]
fn what_a_part_leaves_is_what_the_next_goes_by() {
    let project = resting(TWO);
    let mut last = Vec::new();
    for round in 0..20 {
        let path = ["one.txt", "tree/p", "two.txt"][round % 3];
        // Stats that are too fresh to be believed are not gone by.
        wait_until("a run goes by what the last one kept", || {
            project.write(path, format!("{path} {round}\n"));
            project.jalon(&["run", "-q"]).expect(0);
            last = executed(&project);
            beside(&project) > 0 || round == 16
        });
        assert!(
            last.contains(&["a", "d", "b"][round % 3].to_owned()),
            "{last:?}"
        );
    }
    let said = project.jalon(&["log", "last", "--json"]).expect(0);
    assert_eq!(keys(&said).len(), 4);
    is_what_the_long_way_says(&project, &keys(&said));
    assert_eq!(project.read("out/c.txt"), "one.txt 18\ntwo.txt 17\n");
}

#[test]
fn what_has_more_to_do_with_others_is_run_whole() {
    let ephemeral = TWO.replace(
        "out = { b = \"out/b.txt\" }",
        "out = { b = { path = \"out/b.txt\", keep = \"run\" } }",
    );
    let grouped = TWO.replace("[node.c]", "[node.c]\ngroup = \"last\"");
    let later = TWO.replace("in = [\"a\", \"b\"]", "in = [\"a\"]\nafter = [\"b\"]");
    let later = later.replace("{{in.a}} {{in.b}}", "{{in.a}}");
    let told = format!("{TWO}[finally.sorry]\ncmd = \"true\"\nwhen = \"failure\"\n");
    // What is ephemeral has to be there again for whoever reads it. Where somebody may be told, it is of all nodes.
    for (what, definition, ran, left) in [
        ("ephemeral", ephemeral, &["a", "b", "c"][..], 3),
        ("grouped", grouped, &["a", "c"], 3),
        ("after", later, &["a", "c"], 3),
        ("told", told, &["a", "c"], 0),
    ] {
        let project = resting(&definition);
        let found = after(&project, |it| it.write("one.txt", "other\n"));
        assert_eq!(found, (0, names(ran)), "{what}");
        let found = after(&project, |it| it.write("tree/p", "other\n"));
        assert_eq!(found, (left, names(&["d"])), "{what}");
    }
}

#[test]
fn bytes_that_others_made_and_that_are_gone_are_made_again() {
    let project = resting(TWO);
    project.write("one.txt", "other\n");
    project.remove("out/b.txt");
    project.jalon(&["run", "-q"]).expect(0);
    assert_eq!(beside(&project), 0);
    assert_eq!(project.read("out/c.txt"), "other\n2\n");
    assert_eq!(project.read("out/b.txt"), "2\n");
}

#[test]
fn a_damaged_pipeline_is_read_anew() {
    let project = resting(TWO);
    let kept = crate::project::files_below(&project.path(".jalon/settled"));
    for path in kept
        .iter()
        .filter(|path| path.extension().is_some_and(|it| it == "pipeline"))
    {
        let mut bytes = std::fs::read(path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(path, bytes).unwrap();
    }
    project.write("one.txt", "other\n");
    project.jalon(&["run", "-q"]).expect(0);
    assert_eq!(
        (beside(&project), executed(&project)),
        (0, names(&["a", "c"]))
    );
}

/// What is told of a run that fails, or of one that nobody hears of, does not depend on how much was gone through.
#[test]
fn both_ways_fail_and_say_the_same() {
    let definition = TWO.replace(
        "[node.c]\ncmd = '",
        "[node.c]\nsecrets = []\ncmd = 'cat {{in.a}}; if grep -q tres {{in.a}}; then cat out/d.txt; fi; if grep -q fail {{in.a}}; then echo no; exit 3; fi; ",
    );
    for text in ["tres\n", "fail\n", "fine\n"] {
        let said = |whole: bool| {
            let project = resting(&definition);
            project.write("one.txt", text);
            if whole {
                forget(&project);
            }
            let run = project.jalon(&["run", "-q"]);
            let left = beside(&project);
            assert_eq!(left > 0, !whole, "{text}");
            let log = project.jalon(&["log", "last", "--json"]).json();
            let printed = project.jalon(&["log", "last", "c"]).stdout;
            let told = |field: &str| -> Vec<String> {
                let nodes = log["nodes"].as_array().unwrap().iter();
                let mut all: Vec<String> = nodes
                    .map(|node| format!("{} {}", node["name"], node[field]))
                    .collect();
                all.sort();
                all
            };
            let fields = [
                "status",
                "key",
                "reason",
                "undeclared",
                "error",
                "outputs",
                "blocked_by",
            ];
            let nodes: Vec<_> = fields.iter().map(|field| told(field)).collect();
            // But for how long it took.
            let stderr = run.stderr.replace(|it: char| it.is_ascii_digit(), "");
            (
                run.code,
                stderr,
                printed,
                nodes,
                log["counts"].clone(),
                log["status"].clone(),
            )
        };
        assert_eq!(said(false), said(true), "{text}");
    }
}

#[test]
fn secrets_of_others_are_hidden() {
    let definition = TWO
        .replace("[node.d]", "[node.d]\nsecrets = [\"TOKEN\"]")
        .replace("[node.c]\ncmd = '", "[node.c]\ncmd = 'cat {{in.a}}; ");
    let mut project = Project::new(&definition);
    project.set_env("TOKEN", "very-secret-value");
    for (path, text) in [
        ("one.txt", "1\n"),
        ("two.txt", "2\n"),
        ("tree/p", "p\n"),
        ("code/d.sh", "echo d\n"),
    ] {
        project.write(path, text);
    }
    settle(&project);
    project.write("one.txt", "it is very-secret-value\n");
    project.jalon(&["run", "-q"]).expect(0);
    assert_eq!(beside(&project), 2);
    let printed = project.jalon(&["log", "last", "c"]).expect(0).stdout;
    assert!(
        printed.contains("it is") && !printed.contains("very-secret-value"),
        "{printed}"
    );
}

#[test]
fn what_counts_for_nodes_that_are_not_observed_counts_beside_a_part() {
    let definition = TWO.replace("[node.d]", "[node.d]\nisolation = \"none\"");
    let mut project = Project::new(&definition);
    let site = project.path("venv/lib/python3/site-packages/one-1.dist-info/RECORD");
    std::fs::create_dir_all(site.parent().unwrap()).unwrap();
    std::fs::write(&site, "one\n").unwrap();
    let venv = project.path("venv").display().to_string();
    project.set_env("VIRTUAL_ENV", &venv);
    for (path, text) in [
        ("one.txt", "1\n"),
        ("two.txt", "2\n"),
        ("tree/p", "p\n"),
        ("code/d.sh", "echo d\n"),
    ] {
        project.write(path, text);
    }
    settle(&project);
    project.executed();
    let found = after(&project, |it| it.write("one.txt", "other\n"));
    assert_eq!(found, (2, names(&["a", "c"])));
    let found = after(&project, |it| {
        it.write("one.txt", "one more\n");
        std::fs::write(&site, "two, of another version\n").unwrap();
    });
    assert_eq!(found, (0, names(&["a", "c", "d"])));
}

#[test]
fn what_others_made_and_was_changed_meanwhile_is_said() {
    let definition = TWO.replace(
        "[node.c]\ncmd = '",
        "[node.c]\nisolation = \"none\"\ncmd = 'if grep -q roam one.txt; then echo gone > out/d.txt; fi; ",
    );
    let project = resting_with(&definition, &[]);
    let found = after(&project, |it| it.write("one.txt", "at home\n"));
    assert_eq!(found, (2, names(&["a", "c"])));
    project.write("one.txt", "roam\n");
    let run = project.jalon(&["run", "-q"]).expect(0);
    assert_eq!(beside(&project), 2);
    assert!(
        run.stderr
            .contains("out/d.txt, which another node made, was changed"),
        "{run}"
    );
    project.executed();
    project.jalon(&["run", "-q"]).expect(0);
    assert_eq!(project.executed(), Vec::<String>::new());
    assert_eq!(project.read("out/d.txt"), "p\nd\n");
    assert!(!answered(&project));
}
