//! Installed files held against what their Python distribution says of them.
//!
//! Keys take a distribution's word for its files (its RECORD); this looks whether the word is true.
//! Sources: PEP 376 and 427 (RECORD: path, `sha256=` in unpadded URL-safe base 64, size).

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use jalon_store::action::{Access, PathEntry, Place};
use rayon::prelude::*;
use sha2::{Digest, Sha256};

use super::programs::Programs;
use super::python::{ALL, PTH, distributions, places};

/// A distribution as it is installed.
#[derive(Debug, Clone)]
pub struct Installed {
    /// The environment, as path sets name it: `python3`, `.venv/bin/python`, or a package directory.
    pub environment: String,
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// How many files were compared; none where there is no RECORD to compare with.
    pub files: Option<u64>,
    /// Files that are not as RECORD says.
    pub wrong: Vec<(PathBuf, Deviation)>,
}

/// How a file is not as RECORD says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deviation {
    /// It is not there.
    Missing,
    /// It has other bytes.
    Changed,
    /// It cannot be read.
    Unreadable,
}

impl Deviation {
    /// In a word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Changed => "changed",
            Self::Unreadable => "unreadable",
        }
    }
}

/// Environment and name of the distribution that an entry of a path set stands for; the name is `*` where the
/// list of all of them was read.
pub fn distribution(entry: &PathEntry) -> Option<(String, String)> {
    if entry.place != Place::Distribution || entry.access != Access::Content {
        return None;
    }
    let text = std::str::from_utf8(&entry.path).ok()?;
    let (environment, name) = text.split_once(':')?;
    let is_one = name != PTH && !name.starts_with('/');
    is_one.then(|| (environment.to_owned(), name.to_owned()))
}

/// Compares the files of a distribution, or with `*` of all in an environment; nothing where it is not installed.
pub fn verify(programs: &Programs<'_>, environment: &str, name: &str) -> Vec<Installed> {
    let sites = places(programs, environment);
    let all = sites.iter().flat_map(|site| {
        distributions(programs.cache(), site)
            .into_iter()
            .map(move |(name, version, metadata)| (site, name, version, metadata))
    });
    let meant: Vec<_> = all
        .filter(|(_, one, _, _)| name == ALL || one == name)
        .collect();
    let mut seen = Vec::new();
    for (site, name, version, metadata) in meant {
        // The first on the way is the one that is imported.
        if seen.iter().any(|one: &Installed| one.name == name) {
            continue;
        }
        let record = std::fs::read_to_string(metadata.join("RECORD")).ok();
        let listed: Option<Vec<_>> = record.map(|text| text.lines().filter_map(line).collect());
        let wrong = deviations(site, listed.as_deref().unwrap_or_default());
        seen.push(Installed {
            environment: environment.to_owned(),
            name,
            version,
            files: listed.map(|listed| listed.len() as u64),
            wrong,
        });
    }
    seen
}

/// A file with the digest that it should have.
type Listed = (String, String);

/// Path and digest; nothing for a file without one (RECORD itself, byte code), nor for another digest than SHA-256.
fn line(line: &str) -> Option<Listed> {
    let mut parts = line.trim_end().rsplitn(3, ',');
    let (_size, digest, path) = (parts.next()?, parts.next()?, parts.next()?);
    let digest = digest.strip_prefix("sha256=")?;
    let path = match path
        .strip_prefix('"')
        .and_then(|path| path.strip_suffix('"'))
    {
        Some(quoted) => quoted.replace("\"\"", "\""),
        None => path.to_owned(),
    };
    Some((path, digest.trim_end_matches('=').to_owned()))
}

fn deviations(site: &Path, listed: &[Listed]) -> Vec<(PathBuf, Deviation)> {
    let wrong = listed.par_iter().filter_map(|(path, wanted)| {
        let place = site.join(path);
        let deviation = match digest(&place) {
            Ok(found) if found == *wanted => return None,
            Ok(_) => Deviation::Changed,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Deviation::Missing,
            Err(_) => Deviation::Unreadable,
        };
        Some((place, deviation))
    });
    wrong.collect()
}

fn digest(path: &Path) -> io::Result<String> {
    let mut file = std::fs::File::open(path)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 64 << 10];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => break,
            Ok(more) => hasher.update(&buffer[..more]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(base64(&hasher.finalize()))
}

/// Base 64 with `-` and `_`, without `=` at the end (RFC 4648, section 5).
fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut out = String::new();
    for three in bytes.chunks(3) {
        let byte = |at: usize| u32::from(three.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for at in 0..=three.len() {
            let letter = bits >> (18 - 6 * at) & 63;
            out.push(char::from(LETTERS[letter as usize]));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_as_in_rfc_4648() {
        for (bytes, text) in [
            ("", ""),
            ("f", "Zg"),
            ("fo", "Zm8"),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg"),
        ] {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
        assert_eq!(base64(&[0xfb, 0xff]), "-_8");
    }

    #[test]
    fn lines_of_record() {
        let some = |path: &str, digest: &str| Some((path.to_owned(), digest.to_owned()));
        assert_eq!(line("a/b.py,sha256=abc,12"), some("a/b.py", "abc"));
        assert_eq!(
            line("\"a,\"\"b.py\",sha256=abc=,12\r"),
            some("a,\"b.py", "abc")
        );
        assert_eq!(line("a-1.dist-info/RECORD,,"), None);
        assert_eq!(line("a.py,md5=abc,1"), None);
    }
}
