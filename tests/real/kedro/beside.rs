//! The same as Kedro: files, hooks, selections.

use std::collections::BTreeMap;

use crate::ground::{Ground, shown};

/// Events by the node that they belong to; those of the run under an empty name.
fn by_node(events: &[String]) -> BTreeMap<String, Vec<String>> {
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for event in events {
        let words: Vec<&str> = event.split(' ').collect();
        let node = match words.as_slice() {
            [
                "before_node_run" | "after_node_run" | "on_node_error",
                node,
                ..,
            ] => node,
            [_, _, node] if event.contains("_dataset_") => node,
            _ => "",
        };
        found
            .entry(node.to_owned())
            .or_default()
            .push(event.clone());
    }
    found
}

#[test]
fn a_first_run_gives_the_same_files_and_calls_the_same_hooks() {
    let (Some(kedro), Some(jalon)) = (Ground::new(), Ground::new()) else {
        return;
    };
    let ran = kedro.kedro(&["run"]);
    assert!(ran.status.success(), "{}", shown(&ran));
    let told = jalon.run(&["-j2"]);
    assert_eq!(told["counts"]["ran"], 16, "{told}");
    let (expected, found) = (kedro.results(), jalon.results());
    let names: Vec<&String> = expected.keys().collect();
    assert_eq!(names, found.keys().collect::<Vec<_>>());
    for (name, bytes) in &expected {
        assert!(found[name] == *bytes, "{name} differs");
    }
    assert_eq!(expected.len(), 12, "{names:?}");
    assert_eq!(by_node(&kedro.events()), by_node(&jalon.events()));
}

#[test]
fn kedro_goes_on_where_jalon_was() {
    let Some(ground) = Ground::new() else { return };
    ground.run(&[]);
    ground.events();
    let ran = ground.kedro(&[
        "run",
        "--nodes",
        "linear.evaluate,compare",
        "--from-nodes",
        "linear.evaluate",
    ]);
    // The judge is in memory: Kedro cannot compare without it, and says so.
    assert!(!ran.status.success(), "{}", shown(&ran));
    let ran = ground.kedro(&["run", "--nodes", "plot,by_species"]);
    assert!(ran.status.success(), "{}", shown(&ran));
}

#[test]
fn selections_mean_what_they_mean_in_kedro() {
    let (Some(kedro), Some(jalon)) = (Ground::new(), Ground::new()) else {
        return;
    };
    for words in [
        &["--to-nodes", "join"][..],
        &["--tags", "report"],
        &["--namespaces", "linear", "--env", "quick"],
        &[
            "--from-nodes",
            "forest.train",
            "--to-outputs",
            "forest.metrics",
            "--params",
            "forest.options.trees=3",
        ],
        &["--nodes", "plot", "--pipelines", "reporting"],
    ] {
        let ran = kedro.kedro(&[&["run"], words].concat());
        let told = jalon.jalon(&[&["run"], words].concat());
        assert_eq!(
            ran.status.success(),
            told.status.success(),
            "{words:?}: {}\n{}",
            shown(&ran),
            shown(&told)
        );
        let (expected, found) = (kedro.ran(), jalon.ran());
        if ran.status.success() {
            // What the project keeps, jalon takes from there.
            assert!(
                found.iter().all(|node| expected.contains(node)),
                "{words:?}: {found:?} of {expected:?}"
            );
        }
        assert_eq!(
            kedro.results().keys().collect::<Vec<_>>(),
            jalon.results().keys().collect::<Vec<_>>(),
            "{words:?}"
        );
    }
    assert_eq!(kedro.results(), jalon.results());
}

#[test]
fn what_ends_in_memory_reaches_the_hooks_and_can_be_had() {
    let Some(ground) = Ground::new() else { return };
    ground.run(&["--to-nodes", "count_lines"]);
    let events = ground.events();
    assert!(
        events.contains(&"after_pipeline_run birds_size".to_owned()),
        "{events:#?}"
    );
    let got = ground.jalon(&[
        "get",
        "birds_size",
        "--to-nodes",
        "count_lines",
        "-o",
        "size.pkl",
    ]);
    assert!(got.status.success(), "{}", shown(&got));
    assert!(ground.dir.join("size.pkl").is_file());
}

#[test]
fn both_doors_lead_to_the_same_store() {
    let Some(ground) = Ground::new() else { return };
    let words = ["run", "--runner", "jalon.JalonRunner"];
    let ran = ground.kedro(&words);
    assert!(ran.status.success(), "{}", shown(&ran));
    let events = ground.events();
    let count = |name: &str| {
        events
            .iter()
            .filter(|event| event.starts_with(name))
            .count()
    };
    assert_eq!(count("before_node_run"), 16, "{events:#?}");
    assert_eq!(
        (count("before_pipeline_run"), count("after_pipeline_run")),
        (1, 1),
        "{events:#?}"
    );
    let told = ground.run(&[]);
    assert_eq!(ground.ran(), ["announce"], "{told}");
    ground.edit(
        "conf/base/parameters_reporting.yml",
        "limit: 0.75",
        "limit: 0.9",
    );
    let ran = ground.kedro(&[&words[..], &["--to-nodes", "compare"]].concat());
    assert!(ran.status.success(), "{}", shown(&ran));
    assert_eq!(ground.ran(), ["compare", "make_judge"]);
    // What ends in memory is there for who asks for the result.
    let ran = ground.kedro(&[&words[..], &["--to-nodes", "count_lines"]].concat());
    assert!(ran.status.success(), "{}", shown(&ran));
    assert!(
        ground
            .events()
            .contains(&"after_pipeline_run birds_size".to_owned())
    );
}

#[test]
fn a_failure_in_the_runner_is_kedros_failure() {
    let Some(ground) = Ground::new() else { return };
    ground.edit(
        "src/rookery/pipelines/reporting/nodes.py",
        "    figure, axes",
        "    raise LookupError(\"no colours\")\n    figure, axes",
    );
    let ran = ground.kedro(&["run", "--runner", "jalon.JalonRunner", "--to-nodes", "plot"]);
    assert_eq!(ran.status.code(), Some(1), "{}", shown(&ran));
    assert!(
        shown(&ran).contains("LookupError: no colours"),
        "{}",
        shown(&ran)
    );
    assert!(
        ground
            .events()
            .iter()
            .any(|event| event.starts_with("on_pipeline_error"))
    );
}

#[test]
fn only_missing_outputs_means_what_it_means_in_kedro() {
    let (Some(kedro), Some(jalon)) = (Ground::new(), Ground::new()) else {
        return;
    };
    for one in [&kedro, &jalon] {
        let ran = one.kedro(&["run"]);
        assert!(ran.status.success(), "{}", shown(&ran));
        one.events();
    }
    let lost: [&[&str]; 4] = [
        &[],
        &["data/08_reporting/mass.png"],
        &["data/06_models/forest.pickle"],
        &[
            "data/03_primary/birds.csv",
            "data/08_reporting/linear_metrics.json",
        ],
    ];
    for paths in lost {
        for one in [&kedro, &jalon] {
            for path in paths {
                let place = one.dir.join(path);
                let gone = match place.is_dir() {
                    true => std::fs::remove_dir_all(&place),
                    false => std::fs::remove_file(&place),
                };
                gone.expect("it is there");
            }
        }
        let ran = kedro.kedro(&["run", "--only-missing-outputs"]);
        assert!(ran.status.success(), "{paths:?}: {}", shown(&ran));
        // Whatever is known, what Kedro would run runs here: nothing is kept from one time to the next.
        let _ = std::fs::remove_dir_all(jalon.dir.join(".jalon"));
        let told = jalon.jalon(&["run", "--only-missing-outputs"]);
        assert!(told.status.success(), "{paths:?}: {}", shown(&told));
        assert_eq!(kedro.ran(), jalon.ran(), "{paths:?}");
    }
    // Where Kedro would leave what is stale, jalon without the flag does not.
    jalon.run(&[]);
    jalon.events();
    jalon.edit(
        "conf/base/parameters_reporting.yml",
        "limit: 0.75",
        "limit: 0.99999",
    );
    let told = jalon.jalon(&["run", "--only-missing-outputs"]);
    assert!(told.status.success(), "{}", shown(&told));
    assert!(!jalon.ran().contains(&"compare".to_owned()));
    jalon.run(&[]);
    assert!(jalon.ran().contains(&"compare".to_owned()));
}
