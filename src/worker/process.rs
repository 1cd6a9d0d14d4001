//! One process group, from start to end: what it prints, how long it may take, how it is stopped.
//!
//! The child leads a group of its own, so that stopping it stops all it started. When it has ended, what
//! it left behind in its group is killed: a background process must not go on writing outputs that are
//! being taken. Knows nothing of nodes.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Instant;

use rustix::event::{EventfdFlags, eventfd};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{PidfdFlags, pidfd_open};

pub use super::attend::{Cancel, Ended, GRACE, How, Request};

use super::attend::{Child, attend, reap};
use super::beside;
use super::lifeline::Lifeline;
use super::observed::Observed;
use super::spawn::{self, SpawnError, Start};
use super::trace::{self, Trace};
use super::transcript::Transcript;

/// Where programs are looked for without a PATH.
const PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// What executes requests: processes of the system, or a stand-in where thousands of runs are to be compared.
pub trait Execute: Sync {
    /// Executes a request to its end. `transcript` gets what it prints, masked; `live` gets it as it comes.
    fn execute(
        &self,
        request: &Request<'_>,
        cancel: &Cancel,
        lifeline: Option<&Lifeline>,
        transcript: &mut Transcript,
        live: &mut dyn FnMut(u8, &[u8]),
    ) -> Ended;
}

/// Processes of the system.
#[derive(Debug, Clone, Copy, Default)]
pub struct Processes;

impl Execute for Processes {
    fn execute(
        &self,
        request: &Request<'_>,
        cancel: &Cancel,
        lifeline: Option<&Lifeline>,
        transcript: &mut Transcript,
        live: &mut dyn FnMut(u8, &[u8]),
    ) -> Ended {
        execute(request, cancel, lifeline, transcript, live)
    }
}

fn execute(
    request: &Request<'_>,
    cancel: &Cancel,
    lifeline: Option<&Lifeline>,
    transcript: &mut Transcript,
    live: &mut dyn FnMut(u8, &[u8]),
) -> Ended {
    let Some(program) = request.argv.first() else {
        let empty = io::Error::new(io::ErrorKind::InvalidInput, "an empty command");
        return Ended::not_started(empty);
    };
    let Some(place) = resolve(program, request) else {
        return Ended::not_started(io::ErrorKind::NotFound.into());
    };
    let mut run = |child: &mut Child| {
        feed(child, request.stdin);
        attend(request, child, cancel, lifeline, transcript, live, reap)
    };
    let Some(trace) = request.trace else {
        return match Child::start(request, &place, None) {
            Ok(mut child) => run(&mut child),
            Err(SpawnError::Execute(error) | SpawnError::Filter(error)) => {
                Ended::not_started(error)
            }
        };
    };
    traced(request, &place, trace, run)
}

/// Executes with every path noted; where the kernel takes no filter, without.
fn traced(
    request: &Request<'_>,
    place: &Path,
    trace: &Trace<'_>,
    run: impl FnOnce(&mut Child) -> Ended,
) -> Ended {
    if let Some(why) = trace::cannot() {
        let mut ended = match Child::start(request, place, None) {
            Ok(mut child) => run(&mut child),
            Err(SpawnError::Execute(error) | SpawnError::Filter(error)) => {
                Ended::not_started(error)
            }
        };
        ended.observed = Observed::nothing(why);
        return ended;
    }
    let pair = socketpair(
        AddressFamily::UNIX,
        SocketType::STREAM,
        SocketFlags::CLOEXEC,
        None,
    );
    let stop = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK);
    let ((ours, theirs), stop) = match (pair, stop) {
        (Ok(pair), Ok(stop)) => (pair, stop),
        (Err(error), _) | (_, Err(error)) => return Ended::not_started(error.into()),
    };
    let filter = trace::program();
    let mut observed = None;
    // The child's first call of interest is its exec, and it waits in it for whoever observes.
    let watch = || {
        let listener = spawn::receive(ours.as_fd());
        observed = listener.map(|listener| trace::watch(trace, &listener, stop.as_fd()));
    };
    let ran = beside::with(watch, || {
        let started = Child::start(request, place, Some((&filter, theirs.as_fd())));
        drop(theirs);
        let ran = match started {
            Ok(mut child) => (run(&mut child), None),
            Err(SpawnError::Execute(error)) => (Ended::not_started(error), None),
            Err(SpawnError::Filter(error)) => match Child::start(request, place, None) {
                Ok(mut child) => (run(&mut child), Some(error)),
                Err(SpawnError::Execute(error) | SpawnError::Filter(error)) => {
                    (Ended::not_started(error), None)
                }
            },
        };
        let _ = rustix::io::write(&stop, &1u64.to_ne_bytes());
        ran
    });
    let (mut ended, refused) = match ran {
        Ok(ran) => ran,
        Err(error) => return Ended::not_started(error),
    };
    ended.observed = match (observed, refused) {
        (_, Some(error)) => Observed::nothing(format!("the kernel takes no filter here: {error}")),
        (Some(observed), None) => observed,
        (None, None) => Observed::nothing("the observer did not start"),
    };
    ended
}

impl Child {
    fn start(
        request: &Request<'_>,
        place: &Path,
        filter: Option<(&[libc::sock_filter], BorrowedFd<'_>)>,
    ) -> Result<Child, SpawnError> {
        let failed = |error: rustix::io::Errno| SpawnError::Execute(error.into());
        let pipe = || pipe_with(PipeFlags::CLOEXEC).map_err(failed);
        let (out, out_theirs) = pipe()?;
        let (err, err_theirs) = pipe()?;
        let (stdin_theirs, stdin) = match request.stdin {
            Some(_) => pipe().map(|(read, write)| (read, Some(write)))?,
            None => {
                let null = File::open("/dev/null").map_err(SpawnError::Execute)?;
                (OwnedFd::from(null), None)
            }
        };
        let started = Instant::now();
        let pid = spawn::spawn(&Start {
            program: place,
            argv: request.argv,
            env: request.env,
            cwd: request.cwd,
            stdio: [stdin_theirs.as_fd(), out_theirs.as_fd(), err_theirs.as_fd()],
            filter,
        })?;
        Ok(Child {
            pid,
            started,
            stdin: stdin.map(File::from),
            stdout: Some(out.into()),
            stderr: Some(err.into()),
            over: pidfd_open(pid, PidfdFlags::empty()).ok(),
            leads: true,
        })
    }
}

/// The program's file. Found here, for to search the child's own PATH the standard library would have to
/// fork, which costs time in proportion to our memory; with a path it spawns.
fn resolve(program: &OsStr, request: &Request<'_>) -> Option<PathBuf> {
    if program.as_bytes().contains(&b'/') {
        return Some(request.cwd.join(program));
    }
    let path = request
        .env
        .iter()
        .find(|(name, _)| name == "PATH")
        .map_or(OsStr::new(PATH), |(_, path)| path);
    let directories = path.as_bytes().split(|&byte| byte == b':');
    let mut found =
        directories.map(|directory| request.cwd.join(OsStr::from_bytes(directory)).join(program));
    found.find(|place| {
        place
            .metadata()
            .is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
    })
}

/// Standard input goes in from a thread of its own: a child that never reads must not hold us up.
fn feed(child: &mut Child, bytes: Option<&[u8]>) {
    if let (Some(mut stdin), Some(bytes)) = (child.stdin.take(), bytes) {
        let bytes = bytes.to_vec();
        std::thread::spawn(move || {
            // A child that does not read its input is free not to.
            let _ = io::Write::write_all(&mut stdin, &bytes);
        });
    }
}
