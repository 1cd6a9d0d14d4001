//! Other checkouts of the same project, and what they share.

use super::{must_not_run, node};

#[test]
fn a_clone_with_a_shared_store_gets_the_truth() {
    let project = node("python3 main.py > {{out.o}}").with_store();
    project.write("main.py", "import helper\nprint(helper.SCORE)\n");
    project.write("helper.py", "SCORE = 1.0\n");
    let clone = project.copy();
    // The experiment that was never committed.
    project.edit("helper.py", "1.0", "0.306");
    project.run_ok(&[]);
    assert_eq!(project.read("o.txt"), "0.306\n");
    project.edit("helper.py", "0.306", "1.0");
    clone.run_ok(&[]);
    assert_eq!(clone.read("o.txt"), "1.0\n");
    project.executed();
    project.run_ok(&[]);
    assert_eq!(
        project.executed(),
        [""; 0],
        "what the clone computed is shared"
    );
    assert_eq!(project.read("o.txt"), "1.0\n");
}

#[test]
fn two_clones_share_what_was_observed() {
    let project = node("cat extra.csv > {{out.o}}; ls parts >> {{out.o}}").with_store();
    project.write("extra.csv", "1\n");
    project.write("parts/a", "");
    let clone = project.copy();
    project.run_ok(&[]);
    project.executed();
    clone.run_ok(&[]);
    assert_eq!(project.executed(), [""; 0]);
    assert_eq!(clone.read("o.txt"), "1\na\n");
}

#[test]
fn the_commit_that_is_checked_out() {
    let project = node("git rev-parse HEAD > {{out.o}}");
    let git = |args: &[&str]| {
        let done = std::process::Command::new("git")
            .args(["-c", "user.name=t", "-c", "user.email=t@example.com"])
            .args(args)
            .current_dir(&project.dir)
            .output()
            .expect("git starts");
        String::from_utf8(done.stdout).unwrap()
    };
    git(&["init", "-q"]);
    git(&["commit", "-q", "--allow-empty", "-m", "one"]);
    must_not_run(&project, || drop(git(&["status"])));
    git(&["commit", "-q", "--allow-empty", "-m", "two"]);
    project.run_ok(&[]);
    assert_eq!(project.executed(), ["n"]);
    assert_eq!(project.read("o.txt"), git(&["rev-parse", "HEAD"]));
}
