//! A process that loads what many executions share, once, and forks one for each (`python/jalon_kedro/serve.py`).
//!
//! It is spoken with over a socket that is its standard input: JSON with its length before it, descriptors with
//! the first byte. Answers to what runs go to whoever waits for them, all others to whoever leads the
//! conversation. Knows nothing of what is loaded.

use std::fs::File;
use std::io::{self, IoSlice, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustc_hash::FxHashMap;
use rustix::event::{EventfdFlags, eventfd};
use rustix::net::{
    AddressFamily, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags, SocketType,
    sendmsg, socketpair,
};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::Value as Json;

use super::attend::{Cancel, Child, Ended, How, Request, attend};
use super::lifeline::Lifeline;
use super::observed::Observed;
use super::spawn::{self, SpawnError, Start};
use super::trace::{self, Lasting, Pages};
use super::transcript::Transcript;
use super::wire::{self, About};

/// How often it is looked whether the run was stopped, while an answer is awaited.
const LOOK: Duration = Duration::from_millis(50);

/// What to start.
pub struct Load<'a> {
    /// The interpreter.
    pub program: &'a Path,
    /// All arguments, the program's name first.
    pub argv: &'a [std::ffi::OsString],
    /// The whole environment.
    pub env: &'a [(std::ffi::OsString, std::ffi::OsString)],
    /// Where.
    pub cwd: &'a Path,
    /// What it prints goes there.
    pub log: &'a Path,
    /// What is to be noted of it.
    pub trace: &'a Lasting,
}

/// A running session. Dropped, it is killed.
#[derive(Debug)]
pub struct Session {
    pid: Pid,
    channel: Mutex<UnixStream>,
    waiting: Arc<Mutex<Waiting>>,
    answers: Mutex<Receiver<Json>>,
    pages: Option<Arc<Pages>>,
    untraced: Option<String>,
    stop: OwnedFd,
    log: PathBuf,
    next: AtomicU64,
}

#[derive(Debug, Default)]
struct Waiting {
    runs: FxHashMap<u64, (Sender<Json>, Arc<OwnedFd>)>,
    dead: bool,
}

/// Why it does not answer.
#[derive(Debug)]
pub enum SessionError {
    /// It could not be started.
    NotStarted(io::Error),
    /// It ended without an answer; what it printed last.
    Ended(String),
    /// The run was stopped.
    Cancelled,
}

impl Session {
    /// Starts it. The first answer is awaited with [`Session::answer`].
    ///
    /// # Errors
    /// See [`SessionError::NotStarted`].
    pub fn start(load: &Load<'_>) -> Result<Session, SessionError> {
        let failed = SessionError::NotStarted;
        let pair = || {
            socketpair(
                AddressFamily::UNIX,
                SocketType::STREAM,
                SocketFlags::CLOEXEC,
                None,
            )
        };
        let (ours, theirs) = pair().map_err(|error| failed(error.into()))?;
        let (listen, send) = pair().map_err(|error| failed(error.into()))?;
        let stop = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK);
        let stop = stop.map_err(|error| failed(error.into()))?;
        let log = File::create(load.log).map_err(failed)?;
        let cannot = trace::cannot();
        let filter = trace::program();
        let pages = match cannot {
            None => Some(Arc::new(Pages::new().map_err(failed)?)),
            Some(_) => None,
        };
        if let Some(pages) = &pages {
            let stop = stop.try_clone().map_err(failed)?;
            observe(load.trace.clone(), listen, stop, pages.clone());
        }
        let start = |filter| {
            spawn::spawn(&Start {
                program: load.program,
                argv: load.argv,
                env: load.env,
                cwd: load.cwd,
                stdio: [theirs.as_fd(), log.as_fd(), log.as_fd()],
                filter,
            })
        };
        let mut untraced = cannot;
        let started = match &pages {
            Some(_) => start(Some((&filter[..], send.as_fd()))),
            None => start(None),
        };
        let pid = match started {
            Err(SpawnError::Filter(error)) if pages.is_some() => {
                untraced = Some(format!("the kernel takes no filter here: {error}"));
                start(None)
            }
            other => other,
        };
        let pid = pid.map_err(|error| match error {
            SpawnError::Execute(error) | SpawnError::Filter(error) => failed(error),
        })?;
        drop(theirs);
        drop(send);
        let socket = UnixStream::from(ours);
        let reading = socket.try_clone().map_err(failed)?;
        let waiting: Arc<Mutex<Waiting>> = Arc::default();
        let (sender, answers) = channel();
        let dispatch = waiting.clone();
        std::thread::spawn(move || read_all(reading, &dispatch, &sender));
        Ok(Session {
            pid,
            channel: Mutex::new(socket),
            waiting,
            answers: Mutex::new(answers),
            pages: pages.filter(|_| untraced.is_none()),
            untraced,
            stop,
            log: load.log.to_owned(),
            next: AtomicU64::new(1),
        })
    }

    /// Says something that is no run.
    ///
    /// # Errors
    /// It has ended.
    pub fn tell(&self, message: &Json) -> Result<(), SessionError> {
        self.send(message, &[])
    }

    /// The next answer that is no run's.
    ///
    /// # Errors
    /// It ended, or the run was stopped.
    pub fn answer(&self, cancelled: &dyn Fn() -> bool) -> Result<Json, SessionError> {
        let answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            match answers.recv_timeout(LOOK) {
                Ok(answer) => return Ok(answer),
                Err(RecvTimeoutError::Timeout) if cancelled() => {
                    return Err(SessionError::Cancelled);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Err(self.ended()),
            }
        }
    }

    /// What was noted while it loaded, so far; what is noted later is another page.
    pub fn loaded(&self) -> Observed {
        self.taken(0)
    }

    fn taken(&self, owner: u32) -> Observed {
        match &self.pages {
            Some(pages) => pages.take(owner),
            None => Observed::nothing(
                self.untraced
                    .clone()
                    .unwrap_or_else(|| "it was not asked for".to_owned()),
            ),
        }
    }

    /// Has a message executed in a process that is forked for it, and attends to that to its end.
    pub fn execute(
        &self,
        mut message: Json,
        request: &Request<'_>,
        cancel: &Cancel,
        lifeline: Option<&Lifeline>,
        transcript: &mut Transcript,
        live: &mut dyn FnMut(u8, &[u8]),
    ) -> Ended {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        message["run"] = id.into();
        let started = Instant::now();
        match self.fork(id, &message, cancel) {
            Err(SessionError::Cancelled) => Ended {
                how: How::Cancelled,
                ..Ended::not_started(io::ErrorKind::Interrupted.into())
            },
            Err(SessionError::NotStarted(error)) => Ended::not_started(error),
            Err(SessionError::Ended(last)) => Ended::not_started(io::Error::other(last)),
            Ok((mut child, answers)) => {
                child.started = started;
                let mut lost = false;
                let reap = |_: &Child| {
                    let told = answers.recv().ok();
                    lost = told.is_none();
                    wire::reaped(told.as_ref())
                };
                let mut ended = attend(
                    request, &mut child, cancel, lifeline, transcript, live, reap,
                );
                if lost
                    && !matches!(ended.how, How::Cancelled | How::TimedOut)
                    && let SessionError::Ended(last) = self.ended()
                {
                    ended.how = How::NotStarted(io::Error::other(last));
                }
                ended.observed = self.taken(child.pid.as_raw_nonzero().get() as u32);
                ended
            }
        }
    }

    fn fork(
        &self,
        id: u64,
        message: &Json,
        cancel: &Cancel,
    ) -> Result<(Child, Receiver<Json>), SessionError> {
        let failed = |error: rustix::io::Errno| SessionError::NotStarted(error.into());
        let pipe = || pipe_with(PipeFlags::CLOEXEC).map_err(failed);
        let (out, out_theirs) = pipe()?;
        let (err, err_theirs) = pipe()?;
        let over = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK).map_err(failed)?;
        let over_here = over.try_clone().map_err(SessionError::NotStarted)?;
        let (sender, answers) = channel();
        {
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            if waiting.dead {
                return Err(self.ended());
            }
            waiting.runs.insert(id, (sender, Arc::new(over)));
        }
        self.send(message, &[out_theirs.as_fd(), err_theirs.as_fd()])?;
        drop((out_theirs, err_theirs));
        let forked = loop {
            match answers.recv_timeout(LOOK) {
                Ok(answer) => break answer,
                Err(RecvTimeoutError::Timeout) if cancel.raised() => {
                    return Err(SessionError::Cancelled);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Err(self.ended()),
            }
        };
        let pid = wire::forked(&forked).ok_or_else(|| self.ended())?;
        let child = Child {
            pid,
            started: Instant::now(),
            stdin: None,
            stdout: Some(out.into()),
            stderr: Some(err.into()),
            over: Some(over_here),
            leads: pid != self.pid,
        };
        Ok((child, answers))
    }

    fn send(&self, message: &Json, descriptors: &[BorrowedFd<'_>]) -> Result<(), SessionError> {
        let body = message.to_string();
        let length = (body.len() as u32).to_be_bytes();
        let mut channel = self.channel.lock().unwrap_or_else(PoisonError::into_inner);
        let sent = with_descriptors(&channel, &length, descriptors)
            .and_then(|()| channel.write_all(body.as_bytes()));
        sent.map_err(|_| self.ended())
    }

    fn ended(&self) -> SessionError {
        let text = std::fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let last: Vec<&str> = text.lines().rev().take(20).collect();
        let last: Vec<&str> = last.into_iter().rev().collect();
        SessionError::Ended(match last.is_empty() {
            true => "the process that has the project loaded ended without a word".to_owned(),
            false => format!(
                "the process that has the project loaded ended; it printed last:\n{}",
                last.join("\n")
            ),
        })
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // Its end of the channel tells it, if it still listens; what does not is killed.
        let channel = self.channel.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = channel.shutdown(std::net::Shutdown::Both);
        let _ = kill_process_group(self.pid, Signal::KILL);
        let _ = rustix::process::waitpid(Some(self.pid), rustix::process::WaitOptions::empty());
        let _ = rustix::io::write(&self.stop, &1u64.to_ne_bytes());
    }
}

/// Notes what the session and all that it forks do, from a thread of its own.
fn observe(what: Lasting, listen: OwnedFd, stop: OwnedFd, pages: Arc<Pages>) {
    std::thread::spawn(move || {
        if let Some(listener) = spawn::receive(listen.as_fd()) {
            trace::watch_each(&what.trace(), &listener, stop.as_fd(), &pages);
        }
    });
}

/// Hands each message to whoever waits for it, until there are no more.
fn read_all(mut from: UnixStream, waiting: &Mutex<Waiting>, answers: &Sender<Json>) {
    // With what is no message it has had its say.
    while let Ok(Some(message)) = wire::read(&mut from) {
        let (run, is_over) = match wire::about(&message) {
            About::Run { run, over } => (run, over),
            About::All => {
                if answers.send(message).is_err() {
                    return;
                }
                continue;
            }
        };
        let mut waiting = waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((to, over)) = waiting.runs.get(&run) {
            let _ = to.send(message);
            if is_over {
                let _ = rustix::io::write(&**over, &1u64.to_ne_bytes());
                waiting.runs.remove(&run);
            }
        }
    }
    let mut waiting = waiting.lock().unwrap_or_else(PoisonError::into_inner);
    waiting.dead = true;
    for (_, (_, over)) in waiting.runs.drain() {
        let _ = rustix::io::write(&*over, &1u64.to_ne_bytes());
    }
}

/// Writes a message's length, and descriptors with its first byte.
fn with_descriptors(
    to: &UnixStream,
    length: &[u8; 4],
    descriptors: &[BorrowedFd<'_>],
) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !descriptors.is_empty() {
        ancillary.push(SendAncillaryMessage::ScmRights(descriptors));
    }
    let sent = sendmsg(
        to,
        &[IoSlice::new(length)],
        &mut ancillary,
        SendFlags::NOSIGNAL,
    )?;
    let mut to = to;
    to.write_all(&length[sent..])
}
