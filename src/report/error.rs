//! Findings as the error object of the contract: `error` is the first of them, `errors` are all.
//!
//! Knows nothing of how they are drawn, nor of exit codes.

use jalon_conf::diagnostic::{Diagnostic, Location, Severity};
use serde_json::{Value, json};

/// The whole reply. Warnings stand beside the errors, not among them.
pub fn reply(findings: &[Diagnostic]) -> Value {
    let of = |severity| {
        findings
            .iter()
            .filter(move |finding| finding.severity == severity)
            .map(finding)
    };
    let errors: Vec<Value> = of(Severity::Error).collect();
    let warnings: Vec<Value> = of(Severity::Warning).collect();
    let mut reply = json!({"schema": 1, "error": errors.first(), "errors": errors});
    if !warnings.is_empty() {
        reply["warnings"] = warnings.into();
    }
    reply
}

/// One finding as scripts see it.
pub fn finding(finding: &Diagnostic) -> Value {
    let spans: Vec<Value> = finding
        .spans
        .iter()
        .map(|(place, label)| span(place, label))
        .collect();
    json!({"code": finding.code, "message": finding.message, "help": finding.help, "spans": spans})
}

fn span(place: &Location, label: &str) -> Value {
    let mut span = json!({"file": &*place.file, "line": place.line, "column": place.column, "length": place.width});
    if !label.is_empty() {
        span["label"] = label.into();
    }
    span
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_error_stands_alone_and_warnings_beside() {
        let place = Location {
            file: "jalon.toml".into(),
            offset: 10,
            length: 4,
            line: 2,
            column: 1,
            width: 4,
        };
        let findings = [
            Diagnostic::warning("unused", "the parameter x is not used"),
            Diagnostic::error("cycle", "a needs b, which needs a")
                .at(place.clone())
                .also(place, "b needs a here"),
            Diagnostic::error("no-match", "nothing is called `x`").help("did you mean `y`?"),
        ];
        let reply = reply(&findings);
        assert_eq!(reply["error"], reply["errors"][0]);
        assert_eq!(reply["errors"].as_array().map(Vec::len), Some(2));
        assert_eq!(reply["warnings"][0]["code"], "unused");
        assert_eq!(reply["error"]["spans"][1]["label"], "b needs a here");
        assert_eq!(
            reply["error"]["spans"][0],
            json!({"file": "jalon.toml", "line": 2, "column": 1, "length": 4})
        );
    }
}
