//! Large blobs travel in pieces: of one that changed a little only little moves, and a piece that is lost or wrong
//! is a blob that is lost or wrong.

use std::fs;
use std::path::PathBuf;

use crate::fault::{Fault, Mode};
use crate::project::{Project, files_below};
use crate::servers::Server;

/// Bytes of the node's output.
const SIZE: u64 = 12_000_000;

/// One node whose output is 12 MB that cannot be packed, with a few bytes more in the middle as its parameter says.
fn project(server: &Server, more: &str) -> Project {
    let definition = format!(
        r#"
[defaults]
pass_env = ["LOG"]
[store]
remote = "{}"
push = true
{}
[node.large]
cmd = """echo large >> "$LOG"; python3 make.py '{more}' {{{{out.large}}}}"""
out = {{ large = "large.bin" }}
"#,
        server.url, server.store
    );
    let mut project = Project::new(&definition);
    project.write(
        "make.py",
        "import hashlib, sys\nwith open(sys.argv[2], 'wb') as file:\n    for n in range(187500):\n        if n == 90000: file.write(sys.argv[1].encode())\n        file.write(hashlib.sha512(str(n).encode()).digest())\n",
    );
    for (name, value) in &server.env {
        project.set_env(name, value);
    }
    project
}

/// Bytes of `what` that a run moved.
fn moved(run: &crate::project::Run, what: &str) -> u64 {
    run.json["remote"][what].as_u64().expect("a number")
}

fn of_a_change_only_little_moves(server: &Server) {
    let writer = project(server, "");
    let first = writer.run_ok(&[]);
    assert!(moved(&first, "uploaded") >= SIZE, "{}", first.output);

    // Another clone has the first one, and gets the second.
    let reader = project(server, "");
    let got = reader.run_ok(&[]);
    assert_eq!(got.count("fetched"), 1, "{}", got.output);
    assert!(moved(&got, "downloaded") >= SIZE, "{}", got.output);

    writer.edit("jalon.toml", "make.py ''", "make.py 'a bit more'");
    let second = writer.run_ok(&[]);
    assert_eq!(second.count("ran"), 1, "{}", second.output);
    let up = moved(&second, "uploaded");
    assert!(up < SIZE / 4, "{up} bytes went for a change of some bytes");

    reader.edit("jalon.toml", "make.py ''", "make.py 'a bit more'");
    let got = reader.run_ok(&[]);
    assert_eq!(got.count("fetched"), 1, "{}", got.output);
    let down = moved(&got, "downloaded");
    assert!(
        down < SIZE / 4,
        "{down} bytes came for a change of some bytes"
    );

    let made = fs::read(writer.path("large.bin")).unwrap();
    assert!(fs::read(reader.path("large.bin")).unwrap() == made);
    // And one that has nothing gets all of it.
    let empty = project(server, "a bit more");
    assert_eq!(empty.run_ok(&[]).count("fetched"), 1);
    assert!(fs::read(empty.path("large.bin")).unwrap() == made);
}

#[test]
fn of_a_change_only_little_moves_through_a_directory() {
    of_a_change_only_little_moves(&Server::directory());
}

#[test]
fn of_a_change_only_little_moves_through_nginx() {
    if let Some(nginx) = Server::nginx() {
        of_a_change_only_little_moves(&nginx);
    }
}

#[test]
fn of_a_change_only_little_moves_through_s3() {
    if let Some(s3) = Server::s3() {
        of_a_change_only_little_moves(&s3);
    }
}

#[test]
fn a_server_that_says_no_lengths_gives_them_all_the_same() {
    let Some(nginx) = Server::nginx() else { return };
    let writer = project(&nginx, "");
    writer.run_ok(&[]);
    let fault = Fault::before(&nginx.url, Mode::Unsaid);
    let reader = project(&nginx, "");
    reader.edit("jalon.toml", &nginx.url, &fault.url);
    let run = reader.run_ok(&[]);
    assert_eq!(run.count("fetched"), 1, "{}", run.output);
    assert!(run.notices().is_empty(), "{}", run.output);
    let made = fs::read(writer.path("large.bin")).unwrap();
    assert!(fs::read(reader.path("large.bin")).unwrap() == made);
}

/// What lies in `cas`, the longest first: the pieces, then the list.
fn objects(server: &Server) -> Vec<PathBuf> {
    let mut all = files_below(&server.base);
    all.retain(|path| path.to_str().is_some_and(|path| path.contains("/cas/")));
    all.sort_by_key(|path| std::cmp::Reverse(fs::metadata(path).unwrap().len()));
    all
}

#[test]
fn a_piece_that_is_lost_or_wrong_is_made_and_sent_again() {
    let server = Server::directory();
    let writer = project(&server, "");
    writer.run_ok(&[]);
    let made = fs::read(writer.path("large.bin")).unwrap();
    let pieces = objects(&server).len() - 1;
    assert!(pieces > 8, "{pieces} pieces");

    type Harm = fn(&[PathBuf]);
    let harms: [(&str, Harm); 6] = [
        ("a piece is lost", |all| fs::remove_file(&all[3]).unwrap()),
        ("a bit of a piece flips", |all| flip(&all[2], 70_000)),
        ("a piece is cut short", |all| cut(&all[0], 1000)),
        ("a piece has another's bytes", |all| {
            assert!(fs::copy(&all[4], &all[5]).is_ok())
        }),
        ("a bit of the list flips", |all| {
            flip(&all[all.len() - 1], 20)
        }),
        ("the list is cut short", |all| {
            cut(&all[all.len() - 1], 36 * 3 + 16)
        }),
    ];
    for (what, harm) in harms {
        harm(&objects(&server));
        let reader = project(&server, "");
        let run = reader.run_ok(&[]);
        assert_eq!(run.count("ran"), 1, "{what}: {}", run.output);
        assert!(
            run.notices().contains(&"blob-damaged".to_owned()),
            "{what}: {}",
            run.output
        );
        assert!(
            fs::read(reader.path("large.bin")).unwrap() == made,
            "{what}"
        );
        let again = project(&server, "");
        let run = again.run_ok(&[]);
        assert_eq!(run.count("fetched"), 1, "{what}: {}", run.output);
        assert!(fs::read(again.path("large.bin")).unwrap() == made, "{what}");
    }
}

fn flip(path: &PathBuf, at: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[at] ^= 1;
    fs::write(path, bytes).unwrap();
}

fn cut(path: &PathBuf, at: usize) {
    let bytes = fs::read(path).unwrap();
    fs::write(path, &bytes[..at]).unwrap();
}

#[test]
fn verify_and_push_see_a_piece_that_is_lost() {
    let server = Server::directory();
    let writer = project(&server, "");
    writer.run_ok(&[]);
    writer.jalon(&["cache", "verify", "--remote"]).expect(0);
    fs::remove_file(&objects(&server)[1]).unwrap();
    writer.jalon(&["cache", "verify", "--remote"]).expect(6);
    writer.jalon(&["cache", "push"]).expect(0);
    writer
        .jalon(&["cache", "verify", "--remote", "--bytes"])
        .expect(0);
}

#[test]
fn pieces_are_forgotten_with_their_blob() {
    let server = Server::directory();
    let writer = project(&server, "");
    writer.run_ok(&[]);
    writer.edit("jalon.toml", "make.py ''", "make.py 'more'");
    writer.run_ok(&[]);
    // The first blob goes; what both had in common is found in the second only if that was remembered, and comes from
    // the remote else: right in any case.
    writer
        .jalon(&["gc", "--max-size", "13MB", "--yes"])
        .expect(0);
    writer.jalon(&["cache", "verify"]).expect(0);
    writer.edit("jalon.toml", "make.py 'more'", "make.py ''");
    let run = writer.run_ok(&[]);
    assert_eq!(
        run.count("fetched") + run.count("hit") + run.count("ran"),
        1,
        "{}",
        run.output
    );
}
