//! What lies at a path, as far as the observer looks: stamps, real names, first lines, package directories.

use std::ffi::OsStr;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

use rustix::fs::{AtFlags, CWD, FileType, Stat, statat};

use crate::ways::Ways;
use crate::worker::observed::{Kind, Stamp, Uses};

/// Whether a path is named like a directory of packages itself.
pub fn is_packages(path: &[u8]) -> bool {
    path.ends_with(b"/site-packages") || path.ends_with(b"/dist-packages")
}

/// Where a package directory ends in a path that is one or lies below one.
pub fn packages_in(path: &[u8]) -> Option<usize> {
    // Part by part: this is asked of every path that an execution names.
    let mut start = 0;
    for part in path.split(|&byte| byte == b'/') {
        let end = start + part.len();
        if start > 0 && (part == b"site-packages" || part == b"dist-packages") {
            return Some(end);
        }
        start = end + 1;
    }
    None
}

/// Whether a directory is one of packages that installers keep: below the library of an interpreter or of a virtual
/// environment, not just called so.
pub fn is_environment(packages: &Path) -> bool {
    let Some(environment) = packages.ancestors().nth(3) else {
        return false;
    };
    let version = packages.parent().and_then(Path::file_name);
    version.is_some_and(|name| name.as_bytes().starts_with(b"python3"))
        && packages.is_dir()
        && (environment.join("pyvenv.cfg").is_file()
            || environment.join("bin").join("python3").exists()
            || environment.starts_with("/usr")
            || environment.ends_with(".local"))
}

/// The interpreter that a script's first line names.
pub fn shebang(path: &[u8]) -> Option<Vec<u8>> {
    use std::io::Read;
    let path = Path::new(OsStr::from_bytes(path));
    // To open a pipe would wait for whoever writes to it.
    if !path.metadata().ok()?.is_file() {
        return None;
    }
    let mut file = std::fs::File::open(path).ok()?;
    let mut start = [0u8; 256];
    let length = file.read(&mut start).ok()?;
    let line = start[..length].strip_prefix(b"#!")?;
    let line = line.split(|&byte| byte == b'\n').next()?.trim_ascii();
    let program = line.split(u8::is_ascii_whitespace).next()?;
    (program.first() == Some(&b'/')).then(|| program.to_vec())
}

/// The real name of a path, if it is another: for what looks at a link itself, of where the link lies. It may be a
/// `link`, or was just seen not to be one.
pub fn real(path: &[u8], uses: Uses, link: bool, ways: &mut Ways) -> Option<Vec<u8>> {
    let path = Path::new(OsStr::from_bytes(path));
    let itself = !link || uses.any(Uses::LINK.and(Uses::WRITING));
    let led = (!itself).then(|| ways.real(path)).flatten();
    let real = led.or_else(|| ways.beside(path));
    real.filter(|real| real != path)
        .map(|real| real.into_os_string().into_vec())
}

/// Nanoseconds since the epoch.
pub fn now() -> i128 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Realtime);
    i128::from(now.tv_sec) * 1_000_000_000 + i128::from(now.tv_nsec)
}

/// What lies at a path now. A link that leads nowhere is something too, of no kind.
pub fn stamp(path: &[u8]) -> Option<Stamp> {
    let path = Path::new(OsStr::from_bytes(path));
    let here = statat(CWD, path, AtFlags::SYMLINK_NOFOLLOW).ok()?;
    let link = FileType::from_raw_mode(here.st_mode) == FileType::Symlink;
    let found = link
        .then(|| statat(CWD, path, AtFlags::empty()).ok())
        .flatten();
    Some(read(&found.unwrap_or(here), link))
}

fn read(found: &Stat, link: bool) -> Stamp {
    let time = |seconds: i64, nanos: u64| i128::from(seconds) * 1_000_000_000 + i128::from(nanos);
    Stamp {
        kind: match FileType::from_raw_mode(found.st_mode) {
            FileType::RegularFile => Kind::File,
            FileType::Directory => Kind::Directory,
            _ => Kind::Other,
        },
        link,
        identity: (found.st_dev, found.st_ino),
        size: found.st_size as u64,
        mtime: time(found.st_mtime, found.st_mtime_nsec),
        ctime: time(found.st_ctime, found.st_ctime_nsec),
    }
}
