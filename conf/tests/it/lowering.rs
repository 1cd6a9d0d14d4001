//! What a definition becomes: instances, bindings, pieces, settings.

use std::time::Duration;

use jalon_conf::pipeline::{Cache, Cause, Command, Keep, Kind, Link, Node, Piece, Pipeline, Shape};
use jalon_conf::{Layer, Request, Text, Value, parse};

use crate::common::{files, inline_params, read, read_env, show};

fn pipeline(text: &str) -> Pipeline {
    pipeline_env(text, "local")
}

fn pipeline_env(text: &str, env: &str) -> Pipeline {
    let lowered = read_env(
        "jalon.toml",
        text,
        &[("params.yml", &inline_params(text))],
        env,
        &[],
    );
    lowered
        .pipeline
        .unwrap_or_else(|| panic!("{}", show(&lowered.diagnostics)))
}

fn wide() -> String {
    files("good")
        .into_iter()
        .find(|(n, _)| n == "wide.toml")
        .expect("there")
        .1
}

fn node<'p>(p: &'p Pipeline, name: &str) -> &'p Node {
    p.nodes
        .iter()
        .find(|n| n.name.to_string() == name)
        .unwrap_or_else(|| panic!("no {name}"))
}

fn inputs(p: &Pipeline, name: &str) -> Vec<(String, Vec<String>, bool)> {
    let names = |ids: &[jalon_conf::pipeline::ArtifactId]| {
        ids.iter()
            .map(|a| p.artifacts[a.0 as usize].name.to_string())
            .collect()
    };
    node(p, name)
        .inputs
        .iter()
        .map(|i| (i.alias.clone(), names(&i.artifacts), i.list))
        .collect()
}

#[test]
fn line_breaks_of_another_system_are_line_breaks() {
    let text = "[node.a]\r\ncmd = '''\r\nset -e\r\necho one\r\n'''\r\n\
                [node.b]\r\ncmd = [\"x\", \"\"\"a\\r\r\nb\\r\\n\"\"\"]\r\n";
    let p = pipeline(text);
    assert_eq!(
        node(&p, "a").command,
        Command::Shell(vec![Piece::Text("set -e\necho one\n".into())])
    );
    let Command::Exec(words) = &node(&p, "b").command else {
        panic!("a list is executed as it is")
    };
    assert_eq!(words[1].pieces, [Piece::Text("a\r\nb\r\n".into())]);
}

#[test]
fn a_mistake_after_such_line_breaks_has_its_place() {
    let text = "[node.a]\r\ncmd = \"\"\"\r\necho one\r\n  {{nope}}\r\n\"\"\"\r\n";
    let shown = show(&read("jalon.toml", text, &[]).diagnostics);
    assert!(shown.starts_with("jalon.toml:4:3-8 error"), "{shown}");
}

#[test]
fn matrices_expand_in_written_order() {
    let p = pipeline(&wide());
    let names: Vec<String> = p.nodes.iter().map(|n| n.name.to_string()).collect();
    assert_eq!(
        names[..6],
        [
            "prepare",
            "train[gbm,1]",
            "train[gbm,2]",
            "train[gbm,3]",
            "train[mlp,1]",
            "train[mlp,2]"
        ]
    );
    let train = node(&p, "train[mlp,2]");
    assert_eq!(train.tags, ["gpu", "mlp"]);
    assert_eq!(train.checkpoint.as_deref(), Some("ckpt/mlp-2"));
    assert_eq!(train.env["SEED"], "2");
    assert_eq!(train.env["LANG"], "C");
    let params: Vec<&str> = train.params.iter().map(|(k, _)| k.as_str()).collect();
    assert_eq!(params, ["layers", "train.gbm", "train.mlp"]);
    let model = &p.artifacts[train.outputs[0].artifact.0 as usize];
    assert_eq!(
        (model.name.to_string().as_str(), model.path.as_str()),
        ("model[mlp,2]", "models/mlp/2.bin")
    );
    assert_eq!(
        model
            .producer
            .map(|n| p.nodes[n.0 as usize].name.to_string())
            .as_deref(),
        Some("train[mlp,2]")
    );
    let curve = &p.artifacts[train.outputs[1].artifact.0 as usize];
    assert_eq!((curve.keep, curve.kind), (Keep::Run, Kind::Plot));
}

#[test]
fn inputs_bind_instances() {
    let p = pipeline(&wide());
    let all = ["model[gbm,1]", "model[gbm,2]", "model[gbm,3]"]
        .map(String::from)
        .to_vec();
    let got = inputs(&p, "score[gbm,2,1]");
    assert_eq!(got[0], ("model".into(), vec!["model[gbm,2]".into()], false));
    assert_eq!(got[1], ("all".into(), all, true));
    let evaluate = inputs(&p, "evaluate");
    assert_eq!((evaluate[0].1.len(), evaluate[0].2), (5, true));
    assert_eq!((evaluate[1].1.len(), evaluate[1].2), (4, true));
    assert_eq!(
        inputs(&p, "train[gbm,1]")[1],
        (
            "sizes".into(),
            vec!["größe.v1".into(), "lookup".into()],
            true
        )
    );
    assert_eq!(node(&p, "publish").after.len(), 3);
}

#[test]
fn commands_are_pieces() {
    let p = pipeline(&wide());
    let Command::Shell(pieces) = &node(&p, "prepare").command else {
        panic!("a string")
    };
    let text = |t: &str| Piece::Text(t.into());
    assert_eq!(
        pieces[0],
        text("# comment's quote\nuv run --frozen python src/prepare.py ")
    );
    assert_eq!(pieces[1..4], [Piece::Input(0), text(" "), Piece::Output(0)]);
    let value = |r: &str, w: &[&str]| Piece::Value {
        reference: r.into(),
        words: w.iter().map(ToString::to_string).collect(),
    };
    assert_eq!(pieces[5], value("params.prepare.test", &["0.2"]));
    assert_eq!(pieces[7], value("env", &["local"]));
    assert_eq!(pieces[8], text(" --literal '{{x}}'\n"));
    let Command::Exec(words) = &node(&p, "train[gbm,1]").command else {
        panic!("a list")
    };
    let splices: Vec<bool> = words.iter().map(|w| w.splice).collect();
    assert_eq!(
        splices,
        [true, false, false, false, true, false, false, false, true]
    );
    assert_eq!(
        words[0].pieces,
        [value("py", &["uv", "run", "--frozen", "python"])]
    );
    assert_eq!(
        words[3].pieces,
        [text("--lr="), value("params.train.gbm.lr", &["0.1"])]
    );
    assert_eq!(words[4].pieces, [value("params.layers", &["64", "32"])]);
    assert_eq!(words[6].pieces, [Piece::ParamsFile]);
    assert_eq!(
        p.hooks[0].run,
        ["uv", "run", "--frozen", "python", "./ops/hook.py"]
    );
}

#[test]
fn variables_quote_the_values_in_them() {
    let p = pipeline(
        "#| name: \"a b\"\n[pipeline.vars]\nn = \"--name {{params.name}}\"\n[node.a]\ncmd = \"x {{n}}\"\n[node.b]\ncmd = [\"x\", \"{{n}}\", \"<{{n}}>\"]\n",
    );
    assert_eq!(
        node(&p, "a").command,
        Command::Shell(vec![Piece::Text("x --name 'a b'".into())])
    );
    let Command::Exec(words) = &node(&p, "b").command else {
        panic!("a list")
    };
    let Piece::Value { words: spliced, .. } = &words[1].pieces[0] else {
        panic!("a value")
    };
    assert_eq!(spliced, &["--name", "a b"]);
    assert_eq!(words[2].pieces, [Piece::Text("<--name a b>".into())]);
}

#[test]
fn settings_are_inherited() {
    let p = pipeline(&wide());
    let train = node(&p, "train[gbm,1]");
    assert_eq!(train.pass_env, ["HOME", "CUDA_VISIBLE_DEVICES"]);
    let secrets: Vec<&str> = train.secrets.iter().map(|(s, _)| s.as_str()).collect();
    assert_eq!(secrets, ["TOKEN", "WANDB"]);
    assert_eq!(
        (train.resources.cpu, train.resources.mem),
        (4.0, Some(1024))
    );
    assert_eq!(
        train.resources.pools.keys().collect::<Vec<_>>(),
        ["gpu", "licence"]
    );
    assert_eq!(train.timeout, Some(Duration::from_secs(5400)));
    assert_eq!(
        (train.retries.max, train.retries.wait),
        (1, Duration::from_millis(500))
    );
    assert_eq!(
        train.retries.on,
        [Cause::Timeout, Cause::Oom, Cause::Signal, Cause::Exit(75)]
    );
    let prepare = node(&p, "prepare");
    assert_eq!(
        (prepare.retries.max, prepare.timeout),
        (3, Some(Duration::from_secs(90)))
    );
    assert_eq!(
        (prepare.cache, node(&p, "publish").cache),
        (Cache::Yes, Cache::No)
    );
    assert_eq!(prepare.code[2].0, "src/lib/**");
}

#[test]
fn environments_overlay() {
    assert_eq!(pipeline(&wide()).name.as_deref(), Some("wide-local"));
    let p = pipeline_env(&wide(), "ci");
    assert_eq!((p.name.as_deref(), p.store.push), (Some("wide"), true));
    assert_eq!(
        p.store
            .remote
            .iter()
            .map(|(u, _)| u.as_str())
            .collect::<Vec<_>>(),
        ["s3://acme/churn"]
    );
    assert_eq!(node(&p, "prepare").resources.cpu, 16.0);
    let raw = p
        .artifacts
        .iter()
        .find(|a| a.name.base == "raw")
        .expect("raw");
    assert_eq!(
        (raw.path.as_str(), raw.shape),
        ("data/ci/raw/*.csv", Shape::Glob)
    );
}

#[test]
fn an_environment_that_changes_nothing_is_said() {
    let quiet = "[source]\nraw = \"{{env}}/raw\"\n";
    assert_eq!(read_env("j", quiet, &[], "prod", &[]).diagnostics.len(), 0);
    let said = read_env("j", "[env.prod.store]\npush = true\n", &[], "prd", &[]);
    assert_eq!(said.diagnostics.len(), 1);
    assert!(said.pipeline.is_some());
    assert_eq!(
        said.diagnostics[0].help.as_deref(),
        Some("did you mean `prod`?")
    );
}

#[test]
fn the_users_file_is_below_the_projects() {
    let text = |text: &str, layer| Text {
        file: format!("{layer:?}"),
        text: text.into(),
        layer,
    };
    let request = Request {
        env: "local".into(),
        set: Vec::new(),
        version: "0.1.0".into(),
    };
    let user = "[store]\nlink = \"copy\"\nmax_size = \"1GiB\"\n[defaults]\ntimeout = \"1h\"\n";
    let project = "[store]\nmax_size = \"2GiB\"\n[env.local.store]\npush = true\n";
    let lowered = parse(
        vec![text(project, Layer::Project), text(user, Layer::User)],
        &request,
    )
    .lower(Vec::new());
    let from = |key: &str| {
        lowered
            .provenance
            .iter()
            .find(|s| s.key == key)
            .map(|s| (s.layer, s.value.as_str()))
    };
    assert_eq!(from("store.link"), Some((Layer::User, "\"copy\"")));
    assert_eq!(from("store.max_size"), Some((Layer::Project, "\"2GiB\"")));
    assert_eq!(from("store.push"), Some((Layer::Env, "true")));
    assert_eq!(from("store.required"), Some((Layer::Default, "false")));
    let refused =
        parse(vec![text("[node.a]\ncmd = \"x\"\n", Layer::User)], &request).lower(Vec::new());
    assert_eq!(refused.diagnostics[0].code, "unknown-key");
}

#[test]
fn wanted_files_have_variables_inserted() {
    let request = Request {
        env: "ci".into(),
        set: Vec::new(),
        version: "0.1.0".into(),
    };
    let text = "[pipeline]\nparams = [\"{{base}}/*.yml\", \"conf/{{env}}.toml\", \"{{vars.base}}/x.json\"]\nvars = { base = \"conf/base\" }\n";
    let document = parse(
        vec![Text {
            file: "j".into(),
            text: text.into(),
            layer: Layer::Project,
        }],
        &request,
    );
    let wanted: Vec<(String, bool)> = document
        .wanted_params()
        .into_iter()
        .map(|w| (w.pattern, w.is_glob))
        .collect();
    let expected = [
        ("conf/base/*.yml", true),
        ("conf/ci.toml", false),
        ("conf/base/x.json", false),
    ];
    assert_eq!(wanted, expected.map(|(p, g)| (p.to_owned(), g)));
}

#[test]
fn ten_thousand_nodes_are_no_matter() {
    let mut text = String::from("[source]\na0 = \"raw.csv\"\n");
    for i in 0..10_000 {
        let next = i + 1;
        text += &format!(
            "[node.n{i}]\ncmd = \"x {{{{in.a{i}}}}} {{{{out.a{next}}}}}\"\nin = [\"a{i}\"]\nout = {{ a{next} = \"out/{i}/f\" }}\n"
        );
    }
    let start = std::time::Instant::now();
    assert_eq!(pipeline(&text).nodes.len(), 10_000);
    assert!(
        start.elapsed() < Duration::from_secs(20),
        "{:?}",
        start.elapsed()
    );
}

#[test]
fn deep_nesting_is_an_error_and_not_a_crash() {
    for text in [
        format!(
            "[pipeline]\nvars = {{ x = {}1{} }}\n",
            "[".repeat(10_000),
            "]".repeat(10_000)
        ),
        format!("[{}]\nx = 1\n", vec!["a"; 10_000].join(".")),
        format!("{} = 1\n", vec!["a"; 10_000].join(".")),
        format!("x = {}1{}\n", "{a=".repeat(10_000), "}".repeat(10_000)),
    ] {
        assert!(read("j", &text, &[]).pipeline.is_none());
    }
    let params = Value::from_text(&"[".repeat(10_000));
    assert!(params.is_err());
}

#[test]
fn the_store_is_as_written() {
    let p = pipeline(&wide());
    let s = &p.store;
    assert_eq!(
        (s.path.as_deref(), s.link),
        (Some("/var/cache/jalon"), Link::Hardlink)
    );
    assert_eq!(
        (s.max_size, s.push, s.required),
        (Some(50 << 30), false, true)
    );
    let remote: Vec<&str> = s.remote.iter().map(|(u, _)| u.as_str()).collect();
    assert_eq!(remote, ["http://cache.local/local", "s3://acme/churn"]);
    assert_eq!(s.require, ["signed", "traced", "clean"]);
    assert_eq!(s.trusted_keys, ["ed25519:abc"]);
    assert_eq!(
        (s.token_env.as_str(), s.headers["X-Team"].as_str()),
        ("TOKEN", "data")
    );
    let files = [&s.ca, &s.client_cert, &s.client_key].map(|f| f.as_deref());
    assert_eq!(files, [Some("ca.pem"), Some("cert.pem"), Some("key.pem")]);
    let bare = pipeline("[node.a]\ncmd = \"true\"\n");
    assert_eq!(
        (bare.store.token_env.as_str(), bare.store.link),
        ("JALON_REMOTE_TOKEN", Link::Auto)
    );
    assert!(bare.default.is_none() && !bare.allow_outside && p.allow_outside);
    assert_eq!(p.default.map(|d| d.len()), Some(4));
}
