//! Symbolic links on the way to what a node writes: none may lead out of the project, unless that is allowed.
//!
//! Whoever follows a link to write or to remove does it somewhere else. Knows nothing of who wants to write.

use std::collections::HashSet;
use std::fmt;
use std::io;
use std::path::{Component, Path, PathBuf};

use super::{KEPT_DIRECTORY, PRIVATE_DIRECTORY, Workspace};
use crate::witness;

/// A path that leads out of the project, or into what is not the pipeline's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outside {
    /// As it was named.
    pub path: PathBuf,
    /// Where that really is.
    pub real: PathBuf,
}

impl fmt::Display for Outside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} is really {}, for a symbolic link on the way leaves the project's files",
            self.path.display(),
            self.real.display()
        )
    }
}

impl std::error::Error for Outside {}

impl Outside {
    /// What to do about it.
    pub const HELP: &str = "write it elsewhere, or set [pipeline] allow_outside = true; nothing is written through such a link";
}

impl Workspace {
    /// Whether the directory of a path is one of the project's, links followed; one that is not there yet is
    /// made, and so is.
    ///
    /// # Errors
    /// It is not.
    pub fn fence(&self, path: &str) -> Result<(), Outside> {
        if self.outside {
            return Ok(());
        }
        let place = self.root.join(path);
        let above = place.ancestors().skip(1);
        let mut leads = Path::new(path)
            .components()
            .any(|part| !matches!(part, Component::Normal(_)));
        for directory in above
            .clone()
            .take_while(|directory| *directory != self.root)
        {
            leads |= witness::link(&*self.cache, directory).is_some();
        }
        let real = if leads {
            above.filter_map(|above| above.canonicalize().ok()).next()
        } else {
            // No link on the way: it is where it says.
            Path::new(path)
                .parent()
                .map(|parent| self.real_root().join(parent))
        };
        let Some(real) = real else {
            return Ok(());
        };
        self.inside(place, real)
    }

    /// [`Workspace::fence`] for many paths: each directory is looked at once.
    pub fn fences<'p>(&self, paths: impl Iterator<Item = &'p str>) -> Vec<(&'p str, Outside)> {
        let mut fine: HashSet<&Path> = HashSet::new();
        let mut refused = Vec::new();
        for path in paths {
            let directory = Path::new(path).parent().unwrap_or(Path::new(""));
            if fine.contains(directory) {
                continue;
            }
            match self.fence(path) {
                Ok(()) => drop(fine.insert(directory)),
                Err(outside) => refused.push((path, outside)),
            }
        }
        refused
    }

    /// [`Workspace::fence`], and the same of what the path itself leads to, if it is a link to something.
    ///
    /// # Errors
    /// One of them is not.
    pub fn fence_result(&self, path: &str) -> Result<(), Outside> {
        self.fence(path)?;
        let place = self.root.join(path);
        if self.outside || !place.is_symlink() {
            return Ok(());
        }
        match place.canonicalize() {
            Ok(real) => self.inside(place, real),
            Err(_) => Ok(()),
        }
    }

    fn real_root(&self) -> &Path {
        self.real_root.get_or_init(|| real_root(&self.root))
    }

    fn inside(&self, path: PathBuf, real: PathBuf) -> Result<(), Outside> {
        let refused = |real| Err(Outside { path, real });
        match real.strip_prefix(self.real_root()) {
            // What a pipeline has in memory.
            Ok(below) if below.starts_with(KEPT_DIRECTORY) => Ok(()),
            Ok(below) if below.starts_with(PRIVATE_DIRECTORY) || below.starts_with(".git") => {
                refused(real)
            }
            Ok(_) => Ok(()),
            Err(_) => refused(real),
        }
    }
}

/// A root that cannot be resolved holds nothing that could.
fn real_root(root: &Path) -> PathBuf {
    let resolved: io::Result<PathBuf> = root.canonicalize();
    resolved.unwrap_or_else(|_| root.to_owned())
}
