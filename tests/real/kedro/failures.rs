//! What goes wrong: in a node, in loading, in what is asked for.

use std::fs;

use crate::ground::{Ground, shown};

#[test]
fn a_failed_node_says_what_kedro_says_and_the_rest_goes_on() {
    let (Some(kedro), Some(ground)) = (Ground::new(), Ground::new()) else {
        return;
    };
    let nodes = "src/rookery/pipelines/modelling/nodes.py";
    for one in [&kedro, &ground] {
        one.edit(nodes, "    if options[\"kind\"] == \"forest\":\n", "    if options[\"kind\"] == \"forest\":\n        raise ArithmeticError(\"no trees today\")\n");
    }
    let ran = kedro.kedro(&["run"]);
    assert_eq!(ran.status.code(), Some(1));
    let told = ground.jalon(&["run"]);
    assert_eq!(told.status.code(), Some(1), "{}", shown(&told));
    for (tool, text) in [("kedro", shown(&ran)), ("jalon", shown(&told))] {
        assert!(text.contains("ArithmeticError"), "{tool}: {text}");
        assert!(text.contains("no trees today"), "{tool}: {text}");
    }
    let events = ground.events();
    assert!(
        events.contains(&"on_node_error forest.train ArithmeticError".to_owned()),
        "{events:#?}"
    );
    assert!(
        events.contains(&"on_pipeline_error ArithmeticError".to_owned()),
        "{events:#?}"
    );
    assert!(
        events.contains(&"before_node_run linear.evaluate".to_owned()),
        "the rest goes on"
    );
    ground.edit(
        nodes,
        "        raise ArithmeticError(\"no trees today\")\n",
        "",
    );
    ground.run(&[]);
    // Both kinds are trained by the function that was mended; the linear model came out the same.
    let expected = [
        "announce",
        "compare",
        "forest.evaluate",
        "forest.train",
        "linear.train",
    ];
    assert_eq!(ground.ran(), expected);
}

#[test]
fn a_process_that_dies_is_told_and_nothing_is_left() {
    let Some(ground) = Ground::new() else { return };
    let nodes = "src/rookery/pipelines/reporting/nodes.py";
    ground.edit(
        nodes,
        "    figure, axes",
        "    import os, signal\n    os.kill(os.getpid(), signal.SIGSEGV)\n    figure, axes",
    );
    let told = ground.jalon(&["run", "--nodes", "plot", "--to-nodes", "plot"]);
    let told = if told.status.code() == Some(3) {
        ground.jalon(&["run", "--to-nodes", "plot"])
    } else {
        told
    };
    assert_eq!(told.status.code(), Some(1), "{}", shown(&told));
    assert!(shown(&told).contains("signal 11"), "{}", shown(&told));
    ground.edit(nodes, "os.kill(os.getpid(), signal.SIGSEGV)", "os._exit(3)");
    let told = ground.jalon(&["run", "--to-nodes", "plot"]);
    assert_eq!(told.status.code(), Some(1), "{}", shown(&told));
    assert!(shown(&told).contains("exit 3"), "{}", shown(&told));
}

#[test]
fn a_project_that_cannot_be_loaded_says_why() {
    let Some(ground) = Ground::new() else { return };
    ground.edit("src/rookery/units.py", "GRAMS = 1000", "GRAMS = 1000 +");
    let told = ground.jalon(&["run"]);
    assert_eq!(told.status.code(), Some(3), "{}", shown(&told));
    assert!(
        shown(&told).contains("SyntaxError") && shown(&told).contains("units.py"),
        "{}",
        shown(&told)
    );
    ground.edit(
        "src/rookery/units.py",
        "GRAMS = 1000 +",
        "import nothing_of_that_name\nGRAMS = 1000",
    );
    let told = ground.jalon(&["plan"]);
    assert_eq!(told.status.code(), Some(7), "{}", shown(&told));
    assert!(
        shown(&told).contains("nothing_of_that_name"),
        "{}",
        shown(&told)
    );
    ground.edit("src/rookery/units.py", "import nothing_of_that_name\n", "");
    let told = ground.jalon(&["run", "--pipelines", "nothing"]);
    assert_eq!(told.status.code(), Some(3), "{}", shown(&told));
    assert!(
        shown(&told).contains("there is no pipeline nothing"),
        "{}",
        shown(&told)
    );
    let told = ground.jalon(&["run", "--python", "no-such-python"]);
    assert_eq!(told.status.code(), Some(7), "{}", shown(&told));
    assert!(
        !fs::exists(ground.dir.join("data/03_primary/birds.csv")).expect("it can be looked at")
    );
}

#[test]
fn kedros_own_flags_are_refused_elsewhere() {
    let Some(ground) = Ground::new() else { return };
    fs::write(ground.dir.join("jalon.toml"), "[node.a]\ncmd = \"true\"\n")
        .expect("it can be written");
    let told = ground.jalon(&["run", "--pipelines", "x"]);
    assert_eq!(told.status.code(), Some(2), "{}", shown(&told));
}
