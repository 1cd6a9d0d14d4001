//! `jalon.toml` and its parameter files: found, read, handed to the pure reader.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jalon_conf::diagnostic::{Diagnostic, Severity};
use jalon_conf::{Layer, ParamsFile, Request, Text};

use super::dvc;
use super::source::{LoadError, Read, Source, place};
use crate::project::Project;
use crate::witness::{Recording, Witnesses};
use crate::workspace::glob;

/// The definition's name.
pub const FILE: &str = "jalon.toml";

/// Reads, checks and lowers a definition. The witnesses hear of every file and directory that is looked at.
///
/// # Errors
/// See [`LoadError`].
pub fn load(
    source: &Source,
    path: &Path,
    witnesses: &Arc<Witnesses>,
) -> Result<Project, LoadError> {
    let (root, definition) = place(path)?;
    let text = read(&root.join(definition), witnesses)
        .map_err(|error| LoadError::Io(path.to_owned(), error))?;
    load_text(source, path, text, witnesses)
}

/// The same, as if the definition held this text: to see whether that would be valid.
///
/// # Errors
/// See [`LoadError`].
pub fn load_text(
    source: &Source,
    path: &Path,
    text: String,
    witnesses: &Arc<Witnesses>,
) -> Result<Project, LoadError> {
    let (root, definition) = place(path)?;
    let mut texts = Vec::new();
    if let Some(user) = &source.user
        && let Ok(bytes) = witnesses.read(user)
        && let Ok(text) = String::from_utf8(bytes)
    {
        texts.push(Text {
            file: user.display().to_string(),
            text,
            layer: Layer::User,
        });
    }
    texts.push(Text {
        file: definition.clone(),
        text,
        layer: Layer::Project,
    });
    let mut shown: Vec<(String, String)> = texts
        .iter()
        .map(|text| (text.file.clone(), text.text.clone()))
        .collect();
    let request = Request {
        env: source.env.clone(),
        set: source.set.clone(),
        version: source.version.clone(),
    };
    let mut document = jalon_conf::parse(texts, &request);
    let params = params(&root, &mut document, witnesses)?;
    let import = document.wanted_dvc();
    shown.extend(params.iter().map(|file| {
        (
            file.file.clone(),
            String::from_utf8_lossy(&file.text).into_owned(),
        )
    }));
    let mut lowered = document.lower(params);
    if let Some(import) = import {
        let (other, texts) = dvc::import(&root, &import, &request, witnesses)?;
        lowered = jalon_conf::dvc::join(lowered, other, &import);
        shown.extend(texts);
    }
    let texts = shown;
    let read = Read {
        root,
        definition,
        lowered,
        texts,
    };
    read.into_project()
}

fn read(path: &Path, witnesses: &Witnesses) -> io::Result<String> {
    String::from_utf8(witnesses.read(path)?).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        io::Error::new(
            io::ErrorKind::InvalidData,
            format!("not UTF-8 at byte {at}"),
        )
    })
}

/// Puts another text in a definition's place, whole or not at all, if it still holds the one that was read. A link
/// stays one.
///
/// # Errors
/// It changed meanwhile, or cannot be written.
pub fn rewrite(path: &Path, read: &str, text: &str) -> io::Result<()> {
    let path = path.canonicalize()?;
    if std::fs::read(&path)? != read.as_bytes() {
        return Err(io::Error::other("it was changed meanwhile; run this again"));
    }
    let mut beside = path.clone().into_os_string();
    beside.push(format!(".{}~", std::process::id()));
    let written = write(beside.as_ref(), text, &path);
    if written.is_err() {
        let _ = std::fs::remove_file(&beside);
    }
    written
}

fn write(beside: &Path, text: &str, path: &Path) -> io::Result<()> {
    let mut file = std::fs::File::create_new(beside)?;
    file.write_all(text.as_bytes())?;
    file.set_permissions(path.metadata()?.permissions())?;
    file.sync_all()?;
    std::fs::rename(beside, path)
}

/// The parameter files that the definition asks for, in merge order.
fn params(
    root: &Path,
    document: &mut jalon_conf::Document,
    witnesses: &Arc<Witnesses>,
) -> Result<Vec<ParamsFile>, LoadError> {
    let cache = Recording::afresh(witnesses);
    let mut files = Vec::new();
    for wanted in document.wanted_params() {
        let paths = if wanted.is_glob {
            let pattern = match glob::Pattern::new(&wanted.pattern) {
                Ok(pattern) => pattern,
                Err(why) => {
                    document.report(problem(
                        "bad-pattern",
                        format!("`{}`: {why}", wanted.pattern),
                        &wanted,
                        None,
                    ));
                    continue;
                }
            };
            pattern
                .files(root, &cache)
                .map_err(|(path, error)| LoadError::Io(path, error))?
        } else {
            vec![PathBuf::from(&wanted.pattern)]
        };
        for path in paths {
            let file = path.to_string_lossy().into_owned();
            match witnesses.read(&root.join(&path)) {
                Ok(text) => files.push(ParamsFile { file, text }),
                Err(error) => {
                    let help = (error.kind() == io::ErrorKind::NotFound)
                        .then(|| "make the file, or name a pattern such as `conf/*.yml`, which may match nothing".into());
                    document.report(problem(
                        "params-file",
                        format!("cannot read {file}: {error}"),
                        &wanted,
                        help,
                    ));
                }
            }
        }
    }
    Ok(files)
}

fn problem(
    code: &'static str,
    message: String,
    wanted: &jalon_conf::Wanted,
    help: Option<String>,
) -> Diagnostic {
    let spans = vec![(wanted.at.clone(), String::new())];
    Diagnostic {
        severity: Severity::Error,
        code,
        message,
        help,
        spans,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_definition_is_rewritten_whole_or_not_at_all() {
        use std::os::unix::fs::PermissionsExt;
        let scratch = tempfile::tempdir().expect("a scratch directory");
        let path = scratch.path().join(FILE);
        std::fs::write(&path, "old").expect("it can be written");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).expect("a mode");
        assert!(
            rewrite(&path, "other", "new").is_err(),
            "it is not what was read"
        );
        assert_eq!(read(&path, &Witnesses::off()).expect("it is there"), "old");
        rewrite(&path, "old", "new").expect("it can be replaced");
        assert_eq!(read(&path, &Witnesses::off()).expect("it is there"), "new");
        let mode = path.metadata().expect("it is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o640);
        let names = std::fs::read_dir(scratch.path()).expect("it can be listed");
        assert_eq!(names.count(), 1, "nothing is left beside it");
    }
}
