//! Paths as dvc.yaml writes them: relative to a stage's directory, made relative to the project.
//!
//! Purely by their text; no disk is looked at.

/// `path` seen from `directory`, relative to the project: no `.`, no empty component, `..` only at the
/// beginning. Empty is the project itself.
pub(super) fn join(directory: &str, path: &str) -> String {
    let absolute = path.starts_with('/') || directory.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    let before = if path.starts_with('/') { "" } else { directory };
    for part in before.split('/').chain(path.split('/')) {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => drop(parts.pop()),
            ".." if absolute => {}
            part => parts.push(part),
        }
    }
    format!("{}{}", if absolute { "/" } else { "" }, parts.join("/"))
}

/// The directory that a path lies in; empty for the project.
pub(super) fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(parent, _)| parent)
}

/// What is left of `path` below `outer`; empty where they are the same.
pub(super) fn below<'p>(path: &'p str, outer: &str) -> Option<&'p str> {
    if outer.is_empty() {
        return (!path.starts_with('/') && !path.starts_with("..")).then_some(path);
    }
    let rest = path.strip_prefix(outer)?;
    if rest.is_empty() {
        return Some(rest);
    }
    rest.strip_prefix('/')
}

/// Whether it lies outside the project.
pub(super) fn is_outside(path: &str) -> bool {
    path.starts_with('/') || path == ".." || path.starts_with("../")
}

/// Its scheme, if it is an address rather than a path: `s3` of `s3://bucket/data`.
pub(super) fn scheme(path: &str) -> Option<&str> {
    let (scheme, _) = path.split_once("://")?;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
    (!scheme.is_empty() && scheme.chars().all(plain)).then_some(scheme)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_joined_and_cleaned() {
        for (directory, path, joined) in [
            ("", "a/b/", "a/b"),
            ("sub", "../data//x", "data/x"),
            ("sub", "../../x", "../x"),
            ("a/b", "./c", "a/b/c"),
            ("a", "/x/../y", "/y"),
            ("a", ".", "a"),
            ("", ".", ""),
        ] {
            assert_eq!(join(directory, path), joined, "{directory} {path}");
        }
    }

    #[test]
    fn below_goes_by_component() {
        assert_eq!(below("data/x", "data"), Some("x"));
        assert_eq!(below("data", "data"), Some(""));
        assert_eq!(below("data2", "data"), None);
        assert_eq!(below("a/b", ""), Some("a/b"));
        assert_eq!(below("../a", ""), None);
        assert_eq!(scheme("s3://b/k"), Some("s3"));
        assert_eq!(scheme("a/b"), None);
    }
}
