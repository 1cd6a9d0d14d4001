//! A source file's bytes as text, by its byte order mark or coding line (PEP 263).

use std::borrow::Cow;

/// The text, or why there is none.
pub(super) fn decode(bytes: &[u8]) -> Result<Cow<'_, str>, &'static str> {
    if u32::try_from(bytes.len()).is_err() {
        return Err("it is larger than 4 GiB");
    }
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    match coding(bytes) {
        None | Some("utf-8" | "utf8" | "utf_8" | "utf-8-sig" | "ascii" | "us-ascii") => {
            std::str::from_utf8(bytes)
                .map(Cow::Borrowed)
                .map_err(|_| "it is not UTF-8")
        }
        Some("latin-1" | "latin1" | "iso-8859-1" | "iso8859-1" | "l1") => {
            Ok(bytes.iter().map(|&byte| char::from(byte)).collect())
        }
        Some(_) => Err("its encoding is not supported"),
    }
}

/// What one of the first two lines declares, if it is short enough to be a known name.
fn coding(bytes: &[u8]) -> Option<&'static str> {
    const KNOWN: [&str; 11] = [
        "utf-8",
        "utf8",
        "utf_8",
        "utf-8-sig",
        "ascii",
        "us-ascii",
        "latin-1",
        "latin1",
        "iso-8859-1",
        "iso8859-1",
        "l1",
    ];
    for (index, line) in bytes.splitn(3, |&byte| byte == b'\n').take(2).enumerate() {
        let line: String = line.iter().map(|&byte| char::from(byte)).collect();
        let text = line.trim_start_matches([' ', '\t', '\x0c']);
        if !text.starts_with('#') {
            if index == 0 && text.trim().is_empty() {
                continue;
            }
            return None;
        }
        if let Some((_, rest)) = text.split_once("coding")
            && let Some(name) = rest.strip_prefix([':', '='])
        {
            let name: String = name
                .trim_start_matches([' ', '\t'])
                .chars()
                .take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
                .map(|c| {
                    if c == '_' {
                        '-'
                    } else {
                        c.to_ascii_lowercase()
                    }
                })
                .collect();
            if !name.is_empty() {
                return Some(
                    KNOWN
                        .iter()
                        .find(|it| **it == name)
                        .copied()
                        .unwrap_or("unknown"),
                );
            }
        }
    }
    None
}
