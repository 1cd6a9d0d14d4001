//! Compares what was written with [`Shape`]: unknown keys, wrong types, values out of range.
//!
//! Looks at one text at a time, environments that are not selected included, and at nothing
//! that needs two places: that is `lower`.

use crate::diagnostic::Diagnostic;
use crate::findings::Findings;
use crate::layer::Layer;
use crate::nearest::{did_you_mean, listing, nearest};
use crate::place::At;
use crate::quantity;
use crate::raw::{Entry, Item, Raw, Table};
use crate::shape::{DEFINITION, Field, Keys, PLACES, Shape, USER};

/// Checks a whole text.
pub(crate) fn check(table: &Table, layer: Layer, findings: &mut Findings) {
    let shape = if layer == Layer::User {
        &USER
    } else {
        &DEFINITION
    };
    let mut checker = Checker {
        path: Vec::new(),
        layer,
        overlay: false,
        findings,
    };
    checker.fields(table, shape.fields(), None);
}

/// Checks a part of another tool's file.
pub(crate) fn check_as(item: &Item, shape: &'static Shape, findings: &mut Findings) {
    let mut checker = Checker {
        path: Vec::new(),
        layer: Layer::Project,
        overlay: false,
        findings,
    };
    checker.item(item, shape);
}

/// Why a name cannot be used, if it cannot.
pub(crate) fn bad_name(name: &str) -> Option<String> {
    if name.is_empty() {
        return Some("a name cannot be empty".into());
    }
    if name.starts_with('-') {
        return Some(format!("the name `{name}` begins with `-`"));
    }
    let bad = name
        .chars()
        .find(|c| !(c.is_alphanumeric() || matches!(c, '_' | '-' | '.')))?;
    Some(format!("the name {name:?} contains {bad:?}"))
}

/// Keys of a node that other things refer to; whether other nodes do.
const NODE_PARTS: [(&str, bool); 7] = [
    ("out", true),
    ("matrix", true),
    ("skip", true),
    ("in", false),
    ("params", false),
    ("cmd", false),
    ("call", false),
];

const SECTIONS: [&str; 3] = ["node", "source", "finally"];

struct Checker<'a, 'k> {
    path: Vec<&'k str>,
    layer: Layer,
    /// Inside `[env.NAME]`: tables may be partial.
    overlay: bool,
    findings: &'a mut Findings,
}

impl<'k> Checker<'_, 'k> {
    fn error(&mut self, at: At, what: Diagnostic) {
        self.shake();
        self.findings.say(at, what);
    }

    /// Remembers what the mistake at the current path makes unreliable.
    fn shake(&mut self) {
        let path = if self.overlay {
            self.path.get(2..).unwrap_or(&[])
        } else {
            &self.path[..]
        };
        match *path {
            [] => self.findings.all_shaken = true,
            ["pipeline", "vars", ..] => self.findings.shake("vars"),
            [
                section @ ("node" | "source" | "finally"),
                name,
                ref rest @ ..,
            ] => {
                let key = rest.first().copied().unwrap_or("out");
                let names = NODE_PARTS.iter().map(|(k, _)| *k);
                let meant = if names.clone().any(|k| k == key) {
                    Some(key)
                } else {
                    nearest(key, names)
                };
                let meant = NODE_PARTS.iter().find(|(k, _)| Some(*k) == meant);
                if let Some((_, artifacts)) = meant {
                    self.findings.shake(&format!("{section}.{name}"));
                    if *artifacts {
                        self.findings.shake(section);
                    }
                }
            }
            [section, ..] if SECTIONS.contains(&section) => self.findings.shake(section),
            [word, ..] => {
                if let Some(section) = nearest(word, SECTIONS) {
                    self.findings.shake(section);
                }
            }
        }
    }

    fn item(&mut self, item: &'k Item, shape: &'static Shape) {
        match shape {
            Shape::OneOf(what, options) => match options.iter().find(|s| fits(s, &item.raw)) {
                Some(shape) => self.item(item, shape),
                None => self.wrong_type(item, what),
            },
            Shape::Later(what) => {
                let message = format!("{what} not supported yet in this version");
                self.error(item.at, Diagnostic::error("not-supported", message));
            }
            _ if !fits(shape, &item.raw) => self.wrong_type(item, describe(shape)),
            _ => self.contents(item, shape),
        }
    }

    fn contents(&mut self, item: &'k Item, shape: &'static Shape) {
        match (shape, &item.raw) {
            (Shape::List(inner), Raw::List(items)) => {
                items.iter().for_each(|i| self.item(i, inner))
            }
            (Shape::Map(keys, inner), Raw::Table(table)) => {
                for entry in &table.entries {
                    self.path.push(&entry.key);
                    if self.chosen_key(entry, *keys) {
                        let outer = self.overlay;
                        self.overlay |= self.path.len() == 2 && self.path[0] == "env";
                        self.item(&entry.item, inner);
                        self.overlay = outer;
                    }
                    self.path.pop();
                }
            }
            (Shape::Table(fields), Raw::Table(table)) => self.fields_of(item, table, fields, None),
            (Shape::Open(fields, other), Raw::Table(table)) => {
                self.fields_of(item, table, fields, Some(other));
            }
            (Shape::Whole(least), Raw::Int(i)) if i < least => {
                self.error(
                    item.at,
                    Diagnostic::error("out-of-range", format!("must be at least {least}")),
                );
            }
            (Shape::Duration, _) => self.duration(item),
            (Shape::Size, _) => self.size(item),
            (Shape::Word(words), Raw::Text(text)) if !words.contains(&text.as_str()) => {
                let message = format!("{text:?} is not one of {}", listing(words.iter().copied()));
                let help = did_you_mean(text, words.iter().copied());
                self.error(
                    item.at,
                    Diagnostic::error("unknown-word", message).maybe_help(help),
                );
            }
            _ => {}
        }
    }

    fn duration(&mut self, item: &Item) {
        let good = match &item.raw {
            Raw::Text(text) => quantity::duration(text).is_some(),
            Raw::Int(i) => *i >= 0,
            _ => true,
        };
        if !good {
            let what = Diagnostic::error("bad-duration", "not a duration")
                .help("write \"30m\", \"10s\", \"1h30m\", \"500ms\", or a number of seconds");
            self.error(item.at, what);
        }
    }

    fn size(&mut self, item: &Item) {
        let bytes = match &item.raw {
            Raw::Text(text) => quantity::size(text),
            Raw::Int(i) => u64::try_from(*i).ok(),
            _ => return,
        };
        let what = match bytes {
            None => Diagnostic::error("bad-size", "not a size")
                .help("write \"2GiB\", \"500MB\", or a number of bytes"),
            Some(0) => Diagnostic::error("out-of-range", "must be more than zero"),
            Some(_) => return,
        };
        self.error(item.at, what);
    }

    fn chosen_key(&mut self, entry: &Entry, keys: Keys) -> bool {
        let problem = match keys {
            Keys::Name => bad_name(&entry.key),
            Keys::Variable if entry.key.is_empty() || entry.key.contains(['=', '\0']) => {
                Some(format!(
                    "{:?} cannot be the name of an environment variable",
                    entry.key
                ))
            }
            Keys::Variable | Keys::Any => None,
        };
        let Some(problem) = problem else { return true };
        let help = (keys == Keys::Name)
            .then(|| "names consist of letters, digits, `_`, `-` and `.`".to_owned());
        let what = Diagnostic::error("bad-name", problem).maybe_help(help);
        self.error(entry.key_at, what);
        false
    }

    fn fields_of(
        &mut self,
        item: &Item,
        table: &'k Table,
        fields: &'static [Field],
        other: Option<&'static Shape>,
    ) {
        if !self.overlay {
            for missing in fields
                .iter()
                .filter(|f| f.required && table.get(f.key).is_none())
            {
                if !table.entries.iter().any(|e| nearly(&e.key, missing.key)) {
                    let message = format!("`{}` is missing", missing.key);
                    self.error(
                        item.at,
                        Diagnostic::error("missing-key", message).help(missing.doc),
                    );
                }
            }
        }
        self.fields(table, fields, other);
    }

    fn fields(
        &mut self,
        table: &'k Table,
        fields: &'static [Field],
        other: Option<&'static Shape>,
    ) {
        for entry in &table.entries {
            self.path.push(&entry.key);
            match (fields.iter().find(|f| f.key == entry.key), other) {
                (
                    Some(Field {
                        shape: Shape::Later(what),
                        ..
                    }),
                    _,
                ) => {
                    let message = format!("{what} not supported yet in this version");
                    self.error(entry.key_at, Diagnostic::error("not-supported", message));
                }
                (Some(field), _) => self.item(&entry.item, field.shape),
                (None, Some(other)) => {
                    if self.chosen_key(entry, Keys::Name) {
                        self.item(&entry.item, other);
                    }
                }
                (None, None) => self.unknown_key(entry, fields),
            }
            self.path.pop();
        }
    }

    fn unknown_key(&mut self, entry: &Entry, fields: &'static [Field]) {
        let key = &entry.key;
        if self.layer == Layer::User && DEFINITION.fields().iter().any(|f| f.key == key) {
            let message = format!("`{key}` cannot be set in the user's own configuration");
            let help = "only [store] and [defaults] can; the rest belongs in jalon.toml";
            self.error(
                entry.key_at,
                Diagnostic::error("unknown-key", message).help(help),
            );
            return;
        }
        let help = did_you_mean(key, fields.iter().map(|f| f.key))
            .or_else(|| elsewhere(key))
            .unwrap_or_else(|| {
                format!(
                    "known here: {}",
                    fields.iter().map(|f| f.key).collect::<Vec<_>>().join(", ")
                )
            });
        self.error(
            entry.key_at,
            Diagnostic::error("unknown-key", format!("unknown key `{key}`")).help(help),
        );
    }

    fn wrong_type(&mut self, item: &Item, expected: &str) {
        if self.findings.said_at(item.at) {
            return self.shake();
        }
        let message = format!("expected {expected}, found {}", item.raw.type_name());
        let help = match &item.raw {
            Raw::Text(text) if expected.starts_with("a list") => Some(format!("write [{text:?}]")),
            Raw::Text(text)
                if expected == "a boolean" && matches!(text.as_str(), "true" | "false") =>
            {
                Some(format!("write {text} without quotes"))
            }
            Raw::Date(text) if expected.contains("string") => {
                Some(format!("write \"{text}\" in quotes"))
            }
            _ => None,
        };
        self.error(
            item.at,
            Diagnostic::error("wrong-type", message).maybe_help(help),
        );
    }
}

fn nearly(written: &str, key: &str) -> bool {
    nearest(written, [key]).is_some()
}

fn fits(shape: &Shape, raw: &Raw) -> bool {
    match shape {
        Shape::Text | Shape::Word(_) => matches!(raw, Raw::Text(_)),
        Shape::Bool => matches!(raw, Raw::Bool(_)),
        Shape::Whole(_) => matches!(raw, Raw::Int(_)),
        Shape::Number => matches!(raw, Raw::Int(_) | Raw::Float(_)),
        Shape::Duration | Shape::Size => matches!(raw, Raw::Text(_) | Raw::Int(_)),
        Shape::Scalar => matches!(
            raw,
            Raw::Text(_) | Raw::Int(_) | Raw::Float(_) | Raw::Bool(_)
        ),
        Shape::List(_) => matches!(raw, Raw::List(_)),
        Shape::Map(..) | Shape::Table(_) | Shape::Open(..) => matches!(raw, Raw::Table(_)),
        Shape::OneOf(_, options) => options.iter().any(|s| fits(s, raw)),
        Shape::Later(_) => true,
    }
}

fn describe(shape: &Shape) -> &'static str {
    match shape {
        Shape::Text | Shape::Word(_) => "a string",
        Shape::Bool => "a boolean",
        Shape::Whole(_) => "an integer",
        Shape::Number => "a number",
        Shape::Duration => "a duration like \"30m\"",
        Shape::Size => "a size like \"2GiB\"",
        Shape::Scalar => "a string, number or boolean",
        Shape::List(Shape::Text) => "a list of strings",
        Shape::List(_) => "a list",
        Shape::Map(..) | Shape::Table(_) | Shape::Open(..) => "a table",
        Shape::OneOf(what, _) | Shape::Later(what) => what,
    }
}

/// Where a key would be known.
fn elsewhere(key: &str) -> Option<String> {
    let places: Vec<&str> = PLACES
        .iter()
        .filter(|(_, s)| s.fields().iter().any(|f| f.key == key))
        .map(|(p, _)| *p)
        .collect();
    (!places.is_empty()).then(|| format!("`{key}` belongs in {}", places.join(" or ")))
}
