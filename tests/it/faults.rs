//! What nodes may leave and machines may refuse: a clear word, the right exit code, nothing recorded that is not
//! true, and the next run goes on by itself.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};

use crate::project::{Project, files_below, is_root, rounds, skip};

#[test]
fn what_is_no_file_is_no_output_and_stops_no_later_run() {
    let project = Project::new(
        r#"
[node.pipe]
cmd = "mkfifo {{out.pipe}}"
out = { pipe = "made.pipe" }
[node.socket]
cmd = ["python3", "-c", "import socket, sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])", "{{out.socket}}"]
out = { socket = "made.socket" }
[node.inside]
cmd = "mkdir {{out.inside}}; echo 1 > {{out.inside}}/file; mkfifo {{out.inside}}/pipe"
out = { inside = "inside/" }
"#,
    );
    for _ in 0..2 {
        let failed = project.run(&[]);
        assert_eq!(failed.output.code, 1, "{}", failed.output);
        for name in ["made.pipe", "made.socket", "inside/pipe"] {
            assert!(failed.output.all().contains(name), "{}", failed.output);
        }
        assert!(
            failed
                .output
                .all()
                .contains("files, directories and links only")
        );
        assert_eq!(failed.count("failed"), 3, "{}", failed.output);
    }
    assert!(
        project
            .path("made.pipe")
            .metadata()
            .unwrap()
            .file_type()
            .is_fifo()
    );
    // Mended, it goes on: what was left there is in nobody's way.
    let definition = project.read("jalon.toml");
    let mended = definition.replace("mkfifo", "touch").replace(
        "socket.socket(socket.AF_UNIX).bind(sys.argv[1])",
        "open(sys.argv[1], 'w')",
    );
    project.write("jalon.toml", mended);
    let run = project.run_ok(&[]);
    assert_eq!(run.count("ran"), 3, "{}", run.output);
    assert!(project.path("made.pipe").metadata().unwrap().is_file());
    project.jalon(&["cache", "verify"]).expect(0);
}

#[test]
fn a_device_is_no_output() {
    if !is_root() {
        return skip("a device as output (only root makes one)");
    }
    let project =
        Project::new("[node.device]\ncmd = \"mknod {{out.d}} c 1 5\"\nout = { d = \"zeros\" }\n");
    // An endless one would be read for ever.
    let failed = project.run(&[]);
    assert_eq!(failed.output.code, 1, "{}", failed.output);
    assert!(
        failed.output.all().contains("a pipe, a socket or a device"),
        "{}",
        failed.output
    );
}

#[test]
fn a_file_with_holes_keeps_them() {
    let project = Project::new(
        r#"
[defaults]
isolation = "none"
[node.sparse]
cmd = "truncate -s 1G {{out.sparse}}; printf end | dd of={{out.sparse}} bs=1 seek=500000000 conv=notrunc status=none"
out = { sparse = "sparse.bin" }
"#,
    );
    let sizes = |path: &std::path::Path| {
        let metadata = fs::metadata(path).unwrap();
        (metadata.len(), metadata.blocks() * 512)
    };
    project.run_ok(&[]);
    let (length, occupied) = sizes(&project.path("sparse.bin"));
    assert_eq!(length, 1 << 30);
    if occupied > 1 << 24 {
        return skip("files with holes (the file system here has none)");
    }
    let kept: u64 = files_below(&project.path(".jalon"))
        .iter()
        .map(|path| sizes(path).1)
        .sum();
    assert!(
        kept < 1 << 24,
        "the store keeps {kept} bytes of a file of {occupied}"
    );
    fs::remove_file(project.path("sparse.bin")).unwrap();
    let run = project.run_ok(&[]);
    assert_eq!(run.count("hit"), 1, "{}", run.output);
    let (length, occupied) = sizes(&project.path("sparse.bin"));
    assert!(
        length == 1 << 30 && occupied < 1 << 24,
        "{occupied} bytes laid out"
    );
    let mut end = [0; 3];
    let file = fs::File::open(project.path("sparse.bin")).unwrap();
    std::os::unix::fs::FileExt::read_exact_at(&file, &mut end, 500_000_000).unwrap();
    assert_eq!(&end, b"end");
}

#[test]
fn two_names_of_one_file_are_two_files() {
    let project = Project::new(
        r#"
[node.pair]
cmd = "mkdir {{out.pair}}; echo 1 > {{out.pair}}/a; ln {{out.pair}}/a {{out.pair}}/b"
out = { pair = "pair/" }
"#,
    );
    project.run_ok(&[]);
    fs::remove_dir_all(project.path("pair")).unwrap();
    project.run_ok(&["--locked"]);
    fs::write(project.path("pair/a"), "changed").unwrap();
    assert_eq!(project.read("pair/b"), "1\n");
}

#[test]
fn too_few_open_files_fail_the_node_and_record_nothing() {
    let mut project = Project::fixture();
    let mut refused = 0;
    for most in [12, 16, 20, 24, 28, 32, 48] {
        let limit = format!("ulimit -n {most}; exec \"$@\"");
        project.set_launcher(&["bash", "-c", &limit, "limited"]);
        let output = project.jalon(&["run", "--plain"]);
        assert!(
            matches!(output.code, 0 | 1 | 3 | 6),
            "exit {} with {most} files:\n{output}",
            output.code
        );
        if output.code != 0 {
            refused += 1;
            assert!(
                output.all().contains("Too many open files"),
                "with {most} files:\n{output}"
            );
        }
        project.set_launcher(&[]);
        project.jalon(&["cache", "verify"]).expect(0);
    }
    assert!(refused > 0, "no limit was low enough: nothing was tried");
    project.run_ok(&[]);
    let reference = Project::fixture();
    reference.run_ok(&[]);
    assert_eq!(project.read("joined.txt"), reference.read("joined.txt"));
}

#[test]
fn a_tree_of_many_files_comes_back_whole() {
    let project = Project::new(
        r#"
[defaults]
isolation = "none"
[node.many]
cmd = ["python3", "-c", """
import os, sys
for d in range(200):
    os.makedirs(f'{sys.argv[1]}/{d}')
    for f in range(100): open(f'{sys.argv[1]}/{d}/{f}', 'w').write(f'{d} {f}')
""", "{{out.many}}"]
out = { many = "many/" }
"#,
    );
    project.run_ok(&[]);
    fs::remove_dir_all(project.path("many")).unwrap();
    let run = project.run_ok(&[]);
    assert_eq!(run.count("hit"), 1, "{}", run.output);
    let files = files_below(&project.path("many"));
    assert_eq!(files.len(), 20_000);
    assert_eq!(project.read("many/150/99"), "150 99");
}

#[test]
fn a_clock_that_goes_back_makes_nothing_wrong() {
    // Files from the future, and an edit that looks older than what was seen before.
    let project = Project::fixture();
    let touch = |when: &str, file: &str| {
        let status = std::process::Command::new("touch")
            .args(["-d", when])
            .arg(project.path(file))
            .status();
        assert!(status.unwrap().success());
    };
    for file in ["jalon.toml", "evaluate.sh"] {
        touch("2050-01-01", file);
    }
    project.run_ok(&[]);
    project.executed();
    assert_eq!(project.run_ok(&[]).count("ran"), 0);
    let before = fs::metadata(project.path("evaluate.sh")).unwrap();
    project.edit("evaluate.sh", "cat", "cat  ");
    touch("1990-01-01", "evaluate.sh");
    assert!(fs::metadata(project.path("evaluate.sh")).unwrap().mtime() < before.mtime());
    project.run_ok(&[]);
    assert!(project.executed().contains(&"evaluate".to_owned()));
}

/// The library that makes calls fail (`faults.c`), where there is a compiler.
fn failing_calls() -> Option<std::path::PathBuf> {
    let library = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("faults.so");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/faults.c");
    let built = std::process::Command::new("cc")
        .args(["-shared", "-fPIC", "-O1", "-o"])
        .args([library.as_os_str(), source.as_ref()])
        .arg("-ldl")
        .status();
    built
        .is_ok_and(|status| status.success())
        .then_some(library)
}

/// EIO, ENOSPC, EDQUOT, EROFS: once, and from then on.
const REFUSALS: [(&str, &str); 4] = [("5", "0"), ("28", "1"), ("122", "1"), ("30", "1")];

/// Runs the fixture with the disk refusing at each of many moments, and looks at what is left.
fn refused_at_any_moment(prepare: fn(&mut Project), args: &[&str], reads: &str, most: u32) {
    let Some(library) = failing_calls() else {
        return skip("calls that fail (no C compiler here)");
    };
    let reference = Project::fixture();
    reference.run_ok(&[]);
    let refuse = |project: &mut Project, at: u64, (with, on): (&str, &str)| {
        let count = project.beside("count");
        project.set_env("LD_PRELOAD", library.to_str().unwrap());
        project.set_env("FAIL_COUNT", count.to_str().unwrap());
        project.set_env("FAIL_AT", &at.to_string());
        project.set_env("FAIL_WITH", with);
        project.set_env("FAIL_ON", on);
        project.set_env("FAIL_READS", reads);
        let output = project.jalon(args);
        project.set_env("LD_PRELOAD", "");
        let counted = fs::read_to_string(count).unwrap_or_default();
        (output, counted.trim().parse::<u64>().unwrap_or(0))
    };
    let mut project = Project::fixture();
    prepare(&mut project);
    let (_, calls) = refuse(&mut project, 0, REFUSALS[0]);
    // A collection is the one that makes the fewest.
    assert!(calls > 12, "only {calls} calls were seen");
    let step = (calls / u64::from(most)).max(1);
    let mut heard = 0;
    for (turn, at) in (1..=calls).step_by(step as usize).enumerate() {
        let refusal = REFUSALS[turn % REFUSALS.len()];
        let mut project = Project::fixture();
        prepare(&mut project);
        let (output, _) = refuse(&mut project, at, refusal);
        let what = format!("errno {} at call {at} of {calls}", refusal.0);
        assert!(
            matches!(output.code, 0 | 1 | 3 | 6),
            "{what}: exit {}\n{output}",
            output.code
        );
        assert!(!output.all().contains("panicked"), "{what}:\n{output}");
        heard += u32::from(output.code != 0 || output.all().contains("os error"));
        let run = project.run_ok(&[]);
        for file in [
            "data/clean.txt",
            "models/a.txt",
            "joined.txt",
            "metrics.json",
        ] {
            assert_eq!(
                project.read(file),
                reference.read(file),
                "{what}:\n{}",
                run.output
            );
        }
        project.jalon(&["cache", "verify"]).expect(0);
        assert_eq!(project.run_ok(&[]).count("ran"), 0, "{what}");
    }
    assert!(heard > 0, "nothing that was refused was heard of");
    eprintln!("of {calls} calls one in {step} was refused; {heard} refusals were heard of");
}

#[test]
fn a_disk_that_refuses_at_any_moment_of_a_run() {
    refused_at_any_moment(|_| {}, &["run"], "0", rounds(40));
}

/// It ran, and what it made is gone but for the store.
fn without_outputs(project: &mut Project) {
    project.run_ok(&[]);
    for file in ["data", "models", "joined.txt", "metrics.json"] {
        let path = project.path(file);
        let _ = fs::remove_dir_all(&path).or_else(|_| fs::remove_file(&path));
    }
}

#[test]
fn a_disk_that_refuses_at_any_moment_of_a_restore() {
    refused_at_any_moment(without_outputs, &["run"], "0", rounds(20));
}

#[test]
fn a_disk_that_refuses_at_any_moment_of_a_collection() {
    let edited = |project: &mut Project| {
        project.run_ok(&[]);
        project.edit("evaluate.sh", "cat", "cat  ");
        project.run_ok(&[]);
        project.edit("evaluate.sh", "cat  ", "cat");
    };
    refused_at_any_moment(edited, &["gc", "--yes"], "0", rounds(20));
}

#[test]
fn a_disk_that_cannot_be_read_at_any_moment() {
    refused_at_any_moment(without_outputs, &["run"], "1", rounds(30));
}

#[test]
fn a_rename_or_a_directory_that_is_refused() {
    let strace = std::process::Command::new("strace").arg("-V").output();
    if !strace.is_ok_and(|output| output.status.success()) {
        return skip("calls that fail behind the C library (no strace here)");
    }
    let reference = Project::fixture();
    reference.run_ok(&[]);
    let mut refused = 0;
    // EXDEV: what should be one file system is two.
    for (calls, error) in [
        ("renameat,rename,renameat2", "EIO"),
        ("renameat,rename,renameat2", "EXDEV"),
        ("mkdir,mkdirat", "ENOSPC"),
        ("syncfs,fsync,fdatasync", "EIO"),
        ("linkat,link", "EPERM"),
    ] {
        for when in ["1", "2", "3", "4", "5+"] {
            let what = format!("{error} for {calls}, {when}");
            let mut project = Project::fixture();
            let definition = project.read("jalon.toml");
            // strace is in the way of our own observing.
            let untraced = "[defaults]\nisolation = \"none\"";
            project.write("jalon.toml", definition.replacen("[defaults]", untraced, 1));
            let inject = format!("inject={calls}:error={error}:when={when}");
            let trace = format!("trace={calls}");
            let log = project.beside("strace");
            let log = log.to_str().unwrap();
            project.set_launcher(&["strace", "-f", "-o", log, "-e", &trace, "-e", &inject]);
            let output = project.jalon(&["run"]);
            project.set_launcher(&[]);
            refused += u32::from(output.code != 0);
            assert!(matches!(output.code, 0 | 1 | 6), "{what}:\n{output}");
            assert!(!output.all().contains("panicked"), "{what}:\n{output}");
            let run = project.run_ok(&[]);
            for file in ["data/clean.txt", "models/a.txt", "joined.txt"] {
                let found = project.read(file);
                assert_eq!(found, reference.read(file), "{what}:\n{}", run.output);
            }
            project.jalon(&["cache", "verify"]).expect(0);
            assert_eq!(project.run_ok(&[]).count("ran"), 0, "{what}");
        }
    }
    assert!(refused > 3, "only {refused} runs met a refusal");
}
