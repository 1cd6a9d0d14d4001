//! What version control says of a project: asked once a run, and only where somebody elsewhere will want to
//! know. Knows nothing of keys.

use std::path::Path;
use std::process::{Command, Stdio};

/// Whether a project's tree has no uncommitted changes, what nodes make aside; nothing where it is not under
/// git, or git cannot be asked.
pub fn is_clean<'p>(root: &Path, made: impl Iterator<Item = &'p str>) -> Option<bool> {
    let made = made.map(|path| format!(":(exclude,literal,top){}", path.trim_end_matches('/')));
    let status = Command::new("git")
        .arg("-C")
        .arg(root)
        .args([
            "--no-optional-locks",
            "status",
            "--porcelain",
            "-z",
            "--",
            ".",
        ])
        .args(made.map(|exclusion| exclusion.replace(",top", "")))
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    status.status.success().then_some(status.stdout.is_empty())
}
