//! The project's files: what lies where, and laying results out there.
//!
//! Observing takes digests through the stat cache. Publishing never destroys what cannot be had back: bytes
//! that the store does not know are put there, pinned, before they are removed or overwritten. Knows
//! paths and contents; nothing of nodes, keys or schedules.

pub mod glob;
pub mod journal;
pub mod links;
pub mod lock;
mod publish;
pub mod see;
mod versions;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use jalon_conf::pipeline::{Artifact, Shape};
use jalon_store::LocalStore;
use jalon_store::content::Content;
use jalon_store::error::IngestError;
use jalon_store::index::{Sight, StatCache};

pub use publish::{Laid, PublishError, Rescued};

use self::journal::Journal;
use self::links::Outside;
use crate::witness::is_absent;

/// jalon's own directory in a project.
pub const PRIVATE_DIRECTORY: &str = ".jalon";

/// Where artifacts lie that are jalon's own to lay out, below [`PRIVATE_DIRECTORY`].
pub const KEPT_DIRECTORY: &str = ".jalon/kedro";

/// A project's files.
pub struct Workspace {
    root: PathBuf,
    store: Arc<LocalStore>,
    cache: Arc<dyn StatCache>,
    /// The same, for what nodes declare to read.
    declared: Arc<dyn StatCache>,
    link: jalon_store::LinkMode,
    journal: Option<Journal>,
    /// Nodes may write out of the project.
    outside: bool,
    /// The project's directory, links resolved.
    real_root: OnceLock<PathBuf>,
    /// Contents that jalon itself made and does not keep: removing them loses nothing.
    disposable: Mutex<rustc_hash::FxHashSet<Content>>,
    /// Something was laid out or taken away.
    touched: AtomicBool,
}

/// Why a source or a code file has no content.
#[derive(Debug)]
pub enum ObserveError {
    /// Nothing is there.
    Missing(PathBuf),
    /// A file where a directory was declared, or the other way round.
    WrongShape {
        /// Where.
        path: PathBuf,
        /// What was declared: `a file` or `a directory`.
        wanted: &'static str,
    },
    /// The pattern cannot be understood.
    Pattern(String),
    /// A directory cannot be read.
    Walk(PathBuf, io::Error),
    /// A file cannot be read.
    Ingest(IngestError),
    /// What a node is to write would not be written in the project.
    Outside(Outside),
    /// A function is not there or cannot be called so: what is wrong, and what to do.
    Uncallable(String, String),
}

impl std::fmt::Display for ObserveError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ObserveError::Missing(path) => write!(f, "there is nothing at {}", path.display()),
            ObserveError::WrongShape { path, wanted } => {
                write!(f, "{} is not {wanted}", path.display())
            }
            ObserveError::Pattern(why) => write!(f, "the pattern is not understood: {why}"),
            ObserveError::Walk(path, error) => write!(f, "cannot read {}: {error}", path.display()),
            ObserveError::Ingest(error) => error.fmt(f),
            ObserveError::Outside(outside) => outside.fmt(f),
            ObserveError::Uncallable(why, _) => f.write_str(why),
        }
    }
}

impl std::error::Error for ObserveError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            ObserveError::Walk(_, error) => Some(error),
            ObserveError::Ingest(error) => Some(error),
            ObserveError::Outside(outside) => Some(outside),
            _ => None,
        }
    }
}

impl Workspace {
    /// The files below `root`. Without a journal it may observe but not publish.
    pub fn new(
        root: PathBuf,
        store: Arc<LocalStore>,
        cache: Arc<dyn StatCache>,
        link: jalon_store::LinkMode,
        journal: Option<Journal>,
    ) -> Workspace {
        Workspace {
            root,
            store,
            declared: cache.clone(),
            cache,
            link,
            journal,
            outside: false,
            real_root: OnceLock::new(),
            disposable: Mutex::default(),
            touched: AtomicBool::new(false),
        }
    }

    /// What is remembered of files.
    pub fn cache(&self) -> &dyn StatCache {
        &*self.cache
    }

    /// The same, where looks at what nodes declare to read go through a cache of their own.
    #[must_use]
    pub fn declared_through(self, declared: Arc<dyn StatCache>) -> Workspace {
        Workspace { declared, ..self }
    }

    /// The same, where nodes may write out of the project (`[pipeline] allow_outside`).
    #[must_use]
    pub fn allow_outside(self, outside: bool) -> Workspace {
        Workspace { outside, ..self }
    }

    /// The project's directory.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Whether anything was laid out or taken away.
    pub fn is_touched(&self) -> bool {
        self.touched.load(Ordering::Relaxed)
    }

    /// Whether nothing lies at a project-relative path, not even a link that leads nowhere.
    pub fn is_vacant(&self, path: &str) -> bool {
        let place = self.root.join(path);
        let looked = place.symlink_metadata();
        let vacant = looked.as_ref().is_err_and(is_absent);
        if vacant {
            self.cache.saw(&place, Sight::Vacant);
        } else if looked.is_err() {
            self.cache.saw(&place, Sight::Unclear);
        }
        vacant
    }

    /// What lies at a project-relative path now.
    ///
    /// # Errors
    /// It cannot be read, or is neither file nor directory.
    pub fn current(&self, path: &str) -> Result<Option<Content>, IngestError> {
        self.store.digest_path(&self.root.join(path), &*self.cache)
    }

    /// Puts what lies at an absolute path into the store.
    ///
    /// # Errors
    /// It is not there, cannot be read or cannot be kept.
    pub fn ingest(&self, place: &Path) -> Result<Content, IngestError> {
        self.store.ingest(place, &*self.cache)
    }

    /// The content of a source: of a pattern, the tree of what matches, under project-relative names.
    ///
    /// # Errors
    /// See [`ObserveError`].
    pub fn source(&self, artifact: &Artifact) -> Result<Content, ObserveError> {
        if artifact.shape == Shape::Glob {
            let mut files = self.matching(&artifact.path)?;
            files.retain(|file| !artifact.except.iter().any(|made| file.starts_with(made)));
            // Where others make a part, the rest may be nothing.
            if files.is_empty() && artifact.except.is_empty() {
                return Err(ObserveError::Missing(artifact.path.clone().into()));
            }
            return self
                .store
                .digest_files(&self.root, &files, &*self.declared)
                .map_err(ObserveError::Ingest);
        }
        let content = self
            .held_through(artifact, &*self.declared)
            .map_err(ObserveError::Ingest)?
            .ok_or_else(|| ObserveError::Missing(artifact.shown().into()))?;
        fits(artifact, &content).map_err(|wanted| ObserveError::WrongShape {
            path: artifact.path.clone().into(),
            wanted,
        })?;
        Ok(content)
    }

    /// The files that a declared code path or pattern stands for, with their contents.
    ///
    /// # Errors
    /// See [`ObserveError`]; a pattern that matches nothing is none.
    pub fn code(&self, pattern: &str) -> Result<Vec<(String, Content)>, ObserveError> {
        let files = if glob::is_pattern(pattern) {
            self.matching(pattern)?
        } else {
            vec![pattern.into()]
        };
        let mut found = Vec::with_capacity(files.len());
        for file in files {
            let name = file.to_string_lossy().into_owned();
            let content = self
                .store
                .digest_path(&self.root.join(&file), &*self.declared)
                .map_err(ObserveError::Ingest)?
                .ok_or(ObserveError::Missing(file))?;
            found.push((name, content));
        }
        Ok(found)
    }

    /// The files that a source stands for in a command, sorted: several for a pattern.
    ///
    /// # Errors
    /// See [`ObserveError`].
    pub fn words(&self, artifact: &Artifact) -> Result<Vec<PathBuf>, ObserveError> {
        match artifact.shape {
            Shape::Glob => self.matching(&artifact.path),
            _ => Ok(vec![artifact.path.clone().into()]),
        }
    }

    fn matching(&self, pattern: &str) -> Result<Vec<PathBuf>, ObserveError> {
        let pattern = glob::Pattern::new(pattern).map_err(ObserveError::Pattern)?;
        pattern
            .files(&self.root, &*self.cache)
            .map_err(|(path, error)| ObserveError::Walk(path, error))
    }
}

impl std::fmt::Debug for Workspace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Workspace")
            .field("root", &self.root)
            .finish_non_exhaustive()
    }
}

/// Whether a content is what an artifact was declared to be; if not, what it should have been.
///
/// # Errors
/// The declared shape, in words.
pub fn fits(artifact: &Artifact, content: &Content) -> Result<(), &'static str> {
    match (artifact.shape, content.is_tree()) {
        (Shape::File, true) => Err("a file"),
        (Shape::Directory, false) => Err("a directory"),
        _ => Ok(()),
    }
}
