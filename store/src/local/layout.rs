//! Where things lie in a store's directory, and the FORMAT file that says it is one.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::digest::BlobDigest;
use crate::error::{At, IoAt, OpenError};

use super::atomic;

/// What FORMAT says.
const FORMAT: &str = "jalon store 1\n";

/// Below this many bytes a blob goes into a pack: a block and an inode each would cost more.
pub const LOOSE: u64 = 16 * 1024;

/// The paths of a store.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    root: PathBuf,
}

impl Layout {
    pub(crate) fn new(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
        }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn blobs(&self) -> PathBuf {
        self.root.join("blobs")
    }

    pub(crate) fn blob(&self, digest: &BlobDigest) -> PathBuf {
        let hex = digest.to_string();
        let (shard, rest) = hex.split_at(2);
        let mut path = self.blobs();
        path.push(shard);
        path.push(rest);
        path
    }

    pub(crate) fn packs(&self) -> PathBuf {
        self.root.join("packs")
    }

    pub(crate) fn traces(&self) -> PathBuf {
        self.root.join("traces")
    }

    pub(crate) fn pins(&self) -> PathBuf {
        self.root.join("pins")
    }

    pub(crate) fn tmp(&self) -> PathBuf {
        self.root.join("tmp")
    }

    pub(crate) fn quarantine(&self) -> PathBuf {
        self.root.join("quarantine")
    }

    pub(crate) fn lease(&self) -> PathBuf {
        self.root.join("locks").join("gc")
    }

    pub(crate) fn flights(&self) -> PathBuf {
        self.root.join("locks").join("flights")
    }

    pub(crate) fn format(&self) -> PathBuf {
        self.root.join("FORMAT")
    }

    /// Whether FORMAT is there and is ours; an error if it is somebody else's or newer.
    pub(crate) fn recognise(&self) -> Result<bool, OpenError> {
        let path = self.format();
        let found = match fs::read(&path) {
            Ok(found) => found,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(e) if e.kind() == io::ErrorKind::NotADirectory => {
                return Err(OpenError::NotAStore(self.root.clone()));
            }
            Err(e) => return Err(IoAt::new("read", &path, e).into()),
        };
        if found == FORMAT.as_bytes() {
            return Ok(true);
        }
        let text: String = String::from_utf8_lossy(&found)
            .trim_end()
            .chars()
            .take(40)
            .collect();
        match text.strip_prefix("jalon store ").map(str::parse::<u32>) {
            Some(Ok(number)) if number > 1 => Err(OpenError::Newer {
                path: self.root.clone(),
                found: text,
            }),
            // Damaged: what lies beside it says whether this is a store.
            _ if self.has_shape() => Ok(false),
            _ => Err(OpenError::NotAStore(self.root.clone())),
        }
    }

    /// Whether the directories of a store are here, whatever has become of FORMAT.
    fn has_shape(&self) -> bool {
        self.packs().is_dir() && self.traces().is_dir()
    }

    /// Makes the directory a store, unless it holds something else. FORMAT comes first, so that a
    /// crash leaves either an empty directory or a store.
    pub(crate) fn create(&self) -> Result<(), OpenError> {
        fs::create_dir_all(&self.root).at("create", &self.root)?;
        if !self.recognise()? {
            let foreign = !self.is_empty().at("list", &self.root)? && !self.has_shape();
            if foreign && !self.recognise()? {
                return Err(OpenError::NotAStore(self.root.clone()));
            }
            atomic::write(&self.root, &self.format(), FORMAT.as_bytes())?;
            // Or a power cut could leave what comes next without it, and that is no store.
            atomic::sync_directory(&self.root)?;
        }
        for directory in [
            self.blobs(),
            self.packs(),
            self.traces(),
            self.pins(),
            self.tmp(),
            self.root.join("locks"),
        ] {
            fs::create_dir_all(&directory).at("create", &directory)?;
        }
        Ok(())
    }

    /// Whether nothing is there but what a crash during creation can leave.
    fn is_empty(&self) -> io::Result<bool> {
        for entry in fs::read_dir(&self.root)? {
            if !entry?
                .file_name()
                .as_encoded_bytes()
                .starts_with(atomic::PREFIX.as_bytes())
            {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
