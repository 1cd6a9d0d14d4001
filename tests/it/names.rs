//! File names of every kind that a file system allows.

use std::os::unix::ffi::OsStrExt;

use crate::project::Project;

#[test]
fn sources_and_outputs_with_strange_names() {
    for name in [
        "with space.txt",
        "quo'te.txt",
        "double\"quote.txt",
        "-dash.txt",
        "dollar$HOME.txt",
        "back`tick`.txt",
        "semi;colon&.txt",
        "ünï¢ødé-日本.txt",
        "new\nline.txt",
        "back\\slash.txt",
        "#hash.txt",
        "percent%20.txt",
    ] {
        let definition = format!(
            "[defaults]\npass_env = [\"LOG\"]\n[source]\nraw = {in_}\n[node.n]\ncmd = 'echo n >> \"$LOG\"; cat < {{{{in.raw}}}} > {{{{out.x}}}}'\nin = [\"raw\"]\nout = {{ x = {out} }}\n",
            in_ = toml(&format!("in/{name}")),
            out = toml(&format!("out/{name}")),
        );
        let project = Project::new(&definition);
        project.write(&format!("in/{name}"), "content\n");
        for _ in 0..2 {
            project.run_ok(&[]);
            assert_eq!(
                project.read(&format!("out/{name}")),
                "content\n",
                "{name:?}"
            );
            assert_eq!(project.executed(), ["n"], "{name:?}");
            project.remove(&format!("out/{name}"));
            project.run_ok(&[]);
            assert_eq!(project.executed(), [""; 0], "{name:?}");
            assert_eq!(
                project.read(&format!("out/{name}")),
                "content\n",
                "{name:?}"
            );
            project.write(&format!("in/{name}"), "content\n");
            project.edit("jalon.toml", "echo ", "echo  ");
        }
    }
}

#[test]
fn any_bytes_inside_a_directory() {
    let project = Project::new(
        r#"
[defaults]
pass_env = ["LOG"]
[source]
raw = "raw/"
[node.n]
cmd = 'echo n >> "$LOG"; cp -R {{in.raw}} {{out.d}}'
in = ["raw"]
out = { d = "d/" }
"#,
    );
    let names: [&[u8]; 5] = [
        b"latin-\xe9.txt",
        b"new\nline",
        b"\x01\x7f",
        b" lead and trail ",
        b"\xff\xfe",
    ];
    project.write("raw/plain", "plain\n");
    for name in names {
        std::fs::write(
            project.path("raw").join(std::ffi::OsStr::from_bytes(name)),
            name,
        )
        .unwrap();
    }
    project.run_ok(&[]);
    project.remove("d");
    project.run_ok(&[]);
    assert_eq!(project.executed(), ["n"]);
    for name in names {
        assert_eq!(
            std::fs::read(project.path("d").join(std::ffi::OsStr::from_bytes(name))).unwrap(),
            name
        );
    }
}

#[test]
fn a_project_in_a_directory_with_a_strange_name() {
    let project = Project::fixture();
    let dir = project.beside("it's a \"place\" $HOME");
    std::fs::rename(&project.dir, &dir).unwrap();
    project.start_in(&dir, &["run"]).wait().expect(0);
    project.start_in(&dir, &["run"]).wait().expect(0);
    assert_eq!(project.executed(), crate::project::FIXTURE_NODES);
}

fn toml(text: &str) -> String {
    // JSON's escapes are TOML's.
    serde_json::to_string(text).unwrap()
}
