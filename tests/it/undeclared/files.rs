//! Files and directories: content, size, names, absence.

use super::{must_not_run, must_notice, node, settled};
use crate::project::{is_root, skip};

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

/// `fstat` of today is a `stat` that may have an empty path: not everything that may has one.
#[test]
fn a_file_that_is_asked_for_as_if_its_path_might_be_empty() {
    for (directory, flags) in [("-100", "0x1000"), ("os.open('.', os.O_RDONLY)", "0x1100")] {
        let project = node("python3 src/main.py > {{out.o}}");
        project.write(
            "src/main.py",
            format!(
                "import ctypes, os\nfind = ctypes.CDLL(None).fstatat\nfound = ctypes.create_string_buffer(256)\n\
                 print(find({directory}, b'flag', found, {flags}))\n"
            ),
        );
        must_notice(&project, || project.write("flag", ""), "0\n");
    }
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

#[test]
fn a_directory_that_is_moved_away_and_back() {
    let project =
        node("(cat parts/a 2>/dev/null || echo gone) > {{out.o}}; ls parts >> {{out.o}} || :");
    project.write("parts/a", "1\n");
    let rename = |from: &str, to: &str| {
        std::fs::rename(project.path(from), project.path(to)).expect("a directory is renamed");
    };
    must_notice(&project, || rename("parts", "elsewhere"), "gone\n");
    must_not_run(&project, || rename("elsewhere", "parts"));
    assert_eq!(project.read("o.txt"), "1\na\n");
    // Another one takes its place.
    project.write("other/b", "2\n");
    must_notice(
        &project,
        || {
            rename("parts", "elsewhere");
            rename("other", "parts");
        },
        "gone\nb\n",
    );
}

#[test]
fn whether_a_file_may_be_executed() {
    let project = node("(./tool.sh 2>/dev/null || echo refused) > {{out.o}}");
    project.write("tool.sh", "#!/bin/sh\necho done\n");
    let mode = |mode: u32| {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(project.path("tool.sh"), mode).expect("it is ours");
    };
    mode(0o644);
    must_notice(&project, || mode(0o755), "done\n");
    must_not_run(&project, || mode(0o644));
    assert_eq!(project.read("o.txt"), "refused\n");
    must_not_run(&project, || mode(0o755));
    // Who else may read it is of no account.
    must_not_run(&project, || mode(0o700));
}

#[test]
fn a_file_that_may_not_be_read() {
    if is_root() {
        return skip("a file without the right to read it counts: root may read everything");
    }
    let project = node("(cat secret.txt 2>/dev/null || echo refused) > {{out.o}}");
    project.write("secret.txt", "1\n");
    let mode = |mode: u32| {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(project.path("secret.txt"), mode).expect("it is ours");
    };
    mode(0o000);
    project.run_ok(&[]);
    assert_eq!(project.read("o.txt"), "refused\n");
    project.executed();
    mode(0o644);
    project.run_ok(&[]);
    assert_eq!(project.executed(), ["n"]);
    assert_eq!(project.read("o.txt"), "1\n");
}
