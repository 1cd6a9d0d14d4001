//! What stands for nothing: caches that tools keep, the system's own files, temporary files.
//!
//! What is in a tool's cache follows from what the tool was given, so it is neither a dependency nor a
//! result. docs/TRACING.md lists these rules; a definition adds to them with `[pipeline] caches`. Pure.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::workspace::glob::{CACHES, PRIVATE, Pattern};

/// Directories of the system: a file there counts by nothing, unless it is a language's runtime or package.
const SYSTEM: [&str; 24] = [
    "/usr/bin/",
    "/usr/include/",
    "/usr/lib/",
    "/usr/lib32/",
    "/usr/lib64/",
    "/usr/libexec/",
    "/usr/sbin/",
    "/usr/share/",
    "/lib/",
    "/lib32/",
    "/lib64/",
    "/libx32/",
    "/bin/",
    "/sbin/",
    "/etc/",
    "/proc/",
    "/sys/",
    "/dev/",
    "/run/",
    "/var/cache/",
    "/var/lib/apt/",
    "/var/lib/dpkg/",
    "/var/run/",
    "/nix/store/",
];

/// Caches below the home directory.
const HOME_CACHES: [&str; 12] = [
    ".cache",
    ".config/matplotlib",
    ".config/fontconfig",
    ".matplotlib",
    ".fontconfig",
    ".java/fonts",
    ".local/state",
    ".ipython",
    ".nv",
    ".triton",
    ".python_history",
    ".npm/_cacache",
];

/// What tools that keep versions leave beside the files that they keep.
const VERSIONING: [&str; 5] = [
    ".dvc",
    ".dvcignore",
    ".gitattributes",
    ".gitignore",
    ".gitmodules",
];

/// The rules, with their places on this machine.
#[derive(Debug)]
pub struct Rules {
    /// The project's directory, as the kernel names it.
    pub root: PathBuf,
    /// The home directory, if there is one.
    pub home: Option<PathBuf>,
    temporary: Vec<PathBuf>,
    caches: Vec<Pattern>,
}

impl Rules {
    /// Of a project: `caches` are the definition's own patterns, project-relative.
    pub fn new(
        root: &Path,
        home: Option<&OsStr>,
        temporary: Option<&OsStr>,
        caches: Vec<Pattern>,
    ) -> Rules {
        let canonical = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let mut places: Vec<PathBuf> = ["/tmp", "/var/tmp", "/dev/shm"].map(PathBuf::from).into();
        places.extend(
            temporary
                .filter(|place| !place.is_empty())
                .map(PathBuf::from),
        );
        Rules {
            root: canonical(root),
            home: home
                .map(|home| canonical(Path::new(home)))
                .filter(|home| home.parent().is_some()),
            temporary: places.iter().map(|place| canonical(place)).collect(),
            caches,
        }
    }

    /// The system's directories, without those that hold the project, the home or temporary files.
    pub fn system() -> Vec<Vec<u8>> {
        SYSTEM
            .iter()
            .map(|directory| directory.as_bytes().to_vec())
            .collect()
    }

    /// Directories that are not the system's, wherever they lie.
    pub fn ours(&self) -> Vec<Vec<u8>> {
        let places = std::iter::once(&self.root)
            .chain(&self.home)
            .chain(&self.temporary);
        places
            .map(|place| {
                let mut place = place.as_os_str().as_bytes().to_vec();
                place.push(b'/');
                place
            })
            .collect()
    }

    /// Whether an absolute path is for what is thrown away.
    pub fn is_temporary(&self, path: &Path) -> bool {
        self.temporary.iter().any(|place| path.starts_with(place))
    }

    /// Whether a project-relative path belongs to a tool.
    pub fn is_cache(&self, path: &[u8]) -> bool {
        let named = |name: &[u8]| {
            CACHES
                .iter()
                .chain(&PRIVATE)
                .chain(&VERSIONING)
                .any(|one| one.as_bytes() == name)
                || name.ends_with(b".pyc")
        };
        path.split(|&byte| byte == b'/').any(named) || self.is_own_cache(path)
    }

    /// Whether the definition says so of a project-relative path.
    pub fn is_own_cache(&self, path: &[u8]) -> bool {
        let path = Path::new(OsStr::from_bytes(path));
        self.caches.iter().any(|pattern| pattern.covers(path))
    }

    /// Whether a path relative to the home directory belongs to a tool.
    pub fn is_home_cache(path: &Path) -> bool {
        HOME_CACHES.iter().any(|cache| path.starts_with(cache))
    }
}
