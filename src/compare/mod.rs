//! Where two files begin to differ, in the words of their format: a key of a JSON value, a member of an archive,
//! an element of an array, a line of a text, else a byte.
//!
//! Pure over two byte readers, and sparing with memory: what is larger than [`WHOLE`] is compared by bytes only. A
//! file that is not what it seems is compared as bytes, never refused. Knows nothing of stores, nodes or paths.

mod gzipped;
mod json;
mod npy;
mod parquet;
mod pickle;
mod png;
mod tarball;
mod text;
mod zipped;

use std::fmt;
use std::io::{self, Cursor, Read, Seek, SeekFrom};

/// The largest file or member, in bytes, that is read as a whole to be understood.
pub const WHOLE: u64 = 64 << 20;

/// Archives within archives that are opened.
const DEEP: usize = 4;

/// Characters of a value that are shown.
const SHOWN: usize = 60;

/// What is compared.
pub trait Bytes: Read + Seek {}

impl<T: Read + Seek> Bytes for T {}

/// The first place where two files differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The format whose words are used: `json`, `text`, `zip`, `tar`, `gzip`, `npy`, `png`, `pickle`, `parquet`, `bytes`.
    pub format: &'static str,
    /// The members on the way to it, from the outside in.
    pub within: Vec<String>,
    /// Where: `line 3, column 7`, `a.b[3].c`, `element [2, 0]`, `chunk tEXt (Software)`, `length`.
    pub place: String,
    /// The byte, counted from 0, in the file or the innermost member; none where it is no matter of one byte.
    pub offset: Option<u64>,
    /// What was there before, shortened, where it can be said.
    pub old: Option<String>,
    /// What is there now.
    pub new: Option<String>,
}

impl Difference {
    fn new(format: &'static str, place: impl Into<String>) -> Difference {
        Difference {
            format,
            within: Vec::new(),
            place: place.into(),
            offset: None,
            old: None,
            new: None,
        }
    }

    fn at(self, offset: u64) -> Difference {
        Difference {
            offset: Some(offset),
            ..self
        }
    }

    fn values(self, old: impl AsRef<str>, new: impl AsRef<str>) -> Difference {
        Difference {
            old: Some(shown(old.as_ref())),
            new: Some(shown(new.as_ref())),
            ..self
        }
    }

    /// The same, of a member.
    fn inside(mut self, member: impl Into<String>) -> Difference {
        self.within.insert(0, member.into());
        self
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for member in &self.within {
            write!(f, "{member} › ")?;
        }
        f.write_str(&self.place)?;
        if let (Some(old), Some(new)) = (&self.old, &self.new) {
            write!(f, ": {old} → {new}")?;
        }
        match self.offset {
            Some(offset) if self.format != "bytes" => write!(f, " (byte {offset})"),
            _ => Ok(()),
        }
    }
}

/// The first difference; none where all bytes are equal. Both are read from their beginning.
///
/// # Errors
/// A reader fails.
pub fn compare(old: &mut dyn Bytes, new: &mut dyn Bytes) -> io::Result<Option<Difference>> {
    within(old, new, 0)
}

/// As [`compare`], so many archives deep.
fn within(
    old: &mut dyn Bytes,
    new: &mut dyn Bytes,
    depth: usize,
) -> io::Result<Option<Difference>> {
    let Some(offset) = first(old, new)? else {
        return Ok(None);
    };
    let (a, b) = (head(old)?, head(new)?);
    let is = |test: fn(&[u8]) -> bool| test(&a) && test(&b);
    let deeper = depth < DEEP;
    let mut told = None;
    // What a reader of a format does not understand is damaged, or another format with the same beginning.
    if is(|head| head.starts_with(b"PK\x03\x04")) && deeper {
        told = zipped::compare(old, new, depth).ok().flatten();
    } else if is(|head| head.starts_with(b"\x1f\x8b")) && deeper {
        told = gzipped::compare(old, new, depth).ok().flatten();
    } else if is(|head| head.get(257..262) == Some(b"ustar")) && deeper {
        told = tarball::compare(old, new, depth).ok().flatten();
    } else if is(|head| head.starts_with(npy::MAGIC)) {
        told = npy::compare(old, new, offset).ok().flatten();
    } else if is(|head| head.starts_with(png::MAGIC)) {
        told = png::compare(old, new).ok().flatten();
    } else if is(|head| head.starts_with(parquet::MAGIC)) {
        told = parquet::compare(old, new).ok().flatten();
    } else if is(pickle::begins) {
        told = pickle::compare(old, new).ok().flatten();
    } else if is(json::begins) {
        told = json::compare(old, new).ok().flatten();
    }
    if told.is_none() {
        told = text::compare(old, new, offset)?;
    }
    match told {
        Some(difference) => Ok(Some(difference)),
        None => bytes(old, new, offset).map(Some),
    }
}

/// Members of an archive, read as a whole.
fn members(old: Vec<u8>, new: Vec<u8>, depth: usize) -> io::Result<Option<Difference>> {
    within(&mut Cursor::new(old), &mut Cursor::new(new), depth + 1)
}

/// The first byte that differs: also where one ends.
fn first(old: &mut dyn Bytes, new: &mut dyn Bytes) -> io::Result<Option<u64>> {
    old.rewind()?;
    new.rewind()?;
    first_of(old, new)
}

/// The same of what can be read only once.
fn first_of(old: &mut dyn Read, new: &mut dyn Read) -> io::Result<Option<u64>> {
    const AT_ONCE: usize = 64 << 10;
    let (mut a, mut b) = (vec![0; AT_ONCE], vec![0; AT_ONCE]);
    let mut before = 0;
    loop {
        let (n, m) = (fill(old, &mut a)?, fill(new, &mut b)?);
        let same = a[..n].iter().zip(&b[..m]).position(|(a, b)| a != b);
        match same {
            Some(at) => return Ok(Some(before + at as u64)),
            None if n != m => return Ok(Some(before + n.min(m) as u64)),
            None if n == 0 => return Ok(None),
            None => before += n as u64,
        }
    }
}

/// As many bytes as there are, up to the buffer's length.
fn fill(from: &mut dyn Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut got = 0;
    while got < buffer.len() {
        match from.read(&mut buffer[got..]) {
            Ok(0) => break,
            Ok(more) => got += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(got)
}

fn length(of: &mut dyn Bytes) -> io::Result<u64> {
    of.seek(SeekFrom::End(0))
}

/// So many bytes from there on, fewer at the end.
fn part(of: &mut dyn Bytes, from: u64, most: usize) -> io::Result<Vec<u8>> {
    of.seek(SeekFrom::Start(from))?;
    let mut bytes = vec![0; most];
    let got = fill(of, &mut bytes)?;
    bytes.truncate(got);
    Ok(bytes)
}

fn head(of: &mut dyn Bytes) -> io::Result<Vec<u8>> {
    part(of, 0, 512)
}

/// All bytes, unless they are too many.
fn whole(of: &mut dyn Bytes) -> io::Result<Option<Vec<u8>>> {
    let length = length(of)?;
    if length > WHOLE {
        return Ok(None);
    }
    let mut bytes = Vec::with_capacity(length as usize);
    of.rewind()?;
    of.read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}

/// A difference of which nothing else can be said.
fn bytes(old: &mut dyn Bytes, new: &mut dyn Bytes, offset: u64) -> io::Result<Difference> {
    let (a, b) = (part(old, offset, 8)?, part(new, offset, 8)?);
    if a.is_empty() || b.is_empty() {
        let (a, b) = (length(old)?, length(new)?);
        let longer = if a < b { "it goes on" } else { "it ends" };
        return Ok(
            Difference::new("bytes", format!("{longer} at byte {offset}"))
                .at(offset)
                .values(format!("{a} bytes"), format!("{b} bytes")),
        );
    }
    Ok(Difference::new("bytes", format!("byte {offset}"))
        .at(offset)
        .values(hex(&a), hex(&b)))
}

fn hex(bytes: &[u8]) -> String {
    let each: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    each.join(" ")
}

/// A value as it may stand in one line.
fn shown(text: &str) -> String {
    let mut out: String = text.chars().take(SHOWN).collect();
    if out.len() < text.len() {
        out.push('…');
    }
    out
}

/// What is said of bytes that are not as their format has them.
fn malformed() -> io::Error {
    io::ErrorKind::InvalidData.into()
}

#[cfg(test)]
mod tests;
