//! What one clone makes, another finds.

use crate::project::{FIXTURE_NODES, Project, files_below, wait_until};
use crate::servers::Server;

/// Nodes that make a large file that cannot be packed, one that can, and a directory.
const MORE: &str = r#"
[node.large]
cmd = '''echo large >> "$LOG"; python3 -c 'import hashlib,sys; f=open(sys.argv[1],"wb"); [f.write(hashlib.sha512(str(n).encode()).digest()) for n in range(160000)]' {{out.large}}'''
out = { large = "large.bin" }

[node.packed]
cmd = '''echo packed >> "$LOG"; yes abcdefgh | head -c 3000000 > {{out.packed}}'''
out = { packed = "packed.txt" }

[node.tree]
cmd = '''echo tree >> "$LOG"; mkdir -p {{out.tree}}/a/b; for n in $(seq 300); do echo $n > {{out.tree}}/a/$n; done; : > {{out.tree}}/empty; cp {{in.clean}} {{out.tree}}/a/b/c; ln -s a/b/c {{out.tree}}/link; chmod +x {{out.tree}}/a/7'''
in = ["clean"]
out = { tree = "tree/" }
"#;

/// Everything that `MORE` and the fixture execute.
fn all() -> Vec<&'static str> {
    let mut all = FIXTURE_NODES.to_vec();
    all.extend(["large", "packed", "tree"]);
    all.sort_unstable();
    all
}

/// The fixture with a remote.
pub fn clone_of(server: &Server, settings: &str) -> Project {
    let mut project = Project::fixture();
    let definition = project.read("jalon.toml");
    project.write(
        "jalon.toml",
        format!(
            "{definition}\n[store]\nremote = \"{}\"\n{}{settings}\n",
            server.url, server.store
        ),
    );
    for (name, value) in &server.env {
        project.set_env(name, value);
    }
    project
}

fn with_more(project: &Project) {
    let definition = project.read("jalon.toml");
    let (head, store) = definition.split_once("\n[store]").expect("a store");
    project.write("jalon.toml", format!("{head}{MORE}\n[store]{store}"));
}

/// Bytes of all that the nodes made.
fn made(project: &Project) -> Vec<(String, Vec<u8>)> {
    let mut all = Vec::new();
    for path in files_below(&project.dir) {
        let name = path.strip_prefix(&project.dir).unwrap().to_str().unwrap();
        let of_nodes = [
            "data/",
            "models/",
            "tree/",
            "large.bin",
            "packed.txt",
            "joined.txt",
        ];
        if of_nodes.iter().any(|it| name.starts_with(it)) {
            all.push((name.to_owned(), std::fs::read(&path).unwrap()));
        }
    }
    all.sort();
    all
}

fn blobs(project: &Project) -> u64 {
    project.json(&["cache", "stats", "--json"])["blobs"]
        .as_u64()
        .unwrap()
}

/// The whole story on one server.
fn a_clone_finds_what_another_made(server: &Server, writer: &[(&str, &str)]) {
    let mut a = clone_of(server, "push = true");
    let mut b = clone_of(server, "");
    for (name, value) in writer {
        a.set_env(name, value);
        b.set_env(name, value);
    }
    with_more(&a);
    with_more(&b);
    let first = a.run_ok(&[]);
    assert_eq!(a.executed(), all());
    assert_eq!(first.json["remote"]["sent"], 7, "{}", first.output);
    assert_eq!(first.json["remote"]["unsent"], 0, "{}", first.output);
    assert!(first.notices().is_empty(), "{}", first.output);

    // A plan knows, and takes no bytes for it.
    let plan = b.json(&["plan", "--json"]);
    assert_eq!(plan["counts"]["hit_remote"], 7, "{plan}");
    assert_eq!(plan["counts"]["run"], 0, "{plan}");
    assert!(!b.store().exists() || blobs(&b) == 0);

    let second = b.run_ok(&[]);
    assert_eq!(b.executed(), [""; 0], "{}", second.output);
    assert_eq!(second.count("fetched"), 7, "{}", second.output);
    assert!(second.notices().is_empty(), "{}", second.output);
    assert!(made(&a) == made(&b), "the same bytes");
    assert!(made(&a).len() > 300);
    let third = b.run_ok(&[]);
    assert_eq!(third.count("hit"), 7, "{}", third.output);

    // A change runs what it must, on top of what came from elsewhere.
    b.edit("raw.txt", "two", "three");
    let fourth = b.run_ok(&[]);
    let cone = ["clean", "evaluate", "train[a]", "train[b]", "tree"];
    assert_eq!(b.executed(), cone, "{}", fourth.output);
    // It was not to push, so nobody else knows.
    a.edit("raw.txt", "two", "three");
    assert_eq!(a.json(&["plan", "--json"])["counts"]["hit_remote"], 0);

    // Bytes of results that are known here and evicted come back from there.
    let c = clone_of(server, "");
    let mut c = c;
    for (name, value) in writer {
        c.set_env(name, value);
    }
    with_more(&c);
    c.run_ok(&["--materialize", "none"]);
    assert!(!c.exists("joined.txt"));
    let got = c.jalon(&["get", "large"]).expect(0);
    assert!(c.path("large.bin").is_file(), "{got}");
    assert!(
        std::fs::read(c.path("large.bin")).unwrap() == std::fs::read(a.path("large.bin")).unwrap()
    );
    assert_eq!(c.executed(), [""; 0]);

    // And so do those of nodes that are not even looked at again.
    let mut d = clone_of(server, "");
    for (name, value) in writer {
        d.set_env(name, value);
    }
    wait_until("the clone comes to rest", || {
        d.jalon(&["run", "evaluate"]).expect(0);
        let traces = files_below(&d.store().join("traces"));
        let last = std::fs::read(traces.last().unwrap()).unwrap();
        memchr::memmem::find(&last, b"run.reused").is_some()
    });
    assert!(
        !d.exists("models") && !d.exists("data"),
        "nobody asked for these"
    );
    d.write("evaluate.sh", "cat \"$@\"; echo more\n");
    let fifth = d.jalon(&["run", "evaluate", "-v"]).expect(0);
    assert_eq!(d.executed(), ["evaluate"], "{fifth}");
    let held = "note: nothing that 3 of the nodes rest on has changed";
    assert!(fifth.stderr.contains(held), "{fifth}");
}

#[test]
fn through_a_directory() {
    a_clone_finds_what_another_made(&Server::directory(), &[]);
}

#[test]
fn through_nginx() {
    if let Some(server) = Server::nginx() {
        a_clone_finds_what_another_made(&server, &[]);
    }
}

#[test]
fn through_s3() {
    if let Some(server) = Server::s3() {
        a_clone_finds_what_another_made(&server, &[]);
    }
}

#[test]
fn through_a_bazel_cache() {
    if let Some(server) = Server::casd() {
        a_clone_finds_what_another_made(&server, &[]);
    }
}

#[test]
fn through_a_bazel_cache_with_tls_of_both_sides_and_tokens() {
    let Some((server, tokens)) = Server::buildgrid() else {
        return;
    };
    a_clone_finds_what_another_made(&server, &[("JALON_REMOTE_TOKEN", &tokens.writer)]);

    // A token that may only read: hits, and one word about the rest.
    let mut reader = clone_of(&server, "push = true");
    reader.set_env("JALON_REMOTE_TOKEN", &tokens.reader);
    let run = reader.run_ok(&[]);
    assert_eq!(run.count("fetched"), 4, "{}", run.output);
    reader.edit("params.yml", "0.2", "0.3");
    let run = reader.run_ok(&[]);
    assert_eq!(run.count("ran"), 2, "{}", run.output);
    assert_eq!(run.notices(), ["remote-read-only"], "{}", run.output);
    assert_eq!(run.json["remote"]["sent"], 0, "{}", run.output);

    // None at all.
    let stranger = clone_of(&server, "push = true");
    let run = stranger.run_ok(&[]);
    assert_eq!(run.count("ran"), 4, "{}", run.output);
    assert_eq!(run.notices(), ["remote-unavailable"], "{}", run.output);
}

#[test]
fn what_was_edited_and_not_declared_is_not_taken_for_what_it_was() {
    // The case in which a cache that goes by what is declared hands out a wrong result.
    let server = Server::directory();
    let definition = format!(
        r#"
[defaults]
pass_env = ["LOG"]
[store]
remote = "{}"
push = true
[source]
raw = "raw.txt"
[node.score]
cmd = '''echo score >> "$LOG"; sh score.sh {{{{in.raw}}}} > {{{{out.score}}}}'''
in = ["raw"]
out = {{ score = "score.txt" }}
"#,
        server.url
    );
    let clone = || {
        let project = Project::new(&definition);
        project.write("raw.txt", "5\n");
        project.write("score.sh", ". ./helper.sh; f \"$1\"\n");
        project.write("helper.sh", "f() { cat \"$1\"; }\n");
        project
    };
    let a = clone();
    a.write("helper.sh", "f() { echo 0.306; }\n");
    a.run_ok(&[]);
    assert_eq!(a.read("score.txt"), "0.306\n");
    // Put back, and a clean clone asks: its truth is another.
    let b = clone();
    let run = b.run_ok(&[]);
    assert_eq!(b.read("score.txt"), "5\n");
    assert_eq!(b.executed(), ["score"], "{}", run.output);
    assert_eq!(run.node("score")["undeclared"].as_array().unwrap().len(), 2);
    // And each is found again by who has the same files.
    let c = clone();
    c.run_ok(&[]);
    assert_eq!(
        (c.read("score.txt").as_str(), c.executed().len()),
        ("5\n", 0)
    );
    let d = clone();
    d.write("helper.sh", "f() { echo 0.306; }\n");
    d.run_ok(&[]);
    assert_eq!(
        (d.read("score.txt").as_str(), d.executed().len()),
        ("0.306\n", 0)
    );
}

#[test]
fn tiers_are_asked_in_order_and_all_are_sent_to() {
    let (near, far) = (Server::directory(), Server::directory());
    let of_far = clone_of(&far, "push = true");
    of_far.run_ok(&[]);
    let both = clone_of(&near, "push = true");
    let one = format!("remote = \"{}\"", near.url);
    let two = format!("remote = [\"{}\", \"{}\"]", near.url, far.url);
    both.edit("jalon.toml", &one, &two);
    let run = both.run_ok(&[]);
    assert_eq!(run.count("fetched"), 4, "{}", run.output);
    both.edit("raw.txt", "two", "three");
    both.run_ok(&[]);
    for server in [&near, &far] {
        let reader = clone_of(server, "");
        reader.edit("raw.txt", "two", "three");
        assert_eq!(reader.run_ok(&[]).count("fetched"), 4);
    }
}

#[test]
fn the_environment_says_whether_there_is_a_remote_and_whether_it_takes_anything() {
    let server = Server::directory();
    let project = clone_of(&server, "");
    let line = format!("\n[store]\nremote = \"{}\"\n", server.url);
    project.edit("jalon.toml", &line, "\n");
    let definition = project.read("jalon.toml");
    project.write(
        "jalon.toml",
        format!(
            "{definition}\n[env.ci]\nstore = {{ remote = \"{}\", push = true }}\n",
            server.url
        ),
    );
    let local = project.run_ok(&[]);
    assert!(local.json.get("remote").is_none(), "{}", local.output);
    project.remove(".jalon");
    let no_push = project.run_ok(&["--env", "ci", "--no-push"]);
    assert_eq!(no_push.json["remote"]["sent"], 0, "{}", no_push.output);
    project.remove(".jalon");
    let offline = project.run_ok(&["--env", "ci", "--offline"]);
    assert!(offline.json.get("remote").is_none(), "{}", offline.output);
    project.remove(".jalon");
    let pushed = project.run_ok(&["--env", "ci"]);
    assert_eq!(pushed.json["remote"]["sent"], 4, "{}", pushed.output);
    project.remove(".jalon");
    assert_eq!(project.run_ok(&["--env", "ci"]).count("fetched"), 4);
}

#[test]
fn secrets_and_what_only_this_machine_has_do_not_travel() {
    let server = Server::directory();
    let secret = "tr0ub4dor-and-3-of-them";
    let definition = format!(
        r#"
[pipeline]
allow_outside = true
[defaults]
pass_env = ["LOG", "ELSEWHERE"]
secrets = ["DB_PASSWORD"]
[store]
remote = "{}"
push = true
[node.fetch]
cmd = '''echo fetch >> "$LOG"; echo "connecting with $DB_PASSWORD"; echo rows > {{{{out.rows}}}}'''
out = {{ rows = "rows.txt" }}
[node.bound]
cmd = '''echo bound >> "$LOG"; cat "$ELSEWHERE" > {{{{out.bound}}}}'''
out = {{ bound = "bound.txt" }}
"#,
        server.url
    );
    let make = || {
        let mut project = Project::new(&definition);
        project.set_env("DB_PASSWORD", secret);
        project
    };
    let mut a = make();
    let elsewhere = a.beside("elsewhere.txt");
    std::fs::write(&elsewhere, "of this machine\n").unwrap();
    let elsewhere = elsewhere.to_str().unwrap().to_owned();
    a.set_env("ELSEWHERE", &elsewhere);
    let run = a.run_ok(&[]);
    assert_eq!(run.json["remote"]["sent"], 1, "{}", run.output);
    for path in files_below(&server.base) {
        let bytes = std::fs::read(&path).unwrap();
        let packed = zstd_of(&bytes);
        for bytes in [&bytes, &packed] {
            let found = bytes
                .windows(secret.len())
                .any(|it| it == secret.as_bytes());
            assert!(!found, "the secret is in {}", path.display());
        }
    }
    let mut b = make();
    b.set_env("ELSEWHERE", &elsewhere);
    let run = b.run_ok(&[]);
    assert_eq!(b.executed(), ["bound"], "{}", run.output);
    // What the node printed came along, the secret masked.
    let push = a.json(&["cache", "push", "--json"]);
    assert_eq!(
        (&push["host_bound"], &push["sent"]),
        (&1.into(), &1.into()),
        "{push}"
    );
}

/// Packed bytes as they were; nothing where they are not packed.
fn zstd_of(bytes: &[u8]) -> Vec<u8> {
    zstd::stream::decode_all(bytes).unwrap_or_default()
}
