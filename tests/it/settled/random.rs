//! Whatever is done to a project between two runs: what the short way says, the long way says too.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::time::SystemTime;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::held::{held, keys};
use super::{DEFINITION, answered, beside, events, forget, masked, settled};
use crate::project::{Project, rounds};

/// Something that a person, an editor or a tool may do to a project.
#[derive(Debug, Clone)]
enum Edit {
    Declared(usize, u8),
    Write(usize, u8),
    Forge(usize, u8),
    Touch(usize),
    Remove(usize),
    Rename(usize, usize),
    Link(usize, usize),
    Executable(usize, bool),
    Directory(usize),
    RunPart(usize),
}

/// Paths that mean something, and some that do not.
const PATHS: [&str; 26] = [
    "in/one.txt",
    "in/two.txt",
    "data/x.csv",
    "data/z.csv",
    "data/deep/y.csv",
    "data/new/n.csv",
    "data/.hidden.csv",
    "data/deep",
    "tree/p",
    "tree/r",
    "tree/sub/s",
    "code/a.sh",
    "code/b.sh",
    "conf/base.yml",
    "conf/more.yml",
    "extra.yml",
    "out/a.txt",
    "out/b/sub/all",
    "out/b/extra",
    "out/b",
    "tmp/c",
    "d.txt",
    "data/__pycache__/m.csv",
    "notes.txt",
    "jalon.toml",
    ".jalon/index",
];

/// What nodes declare to read, and is a file each.
const DECLARED: [&str; 5] = [
    "in/one.txt",
    "data/x.csv",
    "data/deep/y.csv",
    "tree/p",
    "code/a.sh",
];

fn edit() -> impl Strategy<Value = Edit> {
    let at = || 0..PATHS.len();
    prop_oneof![
        4 => (0..DECLARED.len(), 0..3u8).prop_map(|(at, value)| Edit::Declared(at, value)),
        4 => (at(), 0..3u8).prop_map(|(at, value)| Edit::Write(at, value)),
        2 => (at(), 0..3u8).prop_map(|(at, value)| Edit::Forge(at, value)),
        2 => at().prop_map(Edit::Touch),
        2 => at().prop_map(Edit::Remove),
        1 => (at(), at()).prop_map(|(from, to)| Edit::Rename(from, to)),
        1 => (at(), at()).prop_map(|(from, to)| Edit::Link(from, to)),
        1 => (at(), any::<bool>()).prop_map(|(at, may)| Edit::Executable(at, may)),
        1 => at().prop_map(Edit::Directory),
        1 => (0..2usize).prop_map(Edit::RunPart),
    ]
}

fn text(path: &str, value: u8) -> String {
    match path.rsplit('.').next() {
        Some("yml") => format!("x: {value}\n"),
        Some("toml") => format!("{DEFINITION}# {value}\n"),
        Some("sh") => format!("echo {value}\n"),
        _ => format!("{value}\n"),
    }
}

/// What cannot be done is not done.
fn apply(project: &Project, edit: &Edit) {
    let path = |at: usize| project.path(PATHS[at]);
    let _ = match *edit {
        Edit::Declared(at, value) => {
            fs::write(project.path(DECLARED[at]), text(DECLARED[at], value))
        }
        Edit::Write(at, value) => {
            let _ = fs::create_dir_all(path(at).parent().unwrap());
            fs::write(path(at), text(PATHS[at], value))
        }
        Edit::Forge(at, value) => match (
            path(at).metadata(),
            fs::File::options().write(true).open(path(at)),
        ) {
            (Ok(metadata), Ok(file)) => fs::write(path(at), text(PATHS[at], value))
                .and_then(|()| file.set_modified(metadata.modified().unwrap())),
            _ => Ok(()),
        },
        Edit::Touch(at) => fs::File::options()
            .append(true)
            .open(path(at))
            .and_then(|file| file.set_modified(SystemTime::now())),
        Edit::Remove(at) if path(at).is_dir() => fs::remove_dir_all(path(at)),
        Edit::Remove(at) => fs::remove_file(path(at)),
        Edit::Rename(from, to) => fs::rename(path(from), path(to)),
        Edit::Link(from, to) => symlink(path(to), path(from)),
        Edit::Executable(at, may) if path(at).is_file() => {
            let mode = if may { 0o755 } else { 0o644 };
            fs::set_permissions(path(at), fs::Permissions::from_mode(mode))
        }
        Edit::Executable(..) => Ok(()),
        Edit::Directory(at) => fs::create_dir_all(path(at)),
        Edit::RunPart(at) => {
            project.jalon(&["run", ["a", "b"][at]]);
            Ok(())
        }
    };
}

/// Everything below the project but what is jalon's own.
fn look(project: &Project) -> BTreeMap<String, (u32, i64, i64, Vec<u8>)> {
    let mut all = BTreeMap::new();
    let mut pending = vec![project.dir.clone()];
    while let Some(directory) = pending.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.ends_with(".jalon") {
                continue;
            }
            let metadata = path.symlink_metadata().unwrap();
            let bytes = match metadata.file_type() {
                kind if kind.is_dir() => {
                    pending.push(path.clone());
                    Vec::new()
                }
                kind if kind.is_symlink() => fs::read_link(&path)
                    .unwrap()
                    .into_os_string()
                    .into_encoded_bytes(),
                _ => fs::read(&path).unwrap(),
            };
            let seen = (
                metadata.mode(),
                metadata.ctime(),
                metadata.ctime_nsec(),
                bytes,
            );
            all.insert(path.display().to_string(), seen);
        }
    }
    all
}

#[test]
fn whatever_happened_the_answer_is_what_a_run_would_give() {
    whatever_happened(false);
}

#[test]
fn whatever_happened_to_a_part_the_rest_is_what_a_run_would_give() {
    whatever_happened(true);
}

/// Where it is quiet, changes have to do with the part that they reach, and what a run said is asked for afterwards.
fn whatever_happened(quiet: bool) {
    let config = Config {
        cases: rounds(20),
        failure_persistence: None,
        max_shrink_iters: 60,
        ..Config::default()
    };
    let steps = proptest::collection::vec(proptest::collection::vec(edit(), 0..4), 4..8);
    let (short, part) = (Cell::new(0), Cell::new(0));
    let result = TestRunner::new(config).run(&steps, |steps| {
        let project = settled();
        for edits in steps {
            edits.iter().for_each(|edit| apply(&project, edit));
            let run = if quiet {
                let ran = project.jalon(&["run", "-q"]);
                let mut said = project.jalon(&["log", "last", "--json"]);
                said.code = ran.code;
                said
            } else {
                project.jalon(&["run", "-v", "--json", "--events", "../events"])
            };
            let told = quiet || fs::read(project.beside("events")).is_ok();
            let executed = project.executed();
            let told = told && run.code == 0;
            let held = told
                && if quiet {
                    beside(&project) > 0
                } else {
                    held(&run)
                };
            if !told || !answered(&project) && !held {
                let _ = fs::remove_file(project.beside("events"));
                continue;
            }
            if held {
                part.set(part.get() + 1);
            } else {
                short.set(short.get() + 1);
                prop_assert!(executed.is_empty(), "{executed:?}");
            }
            let events_then = (!quiet).then(|| events(&project, "../events"));
            let before = look(&project);
            forget(&project);
            let long = project.jalon(&["run", "-v", "--json", "--events", "../events"]);
            prop_assert_eq!(long.code, run.code, "{}", long);
            if held || quiet {
                // All that ran is known now, and of the rest the same.
                prop_assert_eq!(keys(&long), keys(&run));
                let _ = fs::remove_file(project.beside("events"));
            } else {
                prop_assert_eq!(masked(long.json()), masked(run.json()));
                prop_assert_eq!(Some(events(&project, "../events")), events_then);
            }
            prop_assert_eq!(project.executed(), Vec::<String>::new());
            prop_assert!(
                look(&project) == before,
                "the long way changed the project: {:?}",
                edits
            );
        }
        Ok(())
    });
    if let Err(error) = result {
        panic!("{error}");
    }
    assert!(short.get() > 0, "no run was answered from what was kept");
    assert!(part.get() > 0, "no run went by what was kept of nodes");
}
