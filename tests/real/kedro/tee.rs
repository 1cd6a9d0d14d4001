//! What is handed on in memory while it is saved: nobody waits for a write, nobody reads back, and nothing is lost.

use std::fs;

use crate::ground::{Ground, shown};

/// A dataset that takes its time: a save ends only once somebody has read what was given.
const SLOW: &str = r#"
import os
import time

from kedro_datasets.pickle import PickleDataset

from rookery.hooks import note


class SlowDataset(PickleDataset):
    def load(self):
        note("slow load", self._filepath.name)
        return super().load()

    def save(self, data):
        heard, until = os.environ["ROOKERY_EVENTS"] + ".heard", time.time() + 20
        while os.path.exists(heard + ".wanted") and not os.path.exists(heard) and time.time() < until:
            time.sleep(0.01)
        if os.path.exists(heard + ".wanted"):
            note("heard in time" if os.path.exists(heard) else "not heard", self._filepath.name)
        if os.path.exists(heard + ".refused"):
            raise OSError("the disk is full")
        super().save(data)
"#;

fn slow() -> Option<Ground> {
    let ground = Ground::new()?;
    fs::write(ground.dir.join("src/rookery/slow.py"), SLOW).expect("it can be written");
    ground.edit(
        "conf/base/catalog.yml",
        "clean_nests:\n  type: pandas.CSVDataset\n  filepath: data/02_intermediate/clean_nests.csv",
        "clean_nests:\n  type: rookery.slow.SlowDataset\n  filepath: data/02_intermediate/clean_nests.pkl",
    );
    ground.edit(
        "src/rookery/pipelines/preparation/nodes.py",
        "    table = measurements.merge(islands",
        "    import os\n    if os.path.exists(os.environ[\"ROOKERY_EVENTS\"] + \".heard.wanted\"):\n        open(os.environ[\"ROOKERY_EVENTS\"] + \".heard\", \"w\").close()\n    table = measurements.merge(islands",
    );
    Some(ground)
}

fn flag(ground: &Ground, name: &str, there: bool) {
    let place = ground.beside(&format!("events.heard{name}"));
    if there {
        fs::write(place, "").expect("it can be written");
    } else {
        let _ = fs::remove_file(place);
    }
}

fn tee(ground: &Ground, datasets: &str) {
    let place = ground.dir.join("pyproject.toml");
    let before = fs::read_to_string(&place).expect("the file is there");
    let before = before.split("\n[tool.jalon").next().unwrap_or_default();
    let said = format!("{before}\n[tool.jalon.kedro]\ntee = [{datasets}]\n");
    fs::write(place, said).expect("it can be written");
}

const WORDS: [&str; 2] = ["--to-nodes", "join"];

#[test]
fn readers_begin_while_what_they_read_is_saved() {
    let (Some(kedro), Some(ground)) = (slow(), slow()) else {
        return;
    };
    assert!(kedro.kedro(&["run", WORDS[0], WORDS[1]]).status.success());
    let expected = kedro.results();
    tee(&ground, "\"clean_nests\"");
    flag(&ground, ".wanted", true);
    let told = ground.run(&[&["-j", "2"][..], &WORDS].concat());
    let events = ground.events();
    let position = |what: &str| {
        let found = events.iter().position(|one| one == what);
        found.unwrap_or_else(|| panic!("no {what} in {events:#?}\n{told}"))
    };
    assert!(position("before_node_run join") < position("heard in time clean_nests.pkl"));
    assert!(
        !events.contains(&"slow load clean_nests.pkl".to_owned()),
        "{events:#?}"
    );
    // Kedro's hooks, each once and in its order, and only when it is so.
    let saved = position("before_dataset_saved clean_nests preprocess_nests");
    assert!(position("after_node_run preprocess_nests clean_nests") < saved);
    assert!(
        position("heard in time clean_nests.pkl")
            < position("after_dataset_saved clean_nests preprocess_nests")
    );
    assert!(position("after_dataset_loaded clean_nests join") < position("before_node_run join"));
    for what in [
        "before_dataset_saved clean_nests",
        "after_dataset_saved clean_nests",
    ] {
        assert_eq!(
            events.iter().filter(|one| one.starts_with(what)).count(),
            1,
            "{events:#?}"
        );
    }
    assert_eq!(ground.results(), expected);
    // The project asks for that file, so it counts.
    flag(&ground, ".wanted", false);
    ground.run(&WORDS);
    ground.events();

    // Nothing is left to do; a file that is gone comes back; where it lies is the affair of who saves it.
    ground.run(&WORDS);
    assert_eq!(ground.events(), [""; 0]);
    fs::remove_file(ground.dir.join("data/02_intermediate/clean_nests.pkl")).expect("it is there");
    ground.run(&WORDS);
    assert_eq!(ground.events(), [""; 0]);
    assert_eq!(ground.results(), expected);
    ground.edit("conf/base/catalog.yml", "clean_nests.pkl", "neat_nests.pkl");
    ground.run(&WORDS);
    let events = ground.events();
    assert!(
        !events.iter().any(|one| one.contains("node_run")),
        "{events:#?}"
    );
    assert!(events.contains(&"after_dataset_saved clean_nests preprocess_nests".to_owned()));
    assert!(
        ground
            .dir
            .join("data/02_intermediate/neat_nests.pkl")
            .exists()
    );
}

#[test]
fn a_write_that_fails_fails_the_run_and_loses_nothing() {
    let Some(ground) = slow() else { return };
    tee(&ground, "\"clean_*\"");
    flag(&ground, ".refused", true);
    let told = ground.jalon(&[&["run"][..], &WORDS].concat());
    let text = shown(&told);
    assert_eq!(told.status.code(), Some(1), "{text}");
    assert!(
        text.contains("the disk is full") && text.contains("save clean_nests"),
        "{text}"
    );
    let events = ground.events();
    assert!(
        events
            .iter()
            .any(|one| one.starts_with("after_node_run join")),
        "{events:#?}"
    );
    flag(&ground, ".refused", false);
    ground.run(&WORDS);
    let events = ground.events();
    assert!(
        !events.iter().any(|one| one.contains("node_run")),
        "{events:#?}"
    );
    assert!(events.contains(&"after_dataset_saved clean_nests preprocess_nests".to_owned()));
}

#[test]
fn what_kedro_itself_hands_on_and_what_cannot_be() {
    let Some(ground) = slow() else { return };
    ground.edit(
        "conf/base/catalog.yml",
        "clean_nests:\n  type: rookery.slow.SlowDataset\n  filepath: data/02_intermediate/clean_nests.pkl",
        "clean_nests:\n  type: CachedDataset\n  dataset:\n    type: rookery.slow.SlowDataset\n    filepath: data/02_intermediate/clean_nests.pkl",
    );
    ground.run(&WORDS);
    let events = ground.events();
    assert!(
        !events.contains(&"slow load clean_nests.pkl".to_owned()),
        "{events:#?}"
    );
    assert!(
        ground
            .dir
            .join("data/02_intermediate/clean_nests.pkl")
            .exists()
    );
    // Nobody reads it: it is saved by its own node.
    let told = ground.jalon(&["plan", "--nodes", "preprocess_nests"]);
    assert!(
        !shown(&told).contains("save clean_nests"),
        "{}",
        shown(&told)
    );
    // A versioned model is saved as a version, by a node of its own.
    tee(&ground, "\"*.model\"");
    ground.run(&[
        "--nodes",
        "forest.split,forest.train,forest.evaluate",
        "--from-inputs",
        "birds@pandas",
    ]);
    assert_eq!(ground.versions("forest").len(), 1);
}
