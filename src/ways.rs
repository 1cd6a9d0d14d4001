//! Where directories really are: links on the way resolved, each directory looked at once.
//!
//! For as long as nobody changes that; whoever may have says so. Knows nothing of projects.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use rustc_hash::FxHashMap;

/// See the module.
#[derive(Debug, Default)]
pub struct Ways {
    /// By directory as it was named; nothing for one that is not there.
    directories: FxHashMap<PathBuf, Option<PathBuf>>,
}

impl Ways {
    /// Something was made, moved or removed that may be on the way to something.
    pub fn forget(&mut self) {
        self.directories.clear();
    }

    /// The real name of a path, the last part too; nothing where it leads nowhere. Absolute.
    pub fn real(&mut self, path: &Path) -> Option<PathBuf> {
        let Some(beside) = self.beside(path) else {
            return path.canonicalize().ok();
        };
        match beside.read_link() {
            Ok(_) => beside.canonicalize().ok(),
            Err(error) if error.kind() == ErrorKind::InvalidInput => Some(beside),
            Err(_) => None,
        }
    }

    /// A path with the links on the way to it resolved, the last part as it is; nothing where no directory is on
    /// the way. Absolute.
    pub fn beside(&mut self, path: &Path) -> Option<PathBuf> {
        let (parent, name) = (path.parent()?, path.file_name()?);
        if parent.parent().is_none() {
            return Some(parent.join(name));
        }
        let real = match self.directories.get(parent) {
            Some(known) => known.clone(),
            None => {
                let real = self.real(parent);
                self.directories.insert(parent.to_owned(), real.clone());
                real
            }
        };
        Some(real?.join(name))
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn it_is_where_the_system_says() {
        let place = tempfile::tempdir().expect("a directory");
        let root = place.path().canonicalize().expect("it is there");
        let make = |path: &str| std::fs::create_dir_all(root.join(path)).expect("made");
        let link = |to: &str, path: &str| symlink(to, root.join(path)).expect("linked");
        make("a/b/c");
        std::fs::write(root.join("a/file"), "x").expect("written");
        link("a/b", "to_b");
        link("../to_b", "a/again");
        link("nowhere", "dangling");
        link("loop", "loop");
        link("/", "slash");
        let mut ways = Ways::default();
        let usr = format!("slash{}/a", root.display());
        for path in [
            "",
            "a",
            "a/b",
            "a/b/c",
            "a/file",
            "a/none",
            "none/a",
            "to_b",
            "to_b/c",
            "to_b/none",
            "a/again",
            "a/again/c",
            "dangling",
            "dangling/x",
            "loop",
            "loop/x",
            "slash",
            &usr,
        ] {
            let path = root.join(path);
            for _ in 0..2 {
                assert_eq!(
                    ways.real(&path),
                    path.canonicalize().ok(),
                    "{}",
                    path.display()
                );
                let parent = path.parent().and_then(|parent| parent.canonicalize().ok());
                let beside = parent.map(|parent| parent.join(path.file_name().expect("a name")));
                assert_eq!(ways.beside(&path), beside, "{}", path.display());
            }
        }
        assert_eq!(ways.real(Path::new("/")), Some(PathBuf::from("/")));
    }

    #[test]
    fn what_was_known_is_forgotten_when_something_changed() {
        let place = tempfile::tempdir().expect("a directory");
        let root = place.path().canonicalize().expect("it is there");
        std::fs::create_dir(root.join("a")).expect("made");
        std::fs::create_dir(root.join("b")).expect("made");
        let mut ways = Ways::default();
        let path = root.join("a/x");
        assert_eq!(ways.beside(&path), Some(path.clone()));
        std::fs::remove_dir(root.join("a")).expect("removed");
        symlink("b", root.join("a")).expect("linked");
        ways.forget();
        assert_eq!(ways.beside(&path), Some(root.join("b/x")));
    }
}
