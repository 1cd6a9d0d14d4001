//! Locks between processes: the lease that keeps collection away from a running process, and the
//! flight of one action. All are advisory locks on open files, so they vanish with their owner.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};

use crate::digest::WeakKey;
use crate::error::{At, IoAt};

/// Tries to lock without waiting; `false` if another open file holds the lock.
pub(crate) fn try_exclusive(file: &File, path: &Path) -> Result<bool, IoAt> {
    attempt(file, FlockOperation::NonBlockingLockExclusive, path)
}

fn attempt(file: &File, operation: FlockOperation, path: &Path) -> Result<bool, IoAt> {
    loop {
        match flock(file, operation) {
            Ok(()) => return Ok(true),
            Err(rustix::io::Errno::WOULDBLOCK) => return Ok(false),
            Err(rustix::io::Errno::INTR) => {}
            Err(e) => return Err(IoAt::new("lock", path, e)),
        }
    }
}

/// Tries until there is something, or until `stop` says so; ever more seldom, at least every 50 ms.
fn again<T>(
    attempt: impl Fn() -> Result<Option<T>, IoAt>,
    stop: &dyn Fn() -> bool,
) -> Result<Option<T>, IoAt> {
    let mut pause = Duration::from_millis(1);
    loop {
        if let Some(done) = attempt()? {
            return Ok(Some(done));
        }
        if stop() {
            return Ok(None);
        }
        thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(50));
    }
}

/// Held shared by every process that uses a store, exclusively by one that removes from it.
#[derive(Debug)]
pub(crate) struct Lease {
    file: File,
    path: PathBuf,
}

impl Lease {
    /// Opens the lock file, creating it unless `read_only`.
    pub(crate) fn open(path: &Path, read_only: bool) -> Result<Self, IoAt> {
        let file = if read_only {
            File::open(path)
        } else {
            OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .open(path)
        };
        Ok(Self {
            file: file.at("open", path)?,
            path: path.to_owned(),
        })
    }

    /// Waits until nobody holds it exclusively.
    pub(crate) fn share(&self) -> Result<(), IoAt> {
        attempt(&self.file, FlockOperation::LockShared, &self.path).map(|_| ())
    }

    /// Shares it if nobody holds it exclusively.
    pub(crate) fn try_share(&self) -> Result<bool, IoAt> {
        attempt(
            &self.file,
            FlockOperation::NonBlockingLockShared,
            &self.path,
        )
    }

    /// Takes it exclusively once nobody else has it; asks `impatient` between tries, at least every 50 ms.
    /// On `false` it is not held at all, for the kernel gives the shared lock up before it tries: call
    /// [`Lease::share`] again and look at the disk anew.
    pub(crate) fn exclude(&self, impatient: &dyn Fn() -> bool) -> Result<bool, IoAt> {
        let attempt = || Ok(try_exclusive(&self.file, &self.path)?.then_some(()));
        Ok(again(attempt, impatient)?.is_some())
    }
}

/// An action in flight: while it lives, no other process and no other thread flies the same one.
///
/// All flights lock one file, each a byte of it: to make a file for each and to take it away again would cost more
/// than all else that is kept of a small action.
#[derive(Debug)]
pub struct Flight {
    held: Option<(File, u64)>,
}

impl Flight {
    /// A flight that excludes nobody: nothing can be recorded in a read-only store.
    pub(crate) fn unlocked() -> Self {
        Self { held: None }
    }

    /// Locks the byte of an action in the file at `path`, or gives `None` if somebody else has it.
    pub(crate) fn try_start(path: &Path, weak: &WeakKey) -> Result<Option<Self>, IoAt> {
        // Opened anew: what is open once excludes nobody of this process.
        let file = open_flights(path)?;
        let byte = byte_of(weak);
        let flies = lock_byte(&file, byte, libc::F_WRLCK).at("lock", path)?;
        Ok(flies.then_some(Self {
            held: Some((file, byte)),
        }))
    }

    /// Waits for the same; asks `cancelled` between tries, at least every 50 ms.
    pub(crate) fn start(
        path: &Path,
        weak: &WeakKey,
        cancelled: &dyn Fn() -> bool,
    ) -> Result<Option<Self>, IoAt> {
        again(|| Self::try_start(path, weak), cancelled)
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        if let Some((file, byte)) = self.held.take() {
            // A child forked a moment ago may still share the open file: unlock, do not just close.
            let _ = lock_byte(&file, byte, libc::F_UNLCK);
        }
    }
}

/// Offsets end at 2^63. That two actions have the same byte is as good as impossible; they would wait for each other.
fn byte_of(weak: &WeakKey) -> u64 {
    let mut start = [0; 8];
    start.copy_from_slice(&weak.as_bytes()[..8]);
    u64::from_le_bytes(start) >> 2
}

/// Locks or unlocks one byte, which need not be there; `false` if another open file has it locked. Source: fcntl(2),
/// open file description locks.
fn lock_byte(file: &File, byte: u64, kind: libc::c_int) -> io::Result<bool> {
    // SAFETY: zeroes are valid in the structure.
    let mut lock: libc::flock = unsafe { std::mem::zeroed() };
    lock.l_type = kind as libc::c_short;
    lock.l_whence = libc::SEEK_SET as libc::c_short;
    lock.l_start = byte as libc::off_t;
    lock.l_len = 1;
    loop {
        // SAFETY: the descriptor is open, and the kernel only reads the structure.
        if unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_SETLK, &raw const lock) } == 0 {
            return Ok(true);
        }
        let error = io::Error::last_os_error();
        match error.raw_os_error() {
            Some(libc::EAGAIN | libc::EACCES) => return Ok(false),
            Some(libc::EINTR) => {}
            _ => return Err(error),
        }
    }
}

fn open_flights(path: &Path) -> Result<File, IoAt> {
    let open = || {
        OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
    };
    match open() {
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent).at("create", parent)?;
            }
            open().at("open", path)
        }
        other => other.at("open", path),
    }
}
