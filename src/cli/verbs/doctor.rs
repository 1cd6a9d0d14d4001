//! `jalon doctor`: what works here, and what to do about the rest.

use std::path::Path;

use serde_json::{Value, json};

use jalon::report::words;

use jalon::worker::trial;

use super::super::args::Common;
use super::super::exit::{self, Failure};
use super::super::out;
use super::super::session::{self, Session};

/// One thing that was looked at.
struct Finding {
    what: &'static str,
    fine: bool,
    found: String,
    help: &'static str,
}

/// Looks around.
pub fn doctor(common: &Common) -> Result<u8, Failure> {
    let mut findings = Vec::new();
    let mut say = |what, fine, found: String, help| {
        findings.push(Finding {
            what,
            fine,
            found,
            help,
        })
    };
    let machine = session::machine();
    let memory = machine
        .memory
        .map_or_else(String::new, |bytes| format!(", {}", words::size(bytes)));
    say(
        "machine",
        true,
        format!(
            "{}, {}{memory}",
            machine.platform.join("-"),
            words::count(machine.cpus.into(), "processor")
        ),
        "",
    );
    match Session::open(common, false) {
        Ok(session) => {
            let graph = &session.project.graph;
            let found = format!(
                "{}: {}",
                session
                    .project
                    .root
                    .join(&session.project.definition)
                    .display(),
                words::count(graph.len() as u64, "node")
            );
            say("definition", true, found, "");
            let root = &session.project.root;
            let dvc = root.join(jalon::frontend::dvc::FILE);
            if session
                .project
                .definition
                .ends_with(jalon::frontend::dvc::FILE)
            {
                let found = "stages run as they are; what they see of the environment beyond the usual does not count";
                say("dvc.yaml", true, found.to_owned(), "");
            } else if dvc.is_file() {
                let found = format!("{} lies beside jalon.toml and is not read", dvc.display());
                let help = "join it: [import] dvc = { path = \"dvc.yaml\" }";
                let joined = graph
                    .pipeline()
                    .nodes
                    .iter()
                    .any(|node| !node.root_env.is_empty());
                say(
                    "dvc.yaml",
                    joined,
                    if joined { "joined".to_owned() } else { found },
                    help,
                );
            }
            let place = session.store.path().display().to_string();
            let absent = !session.store.path().exists();
            let writable = absent || !session.store.is_read_only();
            let state = match (absent, writable) {
                (true, _) => "made by the first run",
                (_, true) => "writable",
                _ => "read-only",
            };
            let found = format!("{place}, {state}");
            say(
                "store",
                writable,
                found,
                "results that exist are used; new ones cannot be kept: give write permission",
            );
            let reflink = reflinks(session.store.path());
            let found = if reflink {
                "shares blocks (reflink)"
            } else {
                "copies"
            };
            say("laying files out", true, found.to_owned(), "");
            let help = "results are made here instead: check the address, the network and what gives access";
            match session.remotes(common.offline, None) {
                Err(failure) => {
                    let first = failure.problems.first();
                    let message = first.map(|problem| problem.message.clone());
                    say("remote store", false, message.unwrap_or_default(), help);
                }
                Ok(None) => say("remote store", true, "none".to_owned(), ""),
                Ok(Some(remotes)) => {
                    for (name, said) in remotes.greet() {
                        let (fine, found) = match said {
                            Ok(what) => (true, format!("{name}: {what}")),
                            Err(fault) => (false, format!("{name}: {fault}")),
                        };
                        say("remote store", fine, found, help);
                    }
                    let keys = crate::cli::far::own_keys()?;
                    let found = match keys.first() {
                        Some(key) => format!("what is pushed is signed: {}", key.public()),
                        None => "what is pushed is not signed".to_owned(),
                    };
                    let help = "`jalon cache keygen` makes a key, so that others can tell who computed what";
                    say("signing", !keys.is_empty(), found, help);
                }
            }
        }
        Err(failure) => {
            let message = failure
                .problems
                .first()
                .map(|problem| problem.message.clone())
                .unwrap_or_default();
            say(
                "definition",
                false,
                message,
                "`jalon init` writes a first jalon.toml; `jalon check` shows what is wrong with one",
            );
        }
    }
    let here = std::env::temp_dir();
    let traced = trial::observe(&here.canonicalize().unwrap_or(here));
    say(
        "tracing",
        traced.is_ok(),
        match &traced {
            Ok(()) => "what nodes read is observed".to_owned(),
            Err(why) => format!("what nodes read is not observed: {why}"),
        },
        "let the container use seccomp; until then declare what a node reads: `in`, `code`",
    );
    let python = program(&machine.variables, "python3");
    say(
        "python3",
        python.is_some(),
        python.unwrap_or_else(|| "not found".into()),
        "only nodes that call it need it",
    );
    if common.json {
        let all: Vec<Value> = findings
            .iter()
            .map(|one| json!({"what": one.what, "ok": one.fine, "found": one.found, "help": one.help}))
            .collect();
        out::line(json!({"schema": 1, "findings": all}))?;
    } else {
        for one in &findings {
            out::line(format!(
                "{}  {:<17} {}",
                if one.fine { "ok  " } else { "note" },
                one.what,
                one.found
            ))?;
            if !one.fine && !one.help.is_empty() {
                out::line(format!("{:24}{}", "", one.help))?;
            }
        }
    }
    Ok(exit::DONE)
}

/// Whether the store's file system shares blocks between files.
fn reflinks(store: &Path) -> bool {
    jalon_store::can_reflink(store)
}

fn program(variables: &jalon::worker::environment::Variables, name: &str) -> Option<String> {
    let path = variables.get(std::ffi::OsStr::new("PATH"))?;
    std::env::split_paths(path)
        .map(|directory| directory.join(name))
        .find(|place| place.is_file())
        .map(|place| place.display().to_string())
}
