//! The bytes of a snapshot. Read in one piece, without copying, and without believing any length in it.
//!
//! Numbers are little-endian. `jalon settled 2\n` (16), BLAKE3 in context `jalon 1 settled` of all that follows
//! (32), then: question (32), state of the store's records (32), the store's path, the run whose trace tells of
//! the nodes and that trace's stat, the reply as JSON, the nodes, the groups of witnesses. A path, text or list
//! is its length in bytes (4) and the bytes. A node: its rank among the hits (4, all ones for one that was not
//! asked for), its name. A group: the directory with a NUL at its end, relative to the project where it lies
//! there, and its witnesses, each: kind (1), name with a NUL at its end, and what the kind has. A stat is size
//! (8), modification and change time in nanoseconds since 1970 (8 each), inode (8), device (8).

use std::collections::BTreeMap;
use std::ffi::{CStr, OsStr};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use jalon_store::digest::{BlobDigest, Hasher, context};
use jalon_store::index::{Sight, StatId};
use serde::{Deserialize, Serialize};

use crate::event::{Counts, Notice, Planned};
use crate::witness::Look;

const MAGIC: &[u8; 16] = b"jalon settled 2\n";

/// Witnesses in a group: what one thread looks at in one go.
const GROUP: usize = 512;

mod kind {
    pub const ABSENT: u8 = 0;
    pub const VACANT: u8 = 1;
    pub const FILE: u8 = 2;
    /// To be digested, whatever its stat.
    pub const FRESH: u8 = 3;
    pub const SAME: u8 = 4;
    pub const LINK: u8 = 5;
    pub const TYPE: u8 = 6;
    pub const TYPE_FOLLOWED: u8 = 7;
    pub const SIZE: u8 = 8;
    /// Added to that of a file that may be executed.
    pub const EXECUTABLE: u8 = 16;
    /// Added to that of a file that was looked at as something declared alone.
    pub const DECLARED: u8 = 32;
}

/// What is kept beside the witnesses.
pub struct Kept {
    /// The store, absolute; links in it are followed each time.
    pub store: PathBuf,
    /// What its records were.
    pub records: [u8; 32],
    /// The run that came to rest.
    pub run: String,
    /// The stat of its trace.
    pub trace: StatId,
    /// How the next one is planned.
    pub planned: Planned,
    /// How it ends.
    pub counts: Counts,
    /// Seconds that the hits took when they ran.
    pub saved_seconds: f64,
    /// What it says besides.
    pub notices: Vec<Notice>,
    /// All nodes in definition order, with their rank among the hits.
    pub nodes: Vec<(String, u32)>,
}

/// The part of the reply that is one small object.
#[derive(Serialize, Deserialize)]
struct Reply {
    planned: Planned,
    counts: Counts,
    saved_seconds: f64,
    notices: Vec<Notice>,
}

/// A snapshot, where it was read.
pub struct Snapshot<'a> {
    /// The store.
    pub store: PathBuf,
    /// What its records were.
    pub records: [u8; 32],
    /// The run that came to rest.
    pub run: String,
    /// The stat of its trace.
    pub trace: StatId,
    /// How the next one is planned.
    pub planned: Planned,
    /// How it ends.
    pub counts: Counts,
    /// Seconds that the hits took when they ran.
    pub saved_seconds: f64,
    /// What it says besides.
    pub notices: Vec<Notice>,
    /// Witnesses by directory.
    pub groups: Vec<Group<'a>>,
    /// See [`nodes`].
    pub nodes: &'a [u8],
}

/// Witnesses in one directory.
#[derive(Clone, Copy)]
pub struct Group<'a> {
    /// Relative to the project, or absolute; empty for the project.
    pub directory: &'a CStr,
    pub(super) witnesses: &'a [u8],
}

/// One witness, and the place of its bytes.
pub struct Witness<'a> {
    /// Its name in the directory.
    pub name: &'a CStr,
    /// What was found there.
    pub sight: Sight,
    /// See [`Look::declared`].
    pub declared: bool,
}

/// The bytes of a snapshot; nothing where something is not of a kind that can be written.
pub fn write(kept: &Kept, question: &[u8; 32], root: &Path, looks: Vec<Look>) -> Option<Vec<u8>> {
    let mut nodes = Vec::with_capacity(kept.nodes.len() * 32);
    for (name, rank) in &kept.nodes {
        nodes.extend_from_slice(&rank.to_le_bytes());
        lengthed(&mut nodes, name.as_bytes())?;
    }
    let mut to = Vec::with_capacity(1024 + looks.len() * 128 + nodes.len());
    begin(&mut to, kept, question, &nodes)?;
    groups(&mut to, root, looks)?;
    end(&mut to);
    Some(to)
}

/// All that comes before the witnesses.
pub(super) fn begin(
    to: &mut Vec<u8>,
    kept: &Kept,
    question: &[u8; 32],
    nodes: &[u8],
) -> Option<()> {
    to.extend_from_slice(MAGIC);
    to.extend_from_slice(&[0; 32]);
    to.extend_from_slice(question);
    to.extend_from_slice(&kept.records);
    lengthed(to, kept.store.as_os_str().as_bytes())?;
    lengthed(to, kept.run.as_bytes())?;
    stat(to, &kept.trace)?;
    let reply = Reply {
        planned: kept.planned.clone(),
        counts: kept.counts,
        saved_seconds: kept.saved_seconds,
        notices: kept.notices.clone(),
    };
    lengthed(to, &serde_json::to_vec(&reply).ok()?)?;
    lengthed(to, nodes)
}

/// Witnesses, by directory.
pub(super) fn groups(to: &mut Vec<u8>, root: &Path, looks: Vec<Look>) -> Option<()> {
    let mut directories: BTreeMap<Vec<u8>, Vec<(Vec<u8>, Look)>> = BTreeMap::new();
    for look in looks {
        let (directory, name) = split(root, &look.path);
        directories.entry(directory).or_default().push((name, look));
    }
    let mut bytes = Vec::new();
    for (directory, mut all) in directories {
        all.sort_by(|a, b| a.0.cmp(&b.0));
        for group in all.chunks(GROUP) {
            bytes.clear();
            for (name, look) in group {
                witness(&mut bytes, name, &look.sight, look.declared)?;
            }
            lengthed(to, &directory)?;
            lengthed(to, &bytes)?;
        }
    }
    Some(())
}

/// Guards what was written.
pub(super) fn end(to: &mut [u8]) {
    let check = check(&to[MAGIC.len() + 32..]);
    to[MAGIC.len()..MAGIC.len() + 32].copy_from_slice(&check);
}

/// What guards a file: a hash of its bytes.
pub(super) fn check(bytes: &[u8]) -> [u8; 32] {
    let mut hasher = Hasher::context(context::SETTLED);
    hasher.update(bytes);
    hasher.finish()
}

/// The directory and the name in it, each with a NUL at its end.
pub(super) fn split(root: &Path, path: &Path) -> (Vec<u8>, Vec<u8>) {
    let path = path.strip_prefix(root).unwrap_or(path);
    let (directory, name) = match (path.parent(), path.file_name()) {
        (Some(parent), Some(name)) => (parent.as_os_str(), name),
        // The project itself, or a path that ends upwards.
        _ if path.as_os_str().is_empty() => (OsStr::new(""), OsStr::new(".")),
        _ => (OsStr::new(""), path.as_os_str()),
    };
    let ended = |text: &OsStr| [text.as_bytes(), &[0]].concat();
    (ended(directory), ended(name))
}

pub(super) fn lengthed(to: &mut Vec<u8>, bytes: &[u8]) -> Option<()> {
    to.extend_from_slice(&u32::try_from(bytes.len()).ok()?.to_le_bytes());
    to.extend_from_slice(bytes);
    Some(())
}

fn stat(to: &mut Vec<u8>, id: &StatId) -> Option<()> {
    let time = |time: i128| i64::try_from(time).ok();
    to.extend_from_slice(&id.size.to_le_bytes());
    to.extend_from_slice(&time(id.mtime_ns)?.to_le_bytes());
    to.extend_from_slice(&time(id.ctime_ns)?.to_le_bytes());
    to.extend_from_slice(&id.inode.to_le_bytes());
    to.extend_from_slice(&id.device.to_le_bytes());
    Some(())
}

pub(super) fn witness(to: &mut Vec<u8>, name: &[u8], sight: &Sight, declared: bool) -> Option<()> {
    let mut begin = |kind: u8| {
        to.push(kind);
        lengthed(to, name)
    };
    match sight {
        Sight::Absent => begin(kind::ABSENT),
        Sight::Vacant => begin(kind::VACANT),
        Sight::File {
            id,
            digest,
            executable,
            settled,
        } => {
            let fresh = if *settled { kind::FILE } else { kind::FRESH };
            let executable = if *executable { kind::EXECUTABLE } else { 0 };
            begin(fresh + executable + if declared { kind::DECLARED } else { 0 })?;
            stat(to, id)?;
            to.extend_from_slice(digest.as_bytes());
            Some(())
        }
        Sight::Same { id, settled: true } => {
            begin(kind::SAME)?;
            stat(to, id)
        }
        Sight::Link { id, settled: true } => {
            begin(kind::LINK)?;
            stat(to, id)
        }
        Sight::Kind { mode, followed } => {
            begin(if *followed {
                kind::TYPE_FOLLOWED
            } else {
                kind::TYPE
            })?;
            to.extend_from_slice(&mode.to_le_bytes());
            Some(())
        }
        Sight::Size { size, executable } => {
            begin(kind::SIZE + if *executable { kind::EXECUTABLE } else { 0 })?;
            to.extend_from_slice(&size.to_le_bytes());
            Some(())
        }
        Sight::Same { .. } | Sight::Link { .. } | Sight::Unclear => None,
    }
}

impl<'a> Snapshot<'a> {
    /// Reads a snapshot that answers this question; nothing where the bytes are not such a one.
    pub fn read(file: &'a [u8], question: &[u8; 32]) -> Option<Snapshot<'a>> {
        Snapshot::parse(From::guarded(file, MAGIC, question)?)
    }

    /// Reads one again whose bytes are known to be right.
    pub fn again(file: &'a [u8]) -> Option<Snapshot<'a>> {
        Snapshot::parse(From(file.get(MAGIC.len() + 64..)?))
    }

    fn parse(mut from: From<'a>) -> Option<Snapshot<'a>> {
        let records = from.array()?;
        let store = PathBuf::from(OsStr::from_bytes(from.lengthed()?));
        let run = std::str::from_utf8(from.lengthed()?).ok()?.to_owned();
        let trace = from.stat()?;
        let reply: Reply = serde_json::from_slice(from.lengthed()?).ok()?;
        let nodes = from.lengthed()?;
        let mut groups = Vec::new();
        while !from.0.is_empty() {
            groups.push(Group {
                directory: CStr::from_bytes_with_nul(from.lengthed()?).ok()?,
                witnesses: from.lengthed()?,
            });
        }
        Some(Snapshot {
            store,
            records,
            run,
            trace,
            planned: reply.planned,
            counts: reply.counts,
            saved_seconds: reply.saved_seconds,
            notices: reply.notices,
            groups,
            nodes,
        })
    }

    /// What is to be written again beside other witnesses; the nodes stay here.
    pub fn kept(&self) -> Kept {
        Kept {
            store: self.store.clone(),
            records: self.records,
            run: self.run.clone(),
            trace: self.trace,
            planned: self.planned.clone(),
            counts: self.counts,
            saved_seconds: self.saved_seconds,
            notices: self.notices.clone(),
            nodes: Vec::new(),
        }
    }

    /// All witnesses, their paths absolute.
    pub fn looks(&self, root: &Path) -> Option<Vec<Look>> {
        let mut all = Vec::new();
        for group in &self.groups {
            for witness in group.witnesses() {
                let witness = witness?;
                all.push(Look {
                    path: group.path(root, witness.name),
                    sight: witness.sight,
                    declared: witness.declared,
                });
            }
        }
        Some(all)
    }
}

/// All nodes in definition order, with their rank among the hits.
pub fn nodes(bytes: &[u8]) -> Option<Vec<(String, u32)>> {
    let mut from = From(bytes);
    let mut nodes = Vec::new();
    while !from.0.is_empty() {
        let rank = u32::from_le_bytes(from.array()?);
        let name = std::str::from_utf8(from.lengthed()?).ok()?;
        nodes.push((name.to_owned(), rank));
    }
    Some(nodes)
}

impl<'a> Group<'a> {
    /// The witnesses; nothing for one that cannot be read, and none after it.
    pub fn witnesses(self) -> impl Iterator<Item = Option<Witness<'a>>> {
        let mut from = From(self.witnesses);
        std::iter::from_fn(move || {
            if from.0.is_empty() {
                return None;
            }
            let witness = from.witness();
            if witness.is_none() {
                from.0 = &[];
            }
            Some(witness)
        })
    }

    /// Witnesses of no matter which directory.
    pub(super) fn bare(witnesses: &'a [u8]) -> Group<'a> {
        Group {
            directory: c"",
            witnesses,
        }
    }

    /// How many bytes its witnesses take.
    pub fn weight(&self) -> usize {
        self.witnesses.len()
    }

    /// Where a witness looks, relative to the project; nothing where that is elsewhere.
    pub fn relative(&self, name: &CStr) -> Option<Vec<u8>> {
        let parts = match (self.directory.to_bytes(), name.to_bytes()) {
            (b"", name) => vec![name],
            (directory, _) if directory.starts_with(b"/") => return None,
            (directory, b".") => vec![directory],
            (directory, name) => vec![directory, name],
        };
        Some(parts.join(&b'/'))
    }

    /// The path of a name in its directory.
    pub fn path(&self, root: &Path, name: &CStr) -> PathBuf {
        let text = |text: &'a CStr| OsStr::from_bytes(text.to_bytes());
        let directory = root.join(text(self.directory));
        match name.to_bytes() {
            b"." => directory,
            name => directory.join(OsStr::from_bytes(name)),
        }
    }
}

/// Bytes that are taken from the front.
pub(super) struct From<'a>(pub(super) &'a [u8]);

impl<'a> From<'a> {
    /// What follows a file's head: what it is (16), a hash of all that follows (32), the question (32). Nothing where
    /// the bytes are not such ones.
    pub(super) fn guarded(
        file: &'a [u8],
        magic: &[u8; 16],
        question: &[u8; 32],
    ) -> Option<From<'a>> {
        let mut from = From(file);
        if from.take(magic.len())? != magic {
            return None;
        }
        let sum = from.array::<32>()?;
        (check(from.0) == sum && from.array::<32>()? == *question).then_some(from)
    }

    pub(super) fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(head)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    pub(super) fn lengthed(&mut self) -> Option<&'a [u8]> {
        let length = u32::from_le_bytes(self.array()?);
        self.take(usize::try_from(length).ok()?)
    }

    fn stat(&mut self) -> Option<StatId> {
        Some(StatId {
            size: u64::from_le_bytes(self.array()?),
            mtime_ns: i64::from_le_bytes(self.array()?).into(),
            ctime_ns: i64::from_le_bytes(self.array()?).into(),
            inode: u64::from_le_bytes(self.array()?),
            device: u64::from_le_bytes(self.array()?),
        })
    }

    fn witness(&mut self) -> Option<Witness<'a>> {
        let [kind] = self.array()?;
        let name = CStr::from_bytes_with_nul(self.lengthed()?).ok()?;
        let executable = kind & kind::EXECUTABLE != 0;
        let declared = kind & kind::DECLARED != 0;
        let sight = match kind & !(kind::EXECUTABLE | kind::DECLARED) {
            kind::ABSENT => Sight::Absent,
            kind::VACANT => Sight::Vacant,
            kind @ (kind::FILE | kind::FRESH) => Sight::File {
                id: self.stat()?,
                digest: BlobDigest::from_bytes(self.array()?),
                executable,
                settled: kind == kind::FILE,
            },
            kind::SAME => Sight::Same {
                id: self.stat()?,
                settled: true,
            },
            kind::LINK => Sight::Link {
                id: self.stat()?,
                settled: true,
            },
            kind @ (kind::TYPE | kind::TYPE_FOLLOWED) => Sight::Kind {
                mode: u32::from_le_bytes(self.array()?),
                followed: kind == kind::TYPE_FOLLOWED,
            },
            kind::SIZE => Sight::Size {
                size: u64::from_le_bytes(self.array()?),
                executable,
            },
            _ => return None,
        };
        Some(Witness {
            name,
            sight,
            declared,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settled::example::{id, kept};
    use proptest::prelude::*;

    const QUESTION: [u8; 32] = [7; 32];

    fn sight(kind: u8, number: u64) -> Sight {
        let (id, digest) = (id(number), BlobDigest::of(&number.to_le_bytes()));
        let flag = number.is_multiple_of(2);
        match kind % 7 {
            0 => Sight::Absent,
            1 => Sight::Vacant,
            2 => Sight::File {
                id,
                digest,
                executable: flag,
                settled: number.is_multiple_of(3),
            },
            3 => Sight::Same { id, settled: true },
            4 => Sight::Link { id, settled: true },
            5 => Sight::Size {
                size: number,
                executable: flag,
            },
            _ => Sight::Kind {
                mode: number as u32,
                followed: flag,
            },
        }
    }

    fn look(path: PathBuf, kind: u8, number: u64) -> Look {
        let sight = sight(kind, number);
        Look {
            path,
            sight,
            declared: kind.is_multiple_of(2) && matches!(sight, Sight::File { .. }),
        }
    }

    fn written(root: &Path, looks: Vec<Look>) -> Vec<u8> {
        write(&kept(), &QUESTION, root, looks).expect("it can be written")
    }

    /// Makes the hash right again, as no accident would.
    fn forged(mut bytes: Vec<u8>) -> Vec<u8> {
        let head = MAGIC.len() + 32;
        if bytes.len() >= head {
            let sum = check(&bytes[head..]);
            bytes[MAGIC.len()..head].copy_from_slice(&sum);
        }
        bytes
    }

    proptest! {
        #[test]
        fn what_was_written_is_read(all in proptest::collection::btree_map("(/?[a-c]/){0,2}[a-z]{1,2}|", (any::<u8>(), any::<u64>()), 0..60)) {
            let root = Path::new("/project");
            let mut all: Vec<Look> = all
                .into_iter()
                .map(|(path, (kind, number))| look(root.join(path), kind, number))
                .collect();
            let bytes = written(root, all.clone());
            let read = Snapshot::read(&bytes, &QUESTION).expect("it can be read");
            let mut looks = read.looks(root).expect("all");
            looks.sort_by(|a, b| a.path.cmp(&b.path));
            all.sort_by(|a, b| a.path.cmp(&b.path));
            prop_assert_eq!(looks, all);
            prop_assert_eq!(nodes(read.nodes), Some(kept().nodes));
            prop_assert_eq!(read.planned, kept().planned);
            prop_assert_eq!((read.records, read.trace), (kept().records, kept().trace));
            prop_assert!(Snapshot::read(&bytes, &[8; 32]).is_none());
        }

        #[test]
        fn no_length_is_believed(at in 0..4096usize, with in any::<[u8; 4]>(), cut in 0..4096usize) {
            let root = Path::new("/project");
            let looks = (0..20).map(|number| look(root.join(format!("d/{number}")), number as u8, number));
            let mut bytes = written(root, looks.collect());
            let body = MAGIC.len() + 32;
            let at = body + at % (bytes.len() - body - 4);
            bytes[at..at + 4].copy_from_slice(&with);
            prop_assert!(Snapshot::read(&bytes, &QUESTION).is_none() || bytes == forged(bytes.clone()));
            for bytes in [forged(bytes.clone()), forged(bytes[..cut % bytes.len()].to_vec())] {
                if let Some(read) = Snapshot::read(&bytes, &QUESTION) {
                    let _ = (read.looks(root), nodes(read.nodes));
                }
            }
        }
    }

    #[test]
    fn what_cannot_be_told_is_not_written() {
        let root = Path::new("/project");
        let late = StatId {
            ctime_ns: i128::from(i64::MAX) + 1,
            ..id(1)
        };
        for sight in [
            Sight::Unclear,
            Sight::Same {
                id: id(1),
                settled: false,
            },
            Sight::Link {
                id: late,
                settled: true,
            },
        ] {
            let look = Look {
                sight,
                ..look(root.join("a"), 0, 0)
            };
            assert!(write(&kept(), &QUESTION, root, vec![look]).is_none());
        }
    }
}
