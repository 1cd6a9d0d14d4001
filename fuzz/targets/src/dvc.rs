//! Any text is a dvc.yaml or a list of diagnostics: no panic, no overflow, no hang.
//!
//! The input is split at NUL: a dvc.yaml, parameters in YAML, parameters in Python, a `.dvc` file. What comes of it
//! is written out as a jalon.toml too, and that must be TOML.

use jalon_conf::dvc::{self, Answer, Texts};
use jalon_conf::{Layer, ParamsFile, Request, Severity, Text, parse};

/// Longer inputs find nothing that these do not, and are slow.
const LONGEST: usize = 8 << 10;

/// Takes the input in, and panics where the promise does not hold.
pub fn run(data: &[u8]) {
    if data.len() > LONGEST {
        return;
    }
    let mut parts = data.splitn(4, |byte| *byte == 0);
    let mut part = |file: &str| {
        let text = parts.next()?.to_vec();
        let file = file.to_owned();
        Some(ParamsFile { file, text })
    };
    let definitions = part("dvc.yaml").into_iter().collect();
    let params = [part("params.yaml"), part("params.py")];
    let texts = Texts {
        root: String::new(),
        main: "dvc.yaml".into(),
        definitions,
        tracked: part("data.dvc").into_iter().collect(),
        config: Vec::new(),
        user: None,
    };
    let request = Request {
        env: "local".into(),
        set: Vec::new(),
        version: "0.1.0".into(),
    };
    let mut ask = |path: &str| {
        let found = params.iter().flatten().find(|file| file.file == path);
        found.map_or(Answer::Missing, |file| Answer::Text(file.text.clone()))
    };
    let lowered = dvc::lower(&texts, &request, &mut ask);
    let wrong = lowered
        .diagnostics
        .iter()
        .any(|found| found.severity == Severity::Error);
    // A user who gets no pipeline must be told why.
    assert_eq!(lowered.pipeline.is_none(), wrong);
    let Some(pipeline) = lowered.pipeline else {
        return;
    };
    let text = Text {
        file: "jalon.toml".into(),
        text: dvc::export(&pipeline, "fuzz", &|_| None),
        layer: Layer::Project,
    };
    let written = parse(vec![text.clone()], &request).lower(Vec::new());
    let broken = written
        .diagnostics
        .iter()
        .find(|found| found.code.starts_with("toml"));
    assert!(broken.is_none(), "{broken:?}\n{}", text.text);
}
