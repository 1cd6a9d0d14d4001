//! Locks between processes: the lease that keeps collection away from a running process, and the
//! flight of one action. All are advisory locks on open files, so they vanish with their owner.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};

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
#[derive(Debug)]
pub struct Flight {
    held: Option<(File, PathBuf)>,
}

impl Flight {
    /// A flight that excludes nobody: nothing can be recorded in a read-only store.
    pub(crate) fn unlocked() -> Self {
        Self { held: None }
    }

    /// Locks `path`, or gives `None` if somebody else has it.
    pub(crate) fn try_start(path: &Path) -> Result<Option<Self>, IoAt> {
        loop {
            let file = open_flight(path)?;
            if !try_exclusive(&file, path)? {
                return Ok(None);
            }
            if is_at(&file, path) {
                return Ok(Some(Self {
                    held: Some((file, path.to_owned())),
                }));
            }
            // The owner before us unlinked the file between our open and our lock.
        }
    }

    /// Waits for `path`; asks `cancelled` between tries, at least every 50 ms.
    pub(crate) fn start(path: &Path, cancelled: &dyn Fn() -> bool) -> Result<Option<Self>, IoAt> {
        again(|| Self::try_start(path), cancelled)
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        if let Some((file, path)) = self.held.take() {
            // Unlinked while locked: whoever opened it meanwhile sees that its inode is gone.
            let _ = fs::remove_file(path);
            // A child forked a moment ago may still share the open file: unlock, do not just close.
            let _ = flock(&file, FlockOperation::Unlock);
        }
    }
}

fn open_flight(path: &Path) -> Result<File, IoAt> {
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

fn is_at(file: &File, path: &Path) -> bool {
    match (file.metadata(), fs::metadata(path)) {
        (Ok(ours), Ok(theirs)) => (ours.dev(), ours.ino()) == (theirs.dev(), theirs.ino()),
        _ => false,
    }
}
