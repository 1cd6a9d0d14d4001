//! Values as text: canonical JSON, words for commands, and look-up by dotted path.

use crate::value::Value;

impl Value {
    /// Compact JSON: keys in written order, floats as the shortest text that reads back
    /// the same and never like an integer (`1.0`). `NaN` and `Infinity` as Python writes them.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut out = String::new();
        self.write_json(&mut out);
        out
    }

    fn write_json(&self, out: &mut String) {
        match self {
            Value::Null => out.push_str("null"),
            Value::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
            Value::Int(i) => out.push_str(&i.to_string()),
            Value::Float(f) => out.push_str(&float_text(*f, ["NaN", "Infinity", "-Infinity"])),
            Value::Text(t) => write_json_text(t, out),
            Value::List(items) => {
                out.push('[');
                for (i, item) in items.iter().enumerate() {
                    if i > 0 {
                        out.push(',');
                    }
                    item.write_json(out);
                }
                out.push(']');
            }
            Value::Table(entries) => {
                out.push('{');
                for (i, (key, item)) in entries.iter().enumerate() {
                    if i > 0 {
                        out.push(',');
                    }
                    write_json_text(key, out);
                    out.push(':');
                    item.write_json(out);
                }
                out.push('}');
            }
        }
    }

    /// The same value with tables sorted by key, at every level: equal values give equal text.
    #[must_use]
    pub fn canonical(&self) -> Value {
        match self {
            Value::List(items) => Value::List(items.iter().map(Value::canonical).collect()),
            Value::Table(entries) => {
                let mut sorted: Vec<_> = entries
                    .iter()
                    .map(|(k, v)| (k.clone(), v.canonical()))
                    .collect();
                sorted.sort_by(|a, b| a.0.cmp(&b.0));
                Value::Table(sorted)
            }
            other => other.clone(),
        }
    }

    /// The text that stands for a scalar in a command or a path; none for a list or a table.
    #[must_use]
    pub fn word(&self) -> Option<String> {
        Some(match self {
            Value::Null => "null".into(),
            Value::Bool(b) => b.to_string(),
            Value::Int(i) => i.to_string(),
            Value::Float(f) => float_text(*f, ["nan", "inf", "-inf"]),
            Value::Text(t) => t.clone(),
            Value::List(_) | Value::Table(_) => return None,
        })
    }

    /// The words of a scalar (one) or of a list of scalars; none for anything with a table.
    #[must_use]
    pub fn words(&self) -> Option<Vec<String>> {
        match self {
            Value::List(items) => items.iter().map(Value::word).collect(),
            other => other.word().map(|w| vec![w]),
        }
    }

    /// What stands under a dotted path; a number selects an element of a list.
    #[must_use]
    pub fn get(&self, path: &str) -> Option<&Value> {
        if let Value::Table(entries) = self
            && let Some((_, value)) = entries.iter().find(|(k, _)| k == path)
        {
            return Some(value);
        }
        let mut here = self;
        for part in path.split('.') {
            here = match here {
                Value::Table(entries) => &entries.iter().find(|(k, _)| k == part)?.1,
                Value::List(items) => items.get(part.parse::<usize>().ok()?)?,
                _ => return None,
            };
        }
        Some(here)
    }

    /// Deep-merges `over` into this one: tables merge, everything else is replaced.
    pub fn merge(&mut self, over: Value) {
        match (self, over) {
            (Value::Table(mine), Value::Table(theirs)) => {
                let index: std::collections::HashMap<String, usize> = mine
                    .iter()
                    .enumerate()
                    .map(|(i, (k, _))| (k.clone(), i))
                    .collect();
                for (key, value) in theirs {
                    match index.get(&key).and_then(|&i| mine.get_mut(i)) {
                        Some((_, old)) => old.merge(value),
                        None => mine.push((key, value)),
                    }
                }
            }
            (mine, over) => *mine = over,
        }
    }
}

/// Shortest round trip; an exponent where Rust's own debug form uses one.
fn float_text(f: f64, [nan, plus, minus]: [&str; 3]) -> String {
    if f.is_nan() {
        nan.into()
    } else if f.is_infinite() {
        if f > 0.0 { plus } else { minus }.into()
    } else {
        format!("{f:?}")
    }
}

fn write_json_text(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if (c as u32) < 0x20 || c == '\u{7f}' => {
                out.push_str(&format!("\\u{:04x}", c as u32))
            }
            c => out.push(c),
        }
    }
    out.push('"');
}
