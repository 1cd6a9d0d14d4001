//! `jalon show`: an artifact's provenance, back to the sources.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use jalon::action::field;
use jalon::event::{Body, Made};
use jalon::history::History;
use jalon::report::words;
use jalon_store::action::FieldValue;
use jalon_store::digest::ActionKey;

use super::super::args::{Common, ShowArgs};
use super::super::exit::{self, Failure};
use super::super::out;
use super::super::session::Session;
use super::log::no_run;

/// How one artifact came to be, in one run.
struct Origin {
    artifact: String,
    made: Made,
    node: String,
    key: String,
    reused: bool,
}

/// Shows where an artifact comes from.
pub fn show(common: &Common, args: &ShowArgs) -> Result<u8, Failure> {
    let session = Session::open(common, false)?;
    let history = History::new(&session.store, &session.project.name);
    let (name, run) = match args.artifact.rsplit_once('@') {
        Some((name, run)) if !run.is_empty() => (name, Some(run)),
        _ => (args.artifact.as_str(), None),
    };
    let (id, origins) = match run {
        Some(run) => {
            let id = history.resolve(run)?.ok_or_else(|| no_run(run))?;
            let origins = origins(&history, &id)?;
            (id, origins)
        }
        None => newest(&history, name)?,
    };
    let Some(_) = origins.get(name) else {
        let message = format!("no run that is still kept made `{name}`");
        return Err(Failure::new(exit::NO_MATCH, "no-match", message)
            .help("`jalon graph` shows the artifacts"));
    };
    let tree = lineage(&session, &origins, name, &mut BTreeSet::new())?;
    if common.json {
        let mut answer = tree;
        answer["schema"] = 1.into();
        answer["run"] = id.into();
        out::line(&answer)?;
    } else {
        let mut text = format!("in run {id}\n");
        draw(&tree, 0, &mut text);
        out::bytes(text.as_bytes())?;
    }
    Ok(exit::DONE)
}

fn newest(
    history: &History<'_>,
    name: &str,
) -> Result<(String, BTreeMap<String, Origin>), Failure> {
    for id in history.ids()? {
        let origins = origins(history, &id)?;
        if origins.contains_key(name) {
            return Ok((id, origins));
        }
    }
    Ok((String::new(), BTreeMap::new()))
}

fn origins(history: &History<'_>, run: &str) -> Result<BTreeMap<String, Origin>, Failure> {
    let mut all = BTreeMap::new();
    for event in history.events(run)? {
        let (node, key, outputs, reused) = match event.body {
            Body::NodeHit(hit) => (hit.node, hit.key, hit.outputs, true),
            Body::NodeSucceeded(done) => (done.node, done.key, done.outputs, false),
            _ => continue,
        };
        for (artifact, made) in outputs {
            let origin = Origin {
                artifact: artifact.clone(),
                made,
                node: node.clone(),
                key: key.clone(),
                reused,
            };
            all.insert(artifact, origin);
        }
    }
    Ok(all)
}

/// The artifact with what it was made from, each once in full.
fn lineage(
    session: &Session,
    origins: &BTreeMap<String, Origin>,
    name: &str,
    shown: &mut BTreeSet<String>,
) -> Result<Value, Failure> {
    let Some(origin) = origins.get(name) else {
        return Ok(json!({"artifact": name}));
    };
    let mut value = json!({
        "artifact": origin.artifact,
        "digest": origin.made.digest,
        "size": origin.made.size,
        "path": origin.made.path,
        "producer": origin.node,
        "key": origin.key,
        "reused": origin.reused,
    });
    if !shown.insert(name.to_owned()) {
        value["again"] = true.into();
        return Ok(value);
    }
    let Ok(key) = origin.key.parse::<ActionKey>() else {
        return Ok(value);
    };
    if let Some(record) = session.store.action(&key)? {
        value["made"] = json!({
            "at": record.made.at_ms,
            "run": record.made.run,
            "host": record.made.host,
            "jalon": record.made.jalon,
            "seconds": record.outcome.cost.wall_ms as f64 / 1000.0,
        });
        value["attestation"] = json!({
            "traced": format!("{:?}", record.attestation.traced).to_lowercase(),
            "host_bound": record.attestation.host_bound,
            "clean": record.attestation.clean,
            "confirmed": record.attestation.confirmed,
            "notes": record.attestation.notes,
        });
        if let Some(origin) = &record.attestation.origin {
            value["origin"] = json!({"remote": origin.remote, "signer": origin.signer});
        }
    }
    let Some(explanation) = session.store.explanation(&key)? else {
        return Ok(value);
    };
    let mut inputs = Vec::new();
    let mut from = serde_json::Map::new();
    for one in &explanation.derivation.fields {
        let what = String::from_utf8_lossy(&one.what).into_owned();
        match (&*one.field, &one.value) {
            (field::INPUT, digest) if origins.contains_key(&what) => {
                let _ = digest;
                inputs.push(lineage(session, origins, &what, shown)?);
            }
            (field::INPUT, digest) => inputs
                .push(json!({"artifact": what, "source": true, "digest": digest_text(digest)})),
            (field::CODE, digest) => {
                drop(from.insert(format!("code {what}"), digest_text(digest).into()))
            }
            (field::PARAMS, FieldValue::Json(text)) => {
                let parsed =
                    serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.clone()));
                from.insert(format!("params {what}"), parsed);
            }
            _ => {}
        }
    }
    for difference in jalon::explain::observations(&explanation) {
        from.insert(format!("observed {}", difference.what), difference.old);
    }
    value["from"] = Value::Object(from);
    value["inputs"] = Value::Array(inputs);
    Ok(value)
}

fn digest_text(value: &FieldValue) -> String {
    match value {
        FieldValue::Digest(digest) => digest.iter().map(|byte| format!("{byte:02x}")).collect(),
        FieldValue::Text(text) => text.clone(),
        _ => String::new(),
    }
}

/// An artifact and what it was made from, indented by depth.
fn draw(value: &Value, depth: usize, out: &mut String) {
    let indent = "  ".repeat(depth);
    let text = |key: &str| value[key].as_str().unwrap_or("").to_owned();
    let digest = text("digest");
    let short = &digest[..12.min(digest.len())];
    if value["source"] == true {
        *out += &format!("{indent}{}  {short}  a source\n", text("artifact"));
        return;
    }
    *out += &format!("{indent}{}  {short}  {}\n", text("artifact"), text("path"));
    if value["again"] == true {
        *out += &format!("{indent}  (as above)\n");
        return;
    }
    let made = &value["made"];
    let by = if made.is_object() {
        format!(
            "in run {} on {}",
            made["run"].as_str().unwrap_or("?"),
            made["host"].as_str().unwrap_or("?")
        )
    } else {
        "its record is no longer kept".to_owned()
    };
    *out += &format!("{indent}  made by {} {by}\n", text("producer"));
    if let Some(remote) = value["origin"]["remote"].as_str() {
        let who = match value["origin"]["signer"].as_str() {
            Some(signer) => format!("signed by {signer}"),
            None => "signed by nobody who is trusted".to_owned(),
        };
        *out += &format!("{indent}  taken over from {remote}, {who}\n");
    }
    match value["attestation"]["confirmed"].as_u64() {
        None | Some(0) => {}
        Some(times) => {
            let times = words::count(times, "time");
            *out += &format!("{indent}  confirmed {times}: run again, it gave the same bytes\n");
        }
    }
    for (name, value) in value["from"].as_object().into_iter().flatten() {
        let value = value.as_str().map_or_else(
            || value.to_string(),
            |text| text[..12.min(text.len())].to_owned(),
        );
        *out += &format!("{indent}  {name} = {value}\n");
    }
    for input in value["inputs"].as_array().into_iter().flatten() {
        draw(input, depth + 1, out);
    }
}
