//! Bytes that come from elsewhere: believed once they hash to their name, and kept then.
//!
//! What a broken transfer left of a large blob is kept under the blob's name, and the next one goes on from
//! there. Knows nothing of where they come from.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::PathBuf;
use std::sync::Arc;

use rustix::fs::{FlockOperation, flock};

use crate::digest::{BlobDigest, Hasher, TreeDigest, pump};
use crate::error::{At, OpenError, ReadError, WriteError};
use crate::local::atomic::{PREFIX, Temporary, TemporaryDirectory};
use crate::local::layout::LOOSE;
use crate::local::pack::Kind;
use crate::local::{LocalStore, Mode};
use crate::tree::Tree;

/// From this size on, what was received of a blob outlives the process.
const RESUMED: u64 = 8 << 20;

/// A blob on its way in.
pub struct Incoming {
    store: Arc<LocalStore>,
    digest: BlobDigest,
    size: u64,
    hasher: Hasher,
    had: u64,
    to: To,
}

enum To {
    Memory(Vec<u8>),
    File(Temporary),
    /// Held locked.
    Part(PathBuf, File),
}

/// What became of a blob that was received whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Received {
    /// It is in the store.
    Kept,
    /// They were other bytes: nothing is kept of them.
    Damaged,
}

impl Incoming {
    /// How many bytes are here already: what comes next is to begin there.
    pub fn len(&self) -> u64 {
        self.had
    }

    /// Whether nothing is here yet.
    pub fn is_empty(&self) -> bool {
        self.had == 0
    }

    /// Adds bytes; false where there are more than the blob has, and nothing is taken then.
    ///
    /// # Errors
    /// The disk refused.
    pub fn write(&mut self, bytes: &[u8]) -> Result<bool, WriteError> {
        let Some(had) = self
            .had
            .checked_add(bytes.len() as u64)
            .filter(|had| *had <= self.size)
        else {
            return Ok(false);
        };
        match &mut self.to {
            To::Memory(all) => all.extend_from_slice(bytes),
            To::File(file) => {
                let path = file.path().to_owned();
                file.file().write_all(bytes).at("write", &path)?;
            }
            To::Part(path, file) => file.write_all(bytes).at("write", path)?,
        }
        self.hasher.update(bytes);
        self.had = had;
        Ok(true)
    }

    /// Forgets what came, so that it can begin anew.
    ///
    /// # Errors
    /// The disk refused.
    pub fn restart(&mut self) -> Result<(), WriteError> {
        self.hasher = Hasher::blob();
        self.had = 0;
        match &mut self.to {
            To::Memory(all) => all.clear(),
            To::File(file) => {
                let path = file.path().to_owned();
                file.file().set_len(0).at("empty", &path)?;
                rewind(file.file()).at("rewind", &path)?;
            }
            To::Part(path, file) => {
                file.set_len(0).at("empty", path)?;
                rewind(file).at("rewind", path)?;
            }
        }
        Ok(())
    }

    /// The end: it is kept if it is what it was to be.
    ///
    /// # Errors
    /// The disk refused.
    pub fn finish(self) -> Result<Received, WriteError> {
        let right = self.had == self.size && self.hasher.finish() == *self.digest.as_bytes();
        match self.to {
            To::Memory(all) if right => drop(self.store.put_bytes(&all)?),
            To::File(file) if right => self.store.persist(file, &self.digest)?,
            To::Part(path, _held) if right => self.store.adopt(&path, &self.digest)?,
            To::Part(path, _held) => {
                let _ = fs::remove_file(path);
            }
            _ => {}
        }
        Ok(if right {
            Received::Kept
        } else {
            Received::Damaged
        })
    }
}

fn rewind(file: &mut File) -> std::io::Result<()> {
    std::io::Seek::rewind(file)
}

impl LocalStore {
    /// Begins to receive a blob.
    ///
    /// # Errors
    /// See [`WriteError`].
    pub fn receive(
        self: &Arc<Self>,
        digest: &BlobDigest,
        size: u64,
    ) -> Result<Incoming, WriteError> {
        self.may_write()?;
        let mut hasher = Hasher::blob();
        let mut had = 0;
        let to = if size < LOOSE {
            To::Memory(Vec::with_capacity(size as usize))
        } else if let Some((path, mut file)) = (size >= RESUMED)
            .then(|| self.part(digest))
            .transpose()?
            .flatten()
        {
            had = pump(&mut (&mut file).take(size), |chunk| {
                hasher.update(chunk);
                Ok(())
            })
            .at("read", &path)?;
            file.set_len(had).at("cut", &path)?;
            To::Part(path, file)
        } else {
            To::File(Temporary::in_directory(&self.layout.tmp())?)
        };
        Ok(Incoming {
            store: self.clone(),
            digest: *digest,
            size,
            hasher,
            had,
            to,
        })
    }

    /// What there is of a large blob, unless somebody else receives it now.
    fn part(&self, digest: &BlobDigest) -> Result<Option<(PathBuf, File)>, WriteError> {
        let path = self.layout.tmp().join(format!("{PREFIX}part-{digest}"));
        let file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .at("open", &path)?;
        Ok(flock(&file, FlockOperation::NonBlockingLockExclusive)
            .is_ok()
            .then_some((path, file)))
    }

    /// Keeps a tree in its encoding; false where the bytes are no tree of that name.
    ///
    /// # Errors
    /// See [`WriteError`].
    pub fn put_encoded_tree(
        &self,
        digest: &TreeDigest,
        encoding: &[u8],
    ) -> Result<bool, WriteError> {
        if Tree::digest_of(encoding) != *digest {
            return Ok(false);
        }
        let Ok(tree) = Tree::decode(encoding) else {
            return Ok(false);
        };
        self.put_tree(&tree)?;
        Ok(true)
    }

    /// The file that holds a blob, where it is one of its own; its bytes are to be verified by who reads it.
    pub fn blob_file(&self, digest: &BlobDigest) -> Option<PathBuf> {
        self.loose(digest)
    }

    /// What SHA-256 calls a blob that has a file of its own, if that was found out before.
    ///
    /// # Errors
    /// The disk did not answer.
    pub fn sha256(&self, digest: &BlobDigest) -> Result<Option<[u8; 32]>, ReadError> {
        for found in self.packs.find(Kind::Sha256, digest.as_bytes())? {
            if let Some(name) = found.read()?.and_then(|bytes| bytes.try_into().ok()) {
                return Ok(Some(name));
            }
        }
        Ok(None)
    }

    /// Remembers what SHA-256 calls a blob.
    ///
    /// # Errors
    /// The disk refused.
    pub fn keep_sha256(&self, digest: &BlobDigest, name: &[u8; 32]) -> Result<(), WriteError> {
        self.may_write()?;
        Ok(self.packs.append(Kind::Sha256, digest.as_bytes(), name)?)
    }

    /// An empty store that is removed, with what came into it, when it is dropped.
    ///
    /// # Errors
    /// The disk refused.
    pub fn scratch_store(&self) -> Result<ScratchStore, OpenError> {
        let directory = TemporaryDirectory::in_directory(&self.layout.tmp())?;
        let store = Arc::new(LocalStore::open(directory.path(), Mode::ReadWrite)?);
        Ok(ScratchStore {
            store,
            _directory: directory,
        })
    }

    /// A blob whose file turned out to hold other bytes.
    pub fn is_damaged(&self, digest: &BlobDigest) {
        if let Some(path) = self.loose(digest) {
            self.quarantine(&path);
        }
    }
}

/// See [`LocalStore::scratch_store`].
pub struct ScratchStore {
    /// It.
    pub store: Arc<LocalStore>,
    _directory: TemporaryDirectory,
}
