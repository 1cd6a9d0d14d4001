//! Ctrl-C and SIGTERM end a run in order: children gone, `finally` run, a complete record, resumable.

use std::time::{Duration, Instant};

use crate::project::{Output, Project, wait_until};

const DEFINITION: &str = r#"
[defaults]
pass_env = ["LOG", "PIDS"]
[node.quick]
cmd = 'echo quick >> "$LOG"; echo 1 > {{out.q}}'
out = { q = "q" }
[node.slow]
cmd = 'echo slow >> "$LOG"; sleep 600 & echo $! >> "$PIDS"; echo $$ >> "$PIDS"; sh wait.sh; cat {{in.q}} > {{out.s}}'
code = ["wait.sh"]
in = ["q"]
out = { s = "s" }
[node.later]
cmd = 'echo later >> "$LOG"; cat {{in.s}} > {{out.l}}'
in = ["s"]
out = { l = "l" }
[finally.note]
cmd = 'echo "finally {{run.status}}" >> "$LOG"; printf "%s" "$JALON_FINAL_STATUS" > "$LOG.status"'
"#;

fn project() -> Project {
    let mut project = Project::new(DEFINITION);
    let pids = project.beside("pids");
    project.set_env("PIDS", pids.to_str().unwrap());
    project.write("wait.sh", "sleep 600\n");
    project
}

fn children(project: &Project) -> Vec<u32> {
    let text = std::fs::read_to_string(project.beside("pids")).unwrap_or_default();
    text.lines()
        .filter_map(|line| line.trim().parse().ok())
        .collect()
}

fn interrupt(project: &Project, signal: &str) -> Output {
    let running = project.start(&["run", "--json", "--events", "events.jsonl"]);
    wait_until("the slow node runs", || children(project).len() == 2);
    running.signal(signal);
    let start = Instant::now();
    let output = running.wait();
    assert!(
        start.elapsed() < Duration::from_secs(20),
        "it took {:?}",
        start.elapsed()
    );
    output
}

#[test]
fn each_signal_has_its_exit_code_and_leaves_order() {
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let project = project();
        let output = interrupt(&project, signal).expect(code);
        let reply = output.json();
        assert_eq!(reply["status"], "interrupted", "{output}");
        for child in children(&project) {
            wait_until("the node's processes are gone", || {
                !std::path::Path::new(&format!("/proc/{child}")).exists()
            });
        }
        assert_eq!(
            project.executed(),
            ["finally interrupted", "quick", "slow"],
            "{output}"
        );
        let status: serde_json::Value = serde_json::from_str(
            &std::fs::read_to_string(project.beside("executed.status")).unwrap(),
        )
        .unwrap();
        assert_eq!(status["state"], "CANCELLED", "{status}");

        let events = project.read("events.jsonl");
        let of = |name: &str| {
            events
                .lines()
                .filter(|line| {
                    serde_json::from_str::<serde_json::Value>(line).unwrap()["event"] == name
                })
                .count()
        };
        assert_eq!(of("run.finished"), 1, "{events}");
        assert_eq!(of("node.succeeded"), 1, "{events}");
        assert!(
            !project.exists("s"),
            "what an interrupted node wrote is not passed off as its output"
        );
    }
}

#[test]
fn the_next_run_resumes() {
    let project = project();
    interrupt(&project, "INT");
    project.executed();
    project.write("wait.sh", "true\n");
    let run = project.run_ok(&[]);
    assert_eq!(project.executed(), ["finally succeeded", "later", "slow"]);
    run.assert(&[("quick", "hit"), ("slow", "ran"), ("later", "ran")]);
    for child in children(&project) {
        crate::project::signal(child, "KILL");
    }
}

/// A node that ignores the polite signal is not waited for for ever.
#[test]
fn a_deaf_node_is_killed() {
    let project = project();
    project.write(
        "wait.sh",
        "trap '' INT TERM; for i in $(seq 600); do sleep 1; done\n",
    );
    let running = project.start(&["run"]);
    wait_until("the slow node runs", || children(&project).len() == 2);
    std::thread::sleep(Duration::from_millis(200));
    running.signal("INT");
    std::thread::sleep(Duration::from_millis(300));
    running.signal("INT");
    let start = Instant::now();
    running.wait().expect(130);
    assert!(
        start.elapsed() < Duration::from_secs(15),
        "the second signal kills, but it took {:?}",
        start.elapsed()
    );
    for child in children(&project) {
        wait_until("the node's processes are gone", || {
            !std::path::Path::new(&format!("/proc/{child}")).exists()
        });
    }
}

#[test]
fn an_interrupted_run_is_in_the_log() {
    let project = project();
    interrupt(&project, "TERM");
    let output = project.jalon(&["log"]).expect(0);
    assert!(output.stdout.contains("interrupted"), "{output}");
}

const POLITE: &str = r#"
[defaults]
pass_env = ["LOG"]
[node.n]
cmd = '''trap "exit 0" TERM; echo n >> "$LOG"; echo half > {{out.x}}
while [ ! -e whole ]; do sleep 0.02; done; echo whole >> {{out.x}}'''
out = { x = "x" }
"#;

/// A node that stops amid its work when it is asked to, and calls that success, has not succeeded.
#[test]
fn half_of_the_work_is_no_result() {
    let project = Project::new(POLITE);
    let running = project.start(&["run"]);
    wait_until("half is written", || project.exists("x"));
    running.signal("TERM");
    running.wait().expect(143);
    project.write("whole", "");
    project.run_ok(&[]);
    assert_eq!(project.executed(), ["n", "n"]);
    assert_eq!(project.read("x"), "half\nwhole\n");
}

#[test]
fn half_of_the_work_in_all_the_time_is_no_result() {
    let project = Project::new(&POLITE.replace("[node.n]", "[node.n]\ntimeout = \"500ms\""));
    let run = project.run(&[]);
    assert_eq!(run.output.code, 1, "{}", run.output);
    assert_eq!(run.node("n")["error"]["code"], "timeout", "{}", run.output);
}
