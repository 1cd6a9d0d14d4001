//! Bad definitions and bad calls: exit code, place, suggestion, all errors in one pass, before anything runs.

use serde_json::Value;

use crate::project::Project;

/// A definition, and for its first error: a word of the message, line, column, length.
struct Bad {
    definition: &'static str,
    word: &'static str,
    place: (u64, u64),
}

const BAD: &[Bad] = &[
    Bad {
        definition: "[node.a]\ncmd = 'true'\nouts = { x = \"x\" }\n",
        word: "outs",
        place: (3, 1),
    },
    Bad {
        definition: "[nodes.a]\ncmd = 'true'\n",
        word: "nodes",
        place: (1, 2),
    },
    Bad {
        definition: "[node.a]\ncmd = 'true\n",
        word: "",
        place: (2, 0),
    },
    Bad {
        definition: "[node.a]\ncmd = 3\n",
        word: "string",
        place: (2, 7),
    },
    Bad {
        definition: "[node.a]\ncmd = 'true'\ntimeout = \"soon\"\n",
        word: "duration",
        place: (3, 11),
    },
    Bad {
        definition: "[node.a]\ncmd = 'true'\nin = [\"absent\"]\n",
        word: "absent",
        place: (3, 7),
    },
    Bad {
        definition: "[node.a]\ncmd = 'cat {{in.b}}'\n",
        word: "`b`",
        place: (2, 0),
    },
    Bad {
        definition: "[node.a]\ncmd = 'cat {{nonsense}}'\n",
        word: "nonsense",
        place: (2, 0),
    },
    Bad {
        definition: "[node.a]\ncmd = 'true'\nparams = [\"absent\"]\n",
        word: "absent",
        place: (3, 11),
    },
    Bad {
        definition: "[node.a]\ncmd = 'true'\nin = [\"y\"]\nout = { x = \"x\" }\n[node.b]\ncmd = 'true'\nin = [\"x\"]\nout = { y = \"y\" }\n",
        word: "cycle",
        place: (0, 0),
    },
    Bad {
        definition: "[node.a]\ncmd = 'true'\nout = { x = \"x\" }\n[node.b]\ncmd = 'true'\nout = { x = \"y\" }\n",
        word: "x",
        place: (6, 0),
    },
    Bad {
        definition: "[node.a]\ncmd = 'true'\nout = { x = \"p\" }\n[node.b]\ncmd = 'true'\nout = { y = \"p\" }\n",
        word: "p",
        place: (6, 0),
    },
    Bad {
        definition: "[node.a]\ncmd = 'true'\nout = { x = \"d/\" }\n[node.b]\ncmd = 'true'\nout = { y = \"d/y\" }\n",
        word: "`y` lies inside",
        place: (6, 0),
    },
    Bad {
        definition: "[source]\ns = \"d/\"\n[node.b]\ncmd = 'true'\nout = { y = \"d/y\" }\n",
        word: "`y` lies inside",
        place: (5, 0),
    },
    Bad {
        definition: "[node.b]\ncmd = 'true'\nout = { y = \"../y\" }\n",
        word: "../y",
        place: (3, 0),
    },
    Bad {
        definition: "[node.b]\ncmd = 'true'\nout = { y = \"/tmp/y\" }\n",
        word: "/tmp/y",
        place: (3, 0),
    },
    Bad {
        definition: "[node.b]\ncmd = 'true'\ncache = \"no\"\n",
        word: "boolean",
        place: (3, 9),
    },
    Bad {
        definition: "[node.b]\nmatrix = { k = [1, 2] }\ncmd = 'true'\nout = { y = \"y\" }\n",
        word: "y",
        place: (4, 0),
    },
    Bad {
        definition: "[pipeline]\nrequires = \">=99\"\n[node.a]\ncmd = 'true'\n",
        word: "99",
        place: (2, 0),
    },
    Bad {
        definition: "[finally.f]\ncmd = 'true'\nwhen = \"never\"\n",
        word: "never",
        place: (3, 8),
    },
];

#[test]
fn each_error_has_its_place() {
    let mut wrong = Vec::new();
    for (index, bad) in BAD.iter().enumerate() {
        let project = Project::new(bad.definition);
        let output = project.jalon(&["check", "--json"]);
        let Ok(reply) = serde_json::from_str::<Value>(&output.stdout) else {
            wrong.push(format!("case {index}: no JSON\n{}{output}", bad.definition));
            continue;
        };
        let error = &reply["error"];
        let span = &error["spans"][0];
        let (line, column) = bad.place;
        let right = output.code == 3
            && error["code"].as_str().is_some_and(|code| !code.is_empty())
            && error.to_string().contains(bad.word)
            && span["file"] == "jalon.toml"
            && (line == 0 || span["line"] == line)
            && (column == 0 || span["column"] == column)
            && span["length"].as_u64() > Some(0)
            && reply["errors"]
                .as_array()
                .is_some_and(|all| all.first() == Some(error));
        if !right {
            wrong.push(format!(
                "case {index}: want {:?} at {:?}\n{}{output}",
                bad.word, bad.place, bad.definition
            ));
        }
        for verb in [&["run"][..], &["plan"]] {
            let output = project.jalon(verb);
            if output.code != 3 {
                wrong.push(format!("case {index}: {output}"));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {} are wrong:\n\n{}",
        wrong.len(),
        BAD.len(),
        wrong.join("\n\n")
    );
}

#[test]
fn all_errors_come_in_one_pass() {
    let project = Project::new(
        "[pipeline]\nnmae = \"x\"\n[node.a]\ncdm = 'true'\nin = [\"nowhere\"]\ntimeout = true\n[node.b]\ncmd = 'echo {{what}}'\n",
    );
    let reply = project.jalon(&["check", "--json"]).expect(3).json();
    let lines: Vec<u64> = reply["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| error["spans"][0]["line"].as_u64().unwrap())
        .collect();
    for line in [2, 4, 6, 8] {
        assert!(lines.contains(&line), "line {line}: {reply:#}");
    }
    let screen = project.jalon(&["check"]).expect(3).stderr;
    for word in ["nmae", "name", "cdm", "cmd", "jalon.toml"] {
        assert!(screen.contains(word), "{word} in\n{screen}");
    }
}

#[test]
fn a_valid_definition_passes_the_check() {
    Project::fixture().jalon(&["check"]).expect(0);
    let reply = Project::fixture()
        .jalon(&["check", "--json"])
        .expect(0)
        .json();
    assert!(reply.get("error").is_none_or(Value::is_null), "{reply}");
}

#[test]
fn a_missing_source_file() {
    let project = Project::fixture();
    project.remove("raw.txt");
    let reply = project.jalon(&["run", "--json"]).expect(3).json();
    let error = &reply["error"];
    assert!(
        error["message"].as_str().unwrap().contains("raw.txt"),
        "{reply}"
    );
    assert_eq!(error["spans"][0]["file"], "jalon.toml");
    assert_eq!(project.jalon(&["plan"]).code, 3);
    assert_eq!(project.executed(), [""; 0]);
}

#[test]
fn a_bad_parameter_file() {
    let project = Project::fixture();
    project.write("params.yml", "train:\n  a: {rate: 0.1\n  b: [\n");
    let reply = project.jalon(&["run", "--json"]).expect(3).json();
    assert_eq!(reply["error"]["spans"][0]["file"], "params.yml", "{reply}");
    assert!(
        reply["error"]["spans"][0]["line"].as_u64() > Some(1),
        "{reply}"
    );
}

#[test]
fn a_missing_program_of_an_array() {
    let project =
        Project::new("[node.a]\ncmd = [\"no-such-program\", \"x\"]\nout = { x = \"x\" }\n");
    let output = project.jalon(&["run"]).expect(7);
    assert!(output.stderr.contains("no-such-program"), "{output}");
}

#[test]
fn no_definition_at_all() {
    let project = Project::fixture();
    project.remove("jalon.toml");
    let output = project.jalon(&["run"]).expect(3);
    assert!(output.stderr.contains("jalon.toml"), "{output}");
    let output = project.jalon(&["run", "-C", "nowhere"]).expect(2);
    assert!(output.stderr.contains("nowhere"), "{output}");
}

#[test]
fn usage() {
    let project = Project::fixture();
    for args in [
        &["rnu"][..],
        &["run", "--no-such-flag"],
        &["run", "-j", "0"],
        &["run", "-j", "many"],
        &["run", "-p", "novalue"],
        &[],
    ] {
        let output = project.jalon(args);
        assert_eq!(output.code, 2, "{output}");
        assert!(!output.stderr.is_empty(), "{output}");
    }
    project.jalon(&["--help"]).expect(0);
    let version = project.jalon(&["--version"]).expect(0);
    assert!(version.stdout.starts_with("jalon "), "{version}");
}

#[test]
fn parameters_are_layered() {
    let project = Project::new(
        r#"
[pipeline]
params = ["conf/base/*.yml", "conf/{{env}}/*.yml", "conf/extra.toml", "conf/extra.json"]
[node.n]
cmd = '{ cat {{params.file}}; echo; echo {{params.list}} {{params.text}} {{params.deep.a}} {{params.deep.b}} {{params.t}} {{params.j}} {{env}}; } > {{out.x}}'
params = ["list", "text", "deep", "t", "j"]
out = { x = "x" }
[env.prod.node.n]
env = { WHERE = "prod" }
"#,
    );
    project.write(
        "conf/base/a.yml",
        "deep: {a: 1, b: 1}\nlist: [one, two words]\ntext: it's\n",
    );
    project.write("conf/local/a.yml", "deep: {b: 2}\n");
    project.write("conf/prod/a.yml", "deep: {b: 3}\n");
    project.write("conf/extra.toml", "t = 1.5\n");
    project.write("conf/extra.json", "{\"j\": true}");
    let last_line = || project.read("x").lines().last().unwrap().to_owned();
    project.run_ok(&[]);
    assert_eq!(last_line(), "one two words it's 1 2 1.5 true local");
    project.run_ok(&["--env", "prod"]);
    assert_eq!(last_line(), "one two words it's 1 3 1.5 true prod");
    project.run_ok(&["-p", "deep.a=9"]);
    assert_eq!(last_line(), "one two words it's 9 2 1.5 true local");
}

#[test]
fn values_are_quoted_for_the_shell() {
    let project = Project::new(
        r#"
[pipeline]
params = ["p.json"]
vars = { show = "printf '%s\\n'" }
[node.n]
cmd = """{{show}} {{params.a}} {{params.list}} '{{{{' > {{out.x}}"""
params = ["a", "list"]
out = { x = "it's here.txt" }
[node.m]
cmd = ["sh", "-c", 'printf "%s\n" "$@" > m.txt', "sh", "{{params.a}}", "{{params.list}}", "k={{params.a}}"]
params = ["a", "list"]
out = { m = "m.txt" }
"#,
    );
    project.write(
        "p.json",
        r#"{"a": "$(touch pwned) `id` ' \" \\ *", "list": ["one two", "$HOME"]}"#,
    );
    project.run_ok(&[]);
    let a = "$(touch pwned) `id` ' \" \\ *";
    assert_eq!(
        project.read("it's here.txt"),
        format!("{a}\none two\n$HOME\n{{{{\n")
    );
    assert_eq!(
        project.read("m.txt"),
        format!("{a}\none two\n$HOME\nk={a}\n")
    );
    assert!(!project.exists("pwned"));
}
