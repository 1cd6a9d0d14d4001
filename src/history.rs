//! Earlier runs of a project, read back from their traces.
//!
//! A trace is the run's event stream, one JSON object a frame. Runs are filed under the pipeline's name, so
//! a fresh clone that shares the store has its predecessor's history. Knows nothing of running.

use std::cell::OnceCell;
use std::collections::{HashMap, HashSet};

use jalon_store::digest::ActionKey;
use jalon_store::error::ReadError;
use jalon_store::{Frames, LocalStore};
use rustc_hash::FxHashMap;

use crate::event::{Body, Event, Finished, Hit, Made, Started};

/// Runs that are searched for the nearest earlier derivation of a node.
const NEAR: usize = 8;

/// The runs of one project in a store.
pub struct History<'a> {
    store: &'a LocalStore,
    project: String,
    before: Option<String>,
    known: OnceCell<Known>,
}

#[derive(Default)]
struct Known {
    earlier: HashMap<String, Vec<Earlier>>,
    unfinished: HashSet<String>,
    unkept: HashMap<String, Unkept>,
}

/// A success whose outcome should have been kept and was not.
#[derive(Debug, Clone)]
pub struct Unkept {
    /// The strong key.
    pub key: ActionKey,
    /// Why.
    pub why: String,
}

/// A run, as far as its trace tells.
#[derive(Debug, Clone)]
pub struct Run {
    /// Its id.
    pub id: String,
    /// When it started, milliseconds since the Unix epoch.
    pub at: u64,
    /// How it started.
    pub started: Started,
    /// How it ended; nothing for one that is going on, or was killed.
    pub finished: Option<Finished>,
}

/// An earlier success of a node.
#[derive(Debug, Clone)]
pub struct Earlier {
    /// The run.
    pub run: String,
    /// The strong key.
    pub key: ActionKey,
    /// Seconds it took.
    pub seconds: f64,
    /// What it gave.
    pub outputs: Vec<(String, Made)>,
}

impl<'a> History<'a> {
    /// The runs filed under a name.
    pub fn new(store: &'a LocalStore, project: &str) -> History<'a> {
        History {
            store,
            project: project.to_owned(),
            before: None,
            known: OnceCell::new(),
        }
    }

    /// The same, of runs before this one only.
    pub fn before(store: &'a LocalStore, project: &str, run: &str) -> History<'a> {
        History {
            before: Some(run.to_owned()),
            ..History::new(store, project)
        }
    }

    /// The ids, newest first, those of other projects left out.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn ids(&self) -> Result<impl Iterator<Item = String> + '_, ReadError> {
        let mut ids: Vec<String> = self
            .store
            .list_traces()?
            .into_iter()
            .map(|trace| trace.id)
            .collect();
        ids.sort_unstable_by(|a, b| b.cmp(a));
        Ok(ids
            .into_iter()
            .filter(|id| self.before.as_ref().is_none_or(|run| id < run) && self.is_ours(id)))
    }

    fn is_ours(&self, id: &str) -> bool {
        let head = self.store.read_trace(id).ok().flatten();
        let mut events = written(head).take(4);
        events.any(|event| {
            started(&event.body).is_some_and(|started| started.project == self.project)
        })
    }

    /// A run's head and end.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn run(&self, id: &str) -> Result<Option<Run>, ReadError> {
        let events = self.events(id)?;
        let Some((at, started)) = events
            .iter()
            .find_map(|event| Some((event.at, started(&event.body)?.clone())))
        else {
            return Ok(None);
        };
        let finished = events.iter().rev().find_map(|event| match &event.body {
            Body::RunFinished(finished) => Some(finished.clone()),
            _ => None,
        });
        Ok(Some(Run {
            id: id.to_owned(),
            at,
            started,
            finished,
        }))
    }

    /// All events of a run, in order; a torn or unknown one ends or is left out. Of a run in which nothing had
    /// changed, the nodes are told from the run that it refers to.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn events(&self, id: &str) -> Result<Vec<Event>, ReadError> {
        let mut events = Vec::new();
        for event in written(self.store.read_trace(id)?) {
            let Body::RunReused(reused) = &event.body else {
                events.push(event);
                continue;
            };
            let first = event.seq;
            let hits = hits(self.store.read_trace(&reused.of)?);
            events.extend((first..).zip(hits).map(|(seq, hit)| Event {
                seq,
                body: Body::NodeHit(hit),
                ..event.clone()
            }));
        }
        Ok(events)
    }

    /// The run that this one refers to, if nothing had changed since that one.
    fn reused(&self, id: &str) -> Option<String> {
        let mut events = written(self.store.read_trace(id).ok().flatten()).take(4);
        events.find_map(|event| match event.body {
            Body::RunReused(reused) => Some(reused.of),
            _ => None,
        })
    }

    /// The run meant by `last`, `last~2`, an id, or the beginning or end of one.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn resolve(&self, name: &str) -> Result<Option<String>, ReadError> {
        let back = match name.strip_prefix("last") {
            Some("") => Some(0),
            Some(rest) => rest
                .strip_prefix('~')
                .and_then(|number| number.parse().ok()),
            None => None,
        };
        if let Some(back) = back {
            return Ok(self.ids()?.nth(back));
        }
        let name = name.to_ascii_uppercase();
        let mut found = self
            .ids()?
            .filter(|id| id.starts_with(&name) || (name.len() >= 4 && id.ends_with(&name)));
        let first = found.next();
        Ok(if found.next().is_some() { None } else { first })
    }

    /// Earlier successes of a node, newest first, each key once.
    pub fn of(&self, node: &str) -> &[Earlier] {
        self.known()
            .earlier
            .get(node)
            .map(Vec::as_slice)
            .unwrap_or_default()
    }

    /// Whether the last run that reached a node saw it fail or cut off.
    pub fn is_unfinished(&self, node: &str) -> bool {
        self.known().unfinished.contains(node)
    }

    /// The last success of a node, if what it gave was not kept.
    pub fn unkept(&self, node: &str) -> Option<&Unkept> {
        self.known().unkept.get(node)
    }

    /// Whether there is no run at all.
    pub fn is_empty(&self) -> bool {
        self.ids().is_ok_and(|mut ids| ids.next().is_none())
    }

    fn known(&self) -> &Known {
        self.known.get_or_init(|| self.gather())
    }

    /// Unreadable history explains less; it never stops a run.
    fn gather(&self) -> Known {
        let mut known = Known::default();
        let mut seen: HashSet<String> = HashSet::new();
        let Ok(ids) = self.ids() else { return known };
        let mut told: HashSet<String> = HashSet::new();
        let mut near = 0;
        for id in ids {
            if near == NEAR {
                break;
            }
            // Of many runs in which nothing had changed, the newest tells all.
            let again = |of: String| !told.insert(of);
            if self.reused(&id).is_some_and(again) {
                continue;
            }
            near += 1;
            let mut open: HashSet<String> = HashSet::new();
            let mut closed: HashSet<String> = HashSet::new();
            let mut unkept: HashMap<String, Unkept> = HashMap::new();
            for event in self.events(&id).unwrap_or_default() {
                let (node, key, seconds, outputs, why) = match event.body {
                    Body::NodeStarted { node, .. } => {
                        open.insert(node);
                        continue;
                    }
                    Body::NodeHit(hit) => (hit.node, hit.key, hit.saved_seconds, hit.outputs, None),
                    Body::NodeSucceeded(done) => {
                        (done.node, done.key, done.seconds, done.outputs, done.unkept)
                    }
                    _ => continue,
                };
                open.remove(&node);
                closed.insert(node.clone());
                let Ok(key) = key.parse() else { continue };
                match why {
                    Some(why) => drop(unkept.insert(node.clone(), Unkept { key, why })),
                    None => drop(unkept.remove(&node)),
                }
                let earlier = known.earlier.entry(node).or_default();
                if earlier.iter().all(|one| one.key != key) {
                    earlier.push(Earlier {
                        run: id.clone(),
                        key,
                        seconds,
                        outputs: outputs.into_iter().collect(),
                    });
                }
            }
            known
                .unfinished
                .extend(open.iter().filter(|node| !seen.contains(*node)).cloned());
            unkept.retain(|node, _| !seen.contains(node) && !open.contains(node));
            known.unkept.extend(unkept);
            seen.extend(open);
            seen.extend(closed);
        }
        known
    }
}

fn started(body: &Body) -> Option<&Started> {
    match body {
        Body::RunStarted(started) => Some(started),
        _ => None,
    }
}

/// The events of a trace, as they were written.
pub fn written(frames: Option<Frames>) -> impl Iterator<Item = Event> {
    frames
        .into_iter()
        .flatten()
        .filter_map(|frame| serde_json::from_slice(&frame).ok())
}

/// What a run in which nothing has changed since this one says of each node, in this one's order: what last
/// came of it, as a hit.
pub fn hits(frames: Option<Frames>) -> Vec<Hit> {
    let mut hits: Vec<Hit> = Vec::new();
    let mut places: FxHashMap<String, usize> = FxHashMap::default();
    for event in written(frames) {
        let hit = match event.body {
            // What was taken over from elsewhere is here since.
            Body::NodeHit(hit) => Hit {
                fetched: false,
                ..hit
            },
            Body::NodeSucceeded(done) => done.into(),
            _ => continue,
        };
        match places.get(&hit.node) {
            Some(&at) => hits[at] = hit,
            None => {
                places.insert(hit.node.clone(), hits.len());
                hits.push(hit);
            }
        }
    }
    hits
}
