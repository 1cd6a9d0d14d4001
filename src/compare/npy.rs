//! NumPy arrays: what the header says otherwise, else the index of the first element that differs.
//! Source: NumPy enhancement proposal 1 (format versions 1.0 to 3.0).

use std::io;

use super::{Bytes, Difference, malformed, part};

/// The first bytes of a file.
pub const MAGIC: &[u8] = b"\x93NUMPY";

struct Header {
    text: String,
    /// Where the elements begin.
    data: u64,
}

/// `offset` is the first byte that differs.
pub fn compare(
    old: &mut dyn Bytes,
    new: &mut dyn Bytes,
    offset: u64,
) -> io::Result<Option<Difference>> {
    let (a, b) = (header(old)?, header(new)?);
    for key in ["descr", "shape", "fortran_order"] {
        let (one, another) = (entry(&a.text, key), entry(&b.text, key));
        if one != another {
            let place = Difference::new("npy", format!("header: {key}"));
            return Ok(Some(place.values(one, another)));
        }
    }
    if offset < a.data {
        return Ok(Some(Difference::new("npy", "header").at(offset)));
    }
    let descr = entry(&a.text, "descr");
    let Some((kind, size)) = element(descr) else {
        return Ok(None);
    };
    let at = (offset - a.data) / size;
    let begin = a.data + at * size;
    let (one, another) = (
        part(old, begin, size as usize)?,
        part(new, begin, size as usize)?,
    );
    let index = index(
        at,
        entry(&a.text, "shape"),
        entry(&a.text, "fortran_order") == "True",
    );
    let place = Difference::new("npy", format!("element {index}")).at(offset);
    let little = !descr.contains('>');
    let value = |bytes: &[u8]| said(kind, bytes, little).unwrap_or_else(|| super::hex(bytes));
    Ok(Some(place.values(value(&one), value(&another))))
}

fn header(of: &mut dyn Bytes) -> io::Result<Header> {
    let start = part(of, 0, 12)?;
    let wide = start.get(6).is_some_and(|&major| major >= 2);
    let (length, begin) = match (wide, start.as_slice()) {
        (false, [_, _, _, _, _, _, _, _, a, b, ..]) => {
            (u64::from(u16::from_le_bytes([*a, *b])), 10)
        }
        (true, [_, _, _, _, _, _, _, _, a, b, c, d]) => {
            (u64::from(u32::from_le_bytes([*a, *b, *c, *d])), 12)
        }
        _ => return Err(malformed()),
    };
    if length > 1 << 20 {
        return Err(malformed());
    }
    let text = part(of, begin, length as usize)?;
    Ok(Header {
        text: String::from_utf8_lossy(&text).into_owned(),
        data: begin + length,
    })
}

/// The value of a key in the header's dictionary, as written: up to the comma that ends it.
fn entry<'a>(text: &'a str, key: &str) -> &'a str {
    let Some((_, rest)) = text.split_once(&format!("'{key}':")) else {
        return "";
    };
    let mut depth = 0;
    for (at, c) in rest.char_indices() {
        match c {
            '(' | '[' => depth += 1,
            ')' | ']' => depth -= 1,
            ',' | '}' if depth == 0 => return rest[..at].trim(),
            _ => {}
        }
    }
    rest.trim()
}

/// Kind and bytes of one element: `'<f8'` is a float of 8; a record has none.
fn element(descr: &str) -> Option<(char, u64)> {
    let text = descr.strip_prefix('\'')?.strip_suffix('\'')?;
    let text = text.trim_start_matches(['<', '>', '|', '=']);
    let kind = text.chars().next()?;
    let digits: String = text[kind.len_utf8()..]
        .chars()
        .take_while(char::is_ascii_digit)
        .collect();
    let number: u64 = digits.parse().ok()?;
    let size = if kind == 'U' {
        number.checked_mul(4)?
    } else {
        number
    };
    (1..=1 << 20).contains(&size).then_some((kind, size))
}

/// The position of the nth element in an array of that shape.
fn index(mut at: u64, shape: &str, fortran: bool) -> String {
    let lengths = shape.trim_matches(['(', ')']).split(',');
    let mut lengths: Vec<u64> = lengths.filter_map(|one| one.trim().parse().ok()).collect();
    if !fortran {
        lengths.reverse();
    }
    let mut index: Vec<String> = Vec::with_capacity(lengths.len());
    for length in lengths.into_iter().filter(|&length| length > 0) {
        index.push((at % length).to_string());
        at /= length;
    }
    if !fortran {
        index.reverse();
    }
    format!("[{}]", index.join(", "))
}

fn said(kind: char, bytes: &[u8], little: bool) -> Option<String> {
    let mut bytes = bytes.to_vec();
    if !little {
        bytes.reverse();
    }
    Some(match (kind, bytes.as_slice()) {
        ('b', [one]) => (if *one == 0 { "False" } else { "True" }).to_owned(),
        ('f', &[a, b, c, d]) => f32::from_le_bytes([a, b, c, d]).to_string(),
        ('f', four) if four.len() == 8 => f64::from_le_bytes(four.try_into().ok()?).to_string(),
        ('i' | 'u' | 'm' | 'M', number) if number.len() <= 8 && !number.is_empty() => {
            let below = kind != 'u' && number[number.len() - 1] & 0x80 != 0;
            let mut wide = [if below { 0xff } else { 0 }; 8];
            wide[..number.len()].copy_from_slice(number);
            match kind {
                'u' => u64::from_le_bytes(wide).to_string(),
                _ => i64::from_le_bytes(wide).to_string(),
            }
        }
        _ => return None,
    })
}
