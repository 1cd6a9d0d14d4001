//! Power cuts: what a run did to the disk is recorded call by call (strace), and replayed up to a moment, with what
//! was not synced lost as a disk may lose it. The next run must be right without repair.
//!
//! Lost: of a file's bytes that were written since its last sync, any write, in any order, whole or in part (a gap reads as
//! zeros); of a directory's names that changed since its last sync, all from one on. Source: POSIX fsync(2), and what
//! docs of ext4, XFS and btrfs promise beyond it is not relied on, but for one thing: a file that was synced has the
//! directories that it lies in.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::project::{Project, copy_tree, rounds, skip};

/// One call, as far as it matters here.
#[derive(Debug, Clone)]
enum Op {
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

/// What a recording says, in order; only what happened below a directory.
fn read(recording: &str, below: &Path) -> Vec<Op> {
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
    all.retain(|op| op.path().is_none_or(|path| path.starts_with(below)));
    all
}

#[derive(Debug, Clone)]
enum Change {
    Write(u64, Vec<u8>),
    Length(u64),
}

#[derive(Debug, Default, Clone)]
struct File {
    synced: Vec<u8>,
    since: Vec<Change>,
}

fn apply(bytes: &mut Vec<u8>, change: &Change) {
    match change {
        Change::Length(length) => bytes.resize(*length as usize, 0),
        Change::Write(at, written) => {
            let end = *at as usize + written.len();
            if bytes.len() < end {
                bytes.resize(end, 0);
            }
            bytes[*at as usize..end].copy_from_slice(written);
        }
    }
}

impl File {
    fn now(&self) -> Vec<u8> {
        let mut bytes = self.synced.clone();
        self.since
            .iter()
            .for_each(|change| apply(&mut bytes, change));
        bytes
    }

    fn sync(&mut self) {
        self.synced = self.now();
        self.since.clear();
    }
}

/// A name in a directory from now on: a file, a directory, or nothing.
#[derive(Debug, Clone)]
enum Name {
    File(usize),
    Directory,
    None,
}

#[derive(Debug, Default)]
struct Disk {
    files: Vec<File>,
    now: BTreeMap<PathBuf, Name>,
    synced: BTreeMap<PathBuf, Name>,
    /// Names that changed and were not synced, in order.
    since: Vec<(PathBuf, Name)>,
}

impl Disk {
    fn name(&mut self, path: &Path, name: Name) {
        self.now.insert(path.to_owned(), name.clone());
        self.since.push((path.to_owned(), name));
    }

    fn file(&mut self, path: &Path) -> Option<&mut File> {
        match self.now.get(path) {
            Some(Name::File(number)) => self.files.get_mut(*number),
            _ => None,
        }
    }

    fn keep_names(&mut self, which: impl Fn(&Path, &Name) -> bool) {
        for (path, name) in std::mem::take(&mut self.since) {
            if which(&path, &name) {
                self.synced.insert(path, name);
            } else {
                self.since.push((path, name));
            }
        }
    }

    fn perform(&mut self, op: &Op) {
        match op {
            Op::Create { path, truncate } => match self.file(path) {
                Some(file) if *truncate => file.since.push(Change::Length(0)),
                Some(_) => {}
                None => {
                    self.files.push(File::default());
                    self.name(path, Name::File(self.files.len() - 1));
                }
            },
            Op::Write { path, at, bytes } => {
                if let Some(file) = self.file(path) {
                    let end = file.now().len() as u64;
                    file.since
                        .push(Change::Write(at.unwrap_or(end), bytes.clone()));
                }
            }
            Op::Length { path, length } => {
                if let Some(file) = self.file(path) {
                    file.since.push(Change::Length(*length));
                }
            }
            Op::Rename { from, to } => {
                if let Some(name) = self.now.get(from).cloned() {
                    self.name(to, name);
                    self.name(from, Name::None);
                }
            }
            Op::Remove { path } => self.name(path, Name::None),
            Op::Directory { path } => self.name(path, Name::Directory),
            Op::Sync { path } => {
                if let Some(file) = self.file(path) {
                    file.sync();
                }
                self.keep_names(|changed, name| {
                    changed.parent() == Some(path)
                        || (matches!(name, Name::Directory) && path.starts_with(changed))
                });
            }
            Op::SyncAll => {
                self.files.iter_mut().for_each(File::sync);
                self.keep_names(|_, _| true);
            }
        }
    }

    /// What a power cut leaves, laid out below `to` in place of `from`.
    fn cut(&self, from: &Path, to: &Path, random: &mut dyn FnMut(u64) -> u64) {
        let mut names = self.synced.clone();
        let mut ended: BTreeSet<PathBuf> = BTreeSet::new();
        let keeps_all = random(3) == 0;
        for (path, name) in &self.since {
            let directory = path.parent().unwrap_or(path).to_owned();
            if !keeps_all && !ended.contains(&directory) && random(8) == 0 {
                ended.insert(directory.clone());
            }
            if !ended.contains(&directory) {
                names.insert(path.clone(), name.clone());
            }
        }
        for (path, name) in names {
            let place = to.join(path.strip_prefix(from).unwrap_or(&path));
            // What lay in a directory that is gone is gone.
            match name {
                Name::None => {}
                Name::Directory => drop(fs::create_dir(&place)),
                Name::File(number) => {
                    let file = &self.files[number];
                    let mut bytes = file.synced.clone();
                    let way = random(4);
                    for change in &file.since {
                        match (way, change) {
                            (0, _) => {}
                            (1, _) => apply(&mut bytes, change),
                            (_, Change::Write(at, written)) if random(3) == 0 => {
                                let some = random(written.len() as u64 + 1) as usize;
                                apply(&mut bytes, &Change::Write(*at, written[..some].to_vec()));
                            }
                            (_, change) if random(4) != 0 => apply(&mut bytes, change),
                            _ => {}
                        }
                    }
                    drop(fs::write(&place, bytes));
                }
            }
        }
    }
}

impl Disk {
    /// What lies below a directory, all of it durable.
    fn of(directory: &Path) -> Disk {
        let mut disk = Disk::default();
        let mut open = vec![directory.to_owned()];
        while let Some(path) = open.pop() {
            for entry in fs::read_dir(&path).unwrap() {
                let path = entry.unwrap().path();
                let name = if path.is_dir() {
                    open.push(path.clone());
                    Name::Directory
                } else {
                    let synced = fs::read(&path).unwrap();
                    disk.files.push(File {
                        synced,
                        since: Vec::new(),
                    });
                    Name::File(disk.files.len() - 1)
                };
                disk.now.insert(path, name);
            }
        }
        disk.synced = disk.now.clone();
        disk
    }
}

/// The fixture with a large blob and a directory besides.
fn project() -> Project {
    let project = Project::fixture();
    // strace is in the way of our own observing.
    let definition =
        project
            .read("jalon.toml")
            .replacen("[defaults]", "[defaults]\nisolation = \"none\"", 1);
    let large = r#"
[node.large]
cmd = "mkdir {{out.large}}; seq 20000 > {{out.large}}/seq; seq 9 > {{out.large}}/nine"
out = { large = "large/" }
"#;
    project.write("jalon.toml", definition + large);
    project
}

/// Records `verb` in a prepared project and cuts it off at many moments.
fn cut_off(prepare: fn(&Project), verb: &[&str], turns: u32) {
    let strace = Command::new("strace").arg("-V").output();
    if !strace.is_ok_and(|output| output.status.success()) {
        return skip("power cuts (no strace here)");
    }
    let mut project = project();
    prepare(&project);
    let untouched = Project::new("");
    copy_tree(&project.dir, &untouched.dir);
    let kept = project.dir.join(".jalon");
    let before = || {
        if kept.is_dir() {
            Disk::of(&kept)
        } else {
            Disk::default()
        }
    };
    let start = before();
    let recording = project.beside("recording");
    project.set_launcher(&[
        "strace",
        "-f",
        "-y",
        "-xx",
        "-s",
        "10000000",
        "-e",
        "trace=openat,open,write,pwrite64,ftruncate,rename,renameat,renameat2,unlink,unlinkat,mkdir,mkdirat,rmdir,fsync,fdatasync,syncfs",
        "-e",
        "signal=none",
        "-o",
        recording.to_str().unwrap(),
    ]);
    project.jalon(verb).expect(0);
    project.set_launcher(&[]);
    let ops = read(&fs::read_to_string(&recording).unwrap(), &kept);
    let syncs = ops
        .iter()
        .filter(|op| matches!(op, Op::Sync { .. } | Op::SyncAll))
        .count();
    if verb[0] == "gc" {
        let removed = ops
            .iter()
            .filter(|op| matches!(op, Op::Remove { .. }))
            .count();
        assert!(removed > 3, "{removed} removed: nothing was collected");
    }
    assert!(
        ops.len() > 10 && syncs > 0,
        "{} calls, {syncs} syncs",
        ops.len()
    );
    let expected = {
        project.run_ok(&[]);
        FILES.map(|file| project.read(file))
    };

    let mut state = 0x1234_5678_9abc_def1_u64;
    let mut random = |below: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % below
    };
    for turn in 0..turns {
        // The end itself, often: what was said to be kept must be there.
        let upto = match turn % 4 {
            0 => ops.len(),
            _ => random(ops.len() as u64 + 1) as usize,
        };
        let what = format!("{verb:?}, turn {turn}: {upto} of {} calls", ops.len());
        let mut other = Project::new("");
        copy_tree(&untouched.dir, &other.dir);
        let log = other.beside("executed");
        other.set_env("LOG", log.to_str().unwrap());
        let mut disk = Disk {
            files: start.files.clone(),
            now: start.now.clone(),
            synced: start.synced.clone(),
            since: Vec::new(),
        };
        ops[..upto].iter().for_each(|op| disk.perform(op));
        fs::create_dir_all(other.dir.join(".jalon")).unwrap();
        disk.cut(&kept, &other.dir.join(".jalon"), &mut random);

        let run = other.run_ok(&[]);
        if upto == ops.len() {
            let hits = run.count("hit");
            assert_eq!(hits, 5, "{what}: what was kept is lost\n{}", run.output);
        }
        let found = FILES.map(|file| other.read(file));
        assert_eq!(found, expected, "{what}\n{}", run.output);
        // What is damaged is found by the first, and gone for the second.
        other.jalon(&["cache", "verify"]);
        other.jalon(&["cache", "verify"]).expect(0);
        let again = other.run_ok(&[]);
        assert_eq!(again.count("ran"), 0, "{what}\n{}", again.output);
    }
}

/// What the nodes make.
const FILES: [&str; 5] = [
    "data/clean.txt",
    "models/a.txt",
    "joined.txt",
    "metrics.json",
    "large/seq",
];

#[test]
fn a_power_cut_at_any_moment_of_a_run() {
    cut_off(|_| {}, &["run"], rounds(40));
}

#[test]
fn a_power_cut_at_any_moment_of_a_run_after_another() {
    let before = |project: &Project| {
        project.run_ok(&[]);
        project.edit("evaluate.sh", "cat", "cat  ");
    };
    cut_off(before, &["run"], rounds(20));
}

#[test]
fn a_power_cut_at_any_moment_of_a_collection() {
    let before = |project: &Project| {
        project.run_ok(&[]);
        project.write("raw.txt", "something else\n");
        project.run_ok(&[]);
        fs::remove_dir_all(project.path(".jalon/store/traces")).unwrap();
        fs::create_dir(project.path(".jalon/store/traces")).unwrap();
        project.run_ok(&["--force", "clean"]);
    };
    cut_off(before, &["gc", "--yes"], rounds(20));
}
