//! With a remote the same holds: what others made is not asked for again as long as nothing has changed that it rests on.

use super::held::{TWO, count, keys};
use super::{answered, beside, forget};
use crate::project::{Project, wait_until};

/// A checkout that shares its results with others at `far`.
fn checkout(far: &str) -> Project {
    let project = Project::new(&format!(
        "{TWO}\n[store]\nremote = \"{far}\"\npush = true\n"
    ));
    for (path, text) in [
        ("one.txt", "1\n"),
        ("two.txt", "2\n"),
        ("tree/p", "p\n"),
        ("code/d.sh", "echo d\n"),
    ] {
        project.write(path, text);
    }
    project
}

const ASKED: [&str; 4] = ["run", "c", "d", "-v"];

fn settle(project: &Project) {
    wait_until("the project comes to rest", || {
        project.jalon(&ASKED).expect(0);
        answered(project)
    });
}

#[test]
fn what_others_made_is_held_like_what_was_made_here() {
    let first = checkout("file://");
    let far = format!("file://{}", first.beside("far").display());
    first.edit("jalon.toml", "file://", &far);
    settle(&first);
    assert_eq!(first.executed().len(), 4);
    // What runs beside what is held is sent.
    first.write("tree/p", "other\n");
    let run = first.jalon(&[&ASKED[..], &["--json"]].concat()).expect(0);
    assert_eq!((count(&run), first.executed()), (3, vec!["d".to_owned()]));
    assert_eq!(run.json()["remote"]["sent"], 1);

    let second = checkout(&far);
    second.write("tree/p", "other\n");
    settle(&second);
    assert!(second.executed().is_empty());
    assert!(!second.exists("out/a.txt"), "nobody asked for it");
    // What is held and not here comes when somebody reads it.
    second.write("two.txt", "other\n");
    let run = second.jalon(&[&ASKED[..], &["--json"]].concat()).expect(0);
    let mut executed = second.executed();
    executed.sort();
    assert_eq!(
        (count(&run), executed),
        (2, vec!["b".to_owned(), "c".to_owned()])
    );
    assert_eq!(second.read("out/c.txt"), "1\nother\n");
    forget(&second);
    let long = second.jalon(&[&ASKED[..], &["--json"]].concat()).expect(0);
    assert!(second.executed().is_empty());
    assert_eq!((count(&long), keys(&long)), (0, keys(&run)));
}

#[test]
fn what_is_held_and_nobody_has_any_more_is_made_again() {
    let first = checkout("file://");
    let far = first.beside("far");
    let address = format!("file://{}", far.display());
    first.edit("jalon.toml", "file://", &address);
    settle(&first);
    let second = checkout(&address);
    settle(&second);
    assert!(second.executed().is_empty());
    // Whoever keeps the remote may throw away what is in it.
    std::fs::remove_dir_all(&far).unwrap();
    second.write("two.txt", "other\n");
    let run = second.jalon(&ASKED).expect(0);
    let mut executed = second.executed();
    executed.sort();
    assert_eq!(count(&run), 2);
    assert_eq!(executed, ["a", "b", "c"]);
    assert_eq!(second.read("out/c.txt"), "1\nother\n");
}

#[test]
fn a_part_takes_and_sends_like_the_whole() {
    let first = checkout("file://");
    let far = format!("file://{}", first.beside("far").display());
    first.edit("jalon.toml", "file://", &far);
    super::settle(&first);
    let second = checkout(&far);
    super::settle(&second);
    assert_eq!((first.executed().len(), second.executed().len()), (4, 0));
    let quiet = |project: &Project| {
        project.write("two.txt", "other\n");
        project.jalon(&["run", "-q"]).expect(0);
        let mut executed = project.executed();
        executed.sort();
        (beside(project), executed, project.read("out/c.txt"))
    };
    let names = |all: &[&str]| all.iter().map(|name| (*name).to_owned()).collect();
    let made = "1\nother\n".to_owned();
    assert_eq!(quiet(&second), (2, names(&["b", "c"]), made.clone()));
    assert_eq!(quiet(&first), (2, names(&[]), made));
    // What others gave of which nothing lies here any more is had again.
    super::settle(&second);
    std::fs::remove_dir_all(second.path(".jalon/store")).unwrap();
    second.write("two.txt", "once more\n");
    second.jalon(&["run", "-q"]).expect(0);
    assert_eq!(second.executed(), ["b", "c"]);
    assert_eq!(second.read("out/c.txt"), "1\nonce more\n");
}
