//! Symbolic links: where they lead, and what is reached through them.

use super::{must_not_run, must_notice, node, settled, with_default};
use crate::project::Project;

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
fn what_is_read_from_wherever_it_has_gone() {
    for (command, place) in [
        (
            "cat data > /dev/null; (cd sub; cat data) > {{out.o}}",
            "sub/data",
        ),
        (
            "(cd sub; cat data) > /dev/null; cat data > {{out.o}}",
            "data",
        ),
        (
            "cat data > /dev/null; cd sub; cd ..; cat sub/data > {{out.o}}",
            "sub/data",
        ),
        (
            "python3 -c \"import os; open(\\\"data\\\").read(); os.fchdir(os.open(\\\"sub\\\", os.O_RDONLY)); print(open(\\\"data\\\").read(), end=\\\"\\\")\" > {{out.o}}",
            "sub/data",
        ),
    ] {
        let project = node(command);
        for place in ["data", "sub/data"] {
            project.write(place, format!("{place} one\n"));
        }
        must_notice(&project, || project.write(place, "two\n"), "two\n");
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
