//! Programs, and the processes that they start.

use super::{must_not_run, must_notice, node};
use crate::project::skip;

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
    // The program itself, which nothing reads, and which is not found by its bare name.
    let compile = |from: &str, to: &str| {
        project.edit("reader.c", from, to);
        let built = std::process::Command::new("cc")
            .args(["-static", "-o", "reader", "reader.c"])
            .current_dir(&project.dir)
            .status();
        assert!(built.is_ok_and(|built| built.success()));
    };
    must_notice(
        &project,
        || compile("return 0", "puts(\"end\"); return 0"),
        "2\nend\n",
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

#[test]
fn a_runtime_and_the_library_below_its_prefix() {
    let mut project = node("julia > {{out.o}}");
    let prefix = project.beside("runtime");
    let install = |version: &str, library: &str| {
        for directory in ["bin", "lib"] {
            std::fs::create_dir_all(prefix.join(directory)).unwrap();
        }
        let library_at = prefix.join("lib/base.jl");
        let program = format!(
            "#!/bin/sh\nif [ \"$1\" = --version ]; then echo {version}; else cat {}; fi\n",
            library_at.display()
        );
        std::fs::write(&library_at, library).unwrap();
        std::fs::write(prefix.join("bin/julia"), program).unwrap();
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(prefix.join("bin/julia"), mode).unwrap();
    };
    install("julia version 1.11.1", "one\n");
    let path = std::env::var("PATH").unwrap();
    project.set_env("PATH", &format!("{}:{path}", prefix.join("bin").display()));
    must_notice(
        &project,
        || install("julia version 1.12.0", "two\n"),
        "two\n",
    );
    // The same version installed anew is the same runtime.
    must_not_run(&project, || install("julia version 1.12.0", "two\n"));
}
