//! Paths as written to project-relative ones, and what they may not name.

use crate::diagnostic::Diagnostic;
use crate::findings::Findings;
use crate::place::At;
use crate::raw::{Item, Table};

/// A path after cleaning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Clean {
    /// `/` between components, none at the end, no `.` and no empty components.
    pub text: String,
    /// Written with a trailing `/`.
    pub directory: bool,
}

/// `[pipeline] allow_outside`.
pub(crate) fn allow_outside(table: &Table) -> bool {
    table
        .sub("pipeline")
        .and_then(|p| p.get("allow_outside"))
        .and_then(Item::bool)
        .unwrap_or(false)
}

/// Whether a path is a pattern.
pub(crate) fn is_glob(path: &str) -> bool {
    path.contains(['*', '?', '[', '{'])
}

/// Cleans a path; says why it cannot be used.
pub(crate) fn clean(path: &str, at: At, outside: bool, findings: &mut Findings) -> Option<Clean> {
    let mut refuse = |code, message: String, help: Option<&str>| {
        findings.say(
            at,
            Diagnostic::error(code, message).maybe_help(help.map(Into::into)),
        );
        None
    };
    if path.is_empty() {
        return refuse("bad-path", "a path cannot be empty".into(), None);
    }
    if path.contains('\0') {
        return refuse("nul", "a path cannot contain a NUL character".into(), None);
    }
    let absolute = path.starts_with('/');
    if absolute && !outside {
        let help =
            "paths are relative to the project; [pipeline] allow_outside = true allows others";
        return refuse(
            "outside",
            format!("the path {path:?} is absolute"),
            Some(help),
        );
    }
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if !parts.is_empty() && parts.last() != Some(&"..") => drop(parts.pop()),
            ".." if absolute => {}
            ".." if !outside => {
                let help = "move the file into the project, or set [pipeline] allow_outside = true";
                return refuse(
                    "outside",
                    format!("the path {path:?} leaves the project"),
                    Some(help),
                );
            }
            part => parts.push(part),
        }
    }
    if parts.is_empty() {
        return refuse(
            "bad-path",
            format!("the path {path:?} names the whole project"),
            None,
        );
    }
    let text = format!("{}{}", if absolute { "/" } else { "" }, parts.join("/"));
    Some(Clean {
        text,
        directory: path.ends_with('/') || path.ends_with("/."),
    })
}

/// [`clean`] for what a node writes: not a pattern, not jalon's own files.
pub(crate) fn clean_written(
    path: &str,
    at: At,
    outside: bool,
    findings: &mut Findings,
) -> Option<Clean> {
    let clean = clean(path, at, outside, findings)?;
    let first = clean.text.split('/').next().unwrap_or("");
    let problem = if path.contains(['*', '?']) {
        Diagnostic::error(
            "bad-path",
            format!("{path:?} is a pattern, and a node writes one file or directory"),
        )
        .help("name a directory with a trailing /")
    } else if matches!(first, ".jalon" | ".git") {
        Diagnostic::error(
            "reserved-path",
            format!("nothing may be written into `{first}`"),
        )
    } else if clean.text == "jalon.toml" {
        Diagnostic::error(
            "reserved-path",
            "a node may not overwrite its own definition",
        )
    } else {
        return Some(clean);
    };
    findings.say(at, problem);
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cleaned(path: &str, outside: bool) -> Option<(String, bool)> {
        clean(path, At::default(), outside, &mut Findings::default()).map(|c| (c.text, c.directory))
    }

    #[test]
    fn paths_are_cleaned() {
        assert_eq!(cleaned("./a//b/./c", false), Some(("a/b/c".into(), false)));
        assert_eq!(cleaned("a/b/", false), Some(("a/b".into(), true)));
        assert_eq!(cleaned("a/../b", false), Some(("b".into(), false)));
        assert_eq!(cleaned("../b", true), Some(("../b".into(), false)));
        assert_eq!(cleaned("/b/../../c", true), Some(("/c".into(), false)));
        for bad in ["", ".", "a/..", "../b", "a/../../b", "/x"] {
            assert_eq!(cleaned(bad, false), None, "{bad}");
        }
    }
}
