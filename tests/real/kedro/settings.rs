//! `[tool.jalon.kedro]`: what is said of nodes, of datasets without bytes of their own, and of hooks.

use std::fs;

use crate::ground::{Ground, shown};

fn said(ground: &Ground, text: &str) {
    let place = ground.dir.join("pyproject.toml");
    let before = fs::read_to_string(&place).expect("the file is there");
    let before = before.split("\n[tool.jalon").next().unwrap_or_default();
    fs::write(place, format!("{before}\n{text}")).expect("it can be written");
}

/// A table in a database, read by a node of its own, which counts its rows.
fn with_table(ground: &Ground) {
    let globals = ground.dir.join("conf/base/globals.yml");
    let text = fs::read_to_string(&globals).expect("it is there");
    fs::write(globals, format!("{text}\ndatabase: sqlite\n")).expect("it can be written");
    // As SQL datasets are: a connection, and no path.
    let class = r#"
import sqlite3

from kedro.io import AbstractDataset


class TableDataset(AbstractDataset):
    def __init__(self, place):
        self._place = place

    def _load(self):
        with sqlite3.connect("sightings.db") as connection:
            return connection.execute("select count(*) from sightings").fetchone()[0]

    def _save(self, data):
        raise NotImplementedError

    def _describe(self):
        return {"place": self._place}
"#;
    fs::write(ground.dir.join("src/rookery/table.py"), class).expect("it can be written");
    with_reader(
        ground,
        "sightings:\n  type: rookery.table.TableDataset\n  place: ${globals:database}\n",
        "rows",
    );
}

/// `sightings` as it stands in the catalog, and a node of its own that reads it.
pub fn with_reader(ground: &Ground, entry: &str, result: &str) {
    ground.edit(
        "conf/base/catalog.yml",
        "islands:\n",
        &format!("{entry}\nislands:\n"),
    );
    ground.edit(
        "src/rookery/pipelines/preparation/nodes.py",
        "def count_lines(",
        &format!(
            "def count_sightings(rows):\n    return {{\"rows\": {result}}}\n\n\ndef count_lines("
        ),
    );
    let pipeline = "src/rookery/pipelines/preparation/pipeline.py";
    ground.edit(
        pipeline,
        "import count_lines,",
        "import count_lines, count_sightings,",
    );
    ground.edit(
        pipeline,
        "            node(count_lines,",
        "            node(count_sightings, \"sightings\", \"rows\", name=\"count_sightings\"),\n            node(count_lines,",
    );
}

fn sql(ground: &Ground, statement: &str) {
    let script = format!(
        "import sqlite3\nwith sqlite3.connect('sightings.db') as it:\n    it.executescript(\"{statement}\")\n"
    );
    let done = ground.python(&["-c", &script]);
    assert!(done.status.success(), "{}", shown(&done));
}

pub const NODES: [&str; 2] = ["--to-nodes", "count_sightings"];

#[test]
fn a_table_is_unknown_until_a_command_tells_its_version() {
    let Some(ground) = Ground::new() else { return };
    with_table(&ground);
    sql(
        &ground,
        "create table sightings (at text); create table version (number); insert into version values (1)",
    );
    let ran = |expected: &[&str], what: &str| {
        let told = ground.run(&NODES);
        assert_eq!(ground.ran(), expected, "{what}: {told}");
        told
    };
    let notices = |told: &serde_json::Value| {
        let all = told["notices"].as_array().into_iter().flatten();
        all.map(|one| format!("{}: {}", one["code"], one["text"]))
            .collect::<Vec<_>>()
            .join("\n")
    };
    ran(&["count_sightings"], "first");
    let told = ran(&["count_sightings"], "nobody knows what is in it");
    assert!(
        notices(&told).contains("what sightings holds is not known"),
        "{told}"
    );
    assert!(
        notices(&told).contains("so count_sightings runs each time"),
        "{told}"
    );
    let plan = ground.jalon(&[&["plan"][..], &NODES].concat());
    assert!(
        shown(&plan).contains("what sightings holds is not known"),
        "{}",
        shown(&plan)
    );

    // The test's Python has sqlite, whatever programs there are.
    fs::write(
        ground.dir.join("version.py"),
        "import sqlite3\nprint(sqlite3.connect('sightings.db').execute('select number from version').fetchone()[0])\n",
    )
    .expect("it can be written");
    said(
        &ground,
        "[tool.jalon.kedro.versions]\nsightings = \"python3 version.py\"\n",
    );
    ran(
        &["count_sightings"],
        "a version is known for the first time",
    );
    let told = ran(&[], "it is the same");
    assert!(!notices(&told).contains("not known"), "{told}");
    ran(&[], "and again");
    sql(
        &ground,
        "insert into sightings values ('a'); update version set number = 2",
    );
    ran(&["count_sightings"], "a row was added");
    ran(&[], "it is known now");
    // A command that fails knows nothing.
    fs::remove_file(ground.dir.join("version.py")).expect("it is there");
    let told = ran(&["count_sightings"], "nobody can tell");
    assert!(
        notices(&told).contains("which version of sightings is there is not known"),
        "{told}"
    );
}

#[test]
fn hooks_may_hear_of_runs_in_which_nothing_runs_and_of_nodes_that_are_reused() {
    let Some(ground) = Ground::new() else { return };
    let words = ["--to-nodes", "by_species,count_lines"];
    ground.run(&words);
    ground.events();
    for round in ["gone through", "from the snapshot"] {
        let told = ground.run(&words);
        assert_eq!(ground.events(), [""; 0], "{round}");
        let notices = told["notices"].to_string();
        assert!(
            notices.contains("hooks-not-called") && notices.contains("EventLog"),
            "{round}: {told}"
        );
    }
    let plan = ground.jalon(&[&["plan"][..], &words].concat());
    assert!(shown(&plan).contains("--with-hooks"), "{}", shown(&plan));

    let told = ground.run(&[&["--with-hooks"][..], &words].concat());
    let events = ground.events();
    let of_the_run = |events: &[String]| {
        let run = events.iter().filter(|one| one.contains("_pipeline_"));
        run.cloned().collect::<Vec<_>>()
    };
    assert_eq!(
        of_the_run(&events),
        [
            "before_pipeline_run",
            "after_pipeline_run birds_size species_tables"
        ],
        "{told}"
    );
    assert!(
        !events.iter().any(|one| one.contains("node_run")),
        "{events:?}"
    );
    assert!(
        !told["notices"].to_string().contains("hooks-not-called"),
        "{told}"
    );

    said(&ground, "[tool.jalon.kedro]\nhooks_on_hit = true\n");
    let told = ground.run(&words);
    let events = ground.events();
    let expected = [
        "by_species",
        "count_lines",
        "join",
        "preprocess_islands",
        "preprocess_measurements",
        "preprocess_nests",
    ];
    let heard = |what: &str| {
        let mut nodes: Vec<String> = events
            .iter()
            .filter_map(|one| one.strip_prefix(what)?.split(' ').nth(1).map(str::to_owned))
            .collect();
        nodes.sort();
        nodes
    };
    assert_eq!(heard("before_node_run"), expected, "{told}");
    assert_eq!(heard("after_node_run"), expected, "{events:?}");
    let position = |what: &str| events.iter().position(|one| one.starts_with(what));
    assert!(position("after_node_run preprocess_nests") < position("before_node_run join"));
    assert!(position("after_node_run by_species") < position("after_pipeline_run"));
    assert_eq!(told["counts"]["ran"], 0, "{told}");
}

#[test]
fn what_is_said_of_nodes_holds() {
    let Some(ground) = Ground::new() else { return };
    ground.edit(
        "src/rookery/pipelines/preparation/nodes.py",
        "def count_lines(text: str) -> dict:\n",
        "def count_lines(text: str) -> dict:\n    import os, time\n    with open(os.environ[\"ROOKERY_EVENTS\"] + \".tries\", \"a\") as it:\n        it.write(\"x\")\n    if os.path.getsize(os.environ[\"ROOKERY_EVENTS\"] + \".tries\") < 2:\n        time.sleep(60)\n",
    );
    said(
        &ground,
        "[tool.jalon.kedro.nodes]\n\"count_*\" = { timeout = \"2s\", retries = { max = 1, on = [\"timeout\"] } }\n",
    );
    let told = ground.run(&["--to-nodes", "count_lines"]);
    let nodes = told["nodes"].as_array().expect("a list");
    let node = nodes.iter().find(|one| one["name"] == "count_lines");
    assert_eq!(node.expect("it ran")["attempts"], 2, "{told}");

    said(
        &ground,
        "[tool.jalon.kedro.nodes]\ncount_line = { timeout = \"2s\" }\n",
    );
    let told = ground.jalon(&["check"]);
    assert!(
        shown(&told).contains("no node is called `count_line`"),
        "{}",
        shown(&told)
    );
    said(
        &ground,
        "[tool.jalon.kedro]\ntee = [\"join\", \"mass_plot\", \"nests\", \"x*\"]\n[tool.jalon.kedro.versions]\nnests = \"echo 1\"\nnest = \"echo 1\"\n",
    );
    let told = shown(&ground.jalon(&["check"]));
    for expected in [
        "no dataset is called `join`",
        "no node reads `mass_plot`",
        "no node makes `nests`",
        "`nests` has bytes of its own",
        "did you mean `nests`",
    ] {
        assert!(told.contains(expected), "{expected}: {told}");
    }
    assert!(!told.contains("x*"), "{told}");
    said(
        &ground,
        "[tool.jalon.kedro.nodes]\ncount_lines = { time_out = \"2s\" }\n",
    );
    let told = ground.jalon(&["run"]);
    assert_eq!(told.status.code(), Some(3), "{}", shown(&told));
    let text = shown(&told);
    assert!(
        text.contains("pyproject.toml") && text.contains("did you mean `timeout`"),
        "{text}"
    );
}

#[test]
fn what_lives_in_memory_only_is_said_before_it_is_made_again() {
    let Some(ground) = Ground::new() else { return };
    let words = ["--to-nodes", "compare"];
    ground.run(&words);
    let plan = ground.jalon(&[&["plan"][..], &words].concat());
    assert!(!shown(&plan).contains("memory only"), "{}", shown(&plan));
    ground.edit(
        "src/rookery/pipelines/reporting/nodes.py",
        "return {\"linear\": judge(linear)",
        "return {\"line\": judge(linear)",
    );
    let plan = ground.jalon(&[&["plan"][..], &words].concat());
    let said = "judge lives in memory only: compare has make_judge run again";
    assert!(shown(&plan).contains(said), "{}", shown(&plan));
    let told = ground.run(&words);
    assert!(told["notices"].to_string().contains(said), "{told}");
    let got = ground.jalon(&["get", "judge", "-o", "judge.bin"]);
    assert_eq!(got.status.code(), Some(4), "{}", shown(&got));
    assert!(shown(&got).contains("memory only"), "{}", shown(&got));
    assert!(!ground.dir.join("judge.bin").exists());
}

#[test]
fn what_is_not_registered_comes_from_earlier_runs_or_is_refused_as_kedro_does() {
    let Some(ground) = Ground::new() else { return };
    // Of these, the islands are in memory: Kedro cannot begin here.
    let words = ["--nodes", "join"];
    let told = ground.kedro(&[&["run"][..], &words].concat());
    assert!(!told.status.success());
    ground.events();
    let text = shown(&ground.jalon(&[&["run"][..], &words].concat()));
    assert!(
        text.contains("exit Some(3)") && text.contains("missing-input"),
        "{text}"
    );
    assert_eq!(ground.ran(), [""; 0]);

    ground.run(&["--to-nodes", "join"]);
    ground.events();
    ground.edit(
        "src/rookery/pipelines/preparation/nodes.py",
        "sort_values([\"species\", \"bird\", \"study\"])",
        "sort_values([\"species\", \"study\", \"bird\"])",
    );
    let told = ground.run(&words);
    assert_eq!(ground.ran(), ["join"], "{told}");
    let whole = ground.run(&["--to-nodes", "join"]);
    assert_eq!(ground.ran(), [""; 0], "{whole}");
    // What made them is another now: nobody has what they would be.
    ground.edit(
        "src/rookery/pipelines/preparation/nodes.py",
        "islands[\"south\"] = -islands[\"latitude\"]",
        "islands[\"south\"] = -2 * islands[\"latitude\"]",
    );
    let text = shown(&ground.jalon(&[&["run"][..], &words].concat()));
    assert!(
        text.contains("clean_islands") && text.contains("choose preprocess_islands as well"),
        "{text}"
    );
    let text = shown(&ground.jalon(&[&["plan"][..], &words].concat()));
    assert!(
        text.contains("exit Some(3)") && text.contains("clean_islands"),
        "{text}"
    );
}

#[test]
fn what_nodes_write_besides_may_belong_to_tools() {
    let Some(ground) = Ground::new() else { return };
    ground.edit(
        "src/rookery/pipelines/preparation/nodes.py",
        "def count_lines(text: str) -> dict:\n",
        "def count_lines(text: str) -> dict:\n    import pathlib\n    pathlib.Path(\"logs\").mkdir(exist_ok=True)\n    pathlib.Path(\"logs/lines.log\").write_text(text)\n",
    );
    let words = ["--to-nodes", "count_lines"];
    let told = ground.run(&words);
    assert!(
        told["notices"]
            .to_string()
            .contains("[tool.jalon.kedro] caches"),
        "{told}"
    );
    ground.events();
    ground.run(&words);
    assert_eq!(ground.ran(), ["count_lines"]);
    said(&ground, "[tool.jalon.kedro]\ncaches = [\"logs/\"]\n");
    ground.run(&words);
    ground.events();
    let told = ground.run(&words);
    assert_eq!(ground.ran(), [""; 0], "{told}");
}
