//! Directories as sources and as outputs: a tree is as much a value as a file.

use std::os::unix::fs::PermissionsExt;

use crate::project::Project;

const DEFINITION: &str = r#"
[defaults]
pass_env = ["LOG"]
[source]
raw = "raw/"
[node.parts]
cmd = '''echo parts >> "$LOG"; mkdir -p {{out.parts}}/deep/er; for f in $(cd {{in.raw}} && ls); do cp {{in.raw}}/"$f" {{out.parts}}/deep/"$f"; done; echo '#!/bin/sh' > {{out.parts}}/tool; chmod +x {{out.parts}}/tool; ln -s deep {{out.parts}}/link'''
in = ["raw"]
out = { parts = "parts/" }
[node.join]
cmd = 'echo join >> "$LOG"; cat {{in.parts}}/deep/*.txt > {{out.joined}}'
in = ["parts"]
out = { joined = "joined.txt" }
"#;

fn project() -> Project {
    let project = Project::new(DEFINITION);
    project.write("raw/a.txt", "a\n");
    project.write("raw/b.txt", "b\n");
    project
}

#[test]
fn a_directory_is_kept_and_restored_whole() {
    let project = project();
    let first = project.run_ok(&[]);
    assert_eq!(project.executed(), ["join", "parts"]);
    assert_eq!(project.read("joined.txt"), "a\nb\n");
    project.remove("parts");
    project.remove("joined.txt");
    let second = project.run_ok(&[]);
    assert_eq!(project.executed(), [""; 0]);
    assert_eq!(
        first.node("parts")["outputs"],
        second.node("parts")["outputs"]
    );
    assert_eq!(project.read("parts/deep/b.txt"), "b\n");
    assert_eq!(project.read("joined.txt"), "a\nb\n");
    assert_ne!(
        project
            .path("parts/tool")
            .metadata()
            .unwrap()
            .permissions()
            .mode()
            & 0o100,
        0
    );
    assert_eq!(
        project.path("parts/link").read_link().unwrap().to_str(),
        Some("deep")
    );
    assert!(
        project.path("parts/deep/er").is_dir(),
        "an empty directory is part of a tree"
    );
}

#[test]
fn a_file_that_comes_goes_or_changes_is_seen() {
    let project = project();
    project.run_ok(&[]);
    project.executed();
    for (edit, joined) in [
        (
            Box::new(|p: &Project| p.write("raw/c.txt", "c\n")) as Box<dyn Fn(&Project)>,
            "a\nb\nc\n",
        ),
        (Box::new(|p: &Project| p.remove("raw/a.txt")), "b\nc\n"),
        (
            Box::new(|p: &Project| p.write("raw/b.txt", "B\n")),
            "B\nc\n",
        ),
        (
            Box::new(|p: &Project| {
                std::fs::rename(p.path("raw/c.txt"), p.path("raw/d.txt")).unwrap()
            }),
            "B\nc\n",
        ),
    ] {
        edit(&project);
        project.run_ok(&[]);
        assert_eq!(project.executed(), ["join", "parts"]);
        assert_eq!(project.read("joined.txt"), joined);
    }
}

#[test]
fn damage_inside_an_output_is_mended() {
    let project = project();
    project.run_ok(&[]);
    project.executed();
    project.write("parts/deep/a.txt", "spoilt\n");
    project.remove("parts/deep/b.txt");
    project.write("parts/deep/more.txt", "more\n");
    project.run_ok(&[]);
    assert_eq!(project.executed(), [""; 0]);
    assert_eq!(project.read("parts/deep/a.txt"), "a\n");
    assert_eq!(project.read("parts/deep/b.txt"), "b\n");
    assert!(
        !project.exists("parts/deep/more.txt"),
        "a restored tree holds nothing else"
    );
}

#[test]
fn a_glob_source_is_its_matches_in_a_stable_order() {
    let project = Project::new(
        r#"
[defaults]
pass_env = ["LOG"]
[source]
raw = "raw/*.txt"
[node.join]
cmd = 'echo join >> "$LOG"; cat {{in.raw}} > {{out.joined}}'
in = ["raw"]
out = { joined = "joined.txt" }
"#,
    );
    for name in ["b", "a", "c c"] {
        project.write(&format!("raw/{name}.txt"), format!("{name}\n"));
    }
    project.write("raw/not.csv", "1\n");
    project.run_ok(&[]);
    assert_eq!(project.read("joined.txt"), "a\nb\nc c\n");
    project.executed();
    project.write("raw/not.csv", "2\n");
    project.run_ok(&[]);
    assert_eq!(project.executed(), [""; 0]);
    project.write("raw/aa.txt", "aa\n");
    project.run_ok(&[]);
    assert_eq!(project.executed(), ["join"]);
    assert_eq!(project.read("joined.txt"), "a\naa\nb\nc c\n");
    project.remove("raw/b.txt");
    project.run_ok(&[]);
    assert_eq!(project.read("joined.txt"), "a\naa\nc c\n");
}

#[test]
fn an_empty_directory_is_an_output() {
    let project = Project::new(
        "[defaults]\npass_env = [\"LOG\"]\n[node.n]\ncmd = 'echo n >> \"$LOG\"; mkdir {{out.d}}'\nout = { d = \"d/\" }\n",
    );
    project.run_ok(&[]);
    project.remove("d");
    project.run_ok(&[]);
    assert_eq!(project.executed(), ["n"]);
    assert!(project.path("d").is_dir());
}
