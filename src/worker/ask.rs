//! A short command that is asked something: what it prints, within a limit of time.
//!
//! Not observed and not kept: for questions about the world outside, whose answer counts. Knows nothing of nodes.

use std::ffi::{OsStr, OsString};
use std::io::Read;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// More than this is no answer.
const LONGEST: u64 = 1 << 20;
/// Between two looks whether it has ended, once it has nothing more to say.
const TICK: Duration = Duration::from_millis(2);
/// How long is waited for the last of what it complains of.
const LINGER: Duration = Duration::from_millis(300);

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
    let until = Instant::now() + limit;
    // What holds a pipe open for longer is left to these threads: nobody waits for it.
    let (said, complaint) = (gathered(child.stdout.take()), gathered(child.stderr.take()));
    let left = || until.saturating_duration_since(Instant::now());
    let bytes = said.recv_timeout(left()).ok();
    let ended = loop {
        match child.try_wait().map_err(|error| error.to_string())? {
            Some(ended) => break Some(ended),
            None if left().is_zero() => break None,
            None => std::thread::sleep(TICK),
        }
    };
    // It, or what it left behind.
    let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
    let (Some(bytes), Some(ended)) = (bytes, ended) else {
        let _ = child.wait();
        return Err(format!("it took more than {} s", limit.as_secs()));
    };
    if !ended.success() {
        let text = complaint.recv_timeout(LINGER).unwrap_or_default();
        let text = String::from_utf8_lossy(&text).into_owned();
        let last = match text.trim_end().lines().last() {
            None | Some("") => "it said nothing",
            Some(last) => last,
        };
        return Err(format!("it failed ({ended}): {last}"));
    }
    let text = String::from_utf8(bytes).map_err(|_| "what it printed is no text".to_owned())?;
    match text.trim() {
        "" => Err("it printed nothing".to_owned()),
        _ if text.len() as u64 > LONGEST => Err("it printed more than 1 MiB".to_owned()),
        text => Ok(text.to_owned()),
    }
}

/// What comes out of a pipe, up to what is too much, once it has ended.
fn gathered(pipe: Option<impl Read + Send + 'static>) -> Receiver<Vec<u8>> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            let _ = pipe.by_ref().take(LONGEST + 1).read_to_end(&mut bytes);
            // The rest is of no use, but must not block whoever writes it.
            let _ = std::io::copy(&mut pipe, &mut std::io::sink());
        }
        // Nobody listens any more where it took too long.
        let _ = sender.send(bytes);
    });
    receiver
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
        let silent = asked("exec >&-; sleep 100", 50).expect_err("it takes too long");
        assert!(silent.contains("took more"), "{silent}");
        // Nobody waits for what left its group.
        let left = asked("setsid sleep 100 >/dev/null & echo there", 10_000);
        assert_eq!(left, Ok("there".into()));
    }
}
