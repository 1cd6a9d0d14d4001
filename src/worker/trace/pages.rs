//! Whose sightings are whose, where one process loads what several executions share and forks one for each.
//!
//! A process that says `/proc/jalon/node` begins a page; it and all that descends from it is noted there. It is
//! what adopts the orphans among its descendants (`PR_SET_CHILD_SUBREAPER`), so that the way up from any of them leads to it
//! as long as it lives. Whoever is on the way to nobody is the loading process, whose page has the number 0. Knows nothing of what
//! is noted.

use std::ffi::OsStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rustc_hash::{FxHashMap, FxHashSet};
use rustix::event::{EventfdFlags, eventfd};

use crate::worker::observed::{Extent, Notebook, Observed, Uses};

/// How long the observer is waited for.
const PATIENCE: Duration = Duration::from_secs(10);
/// Processes between one and its ancestor.
const DEEPEST: u32 = 1000;

/// What is noted of one execution.
#[derive(Default)]
pub(super) struct Page {
    pub notebook: Notebook,
    /// Threads whose next listing looks for modules.
    pub finding: FxHashSet<u32>,
    /// Threads of runtimes that have started.
    pub started: FxHashSet<u32>,
    /// Package directories that a thread listed, as long as it may be a runtime that starts.
    pub starting: FxHashMap<u32, Vec<Vec<u8>>>,
    pub modules: Vec<PathBuf>,
    pub distributions: Vec<PathBuf>,
    pub variables: Vec<Vec<u8>>,
    pub dynamic: bool,
    pub network: bool,
    pub system: u64,
    pub gaps: Vec<String>,
}

impl Page {
    pub fn gap(&mut self, why: &str) {
        if !self.gaps.iter().any(|known| known == why) {
            self.gaps.push(why.to_owned());
        }
    }

    /// Takes what a language runtime tells (see [`super::WORD`]).
    pub fn told(&mut self, thread: u32, word: &[u8]) {
        if let Some(module) = word.strip_prefix(b"module") {
            self.modules.push(OsStr::from_bytes(module).into());
        } else if let Some(asked) = word.strip_prefix(b"distribution") {
            self.distributions.push(OsStr::from_bytes(asked).into());
        } else if let Some(name) = word.strip_prefix(b"variable/") {
            self.variables.push(name.to_vec());
        } else if word == b"dynamic" {
            self.dynamic = true;
        } else if word == b"find" {
            self.finding.insert(thread);
        } else if word == b"start" {
            self.started.insert(thread);
            for listed in self.starting.remove(&thread).unwrap_or_default() {
                self.notebook.note(&listed, Uses::START);
            }
        }
    }

    /// Everything on it.
    pub fn close(mut self) -> Observed {
        for listed in std::mem::take(&mut self.starting).into_values().flatten() {
            self.notebook.note(&listed, Uses::LIST);
        }
        Observed {
            extent: if self.gaps.is_empty() {
                Extent::Full
            } else {
                Extent::Partial(self.gaps)
            },
            sightings: self.notebook.close(),
            modules: self.modules,
            distributions: self.distributions,
            variables: self.variables,
            dynamic: self.dynamic,
            network: self.network,
            system: self.system,
        }
    }
}

/// Where pages are asked for, from other threads than the observer's.
#[derive(Debug)]
pub struct Pages {
    wanted: Mutex<Vec<(u32, Sender<Observed>)>>,
    wake: OwnedFd,
}

impl Pages {
    /// Nobody has asked yet.
    ///
    /// # Errors
    /// No descriptor to be had.
    pub fn new() -> std::io::Result<Pages> {
        Ok(Pages {
            wanted: Mutex::default(),
            wake: eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?,
        })
    }

    /// What was noted of a process that has ended, or of the loading process so far (0).
    pub fn take(&self, owner: u32) -> Observed {
        let (sender, receiver) = channel();
        let mut wanted = self.wanted.lock().unwrap_or_else(PoisonError::into_inner);
        wanted.push((owner, sender));
        drop(wanted);
        let _ = rustix::io::write(&self.wake, &1u64.to_ne_bytes());
        receiver
            .recv_timeout(PATIENCE)
            .unwrap_or_else(|_| Observed::nothing("the observer has ended"))
    }
}

/// The observer's side.
pub(super) struct Homes<'a> {
    pages: &'a Pages,
    /// Pages that are not turned to.
    closed: FxHashMap<u32, Page>,
    owners: FxHashSet<u32>,
    now: u32,
}

impl<'a> Homes<'a> {
    pub fn new(pages: &'a Pages) -> Self {
        Homes {
            pages,
            closed: FxHashMap::default(),
            owners: FxHashSet::default(),
            now: 0,
        }
    }

    /// Readable when a page is asked for.
    pub fn asked(&self) -> BorrowedFd<'a> {
        self.pages.wake.as_fd()
    }

    /// Whose page a thread's doings are noted on.
    pub fn owner(&self, thread: u32) -> u32 {
        if self.owners.is_empty() {
            return 0;
        }
        let mut at = thread;
        for _ in 0..DEEPEST {
            if self.owners.contains(&at) {
                return at;
            }
            let Some((process, parent)) = family(at) else {
                return 0;
            };
            if self.owners.contains(&process) {
                return process;
            }
            if parent <= 1 {
                return 0;
            }
            at = parent;
        }
        0
    }

    /// Turns to a page; the one at hand is put away.
    pub fn turn(&mut self, page: &mut Page, owner: u32) {
        if owner == self.now {
            return;
        }
        let next = self.closed.remove(&owner).unwrap_or_default();
        let before = std::mem::replace(page, next);
        self.closed.insert(self.now, before);
        self.now = owner;
    }

    pub fn mark(&mut self, thread: u32, begins: bool) {
        let process = family(thread).map_or(thread, |(process, _)| process);
        if begins {
            self.owners.insert(process);
        } else {
            self.owners.remove(&process);
        }
    }

    /// Hands out what was asked for.
    pub fn answer(&mut self, page: &mut Page) {
        let mut wanted = self
            .pages
            .wanted
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if wanted.is_empty() {
            return;
        }
        let mut count = [0u8; 8];
        let _ = rustix::io::read(&self.pages.wake, &mut count);
        for (owner, to) in wanted.drain(..) {
            self.owners.remove(&owner);
            let taken = if owner == self.now {
                std::mem::take(page)
            } else {
                self.closed.remove(&owner).unwrap_or_default()
            };
            // Whoever asked may have stopped waiting.
            let _ = to.send(taken.close());
        }
    }
}

/// The process that a thread belongs to, and that one's parent.
fn family(thread: u32) -> Option<(u32, u32)> {
    let status = std::fs::read_to_string(format!("/proc/{thread}/status")).ok()?;
    let number = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim().parse().ok()
    };
    Some((number("Tgid:")?, number("PPid:")?))
}
