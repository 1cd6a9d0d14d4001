//! A small process that outlives a killed jalon just long enough to kill what jalon had started.
//!
//! Without it, `kill -9` would leave nodes running that write into the project while the next run reads
//! it. It holds the lock on the workspace until it is done, so the next run waits for it. The protocol, on
//! its standard input: `+` or `-`, then a process group as four bytes little-endian; at the end of the
//! stream it kills the groups that were added and not taken away.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Mutex;

use rustix::process::{Pid, Signal, kill_process_group};

/// The hidden verb that [`serve`] stands behind.
pub const VERB: &str = "__lifeline";

/// The running helper.
#[derive(Debug)]
pub struct Lifeline {
    child: Child,
    stdin: Mutex<Option<ChildStdin>>,
}

impl Lifeline {
    /// Starts it: `program` is jalon itself, `lock` what it is to hold.
    ///
    /// # Errors
    /// It could not be started; a run may go on without it.
    pub fn start(program: &Path, lock: &File) -> io::Result<Lifeline> {
        let mut child = Command::new(program)
            .arg(VERB)
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::from(lock.try_clone()?))
            .stderr(Stdio::null())
            // Ctrl-C at the terminal is for jalon; this one sees how it ends.
            .process_group(0)
            .spawn()?;
        let stdin = Mutex::new(child.stdin.take());
        Ok(Lifeline { child, stdin })
    }

    /// This group is to die with us.
    pub fn guard(&self, group: Pid) {
        self.tell(b'+', group);
    }

    /// This group has ended.
    pub fn release(&self, group: Pid) {
        self.tell(b'-', group);
    }

    fn tell(&self, word: u8, group: Pid) {
        let [a, b, c, d] = group.as_raw_nonzero().get().to_le_bytes();
        let mut stdin = self
            .stdin
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        // If it died, there is nobody to tell, and nothing else depends on it.
        if let Some(stdin) = stdin.as_mut() {
            let _ = stdin.write_all(&[word, a, b, c, d]);
        }
    }
}

impl Drop for Lifeline {
    fn drop(&mut self) {
        self.stdin
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .take();
        let _ = self.child.wait();
    }
}

/// What the helper does; returns when the stream has ended.
pub fn serve(mut input: impl Read) {
    let mut groups = Vec::new();
    let mut message = [0u8; 5];
    while input.read_exact(&mut message).is_ok() {
        let number = i32::from_le_bytes([message[1], message[2], message[3], message[4]]);
        let Some(group) = Pid::from_raw(number) else {
            continue;
        };
        match message[0] {
            b'+' => groups.push(group),
            _ => groups.retain(|&known| known != group),
        }
    }
    for group in groups {
        let _ = kill_process_group(group, Signal::KILL);
    }
}
