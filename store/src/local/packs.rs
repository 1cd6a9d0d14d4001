//! All packs of a store together: where a key lies, appending to our own, seeing what others append.
//!
//! A sealed pack is found through its index, a live one by scanning it as far as it goes. Nothing here
//! interprets a payload.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{SystemTime, UNIX_EPOCH};

use rustc_hash::{FxHashMap, FxHashSet};

use super::index::Index;
use super::layout::Layout;
use super::lock;
use super::pack::{self, Frame, Kind, Writer};
use crate::error::{At, IoAt};

/// Frames that make an index worth its file.
const WORTH: usize = 64;

type Key = (u8, [u8; 32]);

#[derive(Debug)]
enum Table {
    Sealed(Index),
    Scanned {
        frames: FxHashMap<Key, Vec<Frame>>,
        upto: u64,
    },
}

#[derive(Debug)]
struct Pack {
    path: PathBuf,
    file: Arc<File>,
    table: Table,
    /// We append to it ourselves.
    own: bool,
}

/// The packs.
pub(crate) struct Packs {
    layout: Layout,
    read_only: bool,
    packs: RwLock<BTreeMap<String, Pack>>,
    seen: Mutex<Option<SystemTime>>,
    writer: Mutex<Option<Writer>>,
    /// Where frames lie that were found damaged: they count as absent, so that what they held is written
    /// again when it next comes along.
    damaged: RwLock<FxHashSet<(PathBuf, u64)>>,
}

/// A frame and where to read it.
pub(crate) struct Found {
    pub(crate) frame: Frame,
    pub(crate) path: PathBuf,
    file: Arc<File>,
}

impl Found {
    /// The payload; `None` if it is damaged.
    pub(crate) fn read(&self) -> Result<Option<Vec<u8>>, IoAt> {
        pack::read(&self.file, &self.path, &self.frame)
    }
}

impl Packs {
    pub(crate) fn open(layout: Layout, read_only: bool) -> Result<Packs, IoAt> {
        let packs = Packs {
            layout,
            read_only,
            packs: RwLock::default(),
            seen: Mutex::new(None),
            writer: Mutex::new(None),
            damaged: RwLock::default(),
        };
        packs.refresh()?;
        Ok(packs)
    }

    /// All frames of a kind under a key, newest first; looks for what others wrote if there is none.
    pub(crate) fn find(&self, kind: Kind, key: &[u8; 32]) -> Result<Vec<Found>, IoAt> {
        let found = self.known(kind, key);
        if !found.is_empty() || !self.refresh()? {
            return Ok(found);
        }
        Ok(self.known(kind, key))
    }

    /// Whether there is a frame, without looking for what others wrote.
    pub(crate) fn has(&self, kind: Kind, key: &[u8; 32]) -> Option<u64> {
        let packs = self.packs.read().unwrap_or_else(PoisonError::into_inner);
        let mut length = None;
        for pack in packs.values() {
            pack.table.find(kind as u8, key, &mut |frame| {
                if !self.is_damaged(&pack.path, &frame) {
                    length = Some(frame.len);
                }
            });
            if length.is_some() {
                break;
            }
        }
        length
    }

    fn known(&self, kind: Kind, key: &[u8; 32]) -> Vec<Found> {
        let packs = self.packs.read().unwrap_or_else(PoisonError::into_inner);
        let mut found = Vec::new();
        for pack in packs.values() {
            pack.table.find(kind as u8, key, &mut |frame| {
                if !self.is_damaged(&pack.path, &frame) {
                    found.push(Found {
                        frame,
                        path: pack.path.clone(),
                        file: pack.file.clone(),
                    });
                }
            });
        }
        found.sort_by_key(|found| std::cmp::Reverse(found.frame.stamp));
        found
    }

    /// From now on this frame is not there.
    pub(crate) fn set_damaged(&self, found: &Found) {
        let mut damaged = self.damaged.write().unwrap_or_else(PoisonError::into_inner);
        damaged.insert((found.path.clone(), found.frame.offset));
    }

    fn is_damaged(&self, path: &Path, frame: &Frame) -> bool {
        let damaged = self.damaged.read().unwrap_or_else(PoisonError::into_inner);
        !damaged.is_empty() && damaged.contains(&(path.to_owned(), frame.offset))
    }

    /// Every frame there is.
    pub(crate) fn all(&self) -> Vec<Found> {
        let packs = self.packs.read().unwrap_or_else(PoisonError::into_inner);
        let mut all = Vec::new();
        for pack in packs.values() {
            pack.table.each(&mut |frame| {
                all.push(Found {
                    frame,
                    path: pack.path.clone(),
                    file: pack.file.clone(),
                })
            });
        }
        all
    }

    /// Names of packs of dead owners that do not end with a whole frame.
    pub(crate) fn torn(&self) -> Vec<String> {
        let packs = self.packs.read().unwrap_or_else(PoisonError::into_inner);
        let torn = packs
            .iter()
            .filter(|(_, pack)| !pack.own && pack.has_grown() && pack.is_abandoned());
        torn.map(|(name, _)| name.clone()).collect()
    }

    pub(crate) fn count(&self) -> usize {
        self.packs
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .len()
    }

    /// Appends to our own pack, making it first if need be.
    pub(crate) fn append(&self, kind: Kind, key: &[u8; 32], payload: &[u8]) -> Result<(), IoAt> {
        let mut writer = self.writer();
        if writer.as_ref().is_some_and(Writer::is_broken) {
            *writer = None;
        }
        if writer.is_none() {
            *writer = Some(self.begin()?);
        }
        let Some(writer) = writer.as_mut() else {
            return Ok(());
        };
        let frame = writer.append(kind as u8, key, stamp(), payload)?;
        let name = name_of(writer.path());
        let mut packs = self.packs.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(Pack {
            table: Table::Scanned { frames, upto },
            ..
        }) = packs.get_mut(&name)
        {
            frames
                .entry((frame.kind, frame.key))
                .or_default()
                .push(frame);
            *upto = frame.end();
        }
        Ok(())
    }

    fn begin(&self) -> Result<Writer, IoAt> {
        let name = ulid::Ulid::generate().to_string();
        let path = self.layout.packs().join(format!("{name}.pack"));
        let writer = Writer::create(&self.layout.tmp(), &path)?;
        let file = Arc::new(File::open(&path).at("open", &path)?);
        let table = Table::Scanned {
            frames: FxHashMap::default(),
            upto: writer.len(),
        };
        let mut packs = self.packs.write().unwrap_or_else(PoisonError::into_inner);
        packs.insert(
            name,
            Pack {
                path,
                file,
                table,
                own: true,
            },
        );
        Ok(writer)
    }

    /// Makes what was appended durable.
    pub(crate) fn sync(&self) -> Result<(), IoAt> {
        let written = match self.writer().as_mut() {
            Some(writer) => writer.sync()?,
            None => false,
        };
        // The name, too: a pack that nothing names is lost.
        if written {
            super::atomic::sync_directory(&self.layout.packs())
        } else {
            Ok(())
        }
    }

    /// Looks at everything anew: others may have removed packs.
    pub(crate) fn reload(&self) -> Result<(), IoAt> {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.refresh().map(|_| ())
    }

    /// Ends our own pack and writes its index.
    pub(crate) fn seal(&self) -> Result<(), IoAt> {
        let Some(writer) = self.writer().take() else {
            return Ok(());
        };
        let name = name_of(writer.path());
        let mut packs = self.packs.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(pack) = packs.get_mut(&name) {
            pack.own = false;
            pack.seal(&self.layout.tmp())?;
        }
        // Unlocked, but kept by others who may share the open file for a moment.
        let _ = rustix::fs::flock(writer.file(), rustix::fs::FlockOperation::Unlock);
        Ok(())
    }

    /// Looks for packs and frames of others; whether anything was found.
    pub(crate) fn refresh(&self) -> Result<bool, IoAt> {
        let directory = self.layout.packs();
        let changed = match fs::metadata(&directory) {
            Ok(metadata) => metadata.modified().ok(),
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(e) => return Err(IoAt::new("stat", &directory, e)),
        };
        let mut news = false;
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if *seen != changed || changed.is_none() {
            news |= self.list(&directory)?;
            // A pack that appears within the stamp's granularity must still be seen next time.
            let old = changed.is_some_and(|at| at.elapsed().is_ok_and(|age| age.as_millis() > 50));
            *seen = changed.filter(|_| old);
        }
        drop(seen);
        Ok(self.follow()? || news)
    }

    fn list(&self, directory: &Path) -> Result<bool, IoAt> {
        let mut names = Vec::new();
        for entry in fs::read_dir(directory).at("list", directory)? {
            let name = entry.at("list", directory)?.file_name();
            if let Some(name) = name.to_str().and_then(|name| name.strip_suffix(".pack")) {
                names.push(name.to_owned());
            }
        }
        let mut packs = self.packs.write().unwrap_or_else(PoisonError::into_inner);
        packs.retain(|name, pack| pack.own || names.contains(name));
        let mut news = false;
        for name in names {
            if !packs.contains_key(&name)
                && let Some(pack) = self.load(directory, &name)?
            {
                packs.insert(name, pack);
                news = true;
            }
        }
        Ok(news)
    }

    fn load(&self, directory: &Path, name: &str) -> Result<Option<Pack>, IoAt> {
        let path = directory.join(format!("{name}.pack"));
        let file = match File::open(&path) {
            Ok(file) => file,
            // Compacted away between listing and opening.
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(IoAt::new("open", &path, e)),
        };
        let length = file.metadata().at("stat", &path)?.len();
        let file = Arc::new(file);
        if let Some(index) = Index::open(&path.with_extension("idx"), length) {
            return Ok(Some(Pack {
                path,
                file,
                table: Table::Sealed(index),
                own: false,
            }));
        }
        let table = Table::Scanned {
            frames: FxHashMap::default(),
            upto: 0,
        };
        let mut pack = Pack {
            path,
            file,
            table,
            own: false,
        };
        pack.follow()?;
        // Nobody appends to it any more: its owner died before it could write the index.
        if !self.read_only && pack.is_abandoned() {
            // Only a convenience for the next one who opens the store.
            let _ = pack.seal(&self.layout.tmp());
        }
        Ok(Some(pack))
    }

    fn follow(&self) -> Result<bool, IoAt> {
        let grown: Vec<String> = {
            let packs = self.packs.read().unwrap_or_else(PoisonError::into_inner);
            packs
                .iter()
                .filter(|(_, pack)| pack.has_grown())
                .map(|(name, _)| name.clone())
                .collect()
        };
        if grown.is_empty() {
            return Ok(false);
        }
        let mut packs = self.packs.write().unwrap_or_else(PoisonError::into_inner);
        let mut news = false;
        for name in grown {
            if let Some(pack) = packs.get_mut(&name) {
                news |= pack.follow()?;
            }
        }
        Ok(news)
    }

    fn writer(&self) -> MutexGuard<'_, Option<Writer>> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes these frames into one new pack and removes all others. Only under the exclusive lease.
    /// `right` is asked of a kind, a key and a payload: a frame that is not what its key says must not
    /// stand for a later one that is.
    pub(crate) fn replace(
        &self,
        keep: impl Fn(&Frame) -> bool,
        right: impl Fn(u8, &[u8; 32], &[u8]) -> bool,
    ) -> Result<u64, IoAt> {
        self.seal()?;
        let old: Vec<PathBuf> = {
            let packs = self.packs.read().unwrap_or_else(PoisonError::into_inner);
            packs.values().map(|pack| pack.path.clone()).collect()
        };
        let mut before = 0;
        for path in &old {
            before += fs::metadata(path).map_or(0, |metadata| metadata.len());
        }
        let mut all = self.all();
        all.retain(|found| keep(&found.frame));
        all.sort_by_key(|found| found.frame.stamp);
        let name = ulid::Ulid::generate().to_string();
        let path = self.layout.packs().join(format!("{name}.pack"));
        let mut after = 0;
        if !all.is_empty() {
            // Under another ending until it is whole: a crash leaves the old packs and a file nobody reads.
            let unfinished = path.with_extension("new");
            let mut writer = Writer::create(&self.layout.tmp(), &unfinished)?;
            let mut written = rustc_hash::FxHashSet::default();
            for found in &all {
                let Some(payload) = found.read()? else {
                    continue;
                };
                if !right(found.frame.kind, &found.frame.key, &payload) {
                    continue;
                }
                let single =
                    found.frame.kind == Kind::Blob as u8 || found.frame.kind == Kind::Tree as u8;
                if single && !written.insert((found.frame.kind, found.frame.key)) {
                    continue;
                }
                writer.append(
                    found.frame.kind,
                    &found.frame.key,
                    found.frame.stamp,
                    &payload,
                )?;
            }
            writer.sync()?;
            after = writer.len();
            drop(writer);
            fs::rename(&unfinished, &path).at("rename", &path)?;
            super::atomic::sync_directory(&self.layout.packs())?;
        }
        for path in old {
            let index = path.with_extension("idx");
            fs::remove_file(&path).at("remove", &path)?;
            // Derived; one left behind fits no pack.
            let _ = fs::remove_file(index);
        }
        self.reload()?;
        Ok(before.saturating_sub(after))
    }
}

impl Pack {
    fn has_grown(&self) -> bool {
        match &self.table {
            Table::Scanned { upto, .. } if !self.own => self
                .file
                .metadata()
                .is_ok_and(|metadata| metadata.len() > *upto),
            _ => false,
        }
    }

    fn follow(&mut self) -> Result<bool, IoAt> {
        let Table::Scanned { frames, upto } = &mut self.table else {
            return Ok(false);
        };
        let before = *upto;
        *upto = pack::scan(&self.file, &self.path, *upto, |frame| {
            frames
                .entry((frame.kind, frame.key))
                .or_default()
                .push(frame);
        })?;
        Ok(*upto > before)
    }

    fn is_abandoned(&self) -> bool {
        let locked = File::open(&self.path)
            .ok()
            .map(|file| lock::try_exclusive(&file, &self.path));
        matches!(locked, Some(Ok(true)))
    }

    fn seal(&mut self, tmp: &Path) -> Result<(), IoAt> {
        let Table::Scanned { frames, upto } = &self.table else {
            return Ok(());
        };
        let length = self.file.metadata().at("stat", &self.path)?.len();
        let mut all: Vec<Frame> = frames.values().flatten().copied().collect();
        // With a torn tail the length would not fit what was indexed.
        if all.len() < WORTH || *upto != length {
            return Ok(());
        }
        let path = self.path.with_extension("idx");
        Index::write(tmp, &path, length, &mut all)?;
        if let Some(index) = Index::open(&path, length) {
            self.table = Table::Sealed(index);
        }
        Ok(())
    }
}

impl Table {
    fn find(&self, kind: u8, key: &[u8; 32], each: &mut dyn FnMut(Frame)) {
        match self {
            Table::Sealed(index) => index.find(kind, key, each),
            Table::Scanned { frames, .. } => {
                frames
                    .get(&(kind, *key))
                    .into_iter()
                    .flatten()
                    .copied()
                    .for_each(each);
            }
        }
    }

    fn each(&self, each: &mut dyn FnMut(Frame)) {
        match self {
            Table::Sealed(index) => (0..index.len())
                .filter_map(|at| index.get(at))
                .for_each(each),
            Table::Scanned { frames, .. } => frames.values().flatten().copied().for_each(each),
        }
    }
}

fn name_of(path: &Path) -> String {
    path.file_stem()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default()
}

fn stamp() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_nanos() as u64)
}
