//! A short command that is asked something: what it prints, within a limit of time.
//!
//! Not observed and not kept: for questions about the world outside, whose answer counts. Knows nothing of nodes.

use std::ffi::{OsStr, OsString};
use std::io::Read;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;
use std::time::Duration;

/// More than this is no answer.
const LONGEST: u64 = 1 << 20;

/// What `sh -c COMMAND` prints, without white space at its ends.
///
/// # Errors
/// Why there is no answer: it cannot be started, fails, prints nothing or no text, or takes too long; then it and all that
/// it started in its group is killed.
pub fn ask(
    command: &str,
    cwd: &Path,
    env: impl IntoIterator<Item = (OsString, OsString)>,
    limit: Duration,
) -> Result<String, String> {
    let mut child = Command::new(OsStr::new("/bin/sh"))
        .args(["-c", command])
        .current_dir(cwd)
        .env_clear()
        .envs(env)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
        .map_err(|error| format!("sh cannot be started: {error}"))?;
    let group = rustix::process::Pid::from_child(&child);
    let (sender, receiver) = channel();
    let (output, errors) = (child.stdout.take(), child.stderr.take());
    std::thread::scope(|scope| {
        let complaint = scope.spawn(move || {
            let mut bytes = Vec::new();
            // What it says after that is of no use, but must not block it.
            if let Some(mut errors) = errors {
                let _ = errors.by_ref().take(LONGEST).read_to_end(&mut bytes);
                let _ = std::io::copy(&mut errors, &mut std::io::sink());
            }
            String::from_utf8_lossy(&bytes).into_owned()
        });
        scope.spawn(move || {
            let mut bytes = Vec::new();
            let read = output.map(|output| output.take(LONGEST + 1).read_to_end(&mut bytes));
            // Nobody waits any more where it took too long.
            let _ = sender.send(read.transpose().map(|_| bytes));
        });
        let said = receiver.recv_timeout(limit);
        // Whatever is left of it holds the pipe open, and is not waited for.
        if said.is_err() {
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        }
        let ended = child.wait().map_err(|error| error.to_string())?;
        let bytes = match said {
            Err(_) => return Err(format!("it took more than {} s", limit.as_secs())),
            Ok(read) => read.map_err(|error| error.to_string())?,
        };
        if !ended.success() {
            // What it left behind would hold that open.
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
            let text = complaint.join().unwrap_or_default();
            let last = text.trim_end().lines().last().unwrap_or_default();
            let last = if last.is_empty() {
                "it said nothing"
            } else {
                last
            };
            return Err(format!("it failed ({ended}): {last}"));
        }
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        let text = String::from_utf8(bytes).map_err(|_| "what it printed is no text".to_owned())?;
        match text.trim() {
            "" => Err("it printed nothing".to_owned()),
            text if text.len() as u64 > LONGEST => Err("it printed more than 1 MiB".to_owned()),
            text => Ok(text.to_owned()),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(command: &str, limit: u64) -> Result<String, String> {
        let env = [("PATH".into(), "/usr/bin:/bin".into())];
        ask(command, Path::new("/"), env, Duration::from_millis(limit))
    }

    #[test]
    fn answers_and_their_lack() {
        assert_eq!(asked("echo ' a b '; pwd", 10_000), Ok("a b \n/".into()));
        let failed = asked("echo why >&2; exit 3", 10_000).expect_err("it failed");
        assert!(failed.contains("why") && failed.contains('3'), "{failed}");
        assert!(asked(":", 10_000).is_err());
        assert!(asked("printf '\\377'", 10_000).is_err());
        let slow = asked("sleep 100 & sleep 100", 50).expect_err("it takes too long");
        assert!(slow.contains("took more"), "{slow}");
    }
}
