//! TOML 1.0 text to [`Table`]: every syntax error of a text in one pass, and what could be read.
//!
//! The parser speaks TOML 1.1; what only 1.1 has is refused here, because other readers of the
//! file (Python's tomllib) would. After a syntax error the broken statement is blanked out and
//! the text parsed again, so that one mistake gives one error. Knows nothing of any key's meaning.

mod later;
mod repair;

use toml::de::{DeTable, DeValue};
use toml_parser::Source;
use toml_parser::lexer::{Token, TokenKind};

use crate::layer::Layer;
use crate::place::{At, clamp};
use crate::raw::{Entry, Item, Raw, Table};
use repair::{Broken, blank, broken_statement};

/// Syntax errors that are reported before giving up on a text.
const MOST_ERRORS: usize = 20;
/// Keys in one dotted key, and levels of nesting.
const MOST_DEPTH: usize = 64;

/// A mistake in the grammar.
pub(crate) struct Mistake {
    pub at: At,
    pub code: &'static str,
    pub message: String,
    pub help: Option<String>,
}

/// What was read of a text.
pub(crate) struct Read {
    pub table: Table,
    pub mistakes: Vec<Mistake>,
}

/// Reads a text; never fails.
pub(crate) fn read(file: u32, text: &str, layer: Layer) -> Read {
    let mut reader = Reader {
        file,
        layer,
        mistakes: Vec::new(),
        suspect: false,
    };
    let table = reader.read(text);
    Read {
        table,
        mistakes: reader.mistakes,
    }
}

struct Reader {
    file: u32,
    layer: Layer,
    mistakes: Vec<Mistake>,
    /// There is something that may be TOML 1.1: the tokens are worth a look.
    suspect: bool,
}

impl Reader {
    fn at(&self, start: usize, end: usize) -> At {
        At {
            file: self.file,
            start: clamp(start),
            end: clamp(end),
        }
    }

    fn say(&mut self, at: At, code: &'static str, message: impl Into<String>, help: Option<&str>) {
        self.mistakes.push(Mistake {
            at,
            code,
            message: message.into(),
            help: help.map(Into::into),
        });
    }

    fn read(&mut self, text: &str) -> Table {
        if u32::try_from(text.len()).is_err() {
            self.say(
                At::default(),
                "file-too-big",
                "a definition of 4 GiB or more",
                None,
            );
            return Table::default();
        }
        let mut text = std::borrow::Cow::Borrowed(text);
        loop {
            if let Some(at) = dotted_line(&text)
                .then(|| too_many_dots(&lex(&text)))
                .flatten()
            {
                self.say(
                    self.at(at, at + 1),
                    "too-deep",
                    format!("a key of more than {MOST_DEPTH} parts"),
                    None,
                );
                return Table::default();
            }
            let (table, errors) = DeTable::parse_recoverable(&text);
            let first = errors
                .iter()
                .min_by_key(|e| e.span().map_or(usize::MAX, |s| s.start));
            let Some(first) = first else {
                let table = self.table(&text, table.into_inner(), 0);
                if self.suspect {
                    for (span, what) in later::syntax(&text, &lex(&text)) {
                        let message = format!("TOML 1.0 does not have {what}");
                        let help =
                            "other readers of this file, such as Python's tomllib, would refuse it";
                        self.say(
                            self.at(span.start, span.end),
                            "toml-1.1",
                            message,
                            Some(help),
                        );
                    }
                }
                return table;
            };
            let place = first.span().map_or(0, |s| s.start);
            let broken = broken_statement(&text, &lex(&text), place);
            self.syntax_error(
                &text,
                first.message(),
                first.span().unwrap_or(place..place),
                &broken,
            );
            if self.mistakes.len() >= MOST_ERRORS || text[broken.range.clone()].trim().is_empty() {
                return Table::default();
            }
            drop(table);
            text = std::borrow::Cow::Owned(blank(&text, broken.range));
        }
    }

    fn syntax_error(
        &mut self,
        text: &str,
        message: &str,
        span: std::ops::Range<usize>,
        broken: &Broken,
    ) {
        if let Some(open) = broken.never_closed {
            let what = if text.as_bytes().get(open) == Some(&b'{') {
                "inline table"
            } else {
                "array"
            };
            let at = self.at(open, open + 1);
            self.say(
                at,
                "toml-syntax",
                format!("this {what} is never closed"),
                None,
            );
            return;
        }
        let key = text.get(span.clone()).unwrap_or("");
        let (code, message, help) = said(message, key);
        self.say(self.at(span.start, span.end), code, message, help);
    }

    fn table(&mut self, text: &str, table: DeTable<'_>, depth: usize) -> Table {
        let mut out = Table {
            entries: Vec::with_capacity(table.len()),
        };
        for (key, value) in table {
            let key_at = self.at(key.span().start, key.span().end);
            if depth >= MOST_DEPTH {
                self.say(
                    key_at,
                    "too-deep",
                    format!("tables nested more than {MOST_DEPTH} deep"),
                    None,
                );
                break;
            }
            self.suspect |= later::has_escape(written(text, key_at));
            let at = self.at(value.span().start, value.span().end);
            if let Some(raw) = self.value(text, value.into_inner(), at, depth + 1) {
                let item = Item {
                    raw,
                    at,
                    layer: self.layer,
                };
                out.entries.push(Entry {
                    key: key.into_inner().into_owned(),
                    key_at,
                    item,
                });
            }
        }
        out
    }

    fn value(&mut self, text: &str, value: DeValue<'_>, at: At, depth: usize) -> Option<Raw> {
        Some(match value {
            DeValue::String(s) => {
                if s.contains('\0') {
                    self.say(
                        at,
                        "nul",
                        "a NUL character cannot be used in a definition",
                        None,
                    );
                    return None;
                }
                self.suspect |= later::has_escape(written(text, at));
                Raw::Text(unix_lines(written(text, at)).unwrap_or_else(|| s.into_owned()))
            }
            DeValue::Integer(i) => match i64::from_str_radix(i.as_str(), i.radix()) {
                Ok(i) => Raw::Int(i),
                Err(_) => {
                    self.say(
                        at,
                        "number-too-big",
                        "an integer that needs more than 64 bits",
                        None,
                    );
                    return None;
                }
            },
            DeValue::Float(f) => Raw::Float(float(f.as_str())),
            DeValue::Boolean(b) => Raw::Bool(b),
            DeValue::Datetime(d) => {
                self.suspect = true;
                Raw::Date(d.to_string())
            }
            DeValue::Array(list) => {
                let mut items = Vec::with_capacity(list.len());
                for item in list {
                    let at = self.at(item.span().start, item.span().end);
                    if depth >= MOST_DEPTH {
                        self.say(
                            at,
                            "too-deep",
                            format!("lists nested more than {MOST_DEPTH} deep"),
                            None,
                        );
                        break;
                    }
                    if let Some(raw) = self.value(text, item.into_inner(), at, depth + 1) {
                        items.push(Item {
                            raw,
                            at,
                            layer: self.layer,
                        });
                    }
                }
                Raw::List(items)
            }
            DeValue::Table(table) => {
                let raw = written(text, at);
                self.suspect |= raw.starts_with('{')
                    && (raw.contains('\n') || raw[..raw.len() - 1].trim_end().ends_with(','));
                Raw::Table(self.table(text, table, depth))
            }
        })
    }
}

fn lex(text: &str) -> Vec<Token> {
    Source::new(text).lex().into_vec()
}

/// The bytes of a place in the text being read.
fn written(text: &str, at: At) -> &str {
    text.get(at.start as usize..at.end as usize).unwrap_or("")
}

/// A string of several lines whose lines end in CR LF, with LF alone (as Python's tomllib reads it); nothing
/// for any other. Read anew, for once it is decoded an escaped `\r` looks like one that was written.
fn unix_lines(written: &str) -> Option<String> {
    let several = written.starts_with("\"\"\"") || written.starts_with("'''");
    if !several || !written.contains("\r\n") {
        return None;
    }
    let unix = written.replace("\r\n", "\n");
    match DeValue::parse(&unix).ok()?.into_inner() {
        DeValue::String(text) => Some(text.into_owned()),
        _ => None,
    }
}

/// Whether any line has so many dots that its keys must be counted.
fn dotted_line(text: &str) -> bool {
    text.len() > MOST_DEPTH
        && text
            .lines()
            .any(|l| l.len() > MOST_DEPTH && l.bytes().filter(|&b| b == b'.').count() > MOST_DEPTH)
}

/// The parser's words, plainer where a mistake is frequent.
fn said(message: &str, key: &str) -> (&'static str, String, Option<&'static str>) {
    let plain = |text: &str, help| ("toml-syntax", text.to_owned(), help);
    match message {
        m if m.starts_with("duplicate key") => {
            let help = Some("a key or a table may be given once; merge the two");
            ("duplicate-key", format!("`{key}` is given twice"), help)
        }
        m if m.starts_with("string values must be quoted") => {
            plain("text must stand in quotes", Some("write key = \"text\""))
        }
        m if m.starts_with("key with no value") => {
            plain("a key without a value", Some("write key = value"))
        }
        m if m.starts_with("invalid basic string, expected `\"`") => {
            plain("this string is never closed", None)
        }
        m if m.starts_with("unclosed table") => plain("this table header is never closed", None),
        other => plain(other, None),
    }
}

fn float(text: &str) -> f64 {
    match text.trim_start_matches('+') {
        "nan" | "-nan" => f64::NAN,
        "inf" => f64::INFINITY,
        "-inf" => f64::NEG_INFINITY,
        other => other.replace('_', "").parse().unwrap_or(f64::NAN),
    }
}

/// Where a dotted key has more parts than any definition needs.
fn too_many_dots(tokens: &[Token]) -> Option<usize> {
    let mut dots = 0;
    for token in tokens {
        match token.kind() {
            TokenKind::Dot => {
                dots += 1;
                if dots > MOST_DEPTH {
                    return Some(token.span().start());
                }
            }
            TokenKind::Atom
            | TokenKind::Whitespace
            | TokenKind::BasicString
            | TokenKind::LiteralString => {}
            _ => dots = 0,
        }
    }
    None
}
