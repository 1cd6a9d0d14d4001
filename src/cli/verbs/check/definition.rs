//! `jalon check` alone: everything that can be validated without running.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use jalon::judge;
use jalon::observe::Sight;
use jalon::report::words;
use jalon::run::{RunError, resources};
use jalon::witness::Witnesses;
use jalon_conf::Severity;

use super::super::super::args::Common;
use super::super::super::complain;
use super::super::super::exit::{self, Failure};
use super::super::super::out;
use super::super::super::session::{self, Session};
use super::super::super::ui::Style;
use super::super::run::refused;

/// Validates the definition, its inputs and what it asks of the machine.
pub fn definition(common: &Common) -> Result<u8, Failure> {
    let project = session::project(common, &Arc::new(Witnesses::off()), &session::bench(false))?;
    let warnings: Vec<_> = project
        .warnings
        .iter()
        .filter(|w| w.severity == Severity::Warning)
        .cloned()
        .collect();
    let counts: BTreeMap<&str, usize> = BTreeMap::from([
        ("nodes", project.graph.len()),
        ("artifacts", project.graph.pipeline().artifacts.len()),
    ]);
    let session = Session::open(common, false)?;
    let all = vec![true; session.project.graph.len()];
    let beyond = resources::beyond(&session.project.graph, &all, &session.machine);
    if !beyond.is_empty() {
        return Err(refused(&session, RunError::Beyond(beyond)));
    }
    session.select(&[])?;
    // Whether they could be used is found out here, not whether they answer.
    session.remotes(true, None)?;
    let (graph, files) = (&session.project.graph, session.files());
    let sight = Sight::new(graph, &session.machine, &files, &session.store);
    judge::observe(graph, &all, &sight, session.ambient())
        .map_err(|missed| refused(&session, RunError::Unobserved(missed)))?;
    if common.json {
        let warnings: Vec<Value> = warnings.iter().map(exit::error).collect();
        out::line(json!({"schema": 1, "valid": true, "counts": counts, "warnings": warnings}))?;
    } else {
        let file = session.project.root.join(&session.project.definition);
        let text = std::fs::read_to_string(file).unwrap_or_default();
        let texts = [(session.project.definition.clone(), text)];
        out::remark(&complain::draw(
            &warnings,
            &texts,
            Style::of(common).is_plain(),
        ));
        out::line(format!(
            "valid: {}, {}",
            words::count(counts["nodes"] as u64, "node"),
            words::count(counts["artifacts"] as u64, "artifact")
        ))?;
    }
    Ok(exit::DONE)
}
