//! The kernel's side of a seccomp listener: taking a stopped call, and letting it go on or fail.

use std::os::fd::{AsRawFd, OwnedFd, RawFd};

use rustix::process::{Pid, Signal, kill_process};

/// Why nothing can be observed on this system, if that is known beforehand: before Linux 5.5 a stopped call
/// could not be told to go on.
pub fn cannot() -> Option<String> {
    let system = rustix::system::uname();
    let release = system.release().to_string_lossy();
    let mut numbers = release
        .split(['.', '-'])
        .map(|part| part.parse::<u32>().unwrap_or(0));
    let version = (numbers.next()?, numbers.next()?);
    (version < (5, 5)).then(|| format!("Linux {release} is older than 5.5"))
}

/// Lets the kernel hand over on one processor, which saves most of a round trip's time (Linux 6.6).
pub fn wake_together(listener: &OwnedFd) {
    const SYNC_WAKE_UP: libc::c_ulong = 1;
    // SAFETY: takes a number; kernels that do not know it refuse it, and nothing depends on it.
    unsafe {
        libc::ioctl(
            listener.as_raw_fd(),
            libc::SECCOMP_IOCTL_NOTIF_SET_FLAGS,
            SYNC_WAKE_UP,
        );
    }
}

/// The next stopped call; whoever made it may have been killed meanwhile.
pub fn receive(listener: RawFd) -> Option<libc::seccomp_notif> {
    // SAFETY: the kernel wants the structure zeroed and fills it; zeroes are valid in it.
    unsafe {
        let mut call: libc::seccomp_notif = std::mem::zeroed();
        let got = libc::ioctl(listener, libc::SECCOMP_IOCTL_NOTIF_RECV, &raw mut call);
        (got == 0).then_some(call)
    }
}

/// Lets a call go on, or fail with `EACCES`.
pub fn answer(listener: RawFd, id: u64, refused: bool) {
    let response = libc::seccomp_notif_resp {
        id,
        val: 0,
        error: if refused { -libc::EACCES } else { 0 },
        flags: if refused {
            0
        } else {
            libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE as u32
        },
    };
    // SAFETY: the kernel reads the structure; one that is no longer waited for is refused.
    unsafe {
        libc::ioctl(
            listener,
            libc::SECCOMP_IOCTL_NOTIF_SEND,
            &raw const response,
        );
    }
}

/// Kills the process that a thread belongs to.
pub fn end(thread: u32) {
    if let Some(pid) = Pid::from_raw(thread as i32) {
        let _ = kill_process(pid, Signal::KILL);
    }
}
