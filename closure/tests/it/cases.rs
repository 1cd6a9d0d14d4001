//! Small projects and edits to them: each must change the code version of the entry, or must not. The rows are
//! in `tests/cases/`, written to be read.
//!
//! A case is a title, files after `== path`, and rows. `changes PATH ~ OLD ~ NEW` replaces the only occurrence of
//! a text and must change the version; `keeps` must not; `new` before the path adds a file. `\n`, `\t` and `\\` are
//! escapes. `widens REACH [NAME] [PLACE]`, `native`, `elsewhere` and `absent DIRECTORY MODULE` say what must be
//! reported.

use jalon_closure::{Analysis, Closure, Consulted, Entry, Memory, Reach};

const FILES: [(&str, &str); 5] = [
    ("functions", include_str!("../cases/functions.case")),
    ("modules", include_str!("../cases/modules.case")),
    ("classes", include_str!("../cases/classes.case")),
    ("state", include_str!("../cases/state.case")),
    ("dynamic", include_str!("../cases/dynamic.case")),
];

struct Case {
    title: String,
    entry: Entry,
    roots: Vec<String>,
    project: Memory,
    rows: Vec<String>,
}

fn parse(text: &str) -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    let mut file: Option<String> = None;
    for line in text.lines() {
        if let Some(title) = line.strip_prefix("case: ") {
            cases.push(Case {
                title: title.to_owned(),
                entry: Entry::new("main:run"),
                roots: vec![String::new()],
                project: Memory::default(),
                rows: Vec::new(),
            });
            file = None;
            continue;
        }
        let Some(case) = cases.last_mut() else {
            continue;
        };
        if let Some(path) = line.strip_prefix("== ") {
            case.project.files.insert(path.to_owned(), Vec::new());
            file = Some(path.to_owned());
        } else if is_row(line) {
            case.rows.push(line.to_owned());
            file = None;
        } else if let Some(path) = &file {
            let bytes = case.project.files.get_mut(path).unwrap();
            bytes.extend_from_slice(line.as_bytes());
            bytes.push(b'\n');
        } else if let Some(entry) = line.strip_prefix("entry: ") {
            let (function, how) = entry.split_once(' ').unwrap_or((entry, ""));
            case.entry = Entry {
                function: function.to_owned(),
                unpickles: how == "unpickles",
            };
        } else if let Some(roots) = line.strip_prefix("roots: ") {
            case.roots = roots
                .split(", ")
                .map(|it| it.trim_matches('.').to_owned())
                .collect();
        } else {
            assert!(line.is_empty(), "{}: what is {line:?}?", case.title);
        }
    }
    cases
}

fn is_row(line: &str) -> bool {
    let words = [
        "changes",
        "keeps",
        "widens",
        "native",
        "elsewhere",
        "absent",
    ];
    line.split_once(' ')
        .is_some_and(|(word, _)| words.contains(&word))
}

fn closure(case: &Case, project: &Memory) -> (Closure, Consulted) {
    let mut analysis = Analysis::new(project.clone(), case.roots.clone());
    let closure = analysis.function(&case.entry).expect(&case.title);
    (closure, analysis.consulted())
}

fn unescape(text: &str) -> String {
    let text = text
        .replace("\\\\", "\0")
        .replace("\\n", "\n")
        .replace("\\t", "\t");
    text.replace('\0', "\\")
}

/// The project after a row's edit.
fn edited(case: &Case, edit: &str) -> Result<Memory, String> {
    let mut parts = edit.splitn(3, " ~");
    let path = parts.next().unwrap().trim();
    let mut text = || {
        let part = parts.next().ok_or("two texts are wanted")?;
        let part = part.strip_prefix(' ').unwrap_or(part);
        Ok::<_, String>(unescape(part))
    };
    let (old, new) = (text()?, text()?);
    let mut project = case.project.clone();
    if let Some(path) = path.strip_prefix("new ") {
        project.files.insert(path.to_owned(), new.into_bytes());
        return Ok(project);
    }
    let bytes = project.files.get_mut(path).ok_or("no such file")?;
    let before = String::from_utf8(bytes.clone()).unwrap();
    match before.matches(&old).count() {
        1 => *bytes = before.replacen(&old, &new, 1).into_bytes(),
        count => return Err(format!("{old:?} occurs {count} times")),
    }
    Ok(project)
}

fn check(case: &Case, row: &str, before: &(Closure, Consulted)) -> Result<(), String> {
    let (word, rest) = row.split_once(' ').unwrap();
    let rest = rest.trim();
    let (closure_before, consulted) = before;
    match word {
        "changes" | "keeps" => {
            let (after, _) = closure(case, &edited(case, rest)?);
            let same = after.same_code(closure_before);
            match (word, same) {
                ("changes", true) => Err("the version did not change".to_owned()),
                ("keeps", false) => Err(format!(
                    "it changed: {}",
                    difference(closure_before, &after)
                )),
                _ => Ok(()),
            }
        }
        "widens" => {
            let found: Vec<String> = closure_before
                .widenings
                .iter()
                .map(|it| {
                    let reach = match &it.reach {
                        Reach::Module(name) => format!("module {name}"),
                        Reach::Package(name) => format!("package {name}"),
                        Reach::Project => "project".to_owned(),
                        Reach::Documentation => "documentation".to_owned(),
                        Reach::Text => "text".to_owned(),
                    };
                    match &it.place {
                        Some(place) => format!("{reach} {}:{}", place.file, place.line),
                        None => reach,
                    }
                })
                .collect();
            found
                .iter()
                .any(|it| it == rest)
                .then_some(())
                .ok_or(format!("only {found:?}"))
        }
        "native" => (closure_before.natives.join(" ") == rest)
            .then_some(())
            .ok_or(format!("{:?}", closure_before.natives)),
        "elsewhere" => {
            let names: Vec<&str> = closure_before
                .elsewhere
                .iter()
                .map(|it| &*it.module)
                .collect();
            (names.join(" ") == rest)
                .then_some(())
                .ok_or(format!("{names:?}"))
        }
        "absent" => {
            let found = consulted.absent.iter().any(|it| {
                let directory = if it.directory.is_empty() {
                    "."
                } else {
                    &it.directory
                };
                format!("{directory} {}", it.module) == rest
            });
            found.then_some(()).ok_or(format!("{:?}", consulted.absent))
        }
        _ => unreachable!(),
    }
}

fn difference(before: &Closure, after: &Closure) -> String {
    let names = |one: &Closure, other: &Closure| {
        let changed = one
            .parts
            .iter()
            .filter(|it| other.part(&it.module, &it.definition) != Some(&it.bytes));
        changed
            .map(|it| format!("{}:{}", it.module, it.definition))
            .collect::<Vec<_>>()
    };
    format!(
        "{:?} became {:?}",
        names(before, after),
        names(after, before)
    )
}

#[test]
fn each_edit_changes_the_version_or_keeps_it() {
    let mut wrong = Vec::new();
    let mut edits = 0;
    for (file, text) in FILES {
        for case in parse(text) {
            assert!(!case.rows.is_empty(), "{}: no rows", case.title);
            let before = closure(&case, &case.project);
            for row in &case.rows {
                edits += usize::from(row.starts_with("changes") || row.starts_with("keeps"));
                if let Err(why) = check(&case, row, &before) {
                    wrong.push(format!("{file}: {}\n    {row}\n    {why}", case.title));
                }
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} rows are wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert!(edits >= 120, "only {edits} edits");
}
