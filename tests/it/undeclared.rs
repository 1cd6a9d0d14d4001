//! Never stale: whatever a node was seen to use counts, whether anybody declared it or not. One test for
//! each way in which a result can depend on something; docs/TRACING.md has them as a table beside other tools.

use crate::project::{Project, skip};

/// One node that runs a command and declares nothing but its output.
fn node(command: &str) -> Project {
    let definition = format!(
        "[defaults]\npass_env = [\"LOG\"]\n\n[node.n]\ncmd = '''echo n >> \"$LOG\"; {command}'''\nout = {{ o = \"o.txt\" }}\n"
    );
    Project::new(&definition)
}

/// Runs, is settled, is changed by `edit`, must run again and give `after`, and is settled again.
fn must_notice(project: &Project, edit: impl FnOnce(), after: &str) {
    settled(project);
    edit();
    let run = project.run_ok(&[]);
    assert_eq!(
        project.executed(),
        ["n"],
        "the edit was not noticed: {}",
        run.output
    );
    assert_eq!(project.read("o.txt"), after);
    settled(project);
}

/// A second run has nothing to do.
fn settled(project: &Project) {
    project.run_ok(&[]);
    project.executed();
    let run = project.run_ok(&[]);
    assert_eq!(
        project.executed(),
        [""; 0],
        "it runs again with nothing changed: {}",
        run.output
    );
}

/// After an edit that cannot matter nothing runs.
fn must_not_run(project: &Project, edit: impl FnOnce()) {
    settled(project);
    edit();
    let run = project.run_ok(&[]);
    assert_eq!(
        project.executed(),
        [""; 0],
        "it runs for nothing: {}",
        run.output
    );
}

#[test]
fn a_data_file() {
    let project = node("cat extra.csv > {{out.o}}");
    project.write("extra.csv", "1\n");
    must_notice(&project, || project.write("extra.csv", "2\n"), "2\n");
    let run = project.run_ok(&[]);
    assert_eq!(
        run.json["nodes"][0]["undeclared"],
        serde_json::json!(["extra.csv"])
    );
    assert_eq!(run.json["nodes"][0]["traced"], "full");
}

#[test]
fn an_edit_taken_back_is_a_hit() {
    let project = node("cat extra.csv > {{out.o}}");
    project.write("extra.csv", "1\n");
    must_notice(&project, || project.write("extra.csv", "2\n"), "2\n");
    must_not_run(&project, || project.write("extra.csv", "1\n"));
    assert_eq!(project.read("o.txt"), "1\n");
}

#[test]
fn a_file_that_appears() {
    let project =
        node("if [ -e override.cfg ]; then cat override.cfg; else echo default; fi > {{out.o}}");
    must_notice(
        &project,
        || project.write("override.cfg", "mine\n"),
        "mine\n",
    );
    // That was known before.
    must_not_run(&project, || project.remove("override.cfg"));
    assert_eq!(project.read("o.txt"), "default\n");
}

#[test]
fn a_size_that_is_only_asked_for() {
    let project = node("if [ -s flag ]; then echo full; else echo empty; fi > {{out.o}}");
    project.write("flag", "");
    must_notice(&project, || project.write("flag", "x"), "full\n");
    must_not_run(&project, || project.write("flag", "y"));
}

#[test]
fn names_in_a_directory() {
    let project = node("ls parts > {{out.o}}");
    project.write("parts/a", "");
    must_notice(&project, || project.write("parts/b", ""), "a\nb\n");
    must_not_run(&project, || project.write("parts/a", "other bytes"));
}

#[test]
fn what_a_glob_of_the_shell_finds() {
    let project = node("cat parts/*.txt > {{out.o}}");
    project.write("parts/a.txt", "a\n");
    must_notice(&project, || project.write("parts/b.txt", "b\n"), "a\nb\n");
}

#[test]
fn a_sourced_script_and_what_it_sources() {
    let project = node(". ./lib/first.sh; greet > {{out.o}}");
    project.write("lib/first.sh", ". ./lib/second.sh\n");
    project.write("lib/second.sh", "greet() { echo hello; }\n");
    must_notice(
        &project,
        || project.edit("lib/second.sh", "hello", "goodbye"),
        "goodbye\n",
    );
}

#[test]
fn which_file_is_read_may_depend_on_another() {
    let project = node("cat \"$(cat which)\" > {{out.o}}");
    project.write("which", "one");
    project.write("one", "1\n");
    project.write("two", "2\n");
    must_not_run(&project, || project.write("two", "22\n"));
    must_notice(&project, || project.write("which", "two"), "22\n");
    must_notice(&project, || project.write("two", "222\n"), "222\n");
    must_not_run(&project, || project.write("one", "11\n"));
}

#[test]
fn a_link_that_leads_elsewhere() {
    let project = node("cat current/data > {{out.o}}");
    project.write("v1/data", "one\n");
    project.write("v2/data", "two\n");
    let link = |to: &str| {
        let _ = std::fs::remove_file(project.path("current"));
        std::os::unix::fs::symlink(to, project.path("current")).unwrap();
    };
    link("v1");
    must_notice(&project, || link("v2"), "two\n");
    must_notice(&project, || project.write("v2/data", "three\n"), "three\n");
    must_not_run(&project, || project.write("v1/data", "other\n"));
}

#[test]
fn what_a_link_says() {
    let project = node("readlink current > {{out.o}}");
    let link = |to: &str| {
        let _ = std::fs::remove_file(project.path("current"));
        std::os::unix::fs::symlink(to, project.path("current")).unwrap();
    };
    link("v1");
    must_notice(&project, || link("v2"), "v2\n");
}

#[test]
fn processes_of_processes() {
    let project = node("sh -c \"sh -c 'cat deep.txt'\" > {{out.o}}");
    project.write("deep.txt", "1\n");
    must_notice(&project, || project.write("deep.txt", "2\n"), "2\n");
}

#[test]
fn another_working_directory() {
    let project = node("(cd sub/deeper && cat ../near.txt) > {{out.o}}");
    project.write("sub/near.txt", "1\n");
    project.write("sub/deeper/x", "");
    must_notice(&project, || project.write("sub/near.txt", "2\n"), "2\n");
}

#[test]
fn a_program_of_the_project() {
    let project = node("./tool > {{out.o}}");
    let tool = |text: &str| {
        project.write("tool", format!("#!/bin/sh\necho {text}\n"));
        project.set_executable("tool");
    };
    tool("one");
    must_notice(&project, || tool("two"), "two\n");
}

#[test]
fn the_interpreter_that_a_script_names() {
    let project = node("./run.me > {{out.o}}");
    let interpreter = |text: &str| {
        project.write("interpreter", format!("#!/bin/sh\necho {text}\n"));
        project.set_executable("interpreter");
    };
    interpreter("one");
    let place = project.path("interpreter");
    project.write("run.me", format!("#!{}\n", place.display()));
    project.set_executable("run.me");
    // A script cannot interpret a script, so the shell takes over; what it read counts all the same.
    project.run(&[]);
    project.executed();
    interpreter("two");
    project.run(&[]);
    assert_eq!(project.executed(), ["n"]);
}

#[test]
fn a_program_that_is_linked_statically() {
    let project = node("./reader > {{out.o}}");
    project.write(
        "reader.c",
        "#include <stdio.h>\nint main(void) { int c; FILE *f = fopen(\"data.bin\", \"r\"); while ((c = getc(f)) != EOF) putchar(c); return 0; }\n",
    );
    let built = std::process::Command::new("cc")
        .args(["-static", "-o", "reader", "reader.c"])
        .current_dir(&project.dir)
        .output();
    if !built.is_ok_and(|built| built.status.success()) {
        return skip("a static program is traced: no C compiler with a static C library");
    }
    project.write("data.bin", "1\n");
    must_notice(&project, || project.write("data.bin", "2\n"), "2\n");
}

#[test]
fn a_module_that_a_script_imports() {
    let project = node("python3 src/main.py > {{out.o}}");
    project.write("src/main.py", "import helper\nprint(helper.value())\n");
    project.write("src/helper.py", "def value():\n    return 1\n");
    // Of another size each time: Python itself takes byte code of the same second and size for the source's.
    must_notice(
        &project,
        || project.edit("src/helper.py", "1", "22"),
        "22\n",
    );
    // Twice, for the second time byte code is read in place of the source.
    must_notice(
        &project,
        || project.edit("src/helper.py", "22", "333"),
        "333\n",
    );
}

#[test]
fn the_init_of_a_package() {
    let project = node("python3 main.py > {{out.o}}");
    project.write(
        "main.py",
        "import pkg.part\nprint(pkg.SCALE * pkg.part.BASE)\n",
    );
    project.write("pkg/__init__.py", "SCALE = 2\n");
    project.write("pkg/part.py", "BASE = 10\n");
    must_notice(
        &project,
        || project.edit("pkg/__init__.py", "2", "3"),
        "30\n",
    );
}

#[test]
fn a_module_that_shadows_another() {
    let project = node("python3 src/main.py > {{out.o}}");
    project.write(
        "src/main.py",
        "import colorsys\nprint(getattr(colorsys, 'MINE', 'library'))\n",
    );
    must_notice(
        &project,
        || project.write("src/colorsys.py", "MINE = 'shadow'\n"),
        "shadow\n",
    );
}

#[test]
fn a_module_that_was_looked_for_and_not_found() {
    let project = node("python3 src/main.py > {{out.o}}");
    project.write(
        "src/main.py",
        "try:\n    import speedups\n    print(speedups.NAME)\nexcept ImportError:\n    print('slow')\n",
    );
    must_notice(
        &project,
        || project.write("src/speedups.py", "NAME = 'fast'\n"),
        "fast\n",
    );
}

#[test]
fn a_new_script_beside_the_old_ones_concerns_nobody() {
    let project = node("python3 src/main.py > {{out.o}}");
    project.write("src/main.py", "import helper\nprint(helper.VALUE)\n");
    project.write("src/helper.py", "VALUE = 1\n");
    must_not_run(&project, || {
        project.write("src/another.py", "print('unrelated')\n")
    });
}

#[test]
fn names_that_python_itself_lists_count() {
    let project = node("python3 src/main.py > {{out.o}}");
    project.write(
        "src/main.py",
        "import os\nprint(sorted(n for n in os.listdir('src') if n.endswith('.py')))\n",
    );
    must_notice(
        &project,
        || project.write("src/another.py", ""),
        "['another.py', 'main.py']\n",
    );
}

#[test]
fn python_that_takes_no_observer_is_less_precise_and_never_wrong() {
    let project = node("python3 -I main.py > {{out.o}}");
    project.write(
        "main.py",
        "import sys\nsys.path.insert(0, 'lib')\nimport helper\nprint(helper.VALUE)\n",
    );
    project.write("lib/helper.py", "VALUE = 1\n");
    must_notice(
        &project,
        || project.edit("lib/helper.py", "1", "22"),
        "22\n",
    );
    must_notice(&project, || project.write("lib/new.py", ""), "22\n");
}

#[test]
fn what_pythonpath_names() {
    let mut project = node("python3 main.py > {{out.o}}");
    project.write("main.py", "import helper\nprint(helper.VALUE)\n");
    project.write("one/helper.py", "VALUE = 1\n");
    project.write("two/helper.py", "VALUE = 2\n");
    project.set_env("PYTHONPATH", "one");
    settled(&project);
    project.set_env("PYTHONPATH", "two");
    project.run_ok(&[]);
    assert_eq!(project.executed(), ["n"]);
    assert_eq!(project.read("o.txt"), "2\n");
    must_notice(
        &project,
        || project.edit("two/helper.py", "2", "33"),
        "33\n",
    );
}

#[test]
fn the_environment_that_a_node_sees_is_what_the_contract_says() {
    let project = node("env | cut -d= -f1 | sort > {{out.o}}");
    project.run_ok(&[]);
    let seen = project.read("o.txt");
    let names: Vec<&str> = seen
        .lines()
        .filter(|name| !["PWD", "_", "SHLVL", "OLDPWD"].contains(name))
        .collect();
    assert_eq!(names, ["HOME", "LOG", "PATH", "TMPDIR"]);
    let python = node("python3 -c 'import os; print(sorted(os.environ))' > {{out.o}}");
    python.run_ok(&[]);
    assert!(
        !python.read("o.txt").contains("PYTHONPATH"),
        "{}",
        python.read("o.txt")
    );
}

#[test]
fn an_edit_in_the_same_second_that_keeps_size_and_time() {
    let project = node("cat extra.csv > {{out.o}}");
    project.write("extra.csv", "1\n");
    let stamp = std::fs::metadata(project.path("extra.csv"))
        .unwrap()
        .modified()
        .unwrap();
    must_notice(
        &project,
        || {
            project.write("extra.csv", "2\n");
            let file = std::fs::File::options()
                .write(true)
                .open(project.path("extra.csv"))
                .unwrap();
            file.set_modified(stamp).unwrap();
        },
        "2\n",
    );
}

#[test]
fn names_of_any_bytes() {
    use std::os::unix::ffi::OsStrExt;
    let project = node("cat strange/* > {{out.o}}");
    let name = std::ffi::OsStr::from_bytes(b"a 'b\" \xff\n");
    std::fs::create_dir(project.path("strange")).unwrap();
    let file = project.path("strange").join(name);
    std::fs::write(&file, "1\n").unwrap();
    must_notice(&project, || std::fs::write(&file, "2\n").unwrap(), "2\n");
}

#[test]
fn temporary_files_stand_for_nothing() {
    let project = node(
        "t=$(mktemp); date +%N > \"$t\"; cat \"$t\" > /dev/null; mkdir scratch; date > scratch/x; cat scratch/x > /dev/null; rm -r scratch \"$t\"; echo done > {{out.o}}",
    );
    settled(&project);
    settled(&project);
}

#[test]
fn a_clone_with_a_shared_store_gets_the_truth() {
    let project = node("python3 main.py > {{out.o}}").with_store();
    project.write("main.py", "import helper\nprint(helper.SCORE)\n");
    project.write("helper.py", "SCORE = 1.0\n");
    let clone = project.copy();
    // The experiment that was never committed.
    project.edit("helper.py", "1.0", "0.306");
    project.run_ok(&[]);
    assert_eq!(project.read("o.txt"), "0.306\n");
    project.edit("helper.py", "0.306", "1.0");
    clone.run_ok(&[]);
    assert_eq!(clone.read("o.txt"), "1.0\n");
    project.executed();
    project.run_ok(&[]);
    assert_eq!(
        project.executed(),
        [""; 0],
        "what the clone computed is shared"
    );
    assert_eq!(project.read("o.txt"), "1.0\n");
}

#[test]
fn two_clones_share_what_was_observed() {
    let project = node("cat extra.csv > {{out.o}}; ls parts >> {{out.o}}").with_store();
    project.write("extra.csv", "1\n");
    project.write("parts/a", "");
    let clone = project.copy();
    project.run_ok(&[]);
    project.executed();
    clone.run_ok(&[]);
    assert_eq!(project.executed(), [""; 0]);
    assert_eq!(clone.read("o.txt"), "1\na\n");
}

#[test]
fn the_commit_that_is_checked_out() {
    let project = node("git rev-parse HEAD > {{out.o}}");
    let git = |args: &[&str]| {
        let done = std::process::Command::new("git")
            .args(["-c", "user.name=t", "-c", "user.email=t@example.com"])
            .args(args)
            .current_dir(&project.dir)
            .output()
            .expect("git starts");
        String::from_utf8(done.stdout).unwrap()
    };
    git(&["init", "-q"]);
    git(&["commit", "-q", "--allow-empty", "-m", "one"]);
    must_not_run(&project, || drop(git(&["status"])));
    git(&["commit", "-q", "--allow-empty", "-m", "two"]);
    project.run_ok(&[]);
    assert_eq!(project.executed(), ["n"]);
    assert_eq!(project.read("o.txt"), git(&["rev-parse", "HEAD"]));
}

#[test]
fn a_tools_cache_that_the_definition_names() {
    let project =
        node("date +%N >> log/tool.log; cat log/tool.log > /dev/null; echo done > {{out.o}}");
    project.write("log/keep", "");
    let run = project.run_ok(&[]);
    assert_eq!(run.notices(), ["undeclared-write"], "{}", run.output);
    let definition = project.read("jalon.toml");
    project.write(
        "jalon.toml",
        format!("[pipeline]\ncaches = [\"log\"]\n{definition}"),
    );
    settled(&project);
}

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
fn what_a_hit_could_not_do_again_is_not_kept() {
    let project = node("echo x > side.txt; echo done > {{out.o}}");
    let run = project.run_ok(&[]);
    assert_eq!(run.notices(), ["undeclared-write"], "{}", run.output);
    project.run_ok(&[]);
    assert_eq!(project.executed(), ["n", "n"]);
}

/// The definition with a setting for all nodes.
fn with_default(project: &Project, setting: &str) -> String {
    let definition = project.read("jalon.toml");
    definition.replace("pass_env", &format!("{setting}\npass_env"))
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
fn a_module_that_was_looked_for_by_a_computed_name() {
    let project = node("python3 src/main.py > {{out.o}}");
    project.write(
        "src/main.py",
        "import importlib\ntry:\n    print(importlib.import_module('plug' + 'in').NAME)\nexcept ImportError:\n    print('none')\n",
    );
    must_notice(
        &project,
        || project.write("src/plugin.py", "NAME = 'one'\n"),
        "one\n",
    );
}

#[test]
fn a_file_behind_a_descriptor() {
    let project = node("exec 7< parts; cat /proc/self/fd/7/a.txt > {{out.o}}");
    project.write("parts/a.txt", "1\n");
    must_notice(&project, || project.write("parts/a.txt", "2\n"), "2\n");
}

#[test]
fn what_is_appended_to_and_then_read() {
    let project = node(
        "d=\"$HOME/state\"; echo x >> \"$d\"; wc -l < \"$d\" > {{out.o}}; echo fixed > \"$d\"",
    );
    std::fs::write(project.beside("home/state"), "1\n2\n").unwrap();
    project.run_ok(&[]);
    project.executed();
    std::fs::write(project.beside("home/state"), "1\n2\n3\n").unwrap();
    project.run_ok(&[]);
    assert_eq!(project.executed(), ["n"]);
    assert_eq!(project.read("o.txt").trim(), "4");
}

fn retarget(project: &Project, to: &str) {
    let _ = std::fs::remove_file(project.path("current"));
    std::os::unix::fs::symlink(to, project.path("current")).unwrap();
}

#[test]
fn a_link_that_is_gone_through_in_any_way() {
    for command in [
        "(cd current && cat data) > {{out.o}}",
        "cat current/sub/../data > {{out.o}}",
        "tar -cf - -C current . | tar -xOf - ./data > {{out.o}}",
        "grep -rh . current/ > {{out.o}}",
        "python3 -c \"import os; os.chdir(\\\"current\\\"); print(open(\\\"data\\\").read(), end=\\\"\\\")\" > {{out.o}}",
    ] {
        let project = node(command);
        for (version, text) in [("v1", "one\n"), ("v2", "two\n")] {
            project.write(&format!("{version}/data"), text);
            project.write(&format!("{version}/sub/x"), "");
        }
        retarget(&project, "v1");
        must_notice(&project, || retarget(&project, "v2"), "two\n");
    }
}

#[test]
fn a_directory_that_could_not_be_entered() {
    let project = node("(cd opt 2>/dev/null && echo there || echo away) > {{out.o}}");
    must_notice(
        &project,
        || std::fs::create_dir(project.path("opt")).unwrap(),
        "there\n",
    );
}

#[test]
fn what_a_link_of_its_own_leads_to() {
    let command =
        "ln -sf \"$PWD/extra.csv\" \"$TMPDIR/l\"; cat \"$TMPDIR/l\" > {{out.o}}; rm \"$TMPDIR/l\"";
    let project = node(command);
    project.write("extra.csv", "1\n");
    must_notice(&project, || project.write("extra.csv", "2\n"), "2\n");
    let isolated = node(command);
    isolated.write("extra.csv", "1\n");
    isolated.write(
        "jalon.toml",
        with_default(&isolated, "isolation = \"strict\""),
    );
    assert_eq!(isolated.run(&[]).output.code, 1);
}

#[test]
fn an_output_or_an_input_that_lies_behind_a_link() {
    let project = node("cat current/data > o2/x; echo done > {{out.o}}");
    let definition = project.read("jalon.toml");
    project.write(
        "jalon.toml",
        definition.replace(
            "out = { o = \"o.txt\" }",
            "in = [\"d\"]\nout = { o = \"o.txt\", x = \"o2/x\" }",
        ) + "[source]\nd = \"current/data\"\n",
    );
    project.write("v1/data", "one\n");
    project.write("real/keep", "");
    retarget(&project, "v1");
    std::os::unix::fs::symlink("real", project.path("o2")).unwrap();
    let run = project.run_ok(&[]);
    assert_eq!(run.notices(), [""; 0], "{}", run.output);
    settled(&project);
    assert_eq!(project.read("real/x"), "one\n");
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

#[test]
fn a_directory_of_the_project_that_is_only_called_like_one_of_packages() {
    let project = node("cat layer/lib/python3.11/site-packages/foo.py > {{out.o}}");
    project.write("layer/lib/python3.11/site-packages/foo.py", "1\n");
    must_notice(
        &project,
        || project.write("layer/lib/python3.11/site-packages/foo.py", "2\n"),
        "2\n",
    );
}

#[test]
fn byte_code_without_a_source() {
    let project = node(
        "python3 -c \"import sys; sys.path.insert(0, \\\"lib\\\"); import helper; print(helper.V)\" > {{out.o}}",
    );
    let compile = |value: &str| {
        project.write("helper.py", format!("V = {value}\n"));
        std::fs::create_dir_all(project.path("lib")).unwrap();
        let done = std::process::Command::new("python3")
            .args([
                "-c",
                "import py_compile; py_compile.compile('helper.py', cfile='lib/helper.pyc')",
            ])
            .current_dir(&project.dir)
            .status();
        assert!(done.is_ok_and(|done| done.success()));
        project.remove("helper.py");
    };
    compile("1");
    must_notice(&project, || compile("2"), "2\n");
}

#[test]
fn a_pipe_in_place_of_a_program_holds_nothing_up() {
    let project = node("./f 2>/dev/null || echo none > {{out.o}}");
    let made = std::process::Command::new("mkfifo")
        .args(["-m", "755", "f"])
        .current_dir(&project.dir)
        .status();
    assert!(made.is_ok_and(|made| made.success()));
    project.run_ok(&[]);
    assert_eq!(project.read("o.txt"), "none\n");
}

#[test]
fn what_an_administrator_installed() {
    let place = std::path::Path::new("/usr/local/share/jalon-test");
    let file = place.join(format!("data-{}", std::process::id()));
    if std::fs::create_dir_all(place)
        .and_then(|()| std::fs::write(&file, "1\n"))
        .is_err()
    {
        return skip("files below /usr/local count: they cannot be written here");
    }
    let project = node(&format!("cat {} > {{{{out.o}}}}", file.display()));
    must_notice(&project, || std::fs::write(&file, "2\n").unwrap(), "2\n");
    let _ = std::fs::remove_file(&file);
    let _ = std::fs::remove_dir(place);
}
