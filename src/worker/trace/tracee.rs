//! A stopped process: what its arguments point to, and where its relative paths begin.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

/// A thread that is stopped in a system call.
#[derive(Debug, Clone, Copy)]
pub struct Tracee {
    /// Its number.
    pub thread: u32,
}

/// The directory that all of a tree's threads are in, for as long as none of them has gone to another: what is forked is
/// where its parent was.
#[derive(Debug, Default)]
pub struct Here {
    known: Option<Vec<u8>>,
    apart: bool,
}

impl Here {
    /// One goes elsewhere, or may take the directory to another place: from now on each is asked each time, for when it
    /// is there nobody tells.
    pub fn leave(&mut self) {
        *self = Here {
            known: None,
            apart: true,
        };
    }

    /// Whether a path leads there, or above.
    pub fn is_below(&self, path: &[u8]) -> bool {
        self.known
            .as_ref()
            .is_some_and(|known| known.starts_with(path))
    }

    fn of(&mut self, tracee: Tracee) -> io::Result<Vec<u8>> {
        if let Some(known) = &self.known {
            return Ok(known.clone());
        }
        let found = link(&format!("/proc/{}/cwd", tracee.thread))?;
        if !self.apart {
            self.known = Some(found.clone());
        }
        Ok(found)
    }
}

fn link(path: &str) -> io::Result<Vec<u8>> {
    Ok(std::fs::read_link(path)?.into_os_string().into_vec())
}

/// Longest path that the kernel takes (`PATH_MAX`).
const LONGEST: usize = 4096;
const PAGE: usize = 4096;

impl Tracee {
    /// The text at an address, up to its zero byte, into `to`.
    ///
    /// # Errors
    /// It is not there, or the memory may not be read.
    pub fn text(self, address: u64, to: &mut Vec<u8>) -> io::Result<()> {
        to.clear();
        let mut at = address as usize;
        while to.len() < LONGEST {
            // Never over the end of a page in one go: the next one need not be there.
            let length = (PAGE - at % PAGE).min(LONGEST - to.len());
            let before = to.len();
            to.resize(before + length, 0);
            let got = self.read(at, &mut to[before..])?;
            to.truncate(before + got);
            if let Some(end) = to[before..].iter().position(|&byte| byte == 0) {
                to.truncate(before + end);
                return Ok(());
            }
            if got == 0 {
                break;
            }
            at += got;
        }
        Err(io::ErrorKind::InvalidData.into())
    }

    /// Eight bytes at an address.
    ///
    /// # Errors
    /// As [`Tracee::text`].
    pub fn word(self, address: u64) -> io::Result<u64> {
        let mut bytes = [0; 8];
        match self.read(address as usize, &mut bytes)? {
            8 => Ok(u64::from_ne_bytes(bytes)),
            _ => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }

    fn read(self, address: usize, to: &mut [u8]) -> io::Result<usize> {
        let local = libc::iovec {
            iov_base: to.as_mut_ptr().cast(),
            iov_len: to.len(),
        };
        let remote = libc::iovec {
            iov_base: address as *mut libc::c_void,
            iov_len: to.len(),
        };
        // SAFETY: the local vector is `to`; the remote one is only an address in the other process.
        let got = unsafe {
            libc::process_vm_readv(
                self.thread as i32,
                &raw const local,
                1,
                &raw const remote,
                1,
                0,
            )
        };
        usize::try_from(got).map_err(|_| io::Error::last_os_error())
    }

    /// Makes a path absolute, without `.`, `..` and empty parts: in place, from what the process named. Paths
    /// whose parents were asked for go to `walked`, since links on the way to them count.
    ///
    /// # Errors
    /// It is gone, or what it is relative to cannot be found out.
    pub fn absolute(
        self,
        directory: Option<i32>,
        here: &mut Here,
        path: &mut Vec<u8>,
        walked: &mut Vec<Vec<u8>>,
    ) -> io::Result<()> {
        if path.first() != Some(&b'/') {
            let mut whole = match directory {
                None | Some(libc::AT_FDCWD) => here.of(self)?,
                Some(fd) => link(&format!("/proc/{}/fd/{fd}", self.thread))?,
            };
            if whole.first() != Some(&b'/') {
                return Err(io::ErrorKind::NotFound.into());
            }
            whole.push(b'/');
            whole.extend_from_slice(path);
            *path = whole;
        }
        if let Some(whole) = self.through_proc(path)? {
            *path = whole;
        }
        if !is_normal(path) {
            *path = normal(path, walked);
        }
        Ok(())
    }

    /// A path that goes through a process's own directory or a descriptor means what lies behind it.
    fn through_proc(self, path: &[u8]) -> io::Result<Option<Vec<u8>>> {
        let own = [&b"/proc/self/"[..], b"/proc/thread-self/"]
            .into_iter()
            .find_map(|start| path.strip_prefix(start));
        let (kind, rest) = match own.or_else(|| {
            path.strip_prefix(b"/dev/")
                .filter(|rest| rest.starts_with(b"fd/"))
        }) {
            Some(rest) if rest.starts_with(b"cwd/") => ("cwd".to_owned(), &rest[4..]),
            Some(rest) if rest.starts_with(b"root/") => {
                return Ok(Some([b"/", &rest[5..]].concat()));
            }
            Some(rest) if rest.starts_with(b"fd/") => {
                let end = rest[3..]
                    .iter()
                    .position(|&byte| byte == b'/')
                    .map_or(rest.len(), |at| at + 3);
                let kind = String::from_utf8_lossy(&rest[..end]).into_owned();
                (kind, rest.get(end + 1..).unwrap_or_default())
            }
            _ => return Ok(None),
        };
        let base = std::fs::read_link(format!("/proc/{}/{kind}", self.thread))?;
        // What is no file (a pipe, a socket) has no path.
        let base = base.as_os_str().as_bytes();
        Ok((base.first() == Some(&b'/')).then(|| match rest {
            [] => base.to_vec(),
            rest => [base, b"/", rest].concat(),
        }))
    }
}

/// Whether an error is of the call itself: addresses and descriptors that the kernel will refuse too, or a process that
/// was just killed.
pub fn is_theirs(error: &io::Error) -> bool {
    let theirs = [
        libc::EFAULT,
        libc::ESRCH,
        libc::ENOENT,
        libc::EBADF,
        libc::ENAMETOOLONG,
        libc::EIO,
    ];
    error.kind() == io::ErrorKind::InvalidData
        || error
            .raw_os_error()
            .is_some_and(|number| theirs.contains(&number))
}

/// Whether an absolute path has no part that says nothing.
fn is_normal(path: &[u8]) -> bool {
    let mut parts = path[1..].split(|&byte| byte == b'/');
    path.len() == 1 || !parts.any(|part| matches!(part, b"" | b"." | b".."))
}

/// Where `..` follows a link it means the parent of what the link leads to, so the way there is walked.
fn normal(path: &[u8], walked: &mut Vec<Vec<u8>>) -> Vec<u8> {
    let mut whole: Vec<u8> = Vec::with_capacity(path.len());
    for part in path.split(|&byte| byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." => {
                walked.push(whole.clone());
                if let Ok(real) = std::fs::canonicalize(Path::new(OsStr::from_bytes(&whole))) {
                    whole = real.into_os_string().into_vec();
                }
                let parent = whole.iter().rposition(|&byte| byte == b'/').unwrap_or(0);
                whole.truncate(parent);
            }
            part => {
                whole.push(b'/');
                whole.extend_from_slice(part);
            }
        }
    }
    if whole.is_empty() {
        whole.push(b'/');
    }
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_all_are_is_asked_until_one_leaves() {
        let own = Tracee {
            thread: std::process::id(),
        };
        let place = std::env::current_dir().unwrap().into_os_string().into_vec();
        let mut here = Here::default();
        assert!(!here.is_below(&place));
        assert_eq!(here.of(own).unwrap(), place);
        // From now on that is known, whoever asks.
        let nobody = Tracee { thread: u32::MAX };
        assert_eq!(here.of(nobody).unwrap(), place);
        assert!(here.is_below(&place));
        here.leave();
        assert!(here.of(nobody).is_err());
        assert_eq!(here.of(own).unwrap(), place);
        assert!(!here.is_below(&place), "one may be elsewhere");
    }

    #[test]
    fn paths_lose_what_says_nothing() {
        for (path, expected) in [
            ("/", "/"),
            ("/a//b", "/a/b"),
            ("/a/./b/", "/a/b"),
            ("/nowhere/../b", "/b"),
            ("/../..", "/"),
            ("/a/...", "/a/..."),
        ] {
            assert_eq!(
                normal(path.as_bytes(), &mut Vec::new()),
                expected.as_bytes(),
                "{path}"
            );
            assert_eq!(is_normal(path.as_bytes()), path == expected, "{path}");
        }
    }

    #[test]
    fn two_dots_behind_a_link_are_the_parent_of_where_it_leads() {
        let place = tempfile::tempdir().unwrap();
        let root = place.path().canonicalize().unwrap();
        std::fs::create_dir_all(root.join("deep/er")).unwrap();
        std::os::unix::fs::symlink("deep/er", root.join("link")).unwrap();
        let path = root.join("link/../x").into_os_string().into_vec();
        assert_eq!(
            normal(&path, &mut Vec::new()),
            root.join("deep/x").into_os_string().into_vec()
        );
    }
}
