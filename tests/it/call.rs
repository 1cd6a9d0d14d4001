//! Python functions as nodes: what they are given and give, what their code version is made of, and what is wrong
//! where they cannot be called.

use crate::project::{Project, skip, wait_until};

/// A function `make` in `pkg/steps.py` with a helper module beside it.
fn project(steps: &str) -> Project {
    let definition = "[defaults]\npass_env = [\"LOG\"]\n\n[source]\nraw = \"raw.json\"\n\n[node.n]\ncall = \"pkg.steps:make\"\nin = [\"raw\"]\nout = { o = \"o.json\" }\n";
    let project = Project::new(definition);
    project.write("raw.json", "[1, 2]");
    project.write("pkg/__init__.py", "");
    project.write("pkg/log.py", LOG);
    project.write("pkg/steps.py", steps);
    project
}

const LOG: &str = "import os\n\ndef ran(name):\n    with open(os.environ['LOG'], 'a') as log:\n        log.write(name + '\\n')\n";

fn must_run(project: &Project, what: &str, edit: impl FnOnce(&Project), result: &str) {
    settle(project, what);
    edit(project);
    let run = project.run_ok(&[]);
    assert_eq!(project.executed(), ["n"], "{what}: {}", run.output);
    assert_eq!(project.read("o.json"), result, "{what}");
    settle(project, what);
}

fn must_not_run(project: &Project, what: &str, edit: impl FnOnce(&Project)) {
    settle(project, what);
    edit(project);
    let run = project.run_ok(&[]);
    assert_eq!(project.executed(), [""; 0], "{what}: {}", run.output);
}

fn settle(project: &Project, what: &str) {
    project.run_ok(&[]);
    project.executed();
    let run = project.run_ok(&[]);
    assert_eq!(project.executed(), [""; 0], "{what}: {}", run.output);
}

const STEPS: &str = r#"
import functools
from pkg.helper import scale, Shift, OFFSET
from pkg.log import ran


def logged(function):
    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        ran("n")
        return function(*args, **kwargs)
    return wrapper


@logged
def make(raw, extra=1):
    """What it does."""
    return Shift(OFFSET).of(scale(sum(raw))) + extra


def other():
    return scale(0)
"#;

const HELPER: &str = r#"
OFFSET = 100
UNUSED = 1


def scale(x):
    return x * 10


def nobody(x):
    return x


class Shift:
    def __init__(self, by):
        self.by = by

    def of(self, x):
        return x + self.by
"#;

#[test]
fn exactly_the_edits_that_can_matter_make_it_run() {
    let project = project(STEPS);
    project.write("pkg/helper.py", HELPER);
    project.run_ok(&[]);
    assert_eq!(project.read("o.json"), "131\n");
    project.executed();
    let edit = |path: &'static str, old: &'static str, new: &'static str| {
        move |project: &Project| project.edit(path, old, new)
    };
    let (steps, helper) = ("pkg/steps.py", "pkg/helper.py");
    must_not_run(
        &project,
        "a comment",
        edit(helper, "    return x * 10", "    # ten\n    return x * 10"),
    );
    must_not_run(&project, "layout", edit(helper, "x * 10", "(x  *  10)"));
    must_not_run(
        &project,
        "a function that nobody reaches",
        edit(helper, "    return x\n", "    return -x\n"),
    );
    must_not_run(
        &project,
        "a constant that nobody reads",
        edit(helper, "UNUSED = 1", "UNUSED = 2"),
    );
    must_not_run(
        &project,
        "another function of the module",
        edit(steps, "scale(0)", "scale(1)"),
    );
    must_not_run(&project, "a new module beside", |project| {
        project.write("pkg/new.py", "x = 1\n")
    });
    must_not_run(
        &project,
        "a docstring",
        edit(steps, "What it does.", "What it really does."),
    );
    must_run(
        &project,
        "a helper in another module",
        edit(helper, "(x  *  10)", "x * 20"),
        "161\n",
    );
    must_run(
        &project,
        "a constant",
        edit(helper, "OFFSET = 100", "OFFSET = 200"),
        "261\n",
    );
    must_run(
        &project,
        "a method of a class",
        edit(helper, "x + self.by", "x - self.by"),
        "-139\n",
    );
    must_run(
        &project,
        "a default",
        edit(steps, "extra=1", "extra=2"),
        "-138\n",
    );
    must_run(
        &project,
        "a decorator",
        edit(
            steps,
            "return function(*args, **kwargs)",
            "return -function(*args, **kwargs)",
        ),
        "138\n",
    );
    must_run(
        &project,
        "an input",
        |project| project.write("raw.json", "[4]"),
        "118\n",
    );
    let told = project.json(&["explain", "n", "--json"]);
    assert_eq!(told["differences"][0]["field"], "input", "{told}");
    project.edit(helper, "x * 20", "x * 30");
    let told = project.json(&["explain", "n", "--json"]);
    assert_eq!(told["differences"][0]["what"], "pkg.helper:scale", "{told}");
}

#[test]
fn what_it_reads_by_itself_counts_too() {
    let project = project(
        "from pkg.log import ran\nTABLE = open('table.txt').read().strip()\n\ndef make(raw):\n    ran('n')\n    return [TABLE, open('more.txt').read().strip()]\n",
    );
    project.write("table.txt", "a\n");
    project.write("more.txt", "b\n");
    must_run(
        &project,
        "read while it runs",
        |project| project.write("more.txt", "c\n"),
        "[\n  \"a\",\n  \"c\"\n]\n",
    );
    must_run(
        &project,
        "read while it is imported",
        |project| project.write("table.txt", "d\n"),
        "[\n  \"d\",\n  \"c\"\n]\n",
    );
}

#[test]
fn a_module_that_shadows_another_counts() {
    let project = project(
        "from pkg.log import ran\nimport late\n\ndef make(raw):\n    ran('n')\n    return late.X\n",
    );
    project.write("src/late.py", "X = 1\n");
    must_run(
        &project,
        "an earlier place on the search path",
        |project| project.write("late.py", "X = 2\n"),
        "2\n",
    );
    project.remove("late.py");
    project.run_ok(&[]);
    assert_eq!(project.read("o.json"), "1\n", "and gone again");
}

#[test]
fn a_computed_import_widens_and_says_so() {
    let project = project(
        "import importlib\nfrom pkg.log import ran\n\ndef make(raw):\n    ran('n')\n    return importlib.import_module('pkg.kinds.' + 'ab'[len(raw) - 2]).value()\n",
    );
    project.write("pkg/kinds/__init__.py", "");
    project.write("pkg/kinds/a.py", "def value():\n    return 1\n");
    must_run(
        &project,
        "found by a computed name",
        |project| project.edit("pkg/kinds/a.py", "1", "2"),
        "2\n",
    );
    let told = project.json(&["explain", "n", "--json"]);
    let widened = told["widened"].as_array().unwrap();
    let all = widened
        .iter()
        .find(|it| it["to"] == "all modules of pkg.kinds");
    let all = all.unwrap_or_else(|| panic!("{told}"));
    assert_eq!(all["where"], "pkg/steps.py:6", "{told}");
    let text = project.jalon(&["explain", "n"]).stdout;
    assert!(text.contains("counts too"), "{text}");
}

#[test]
fn classes_of_what_is_unpickled_count() {
    let definition = "[defaults]\npass_env = [\"LOG\"]\n\n[node.first]\ncall = \"pkg.first:make\"\nout = { thing = \"thing.pkl\" }\n\n[node.n]\ncall = \"pkg.second:use\"\nin = [\"thing\"]\nout = { o = \"o.json\" }\n";
    let project = Project::new(definition);
    project.write("pkg/__init__.py", "");
    project.write("pkg/log.py", LOG);
    project.write("pkg/deep.py", "def value():\n    return 1\n");
    project.write(
        "pkg/things.py",
        "from pkg import deep\n\nclass Thing:\n    def value(self):\n        return deep.value()\n",
    );
    project.write(
        "pkg/first.py",
        "from pkg.things import Thing\n\ndef make():\n    return Thing()\n",
    );
    // It names no module of the class, and imports the helper's for another purpose.
    project.write("pkg/second.py", "from pkg.log import ran\nimport pkg.deep\n\ndef use(thing):\n    ran('n')\n    return thing.value()\n");
    must_run(
        &project,
        "what a class uses",
        |project| project.edit("pkg/deep.py", "1", "2"),
        "2\n",
    );
}

#[test]
fn results_go_where_they_belong() {
    let definition = "[node.tuple]\ncall = \"f:both\"\nout = { a = \"a.txt\", b = \"b.bin\" }\n\n[node.table]\ncall = \"f:named\"\nout = { c = \"c.json\", d = \"d.txt\" }\n\n[node.path]\ncall = \"f:writes\"\nin = { text = \"a\", place = \"b\" }\nout = { e = \"e/\", f = \"f.pkl\" }\n\n[node.back]\ncall = \"f:back\"\nin = [\"f\", \"e\"]\nout = { g = \"g.json\" }\n";
    let project = Project::new(definition);
    project.write(
        "f.py",
        "from pathlib import Path\n\ndef both():\n    return 'one', b'two'\n\ndef named():\n    return {'d': 'three', 'c': {'x': 4.5}}\n\ndef writes(text, place: Path, e):\n    e.mkdir()\n    (e / 'x').write_text(text)\n    return {'size': place.stat().st_size}\n\nasync def back(f, e):\n    return [f['size'], (e / 'x').read_text()]\n",
    );
    project.run_ok(&[]);
    assert_eq!(project.read("a.txt"), "one");
    assert_eq!(project.read("b.bin"), "two");
    assert_eq!(project.read("c.json"), "{\n  \"x\": 4.5\n}\n");
    assert_eq!(project.read("d.txt"), "three");
    assert_eq!(project.read("g.json"), "[\n  3,\n  \"one\"\n]\n");
}

#[test]
fn parameters_and_matrix_values_are_arguments() {
    let definition = "[pipeline]\nparams = [\"p.yml\"]\n\n[node.each]\nmatrix = { k = [\"x\", \"y\"] }\ncall = \"f:each\"\nparams = [\"train.rate\", \"big\"]\nout = { r = \"{{matrix}}.json\" }\n\n[node.all]\ncall = \"f:every\"\nparams = [\"train\"]\nout = { all = \"all.json\" }\n";
    let project = Project::new(definition);
    project.write(
        "p.yml",
        "train: {rate: 0.5, deep: {er: [1, null]}}\nbig: 12345678901234567\n",
    );
    project.write("f.py", "def each(k, rate, big):\n    return [k, rate, big]\n\ndef every(params):\n    return params\n");
    project.run_ok(&[]);
    assert_eq!(
        project.read("x.json").replace(['\n', ' '], ""),
        "[\"x\",0.5,12345678901234567]"
    );
    assert_eq!(
        project.read("all.json").replace(['\n', ' '], ""),
        "{\"train\":{\"rate\":0.5,\"deep\":{\"er\":[1,null]}}}"
    );
    let run = project.run_ok(&["-p", "train.rate=0.75"]).json;
    assert_eq!(run["counts"]["ran"], 3, "{run}");
}

#[test]
fn frames_and_arrays_and_plots() {
    let definition = "[source]\nraw = \"raw.csv\"\n\n[node.a]\ncall = \"f:a\"\nin = [\"raw\"]\nout = { table = \"t.csv\", array = \"a.npy\" }\n\n[node.b]\ncall = \"f:b\"\nin = [\"table\", \"array\"]\nout = { total = \"total.json\" }\n";
    let project = Project::new(definition);
    let python = std::process::Command::new("python3")
        .args(["-c", "import pandas, numpy"])
        .output();
    if !python.is_ok_and(|it| it.status.success()) {
        return skip("functions that pass data frames and arrays on: python3 has no pandas");
    }
    project.write("raw.csv", "x,y\n1,2\n3,4\n");
    project.write(
        "f.py",
        "def a(raw):\n    return raw, raw.to_numpy()\n\ndef b(table, array):\n    return {'table': table.x.sum(), 'array': array.sum()}\n",
    );
    project.run_ok(&[]);
    assert_eq!(
        project.read("total.json").replace(['\n', ' '], ""),
        "{\"table\":4,\"array\":10}"
    );
}

#[test]
fn what_cannot_be_called_is_said_before_anything_runs() {
    let project = project("def make(rows, cutoff):\n    return rows\n");
    project.write("jalon.toml", project.read("jalon.toml") + "\n[node.gone]\ncall = \"pkg.steps:makes\"\nout = { p = \"p.json\" }\n\n[node.module]\ncall = \"pkg.stages:make\"\nout = { q = \"q.json\" }\n");
    let run = project.jalon(&["run"]).expect(3);
    for part in [
        "pkg.steps:make has no argument for the input `raw`",
        "pkg.steps:makes is not defined in pkg/steps.py",
        "it has: make",
        "the module pkg.stages, which the project does not have",
        "(uncallable)",
    ] {
        assert!(run.all().contains(part), "{part}: {}", run);
    }
    project.jalon(&["check"]).expect(3);
}

#[test]
fn an_argument_that_nobody_gives_is_said() {
    let project = project("def make(raw, cutoff):\n    return raw\n");
    let run = project.jalon(&["run"]).expect(3);
    assert!(run.all().contains("needs the argument `cutoff`"), "{}", run);
}

#[test]
fn a_function_that_fails_shows_its_own_frames_only() {
    let project = project(
        "def make(raw):\n    return deeper(raw)\n\ndef deeper(raw):\n    raise ValueError('no such luck')\n",
    );
    let run = project.jalon(&["run"]).expect(1);
    assert!(run.all().contains("ValueError: no such luck"), "{}", run);
    assert!(
        run.all().contains("pkg/steps.py\", line 5, in deeper"),
        "{}",
        run
    );
    assert!(!run.all().contains("call.py"), "{}", run);
}

#[test]
fn a_result_that_does_not_fit_is_said() {
    for (body, part) in [
        ("{1, 2}", "a set cannot be saved as json"),
        (
            "float('nan')",
            "the result o cannot be saved as json in o.json",
        ),
    ] {
        let project = project(&format!("def make(raw):\n    return {body}\n"));
        let run = project.jalon(&["run"]).expect(1);
        assert!(run.all().contains(part), "{part}: {}", run);
    }
    let project = project("def make(raw):\n    return 1, 2, 3\n");
    project.edit(
        "jalon.toml",
        "o = \"o.json\"",
        "o = \"o.json\", p = \"p.json\"",
    );
    let run = project.jalon(&["run"]).expect(1);
    assert!(
        run.all()
            .contains("returned a tuple of 3, and the node has 2 outputs: o, p"),
        "{}",
        run
    );
}

#[test]
fn without_an_interpreter_nothing_runs_and_the_code_is_7() {
    let project = project("def make(raw):\n    return raw\n");
    project.edit(
        "jalon.toml",
        "[defaults]",
        "[pipeline]\npython = \"no-such-python\"\n\n[defaults]",
    );
    let run = project.jalon(&["run"]).expect(7);
    assert!(run.all().contains("no-such-python"), "{}", run);
    assert!(run.all().contains("missing-interpreter"), "{}", run);
}

#[test]
fn the_projects_own_environment_comes_before_the_search_path() {
    let project = project(
        "import sys\nfrom pkg.log import ran\n\ndef make(raw):\n    ran('n')\n    return sys.prefix.endswith('.venv')\n",
    );
    must_run(
        &project,
        "an environment that appears",
        |project| {
            let made = std::process::Command::new("python3")
                .args(["-m", "venv", "--without-pip", ".venv"])
                .current_dir(project.path(""))
                .output()
                .expect("python3 is there");
            assert!(made.status.success(), "{made:?}");
        },
        "true\n",
    );
}

#[test]
fn strict_isolation_knows_the_functions_modules() {
    let project = project(
        "from pkg import helper\nfrom pkg.log import ran\n\ndef make(raw):\n    ran('n')\n    return helper.value()\n",
    );
    project.write("pkg/helper.py", "def value():\n    return 1\n");
    project.edit(
        "jalon.toml",
        "[defaults]",
        "[defaults]\nisolation = \"strict\"",
    );
    project.run_ok(&[]);
    project.write(
        "pkg/helper.py",
        "def value():\n    return open('secret.txt').read()\n",
    );
    project.write("secret.txt", "x");
    let run = project.jalon(&["run"]).expect(1);
    assert!(run.all().contains("secret.txt"), "{}", run);
}

#[test]
fn a_clone_elsewhere_takes_what_is_known() {
    let project = project(STEPS).with_store();
    project.write("pkg/helper.py", HELPER);
    project.run_ok(&[]);
    let copy = project.copy();
    let run = copy.run_ok(&[]);
    assert_eq!(run.count("hit"), 1, "{}", run.output);
    assert_eq!(copy.read("o.json"), "131\n");
}

#[test]
fn what_ran_while_a_module_changed_is_not_kept() {
    let project = project(
        "import os, time\nfrom pkg.log import ran\n\ndef make(raw):\n    ran('n')\n    while not os.path.exists(os.environ['LOG'] + '.go'):\n        time.sleep(0.01)\n    return 1\n",
    );
    let running = project.start(&["run", "--json"]);
    let log = project.beside("executed");
    wait_until("the function runs", || log.exists());
    project.edit("pkg/steps.py", "return 1", "return 2");
    std::fs::write(project.beside("executed.go"), "").expect("it can be written");
    let told = running.wait().expect(0).json();
    assert_eq!(told["notices"][0]["code"], "input-moved", "{told}");
    project.executed();
    project.run_ok(&[]);
    assert_eq!(project.executed(), ["n"]);
    assert_eq!(project.read("o.json"), "2\n");
}
