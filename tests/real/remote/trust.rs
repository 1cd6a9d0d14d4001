//! Whose word counts.

use std::fs;

use crate::project::{Project, files_below};
use crate::servers::Server;
use crate::share::clone_of;

/// Makes a key in a project's home; its public half.
fn keygen(project: &Project) -> String {
    let reply = project.json(&["cache", "keygen", "--json"]);
    reply["public_key"].as_str().unwrap().to_owned()
}

#[test]
fn only_what_somebody_trusted_signed_is_taken() {
    let server = Server::directory();
    let ci = clone_of(&server, "push = true");
    let key = keygen(&ci);
    ci.run_ok(&[]);
    let stranger = clone_of(&server, "push = true");
    keygen(&stranger);
    stranger.edit("params.yml", "0.2", "0.9");
    stranger.run_ok(&[]);
    let nobody = clone_of(&server, "push = true");
    nobody.edit("params.yml", "0.2", "0.8");
    nobody.run_ok(&[]);

    let trusting = format!("trusted_keys = [\"{key}\"]");
    let reader = clone_of(&server, &trusting);
    let run = reader.run_ok(&[]);
    assert_eq!(run.count("fetched"), 4, "{}", run.output);
    assert!(run.notices().is_empty(), "{}", run.output);
    let shown = reader.json(&["show", "joined", "--json"]);
    assert_eq!(shown["origin"]["signer"], key.as_str(), "{shown}");
    assert_eq!(shown["origin"]["remote"], server.url.as_str(), "{shown}");

    for (rate, notice) in [("0.9", "record-untrusted"), ("0.8", "record-unsigned")] {
        let reader = clone_of(&server, &trusting);
        reader.edit("params.yml", "0.2", rate);
        let run = reader.run_ok(&[]);
        assert_eq!(
            (run.count("fetched"), run.count("ran")),
            (2, 2),
            "{}",
            run.output
        );
        assert_eq!(run.notices(), [notice], "{}", run.output);
        assert!(
            run.json["remote"]["disbelieved"].as_u64().unwrap() > 0,
            "{}",
            run.output
        );
        let planned = reader.json(&["plan", "--json"]);
        assert_eq!(planned["counts"]["run"], 0, "{planned}");
    }
    // Without a word about trust everything that verifies is taken, and it is known whose it is not.
    let open = clone_of(&server, "");
    open.edit("params.yml", "0.2", "0.8");
    assert_eq!(open.run_ok(&[]).count("fetched"), 4);
    let shown = open.json(&["show", "joined", "--json"]);
    assert_eq!(
        shown["origin"]["signer"],
        serde_json::Value::Null,
        "{shown}"
    );
}

#[test]
fn a_forged_record_is_no_record() {
    let server = Server::directory();
    let ci = clone_of(&server, "push = true");
    let key = keygen(&ci);
    ci.run_ok(&[]);
    // Every byte of every record, one after the other, in a copy each: here some of each.
    let records: Vec<_> = files_below(&server.base)
        .into_iter()
        .filter(|path| path.to_str().is_some_and(|path| path.contains("/ac/")))
        .collect();
    for step in 0..12 {
        let kept: Vec<_> = records.iter().map(|path| fs::read(path).unwrap()).collect();
        for (path, bytes) in records.iter().zip(&kept) {
            // Packed bytes would break as a whole: what is inside is to be wrong.
            let mut plain = zstd::stream::decode_all(bytes.as_slice()).unwrap_or(bytes.clone());
            let at = plain.len() * (step + 1) / 13;
            plain[at] ^= 0x10;
            fs::write(path, plain).unwrap();
        }
        let reader = clone_of(&server, &format!("trusted_keys = [\"{key}\"]"));
        let run = reader.run_ok(&[]);
        assert_eq!(
            (run.count("fetched"), run.count("ran")),
            (0, 4),
            "{step}: {}",
            run.output
        );
        assert_eq!(reader.read("joined.txt"), ci.read("joined.txt"));
        for (path, bytes) in records.iter().zip(&kept) {
            fs::write(path, bytes).unwrap();
        }
    }
}

#[test]
fn a_policy_asks_for_more_than_a_signature() {
    let server = Server::directory();
    let git = |project: &Project, args: &[&str]| {
        let done = std::process::Command::new("git")
            .args(["-c", "user.name=a", "-c", "user.email=a@b"])
            .args(args)
            .current_dir(&project.dir)
            .output()
            .unwrap();
        assert!(
            done.status.success(),
            "{}",
            String::from_utf8_lossy(&done.stderr)
        );
    };
    let dirty = clone_of(&server, "push = true");
    dirty.write("README", "not committed\n");
    git(&dirty, &["init", "-q"]);
    dirty.run_ok(&[]);
    let strict = "require = [\"clean\", \"traced\"]";
    let reader = clone_of(&server, strict);
    let run = reader.run_ok(&[]);
    assert_eq!(run.count("ran"), 4, "{}", run.output);
    assert_eq!(run.notices(), ["record-untrusted"], "{}", run.output);

    let clean = clone_of(&server, "push = true");
    git(&clean, &["init", "-q"]);
    git(&clean, &["add", "."]);
    git(&clean, &["commit", "-qm", "all"]);
    // What nodes make does not make the tree dirty.
    clean.edit("params.yml", "0.2", "0.7");
    git(&clean, &["commit", "-qam", "more"]);
    clean.run_ok(&["--force", "clean", "--force", "evaluate"]);
    let reader = clone_of(&server, strict);
    reader.edit("params.yml", "0.2", "0.7");
    let run = reader.run_ok(&[]);
    assert!(run.count("fetched") >= 3, "{}", run.output);

    // Executions that nobody watched are no `traced` ones.
    let blind = clone_of(&server, "push = true");
    blind.edit(
        "jalon.toml",
        "pass_env = [\"LOG\"]",
        "pass_env = [\"LOG\"]\nisolation = \"none\"",
    );
    blind.edit("raw.txt", "two", "unseen");
    blind.run_ok(&[]);
    let reader = clone_of(&server, "require = [\"traced\"]");
    reader.edit(
        "jalon.toml",
        "pass_env = [\"LOG\"]",
        "pass_env = [\"LOG\"]\nisolation = \"none\"",
    );
    reader.edit("raw.txt", "two", "unseen");
    assert_eq!(reader.run_ok(&[]).count("ran"), 4);
}

#[test]
fn keys_are_kept_to_their_owner_and_a_second_one_replaces_none() {
    let server = Server::directory();
    let mut project = clone_of(&server, "push = true");
    let first = keygen(&project);
    let keys = project.beside("home/.config/jalon/keys");
    let listed = || files_below(&keys);
    let one = fs::read_to_string(&listed()[0]).unwrap();
    use std::os::unix::fs::PermissionsExt;
    let mode = fs::metadata(&listed()[0]).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let second = keygen(&project);
    assert_ne!(first, second);
    assert_eq!(listed().len(), 2);
    assert_eq!(fs::read_to_string(&listed()[0]).unwrap(), one);
    // The newest signs, unless the environment says another.
    project.run_ok(&[]);
    let reader = clone_of(&server, &format!("trusted_keys = [\"{second}\"]"));
    assert_eq!(reader.run_ok(&[]).count("fetched"), 4);
    project.set_env("JALON_SIGNING_KEY", one.trim());
    project.edit("params.yml", "0.2", "0.6");
    project.run_ok(&[]);
    let reader = clone_of(
        &server,
        &format!("trusted_keys = [\"{first}\", \"{second}\"]"),
    );
    reader.edit("params.yml", "0.2", "0.6");
    assert_eq!(reader.run_ok(&[]).count("fetched"), 4);
    // A key that is none is said, whoever set it; its text is not.
    project.set_env("JALON_SIGNING_KEY", "jalon-private:c2VjcmV0");
    let wrong = project.jalon(&["run", "--force", "clean"]).expect(3);
    assert!(wrong.all().contains("JALON_SIGNING_KEY"), "{wrong}");
    assert!(!wrong.all().contains("c2VjcmV0"), "{wrong}");
}
