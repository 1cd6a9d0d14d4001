//! Python pickles: the first operation that differs, and the text before it, which is often its key.
//! Source: Python's pickletools (protocols 0 to 5). Nothing is executed.

use std::io;

use super::{Bytes, Difference, malformed, whole};

/// How long the argument of an operation is.
enum Argument {
    None,
    /// So many bytes.
    Fixed(usize),
    /// A length of so many bytes, little-endian, then so much.
    Counted(usize),
    /// So many lines.
    Lines(usize),
}

struct Operation<'a> {
    code: u8,
    argument: &'a [u8],
    at: usize,
}

const PROTOCOL: u8 = 0x80;
/// The length of what follows, for readers: it differs where anything after it does.
const FRAME: u8 = 0x95;

/// Whether a file may be a pickle of protocol 2 or later.
pub fn begins(head: &[u8]) -> bool {
    matches!(head, [PROTOCOL, 2..=5, ..])
}

/// Nothing where all operations are equal.
pub fn compare(old: &mut dyn Bytes, new: &mut dyn Bytes) -> io::Result<Option<Difference>> {
    let (Some(a), Some(b)) = (whole(old)?, whole(new)?) else {
        return Ok(None);
    };
    let (mut x, mut y) = (0, 0);
    let mut key: Option<String> = None;
    let mut number = 0;
    loop {
        let (one, another) = (next(&a, &mut x)?, next(&b, &mut y)?);
        let (one, another) = match (one, another) {
            (None, None) => return Ok(None),
            (Some(one), Some(another)) => (one, another),
            _ => return Err(malformed()),
        };
        if (one.code, one.argument) != (another.code, another.argument) {
            let place = match key {
                _ if one.code == PROTOCOL => "the protocol".to_owned(),
                Some(key) => format!("operation {number}, after {key:?}"),
                None => format!("operation {number}"),
            };
            let difference = Difference::new("pickle", place).at(one.at as u64);
            return Ok(Some(difference.values(one.said(), another.said())));
        }
        key = one.text().or(key);
        number += 1;
    }
}

/// The operation at a place, frames left out.
fn next<'a>(bytes: &'a [u8], at: &mut usize) -> io::Result<Option<Operation<'a>>> {
    loop {
        let Some(&code) = bytes.get(*at) else {
            return Ok(None);
        };
        let begin = *at + 1;
        let (from, length) = match argument(code) {
            Argument::None => (begin, 0),
            Argument::Fixed(length) => (begin, length),
            Argument::Lines(lines) => (begin, through(bytes, begin, lines)?),
            Argument::Counted(width) => {
                let count = bytes.get(begin..begin + width).ok_or_else(malformed)?;
                let mut wide = [0; 8];
                wide[..width].copy_from_slice(count);
                let length = usize::try_from(u64::from_le_bytes(wide)).map_err(|_| malformed())?;
                (begin + width, length)
            }
        };
        let end = from.checked_add(length).ok_or_else(malformed)?;
        let argument = bytes.get(from..end).ok_or_else(malformed)?;
        let operation = Operation {
            code,
            argument,
            at: *at,
        };
        *at = end;
        if code != FRAME {
            return Ok(Some(operation));
        }
    }
}

/// Bytes up to the end of so many lines.
fn through(bytes: &[u8], from: usize, lines: usize) -> io::Result<usize> {
    let rest = bytes.get(from..).ok_or_else(malformed)?;
    let mut ends = rest.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
    ends.nth(lines - 1)
        .map(|(at, _)| at + 1)
        .ok_or_else(malformed)
}

fn argument(code: u8) -> Argument {
    match code {
        b'K' | b'q' | b'h' | PROTOCOL | 0x82 => Argument::Fixed(1),
        b'M' | 0x83 => Argument::Fixed(2),
        b'J' | b'r' | b'j' | 0x84 => Argument::Fixed(4),
        b'G' | FRAME => Argument::Fixed(8),
        b'U' | b'C' | 0x8a | 0x8c => Argument::Counted(1),
        b'T' | b'B' | b'X' | 0x8b => Argument::Counted(4),
        0x8d | 0x8e | 0x96 => Argument::Counted(8),
        b'I' | b'L' | b'F' | b'S' | b'V' | b'P' | b'p' | b'g' => Argument::Lines(1),
        b'i' | b'c' => Argument::Lines(2),
        _ => Argument::None,
    }
}

impl Operation<'_> {
    fn text(&self) -> Option<String> {
        let is_text = matches!(self.code, b'X' | 0x8c | 0x8d);
        is_text.then(|| String::from_utf8_lossy(self.argument).into_owned())
    }

    /// Its value for people, else what it does.
    fn said(&self) -> String {
        let little = |bytes: &[u8]| {
            let mut wide = [0; 8];
            wide[..bytes.len()].copy_from_slice(bytes);
            u64::from_le_bytes(wide)
        };
        match (self.code, self.argument) {
            (PROTOCOL, [version]) => version.to_string(),
            (b'K' | b'M', bytes) => little(bytes).to_string(),
            (b'J', &[a, b, c, d]) => i32::from_le_bytes([a, b, c, d]).to_string(),
            (b'G', bytes) => bytes.try_into().map_or_else(
                |_| super::hex(bytes),
                |bytes| f64::from_be_bytes(bytes).to_string(),
            ),
            (b'N', _) => "None".into(),
            (0x88, _) => "True".into(),
            (0x89, _) => "False".into(),
            (b'B' | b'C' | 0x8e | 0x96, bytes) => format!("{} bytes", bytes.len()),
            (b'.', _) => "the end".into(),
            (0x8a | 0x8b, bytes) => format!("integer {}", super::hex(bytes)),
            (code, bytes) => match self.text() {
                Some(text) => format!("{text:?}"),
                None if bytes.is_empty() => format!("opcode {code:#04x}"),
                None => format!("opcode {code:#04x} {}", super::hex(bytes)),
            },
        }
    }
}
