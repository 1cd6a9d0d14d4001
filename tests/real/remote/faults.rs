//! Whatever a remote does: right results, in bounded time, and a word about it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use crate::fault::{Fault, Mode};
use crate::project::{Project, Run, files_below, wait_until};
use crate::servers::{Server, port};
use crate::share::clone_of;

/// No run here may take longer, whatever a remote does.
const BOUND: Duration = Duration::from_secs(60);

fn files(server: &Server, part: &str) -> Vec<PathBuf> {
    let all = files_below(&server.base).into_iter();
    all.filter(|path| path.to_str().is_some_and(|path| path.contains(part)))
        .collect()
}

/// A server to which a clone has pushed, and what that clone made.
fn pushed() -> (Server, Project) {
    let server = Server::directory();
    let project = clone_of(&server, "push = true");
    project.run_ok(&[]);
    (server, project)
}

/// A run of a new clone is right, whatever it had to do for it.
fn is_right(server: &Server, first: &Project) -> (Project, Run) {
    let project = clone_of(server, "push = true");
    let began = Instant::now();
    let run = project.run_ok(&[]);
    assert!(began.elapsed() < BOUND, "{}", run.output);
    for file in [
        "data/clean.txt",
        "models/a.txt",
        "joined.txt",
        "metrics.json",
    ] {
        assert_eq!(project.read(file), first.read(file), "{}", run.output);
    }
    (project, run)
}

#[test]
fn bytes_that_are_not_what_their_name_says_are_not_taken() {
    let (server, first) = pushed();
    for path in files(&server, "/cas/") {
        let mut bytes = fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(&path, bytes).unwrap();
    }
    let (_, run) = is_right(&server, &first);
    assert!(
        run.notices().contains(&"blob-damaged".to_owned()),
        "{}",
        run.output
    );
    assert!(run.count("ran") > 0, "{}", run.output);
    // What was made again took the place of what was damaged.
    let (_, again) = is_right(&server, &first);
    assert_eq!(again.count("fetched"), 4, "{}", again.output);
}

#[test]
fn a_blob_that_is_lost_under_its_record_is_made_again() {
    let (server, first) = pushed();
    for path in files(&server, "/cas/") {
        fs::remove_file(path).unwrap();
    }
    let (project, run) = is_right(&server, &first);
    assert_eq!(run.count("ran"), 4, "{}", run.output);
    project.executed();
    let (_, again) = is_right(&server, &first);
    assert_eq!(again.count("fetched"), 4, "{}", again.output);
}

#[test]
fn a_blob_that_is_lost_after_planning_is_made_again() {
    // A node that must run reads what planning saw to be there.
    let (server, first) = pushed();
    let project = clone_of(&server, "");
    project.edit("evaluate.sh", "cat", "cat --");
    let shown = project.json(&["plan", "--json"]);
    assert_eq!(shown["counts"]["hit_remote"], 3, "{shown}");
    project.run_ok(&["--materialize", "none", "tag:slow"]);
    for path in files(&server, "/cas/") {
        fs::remove_file(path).unwrap();
    }
    let run = project.run_ok(&[]);
    assert_eq!(project.read("joined.txt"), first.read("joined.txt"));
    assert!(
        project.executed().contains(&"evaluate".to_owned()),
        "{}",
        run.output
    );
}

/// Sixty-four megabytes of nothing, in some thousand bytes.
fn bomb() -> &'static [u8] {
    static BOMB: LazyLock<Vec<u8>> = LazyLock::new(|| {
        let nothing = std::io::Read::take(std::io::repeat(0), 64 << 20);
        zstd::stream::encode_all(nothing, 1).expect("zstd packs")
    });
    &BOMB
}

#[test]
fn sizes_that_are_wrong_halves_and_bombs_are_refused() {
    let spoil: [fn(&Path); 4] = [
        |path| {
            let bytes = fs::read(path).unwrap();
            fs::write(path, &bytes[..bytes.len() / 2]).unwrap();
        },
        |path| {
            let mut bytes = fs::read(path).unwrap();
            bytes.extend_from_slice(b"more");
            fs::write(path, bytes).unwrap();
        },
        |path| fs::write(path, b"").unwrap(),
        |path| fs::write(path, bomb()).unwrap(),
    ];
    for spoil in spoil {
        let (server, first) = pushed();
        for path in files(&server, "/cas/")
            .into_iter()
            .chain(files(&server, "/ac/"))
        {
            spoil(&path);
        }
        let (_, run) = is_right(&server, &first);
        assert_eq!(run.count("ran"), 4, "{}", run.output);
        assert!(!run.notices().is_empty(), "{}", run.output);
    }
}

#[test]
fn records_that_were_moved_under_other_keys_are_not_taken() {
    let (server, first) = pushed();
    let records = files(&server, "/ac/");
    let bytes: Vec<Vec<u8>> = records.iter().map(|path| fs::read(path).unwrap()).collect();
    for (at, path) in records.iter().enumerate() {
        fs::write(path, &bytes[(at + 1) % bytes.len()]).unwrap();
    }
    let (_, run) = is_right(&server, &first);
    assert_eq!(run.count("ran"), 4, "{}", run.output);
    assert_eq!(run.notices(), ["record-damaged"], "{}", run.output);
    assert!(run.json["remote"]["disbelieved"].as_u64().unwrap() > 0);
}

#[test]
fn a_server_that_is_not_there_costs_a_moment() {
    let mut server = Server::directory();
    server.url = format!("http://127.0.0.1:{}/x", port());
    let project = clone_of(&server, "push = true");
    let began = Instant::now();
    let run = project.run_ok(&[]);
    assert!(
        began.elapsed() < Duration::from_secs(20),
        "{:?}",
        began.elapsed()
    );
    assert_eq!(run.count("ran"), 4, "{}", run.output);
    assert_eq!(run.notices(), ["remote-unavailable"], "{}", run.output);
    assert_eq!(run.json["remote"]["unsent"], 4, "{}", run.output);
}

#[test]
fn a_server_that_hangs_costs_a_bounded_time() {
    let Some(nginx) = Server::nginx() else { return };
    let fault = Fault::before(&nginx.url, Mode::Hang);
    let mut server = Server::directory();
    server.url = fault.url.clone();
    let project = clone_of(&server, "push = true");
    let began = Instant::now();
    let run = project.run_ok(&[]);
    assert!(
        began.elapsed() < Duration::from_secs(40),
        "{:?}",
        began.elapsed()
    );
    assert_eq!(run.notices(), ["remote-unavailable"], "{}", run.output);
    assert!(fault.asked() < 8, "it is left alone: {}", fault.asked());
}

#[test]
fn answers_that_say_no_are_heard() {
    let Some(nginx) = Server::nginx() else { return };
    let first = clone_of(&nginx, "push = true");
    first.run_ok(&[]);
    for status in [401, 403, 500, 503] {
        let fault = Fault::before(&nginx.url, Mode::Status(status));
        let mut server = Server::directory();
        server.url = fault.url.clone();
        let (_, run) = is_right(&server, &first);
        assert_eq!(run.notices(), ["remote-unavailable"], "{}", run.output);
        assert_eq!(run.count("fetched"), 0, "{}", run.output);
    }
    // Nonsense is said too, and not listened to for ever.
    let fault = Fault::before(&nginx.url, Mode::Status(418));
    let mut server = Server::directory();
    server.url = fault.url.clone();
    let (_, run) = is_right(&server, &first);
    assert!(
        run.notices().contains(&"remote-error".to_owned()),
        "{}",
        run.output
    );
    assert!(fault.asked() < 20, "{}", fault.asked());
    // Reading goes on where writing is not allowed.
    for status in [401, 403, 405] {
        let fault = Fault::before(&nginx.url, Mode::StatusOfPut(status));
        let mut server = Server::directory();
        server.url = fault.url.clone();
        let project = clone_of(&server, "push = true");
        project.edit("params.yml", "0.2", &format!("0.{status}"));
        let run = project.run_ok(&[]);
        assert_eq!(run.count("fetched"), 2, "{}", run.output);
        assert_eq!(run.notices(), ["remote-read-only"], "{}", run.output);
        let modes = run.json["remote"]["remotes"].as_object().unwrap();
        assert!(
            modes.values().all(|mode| mode == "read-only"),
            "{}",
            run.output
        );
    }
}

#[test]
fn a_bad_moment_passes() {
    let Some(nginx) = Server::nginx() else { return };
    let first = clone_of(&nginx, "push = true");
    first.run_ok(&[]);
    let fault = Fault::before(&nginx.url, Mode::Busy(2));
    let mut server = Server::directory();
    server.url = fault.url.clone();
    let (_, run) = is_right(&server, &first);
    assert_eq!(run.count("fetched"), 4, "{}", run.output);
    assert!(run.notices().is_empty(), "{}", run.output);
}

/// One node with a large output that cannot be packed.
fn large(url: &str) -> Project {
    let definition = format!(
        r#"
[defaults]
pass_env = ["LOG"]
[store]
remote = "{url}"
push = true
[node.large]
cmd = '''echo large >> "$LOG"; python3 -c 'import hashlib,sys; f=open(sys.argv[1],"wb"); [f.write(hashlib.sha512(str(n).encode()).digest()) for n in range(320000)]' {{{{out.large}}}}'''
out = {{ large = "large.bin" }}
"#
    );
    Project::new(&definition)
}

#[test]
fn what_breaks_off_goes_on_from_there() {
    let Some(nginx) = Server::nginx() else { return };
    large(&nginx.url).run_ok(&[]);
    let fault = Fault::before(&nginx.url, Mode::CutOnce);
    let project = large(&fault.url);
    let run = project.run_ok(&[]);
    assert_eq!(
        (run.count("fetched"), fault.cuts()),
        (1, 1),
        "{}",
        run.output
    );
    let down = run.json["remote"]["downloaded"].as_u64().unwrap();
    let size = fs::metadata(project.path("large.bin")).unwrap().len();
    assert!(down < size + size / 4, "{down} bytes for {size}");
    // One that breaks off each time is given up, and the node runs.
    let fault = Fault::before(&nginx.url, Mode::Cut);
    let project = large(&fault.url);
    let run = project.run_ok(&[]);
    assert_eq!(run.count("ran"), 1, "{}", run.output);
    assert!(
        run.notices().contains(&"remote-unavailable".to_owned()),
        "{}",
        run.output
    );
}

#[test]
fn a_server_or_a_client_that_dies_in_the_middle_leaves_nothing_false() {
    let Some(nginx) = Server::nginx() else { return };
    let fault = Fault::before(&nginx.url, Mode::CutPut);
    let project = large(&fault.url);
    let run = project.run_ok(&[]);
    assert_eq!(run.json["remote"]["unsent"], 1, "{}", run.output);
    assert!(
        files(&nginx, "/ac/").is_empty(),
        "no record without its bytes"
    );

    // We are killed while we send; the next run has nothing to repair.
    fault.set(Mode::Pass);
    let slow = Fault::before(&nginx.url, Mode::Late(400));
    let project = large(&slow.url);
    let mut running = project.start(&["run"]);
    wait_until("something is sent", || slow.asked() > 2 || running.ended());
    running.signal("KILL");
    running.wait();
    slow.set(Mode::Pass);
    let after = project.run_ok(&[]);
    assert_eq!(
        after.count("hit") + after.count("fetched") + after.count("ran"),
        1
    );
    project.jalon(&["cache", "push"]).expect(0);
    let other = large(&nginx.url);
    let run = other.run_ok(&[]);
    assert_eq!(run.count("fetched"), 1, "{}", run.output);
}

#[test]
fn what_is_required_is_required() {
    let mut server = Server::directory();
    server.url = format!("http://127.0.0.1:{}/x", port());
    let project = clone_of(&server, "required = true");
    let refused = project.jalon(&["run", "--json"]).expect(6);
    let reply = refused.json();
    assert_eq!(reply["error"]["code"], "remote-unavailable", "{refused}");
    assert_eq!(project.executed(), [""; 0]);
    project.run_ok(&["--offline"]);

    // One that goes away in the middle: what ran is kept, and the run says what it lacked.
    let Some(nginx) = Server::nginx() else { return };
    let fault = Fault::before(&nginx.url, Mode::StatusOfPut(500));
    let mut server = Server::directory();
    server.url = fault.url.clone();
    let project = clone_of(&server, "required = true\npush = true");
    let ended = project.jalon(&["run", "--json"]).expect(6);
    let reply = ended.json();
    assert_eq!(
        (&reply["status"], &reply["counts"]["ran"]),
        (&"failed".into(), &4.into()),
        "{ended}"
    );
    assert_eq!(reply["error"]["code"], "remote-unavailable", "{ended}");
}

#[test]
fn ctrl_c_waits_for_no_upload() {
    let Some(nginx) = Server::nginx() else { return };
    let fault = Fault::before(&nginx.url, Mode::Pass);
    let mut server = Server::directory();
    server.url = fault.url.clone();
    let project = clone_of(&server, "push = true");
    fault.set(Mode::Late(5000));
    let mut running = project.start(&["run"]);
    wait_until("it asks", || fault.asked() > 0 || running.ended());
    let began = Instant::now();
    running.signal("INT");
    running.wait().expect(130);
    assert!(
        began.elapsed() < Duration::from_secs(25),
        "{:?}",
        began.elapsed()
    );
}

#[test]
fn a_bazel_cache_that_loses_things_or_goes_away_makes_nothing_wrong() {
    let Some(mut casd) = Server::casd() else {
        return;
    };
    let first = clone_of(&casd, "push = true");
    first.run_ok(&[]);
    // Some of what it keeps is other bytes, some is gone.
    let objects = files(&casd, "/objects/");
    assert!(objects.len() > 8, "{objects:?}");
    for (at, path) in objects.iter().enumerate() {
        if at % 3 == 0 {
            fs::remove_file(path).unwrap();
        } else if at % 3 == 1 {
            let mut bytes = fs::read(path).unwrap();
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            fs::remove_file(path).unwrap();
            fs::write(path, bytes).unwrap();
        }
    }
    is_right(&casd, &first);
    casd.stop();
    let (_, run) = is_right(&casd, &first);
    assert_eq!(run.notices(), ["remote-unavailable"], "{}", run.output);
    assert_eq!(run.count("ran"), 4, "{}", run.output);
}
