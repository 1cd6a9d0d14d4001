//! Text with `{{references}}`: where they stand, and what kind of thing each names.
//!
//! Knows the grammar of references, not their values (see `scope`).

use crate::diagnostic::Diagnostic;
use crate::findings::Findings;
use crate::pipeline::RunField;
use crate::place::{At, Texts, clamp};

/// A stretch of a template.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Part {
    Text(String),
    Ref(Reference),
}

/// `{{name}}` and its place, braces included.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Reference {
    pub name: String,
    pub at: At,
}

/// What a reference names.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Target<'a> {
    In(&'a str),
    Out(&'a str),
    Param(&'a str),
    ParamsFile,
    Matrix,
    MatrixKey(&'a str),
    Var(&'a str),
    Env,
    Run(RunField),
    Unknown,
}

/// The facts of a run, by name.
pub(crate) const RUN_FIELDS: [(&str, RunField); 5] = [
    ("status", RunField::Status),
    ("id", RunField::Id),
    ("env", RunField::Env),
    ("seconds", RunField::Seconds),
    ("error", RunField::Error),
];

/// Words that a bare reference to a variable cannot be.
pub(crate) const RESERVED: [&str; 7] = ["in", "out", "params", "matrix", "vars", "env", "run"];

impl Reference {
    /// What it names; a bare word is a variable, known or not.
    pub fn target(&self) -> Target<'_> {
        let name = self.name.as_str();
        match name {
            "matrix" => return Target::Matrix,
            "env" => return Target::Env,
            "params.file" => return Target::ParamsFile,
            _ => {}
        }
        let Some((head, tail)) = name.split_once('.').filter(|(_, t)| !t.is_empty()) else {
            return if RESERVED.contains(&name) {
                Target::Unknown
            } else {
                Target::Var(name)
            };
        };
        match head {
            "in" => Target::In(tail),
            "out" => Target::Out(tail),
            "params" => Target::Param(tail),
            "matrix" => Target::MatrixKey(tail),
            "vars" => Target::Var(tail),
            "run" => RUN_FIELDS
                .iter()
                .find(|(n, _)| *n == tail)
                .map_or(Target::Unknown, |f| Target::Run(f.1)),
            _ => Target::Var(name),
        }
    }
}

/// Whether anything is to be inserted into a text, or looks like it.
pub(crate) fn is_template(text: &str) -> bool {
    pair(text, 0, b'{').is_some()
}

/// Where a byte stands twice, from an offset on. A search for any text would prepare itself for longer than most
/// texts are.
fn pair(text: &str, from: usize, byte: u8) -> Option<usize> {
    let mut pairs = text.as_bytes().get(from..)?.windows(2);
    pairs
        .position(|pair| pair == [byte, byte])
        .map(|at| from + at)
}

/// Splits a text; says what is malformed and leaves it out.
pub(crate) fn parts(text: &str, at: At, findings: &mut Findings) -> Option<Vec<Part>> {
    if !is_template(text) {
        return Some(vec![Part::Text(text.to_owned())]);
    }
    let inner = inner(&findings.texts, at, text);
    let place = |start: usize, end: usize| match inner {
        Some((from, body)) => At {
            start: from + clamp(written_offset(body, start)),
            end: from + clamp(written_offset(body, end)),
            ..at
        },
        None => at,
    };
    let mut out = Vec::new();
    let mut literal = String::new();
    let mut here = 0;
    while let Some(open) = pair(text, here, b'{') {
        literal.push_str(&text[here..open]);
        if text[open..].starts_with("{{{{") {
            literal.push_str("{{");
            here = open + 4;
            continue;
        }
        let Some(close) = pair(text, open, b'}') else {
            let what = Diagnostic::error("bad-reference", "`{{` without `}}`")
                .help("a literal `{{` is written `{{{{`");
            findings.say(place(open, text.len().min(open + 2)), what);
            return None;
        };
        let name = text[open + 2..close].trim();
        let at = place(open, close + 2);
        if let Some(problem) = malformed(name) {
            findings.say(at, problem);
            return None;
        }
        if !literal.is_empty() {
            out.push(Part::Text(std::mem::take(&mut literal)));
        }
        out.push(Part::Ref(Reference {
            name: name.to_owned(),
            at,
        }));
        here = close + 2;
    }
    literal.push_str(&text[here..]);
    if !literal.is_empty() || out.is_empty() {
        out.push(Part::Text(literal));
    }
    Some(out)
}

fn malformed(name: &str) -> Option<Diagnostic> {
    if name.is_empty() {
        return Some(Diagnostic::error("bad-reference", "`{{}}` names nothing"));
    }
    if is_template(name) {
        return Some(
            Diagnostic::error("bad-reference", "references cannot be nested").help(
                "pass the whole subtree with {{params.file}}, or build the text with a variable",
            ),
        );
    }
    if name.contains(['|', '(', ' ', '+', '"', '\'']) {
        return Some(Diagnostic::error("bad-reference", format!("`{name}` is not a reference"))
            .help("a reference is a plain name like in.raw, params.lr or matrix.seed; a literal `{{` is written `{{{{`"));
    }
    None
}

/// Where the string's contents begin in the file, and the contents as they stand there, if that is as
/// they are: no escapes.
fn inner<'t>(texts: &'t Texts, at: At, decoded: &str) -> Option<(u32, &'t str)> {
    let raw = texts.slice(at)?;
    for quotes in [3, 1] {
        let Some(inner) = raw.get(quotes..raw.len().saturating_sub(quotes)) else {
            continue;
        };
        // The line break right after the opening quotes is not part of a string of several lines.
        let newline = ["", "\n", "\r\n"].into_iter().find(|newline| {
            let body = inner.strip_prefix(newline);
            (newline.is_empty() || quotes == 3) && body.is_some_and(|body| same(body, decoded))
        });
        if let Some(newline) = newline {
            let start = quotes + newline.len();
            return Some((at.start + clamp(start), &raw[start..raw.len() - quotes]));
        }
    }
    None
}

/// Whether a string's contents are what they say but for the carriage returns of its line breaks.
fn same(body: &str, decoded: &str) -> bool {
    body == decoded || (body.contains("\r\n") && body.replace("\r\n", "\n") == decoded)
}

/// The place of a decoded byte in the contents as they stand in the file.
fn written_offset(body: &str, decoded: usize) -> usize {
    let returns = body.match_indices("\r\n").enumerate();
    decoded
        + returns
            .take_while(|(before, (at, _))| at - before < decoded)
            .count()
}
