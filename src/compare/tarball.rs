//! tar archives: the member that differs and where in it, else what its header says otherwise. Source: POSIX.1 pax.

use std::io::{self, Read};

use tar::{Archive, Entry};

use super::{Bytes, Difference, WHOLE, first_of, members};

/// Contents come before headers: a time stamp matters less than a value.
pub fn compare(
    old: &mut dyn Bytes,
    new: &mut dyn Bytes,
    depth: usize,
) -> io::Result<Option<Difference>> {
    old.rewind()?;
    new.rewind()?;
    let (mut old, mut new) = (Archive::new(old), Archive::new(new));
    let (mut old, mut new) = (old.entries()?, new.entries()?);
    let mut header = None;
    loop {
        let (a, b) = (old.next().transpose()?, new.next().transpose()?);
        let (mut a, mut b) = match (a, b) {
            (None, None) => return Ok(header),
            (Some(a), None) => return Ok(Some(only("this member is gone", &a))),
            (None, Some(b)) => return Ok(Some(only("this member is new", &b))),
            (Some(a), Some(b)) => (a, b),
        };
        let name = name(&a);
        if name != self::name(&b) {
            let other = Difference::new("tar", "another member follows");
            return Ok(Some(other.values(name, self::name(&b))));
        }
        if let Some(difference) = content(&mut a, &mut b, depth)? {
            return Ok(Some(difference.inside(name)));
        }
        if header.is_none() {
            header = about(&a, &b).map(|difference| difference.inside(name));
        }
    }
}

fn only<R: Read>(what: &str, entry: &Entry<'_, R>) -> Difference {
    Difference::new("tar", what).inside(name(entry))
}

fn name<R: Read>(entry: &Entry<'_, R>) -> String {
    String::from_utf8_lossy(&entry.path_bytes()).into_owned()
}

fn content<R: Read, S: Read>(
    old: &mut Entry<'_, R>,
    new: &mut Entry<'_, S>,
    depth: usize,
) -> io::Result<Option<Difference>> {
    if old.size().max(new.size()) <= WHOLE {
        let (mut a, mut b) = (Vec::new(), Vec::new());
        old.read_to_end(&mut a)?;
        new.read_to_end(&mut b)?;
        return members(a, b, depth);
    }
    let at = first_of(old, new)?;
    Ok(at.map(|at| Difference::new("bytes", format!("byte {at}")).at(at)))
}

fn about<R: Read, S: Read>(old: &Entry<'_, R>, new: &Entry<'_, S>) -> Option<Difference> {
    let (a, b) = (fields(old), fields(new));
    let (old, new) = a.iter().zip(&b).find(|(a, b)| a != b)?;
    Some(Difference::new("tar", format!("header: {}", old.0)).values(&old.1, &new.1))
}

fn fields<R: Read>(entry: &Entry<'_, R>) -> [(&'static str, String); 8] {
    let header = entry.header();
    let number = |number: io::Result<u64>| number.map_or_else(|_| "?".into(), |n| n.to_string());
    let word = |name: Option<&[u8]>| String::from_utf8_lossy(name.unwrap_or_default()).into_owned();
    let mode = header.mode();
    [
        ("time", number(header.mtime())),
        (
            "mode",
            mode.map_or_else(|_| "?".into(), |mode| format!("{mode:o}")),
        ),
        ("owner", number(header.uid())),
        ("group", number(header.gid())),
        ("owner's name", word(header.username_bytes())),
        ("group's name", word(header.groupname_bytes())),
        ("link", word(entry.link_name_bytes().as_deref())),
        ("type", format!("{:?}", header.entry_type())),
    ]
}
