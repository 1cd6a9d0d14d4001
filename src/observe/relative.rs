//! Project-relative paths as bytes.

/// A path without a closing slash.
pub fn trimmed(path: &[u8]) -> &[u8] {
    path.strip_suffix(b"/").unwrap_or(path)
}

/// The directories above a relative path, nearest first, without the root.
pub fn parents(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = path;
    std::iter::from_fn(move || {
        let end = rest.iter().rposition(|&byte| byte == b'/')?;
        rest = &rest[..end];
        Some(rest)
    })
}
