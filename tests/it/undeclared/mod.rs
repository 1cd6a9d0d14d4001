//! Never stale: whatever a node was seen to use counts, whether anybody declared it or not. One test for
//! each way in which a result can depend on something; docs/TRACING.md has them as a table beside other tools.

mod files;
mod links;
mod order;
mod programs;
mod python;
mod sharing;

use crate::project::Project;

/// One node that runs a command and declares nothing but its output.
fn node(command: &str) -> Project {
    let definition = format!(
        "[defaults]\npass_env = [\"LOG\"]\n\n[node.n]\ncmd = '''echo n >> \"$LOG\"; {command}'''\nout = {{ o = \"o.txt\" }}\n"
    );
    Project::new(&definition)
}

/// Runs, is settled, is changed by `edit`, must run again and give `after`, and is settled again.
fn must_notice(project: &Project, edit: impl FnOnce(), after: &str) {
    settled(project);
    edit();
    let run = project.run_ok(&[]);
    assert_eq!(
        project.executed(),
        ["n"],
        "the edit was not noticed: {}",
        run.output
    );
    assert_eq!(project.read("o.txt"), after);
    settled(project);
}

/// A second run has nothing to do.
fn settled(project: &Project) {
    project.run_ok(&[]);
    project.executed();
    let run = project.run_ok(&[]);
    assert_eq!(
        project.executed(),
        [""; 0],
        "it runs again with nothing changed: {}",
        run.output
    );
}

/// After an edit that cannot matter nothing runs.
fn must_not_run(project: &Project, edit: impl FnOnce()) {
    settled(project);
    edit();
    let run = project.run_ok(&[]);
    assert_eq!(
        project.executed(),
        [""; 0],
        "it runs for nothing: {}",
        run.output
    );
}

/// The definition with a setting for all nodes.
fn with_default(project: &Project, setting: &str) -> String {
    let definition = project.read("jalon.toml");
    definition.replace("pass_env", &format!("{setting}\npass_env"))
}
