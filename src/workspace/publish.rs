//! Laying contents out in the project, and taking away what must not stay.

use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use jalon_store::LinkMode;
use jalon_store::content::Content;
use jalon_store::error::{IngestError, MaterialiseError};
use jalon_store::pin::Pin;

use super::Workspace;
use super::links::Outside;

/// Bytes that only the project had, now in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rescued {
    /// Where they lay.
    pub path: String,
    /// What they are.
    pub content: Content,
}

/// What laying out came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Laid {
    /// Something was written (else the right bytes were there).
    pub written: bool,
    /// What had to be kept first.
    pub rescued: Option<Rescued>,
}

/// Why the project could not be brought into the state asked for.
#[derive(Debug)]
pub enum PublishError {
    /// What lies there is in the way and cannot be kept first.
    Rescue(PathBuf, IngestError),
    /// A file or directory cannot be removed or made.
    Io {
        /// `remove`, `create`.
        operation: &'static str,
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It would not be done in the project.
    Outside(Outside),
    /// The bytes cannot be laid out.
    Materialise(MaterialiseError),
}

impl fmt::Display for PublishError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PublishError::Rescue(path, error) => {
                write!(
                    f,
                    "{} holds something that no run made, and it cannot be kept before it is replaced: {error}",
                    path.display()
                )
            }
            PublishError::Io {
                operation,
                path,
                source,
            } => write!(f, "cannot {operation} {}: {source}", path.display()),
            PublishError::Outside(outside) => outside.fmt(f),
            PublishError::Materialise(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for PublishError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            PublishError::Rescue(_, error) => Some(error),
            PublishError::Io { source, .. } => Some(source),
            PublishError::Outside(outside) => Some(outside),
            PublishError::Materialise(error) => Some(error),
        }
    }
}

impl Workspace {
    /// Makes the path hold exactly this content.
    ///
    /// # Errors
    /// See [`PublishError`]; the path then holds what it held, or nothing.
    pub fn lay(&self, path: &str, content: &Content) -> Result<Laid, PublishError> {
        // What cannot be read is not the right content; clearing says what is wrong with it.
        if matches!(self.current(path), Ok(Some(current)) if current == *content) {
            self.taken(path);
            return Ok(Laid {
                written: false,
                rescued: None,
            });
        }
        let rescued = self.clear(path)?;
        self.touched.store(true, Ordering::Relaxed);
        let place = self.root.join(path);
        self.make_parent(&place)?;
        self.put(path, content, self.link)?;
        Ok(Laid {
            written: true,
            rescued,
        })
    }

    /// Makes the path hold nothing.
    ///
    /// # Errors
    /// See [`PublishError`].
    pub fn clear(&self, path: &str) -> Result<Option<Rescued>, PublishError> {
        self.fence(path).map_err(PublishError::Outside)?;
        let place = self.root.join(path);
        if self.is_vacant(path) {
            return Ok(None);
        }
        let Ok(metadata) = place.symlink_metadata() else {
            return Ok(None);
        };
        self.touched.store(true, Ordering::Relaxed);
        // A link, a pipe, a socket or a device is a name without bytes of its own: nothing is lost with it. Left there
        // by a node that failed, it would stop every run until somebody removed it.
        let rescued = if metadata.is_file() || metadata.is_dir() {
            self.rescue(path)?
        } else {
            None
        };
        remove(&place, metadata.is_dir()).map_err(|source| PublishError::Io {
            operation: "remove",
            path: place,
            source,
        })?;
        Ok(rescued)
    }

    /// Before a node writes there: nothing lies there, its directory exists, and what appears is ours.
    ///
    /// # Errors
    /// See [`PublishError`].
    pub fn prepare(&self, path: &str) -> Result<Option<Rescued>, PublishError> {
        let rescued = self.clear(path)?;
        self.make_parent(&self.root.join(path))?;
        if let Some(journal) = &self.journal {
            journal.begin(path.as_bytes());
        }
        Ok(rescued)
    }

    /// A link that a node made there becomes what it leads to: what a hit would lay out, and what no later
    /// change of something else changes. Nothing where the store does not hold it.
    ///
    /// # Errors
    /// See [`PublishError`].
    pub fn unlink(&self, path: &str, content: &Content) -> Result<(), PublishError> {
        let place = self.root.join(path);
        if !place.is_symlink() || !self.store.has_content(content) {
            return Ok(());
        }
        self.clear(path)?;
        self.put(path, content, self.link)
    }

    /// Before a node goes on from what lies there: its bytes are in the store, and a node that writes into
    /// it writes into nobody else's file.
    ///
    /// # Errors
    /// See [`PublishError`].
    pub fn go_on(&self, path: &str) -> Result<(), PublishError> {
        let place = self.root.join(path);
        self.make_parent(&place)?;
        if place.symlink_metadata().is_err() {
            return Ok(());
        }
        let kept = |error| PublishError::Rescue(place.clone(), error);
        let content = match self.ingest(&place) {
            Ok(content) => content,
            // It is only for another attempt and for whoever wants it back.
            Err(error) if error.is_read_only() || error.is_disk_full() => return Ok(()),
            Err(error) => return Err(kept(error)),
        };
        if !is_shared(&place) {
            return Ok(());
        }
        self.clear(path)?;
        self.put(path, &content, jalon_store::LinkMode::Auto)
    }

    /// Lays a content out where nothing lies. What of it is beside the place when the process is killed is found by
    /// the journal.
    fn put(&self, path: &str, content: &Content, link: LinkMode) -> Result<(), PublishError> {
        let journal = self.journal.as_ref();
        let began = journal.is_some_and(|journal| journal.begin(path.as_bytes()));
        let done = self.store.materialise(content, &self.root.join(path), link);
        if began {
            self.taken(path);
        }
        done.map_err(PublishError::Materialise)
    }

    /// Takes away what a killed run left beside outputs that it was laying out.
    pub fn tidy(&self) {
        let partial = self.journal.iter().flat_map(|journal| journal.partial());
        let directories: BTreeSet<PathBuf> = partial
            .filter_map(|path| {
                let path = String::from_utf8(path).ok()?;
                self.fence(&path).ok()?;
                self.root.join(&path).parent().map(Path::to_owned)
            })
            .collect();
        for directory in directories {
            jalon_store::remove_litter(&directory);
        }
    }

    /// What a node wrote there was taken: from now on it is a result.
    pub fn taken(&self, path: &str) {
        if let Some(journal) = &self.journal {
            journal.end(path.as_bytes());
        }
    }

    /// Contents that may be removed without being kept: jalon made them and does not keep them.
    pub fn may_discard(&self, content: Content) {
        self.disposable
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .insert(content);
    }

    fn make_parent(&self, place: &Path) -> Result<(), PublishError> {
        let Some(parent) = place.parent() else {
            return Ok(());
        };
        std::fs::create_dir_all(parent).map_err(|source| PublishError::Io {
            operation: "create",
            path: parent.to_owned(),
            source,
        })
    }

    /// Puts what lies there into the store, pinned, unless the store or nobody needs it.
    fn rescue(&self, path: &str) -> Result<Option<Rescued>, PublishError> {
        if self
            .journal
            .as_ref()
            .is_some_and(|journal| journal.is_partial(path.as_bytes()))
        {
            return Ok(None);
        }
        let place = self.root.join(path);
        let kept = |error| PublishError::Rescue(place.clone(), error);
        let Some(content) = self.current(path).map_err(kept)? else {
            return Ok(None);
        };
        let known = self
            .disposable
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .contains(&content);
        if known || self.store.has_content(&content) || is_empty(&content) {
            return Ok(None);
        }
        let content = self.store.ingest(&place, &*self.cache).map_err(kept)?;
        let pin = Pin::content(content, format!("{path}, which no run made"));
        self.store
            .pin(&format!("rescued-{}", content.digest_hex()), &pin)
            .map_err(|e| kept(IngestError::Write(e)))?;
        Ok(Some(Rescued {
            path: path.to_owned(),
            content,
        }))
    }
}

/// Whether a file there is another name of a file elsewhere, or may not be written.
fn is_shared(place: &Path) -> bool {
    let Ok(metadata) = place.symlink_metadata() else {
        return false;
    };
    if metadata.is_dir() {
        let entries = std::fs::read_dir(place).into_iter().flatten().flatten();
        return entries.into_iter().any(|entry| is_shared(&entry.path()));
    }
    metadata.is_symlink() || metadata.nlink() > 1 || metadata.permissions().readonly()
}

fn is_empty(content: &Content) -> bool {
    match content {
        Content::File { size, .. } => *size == 0,
        Content::Tree { files, .. } => *files == 0,
    }
}

fn remove(place: &Path, directory: bool) -> io::Result<()> {
    let removed = if directory {
        std::fs::remove_dir_all(place)
    } else {
        std::fs::remove_file(place)
    };
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}
