//! The JSON Schema in docs/: made from the code, quiet on what is valid, one error for one typo.

use crate::common::files;
use serde_json::{Map, Value, json};
use toml::de::{DeTable, DeValue};

fn schema_path() -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/definition.schema.json")
}

fn schema() -> Value {
    serde_json::from_str(&jalon_conf::definition_schema()).expect("the schema is JSON")
}

fn to_json(value: &DeValue<'_>) -> Value {
    match value {
        DeValue::String(s) => json!(s),
        DeValue::Integer(i) => {
            json!(i64::from_str_radix(i.as_str(), i.radix()).unwrap_or(i64::MAX))
        }
        DeValue::Float(f) => json!(f.as_str().parse::<f64>().unwrap_or(0.5)),
        DeValue::Boolean(b) => json!(b),
        DeValue::Datetime(d) => json!(d.to_string()),
        DeValue::Array(a) => a.iter().map(|v| to_json(v.get_ref())).collect(),
        DeValue::Table(t) => table_to_json(t),
    }
}

fn table_to_json(table: &DeTable<'_>) -> Value {
    Value::Object(
        table
            .iter()
            .map(|(k, v)| (k.get_ref().to_string(), to_json(v.get_ref())))
            .collect::<Map<_, _>>(),
    )
}

fn definition(text: &str) -> Value {
    table_to_json(DeTable::parse(text).expect("TOML").get_ref())
}

#[test]
fn the_file_in_docs_is_what_the_code_says() {
    let expected = serde_json::to_string_pretty(&schema()).expect("JSON") + "\n";
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::create_dir_all(schema_path().parent().expect("docs/")).expect("writable");
        std::fs::write(schema_path(), &expected).expect("writable");
    }
    let written = std::fs::read_to_string(schema_path()).unwrap_or_default();
    assert_eq!(written, expected, "run with UPDATE_EXPECT=1");
}

#[test]
fn quiet_on_valid_definitions() {
    let validator = jsonschema::validator_for(&schema()).expect("a schema");
    for (name, text) in files("good") {
        let errors: Vec<String> = validator
            .iter_errors(&definition(&text))
            .map(|e| e.to_string())
            .collect();
        assert!(errors.is_empty(), "{name}: {errors:?}");
    }
}

#[test]
fn one_error_for_one_mistake() {
    let validator = jsonschema::validator_for(&schema()).expect("a schema");
    for (name, text) in files("good") {
        let whole = definition(&text);
        let mut count = 0;
        for path in key_paths(&whole, "") {
            let mut broken = whole.clone();
            let (parent, key) = path.rsplit_once('/').expect("a pointer");
            let table = broken
                .pointer_mut(parent)
                .and_then(Value::as_object_mut)
                .expect("a table");
            let key = key.replace("~1", "/").replace("~0", "~");
            let value = table.remove(&key).expect("there");
            table.insert(format!("{key}zq"), value);
            let errors = validator.iter_errors(&broken).count();
            assert!(errors <= 1, "{name}: {path}: {errors} errors");
            count += errors;
        }
        assert!(
            count > 0 || text.trim().is_empty(),
            "{name}: no typo was noticed"
        );
    }
}

/// Every key of every table, as JSON pointers.
fn key_paths(value: &Value, at: &str) -> Vec<String> {
    match value {
        Value::Object(table) => table
            .iter()
            .flat_map(|(k, v)| {
                let here = format!("{at}/{}", k.replace('~', "~0").replace('/', "~1"));
                let mut all = key_paths(v, &here);
                all.push(here);
                all
            })
            .collect(),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .flat_map(|(i, v)| key_paths(v, &format!("{at}/{i}")))
            .collect(),
        _ => Vec::new(),
    }
}

#[test]
fn wrong_types_are_one_error_too() {
    let validator = jsonschema::validator_for(&schema()).expect("a schema");
    for text in [
        "[node.a]\ncmd = 3",
        "[node.a]\ncmd = [\"x\", 3]",
        "[node.a]\nin = \"raw\"",
        "[node.a]\nout = { m = 1 }",
        "[node.a]\nout = { m = { keep = \"run\" } }",
        "[node.a]\nout = { m = { pth = \"x\" } }",
        "[node.a]\nretries = \"3\"",
        "[node.a]\nretries = -1",
        "[node.a]\nresources = { cpu = 0 }",
        "[node.a]\nresources = { mem = \"lots\" }",
        "[node.a]\ntimeout = \"soon\"",
        "[node.a]\nisolation = \"strickt\"",
        "[node.a]\nmatrix = { s = 1 }",
        "[node.\"a b\"]\ncmd = \"x\"",
        "[store]\nremote = 3",
        "[[hook]]\non = [\"*\"]",
        "[env.ci]\nstor = { push = true }",
    ] {
        let errors: Vec<String> = validator
            .iter_errors(&definition(text))
            .map(|e| e.to_string())
            .collect();
        assert_eq!(errors.len(), 1, "{text}: {errors:?}");
    }
}
