//! Atomic writes: a temporary name, then a rename. The one door of tempfile.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::error::{At, IoAt};

/// How every temporary name begins.
pub(crate) const PREFIX: &str = ".jalon-tmp-";

/// A file that is removed unless it is given a lasting name.
pub(crate) struct Temporary(tempfile::NamedTempFile);

impl Temporary {
    /// A new empty file in `directory`, readable by whoever the umask lets.
    pub(crate) fn in_directory(directory: &Path) -> Result<Self, IoAt> {
        tempfile::Builder::new()
            .prefix(PREFIX)
            .permissions(fs::Permissions::from_mode(0o666))
            .tempfile_in(directory)
            .map(Self)
            .at("create a file in", directory)
    }

    pub(crate) fn file(&mut self) -> &mut File {
        self.0.as_file_mut()
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// Puts `from`'s bytes into this file by sharing its blocks, where the file system can.
    pub(crate) fn clone_from_path(&mut self, from: &Path) -> bool {
        clone(from, &mut self.0)
    }

    pub(crate) fn set_mode(&self, mode: u32) -> Result<(), IoAt> {
        self.0
            .as_file()
            .set_permissions(fs::Permissions::from_mode(mode))
            .at("set permissions of", self.path())
    }

    /// Renames it to `path`, over whatever file is there.
    pub(crate) fn persist(self, path: &Path) -> Result<File, IoAt> {
        self.0
            .persist(path)
            .map_err(|e| IoAt::new("rename a new file to", path, e.error))
    }
}

/// A reflink creates its destination, so it goes to a fresh name that then replaces the temporary's.
fn clone(from: &Path, to: &mut tempfile::NamedTempFile) -> bool {
    let mut name = to.path().as_os_str().to_owned();
    name.push("r");
    let fresh = PathBuf::from(name);
    if reflink_copy::reflink(from, &fresh).is_err() {
        return false;
    }
    let opened = File::options()
        .read(true)
        .write(true)
        .open(&fresh)
        .or_else(|_| File::open(&fresh));
    match opened {
        Ok(file) if fs::rename(&fresh, to.path()).is_ok() => {
            *to.as_file_mut() = file;
            true
        }
        _ => {
            let _ = fs::remove_file(&fresh);
            false
        }
    }
}

/// A directory that is removed, with what is in it, unless it is given a lasting name.
pub(crate) struct TemporaryDirectory(tempfile::TempDir);

impl TemporaryDirectory {
    pub(crate) fn in_directory(directory: &Path) -> Result<Self, IoAt> {
        tempfile::Builder::new()
            .prefix(PREFIX)
            .tempdir_in(directory)
            .map(Self)
            .at("create a directory in", directory)
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }
}

/// Writes `bytes` to `path` through a temporary file in `tmp`, synced before it is renamed.
pub(crate) fn write(tmp: &Path, path: &Path, bytes: &[u8]) -> Result<(), IoAt> {
    let mut temporary = Temporary::in_directory(tmp)?;
    temporary.file().write_all(bytes).at("write", path)?;
    temporary.file().sync_data().at("sync", path)?;
    temporary.persist(path)?;
    Ok(())
}

/// Takes away what processes that were killed left in a directory: whatever has the name of a temporary file or `also` one
/// of the names that are told. Nobody else may be at work there.
pub(crate) fn sweep(directory: &Path, also: fn(&[u8]) -> bool) {
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let name = name.as_encoded_bytes();
        if name.starts_with(PREFIX.as_bytes()) || also(name) {
            // What cannot be removed now is tried again next time.
            let path = entry.path();
            let _ = std::fs::remove_file(&path).or_else(|_| std::fs::remove_dir_all(&path));
        }
    }
}

/// Makes the names in a directory durable.
pub(crate) fn sync_directory(path: &Path) -> Result<(), IoAt> {
    File::open(path)
        .and_then(|directory| directory.sync_all())
        .at("sync", path)
}
