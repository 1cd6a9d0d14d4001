//! YAML: events to values with their places; anchors, merge keys, duplicate keys and limits.
//!
//! The parser knows YAML's grammar, `scalar` and `yaml12` what plain scalars mean; this knows structure.

use std::collections::{HashMap, HashSet};

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Span, StrInput, Tag};

use super::scalar::{self, Meaning};
use super::yaml12;
use crate::diagnostic::Diagnostic;
use crate::findings::Findings;
use crate::place::{At, clamp};
use crate::value::Value;

const MOST_DEPTH: usize = 64;
/// Values after all aliases are expanded.
const MOST_VALUES: usize = 1_000_000;

/// A value with its place.
#[derive(Debug, Clone)]
pub(crate) struct Located {
    pub what: What,
    pub at: At,
}

/// What stands there.
#[derive(Debug, Clone)]
pub(crate) enum What {
    Scalar(Value),
    List(Vec<Located>),
    Table(Vec<Entry>),
}

/// A key and what stands under it.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub key: String,
    pub key_at: At,
    pub value: Located,
}

impl Located {
    /// Without places.
    pub fn into_value(self) -> Value {
        match self.what {
            What::Scalar(value) => value,
            What::List(items) => Value::List(items.into_iter().map(Located::into_value).collect()),
            What::Table(entries) => Value::Table(
                entries
                    .into_iter()
                    .map(|e| (e.key, e.value.into_value()))
                    .collect(),
            ),
        }
    }

    /// All of it at one place.
    pub fn from_value(value: Value, at: At) -> Located {
        let what = match value {
            Value::List(items) => What::List(
                items
                    .into_iter()
                    .map(|item| Located::from_value(item, at))
                    .collect(),
            ),
            Value::Table(entries) => What::Table(
                entries
                    .into_iter()
                    .map(|(key, value)| Entry {
                        key,
                        key_at: at,
                        value: Located::from_value(value, at),
                    })
                    .collect(),
            ),
            scalar => What::Scalar(scalar),
        };
        Located { what, at }
    }
}

/// Whose reading of plain scalars counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// What Kedro's reader and DVC's agree on.
    Both,
    /// DVC's: YAML 1.2.
    Dvc,
}

/// Reads a file; `None` after an error that was said.
pub(super) fn read(file: u32, text: &str, findings: &mut Findings) -> Option<Value> {
    read_located(file, text, Dialect::Both, findings).map(Located::into_value)
}

/// Reads a file; `None` after an error that was said.
pub(crate) fn read_located(
    file: u32,
    text: &str,
    dialect: Dialect,
    findings: &mut Findings,
) -> Option<Located> {
    let mut reader = Reader::new(file, None, text, findings);
    reader.dialect = dialect;
    reader.document()
}

/// Reads the value of `-p key=TEXT`, which stands at `offset` of its text: a scalar, or `[…]` or `{…}`.
pub(super) fn read_value(
    file: u32,
    offset: u32,
    text: &str,
    findings: &mut Findings,
) -> Option<Value> {
    let at = At {
        file,
        start: offset,
        end: offset + clamp(text.len()),
    };
    let trimmed = text.trim();
    let mut reader = Reader::new(file, Some(at), trimmed, findings);
    if trimmed.starts_with(['[', '{', '"', '\'']) {
        reader.document().map(Located::into_value)
    } else {
        let value = reader.plain(trimmed, at);
        value.filter(|_| !reader.failed)
    }
}

struct Reader<'t, 'f> {
    file: u32,
    /// One place for everything, where the text is not a file of its own.
    whole: Option<At>,
    parser: Parser<'t, StrInput<'t>>,
    /// Anchored values and how many values each holds.
    anchors: HashMap<usize, (Located, usize)>,
    values: usize,
    /// Something was refused: reading goes on, the result does not count.
    failed: bool,
    dialect: Dialect,
    findings: &'f mut Findings,
}

type Next<'t> = (Event<'t>, At);

impl<'t, 'f> Reader<'t, 'f> {
    fn new(file: u32, whole: Option<At>, text: &'t str, findings: &'f mut Findings) -> Self {
        let parser = Parser::new_from_str(text);
        Self {
            file,
            whole,
            parser,
            anchors: HashMap::new(),
            values: 0,
            failed: false,
            dialect: Dialect::Both,
            findings,
        }
    }

    fn say<T>(&mut self, at: At, code: &'static str, message: impl Into<String>) -> Option<T> {
        self.findings.say(at, Diagnostic::error(code, message));
        None
    }

    fn place(&self, span: Span) -> At {
        self.whole.unwrap_or_else(|| At {
            file: self.file,
            start: self.offset(span.start),
            end: self.offset(span.end),
        })
    }

    fn offset(&self, marker: Marker) -> u32 {
        self.findings.texts.char_offset(self.file, marker.index())
    }

    fn next(&mut self) -> Option<Next<'t>> {
        match self.parser.next_event()? {
            Ok((event, span)) => {
                let at = self.place(span);
                Some((event, at))
            }
            Err(error) => {
                let marker = *error.marker();
                let at = self.place(Span::new(marker, marker));
                self.say(at, "yaml-syntax", error.info().to_owned())
            }
        }
    }

    fn document(&mut self) -> Option<Located> {
        let at = At {
            file: self.file,
            start: 0,
            end: 0,
        };
        let what = What::Scalar(Value::Null);
        let mut value = Located { what, at };
        let mut documents = 0;
        loop {
            let (event, at) = self.next()?;
            match event {
                Event::StreamStart | Event::DocumentEnd | Event::Nothing => {}
                Event::StreamEnd => return (!self.failed).then_some(value),
                Event::DocumentStart(_) => {
                    documents += 1;
                    if documents > 1 {
                        return self.say(at, "yaml-documents", "one file holds one document");
                    }
                }
                event => value = self.value(event, at, 0)?,
            }
        }
    }

    fn value(&mut self, event: Event<'t>, at: At, depth: usize) -> Option<Located> {
        if depth > MOST_DEPTH {
            return self.say(
                at,
                "too-deep",
                format!("nested more than {MOST_DEPTH} deep"),
            );
        }
        let before = self.values;
        self.values += 1;
        let (anchor, what) = match event {
            Event::Alias(id) => return self.alias(id, at),
            Event::Scalar(text, style, anchor, tag) => {
                let value = self.scalar(&text, style, tag.as_deref(), at)?;
                (anchor, What::Scalar(value))
            }
            Event::SequenceStart(anchor, tag) => {
                self.collection_tag(tag.as_deref(), "seq", at)?;
                (anchor, self.sequence(depth)?)
            }
            Event::MappingStart(anchor, tag) => {
                self.collection_tag(tag.as_deref(), "map", at)?;
                (anchor, self.mapping(depth)?)
            }
            _ => return self.say(at, "yaml-syntax", "a value is missing"),
        };
        let value = Located { what, at };
        if anchor != 0 {
            self.anchors
                .insert(anchor, (value.clone(), self.values - before));
        }
        Some(value)
    }

    fn alias(&mut self, id: usize, at: At) -> Option<Located> {
        let Some((value, size)) = self.anchors.get(&id) else {
            return self.say(at, "yaml-alias", "an alias inside what it stands for");
        };
        self.values += size;
        if self.values > MOST_VALUES {
            return self.say(
                at,
                "yaml-alias",
                format!("aliases make more than {MOST_VALUES} values"),
            );
        }
        Some(value.clone())
    }

    fn sequence(&mut self, depth: usize) -> Option<What> {
        let mut items = Vec::new();
        loop {
            let (event, at) = self.next()?;
            if event == Event::SequenceEnd {
                return Some(What::List(items));
            }
            items.push(self.value(event, at, depth + 1)?);
        }
    }

    fn mapping(&mut self, depth: usize) -> Option<What> {
        let mut entries: Vec<Entry> = Vec::new();
        let mut seen = HashSet::new();
        let mut merged: Option<Located> = None;
        loop {
            let (event, at) = self.next()?;
            let (key, is_merge) = match event {
                Event::MappingEnd => break,
                Event::Scalar(text, style, _, tag) => {
                    let plain = style == ScalarStyle::Plain && tag.is_none();
                    (text.into_owned(), plain)
                }
                Event::Alias(id) => match self.alias(id, at)?.into_value().word() {
                    Some(word) => (word, false),
                    None => return self.say(at, "yaml-key", "a key must be a scalar"),
                },
                _ => return self.say(at, "yaml-key", "a key must be a scalar"),
            };
            let is_merge = is_merge && key == "<<";
            if !seen.insert((key.clone(), is_merge)) {
                self.say::<()>(
                    at,
                    "duplicate-key",
                    format!("the key `{key}` is given twice"),
                );
                self.failed = true;
            }
            let (event, value_at) = self.next()?;
            let value = self.value(event, value_at, depth + 1)?;
            if is_merge {
                merged = Some(value);
            } else {
                entries.push(Entry {
                    key,
                    key_at: at,
                    value,
                });
            }
        }
        match merged {
            None => Some(What::Table(entries)),
            Some(value) => self.merge_key(value, entries),
        }
    }

    /// `<<`: what is merged comes first, what is written wins, and of several the first wins.
    fn merge_key(&mut self, merged: Located, written: Vec<Entry>) -> Option<What> {
        let at = merged.at;
        let tables = match merged.what {
            What::List(tables) => tables,
            _ => vec![merged],
        };
        let own: HashSet<&str> = written.iter().map(|e| e.key.as_str()).collect();
        let mut taken = HashSet::new();
        let mut out = Vec::new();
        for table in tables {
            let What::Table(entries) = table.what else {
                return self.say(at, "yaml-merge", "`<<` merges a table or a list of tables");
            };
            for entry in entries {
                if !own.contains(entry.key.as_str()) && taken.insert(entry.key.clone()) {
                    out.push(entry);
                }
            }
        }
        out.extend(written);
        Some(What::Table(out))
    }

    fn collection_tag(&mut self, tag: Option<&Tag>, core: &str, at: At) -> Option<()> {
        match tag {
            None => Some(()),
            Some(tag) if tag.is_yaml_core_schema() && tag.suffix == core => Some(()),
            Some(tag) => self.unknown_tag(tag, at),
        }
    }

    fn unknown_tag<T>(&mut self, tag: &Tag, at: At) -> Option<T> {
        let what = Diagnostic::error("yaml-tag", format!("the tag `{tag}` is not known"))
            .help("known: !!str, !!int, !!float, !!bool, !!null, !!seq, !!map");
        self.findings.say(at, what);
        None
    }

    fn scalar(
        &mut self,
        text: &str,
        style: ScalarStyle,
        tag: Option<&Tag>,
        at: At,
    ) -> Option<Value> {
        let Some(tag) = tag else {
            return if style == ScalarStyle::Plain {
                self.plain(text, at)
            } else {
                Some(Value::Text(text.to_owned()))
            };
        };
        if !tag.is_yaml_core_schema() {
            return if tag.to_string() == "!" {
                Some(Value::Text(text.to_owned()))
            } else {
                self.unknown_tag(tag, at)
            };
        }
        let meant = match self.meaning(text) {
            Meaning::Plain(v) | Meaning::Doubtful(v, ..) => Some(v),
            Meaning::Refused(..) => None,
        };
        match (tag.suffix.as_str(), meant) {
            ("str", _) => Some(Value::Text(text.to_owned())),
            ("int", Some(v @ Value::Int(_))) | ("float", Some(v @ Value::Float(_))) => Some(v),
            ("float", Some(Value::Int(i))) => Some(Value::Float(i as f64)),
            ("bool", Some(v @ Value::Bool(_))) | ("null", Some(v @ Value::Null)) => Some(v),
            ("int" | "float" | "bool" | "null", _) => self.say(
                at,
                "yaml-tag",
                format!("`{text}` is not of type {}", tag.suffix),
            ),
            _ => self.unknown_tag(tag, at),
        }
    }

    fn meaning(&self, text: &str) -> Meaning {
        match self.dialect {
            Dialect::Both => scalar::resolve(text),
            Dialect::Dvc => yaml12::resolve(text),
        }
    }

    fn plain(&mut self, text: &str, at: At) -> Option<Value> {
        match self.meaning(text) {
            Meaning::Plain(value) => Some(value),
            Meaning::Doubtful(value, code, message, help) => {
                self.findings
                    .say(at, Diagnostic::warning(code, message).help(help));
                Some(value)
            }
            Meaning::Refused(code, message, help) => {
                self.findings
                    .say(at, Diagnostic::error(code, message).help(help));
                self.failed = true;
                Some(Value::Null)
            }
        }
    }
}
