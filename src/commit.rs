//! What version control says of a project: asked once a run, and only where somebody elsewhere will want to
//! know. Knows nothing of keys.

use std::path::Path;
use std::process::{Command, Stdio};

/// Whether a project's tree has no uncommitted changes, what nodes make aside; nothing where it is not under
/// git, or git cannot be asked.
pub fn is_clean(root: &Path, is_made: impl Fn(&[u8]) -> bool) -> Option<bool> {
    let above = git(root, &["rev-parse", "--show-prefix"])?;
    let above = above.strip_suffix(b"\n").unwrap_or(&above);
    // Of many outputs each would be compared with each file, were git told what to leave out.
    let changed = git(
        root,
        &[
            "--no-optional-locks",
            "status",
            "--porcelain",
            "-z",
            "--no-renames",
            "--untracked-files=all",
            "--",
            ".",
        ],
    )?;
    let mut paths = changed
        .split(|byte| *byte == 0)
        .filter_map(|entry| entry.get(3..)?.strip_prefix(above));
    Some(paths.all(is_made))
}

fn git(root: &Path, args: &[&str]) -> Option<Vec<u8>> {
    let asked = Command::new("git")
        .arg("-C")
        .arg(root)
        .args(args)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    asked.status.success().then_some(asked.stdout)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nodes_make_is_no_change() {
        let place = tempfile::tempdir().expect("a directory");
        let top = place.path();
        let root = top.join("a project");
        let git = |args: &[&str]| git(top, args).expect("git does it");
        let commit = || {
            let author = ["-c", "user.name=n", "-c", "user.email=e"];
            git(&[&author[..], &["commit", "-qm", "all"]].concat());
        };
        let write = |path: &str| {
            let path = top.join(path);
            std::fs::create_dir_all(path.parent().expect("it has one")).expect("made");
            std::fs::write(path, "x").expect("written");
        };
        let clean = || {
            is_clean(&root, |path| {
                path == b"out.txt" || path.starts_with(b"out/")
            })
        };
        write("a project/definition");
        assert_eq!(clean(), None);
        git(&["init", "-q"]);
        assert_eq!(clean(), Some(false));
        git(&["add", "."]);
        commit();
        assert_eq!(clean(), Some(true));
        for made in ["a project/out.txt", "a project/out/deep/one", "beside/it"] {
            write(made);
            assert_eq!(clean(), Some(true), "{made}");
        }
        write("a project/\u{e4} new");
        assert_eq!(clean(), Some(false));
        git(&["add", "a project"]);
        commit();
        git(&["mv", "a project/\u{e4} new", "a project/out/old"]);
        assert_eq!(clean(), Some(false));
    }
}
