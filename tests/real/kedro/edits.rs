//! After an edit exactly the nodes that it can matter to run, and nothing runs after what cannot matter.

use std::fs;

use crate::ground::{Ground, shown};

/// A ground with everything made, without the node that runs each time.
const TARGETS: [&str; 2] = ["--to-nodes", "compare,plot,by_species,count_lines"];

fn made() -> Option<Ground> {
    let ground = Ground::new()?;
    ground.run(&TARGETS);
    ground.events();
    Some(ground)
}

fn must_run(ground: &Ground, what: &str, words: &[&str], expected: &[&str]) {
    let words = [&TARGETS[..], words].concat();
    let told = ground.run(&words);
    assert_eq!(ground.ran(), expected, "{what}: {told}");
    let told = ground.run(&words);
    assert_eq!(ground.ran(), [""; 0], "{what}, and again: {told}");
}

#[test]
fn with_nothing_to_do_no_interpreter_starts() {
    let Some(ground) = made() else { return };
    let bin = ground.dir.join("bin");
    fs::create_dir_all(&bin).expect("a directory");
    // What would start is found first on the search path, and says so.
    for name in ["python", "python3"] {
        let place = bin.join(name);
        fs::write(&place, "#!/bin/sh\necho started >> \"$STARTED\"\nexit 1\n").expect("a script");
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(&place, fs::Permissions::from_mode(0o755)).expect("it may be executed");
    }
    let started = ground.dir.join("started");
    let words = ["run", "--json", TARGETS[0], TARGETS[1]];
    for round in ["from the snapshot", "gone through"] {
        let told = ground.jalon_with(&words, &[("STARTED", &started.to_string_lossy())]);
        assert!(told.status.success(), "{round}: {}", shown(&told));
        assert_eq!(ground.events(), [""; 0], "{round}");
        assert!(!started.exists(), "{round}");
        let _ = fs::remove_dir_all(ground.dir.join(".jalon/settled"));
    }
}

#[test]
fn an_edit_runs_what_it_can_matter_to() {
    let Some(ground) = made() else { return };
    let forest = ["forest.evaluate", "forest.split", "forest.train"];
    let quick = &["--params", "forest.options.test_size=0.5"];
    must_run(
        &ground,
        "a parameter",
        quick,
        &[&["compare"][..], &forest].concat(),
    );
    must_run(&ground, "and back again", &[], &[]);
    ground.edit(
        "conf/base/parameters_reporting.yml",
        "limit: 0.75",
        "limit: 0.9999",
    );
    must_run(
        &ground,
        "a parameter of one node",
        &[],
        &["compare", "make_judge"],
    );
    ground.edit("src/rookery/pipelines/reporting/nodes.py", "s=12", "s=14");
    must_run(&ground, "a node's body", &[], &["plot"]);
    ground.edit(
        "src/rookery/pipelines/preparation/nodes.py",
        "\"characters\": len(text)",
        "\"characters\": len(text) + 1",
    );
    must_run(&ground, "another node's body", &[], &["count_lines"]);
    ground.edit("src/rookery/units.py", "GRAMS = 1000", "GRAMS = 1000.0");
    must_run(
        &ground,
        "a constant in another module, which gives the same",
        &[],
        &["preprocess_measurements"],
    );
    ground.edit(
        "src/rookery/units.py",
        "return grams / 453.59237",
        "return grams / 453.6",
    );
    must_run(&ground, "a function that nobody uses", &[], &[]);
    ground.edit(
        "src/rookery/pipelines/modelling/nodes.py",
        "def split(",
        "# cut\ndef split(",
    );
    must_run(&ground, "a comment", &[], &[]);
    ground.edit(
        "conf/base/catalog.yml",
        "filename_suffix: .csv",
        "filename_suffix: .txt",
    );
    must_run(&ground, "how a dataset is saved", &[], &["by_species"]);
    ground.edit("data/01_raw/measurements.csv", "39.1", "39.2");
    let told = ground.run(&TARGETS);
    let ran = ground.ran();
    assert!(
        ran.contains(&"preprocess_measurements".to_owned())
            && ran.contains(&"linear.train".to_owned()),
        "{told}"
    );
    assert!(!ran.contains(&"preprocess_nests".to_owned()), "{ran:?}");
}

#[test]
fn whatever_a_function_is_made_of_counts() {
    let Some(ground) = Ground::new() else { return };
    let units = ground.dir.join("src/rookery/units.py");
    let text = fs::read_to_string(&units).expect("it is there");
    let more = r#"

def counted(function):
    @functools.wraps(function)
    def inner(text):
        return {**function(text), "by": "decorator"}

    return inner


class Paper:
    width = 80

    def pages(self, text):
        return len(text) // (self.width * 60)


class Folio(Paper):
    pass
"#;
    fs::write(&units, format!("import functools\n\n{text}{more}")).expect("it can be written");
    let nodes = "src/rookery/pipelines/preparation/nodes.py";
    ground.edit(
        nodes,
        "from rookery.units import kilograms",
        "from rookery.units import Folio, counted, kilograms",
    );
    ground.edit(
        nodes,
        "def count_lines(text: str) -> dict:\n    return {",
        "@counted\ndef count_lines(text: str) -> dict:\n    \"\"\"Lines and pages.\"\"\"\n    with open(\"limits.txt\") as limits:\n        limit = int(limits.read())\n    return {\"limit\": limit, \"pages\": Folio().pages(text), ",
    );
    let limits = ground.dir.join("limits.txt");
    fs::write(&limits, "1\n").expect("it can be written");
    let words = ["--to-nodes", "count_lines,by_species"];
    ground.run(&words);
    ground.events();
    let only = |what: &str, expected: &[&str]| {
        let told = ground.run(&words);
        assert_eq!(ground.ran(), expected, "{what}: {told}");
    };
    only("nothing", &[]);
    let counts = &["count_lines"];
    ground.edit(
        "src/rookery/units.py",
        "\"by\": \"decorator\"",
        "\"by\": \"a decorator\"",
    );
    only("a decorator", counts);
    ground.edit("src/rookery/units.py", "width = 80", "width = 72");
    only(
        "an attribute of the class that its class derives from",
        counts,
    );
    fs::write(&limits, "2\n").expect("it can be written");
    only("a file that it opens by itself", counts);
    ground.edit(nodes, "Lines and pages.", "Pages and lines.");
    // Nobody reads it, and what would is a matter of its text.
    only("a docstring", &[]);
    ground.edit(
        "src/rookery/pipelines/reporting/nodes.py",
        "def announce(",
        "def pronounce(verdicts):\n    return verdicts\n\n\ndef announce(",
    );
    only("another pipeline", &[]);
    let parquet = ground
        .dir
        .join("data/02_intermediate/clean_measurements.parquet");
    fs::write(&parquet, "").expect("it can be written");
    only("an intermediate file that was cut off", &[]);
    assert!(fs::metadata(&parquet).is_ok_and(|found| found.len() > 0));
}

#[test]
fn what_wraps_a_function_where_the_pipeline_is_made_counts() {
    let Some(ground) = Ground::new() else { return };
    let wrapper = "\n\ndef doubled(function):\n    import functools\n\n    @functools.wraps(function)\n    def inner(*given):\n        return {name: value * 2 for name, value in function(*given).items()}\n\n    return inner\n";
    let units = ground.dir.join("src/rookery/units.py");
    let text = fs::read_to_string(&units).expect("it is there");
    fs::write(&units, text + wrapper).expect("it can be written");
    let pipeline = "src/rookery/pipelines/preparation/pipeline.py";
    ground.edit(
        pipeline,
        "from kedro.pipeline",
        "from rookery.units import doubled\nfrom kedro.pipeline",
    );
    ground.edit(pipeline, "node(count_lines,", "node(doubled(count_lines),");
    let words = ["--to-nodes", "count_lines"];
    ground.run(&words);
    ground.events();
    ground.run(&words);
    assert_eq!(ground.ran(), [""; 0]);
    ground.edit("src/rookery/units.py", "value * 2", "value * 3");
    let told = ground.run(&words);
    assert_eq!(ground.ran(), ["count_lines"], "{told}");
}

#[test]
fn a_package_that_is_upgraded_concerns_those_who_use_it() {
    let Some(ground) = Ground::new() else { return };
    let (ground, site) = ground.with_environment();
    let install = |version: &str, unit: &str| {
        for entry in fs::read_dir(&site).expect("it is there").flatten() {
            if entry.file_name().to_string_lossy().starts_with("counting") {
                fs::remove_dir_all(entry.path()).expect("it is ours");
            }
        }
        let (package, about) = (
            site.join("counting"),
            site.join(format!("counting-{version}.dist-info")),
        );
        fs::create_dir_all(&package).expect("a directory");
        fs::create_dir_all(&about).expect("a directory");
        let text = format!("def unit():\n    return \"{unit}\"\n");
        fs::write(package.join("__init__.py"), &text).expect("it can be written");
        let metadata = format!("Metadata-Version: 2.1\nName: counting\nVersion: {version}\n");
        fs::write(about.join("METADATA"), metadata).expect("it can be written");
        let record = format!(
            "counting/__init__.py,sha256=of-{unit},{}\ncounting-{version}.dist-info/METADATA,,\ncounting-{version}.dist-info/RECORD,,\n",
            text.len()
        );
        fs::write(about.join("RECORD"), record).expect("it can be written");
    };
    install("1.0", "lines");
    ground.edit(
        "src/rookery/pipelines/preparation/nodes.py",
        "def count_lines(text: str) -> dict:\n    return {\"lines\"",
        "def count_lines(text: str) -> dict:\n    import counting\n\n    return {counting.unit()",
    );
    let words = ["--to-nodes", "count_lines,by_species"];
    ground.run(&words);
    ground.events();
    ground.run(&words);
    assert_eq!(ground.ran(), [""; 0]);
    install("1.1", "rows");
    let told = ground.run(&words);
    assert_eq!(ground.ran(), ["count_lines"], "{told}");
    let explained = ground.jalon(&[&["explain", "count_lines"][..], &words].concat());
    assert!(
        shown(&explained).contains("counting"),
        "{}",
        shown(&explained)
    );
    ground.run(&words);
    assert_eq!(ground.ran(), [""; 0]);
    // The same again, installed anew.
    install("1.1", "rows");
    ground.run(&words);
    assert_eq!(ground.ran(), [""; 0]);
}

#[test]
fn a_variable_that_a_node_asks_for_counts() {
    let Some(ground) = Ground::new() else { return };
    ground.edit(
        "src/rookery/pipelines/preparation/nodes.py",
        "    return {\"lines\": text.count(\"\\n\")",
        "    import os\n    return {\"who\": os.environ.get(\"WHO\"), \"lines\": text.count(\"\\n\")",
    );
    let run = |env: &[(&str, &str)]| {
        let told = ground.jalon_with(&["run", TARGETS[0], TARGETS[1]], env);
        assert!(told.status.success(), "{}", shown(&told));
        ground.ran()
    };
    run(&[]);
    assert_eq!(run(&[("ELSE", "x")]), [""; 0], "another variable");
    assert_eq!(run(&[("WHO", "you")]), ["count_lines"]);
    assert_eq!(run(&[("WHO", "you")]), [""; 0]);
    assert_eq!(run(&[]), [""; 0], "it is known without it too");
}

#[test]
fn what_a_module_reads_while_it_is_imported_counts() {
    let Some(ground) = Ground::new() else { return };
    fs::write(ground.dir.join("words.txt"), "one").expect("it can be written");
    let nodes = "src/rookery/pipelines/preparation/nodes.py";
    ground.edit(
        nodes,
        "COLUMNS = {",
        "WORDS = open(\"words.txt\").read()\nCOLUMNS = {",
    );
    ground.edit(
        nodes,
        "    return {\"lines\"",
        "    return {\"words\": WORDS, \"lines\"",
    );
    ground.run(&TARGETS);
    ground.events();
    fs::write(ground.dir.join("words.txt"), "two").expect("it can be written");
    let told = ground.run(&TARGETS);
    assert!(ground.ran().contains(&"count_lines".to_owned()), "{told}");
    let told = ground.run(&TARGETS);
    assert_eq!(ground.ran(), [""; 0], "{told}");
}

#[test]
fn what_is_lost_is_brought_back() {
    let Some(ground) = made() else { return };
    let before = ground.results();
    fs::write(ground.dir.join("data/03_primary/birds.csv"), "").expect("it can be cut off");
    fs::remove_file(ground.dir.join("data/02_intermediate/clean_nests.csv")).expect("it is there");
    fs::remove_dir_all(ground.dir.join("data/08_reporting/species")).expect("it is there");
    let told = ground.run(&TARGETS);
    assert_eq!(ground.ran(), [""; 0], "{told}");
    assert_eq!(ground.results(), before);
}

#[test]
fn a_version_is_made_when_the_newest_is_not_the_right_one() {
    let Some(ground) = made() else { return };
    let before = ground.versions("linear");
    assert_eq!(before.len(), 1);
    ground.run(&TARGETS);
    assert_eq!(ground.versions("linear"), before, "a hit makes none");
    fs::remove_dir_all(&before[0]).expect("it is there");
    ground.run(&TARGETS);
    assert_eq!(ground.ran(), [""; 0]);
    assert_eq!(
        ground.versions("linear").len(),
        1,
        "it is brought back as a new one"
    );
    let ran = ground.kedro(&[
        "run",
        "--nodes",
        "linear.evaluate",
        "--to-outputs",
        "linear.metrics",
    ]);
    // Its test data are in memory, so Kedro cannot; but the model it finds.
    assert!(
        !shown(&ran).contains("Did not find any versions"),
        "{}",
        shown(&ran)
    );
}

#[test]
fn a_clone_and_a_renamed_directory_run_nothing() {
    let Some(ground) = Ground::new() else { return };
    let ground = ground.with_store();
    ground.run(&TARGETS);
    ground.events();
    let clone = ground.clone_beside("clone");
    for name in ["02_intermediate", "03_primary", "06_models", "08_reporting"] {
        let _ = fs::remove_dir_all(clone.dir.join("data").join(name));
    }
    let told = clone.run(&TARGETS);
    assert_eq!(clone.events(), [""; 0], "{told}");
    assert_eq!(clone.results(), ground.results());
}
