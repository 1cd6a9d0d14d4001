//! Every example of docs/LANGUAGE.md is read.
//!
//! A block tagged `toml` is a whole definition and valid, with `#|` lines as its parameters;
//! one tagged `toml,error` fails with the code that its first line names: `# error: CODE`.

use jalon_conf::Severity;

use crate::common::{inline_params, read, show};

fn blocks(text: &str) -> Vec<(String, usize, String)> {
    let mut out = Vec::new();
    let mut open: Option<(String, usize, String)> = None;
    for (number, line) in text.lines().enumerate() {
        match (&mut open, line.strip_prefix("```")) {
            (Some(_), Some("")) => out.extend(open.take()),
            (Some((_, _, body)), _) => *body += &format!("{line}\n"),
            (None, Some(tag)) => open = Some((tag.to_owned(), number + 1, String::new())),
            (None, None) => {}
        }
    }
    out
}

#[test]
fn examples_do_what_the_text_says() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/LANGUAGE.md");
    let text = std::fs::read_to_string(path).expect("docs/LANGUAGE.md");
    let mut count = 0;
    for (tag, line, body) in blocks(&text) {
        let lowered = read(
            "jalon.toml",
            &body,
            &[("params.yml", &inline_params(&body))],
        );
        let shown = show(&lowered.diagnostics);
        match tag.as_str() {
            "toml" => assert!(
                lowered.diagnostics.is_empty(),
                "docs/LANGUAGE.md:{line}\n{shown}"
            ),
            "toml,error" => {
                let code = body
                    .lines()
                    .next()
                    .and_then(|l| l.strip_prefix("# error: "))
                    .unwrap_or("");
                let said: Vec<&str> = lowered
                    .diagnostics
                    .iter()
                    .filter(|d| d.severity == Severity::Error)
                    .map(|d| d.code)
                    .collect();
                assert_eq!(said, [code], "docs/LANGUAGE.md:{line}\n{shown}");
            }
            _ => continue,
        }
        count += 1;
    }
    assert!(count >= 15, "only {count} examples");
}
