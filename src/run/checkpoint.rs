//! A directory that survives failed attempts of the same weak key, and is handed on only to that.

use std::io;
use std::path::{Path, PathBuf};

use jalon_store::digest::WeakKey;

/// One node's checkpoint directory.
#[derive(Debug)]
pub struct Checkpoint {
    directory: PathBuf,
    marker: PathBuf,
}

/// What was found when an attempt began.
#[derive(Debug, PartialEq, Eq)]
pub enum Found {
    /// Nothing to go on from.
    Fresh,
    /// What earlier attempts of the same key left.
    Kept,
    /// It belonged to something else and lies here now.
    SetAside(PathBuf),
}

impl Checkpoint {
    /// `path` is project-relative; `private` is jalon's own directory.
    pub fn new(root: &Path, private: &Path, path: &str) -> Checkpoint {
        let name = path.replace('%', "%25").replace('/', "%2F");
        Checkpoint {
            directory: root.join(path),
            marker: private.join("checkpoints").join(name),
        }
    }

    /// Before an attempt: the directory exists and holds this key's state or nothing.
    ///
    /// # Errors
    /// It cannot be made or moved.
    pub fn prepare(&self, weak: &WeakKey, aside: &Path) -> io::Result<Found> {
        let owner = std::fs::read_to_string(&self.marker).unwrap_or_default();
        let filled = self
            .directory
            .read_dir()
            .is_ok_and(|mut entries| entries.next().is_some());
        let found = if !filled {
            Found::Fresh
        } else if owner.trim() == weak.to_string() {
            Found::Kept
        } else {
            let mut place = aside.join(self.marker.file_name().unwrap_or_default());
            for number in 2.. {
                if !place.exists() {
                    break;
                }
                place.set_extension(number.to_string());
            }
            std::fs::create_dir_all(aside)?;
            std::fs::rename(&self.directory, &place)?;
            Found::SetAside(place)
        };
        std::fs::create_dir_all(&self.directory)?;
        if let Some(parent) = self.marker.parent() {
            std::fs::create_dir_all(parent)?;
        }
        std::fs::write(&self.marker, weak.to_string())?;
        Ok(found)
    }

    /// After success nobody needs it.
    pub fn done(&self) {
        // What cannot be removed is set aside by the next key that wants the place.
        let _ = std::fs::remove_dir_all(&self.directory);
        let _ = std::fs::remove_file(&self.marker);
    }
}
