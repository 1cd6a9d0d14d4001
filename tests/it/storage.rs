//! Stores in every condition: damaged, vanished, read-only, full. A run goes on, and hands out nothing false.

use std::process::Command;

use crate::project::{Project, files_below, is_root, skip};

/// What the fixture gives.
fn expected() -> &'static (String, String) {
    static EXPECTED: std::sync::OnceLock<(String, String)> = std::sync::OnceLock::new();
    EXPECTED.get_or_init(|| outputs(&fixture_that_ran()))
}

fn fixture_that_ran() -> Project {
    let project = Project::fixture();
    project.run_ok(&[]);
    project
}

fn outputs(project: &Project) -> (String, String) {
    (project.read("joined.txt"), project.read("metrics.json"))
}

/// After some damage: the run succeeds, what it leaves is right, and the next one is at rest.
fn recovers(project: &Project, what: &str) -> Result<(), String> {
    let run = project.run(&[]);
    if run.output.code != 0 {
        return Err(format!("{what}: the run fails:\n{}", run.output));
    }
    let found = outputs(project);
    if found != *expected() {
        return Err(format!("{what}: wrong: {found:?}"));
    }
    project.executed();
    let run = project.run(&[]);
    let again = project.executed();
    if run.output.code != 0 || !again.is_empty() {
        return Err(format!(
            "{what}: the run after it executes {again:?}:\n{}",
            run.output
        ));
    }
    Ok(())
}

/// All that went wrong, at once.
#[track_caller]
fn assert_all(results: Vec<Result<(), String>>) {
    let count = results.len();
    let wrong: Vec<String> = results.into_iter().filter_map(Result::err).collect();
    assert!(
        wrong.is_empty(),
        "{} of {count}:\n\n{}",
        wrong.len(),
        wrong.join("\n\n")
    );
}

fn forget_outputs(project: &Project) {
    for output in ["data", "models", "joined.txt", "metrics.json"] {
        if project.exists(output) {
            project.remove(output);
        }
    }
}

fn writable(path: &std::path::Path) {
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    std::fs::set_permissions(path, mode).unwrap();
}

#[test]
fn a_flipped_byte_anywhere() {
    let mut project = fixture_that_ran();
    let mut results = Vec::new();
    let count = files_below(&project.path(".jalon")).len();
    for index in 0..count {
        let Some(file) = files_below(&project.path(".jalon")).into_iter().nth(index) else {
            break;
        };
        let mut bytes = std::fs::read(&file).unwrap();
        if bytes.is_empty() {
            continue;
        }
        for at in [0, bytes.len() / 2, bytes.len() - 1] {
            bytes[at] ^= 0x20;
        }
        writable(&file);
        std::fs::write(&file, bytes).unwrap();
        forget_outputs(&project);
        let name = file
            .strip_prefix(&project.dir)
            .unwrap()
            .display()
            .to_string();
        results.push(recovers(&project, &format!("damaged {name}")));
        if results.last().is_some_and(Result::is_err) {
            project = fixture_that_ran();
        }
    }
    assert_all(results);
}

#[test]
fn damage_everywhere_at_once() {
    type Spoil = fn(&mut Vec<u8>);
    let mut results = Vec::new();
    let ways: [(&str, Spoil); 4] = [
        ("cut in half", |bytes| bytes.truncate(bytes.len() / 2)),
        ("emptied", |bytes| bytes.clear()),
        ("zeroed", |bytes| bytes.fill(0)),
        ("grown", |bytes| bytes.extend_from_slice(b"more")),
    ];
    for (what, spoil, marker) in ways
        .iter()
        .flat_map(|way| [(way.0, way.1, true), (way.0, way.1, false)])
    {
        let project = fixture_that_ran();
        for file in files_below(&project.path(".jalon")) {
            if !marker && file.file_name().is_some_and(|name| name == "FORMAT") {
                continue;
            }
            let mut bytes = std::fs::read(&file).unwrap();
            spoil(&mut bytes);
            writable(&file);
            std::fs::write(&file, bytes).unwrap();
        }
        forget_outputs(&project);
        results.push(recovers(
            &project,
            &format!(
                "{what}, the store's marker {}",
                if marker { "too" } else { "not" }
            ),
        ));
    }
    assert_all(results);
}

/// Two files of the store change places: each is whole, and each is not what its name says.
#[test]
fn swapped_files_are_not_believed() {
    let project = fixture_that_ran();
    let mut files = files_below(&project.store());
    files.retain(|file| file.file_name().is_some_and(|name| name != "FORMAT"));
    for pair in files.windows(2) {
        let (one, two) = (
            std::fs::read(&pair[0]).unwrap(),
            std::fs::read(&pair[1]).unwrap(),
        );
        writable(&pair[0]);
        writable(&pair[1]);
        std::fs::write(&pair[0], two).unwrap();
        std::fs::write(&pair[1], one).unwrap();
    }
    forget_outputs(&project);
    assert_all(vec![recovers(&project, "swapped")]);
}

/// Neither printed nor written to a pipe as a file of nothing.
#[test]
fn damage_is_never_handed_out() {
    let project = Project::fixture();
    let marker = "a line that is long enough to be found again in the store, byte for byte\n";
    project.write("raw.txt", marker);
    project.run_ok(&[]);
    for file in files_below(&project.store()) {
        let mut bytes = std::fs::read(&file).unwrap();
        while let Some(at) = bytes
            .windows(marker.len())
            .position(|window| window == marker.as_bytes())
        {
            bytes[at + 10] ^= 1;
            writable(&file);
            std::fs::write(&file, &bytes).unwrap();
        }
    }
    for place in ["-", "/dev/null"] {
        let output = project.jalon(&["get", "clean", "-o", place]).expect(6);
        assert!(output.stderr.contains("damaged"), "{output}");
        assert_eq!(output.stdout, "");
    }
}

#[test]
fn damage_is_found_by_verify() {
    let project = Project::fixture();
    let marker = "a line that is long enough to be found again in the store, byte for byte\n";
    project.write("raw.txt", marker);
    project.run_ok(&[]);
    project.jalon(&["cache", "verify"]).expect(0);
    let mut spoilt = 0;
    for file in files_below(&project.store()) {
        let mut bytes = std::fs::read(&file).unwrap();
        if let Some(at) = bytes
            .windows(marker.len())
            .position(|window| window == marker.as_bytes())
        {
            bytes[at + 10] ^= 1;
            writable(&file);
            std::fs::write(&file, bytes).unwrap();
            spoilt += 1;
        }
    }
    if spoilt == 0 {
        for file in files_below(&project.store()) {
            let mut bytes = std::fs::read(&file).unwrap();
            bytes.iter_mut().for_each(|byte| *byte ^= 1);
            writable(&file);
            std::fs::write(&file, bytes).unwrap();
        }
    }
    project.jalon(&["cache", "verify"]).expect(6);
}

#[test]
fn a_vanished_store_costs_a_run() {
    let mut results = Vec::new();
    for gone in [".jalon", ".jalon/store"] {
        let project = fixture_that_ran();
        project.remove(gone);
        results.push(recovers(&project, gone));
    }
    assert_all(results);
}

/// Each part of the store by itself, as a cleaning script or a half-copied cache would leave it.
#[test]
fn any_part_of_it_may_vanish() {
    let project = fixture_that_ran();
    let mut parts = Vec::new();
    for root in [".jalon", ".jalon/store"] {
        for entry in std::fs::read_dir(project.path(root)).unwrap() {
            parts.push(format!(
                "{root}/{}",
                entry.unwrap().file_name().to_str().unwrap()
            ));
        }
    }
    let mut results = Vec::new();
    for part in parts {
        let project = fixture_that_ran();
        project.remove(&part);
        forget_outputs(&project);
        results.push(recovers(&project, &format!("without {part}")));
    }
    assert_all(results);
}

/// Runs as an ordinary user where the test is root's, since root writes through read-only.
fn as_ordinary_user(project: &mut Project) -> bool {
    if !is_root() {
        return true;
    }
    let chown = Command::new("chown")
        .arg("-R")
        .arg("65534:65534")
        .arg(project.beside(""))
        .status();
    let able = Command::new("setpriv")
        .args(["--reuid=65534", "--regid=65534", "--clear-groups", "true"])
        .status();
    if !chown.is_ok_and(|status| status.success()) || !able.is_ok_and(|status| status.success()) {
        return false;
    }
    // The binary must be reachable too.
    let reachable = Command::new("setpriv")
        .args([
            "--reuid=65534",
            "--regid=65534",
            "--clear-groups",
            env!("CARGO_BIN_EXE_jalon"),
            "--version",
        ])
        .output();
    if !reachable.is_ok_and(|output| output.status.success()) {
        return false;
    }
    project.set_launcher(&[
        "setpriv",
        "--reuid=65534",
        "--regid=65534",
        "--clear-groups",
    ]);
    true
}

#[test]
fn a_read_only_store_still_gives() {
    let mut project = Project::fixture().with_store();
    project.run_ok(&[]);
    project.executed();
    if !as_ordinary_user(&mut project) {
        return skip("a read-only store (cannot become an ordinary user here)");
    }
    let chmod = |mode: &str| {
        Command::new("chmod")
            .args(["-R", mode])
            .arg(project.beside("store"))
            .status()
            .unwrap()
    };
    chmod("a-w");
    forget_outputs(&project);
    project.run_ok(&[]);
    assert_eq!(project.executed(), [""; 0], "hits work");
    project.edit("raw.txt", "two", "three");
    let run = project.run_ok(&[]);
    assert!(project.read("joined.txt").contains("three"));
    let said = run.json["notices"].to_string() + &run.output.stderr;
    assert!(
        said.contains("read-only") || said.contains("kept") || said.contains("ermission"),
        "{}",
        run.output
    );
    chmod("u+w");
}

/// A second tier that others fill, and that is only read here.
#[test]
fn a_directory_that_may_only_be_read_is_a_second_tier() {
    let first = Project::fixture();
    let far = first.beside("far");
    let remote = |push: bool| {
        format!(
            "[store]\nremote = \"file://{}\"\npush = {push}\n",
            far.display()
        )
    };
    let definition = first.read("jalon.toml");
    first.write("jalon.toml", definition.clone() + &remote(true));
    first.run_ok(&[]);
    let kept = files_below(&far);

    let mut second = Project::fixture();
    second.write("jalon.toml", definition + &remote(true));
    if !as_ordinary_user(&mut second) {
        return skip("a second tier that is only read (cannot become an ordinary user here)");
    }
    let chmod = Command::new("chmod").args(["-R", "a-w"]).arg(&far).status();
    assert!(chmod.unwrap().success());
    let run = second.run_ok(&[]);
    assert_eq!(run.count("fetched"), 4, "{}", run.output);
    assert!(run.notices().is_empty(), "{}", run.output);
    // What is new here stays here, and that is said once.
    second.edit("params.yml", "0.2", "0.3");
    let run = second.run_ok(&[]);
    assert_eq!(run.count("ran"), 2, "{}", run.output);
    assert_eq!(run.notices(), ["remote-read-only"], "{}", run.output);
    assert_eq!(second.run_ok(&[]).count("hit"), 4);
    assert_eq!(files_below(&far), kept);
    let chmod = Command::new("chmod").args(["-R", "u+w"]).arg(&far).status();
    assert!(chmod.unwrap().success());
}

#[test]
fn what_may_not_be_read_is_said_and_not_recorded() {
    let mut project = Project::new(
        r#"
[defaults]
pass_env = ["LOG"]
[source]
raw = "raw.txt"
[node.copy]
cmd = 'echo copy >> "$LOG"; cat {{in.raw}} > {{out.copy}}; sh mode.sh {{out.copy}}'
in = ["raw"]
out = { copy = "copy.txt" }
"#,
    );
    project.write("raw.txt", "raw\n");
    project.write("mode.sh", "chmod 000 \"$1\"\n");
    if !as_ordinary_user(&mut project) {
        return skip("files that may not be read (cannot become an ordinary user here)");
    }
    let chmod = |mode: u32, path: &str| {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(project.path(path), mode).unwrap();
    };
    // An output.
    for _ in 0..2 {
        let output = project.jalon(&["run", "--plain"]).expect(1);
        assert!(output.all().contains("ermission denied"), "{output}");
        assert!(output.all().contains("copy.txt"), "{output}");
        assert_eq!(project.executed(), ["copy"]);
    }
    // An input.
    project.write("mode.sh", "");
    chmod(0, "raw.txt");
    let output = project.jalon(&["run", "--plain"]);
    assert!(matches!(output.code, 1 | 3), "{output}");
    assert!(output.all().contains("ermission denied"), "{output}");
    assert!(output.all().contains("raw.txt"), "{output}");
    assert_eq!(project.executed(), [""; 0]);
    chmod(0o644, "raw.txt");
    assert_eq!(project.run_ok(&[]).count("ran"), 1);
    assert_eq!(project.read("copy.txt"), "raw\n");
}

#[test]
fn a_store_that_cannot_be_made() {
    let mut project = Project::fixture();
    project.set_env("JALON_STORE", "/proc/no/store/here");
    let output = project.jalon(&["run"]);
    assert!(
        output.code == 6 || (output.code == 0 && project.exists("metrics.json")),
        "unavailable, or done without: {output}"
    );
    assert!(!output.stderr.contains("panicked"), "{output}");
}

#[test]
fn a_full_disk() {
    let project = Project::fixture().with_store();
    if !is_root() {
        return skip("a full disk (needs root to mount a small one)");
    }
    let store = project.beside("store");
    std::fs::create_dir_all(&store).unwrap();
    let mount = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"])
        .arg(&store)
        .output();
    if !mount.is_ok_and(|output| output.status.success()) {
        return skip("a full disk (cannot mount a small one here)");
    }
    struct Unmount(std::path::PathBuf);
    impl Drop for Unmount {
        fn drop(&mut self) {
            let _ = Command::new("umount").arg("-l").arg(&self.0).status();
        }
    }
    let _unmount = Unmount(store.clone());

    project.edit(
        "jalon.toml",
        "sh evaluate.sh {{in.model}}",
        "head -c 3000000 /dev/urandom",
    );
    let run = project.jalon(&["run", "--json"]);
    assert!(run.code == 1 || run.code == 6 || run.code == 0, "{run}");
    assert!(!run.stderr.contains("panicked"), "{run}");
    let words = run.all().to_lowercase();
    assert!(
        words.contains("space") || words.contains("full"),
        "what is wrong is said: {run}"
    );
    project.executed();
    // What fitted was kept: after mending, only the node that did not fit runs.
    project.edit(
        "jalon.toml",
        "head -c 3000000 /dev/urandom",
        "cat {{in.model}}",
    );
    project.run_ok(&[]);
    assert_eq!(project.executed(), ["evaluate"]);
}

#[test]
fn hardlinks_on_request_are_read_only() {
    let project = Project::fixture();
    let definition = project.read("jalon.toml");
    project.write(
        "jalon.toml",
        definition + "\n[store]\nlink = \"hardlink\"\n",
    );
    project.run_ok(&[]);
    forget_outputs(&project);
    project.executed();
    project.run_ok(&[]);
    assert_eq!(project.executed(), [""; 0]);
    assert_eq!(outputs(&project), *expected());
    project.edit("raw.txt", "two", "three");
    project.run_ok(&[]);
    assert!(
        project.read("joined.txt").contains("three"),
        "a read-only output gives way to a new one"
    );
    project.jalon(&["cache", "verify"]).expect(0);
}

#[test]
fn the_definition_places_the_store() {
    let project = Project::fixture();
    let place = project.beside("elsewhere");
    let definition = project.read("jalon.toml");
    project.write(
        "jalon.toml",
        format!("{definition}\n[store]\npath = \"{}\"\n", place.display()),
    );
    project.run_ok(&[]);
    assert!(!files_below(&place).is_empty());
    assert!(!project.exists(".jalon/store"));
}

#[test]
fn two_users_share_a_store_that_their_group_may_write() {
    let what = "a store of two users (cannot become an ordinary user here)";
    let mut first = Project::fixture().with_store();
    if !is_root() || !as_ordinary_user(&mut first) {
        return skip(what);
    }
    let second = first.copy();
    let become_user = |project: &mut Project, user: &str| {
        let (reuid, owner) = (format!("--reuid={user}"), format!("{user}:20001"));
        for path in [
            project.dir.clone(),
            project.beside("home"),
            project.beside("tmp"),
        ] {
            let chown = Command::new("chown")
                .arg("-R")
                .arg(&owner)
                .arg(path)
                .status();
            assert!(chown.unwrap().success());
        }
        project.set_launcher(&[
            "setpriv",
            &reuid,
            "--regid=20001",
            "--clear-groups",
            "sh",
            "-c",
            "umask 002; exec \"$@\"",
            "umask",
        ]);
    };
    let mut users = [first, second];
    let store = users[0].beside("store");
    std::fs::create_dir_all(&store).unwrap();
    for (command, words) in [("chgrp", "20001"), ("chmod", "2775")] {
        let changed = Command::new(command).arg(words).arg(&store).status();
        assert!(changed.unwrap().success());
    }
    let log = users[0].beside("executed");
    std::fs::write(&log, "").unwrap();
    let mode = <std::fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode;
    std::fs::set_permissions(&log, mode(0o666)).unwrap();
    for user in &users {
        std::fs::set_permissions(user.beside(""), mode(0o777)).unwrap();
    }
    become_user(&mut users[0], "20011");
    become_user(&mut users[1], "20012");
    let made = users[0].run_ok(&[]);
    assert_eq!(made.count("ran"), 4, "{}", made.output);
    // Each finds what the other made, adds to it, and may clear up after both.
    let found = users[1].run_ok(&[]);
    assert_eq!(found.count("hit"), 4, "{}", found.output);
    users[1].edit("evaluate.sh", "cat", "cat  ");
    users[1].run_ok(&[]);
    users[0].edit("evaluate.sh", "cat", "cat  ");
    let found = users[0].run_ok(&[]);
    assert_eq!(found.count("ran"), 0, "{}", found.output);
    users[0].jalon(&["gc", "--yes"]).expect(0);
    users[1].jalon(&["gc", "--yes"]).expect(0);
    users[1].jalon(&["cache", "verify"]).expect(0);
    let again = users[0].run_ok(&[]);
    assert_eq!(again.count("ran"), 0, "{}", again.output);
}
