//! A secret is in no key, no record, no log, no reply.

use crate::project::{Project, files_below};

const SECRET: &str = "hunter2-correct-horse";

fn project() -> Project {
    let mut project = Project::new(
        r#"
[defaults]
pass_env = ["LOG"]
[node.load]
cmd = '''echo load >> "$LOG"; echo "using $DB_URL"; echo "really $DB_URL" >&2; printf %s "$DB_URL" | wc -c > {{out.n}}; sh fail.sh'''
code = ["fail.sh"]
secrets = ["DB_URL"]
out = { n = "n.txt" }
[finally.note]
cmd = 'echo "$DB_URL"'
secrets = ["DB_URL"]
[[hook]]
on = ["*"]
run = ["sh", "-c", "cat >> \"$0\"", "HOOKLOG"]
"#,
    );
    let log = project.beside("hooks").to_str().unwrap().to_owned();
    project.edit("jalon.toml", "HOOKLOG", &log);
    project.write("fail.sh", "exit 0\n");
    project.set_env("DB_URL", SECRET);
    project
}

fn assert_nowhere(project: &Project) {
    for directory in [
        project.dir.clone(),
        project.beside("home"),
        project.beside("tmp"),
    ] {
        for file in files_below(&directory) {
            let bytes = std::fs::read(&file).unwrap();
            assert!(
                !contains(&bytes, SECRET.as_bytes()),
                "the secret is in {}",
                file.display()
            );
        }
    }
    let hooks = std::fs::read(project.beside("hooks")).unwrap_or_default();
    assert!(
        !contains(&hooks, SECRET.as_bytes()),
        "the secret was told to a hook"
    );
}

fn contains(bytes: &[u8], needle: &[u8]) -> bool {
    bytes.windows(needle.len()).any(|window| window == needle)
}

#[test]
fn it_is_visible_to_the_node_and_to_nothing_else() {
    let project = project();
    for args in [
        &["run", "-v", "--plain", "--events", "events.jsonl"][..],
        &["run", "--json"],
        &["plan", "--json"],
        &["explain", "load", "--json"],
        &["log"],
        &["report", "--markdown"],
    ] {
        let output = project.jalon(args);
        assert!(!output.all().contains(SECRET), "{output}");
        assert_nowhere(&project);
    }
    assert_eq!(project.read("n.txt").trim(), SECRET.len().to_string());
}

#[test]
fn its_value_is_not_in_the_key() {
    let mut project = project();
    let first = project.run_ok(&[]);
    project.set_env("DB_URL", "another secret of another length");
    let second = project.run_ok(&[]);
    assert_eq!(project.executed(), ["load"]);
    assert_eq!(first.node("load")["key"], second.node("load")["key"]);
}

#[test]
fn a_failing_node_does_not_tell_it() {
    let project = project();
    project.write("fail.sh", "echo \"cannot reach $DB_URL\" >&2; exit 1\n");
    for args in [&["run", "--plain"][..], &["run", "--json"], &["run", "-v"]] {
        let output = project.jalon(args).expect(1);
        assert!(!output.all().contains(SECRET), "{output}");
        assert_nowhere(&project);
    }
}

#[test]
fn it_is_masked_also_where_lines_and_chunks_break_it() {
    let project = project();
    project.write(
        "fail.sh",
        "printf 'x%.0s' $(seq 1 4090); printf '%s' \"$DB_URL\"; printf '%s' \"$DB_URL\" | fold -w 5 >/dev/null; \
         printf '%s' \"${DB_URL%-*}\"; sleep 0.2; printf '%s\\n' \"-${DB_URL##*-}\"\n",
    );
    let output = project.jalon(&["run", "--plain", "-v"]).expect(0);
    assert!(!output.all().contains(SECRET), "{output}");
    assert_eq!(project.executed(), ["load"]);
    assert_nowhere(&project);
}

#[test]
fn a_missing_one_is_said_before_anything_runs() {
    let mut project = project();
    project.edit(
        "jalon.toml",
        "secrets = [\"DB_URL\"]\nout",
        "secrets = [\"DB_URL\", \"ABSENT_TOKEN\"]\nout",
    );
    let output = project.jalon(&["run"]).expect(7);
    assert!(output.stderr.contains("ABSENT_TOKEN"), "{output}");
    assert_eq!(project.executed(), [""; 0]);
    project.set_env("ABSENT_TOKEN", "present");
    project.jalon(&["run"]).expect(0);
}

#[test]
fn only_what_is_named_is_visible() {
    let mut project = Project::new(
        r#"
[node.show]
cmd = 'env | sort > {{out.env}}'
env = { SHOWN = "yes" }
pass_env = ["PASSED"]
out = { env = "env.txt" }
"#,
    );
    project.set_env("PASSED", "passed");
    project.set_env("HIDDEN", "hidden");
    project.set_env("LC_TIME", "C");
    project.run_ok(&[]);
    let seen = project.read("env.txt");
    for line in ["SHOWN=yes", "PASSED=passed", "LC_TIME=C"] {
        assert!(seen.lines().any(|seen| seen == line), "{line} in\n{seen}");
    }
    assert!(seen.contains("PATH=") && seen.contains("HOME="));
    assert!(!seen.contains("HIDDEN"), "{seen}");
}
