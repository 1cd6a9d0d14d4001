//! Whatever a dvc.yaml says, it is read or refused with a reason; what is written out of it is TOML.

use jalon_conf::dvc::{self, Answer, Texts};
use jalon_conf::{Lowered, ParamsFile, Request, Severity};
use proptest::prelude::*;

use crate::common::{read, show};

const DEFINITION: &str = r#"
vars: [{out: build}, "more.json:x"]
stages:
  prepare: {cmd: "prepare ${out} ${a.b}", deps: [raw], params: [a.b, p.py: [N]], outs: [data/part]}
  each:
    foreach: ${list}
    do:
      cmd: ["echo ${item}", 'echo \${x} ${a}']
      deps: [data/part/x]
      outs: ["${item}.txt": {persist: true}]
      metrics: ["m-${item}.json": {cache: false}]
  cells: {matrix: {i: [1, 2.5], j: "${list}"}, cmd: "run ${key}", plots: ["p-${key}.csv"]}
  ice: {cmd: x, frozen: true, outs: [ice]}
  use:
    cmd: |
      one
      two
    wdir: ./w/../v
    deps: [../ice, ../tracked, ../data]
    always_changed: true
metrics: [m-1.json]
plots: [{x.csv: {y: {z.csv: q}}}]
"#;

const PARAMS: &str = "a: {b: 1, c: [x, 2], d: true}\nlist: [1, two]\n";
const PYTHON: &str =
    "N = 1\nclass C:\n    def __init__(self):\n        self.v = {'a': (1, -2)}\nS = r'x' \"y\"\n";

/// Pieces that texts are spoilt with.
const PIECES: [&str; 24] = [
    "${",
    "}",
    "\\",
    ": ",
    "\n",
    "  ",
    "- ",
    "[",
    "]",
    "{",
    "*a",
    "&a ",
    "<<: ",
    "'",
    "\"",
    "foreach: ",
    "do: ",
    "matrix: ",
    "null",
    "${a}",
    "../",
    "/",
    "0",
    "é",
];

fn spoilt(text: &'static str) -> impl Strategy<Value = String> {
    let change = (
        any::<prop::sample::Index>(),
        0_usize..12,
        prop::sample::select(PIECES.to_vec()),
    );
    prop::collection::vec(change, 0..6).prop_map(move |changes| {
        let mut characters: Vec<char> = text.chars().collect();
        for (at, length, piece) in changes {
            let from = at.index(characters.len() + 1);
            let to = (from + length).min(characters.len());
            characters.splice(from..to, piece.chars());
        }
        characters.into_iter().collect()
    })
}

fn lowered(definition: &str, params: &str, python: &str) -> Lowered {
    let file = |file: &str, text: &str| ParamsFile {
        file: file.into(),
        text: text.into(),
    };
    let texts = Texts {
        main: "dvc.yaml".into(),
        definitions: vec![file("dvc.yaml", definition)],
        tracked: vec![file("tracked.dvc", "outs: [{path: tracked}]")],
        ..Texts::default()
    };
    let request = Request {
        env: "local".into(),
        set: Vec::new(),
        version: "0.1.0".into(),
    };
    let mut ask = |path: &str| match path {
        "params.yaml" => Answer::Text(params.into()),
        "p.py" => Answer::Text(python.into()),
        "more.json" => Answer::Text(b"{\"x\": 1}".to_vec()),
        _ => Answer::Missing,
    };
    dvc::lower(&texts, &request, &mut ask)
}

#[test]
fn what_is_spoilt_is_good_before() {
    let lowered = lowered(DEFINITION, PARAMS, PYTHON);
    assert_eq!(show(&lowered.diagnostics), "");
    assert!(lowered.pipeline.is_some());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn it_is_read_or_refused(
        definition in spoilt(DEFINITION),
        params in spoilt(PARAMS),
        python in spoilt(PYTHON),
    ) {
        let lowered = lowered(&definition, &params, &python);
        let wrong = lowered.diagnostics.iter().any(|one| one.severity == Severity::Error);
        prop_assert_eq!(lowered.pipeline.is_none(), wrong, "{}", show(&lowered.diagnostics));
        if let Some(pipeline) = lowered.pipeline {
            let text = dvc::export(&pipeline, "any", &|_| None);
            let written = read("jalon.toml", &text, &[]);
            let broken = written.diagnostics.iter().any(|one| one.code.starts_with("toml"));
            prop_assert!(!broken, "{}\n{text}", show(&written.diagnostics));
        }
    }
}
