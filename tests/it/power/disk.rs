//! A disk of which a power cut leaves what it may leave.
//!
//! Lost: of a file's bytes that were written since its last sync, any write, in any order, whole or in part (a gap reads as
//! zeros); of a directory's names that changed since its last sync, all from one on. Source: POSIX fsync(2), and what
//! docs of ext4, XFS and btrfs promise beyond it is not relied on, but for one thing: a file that was synced has the
//! directories that it lies in.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use super::recording::Op;

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

#[derive(Debug, Default, Clone)]
pub struct Disk {
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

    pub fn perform(&mut self, op: &Op) {
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

    /// What a power cut leaves, laid out elsewhere.
    pub fn cut(&self, place: impl Fn(&Path) -> PathBuf, random: &mut dyn FnMut(u64) -> u64) {
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
            let place = place(&path);
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
    /// What lies below directories, all of it durable.
    pub fn of(directories: &[PathBuf]) -> Disk {
        let mut disk = Disk::default();
        let mut open = directories.to_vec();
        while let Some(path) = open.pop() {
            let Ok(entries) = fs::read_dir(&path) else {
                continue;
            };
            for entry in entries {
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
