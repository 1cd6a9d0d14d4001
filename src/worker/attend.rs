//! Attending to a running process: what it prints, how long it may take, how it is stopped.
//!
//! The process leads a group of its own, so that stopping it stops all it started. When it has ended, what
//! it left behind in its group is killed: a background process must not go on writing outputs that are
//! being taken. Knows nothing of how it was started.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::ExitStatus;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::process::{Pid, Signal, kill_process_group};

use super::lifeline::Lifeline;
use super::mask::Mask;
use super::observed::Observed;
use super::trace::Trace;
use super::transcript::Transcript;

/// From asking a group to end to making it.
pub const GRACE: Duration = Duration::from_secs(10);
/// How long pipes are read after the child ended, if something still holds them.
const LINGER: Duration = Duration::from_millis(300);

/// What to execute.
#[derive(Debug)]
pub struct Request<'a> {
    /// Program and arguments; at least one element.
    pub argv: &'a [OsString],
    /// Working directory.
    pub cwd: &'a Path,
    /// The whole environment.
    pub env: &'a [(OsString, OsString)],
    /// Bytes for standard input; none is the null device.
    pub stdin: Option<&'a [u8]>,
    /// Limit on wall time.
    pub timeout: Option<Duration>,
    /// Secrets to hide in what it prints.
    pub mask: &'a Mask,
    /// What is to be noted of what it does with paths.
    pub trace: Option<&'a Trace<'a>>,
}

/// How it ended.
#[derive(Debug)]
pub enum How {
    /// By itself.
    Exit(i32),
    /// By a signal that was not ours.
    Signal(i32),
    /// It took longer than it might.
    TimedOut,
    /// The run was stopped.
    Cancelled,
    /// It could not be started.
    NotStarted(io::Error),
}

/// What is known once it ended.
#[derive(Debug)]
pub struct Ended {
    /// How.
    pub how: How,
    /// Wall time.
    pub wall: Duration,
    /// CPU time in user mode, it and all it waited for.
    pub user: Duration,
    /// CPU time in the kernel, likewise.
    pub system: Duration,
    /// Largest resident set of one process, in bytes.
    pub max_rss: u64,
    /// What it was seen to do with paths.
    pub observed: Observed,
}

impl Ended {
    pub(super) fn not_started(error: io::Error) -> Ended {
        Ended {
            how: How::NotStarted(error),
            wall: Duration::ZERO,
            user: Duration::ZERO,
            system: Duration::ZERO,
            max_rss: 0,
            observed: Observed::nothing("it was not started"),
        }
    }
}

/// A word to all running processes that they must end. Shared by all workers of a run.
#[derive(Debug)]
pub struct Cancel {
    level: AtomicU8,
    wake: OwnedFd,
}

impl Cancel {
    /// Nothing is cancelled yet.
    ///
    /// # Errors
    /// No descriptor to be had.
    pub fn new() -> io::Result<Cancel> {
        let wake = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        Ok(Cancel {
            level: AtomicU8::new(0),
            wake,
        })
    }

    /// The first call asks, the second kills. Safe to call from any thread.
    pub fn raise(&self) {
        let level = self.level.load(Ordering::SeqCst);
        self.level
            .store(level.saturating_add(1).min(2), Ordering::SeqCst);
        // Never read, so it wakes every poll until the run ends; a full counter is as good.
        let _ = rustix::io::write(&self.wake, &1u64.to_ne_bytes());
    }

    /// Whether anyone called [`Cancel::raise`].
    pub fn raised(&self) -> bool {
        self.level.load(Ordering::SeqCst) > 0
    }
}

/// A process that was started, and our ends of its streams.
pub(super) struct Child {
    /// It, and its group.
    pub pid: Pid,
    /// When.
    pub started: Instant,
    /// What it reads.
    pub stdin: Option<File>,
    /// What it prints.
    pub stdout: Option<File>,
    /// What it says.
    pub stderr: Option<File>,
    /// Readable once it has ended.
    pub over: Option<OwnedFd>,
    /// Its group is its own, and ends with it.
    pub leads: bool,
}

/// How a process ended, and what it cost.
#[derive(Debug)]
pub struct Reaped {
    /// How.
    pub status: ExitStatus,
    /// CPU time in user mode.
    pub user: Duration,
    /// CPU time in the kernel.
    pub system: Duration,
    /// Largest resident set in bytes.
    pub max_rss: u64,
}

/// Attends to a process until it has ended, which `reap` then tells how.
pub(super) fn attend(
    request: &Request<'_>,
    child: &mut Child,
    cancel: &Cancel,
    lifeline: Option<&Lifeline>,
    transcript: &mut Transcript,
    live: &mut dyn FnMut(u8, &[u8]),
    reap: impl FnOnce(&Child) -> Reaped,
) -> Ended {
    if let Some(lifeline) = lifeline {
        lifeline.guard(child.pid);
    }
    let mut watch = Watch::new(request, child.pid, child.started);
    watch.follow(child, cancel, transcript, live);
    let ended = watch.end(reap(child), transcript, live);
    if let Some(lifeline) = lifeline {
        lifeline.release(child.pid);
    }
    ended
}

struct Watch<'a> {
    request: &'a Request<'a>,
    group: Pid,
    started: Instant,
    streams: [super::mask::Stream<'a>; 2],
    asked: Option<(Instant, bool)>,
    killed: bool,
}

impl<'a> Watch<'a> {
    fn new(request: &'a Request<'a>, group: Pid, started: Instant) -> Self {
        let streams = [request.mask.stream(), request.mask.stream()];
        Watch {
            request,
            group,
            started,
            streams,
            asked: None,
            killed: false,
        }
    }

    /// Reads both pipes until the child has ended.
    fn follow(
        &mut self,
        child: &mut Child,
        cancel: &Cancel,
        transcript: &mut Transcript,
        live: &mut dyn FnMut(u8, &[u8]),
    ) {
        let mut open = [child.stdout.is_some(), child.stderr.is_some()];
        let mut ended: Option<Instant> = None;
        loop {
            if ended.is_some_and(|at| at.elapsed() >= LINGER)
                || (ended.is_some() && open == [false, false])
            {
                return;
            }
            if ended.is_none() {
                self.stop_if_due(cancel);
            }
            let wait = self.wait(ended.is_some(), child.over.is_some());
            let ready = wait_for(
                child,
                child.over.as_ref(),
                &cancel.wake,
                open,
                ended.is_some(),
                self.asked.is_some() || ended.is_some(),
                wait,
            );
            let mut buffer = [0u8; 32 * 1024];
            for (stream, open) in open.iter_mut().enumerate() {
                if ready.streams[stream] {
                    *open = self.drain(child, stream, &mut buffer, transcript, live);
                }
            }
            let over = ready.child || (child.over.is_none() && has_ended(self.group));
            if over && ended.is_none() {
                ended = Some(Instant::now());
                // It is a zombie still, so its group's number cannot have been given to anyone else.
                if child.leads {
                    let _ = kill_process_group(self.group, Signal::KILL);
                }
            }
        }
    }

    /// Asks the group to end when its time is over or the run is stopped; kills it when asking did not help.
    fn stop_if_due(&mut self, cancel: &Cancel) {
        let late = self
            .request
            .timeout
            .is_some_and(|limit| self.started.elapsed() >= limit);
        if self.asked.is_none() && (late || cancel.raised()) {
            self.asked = Some((Instant::now(), !cancel.raised()));
            let _ = kill_process_group(self.group, Signal::TERM);
        }
        let Some((asked, _)) = self.asked else { return };
        let insist = cancel.level.load(Ordering::SeqCst) >= 2 || asked.elapsed() >= GRACE;
        if insist && !self.killed {
            self.killed = true;
            let _ = kill_process_group(self.group, Signal::KILL);
        }
    }

    fn wait(&self, ended: bool, has_pidfd: bool) -> Option<Duration> {
        let mut wait = (!has_pidfd).then_some(Duration::from_millis(20));
        let mut at_most = |limit: Duration| wait = Some(wait.map_or(limit, |wait| wait.min(limit)));
        if ended {
            at_most(LINGER / 10);
        }
        match self.asked {
            None => {
                if let Some(limit) = self.request.timeout {
                    at_most(limit.saturating_sub(self.started.elapsed()));
                }
            }
            // The second signal may come any time, and the word for it has woken us for good.
            Some(_) => at_most(Duration::from_millis(50)),
        }
        wait
    }

    /// Whether the stream is still open.
    fn drain(
        &mut self,
        child: &mut Child,
        stream: usize,
        buffer: &mut [u8],
        transcript: &mut Transcript,
        live: &mut dyn FnMut(u8, &[u8]),
    ) -> bool {
        let read = match stream {
            0 => child.stdout.as_mut().map(|pipe| pipe.read(buffer)),
            _ => child.stderr.as_mut().map(|pipe| pipe.read(buffer)),
        };
        match read {
            Some(Ok(count)) if count > 0 => {
                let masked = self.streams[stream].push(&buffer[..count]);
                transcript.push(stream as u8 + 1, &masked);
                live(stream as u8 + 1, &masked);
                true
            }
            Some(Err(error)) if error.kind() == io::ErrorKind::Interrupted => true,
            _ => false,
        }
    }

    fn end(
        self,
        reaped: Reaped,
        transcript: &mut Transcript,
        live: &mut dyn FnMut(u8, &[u8]),
    ) -> Ended {
        for (stream, rest) in self.streams.into_iter().enumerate() {
            let rest = rest.end();
            transcript.push(stream as u8 + 1, &rest);
            live(stream as u8 + 1, &rest);
        }
        let Reaped {
            status,
            user,
            system,
            max_rss,
        } = reaped;
        let wall = self.started.elapsed();
        let how = match (self.asked, status.code(), status.signal()) {
            // Whatever it exits with: many a program that is asked to end stops amid its work and calls that
            // success, and nobody can tell it from one that had just done all of it.
            (Some((_, true)), ..) => How::TimedOut,
            (Some((_, false)), ..) => How::Cancelled,
            (None, Some(code), _) => How::Exit(code),
            (None, None, signal) => How::Signal(signal.unwrap_or(0)),
        };
        Ended {
            how,
            wall,
            user,
            system,
            max_rss,
            observed: Observed::nothing("it was not asked for"),
        }
    }
}

struct Ready {
    streams: [bool; 2],
    child: bool,
}

fn wait_for(
    child: &Child,
    pidfd: Option<&OwnedFd>,
    wake: &OwnedFd,
    open: [bool; 2],
    ended: bool,
    asked: bool,
    wait: Option<Duration>,
) -> Ready {
    let interest = PollFlags::IN;
    let mut fds = Vec::with_capacity(4);
    let mut whose = Vec::with_capacity(4);
    if let (true, Some(out)) = (open[0], &child.stdout) {
        fds.push(PollFd::from_borrowed_fd(out.as_fd(), interest));
        whose.push(0);
    }
    if let (true, Some(err)) = (open[1], &child.stderr) {
        fds.push(PollFd::from_borrowed_fd(err.as_fd(), interest));
        whose.push(1);
    }
    if let (false, Some(pidfd)) = (ended, pidfd) {
        fds.push(PollFd::from_borrowed_fd(pidfd.as_fd(), interest));
        whose.push(2);
    }
    if !asked {
        fds.push(PollFd::from_borrowed_fd(wake.as_fd(), interest));
        whose.push(3);
    }
    let timeout = wait.map(|wait| Timespec {
        tv_sec: wait.as_secs() as i64,
        tv_nsec: i64::from(wait.subsec_nanos()),
    });
    let mut ready = Ready {
        streams: [false; 2],
        child: false,
    };
    // An interrupted poll is a poll that found nothing.
    if poll(&mut fds, timeout.as_ref()).is_err() {
        return ready;
    }
    for (fd, whose) in fds.iter().zip(whose) {
        let hit = !fd.revents().is_empty();
        match whose {
            0 | 1 => ready.streams[whose] = hit,
            2 => ready.child = hit,
            _ => {}
        }
    }
    ready
}

/// Whether the child has ended, without reaping it.
fn has_ended(pid: Pid) -> bool {
    use rustix::process::{WaitId, WaitIdOptions, waitid};
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    matches!(waitid(WaitId::Pid(pid), options), Ok(Some(_)))
}

/// Reaps the child with what it cost: user time, system time, largest resident set in bytes.
pub(super) fn reap(child: &Child) -> Reaped {
    let mut status = 0;
    // SAFETY: an all-zero rusage is a valid one; wait4 writes both on success, and the pid is that of a
    // child that nobody else reaps.
    let (reaped, usage) = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        let mut reaped = -1;
        for _ in 0..1000 {
            reaped = libc::wait4(child.pid.as_raw_pid(), &raw mut status, 0, &raw mut usage);
            if reaped >= 0 || io::Error::last_os_error().kind() != io::ErrorKind::Interrupted {
                break;
            }
        }
        (reaped, usage)
    };
    if reaped < 0 {
        // Somebody took it from us; how it ended is not known, and that is no success.
        return Reaped {
            status: ExitStatus::from_raw(0x7f00),
            user: Duration::ZERO,
            system: Duration::ZERO,
            max_rss: 0,
        };
    }
    let time = |time: libc::timeval| Duration::new(time.tv_sec as u64, time.tv_usec as u32 * 1000);
    Reaped {
        status: ExitStatus::from_raw(status),
        user: time(usage.ru_utime),
        system: time(usage.ru_stime),
        max_rss: usage.ru_maxrss as u64 * 1024,
    }
}
