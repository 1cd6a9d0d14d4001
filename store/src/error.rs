//! Errors: one enum an operation, the path and the operation in the message, the cause kept, and in
//! `help()` what to do. Absence and damage are no errors: what does not verify is not there.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::record::RecordError;
use crate::tree::TreeError;

/// A system call that failed: what was tried, on which path, and why it failed.
#[derive(Debug)]
pub struct IoAt {
    /// What was tried, as a verb: "read", "create"…
    pub operation: &'static str,
    /// On what.
    pub path: PathBuf,
    /// The cause.
    pub source: io::Error,
}

impl IoAt {
    pub(crate) fn new(operation: &'static str, path: &Path, source: impl Into<io::Error>) -> Self {
        Self {
            operation,
            path: path.to_owned(),
            source: source.into(),
        }
    }

    /// Whether there is no space (or no quota) left.
    pub fn is_disk_full(&self) -> bool {
        matches!(
            self.source.kind(),
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge
        )
    }

    /// Whether the file system or its permissions forbid writing.
    pub fn is_read_only(&self) -> bool {
        matches!(
            self.source.kind(),
            io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied
        )
    }

    fn help(&self) -> Option<String> {
        if self.is_disk_full() {
            Some("free space on the disk, or run `jalon gc --yes`".into())
        } else if self.is_read_only() {
            Some(format!(
                "check the permissions of `{}`",
                self.path.display()
            ))
        } else {
            None
        }
    }
}

impl fmt::Display for IoAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "cannot {} `{}`: {}",
            self.operation,
            self.path.display(),
            self.source
        )
    }
}

impl std::error::Error for IoAt {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

/// Turns the error of a system call into an [`IoAt`].
pub(crate) trait At<T> {
    fn at(self, operation: &'static str, path: &Path) -> Result<T, IoAt>;
}

impl<T, E: Into<io::Error>> At<T> for Result<T, E> {
    fn at(self, operation: &'static str, path: &Path) -> Result<T, IoAt> {
        self.map_err(|source| IoAt::new(operation, path, source))
    }
}

/// Gives an operation's error its conversions and predicates; each enum has a variant `Io`.
macro_rules! operation {
    ($name:ident, $($from:ident($inner:ty)),*) => {
        impl std::error::Error for $name {
            fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
                match self {
                    $(Self::$from(cause) => Some(cause),)*
                    #[allow(unreachable_patterns, reason = "some enums have nothing but causes")]
                    _ => None,
                }
            }
        }
        $(impl From<$inner> for $name {
            fn from(cause: $inner) -> Self {
                Self::$from(cause)
            }
        })*
    };
}

/// A store that cannot be opened.
#[derive(Debug)]
pub enum OpenError {
    /// The directory holds something else.
    NotAStore(PathBuf),
    /// A newer jalon made it.
    Newer {
        /// The store.
        path: PathBuf,
        /// What its FORMAT says.
        found: String,
    },
    /// It was to be opened for writing and cannot be written to.
    ReadOnly(IoAt),
    /// Something else failed.
    Io(IoAt),
}

operation!(OpenError, Io(IoAt));

impl OpenError {
    /// What to do about it.
    pub fn help(&self) -> Option<String> {
        match self {
            Self::NotAStore(_) => {
                Some("name an empty directory, or one that jalon made, as `[store] path`".into())
            }
            Self::Newer { .. } => Some("use the newer jalon, or another `[store] path`".into()),
            Self::ReadOnly(cause) | Self::Io(cause) => cause.help(),
        }
    }

    /// Whether there is no space left.
    pub fn is_disk_full(&self) -> bool {
        matches!(self, Self::Io(cause) if cause.is_disk_full())
    }

    /// Whether the store could be read all the same.
    pub fn is_read_only(&self) -> bool {
        match self {
            Self::ReadOnly(_) => true,
            Self::Io(cause) => cause.is_read_only(),
            _ => false,
        }
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAStore(path) => {
                write!(f, "`{}` is not empty and is no jalon store", path.display())
            }
            Self::Newer { path, found } => {
                write!(
                    f,
                    "the store `{}` was made by a newer jalon (`{}`)",
                    path.display(),
                    found.escape_debug()
                )
            }
            Self::ReadOnly(cause) => write!(f, "the store is read-only: {cause}"),
            Self::Io(cause) => write!(f, "cannot open the store: {cause}"),
        }
    }
}

/// A read that failed for another reason than absence or damage.
#[derive(Debug)]
pub enum ReadError {
    /// The disk did not answer.
    Io(IoAt),
}

operation!(ReadError, Io(IoAt));

impl ReadError {
    /// What to do about it.
    pub fn help(&self) -> Option<String> {
        let Self::Io(cause) = self;
        cause
            .help()
            .or_else(|| Some("run `jalon cache verify`, and check the disk".into()))
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Io(cause) = self;
        write!(f, "reading the store: {cause}")
    }
}

/// Something that could not be kept.
#[derive(Debug)]
pub enum WriteError {
    /// The store was opened for reading.
    ReadOnly,
    /// The file changed while it was read.
    Moved(PathBuf),
    /// A record that no reader would believe.
    Record(RecordError),
    /// More paths than a path set may hold.
    TooManyPaths(usize),
    /// The disk refused.
    Io(IoAt),
    /// Looking whether it is there already failed.
    Read(ReadError),
}

operation!(WriteError, Record(RecordError), Io(IoAt), Read(ReadError));

impl WriteError {
    /// Why a file could not be gone through to the end that it had.
    pub(crate) fn of(doing: &'static str, path: &Path, error: io::Error) -> WriteError {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::Moved(path.to_owned()),
            _ => Self::Io(IoAt::new(doing, path, error)),
        }
    }

    /// What to do about it.
    pub fn help(&self) -> Option<String> {
        match self {
            Self::ReadOnly => Some(
                "hits still work; to keep new results use a store that can be written to".into(),
            ),
            Self::Moved(_) => {
                Some("let nothing else write the file while the pipeline runs".into())
            }
            Self::Io(cause) => cause.help(),
            Self::Read(cause) => cause.help(),
            Self::Record(_) | Self::TooManyPaths(_) => None,
        }
    }

    /// Whether there is no space left.
    pub fn is_disk_full(&self) -> bool {
        matches!(self, Self::Io(cause) if cause.is_disk_full())
    }

    /// Whether the store cannot be written to at all.
    pub fn is_read_only(&self) -> bool {
        match self {
            Self::ReadOnly => true,
            Self::Io(cause) => cause.is_read_only(),
            _ => false,
        }
    }
}

impl fmt::Display for WriteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ReadOnly => f.write_str("the store is read-only: new results cannot be kept"),
            Self::Moved(path) => write!(f, "`{}` changed while it was read", path.display()),
            Self::Record(cause) => write!(f, "cannot keep: {cause}"),
            Self::TooManyPaths(count) => write!(f, "cannot keep a path set of {count} paths"),
            Self::Io(cause) => write!(f, "writing the store: {cause}"),
            Self::Read(cause) => cause.fmt(f),
        }
    }
}

/// A path that cannot be taken as content.
#[derive(Debug)]
pub enum IngestError {
    /// Nothing is there.
    Missing(PathBuf),
    /// A pipe, a socket or a device.
    Special(PathBuf),
    /// A link that leads out of the directory and to nothing.
    Dangling {
        /// The link.
        path: PathBuf,
        /// Where it leads.
        target: PathBuf,
    },
    /// Links that lead in a circle.
    Circle(PathBuf),
    /// A path that leaves the directory it was to be taken from.
    Outside(PathBuf),
    /// The file changed while it was read.
    Moved(PathBuf),
    /// A directory that makes no tree.
    Tree {
        /// The directory.
        path: PathBuf,
        /// Why not.
        source: TreeError,
    },
    /// It could not be kept.
    Write(WriteError),
    /// It could not be read.
    Io(IoAt),
}

operation!(IngestError, Io(IoAt));

impl From<WriteError> for IngestError {
    fn from(cause: WriteError) -> Self {
        match cause {
            WriteError::Moved(path) => Self::Moved(path),
            other => Self::Write(other),
        }
    }
}

impl IngestError {
    /// What to do about it.
    pub fn help(&self) -> Option<String> {
        match self {
            Self::Special(_) => Some("an artifact holds files, directories and links only".into()),
            Self::Dangling { .. } => Some("remove the link, or create what it leads to".into()),
            Self::Moved(_) => {
                Some("let nothing else write the file while the pipeline runs".into())
            }
            Self::Write(cause) => cause.help(),
            Self::Io(cause) => cause.help(),
            _ => None,
        }
    }

    /// Whether there is no space left.
    pub fn is_disk_full(&self) -> bool {
        matches!(self, Self::Write(cause) if cause.is_disk_full())
    }

    /// Whether the store cannot be written to at all.
    pub fn is_read_only(&self) -> bool {
        matches!(self, Self::Write(cause) if cause.is_read_only())
    }
}

impl fmt::Display for IngestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(path) => write!(f, "`{}` does not exist", path.display()),
            Self::Special(path) => {
                write!(f, "`{}` is a pipe, a socket or a device", path.display())
            }
            Self::Dangling { path, target } => {
                write!(
                    f,
                    "the link `{}` leads to `{}`, which does not exist",
                    path.display(),
                    target.display()
                )
            }
            Self::Circle(path) => write!(f, "links lead in a circle at `{}`", path.display()),
            Self::Outside(path) => write!(f, "`{}` leaves the directory", path.display()),
            Self::Moved(path) => write!(f, "`{}` changed while it was read", path.display()),
            Self::Tree { path, source } => write!(f, "`{}`: {source}", path.display()),
            Self::Write(cause) => cause.fmt(f),
            Self::Io(cause) => cause.fmt(f),
        }
    }
}

/// A content that could not be laid out.
#[derive(Debug)]
pub enum MaterialiseError {
    /// The store does not hold it, or what it holds is damaged.
    Missing {
        /// What is missing: a kind and a digest.
        what: String,
    },
    /// A tree with a link that leads out of it.
    Escaping {
        /// Where in the tree.
        path: PathBuf,
    },
    /// The store could not be read.
    Read(ReadError),
    /// The destination could not be written.
    Io(IoAt),
}

operation!(MaterialiseError, Read(ReadError), Io(IoAt));

impl MaterialiseError {
    /// What to do about it.
    pub fn help(&self) -> Option<String> {
        match self {
            Self::Missing { .. } => Some("run the node that produces it again".into()),
            Self::Escaping { .. } => None,
            Self::Read(cause) => cause.help(),
            Self::Io(cause) => cause.help(),
        }
    }

    /// Whether there is no space left at the destination.
    pub fn is_disk_full(&self) -> bool {
        matches!(self, Self::Io(cause) if cause.is_disk_full())
    }

    /// Whether the destination cannot be written to.
    pub fn is_read_only(&self) -> bool {
        matches!(self, Self::Io(cause) if cause.is_read_only())
    }
}

impl fmt::Display for MaterialiseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { what } => write!(f, "the store does not hold {what}"),
            Self::Escaping { path } => {
                write!(f, "a link at `{}` leads out of its tree", path.display())
            }
            Self::Read(cause) => cause.fmt(f),
            Self::Io(cause) => cause.fmt(f),
        }
    }
}

/// A collection or a compaction that could not be done.
#[derive(Debug)]
pub enum GcError {
    /// Another process uses the store.
    Busy,
    /// The store was opened for reading.
    ReadOnly,
    /// The store could not be read.
    Read(ReadError),
    /// The store could not be written.
    Io(IoAt),
}

operation!(GcError, Read(ReadError), Io(IoAt));

impl GcError {
    /// What to do about it.
    pub fn help(&self) -> Option<String> {
        match self {
            Self::Busy => Some("wait until no other run uses the store".into()),
            Self::ReadOnly => None,
            Self::Read(cause) => cause.help(),
            Self::Io(cause) => cause.help(),
        }
    }

    /// Whether there is no space left.
    pub fn is_disk_full(&self) -> bool {
        matches!(self, Self::Io(cause) if cause.is_disk_full())
    }

    /// Whether the store cannot be written to at all.
    pub fn is_read_only(&self) -> bool {
        matches!(self, Self::ReadOnly) || matches!(self, Self::Io(cause) if cause.is_read_only())
    }
}

impl fmt::Display for GcError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Busy => f.write_str("another process uses the store"),
            Self::ReadOnly => f.write_str("the store is read-only"),
            Self::Read(cause) => cause.fmt(f),
            Self::Io(cause) => cause.fmt(f),
        }
    }
}

/// A verification that could not be finished.
#[derive(Debug)]
pub enum VerifyError {
    /// The store could not be read.
    Io(IoAt),
}

operation!(VerifyError, Io(IoAt));

impl VerifyError {
    /// What to do about it.
    pub fn help(&self) -> Option<String> {
        let Self::Io(cause) = self;
        cause.help()
    }
}

impl fmt::Display for VerifyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Io(cause) = self;
        write!(f, "verifying the store: {cause}")
    }
}

impl From<ReadError> for VerifyError {
    fn from(cause: ReadError) -> Self {
        let ReadError::Io(cause) = cause;
        Self::Io(cause)
    }
}
