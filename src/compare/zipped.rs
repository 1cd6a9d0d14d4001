//! ZIP archives, and what is one in disguise (.npz, .xlsx, .whl): the member that differs and where in it, else the
//! header of a member. Source: PKWARE's APPNOTE 6.3.

use std::io::{self, Read};

use zip::ZipArchive;

use super::{Bytes, Difference, WHOLE, malformed, members};

/// What a header says of a member.
struct Member {
    name: String,
    crc: u32,
    size: u64,
    about: Vec<(&'static str, String)>,
}

/// Contents come before headers: a time stamp matters less than a value.
pub fn compare(
    old: &mut dyn Bytes,
    new: &mut dyn Bytes,
    depth: usize,
) -> io::Result<Option<Difference>> {
    let (mut old, mut new) = (open(old)?, open(new)?);
    let (a, b) = (list(&mut old)?, list(&mut new)?);
    let position = |list: &[Member], name: &str| list.iter().position(|member| member.name == name);
    for (at, member) in a.iter().enumerate() {
        let Some(other) = position(&b, &member.name) else {
            let lost = Difference::new("zip", "this member is gone");
            return Ok(Some(lost.inside(&member.name)));
        };
        if (member.crc, member.size) == (b[other].crc, b[other].size) {
            continue;
        }
        let (before, after) = (read(&mut old, at)?, read(&mut new, other)?);
        let inner = match (before, after) {
            (Some(before), Some(after)) => members(before, after, depth)?,
            _ => Some(
                Difference::new("zip", "its bytes, which are too many to look into").values(
                    format!("{} bytes", member.size),
                    format!("{} bytes", b[other].size),
                ),
            ),
        };
        return Ok(inner.map(|inner| inner.inside(&member.name)));
    }
    if let Some(added) = b.iter().find(|member| position(&a, &member.name).is_none()) {
        let added = Difference::new("zip", "this member is new").inside(&added.name);
        return Ok(Some(added));
    }
    Ok(headers(&a, &b))
}

fn headers(old: &[Member], new: &[Member]) -> Option<Difference> {
    for (member, other) in old.iter().zip(new) {
        if member.name != other.name {
            let order = Difference::new("zip", "the members are in another order");
            return Some(order.values(&member.name, &other.name));
        }
        let differs = member
            .about
            .iter()
            .zip(&other.about)
            .find(|(one, another)| one != another);
        if let Some(((what, one), (_, another))) = differs {
            let header = Difference::new("zip", format!("header: {what}"));
            return Some(header.values(one, another).inside(&member.name));
        }
    }
    None
}

type Archive<'a> = ZipArchive<&'a mut dyn Bytes>;

fn open(from: &mut dyn Bytes) -> io::Result<Archive<'_>> {
    from.rewind()?;
    ZipArchive::new(from).map_err(|_| malformed())
}

fn list(archive: &mut Archive<'_>) -> io::Result<Vec<Member>> {
    let each = (0..archive.len()).map(|at| {
        let member = archive.by_index_raw(at).map_err(|_| malformed())?;
        let time = member.last_modified();
        let mode = member.unix_mode();
        Ok(Member {
            name: member.name().map_err(|_| malformed())?.into_owned(),
            crc: member.crc32(),
            size: member.size(),
            about: vec![
                (
                    "time",
                    time.map_or_else(|| "none".into(), |time| time.to_string()),
                ),
                (
                    "mode",
                    mode.map_or_else(|| "none".into(), |mode| format!("{mode:o}")),
                ),
                ("compression", member.compression().to_string()),
                ("compressed size", member.compressed_size().to_string()),
                ("comment", member.comment().to_owned()),
                (
                    "extra field",
                    super::hex(&member.extra_data().unwrap_or_default()),
                ),
            ],
        })
    });
    each.collect()
}

fn read(archive: &mut Archive<'_>, at: usize) -> io::Result<Option<Vec<u8>>> {
    let member = archive.by_index(at).map_err(|_| malformed())?;
    if member.size() > WHOLE {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    // The header's word on the size is not to be trusted.
    member.take(WHOLE + 1).read_to_end(&mut bytes)?;
    Ok((bytes.len() as u64 <= WHOLE).then_some(bytes))
}
