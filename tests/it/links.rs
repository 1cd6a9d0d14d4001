//! Symbolic links: nothing is written or removed through one that leaves the project, and what a node links
//! to is a result like any other.

use std::fs;
use std::os::unix::fs::symlink;

use crate::project::Project;

const NODE: &str = r#"
[defaults]
pass_env = ["LOG", "FAR"]
[node.n]
cmd = 'echo n >> "$LOG"; echo new > {{out.x}}'
out = { x = "data/x.txt" }
"#;

/// A directory beside the project with a file in it.
fn far(project: &mut Project) -> std::path::PathBuf {
    let far = project.beside("far");
    fs::create_dir_all(&far).unwrap();
    fs::write(far.join("x.txt"), "theirs\n").unwrap();
    project.set_env("FAR", far.to_str().unwrap());
    far
}

fn is_untouched(far: &std::path::Path) {
    let names: Vec<_> = fs::read_dir(far)
        .unwrap()
        .map(|e| e.unwrap().file_name())
        .collect();
    assert_eq!(names, ["x.txt"]);
    assert_eq!(fs::read_to_string(far.join("x.txt")).unwrap(), "theirs\n");
}

#[test]
fn a_directory_that_leads_away_is_refused_before_anything_runs() {
    let mut project = Project::new(NODE);
    let far = far(&mut project);
    symlink(&far, project.path("data")).unwrap();
    for verb in ["run", "plan", "check"] {
        let reply = project.jalon(&[verb, "--json"]).expect(3).json();
        let error = &reply["error"];
        assert_eq!(error["code"], "outside", "{reply}");
        assert_eq!(error["spans"][0]["line"], 6, "{reply}");
    }
    assert_eq!(project.executed(), [""; 0]);
    is_untouched(&far);
    let text = project.read("jalon.toml");
    project.write(
        "jalon.toml",
        format!("[pipeline]\nallow_outside = true\n{text}"),
    );
    project.run_ok(&[]);
    assert_eq!(project.executed(), ["n"]);
    assert_eq!(fs::read_to_string(far.join("x.txt")).unwrap(), "new\n");
}

#[test]
fn nothing_is_restored_or_removed_through_it() {
    let mut project = Project::new(NODE);
    let far = far(&mut project);
    project.run_ok(&[]);
    project.remove("data");
    symlink(&far, project.path("data")).unwrap();
    project.jalon(&["run"]).expect(3);
    let got = project.jalon(&["get", "x"]);
    assert_ne!(got.code, 0, "{got}");
    is_untouched(&far);
}

#[test]
fn a_directory_that_stays_in_the_project_is_followed() {
    let project = Project::new(NODE);
    fs::create_dir(project.path("real")).unwrap();
    symlink("real", project.path("data")).unwrap();
    project.run_ok(&[]);
    assert_eq!(project.read("real/x.txt"), "new\n");
}

#[test]
fn a_link_that_appears_during_the_run_stops_the_node() {
    let mut project = Project::new(
        r#"
[defaults]
pass_env = ["LOG", "FAR"]
[node.a]
cmd = 'echo 1 > {{out.one}}; ln -s "$FAR" data'
out = { one = "one.txt" }
[node.b]
cmd = 'echo b >> "$LOG"; echo new > {{out.x}}'
in = ["one"]
out = { x = "data/x.txt" }
[node.c]
cmd = 'rmdir out; ln -s "$FAR" out; cat out/x.txt > /dev/null'
out = { z = "out/x.txt" }
"#,
    );
    let far = far(&mut project);
    let run = project.run(&["b"]);
    assert_eq!(run.output.code, 1, "{}", run.output);
    assert_eq!(run.json["error"]["code"], "outside", "{}", run.output);
    assert_eq!(project.executed(), [""; 0]);
    let run = project.run(&["c"]);
    assert_eq!(
        run.output.code, 1,
        "what lies elsewhere is not its output: {}",
        run.output
    );
    assert_eq!(run.json["error"]["code"], "outside", "{}", run.output);
    is_untouched(&far);
}

const LINKING: &str = r#"
[defaults]
pass_env = ["LOG", "FAR"]
[node.n]
cmd = '''echo n >> "$LOG"; mkdir -p versions/5; echo five > versions/5/f
ln -s versions/5/f {{out.file}}; ln -s versions/5 {{out.directory}}'''
[node.n.out]
versions = "versions/"
file = "latest"
directory = "newest/"
"#;

/// What a run leaves and what a hit lays out are the same.
#[test]
fn an_output_that_is_a_link_becomes_what_it_leads_to() {
    let project = Project::new(LINKING);
    let is_right = |when: &str| {
        for path in ["latest", "newest", "newest/f"] {
            let found = project.path(path).symlink_metadata().unwrap();
            assert!(!found.is_symlink(), "{path} {when}");
        }
        assert_eq!(project.read("latest"), "five\n");
        assert_eq!(project.read("newest/f"), "five\n");
    };
    project.run_ok(&[]);
    is_right("after a run");
    project.write("versions/5/f", "changed\n");
    is_right("whatever becomes of what it led to");
    project.remove("latest");
    project.remove("newest");
    project.run_ok(&[]);
    assert_eq!(project.executed(), ["n"]);
    is_right("after a hit");
}

#[test]
fn an_output_that_leads_away_is_refused() {
    let mut project = Project::new(
        r#"
[defaults]
pass_env = ["LOG", "FAR"]
[node.n]
cmd = 'echo n >> "$LOG"; ln -s "$FAR/x.txt" {{out.x}}'
out = { x = "x.txt" }
"#,
    );
    let far = far(&mut project);
    let run = project.run(&[]);
    assert_eq!(run.output.code, 1, "{}", run.output);
    assert_eq!(run.node("n")["error"]["code"], "outside", "{}", run.output);
    is_untouched(&far);
    let text = project.read("jalon.toml");
    project.write(
        "jalon.toml",
        format!("[pipeline]\nallow_outside = true\n{text}"),
    );
    project.run_ok(&[]);
    assert_eq!(project.read("x.txt"), "theirs\n");
    is_untouched(&far);
}
