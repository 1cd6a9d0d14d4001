//! The workflows of `examples/ci` do what they say: their scripts are run, one job after another, with nothing
//! carried between them but what the workflow says is.

use std::path::Path;
use std::process::Command;

use crate::project::Project;

fn example(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("examples/ci")
        .join(name);
    std::fs::read_to_string(path).expect("an example")
}

/// The scripts of a workflow of GitHub's: what stands indented below each `run: |`.
fn of_github(text: &str) -> Vec<String> {
    let mut scripts = Vec::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let Some(indent) = line.find("run: |") else {
            continue;
        };
        let mut script = String::new();
        while let Some(inner) = lines.peek().filter(|inner| {
            inner.trim().is_empty() || inner.len() - inner.trim_start().len() > indent
        }) {
            script += inner.trim();
            script.push('\n');
            lines.next();
        }
        scripts.push(script);
    }
    scripts
}

/// The scripts of a job of GitLab's: the items below `before_script`, `script` and `after_script`.
fn of_gitlab(text: &str) -> Vec<String> {
    let mut scripts: Vec<String> = Vec::new();
    let mut inside = false;
    for line in text.lines() {
        match line.trim().strip_prefix("- ") {
            Some(item) if inside => {
                if let Some(script) = scripts.last_mut() {
                    *script += item;
                    script.push('\n');
                }
            }
            _ => {
                inside = line.trim().ends_with("script:");
                if inside {
                    scripts.push(String::new());
                }
            }
        }
    }
    scripts
}

/// Runs a job in a checkout; what the page of the job shows.
fn job(project: &Project, scripts: &[String]) -> String {
    let jalon = Path::new(env!("CARGO_BIN_EXE_jalon")).parent().unwrap();
    let path = format!("{}:{}", jalon.display(), std::env::var("PATH").unwrap());
    let page = project.beside("page.md");
    let _ = std::fs::remove_file(&page);
    for script in scripts {
        let done = Command::new("sh")
            .args(["-e", "-c", script])
            .current_dir(&project.dir)
            .env_clear()
            .env("PATH", &path)
            .env("HOME", project.beside("home"))
            .env("LOG", project.beside("executed"))
            .env("CI", "true")
            .env("JALON_SIGNING_KEY", "")
            .env("GITHUB_STEP_SUMMARY", &page)
            .output()
            .expect("a shell starts");
        let said = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "{script}\n{said}");
    }
    let written = if page.exists() {
        page
    } else {
        project.path("jalon.md")
    };
    std::fs::read_to_string(written).expect("a summary")
}

fn runs_as_it_stands(scripts: &[String]) {
    assert!(scripts.len() >= 3, "{scripts:?}");
    let first = Project::fixture();
    let page = job(&first, scripts);
    assert_eq!(first.executed().len(), 4);
    assert!(page.contains("succeeded"), "{page}");
    assert!(first.read("jalon-junit.xml").contains("<testsuite"));
    assert!(first.read("jalon.html").contains("<html"));

    // The next job has another checkout, and what the cache carried.
    let second = Project::fixture();
    crate::project::copy_tree(&first.store(), &second.store());
    let page = job(&second, scripts);
    assert_eq!(second.executed(), [""; 0]);
    assert!(page.contains("100 %"), "the hit rate: {page}");
    assert_eq!(second.read("joined.txt"), first.read("joined.txt"));
}

#[test]
fn the_workflow_for_github_runs_as_it_stands() {
    runs_as_it_stands(&of_github(&example("github-actions.yml")));
}

#[test]
fn the_job_for_gitlab_runs_as_it_stands() {
    runs_as_it_stands(&of_gitlab(&example("gitlab-ci.yml")));
}
