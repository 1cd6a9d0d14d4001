//! Witnesses: every look that a decision rested on, with what it found.
//!
//! Whoever looks at a project does so through a stat cache or through [`Witnesses::read`]; [`Recording`] stands
//! in the cache's place and so hears of every look, whoever takes it. A list put together by hand could forget
//! one. Knows paths and stats; nothing of what is decided, and nothing of what becomes of the list.

use std::ffi::{OsStr, OsString};
use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jalon_store::digest::BlobDigest;
use jalon_store::index::{
    Memory, Sight, StatCache, StatId, is_surely_settled, now_ns, saw_link, saw_same,
};
use rustc_hash::FxHashMap;

/// The bits of `st_mode` that tell the type.
pub const TYPE: u32 = 0o170_000;

/// A path's bytes, and how it was looked at: two looks of one kind must find the same. (To hash a path is to take it
/// apart.)
type Way = (Box<[u8]>, u8);

/// A look that a decision rested on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    /// Where, absolute.
    pub path: PathBuf,
    /// What was found.
    pub sight: Sight,
    /// Nobody looked there but for what a node declares to read: a source, or a file of its code.
    pub declared: bool,
}

/// What was looked at.
#[derive(Debug, Default)]
pub struct Witnesses {
    off: bool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    before: Seen,
    after: Seen,
    marked: bool,
}

#[derive(Debug, Default)]
struct Seen {
    /// See [`Look`].
    sights: FxHashMap<Way, (Sight, bool)>,
    /// Two looks found different things, or one could not tell what it found.
    unclear: bool,
}

impl Witnesses {
    /// For those who will not ask: nothing is recorded.
    pub fn off() -> Witnesses {
        Witnesses {
            off: true,
            state: Mutex::default(),
        }
    }

    /// What was seen until now was seen once and for all; the rest may be looked at again, see
    /// [`Witnesses::renew`].
    pub fn mark(&self) {
        self.lock().marked = true;
    }

    /// Forgets what was seen since the mark: it is all looked at again.
    pub fn renew(&self) {
        self.lock().after = Seen::default();
    }

    /// Records a look.
    pub fn saw(&self, path: &Path, sight: Sight) {
        self.saw_as(path, sight, false);
    }

    fn saw_as(&self, path: &Path, sight: Sight, declared: bool) {
        if self.off {
            return;
        }
        let mut state = self.lock();
        let State {
            before,
            after,
            marked,
        } = &mut *state;
        if sight == Sight::Unclear {
            let into = if *marked { after } else { before };
            into.unclear = true;
            return;
        }
        let way = (path.as_os_str().as_bytes().into(), way(&sight));
        let agrees = match (before.sights.get_mut(&way), *marked) {
            (Some(earlier), _) => Some(again(earlier, &sight, declared)),
            (None, true) => after
                .sights
                .get_mut(&way)
                .map(|earlier| again(earlier, &sight, declared)),
            (None, false) => None,
        };
        let into = if *marked { after } else { before };
        match agrees {
            None => drop(into.sights.insert(way, (sight, declared))),
            Some(agrees) => into.unclear |= !agrees,
        }
    }

    /// Takes over what was looked at earlier, where nobody has looked since. Nothing of it, and `false`, where a second
    /// look found something else and it is not one that `may`: what was decided by the first one would be taken to rest
    /// on the second.
    pub fn adopt(&self, looks: Vec<Look>, may: impl Fn(&Look) -> bool) -> bool {
        let mut state = self.lock();
        let State { before, after, .. } = &mut *state;
        let key =
            |look: &Look| -> Way { (look.path.as_os_str().as_bytes().into(), way(&look.sight)) };
        let stands = looks.iter().all(|look| {
            let way = key(look);
            let known = before.sights.get(&way).or_else(|| after.sights.get(&way));
            known.is_none_or(|(known, _)| agree(known, &look.sight) || may(look))
        });
        if !stands {
            return false;
        }
        for look in looks {
            let way = key(&look);
            let known = before.sights.get_mut(&way);
            match known.or_else(|| after.sights.get_mut(&way)) {
                Some((_, declared)) => *declared &= look.declared,
                None => drop(after.sights.insert(way, (look.sight, look.declared))),
            }
        }
        true
    }

    /// Reads a file, and records what it was.
    ///
    /// # Errors
    /// It cannot be read; that nothing is there is recorded too.
    pub fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let read = read(path);
        let sight = match &read {
            Ok((_, sight)) => *sight,
            Err(error) if is_absent(error) => Sight::Absent,
            Err(_) => Sight::Unclear,
        };
        self.saw(path, sight);
        read.map(|(bytes, _)| bytes)
    }

    /// Everything that was seen; nothing where another look may find something else although no stat says so.
    pub fn all(&self) -> Option<Vec<Look>> {
        let state = self.lock();
        let parts = [&state.before, &state.after];
        if self.off || parts.iter().any(|part| part.unclear) {
            return None;
        }
        let all = parts.iter().flat_map(|part| &part.sights);
        all.map(|((path, _), (sight, declared))| {
            is_sure(sight).then(|| Look {
                path: PathBuf::from(OsStr::from_bytes(path)),
                sight: *sight,
                declared: *declared,
            })
        })
        .collect()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A digest can be taken again; what names a directory holds, or where a link leads, is known by the stat alone.
fn is_sure(sight: &Sight) -> bool {
    !matches!(
        sight,
        Sight::Same { settled: false, .. } | Sight::Link { settled: false, .. }
    )
}

/// Looks of one way at one path are to find the same.
pub fn way(sight: &Sight) -> u8 {
    match sight {
        Sight::Absent | Sight::File { .. } | Sight::Unclear => 0,
        Sight::Vacant | Sight::Link { .. } => 1,
        Sight::Kind { followed: true, .. } => 2,
        Sight::Kind { .. } => 3,
        Sight::Size { .. } => 4,
        Sight::Same { .. } => 5,
    }
}

/// A further look; whether it found the same. The first one is the one that was decided by.
fn again(earlier: &mut (Sight, bool), sight: &Sight, as_declared: bool) -> bool {
    let (first, declared) = earlier;
    *declared &= as_declared;
    agree(first, sight)
}

/// Whether two looks of one way found the same.
pub fn agree(first: &Sight, second: &Sight) -> bool {
    match (first, second) {
        (
            Sight::File {
                digest, executable, ..
            },
            Sight::File {
                digest: now,
                executable: may,
                ..
            },
        ) => (digest, executable) == (now, may),
        (Sight::Same { id, .. }, Sight::Same { id: now, .. })
        | (Sight::Link { id, .. }, Sight::Link { id: now, .. }) => id == now,
        _ => first == second,
    }
}

/// Looks at what lies at a path, links followed, of which only the stat will tell whether it is what it was.
///
/// # Errors
/// Nothing is there, or it cannot be looked at; the cache is told of either.
pub fn metadata(cache: &dyn StatCache, path: &Path) -> io::Result<Metadata> {
    let found = path.metadata();
    match &found {
        Ok(metadata) => saw_same(cache, path, metadata),
        Err(error) => cache.saw(path, missing(error)),
    }
    found
}

/// Whether there is a file that somebody may execute; not what is in it.
pub fn is_program(cache: &dyn StatCache, path: &Path) -> bool {
    metadata(cache, path).is_ok_and(|found| found.is_file() && found.mode() & 0o111 != 0)
}

/// The names in a directory; none where it cannot be read.
pub fn names(cache: &dyn StatCache, directory: &Path) -> Vec<OsString> {
    if metadata(cache, directory).is_err() {
        return Vec::new();
    }
    let entries = std::fs::read_dir(directory).into_iter().flatten();
    let names: io::Result<Vec<OsString>> = entries
        .map(|entry| entry.map(|entry| entry.file_name()))
        .collect();
    names.unwrap_or_else(|_| {
        cache.saw(directory, Sight::Unclear);
        Vec::new()
    })
}

/// What a small file says; nothing where it cannot be read.
pub fn text(cache: &dyn StatCache, path: &Path) -> Option<String> {
    metadata(cache, path).ok()?;
    std::fs::read_to_string(path).ok()
}

/// Whether there is a directory; not what is in it.
pub fn is_directory(cache: &dyn StatCache, path: &Path) -> bool {
    match path.metadata() {
        Ok(found) => {
            let (mode, followed) = (found.mode() & TYPE, true);
            cache.saw(path, Sight::Kind { mode, followed });
            found.is_dir()
        }
        Err(error) => {
            cache.saw(path, missing(&error));
            false
        }
    }
}

/// Where a link leads; nothing where there is none.
pub fn link(cache: &dyn StatCache, path: &Path) -> Option<PathBuf> {
    match path.symlink_metadata() {
        Ok(metadata) if metadata.is_symlink() => {
            saw_link(cache, path, &metadata);
            path.read_link().ok()
        }
        Ok(metadata) => {
            let mode = metadata.mode() & TYPE;
            let followed = false;
            cache.saw(path, Sight::Kind { mode, followed });
            None
        }
        Err(error) => {
            let absent = is_absent(&error);
            cache.saw(
                path,
                if absent {
                    Sight::Vacant
                } else {
                    Sight::Unclear
                },
            );
            None
        }
    }
}

/// What an error in looking at a path, links followed, says of it.
pub fn missing(error: &io::Error) -> Sight {
    if is_absent(error) {
        Sight::Absent
    } else {
        Sight::Unclear
    }
}

/// Whether an error says that nothing is there.
pub fn is_absent(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

fn read(path: &Path) -> io::Result<(Vec<u8>, Sight)> {
    let mut file = File::open(path)?;
    let metadata = file.metadata()?;
    let id = StatId::of(&metadata);
    let began = now_ns();
    let mut bytes = Vec::with_capacity(id.size as usize);
    file.read_to_end(&mut bytes)?;
    if StatId::of(&file.metadata()?) != id || bytes.len() as u64 != id.size {
        return Ok((bytes, Sight::Unclear));
    }
    let sight = Sight::File {
        id,
        digest: BlobDigest::of(&bytes),
        executable: metadata.permissions().mode() & 0o100 != 0,
        settled: is_surely_settled(&id, began),
    };
    Ok((bytes, sight))
}

/// A stat cache whose every look is recorded.
pub struct Recording {
    cache: Arc<dyn StatCache>,
    witnesses: Arc<Witnesses>,
    declared: bool,
}

impl Recording {
    /// Looks through this cache, and tells these witnesses.
    pub fn new(cache: Arc<dyn StatCache>, witnesses: Arc<Witnesses>) -> Recording {
        Recording {
            cache,
            witnesses,
            declared: false,
        }
    }

    /// The same, for those who look at what nodes declare to read, see [`Look::declared`].
    #[must_use]
    pub fn at_declared(self) -> Recording {
        Recording {
            declared: true,
            ..self
        }
    }

    /// Looks anew each time, and tells these witnesses.
    pub fn afresh(witnesses: &Arc<Witnesses>) -> Recording {
        Recording::new(Arc::new(Memory::default()), witnesses.clone())
    }
}

impl StatCache for Recording {
    fn get(&self, path: &Path, id: &StatId) -> Option<BlobDigest> {
        self.cache.get(path, id)
    }

    fn put(&self, path: &Path, id: StatId, digest: BlobDigest, began_ns: i128) {
        self.cache.put(path, id, digest, began_ns);
    }

    fn flush(&self) {
        self.cache.flush();
    }

    fn at_stake(&self) -> u64 {
        self.cache.at_stake()
    }

    fn is_settled(&self, id: &StatId, at_ns: i128) -> bool {
        self.cache.is_settled(id, at_ns)
    }

    fn saw(&self, path: &Path, sight: Sight) {
        self.witnesses.saw_as(path, sight, self.declared);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u64) -> StatId {
        StatId {
            size: number,
            mtime_ns: 1,
            ctime_ns: 2,
            inode: 3,
            device: 4,
        }
    }

    fn file(number: u64, bytes: &[u8]) -> Sight {
        Sight::File {
            id: id(number),
            digest: BlobDigest::of(bytes),
            executable: false,
            settled: false,
        }
    }

    fn directory(number: u64, settled: bool) -> Sight {
        Sight::Same {
            id: id(number),
            settled,
        }
    }

    fn look(path: &Path, sight: Sight) -> Look {
        Look {
            path: path.to_owned(),
            sight,
            declared: false,
        }
    }

    #[test]
    fn what_others_look_at_too_is_not_declared_alone() {
        let path = Path::new("/a");
        for (looks, alone) in [
            (&[true][..], true),
            (&[true, true], true),
            (&[false], false),
            (&[true, false], false),
            (&[false, true], false),
        ] {
            for mark in 0..=looks.len() {
                let witnesses = Arc::new(Witnesses::default());
                let any = Recording::afresh(&witnesses);
                let declared = Recording::afresh(&witnesses).at_declared();
                for (at, is_declared) in looks.iter().enumerate() {
                    if at == mark {
                        witnesses.mark();
                    }
                    let by = if *is_declared { &declared } else { &any };
                    by.saw(path, file(1, b"x"));
                }
                let all = witnesses.all().expect("clear");
                let found: Vec<bool> = all.iter().map(|look| look.declared).collect();
                assert_eq!(found, [alone], "{looks:?} {mark}");
            }
        }
    }

    #[test]
    fn what_is_adopted_gives_way_to_what_was_seen() {
        let witnesses = Arc::new(Witnesses::default());
        let (old, both) = (Path::new("/old"), Path::new("/both"));
        let declared = Recording::afresh(&witnesses).at_declared();
        witnesses.mark();
        declared.saw(both, file(2, b"new"));
        let earlier = || {
            vec![
                look(old, Sight::Absent),
                look(both, file(1, b"old")),
                Look {
                    declared: true,
                    ..look(old, file(1, b"old"))
                },
            ]
        };
        // What was decided by it would be taken to rest on what is there now.
        assert!(!witnesses.adopt(earlier(), |_| false));
        assert_eq!(witnesses.all().map(|all| all.len()), Some(1));
        assert!(witnesses.adopt(earlier(), |look| look.path == both));
        let all = witnesses.all().expect("clear");
        // The way is the same: a file where nothing was is another answer to the same look.
        assert_eq!(all.len(), 2);
        assert!(all.contains(&look(old, Sight::Absent)));
        assert!(all.contains(&look(both, file(2, b"new"))));
    }

    #[test]
    fn two_looks_that_differ_leave_nothing_to_go_by() {
        let path = Path::new("/a");
        for (first, second, agree) in [
            (file(1, b"x"), file(1, b"x"), true),
            (file(1, b"x"), file(2, b"x"), true),
            (file(1, b"x"), file(1, b"y"), false),
            (file(1, b"x"), Sight::Absent, false),
            (directory(1, true), directory(1, true), true),
            (directory(1, true), directory(2, true), false),
            (Sight::Absent, Sight::Vacant, true),
            (Sight::Absent, Sight::Unclear, false),
        ] {
            for marked in [false, true] {
                let witnesses = Witnesses::default();
                witnesses.saw(path, first);
                if marked {
                    witnesses.mark();
                }
                witnesses.saw(path, second);
                let all = witnesses.all();
                assert_eq!(all.is_some(), agree, "{first:?} {second:?}");
                if let Some(all) = all {
                    assert!(all.contains(&look(path, first)));
                }
            }
        }
    }

    #[test]
    fn what_was_seen_before_the_mark_stays_seen() {
        let witnesses = Witnesses::default();
        witnesses.saw(Path::new("/a"), file(1, b"x"));
        witnesses.mark();
        witnesses.saw(Path::new("/b"), Sight::Unclear);
        assert_eq!(witnesses.all(), None);
        witnesses.renew();
        assert_eq!(witnesses.all().map(|all| all.len()), Some(1));
        witnesses.saw(Path::new("/a"), file(1, b"y"));
        assert_eq!(witnesses.all(), None);
    }

    #[test]
    fn a_directory_too_fresh_to_go_by_is_not_gone_by() {
        let witnesses = Witnesses::default();
        witnesses.saw(Path::new("/a"), directory(1, false));
        assert_eq!(witnesses.all(), None);
        assert_eq!(Witnesses::off().all(), None);
    }

    #[test]
    fn what_is_read_is_recorded() {
        let root = tempfile::tempdir().expect("a directory");
        let (there, gone) = (root.path().join("there"), root.path().join("gone"));
        std::fs::write(&there, "x").expect("written");
        let witnesses = Witnesses::default();
        assert_eq!(witnesses.read(&there).expect("read"), b"x");
        assert!(witnesses.read(&gone).is_err());
        let all = witnesses.all().expect("clear");
        assert!(all.contains(&look(&gone, Sight::Absent)));
        assert!(all.iter().any(|look| look.path == there
            && matches!(look.sight, Sight::File { digest, .. } if digest == BlobDigest::of(b"x"))));
    }
}
