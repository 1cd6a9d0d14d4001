//! Parquet: row-group bytes, else what the footer says: who wrote it, its key-value metadata.
//!
//! Sources: Apache Parquet's format (FileMetaData) and Thrift's compact protocol. Pages are not decoded.

use std::collections::BTreeMap;
use std::io::{self, Cursor};

use super::{Bytes, Difference, first_of, length, malformed, part};

/// The first and last bytes of a file.
pub const MAGIC: &[u8] = b"PAR1";

/// Structures in structures that are read.
const DEEP: usize = 32;

/// What is taken from a footer.
#[derive(Default)]
struct Footer {
    created_by: String,
    metadata: BTreeMap<String, String>,
    /// Where the footer begins: all before it are row groups and indexes.
    begins: u64,
}

/// Data comes before what is said about it.
pub fn compare(old: &mut dyn Bytes, new: &mut dyn Bytes) -> io::Result<Option<Difference>> {
    let (a, b) = (footer(old)?, footer(new)?);
    old.rewind()?;
    new.rewind()?;
    let (mut x, mut y) = (
        io::Read::take(&mut *old, a.begins),
        io::Read::take(&mut *new, b.begins),
    );
    if let Some(at) = first_of(&mut x, &mut y)? {
        let by = if a.created_by == b.created_by {
            String::new()
        } else {
            format!(", written by {} → {}", a.created_by, b.created_by)
        };
        return Ok(Some(
            Difference::new("parquet", format!("row-group bytes{by}")).at(at),
        ));
    }
    if a.created_by != b.created_by {
        let place = Difference::new("parquet", "footer: created_by");
        return Ok(Some(place.values(a.created_by, b.created_by)));
    }
    let keys = a.metadata.keys().chain(b.metadata.keys());
    for key in keys {
        let (one, another) = (a.metadata.get(key), b.metadata.get(key));
        if one != another {
            let said = |value: Option<&String>| value.cloned().unwrap_or_else(|| "nothing".into());
            let place = Difference::new("parquet", format!("footer: metadata {key:?}"));
            return Ok(Some(place.values(said(one), said(another))));
        }
    }
    Ok(Some(Difference::new(
        "parquet",
        "footer: statistics or schema",
    )))
}

fn footer(of: &mut dyn Bytes) -> io::Result<Footer> {
    let length = length(of)?;
    let end = part(of, length.saturating_sub(8), 8)?;
    let [a, b, c, d, b'P', b'A', b'R', b'1'] = end[..] else {
        return Err(malformed());
    };
    let size = u32::from_le_bytes([a, b, c, d]);
    let begins = (length - 8)
        .checked_sub(u64::from(size))
        .filter(|_| u64::from(size) <= super::WHOLE)
        .ok_or_else(malformed)?;
    let bytes = part(of, begins, size as usize)?;
    let mut footer = Footer {
        begins,
        ..Footer::default()
    };
    let mut thrift = Thrift(Cursor::new(&bytes));
    let mut field = 0;
    while let Some(kind) = thrift.field(&mut field)? {
        match (field, kind) {
            (5, Thrift::LIST) => footer.metadata = pairs(&mut thrift)?,
            (6, Thrift::TEXT) => footer.created_by = thrift.text()?,
            _ => thrift.skip(kind, 0)?,
        }
    }
    Ok(footer)
}

/// A list of `KeyValue`.
fn pairs(thrift: &mut Thrift<'_>) -> io::Result<BTreeMap<String, String>> {
    let mut pairs = BTreeMap::new();
    let (count, _) = thrift.list()?;
    for _ in 0..count {
        let (mut key, mut value) = (String::new(), String::new());
        let mut field = 0;
        while let Some(kind) = thrift.field(&mut field)? {
            match (field, kind) {
                (1, Thrift::TEXT) => key = thrift.text()?,
                (2, Thrift::TEXT) => value = thrift.text()?,
                _ => thrift.skip(kind, 0)?,
            }
        }
        pairs.insert(key, value);
    }
    Ok(pairs)
}

/// A reader of Thrift's compact protocol.
struct Thrift<'a>(Cursor<&'a Vec<u8>>);

impl Thrift<'_> {
    const TEXT: u8 = 8;
    const LIST: u8 = 9;

    fn byte(&mut self) -> io::Result<u8> {
        let mut byte = [0];
        io::Read::read_exact(&mut self.0, &mut byte)?;
        Ok(byte[0])
    }

    fn number(&mut self) -> io::Result<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(malformed())
    }

    /// The type of a structure's next field, whose number is told; nothing at its end.
    fn field(&mut self, number: &mut i64) -> io::Result<Option<u8>> {
        let head = self.byte()?;
        if head == 0 {
            return Ok(None);
        }
        *number = match i64::from(head >> 4) {
            0 => {
                let zigzag = self.number()?;
                (zigzag >> 1) as i64 ^ -((zigzag & 1) as i64)
            }
            more => number.saturating_add(more),
        };
        Ok(Some(head & 0x0f))
    }

    /// Length and type of a list's elements.
    fn list(&mut self) -> io::Result<(u64, u8)> {
        let head = self.byte()?;
        let count = match head >> 4 {
            15 => self.number()?,
            few => u64::from(few),
        };
        Ok((count, head & 0x0f))
    }

    fn text(&mut self) -> io::Result<String> {
        let length = self.number()?;
        let mut bytes = Vec::new();
        let mut from = io::Read::take(&mut self.0, length);
        io::Read::read_to_end(&mut from, &mut bytes)?;
        if bytes.len() as u64 != length {
            return Err(malformed());
        }
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    fn skip(&mut self, kind: u8, depth: usize) -> io::Result<()> {
        if depth > DEEP {
            return Err(malformed());
        }
        match kind {
            // True and false are the type itself.
            1 | 2 => Ok(()),
            3 => self.byte().map(drop),
            4..=6 => self.number().map(drop),
            7 => (0..8).try_for_each(|_| self.byte().map(drop)),
            Self::TEXT => self.text().map(drop),
            Self::LIST | 10 => {
                let (count, kind) = self.list()?;
                // In a list, a truth is a byte.
                let kind = if kind <= 2 { 3 } else { kind };
                (0..count).try_for_each(|_| self.skip(kind, depth + 1))
            }
            11 => {
                let count = self.number()?;
                let kinds = if count == 0 { 0 } else { self.byte()? };
                (0..count).try_for_each(|_| {
                    self.skip(kinds >> 4, depth + 1)?;
                    self.skip(kinds & 0x0f, depth + 1)
                })
            }
            12 => {
                let mut number = 0;
                while let Some(kind) = self.field(&mut number)? {
                    self.skip(kind, depth + 1)?;
                }
                Ok(())
            }
            _ => Err(malformed()),
        }
    }
}
