//! Prints the closure of functions: what counts, what widens it, what it looked for.
//!
//! `cargo run -p jalon-closure --example closure -- DIRECTORY [--root src]… package.module:function…`
//!
//! With more than one function only sizes and times are printed.

use std::path::{Path, PathBuf};
use std::time::Instant;

use jalon_closure::{Analysis, Closure, Entry, EntryKind, Listed, Sources};

struct Disk(PathBuf);

impl Sources for Disk {
    fn read(&self, path: &str) -> Option<Vec<u8>> {
        std::fs::read(self.0.join(path)).ok()
    }

    fn list(&self, directory: &str) -> Option<Vec<Listed>> {
        let entries = std::fs::read_dir(self.0.join(directory)).ok()?;
        let entry = |it: std::fs::DirEntry| {
            let kind = it.file_type().ok()?;
            let link = kind.is_symlink() && it.path().is_dir();
            Some(Listed {
                name: it.file_name().into_string().ok()?,
                kind: match (kind.is_dir(), link) {
                    (true, _) => EntryKind::Directory,
                    (false, true) => EntryKind::Link,
                    (false, false) => EntryKind::File,
                },
            })
        };
        Some(entries.flatten().filter_map(entry).collect())
    }
}

fn main() {
    let mut roots = Vec::new();
    let mut positional = Vec::new();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--root" => roots.extend(arguments.next()),
            _ => positional.push(argument),
        }
    }
    if roots.is_empty() {
        roots.push(String::new());
    }
    let Some((directory, functions)) = positional
        .split_first()
        .filter(|(_, rest)| !rest.is_empty())
    else {
        eprintln!("usage: closure DIRECTORY [--root DIRECTORY]… package.module:function…");
        std::process::exit(2);
    };
    let start = Instant::now();
    let mut analysis = Analysis::new(Disk(Path::new(directory).to_owned()), roots);
    for function in functions {
        match analysis.function(&Entry::new(function)) {
            Ok(closure) if functions.len() == 1 => print(&closure),
            Ok(closure) => {
                let bytes: usize = closure.parts.iter().map(|it| it.bytes.len()).sum();
                println!("{function}: {} parts, {bytes} bytes", closure.parts.len());
            }
            Err(why) => println!("{function}: {why}"),
        }
    }
    let consulted = analysis.consulted();
    println!(
        "{} files, {} directories, {} modules not found, {:.3} s",
        consulted.files.len(),
        consulted.directories.len(),
        consulted.absent.len(),
        start.elapsed().as_secs_f64()
    );
}

fn print(closure: &Closure) {
    for part in &closure.parts {
        println!("{:8} {}:{}", part.bytes.len(), part.module, part.definition);
    }
    for it in &closure.elsewhere {
        println!(
            "imports {} ({}:{})",
            it.module, it.place.file, it.place.line
        );
    }
    for it in &closure.widenings {
        let place = it
            .place
            .as_ref()
            .map_or(String::new(), |it| format!("{}:{}: ", it.file, it.line));
        println!("widens to {:?}: {place}{}", it.reach, it.why);
    }
}
