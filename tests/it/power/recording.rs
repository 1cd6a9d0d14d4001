//! What strace says that a process did to files, in order.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The calls that change something, or make a change last.
pub const CALLS: &str = "trace=openat,open,write,pwrite64,copy_file_range,ftruncate,rename,renameat,renameat2,\
    link,linkat,unlink,unlinkat,mkdir,mkdirat,rmdir,fsync,fdatasync,syncfs";

/// One call, as far as it matters here.
#[derive(Debug, Clone)]
pub enum Op {
    Create {
        path: PathBuf,
        truncate: bool,
    },
    /// At a place, or at the end.
    Write {
        path: PathBuf,
        at: Option<u64>,
        bytes: Vec<u8>,
    },
    Length {
        path: PathBuf,
        length: u64,
    },
    Rename {
        from: PathBuf,
        to: PathBuf,
    },
    Remove {
        path: PathBuf,
    },
    Directory {
        path: PathBuf,
    },
    Sync {
        path: PathBuf,
    },
    SyncAll,
}

fn unhex(text: &str) -> Vec<u8> {
    let digits = text.split("\\x").skip(1);
    let byte = |it: &str| u8::from_str_radix(it.get(..2)?, 16).ok();
    digits.filter_map(byte).collect()
}

fn path_of(text: &str) -> PathBuf {
    use std::os::unix::ffi::OsStringExt;
    std::ffi::OsString::from_vec(unhex(text)).into()
}

/// What stands between the nth pair of quotes.
fn quoted(call: &str, number: usize) -> Option<&str> {
    call.split('"').nth(2 * number + 1)
}

/// The path behind the first descriptor.
fn descriptor(call: &str) -> PathBuf {
    let inner = call
        .split_once('<')
        .and_then(|(_, rest)| rest.split_once('>'));
    path_of(inner.map_or("", |(path, _)| path))
}

/// A call that succeeded and changes something.
fn op(call: &str) -> Option<Op> {
    let (name, _) = call.split_once('(')?;
    let (before, result) = call.rsplit_once(" = ")?;
    if result.starts_with('-') {
        return None;
    }
    let last = |skipped: usize| -> Option<u64> {
        let inner = before.rsplit_once(')')?.0;
        inner.rsplit(", ").nth(skipped)?.trim().parse().ok()
    };
    let first = || quoted(call, 0).map(path_of);
    Some(match name {
        "openat" | "open" if call.contains("O_CREAT") => Op::Create {
            path: first()?,
            truncate: call.contains("O_TRUNC"),
        },
        "write" | "pwrite64" => Op::Write {
            path: descriptor(call),
            at: (name == "pwrite64").then(|| last(0)).flatten(),
            bytes: unhex(quoted(call, 0)?),
        },
        "ftruncate" => Op::Length {
            path: descriptor(call),
            length: last(0)?,
        },
        "rename" | "renameat" | "renameat2" => Op::Rename {
            from: first()?,
            to: path_of(quoted(call, 1)?),
        },
        "unlink" | "unlinkat" | "rmdir" => Op::Remove { path: first()? },
        "mkdir" | "mkdirat" => Op::Directory { path: first()? },
        "fsync" | "fdatasync" => Op::Sync {
            path: descriptor(call),
        },
        "syncfs" => Op::SyncAll,
        _ => return None,
    })
}

impl Op {
    fn path(&self) -> Option<&Path> {
        match self {
            Op::SyncAll => None,
            Op::Rename { to, .. } => Some(to),
            Op::Create { path, .. }
            | Op::Write { path, .. }
            | Op::Length { path, .. }
            | Op::Remove { path }
            | Op::Directory { path }
            | Op::Sync { path } => Some(path),
        }
    }
}

/// What a recording says, in order; only what happened below some directories.
pub fn read(recording: &str, below: &[PathBuf]) -> Vec<Op> {
    let mut halves: BTreeMap<&str, String> = BTreeMap::new();
    let mut all = Vec::new();
    for line in recording.lines() {
        let Some((process, call)) = line.split_once(' ') else {
            continue;
        };
        let call = call.trim();
        let whole = if let Some(half) = call.strip_suffix("<unfinished ...>") {
            halves.insert(process, half.trim_end().to_owned());
            continue;
        } else if call.starts_with("<... ") {
            let rest = call.split_once("resumed>").map_or("", |(_, rest)| rest);
            halves.remove(process).unwrap_or_default() + rest
        } else {
            call.to_owned()
        };
        all.extend(op(&whole));
    }
    let is_below = |path: &Path| below.iter().any(|directory| path.starts_with(directory));
    all.retain(|op| op.path().is_none_or(is_below));
    all
}
