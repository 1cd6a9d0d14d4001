//! Files and directories into contents: hashed only, or hashed and kept.
//!
//! Links inside a directory are kept as links where they cannot lead out of it; others are followed.
//! Permissions other than "may be executed" and times are not part of a content.

use std::ffi::OsString;
use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use crate::content::Content;
use crate::digest::{BlobDigest, TreeDigest};
use crate::error::{At, IngestError, IoAt, WriteError};
use crate::index::{Sight, StatCache, StatId, now_ns, saw_link, saw_same};
use crate::local::LocalStore;
use crate::tree::{Entry, MAX_DEPTH, Tree, stays_inside};

/// How often a file that changes while it is read is read again.
const TRIES: usize = 3;

/// Levels of directories whose entries are taken in parallel.
const PARALLEL_DEPTH: usize = 24;

/// What lies at a path, without keeping it; `None` where nothing does.
///
/// # Errors
/// See [`IngestError`].
pub fn digest_path(path: &Path, cache: &dyn StatCache) -> Result<Option<Content>, IngestError> {
    Walk { store: None, cache }.content(path)
}

/// Hashing, or hashing and keeping.
#[derive(Clone, Copy)]
struct Walk<'a> {
    store: Option<&'a LocalStore>,
    cache: &'a dyn StatCache,
}

impl LocalStore {
    /// Puts a file or a directory into the store.
    ///
    /// # Errors
    /// See [`IngestError`]; nothing that was kept until then is lost.
    pub fn ingest(&self, path: &Path, cache: &dyn StatCache) -> Result<Content, IngestError> {
        Walk {
            store: Some(self),
            cache,
        }
        .content(path)?
        .ok_or_else(|| IngestError::Missing(path.to_owned()))
    }

    /// What lies at a path, without keeping it; `None` where nothing does.
    ///
    /// # Errors
    /// See [`IngestError`].
    pub fn digest_path(
        &self,
        path: &Path,
        cache: &dyn StatCache,
    ) -> Result<Option<Content>, IngestError> {
        digest_path(path, cache)
    }

    /// The tree of some files under their names relative to `root`, without keeping it.
    ///
    /// # Errors
    /// See [`IngestError`].
    pub fn digest_files(
        &self,
        root: &Path,
        files: &[PathBuf],
        cache: &dyn StatCache,
    ) -> Result<Content, IngestError> {
        let walk = Walk { store: None, cache };
        let entries: Vec<(&Path, Content)> = files
            .par_iter()
            .map(|file| {
                let content = walk
                    .content(&root.join(file))?
                    .ok_or_else(|| IngestError::Missing(file.clone()))?;
                Ok((file.as_path(), content))
            })
            .collect::<Result<_, IngestError>>()?;
        nest(root, &entries, 0)
    }
}

/// The tree of entries that share their first `depth` components.
fn nest(root: &Path, entries: &[(&Path, Content)], depth: usize) -> Result<Content, IngestError> {
    let mut listing = Vec::new();
    let mut at = 0;
    while at < entries.len() {
        let (path, content) = &entries[at];
        let mut parts = path.components().skip(depth);
        let name = parts
            .next()
            .ok_or_else(|| IngestError::Outside(path.to_path_buf()))?
            .as_os_str()
            .as_bytes()
            .to_vec();
        if parts.next().is_none() {
            listing.push((name, entry(content)));
            at += 1;
            continue;
        }
        let same = |other: &(&Path, Content)| {
            other
                .0
                .components()
                .nth(depth)
                .is_some_and(|part| part.as_os_str().as_bytes() == name)
        };
        let end = at + entries[at..].iter().take_while(|other| same(other)).count();
        let inner = nest(root, &entries[at..end], depth + 1)?;
        listing.push((name, entry(&inner)));
        at = end;
    }
    let tree = Tree::new(listing).map_err(|source| IngestError::Tree {
        path: root.to_owned(),
        source,
    })?;
    Ok(Content::Tree {
        digest: tree.digest(),
        size: tree.size(),
        files: tree.files(),
    })
}

fn entry(content: &Content) -> Entry {
    match *content {
        Content::File {
            digest,
            size,
            executable,
        } => Entry::File {
            digest,
            size,
            executable,
        },
        Content::Tree {
            digest,
            size,
            files,
        } => Entry::Directory {
            digest,
            size,
            files,
        },
    }
}

impl Walk<'_> {
    fn content(self, path: &Path) -> Result<Option<Content>, IngestError> {
        let found = self.look(path);
        if found.is_err() {
            self.cache.saw(path, Sight::Unclear);
        }
        found
    }

    fn look(self, path: &Path) -> Result<Option<Content>, IngestError> {
        let metadata = match fs::metadata(path) {
            Ok(metadata) => metadata,
            Err(e)
                if matches!(
                    e.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
                ) =>
            {
                self.cache.saw(path, Sight::Absent);
                return Ok(None);
            }
            Err(e) if is_loop(&e) => return Err(IngestError::Circle(path.to_owned())),
            Err(e) => return Err(IoAt::new("stat", path, e).into()),
        };
        if metadata.is_dir() {
            saw_same(self.cache, path, &metadata);
            return self.directory(path, 0, &[identity(&metadata)]).map(Some);
        }
        match self.file(path, &metadata) {
            // Gone between the stat and the open.
            Err(IngestError::Io(cause)) if cause.source.kind() == io::ErrorKind::NotFound => {
                self.cache.saw(path, Sight::Unclear);
                Ok(None)
            }
            other => other.map(Some),
        }
    }

    fn file(self, path: &Path, metadata: &Metadata) -> Result<Content, IngestError> {
        if !metadata.is_file() {
            return Err(IngestError::Special(path.to_owned()));
        }
        let executable = metadata.permissions().mode() & 0o100 != 0;
        let id = StatId::of(metadata);
        let sight = |digest, settled| Sight::File {
            id,
            digest,
            executable,
            settled,
        };
        let known = self.cache.get(path, &id);
        let enough = |digest: &BlobDigest| {
            self.store
                .is_none_or(|store| store.has_blob(digest, id.size))
        };
        if let Some(digest) = known.filter(enough) {
            // It is remembered only because its stat was settled.
            self.cache.saw(path, sight(digest, true));
            return Ok(Content::File {
                digest,
                size: id.size,
                executable,
            });
        }
        for _ in 0..TRIES {
            let began = now_ns();
            let read = match self.store {
                Some(store) => store.put_file(path),
                None => hash(path),
            };
            match read {
                Ok((digest, size)) => {
                    // The stat is the one from before the reading, and must be that from after it too.
                    let after = StatId::of(&fs::metadata(path).at("stat", path)?);
                    if after.size == size && after == id {
                        self.cache.put(path, after, digest, began);
                        let settled = self.cache.is_settled(&id, began);
                        self.cache.saw(path, sight(digest, settled));
                    } else {
                        self.cache.saw(path, Sight::Unclear);
                    }
                    return Ok(Content::File {
                        digest,
                        size,
                        executable,
                    });
                }
                Err(WriteError::Moved(_)) => {}
                Err(WriteError::Io(cause)) if cause.path == path => {
                    return Err(IngestError::Io(cause));
                }
                Err(error) => return Err(error.into()),
            }
        }
        Err(IngestError::Moved(path.to_owned()))
    }

    fn directory(
        self,
        path: &Path,
        depth: usize,
        above: &[(u64, u64)],
    ) -> Result<Content, IngestError> {
        if above.len() > MAX_DEPTH {
            let error = io::Error::new(io::ErrorKind::InvalidInput, "its directories lie too deep");
            return Err(IoAt::new("take", path, error).into());
        }
        let mut names = Vec::new();
        for found in fs::read_dir(path).at("list", path)? {
            names.push(found.at("list", path)?.file_name());
        }
        // Far down one after the other: a parallel level costs several times more of a thread's stack.
        let listing = if above.len() > PARALLEL_DEPTH {
            self.one_by_one(path, names, depth, above)?
        } else {
            let entry = |name: OsString| {
                Ok((
                    name.as_bytes().to_vec(),
                    self.entry(&path.join(&name), depth, above)?,
                ))
            };
            names
                .into_par_iter()
                .map(entry)
                .collect::<Result<_, IngestError>>()?
        };
        let tree = Tree::new(listing).map_err(|source| IngestError::Tree {
            path: path.to_owned(),
            source,
        })?;
        let digest: TreeDigest = match self.store {
            Some(store) => store.put_tree(&tree)?,
            None => tree.digest(),
        };
        Ok(Content::Tree {
            digest,
            size: tree.size(),
            files: tree.files(),
        })
    }

    fn one_by_one(
        self,
        path: &Path,
        names: Vec<OsString>,
        depth: usize,
        above: &[(u64, u64)],
    ) -> Result<Vec<(Vec<u8>, Entry)>, IngestError> {
        let mut listing = Vec::with_capacity(names.len());
        for name in names {
            let entry = self.entry(&path.join(&name), depth, above)?;
            listing.push((name.into_encoded_bytes(), entry));
        }
        Ok(listing)
    }

    fn entry(self, path: &Path, depth: usize, above: &[(u64, u64)]) -> Result<Entry, IngestError> {
        let metadata = fs::symlink_metadata(path).at("stat", path)?;
        if metadata.is_symlink() {
            saw_link(self.cache, path, &metadata);
            let target = fs::read_link(path).at("read the link", path)?;
            if stays_inside(target.as_os_str().as_bytes(), depth) {
                return Ok(Entry::Symlink {
                    target: target.as_os_str().as_bytes().to_vec(),
                });
            }
            return self.followed(path, target, above);
        }
        self.inner(path, &metadata, depth + 1, above)
    }

    fn followed(
        self,
        path: &Path,
        target: PathBuf,
        above: &[(u64, u64)],
    ) -> Result<Entry, IngestError> {
        match fs::metadata(path) {
            // Above a directory that was followed lies something else than above the link to it, so a
            // link that leaves it is followed in its turn.
            Ok(metadata) => self.inner(path, &metadata, 0, above),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Err(IngestError::Dangling {
                path: path.to_owned(),
                target,
            }),
            Err(e) if is_loop(&e) => Err(IngestError::Circle(path.to_owned())),
            Err(e) => Err(IoAt::new("stat", path, e).into()),
        }
    }

    fn inner(
        self,
        path: &Path,
        metadata: &Metadata,
        depth: usize,
        above: &[(u64, u64)],
    ) -> Result<Entry, IngestError> {
        let kind = metadata.file_type();
        if kind.is_dir() {
            let here = identity(metadata);
            if above.contains(&here) {
                return Err(IngestError::Circle(path.to_owned()));
            }
            let mut above = above.to_vec();
            above.push(here);
            saw_same(self.cache, path, metadata);
            return Ok(entry(&self.directory(path, depth, &above)?));
        }
        if kind.is_fifo() || kind.is_socket() || kind.is_char_device() || kind.is_block_device() {
            return Err(IngestError::Special(path.to_owned()));
        }
        Ok(entry(&self.file(path, metadata)?))
    }
}

fn identity(metadata: &Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

/// Hashes a file that must not change meanwhile.
fn hash(path: &Path) -> Result<(BlobDigest, u64), WriteError> {
    let mut file = File::open(path).at("open", path)?;
    let before = StatId::of(&file.metadata().at("stat", path)?);
    let read = BlobDigest::of_file(&mut file);
    let (digest, size) = read.map_err(|error| WriteError::of("read", path, error))?;
    let after = StatId::of(&file.metadata().at("stat", path)?);
    if before == after && size == after.size {
        Ok((digest, size))
    } else {
        Err(WriteError::Moved(path.to_owned()))
    }
}

fn is_loop(error: &io::Error) -> bool {
    error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error())
}
