//! `jalon check --deep`: whether installed Python packages are what they say, as results rest on their word.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use jalon::observe::{Installed, Sight, verify};
use jalon::report::words;

use super::super::super::args::Common;
use super::super::super::exit::{self, Failure};
use super::super::super::out;
use super::super::super::session::Session;
use super::super::super::ui::{Style, line};
use super::declarations::Known;

/// Compares installed files with what their distributions say.
pub fn deep(common: &Common) -> Result<u8, Failure> {
    let session = Session::open(common, false)?;
    let known = Known::of(&session)?;
    let workspace = session.files();
    let graph = &session.project.graph;
    let sight = Sight::new(graph, &session.machine, &workspace, &session.store);
    let used: BTreeSet<(&str, &str)> = known
        .readings
        .iter()
        .flatten()
        .flat_map(|reading| &reading.packages)
        .map(|(environment, name, _)| (environment.as_str(), name.as_str()))
        .collect();
    // All packages of an environment include each of them.
    let meant = used
        .iter()
        .filter(|(environment, name)| *name == "*" || !used.contains(&(*environment, "*")));
    let mut found = Vec::new();
    let mut gone = Vec::new();
    for (environment, name) in meant {
        let installed = verify(&sight.programs, environment, name);
        if installed.is_empty() && *name != "*" {
            gone.push(format!("{name} of {environment}"));
        }
        found.extend(installed);
    }
    let wrong = found.iter().any(|one| !one.wrong.is_empty()) || !gone.is_empty();
    if common.json {
        let packages: Vec<Value> = found.iter().map(package).collect();
        out::line(
            json!({"schema": 1, "check": "deep", "clean": !wrong, "packages": packages, "gone": gone}),
        )?;
    } else {
        out::bytes(text(common, &found, &gone).as_bytes())?;
    }
    Ok(if wrong { exit::FAILED } else { exit::DONE })
}

fn package(one: &Installed) -> Value {
    let wrong: Vec<Value> = one
        .wrong
        .iter()
        .map(|(path, deviation)| json!({"path": path.to_string_lossy(), "what": deviation.word()}))
        .collect();
    json!({
        "environment": one.environment,
        "name": one.name,
        "version": one.version,
        "files": one.files,
        "wrong": wrong,
    })
}

fn text(common: &Common, found: &[Installed], gone: &[String]) -> String {
    let style = Style::of(common);
    let mut text = String::new();
    for one in found {
        let name = format!("{} {} of {}", one.name, one.version, one.environment);
        for (path, deviation) in &one.wrong {
            let word = deviation.word();
            let path = line(&path.to_string_lossy());
            text += &format!("{}  {path}  ({name})\n", style.bad(word));
        }
        if common.verbose > 0 {
            let said = match one.files {
                Some(files) => format!("{} compared", words::count(files, "file")),
                None => "it has no RECORD to compare with".into(),
            };
            text += &format!("{}  {said}\n", line(&name));
        }
    }
    for name in gone {
        text += &format!(
            "{}  {}, which results rest on\n",
            style.bad("gone"),
            line(name)
        );
    }
    let compared = found.iter().filter(|one| one.files.is_some()).count() as u64;
    let files = found.iter().filter_map(|one| one.files).sum();
    let wrong: usize = found.iter().map(|one| one.wrong.len()).sum();
    let silent = found.len() as u64 - compared;
    text += &format!(
        "{} of {} compared: {}\n",
        words::count(files, "file"),
        words::count(compared, "package"),
        if wrong == 0 {
            "all as installed".to_owned()
        } else {
            format!("{wrong} not as installed")
        }
    );
    if silent > 0 {
        text += &format!(
            "{} without a RECORD to compare with\n",
            words::count(silent, "package")
        );
    }
    text
}
