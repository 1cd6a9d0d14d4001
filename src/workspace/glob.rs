//! Patterns of files below the project: which files match now, in a stable order.
//!
//! `*` and `?` stay within one component, `**` spans any, and neither meets a name that begins with a dot
//! unless the pattern's component does, as in a shell. Links are followed. `.git`, `.jalon` and
//! the caches that tools keep (byte code and the like) are never seen.

use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

use globset::{GlobBuilder, GlobMatcher};
use jalon_store::index::{Sight, StatCache, saw_same};
use walkdir::{DirEntry, WalkDir};

use crate::witness::{TYPE, is_absent};

/// Directories that belong to tools, never to a pipeline.
pub const PRIVATE: [&str; 2] = [".git", ".jalon"];

/// Directories that tools fill beside the files they read. What is in them follows from those files.
pub const CACHES: [&str; 5] = [
    "__pycache__",
    ".mypy_cache",
    ".pytest_cache",
    ".ruff_cache",
    ".ipynb_checkpoints",
];

/// A compiled pattern.
#[derive(Debug)]
pub struct Pattern {
    base: PathBuf,
    matcher: GlobMatcher,
    dots: bool,
    deep: usize,
}

/// Whether a path is a pattern.
pub fn is_pattern(path: &str) -> bool {
    path.contains(['*', '?', '[', '{'])
}

impl Pattern {
    /// Compiles a project-relative pattern.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn new(pattern: &str) -> Result<Pattern, String> {
        let matcher = GlobBuilder::new(pattern)
            .literal_separator(true)
            .backslash_escape(true)
            .build()
            .map_err(|error| error.kind().to_string())?
            .compile_matcher();
        let fixed = |part: &Component<'_>| !is_pattern(&part.as_os_str().to_string_lossy());
        let components: Vec<Component<'_>> = Path::new(pattern).components().collect();
        let base: PathBuf = components
            .iter()
            .take(components.len().saturating_sub(1))
            .take_while(|c| fixed(c))
            .collect();
        let dots = pattern
            .split('/')
            .any(|part| part.starts_with('.') && is_pattern(part));
        let deep = if pattern.contains("**") {
            usize::MAX
        } else {
            components.len() - base.components().count()
        };
        Ok(Pattern {
            base,
            matcher,
            dots,
            deep,
        })
    }

    /// The files that match, relative to `root`, sorted by bytes. The cache is told of all that was looked at.
    ///
    /// # Errors
    /// A directory that cannot be read; one that is not there matches nothing.
    pub fn files(
        &self,
        root: &Path,
        cache: &dyn StatCache,
    ) -> Result<Vec<PathBuf>, (PathBuf, io::Error)> {
        let start = root.join(&self.base);
        if !self.begins(&start, cache) {
            return Ok(Vec::new());
        }
        let walk = WalkDir::new(&start)
            .follow_links(true)
            .min_depth(1)
            .max_depth(self.deep);
        let mut found = Vec::new();
        for entry in walk
            .into_iter()
            .filter_entry(|entry| self.enters(entry, cache))
        {
            match entry {
                Ok(entry) if entry.file_type().is_file() => {
                    let relative = entry.path().strip_prefix(root).unwrap_or(entry.path());
                    if self.matcher.is_match(relative) {
                        found.push(relative.to_owned());
                    }
                }
                Ok(_) => {}
                // A link that leads nowhere or back is no file.
                Err(error) if error.loop_ancestor().is_some() => {
                    let path = error.path().unwrap_or(&start);
                    match path.metadata() {
                        Ok(metadata) => saw_same(cache, path, &metadata),
                        Err(_) => cache.saw(path, Sight::Unclear),
                    }
                }
                Err(error) => {
                    let path = error.path().unwrap_or(&start).to_owned();
                    let cause = error
                        .into_io_error()
                        .unwrap_or_else(|| io::Error::other("cannot be walked"));
                    if cause.kind() != io::ErrorKind::NotFound {
                        cache.saw(&path, Sight::Unclear);
                        return Err((path, cause));
                    }
                    cache.saw(&path, Sight::Absent);
                }
            }
        }
        found.sort_by(|a, b| {
            a.as_os_str()
                .as_encoded_bytes()
                .cmp(b.as_os_str().as_encoded_bytes())
        });
        Ok(found)
    }

    /// Whether a project-relative path matches, or lies in a directory that does.
    pub fn covers(&self, path: &Path) -> bool {
        path.ancestors().any(|above| self.matcher.is_match(above))
    }

    /// Whether there is a directory to walk.
    fn begins(&self, start: &Path, cache: &dyn StatCache) -> bool {
        match start.metadata() {
            Ok(metadata) if metadata.is_dir() => {
                saw_same(cache, start, &metadata);
                return true;
            }
            Ok(metadata) => cache.saw(start, kind(&metadata)),
            Err(error) if is_absent(&error) => cache.saw(start, Sight::Absent),
            Err(_) => cache.saw(start, Sight::Unclear),
        }
        false
    }

    /// Whether an entry counts. A directory that will be walked is looked at before its names are read, and of
    /// a link it counts what it leads to.
    fn enters(&self, entry: &DirEntry, cache: &dyn StatCache) -> bool {
        if !self.counts(entry.file_name().as_encoded_bytes()) {
            return false;
        }
        let walked = entry.file_type().is_dir() && entry.depth() < self.deep;
        if walked || entry.path_is_symlink() {
            match entry.path().metadata() {
                Ok(metadata) if walked && metadata.is_dir() => {
                    saw_same(cache, entry.path(), &metadata);
                }
                Ok(metadata) => cache.saw(entry.path(), kind(&metadata)),
                Err(_) => cache.saw(entry.path(), Sight::Unclear),
            }
        }
        true
    }

    fn counts(&self, name: &[u8]) -> bool {
        let closed = PRIVATE
            .iter()
            .chain(&CACHES)
            .any(|closed| closed.as_bytes() == name);
        !closed && !name.ends_with(b".pyc") && (self.dots || !name.starts_with(b"."))
    }
}

fn kind(metadata: &Metadata) -> Sight {
    Sight::Kind {
        mode: metadata.mode() & TYPE,
        followed: true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(files: &[&str], pattern: &str) -> Vec<String> {
        let root = tempfile::tempdir().unwrap();
        for file in files {
            let path = root.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        let cache = jalon_store::index::Memory::default();
        let found = Pattern::new(pattern).unwrap();
        let found = found.files(root.path(), &cache).unwrap();
        found
            .into_iter()
            .map(|path| path.to_str().unwrap().to_owned())
            .collect()
    }

    #[test]
    fn stars_mean_what_a_shell_means_by_them() {
        let files = [
            "d/a.csv",
            "d/b.csv",
            "d/.h.csv",
            "d/e/c.csv",
            "d/x.txt",
            ".git/z.csv",
            ".jalon/y.csv",
        ];
        assert_eq!(matches(&files, "d/*.csv"), ["d/a.csv", "d/b.csv"]);
        assert_eq!(
            matches(&files, "d/**/*.csv"),
            ["d/a.csv", "d/b.csv", "d/e/c.csv"]
        );
        assert_eq!(
            matches(&files, "**/*.csv"),
            ["d/a.csv", "d/b.csv", "d/e/c.csv"]
        );
        assert_eq!(matches(&files, "d/.*.csv"), ["d/.h.csv"]);
        assert_eq!(matches(&files, "none/*.csv"), Vec::<String>::new());
        assert_eq!(
            matches(&files, "*/?.{csv,txt}"),
            ["d/a.csv", "d/b.csv", "d/x.txt"]
        );
    }
}
