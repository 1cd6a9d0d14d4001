//! What a session says, as bytes: JSON with its length before it, big endian (`python/jalon_kedro/channel.py`).
//!
//! A project's own code runs in there, so nothing it says is taken for granted. Knows nothing of who waits.

use std::io::{self, Read};
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Duration;

use rustix::process::Pid;
use serde_json::{Value as Json, json};

use super::attend::Reaped;

/// A message beyond this is none.
const LONGEST: u32 = 1 << 30;

/// Whom a message is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum About {
    /// Whoever leads the conversation.
    All,
    /// Whoever waits for this run.
    Run {
        /// Its number.
        run: u64,
        /// Whether nothing more comes of it.
        over: bool,
    },
}

/// The next message; nothing at the end.
///
/// # Errors
/// `UnexpectedEof` within a message; `InvalidData` where it is too long or no JSON.
pub fn read(from: &mut impl Read) -> io::Result<Option<Json>> {
    let mut length = Vec::with_capacity(4);
    from.by_ref().take(4).read_to_end(&mut length)?;
    if length.is_empty() {
        return Ok(None);
    }
    let length: [u8; 4] = length
        .try_into()
        .map_err(|_| io::ErrorKind::UnexpectedEof)?;
    let length = u32::from_be_bytes(length);
    if length > LONGEST {
        return Err(io::ErrorKind::InvalidData.into());
    }
    // Room is made for what comes, not for what was said to come.
    let mut body = Vec::new();
    from.by_ref().take(length.into()).read_to_end(&mut body)?;
    if body.len() < length as usize {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(Some(serde_json::from_slice(&body)?))
}

/// Whom it is for.
pub fn about(message: &Json) -> About {
    let run = |name: &str| message.get(name).and_then(Json::as_u64);
    match (run("ended"), run("forked")) {
        (Some(run), _) => About::Run { run, over: true },
        (None, Some(run)) => About::Run { run, over: false },
        (None, None) => About::All,
    }
}

/// The process that was forked for a run. Never the first one, and no group: a signal that is meant for it would
/// reach all others.
pub fn forked(message: &Json) -> Option<Pid> {
    let pid = i32::try_from(message.get("pid")?.as_i64()?).ok()?;
    (pid > 1).then(|| Pid::from_raw(pid)).flatten()
}

/// How a forked process ended; nothing was said of one that went down with the session.
pub fn reaped(told: Option<&Json>) -> Reaped {
    let killed = json!({"status": libc::SIGKILL});
    let told = told.unwrap_or(&killed);
    let seconds = |name: &str| {
        let seconds = told.get(name).and_then(Json::as_f64).unwrap_or(0.0);
        Duration::try_from_secs_f64(seconds).unwrap_or_default()
    };
    let status = told.get("status").and_then(Json::as_i64);
    // What is no status is that of a program which was not found.
    let status = status.and_then(|status| i32::try_from(status).ok());
    Reaped {
        status: ExitStatus::from_raw(status.unwrap_or(0x7f00)),
        user: seconds("user"),
        system: seconds("system"),
        max_rss: told.get("max_rss").and_then(Json::as_u64).unwrap_or(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framed(text: &str) -> Vec<u8> {
        let mut bytes = (text.len() as u32).to_be_bytes().to_vec();
        bytes.extend_from_slice(text.as_bytes());
        bytes
    }

    #[test]
    fn messages_are_read_until_there_are_no_more() {
        let bytes = [framed("{\"a\": 1}"), framed("[]")].concat();
        let mut from = bytes.as_slice();
        assert_eq!(read(&mut from).unwrap(), Some(json!({"a": 1})));
        assert_eq!(read(&mut from).unwrap(), Some(json!([])));
        assert_eq!(read(&mut from).unwrap(), None);
    }

    #[test]
    fn what_is_no_message_is_an_error() {
        let cut = framed("{\"a\": 1}");
        let long = [0xff; 8];
        for (bytes, kind) in [
            (&cut[..3], io::ErrorKind::UnexpectedEof),
            (&cut[..7], io::ErrorKind::UnexpectedEof),
            (&long[..], io::ErrorKind::InvalidData),
            (&framed("{"), io::ErrorKind::UnexpectedEof),
            (&framed("nonsense"), io::ErrorKind::InvalidData),
        ] {
            assert_eq!(read(&mut &*bytes).unwrap_err().kind(), kind, "{bytes:?}");
        }
    }

    #[test]
    fn nothing_is_a_process_that_a_signal_would_reach_others_by() {
        for pid in [
            json!(0),
            json!(1),
            json!(-1),
            json!(1_i64 << 32 | 7),
            json!("7"),
        ] {
            assert_eq!(forked(&json!({"forked": 1, "pid": pid})), None, "{pid}");
        }
        assert_eq!(forked(&json!([7])), None);
        let seven = forked(&json!({"pid": 7})).unwrap();
        assert_eq!(seven.as_raw_nonzero().get(), 7);
    }

    #[test]
    fn a_run_ends_once() {
        let over = |message| about(&message);
        assert_eq!(over(json!({"ended": 3})), About::Run { run: 3, over: true });
        assert_eq!(
            over(json!({"forked": 3})),
            About::Run {
                run: 3,
                over: false
            }
        );
        assert_eq!(over(json!({"forked": -3})), About::All);
        assert_eq!(over(json!("ended")), About::All);
    }

    #[test]
    fn what_is_not_said_of_an_end_is_nothing() {
        let end = reaped(Some(&json!({"status": 256, "user": -1.0, "system": 1e300})));
        assert_eq!(end.status.code(), Some(1));
        assert_eq!((end.user, end.system, end.max_rss), Default::default());
        assert_eq!(reaped(None).status.signal(), Some(libc::SIGKILL));
        assert_eq!(
            reaped(Some(&json!({"status": 1_i64 << 40}))).status.code(),
            Some(127)
        );
    }
}
