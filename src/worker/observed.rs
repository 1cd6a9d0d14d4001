//! What an execution was seen to do with paths, as plain data: from whoever executes to whoever folds it into
//! a path set. Knows no project, no key and no way of observing.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use rustc_hash::FxHashMap;

/// How a path was used; several at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct Uses(u16);

impl Uses {
    /// Its bytes were read.
    pub const READ: Uses = Uses(1);
    /// Its type and size were asked for.
    pub const STAT: Uses = Uses(1 << 1);
    /// It was asked whether it may be used.
    pub const ACCESS: Uses = Uses(1 << 2);
    /// The link itself was looked at.
    pub const LINK: Uses = Uses(1 << 3);
    /// Its names were listed.
    pub const LIST: Uses = Uses(1 << 4);
    /// It was executed.
    pub const EXECUTE: Uses = Uses(1 << 5);
    /// It was made, changed or replaced.
    pub const WRITE: Uses = Uses(1 << 6);
    /// It was taken away.
    pub const REMOVE: Uses = Uses(1 << 7);
    /// A language runtime listed it to find modules; which ones it says in [`Observed::modules`].
    pub const FIND: Uses = Uses(1 << 8);

    /// A language runtime listed it to find what it is to start with.
    pub const START: Uses = Uses(1 << 9);

    /// It was changed, and what was there before may have stayed in part.
    pub const CHANGE: Uses = Uses(1 << 10);

    /// All that changes something.
    pub const WRITING: Uses = Uses(0b100_1100_0000);
    const READING: Uses = Uses(0b11_0011_1111);

    /// Both.
    #[must_use]
    pub const fn and(self, more: Uses) -> Uses {
        Uses(self.0 | more.0)
    }

    /// Whether all of these are among them.
    pub const fn has(self, which: Uses) -> bool {
        self.0 & which.0 == which.0
    }

    /// Whether any of these are among them.
    pub const fn any(self, which: Uses) -> bool {
        self.0 & which.0 != 0
    }

    /// Whether anything was learnt from the path.
    pub const fn learns(self) -> bool {
        self.any(Uses::READING)
    }
}

/// What kind of thing lies at a path, links followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// Anything else.
    Other,
}

/// By what a file is known to be the same, unread.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Stamp {
    /// What it is, links followed.
    pub kind: Kind,
    /// Whether the path itself is a symbolic link.
    pub link: bool,
    /// Device and inode.
    pub identity: (u64, u64),
    /// Bytes.
    pub size: u64,
    /// Modification, nanoseconds since the epoch.
    pub mtime: i128,
    /// Change, nanoseconds since the epoch.
    pub ctime: i128,
}

/// One path, and everything that was done with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sighting {
    /// Absolute, as it was named, without `.` and `..`.
    pub path: PathBuf,
    /// How it was used.
    pub uses: Uses,
    /// What lay there at the first use; `None`: nothing. Not looked at where nobody will ask
    /// ([`Sighting::stamped`]).
    pub first: Option<Stamp>,
    /// Whether [`Sighting::first`] was looked at.
    pub stamped: bool,
    /// A digest taken at the first use, where stamps cannot tell (a file as young as the clock's tick, a
    /// listing).
    pub mark: Option<[u8; 32]>,
    /// It was there, and the execution was told that it may not use it.
    pub refused: bool,
    /// When it was first learnt from: a number that grows during the execution.
    pub learnt_at: Option<u32>,
    /// When the execution itself first made it, likewise.
    pub made_at: Option<u32>,
}

/// How much was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Extent {
    /// Everything.
    Full,
    /// Not everything, and why.
    Partial(Vec<String>),
    /// Nothing, and why.
    None(String),
}

/// Everything that was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observed {
    /// How much that is.
    pub extent: Extent,
    /// By path.
    pub sightings: Vec<Sighting>,
    /// Modules that a language runtime looked for in directories, found or not: the directory and the name.
    pub modules: Vec<PathBuf>,
    /// Distributions that a language runtime looked for in directories: the directory and the name, or `*`.
    pub distributions: Vec<PathBuf>,
    /// Variables of the environment that the project's code asked for.
    pub variables: Vec<Vec<u8>>,
    /// A language runtime found code by other ways than the code's text tells.
    pub dynamic: bool,
    /// It opened a socket to a network.
    pub network: bool,
    /// Uses of paths that belong to the system.
    pub system: u64,
}

impl Observed {
    /// Nothing was observed, because of this.
    pub fn nothing(why: impl Into<String>) -> Observed {
        Observed {
            extent: Extent::None(why.into()),
            sightings: Vec::new(),
            modules: Vec::new(),
            distributions: Vec::new(),
            variables: Vec::new(),
            dynamic: false,
            network: false,
            system: 0,
        }
    }

    /// Everything was observed, and these are the sightings.
    pub fn full(sightings: Vec<Sighting>) -> Observed {
        Observed {
            extent: Extent::Full,
            sightings,
            ..Observed::nothing("")
        }
    }
}

/// Collects sightings: one a path, in the order of their first use.
#[derive(Debug, Default)]
pub struct Notebook {
    places: FxHashMap<Vec<u8>, usize>,
    sightings: Vec<Sighting>,
    clock: u32,
}

impl Notebook {
    /// What is known of a path.
    pub fn known(&self, path: &[u8]) -> Option<&Sighting> {
        self.places.get(path).map(|&at| &self.sightings[at])
    }

    /// Enters a path at its first use, as nothing yet used.
    pub fn enter(&mut self, path: &[u8], stamp: Option<Option<Stamp>>) -> &mut Sighting {
        let at = *self.places.entry(path.to_vec()).or_insert_with(|| {
            self.sightings.push(Sighting {
                path: OsString::from_vec(path.to_vec()).into(),
                uses: Uses::default(),
                first: stamp.flatten(),
                stamped: stamp.is_some(),
                mark: None,
                refused: false,
                learnt_at: None,
                made_at: None,
            });
            self.sightings.len() - 1
        });
        &mut self.sightings[at]
    }

    /// Notes a use of a path that was entered.
    pub fn note(&mut self, path: &[u8], uses: Uses) {
        let Some(&at) = self.places.get(path) else {
            return;
        };
        let sighting = &mut self.sightings[at];
        self.clock += 1;
        if uses.learns() && sighting.learnt_at.is_none() {
            sighting.learnt_at = Some(self.clock);
        }
        if uses.has(Uses::WRITE) && sighting.made_at.is_none() {
            sighting.made_at = Some(self.clock);
        }
        sighting.uses = sighting.uses.and(uses);
    }

    /// All of them.
    pub fn close(self) -> Vec<Sighting> {
        self.sightings
    }
}

/// Looks at what the observer sees, at the moment it sees it.
pub trait Look: Sync {
    /// A digest of a file's bytes, or of a directory's names; `None` where it cannot be had or is not wanted.
    fn mark(&self, path: &Path, names: bool) -> Option<[u8; 32]>;

    /// Whether the execution may learn from what it found there; if not, it is told that it may not.
    fn admits(&self, _path: &Path, _found: &Stamp) -> bool {
        true
    }
}
