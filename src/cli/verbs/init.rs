//! `jalon init`: a first jalon.toml that is valid and says what to do next.

use std::path::{Path, PathBuf};

use super::super::args::{Common, InitArgs};
use super::super::exit::{self, Failure};
use super::super::out;

/// Writes a first definition.
pub fn init(common: &Common, args: &InitArgs) -> Result<u8, Failure> {
    let directory = common
        .directory
        .clone()
        .unwrap_or_else(|| PathBuf::from("."));
    let path = directory.join(jalon::frontend::native::FILE);
    if path.exists() && !args.print {
        let message = format!("{} is there already", path.display());
        return Err(Failure::new(exit::USAGE, "exists", message)
            .help("`--print` shows what would be written"));
    }
    let dvc = directory.join(jalon::frontend::dvc::FILE);
    if dvc.is_file() {
        let message = format!("{} is here, and jalon runs it as it is", dvc.display());
        return Err(Failure::new(exit::USAGE, "exists", message)
            .help("jalon plan, jalon run; `jalon import` writes a jalon.toml from it"));
    }
    let text = first(&directory);
    if args.print {
        out::bytes(text.as_bytes())?;
        return Ok(exit::DONE);
    }
    std::fs::write(&path, text)?;
    out::note(format!(
        "wrote {}; now: jalon check, jalon plan, jalon run",
        path.display()
    ));
    Ok(exit::DONE)
}

/// What is there, as sources and parameter files.
fn first(directory: &Path) -> String {
    let full = directory
        .canonicalize()
        .unwrap_or_else(|_| directory.to_owned());
    let name: String = full
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default()
        .chars()
        .map(|c| {
            if c.is_alphanumeric() || c == '-' || c == '_' {
                c
            } else {
                '-'
            }
        })
        .collect();
    let name = if name.is_empty() {
        "pipeline".to_owned()
    } else {
        name
    };
    let params = [
        "params.yaml",
        "params.yml",
        "params.toml",
        "params.json",
        "conf/base/parameters.yml",
    ];
    let params: Vec<String> = params
        .iter()
        .filter(|file| directory.join(file).is_file())
        .map(|file| format!("{file:?}"))
        .collect();
    let mut text = format!("[pipeline]\nname = {name:?}\n");
    if !params.is_empty() {
        text += &format!("params = [{}]\n", params.join(", "));
    }
    match data(directory) {
        Some(source) => {
            text += &format!("\n[source]\nraw = {source:?}\n\n");
            text += "# A node runs a command; what it reads and makes is declared, so that it runs only when it must.\n";
            text +=
                "[node.count]\ncmd = \"cat {{in.raw}} | wc -l > {{out.lines}}\"\nin  = [\"raw\"]\n";
        }
        None => {
            text += "\n# A node runs a command; what it reads and makes is declared, so that it runs only when it must.\n";
            text += "# Files that nothing makes are sources: [source] raw = \"data/*.csv\", then in = [\"raw\"].\n";
            text += "[node.hello]\ncmd = \"echo hello > {{out.lines}}\"\n";
        }
    }
    text += "out = { lines = \"out/lines.txt\" }\n";
    text
}

/// The first place that looks like raw data.
fn data(directory: &Path) -> Option<String> {
    for place in ["data/raw", "data/01_raw", "data", "raw"] {
        let mut endings: Vec<String> = std::fs::read_dir(directory.join(place))
            .into_iter()
            .flatten()
            .flatten()
            .filter(|entry| entry.path().is_file())
            .filter_map(|entry| Some(entry.path().extension()?.to_str()?.to_owned()))
            .filter(|ending| {
                ["csv", "tsv", "txt", "json", "jsonl", "parquet"].contains(&ending.as_str())
            })
            .collect();
        endings.sort();
        if let Some(ending) = endings.first() {
            return Some(format!("{place}/*.{ending}"));
        }
    }
    None
}
