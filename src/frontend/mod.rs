//! Reading definitions from disk: everything that is not pure about it.

mod bench;
pub mod dvc;
pub mod kedro;
pub mod native;
mod source;
mod versions;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::project::Project;
use crate::witness::Witnesses;

pub use bench::Bench;
pub use source::{Kedro, LoadError, Refusal, Source};

/// Reads, checks and lowers the definition that is meant: the one named, or the nearest upwards; in one
/// directory `jalon.toml` comes before `dvc.yaml`, and that before a Kedro project.
///
/// # Errors
/// See [`LoadError`].
pub fn load(
    source: &Source,
    witnesses: &Arc<Witnesses>,
    bench: &Bench,
) -> Result<Project, LoadError> {
    let path = find(source)?;
    if path.ends_with(kedro::FILE) {
        kedro::load(source, &path, witnesses, bench)
    } else if source.kedro != Kedro::default() || source.python.is_some() {
        Err(LoadError::Refused(Refusal {
            code: "kedro-only".into(),
            message: format!("{} is no Kedro project", path.display()),
            help: "targets say what is to be made; `-p` sets parameters".into(),
        }))
    } else if is_yaml(&path) {
        dvc::load(source, &path, witnesses)
    } else {
        native::load(source, &path, witnesses)
    }
}

/// Where a definition is: the project's directory, absolute, and the file's name in it. What [`load`] looks at
/// beyond that it tells its witnesses.
pub fn locate(source: &Source) -> Option<(PathBuf, String)> {
    let path = find(source).ok()?;
    if is_yaml(&path) {
        return dvc::locate(&path).ok();
    }
    source::place(&path).ok()
}

fn is_yaml(path: &Path) -> bool {
    path.extension()
        .is_some_and(|extension| extension == "yaml" || extension == "yml")
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
        let project = directory.join(kedro::FILE);
        if kedro::is_project(&project) {
            return Ok(project);
        }
    }
    let seen = |name: &&str| Path::new(&from).join(name).is_file();
    let others = ["pyproject.toml", "Snakefile"].into_iter().filter(seen);
    Err(LoadError::NotFound {
        others: others.collect(),
        from: from.clone(),
    })
}
