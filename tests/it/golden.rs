//! What the screens look like. `UPDATE_GOLDEN=1 scripts/test golden` writes them anew; then read the diff.
//!
//! Run ids, keys, times and dates differ from run to run and are replaced by words of the same kind.

use crate::project::{Output, Project};

#[track_caller]
fn assert_golden(name: &str, project: &Project, output: &Output) {
    let text = format!(
        "exit {}\n--- stdout\n{}--- stderr\n{}",
        output.code,
        normalise(&output.stdout, project),
        normalise(&output.stderr, project)
    );
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join(format!("tests/it/golden/{name}.txt"));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        return;
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        golden == text,
        "{} differs; it is now:\n{text}\n--- it was:\n{golden}",
        path.display()
    );
}

fn normalise(text: &str, project: &Project) -> String {
    let text = text.replace(project.dir.to_str().unwrap(), "PROJECT");
    let mut out = String::new();
    for line in text.split_inclusive('\n') {
        let mut word = String::new();
        for character in line.chars() {
            if character.is_ascii_alphanumeric() || "._:-+".contains(character) {
                word.push(character);
            } else {
                out += &replaced(&word);
                word.clear();
                out.push(character);
            }
        }
        out += &replaced(&word);
    }
    // Only what is worth telling is told, and how long things take is not the same everywhere.
    let out = out.replace("; TIME saved", "");
    // Columns are as wide as what stood in them.
    let lines: Vec<String> = out
        .lines()
        .map(|line| {
            let indent: String = line.chars().take_while(|it| *it == ' ').collect();
            indent + &line.split_whitespace().collect::<Vec<_>>().join(" ")
        })
        .collect();
    if lines.is_empty() {
        String::new()
    } else {
        lines.join("\n") + "\n"
    }
}

fn replaced(word: &str) -> String {
    let digits = |text: &str| {
        !text.is_empty()
            && text
                .chars()
                .all(|it| it.is_ascii_digit() || ".:-+TZ".contains(it))
    };
    let is_id = word.starts_with("01")
        && word.len() >= 8
        && word
            .chars()
            .all(|it| it.is_ascii_digit() || it.is_ascii_uppercase());
    let is_digest = word.len() >= 8
        && word
            .chars()
            .all(|it| it.is_ascii_hexdigit() && !it.is_ascii_uppercase())
        && word.chars().any(|it| it.is_ascii_digit());
    let is_time = ["ms", "µs", "s", "m", "h"].iter().any(|unit| {
        word.strip_suffix(unit).is_some_and(|number| {
            number.chars().next().is_some_and(|it| it.is_ascii_digit()) && digits(number)
        })
    });
    let is_date = word.len() >= 8 && word.matches([':', '-']).count() >= 2 && digits(word);
    match () {
        () if is_id => "RUN".to_owned(),
        () if is_digest => "DIGEST".to_owned(),
        () if is_time => "TIME".to_owned(),
        () if is_date => "DATE".to_owned(),
        () => word.to_owned(),
    }
}

#[test]
fn the_first_plan() {
    let project = Project::fixture();
    assert_golden("plan_first", &project, &project.jalon(&["plan", "--plain"]));
}

#[test]
fn the_plan_after_an_edit() {
    let project = Project::fixture();
    project.run_ok(&[]);
    project.edit("params.yml", "0.1", "0.7");
    assert_golden(
        "plan_edited",
        &project,
        &project.jalon(&["plan", "--plain"]),
    );
}

#[test]
fn explanations() {
    let project = Project::fixture();
    project.run_ok(&[]);
    assert_golden(
        "explain_hit",
        &project,
        &project.jalon(&["explain", "clean", "--plain"]),
    );
    project.edit("params.yml", "0.1", "0.7");
    assert_golden(
        "explain_params",
        &project,
        &project.jalon(&["explain", "train[a]", "--plain"]),
    );
    assert_golden(
        "explain_maybe",
        &project,
        &project.jalon(&["explain", "evaluate", "--plain"]),
    );
    project.edit("clean.sh", "grep", "grep -h");
    assert_golden(
        "explain_code",
        &project,
        &project.jalon(&["explain", "clean", "--plain"]),
    );
}

#[test]
fn the_run_and_its_rerun() {
    let project = Project::fixture();
    assert_golden(
        "run_first",
        &project,
        &project.jalon(&["run", "--plain", "-j", "1"]),
    );
    assert_golden(
        "run_again",
        &project,
        &project.jalon(&["run", "--plain", "-j", "1"]),
    );
    project.write("evaluate.sh", "echo no such measure >&2; exit 3\n");
    assert_golden(
        "run_failed",
        &project,
        &project.jalon(&["run", "--plain", "-j", "1"]),
    );
    assert_golden("log", &project, &project.jalon(&["log", "--plain"]));
}

#[test]
fn errors() {
    let project = Project::fixture();
    project.edit("jalon.toml", "pass_env", "pas_env");
    project.edit("jalon.toml", "in = [\"clean\"]", "in = [\"claen\"]");
    assert_golden(
        "error_definition",
        &project,
        &project.jalon(&["run", "--plain"]),
    );
    let project = Project::fixture();
    assert_golden(
        "error_target",
        &project,
        &project.jalon(&["run", "--plain", "metric"]),
    );
}

#[test]
fn quiet_and_verbose() {
    let project = Project::fixture();
    project.edit(
        "jalon.toml",
        "sh clean.sh",
        "echo a word from the node; sh clean.sh",
    );
    let quiet = project.jalon(&["run", "-q"]).expect(0);
    assert_eq!(quiet.all().trim(), "", "{quiet}");
    project.edit("raw.txt", "two", "three");
    let verbose = project.jalon(&["run", "-v", "--plain"]).expect(0);
    assert!(verbose.all().contains("a word from the node"), "{verbose}");
    project.write("evaluate.sh", "exit 3\n");
    let quiet = project.jalon(&["run", "-q"]).expect(1);
    assert!(quiet.all().contains("evaluate"), "{quiet}");
}
