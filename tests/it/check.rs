//! `jalon check` and its options: what outcomes rest on, declared, repeated, and held against what is installed.

use std::os::unix::fs::symlink;
use std::process::Command;

use serde_json::{Value, json};

use crate::project::Project;
use crate::schema::assert_valid;

/// Two nodes read a table that nobody declares; one of them a matrix that also reads a script.
const UNDECLARED: &str = r#"# A pipeline.
[pipeline]
name = "undeclared"

[defaults]
pass_env = ["LOG"]

[node.first] # the first
cmd  = 'echo first >> "$LOG"; cat lookup.csv notes.cfg > {{out.one}}; ls parts >> {{out.one}}; [ ! -e missing ]'
code = [
  "first.sh", # not read at all
]
out  = { one = "one.txt" }

[node.second]
matrix = { k = ["a", "b"] }
cmd = '''echo second >> "$LOG"; . ./second.sh; cat lookup.csv > {{out.two}}'''
out = { two = "two-{{matrix}}.txt" }
"#;

fn undeclared() -> Project {
    let project = Project::new(UNDECLARED);
    project.write("lookup.csv", "1\n");
    project.write("notes.cfg", "x\n");
    project.write("parts/p", "");
    project.write("first.sh", "");
    project.write("second.sh", "true\n");
    project
}

fn node<'a>(answer: &'a Value, name: &str) -> &'a Value {
    let nodes = answer["nodes"].as_array().unwrap();
    let found = nodes.iter().find(|node| node["node"] == name);
    found.unwrap_or_else(|| panic!("no {name}: {answer:#}"))
}

#[test]
fn trace_says_what_each_node_rests_on() {
    let project = undeclared();
    let never = project.json(&["check", "--trace", "--json"]);
    assert_valid(&never);
    assert_eq!(node(&never, "first")["run"], Value::Null);
    project.run_ok(&[]);
    // The newest run that had a node counts, not the last run.
    project.run_ok(&["one"]);
    let answer = project.json(&["check", "--trace", "--json"]);
    assert_valid(&answer);
    let first = node(&answer, "first");
    assert_eq!(first["traced"], "full");
    assert_eq!(first["undeclared"], json!(["lookup.csv", "notes.cfg"]));
    assert_eq!(first["listings"], json!(["parts"]));
    assert!(first["absent"].as_u64().unwrap() >= 1, "{first}");
    assert_eq!(first["host_bound"], false);
    let second = node(&answer, "second[b]");
    assert_eq!(second["undeclared"], json!(["lookup.csv", "second.sh"]));
    assert_eq!(
        answer["declare"],
        json!({
            "sources": {"lookup": "lookup.csv"},
            "nodes": [
                {"node": "first", "code": ["notes.cfg"], "in": ["lookup"]},
                {"node": "second", "code": ["second.sh"], "in": ["lookup"]},
            ],
            "left": [],
        })
    );
    let screen = project.jalon(&["check", "--trace"]).expect(0).stdout;
    for line in [
        "first",
        "2 undeclared",
        "1 directory listed",
        "reads lookup.csv",
        "[source]\nlookup = \"lookup.csv\"",
        "[node.second]\ncode = [\"second.sh\"]\nin = [\"lookup\"]",
    ] {
        assert!(screen.contains(line), "{line:?} is not in\n{screen}");
    }
    assert!(!screen.contains("lists parts"), "{screen}");
    let more = project.jalon(&["check", "--trace", "-v"]).expect(0).stdout;
    assert!(more.contains("lists parts"), "{more}");
}

#[test]
fn trace_tells_what_binds_to_a_host_and_what_was_not_seen() {
    let project = Project::new(
        "[node.home]\ncmd = 'cat \"$HOME/settings\" > {{out.h}}'\nout = { h = 'h' }\npass_env = ['HOME']\n\
         [node.blind]\ncmd = 'cat data > {{out.b}}'\nout = { b = 'b' }\nisolation = 'none'\n",
    );
    project.write("data", "1\n");
    std::fs::write(project.beside("home").join("settings"), "1\n").unwrap();
    project.run_ok(&[]);
    let answer = project.json(&["check", "--trace", "--json"]);
    assert_valid(&answer);
    let home = node(&answer, "home");
    assert_eq!(
        (&home["host_bound"], &home["bound_by"]),
        (&json!(true), &json!(["~/settings"]))
    );
    let blind = node(&answer, "blind");
    assert_eq!(blind["traced"], "none");
    assert_ne!(blind["notes"], json!([]), "it says why");
    let screen = project.jalon(&["check", "--trace"]).expect(0).stdout;
    assert!(screen.contains("its reads are not known"), "{screen}");
    assert!(screen.contains("bound by ~/settings"), "{screen}");
}

#[test]
fn fix_declares_and_a_second_time_there_is_nothing_to_declare() {
    let project = undeclared();
    project.run_ok(&[]);
    project.executed();
    let fixed = project.jalon(&["check", "--fix"]).expect(0);
    assert!(fixed.stdout.contains("+lookup = \"lookup.csv\""), "{fixed}");
    assert!(
        fixed.stderr.contains("run once more: first, second"),
        "{fixed}"
    );
    let text = project.read("jalon.toml");
    let expected = UNDECLARED
        .replace(
            "[node.first]",
            "[source]\nlookup = \"lookup.csv\"\n\n[node.first]",
        )
        .replace(
            "  \"first.sh\", # not read at all\n",
            "  \"first.sh\", # not read at all\n  \"notes.cfg\",\n",
        )
        .replace("\"one.txt\" }\n", "\"one.txt\" }\nin   = [\"lookup\"]\n")
        .replace(
            "\"two-{{matrix}}.txt\" }\n",
            "\"two-{{matrix}}.txt\" }\ncode = [\"second.sh\"]\nin = [\"lookup\"]\n",
        );
    assert_eq!(text, expected);
    // What is declared is declared, also before the nodes ran again.
    let again = project.json(&["check", "--fix", "--json"]);
    assert_valid(&again);
    assert_eq!(again["changed"], false);
    assert_eq!(project.read("jalon.toml"), text);
    project.run_ok(&[]);
    assert_eq!(project.executed(), ["first", "second", "second"]);
    let run = project.run_ok(&[]);
    assert_eq!(project.executed(), [""; 0]);
    assert_eq!(run.node("first")["undeclared"], json!([]));
    let nothing = project.jalon(&["check", "--trace", "--fix"]).expect(0);
    assert!(nothing.stdout.contains("nothing to declare"), "{nothing}");
}

#[test]
fn fix_leaves_what_it_cannot_write_and_files_that_are_links() {
    let project = undeclared();
    project.edit("jalon.toml", "notes.cfg", "'odd[1].csv' gone.cfg");
    let name = "odd[1].csv";
    project.edit("jalon.toml", "'odd[1].csv'", "odd?1?.csv");
    project.write(name, "x\n");
    project.write("gone.cfg", "x\n");
    project.run_ok(&[]);
    project.remove("gone.cfg");
    std::fs::rename(project.path("jalon.toml"), project.path("real.toml")).unwrap();
    symlink("real.toml", project.path("jalon.toml")).unwrap();
    let answer = project.json(&["check", "--fix", "--json"]);
    assert_valid(&answer);
    assert_eq!(answer["changed"], true);
    let left: Vec<&Value> = answer["declared"]["left"]
        .as_array()
        .unwrap()
        .iter()
        .map(|left| &left["path"])
        .collect();
    assert_eq!(left, ["gone.cfg", name]);
    assert!(project.path("jalon.toml").is_symlink());
    assert!(project.read("real.toml").contains("second.sh\"]"));
    project.jalon(&["check"]).expect(0);
}

#[test]
fn fix_says_where_an_environment_stands_over_it() {
    let project = undeclared();
    let over = "\n[env.ci.node.second]\ncode = []\n";
    project.write("jalon.toml", project.read("jalon.toml") + over);
    project.run_ok(&["--env", "ci"]);
    for changed in [true, false] {
        let answer = project.json(&["check", "--fix", "--env", "ci", "--json"]);
        assert_eq!(answer["changed"], changed);
        let left = &answer["declared"]["left"];
        assert_eq!(
            (&left[0]["node"], &left[0]["path"]),
            (&json!("second"), &json!("second.sh"))
        );
    }
}

/// `stable` gives the same bytes each time, `random` others, `after` reads what `random` gave.
const REPEATED: &str = r#"
[pipeline]
name = "repeated"

[defaults]
pass_env = ["LOG"]

[node.stable]
cmd = 'echo stable >> "$LOG"; echo 1 > {{out.s}}'
out = { s = "s.txt" }

[node.random]
cmd = '''echo random >> "$LOG"; printf '{"a": {"b": [1, "%s"]}}\n' "$(od -An -N8 -tx1 /dev/urandom)" > {{out.r}}'''
out = { r = "r.json" }

[node.after]
cmd = 'echo after >> "$LOG"; cat {{in.r}} > {{out.f}}'
in = ["r"]
out = { f = "f.txt" }

[finally.told]
cmd = 'echo finally >> "$LOG"'

[[hook]]
on = ["*"]
run = ["sh", "-c", "echo hook > hooked"]
"#;

fn repeated() -> Project {
    let project = Project::new(REPEATED);
    project.run_ok(&[]);
    project.executed();
    project.remove("hooked");
    project
}

#[test]
fn the_same_bytes_confirm_an_outcome() {
    let project = repeated();
    for times in 1..3 {
        let answer = project
            .jalon(&["check", "--repeat", "stable", "--json"])
            .expect(0)
            .json();
        assert_valid(&answer);
        assert_eq!(answer["equal"], true);
        assert_eq!(node(&answer, "stable")["confirmed"], times);
        assert_eq!(
            project.executed(),
            ["stable"],
            "no hook, no finally, nothing else"
        );
        let shown = project.json(&["show", "s", "--json"]);
        assert_eq!(shown["attestation"]["confirmed"], times);
    }
    assert!(!project.exists("hooked"));
    let screen = project
        .jalon(&["check", "--repeat", "stable"])
        .expect(0)
        .stdout;
    assert!(
        screen.contains("stable  gave the same bytes, 3 times by now"),
        "{screen}"
    );
    let shown = project.jalon(&["show", "s"]).expect(0).stdout;
    assert!(shown.contains("confirmed 3 times"), "{shown}");
}

#[test]
fn other_bytes_are_told_and_the_earlier_outcome_stands() {
    let project = repeated();
    let before = project.read("r.json");
    let logged = project.jalon(&["log"]).stdout;
    let answer = project
        .jalon(&["check", "--repeat", "random", "after", "--json"])
        .expect(1)
        .json();
    assert_valid(&answer);
    let random = node(&answer, "random");
    assert_eq!(
        (&random["status"], &random["confirmed"]),
        (&json!("differs"), &Value::Null)
    );
    let difference = &random["outputs"][0]["difference"];
    assert_eq!(
        (&difference["format"], &difference["place"]),
        (&json!("json"), &json!("a.b[1]"))
    );
    assert_ne!(difference["old"], difference["new"]);
    // It read what was kept, not what just came out.
    assert_eq!(node(&answer, "after")["status"], "same");
    assert_eq!(project.read("r.json"), before);
    assert_eq!(
        project.jalon(&["log"]).stdout,
        logged,
        "a repetition is no run"
    );
    project.executed();
    project.run_ok(&[]);
    assert_eq!(project.executed(), ["finally"], "nothing became invalid");
    let screen = project
        .jalon(&["check", "--repeat", "random"])
        .expect(1)
        .stdout;
    assert!(screen.contains("r  r.json: a.b[1]: "), "{screen}");
}

#[test]
fn what_cannot_be_repeated_is_not_run() {
    let project = Project::new(REPEATED);
    project.jalon(&["check", "--repeat", "nothing"]).expect(4);
    let never = project.jalon(&["check", "--repeat", "stable"]).expect(4);
    assert!(never.stderr.contains("jalon run 'stable'"), "{never}");
    project.run_ok(&[]);
    project.edit("jalon.toml", "echo 1 >", "echo 2 >");
    project.executed();
    project
        .jalon(&["check", "--repeat", "random", "stable"])
        .expect(4);
    assert_eq!(project.executed(), [""; 0]);
}

#[test]
fn a_repetition_that_fails_leaves_what_was_there() {
    let project = Project::new(
        "[defaults]\npass_env = ['LOG']\n[node.n]\ncmd = '[ ! -e \"$LOG\" ]; echo 1 > {{out.o}}; echo n > \"$LOG\"'\nout = { o = 'o.txt' }\n",
    );
    project.run_ok(&[]);
    let answer = project
        .jalon(&["check", "--repeat", "n", "--json"])
        .expect(1)
        .json();
    assert_valid(&answer);
    assert_eq!(node(&answer, "n")["status"], "failed");
    assert_eq!(project.read("o.txt"), "1\n");
    let run = project.run_ok(&[]);
    assert_eq!(run.node("n")["status"], "hit");
}

#[test]
fn directories_and_outputs_that_are_not_kept() {
    let project = Project::new(
        r#"
[node.tree]
cmd = 'mkdir -p {{out.d}}/b; echo 1 > {{out.d}}/a; od -An -N8 -tx1 /dev/urandom > {{out.d}}/b/c; echo 1 > {{out.d}}/d'
out = { d = "d/" }
[node.brief]
cmd = 'od -An -N8 -tx1 /dev/urandom > {{out.e}}'
out = { e = { path = "e.txt", keep = "run" } }
"#,
    );
    project.run_ok(&[]);
    let before = project.read("d/b/c");
    let answer = project
        .jalon(&["check", "--repeat", "tree", "brief", "--json"])
        .expect(1)
        .json();
    assert_valid(&answer);
    let tree = &node(&answer, "tree")["outputs"][0];
    assert_eq!(tree["difference"]["within"], json!(["b/c"]));
    assert_eq!(project.read("d/b/c"), before);
    let brief = &node(&answer, "brief")["outputs"][0];
    assert_eq!(
        (&brief["equal"], &brief["kept"]),
        (&json!(false), &json!(false))
    );
    assert!(!project.exists("e.txt"), "an ephemeral output goes");
}

#[test]
fn a_package_is_what_its_record_says() {
    let project = Project::new(
        "[node.n]\ncmd = '.venv/bin/python main.py > {{out.o}}'\nout = { o = 'o.txt' }\n",
    );
    let found = Command::new("python3")
        .args([
            "-c",
            "import sys; print(sys._base_executable); print('python%d.%d' % sys.version_info[:2])",
        ])
        .output()
        .unwrap();
    let found = String::from_utf8(found.stdout).unwrap();
    let (python, version) = found.trim().split_once('\n').unwrap();
    let site = format!(".venv/lib/{version}/site-packages");
    project.write(
        ".venv/pyvenv.cfg",
        format!(
            "home = {}\ninclude-system-site-packages = false\n",
            python.rsplit_once('/').unwrap().0
        ),
    );
    std::fs::create_dir_all(project.path(".venv/bin")).unwrap();
    symlink(python, project.path(".venv/bin/python")).unwrap();
    project.write(&format!("{site}/tally/__init__.py"), "VALUE = 1\n");
    project.write(&format!("{site}/tally/extra.py"), "");
    project.write(
        &format!("{site}/tally-1.0.dist-info/METADATA"),
        "Name: tally\nVersion: 1.0\n",
    );
    // Of `VALUE = 1` with a line's end, and of nothing.
    let record = "tally/__init__.py,sha256=INIT,10\n\
                  tally/extra.py,sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU,0\n\
                  tally-1.0.dist-info/RECORD,,\n"
        .replace("INIT", INIT);
    project.write(&format!("{site}/tally-1.0.dist-info/RECORD"), record);
    project.write("main.py", "import tally\nprint(tally.VALUE)\n");
    project.run_ok(&[]);
    let clean = project
        .jalon(&["check", "--deep", "--json"])
        .expect(0)
        .json();
    assert_valid(&clean);
    assert_eq!(clean["clean"], true);
    let tally = |answer: &Value| {
        let packages = answer["packages"].as_array().unwrap().clone();
        let found = packages.into_iter().find(|one| one["name"] == "tally");
        found.unwrap_or_else(|| panic!("{answer:#}"))
    };
    assert_eq!(
        (&tally(&clean)["files"], &tally(&clean)["version"]),
        (&json!(2), &json!("1.0"))
    );
    project.write(&format!("{site}/tally/__init__.py"), "VALUE = 2\n");
    project.remove(&format!("{site}/tally/extra.py"));
    let answer = project
        .jalon(&["check", "--deep", "--json"])
        .expect(1)
        .json();
    assert_valid(&answer);
    let wrong = tally(&answer)["wrong"].clone();
    assert_eq!(
        (&wrong[0]["what"], &wrong[1]["what"]),
        (&json!("changed"), &json!("missing"))
    );
    let screen = project.jalon(&["check", "--deep"]).expect(1).stdout;
    assert!(
        screen.contains("changed") && screen.contains("2 not as installed"),
        "{screen}"
    );
}

/// SHA-256 of `VALUE = 1` with a line's end, as RECORD writes it.
const INIT: &str = "4T34xEr13qHkEkA5ELmcxaSPLMv2imazN01quc75_GU";

#[test]
fn options_that_exclude_each_other() {
    let project = Project::new(REPEATED);
    project.jalon(&["check", "--deep", "--fix"]).expect(2);
    project
        .jalon(&["check", "--trace", "--repeat", "stable"])
        .expect(2);
}
