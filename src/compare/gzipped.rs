//! gzip: where the uncompressed bytes differ, else what the header says otherwise. Source: RFC 1952.

use std::io::{self, Read};

use flate2::read::MultiGzDecoder;

use super::{Bytes, Difference, WHOLE, first_of, head, members};

/// What is compressed, as a member.
const INNER: &str = "uncompressed";

/// The bytes first: a time stamp matters less than a value.
pub fn compare(
    old: &mut dyn Bytes,
    new: &mut dyn Bytes,
    depth: usize,
) -> io::Result<Option<Difference>> {
    if let (Some(a), Some(b)) = (uncompressed(old)?, uncompressed(new)?) {
        if let Some(inner) = members(a, b, depth)? {
            return Ok(Some(inner.inside(INNER)));
        }
    } else {
        old.rewind()?;
        new.rewind()?;
        let (mut a, mut b) = (
            MultiGzDecoder::new(&mut *old),
            MultiGzDecoder::new(&mut *new),
        );
        if let Some(at) = first_of(&mut a, &mut b)? {
            let inner = Difference::new("bytes", format!("byte {at}")).at(at);
            return Ok(Some(inner.inside(INNER)));
        }
    }
    Ok(Some(header(&head(old)?, &head(new)?)))
}

fn uncompressed(from: &mut dyn Bytes) -> io::Result<Option<Vec<u8>>> {
    from.rewind()?;
    let mut bytes = Vec::new();
    MultiGzDecoder::new(from)
        .take(WHOLE + 1)
        .read_to_end(&mut bytes)?;
    Ok((bytes.len() as u64 <= WHOLE).then_some(bytes))
}

fn header(old: &[u8], new: &[u8]) -> Difference {
    let time = |head: &[u8]| {
        let bytes = head.get(4..8).and_then(|bytes| bytes.try_into().ok());
        u32::from_le_bytes(bytes.unwrap_or_default())
    };
    if time(old) != time(new) {
        return Difference::new("gzip", "header: time")
            .at(4)
            .values(time(old).to_string(), time(new).to_string());
    }
    if name(old) != name(new) {
        return Difference::new("gzip", "header: file name").values(name(old), name(new));
    }
    Difference::new(
        "gzip",
        "the same bytes compressed otherwise (level, or program)",
    )
}

/// The file's name in the header, without an extra field before it (flags: FEXTRA 4, FNAME 8).
fn name(head: &[u8]) -> String {
    let flags = head.get(3).copied().unwrap_or(0);
    if flags & 0b1100 != 0b1000 {
        return String::new();
    }
    let rest = head.get(10..).unwrap_or_default();
    let name = rest.split(|&byte| byte == 0).next().unwrap_or_default();
    String::from_utf8_lossy(name).into_owned()
}
