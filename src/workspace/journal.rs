//! Which outputs a node was writing, or were being laid out, when the run was killed.
//!
//! What lies there then is neither a result nor a hand edit: it may be removed without being kept. The
//! journal is one append-only file of lines `+ path` and `- path` (NUL-terminated); a torn last line is no
//! line. Losing it costs some space in the store, never a result.

use std::collections::HashSet;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::sync::Mutex;

/// The open journal.
#[derive(Debug)]
pub struct Journal {
    file: Mutex<Option<File>>,
    partial: Mutex<HashSet<Vec<u8>>>,
}

impl Journal {
    /// Reads what is there and goes on from it. Only the holder of the workspace's lock may.
    ///
    /// # Errors
    /// The file cannot be read or written.
    pub fn open(path: &Path) -> io::Result<Journal> {
        let bytes = match std::fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(error),
        };
        let mut partial = HashSet::new();
        let whole = bytes
            .iter()
            .rposition(|&byte| byte == 0)
            .map_or(0, |end| end + 1);
        for line in bytes[..whole].split(|&byte| byte == 0) {
            match line.split_first() {
                Some((b'+', path)) => partial.insert(path.to_vec()),
                Some((b'-', path)) => partial.remove(path),
                _ => false,
            };
        }
        let mut file = OpenOptions::new().create(true).append(true).open(path)?;
        if bytes.len() > 64 * 1024 || whole < bytes.len() {
            file.set_len(0)?;
            for path in &partial {
                file.write_all(&line(b'+', path))?;
            }
        }
        Ok(Journal {
            file: Mutex::new(Some(file)),
            partial: Mutex::new(partial),
        })
    }

    /// From now on what lies at this path is ours to remove. Whether it was not before.
    pub fn begin(&self, path: &[u8]) -> bool {
        let new = lock(&self.partial).insert(path.to_vec());
        if new {
            self.write(b'+', path);
        }
        new
    }

    /// What was begun and is not whole.
    pub fn partial(&self) -> Vec<Vec<u8>> {
        lock(&self.partial).iter().cloned().collect()
    }

    /// It is whole now.
    pub fn end(&self, path: &[u8]) {
        if lock(&self.partial).remove(path) {
            self.write(b'-', path);
        }
    }

    /// Whether what lies there was cut off.
    pub fn is_partial(&self, path: &[u8]) -> bool {
        lock(&self.partial).contains(path)
    }

    fn write(&self, sign: u8, path: &[u8]) {
        let mut file = lock(&self.file);
        // After a failed write the lines would not fit together any more.
        if file
            .as_mut()
            .is_some_and(|file| file.write_all(&line(sign, path)).is_err())
        {
            *file = None;
        }
    }
}

fn line(sign: u8, path: &[u8]) -> Vec<u8> {
    let mut line = Vec::with_capacity(path.len() + 2);
    line.push(sign);
    line.extend_from_slice(path);
    line.push(0);
    line
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_began_and_did_not_end_is_partial_after_a_crash() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("journal");
        let journal = Journal::open(&path).unwrap();
        journal.begin(b"a b\n");
        journal.begin(b"c");
        journal.end(b"c");
        drop(journal);
        let mut bytes = std::fs::read(&path).unwrap();
        bytes.extend_from_slice(b"-a b");
        std::fs::write(&path, bytes).unwrap();
        let journal = Journal::open(&path).unwrap();
        assert!(journal.is_partial(b"a b\n"));
        assert!(!journal.is_partial(b"c"));
        journal.end(b"a b\n");
        drop(journal);
        assert!(!Journal::open(&path).unwrap().is_partial(b"a b\n"));
    }
}
