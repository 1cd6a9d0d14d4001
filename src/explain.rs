//! What differs between two derivations, field by field: the same list that the keys are made of.
//!
//! Pure. The order of fields is the order in which people want to hear of them.

use rustc_hash::FxHashMap;
use serde::Serialize;
use serde_json::Value;

use jalon_store::action::{Access, Derivation, Field, FieldValue, PathEntry, Place, Seen};
use jalon_store::outcome::Explanation;

use crate::action::field;
use crate::verdict::Reason;

/// One field that is not the same.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    /// Which part of the derivation.
    pub field: String,
    /// Which of them.
    pub what: String,
    /// Before; `null` where it was not there.
    pub old: Value,
    /// Now; `null` where it is not there any more.
    pub new: Value,
    /// Where to look: a file, a node, a variable.
    #[serde(rename = "where")]
    pub place: String,
}

/// Fields in the order of telling: what people change first, what the machine changes last.
const ORDER: [&str; 12] = [
    field::PARAMS,
    field::CODE,
    field::OBSERVED,
    field::INPUT,
    field::DATASET,
    field::COMMAND,
    field::MATRIX,
    field::VARS,
    field::ENV,
    field::IN,
    field::OUT,
    field::PLATFORM,
];

/// What differs, in the order of telling. Both field lists are sorted, so this is one merge.
pub fn differences(
    old: &Explanation,
    new: &Derivation,
    seen: &[(PathEntry, Seen)],
) -> Vec<Difference> {
    let mut all = Vec::new();
    let (mut before, mut now) = (
        old.derivation.fields.iter().peekable(),
        new.fields.iter().peekable(),
    );
    let place = |field: &Field| (field.field.clone(), field.what.clone());
    loop {
        let order = match (before.peek(), now.peek()) {
            (None, None) => break,
            (Some(_), None) => std::cmp::Ordering::Less,
            (None, Some(_)) => std::cmp::Ordering::Greater,
            (Some(a), Some(b)) => place(a).cmp(&place(b)),
        };
        let a = if order.is_le() { before.next() } else { None };
        let b = if order.is_ge() { now.next() } else { None };
        if let Some(either) = a.or(b)
            && a.map(|a| &a.value) != b.map(|b| &b.value)
        {
            all.push(difference(
                &either.field,
                &either.what,
                a.map(|a| &a.value),
                b.map(|b| &b.value),
            ));
        }
    }
    observed(&old.observed, seen, &mut all);
    all.sort_by_key(|one| {
        ORDER
            .iter()
            .position(|field| *field == one.field)
            .unwrap_or(ORDER.len())
    });
    all
}

fn difference(
    name: &str,
    what: &[u8],
    old: Option<&FieldValue>,
    new: Option<&FieldValue>,
) -> Difference {
    let what = String::from_utf8_lossy(what).into_owned();
    let place = if name == field::CODE {
        what.clone()
    } else {
        String::new()
    };
    Difference {
        field: name.to_owned(),
        what,
        old: old.map_or(Value::Null, show),
        new: new.map_or(Value::Null, show),
        place,
    }
}

/// Only paths that are looked at in both can differ: the others were read because something else differed.
fn observed(old: &[(PathEntry, Seen)], new: &[(PathEntry, Seen)], all: &mut Vec<Difference>) {
    let new: FxHashMap<&PathEntry, &Seen> = new.iter().map(|(entry, seen)| (entry, seen)).collect();
    for (entry, before) in old {
        if let Some(now) = new.get(entry)
            && *now != before
        {
            all.push(observation(entry, show_seen(before), show_seen(now)));
        }
    }
}

/// What an outcome rests on besides its recipe, each with what was found as the old value.
pub fn observations(explanation: &Explanation) -> Vec<Difference> {
    let each = explanation.observed.iter();
    each.map(|(entry, seen)| observation(entry, show_seen(seen), Value::Null))
        .collect()
}

fn observation(entry: &PathEntry, old: Value, new: Value) -> Difference {
    let what = called(entry);
    Difference {
        field: field::OBSERVED.into(),
        place: what.clone(),
        what,
        old,
        new,
    }
}

/// An entry of a path set as people call it.
pub fn called(entry: &PathEntry) -> String {
    let text = String::from_utf8_lossy(&entry.path);
    let path = match entry.place {
        Place::Home => format!("~/{text}"),
        Place::Distribution => match text.split_once(':') {
            Some((environment, "*.pth")) => return format!("what {environment} starts with"),
            Some((environment, "*")) => return format!("packages of {environment}"),
            Some((environment, name)) if !name.contains('\0') => {
                return format!("package {name} of {environment}");
            }
            Some((environment, _)) => return format!("modules of {environment}"),
            None => text.into_owned(),
        },
        Place::Program => format!("program {text}"),
        Place::Variable => format!("variable {text}"),
        Place::Project | Place::Absolute => text.into_owned(),
    };
    match entry.access {
        Access::Listing => format!("names in {}", if path.is_empty() { "." } else { &path }),
        Access::Module => format!(
            "modules in {}",
            path.split('\0')
                .next()
                .filter(|path| !path.is_empty())
                .unwrap_or(".")
        ),
        _ => path,
    }
}

/// A field's value as JSON: digests in hex, JSON as itself.
fn show(value: &FieldValue) -> Value {
    match value {
        FieldValue::Absent => Value::Null,
        FieldValue::Text(text) => Value::String(text.clone()),
        FieldValue::Digest(digest) => Value::String(hex(digest)),
        FieldValue::Json(text) => {
            serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.clone()))
        }
        FieldValue::Bytes(bytes) => Value::String(String::from_utf8_lossy(bytes).into_owned()),
    }
}

fn show_seen(seen: &Seen) -> Value {
    Value::String(match seen {
        Seen::Absent => return Value::Null,
        Seen::File { digest, executable } => {
            format!("{digest}{}", if *executable { " executable" } else { "" })
        }
        Seen::Exists(kind) => format!("{kind:?}").to_lowercase(),
        Seen::Link(target) => format!("link to {}", String::from_utf8_lossy(target)),
        Seen::Listing(digest) => digest.to_string(),
        Seen::Directory(digest) => digest.to_string(),
        Seen::Version(version) => version.clone(),
        Seen::Size { size, executable } => {
            format!(
                "{size} bytes{}",
                if *executable { ", executable" } else { "" }
            )
        }
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl From<&Difference> for Reason {
    fn from(difference: &Difference) -> Reason {
        Reason {
            field: difference.field.clone(),
            what: difference.what.clone(),
            old: difference.old.clone(),
            new: difference.new.clone(),
        }
    }
}
