//! What collection must keep: everything the runs that are kept refer to, and what is pinned.
//!
//! Every trace in the store counts, whatever project it is of. A project's last run is always kept.

use std::collections::{HashMap, HashSet};

use jalon_store::content::Content;
use jalon_store::digest::{ActionKey, BlobDigest};
use jalon_store::error::ReadError;
use jalon_store::pin::Kept;
use jalon_store::{GcRoots, LocalStore};
use rustc_hash::{FxHashMap, FxHashSet};

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
    let mut nodes = Numbers::default();
    for id in store.list_traces()? {
        let run = read(store, &id, &mut nodes)?;
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
    // Many runs tell of the same: the last one to do so counts.
    let mut used: FxHashMap<ActionKey, u64> = FxHashMap::default();
    for (id, run) in kept {
        let stays = is_pinned(id, run);
        // What others tell for this one lives as long as it does, but for the nodes that it leaves out.
        let mut without: FxHashSet<u32> = FxHashSet::default();
        let mut gone_through = HashSet::new();
        let mut next = Some((id, run));
        while let Some((_, told)) = next.filter(|(id, _)| gone_through.insert(*id)) {
            roots.blobs.extend(&told.transcripts);
            if stays {
                roots.contents.extend(&told.unrecorded);
            }
            for (_, key) in told.keys.iter().filter(|(node, _)| !without.contains(node)) {
                if stays {
                    roots.pinned_actions.insert(*key);
                }
                let last = used.entry(*key).or_default();
                *last = run.at.max(*last);
            }
            without.extend(&told.but);
            let of = told.of.as_ref();
            referred.extend(of);
            next = of.and_then(|of| Some((of, *by_id.get(of)?)));
        }
    }
    roots.actions = used.into_iter().collect();
    roots.actions.sort_unstable();
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
    /// What it tells of, with the numbers of the nodes.
    keys: Vec<(u32, ActionKey)>,
    /// What nodes printed whose outcome is not kept.
    transcripts: Vec<BlobDigest>,
    /// What they made.
    unrecorded: Vec<Content>,
    /// The run that it refers to for the others, and the nodes that are not meant by that.
    of: Option<String>,
    but: Vec<u32>,
}

/// Numbers for names of nodes.
#[derive(Default)]
struct Numbers(FxHashMap<String, u32>);

impl Numbers {
    fn of(&mut self, name: String) -> u32 {
        let next = self.0.len() as u32;
        *self.0.entry(name).or_insert(next)
    }
}

fn read(store: &LocalStore, id: &str, nodes: &mut Numbers) -> Result<Run, ReadError> {
    let mut run = Run::default();
    for event in history::written(store.read_trace(id)?) {
        let (node, key) = match event.body {
            Body::RunStarted(started) => {
                run.at = event.at;
                run.project = started.project;
                run.targets = started.targets.join(" ");
                continue;
            }
            Body::RunReused(reused) => {
                let but = reused.but.into_iter().flatten();
                run.but = but.map(|node| nodes.of(node)).collect();
                run.of = Some(reused.of);
                continue;
            }
            Body::NodeHit(hit) => (hit.node, hit.key),
            Body::NodeSucceeded(done) if done.recorded => (done.node, done.key),
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
        if let Ok(key) = key.parse() {
            run.keys.push((nodes.of(node), key));
        }
    }
    Ok(run)
}

fn transcript(digest: Option<String>) -> Option<BlobDigest> {
    digest?.parse().ok()
}
