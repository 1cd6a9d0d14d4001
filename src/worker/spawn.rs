//! Starting a process without copying ours, with a filter on its system calls where one is asked for.
//!
//! The child shares our memory until it executes (`CLONE_VM | CLONE_VFORK`, as `posix_spawn` does), so the
//! cost does not grow with what we have resident, and it can do what `posix_spawn` has no word for: hand
//! out the listener of a seccomp filter before its first own system call. Knows nothing of nodes.

use std::ffi::{CString, OsStr, OsString, c_int, c_void};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::process::Pid;

/// What to start.
#[derive(Debug)]
pub struct Start<'a> {
    /// The program's file.
    pub program: &'a Path,
    /// Its arguments, the name by which it was called first.
    pub argv: &'a [OsString],
    /// The whole environment.
    pub env: &'a [(OsString, OsString)],
    /// Its working directory.
    pub cwd: &'a Path,
    /// Its standard input, output and error.
    pub stdio: [BorrowedFd<'a>; 3],
    /// A filter program and where its listener is to be sent.
    pub filter: Option<(&'a [libc::sock_filter], BorrowedFd<'a>)>,
}

/// What the child finds in the memory it shares with us. Everything is allocated before it starts.
struct Shared {
    program: CString,
    argv: Vec<*const libc::c_char>,
    env: Vec<*const libc::c_char>,
    cwd: CString,
    stdio: [RawFd; 3],
    filter: *const libc::sock_fprog,
    to: RawFd,
    /// What the child could not do: its error number, and whether that was the filter.
    error: c_int,
    filter_failed: bool,
}

/// Why nothing was started.
#[derive(Debug)]
pub enum SpawnError {
    /// The program cannot be executed.
    Execute(io::Error),
    /// The kernel takes no filter here.
    Filter(io::Error),
}

/// The child's own stack: it does a handful of calls.
const STACK: usize = 64 * 1024;

/// Starts a process that leads a group of its own.
///
/// # Errors
/// See [`SpawnError`]. After [`SpawnError::Filter`] it may be tried without one.
pub fn spawn(start: &Start<'_>) -> Result<Pid, SpawnError> {
    let text = |text: &OsStr| {
        CString::new(text.as_bytes()).map_err(|_| {
            SpawnError::Execute(io::Error::new(
                io::ErrorKind::InvalidInput,
                "a zero byte in an argument or a variable",
            ))
        })
    };
    let argv: Vec<CString> = start
        .argv
        .iter()
        .map(|word| text(word))
        .collect::<Result<_, _>>()?;
    let env: Vec<CString> = start
        .env
        .iter()
        .map(|(name, value)| {
            let mut entry = name.clone();
            entry.push("=");
            entry.push(value);
            text(&entry)
        })
        .collect::<Result<_, _>>()?;
    let pointers = |texts: &[CString]| {
        let ends = std::iter::once(std::ptr::null());
        texts.iter().map(|text| text.as_ptr()).chain(ends).collect()
    };
    let program = start.filter.map(|(filter, _)| libc::sock_fprog {
        len: filter.len() as u16,
        filter: filter.as_ptr().cast_mut(),
    });
    let mut shared = Shared {
        program: text(start.program.as_os_str())?,
        argv: pointers(&argv),
        env: pointers(&env),
        cwd: text(start.cwd.as_os_str())?,
        stdio: start.stdio.map(|fd| fd.as_raw_fd()),
        filter: program
            .as_ref()
            .map_or(std::ptr::null(), std::ptr::from_ref),
        to: start.filter.map_or(-1, |(_, to)| to.as_raw_fd()),
        error: 0,
        filter_failed: false,
    };
    let pid = clone(&mut shared).map_err(SpawnError::Execute)?;
    if shared.error == 0 {
        return Ok(pid);
    }
    let error = io::Error::from_raw_os_error(shared.error);
    let _ = rustix::process::waitpid(Some(pid), rustix::process::WaitOptions::empty());
    Err(if shared.filter_failed {
        SpawnError::Filter(error)
    } else {
        SpawnError::Execute(error)
    })
}

fn clone(shared: &mut Shared) -> io::Result<Pid> {
    let mut stack: Vec<u128> = vec![0; STACK / size_of::<u128>()];
    // SAFETY: one past the end of an allocation, aligned to sixteen bytes as every ABI here wants it.
    let top = unsafe { stack.as_mut_ptr().add(stack.len()) };
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD;
    // SAFETY: all-zero signal sets are valid, and both are written before they are read.
    let (mut all, mut before): (libc::sigset_t, libc::sigset_t) = unsafe { std::mem::zeroed() };
    // SAFETY: signals stay blocked until the child has reset its handlers, so none of ours runs in it. The
    // child runs `child` on a stack of its own while this thread is suspended, and ends by exec or _exit;
    // until then everything that `shared` points to lives in the caller.
    let pid = unsafe {
        libc::sigfillset(&raw mut all);
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const all, &raw mut before);
        let pid = libc::clone(child, top.cast(), flags, std::ptr::from_mut(shared).cast());
        let failure = io::Error::last_os_error();
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const before, std::ptr::null_mut());
        if pid < 0 {
            return Err(failure);
        }
        pid
    };
    Pid::from_raw(pid).ok_or_else(|| io::Error::other("the system gave no process number"))
}

/// Runs in the child, in our memory: system calls only, nothing that allocates or locks.
extern "C" fn child(shared: *mut c_void) -> c_int {
    // SAFETY: `clone` passes a `Shared` that outlives the child's use of it, and our thread is suspended.
    let shared = unsafe { &mut *shared.cast::<Shared>() };
    // SAFETY: raw system calls with valid arguments: pointers into `shared`, descriptors that are open.
    unsafe {
        reset_handlers();
        libc::setpgid(0, 0);
        let mut ok = libc::chdir(shared.cwd.as_ptr()) == 0;
        for (at, fd) in shared.stdio.iter().enumerate() {
            ok = ok && libc::dup2(*fd, at as c_int) >= 0;
        }
        if ok && !shared.filter.is_null() {
            ok = install(shared.filter, shared.to);
            shared.filter_failed = !ok;
        }
        // Now and not by the exec: it holds copies of all that we have open, among them its own listener and our
        // locks, and if we are killed before the exec nobody answers it. Then its exec must fail, not wait.
        close_all();
        if ok {
            let mut none: libc::sigset_t = std::mem::zeroed();
            libc::sigemptyset(&raw mut none);
            libc::sigprocmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut());
            libc::execve(
                shared.program.as_ptr(),
                shared.argv.as_ptr(),
                shared.env.as_ptr(),
            );
        }
        shared.error = *libc::__errno_location();
        libc::_exit(127)
    }
}

/// Closes everything but the standard streams.
unsafe fn close_all() {
    // SAFETY: closes numbers; those that are not open are refused. `close_range` is there from Linux 5.9 on.
    unsafe {
        if libc::syscall(libc::SYS_close_range, 3, u32::MAX, 0) != 0 {
            for fd in 3..4096 {
                libc::close(fd);
            }
        }
    }
}

/// Every signal to its default, but for those that are ignored on purpose (`nohup`); Rust's own runtime
/// ignores SIGPIPE, which is nobody's purpose.
unsafe fn reset_handlers() {
    for signal in 1..=64 {
        // SAFETY: an all-zero sigaction is a valid one; unknown and fixed signals are refused, which is fine.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            if libc::sigaction(signal, std::ptr::null(), &raw mut action) != 0
                || action.sa_sigaction == libc::SIG_DFL
                || (action.sa_sigaction == libc::SIG_IGN && signal != libc::SIGPIPE)
            {
                continue;
            }
            action = std::mem::zeroed();
            action.sa_sigaction = libc::SIG_DFL;
            libc::sigaction(signal, &raw const action, std::ptr::null_mut());
        }
    }
}

/// Installs the filter and sends its listener away. Without the right to filter, a process may do so once
/// it has given up gaining privileges (setuid programs then run without theirs).
unsafe fn install(filter: *const libc::sock_fprog, to: RawFd) -> bool {
    const LISTEN: libc::c_ulong = libc::SECCOMP_FILTER_FLAG_NEW_LISTENER;
    // SAFETY: the filter outlives the call; prctl and seccomp take plain numbers besides.
    unsafe {
        let attempt = |flags: libc::c_ulong| {
            libc::syscall(
                libc::SYS_seccomp,
                libc::SECCOMP_SET_MODE_FILTER,
                flags,
                filter,
            )
        };
        let mut listener = attempt(LISTEN | WAIT_KILLABLE);
        if listener < 0 && *libc::__errno_location() == libc::EACCES {
            libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
            listener = attempt(LISTEN | WAIT_KILLABLE);
        }
        if listener < 0 {
            listener = attempt(LISTEN);
        }
        listener >= 0 && send(listener as RawFd, to)
    }
}

/// `SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV` (Linux 5.19): once we have a call, only death interrupts it.
/// Without it a runtime that sends itself signals all the time would start its calls again and again.
const WAIT_KILLABLE: libc::c_ulong = 1 << 5;

/// Room for one control message with one descriptor, aligned as such messages are.
type Control = [u64; 4];

unsafe fn send(fd: RawFd, to: RawFd) -> bool {
    let mut byte = 0u8;
    let mut control: Control = [0; 4];
    // SAFETY: the message points to locals of the right sizes; CMSG_FIRSTHDR points into `control`.
    unsafe {
        let mut vector = libc::iovec {
            iov_base: (&raw mut byte).cast(),
            iov_len: 1,
        };
        let mut message: libc::msghdr = std::mem::zeroed();
        message.msg_iov = &raw mut vector;
        message.msg_iovlen = 1;
        message.msg_control = control.as_mut_ptr().cast();
        message.msg_controllen = libc::CMSG_SPACE(size_of::<RawFd>() as u32) as _;
        let header = libc::CMSG_FIRSTHDR(&raw const message);
        (*header).cmsg_level = libc::SOL_SOCKET;
        (*header).cmsg_type = libc::SCM_RIGHTS;
        (*header).cmsg_len = libc::CMSG_LEN(size_of::<RawFd>() as u32) as _;
        libc::CMSG_DATA(header).cast::<RawFd>().write_unaligned(fd);
        libc::sendmsg(to, &raw const message, libc::MSG_NOSIGNAL) == 1
    }
}

/// Receives what [`spawn`] sent; `None` where the other end was closed without it.
pub fn receive(from: BorrowedFd<'_>) -> Option<OwnedFd> {
    let mut byte = 0u8;
    let mut control: Control = [0; 4];
    // SAFETY: as in `send`; the descriptor in the message is a new one, and ours alone.
    unsafe {
        let mut vector = libc::iovec {
            iov_base: (&raw mut byte).cast(),
            iov_len: 1,
        };
        let mut message: libc::msghdr = std::mem::zeroed();
        message.msg_iov = &raw mut vector;
        message.msg_iovlen = 1;
        message.msg_control = control.as_mut_ptr().cast();
        message.msg_controllen = size_of::<Control>() as _;
        loop {
            let got = libc::recvmsg(from.as_raw_fd(), &raw mut message, libc::MSG_CMSG_CLOEXEC);
            if got >= 0 || io::Error::last_os_error().kind() != io::ErrorKind::Interrupted {
                break;
            }
        }
        let header = libc::CMSG_FIRSTHDR(&raw const message);
        if header.is_null() || (*header).cmsg_type != libc::SCM_RIGHTS {
            return None;
        }
        let fd = libc::CMSG_DATA(header).cast::<RawFd>().read_unaligned();
        Some(OwnedFd::from_raw_fd(fd))
    }
}
