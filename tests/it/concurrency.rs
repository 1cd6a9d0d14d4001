//! Several jalons at once: on one store they share work, in one workspace they take turns.

use std::time::{Duration, Instant};

use crate::project::{Project, rounds, wait_until};

const DEFINITION: &str = r#"
[defaults]
pass_env = ["LOG", "GATE"]
[node.slow]
cmd = 'echo slow >> "$LOG"; while [ ! -e "$GATE" ]; do sleep 0.02; done; echo made > {{out.s}}'
out = { s = "s.txt" }
[node.after]
cmd = 'echo after >> "$LOG"; cat {{in.s}} > {{out.a}}'
in = ["s"]
out = { a = "a.txt" }
"#;

fn project() -> Project {
    let mut project = Project::new(DEFINITION).with_store();
    let gate = project.beside("gate");
    project.set_env("GATE", gate.to_str().unwrap());
    project
}

fn started(project: &Project) -> bool {
    project.beside("executed").exists()
}

fn open(project: &Project) {
    std::fs::write(project.beside("gate"), "").unwrap();
}

#[test]
fn the_same_action_in_flight_runs_once() {
    let project = project();
    let mut clone = project.copy();
    clone.set_env("GATE", project.beside("gate").to_str().unwrap());
    let first = project.start(&["run", "--json"]);
    wait_until("the node runs", || started(&project));
    let second = clone.start(&["run", "--json"]);
    std::thread::sleep(Duration::from_millis(500));
    open(&project);
    let (first, second) = (first.wait().expect(0), second.wait().expect(0));
    assert_eq!(project.executed(), ["after", "slow"], "{first}\n{second}");
    assert_eq!(clone.read("a.txt"), "made\n");
    assert_eq!(project.read("a.txt"), "made\n");
}

#[test]
fn a_dead_owner_is_noticed_at_once() {
    let project = project();
    let mut clone = project.copy();
    clone.set_env("GATE", project.beside("gate").to_str().unwrap());
    let first = project.start(&["run"]);
    wait_until("the node runs", || started(&project));
    let second = clone.start(&["run"]);
    std::thread::sleep(Duration::from_millis(300));
    first.signal("KILL");
    first.wait();
    let start = Instant::now();
    wait_until("the second takes over", || {
        std::fs::read_to_string(project.beside("executed"))
            .unwrap_or_default()
            .lines()
            .count()
            == 2
    });
    assert!(
        start.elapsed() < Duration::from_secs(5),
        "{:?}",
        start.elapsed()
    );
    open(&project);
    second.wait().expect(0);
    assert_eq!(clone.read("a.txt"), "made\n");
}

#[test]
fn one_workspace_one_run() {
    let project = project();
    let first = project.start(&["run"]);
    wait_until("the node runs", || started(&project));
    project.jalon(&["run", "--no-wait"]).expect(75);
    // Reading commands do not wait.
    project.jalon(&["plan"]).expect(0);
    project.jalon(&["log"]).expect(0);
    let mut waiting = project.start(&["run", "--json"]);
    std::thread::sleep(Duration::from_millis(300));
    assert!(!waiting.ended(), "the second run waits");
    open(&project);
    first.wait().expect(0);
    let output = waiting.wait().expect(0);
    assert_eq!(output.json()["counts"]["hit"], 2, "{output}");
    assert_eq!(project.executed(), ["after", "slow"]);
}

#[test]
fn many_at_once() {
    let origin = Project::fixture().with_store();
    let clones: Vec<Project> = (0..8).map(|_| origin.copy()).collect();
    for round in 0..rounds(3) {
        for clone in &clones {
            clone.write("raw.txt", format!("raw {round}\n"));
        }
        origin.write("raw.txt", format!("raw {round}\n"));
        let running: Vec<_> = clones
            .iter()
            .map(|clone| clone.start(&["run", "--json"]))
            .collect();
        // Nobody minds who looks, reads or clears up meanwhile.
        let beside: [&[&str]; 5] = [
            &["plan"],
            &["gc", "--yes"],
            &["cache", "verify"],
            &["cache", "stats"],
            &["log"],
        ];
        let beside = beside.map(|args| origin.start(args));
        for running in running.into_iter().chain(beside) {
            running.wait().expect(0);
        }
        assert_eq!(
            origin.executed(),
            crate::project::FIXTURE_NODES,
            "eight runs, each node once"
        );
        for clone in &clones {
            assert_eq!(clone.read("joined.txt"), clones[0].read("joined.txt"));
        }
        origin.jalon(&["cache", "verify"]).expect(0);
    }
}
