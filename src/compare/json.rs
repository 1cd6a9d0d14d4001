//! JSON: the path of the first value that differs, in the order in which the earlier one was written.

use std::io;

use serde_json::Value;

use super::{Bytes, Difference, whole};

/// Whether a file may be a JSON object or array.
pub fn begins(head: &[u8]) -> bool {
    let first = head.iter().find(|byte| !byte.is_ascii_whitespace());
    matches!(first, Some(b'{' | b'['))
}

/// Nothing where one is no JSON, or is too large, or both say the same in other words (text tells where, then).
pub fn compare(old: &mut dyn Bytes, new: &mut dyn Bytes) -> io::Result<Option<Difference>> {
    let (Some(a), Some(b)) = (whole(old)?, whole(new)?) else {
        return Ok(None);
    };
    let (a, b): (Value, Value) = (serde_json::from_slice(&a)?, serde_json::from_slice(&b)?);
    let told = match first(&a, &b) {
        Some((key, old, new)) => Difference::new("json", key).values(old, new),
        None => Difference::new(
            "json",
            "the same values in another order of keys, or written otherwise",
        ),
    };
    Ok(Some(told))
}

/// The path of the first difference, and the two values.
pub fn first(old: &Value, new: &Value) -> Option<(String, String, String)> {
    let mut path = String::new();
    let (a, b) = walk(old, new, &mut path)?;
    let said = |value: Option<&Value>| value.map_or_else(|| "nothing".into(), Value::to_string);
    if path.is_empty() {
        path.push_str("the whole value");
    }
    Some((path, said(a), said(b)))
}

type Pair<'a> = (Option<&'a Value>, Option<&'a Value>);

fn walk<'a>(old: &'a Value, new: &'a Value, path: &mut String) -> Option<Pair<'a>> {
    let length = path.len();
    match (old, new) {
        (Value::Object(a), Value::Object(b)) => {
            let more = b.keys().filter(|key| !a.contains_key(*key));
            for key in a.keys().chain(more) {
                step(path, key);
                if let Some(found) = pair(a.get(key), b.get(key), path) {
                    return Some(found);
                }
                path.truncate(length);
            }
            None
        }
        (Value::Array(a), Value::Array(b)) => {
            for at in 0..a.len().max(b.len()) {
                path.push_str(&format!("[{at}]"));
                if let Some(found) = pair(a.get(at), b.get(at), path) {
                    return Some(found);
                }
                path.truncate(length);
            }
            None
        }
        _ => (old != new).then_some((Some(old), Some(new))),
    }
}

fn pair<'a>(old: Option<&'a Value>, new: Option<&'a Value>, path: &mut String) -> Option<Pair<'a>> {
    match (old, new) {
        (Some(old), Some(new)) => walk(old, new, path),
        (None, None) => None,
        one => Some(one),
    }
}

fn step(path: &mut String, key: &str) {
    let plain = !key.is_empty()
        && key
            .chars()
            .all(|c| c.is_alphanumeric() || matches!(c, '_' | '-'));
    match plain {
        true if path.is_empty() => path.push_str(key),
        true => path.push_str(&format!(".{key}")),
        false => path.push_str(&format!("[{}]", Value::from(key))),
    }
}
