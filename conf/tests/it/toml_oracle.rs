//! What is accepted as TOML is what Python's tomllib accepts: compared where Python is there.

use std::io::Write as _;
use std::process::{Command, Stdio};

use crate::common::{files, read};

const TRICKY: &[&str] = &[
    "a = { b = 1, }",
    "a = { b = 1,\n c = 2 }",
    "a = {\n}",
    "a = \"\\e\"",
    "a = \"\\x41\"",
    "a = 07:32",
    "a = 07:32:00",
    "a = 1979-05-27T07:32",
    "a = 1979-05-27 07:32Z",
    "a = 1979-05-27 07:32:00Z",
    "a = [1,\n2,\n]",
    "a = [{ b = 1 },\n{ b = 2 }]",
    "a = { b = [1,\n2] }",
    "a = { b = \"\"\"x\ny\"\"\" }",
    "\"\\x41\" = 1",
    "a = '\\e'",
    "a = \"\\\\e\"",
    "a = \"\"\"\\e\"\"\"",
    "a = 1_000",
    "a = 01",
    "a = +1",
    "a = 0x1F",
    "a = 1.",
    "a = .5",
    "a = 1e3",
    "a = inf",
    "a = nan",
    "é = 1",
    "\"é\" = 1",
    "a.b = 1\na.c = 2",
    "a = 1\na.b = 2",
    "[a]\n[a]",
    "[a.b]\n[a]",
    "[[a]]\n[a]",
    "a = \"x\ny\"",
    "a = 'x",
    "a = { b = 1 # c\n }",
    "a = {b=[{c=1,}]}",
    "a = \"\\u00e9\"",
    "a = \"\\ud800\"",
    "a = \"\u{1}\"",
    "# \u{1}",
    "a = 1 b = 2",
    "= 1",
    "a =",
    "[a",
    "a = [1",
    "a = {b = 1",
    "\r\na = 1\r\n",
    "a = 1\r",
    "a = { b.c = 1, b.d = 2 }",
    "a = { b = 1, b = 2 }",
    "a = \"\"\"\"x\"\"\"\"",
    "a = '''\n'''",
    "a = \"\\ \"",
    "a = \"\"\"\\\n  x\"\"\"",
    "a = 1979-13-01",
    "a = 99999999999999999999",
    "a = true1",
    "a = truE",
    "\u{feff}a = 1",
];

const ORACLE: &str = "
import sys, json, tomllib
out = []
for text in json.load(sys.stdin):
    try:
        tomllib.loads(text.removeprefix('\\ufeff').replace('\\r\\n', '\\n'))
        out.append('1')
    except Exception:
        out.append('0')
print(''.join(out))
";

/// Whether the syntax was accepted, whatever the keys.
fn accepted(text: &str) -> bool {
    let codes = ["toml-syntax", "toml-1.1", "duplicate-key"];
    let whole = format!("{text}\n");
    !read("j", &whole, &[])
        .diagnostics
        .iter()
        .any(|d| codes.contains(&d.code))
}

#[test]
fn the_same_texts_are_toml() {
    let mut texts: Vec<String> = TRICKY.iter().map(|t| format!("{t}\n")).collect();
    texts.extend(
        files("good")
            .into_iter()
            .chain(files("bad"))
            .map(|(_, t)| t),
    );
    let python = Command::new("python3")
        .args(["-c", ORACLE])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let Ok(mut python) = python else {
        eprintln!("skipped: there is no python3 to compare with");
        return;
    };
    let json = serde_json::to_string(&texts).expect("JSON");
    python
        .stdin
        .take()
        .expect("piped")
        .write_all(json.as_bytes())
        .expect("written");
    let out = python.wait_with_output().expect("it ends");
    let verdicts = String::from_utf8_lossy(&out.stdout).trim().to_owned();
    if verdicts.len() != texts.len() {
        eprintln!("skipped: this python3 has no tomllib");
        return;
    }
    let mut wrong = String::new();
    for (text, verdict) in texts.iter().zip(verdicts.chars()) {
        if accepted(text.trim_end_matches('\n')) != (verdict == '1') {
            wrong += &format!("{text:?}: tomllib says {verdict}\n");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}
