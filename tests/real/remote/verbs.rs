//! Verbs that look after remotes.

use std::fs;

use crate::project::files_below;
use crate::servers::{Server, port};
use crate::share::clone_of;

#[test]
fn push_sends_what_is_asked_for_and_pull_fetches_it() {
    let server = Server::directory();
    let a = clone_of(&server, "");
    a.run_ok(&[]);
    assert!(files_below(&server.base).is_empty());
    let pushed = a.json(&["cache", "push", "model[a]", "--json"]);
    assert_eq!(pushed["sent"], 2, "with what it needs: {pushed}");
    let b = clone_of(&server, "");
    assert_eq!(b.json(&["plan", "--json"])["counts"]["hit_remote"], 2);
    let again = a.json(&["cache", "push", "--json"]);
    assert_eq!(
        (&again["sent"], &again["unsent"]),
        (&4.into(), &0.into()),
        "{again}"
    );
    a.edit("params.yml", "0.2", "0.5");
    a.run_ok(&[]);
    let all = a.json(&["cache", "push", "--all", "--json"]);
    assert_eq!(all["sent"], 6, "{all}");

    let pulled = b.json(&["cache", "pull", "--json"]);
    assert_eq!(
        (&pulled["results"], &pulled["missed"]),
        (&4.into(), &0.into()),
        "{pulled}"
    );
    assert!(
        !b.exists("joined.txt"),
        "it fills the store and lays nothing out"
    );
    let offline = b.run_ok(&["--offline"]);
    assert_eq!(offline.count("hit"), 4, "{}", offline.output);
    assert!(b.exists("joined.txt"));
}

#[test]
fn verify_says_what_a_remote_lost_or_never_had() {
    let server = Server::directory();
    let a = clone_of(&server, "");
    a.run_ok(&[]);
    let none = a
        .jalon(&["cache", "verify", "--remote", "--json"])
        .expect(6)
        .json();
    assert_eq!(none["absent"].as_array().unwrap().len(), 4, "{none}");
    a.jalon(&["cache", "push"]).expect(0);
    a.jalon(&["cache", "verify", "--remote"]).expect(0);
    let blob = files_below(&server.base)
        .into_iter()
        .find(|path| path.to_str().unwrap().contains("/cas/"))
        .unwrap();
    fs::remove_file(blob).unwrap();
    let lost = a
        .jalon(&["cache", "verify", "--remote", "--json"])
        .expect(6)
        .json();
    assert_eq!(lost["broken"].as_array().unwrap().len(), 1, "{lost}");
    a.jalon(&["cache", "push"]).expect(0);
    a.jalon(&["cache", "verify", "--remote"]).expect(0);
}

#[test]
fn verify_reads_the_bytes_where_it_is_asked_to() {
    let server = Server::directory();
    let a = clone_of(&server, "");
    a.run_ok(&[]);
    a.jalon(&["cache", "push"]).expect(0);
    let bytes = &["cache", "verify", "--remote", "--bytes", "--json"];
    let whole = a.json(bytes);
    assert_eq!(whole["whole"].as_u64(), Some(4), "{whole}");
    let blob = files_below(&server.base)
        .into_iter()
        .find(|path| path.to_str().unwrap().contains("/cas/"))
        .unwrap();
    let length = fs::metadata(&blob).unwrap().len() as usize;
    fs::write(&blob, "x".repeat(length)).unwrap();
    a.jalon(&["cache", "verify", "--remote"]).expect(0);
    let broken = a.jalon(bytes).expect(6).json();
    assert_eq!(broken["broken"].as_array().unwrap().len(), 1, "{broken}");
}

#[test]
fn what_cannot_be_asked_is_said() {
    let mut server = Server::directory();
    let a = clone_of(&server, "");
    let line = format!("remote = \"{}\"", server.url);
    a.jalon(&["cache", "push"]).expect(4);
    a.edit("jalon.toml", &line, "");
    let none = a.jalon(&["cache", "push"]).expect(2);
    assert!(none.all().contains("no remote is named"), "{none}");
    for (bad, word) in [
        ("cache", "no address"),
        ("ftp://host/x", "no kind of remote"),
        ("file://relative", "names no absolute directory"),
    ] {
        a.write(
            "jalon.toml",
            format!("[store]\nremote = \"{bad}\"\n[node.a]\ncmd = \"true\"\n"),
        );
        let refused = a.jalon(&["run"]).expect(3);
        assert!(refused.all().contains(word), "{bad}: {refused}");
        assert!(refused.all().contains("jalon.toml:2"), "{bad}: {refused}");
        a.jalon(&["check"]).expect(3);
    }
    server.url = format!("http://user:pa55word@127.0.0.1:{}/x", port());
    let b = clone_of(&server, "");
    let stats = b.jalon(&["cache", "stats", "--remote"]).expect(6);
    assert!(stats.all().contains("does not answer"), "{stats}");
    let run = b.jalon(&["run", "-v"]).expect(0);
    let doctor = b.jalon(&["doctor"]).expect(0);
    for output in [stats, run, doctor] {
        assert!(!output.all().contains("pa55word"), "{output}");
    }
}
