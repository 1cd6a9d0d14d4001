//! What the compiler does not hold: doors, circles, lengths, and what a library must not touch.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// A crate's name for messages, its sources, and its manifest.
const CRATES: [(&str, &str, &str); 5] = [
    ("jalon", "src", "Cargo.toml"),
    ("jalon-closure", "closure/src", "closure/Cargo.toml"),
    ("jalon-conf", "conf/src", "conf/Cargo.toml"),
    (
        "jalon-remote",
        "store/remote/src",
        "store/remote/Cargo.toml",
    ),
    ("jalon-store", "store/src", "store/Cargo.toml"),
];

/// Packages that are language rather than tool: their names stand wherever a type is declared or a value built.
const EVERYWHERE: [&str; 11] = [
    "serde",
    "serde_json",
    "rustc_hash",
    "rayon",
    "rustix",
    "libc",
    "async_trait",
    "bytes",
    "futures_util",
    "tokio",
    "url",
];

/// Lines of a file without its unit tests.
const LONGEST: usize = 600;

struct Source {
    /// Relative to the crate's `src`.
    path: PathBuf,
    text: String,
    /// Without comments, strings and the unit tests at the end.
    code: String,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn sources(directory: &str) -> Vec<Source> {
    let base = root().join(directory);
    crate::project::files_below(&base)
        .into_iter()
        .filter(|path| path.extension().is_some_and(|it| it == "rs"))
        .map(|path| {
            let text = std::fs::read_to_string(&path).unwrap();
            let code = bare(text.split("\n#[cfg(test)]\nmod ").next().unwrap());
            Source {
                path: path.strip_prefix(&base).unwrap().to_owned(),
                text,
                code,
            }
        })
        .collect()
}

/// Text without comments and the contents of strings; lines stay.
fn bare(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '/' if rest.peek() == Some(&'/') => {
                while rest.peek().is_some_and(|&it| it != '\n') {
                    rest.next();
                }
            }
            '"' => {
                out.push('"');
                while let Some(c) = rest.next() {
                    match c {
                        '\\' => drop(rest.next()),
                        '"' => break,
                        '\n' => out.push('\n'),
                        _ => {}
                    }
                }
                out.push('"');
            }
            '\'' => {
                // A character literal, or a lifetime.
                let mut ahead = rest.clone();
                match (ahead.next(), ahead.next()) {
                    (Some('\\'), Some(_)) => {
                        rest.next();
                        rest.next();
                        while rest.next().is_some_and(|it| it != '\'') {}
                    }
                    (Some(_), Some('\'')) => {
                        rest.next();
                        rest.next();
                    }
                    _ => out.push('\''),
                }
            }
            c => out.push(c),
        }
    }
    out
}

#[test]
fn files_say_what_they_are_for_and_stay_short() {
    let mut wrong = Vec::new();
    for (_, directory, _) in CRATES {
        for source in sources(directory) {
            if !source.text.starts_with("//!") {
                wrong.push(format!(
                    "{directory}/{}: does not open with `//!`",
                    source.path.display()
                ));
            }
            let lines = source.code.lines().count();
            if lines > LONGEST {
                wrong.push(format!(
                    "{directory}/{}: {lines} lines",
                    source.path.display()
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_library_touches_no_terminal_environment_or_exit_code() {
    let forbidden = [
        "std::env::",
        "use std::env",
        "println!",
        "eprintln!",
        "print!(",
        "eprint!(",
        "process::exit",
        "dbg!(",
    ];
    let mut wrong = Vec::new();
    for (_, directory, _) in CRATES {
        for source in sources(directory) {
            if directory == "src"
                && (source.path.starts_with("cli") || source.path == Path::new("main.rs"))
            {
                continue;
            }
            for word in forbidden {
                if source.code.contains(word) {
                    wrong.push(format!("{directory}/{}: {word}", source.path.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn each_package_has_one_door() {
    let mut wrong = Vec::new();
    for (_, directory, manifest) in CRATES {
        let manifest = std::fs::read_to_string(root().join(manifest)).unwrap();
        for package in dependencies(&manifest) {
            let name = package.replace('-', "_");
            if EVERYWHERE.contains(&name.as_str()) || name.starts_with("jalon_") {
                continue;
            }
            let doors: BTreeSet<PathBuf> = sources(directory)
                .into_iter()
                .filter(|source| names_crate(&source.code, &name))
                .map(|source| door(&source.path))
                .collect();
            if doors.len() > 1 {
                wrong.push(format!("{package} is named in {directory} by {doors:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A directory directly below `src` is one module with one door, as a file there is.
fn door(path: &Path) -> PathBuf {
    PathBuf::from(component(path, 0))
}

fn dependencies(manifest: &str) -> Vec<String> {
    let mut inside = false;
    let mut found = Vec::new();
    for line in manifest.lines() {
        if line.starts_with('[') {
            inside = line == "[dependencies]"
                || line.starts_with("[target.")
                    && line.ends_with("dependencies]")
                    && !line.contains("dev-");
        } else if inside
            && let Some(name) = line
                .split(['.', '=', ' '])
                .next()
                .filter(|name| !name.is_empty() && !name.starts_with('#'))
        {
            found.push(name.to_owned());
        }
    }
    found
}

fn names_crate(code: &str, name: &str) -> bool {
    let boundary = |c: char| !(c.is_alphanumeric() || c == '_' || c == ':');
    [
        format!("{name}::"),
        format!("use {name};"),
        format!("use {name} as"),
    ]
    .iter()
    .any(|needle| {
        code.match_indices(needle.as_str()).any(|(at, _)| {
            at == 0 || code[..at].ends_with(boundary) || code[..at].ends_with("use ")
        })
    })
}

#[test]
fn conf_and_store_never_meet() {
    let read = |path: &str| std::fs::read_to_string(root().join(path)).unwrap();
    assert!(!read("conf/Cargo.toml").contains("jalon-store"));
    for manifest in ["store/Cargo.toml", "store/remote/Cargo.toml"] {
        assert!(!read(manifest).contains("jalon-conf"), "{manifest}");
    }
}

#[test]
fn the_library_does_not_know_the_command_line() {
    for source in sources("src") {
        if !source.path.starts_with("cli") && source.path != Path::new("main.rs") {
            assert!(!source.code.contains("cli::"), "{}", source.path.display());
        }
    }
}

#[test]
fn modules_form_no_circle() {
    let mut wrong = Vec::new();
    for (name, directory, _) in CRATES {
        let sources = sources(directory);
        // Between the top modules of the crate, and between the files of each directory.
        let tops: BTreeSet<String> = sources
            .iter()
            .map(|source| component(&source.path, 0))
            .collect();
        let mut edges: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for source in &sources {
            let from = component(&source.path, 0);
            if ["lib", "main"].contains(&from.as_str()) {
                continue;
            }
            for path in paths_after(&source.code, "crate::") {
                if tops.contains(&path[0]) && path[0] != from {
                    edges
                        .entry(from.clone())
                        .or_default()
                        .insert(path[0].clone());
                }
            }
        }
        wrong.extend(circle(&edges).map(|circle| format!("{name}: {}", circle.join(" → "))));

        for top in &tops {
            let files: Vec<&Source> = sources
                .iter()
                .filter(|source| {
                    component(&source.path, 0) == *top && source.path.components().count() == 2
                })
                .collect();
            let siblings: BTreeSet<String> = files
                .iter()
                .map(|source| component(&source.path, 1))
                .filter(|it| it != "mod")
                .collect();
            let mut edges: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
            for source in files {
                let from = component(&source.path, 1);
                if from == "mod" {
                    continue;
                }
                let through_crate = paths_after(&source.code, &format!("crate::{top}::"));
                for path in paths_after(&source.code, "super::")
                    .into_iter()
                    .chain(through_crate)
                {
                    if siblings.contains(&path[0]) && path[0] != from {
                        edges
                            .entry(from.clone())
                            .or_default()
                            .insert(path[0].clone());
                    }
                }
            }
            wrong.extend(
                circle(&edges).map(|circle| format!("{name}: {top}: {}", circle.join(" → "))),
            );
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn component(path: &Path, index: usize) -> String {
    path.with_extension("")
        .components()
        .nth(index)
        .map(|it| it.as_os_str().to_string_lossy().into_owned())
        .unwrap_or_default()
}

/// The first names after a prefix, groups in braces spread out.
fn paths_after(code: &str, prefix: &str) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices(prefix) {
        if code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':' || c == '$') {
            continue;
        }
        let rest = &code[at + prefix.len()..];
        if let Some(group) = rest.strip_prefix('{') {
            let mut depth = 0;
            let mut start = true;
            let mut name = String::new();
            for c in group.chars() {
                match c {
                    '{' => depth += 1,
                    '}' if depth == 0 => break,
                    '}' => depth -= 1,
                    ',' if depth == 0 => {
                        found.extend((!name.is_empty()).then(|| vec![std::mem::take(&mut name)]));
                        start = true;
                        continue;
                    }
                    _ => {}
                }
                if depth == 0 && start && (c.is_alphanumeric() || c == '_') {
                    name.push(c);
                } else if !c.is_whitespace() {
                    start = false;
                }
            }
            found.extend((!name.is_empty()).then(|| vec![name]));
        } else {
            let name: String = rest
                .chars()
                .take_while(|c| c.is_alphanumeric() || *c == '_')
                .collect();
            found.extend((!name.is_empty()).then(|| vec![name]));
        }
    }
    found
}

fn circle(edges: &BTreeMap<String, BTreeSet<String>>) -> Option<Vec<String>> {
    fn visit(
        at: &str,
        edges: &BTreeMap<String, BTreeSet<String>>,
        stack: &mut Vec<String>,
        done: &mut BTreeSet<String>,
    ) -> Option<Vec<String>> {
        if let Some(start) = stack.iter().position(|it| it == at) {
            let mut circle = stack[start..].to_vec();
            circle.push(at.to_owned());
            return Some(circle);
        }
        if !done.insert(at.to_owned()) {
            return None;
        }
        stack.push(at.to_owned());
        let found = edges
            .get(at)
            .into_iter()
            .flatten()
            .find_map(|next| visit(next, edges, stack, done));
        stack.pop();
        found
    }
    let mut done = BTreeSet::new();
    edges
        .keys()
        .find_map(|start| visit(start, edges, &mut Vec::new(), &mut done))
}

#[test]
fn these_tests_can_fail() {
    assert!(names_crate(&bare("use blake3::Hasher;"), "blake3"));
    assert!(!names_crate(
        &bare("// blake3::hash\nlet x = \"blake3::hash\"; my_blake3::x();"),
        "blake3"
    ));
    assert_eq!(
        paths_after("use crate::{a::{X, Y}, b};\ncrate::c::d()", "crate::"),
        [["a"], ["b"], ["c"]]
    );
    let edge = |a: &str, b: &str| (a.to_owned(), BTreeSet::from([b.to_owned()]));
    assert!(
        circle(&BTreeMap::from([
            edge("a", "b"),
            edge("b", "c"),
            edge("c", "a")
        ]))
        .is_some()
    );
    assert!(circle(&BTreeMap::from([edge("a", "b"), edge("b", "c")])).is_none());
}
