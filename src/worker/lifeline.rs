//! A small process that outlives a killed jalon just long enough to kill what jalon had started.
//!
//! Without it, `kill -9` would leave nodes running that write into the project while the next run reads
//! it. It holds the lock on the workspace until it is done, so the next run waits for it. Nothing wakes it but the
//! end of its standard input, which comes with jalon's own: then it kills the process groups in the table that
//! both share, a file in memory with four bytes little-endian a group, zero where there is none.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::fs::{MemfdFlags, memfd_create};
use rustix::process::{Pid, Signal, kill_process_group};

/// The hidden verb that [`serve`] stands behind.
pub const VERB: &str = "__lifeline";

/// The running helper.
#[derive(Debug)]
pub struct Lifeline {
    child: Child,
    stdin: Option<ChildStdin>,
    table: Mutex<Table>,
}

/// Groups by their place in the shared table; none where a place is free.
#[derive(Debug)]
struct Table {
    file: File,
    groups: Vec<Option<Pid>>,
}

impl Table {
    /// Puts another in place of one. If that fails there is nothing to be done, and nothing else depends on it.
    fn replace(&mut self, old: Option<Pid>, new: Option<Pid>) {
        let found = self.groups.iter().position(|group| *group == old);
        let at = found.unwrap_or_else(|| {
            self.groups.push(None);
            self.groups.len() - 1
        });
        self.groups[at] = new;
        let number = new.map_or(0, |group| group.as_raw_nonzero().get());
        let _ = self
            .file
            .write_all_at(&number.to_le_bytes(), at as u64 * WIDTH);
    }
}

/// Bytes of a group in the table.
const WIDTH: u64 = 4;

impl Lifeline {
    /// Starts it: `program` is jalon itself, `lock` what it is to hold.
    ///
    /// # Errors
    /// It could not be started; a run may go on without it.
    pub fn start(program: &Path, lock: &File) -> io::Result<Lifeline> {
        let file = File::from(memfd_create("jalon-groups", MemfdFlags::CLOEXEC)?);
        let mut child = Command::new(program)
            .arg(VERB)
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::from(lock.try_clone()?))
            .stderr(Stdio::from(file.try_clone()?))
            // Ctrl-C at the terminal is for jalon; this one sees how it ends.
            .process_group(0)
            .spawn()?;
        let stdin = child.stdin.take();
        let groups = Vec::new();
        let table = Mutex::new(Table { file, groups });
        Ok(Lifeline {
            child,
            stdin,
            table,
        })
    }

    /// This group is to die with us.
    pub fn guard(&self, group: Pid) {
        self.table().replace(None, Some(group));
    }

    /// This group has ended.
    pub fn release(&self, group: Pid) {
        self.table().replace(Some(group), None);
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Lifeline {
    fn drop(&mut self) {
        drop(self.stdin.take());
        let _ = self.child.wait();
    }
}

/// What the helper does, with the end that comes with jalon's own, and the table; returns when all is done.
pub fn serve(mut end: impl Read, table: &File) {
    let mut nothing = [0; 16];
    while !matches!(end.read(&mut nothing), Ok(0) | Err(_)) {}
    let mut number = [0; WIDTH as usize];
    let mut at = 0;
    while table.read_exact_at(&mut number, at).is_ok() {
        if let Some(group) = Pid::from_raw(i32::from_le_bytes(number)) {
            let _ = kill_process_group(group, Signal::KILL);
        }
        at += WIDTH;
    }
}

/// The table that [`Lifeline::start`] left as standard error.
///
/// # Errors
/// There is none.
pub fn table() -> io::Result<File> {
    Ok(File::from(std::io::stderr().as_fd().try_clone_to_owned()?))
}
