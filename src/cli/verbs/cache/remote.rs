//! `jalon cache push`, `pull`, and what can be said of the remotes themselves.

use std::collections::BTreeSet;
use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use jalon::event::{Body, Event};
use jalon::history::History;
use jalon::report::words;
use jalon::roots;
use jalon_conf::pipeline::{Keep, NodeId};
use jalon_remote::{Parcel, Remotes, Waited};
use jalon_store::content::Content;
use jalon_store::digest::ActionKey;

use super::super::plan::planned;
use crate::cli::args::Common;
use crate::cli::exit::{self, Failure};
use crate::cli::out;
use crate::cli::session::Session;

/// How long a push may take that the user waits for.
const PATIENCE: Duration = Duration::from_secs(24 * 60 * 60);

fn remotes(session: &Session, common: &Common, push: bool) -> Result<Arc<Remotes>, Failure> {
    session
        .remotes(common.offline, Some(push))?
        .ok_or_else(|| {
            let (message, help) = if common.offline {
                ("--offline, and remotes are asked for", "leave one of them out")
            } else {
                (
                    "no remote is named",
                    "name one in the definition: [store] remote = \"https://…\", \"s3://BUCKET/PREFIX\" or \"file:///DIRECTORY\"",
                )
            };
            Failure::new(exit::USAGE, "no-remote", message).help(help)
        })
}

/// Notices of the remotes, and whether one of them did not answer.
fn told(remotes: &Remotes, common: &Common) -> Vec<Value> {
    let remarks = remotes.remarks();
    if !common.json {
        for remark in &remarks {
            out::note(format!("note: {}", remark.text));
        }
    }
    let each = remarks
        .into_iter()
        .map(|remark| json!({"code": remark.code, "text": remark.text}));
    each.collect()
}

fn keys_of(events: Vec<Event>, only: Option<&BTreeSet<String>>) -> Vec<ActionKey> {
    let of = |node: String, key: String| {
        only.is_none_or(|only| only.contains(&node))
            .then(|| key.parse().ok())
            .flatten()
    };
    let keys = events.into_iter().filter_map(|event| match event.body {
        Body::NodeHit(hit) => of(hit.node, hit.key),
        Body::NodeSucceeded(done) if done.recorded => of(done.node, done.key),
        _ => None,
    });
    let mut keys: Vec<ActionKey> = keys.collect();
    keys.sort();
    keys.dedup();
    keys
}

/// One line that says how far it is, where somebody watches.
struct Progress {
    watched: bool,
    began: Instant,
    /// Half seconds until it was last shown.
    shown: AtomicU64,
}

impl Progress {
    fn new(common: &Common) -> Progress {
        Progress {
            watched: std::io::stderr().is_terminal() && !common.json && !common.quiet,
            began: Instant::now(),
            shown: AtomicU64::new(0),
        }
    }

    fn show(&self, text: impl FnOnce() -> String) {
        let turn = (self.began.elapsed().as_millis() / 500) as u64;
        if self.watched && turn > self.shown.fetch_max(turn, Ordering::Relaxed) {
            out::passing(&text());
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.shown.load(Ordering::Relaxed) > 0 && self.watched {
            out::passing("");
        }
    }
}

/// The results that are meant: of the last run, of a run, of targets and all before them.
fn meant(session: &Session, what: &[String], all: bool) -> Result<Vec<ActionKey>, Failure> {
    if all {
        let roots = roots::roots(&session.store, None)?;
        let mut keys: Vec<ActionKey> = roots.actions.into_iter().map(|(key, _)| key).collect();
        keys.sort();
        keys.dedup();
        return Ok(keys);
    }
    let history = History::new(&session.store, &session.project.name);
    let mut keys = Vec::new();
    let mut targets = Vec::new();
    for text in what {
        match history.resolve(text)? {
            Some(run) => keys.extend(keys_of(history.events(&run)?, None)),
            None => targets.push(text.clone()),
        }
    }
    let none = || {
        Failure::new(
            exit::NO_MATCH,
            "no-run",
            "no run is kept that could be pushed",
        )
        .help("`jalon run` makes one")
    };
    if what.is_empty() {
        let last = history.resolve("last")?.ok_or_else(none)?;
        return Ok(keys_of(history.events(&last)?, None));
    }
    if !targets.is_empty() {
        let graph = &session.project.graph;
        let selection = session.select(&targets)?;
        let names = (0..graph.len() as u32).map(NodeId);
        let mut open: BTreeSet<String> = names
            .filter(|id| selection.selected[id.0 as usize])
            .map(|id| graph.node(id).name.to_string())
            .collect();
        // Each node's newest result, wherever the run was of other targets only.
        for run in history.ids()? {
            if open.is_empty() {
                break;
            }
            let events = history.events(&run)?;
            keys.extend(keys_of(events.clone(), Some(&open)));
            for event in events {
                match event.body {
                    Body::NodeHit(hit) => drop(open.remove(&hit.node)),
                    Body::NodeSucceeded(done) => drop(open.remove(&done.node)),
                    _ => {}
                }
            }
        }
    }
    keys.sort();
    keys.dedup();
    Ok(keys)
}

/// Sends results.
pub fn push(common: &Common, what: &[String], all: bool) -> Result<u8, Failure> {
    let session = Session::open(common, false)?;
    let remotes = remotes(&session, common, true)?;
    let keys = meant(&session, what, all)?;
    let (mut bound, mut gone) = (0_u64, 0_u64);
    for key in keys {
        let Some(record) = session.store.action(&key)? else {
            gone += 1;
            continue;
        };
        if record.attestation.host_bound {
            bound += 1;
            continue;
        }
        let mut outputs = record.outcome.outputs.iter();
        // What is ephemeral is not kept anywhere, and the rest of its node is worth sending all the same.
        let some = record.outcome.outputs.is_empty()
            || outputs.any(|output| session.store.has_content(&output.content));
        match session.store.share(record)? {
            Some(shared) if some => {
                let set = shared.path_set();
                remotes.push(Parcel { shared, set });
            }
            _ => gone += 1,
        }
    }
    let progress = Progress::new(common);
    let waited = remotes.finish(PATIENCE, &|| {
        progress.show(|| {
            let (open, up) = (remotes.under_way() as u64, remotes.tally().up);
            format!(
                "{} to send, {} sent",
                words::count(open, "result"),
                words::size(up)
            )
        });
        false
    });
    drop(progress);
    let notices = told(&remotes, common);
    let tally = remotes.tally();
    if common.json {
        out::line(json!({
            "schema": 1, "sent": tally.sent, "unsent": tally.unsent, "bytes": tally.up,
            "host_bound": bound, "gone": gone, "notices": notices,
        }))?;
    } else {
        out::line(format!(
            "{} on the remotes now, {} sent",
            words::count(tally.sent, "result"),
            words::size(tally.up)
        ))?;
        if bound > 0 {
            out::line(format!(
                "{} kept here: they read what only this machine has (`jalon check --trace`)",
                words::count(bound, "result")
            ))?;
        }
        if gone > 0 {
            out::line(format!(
                "{} whose bytes are not here any more",
                words::count(gone, "result")
            ))?;
        }
    }
    let refused = notices.iter().any(|it| it["code"] == "remote-read-only");
    let failed = tally.unsent > 0 || waited != Waited::Done || refused;
    Ok(if failed { exit::STORE } else { exit::DONE })
}

/// Fetches what a run of the targets would find elsewhere.
pub fn pull(common: &Common, targets: &[String]) -> Result<u8, Failure> {
    let session = Session::open(common, true)?;
    let remotes = remotes(&session, common, false)?;
    let graph = &session.project.graph;
    let selection = session.select(targets)?;
    let forced = vec![false; graph.len()];
    let judged = planned(&session, Some(&remotes), &selection, &forced, |_, plan| {
        plan.judged.clone()
    })?;
    let mut contents: Vec<Content> = Vec::new();
    let mut records = 0_u64;
    for (at, judged) in judged.iter().enumerate() {
        let Some(judged) = judged else { continue };
        if let Some(shared) = &judged.far {
            session.store.adopt_outcome(shared)?;
            remotes.took_over();
            records += 1;
        }
        let outputs = judged.found.iter().flat_map(|found| &found.outcome.outputs);
        let made = graph.makes(NodeId(at as u32)).zip(outputs);
        let kept = made.filter(|(artifact, _)| graph.artifact(*artifact).keep == Keep::Store);
        contents.extend(kept.map(|(_, output)| output.content));
    }
    let progress = Progress::new(common);
    let all = contents.len();
    let missed = remotes.bring_all(&contents, &|through| {
        progress.show(|| {
            let down = words::size(remotes.tally().down);
            format!(
                "{through} of {}, {down} fetched",
                words::count(all as u64, "artifact")
            )
        });
    });
    drop(progress);
    session
        .store
        .sync()
        .map_err(|error| Failure::new(exit::STORE, "store-write", error.to_string()))?;
    let notices = told(&remotes, common);
    let tally = remotes.tally();
    if common.json {
        out::line(json!({
            "schema": 1, "results": records, "bytes": tally.down, "missed": missed, "notices": notices,
        }))?;
    } else {
        out::line(format!(
            "{} taken over, {} fetched",
            words::count(records, "result"),
            words::size(tally.down)
        ))?;
        if missed > 0 {
            out::line(format!(
                "{} could not be had: `jalon run` makes them",
                words::count(missed, "artifact")
            ))?;
        }
    }
    let failed = missed > 0 || remotes.failed().is_some();
    Ok(if failed { exit::STORE } else { exit::DONE })
}

/// Whether the results of the last run are on the remotes, whole and believed; with `bytes` those are read.
pub fn verify(common: &Common, bytes: bool) -> Result<u8, Failure> {
    let session = Session::open(common, false)?;
    let remotes = remotes(&session, common, false)?;
    let (mut whole, mut absent, mut broken) = (0_u64, Vec::new(), Vec::new());
    for key in meant(&session, &[], false)? {
        match remotes.outcome(&key) {
            None => absent.push(key.to_string()),
            Some(shared) => {
                let lacks = if bytes {
                    remotes
                        .damaged(&shared)
                        .map_err(|fault| Failure::new(exit::STORE, "store-write", fault.message))?
                } else {
                    remotes.lacks(&shared)?
                };
                if lacks.is_empty() {
                    whole += 1;
                } else {
                    broken.push(json!({"key": key.to_string(), "lacks": lacks}));
                }
            }
        }
    }
    let notices = told(&remotes, common);
    let clean = absent.is_empty() && broken.is_empty() && remotes.failed().is_none();
    if common.json {
        out::line(json!({
            "schema": 1, "clean": clean, "whole": whole, "absent": absent, "broken": broken, "notices": notices,
        }))?;
    } else {
        out::line(format!(
            "of the last run {} there and whole",
            words::count(whole, "result")
        ))?;
        for (count, what) in [
            (absent.len(), "not there, or not believed"),
            (broken.len(), "there without all of their bytes"),
        ] {
            if count > 0 {
                out::line(format!("{} {what}", words::count(count as u64, "result")))?;
            }
        }
    }
    Ok(if clean { exit::DONE } else { exit::STORE })
}

/// What the remotes are, and whether they answer.
pub fn stats(common: &Common) -> Result<u8, Failure> {
    let session = Session::open(common, false)?;
    let remotes = remotes(&session, common, false)?;
    let greeted = remotes.greet();
    let all = greeted.iter().map(|(name, said)| match said {
        Ok(what) => json!({"remote": name, "answers": true, "what": what}),
        Err(fault) => json!({"remote": name, "answers": false, "what": fault.message}),
    });
    let all: Vec<Value> = all.collect();
    if common.json {
        out::line(json!({"schema": 1, "remotes": all}))?;
    } else {
        for (name, said) in &greeted {
            match said {
                Ok(what) => out::line(format!("{name}: {what}"))?,
                Err(fault) => out::line(format!("{name}: does not answer ({fault})"))?,
            }
        }
    }
    let down = greeted.iter().any(|(_, said)| said.is_err());
    Ok(if down { exit::STORE } else { exit::DONE })
}
