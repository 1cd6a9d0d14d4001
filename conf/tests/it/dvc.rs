//! dvc.yaml: what is read, what a stage comes to, and what is said of what is wrong.
//!
//! `UPDATE_EXPECT=1 cargo test -p jalon-conf` writes the `.expect` files anew.

use jalon_conf::dvc::{self, Answer, Texts};
use jalon_conf::pipeline::{Cache, Command, Kind, Node, Pipeline, Shape};
use jalon_conf::{Lowered, ParamsFile, Request, Severity, Value};

use crate::common::{inline_params, show};

/// Reads files by their names: `…dvc.yaml`, `….dvc`, `.dvc/config`; all others are parameter files.
fn read(files: &[(&str, &str)]) -> Lowered {
    let request = Request {
        env: "local".into(),
        set: Vec::new(),
        version: "0.1.0".into(),
    };
    read_as(files, &request)
}

fn read_as(files: &[(&str, &str)], request: &Request) -> Lowered {
    let chosen = |wanted: &dyn Fn(&str) -> bool| -> Vec<ParamsFile> {
        let chosen = files.iter().filter(|(file, _)| wanted(file));
        let each = chosen.map(|(file, text)| ParamsFile {
            file: (*file).into(),
            text: text.as_bytes().to_vec(),
        });
        each.collect()
    };
    let texts = Texts {
        root: String::new(),
        main: "dvc.yaml".into(),
        definitions: chosen(&|file| file.ends_with("dvc.yaml")),
        tracked: chosen(&|file| file.ends_with(".dvc")),
        config: chosen(&|file| file == ".dvc/config"),
        user: None,
    };
    let mut ask = |path: &str| {
        let found = files.iter().find(|(file, _)| *file == path);
        found.map_or(Answer::Missing, |(_, text)| {
            Answer::Text(text.as_bytes().to_vec())
        })
    };
    dvc::lower(&texts, request, &mut ask)
}

#[track_caller]
fn good(files: &[(&str, &str)]) -> Pipeline {
    let lowered = read(files);
    let said = show(&lowered.diagnostics);
    assert_eq!(said, "");
    lowered.pipeline.expect("nothing is wrong")
}

fn node<'p>(pipeline: &'p Pipeline, name: &str) -> &'p Node {
    let mut nodes = pipeline.nodes.iter();
    let found = nodes.find(|node| node.name.to_string() == name);
    found.unwrap_or_else(|| panic!("{name} is not among {:?}", names(pipeline)))
}

fn names(pipeline: &Pipeline) -> Vec<String> {
    let nodes = pipeline.nodes.iter();
    nodes.map(|node| node.name.to_string()).collect()
}

fn lines<'p>(pipeline: &'p Pipeline, name: &str) -> &'p [String] {
    match &node(pipeline, name).command {
        Command::Lines(lines) => lines,
        other => panic!("{other:?}"),
    }
}

/// By alias: the paths of what an input stands for, and the part that counts.
fn inputs(pipeline: &Pipeline, name: &str) -> Vec<(String, Vec<String>, Option<String>)> {
    let inputs = node(pipeline, name).inputs.iter();
    let each = inputs.map(|input| {
        let artifacts = input.artifacts.iter();
        let paths = artifacts.map(|id| pipeline.artifacts[id.0 as usize].path.clone());
        (input.alias.clone(), paths.collect(), input.within.clone())
    });
    each.collect()
}

fn params(pipeline: &Pipeline, name: &str) -> Vec<String> {
    let params = node(pipeline, name).params.iter();
    params
        .map(|(key, value)| format!("{key} = {}", value.to_json()))
        .collect()
}

#[test]
fn bad_definitions_say_what_is_expected() {
    let directory = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/dvc/bad");
    let update = std::env::var_os("UPDATE_EXPECT").is_some();
    let mut wrong = String::new();
    let mut seen = 0;
    for entry in std::fs::read_dir(&directory).expect("the directory is there") {
        let path = entry.expect("readable").path();
        if path.extension().is_none_or(|extension| extension != "yaml") {
            continue;
        }
        seen += 1;
        let text = std::fs::read_to_string(&path).expect("UTF-8");
        let params = inline_params(&text);
        let lowered = read(&[
            ("dvc.yaml", &text),
            ("params.yaml", &params),
            ("broken.json", "{\"a\": }"),
        ]);
        let shown = show(&lowered.diagnostics);
        let expected = path.with_extension("expect");
        if update {
            std::fs::write(&expected, &shown).expect("writable");
        }
        let expected = std::fs::read_to_string(&expected).unwrap_or_default();
        if shown != expected {
            wrong += &format!("{}: expected\n{expected}but got\n{shown}\n", path.display());
        }
        let mut said = lowered.diagnostics.iter();
        assert!(said.any(|one| one.severity == Severity::Error), "{path:?}");
        assert!(lowered.pipeline.is_none(), "{path:?}");
    }
    assert!(seen > 15, "the bad definitions are gone");
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn a_stage_is_a_node() {
    let pipeline = good(&[
        (
            "dvc.yaml",
            "stages:\n  train:\n    cmd: python train.py\n    desc: d\n    meta: {any: thing}\n    wdir: work\n    deps: [../data, in.txt]\n    params: [lr]\n    outs: [model]\n    metrics: [m.json: {cache: false}]\n    plots: [p.csv: {x: a, y: b}]\n",
        ),
        ("work/params.yaml", "lr: 0.1\nother: 1\n"),
    ]);
    let train = node(&pipeline, "train");
    assert_eq!(lines(&pipeline, "train"), ["python train.py"]);
    assert_eq!(train.directory.as_deref(), Some("work"));
    assert_eq!(params(&pipeline, "train"), ["work/params.yaml:lr = 0.1"]);
    assert_eq!(train.partly_read, ["work/params.yaml"]);
    assert_eq!(train.pass_env, ["*"]);
    assert_eq!(train.env["DVC_STAGE"], "train");
    assert_eq!(train.root_env, [("DVC_ROOT".to_owned(), String::new())]);
    assert_eq!(train.cache, Cache::Yes);
    let made = train.outputs.iter().map(|output| {
        let artifact = &pipeline.artifacts[output.artifact.0 as usize];
        assert_eq!(artifact.shape, Shape::Any);
        (artifact.path.as_str(), artifact.kind)
    });
    assert_eq!(
        made.collect::<Vec<_>>(),
        [
            ("work/model", Kind::Data),
            ("work/m.json", Kind::Metrics),
            ("work/p.csv", Kind::Plot),
        ]
    );
    let sources = inputs(&pipeline, "train");
    assert_eq!(sources[0].1, ["data"]);
    assert_eq!(sources[1].1, ["work/in.txt"]);
}

#[test]
fn a_text_is_a_command_a_line_and_a_list_one_an_element() {
    let pipeline = good(&[(
        "dvc.yaml",
        "stages:\n  a:\n    cmd: |\n      one\n\n      two\n  b:\n    cmd:\n      - three\n      - |\n        four\n        five\n",
    )]);
    assert_eq!(lines(&pipeline, "a"), ["one", "two"]);
    assert_eq!(lines(&pipeline, "b"), ["three", "four\nfive\n"]);
}

#[test]
fn dependencies_meet_outputs_by_path() {
    let pipeline = good(&[(
        "dvc.yaml",
        "stages:\n  a: {cmd: x, outs: [data/split/]}\n  b: {cmd: x, deps: [data/split], outs: [b]}\n  c: {cmd: x, deps: [data/split/left/x.csv], outs: [c]}\n  d: {cmd: x, deps: [data], outs: [d]}\n  e: {cmd: x, deps: [database, ./b], outs: [e]}\n",
    )]);
    let of = |name: &str| inputs(&pipeline, name);
    assert_eq!(of("b")[0].1, ["data/split"]);
    assert_eq!(
        of("c")[0],
        (
            "data/split/left/x.csv".to_owned(),
            vec!["data/split".to_owned()],
            Some("left/x.csv".to_owned())
        )
    );
    assert_eq!(of("d")[0].1, ["data/split", "data/**"]);
    let rest = pipeline.artifacts.iter().find(|one| one.path == "data/**");
    assert_eq!(rest.expect("the rest is a source").except, ["data/split"]);
    assert_eq!(of("e")[0].1, ["database"]);
    assert_eq!(of("e")[1].1, ["b"]);
}

#[test]
fn foreach_and_matrix_make_stages() {
    let pipeline = good(&[
        (
            "dvc.yaml",
            "vars: [{sizes: [1, 2.5]}]\nstages:\n  l: {foreach: [a, 1, true, null, a], do: {cmd: \"echo ${item}\"}}\n  c: {foreach: [{x: 1}, [2]], do: {cmd: \"echo\"}}\n  t: {foreach: \"${models}\", do: {cmd: \"echo ${key} ${item.depth}\"}}\n  m:\n    matrix: {size: \"${sizes}\", kind: [u, {v: 1}]}\n    cmd: echo ${key} ${item.size}\n",
        ),
        (
            "params.yaml",
            "models: {gbm: {depth: 3}, mlp: {depth: 1e-7}}\n",
        ),
    ]);
    assert_eq!(
        names(&pipeline),
        [
            "l@a",
            "l@1",
            "l@true",
            "l@None",
            "c@0",
            "c@1",
            "t@gbm",
            "t@mlp",
            "m@1-u",
            "m@1-kind1",
            "m@2.5-u",
            "m@2.5-kind1",
        ]
    );
    assert_eq!(lines(&pipeline, "t@mlp"), ["echo mlp 1e-07"]);
    assert_eq!(lines(&pipeline, "m@2.5-kind1"), ["echo 2.5-kind1 2.5"]);
    assert_eq!(node(&pipeline, "m@1-u").group.as_deref(), Some("m"));
}

#[test]
fn variables_come_from_files_and_stages_have_their_own() {
    let pipeline = good(&[
        (
            "dvc.yaml",
            "vars: [params.yaml, \"other.toml:x,y\", conf/p.json, {z: 3}]\nstages:\n  a:\n    vars: [{w: 4}]\n    cmd: ${train.lr} ${x} ${y.deep[1]} ${j} ${z} ${w} \\${x} $x ${on}\n",
        ),
        ("params.yaml", "train: {lr: 0.1}\non: yes\n"),
        ("other.toml", "x = 1\nskipped = 2\n[y]\ndeep = [5, 6]\n"),
        ("conf/p.json", "{\"j\": false}"),
    ]);
    assert_eq!(lines(&pipeline, "a"), ["0.1 1 6 false 3 4 ${x} $x yes"]);
}

#[test]
fn parameters_are_looked_up_in_their_files() {
    let pipeline = good(&[
        (
            "dvc.yaml",
            "stages:\n  a:\n    cmd: x\n    params: [lr, list.1, p.json: [b.c], q.py: [M.x], r.toml:, \"params.yaml\": [deep]]\n  whole:\n    cmd: x\n    params: [lr, params.yaml:]\n  listed:\n    cmd: x\n    deps: [p.json]\n    params: [p.json: [a]]\n  make: {cmd: x, outs: [gen.yaml]}\n  use: {cmd: x, params: [gen.yaml: [v]], outs: [u]}\n",
        ),
        ("params.yaml", "lr: 1e-3\nlist: [1, two]\ndeep: {a: 017}\n"),
        ("p.json", "{\"a\": 1, \"b\": {\"c\": null}}"),
        ("q.py", "class M:\n    x = (1, 2)\n"),
        ("r.toml", "k = 1\n"),
    ]);
    assert_eq!(
        params(&pipeline, "a"),
        [
            "deep = {\"a\":17}",
            "list.1 = \"two\"",
            "lr = 0.001",
            "p.json:b.c = null",
            "q.py:M.x = [1,2]",
            "r.toml:k = 1",
        ]
    );
    assert_eq!(params(&pipeline, "whole").len(), 3);
    let partly = |name: &str| node(&pipeline, name).partly_read.clone();
    assert_eq!(partly("a"), ["params.yaml", "p.json", "q.py", "r.toml"]);
    assert_eq!(partly("listed"), Vec::<String>::new());
    assert_eq!(inputs(&pipeline, "use")[0].1, ["gen.yaml"]);
    assert_eq!(partly("use"), Vec::<String>::new());
}

#[test]
fn what_always_runs_and_what_never_does() {
    let pipeline = good(&[(
        "dvc.yaml",
        "stages:\n  callback: {cmd: x}\n  once: {cmd: x, outs: [o]}\n  check: {cmd: x, deps: [o]}\n  always: {cmd: x, always_changed: true, outs: [a]}\n  ice: {cmd: x, frozen: true, deps: [gone], outs: [i]}\n  use: {cmd: x, deps: [i], outs: [u: {persist: true}]}\n",
    )]);
    let cache = |name: &str| node(&pipeline, name).cache;
    assert_eq!(cache("callback"), Cache::No);
    assert_eq!(cache("once"), Cache::Yes);
    assert_eq!(cache("check"), Cache::Yes);
    assert_eq!(cache("always"), Cache::No);
    assert!(!names(&pipeline).contains(&"ice".to_owned()));
    let ice = pipeline.artifacts.iter().find(|one| one.path == "i");
    let ice = ice.expect("it is a source");
    assert!(ice.producer.is_none());
    assert!(
        ice.obtain
            .as_deref()
            .is_some_and(|help| help.contains("frozen"))
    );
    let stateful = pipeline.artifacts.iter().filter(|one| one.stateful);
    assert_eq!(stateful.map(|one| &*one.path).collect::<Vec<_>>(), ["u"]);
}

#[test]
fn tracked_data_is_a_source_that_can_be_pulled() {
    let pipeline = good(&[
        (
            "dvc.yaml",
            "stages:\n  a: {cmd: x, deps: [data/raw/one.csv, data]}\n",
        ),
        (
            "data/raw.dvc",
            "outs:\n- md5: 0123.dir\n  size: 3\n  nfiles: 1\n  hash: md5\n  path: raw\n",
        ),
    ]);
    let source = |path: &str| {
        let found = pipeline.artifacts.iter().find(|one| one.path == path);
        found.expect("it is a source").obtain.clone()
    };
    let help = source("data/raw/one.csv").expect("it is known how to get it");
    assert!(help.contains("dvc pull data/raw.dvc"), "{help}");
    assert_eq!(source("data"), None);
}

#[test]
fn several_definitions_are_one_graph() {
    let pipeline = good(&[
        (
            "dvc.yaml",
            "stages:\n  join: {cmd: x, deps: [sub/out], outs: [j]}\nmetrics: [j]\n",
        ),
        (
            "sub/dvc.yaml",
            "stages:\n  make: {cmd: \"${n}\", deps: [../in], outs: [out]}\n",
        ),
        ("sub/params.yaml", "n: 5\n"),
    ]);
    assert_eq!(names(&pipeline), ["join", "sub/dvc.yaml:make"]);
    let make = node(&pipeline, "sub/dvc.yaml:make");
    assert_eq!(make.directory.as_deref(), Some("sub"));
    assert_eq!(make.env["DVC_STAGE"], "sub/dvc.yaml:make");
    assert_eq!(lines(&pipeline, "sub/dvc.yaml:make"), ["5"]);
    assert_eq!(inputs(&pipeline, "join")[0].1, ["sub/out"]);
    assert_eq!(inputs(&pipeline, "sub/dvc.yaml:make")[0].1, ["in"]);
    let default: Vec<String> = pipeline
        .default
        .iter()
        .flatten()
        .map(|(selector, _)| selector.to_string())
        .collect();
    assert_eq!(default, ["tag:dvc.yaml"]);
    let joined = pipeline.artifacts.iter().find(|one| one.path == "j");
    assert_eq!(joined.expect("it is made").kind, Kind::Metrics);
}

#[test]
fn tables_become_arguments_as_the_configuration_says() {
    let definition = "stages:\n  a: {cmd: \"run ${train}\"}\n";
    let params = "train: {deep: {x: 1}, off: false, list: [1, 2]}\n";
    let files = [("dvc.yaml", definition), ("params.yaml", params)];
    assert_eq!(lines(&good(&files), "a"), ["run --deep.x 1 --list 1 2"]);
    let config = (
        ".dvc/config",
        "[parsing]\nbool = boolean_optional\nlist = append\n",
    );
    let files = [files[0], files[1], config];
    assert_eq!(
        lines(&good(&files), "a"),
        ["run --deep.x 1 --no-off --list 1 --list 2"]
    );
}

#[test]
fn plain_scalars_mean_what_dvc_says() {
    let mut wrong = String::new();
    for line in include_str!("../scalars.tsv")
        .lines()
        .filter(|line| !line.starts_with('#'))
    {
        let [scalar, _, theirs] = line.split('\t').collect::<Vec<_>>()[..] else {
            panic!("{line}")
        };
        let params = format!("a: {scalar}\n");
        let definition = "stages: {s: {cmd: x, params: [a]}}\n";
        let lowered = read(&[("dvc.yaml", definition), ("params.yaml", &params)]);
        let value = lowered
            .pipeline
            .map(|pipeline| pipeline.nodes[0].params[0].1.clone());
        let fits = match (value, theirs.split_once(':')) {
            (Some(Value::Null), None) => theirs == "null",
            (Some(Value::Bool(truth)), Some(("bool", text))) => text == truth.to_string(),
            (Some(Value::Int(number)), Some(("int", text))) => text == number.to_string(),
            (Some(Value::Float(number)), Some(("float", text))) => {
                let theirs: f64 = text.parse().expect("a float");
                theirs == number || theirs.is_nan() && number.is_nan()
            }
            (Some(Value::Text(text)), Some(("text", theirs))) => text == theirs,
            // Dates stay text, and more than 64 bits are refused.
            (Some(Value::Text(text)), None) => theirs == "date" && text == scalar,
            (None, _) => {
                lowered
                    .diagnostics
                    .iter()
                    .any(|one| one.code == "number-too-big")
                    || theirs.starts_with("error")
            }
            _ => false,
        };
        if !fits {
            wrong += &format!("{line}\n");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn flags_that_a_dvc_project_cannot_follow_are_refused() {
    let request = Request {
        env: "ci".into(),
        set: vec![("lr".into(), "1".into())],
        version: "0.1.0".into(),
    };
    let said = read_as(&[("dvc.yaml", "stages: {a: {cmd: x}}\n")], &request);
    assert!(said.pipeline.is_none());
    let codes: Vec<&str> = said.diagnostics.iter().map(|one| one.code).collect();
    assert_eq!(codes, ["params-set", "unknown-env"]);
}

#[test]
fn an_export_is_a_definition_of_the_same_graph() {
    let files = [
        (
            "dvc.yaml",
            "stages:\n  prepare: {cmd: \"sh p.sh '{{x}}' \\\"y\\\"\", deps: [raw/a b.csv], params: [lr], outs: [data/prepared]}\n  train:\n    foreach: [a, b]\n    do:\n      wdir: w\n      cmd: [\"cd x\", \"train ${item}\"]\n      deps: [../data/prepared/t.csv]\n      outs: [\"${item}.bin\"]\n      metrics: [\"${item}.json\"]\n  note: {cmd: \"true\", deps: [w/a.bin]}\n  go: {cmd: \"true\", always_changed: true, deps: [w/b.bin], outs: [s: {persist: true}]}\n",
        ),
        ("params.yaml", "lr: 1\n"),
    ];
    let pipeline = good(&files);
    let text = dvc::export(&pipeline, "my project", &|path| {
        (path == "raw").then_some(true)
    });
    let native = crate::common::read("jalon.toml", &text, &[("params.yaml", files[1].1)]);
    assert_eq!(show(&native.diagnostics), "", "{text}");
    let native = native.pipeline.expect("nothing is wrong");
    assert_eq!(
        names(&native),
        ["prepare", "train-a", "train-b", "note", "go"]
    );
    let prepared = native
        .artifacts
        .iter()
        .find(|one| one.path == "data/prepared");
    assert_eq!(
        prepared.map(|one| one.shape),
        Some(Shape::Directory),
        "something inside it is read:\n{text}"
    );
    assert_eq!(node(&native, "note").cache, Cache::Yes);
    assert_eq!(node(&native, "go").cache, Cache::No);
    assert!(text.contains("# NOTE s has `persist`"), "{text}");
}

#[test]
fn remarks_of_an_export_hold_no_control_characters() {
    let pipeline = good(&[(
        "dvc.yaml",
        "stages:\n  go: {cmd: \"true\", deps: [raw], outs: [\"s\\x13t\\x85\": {persist: true}]}\n",
    )]);
    let text = dvc::export(&pipeline, "p", &|_| None);
    let native = crate::common::read("jalon.toml", &text, &[]);
    assert_eq!(show(&native.diagnostics), "", "{text}");
    assert!(text.contains("# NOTE s\\u{13}t"), "{text}");
}
