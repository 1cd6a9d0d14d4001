//! Reading definitions from disk: everything that is not pure about it.

pub mod dvc;
pub mod native;
mod source;

use std::path::{Path, PathBuf};

use crate::project::Project;

pub use source::{LoadError, Source};

/// Reads, checks and lowers the definition that is meant: the one named, or the nearest upwards; in one
/// directory `jalon.toml` comes before `dvc.yaml`.
///
/// # Errors
/// See [`LoadError`].
pub fn load(source: &Source) -> Result<Project, LoadError> {
    let path = find(source)?;
    let yaml = path
        .extension()
        .is_some_and(|extension| extension == "yaml" || extension == "yml");
    if yaml {
        dvc::load(source, &path)
    } else {
        native::load(source, &path)
    }
}

fn find(source: &Source) -> Result<PathBuf, LoadError> {
    if let Some(file) = &source.file {
        return Ok(source.from.join(file));
    }
    let from = source
        .from
        .canonicalize()
        .map_err(|error| LoadError::Io(source.from.clone(), error))?;
    for directory in from.ancestors() {
        let here = [native::FILE, dvc::FILE].map(|name| directory.join(name));
        if let Some(found) = here.into_iter().find(|path| path.is_file()) {
            return Ok(found);
        }
    }
    let seen = |name: &&str| Path::new(&from).join(name).is_file();
    let others = ["pyproject.toml", "Snakefile"].into_iter().filter(seen);
    Err(LoadError::NotFound {
        others: others.collect(),
        from: from.clone(),
    })
}
