//! The store on a local file system: plain files, shared by processes, users and projects.
//!
//! FORMAT.md has the bytes. Every read is verified: what does not hash to its name, or does not check
//! out, is not there, and is counted.

mod actions;
pub(crate) mod atomic;
mod glance;
pub(crate) mod holes;
mod index;
pub(crate) mod layout;
pub(crate) mod lock;
pub(crate) mod pack;
pub(crate) mod packs;
pub(crate) mod trace;

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError, RwLock};

use rustc_hash::FxHashSet;

use crate::content::Content;
use crate::digest::{BlobDigest, TreeDigest, WeakKey, pump};
use crate::error::{At, IoAt, OpenError, ReadError, WriteError};
use crate::pin::Pin;
use crate::record;
use crate::tree::{Entry, MAX_DEPTH, Tree, stays_inside};
use atomic::Temporary;
pub use glance::Glance;
use holes::Copy;
use layout::{LOOSE, Layout};
pub use lock::Flight;
use lock::Lease;
use pack::Kind;
use packs::Packs;
pub use trace::{Frames, TraceWriter};

/// Above this many loose blobs the whole file system is synced at once: a sync of one file costs
/// milliseconds, whatever its size.
#[cfg(target_os = "linux")]
const SYNC_ALL: usize = 32;

/// How a store is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// It must be possible to write.
    ReadWrite,
    /// Nothing is written.
    ReadOnly,
    /// Writing if that is possible.
    Auto,
}

/// A store on disk.
pub struct LocalStore {
    pub(crate) layout: Layout,
    read_only: bool,
    pub(crate) packs: Packs,
    pub(crate) lease: Option<Lease>,
    /// Trees known to be complete.
    whole: RwLock<FxHashSet<TreeDigest>>,
    /// Loose blobs written and not yet synced.
    unsynced: Mutex<Vec<PathBuf>>,
    damaged: AtomicU64,
}

impl std::fmt::Debug for LocalStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LocalStore")
            .field("path", &self.layout.root())
            .field("read_only", &self.read_only)
            .finish_non_exhaustive()
    }
}

impl LocalStore {
    /// Opens a store, making it where there is none and it may be written. One that is not there and may not
    /// be written is read as an empty one.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open(path: &Path, mode: Mode) -> Result<LocalStore, OpenError> {
        let layout = Layout::new(path);
        let mut read_only = mode == Mode::ReadOnly;
        if !read_only {
            match layout.create().and_then(|()| writable(&layout)) {
                Ok(()) => {}
                Err(error)
                    if error.is_read_only() && mode == Mode::Auto && layout.recognise()? =>
                {
                    read_only = true
                }
                Err(error)
                    if error.is_disk_full() && mode == Mode::Auto && layout.recognise()? => {}
                Err(OpenError::Io(cause)) if cause.is_read_only() => {
                    return Err(OpenError::ReadOnly(cause));
                }
                Err(error) => return Err(error),
            }
        } else if path.exists() && !layout.recognise()? {
            return Err(OpenError::NotAStore(path.to_owned()));
        }
        let lease = match Lease::open(&layout.lease(), read_only) {
            Ok(lease) => {
                lease.share()?;
                Some(lease)
            }
            // Without a lock file nobody can have collected anything yet.
            Err(_) if read_only => None,
            Err(error) => return Err(error.into()),
        };
        let packs = Packs::open(layout.clone(), read_only)?;
        Ok(LocalStore {
            layout,
            read_only,
            packs,
            lease,
            whole: RwLock::default(),
            unsynced: Mutex::default(),
            damaged: AtomicU64::new(0),
        })
    }

    /// Its directory.
    pub fn path(&self) -> &Path {
        self.layout.root()
    }

    /// Whether nothing can be kept.
    pub fn is_read_only(&self) -> bool {
        self.read_only
    }

    /// How many damaged things were met, and taken for absent, since it was opened.
    pub fn damage(&self) -> u64 {
        self.damaged.load(Ordering::Relaxed)
    }

    pub(crate) fn may_write(&self) -> Result<(), WriteError> {
        if self.read_only {
            Err(WriteError::ReadOnly)
        } else {
            Ok(())
        }
    }

    /// Keeps bytes.
    ///
    /// # Errors
    /// See [`WriteError`].
    pub fn put_bytes(&self, bytes: &[u8]) -> Result<BlobDigest, WriteError> {
        let digest = BlobDigest::of(bytes);
        if self.has_blob(&digest, bytes.len() as u64) {
            return Ok(digest);
        }
        self.may_write()?;
        if (bytes.len() as u64) < LOOSE {
            self.packs.append(Kind::Blob, digest.as_bytes(), bytes)?;
        } else {
            let mut temporary = Temporary::in_directory(&self.layout.tmp())?;
            temporary
                .file()
                .write_all(bytes)
                .at("write", &self.layout.tmp())?;
            self.persist(temporary, &digest)?;
        }
        Ok(digest)
    }

    /// Keeps a file's bytes; its digest and its size.
    ///
    /// # Errors
    /// See [`WriteError`]; [`WriteError::Moved`] where it changed meanwhile.
    pub fn put_file(&self, path: &Path) -> Result<(BlobDigest, u64), WriteError> {
        let mut file = File::open(path).at("open", path)?;
        let before = crate::index::StatId::of(&file.metadata().at("stat", path)?);
        let moved = |file: &File| -> Result<(), WriteError> {
            let after = crate::index::StatId::of(&file.metadata().at("stat", path)?);
            if after == before {
                Ok(())
            } else {
                Err(WriteError::Moved(path.to_owned()))
            }
        };
        if before.size < LOOSE {
            let mut bytes = Vec::with_capacity(before.size as usize);
            pump(&mut file, |chunk| {
                bytes.extend_from_slice(chunk);
                Ok(())
            })
            .at("read", path)?;
            moved(&file)?;
            return Ok((self.put_bytes(&bytes)?, bytes.len() as u64));
        }
        self.may_write()?;
        let mut temporary = Temporary::in_directory(&self.layout.tmp())?;
        let (digest, size) = if temporary.clone_from_path(path) {
            // What is named is what was shared, whatever happens to the original from now on.
            let mut shared = File::open(temporary.path()).at("open", temporary.path())?;
            BlobDigest::of_file(&mut shared).at("read", path)?
        } else {
            let metadata = file.metadata().at("stat", path)?;
            let copy = Copy::of(&metadata, temporary.file());
            let copied = BlobDigest::of_file_to(&mut file, |piece, at| copy.write(piece, at));
            let copied = copied.and_then(|named| copy.finish(named.1).map(|()| named));
            copied.map_err(|error| WriteError::of("copy", path, error))?
        };
        moved(&file)?;
        if !self.has_blob(&digest, size) {
            self.persist(temporary, &digest)?;
        }
        Ok((digest, size))
    }

    pub(crate) fn persist(
        &self,
        temporary: Temporary,
        digest: &BlobDigest,
    ) -> Result<(), WriteError> {
        let path = self.place_of(digest)?;
        temporary.set_mode(0o444)?;
        temporary.persist(&path)?;
        self.is_unsynced(path);
        Ok(())
    }

    /// Makes a verified file below `tmp` the blob's.
    pub(crate) fn adopt(&self, from: &Path, digest: &BlobDigest) -> Result<(), WriteError> {
        let path = self.place_of(digest)?;
        fs::set_permissions(from, fs::Permissions::from_mode(0o444))
            .at("set permissions of", from)?;
        fs::rename(from, &path).at("rename a new file to", &path)?;
        self.is_unsynced(path);
        Ok(())
    }

    fn place_of(&self, digest: &BlobDigest) -> Result<PathBuf, IoAt> {
        let path = self.layout.blob(digest);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).at("create", parent)?;
        }
        Ok(path)
    }

    fn is_unsynced(&self, path: PathBuf) {
        self.unsynced
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(path);
    }

    /// Whether a blob of that size is here. A file of another size is none.
    pub fn has_blob(&self, digest: &BlobDigest, size: u64) -> bool {
        if size < LOOSE && self.packs.has(Kind::Blob, digest.as_bytes()) == Some(size) {
            return true;
        }
        fs::metadata(self.layout.blob(digest)).is_ok_and(|metadata| metadata.len() == size)
            || self.packs.has(Kind::Blob, digest.as_bytes()) == Some(size)
    }

    /// A blob's bytes, verified; damage is absence.
    ///
    /// # Errors
    /// The disk did not answer.
    pub fn read_blob(&self, digest: &BlobDigest) -> Result<Option<Vec<u8>>, ReadError> {
        for found in self.packs.find(Kind::Blob, digest.as_bytes())? {
            match found.read()? {
                Some(bytes) if BlobDigest::of(&bytes) == *digest => return Ok(Some(bytes)),
                _ => self.spoil(&found),
            }
        }
        let path = self.layout.blob(digest);
        match fs::read(&path) {
            Ok(bytes) if BlobDigest::of(&bytes) == *digest => Ok(Some(bytes)),
            Ok(_) => {
                self.quarantine(&path);
                Ok(None)
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(IoAt::new("read", &path, e).into()),
        }
    }

    /// The file of a loose blob, if it is one. Not verified.
    pub(crate) fn loose(&self, digest: &BlobDigest) -> Option<PathBuf> {
        let path = self.layout.blob(digest);
        path.is_file().then_some(path)
    }

    pub(crate) fn note_damage(&self) {
        self.damaged.fetch_add(1, Ordering::Relaxed);
    }

    /// Takes a damaged frame for absent, so that the right bytes are written again.
    fn spoil(&self, found: &packs::Found) {
        self.note_damage();
        self.packs.set_damaged(found);
        self.forget_whole();
    }

    /// Something went: which trees are complete is to be found out again.
    pub(crate) fn forget_whole(&self) {
        self.whole
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }

    /// Takes a damaged file out of the way, so that the right bytes may take its place.
    pub(crate) fn quarantine(&self, path: &Path) {
        self.note_damage();
        self.forget_whole();
        if self.read_only {
            return;
        }
        let directory = self.layout.quarantine();
        let name = path
            .components()
            .rev()
            .take(2)
            .map(|part| part.as_os_str().to_string_lossy().into_owned());
        let name: Vec<String> = name.collect();
        // Where it cannot be moved it stays, and is met again.
        let _ = fs::create_dir_all(&directory);
        let _ = fs::rename(path, directory.join(name.concat()));
    }

    /// Keeps a tree.
    ///
    /// # Errors
    /// See [`WriteError`].
    pub fn put_tree(&self, tree: &Tree) -> Result<TreeDigest, WriteError> {
        let encoding = tree.encode();
        let digest = Tree::digest_of(&encoding);
        if self.packs.has(Kind::Tree, digest.as_bytes()).is_none() {
            self.may_write()?;
            self.packs
                .append(Kind::Tree, digest.as_bytes(), &encoding)?;
        }
        Ok(digest)
    }

    /// A tree, verified; damage is absence.
    ///
    /// # Errors
    /// The disk did not answer.
    pub fn read_tree(&self, digest: &TreeDigest) -> Result<Option<Tree>, ReadError> {
        for found in self.packs.find(Kind::Tree, digest.as_bytes())? {
            match found.read()? {
                Some(bytes) if Tree::digest_of(&bytes) == *digest => match Tree::decode(&bytes) {
                    Ok(tree) => return Ok(Some(tree)),
                    Err(_) => self.note_damage(),
                },
                _ => self.spoil(&found),
            }
        }
        Ok(None)
    }

    /// Whether all bytes of a content are here.
    pub fn has_content(&self, content: &Content) -> bool {
        match content {
            Content::File { digest, size, .. } => self.has_blob(digest, *size),
            Content::Tree { digest, .. } => self.has_tree(digest),
        }
    }

    /// Whether a directory is here with all that is in it, and can be laid out: one from elsewhere may be of any
    /// depth, and lead anywhere. Level by level, so that each is met first where it lies least deep: there its links
    /// may lead up least.
    fn has_tree(&self, root: &TreeDigest) -> bool {
        let known = self.whole.read().unwrap_or_else(PoisonError::into_inner);
        if known.contains(root) {
            return true;
        }
        drop(known);
        let mut seen = FxHashSet::from_iter([*root]);
        let mut level = vec![*root];
        let mut depth = 0;
        while !level.is_empty() {
            let mut next = Vec::new();
            for digest in level {
                let Ok(Some(tree)) = self.read_tree(&digest) else {
                    return false;
                };
                if depth > MAX_DEPTH {
                    return false;
                }
                for (_, entry) in tree.entries() {
                    match entry {
                        Entry::File { digest, size, .. } if !self.has_blob(digest, *size) => {
                            return false;
                        }
                        Entry::Symlink { target } if !stays_inside(target, depth) => return false,
                        Entry::Directory { digest, .. } if seen.insert(*digest) => {
                            next.push(*digest);
                        }
                        _ => {}
                    }
                }
            }
            level = next;
            depth += 1;
        }
        self.whole
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(*root);
        true
    }

    /// Waits until nobody else flies this action; `None` if `cancelled` said so first. What the one
    /// before recorded is known then: look the action up again. A read-only store, where nothing can be
    /// recorded, makes nobody wait.
    ///
    /// # Errors
    /// The lock file cannot be made.
    pub fn flight(
        &self,
        weak: &WeakKey,
        cancelled: &dyn Fn() -> bool,
    ) -> Result<Option<Flight>, IoAt> {
        if self.read_only {
            return Ok(Some(Flight::unlocked()));
        }
        let flight = Flight::start(&self.layout.flights(), weak, cancelled)?;
        self.packs.refresh()?;
        Ok(flight)
    }

    /// Looks for what others recorded since.
    ///
    /// # Errors
    /// The disk did not answer.
    pub fn refresh(&self) -> Result<(), ReadError> {
        self.packs.refresh()?;
        Ok(())
    }

    /// Begins the trace of a run.
    ///
    /// # Errors
    /// There is one, or the disk refused.
    pub fn create_trace(&self, id: &str) -> Result<TraceWriter, WriteError> {
        self.may_write()?;
        TraceWriter::create(&self.layout, id)
    }

    /// The runs of which there are traces, oldest first.
    ///
    /// # Errors
    /// The disk did not answer.
    pub fn list_traces(&self) -> Result<Vec<String>, ReadError> {
        trace::list(&self.layout)
    }

    /// The frames of a trace, up to the first that is not whole.
    ///
    /// # Errors
    /// The disk did not answer.
    pub fn read_trace(&self, id: &str) -> Result<Option<Frames>, ReadError> {
        trace::read(&self.layout, id)
    }

    /// Pins something under a name, in place of what it pinned before. Durable, with what it keeps.
    ///
    /// # Errors
    /// See [`WriteError`].
    pub fn pin(&self, name: &str, pin: &Pin) -> Result<(), WriteError> {
        self.may_write()?;
        self.sync()?;
        atomic::write(
            &self.layout.tmp(),
            &self.pin_path(name),
            &record::encode(pin)?,
        )?;
        Ok(atomic::sync_directory(&self.layout.pins())?)
    }

    /// Takes a pin away; whether there was one.
    ///
    /// # Errors
    /// The disk refused.
    pub fn unpin(&self, name: &str) -> Result<bool, WriteError> {
        self.may_write()?;
        let path = self.pin_path(name);
        match fs::remove_file(&path) {
            Ok(()) => Ok(true),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(e) => Err(IoAt::new("remove", &path, e).into()),
        }
    }

    /// All pins, by name.
    ///
    /// # Errors
    /// The disk did not answer.
    pub fn pins(&self) -> Result<Vec<(String, Pin)>, ReadError> {
        let directory = self.layout.pins();
        let entries = match fs::read_dir(&directory) {
            Ok(entries) => entries,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => return Err(IoAt::new("list", &directory, e).into()),
        };
        let mut pins = Vec::new();
        for entry in entries.flatten() {
            let bytes = fs::read(entry.path()).at("read", &entry.path())?;
            match record::decode(&bytes) {
                Ok(pin) => pins.push((
                    crate::pin::name_of(&entry.file_name().to_string_lossy()),
                    pin,
                )),
                Err(_) => self.note_damage(),
            }
        }
        pins.sort_by(|a: &(String, Pin), b| a.0.cmp(&b.0));
        Ok(pins)
    }

    fn pin_path(&self, name: &str) -> PathBuf {
        self.layout.pins().join(crate::pin::file_name(name))
    }

    /// Makes everything that was put durable: bytes first, then the records that name them.
    ///
    /// # Errors
    /// The disk refused.
    pub fn sync(&self) -> Result<(), IoAt> {
        let mut unsynced =
            std::mem::take(&mut *self.unsynced.lock().unwrap_or_else(PoisonError::into_inner));
        if let Err(error) = self.sync_loose(&unsynced) {
            // They are as little durable as before; the next one tries again.
            self.unsynced
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .append(&mut unsynced);
            return Err(error);
        }
        self.packs.sync()
    }

    fn sync_loose(&self, paths: &[PathBuf]) -> Result<(), IoAt> {
        #[cfg(target_os = "linux")]
        if paths.len() > SYNC_ALL {
            let root = self.layout.root();
            let directory = File::open(root).at("open", root)?;
            return rustix::fs::syncfs(&directory).at("sync", root);
        }
        let mut directories = FxHashSet::default();
        for path in paths {
            match File::open(path) {
                Ok(file) => file.sync_data().at("sync", path)?,
                // Put aside as damaged, or collected.
                Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
                Err(e) => return Err(IoAt::new("open", path, e)),
            }
            directories.extend(path.parent().map(Path::to_owned));
        }
        for directory in &directories {
            atomic::sync_directory(directory)?;
        }
        // Last, for it names those that are new.
        if directories.is_empty() {
            Ok(())
        } else {
            atomic::sync_directory(&self.layout.blobs())
        }
    }
}

impl Drop for LocalStore {
    fn drop(&mut self) {
        // Without an index the next one scans the pack.
        let _ = self.packs.seal();
    }
}

/// Whether a file can be made in the store now.
fn writable(layout: &Layout) -> Result<(), OpenError> {
    let directory = layout.tmp();
    rustix::fs::access(&directory, rustix::fs::Access::WRITE_OK).at("write in", &directory)?;
    rustix::fs::access(layout.packs(), rustix::fs::Access::WRITE_OK)
        .at("write in", &layout.packs())?;
    Ok(())
}
