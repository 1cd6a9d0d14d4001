//! `jalon check --fix`: writes the declarations that are missing into the definition.

use std::path::Path;

use serde_json::json;

use jalon::frontend::native;
use jalon::report::hunks::hunks;
use jalon_conf::{Declared, declare};

use super::super::super::args::Common;
use super::super::super::exit::{self, Failure};
use super::super::super::out;
use super::super::super::session::{self, Session};
use super::declarations::{self, Known};
use super::trace;

/// Why a node is not edited.
const NO_TABLE: &str = "it has no table of its own in the definition";

/// Why a node that was edited reads undeclared all the same.
const OVERLAID: &str = "an [env.NAME] table stands over what the node declares";

/// Declares what the last runs read undeclared.
pub fn fix(common: &Common) -> Result<u8, Failure> {
    let session = Session::open(common, false)?;
    let mut known = Known::of(&session)?;
    let readings = trace::nodes(&session.project.graph, &known.readings);
    let (place, file) = (
        declarations::place(&session),
        session.project.definition.clone(),
    );
    drop(session);
    let text = std::fs::read_to_string(&place)?;
    // The definition of another tool is never written to.
    let declared = Some(declare(&text, &known.proposal.additions))
        .filter(|_| place.extension().is_some_and(|ending| ending == "toml"))
        .and_then(Result::ok)
        .unwrap_or_else(|| Declared {
            text: text.clone(),
            left: nodes(&known),
        });
    leave(&mut known, &declared.left, NO_TABLE);
    let changed = declared.text != text;
    let mut still = nodes(&known);
    if changed {
        validate(common, &place, &declared.text)?;
        native::rewrite(&place, &text, &declared.text).map_err(|error| {
            let message = format!("{} cannot be written: {error}", place.display());
            Failure::new(exit::FAILED, "not-written", message)
        })?;
        still = nodes(&Known::of(&Session::open(common, false)?)?);
    }
    leave(&mut known, &still, OVERLAID);
    let diff = hunks(&text, &declared.text, &file);
    if common.json {
        let answer = json!({
            "schema": 1,
            "check": "fix",
            "changed": changed,
            "file": file,
            "diff": diff,
            "declared": declarations::object(&known.proposal),
            "nodes": readings,
        });
        out::line(answer)?;
    } else {
        say(&known, &diff, &file)?;
    }
    Ok(exit::DONE)
}

fn say(known: &Known, diff: &str, file: &str) -> Result<(), Failure> {
    let nodes = nodes(known);
    let mut text = format!("{diff}{}", trace::left(known));
    if diff.is_empty() && nodes.is_empty() {
        text += "nothing to declare\n";
    }
    out::bytes(text.as_bytes())?;
    if !nodes.is_empty() {
        let run = match nodes.len() {
            1 => "this node runs",
            _ => "these nodes run",
        };
        out::note(format!(
            "declared in {file}; what is declared enters the key, so {run} once more: {}",
            nodes.join(", ")
        ));
    }
    Ok(())
}

fn nodes(known: &Known) -> Vec<String> {
    let nodes = known.proposal.additions.nodes.iter();
    nodes.map(|node| node.node.clone()).collect()
}

/// What could not be written is no declaration.
fn leave(known: &mut Known, left: &[String], why: &'static str) {
    let proposal = &mut known.proposal;
    let (out, rest) = std::mem::take(&mut proposal.additions.nodes)
        .into_iter()
        .partition(|node| left.contains(&node.node));
    proposal.additions.nodes = rest;
    let out: Vec<jalon_conf::NodeAdditions> = out;
    for node in out {
        for what in node.code.iter().chain(&node.inputs) {
            proposal.left.push((node.node.clone(), what.clone(), why));
        }
    }
    let rest = &proposal.additions.nodes;
    proposal
        .additions
        .sources
        .retain(|(name, _)| rest.iter().any(|node| node.inputs.contains(name)));
}

/// Nothing is written that could not be read back.
fn validate(common: &Common, place: &Path, text: &str) -> Result<(), Failure> {
    let Err(mut failure) = session::project_as(common, place, text.to_owned()) else {
        return Ok(());
    };
    if let Some(problem) = failure.problems.first_mut() {
        problem.message = format!(
            "with the declarations {} would not be valid, so it was left as it is: {}",
            place.display(),
            problem.message
        );
    }
    Err(failure)
}
