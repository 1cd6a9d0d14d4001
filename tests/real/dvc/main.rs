//! jalon beside the real DVC, on the same projects: the same files, and the same stages execute.
//!
//! `get` installs DVC where it is not yet; where it cannot be had, everything here says so and passes. Each project
//! lies below `projects/`; its stages write their names into `$LOG`, which is how it is known what ran.
//! Each test takes two copies, makes the same edits in both and runs `dvc repro` in one, `jalon run` in the other.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// An edit: what it is, and what it does in a project.
type Edit = (&'static str, fn(&Path));

fn here() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/real/dvc")
}

/// The path of `dvc`, or nothing after it was said why.
fn dvc() -> Option<String> {
    let got = Command::new(here().join("get"))
        .output()
        .expect("a script starts");
    if got.status.success() {
        let path = String::from_utf8(got.stdout).expect("a path is text");
        return Some(path.trim().to_owned());
    }
    let why = String::from_utf8_lossy(&got.stderr);
    assert_eq!(got.status.code(), Some(77), "{why}");
    skip(&format!(
        "jalon beside DVC: {}",
        why.lines().last().unwrap_or_default()
    ));
    None
}

/// Says, where `scripts/test` shows it, that something could not be tried here.
fn skip(what: &str) {
    use std::io::Write;
    eprintln!("NOT CHECKED: {what}");
    if let Some(path) = std::env::var_os("JALON_TEST_SKIPPED")
        && let Ok(mut file) = fs::OpenOptions::new().append(true).create(true).open(path)
    {
        let _ = writeln!(file, "- {what}");
    }
}

/// Two copies of a project.
struct Pair {
    base: PathBuf,
    dvc: String,
}

impl Pair {
    /// `ready` makes the project ready in the first copy, before there is a second.
    fn new(dvc: String, project: &str, ready: impl FnOnce(&Pair)) -> Pair {
        let base = std::env::temp_dir().join(format!("jalon-dvc-{project}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&base);
        let pair = Pair { base, dvc };
        copy(&here().join("projects").join(project), &pair.with_dvc());
        let config = pair.with_dvc().join(".dvc/config");
        let before = fs::read_to_string(&config).unwrap_or_default();
        let own = "[core]\n    no_scm = true\n    analytics = false\n    check_update = false\n";
        write(&config, &format!("{own}{before}"));
        ready(&pair);
        copy(&pair.with_dvc(), &pair.with_jalon());
        let _ = fs::remove_dir_all(pair.with_jalon().join(".dvc/cache"));
        let _ = fs::remove_file(pair.with_jalon().join("dvc.lock"));
        pair
    }

    fn with_dvc(&self) -> PathBuf {
        self.base.join("dvc")
    }

    fn with_jalon(&self) -> PathBuf {
        self.base.join("jalon")
    }

    fn command(&self, program: &str, project: &Path, log: &str) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(project)
            .env("LOG", self.base.join(log))
            .env("HOME", self.base.join("home"))
            .env("DVC_NO_ANALYTICS", "1")
            .env("DVC_SITE_CACHE_DIR", self.base.join("home/site"))
            .env("DVC_GLOBAL_CONFIG_DIR", self.base.join("home/global"))
            .env("DVC_SYSTEM_CONFIG_DIR", self.base.join("home/system"))
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env_remove("JALON_STORE");
        command
    }

    /// Runs `dvc` to its end.
    fn run_dvc(&self, words: &[&str]) -> Output {
        let mut command = self.command(&self.dvc, &self.with_dvc(), "dvc.log");
        command.args(words).output().expect("dvc starts")
    }

    /// Runs jalon to its end.
    fn run_jalon(&self, words: &[&str]) -> Output {
        let program = env!("CARGO_BIN_EXE_jalon");
        let mut command = self.command(program, &self.with_jalon(), "jalon.log");
        command.args(words).output().expect("jalon starts")
    }

    /// What executed since the last call, sorted.
    fn executed(&self, log: &str) -> Vec<String> {
        let log = self.base.join(log);
        let text = fs::read_to_string(&log).unwrap_or_default();
        let _ = fs::remove_file(log);
        let mut names: Vec<String> = text.lines().map(str::to_owned).collect();
        names.sort();
        names
    }

    /// Runs both; what executed in each.
    fn both(&self, when: &str) -> (Vec<String>, Vec<String>) {
        good(&self.run_dvc(&["repro"]), when);
        good(&self.run_jalon(&["run", "--plain"]), when);
        (self.executed("dvc.log"), self.executed("jalon.log"))
    }

    /// After each edit the same executes, and the same files are there.
    fn follow(&self, edits: &[Edit]) {
        let nothing: Edit = ("nothing", |_| {});
        for (what, edit) in [nothing, nothing].iter().chain(edits) {
            edit(&self.with_dvc());
            edit(&self.with_jalon());
            let owned = owned_by_dvc(&self.with_jalon());
            let (dvc, jalon) = self.both(what);
            assert_eq!(jalon, dvc, "what executes after: {what}");
            self.same_files(what);
            let now = owned_by_dvc(&self.with_jalon());
            assert_eq!(now, owned, "what DVC owns is never written");
        }
    }

    fn same_files(&self, when: &str) {
        let [ours, theirs] = [self.with_jalon(), self.with_dvc()].map(|project| results(&project));
        let names = |files: &BTreeMap<PathBuf, Vec<u8>>| files.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&ours), names(&theirs), "the files after: {when}");
        for (path, bytes) in &ours {
            let (ours, theirs) = (String::from_utf8_lossy(bytes), &theirs[path]);
            let theirs = String::from_utf8_lossy(theirs);
            assert_eq!(ours, theirs, "{} after: {when}", path.display());
        }
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("kept for a look: {}", self.base.display());
        } else {
            let _ = fs::remove_dir_all(&self.base);
        }
    }
}

#[track_caller]
fn good(output: &Output, when: &str) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "after {when}: {out}\n{err}");
}

/// Every file below, without either tool's own.
fn results(project: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let own = |path: &Path| is_of_dvc(path) || path.starts_with(".jalon");
    let mut files = files(project);
    files.retain(|path, _| {
        !own(path) && !path.components().any(|it| it.as_os_str() == "__pycache__")
    });
    files
}

fn owned_by_dvc(project: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = files(project);
    files.retain(|path, _| is_of_dvc(path));
    files
}

fn is_of_dvc(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default();
    let own = ["dvc.lock", ".gitignore", ".dvcignore"]
        .iter()
        .any(|own| name == *own);
    let mark = path.extension().is_some_and(|it| it == "dvc");
    (own && !path.starts_with(".jalon")) || mark || path.starts_with(".dvc")
}

fn files(project: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut open = vec![project.to_owned()];
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(directory).expect("a directory can be read") {
            let path = entry.expect("a directory can be read").path();
            if path.is_dir() {
                open.push(path);
            } else {
                let name = path.strip_prefix(project).expect("it lies below");
                found.insert(
                    name.to_owned(),
                    fs::read(&path).expect("a file can be read"),
                );
            }
        }
    }
    found
}

fn copy(from: &Path, to: &Path) {
    for (name, bytes) in files(from) {
        let path = to.join(name);
        fs::create_dir_all(path.parent().expect("a file has a parent")).expect("it can be made");
        fs::write(path, bytes).expect("a file can be written");
    }
}

fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().expect("a file has a parent")).expect("it can be made");
    let _ = fs::remove_file(path);
    fs::write(path, text).expect("a file can be written");
}

/// Replaces a piece of text that must be there.
#[track_caller]
fn edit(project: &Path, path: &str, old: &str, new: &str) {
    let path = project.join(path);
    let text = fs::read_to_string(&path).expect("the file is there");
    assert!(text.contains(old), "{} has no {old:?}", path.display());
    write(&path, &text.replace(old, new));
}

fn remove(project: &Path, path: &str) {
    fs::remove_file(project.join(path)).expect("the file is there");
}

#[test]
fn real_data_with_metrics_and_plots() {
    let Some(dvc) = dvc() else { return };
    let data = include_str!("../../../examples/penguins/data/penguins_raw.csv");
    let pair = Pair::new(dvc, "penguins", |pair| {
        write(&pair.with_dvc().join("data/penguins_raw.csv"), data);
    });
    pair.follow(&[
        ("what nobody declares", |at| {
            edit(at, "params.yaml", "unused: 1", "unused: 2");
            edit(at, "params.yaml", "train:", "# how\ntrain:");
        }),
        ("a parameter that one stage declares", |at| {
            edit(at, "params.yaml", "test_every: 4", "test_every: 5");
        }),
        ("code, with and without another result", |at| {
            edit(at, "src/prepare.py", "import csv\n", "# rows\nimport csv\n");
            edit(at, "src/mean.py", ":.3f", ":.2f");
        }),
        ("one more stage, and a file that lies among outputs", |at| {
            edit(at, "params.yaml", "  - Gentoo", "  - Gentoo\n  - Chin");
            edit(at, "means/README.txt", "species", "kind");
        }),
        ("outputs that are gone or spoilt", |at| {
            remove(at, "metrics.json");
            write(&at.join("means/Adelie.txt"), "0\n");
        }),
        ("back again", |at| {
            edit(at, "params.yaml", "test_every: 5", "test_every: 4");
        }),
    ]);
}

#[test]
fn templating_gives_the_same_commands() {
    let Some(dvc) = dvc() else { return };
    let pair = Pair::new(dvc, "grid", |_| {});
    pair.follow(&[
        ("a value in a table, and one more element", |at| {
            edit(at, "params.yaml", "rate: 0.1", "rate: 0.25");
            edit(at, "shared.yaml", "[1, 2]", "[1, 2, 3]");
        }),
        ("a value of one entry, and a key that nobody loads", |at| {
            edit(at, "shared.yaml", "\"x y\"", "\"y\"");
            edit(at, "shared.yaml", "unused: true", "unused: 1");
        }),
        ("how tables become arguments", |at| {
            edit(at, ".dvc/config", "append", "nargs");
        }),
    ]);
}

#[test]
fn parameters_in_every_format() {
    let Some(dvc) = dvc() else { return };
    let pair = Pair::new(dvc, "formats", |_| {});
    pair.follow(&[
        ("keys that are declared", |at| {
            edit(at, "params.yaml", "b: 1", "b: 3");
            edit(at, "config/p.json", "\"x\": 1", "\"x\": 2");
            edit(at, "config/p.toml", "rate = 0.5", "rate = 0.6");
            edit(at, "config/p.py", "(1, 2)", "(1, 2, 3)");
        }),
        ("other keys; one of a file that counts whole", |at| {
            edit(at, "params.yaml", "c: 2", "c: 4");
            edit(at, "params.yaml", "[1, 2]", "[0, 2]");
            edit(at, "config/p.json", "\"z\": 2", "\"z\": 3");
            edit(at, "config/p.toml", "other = 1", "other = 2");
            edit(at, "config/p.py", "width = 3", "width = 4");
        }),
        (
            "an element of a list, and a parameter that a stage makes",
            |at| {
                edit(at, "params.yaml", "[0, 2]", "[0, 3]");
                edit(at, "seed.txt", "value: 1", "value: 2");
            },
        ),
    ]);
}

#[test]
fn directories_in_and_around_outputs() {
    let Some(dvc) = dvc() else { return };
    let pair = Pair::new(dvc, "directories", |_| {});
    pair.follow(&[
        ("the left part", |at| edit(at, "data/raw/a.txt", "l2", "l3")),
        ("the right part, and a new file beside the outputs", |at| {
            edit(at, "data/raw/b.txt", "r2", "r3");
            write(&at.join("data/notes.txt"), "note\n");
        }),
        ("the same again, with a file of an output gone", |at| {
            edit(at, "src/split.sh", "mkdir", "# parts\nmkdir");
            remove(at, "data/split/right/deep/r.txt");
        }),
    ]);
}

#[test]
fn definitions_in_subdirectories() {
    let Some(dvc) = dvc() else { return };
    let pair = Pair::new(dvc, "parts", |_| {});
    pair.follow(&[
        ("a parameter of a part", |at| {
            edit(at, "first/params.yaml", "n: 1", "n: 2");
        }),
        ("what lies above and beside", |at| {
            edit(at, "source.txt", "data", "other");
            edit(at, "second/conf/names.yaml", "suffix: s", "suffix: t");
        }),
    ]);
}

#[test]
fn stages_that_go_on_always_run_or_never_do() {
    let Some(dvc) = dvc() else { return };
    let pair = Pair::new(dvc, "stateful", |pair| {
        good(&pair.run_dvc(&["commit", "-f", "frozen"]), "commit");
    });
    pair.follow(&[
        ("what is added", |at| {
            edit(at, "add.txt", "line", "line\nmore")
        }),
        ("what always runs gives something else", |at| {
            edit(at, "always.in", "in", "on")
        }),
        ("what is frozen changes", |at| {
            write(&at.join("frozen.txt"), "otherwise\n")
        }),
        ("what is added is as it was", |at| {
            edit(at, "add.txt", "line\nmore", "line")
        }),
    ]);
}

#[test]
fn data_that_dvc_tracks() {
    let Some(dvc) = dvc() else { return };
    let pair = Pair::new(dvc, "tracked", |pair| {
        good(
            &pair.run_dvc(&["add", "data/a.txt", "data/b.txt", "single.txt"]),
            "add",
        );
    });
    pair.follow(&[("other data", |at| write(&at.join("single.txt"), "other\n"))]);
    remove(&pair.with_jalon(), "single.txt");
    let output = pair.run_jalon(&["run", "--plain"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("dvc pull single.txt.dvc"), "{said}");
}

/// What DVC cannot see: a helper that a stage imports and does not declare.
#[test]
fn a_helper_that_is_not_declared() {
    let Some(dvc) = dvc() else { return };
    let pair = Pair::new(dvc, "helper", |_| {});
    pair.both("nothing");
    for project in [pair.with_dvc(), pair.with_jalon()] {
        edit(&project, "src/helper.py", "return 1", "return 21");
    }
    let (dvc, jalon) = pair.both("the helper");
    let score =
        |project: PathBuf| fs::read_to_string(project.join("score.txt")).expect("it is made");
    assert_eq!(
        dvc,
        Vec::<String>::new(),
        "DVC says that there is nothing to do"
    );
    assert_eq!(score(pair.with_dvc()), "2\n", "and leaves what is wrong");
    let said = pair.run_jalon(&["log", "last"]);
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    if said.contains("reads are not observed") {
        return skip("a helper that is not declared: reads cannot be observed here");
    }
    assert_eq!(jalon, ["score"], "jalon saw what it read");
    assert_eq!(score(pair.with_jalon()), "42\n");
}
