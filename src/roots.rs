//! What collection must keep: everything the runs that are kept refer to, and what is pinned.
//!
//! Every trace in the store counts, whatever project it is of. A project's last run is always kept.

use std::collections::{HashMap, HashSet};

use jalon_store::content::Content;
use jalon_store::digest::{ActionKey, BlobDigest};
use jalon_store::error::ReadError;
use jalon_store::pin::Kept;
use jalon_store::{GcRoots, LocalStore};

use crate::event::{Body, Made};
use crate::history;

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
    for id in store.list_traces()? {
        let run = read(store, &id)?;
        // Ids sort by time, so the last one seen is the last run. One of nothing but part of the
        // pipeline must not take the place of the whole.
        last.insert((run.project.clone(), run.targets.clone()), id.clone());
        runs.push((id, run));
    }
    let is_pinned = |id: &String, run: &Run| {
        pinned.contains(id) || last.get(&(run.project.clone(), run.targets.clone())) == Some(id)
    };
    let is_old = |run: &Run| oldest.is_some_and(|oldest| run.at < oldest);
    let (dropped, kept): (Vec<_>, Vec<_>) = runs
        .iter()
        .partition(|(id, run)| is_old(run) && !is_pinned(id, run));
    let by_id: HashMap<&String, &Run> = runs.iter().map(|(id, run)| (id, run)).collect();
    let mut referred = HashSet::new();
    for (id, run) in kept {
        let stays = is_pinned(id, run);
        // A run in which nothing had changed lives by the trace of the one that it refers to.
        let told = run.of.as_ref().and_then(|of| by_id.get(of).copied());
        referred.extend(run.of.as_ref());
        for run in told.into_iter().chain([run]) {
            roots.blobs.extend(&run.transcripts);
            if stays {
                roots.contents.extend(&run.unrecorded);
            }
        }
        for &key in run
            .keys
            .iter()
            .chain(told.iter().flat_map(|told| &told.keys))
        {
            if stays {
                roots.pinned_actions.insert(key);
            }
            roots.actions.push((key, run.at));
        }
    }
    let dropped = dropped.iter().map(|(id, _)| id);
    roots.drop_traces = dropped
        .filter(|id| !referred.contains(id))
        .cloned()
        .collect();
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
    /// The run that it refers to instead.
    of: Option<String>,
}

fn read(store: &LocalStore, id: &str) -> Result<Run, ReadError> {
    let mut run = Run::default();
    for event in history::written(store.read_trace(id)?) {
        let key = match event.body {
            Body::RunStarted(started) => {
                run.at = event.at;
                run.project = started.project;
                run.targets = started.targets.join(" ");
                continue;
            }
            Body::RunReused(reused) => {
                run.of = Some(reused.of);
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
