//! `jalon import`: a jalon.toml from another tool's definition.

use std::path::PathBuf;
use std::sync::Arc;

use jalon::frontend::{self, dvc, native};
use jalon::witness::Witnesses;

use super::super::args::{Common, ImportArgs};
use super::super::exit::{self, Failure};
use super::super::out;
use super::super::session;

/// Writes a definition from a dvc.yaml, beside which it lies from then on.
pub fn import(common: &Common, args: &ImportArgs) -> Result<u8, Failure> {
    let source = session::source(common)?;
    let path = match &source.file {
        Some(file) => source.from.join(file),
        None => nearest(&source)?,
    };
    let project =
        dvc::load(&source, &path, &Arc::new(Witnesses::off())).map_err(session::not_loaded)?;
    let target = project.root.join(native::FILE);
    if target.exists() && !args.print {
        let message = format!("{} is there already", target.display());
        return Err(Failure::new(exit::USAGE, "exists", message)
            .help("`--print` shows what would be written"));
    }
    let root = project.root.clone();
    let is_directory = |path: &str| {
        let found = root.join(path).metadata().ok()?;
        Some(found.is_dir())
    };
    let text = jalon_conf::dvc::export(project.graph.pipeline(), &project.name, &is_directory);
    if args.print {
        out::bytes(text.as_bytes())?;
        return Ok(exit::DONE);
    }
    std::fs::write(&target, text)?;
    out::note(format_args!(
        "wrote {}; lines that begin with NOTE say what is not the same. Now: jalon check, jalon plan, jalon run",
        target.display()
    ));
    Ok(exit::DONE)
}

fn nearest(source: &frontend::Source) -> Result<PathBuf, Failure> {
    let from = source.from.canonicalize()?;
    let found = from
        .ancestors()
        .map(|directory| directory.join(dvc::FILE))
        .find(|path| path.is_file());
    found.ok_or_else(|| {
        let message = format!("there is no {} in {} or above", dvc::FILE, from.display());
        Failure::new(exit::INVALID, "no-definition", message).help("name one: --file PATH")
    })
}
