//! The version against Python itself: a random project is run, one thing in it is changed, it is run again. If the
//! result is another one, the version must be another one too.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use jalon_closure::{Analysis, Closure, Entry, Memory};

use crate::chance::{Chance, rounds};
use crate::program::{self, Program};

struct Python {
    child: Child,
    ask: ChildStdin,
    answer: BufReader<ChildStdout>,
}

impl Python {
    fn start() -> Option<Self> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/interpreter.py");
        let mut child = Command::new("python3")
            .args(["-I", "-B"])
            .arg(script)
            .env("PYTHONHASHSEED", "0")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .ok()?;
        let ask = child.stdin.take()?;
        let answer = BufReader::new(child.stdout.take()?);
        Some(Self { child, ask, answer })
    }

    fn result(&mut self, project: &Memory, directory: &Path) -> String {
        let _ = std::fs::remove_dir_all(directory);
        for (path, bytes) in &project.files {
            let path = directory.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        }
        writeln!(self.ask, "{}", directory.display()).unwrap();
        let mut line = String::new();
        self.answer.read_line(&mut line).unwrap();
        assert!(!line.is_empty(), "the interpreter has ended");
        line
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn closure(project: &Memory) -> Closure {
    let mut analysis = Analysis::new(project.clone(), vec![String::new()]);
    analysis
        .function(&Entry::new("main:run"))
        .expect("it has its entry")
}

/// Changes one number, leaves a statement out, swaps two, or adds one. Says what.
fn edit(program: &Program, chance: &mut Chance) -> (Program, String) {
    let mut edited = program.clone();
    let file = chance.below(edited.files.len());
    let (path, statements) = &mut edited.files[file];
    // The entry itself stays at the end of its module.
    let movable = statements.len() - usize::from(path == "main.py");
    let what = match chance.below(8) {
        0 if movable > 1 => {
            let at = chance.below(movable - 1);
            statements.swap(at, at + 1);
            format!("swapped {at} and the next")
        }
        1 if movable > 0 => {
            let at = chance.below(movable);
            format!("left out {:?}", statements.remove(at))
        }
        _ => change_number(statements, chance),
    };
    let what = format!("{path}: {what}");
    (edited, what)
}

fn change_number(statements: &mut [String], chance: &mut Chance) -> String {
    let mut numbers: Vec<(usize, usize, usize)> = Vec::new();
    for (index, statement) in statements.iter().enumerate() {
        let bytes = statement.as_bytes();
        let mut at = 0;
        while at < bytes.len() {
            let end = at
                + bytes[at..]
                    .iter()
                    .take_while(|it| it.is_ascii_digit())
                    .count();
            let in_name =
                at > 0 && (bytes[at - 1].is_ascii_alphanumeric() || bytes[at - 1] == b'_');
            if end > at && !in_name {
                numbers.push((index, at, end));
            }
            at = end.max(at + 1);
        }
    }
    if numbers.is_empty() {
        return "nothing".to_owned();
    }
    let &(index, at, end) = chance.pick(&numbers);
    let old: u64 = statements[index][at..end].parse().unwrap();
    let new = (old + 1 + chance.number() % 5).to_string();
    let before = statements[index].clone();
    statements[index].replace_range(at..end, &new);
    format!("{old} became {new} in {before:?}")
}

#[test]
fn what_changes_a_result_changes_the_version() {
    let Some(mut python) = Python::start() else {
        crate::skipped("python3 was not found: the closure was not compared with Python");
        return;
    };
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path().join("project");
    let (mut changed, mut kept, mut failed, mut edits) = (0, 0, 0, 0);
    for round in 0..rounds(40) {
        let mut chance = Chance::seeded(round);
        let program = program::random(&mut chance);
        let before = (
            python.result(&program.sources(), &directory),
            closure(&program.sources()),
        );
        failed += u64::from(before.0.starts_with("error"));
        for _ in 0..6 {
            let (edited, what) = edit(&program, &mut chance);
            let after = (
                python.result(&edited.sources(), &directory),
                closure(&edited.sources()),
            );
            let same = after.1.same_code(&before.1);
            edits += 1;
            changed += u64::from(before.0 != after.0);
            kept += u64::from(same);
            // A failure is never kept, and a statement that is not reached may fail.
            let comparable = !before.0.starts_with("error") && !after.0.starts_with("error");
            assert!(
                before.0 == after.0 || !same || !comparable,
                "round {round}: {what}\nchanged the result from {}to {}but not the version of\n{}",
                before.0,
                after.0,
                text(&program)
            );
        }
    }
    eprintln!(
        "{edits} edits: {changed} changed the result, {kept} kept the version, {failed} failed"
    );
    // Or it would have shown nothing.
    assert!(
        changed * 5 > edits,
        "only {changed} of {edits} edits changed a result"
    );
    assert!(
        kept * 20 > edits,
        "only {kept} of {edits} edits kept the version"
    );
    assert!(failed * 3 < edits / 6, "{failed} programs fail");
}

fn text(program: &Program) -> String {
    let files = program.files.iter();
    files
        .map(|(path, statements)| format!("== {path}\n{}\n", statements.join("\n")))
        .collect()
}
