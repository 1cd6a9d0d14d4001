//! What does not count: however a random project is laid out and commented, its version stays the same. And what
//! does: a number changed in a definition that was reached changes it.

use jalon_closure::{Analysis, Closure, Entry, Memory};
use proptest::prelude::*;

use crate::chance::Chance;
use crate::program::{self, Program};

fn closure(project: &Memory) -> Closure {
    let mut analysis = Analysis::new(project.clone(), vec![String::new()]);
    analysis
        .function(&Entry::new("main:run"))
        .expect("it has its entry")
}

/// Lays a statement out anew: more lines, blanks within brackets, comments, other quotes, `pass`.
fn laid_out(statement: &str, chance: &mut Chance) -> String {
    let mut out = String::new();
    let mut depth = 0_usize;
    let mut quoted = false;
    for (index, line) in statement.lines().enumerate() {
        if index > 0
            && line.starts_with(' ')
            && !line.trim().starts_with("\"\"\"")
            && chance.one_in(6)
        {
            let indent: String = line.chars().take_while(|it| *it == ' ').collect();
            let extra = *chance.pick(&["pass", "# a comment 12", "...", "pass; pass", ""]);
            // After a decorator only a comment may stand.
            if !statement
                .lines()
                .nth(index - 1)
                .unwrap_or("")
                .trim()
                .starts_with('@')
                && !line.trim().starts_with("el")
                && !line.trim().starts_with("except")
            {
                out.push_str(&format!("{indent}{extra}\n"));
            }
        }
        let comment = line.find("  # ").unwrap_or(line.len());
        let documentation = line.contains("\"\"\"");
        for c in line[..comment].chars() {
            quoted ^= c == '"' && !documentation;
            match c {
                '(' | '[' | '{' if !quoted && !documentation => {
                    depth += 1;
                    out.push(c);
                    out.push_str(chance.pick::<&str>(&["", "", " ", "\n        ", "  # (\n  "]));
                }
                ')' | ']' | '}' if !quoted && !documentation => {
                    depth = depth.saturating_sub(1);
                    out.push_str(chance.pick::<&str>(&["", "", " ", "\n   "]));
                    out.push(c);
                }
                ',' if !quoted && depth > 0 => {
                    out.push_str(chance.pick::<&str>(&[",", ", ", " ,\n", ","]))
                }
                '+' if !quoted && depth > 0 => {
                    out.push_str(chance.pick::<&str>(&["+", " + ", " +\n "]))
                }
                '"' if !documentation => out.push('\''),
                c => out.push(c),
            }
        }
        if chance.one_in(4) && !documentation {
            out.push_str("  # 34");
        }
        out.push('\n');
        if chance.one_in(8) {
            out.push('\n');
        }
    }
    out
}

fn laid_out_anew(program: &Program, chance: &mut Chance) -> Memory {
    let mut memory = Memory::default();
    for (path, statements) in &program.files {
        let mut text = String::new();
        for statement in statements {
            if chance.one_in(5) {
                text.push_str("# a comment of 56 words\n\n");
            }
            text.push_str(&laid_out(statement, chance));
        }
        if chance.one_in(3) {
            text = text.replace('\n', "\r\n");
        }
        memory.files.insert(path.clone(), text.into_bytes());
    }
    memory
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn layout_and_comments_do_not_count(seed: u64) {
        let mut chance = Chance::seeded(seed);
        let program = program::random(&mut chance);
        let before = closure(&program.sources());
        let after = laid_out_anew(&program, &mut chance);
        let after = closure(&after);
        let changed = before.parts.iter().find(|it| after.part(&it.module, &it.definition) != Some(&it.bytes));
        prop_assert!(after.same_code(&before), "{:?}", changed.map(|it| (&it.module, &it.definition)));
    }

    #[test]
    fn every_number_in_a_definition_that_is_reached_counts(seed: u64) {
        let mut chance = Chance::seeded(seed);
        let program = program::random(&mut chance);
        let before = closure(&program.sources());
        for (file, (_, statements)) in program.files.iter().enumerate() {
            let module = module_name(&program.files[file].0);
            for (at, statement) in statements.iter().enumerate() {
                // `K = 12`, where the part of that name is reached.
                let Some((name, value)) = statement.split_once(" = ") else {
                    continue;
                };
                let reached = before.part(&module, name).is_some();
                let value = value.split("  #").next().unwrap_or_default();
                if let (true, Ok(number)) = (reached, value.parse::<u64>()) {
                    let mut edited = program.clone();
                    edited.files[file].1[at] = format!("{name} = {}", number + 1);
                    let after = closure(&edited.sources());
                    prop_assert!(!after.same_code(&before), "{module}.{name}");
                    prop_assert!(after.part(&module, name) != before.part(&module, name));
                }
            }
        }
    }
}

fn module_name(path: &str) -> String {
    let stem = path.trim_end_matches(".py");
    stem.trim_end_matches("/__init__").replace('/', ".")
}

#[test]
fn the_layouts_differ() {
    let mut chance = Chance::seeded(1);
    let program = program::random(&mut chance);
    let after = laid_out_anew(&program, &mut chance);
    assert_ne!(program.sources(), after);
}

/// Answers are of the function alone.
#[test]
fn what_was_asked_before_does_not_show() {
    for seed in 0..40 {
        let mut chance = Chance::seeded(seed);
        let project = program::random(&mut chance).sources();
        let alone = closure(&project);
        let mut analysis = Analysis::new(project.clone(), vec![String::new()]);
        let mut modules: Vec<String> = project.files.keys().map(|it| module_name(it)).collect();
        if chance.one_in(2) {
            modules.reverse();
        }
        for module in modules {
            for number in 1..40 {
                // Few of these exist.
                let _ = analysis.function(&Entry::new(&format!("{module}:f{number}")));
            }
        }
        let after = analysis.function(&Entry::new("main:run")).unwrap();
        assert_eq!(alone, after, "seed {seed}");
    }
}
