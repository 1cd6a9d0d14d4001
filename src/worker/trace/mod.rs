//! Seeing what a process tree does with paths: a seccomp filter stops the calls of interest in the kernel
//! (`filter`), a thread here notes each (`tracee` reads what it names) and lets it go on.
//!
//! Nothing is decided or refused, and what a call gives is not awaited: a path set is the paths that were
//! used, and what lies there is looked at by whoever folds them. Works without privileges, for every program
//! however it is linked, across exec and fork; it cannot be left. Source: seccomp_unotify(2). Knows
//! nothing of projects.

mod filter;
mod listener;
mod pages;
mod place;
mod request;
mod tracee;

use std::ffi::OsStr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::{Duration, Instant};

use rustc_hash::FxHashMap;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

pub use filter::program;
pub use listener::cannot;
pub use pages::Pages;
pub use place::{is_environment, stamp};
pub use request::{Lasting, Trace};

use self::filter::{Call, Flags, Follow};
use self::listener::{answer, end, receive, wake_together};
use self::pages::{Homes, Page};
use self::place::{is_packages, now, packages_in, real, shebang};
use self::tracee::{Here, Tracee, is_theirs};
use super::observed::{Kind, Observed, Stamp, Uses};
use crate::ways::Ways;

/// How long what a node left behind is waited for after it was killed.
const STRAGGLERS: Duration = Duration::from_millis(500);
/// A file changed within this time before it was first seen might be changed again without a trace in its
/// stamp: kernel clocks tick every 1 to 10 ms, network file systems' coarser.
const TICK: i128 = 20_000_000;
/// Below this name, which nothing can ever have, a language runtime tells what it looks for (see
/// `python/observe.py`): `/proc/jalon/module/DIRECTORY/NAME`, `/proc/jalon/distribution/DIRECTORY/NAME`, `/proc/jalon/find` before it lists a directory for that,
/// `/proc/jalon/start` once it has started, `/proc/jalon/variable/NAME` if the project asks for one,
/// `/proc/jalon/node` and `session` where what one execution does begins and ends, and `/proc/jalon/dynamic` if it found code that nothing names.
pub const WORD: &[u8] = b"/proc/jalon/";

/// Notes what happens on a listener until nobody is left who could be heard. Once `stop` is readable, what
/// still runs is a straggler, and is killed when it is met.
pub fn watch(trace: &Trace<'_>, listener: &OwnedFd, stop: BorrowedFd<'_>) -> Observed {
    let mut watch = Watch::new(trace, None);
    wake_together(listener);
    watch.follow(listener, stop);
    watch.page.close()
}

/// The same for a process that does the work of several, each in a process that it forks: what each of them
/// does is noted on a page of its own, for which `pages` is asked. The rest is the last page.
pub fn watch_each(
    trace: &Trace<'_>,
    listener: &OwnedFd,
    stop: BorrowedFd<'_>,
    pages: &Pages,
) -> Observed {
    let mut watch = Watch::new(trace, Some(Homes::new(pages)));
    wake_together(listener);
    watch.follow(listener, stop);
    watch.turn_to(0);
    watch.page.close()
}

struct Watch<'a> {
    trace: &'a Trace<'a>,
    /// Where what is seen now is noted.
    page: Page,
    /// Whose pages there are, where there are several.
    homes: Option<Homes<'a>>,
    /// Directories that are named like those of packages, and whether they are.
    packages: FxHashMap<Vec<u8>, bool>,
    /// The call at hand is to fail.
    refused: bool,
    /// Where directories really are.
    ways: Ways,
    here: Here,
    /// The path at hand; one buffer for all.
    path: Vec<u8>,
    /// What lies there, where it was looked at for the call at hand.
    looked: Option<Option<Stamp>>,
    stopped: Option<Instant>,
}

impl<'a> Watch<'a> {
    fn new(trace: &'a Trace<'a>, homes: Option<Homes<'a>>) -> Self {
        Watch {
            trace,
            page: Page::default(),
            homes,
            packages: FxHashMap::default(),
            refused: false,
            ways: Ways::default(),
            here: Here::default(),
            path: Vec::new(),
            looked: None,
            stopped: None,
        }
    }
}

impl Watch<'_> {
    fn follow(&mut self, listener: &OwnedFd, stop: BorrowedFd<'_>) {
        loop {
            self.asked();
            let pages = self.homes.as_ref().map(|homes| homes.asked());
            let mut fds = [
                PollFd::from_borrowed_fd(listener.as_fd(), PollFlags::IN),
                PollFd::from_borrowed_fd(stop, PollFlags::IN),
                PollFd::from_borrowed_fd(pages.unwrap_or(stop), PollFlags::IN),
            ];
            let (fds, wait) = match self.stopped {
                None => (&mut fds[..], None),
                Some(since) => {
                    let left = STRAGGLERS.saturating_sub(since.elapsed());
                    if left.is_zero() {
                        return self.gap("processes that it left behind are still running");
                    }
                    (&mut fds[..1], Some(left))
                }
            };
            let wait = wait.map(|wait| Timespec {
                tv_sec: wait.as_secs() as i64,
                tv_nsec: i64::from(wait.subsec_nanos()),
            });
            match poll(fds, wait.as_ref()) {
                Ok(_) => {}
                Err(rustix::io::Errno::INTR) => continue,
                Err(error) => {
                    return self.gap(&format!("its calls could not be waited for: {error}"));
                }
            }
            let ready = fds[0].revents();
            if ready.contains(PollFlags::IN) {
                if let Some(call) = receive(listener.as_raw_fd()) {
                    self.refused = false;
                    self.turn(call.pid);
                    self.see(&call);
                    if self.stopped.is_some() {
                        end(call.pid);
                    }
                    answer(listener.as_raw_fd(), call.id, self.refused);
                }
            } else if !ready.is_empty() {
                return;
            }
            if self.stopped.is_none() && fds.get(1).is_some_and(|stop| !stop.revents().is_empty()) {
                self.stopped = Some(Instant::now());
            }
        }
    }

    fn gap(&mut self, why: &str) {
        self.page.gap(why);
    }

    /// Turns to the page of whoever made a call.
    fn turn(&mut self, thread: u32) {
        if let Some(homes) = &mut self.homes {
            let owner = homes.owner(thread);
            self.turn_to(owner);
        }
    }

    fn turn_to(&mut self, owner: u32) {
        if let Some(homes) = &mut self.homes {
            homes.turn(&mut self.page, owner);
        }
    }

    /// A process begins a page of its own, or ends it.
    fn page_of(&mut self, thread: u32, begins: bool) {
        // Between nodes the project is put in order by others.
        self.ways.forget();
        if let Some(homes) = &mut self.homes {
            homes.mark(thread, begins);
        }
    }

    /// Hands out the pages that are asked for.
    fn asked(&mut self) {
        if let Some(homes) = &mut self.homes {
            homes.answer(&mut self.page);
        }
    }

    fn see(&mut self, seen: &libc::seccomp_notif) {
        if seen.data.arch != filter::ARCHITECTURE {
            return self.gap("it ran a program of another architecture");
        }
        let Some(call) = filter::call(seen.data.nr) else {
            return self.gap("it made a system call that is not known");
        };
        let tracee = Tracee { thread: seen.pid };
        let arguments = seen.data.args;
        if call.leads_elsewhere() {
            self.ways.forget();
        }
        match call {
            Call::Socket => {
                let family = arguments[0] as i32;
                self.page.network |= family == libc::AF_INET || family == libc::AF_INET6;
            }
            Call::Step(path) => {
                if let Some(path) = path {
                    self.named(tracee, &arguments, None, path, Uses::STAT);
                }
                self.here.leave();
            }
            Call::Elsewhere => {
                self.here.leave();
                self.gap("it changed its root, mounts or namespaces");
            }
            Call::Move(directories, paths, stays) => {
                let mut made = true;
                for at in 0..2 {
                    let uses = match (at, stays) {
                        (0, true) => Uses::READ,
                        (0, false) => Uses::READ.and(Uses::REMOVE),
                        _ if made => Uses::WRITE,
                        // What was there before it is no more its own under another name.
                        _ => Uses::CHANGE,
                    };
                    if self.name(tracee, &arguments, directories[at], paths[at]) {
                        if self.here.is_below(&self.path) {
                            self.here.leave();
                        }
                        made = stays || (at == 0 && self.is_made());
                        self.used(uses);
                    }
                }
            }
            Call::Open(directory, path, flags) => {
                let flags = match flags {
                    Flags::Argument(at) => arguments[at as usize] as i32,
                    Flags::Always(flags) => flags,
                    Flags::Behind(at) => tracee.word(arguments[at as usize]).unwrap_or(0) as i32,
                };
                if self.name(tracee, &arguments, directory, path) {
                    self.opened(tracee, flags);
                }
            }
            Call::Stat(directory, path, follow) => {
                let no_follow = match follow {
                    Follow::Always => false,
                    Follow::Never => true,
                    Follow::Unless(at) => {
                        arguments[at as usize] as i32 & libc::AT_SYMLINK_NOFOLLOW != 0
                    }
                };
                let uses = if no_follow { Uses::LINK } else { Uses::STAT };
                self.named(tracee, &arguments, directory, path, uses);
            }
            Call::Access(directory, path) => {
                self.named(tracee, &arguments, directory, path, Uses::ACCESS)
            }
            Call::Link(directory, path) => {
                self.named(tracee, &arguments, directory, path, Uses::LINK)
            }
            Call::Execute(directory, path) => {
                self.named(tracee, &arguments, directory, path, Uses::EXECUTE)
            }
            Call::Write(directory, path) => {
                self.named(tracee, &arguments, directory, path, Uses::WRITE)
            }
            Call::Change(directory, path) => {
                self.named(tracee, &arguments, directory, path, Uses::CHANGE)
            }
            Call::MakeDirectory(directory, path) => {
                if self.name(tracee, &arguments, directory, path) {
                    let absent = self.is_absent();
                    self.used(if absent { Uses::WRITE } else { Uses::STAT });
                }
            }
            Call::Remove(directory, path) => {
                if self.name(tracee, &arguments, directory, path) {
                    let absent = self.is_absent();
                    self.used(if absent { Uses::STAT } else { Uses::REMOVE });
                }
            }
        }
    }

    fn named(
        &mut self,
        tracee: Tracee,
        arguments: &[u64; 6],
        directory: Option<u8>,
        path: u8,
        uses: Uses,
    ) {
        if self.name(tracee, arguments, directory, path) {
            self.used(uses);
        }
    }

    /// Reads the path that a call names into [`Watch::path`]; `false` where there is none to note.
    fn name(
        &mut self,
        tracee: Tracee,
        arguments: &[u64; 6],
        directory: Option<u8>,
        path: u8,
    ) -> bool {
        self.looked = None;
        let address = arguments[path as usize];
        if address == 0 {
            return false;
        }
        let directory = directory.map(|at| arguments[at as usize] as i32);
        let mut buffer = std::mem::take(&mut self.path);
        let mut walked = Vec::new();
        let read = tracee.text(address, &mut buffer);
        // Nothing is named by an empty path; what a descriptor stands for was noted when it was opened.
        let found = read.and_then(|()| match buffer.is_empty() {
            true => Ok(false),
            false => tracee
                .absolute(directory, &mut self.here, &mut buffer, &mut walked)
                .map(|()| true),
        });
        for passed in walked {
            self.links(&passed);
        }
        self.path = buffer;
        match found {
            Ok(found) => found && !self.word(tracee.thread),
            // Addresses and descriptors that the kernel will refuse too, or a process that was just killed.
            Err(error) if is_theirs(&error) => false,
            Err(error) => {
                self.gap(&format!("what it named could not be read: {error}"));
                false
            }
        }
    }

    /// Takes what a language runtime tells.
    fn word(&mut self, thread: u32) -> bool {
        let Some(word) = self.path.strip_prefix(WORD) else {
            return false;
        };
        if word == b"node" || word == b"session" {
            let begins = word == b"node";
            self.page_of(thread, begins);
        } else {
            self.page.told(thread, word);
        }
        true
    }

    fn opened(&mut self, tracee: Tracee, flags: i32) {
        if flags & libc::O_PATH != 0 {
            return self.used(Uses::STAT);
        }
        if flags & libc::O_TMPFILE == libc::O_TMPFILE {
            return;
        }
        if self.is_of_system(tracee.thread) {
            // How it is opened is of no interest, and to find that out takes looks.
            self.page.system += 1;
            return;
        }
        let writes = flags & libc::O_ACCMODE != libc::O_RDONLY;
        let reads = flags & libc::O_ACCMODE != libc::O_WRONLY;
        let creates = flags & libc::O_CREAT != 0;
        if flags & libc::O_DIRECTORY != 0 || (!writes && self.is_directory()) {
            if self.page.finding.remove(&tracee.thread) {
                return self.used(Uses::FIND);
            }
            let starts = !self.page.started.contains(&tracee.thread);
            if starts && is_packages(&self.path) && self.is_distributed() {
                // Until it says what it is, it may be a runtime that looks what there is to start with.
                self.page.notebook.enter(&self.path, None);
                let listed = self.page.starting.entry(tracee.thread).or_default();
                return listed.push(self.path.clone());
            }
            return self.used(Uses::LIST);
        }
        if !writes && !creates {
            return self.used(Uses::READ);
        }
        let absent = self.is_absent();
        let fresh = flags & libc::O_TRUNC != 0 || (creates && flags & libc::O_EXCL != 0);
        // What is made so is a file: no way to elsewhere.
        self.used(match (writes, creates, absent) {
            (false, _, false) => Uses::READ,
            (false, _, true) => Uses::WRITE,
            (true, false, true) => Uses::STAT,
            (true, true, true) => Uses::WRITE,
            (true, _, false) if fresh => Uses::WRITE,
            (true, _, false) if reads => Uses::READ.and(Uses::CHANGE),
            // Written in part or at the end: what was there stays, and is not learnt from.
            (true, _, false) => Uses::CHANGE,
        });
    }

    /// Whether nothing will be noted of the path at hand but that some path of the system was used.
    fn is_of_system(&mut self, thread: u32) -> bool {
        !self.page.finding.contains(&thread)
            && self.page.notebook.known(&self.path).is_none()
            && self.is_system()
    }

    /// Whether the path at hand, or a directory it lies in, was made by the execution.
    fn is_made(&self) -> bool {
        let path = Path::new(OsStr::from_bytes(&self.path));
        path.ancestors().any(|above| {
            let known = self.page.notebook.known(above.as_os_str().as_bytes());
            known.is_some_and(|known| known.made_at.is_some())
        })
    }

    fn is_absent(&mut self) -> bool {
        match self.page.notebook.known(&self.path) {
            // Looked at again: it may have been made or taken away since.
            Some(_) => stamp(&self.path).is_none(),
            None => self.enter().is_none(),
        }
    }

    fn is_directory(&mut self) -> bool {
        let first = match self.page.notebook.known(&self.path) {
            Some(known) if known.stamped && known.first.is_some() => known.first,
            Some(_) => stamp(&self.path),
            None => self.enter(),
        };
        first.is_some_and(|stamp| stamp.kind == Kind::Directory)
    }

    /// Enters the path at hand with what lies there now.
    fn enter(&mut self) -> Option<Stamp> {
        let found = stamp(&self.path);
        self.looked = Some(found);
        if !self.is_system() {
            self.page.notebook.enter(&self.path, Some(found));
        }
        found
    }

    /// Files of a language's package directories are noted wherever they lie, and stand for their package.
    fn is_distributed(&mut self) -> bool {
        let Some(end) = packages_in(&self.path) else {
            return false;
        };
        if let Some(known) = self.packages.get(&self.path[..end]) {
            return *known;
        }
        let place = self.path[..end].to_vec();
        let is = is_environment(Path::new(OsStr::from_bytes(&place)));
        self.packages.insert(place, is);
        is
    }

    fn is_system(&mut self) -> bool {
        let (trace, path) = (self.trace, &self.path);
        let below = |directory: &Vec<u8>| path.starts_with(directory);
        trace.system.iter().any(below) && !trace.ours.iter().any(below) && !self.is_distributed()
    }

    /// Whether the path at hand may be used so.
    fn admitted(&mut self, uses: Uses) -> bool {
        if !uses.any(Uses::READ.and(Uses::STAT).and(Uses::EXECUTE)) {
            return true;
        }
        let Some(known) = self.page.notebook.known(&self.path) else {
            return true;
        };
        let path = Path::new(OsStr::from_bytes(&self.path));
        match known.first {
            Some(found) if known.made_at.is_none() => self.trace.look.admits(path, &found),
            _ => true,
        }
    }

    /// Notes the use of the path at hand.
    ///
    /// A path that leads through links is used under its real name too, and so are the links: what they lead to
    /// may change, and what the execution linked itself is not therefore its own.
    fn used(&mut self, uses: Uses) {
        if !self.note(uses) {
            return;
        }
        let link = self
            .looked
            .is_none_or(|found| found.is_some_and(|found| found.link));
        let Some(real) = real(&self.path, uses, link, &mut self.ways) else {
            return;
        };
        let named = std::mem::replace(&mut self.path, real);
        self.looked = None;
        self.note(uses);
        self.links(&named);
        self.path = named;
    }

    /// Notes the links of the project on the way to a path.
    fn links(&mut self, path: &[u8]) {
        let Some(root) = self.trace.ours.first() else {
            return;
        };
        for above in Path::new(OsStr::from_bytes(path)).ancestors() {
            if !above.as_os_str().as_bytes().starts_with(root) {
                return;
            }
            if above.is_symlink() {
                self.path = above.as_os_str().as_bytes().to_vec();
                self.note(Uses::LINK);
            }
        }
    }

    /// Notes the use of the path at hand by this name; whether that was something new, and no system's path.
    fn note(&mut self, uses: Uses) -> bool {
        if let Some(known) = self.page.notebook.known(&self.path) {
            if known.refused {
                self.refused = true;
                return false;
            }
            // Order counts where it was made, and is told only by noting it.
            if known.uses.has(uses) && (known.learnt_at.is_some() || !uses.learns()) {
                return false;
            }
        } else if self.is_distributed() {
            self.page.notebook.enter(&self.path, None);
        } else if self.is_system() {
            self.page.system += 1;
            if !uses.has(Uses::EXECUTE) {
                return false;
            }
            self.page.notebook.enter(&self.path, None);
        } else {
            self.enter();
        }
        if !self.admitted(uses) {
            self.refused = true;
            self.page.notebook.enter(&self.path, None).refused = true;
            return false;
        }
        self.page.notebook.note(&self.path, uses);
        self.mark(uses);
        if uses.has(Uses::EXECUTE) {
            self.interpreter();
        }
        self.page
            .notebook
            .known(&self.path)
            .is_some_and(|known| known.stamped)
    }

    /// Takes a digest where a stamp would not tell a change.
    fn mark(&mut self, uses: Uses) {
        let Some(known) = self.page.notebook.known(&self.path) else {
            return;
        };
        let Some(first) = known.first.filter(|_| known.mark.is_none()) else {
            return;
        };
        let names = uses.any(Uses::LIST.and(Uses::FIND));
        let young = uses.any(Uses::READ.and(Uses::EXECUTE)) && now() - first.ctime < TICK;
        if (names || young) && known.made_at.is_none() {
            let mark = self
                .trace
                .look
                .mark(Path::new(OsStr::from_bytes(&self.path)), names);
            self.page.notebook.enter(&self.path, None).mark = mark;
        }
    }

    /// The kernel opens what a script names in its first line without a call that a filter sees.
    fn interpreter(&mut self) {
        let Some(program) = shebang(&self.path) else {
            return;
        };
        let script = std::mem::replace(&mut self.path, program);
        self.used(Uses::EXECUTE);
        self.path = script;
    }
}
