//! Any bytes are a module: a closure is an answer, in time, and the same for the same bytes.
//!
//! The input is split at NUL into files, of which the first is the entry's module; all import each other.

use jalon_closure::{Analysis, Entry, Memory};

/// Longer inputs find nothing that these do not, and are slow.
const LONGEST: usize = 8 << 10;

const PATHS: [&str; 5] = ["main.py", "a.py", "p/__init__.py", "p/b.py", "src/a.py"];

/// Takes the input in, and panics where the promise does not hold.
pub fn run(data: &[u8]) {
    if data.len() > LONGEST {
        return;
    }
    let mut project = Memory::default();
    for (path, bytes) in PATHS.iter().zip(data.split(|byte| *byte == 0)) {
        project.files.insert((*path).to_owned(), bytes.to_vec());
    }
    let roots = vec!["src".to_owned(), String::new()];
    let ask = |project: &Memory, first: &str| {
        let mut analysis = Analysis::new(project.clone(), roots.clone());
        // What was asked before must not show.
        let _ = analysis.function(&Entry::new(first));
        let found = analysis.function(&Entry::new("main:run"));
        let _ = analysis.consulted();
        found
    };
    let one = ask(&project, "a:f");
    let other = ask(&project, "p.b:g");
    match (one, other) {
        (Ok(one), Ok(other)) => assert!(one.same_code(&other)),
        (one, other) => assert_eq!(one.is_ok(), other.is_ok()),
    }
}
