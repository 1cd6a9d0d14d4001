//! Timeouts, retries by cause, and pools that are never overdrawn.

use std::time::{Duration, Instant};

use crate::project::{Project, wait_until};

#[test]
fn a_timeout_ends_the_whole_process_group() {
    let project = Project::new(
        r#"
[node.slow]
cmd = 'sleep 600 & echo $! > "$PIDS"; sleep 600'
pass_env = ["PIDS"]
timeout = "1s"
out = { x = "x" }
"#,
    );
    let mut project = project;
    let pids = project.beside("pids");
    project.set_env("PIDS", pids.to_str().unwrap());
    let start = Instant::now();
    let run = project.run(&[]);
    assert_eq!(run.output.code, 1, "{}", run.output);
    assert!(
        start.elapsed() < Duration::from_secs(20),
        "{:?}",
        start.elapsed()
    );
    run.assert(&[("slow", "failed")]);
    let child: u32 = std::fs::read_to_string(pids)
        .unwrap()
        .trim()
        .parse()
        .unwrap();
    wait_until("the background child is gone", || !alive(child));
    let text = project.jalon(&["run", "--plain"]).all();
    assert!(
        text.contains("timeout") || text.contains("timed out") || text.contains("longer than"),
        "{text}"
    );
}

/// A node that fails twice, each time in the same way, and then succeeds.
fn flaky(failure: &str, on: &str, max: u32) -> Project {
    let definition = format!(
        r#"
[defaults]
pass_env = ["LOG"]
[node.flaky]
cmd = 'echo flaky >> "$LOG"; if [ "$(grep -c flaky "$LOG")" -lt 3 ]; then {failure}; fi; echo made > {{{{out.x}}}}'
timeout = "1s"
retries = {{ max = {max}, on = {on}, wait = "10ms" }}
out = {{ x = "x" }}
"#
    );
    Project::new(&definition)
}

#[test]
fn a_cause_that_is_named_is_retried() {
    for (failure, on) in [
        ("exit 75", "[\"exit:75\"]"),
        ("sleep 60", "[\"timeout\"]"),
        ("kill -SEGV $$", "[\"signal\"]"),
        ("exit 3", "[\"any\"]"),
    ] {
        let project = flaky(failure, on, 2);
        let run = project.run_ok(&[]);
        assert_eq!(
            run.node("flaky")["attempts"],
            3,
            "{failure}: {}",
            run.output
        );
        assert_eq!(project.executed().len(), 3);
    }
}

#[test]
fn another_cause_is_not() {
    for (failure, on) in [
        ("exit 3", "[\"exit:75\", \"timeout\", \"oom\"]"),
        ("exit 75", "[\"timeout\"]"),
    ] {
        let project = flaky(failure, on, 2);
        let run = project.run(&[]);
        assert_eq!(run.output.code, 1, "{}", run.output);
        assert_eq!(
            run.node("flaky")["attempts"],
            1,
            "{failure}: {}",
            run.output
        );
        assert_eq!(project.executed().len(), 1);
    }
}

#[test]
fn attempts_have_an_end() {
    let project = flaky("exit 75", "[\"exit:75\"]", 1);
    let run = project.run(&[]);
    assert_eq!(run.output.code, 1);
    assert_eq!(run.node("flaky")["attempts"], 2, "{}", run.output);
}

/// Eight nodes that each note how many of them are there at once.
fn crowd(resources: &str) -> Project {
    let definition = format!(
        r#"
[node.n]
matrix = {{ i = [1, 2, 3, 4, 5, 6, 7, 8] }}
cmd = 'mkdir "$HALL/{{{{matrix}}}}"; ls "$HALL" | wc -l >> "$SEEN"; sleep 0.05; rmdir "$HALL/{{{{matrix}}}}"; echo > {{{{out.x}}}}'
pass_env = ["HALL", "SEEN"]
{resources}
out = {{ x = "x/{{{{matrix}}}}" }}
"#
    );
    let mut project = Project::new(&definition);
    let (hall, seen) = (project.beside("hall"), project.beside("seen"));
    std::fs::create_dir_all(&hall).unwrap();
    project.set_env("HALL", hall.to_str().unwrap());
    project.set_env("SEEN", seen.to_str().unwrap());
    project
}

fn most_at_once(project: &Project, args: &[&str]) -> u32 {
    project.run_ok(args);
    let seen = std::fs::read_to_string(project.beside("seen")).unwrap();
    seen.lines()
        .map(|line| line.trim().parse().unwrap())
        .max()
        .unwrap()
}

#[test]
fn jobs_are_the_limit() {
    assert_eq!(most_at_once(&crowd(""), &["-j", "1"]), 1);
    assert!(most_at_once(&crowd(""), &["-j", "4"]) <= 4);
}

#[test]
fn nodes_do_run_at_once() {
    assert!(
        most_at_once(&crowd(""), &["-j", "2"]) >= 2,
        "two jobs, eight nodes of 50 ms"
    );
}

#[test]
fn a_pool_is_never_overdrawn() {
    assert_eq!(
        most_at_once(&crowd("resources = { licence = 1 }"), &["-j", "4"]),
        1
    );
    assert_eq!(
        most_at_once(&crowd("resources = { cpu = 2 }"), &["-j", "2"]),
        1
    );
}

#[test]
fn what_the_machine_has_not_is_an_error_before_anything_runs() {
    for resources in ["cpu = 100000", "mem = \"900TiB\""] {
        let definition = format!(
            "[defaults]\npass_env = [\"LOG\"]\n[node.a]\ncmd = 'echo a >> \"$LOG\"; echo > {{{{out.x}}}}'\nout = {{ x = \"x\" }}\n\
             [node.b]\ncmd = 'echo > {{{{out.y}}}}'\nresources = {{ {resources} }}\nout = {{ y = \"y\" }}\n"
        );
        let project = Project::new(&definition);
        let error = project.jalon(&["run", "--json"]).expect(3).json();
        assert_eq!(error["error"]["spans"][0]["line"], 8, "{error}");
        assert_eq!(project.executed(), [""; 0]);
    }
}

fn alive(process: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    stat.rsplit(") ")
        .next()
        .is_some_and(|rest| !rest.is_empty() && !rest.starts_with('Z'))
}
