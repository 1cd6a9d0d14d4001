//! The JSON Schema (draft-07) of a definition, for editors; made from the same table as the checks.
//!
//! One mistake gives one error: forms are told apart by `if` on the type, never by `anyOf`, and
//! a required key is asked for only where all keys are known.

use crate::shape::{DEFINITION, Field, Keys, Shape};
use crate::value::Value;

/// The schema as compact JSON.
#[must_use]
pub fn definition_schema() -> String {
    let mut top = entries(&DEFINITION, false);
    let head = [
        ("$schema", text("http://json-schema.org/draft-07/schema#")),
        ("$id", text("https://jalon.dev/definition.schema.json")),
        ("title", text("jalon.toml")),
    ];
    top.splice(0..0, head.map(|(k, v)| (k.to_owned(), v)));
    Value::Table(top).to_json()
}

type Entries = Vec<(String, Value)>;

fn text(t: &str) -> Value {
    Value::Text(t.to_owned())
}

fn table<const N: usize>(entries: [(&str, Value); N]) -> Entries {
    entries
        .into_iter()
        .map(|(k, v)| (k.to_owned(), v))
        .collect()
}

fn words(words: impl IntoIterator<Item = &'static str>) -> Value {
    Value::List(words.into_iter().map(text).collect())
}

fn schema(shape: &'static Shape, overlay: bool) -> Value {
    Value::Table(entries(shape, overlay))
}

fn entries(shape: &'static Shape, overlay: bool) -> Entries {
    match shape {
        Shape::Text => table([("type", text("string"))]),
        Shape::Bool => table([("type", text("boolean"))]),
        Shape::Whole(i64::MIN) => table([("type", text("integer"))]),
        Shape::Whole(least) => table([("type", text("integer")), ("minimum", Value::Int(*least))]),
        Shape::Number => table([
            ("type", text("number")),
            ("exclusiveMinimum", Value::Int(0)),
        ]),
        Shape::Duration => quantity(DURATION, "minimum"),
        Shape::Size => quantity(SIZE, "exclusiveMinimum"),
        Shape::Scalar => table([("type", words(["string", "number", "boolean"]))]),
        Shape::Word(choices) => table([("enum", words(choices.iter().copied()))]),
        Shape::List(inner) => table([("type", text("array")), ("items", schema(inner, overlay))]),
        Shape::Map(keys, inner) => map(*keys, inner, overlay),
        Shape::Table(fields) => object(fields, None, overlay),
        Shape::Open(fields, other) => object(fields, Some(other), overlay),
        Shape::OneOf(_, options) => one_of(options, overlay),
        Shape::Later(_) => table([("not", Value::Table(Vec::new()))]),
    }
}

const DURATION: &str = r"^\s*([0-9]+|([0-9]+(\.[0-9]+)?d)?([0-9]+(\.[0-9]+)?h)?([0-9]+(\.[0-9]+)?m)?([0-9]+(\.[0-9]+)?s)?([0-9]+(\.[0-9]+)?ms)?)\s*$";
const SIZE: &str = r"^\s*[0-9]+(\.[0-9]+)?\s*([kKMGT]?B|[KMGT]iB|[KMG])?\s*$";
const NAME: &str = r"^[\p{L}\p{N}_.][\p{L}\p{N}_.-]*$";

fn quantity(pattern: &str, least: &str) -> Entries {
    table([
        ("type", words(["string", "integer"])),
        ("minLength", Value::Int(1)),
        ("pattern", text(pattern)),
        (least, Value::Int(0)),
    ])
}

fn map(keys: Keys, inner: &'static Shape, overlay: bool) -> Entries {
    let mut out = table([
        ("type", text("object")),
        ("additionalProperties", schema(inner, overlay)),
    ]);
    let pattern = match keys {
        Keys::Name => NAME,
        Keys::Variable => "^[^=]+$",
        Keys::Any => return out,
    };
    out.push((
        "propertyNames".into(),
        Value::Table(table([("pattern", text(pattern))])),
    ));
    out
}

fn object(fields: &'static [Field], other: Option<&'static Shape>, overlay: bool) -> Entries {
    let property = |f: &Field| {
        // The definition's own `[env]`, not a node's: only there do all tables stand beside it.
        let inside_env = overlay || f.key == "env" && fields.iter().any(|g| g.key == "pipeline");
        let mut entries = entries(f.shape, inside_env);
        entries.push(("description".to_owned(), text(f.doc)));
        (f.key.to_owned(), Value::Table(entries))
    };
    let rest = other.map_or(Value::Bool(false), |o| schema(o, overlay));
    let mut out = table([
        ("type", text("object")),
        (
            "properties",
            Value::Table(fields.iter().map(property).collect()),
        ),
        ("additionalProperties", rest),
    ]);
    let required: Vec<&'static str> = fields
        .iter()
        .filter(|f| f.required)
        .map(|f| f.key)
        .collect();
    if !overlay && !required.is_empty() {
        let known = Value::Table(table([("enum", words(fields.iter().map(|f| f.key)))]));
        out.push(("if".into(), Value::Table(table([("propertyNames", known)]))));
        out.push((
            "then".into(),
            Value::Table(table([("required", words(required))])),
        ));
    }
    out
}

/// Forms that differ in their type.
fn one_of(options: &'static [Shape], overlay: bool) -> Entries {
    let types = options.iter().map(type_of);
    let choices = options.iter().map(|option| {
        let is = Value::Table(table([("type", text(type_of(option)))]));
        Value::Table(table([("if", is), ("then", schema(option, overlay))]))
    });
    table([
        ("type", words(types)),
        ("allOf", Value::List(choices.collect())),
    ])
}

fn type_of(shape: &Shape) -> &'static str {
    match shape {
        Shape::Bool => "boolean",
        Shape::Whole(_) => "integer",
        Shape::Number => "number",
        Shape::List(_) => "array",
        Shape::Map(..) | Shape::Table(_) | Shape::Open(..) => "object",
        _ => "string",
    }
}
