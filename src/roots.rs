//! What collection must keep: everything the runs that are kept refer to, and what is pinned.
//!
//! Every trace in the store counts, whatever project it is of. A project's last run is always kept.

use std::collections::HashMap;

use jalon_store::content::Content;
use jalon_store::digest::{ActionKey, BlobDigest};
use jalon_store::error::ReadError;
use jalon_store::pin::Kept;
use jalon_store::{GcRoots, LocalStore};

use crate::event::{Body, Event, Made};

/// The roots, with runs that started before `oldest` (milliseconds since the Unix epoch) dropped.
///
/// # Errors
/// The store cannot be read.
pub fn roots(store: &LocalStore, oldest: Option<u64>) -> Result<GcRoots, ReadError> {
    let mut roots = GcRoots::default();
    let mut pinned = Vec::new();
    for (_, pin) in store.pins()? {
        match pin.kept {
            Kept::Content(content) => roots.contents.push(content),
            Kept::Run(id) => pinned.push(id),
        }
    }
    let mut last: HashMap<(String, String), String> = HashMap::new();
    let mut runs = Vec::new();
    for info in store.list_traces()? {
        let run = read(store, &info.id)?;
        // Ids sort by time, so the last one seen is the last run. One of nothing but part of the
        // pipeline must not take the place of the whole.
        last.insert((run.project.clone(), run.targets.clone()), info.id.clone());
        runs.push((info.id, run));
    }
    for (id, run) in runs {
        let is_last = last.get(&(run.project.clone(), run.targets.clone())) == Some(&id);
        let is_pinned = pinned.contains(&id);
        if !is_last && !is_pinned && oldest.is_some_and(|oldest| run.at < oldest) {
            roots.drop_traces.push(id);
            continue;
        }
        roots.blobs.extend(run.transcripts);
        if is_last || is_pinned {
            roots.contents.extend(run.unrecorded);
        }
        for key in run.keys {
            if is_last || is_pinned {
                roots.pinned_actions.insert(key);
            }
            roots.actions.push((key, run.at));
        }
    }
    Ok(roots)
}

#[derive(Default)]
struct Run {
    project: String,
    targets: String,
    at: u64,
    keys: Vec<ActionKey>,
    /// What nodes printed whose outcome is not kept.
    transcripts: Vec<BlobDigest>,
    /// What they made.
    unrecorded: Vec<Content>,
}

fn read(store: &LocalStore, id: &str) -> Result<Run, ReadError> {
    let mut run = Run::default();
    for frame in store.read_trace(id)?.into_iter().flatten() {
        let Ok(event) = serde_json::from_slice::<Event>(&frame) else {
            continue;
        };
        let key = match event.body {
            Body::RunStarted(started) => {
                run.at = event.at;
                run.project = started.project;
                run.targets = started.targets.join(" ");
                continue;
            }
            Body::NodeHit(hit) => hit.key,
            Body::NodeSucceeded(done) if done.recorded => done.key,
            // No record leads to what these left.
            Body::NodeSucceeded(done) => {
                run.transcripts.extend(transcript(done.transcript));
                run.unrecorded
                    .extend(done.outputs.values().filter_map(Made::content));
                continue;
            }
            Body::NodeFailed(failed) => {
                run.transcripts.extend(transcript(failed.transcript));
                continue;
            }
            _ => continue,
        };
        run.keys.extend(key.parse::<ActionKey>().ok());
    }
    Ok(run)
}

fn transcript(digest: Option<String>) -> Option<BlobDigest> {
    digest?.parse().ok()
}
