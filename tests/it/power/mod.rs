//! Power cuts: replayed from a recording, with all that a disk may lose, and of a real file system on a real block
//! device. Afterwards everything is right without repair, and what was said to be done is there.

mod disk;
mod real;
mod recording;
mod replayed;

use std::fs;

use crate::project::Project;

/// What is cut off.
struct Scenario {
    /// What comes before.
    prepare: fn(&Project),
    /// What the power goes in.
    verb: &'static [&'static str],
    /// What must hold after it; `done` where the verb had ended before.
    check: fn(&Project, done: bool, expected: &Files, what: &str),
}

const RUN: Scenario = Scenario {
    prepare: |_| {},
    verb: &["run"],
    check: all_is_right,
};

const AFTER_ANOTHER: Scenario = Scenario {
    prepare: |project| {
        project.run_ok(&[]);
        project.edit("evaluate.sh", "cat", "cat  ");
    },
    verb: &["run"],
    check: all_is_right,
};

const COLLECTION: Scenario = Scenario {
    prepare: |project| {
        project.run_ok(&[]);
        project.write("raw.txt", "something else\n");
        project.run_ok(&[]);
        fs::remove_dir_all(project.path(".jalon/store/traces")).unwrap();
        fs::create_dir(project.path(".jalon/store/traces")).unwrap();
        project.run_ok(&["--force", "clean"]);
    },
    verb: &["gc", "--yes"],
    check: all_is_right,
};

const PUSH: Scenario = Scenario {
    prepare: |project| drop(project.run_ok(&[])),
    verb: &["cache", "push"],
    check: others_are_right,
};

/// What the nodes make.
const FILES: [&str; 5] = [
    "data/clean.txt",
    "models/a.txt",
    "joined.txt",
    "metrics.json",
    "large/seq",
];

type Files = [String; FILES.len()];

fn files(project: &Project) -> Files {
    FILES.map(|file| project.read(file))
}

/// The fixture with a large blob and a directory besides. Where it pushes to is one of its own directories.
fn project() -> Project {
    let project = Project::fixture();
    // strace is in the way of our own observing.
    let definition =
        project
            .read("jalon.toml")
            .replacen("[defaults]", "[defaults]\nisolation = \"none\"", 1);
    let large = r#"
[node.large]
cmd = "mkdir {{out.large}}; seq 20000 > {{out.large}}/seq; seq 9 > {{out.large}}/nine"
out = { large = "large/" }
"#;
    project.write("jalon.toml", definition + large);
    project
}

/// Has a project use the remote that lies in another, or in itself; runs send to it where `push` says so.
fn aim(project: &Project, at: &Project, push: bool) {
    const STORE: &str = "[store]\n";
    let definition = project.read("jalon.toml");
    let own = definition.split(STORE).next().unwrap();
    let far = at.path("far");
    project.write(
        "jalon.toml",
        format!(
            "{own}{STORE}remote = \"file://{}\"\npush = {push}\n",
            far.display()
        ),
    );
}

fn all_is_right(project: &Project, done: bool, expected: &Files, what: &str) {
    let run = project.run_ok(&[]);
    if done {
        let hits = run.count("hit");
        assert_eq!(hits, 5, "{what}: what was kept is lost\n{}", run.output);
    }
    assert_eq!(&files(project), expected, "{what}\n{}", run.output);
    // What is damaged is found by the first, and gone for the second.
    project.jalon(&["cache", "verify"]);
    project.jalon(&["cache", "verify"]).expect(0);
    let again = project.run_ok(&[]);
    assert_eq!(again.count("ran"), 0, "{what}\n{}", again.output);
}

/// Whoever comes next makes and sends what did not get there whole, so that the one after them has everything.
fn others_are_right(project: &Project, done: bool, expected: &Files, what: &str) {
    for turn in ["the next", "the one after"] {
        let other = Project::new("");
        for file in [
            "jalon.toml",
            "raw.txt",
            "clean.sh",
            "evaluate.sh",
            "params.yml",
        ] {
            other.write(file, project.read(file));
        }
        aim(&other, project, true);
        let run = other.run_ok(&[]);
        assert_eq!(&files(&other), expected, "{what}, {turn}\n{}", run.output);
        if done || turn != "the next" {
            let made = run.count("ran");
            assert_eq!(made, 0, "{what}, {turn}: not all was there\n{}", run.output);
        }
    }
}

/// Numbers that look random.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}
