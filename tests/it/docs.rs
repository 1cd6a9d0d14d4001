//! The documentation does what it says: every `$` line of every `console` block is run.
//!
//! All blocks of a page run in order in one copy of the example. A line must exit with 0, or with
//! what a comment at its end says: `$ jalon plan --exit-code   # exit 5`. Lines that start with
//! `cargo`, `git` or `scripts/` are about the checkout and are not run here.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::project::{Project, files_below};

fn pages() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut pages = vec![
        root.join("README.md"),
        root.join("ARCHITECTURE.md"),
        root.join("store/FORMAT.md"),
    ];
    for directory in ["docs", "examples", "benches"] {
        pages.extend(files_below(&root.join(directory)));
    }
    pages.retain(|page| page.extension().is_some_and(|it| it == "md") && page.exists());
    pages
}

/// The commands of a page's `console` blocks, in order.
fn commands(text: &str) -> Vec<String> {
    let mut inside = false;
    let mut found: Vec<String> = Vec::new();
    let mut goes_on = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            inside = !inside && line.trim() == "```console";
        } else if inside && goes_on {
            let last = found
                .last_mut()
                .expect("a line goes on from an earlier one");
            *last = format!("{}\n{line}", last);
        } else if inside && let Some(command) = line.strip_prefix("$ ") {
            found.push(command.to_owned());
        } else {
            continue;
        }
        goes_on = inside && line.ends_with('\\');
    }
    found
}

fn expected_code(command: &str) -> i32 {
    match command.rsplit_once("# exit ") {
        Some((_, code)) => code.trim().parse().expect("`# exit N`"),
        None => 0,
    }
}

#[test]
fn every_example_runs() {
    let jalon = Path::new(env!("CARGO_BIN_EXE_jalon")).parent().unwrap();
    let path = format!("{}:{}", jalon.display(), std::env::var("PATH").unwrap());
    let mut wrong = Vec::new();
    let mut count = 0;
    for page in pages() {
        let text = std::fs::read_to_string(&page).unwrap();
        let commands: Vec<String> = commands(&text)
            .into_iter()
            .filter(|command| {
                !["cargo ", "git ", "scripts/"]
                    .iter()
                    .any(|word| command.starts_with(word))
            })
            .collect();
        if commands.is_empty() {
            continue;
        }
        let project = example(&page);
        for command in commands {
            let output = Command::new("sh")
                .args(["-c", &command])
                .current_dir(&project.dir)
                .env_clear()
                .env("PATH", &path)
                .env("HOME", project.beside("home"))
                .env("NO_COLOR", "1")
                .output()
                .unwrap();
            count += 1;
            if output.status.code() != Some(expected_code(&command)) {
                wrong.push(format!(
                    "{}: $ {command}\n{:?}\n{}{}",
                    page.display(),
                    output.status.code(),
                    String::from_utf8_lossy(&output.stdout),
                    String::from_utf8_lossy(&output.stderr)
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    assert!(count > 10, "only {count} commands were found");
}

/// A copy of the example that the page is about: its own, or the penguins.
fn example(page: &Path) -> Project {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let own = page
        .ancestors()
        .find(|directory| directory.join("jalon.toml").exists());
    let from = own.map_or_else(|| root.join("examples/penguins"), Path::to_path_buf);
    let project = Project::new("");
    for file in files_below(&from) {
        let relative = file.strip_prefix(&from).unwrap();
        let made = ["models", "plots", ".jalon", "__pycache__"]
            .iter()
            .any(|it| relative.components().any(|part| part.as_os_str() == *it));
        if !made {
            project.write(relative.to_str().unwrap(), std::fs::read(&file).unwrap());
            let permissions = file.metadata().unwrap().permissions();
            std::fs::set_permissions(project.path(relative.to_str().unwrap()), permissions)
                .unwrap();
        }
    }
    project
}

/// The example's second run reuses everything, and its report is the one that its nodes make by hand.
#[test]
fn the_example_runs_and_is_reused() {
    let project = example(Path::new(env!("CARGO_MANIFEST_DIR")));
    let first = project.run_ok(&[]);
    assert_eq!(first.count("ran"), 14, "{}", first.output);
    let report = project.read("report.md");
    assert!(report.contains("| logistic | **0."), "{report}");
    let second = project.run_ok(&[]);
    assert_eq!(
        (second.count("hit"), second.count("ran")),
        (14, 0),
        "{}",
        second.output
    );
    assert_eq!(project.read("report.md"), report);

    project.edit("conf/base/train.yml", "k: 5", "k: 9");
    let third = project.run_ok(&[]);
    third.assert(&[
        ("prepare", "hit"),
        ("train[bayes,1]", "hit"),
        ("train[knn,1]", "ran"),
        ("evaluate", "ran"),
    ]);
}

#[test]
fn links_lead_somewhere() {
    let mut wrong = Vec::new();
    for page in pages() {
        let text = std::fs::read_to_string(&page).unwrap();
        for (at, _) in text.match_indices("](") {
            let target = text[at + 2..].split([')', ' ']).next().unwrap();
            let file = target.split('#').next().unwrap();
            let outside = target.contains("://") || file.is_empty();
            if !outside && !page.parent().unwrap().join(file).exists() {
                wrong.push(format!("{}: {target}", page.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// docs/TRUST.md says for each claim which test shows it: `path/of/file.rs::name`.
#[test]
fn tests_that_are_named_are_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(root.join("docs/TRUST.md")).unwrap();
    let mut named = 0;
    let mut wrong = Vec::new();
    for quoted in page.split('`').skip(1).step_by(2) {
        let Some((file, name)) = quoted.split_once(".rs::") else {
            continue;
        };
        named += 1;
        let text = std::fs::read_to_string(root.join(format!("{file}.rs"))).unwrap_or_default();
        if !text.contains(&format!("fn {name}(")) {
            wrong.push(quoted);
        }
    }
    assert!(named > 40, "{named} tests named");
    assert!(wrong.is_empty(), "no such test: {wrong:#?}");
}
