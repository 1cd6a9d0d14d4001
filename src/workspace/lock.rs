//! One run at a time in one workspace. The lock is the kernel's, so a dead holder holds nothing.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::path::Path;

use rustix::fs::{FlockOperation, flock};

/// The held lock.
#[derive(Debug)]
pub struct Lock {
    file: File,
}

/// Why it is not held.
#[derive(Debug)]
pub enum Refused {
    /// Another process has it; what that wrote into it (process number and run id).
    Held(String),
    /// The file cannot be opened or locked.
    Io(io::Error),
}

impl Lock {
    /// Takes the lock if nobody has it.
    ///
    /// # Errors
    /// See [`Refused`].
    pub fn take(path: &Path, about: &str) -> Result<Lock, Refused> {
        let mut file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(path)
            .map_err(Refused::Io)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {
                // Only for the eyes of whoever waits: it holds without.
                let _ = file
                    .set_len(0)
                    .and_then(|()| file.rewind())
                    .and_then(|()| file.write_all(about.as_bytes()));
                Ok(Lock { file })
            }
            Err(rustix::io::Errno::WOULDBLOCK) => {
                let mut holder = String::new();
                let _ = file.read_to_string(&mut holder);
                Err(Refused::Held(holder))
            }
            Err(error) => Err(Refused::Io(error.into())),
        }
    }

    /// The file, for a helper that shares the lock.
    pub fn file(&self) -> &File {
        &self.file
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Said outright: a helper that still has the descriptor open would hold it a moment longer.
        let _ = flock(&self.file, FlockOperation::Unlock);
    }
}
