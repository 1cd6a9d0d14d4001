//! A DVC project: every dvc.yaml and `.dvc` file of it found and read, handed to the pure reader.
//!
//! DVC's root is the nearest directory with a `.dvc` directory, from the dvc.yaml upwards, else the dvc.yaml's
//! own. Nothing is ever written here.

use std::cell::RefCell;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jalon_conf::dvc::{self, Answer, Texts};
use jalon_conf::{Diagnostic, Import, Layer, Lowered, ParamsFile, Request, Text};

use super::source::{LoadError, Read, Source, place};
use crate::project::Project;
use crate::witness::{self, Recording, Witnesses};

/// The definition's name.
pub const FILE: &str = "dvc.yaml";

/// DVC's own directory.
const OWN: &str = ".dvc";

/// Directories that hold no definition of the project: tools', and what package managers fill.
const CLOSED: [&str; 5] = [".git", OWN, ".jalon", "node_modules", "__pycache__"];

/// DVC's root of a definition, and its path below that.
///
/// # Errors
/// See [`LoadError`].
pub fn locate(path: &Path) -> Result<(PathBuf, String), LoadError> {
    let (directory, name) = place(path)?;
    let root = root_of(&directory).to_owned();
    let main = relative(&directory.join(name), &root);
    Ok((root, main))
}

/// Reads, checks and lowers the project of a dvc.yaml. The witnesses hear of every file and directory that is
/// looked at, but for those that [`locate`] looks for each time.
///
/// # Errors
/// See [`LoadError`].
pub fn load(
    source: &Source,
    path: &Path,
    witnesses: &Arc<Witnesses>,
) -> Result<Project, LoadError> {
    let (root, main) = locate(path)?;
    let user = source.user.as_ref().and_then(|user| {
        Some(Text {
            file: user.display().to_string(),
            text: String::from_utf8(witnesses.read(user).ok()?).ok()?,
            layer: Layer::User,
        })
    });
    let request = Request {
        env: source.env.clone(),
        set: source.set.clone(),
        version: source.version.clone(),
    };
    let (lowered, texts) = read(&root, "", &main, user, &request, witnesses)?;
    let read = Read {
        root,
        definition: main,
        lowered,
        texts,
    };
    read.into_project()
}

/// What a definition of jalon's own joins: a dvc.yaml and those below its directory.
pub(super) fn import(
    root: &Path,
    import: &Import,
    request: &Request,
    witnesses: &Arc<Witnesses>,
) -> Result<Outcome, LoadError> {
    let place = root.join(&import.path);
    if !witness::metadata(&Recording::afresh(witnesses), &place).is_ok_and(|found| found.is_file())
    {
        let message = format!("there is no {}", import.path);
        let problem = Diagnostic::error("missing-import", message).at(import.at.clone());
        let lowered = Lowered {
            pipeline: None,
            diagnostics: vec![problem.help("name a dvc.yaml, relative to the project")],
            provenance: Vec::new(),
        };
        return Ok((lowered, Vec::new()));
    }
    let below = import.path.rsplit_once('/').map_or("", |(below, _)| below);
    let request = Request {
        env: "local".into(),
        set: Vec::new(),
        ..request.clone()
    };
    read(root, below, &import.path, None, &request, witnesses)
}

/// The directory that DVC calls its root, for a dvc.yaml in this one.
fn root_of(directory: &Path) -> &Path {
    directory
        .ancestors()
        .find(|above| above.join(OWN).is_dir())
        .unwrap_or(directory)
}

/// What came of a DVC project, and name and text of each file that was read.
type Outcome = (Lowered, Vec<(String, String)>);

/// Reads the DVC project in `below` of jalon's project.
fn read(
    root: &Path,
    below: &str,
    main: &str,
    user: Option<Text>,
    request: &Request,
    witnesses: &Arc<Witnesses>,
) -> Result<Outcome, LoadError> {
    let mut found = Found::default();
    let cache = Recording::afresh(witnesses);
    found
        .walk(&root.join(below), true, &cache)
        .map_err(|(path, error)| LoadError::Io(path, error))?;
    let shown = RefCell::new(Vec::new());
    let show = |file: &ParamsFile| {
        let text = String::from_utf8_lossy(&file.text).into_owned();
        shown.borrow_mut().push((file.file.clone(), text));
    };
    let files = |paths: &[PathBuf]| -> Result<Vec<ParamsFile>, LoadError> {
        let each = paths.iter().map(|path| {
            let text = witnesses
                .read(path)
                .map_err(|error| LoadError::Io(path.clone(), error))?;
            let file = relative(path, root);
            let file = ParamsFile { file, text };
            show(&file);
            Ok(file)
        });
        each.collect()
    };
    let config = ["config", "config.local"].map(|name| root.join(below).join(OWN).join(name));
    let is_file = |path: &PathBuf| witness::metadata(&cache, path).is_ok_and(|it| it.is_file());
    let config = config.into_iter().filter(is_file);
    if let Some(user) = &user {
        shown
            .borrow_mut()
            .push((user.file.clone(), user.text.clone()));
    }
    let texts = Texts {
        root: below.to_owned(),
        main: main.to_owned(),
        definitions: files(&found.definitions)?,
        tracked: files(&found.tracked)?,
        config: files(&config.collect::<Vec<_>>())?,
        user,
    };
    let mut ask = |path: &str| match witnesses.read(&root.join(path)) {
        Ok(text) => {
            let file = path.to_owned();
            let file = ParamsFile { file, text };
            show(&file);
            Answer::Text(file.text)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Answer::Missing,
        Err(error) => Answer::Unreadable(error.to_string()),
    };
    let lowered = dvc::lower(&texts, request, &mut ask);
    Ok((lowered, shown.into_inner()))
}

/// The definitions below a directory.
#[derive(Default)]
struct Found {
    definitions: Vec<PathBuf>,
    tracked: Vec<PathBuf>,
}

impl Found {
    /// Top down and sorted; never into data that a `.dvc` file beside it tracks, into a virtual
    /// environment, or into a project of DVC's own.
    fn walk(
        &mut self,
        directory: &Path,
        is_root: bool,
        cache: &Recording,
    ) -> Result<(), (PathBuf, io::Error)> {
        let failed = |error| (directory.to_owned(), error);
        witness::metadata(cache, directory).map_err(failed)?;
        let entries = std::fs::read_dir(directory).map_err(failed)?;
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.map_err(failed)?;
            names.push((entry.file_name(), entry.file_type().map_err(failed)?));
        }
        names.sort_by(|a, b| a.0.cmp(&b.0));
        let has = |wanted: &str| names.iter().any(|(name, _)| name == wanted);
        if has("pyvenv.cfg") || !is_root && has(OWN) {
            return Ok(());
        }
        let mut data = Vec::new();
        for (name, kind) in &names {
            let path = directory.join(name);
            let leads = || kind.is_symlink() && witness::is_directory(cache, &path);
            if kind.is_dir() || leads() {
                continue;
            }
            if name == FILE {
                self.definitions.push(path);
            } else if path.extension().is_some_and(|extension| extension == "dvc") {
                data.extend(path.file_stem().map(ToOwned::to_owned));
                self.tracked.push(path);
            }
        }
        for (name, kind) in &names {
            let closed = CLOSED.iter().any(|closed| name == closed) || data.contains(name);
            if kind.is_dir() && !closed {
                let inner = directory.join(name);
                match self.walk(&inner, false, cache) {
                    // A directory that may not be read holds nothing that could be run.
                    Err((path, _)) if path == inner => {}
                    other => other?,
                }
            }
        }
        Ok(())
    }
}

fn relative(path: &Path, root: &Path) -> String {
    let relative = path.strip_prefix(root).unwrap_or(path);
    relative.to_string_lossy().into_owned()
}
