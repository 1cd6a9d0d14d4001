//! Texts: line and column of the first character that differs. A line that is a JSON value on its own (JSON Lines) is
//! told by its key.

use std::io;

use super::{Bytes, Difference, part};

/// Bytes of a line that are looked at on either side of the difference.
const NEAR: usize = 4 << 10;

/// Nothing where one of the two is no text there.
pub fn compare(
    old: &mut dyn Bytes,
    new: &mut dyn Bytes,
    offset: u64,
) -> io::Result<Option<Difference>> {
    let before = offset.saturating_sub(NEAR as u64);
    let (a, b) = (part(old, before, 2 * NEAR)?, part(new, before, 2 * NEAR)?);
    let at = (offset - before) as usize;
    let (Some(old_line), Some(new_line)) = (line(&a, at), line(&b, at)) else {
        return Ok(None);
    };
    let (number, start) = line_of(old, offset)?;
    let column = match offset - start {
        // Counted in characters where the line's beginning is at hand.
        far if far > NEAR as u64 => far + 1,
        near => 1 + characters(&a[at - near as usize..at]),
    };
    let place = format!("line {number}, column {column}");
    let difference = Difference::new("text", place).at(offset);
    if let (Ok(a), Ok(b)) = (
        serde_json::from_str::<serde_json::Value>(&old_line),
        serde_json::from_str::<serde_json::Value>(&new_line),
    ) && (a.is_object() || a.is_array())
        && let Some((key, old, new)) = super::json::first(&a, &b)
    {
        let place = format!("line {number}, {key}");
        return Ok(Some(
            Difference::new("json", place).at(offset).values(old, new),
        ));
    }
    Ok(Some(
        difference.values(quoted(&old_line), quoted(&new_line)),
    ))
}

fn quoted(line: &str) -> String {
    format!("{line:?}")
}

/// The line around a place, if the bytes around it are text.
fn line(bytes: &[u8], at: usize) -> Option<String> {
    let at = at.min(bytes.len());
    let begin = bytes[..at]
        .iter()
        .rposition(|&byte| byte == b'\n')
        .map_or(0, |at| at + 1);
    let end = bytes[at..]
        .iter()
        .position(|&byte| byte == b'\n')
        .map_or(bytes.len(), |more| at + more);
    if bytes.contains(&0) {
        return None;
    }
    // The window may cut a character at either end.
    let may_be_cut = begin == 0 || end == bytes.len();
    let mut out = String::new();
    for chunk in bytes[begin..end].utf8_chunks() {
        out.push_str(chunk.valid());
        let is_cut = may_be_cut && chunk.invalid().len() < 4;
        if !(chunk.invalid().is_empty() || is_cut) {
            return None;
        }
    }
    Some(out)
}

/// The line's number from 1, and the byte where it begins.
fn line_of(of: &mut dyn Bytes, offset: u64) -> io::Result<(u64, u64)> {
    let (mut number, mut start, mut at) = (1, 0, 0);
    while at < offset {
        let most = (offset - at).min(64 << 10) as usize;
        let bytes = part(of, at, most)?;
        if bytes.is_empty() {
            break;
        }
        for (more, _) in bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n') {
            number += 1;
            start = at + more as u64 + 1;
        }
        at += bytes.len() as u64;
    }
    Ok((number, start))
}

/// Characters that begin in these bytes: a difference may lie within one.
fn characters(bytes: &[u8]) -> u64 {
    let begins = bytes.iter().filter(|byte| **byte & 0xc0 != 0x80);
    begins.count() as u64
}
