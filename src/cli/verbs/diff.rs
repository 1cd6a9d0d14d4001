//! `jalon diff`: parameters, code, inputs, metrics and verdicts of two runs.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use jalon::action::field;
use jalon::event::Made;
use jalon::history::History;
use jalon::report::tally::Summary;
use jalon_conf::pipeline::Kind;
use jalon_store::action::FieldValue;
use jalon_store::content::Content;
use jalon_store::digest::ActionKey;

use super::super::args::{Common, DiffArgs};
use super::super::exit::{self, Failure};
use super::super::out;
use super::super::session::Session;
use super::super::ui;
use super::log::no_run;

/// Everything about a run that may differ, by section and name.
#[derive(Default)]
struct Facts {
    params: BTreeMap<String, Value>,
    code: BTreeMap<String, Value>,
    inputs: BTreeMap<String, Value>,
    metrics: BTreeMap<String, Value>,
    verdicts: BTreeMap<String, Value>,
}

/// Compares two runs.
pub fn diff(common: &Common, args: &DiffArgs) -> Result<u8, Failure> {
    let session = Session::open(common, false)?;
    let history = History::new(&session.store, &session.project.name);
    let (old_id, new_id) = (
        history
            .resolve(&args.old)?
            .ok_or_else(|| no_run(&args.old))?,
        history
            .resolve(&args.new)?
            .ok_or_else(|| no_run(&args.new))?,
    );
    let (old, new) = (
        facts(&session, &history, &old_id)?,
        facts(&session, &history, &new_id)?,
    );
    let answer = json!({
        "schema": 1,
        "old": old_id,
        "new": new_id,
        "params": rows(&old.params, &new.params),
        "code": rows(&old.code, &new.code),
        "inputs": rows(&old.inputs, &new.inputs),
        "metrics": rows(&old.metrics, &new.metrics),
        "verdicts": rows(&old.verdicts, &new.verdicts),
    });
    if common.json {
        out::line(&answer)?;
    } else {
        out::bytes(ui::diff_text(common, &answer).as_bytes())?;
    }
    Ok(exit::DONE)
}

fn rows(old: &BTreeMap<String, Value>, new: &BTreeMap<String, Value>) -> Vec<Value> {
    let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let mut rows = Vec::new();
    for name in names {
        let (before, now) = (old.get(name), new.get(name));
        if before != now {
            let mut row = json!({"what": name, "old": before, "new": now});
            if let (Some(before), Some(now)) =
                (before.and_then(Value::as_f64), now.and_then(Value::as_f64))
            {
                row["change"] = json!(now - before);
            }
            rows.push(row);
        }
    }
    rows
}

fn facts(session: &Session, history: &History<'_>, run: &str) -> Result<Facts, Failure> {
    let summary = Summary::of_events(&history.events(run)?);
    let mut facts = Facts::default();
    for node in &summary.nodes {
        facts
            .verdicts
            .insert(node.name.clone(), node.standing.word().into());
        for (artifact, made) in &node.outputs {
            metrics(session, artifact, made, &mut facts)?;
        }
        let Ok(key) = node.key.parse::<ActionKey>() else {
            continue;
        };
        let Some(explanation) = session.store.explanation(&key)? else {
            continue;
        };
        for one in &explanation.derivation.fields {
            let what = String::from_utf8_lossy(&one.what).into_owned();
            match (&*one.field, &one.value) {
                (field::PARAMS, FieldValue::Json(text)) => {
                    facts.params.insert(
                        what,
                        serde_json::from_str(text).unwrap_or_else(|_| text.clone().into()),
                    );
                }
                (field::CODE, value) => drop(facts.code.insert(what, digest(value))),
                // What a node of the pipeline made shows in its own row, as params, code or a source.
                (field::INPUT, value) if is_source(session, &what) => {
                    drop(facts.inputs.insert(what, digest(value)))
                }
                _ => {}
            }
        }
    }
    Ok(facts)
}

fn is_source(session: &Session, artifact: &str) -> bool {
    let graph = &session.project.graph;
    graph
        .find_artifact(artifact)
        .is_none_or(|id| graph.artifact(id).producer.is_none())
}

fn digest(value: &FieldValue) -> Value {
    match value {
        FieldValue::Digest(digest) => digest
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect::<String>()
            .into(),
        FieldValue::Text(text) => text.clone().into(),
        _ => Value::Null,
    }
}

/// The numbers in an output of kind `metrics`.
fn metrics(
    session: &Session,
    artifact: &str,
    made: &Made,
    facts: &mut Facts,
) -> Result<(), Failure> {
    let graph = &session.project.graph;
    let is_metrics = graph
        .find_artifact(artifact)
        .is_some_and(|id| graph.artifact(id).kind == Kind::Metrics);
    let Some(Content::File { digest, .. }) = made.content().filter(|_| is_metrics) else {
        return Ok(());
    };
    let Some(bytes) = session.store.read_blob(&digest)? else {
        return Ok(());
    };
    if let Ok(value) = serde_json::from_slice::<Value>(&bytes) {
        leaves(artifact, &value, &mut facts.metrics);
    }
    Ok(())
}

fn leaves(path: &str, value: &Value, into: &mut BTreeMap<String, Value>) {
    match value {
        Value::Object(entries) => entries
            .iter()
            .for_each(|(key, value)| leaves(&format!("{path}.{key}"), value, into)),
        Value::Array(items) => {
            items
                .iter()
                .enumerate()
                .for_each(|(at, value)| leaves(&format!("{path}[{at}]"), value, into));
        }
        leaf => drop(into.insert(path.to_owned(), leaf.clone())),
    }
}
