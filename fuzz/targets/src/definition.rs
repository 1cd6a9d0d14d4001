//! Any text is a definition or a list of diagnostics: no panic, no overflow, no hang.
//!
//! The input is split at NUL: a definition, a parameter file in YAML, and `-p` as `key=value`.

use jalon_conf::{Layer, ParamsFile, Request, Severity, Text, parse};

/// Longer inputs find nothing that these do not, and are slow.
const LONGEST: usize = 8 << 10;

/// Takes the input in, and panics where the promise does not hold.
pub fn run(data: &[u8]) {
    if data.len() > LONGEST {
        return;
    }
    let mut parts = data.splitn(3, |byte| *byte == 0);
    let definition = String::from_utf8_lossy(parts.next().unwrap_or_default());
    let params = parts.next();
    let set = parts.next().map(String::from_utf8_lossy);
    let request = Request {
        env: "local".into(),
        set: set
            .iter()
            .filter_map(|pair| pair.split_once('='))
            .map(|(key, value)| (key.into(), value.into()))
            .collect(),
        version: "0.1.0".into(),
    };
    let text = Text {
        file: "jalon.toml".into(),
        text: definition.into_owned(),
        layer: Layer::Project,
    };
    let document = parse(vec![text], &request);
    let _ = document.wanted_params();
    let files = params.map(|text| ParamsFile {
        file: "params.yaml".into(),
        text: text.to_vec(),
    });
    let lowered = document.lower(files.into_iter().collect());
    let wrong = lowered
        .diagnostics
        .iter()
        .any(|found| found.severity == Severity::Error);
    // A user who gets no pipeline must be told why.
    assert_eq!(lowered.pipeline.is_none(), wrong);
}
