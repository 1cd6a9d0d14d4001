//! PNG pictures: the chunk that differs, pixels before what is only said about them.
//! Source: Portable Network Graphics (third edition), sections 5 and 11.

use std::io;

use super::{Bytes, Difference, malformed, whole};

/// The signature.
pub const MAGIC: &[u8] = b"\x89PNG\r\n\x1a\n";

struct Chunk<'a> {
    kind: &'a str,
    data: &'a [u8],
    at: u64,
}

impl Chunk<'_> {
    /// Whether the picture depends on it: its name begins with a capital.
    fn is_critical(&self) -> bool {
        self.kind.starts_with(|c: char| c.is_ascii_uppercase())
    }

    /// Its name, and for a text its keyword.
    fn name(&self) -> String {
        match self.kind {
            "tEXt" | "zTXt" | "iTXt" | "iCCP" => {
                format!("chunk {} ({})", self.kind, self.split().0)
            }
            "IDAT" => "chunk IDAT (the pixels, or how they are compressed)".into(),
            kind => format!("chunk {kind}"),
        }
    }

    fn split(&self) -> (String, String) {
        let mut parts = self.data.splitn(2, |&byte| byte == 0);
        let mut text = || String::from_utf8_lossy(parts.next().unwrap_or_default()).into_owned();
        (text(), text())
    }

    fn said(&self) -> Option<String> {
        let word = |bytes: &[u8]| u32::from_be_bytes(bytes.try_into().unwrap_or_default());
        match (self.kind, self.data) {
            ("tEXt", _) => Some(self.split().1),
            ("tIME", [a, b, month, day, hour, minute, second]) => {
                let year = u16::from_be_bytes([*a, *b]);
                Some(format!(
                    "{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}"
                ))
            }
            ("IHDR", data) if data.len() == 13 => Some(format!(
                "{}×{}, {} bits, colour type {}",
                word(&data[..4]),
                word(&data[4..8]),
                data[8],
                data[9]
            )),
            _ => None,
        }
    }
}

/// Nothing where all chunks are equal.
pub fn compare(old: &mut dyn Bytes, new: &mut dyn Bytes) -> io::Result<Option<Difference>> {
    let (Some(a), Some(b)) = (whole(old)?, whole(new)?) else {
        return Ok(None);
    };
    let (a, b) = (chunks(&a)?, chunks(&b)?);
    let of = |critical: bool| {
        let some = |list: &'_ [Chunk<'_>]| -> Vec<usize> {
            (0..list.len())
                .filter(|&at| list[at].is_critical() == critical)
                .collect()
        };
        let (one, another) = (some(&a), some(&b));
        let pairs = one.len().max(another.len());
        (0..pairs).find_map(|at| {
            let pick = |list: &[usize]| list.get(at).copied();
            let (x, y) = (pick(&one).map(|at| &a[at]), pick(&another).map(|at| &b[at]));
            differs(x, y)
        })
    };
    Ok(of(true).or_else(|| of(false)))
}

fn differs(old: Option<&Chunk<'_>>, new: Option<&Chunk<'_>>) -> Option<Difference> {
    match (old, new) {
        (Some(a), Some(b)) if a.kind == b.kind && a.data == b.data => None,
        (Some(a), Some(b)) if a.name() == b.name() => {
            let difference = Difference::new("png", a.name()).at(a.at);
            Some(match (a.said(), b.said()) {
                (Some(one), Some(another)) => difference.values(one, another),
                _ => difference,
            })
        }
        (Some(a), Some(b)) => Some(
            Difference::new("png", "another chunk follows")
                .at(a.at)
                .values(a.name(), b.name()),
        ),
        (Some(a), None) => Some(Difference::new("png", format!("{} is gone", a.name())).at(a.at)),
        (None, Some(b)) => Some(Difference::new("png", format!("{} is new", b.name())).at(b.at)),
        (None, None) => None,
    }
}

fn chunks(bytes: &[u8]) -> io::Result<Vec<Chunk<'_>>> {
    let mut found = Vec::new();
    let mut at = MAGIC.len();
    while at < bytes.len() {
        let head = bytes.get(at..at + 8).ok_or_else(malformed)?;
        let length = u32::from_be_bytes([head[0], head[1], head[2], head[3]]) as usize;
        let kind = std::str::from_utf8(&head[4..]).map_err(|_| malformed())?;
        let data = bytes.get(at + 8..at + 8 + length).ok_or_else(malformed)?;
        found.push(Chunk {
            kind,
            data,
            at: at as u64,
        });
        // Length, name and checksum are four bytes each.
        at += length + 12;
    }
    Ok(found)
}
