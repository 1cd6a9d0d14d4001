//! `jalon log`: runs, one run, what a node printed; also while the run goes on.

use std::io::Write;
use std::path::PathBuf;

use serde_json::json;

use jalon::event::{Body, Event};
use jalon::history::{History, Run};
use jalon::report::tally::Summary;
use jalon::worker::transcript;
use jalon::workspace::PRIVATE_DIRECTORY;

use super::super::args::{Common, LogArgs};
use super::super::exit::{self, Failure};
use super::super::out;
use super::super::session::Session;
use super::super::ui;

/// Shows history.
pub fn log(common: &Common, args: &LogArgs) -> Result<u8, Failure> {
    let session = Session::open(common, false)?;
    let history = History::new(&session.store, &session.project.name);
    match (&args.run, &args.node) {
        (None, _) => list(common, &history, args.most),
        (Some(run), None) => match history.resolve(run)? {
            Some(id) => one(common, &history, &id),
            // `jalon log train` means what it printed last.
            None if session.project.graph.find(run).is_some() => {
                printed(common, &session, &history, "last", run)
            }
            None => Err(no_run(run)),
        },
        (Some(run), Some(node)) => printed(common, &session, &history, run, node),
    }
}

/// A failure for a run that nobody knows.
pub fn no_run(run: &str) -> Failure {
    let message = format!("there is no run `{run}`, or more than one that begins so");
    Failure::new(exit::NO_MATCH, "no-run", message)
        .help("`jalon log` lists the runs; `last` and `last~1` count back")
}

fn list(common: &Common, history: &History<'_>, most: usize) -> Result<u8, Failure> {
    let mut runs = Vec::new();
    for id in history.ids()?.take(most) {
        runs.extend(history.run(&id)?);
    }
    if common.json {
        let all: Vec<_> = runs.iter().map(run_json).collect();
        out::line(json!({"schema": 1, "runs": all}))?;
    } else if runs.is_empty() {
        out::note("no runs yet: `jalon run` makes the first");
    } else {
        out::bytes(ui::runs_text(common, &runs).as_bytes())?;
    }
    Ok(exit::DONE)
}

fn run_json(run: &Run) -> serde_json::Value {
    let finished = run.finished.as_ref();
    json!({
        "run": run.id,
        "at": run.at,
        "status": finished.map(|finished| finished.status.word()),
        "env": run.started.env,
        "targets": run.started.targets,
        "seconds": finished.map(|finished| finished.seconds),
        "counts": finished.map(|finished| finished.counts),
        "host": run.started.host,
        "pid": run.started.pid,
    })
}

fn one(common: &Common, history: &History<'_>, id: &str) -> Result<u8, Failure> {
    let events = history.events(id)?;
    let summary = Summary::of_events(&events);
    if common.json {
        out::line(summary.to_json())?;
    } else {
        out::bytes(ui::summary_text(common, &summary).as_bytes())?;
    }
    Ok(exit::DONE)
}

fn printed(
    common: &Common,
    session: &Session,
    history: &History<'_>,
    run: &str,
    node: &str,
) -> Result<u8, Failure> {
    let id = history.resolve(run)?.ok_or_else(|| no_run(run))?;
    let bytes = match kept(session, history, &id, node)? {
        Some(bytes) => bytes,
        None => going_on(session, &id, node).unwrap_or_default(),
    };
    if common.json {
        let frames: Vec<_> = transcript::frames(&bytes)
            .map(
                |(stream, bytes)| json!({"stream": stream, "text": String::from_utf8_lossy(bytes)}),
            )
            .collect();
        out::line(json!({"schema": 1, "run": id, "node": node, "output": frames}))?;
        return Ok(exit::DONE);
    }
    for (stream, bytes) in transcript::frames(&bytes) {
        match stream {
            1 => out::bytes(bytes)?,
            // Both streams are the answer here: what is lost of either is said.
            _ => std::io::stderr().lock().write_all(bytes)?,
        }
    }
    Ok(exit::DONE)
}

/// What the store has of what a node printed: in that run, or in the earlier one that made what it reused.
fn kept(
    session: &Session,
    history: &History<'_>,
    id: &str,
    node: &str,
) -> Result<Option<Vec<u8>>, Failure> {
    let mut known = false;
    let mut digest = None;
    for Event { body, .. } in history.events(id)? {
        match body {
            Body::NodeSucceeded(done) if done.node == node => {
                (known, digest) = (true, done.transcript)
            }
            Body::NodeFailed(failed) if failed.node == node => {
                (known, digest) = (true, failed.transcript)
            }
            Body::NodeHit(hit) if hit.node == node => {
                let record = hit
                    .key
                    .parse()
                    .ok()
                    .map(|key| session.store.action(&key))
                    .transpose()?
                    .flatten();
                let transcript = record.and_then(|record| record.outcome.transcript);
                (known, digest) = (true, transcript.map(|digest| digest.to_string()));
            }
            Body::NodeStarted { node: started, .. } if started == node => {
                (known, digest) = (true, None)
            }
            Body::NodeBlocked { node: blocked, .. } if blocked == node => known = true,
            _ => {}
        }
    }
    if !known {
        let failure = Failure::new(
            exit::NO_MATCH,
            "no-match",
            format!("run {id} has no node `{node}`"),
        );
        return Err(failure.help(format!("`jalon log {id}` lists its nodes")));
    }
    let Some(digest) = digest.and_then(|digest| digest.parse().ok()) else {
        return Ok(None);
    };
    match session.store.read_blob(&digest)? {
        Some(bytes) => Ok(Some(bytes)),
        None => Err(Failure::new(
            exit::NO_MATCH,
            "not-kept",
            format!("what {node} printed is no longer kept"),
        )),
    }
}

/// What a node that still runs has printed so far.
fn going_on(session: &Session, id: &str, node: &str) -> Option<Vec<u8>> {
    let number = session.project.graph.find(node)?.0;
    let live: PathBuf = [PRIVATE_DIRECTORY, "live", id, &format!("{number}.out")]
        .iter()
        .collect();
    transcript::going_on(&session.project.root.join(live)).ok()
}
