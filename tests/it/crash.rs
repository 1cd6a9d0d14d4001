//! kill -9 at any instant, of whatever jalon does: the next run succeeds, and nothing that had finished runs again.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::project::{Project, rounds};

/// Twelve short nodes in four layers, with files, a directory and an ephemeral output.
fn project() -> Project {
    let mut definition =
        String::from("[defaults]\npass_env = [\"LOG\"]\n[source]\nraw = \"raw.txt\"\n");
    for layer in 0..4 {
        for column in 0..3 {
            let name = format!("n{layer}{column}");
            let inputs: Vec<String> = match layer {
                0 => vec!["raw".to_owned()],
                _ => (0..2)
                    .map(|i| format!("o{}{}", layer - 1, (column + i) % 3))
                    .collect(),
            };
            let (path, redirect) = if column == 2 {
                (format!("out/{name}/"), "/file")
            } else {
                (format!("out/{name}.txt"), "")
            };
            let make = if column == 2 {
                "mkdir {{out.OUT}}; ".replace("OUT", &format!("o{layer}{column}"))
            } else {
                String::new()
            };
            let read: Vec<String> = inputs
                .iter()
                .map(|input| {
                    format!(
                        "{{{{in.{input}}}}}{}",
                        if input.ends_with('2') { "/file" } else { "" }
                    )
                })
                .collect();
            definition += &format!(
                "[node.{name}]\ncmd = 'echo {name} >> \"$LOG\"; {make}cat {} > {{{{out.o{layer}{column}}}}}{redirect}; echo {name} >> {{{{out.o{layer}{column}}}}}{redirect}'\nin = {inputs:?}\nout = {{ o{layer}{column} = \"{path}\" }}\n",
                read.join(" ")
            );
        }
    }
    let project = Project::new(&definition);
    project.write("raw.txt", "raw\n");
    project
}

fn outputs(project: &Project) -> Vec<(String, String)> {
    crate::project::files_below(&project.path("out"))
        .into_iter()
        .map(|path| {
            (
                path.strip_prefix(&project.dir)
                    .unwrap()
                    .display()
                    .to_string(),
                std::fs::read_to_string(&path).unwrap(),
            )
        })
        .collect()
}

/// The nodes of which an event says that they succeeded; a torn last line says nothing.
fn succeeded(project: &Project) -> BTreeSet<String> {
    let events = std::fs::read_to_string(project.path("events.jsonl")).unwrap_or_default();
    events
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter(|event| event["event"] == "node.succeeded")
        .map(|event| {
            event["node"]
                .as_str()
                .expect("the event names its node")
                .to_owned()
        })
        .collect()
}

#[test]
fn killed_at_random_instants() {
    let reference = project();
    reference.run_ok(&[]);
    let expected = outputs(&reference);
    assert_eq!(expected.len(), 12);

    let project = project();
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    let mut interrupted = 0;
    for round in 0..rounds(20) {
        // Other content each round, so that there is always all to do.
        project.write("raw.txt", format!("raw {round}\n"));
        project.executed();
        let mut finished = BTreeSet::new();
        for _ in 0..3 {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            let _ = std::fs::remove_file(project.path("events.jsonl"));
            let mut running = project.start(&["run", "--events", "events.jsonl", "-j", "3"]);
            std::thread::sleep(Duration::from_micros(random % 150_000));
            interrupted += u32::from(!running.ended());
            running.signal("KILL");
            running.wait();
            // Children of a killed run may write for a moment more; they are short.
            std::thread::sleep(Duration::from_millis(30));
            let again: Vec<String> = project
                .executed()
                .into_iter()
                .filter(|name| finished.contains(name))
                .collect();
            assert_eq!(
                again, [""; 0],
                "round {round}: finished before the kill, and ran again"
            );
            finished.extend(succeeded(&project));
        }
        let run = project.run_ok(&[]);
        let again: Vec<String> = project
            .executed()
            .into_iter()
            .filter(|name| finished.contains(name))
            .collect();
        assert_eq!(
            again, [""; 0],
            "round {round}: finished before the kill, and ran again\n{}",
            run.output
        );
        let right: Vec<(String, String)> = expected
            .iter()
            .map(|(path, text)| {
                (
                    path.clone(),
                    text.replace("raw\n", &format!("raw {round}\n")),
                )
            })
            .collect();
        assert_eq!(outputs(&project), right, "round {round}");
    }
    project.jalon(&["cache", "verify"]).expect(0);
    eprintln!("{interrupted} runs were killed before their end");
    assert!(
        interrupted > 0,
        "no run was killed before its end: nothing was tried"
    );
}

#[test]
fn what_was_being_laid_out_is_taken_away() {
    let project = project();
    project.run_ok(&[]);
    let expected = outputs(&project);
    // As a run leaves it that is killed while it lays this out.
    project.remove("out/n00.txt");
    project.write(".jalon/journal", b"+out/n00.txt\0");
    project.write("out/.jalon-tmp-file", "half");
    project.write("out/.jalon-tmp-tree/t/.jalon-tmp-file", "half");
    project.write("elsewhere/.jalon-tmp-file", "not said to be ours");
    project.run_ok(&[]);
    assert_eq!(outputs(&project), expected);
    assert!(project.exists("elsewhere/.jalon-tmp-file"));
}

/// Everything that writes: the store, the project, a remote. Each with what it needs before it.
const WRITERS: [&[&str]; 9] = [
    &["run"],
    &["run", "--materialize", "all"],
    &["gc", "--yes"],
    &["gc", "--yes", "--max-size", "1KiB"],
    &["cache", "push"],
    &["cache", "push", "--all"],
    &["cache", "pull"],
    &["cache", "verify"],
    &["get", "o31", "-o", "got.txt"],
];

#[test]
fn killed_whatever_it_does() {
    let reference = project();
    reference.run_ok(&[]);
    let expected = outputs(&reference);

    let project = project();
    let far = project.beside("far");
    let definition = project.read("jalon.toml");
    let remote = format!(
        "[store]\nremote = \"file://{}\"\npush = true\n",
        far.display()
    );
    project.write("jalon.toml", format!("{definition}{remote}"));
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = |below: u64| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random % below
    };
    let mut interrupted = std::collections::BTreeMap::<String, u32>::new();
    for round in 0..rounds(40) {
        project.write("raw.txt", format!("raw {}\n", next(3)));
        match next(4) {
            0 => drop(std::fs::remove_dir_all(project.path("out"))),
            1 => drop(std::fs::remove_dir_all(project.path(".jalon"))),
            _ => {}
        }
        let verb = WRITERS[next(WRITERS.len() as u64) as usize];
        // Two at a time now and then: neither may mind how the other ends.
        let beside = (next(3) == 0).then(|| project.start(WRITERS[next(9) as usize]));
        let mut running = project.start(verb);
        std::thread::sleep(Duration::from_micros(next(60_000)));
        if !running.ended() {
            *interrupted.entry(verb.join(" ")).or_default() += 1;
        }
        running.signal("KILL");
        running.wait();
        if let Some(beside) = beside {
            beside.signal("KILL");
            beside.wait();
        }
        std::thread::sleep(Duration::from_millis(30));
        // No repair first: what a killed process left is in nobody's way.
        let run = project.run_ok(&[]);
        let raw = project.read("raw.txt");
        let right: Vec<(String, String)> = expected
            .iter()
            .map(|(path, text)| (path.clone(), text.replace("raw\n", &raw)))
            .collect();
        assert_eq!(
            outputs(&project),
            right,
            "round {round}, {verb:?}:\n{}",
            run.output
        );
        let again = project.run_ok(&[]);
        assert_eq!(
            again.count("hit"),
            12,
            "round {round}, {verb:?}:\n{}",
            again.output
        );
        project.jalon(&["cache", "verify"]).expect(0);
        // What a killed upload left half done on the remote is found, and sent again.
        project.jalon(&["cache", "push"]).expect(0);
        project
            .jalon(&["cache", "verify", "--remote", "--bytes"])
            .expect(0);
    }
    eprintln!("killed before the end: {interrupted:?}");
    assert!(
        interrupted.len() > 3,
        "hardly anything was tried: {interrupted:?}"
    );
}
