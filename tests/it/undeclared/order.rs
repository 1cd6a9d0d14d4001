//! What a node may not do in silence: another's output, a stray file, more than it declares.

use super::{must_notice, node, settled, with_default};
use crate::project::Project;

/// Two nodes; the second uses the first's output without a word.
fn trespasser(extra: &str, command: &str) -> Project {
    let definition = format!(
        r#"
[defaults]
pass_env = ["LOG"]
[node.a]
cmd = 'echo a >> "$LOG"; cat base.txt > {{{{out.a}}}}'
out = {{ a = "data/a.txt" }}
[node.b]
cmd = 'echo b >> "$LOG"; ({command}) > {{{{out.b}}}}'
out = {{ b = "b.txt" }}
{extra}
"#
    );
    let project = Project::new(&definition);
    project.write("base.txt", "1\n");
    project
}

#[test]
fn another_nodes_output_is_no_luck() {
    for command in [
        "cat data/a.txt",
        "[ -e data/a.txt ]; echo $?",
        "cp -r data \"$TMPDIR\"; cat \"$TMPDIR/data/a.txt\"",
    ] {
        let project = trespasser("", command);
        let run = project.run(&["-j", "1"]);
        assert_eq!(run.output.code, 1, "{command}: {}", run.output);
        let error = run.node("b")["error"].to_string();
        for word in [
            "undeclared-dependency",
            "data/a.txt",
            "output of a",
            "after",
        ] {
            assert!(error.contains(word), "{command}: {word} is not in {error}");
        }
    }
}

#[test]
fn an_order_without_data_lets_it_read_and_follows_it() {
    let project = trespasser("after = [\"a\"]", "cat data/a.txt");
    project.run_ok(&[]);
    assert_eq!(project.executed(), ["a", "b"]);
    project.run_ok(&[]);
    assert_eq!(project.executed(), [""; 0]);
    project.write("base.txt", "2\n");
    let plan = project.json(&["plan", "--json"]);
    assert_eq!(plan["nodes"][1]["verdict"], "maybe", "{plan:#}");
    project.run_ok(&[]);
    assert_eq!(project.executed(), ["a", "b"]);
    assert_eq!(project.read("b.txt"), "2\n");
    // The first is known, and its bytes are laid out for the second, which runs.
    project.remove("data/a.txt");
    project.edit("jalon.toml", "cat data/a.txt", "cat data/a.txt data/a.txt");
    project.run_ok(&[]);
    assert_eq!(project.executed(), ["b"]);
    assert_eq!(project.read("b.txt"), "2\n2\n");
}

#[test]
fn what_it_only_comes_after_is_made_again_where_its_bytes_are_gone() {
    let project = trespasser("after = [\"a\"]", "cat data/a.txt || echo none; echo end");
    project.edit(
        "jalon.toml",
        "\"data/a.txt\" }",
        "{ path = \"data/a.txt\", keep = \"run\" } }",
    );
    project.run_ok(&[]);
    assert_eq!(project.executed(), ["a", "b"]);
    assert_eq!(project.read("b.txt"), "1\nend\n");
    project.run_ok(&[]);
    assert_eq!(project.executed(), [""; 0]);
    // That it reads there is known from before: made first.
    let plan = project.json(&["plan", "--json", "--force", "b"]);
    assert_eq!(plan["nodes"][0]["verdict"], "run", "{plan:#}");
    let run = project.run_ok(&["--force", "b"]);
    assert_eq!(project.executed_in_order(), ["a", "b"], "{}", run.output);
    assert_eq!(project.read("b.txt"), "1\nend\n");
    // Of another command nothing is known: it runs, is found out, and runs again.
    project.edit("jalon.toml", "echo none", "echo nothing");
    let run = project.run_ok(&[]);
    assert_eq!(
        project.executed_in_order(),
        ["b", "a", "b"],
        "{}",
        run.output
    );
    assert_eq!(run.notices(), ["undeclared-dependency"], "{}", run.output);
    assert_eq!(project.read("b.txt"), "1\nend\n");
    project.run_ok(&[]);
    assert_eq!(project.executed(), [""; 0]);
}

#[test]
fn what_a_hit_could_not_do_again_is_not_kept() {
    let project = node("echo x > side.txt; echo done > {{out.o}}");
    let run = project.run_ok(&[]);
    assert_eq!(run.notices(), ["undeclared-write"], "{}", run.output);
    project.run_ok(&[]);
    assert_eq!(project.executed(), ["n", "n"]);
}

#[test]
fn an_undeclared_read_that_is_forbidden() {
    let project = node("cat extra.csv > {{out.o}}");
    project.write("extra.csv", "1\n");
    let warned = with_default(&project, "undeclared = \"warn\"");
    let forbidden = with_default(&project, "undeclared = \"error\"");
    project.write("jalon.toml", warned);
    assert_eq!(project.run_ok(&[]).notices(), ["undeclared-read"]);
    project.write("jalon.toml", &forbidden);
    let run = project.run(&["--force", "n"]);
    assert_eq!(run.output.code, 1);
    let help = run.node("n")["error"]["help"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    assert!(help.contains("code = [\"extra.csv\"]"), "{}", run.output);
    project.write("jalon.toml", forbidden + "code = [\"extra.csv\"]\n");
    project.run_ok(&[]);
}

#[test]
fn strict_shows_a_node_what_it_declares() {
    let project = node("cat extra.csv > {{out.o}} || echo none > {{out.o}}");
    project.write("extra.csv", "1\n");
    let strict = with_default(&project, "isolation = \"strict\"");
    project.write("jalon.toml", &strict);
    let run = project.run(&[]);
    assert_eq!(run.output.code, 1, "{}", run.output);
    let error = run.node("n")["error"].to_string();
    assert!(
        error.contains("refused extra.csv") && error.contains("code = "),
        "{error}"
    );
    project.write("jalon.toml", strict + "code = [\"extra.csv\"]\n");
    project.run_ok(&[]);
    assert_eq!(project.read("o.txt"), "1\n");
}

#[test]
fn strict_python_with_all_its_modules_declared() {
    let project = node("python3 src/main.py > {{out.o}}");
    project.write(
        "src/main.py",
        "import json, helper\nprint(json.dumps(helper.VALUE))\n",
    );
    project.write("src/helper.py", "VALUE = [1]\n");
    let strict = with_default(&project, "isolation = \"strict\"");
    project.write("jalon.toml", format!("{strict}code = [\"src/main.py\"]\n"));
    let run = project.run(&[]);
    assert_eq!(run.output.code, 1);
    assert!(
        run.node("n")["error"].to_string().contains("src/helper.py"),
        "{}",
        run.output
    );
    project.write("jalon.toml", format!("{strict}code = [\"src/*.py\"]\n"));
    settled(&project);
}

#[test]
fn isolation_that_is_switched_off_is_said() {
    let project = node("cat extra.csv > {{out.o}}");
    project.write("extra.csv", "1\n");
    project.write("jalon.toml", with_default(&project, "isolation = \"none\""));
    let run = project.run_ok(&[]);
    assert_eq!(run.node("n")["traced"], "none");
    assert_eq!(run.notices(), ["untraced"]);
}

#[test]
fn a_node_that_reads_other_paths_each_time() {
    let project = node(
        "cat \"few/$(od -An -N1 -tu1 /dev/urandom | tr -d \" \")\" > /dev/null; cat extra.csv > {{out.o}}",
    );
    for number in 0..256 {
        project.write(&format!("few/{number}"), "");
    }
    project.write("extra.csv", "1\n");
    let merged = (0..14).position(|_| {
        let run = project.run_ok(&["--force", "n"]);
        run.notices().contains(&"many-path-sets".to_owned())
    });
    assert!(
        merged.is_some_and(|round| round >= 7),
        "merged in round {merged:?}"
    );
    project.executed();
    must_notice(&project, || project.write("extra.csv", "2\n"), "2\n");
}

#[test]
fn an_input_that_changes_and_changes_back() {
    let mut project = node(
        "cat raw.txt > {{out.o}}; touch \"$GATE.reached\"; while [ ! -e \"$GATE\" ]; do sleep 0.02; done",
    );
    let definition = project
        .read("jalon.toml")
        .replace("[\"LOG\"]", "[\"LOG\", \"GATE\"]");
    project.write(
        "jalon.toml",
        definition.replace("out = ", "in = [\"raw\"]\nout = ") + "[source]\nraw = \"raw.txt\"\n",
    );
    project.write("raw.txt", "1\n");
    let gate = project.beside("gate");
    project.set_env("GATE", gate.to_str().unwrap());
    let running = project.start(&["run", "--json"]);
    crate::project::wait_until("the node has read", || {
        project.beside("gate.reached").exists()
    });
    project.write("raw.txt", "2\n");
    project.write("raw.txt", "1\n");
    std::fs::write(&gate, "").unwrap();
    let output = running.wait().expect(0);
    assert!(output.to_string().contains("input-moved"), "{output}");
    project.executed();
    project.run_ok(&[]);
    assert_eq!(project.executed(), ["n"]);
}
