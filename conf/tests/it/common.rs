//! What the test files share: definitions on disk with their parameters, and diagnostics as text.

use std::fmt::Write as _;
use std::path::Path;

use jalon_conf::{Diagnostic, Layer, Lowered, ParamsFile, Request, Severity, Text, parse};

/// Reads a definition; `#! yaml:` lines at its end are a parameter file `params.yml`.
pub fn read(file: &str, text: &str, params: &[(&str, &str)]) -> Lowered {
    read_env(file, text, params, "local", &[])
}

/// [`read`] for an environment and `-p` values.
pub fn read_env(
    file: &str,
    text: &str,
    params: &[(&str, &str)],
    env: &str,
    set: &[(&str, &str)],
) -> Lowered {
    let request = Request {
        env: env.into(),
        set: set
            .iter()
            .map(|(k, v)| ((*k).into(), (*v).into()))
            .collect(),
        version: "0.1.0".into(),
    };
    let texts = vec![Text {
        file: file.into(),
        text: text.into(),
        layer: Layer::Project,
    }];
    let files = params.iter().map(|(f, t)| ParamsFile {
        file: (*f).into(),
        text: t.as_bytes().to_vec(),
    });
    parse(texts, &request).lower(files.collect())
}

/// `file:line:column-width severity code: message` with the help below it, and related places.
pub fn show(diagnostics: &[Diagnostic]) -> String {
    let mut out = String::new();
    for d in diagnostics {
        let severity = if d.severity == Severity::Error {
            "error"
        } else {
            "warning"
        };
        let mut places = d.spans.iter();
        let place = places
            .next()
            .map_or_else(|| "nowhere".into(), |(l, _)| at(l));
        let _ = writeln!(out, "{place} {severity} {}: {}", d.code, d.message);
        for (l, label) in places {
            let _ = writeln!(out, "    {} {label}", at(l));
        }
        if let Some(help) = &d.help {
            let _ = writeln!(out, "    help: {help}");
        }
    }
    out
}

fn at(l: &jalon_conf::Location) -> String {
    format!("{}:{}:{}-{}", l.file, l.line, l.column, l.width)
}

/// The parameters of a test: lines that begin with `#| `.
pub fn inline_params(text: &str) -> String {
    text.lines()
        .filter_map(|l| l.strip_prefix("#|"))
        .map(|l| format!("{}\n", l.strip_prefix(' ').unwrap_or(l)))
        .collect()
}

/// All `.toml` files of a directory below `tests/`, sorted.
pub fn files(directory: &str) -> Vec<(String, String)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests")
        .join(directory);
    let mut out: Vec<_> = std::fs::read_dir(path)
        .expect("the directory is there")
        .map(|e| e.expect("readable").path())
        .filter(|p| p.extension().is_some_and(|e| e == "toml"))
        .map(|p| {
            let name = p
                .file_name()
                .expect("a file")
                .to_string_lossy()
                .into_owned();
            (name, std::fs::read_to_string(&p).expect("UTF-8"))
        })
        .collect();
    out.sort();
    out
}
