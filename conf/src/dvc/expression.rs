//! `${…}` in a text: where it stands, what it names, and how a value reads in its place.
//!
//! Facts are those of DVC 3 (`dvc/parsing/interpolate.py`). Knows neither values' sources nor stages.

use crate::quote::shell_quote;
use crate::value::Value;

/// How tables become arguments: `[parsing]` of `.dvc/config`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Arguments {
    /// `bool = boolean_optional`: false is `--no-KEY` (else nothing).
    pub no_for_false: bool,
    /// `list = append`: the option is repeated (else its values follow it).
    pub repeat: bool,
}

/// A part of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part<'t> {
    /// As written.
    Text(&'t str),
    /// What stands between `${` and `}`.
    Reference(&'t str),
}

/// The parts of a text. A reference begins with `${` without a backslash before it and ends with the
/// next `}` of the same line.
pub(super) fn parts(text: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let (mut from, mut at) = (0, 0);
    while let Some(found) = text[at..].find("${").map(|found| at + found) {
        let inner = &text[found + 2..];
        let end = inner
            .find(['}', '\n'])
            .filter(|&end| inner[end..].starts_with('}'));
        let escaped = text[..found].ends_with('\\');
        match end {
            Some(end) if !escaped => {
                if found > from {
                    parts.push(Part::Text(&text[from..found]));
                }
                parts.push(Part::Reference(&inner[..end]));
                at = found + 2 + end + 1;
                from = at;
            }
            _ => at = found + 2,
        }
    }
    if from < text.len() {
        parts.push(Part::Text(&text[from..]));
    }
    parts
}

/// Whether anything would be inserted.
pub(super) fn is_template(text: &str) -> bool {
    let parts = parts(text);
    parts.iter().any(|part| matches!(part, Part::Reference(_)))
}

/// The steps that a reference names: `a.b[0]` is a, b, 0.
pub(super) fn steps(reference: &str) -> Option<Vec<&str>> {
    let special = ['.', '[', ']'];
    let mut steps = Vec::new();
    let mut rest = reference;
    let mut close = false;
    loop {
        let end = rest.find(special).unwrap_or(rest.len());
        let (step, after) = rest.split_at(end);
        if step.is_empty() {
            return None;
        }
        steps.push(step.trim());
        rest = after;
        if close {
            rest = rest.strip_prefix(']')?;
        }
        match rest.as_bytes().first() {
            None => return Some(steps),
            Some(b'.') => close = false,
            Some(b'[') => close = true,
            Some(_) => return None,
        }
        rest = &rest[1..];
    }
}

/// How a scalar reads where it is inserted, as Python writes it; none for a list or a table.
pub(super) fn word(value: &Value) -> Option<String> {
    Some(match value {
        Value::Bool(truth) => truth.to_string(),
        Value::Null => "None".to_owned(),
        Value::Float(number) => float(*number),
        Value::Int(number) => number.to_string(),
        Value::Text(text) => text.clone(),
        Value::List(_) | Value::Table(_) => return None,
    })
}

/// A float as Python's `repr` writes it: an exponent below 1e-4 and from 1e16.
fn float(number: f64) -> String {
    if number.is_nan() {
        return "nan".into();
    }
    if number.is_infinite() {
        return if number > 0.0 { "inf" } else { "-inf" }.into();
    }
    let size = number.abs();
    if size != 0.0 && !(1e-4..1e16).contains(&size) {
        let text = format!("{number:e}");
        let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let (sign, digits) = match exponent.strip_prefix('-') {
            Some(digits) => ('-', digits),
            None => ('+', exponent),
        };
        return format!("{mantissa}e{sign}{digits:0>2}");
    }
    let text = number.to_string();
    if text.contains('.') {
        text
    } else {
        text + ".0"
    }
}

/// A table as the arguments of a command; why not, if not.
pub(super) fn arguments(entries: &[(String, Value)], how: Arguments) -> Result<String, String> {
    let mut flat = Vec::new();
    flatten("", entries, &mut flat);
    let mut words: Vec<String> = Vec::new();
    for (key, value) in flat {
        match value {
            Value::Bool(true) => words.push(format!("--{key}")),
            Value::Bool(false) if how.no_for_false => words.push(format!("--no-{key}")),
            Value::Bool(false) => {}
            Value::Text(text) => words.push(format!("--{key} {}", shell_quote(text))),
            Value::List(items) => {
                for (position, item) in items.iter().enumerate() {
                    let item = match item {
                        Value::Text(text) => shell_quote(text),
                        Value::Bool(true) => "True".to_owned(),
                        Value::Bool(false) => "False".to_owned(),
                        other => word(other).ok_or_else(|| {
                            format!("`{key}` holds a list or a table inside a list, which no argument can be")
                        })?,
                    };
                    if how.repeat || position == 0 {
                        words.push(format!("--{key} {item}"));
                    } else {
                        words.push(item);
                    }
                }
            }
            other => words.push(format!("--{key} {}", word(other).unwrap_or_default())),
        }
    }
    Ok(words.join(" "))
}

/// Leaves under their dotted keys; an empty table is none.
fn flatten<'v>(above: &str, entries: &'v [(String, Value)], flat: &mut Vec<(String, &'v Value)>) {
    for (key, value) in entries {
        let key = if above.is_empty() {
            key.clone()
        } else {
            format!("{above}.{key}")
        };
        match value {
            Value::Table(inner) => flatten(&key, inner, flat),
            leaf => flat.push((key, leaf)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_and_escapes() {
        assert_eq!(
            parts("a ${b.c} \\${d} ${e"),
            [
                Part::Text("a "),
                Part::Reference("b.c"),
                Part::Text(" \\${d} ${e"),
            ]
        );
        assert_eq!(parts("${a}${b}").len(), 2);
        assert!(!is_template("$a \\${b} ${c\n}"));
    }

    #[test]
    fn steps_of_a_reference() {
        assert_eq!(steps("a.b[0].c"), Some(vec!["a", "b", "0", "c"]));
        assert_eq!(steps(" a . b "), Some(vec!["a", "b"]));
        assert_eq!(steps("item"), Some(vec!["item"]));
        for bad in ["", "a..b", ".a", "a[", "a[0", "a]", "a[]", "a[0]b"] {
            assert_eq!(steps(bad), None, "{bad}");
        }
    }

    #[test]
    fn numbers_read_as_python_writes_them() {
        let cases = [
            (0.1, "0.1"),
            (1.0, "1.0"),
            (1e-5, "1e-05"),
            (0.0001, "0.0001"),
            (1.5e-7, "1.5e-07"),
            (1e16, "1e+16"),
            (123_456_789.0, "123456789.0"),
            (-2.5e20, "-2.5e+20"),
            (1e100, "1e+100"),
            (0.0, "0.0"),
            (-0.0, "-0.0"),
        ];
        for (number, text) in cases {
            assert_eq!(float(number), text);
        }
    }

    #[test]
    fn tables_become_arguments() {
        let text = |text: &str| Value::Text(text.into());
        let table = [
            ("lr".into(), Value::Float(0.1)),
            ("verbose".into(), Value::Bool(true)),
            ("dry".into(), Value::Bool(false)),
            ("name".into(), text("a b")),
            (
                "layers".into(),
                Value::List(vec![Value::Int(1), Value::Int(2), text("x y")]),
            ),
            (
                "nested".into(),
                Value::Table(vec![("deep".into(), Value::Null)]),
            ),
        ];
        assert_eq!(
            arguments(&table, Arguments::default()).as_deref(),
            Ok("--lr 0.1 --verbose --name 'a b' --layers 1 2 'x y' --nested.deep None")
        );
        let other = Arguments {
            no_for_false: true,
            repeat: true,
        };
        assert_eq!(
            arguments(&table, other).as_deref(),
            Ok(
                "--lr 0.1 --verbose --no-dry --name 'a b' --layers 1 --layers 2 --layers 'x y' --nested.deep None"
            )
        );
    }
}
