//! `jalon check --trace`: how the newest outcome of each node was observed, and what it read without a word.

use serde_json::{Value, json};

use jalon::event::Traced;
use jalon::graph::Graph;
use jalon::reading::{Reading, each};
use jalon::report::words;

use super::super::super::args::Common;
use super::super::super::exit::{self, Failure};
use super::super::super::out;
use super::super::super::session::Session;
use super::super::super::ui::{Style, line, pad};
use super::declarations::{self, Known};

/// Reports undeclared reads.
pub fn trace(common: &Common) -> Result<u8, Failure> {
    let session = Session::open(common, false)?;
    let known = Known::of(&session)?;
    let graph = &session.project.graph;
    if common.json {
        let answer = json!({
            "schema": 1,
            "check": "trace",
            "nodes": nodes(graph, &known.readings),
            "declare": declarations::object(&known.proposal),
        });
        out::line(answer)?;
    } else {
        out::bytes(text(common, graph, &known).as_bytes())?;
    }
    Ok(exit::DONE)
}

/// By node, for scripts.
pub fn nodes(graph: &Graph, readings: &[Option<Reading>]) -> Vec<Value> {
    let nodes = each(graph, readings).map(|(id, reading)| {
        let node = graph.node(id).name.to_string();
        let Some(reading) = reading else {
            return json!({"node": node, "run": null});
        };
        let packages: Vec<Value> = reading
            .packages
            .iter()
            .map(|(environment, name, version)| json!({"environment": environment, "name": name, "version": version}))
            .collect();
        let programs: Vec<Value> = reading
            .programs
            .iter()
            .map(|(name, version)| json!({"name": name, "version": version}))
            .collect();
        json!({
            "node": node,
            "run": reading.run,
            "key": reading.key,
            "recorded": reading.recorded,
            "traced": reading.traced,
            "notes": reading.notes,
            "undeclared": reading.undeclared,
            "listings": reading.listings,
            "absent": reading.absent,
            "packages": packages,
            "programs": programs,
            "host_bound": reading.host_bound,
            "bound_by": reading.bound_by,
        })
    });
    nodes.collect()
}

fn text(common: &Common, graph: &Graph, known: &Known) -> String {
    let style = Style::of(common);
    let names: Vec<String> = graph
        .pipeline()
        .nodes
        .iter()
        .map(|node| line(&node.name.to_string()))
        .collect();
    let width = names
        .iter()
        .map(|name| name.chars().count())
        .max()
        .unwrap_or(0)
        .clamp(8, 40);
    let mut text = String::new();
    for ((_, reading), name) in each(graph, &known.readings).zip(&names) {
        let Some(reading) = reading else {
            text += &format!(
                "{}  {}  no run that is kept made it\n",
                style.dim("never  "),
                pad(name, width)
            );
            continue;
        };
        let word = match reading.traced {
            Traced::Full => style.good("full   "),
            Traced::Partial => style.warn("partial"),
            Traced::None => style.warn("none   "),
        };
        text += &format!(
            "{word}  {}  {}\n",
            pad(name, width),
            facts(reading).join(", ")
        );
        text += &details(style, reading, common.verbose > 0);
    }
    text += &advice(known);
    text
}

fn facts(reading: &Reading) -> Vec<String> {
    let mut facts = Vec::new();
    let some = |count: usize, one: &str| (count > 0).then(|| words::count(count as u64, one));
    facts.push(match (reading.undeclared.len(), reading.traced) {
        (0, Traced::None) => "its reads are not known".into(),
        (0, _) => "all reads declared".into(),
        (many, _) => format!("{many} undeclared"),
    });
    if !reading.recorded {
        facts.push("its record is not kept".into());
    }
    facts.extend(match reading.listings.len() {
        0 => None,
        1 => Some("1 directory listed".into()),
        many => Some(format!("{many} directories listed")),
    });
    facts.extend((reading.absent > 0).then(|| {
        format!(
            "{} looked for in vain",
            words::count(reading.absent, "path")
        )
    }));
    facts.extend(some(reading.packages.len(), "package"));
    facts.extend(some(reading.programs.len(), "program"));
    if reading.host_bound {
        facts.push("bound to this host".into());
    }
    facts
}

fn details(style: Style, reading: &Reading, all: bool) -> String {
    let mut text = String::new();
    let mut say = |what: &str, value: &str| {
        text += &format!("           {} {}\n", style.dim(what), line(value));
    };
    if reading.traced != Traced::Full || all {
        reading.notes.iter().for_each(|note| say("note", note));
    }
    reading
        .undeclared
        .iter()
        .for_each(|path| say("reads", path));
    reading
        .bound_by
        .iter()
        .for_each(|path| say("bound by", path));
    if all {
        reading.listings.iter().for_each(|path| say("lists", path));
        for (environment, name, version) in &reading.packages {
            say("package", &format!("{name} {version} of {environment}"));
        }
        for (name, version) in &reading.programs {
            say("program", &format!("{name} ({version})"));
        }
    }
    text
}

fn advice(known: &Known) -> String {
    let mut text = String::new();
    if !known.proposal.is_empty() {
        text += &format!(
            "\n`jalon check --fix` would declare this:\n\n{}\n",
            declarations::lines(&known.proposal).trim_end()
        );
    }
    text + &left(known)
}

/// What the user must declare.
pub fn left(known: &Known) -> String {
    let mut text = String::new();
    for (node, path, why) in &known.proposal.left {
        text += &format!(
            "{}: {} is yours to declare: {why}\n",
            line(node),
            line(path)
        );
    }
    text
}
