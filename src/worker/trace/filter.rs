//! Which system calls stop for a look: a filter program for the kernel (classic BPF over `seccomp_data`).
//!
//! Calls that name a path do, and those that change what a path means. Whatever only uses a descriptor
//! does not, so reading and writing cost nothing. `fstat` in its modern clothes (`newfstatat` or `statx` of
//! an empty path) is let through by its flag. That says only that the path *may* be empty, and a filter does not see
//! memory; so it does not count beside other flags or without a descriptor, which whoever means a path writes. Calls that
//! would get around the filter are refused as if the kernel did not know them, which every program that uses
//! them expects. Source: seccomp(2), bpf.

use libc::{c_long, sock_filter};

/// What a stopped call does with paths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// `open` and its kin: descriptor of the directory, path and flags are at these arguments.
    Open(Option<u8>, u8, Flags),
    /// Asks for type, size and times: directory, path, and the argument whose flags say not to follow.
    Stat(Option<u8>, u8, Follow),
    /// Asks whether it may be used.
    Access(Option<u8>, u8),
    /// Reads a link.
    Link(Option<u8>, u8),
    /// Executes.
    Execute(Option<u8>, u8),
    /// Makes what is there.
    Write(Option<u8>, u8),
    /// Changes what is there.
    Change(Option<u8>, u8),
    /// Makes a directory.
    MakeDirectory(Option<u8>, u8),
    /// Takes away.
    Remove(Option<u8>, u8),
    /// Two paths: the first goes, the second comes (with `true` the first stays).
    Move([Option<u8>; 2], [u8; 2], bool),
    /// Opens a socket of the family in the first argument.
    Socket,
    /// Goes to another directory; the path, where it names one.
    Step(Option<u8>),
    /// Changes what paths mean to it: root, mounts, namespaces.
    Elsewhere,
}

impl Call {
    /// Whether directories may lie elsewhere after it. What an `open` makes is a file.
    pub fn leads_elsewhere(self) -> bool {
        use Call::{Change, MakeDirectory, Move, Remove, Write};
        matches!(
            self,
            Write(..) | Change(..) | MakeDirectory(..) | Remove(..) | Move(..)
        )
    }
}

/// Where an `open` finds its flags.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flags {
    /// In an argument.
    Argument(u8),
    /// Always these.
    Always(i32),
    /// At the start of the structure an argument points to.
    Behind(u8),
}

/// Whether a last link is followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Follow {
    /// It is.
    Always,
    /// It is not.
    Never,
    /// Unless `AT_SYMLINK_NOFOLLOW` is in this argument.
    Unless(u8),
}

const CREATE: i32 = libc::O_CREAT | libc::O_WRONLY | libc::O_TRUNC;

/// Every call that stops.
const CALLS: &[(c_long, Call)] = &[
    (libc::SYS_openat, Call::Open(Some(0), 1, Flags::Argument(2))),
    (libc::SYS_openat2, Call::Open(Some(0), 1, Flags::Behind(2))),
    (
        libc::SYS_newfstatat,
        Call::Stat(Some(0), 1, Follow::Unless(3)),
    ),
    (libc::SYS_statx, Call::Stat(Some(0), 1, Follow::Unless(2))),
    (libc::SYS_faccessat, Call::Access(Some(0), 1)),
    (libc::SYS_faccessat2, Call::Access(Some(0), 1)),
    (libc::SYS_readlinkat, Call::Link(Some(0), 1)),
    (libc::SYS_chdir, Call::Step(Some(0))),
    (libc::SYS_fchdir, Call::Step(None)),
    (libc::SYS_execve, Call::Execute(None, 0)),
    (libc::SYS_execveat, Call::Execute(Some(0), 1)),
    (libc::SYS_truncate, Call::Change(None, 0)),
    (libc::SYS_mknodat, Call::Write(Some(0), 1)),
    (libc::SYS_symlinkat, Call::Write(Some(1), 2)),
    (libc::SYS_mkdirat, Call::MakeDirectory(Some(0), 1)),
    (libc::SYS_unlinkat, Call::Remove(Some(0), 1)),
    (
        libc::SYS_linkat,
        Call::Move([Some(0), Some(2)], [1, 3], true),
    ),
    (
        libc::SYS_renameat2,
        Call::Move([Some(0), Some(2)], [1, 3], false),
    ),
    (libc::SYS_socket, Call::Socket),
    (libc::SYS_chroot, Call::Elsewhere),
    (libc::SYS_pivot_root, Call::Elsewhere),
    (libc::SYS_mount, Call::Elsewhere),
    (libc::SYS_setns, Call::Elsewhere),
    (libc::SYS_open_tree, Call::Elsewhere),
    (libc::SYS_move_mount, Call::Elsewhere),
    (libc::SYS_open_by_handle_at, Call::Elsewhere),
];

/// What only older architectures have.
#[cfg(target_arch = "x86_64")]
const OLD_CALLS: &[(c_long, Call)] = &[
    (libc::SYS_open, Call::Open(None, 0, Flags::Argument(1))),
    (libc::SYS_creat, Call::Open(None, 0, Flags::Always(CREATE))),
    (libc::SYS_stat, Call::Stat(None, 0, Follow::Always)),
    (libc::SYS_lstat, Call::Stat(None, 0, Follow::Never)),
    (libc::SYS_access, Call::Access(None, 0)),
    (libc::SYS_readlink, Call::Link(None, 0)),
    (libc::SYS_mknod, Call::Write(None, 0)),
    (libc::SYS_symlink, Call::Write(None, 1)),
    (libc::SYS_mkdir, Call::MakeDirectory(None, 0)),
    (libc::SYS_rmdir, Call::Remove(None, 0)),
    (libc::SYS_unlink, Call::Remove(None, 0)),
    (libc::SYS_link, Call::Move([None, None], [0, 1], true)),
    (libc::SYS_rename, Call::Move([None, None], [0, 1], false)),
    (
        libc::SYS_renameat,
        Call::Move([Some(0), Some(2)], [1, 3], false),
    ),
];

#[cfg(not(target_arch = "x86_64"))]
const OLD_CALLS: &[(c_long, Call)] = &[(
    libc::SYS_renameat,
    Call::Move([Some(0), Some(2)], [1, 3], false),
)];

/// Refused as unknown: io_uring opens files without system calls that a filter could see.
const REFUSED: &[c_long] = &[libc::SYS_io_uring_setup];

/// `AUDIT_ARCH_*` of this machine (linux/audit.h).
#[cfg(target_arch = "x86_64")]
pub const ARCHITECTURE: u32 = 0xc000_003e;
/// `AUDIT_ARCH_*` of this machine (linux/audit.h).
#[cfg(target_arch = "aarch64")]
pub const ARCHITECTURE: u32 = 0xc000_00b7;

/// What a call does, by its number on this machine.
pub fn call(number: i32) -> Option<Call> {
    let mut all = CALLS.iter().chain(OLD_CALLS);
    all.find(|(one, _)| *one == c_long::from(number))
        .map(|(_, call)| *call)
}

/// Offsets into `struct seccomp_data`.
const NUMBER: u32 = 0;
const ARCH: u32 = 4;
const fn argument(at: u32) -> u32 {
    16 + 8 * at
}

fn load(offset: u32) -> sock_filter {
    statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, offset)
}

fn answer(value: u32) -> sock_filter {
    statement(libc::BPF_RET | libc::BPF_K, value)
}

fn statement(code: u32, k: u32) -> sock_filter {
    sock_filter {
        code: code as u16,
        jt: 0,
        jf: 0,
        k,
    }
}

/// Leaves out so many instructions unless the accumulator is `k`.
fn unless(k: u32, out: u8) -> sock_filter {
    sock_filter {
        code: (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16,
        jt: 0,
        jf: out,
        k,
    }
}

/// The program.
pub fn program() -> Vec<sock_filter> {
    const LOOK: u32 = libc::SECCOMP_RET_USER_NOTIF;
    const UNKNOWN: u32 = libc::SECCOMP_RET_ERRNO | libc::ENOSYS as u32;
    let mut program = vec![
        load(ARCH),
        // A call by another convention (32-bit programs): its numbers mean something else; a look tells.
        sock_filter {
            code: (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16,
            jt: 1,
            jf: 0,
            k: ARCHITECTURE,
        },
        answer(LOOK),
        load(NUMBER),
    ];
    if cfg!(target_arch = "x86_64") {
        // The x32 convention has numbers of its own; nobody uses it, and it is not to be a way around.
        program.extend([
            sock_filter {
                code: (libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K) as u16,
                jt: 0,
                jf: 1,
                k: 0x4000_0000,
            },
            answer(UNKNOWN),
        ]);
    }
    let mut cases: Vec<(u32, Vec<sock_filter>)> = Vec::new();
    for &number in REFUSED {
        cases.push((number as u32, vec![answer(UNKNOWN)]));
    }
    for &(number, call) in CALLS.iter().chain(OLD_CALLS) {
        let then = match call {
            Call::Stat(Some(directory), _, Follow::Unless(flags)) => vec![
                load(argument(u32::from(flags))),
                unless(libc::AT_EMPTY_PATH as u32, 2),
                load(argument(u32::from(directory))),
                unless(libc::AT_FDCWD as u32, 1),
                answer(LOOK),
                answer(libc::SECCOMP_RET_ALLOW),
            ],
            _ => vec![answer(LOOK)],
        };
        cases.push((number as u32, then));
    }
    cases.sort_by_key(|(number, _)| *number);
    program.extend(choose(&cases));
    program
}

/// What is done for each of some numbers, in ascending order; all others are let through. Halved again and again: when a
/// filter is installed the kernel goes through it once for every call that it knows.
fn choose(cases: &[(u32, Vec<sock_filter>)]) -> Vec<sock_filter> {
    let jump = |test: u32, k: u32, jt: usize, jf: usize| sock_filter {
        code: (libc::BPF_JMP | test | libc::BPF_K) as u16,
        // A test holds that none is longer.
        jt: jt as u8,
        jf: jf as u8,
        k,
    };
    match cases {
        [] => vec![answer(libc::SECCOMP_RET_ALLOW)],
        [(number, then)] => {
            let mut one = vec![jump(libc::BPF_JEQ, *number, 0, then.len())];
            one.extend(then);
            one.push(answer(libc::SECCOMP_RET_ALLOW));
            one
        }
        _ => {
            let (below, above) = cases.split_at(cases.len() / 2);
            let (first, below) = (above[0].0, choose(below));
            let mut all = vec![jump(libc::BPF_JGE, first, below.len(), 0)];
            all.extend(below);
            all.extend(choose(above));
            all
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the program answers, as the kernel goes through it: no other instructions are used.
    fn run(program: &[sock_filter], arch: u32, number: u32, arguments: [u32; 6]) -> u32 {
        let (mut at, mut accumulator) = (0, 0);
        loop {
            let it = program[at];
            at += 1;
            let (code, yes, no) = (u32::from(it.code), it.jt as usize, it.jf as usize);
            let test = match code & !libc::BPF_K {
                code if code == libc::BPF_RET => return it.k,
                code if code == libc::BPF_LD | libc::BPF_W | libc::BPF_ABS => {
                    accumulator = match it.k {
                        NUMBER => number,
                        ARCH => arch,
                        k => arguments[(k as usize - 16) / 8],
                    };
                    continue;
                }
                code if code == libc::BPF_JMP | libc::BPF_JEQ => accumulator == it.k,
                code if code == libc::BPF_JMP | libc::BPF_JGE => accumulator >= it.k,
                code => panic!("{code} at {at}"),
            };
            at += if test { yes } else { no };
        }
    }

    #[test]
    fn every_call_is_answered_as_the_list_says() {
        const LOOK: u32 = libc::SECCOMP_RET_USER_NOTIF;
        const ALLOW: u32 = libc::SECCOMP_RET_ALLOW;
        const UNKNOWN: u32 = libc::SECCOMP_RET_ERRNO | libc::ENOSYS as u32;
        let program = program();
        assert!(program.len() < 256, "or a jump might not reach");
        let empty = [libc::AT_EMPTY_PATH as u32; 6];
        let beside = [(libc::AT_EMPTY_PATH | libc::AT_SYMLINK_NOFOLLOW) as u32; 6];
        for number in (0..1000).chain([0x3fff_ffff]) {
            let refused = REFUSED.contains(&c_long::from(number));
            let expected = match call(number as i32) {
                _ if refused => [UNKNOWN; 4],
                Some(Call::Stat(Some(_), _, Follow::Unless(_))) => [LOOK, ALLOW, LOOK, LOOK],
                Some(_) => [LOOK; 4],
                None => [ALLOW; 4],
            };
            let mut here = empty;
            if let Some(Call::Stat(Some(directory), ..)) = call(number as i32) {
                here[usize::from(directory)] = libc::AT_FDCWD as u32;
            }
            let answers = [[0; 6], empty, beside, here]
                .map(|arguments| run(&program, ARCHITECTURE, number, arguments));
            assert_eq!(answers, expected, "{number}");
            assert_eq!(run(&program, 0, number, [0; 6]), LOOK, "{number}");
        }
        if cfg!(target_arch = "x86_64") {
            let x32 = 0x4000_0000 | libc::SYS_open as u32;
            assert_eq!(run(&program, ARCHITECTURE, x32, [0; 6]), UNKNOWN);
        }
    }
}
