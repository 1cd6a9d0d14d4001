//! The shape of a dvc.yaml: which keys stand where and what stands under them.
//!
//! Facts are those of DVC 3 (`dvc/schema.py`). Everything is said here, so that later steps may take what
//! they understand and pass over the rest.

use crate::diagnostic::Diagnostic;
use crate::findings::Findings;
use crate::nearest::{did_you_mean, listing};
use crate::params::yaml::{Entry, Located, What};
use crate::place::At;
use crate::value::Value;

/// What may stand somewhere.
enum Is {
    Text,
    Truth,
    Anything,
    /// A text, or a list of them.
    Lines,
    List(&'static Is),
    /// A table with these keys.
    Table(&'static [(&'static str, Is)]),
    /// A table with any keys.
    Map(&'static Is),
    /// Any of these; what it is, in words.
    Either(&'static [Is], &'static str),
    Nothing,
}

const TEXTS: Is = Is::List(&Is::Text);

const VARS: Is = Is::List(&Is::Either(
    &[Is::Text, Is::Map(&Is::Anything)],
    "a file, or a table of names and values",
));

const OPTIONS: [(&str, Is); 9] = [
    ("cache", Is::Truth),
    ("persist", Is::Truth),
    ("checkpoint", Is::Truth),
    ("remote", Is::Text),
    ("push", Is::Truth),
    ("desc", Is::Text),
    ("type", Is::Text),
    ("labels", TEXTS),
    ("meta", Is::Anything),
];

const OUTS: Is = Is::List(&Is::Either(
    &[Is::Text, Is::Map(&Is::Table(&OPTIONS))],
    "a path, or a path with a table of options",
));

const PLOT_OPTIONS: [(&str, Is); 16] = {
    let [
        cache,
        persist,
        checkpoint,
        remote,
        push,
        desc,
        kind,
        labels,
        meta,
    ] = OPTIONS;
    [
        cache,
        persist,
        checkpoint,
        remote,
        push,
        desc,
        kind,
        labels,
        meta,
        ("template", Is::Text),
        ("x", Is::Text),
        ("y", Is::Text),
        ("x_label", Is::Text),
        ("y_label", Is::Text),
        ("title", Is::Text),
        ("header", Is::Truth),
    ]
};

const PLOTS: Is = Is::List(&Is::Either(
    &[
        Is::Text,
        Is::Map(&Is::Either(
            &[
                Is::Table(&PLOT_OPTIONS),
                Is::List(&Is::Table(&PLOT_OPTIONS)),
            ],
            "a table of options",
        )),
    ],
    "a path, or a path with a table of options",
));

const PARAMS: Is = Is::List(&Is::Either(
    &[
        Is::Text,
        Is::Map(&Is::Either(
            &[TEXTS, Is::Nothing],
            "a list of keys, or nothing for all",
        )),
    ],
    "a key of params.yaml, or a file with a list of keys",
));

const STAGE: [(&str, Is); 13] = [
    ("cmd", Is::Lines),
    ("wdir", Is::Text),
    ("deps", TEXTS),
    ("params", PARAMS),
    ("outs", OUTS),
    ("metrics", OUTS),
    ("plots", PLOTS),
    ("vars", VARS),
    ("frozen", Is::Truth),
    ("always_changed", Is::Truth),
    ("matrix", Is::Map(&Is::Anything)),
    ("desc", Is::Text),
    ("meta", Is::Anything),
];

const FOREACH: [(&str, Is); 2] = [
    (
        "foreach",
        Is::Either(
            &[Is::Text, Is::List(&Is::Anything), Is::Map(&Is::Anything)],
            "a list, a table, or a reference to one",
        ),
    ),
    ("do", Is::Table(&STAGE)),
];

const TOP: [(&str, Is); 7] = [
    ("stages", Is::Map(&Is::Anything)),
    ("vars", VARS),
    ("params", TEXTS),
    ("metrics", TEXTS),
    (
        "plots",
        Is::List(&Is::Either(
            &[Is::Text, Is::Map(&Is::Anything)],
            "a path or a table",
        )),
    ),
    ("artifacts", Is::Map(&Is::Anything)),
    ("datasets", Is::Anything),
];

impl Is {
    /// In words, with its article.
    fn words(&self) -> &'static str {
        match self {
            Is::Text => "a string",
            Is::Truth => "true or false",
            Is::Anything => "anything",
            Is::Lines => "a string, or a list of them",
            Is::List(_) => "a list",
            Is::Table(_) | Is::Map(_) => "a table",
            Is::Either(_, words) => words,
            Is::Nothing => "nothing",
        }
    }

    /// Whether a value is of this kind, without a look inside.
    fn takes(&self, node: &Located) -> bool {
        match (self, &node.what) {
            (Is::Anything, _)
            | (Is::Text, What::Scalar(Value::Text(_)))
            | (Is::Truth, What::Scalar(Value::Bool(_)))
            | (Is::Nothing, What::Scalar(Value::Null))
            | (Is::Lines, What::Scalar(Value::Text(_)) | What::List(_))
            | (Is::List(_), What::List(_))
            | (Is::Table(_) | Is::Map(_), What::Table(_)) => true,
            (Is::Either(kinds, _), _) => kinds.iter().any(|kind| kind.takes(node)),
            _ => false,
        }
    }
}

/// Checks a whole file.
pub(super) fn file(root: &Located, findings: &mut Findings) {
    check(root, "dvc.yaml", &Is::Table(&TOP), findings);
    for entry in table(get(root, "stages")) {
        stage(entry, findings);
    }
}

fn stage(entry: &Entry, findings: &mut Findings) {
    let name = &entry.key;
    if name.is_empty() || name.contains(['/', ':', '@', '[', ']', ',', '\0']) {
        let message = format!("a stage cannot be called {name:?}");
        let what = Diagnostic::error("bad-name", message);
        findings.say(
            entry.key_at,
            what.help("use letters, digits, `-`, `_` and `.`"),
        );
    }
    let body = &entry.value;
    let has = |key| get(body, key).is_some();
    let (place, needed) = if has("foreach") || has("do") {
        check(body, &format!("`{name}`"), &Is::Table(&FOREACH), findings);
        if !(has("foreach") && has("do")) && matches!(body.what, What::Table(_)) {
            let missing = if has("do") { "foreach" } else { "do" };
            let message = format!("the stage `{name}` has no `{missing}`");
            let what = Diagnostic::error("missing-key", message);
            findings.say(entry.key_at, what.help("`foreach` and `do` stand together"));
        }
        if let Some(matrix) = get(body, "do").and_then(|inner| get(inner, "matrix")) {
            let what = Diagnostic::error("unknown-key", "`matrix` cannot stand in a `do`");
            findings.say(matrix.at, what.help("use foreach, or matrix in its place"));
        }
        (get(body, "do"), "do")
    } else {
        check(body, &format!("`{name}`"), &Is::Table(&STAGE), findings);
        (Some(body), "stage")
    };
    let commandless = place
        .is_some_and(|place| matches!(place.what, What::Table(_)) && get(place, "cmd").is_none());
    if commandless {
        let message = format!("the {needed} of `{name}` has no `cmd`");
        let message = if needed == "stage" {
            format!("the stage `{name}` has no `cmd`")
        } else {
            message
        };
        let what = Diagnostic::error("missing-key", message);
        findings.say(entry.key_at, what.help("write cmd: COMMAND"));
    }
}

fn check(node: &Located, place: &str, is: &Is, findings: &mut Findings) {
    if !is.takes(node) {
        let message = format!("{place} must be {}, not {}", is.words(), kind(node));
        findings.say(node.at, Diagnostic::error("wrong-type", message));
        return;
    }
    match (is, &node.what) {
        (Is::Either(kinds, _), _) => {
            if let Some(kind) = kinds.iter().find(|kind| kind.takes(node)) {
                check(node, place, kind, findings);
            }
        }
        (Is::Lines, What::List(items)) => {
            let scalar = |item: &&Located| !matches!(item.what, What::Scalar(Value::Text(_)));
            for item in items.iter().filter(scalar) {
                let message = format!("a command of {place} must be a string, not {}", kind(item));
                let what = Diagnostic::error("wrong-type", message);
                findings.say(item.at, what.help("put it in quotes"));
            }
        }
        (Is::List(each), What::List(items)) => {
            let place = format!("an element of {place}");
            items
                .iter()
                .for_each(|item| check(item, &place, each, findings));
        }
        (Is::Map(each), What::Table(entries)) => {
            for entry in entries {
                check(&entry.value, &format!("`{}`", entry.key), each, findings);
            }
        }
        (Is::Table(known), What::Table(entries)) => {
            for entry in entries {
                match known.iter().find(|(key, _)| *key == entry.key) {
                    Some((key, is)) => check(&entry.value, &format!("`{key}`"), is, findings),
                    None => unknown(entry, place, known, findings),
                }
            }
        }
        _ => {}
    }
}

fn unknown(entry: &Entry, place: &str, known: &[(&str, Is)], findings: &mut Findings) {
    let words = || known.iter().map(|(key, _)| *key);
    let message = format!("unknown key `{}` in {place}", entry.key);
    let help = did_you_mean(&entry.key, words())
        .unwrap_or_else(|| format!("known here: {}", listing(words())));
    let what = Diagnostic::error("unknown-key", message);
    findings.say(entry.key_at, what.help(help));
}

fn kind(node: &Located) -> &'static str {
    match &node.what {
        What::Scalar(Value::Null) => "nothing",
        What::Scalar(Value::Bool(_)) => "true or false",
        What::Scalar(Value::Int(_) | Value::Float(_)) => "a number",
        What::Scalar(_) => "a string",
        What::List(_) => "a list",
        What::Table(_) => "a table",
    }
}

/// What stands under a key of a table.
pub(super) fn get<'l>(node: &'l Located, key: &str) -> Option<&'l Located> {
    let found = table(Some(node)).iter().find(|entry| entry.key == key)?;
    Some(&found.value)
}

/// The entries of a table; none where it is something else.
pub(super) fn table(node: Option<&Located>) -> &[Entry] {
    match node.map(|node| &node.what) {
        Some(What::Table(entries)) => entries,
        _ => &[],
    }
}

/// The elements of a list; none where it is something else.
pub(super) fn list(node: Option<&Located>) -> &[Located] {
    match node.map(|node| &node.what) {
        Some(What::List(items)) => items,
        _ => &[],
    }
}

/// A text with its place.
pub(super) fn text(node: &Located) -> Option<(&str, At)> {
    match &node.what {
        What::Scalar(Value::Text(text)) => Some((text, node.at)),
        _ => None,
    }
}

/// Whether a key is there and true.
pub(super) fn truth(node: &Located, key: &str) -> Option<bool> {
    match get(node, key)?.what {
        What::Scalar(Value::Bool(truth)) => Some(truth),
        _ => None,
    }
}
