//! Parameters: what YAML scalars mean, how files merge, what `-p` does, limits.

use jalon_conf::{Severity, Value};

use crate::common::{read_env, show};

const NODE: &str = "[node.a]\ncmd = \"true\"\n";

fn values(files: &[(&str, &str)], set: &[(&str, &str)]) -> Result<Value, String> {
    let lowered = read_env("jalon.toml", NODE, files, "local", set);
    lowered
        .pipeline
        .map(|p| p.params)
        .ok_or_else(|| show(&lowered.diagnostics))
}

fn yaml(text: &str) -> Result<String, String> {
    values(&[("p.yml", text)], &[]).map(|v| v.to_json())
}

/// As `tests/scalars.tsv` writes values.
fn shown(value: &Value) -> String {
    match value {
        Value::Null => "null".into(),
        Value::Bool(b) => format!("bool:{b}"),
        Value::Int(i) => format!("int:{i}"),
        Value::Float(f) => format!("float:{f:?}"),
        Value::Text(t) => format!("text:{t}"),
        other => panic!("not a scalar: {other:?}"),
    }
}

/// Python writes `nan` and exponents a little differently.
fn same(ours: &str, theirs: &str) -> bool {
    let number = |t: &str| t.strip_prefix("float:").and_then(|n| n.parse::<f64>().ok());
    match (number(ours), number(theirs)) {
        (Some(a), Some(b)) => a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan(),
        _ => ours == theirs,
    }
}

#[test]
fn scalars_mean_what_both_readers_agree_on() {
    let table = include_str!("../scalars.tsv");
    let mut wrong = String::new();
    for line in table.lines().filter(|l| !l.starts_with('#')) {
        let [scalar, kedro, dvc] = line.split('\t').collect::<Vec<_>>()[..] else {
            panic!("{line}")
        };
        let text = format!("a: {scalar}\n");
        let lowered = read_env("jalon.toml", NODE, &[("p.yml", &text)], "local", &[]);
        let value = lowered
            .pipeline
            .as_ref()
            .and_then(|p| p.params.get("a"))
            .map(shown);
        let warned = lowered
            .diagnostics
            .iter()
            .any(|d| d.severity == Severity::Warning);
        let dvc = if dvc == "date" { kedro } else { dvc };
        let too_big = lowered
            .diagnostics
            .iter()
            .any(|d| d.code == "number-too-big");
        let good = match &value {
            None => kedro != dvc || kedro == "error" || too_big,
            Some(ours) if same(kedro, dvc) => same(ours, kedro),
            Some(ours) => warned && ours == kedro && ours.starts_with("bool:"),
        };
        if !good {
            wrong += &format!("{line}\n    got {value:?}\n{}", show(&lowered.diagnostics));
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn yaml_structure() {
    for (text, json) in [
        ("a: &x {b: 1}\nc: *x\n", r#"{"a":{"b":1},"c":{"b":1}}"#),
        (
            "d: &d {x: 1, y: 2}\na:\n  <<: *d\n  x: 3\n",
            r#"{"d":{"x":1,"y":2},"a":{"y":2,"x":3}}"#,
        ),
        (
            "p: &p {x: 1}\nq: &q {x: 2, y: 2}\na: {<<: [*p, *q]}\n",
            r#"{"p":{"x":1},"q":{"x":2,"y":2},"a":{"x":1,"y":2}}"#,
        ),
        ("1: a\ntrue: b\n", r#"{"1":"a","true":"b"}"#),
        (
            "a: !!str 1\nb: !!float 2\nc: !!int 3\n",
            r#"{"a":"1","b":2.0,"c":3}"#,
        ),
        (
            "a: '1'\nb: \"yes\"\nc: |\n  x\n",
            r#"{"a":"1","b":"yes","c":"x\n"}"#,
        ),
        ("a: 2001-12-14\n", r#"{"a":"2001-12-14"}"#),
        ("\u{feff}a: é\n", r#"{"a":"é"}"#),
        ("", "{}"),
        ("# nothing\n", "{}"),
        ("---\na: 1\n...\n", r#"{"a":1}"#),
        (
            "a: [.inf, -.inf, .nan]\n",
            r#"{"a":[Infinity,-Infinity,NaN]}"#,
        ),
    ] {
        assert_eq!(yaml(text).as_deref(), Ok(json), "{text}");
    }
}

#[test]
fn yaml_refusals() {
    for (text, code) in [
        ("a: 1\na: 2\n", "duplicate-key"),
        ("a: 1\n---\nb: 2\n", "yaml-documents"),
        ("a: !env X\n", "yaml-tag"),
        ("a: !!int x\n", "yaml-tag"),
        ("? [a]\n: 1\n", "yaml-key"),
        ("a: &a [*a]\n", "yaml-alias"),
        ("a: *nowhere\n", "yaml-syntax"),
        ("a: {<<: 3}\n", "yaml-merge"),
        ("- 1\n", "params-format"),
        ("a: [1\n", "yaml-syntax"),
    ] {
        let error = yaml(text).expect_err(text);
        assert!(error.contains(&format!("error {code}")), "{text}: {error}");
    }
    let deep = format!("a: {}{}\n", "[".repeat(5000), "]".repeat(5000));
    assert!(yaml(&deep).is_err());
    let mut laughs = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for i in 1..12 {
        let many = vec![format!("*a{}", i - 1); 10].join(", ");
        laughs += &format!("a{i}: &a{i} [{many}]\n");
    }
    assert!(yaml(&laughs).expect_err("a bomb").contains("yaml-alias"));
}

#[test]
fn files_merge_in_order_and_the_command_line_wins() {
    let files = [
        ("a.yml", "train: {lr: 0.1, layers: [1, 2]}\nseed: 1\n"),
        (
            "b.toml",
            "[train]\nlr = 0.2\nlayers = [3]\nday = 2024-01-02\n",
        ),
        ("c.json", r#"{"train": {"depth": 3}, "name": "x"}"#),
    ];
    let set = [
        ("train.lr", "1e-3"),
        ("new.key", "{a: [1, x]}"),
        ("seed", "null"),
        ("name", "a: b # c"),
    ];
    let json = values(&files, &set).map(|v| v.to_json());
    let expected = r#"{"train":{"lr":0.001,"layers":[3],"day":"2024-01-02","depth":3},"seed":null,"name":"a: b # c","new":{"key":{"a":[1,"x"]}}}"#;
    assert_eq!(json.as_deref(), Ok(expected));
}

#[test]
fn bad_files_and_values_have_places() {
    for (file, text, place) in [
        ("p.json", "{\"a\": 1,\n \"a\": 2}", "p.json:2:4"),
        ("p.json", "{\"a\": }", "p.json:1:7"),
        ("p.toml", "a = 1\nb = \n", "p.toml:2:"),
        ("p.txt", "a", "p.txt:1:1"),
        ("p.yml", "é: [é, 017]\n", "p.yml:1:8-3"),
    ] {
        let error = values(&[(file, text)], &[]).expect_err(text);
        assert!(error.starts_with(place), "{error}");
    }
    for (key, value) in [
        ("a..b", "1"),
        ("", "1"),
        ("a", "017"),
        ("a", "[1"),
        ("a", "[1] x"),
    ] {
        let error = values(&[], &[(key, value)]).expect_err(value);
        assert!(error.starts_with("-p:1:"), "{key}={value}: {error}");
    }
}

#[test]
fn values_as_text() {
    let json = |t: &str| Value::from_text(t).map(|v| v.to_json()).map_err(|d| d.code);
    assert_eq!(json("1.0").as_deref(), Ok("1.0"));
    assert_eq!(json("0.1").as_deref(), Ok("0.1"));
    assert_eq!(json("1e22").as_deref(), Ok("1e22"));
    assert_eq!(json("-0.0").as_deref(), Ok("-0.0"));
    assert_eq!(json("\"a\\u0001\"").as_deref(), Ok(r#""a\u0001""#));
    assert_eq!(json("").as_deref(), Ok("null"));
    assert_eq!(json("017"), Err("yaml-ambiguous"));
    let value = Value::from_text("{b: 1, a: {d: [x, {z: 1, y: 2}], c: 2}}").expect("a value");
    assert_eq!(
        value.canonical().to_json(),
        r#"{"a":{"c":2,"d":["x",{"y":2,"z":1}]},"b":1}"#
    );
    assert_eq!(value.get("a.d.1.y"), Some(&Value::Int(2)));
    assert_eq!(value.get("a.e"), None);
    assert_eq!(value.words(), None);
}
