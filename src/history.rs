//! Earlier runs of a project, read back from their traces.
//!
//! A trace is the run's event stream, one JSON object a frame. Runs are filed under the pipeline's name, so
//! a fresh clone that shares the store has its predecessor's history. Knows nothing of running.

use std::borrow::Cow;
use std::cell::{Cell, OnceCell, RefCell};
use std::collections::{BTreeMap, HashSet};
use std::rc::Rc;

use jalon_store::digest::ActionKey;
use jalon_store::error::ReadError;
use jalon_store::{Frames, LocalStore};
use memchr::memmem;
use rustc_hash::{FxHashMap, FxHashSet};
use serde::Deserialize;

use crate::event::{Body, Event, Finished, Hit, Made, Reused, Started};

/// Nodes whose past is looked for one by one.
const FEW: usize = 8;

/// Bytes of an event within which its name ends: those before it are numbers and the run's id.
const HEAD: usize = 160;

/// Runs that are gone through, one by way of the other, to be told of a node: more than any run refers to.
const CHAIN: u32 = 64;

/// Runs that are searched for the nearest earlier derivation of a node.
const NEAR: usize = 8;

/// The runs of one project in a store.
pub struct History<'a> {
    store: &'a LocalStore,
    project: String,
    before: Option<String>,
    near: OnceCell<Vec<String>>,
    known: RefCell<FxHashMap<String, Rc<Past>>>,
    /// Whether every node is known.
    all: Cell<bool>,
}

/// What the newest runs tell of a node.
#[derive(Debug, Default)]
pub struct Past {
    /// Its successes, newest first, each key once.
    pub earlier: Vec<Earlier>,
    /// Whether the last run that reached it saw it fail or cut off.
    pub unfinished: bool,
    /// Its last success, if what it gave was not kept.
    pub unkept: Option<Unkept>,
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
            near: OnceCell::new(),
            known: RefCell::default(),
            all: Cell::new(false),
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
        let ids = self.store.list_traces()?.into_iter().rev();
        Ok(ids.filter(|id| self.before.as_ref().is_none_or(|run| id < run) && self.is_ours(id)))
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

    /// All events of a run, in order; a torn or unknown one ends or is left out. Nodes of which an earlier run tells
    /// are told from that one.
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
            let hits = referred(&|id| self.store.read_trace(id), reused, CHAIN)?;
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
            Body::RunReused(reused) if reused.but.is_none() => Some(reused.of),
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

    /// What the newest runs tell of a node.
    pub fn of(&self, node: &str) -> Rc<Past> {
        if let Some(known) = self.known.borrow().get(node) {
            return known.clone();
        }
        if self.all.get() {
            return Rc::default();
        }
        // Traces are long: of a few nodes only those are read. More are found with all the others.
        let asked = self.known.borrow().len();
        let mut known = self.known.borrow_mut();
        if asked < FEW {
            let past = Rc::new(self.gather(Some(node)).remove(node).unwrap_or_default());
            known.insert(node.to_owned(), past.clone());
            return past;
        }
        self.all.set(true);
        let all = self.gather(None).into_iter();
        known.extend(all.map(|(node, past)| (node, Rc::new(past))));
        known.get(node).cloned().unwrap_or_default()
    }

    /// Whether there is no run at all.
    pub fn is_empty(&self) -> bool {
        self.ids().is_ok_and(|mut ids| ids.next().is_none())
    }

    /// The newest runs that tell of more than that nothing had changed; of many that tell the same, the newest.
    fn near(&self) -> &[String] {
        self.near.get_or_init(|| {
            let mut told: HashSet<String> = HashSet::new();
            let Ok(ids) = self.ids() else {
                return Vec::new();
            };
            let mut again = |of: String| !told.insert(of);
            ids.filter(|id| !self.reused(id).is_some_and(&mut again))
                .take(NEAR)
                .collect()
        })
    }

    /// What is known of all nodes, or of one. Unreadable history explains less; it never stops a run.
    fn gather(&self, only: Option<&str>) -> FxHashMap<String, Past> {
        let mut known: FxHashMap<String, Past> = FxHashMap::default();
        let mut words = Words::new(self.store, only);
        let mut seen: FxHashSet<String> = FxHashSet::default();
        for id in self.near() {
            let mut open: FxHashSet<String> = FxHashSet::default();
            let mut closed: FxHashSet<String> = FxHashSet::default();
            let mut unkept: FxHashMap<String, Unkept> = FxHashMap::default();
            words.each(id, &mut |line| {
                let Some(node) = &line.node else { return };
                if line.event == STARTED {
                    open.insert(node.to_string());
                    return;
                }
                let (Some(key), Some(outputs)) = (&line.key, &line.outputs) else {
                    return;
                };
                open.remove(node.as_ref());
                if !closed.contains(node.as_ref()) {
                    closed.insert(node.to_string());
                }
                let Ok(key) = key.parse() else { return };
                match &line.unkept {
                    Some(why) => {
                        let why = why.to_string();
                        drop(unkept.insert(node.to_string(), Unkept { key, why }));
                    }
                    None => drop(unkept.remove(node.as_ref())),
                }
                if !known.contains_key(node.as_ref()) {
                    known.insert(node.to_string(), Past::default());
                }
                let Some(past) = known.get_mut(node.as_ref()) else {
                    return;
                };
                if past.earlier.iter().all(|one| one.key != key) {
                    past.earlier.push(Earlier {
                        run: id.clone(),
                        key,
                        seconds: line.seconds.or(line.saved_seconds).unwrap_or(0.0),
                        outputs: outputs
                            .iter()
                            .map(|(name, made)| (name.to_string(), made.clone()))
                            .collect(),
                    });
                }
            });
            for node in &open {
                if !seen.contains(node) {
                    known.entry(node.clone()).or_default().unfinished = true;
                }
            }
            for (node, unkept) in unkept {
                if !seen.contains(&node) && !open.contains(&node) {
                    known.entry(node).or_default().unkept = Some(unkept);
                }
            }
            seen.extend(open);
            seen.extend(closed);
        }
        known
    }
}

/// Last words of runs on how nodes ended, or on one.
struct Words<'a> {
    store: &'a LocalStore,
    only: Option<&'a str>,
    /// Of one node, by run: many refer to the same.
    known: FxHashMap<String, Last>,
    /// What runs tell of one node, by run: a long trace is read once.
    told: FxHashMap<String, Rc<[Vec<u8>]>>,
}

/// Lines that tell how nodes started or ended.
enum Told {
    /// Still to be read.
    Frames(Frames),
    /// Read.
    Kept(Rc<[Vec<u8>]>),
}

impl Told {
    fn each(self, only: Option<&str>, tell: &mut dyn FnMut(&Line<'_>, &[u8])) {
        match self {
            Told::Frames(frames) => each_line(frames, only, tell),
            Told::Kept(lines) => {
                for bytes in lines.iter() {
                    Line::read(bytes).iter().for_each(|line| tell(line, bytes));
                }
            }
        }
    }
}

/// By node.
type Last = FxHashMap<String, Vec<u8>>;

impl<'a> Words<'a> {
    fn new(store: &'a LocalStore, only: Option<&'a str>) -> Words<'a> {
        Words {
            store,
            only,
            known: FxHashMap::default(),
            told: FxHashMap::default(),
        }
    }

    /// What a run tells of the one node, or of all.
    fn told(&mut self, id: &str) -> Option<Told> {
        if let Some(told) = self.told.get(id) {
            return Some(Told::Kept(told.clone()));
        }
        let frames = self.store.read_trace(id).ok()??;
        if self.only.is_none() {
            return Some(Told::Frames(frames));
        }
        let mut told = Vec::new();
        each_line(frames, self.only, &mut |_, bytes| told.push(bytes.to_vec()));
        let told: Rc<[Vec<u8>]> = told.into();
        self.told.insert(id.to_owned(), told.clone());
        Some(Told::Kept(told))
    }

    /// Hands out what a run tells of how nodes started and ended; where it refers to another, the last word of that one.
    fn each(&mut self, id: &str, tell: &mut dyn FnMut(&Line<'_>)) {
        let Some(told) = self.told(id) else {
            return;
        };
        told.each(self.only, &mut |line, _| match &line.of {
            None => tell(line),
            Some(of) => {
                let but = line.but();
                let told = self.last(of, &but, CHAIN).into_iter();
                for (_, bytes) in told.filter(|(node, _)| !but.contains(node.as_str())) {
                    Line::read(&bytes).iter().for_each(&mut *tell);
                }
            }
        });
    }

    /// The last words of a run on all nodes but these, at least.
    fn last(&mut self, id: &str, but: &FxHashSet<&str>, chain: u32) -> Last {
        if self.only.is_some_and(|only| but.contains(only)) {
            return Last::default();
        }
        if let Some(known) = self.known.get(id) {
            return known.clone();
        }
        let mut last = Last::default();
        let Some(told) = self.told(id) else {
            return last;
        };
        told.each(self.only, &mut |line, bytes| {
            if let (Some(of), Some(chain)) = (&line.of, chain.checked_sub(1)) {
                let but = line.but();
                let told = self.last(of, &but, chain).into_iter();
                last.extend(told.filter(|(node, _)| !but.contains(node.as_str())));
            }
            if let (Some(node), true) = (&line.node, line.key.is_some()) {
                last.insert(node.to_string(), bytes.to_vec());
            }
        });
        if self.only.is_some() {
            self.known.insert(id.to_owned(), last.clone());
        }
        last
    }
}

/// How an event is called that says that a node began.
const STARTED: &str = "node.started";

/// The events that tell how nodes started or ended.
const TOLD: [&[u8]; 3] = [STARTED.as_bytes(), b"node.hit", b"node.succeeded"];

/// What is read of an event to tell the past of nodes, where it lies.
#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow)]
    event: Cow<'a, str>,
    #[serde(borrow, default)]
    node: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    key: Option<Cow<'a, str>>,
    #[serde(default)]
    seconds: Option<f64>,
    #[serde(default)]
    saved_seconds: Option<f64>,
    #[serde(borrow, default)]
    unkept: Option<Cow<'a, str>>,
    /// The run that tells of all nodes but some.
    #[serde(borrow, default)]
    of: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    but: Option<Vec<Cow<'a, str>>>,
    #[serde(borrow, default)]
    outputs: Option<BTreeMap<Cow<'a, str>, Made>>,
}

impl<'a> Line<'a> {
    fn read(bytes: &'a [u8]) -> Option<Line<'a>> {
        serde_json::from_slice(bytes).ok()
    }

    /// The nodes of the run that it refers to that are not meant.
    fn but(&self) -> FxHashSet<&str> {
        self.but.iter().flatten().map(Cow::as_ref).collect()
    }
}

/// Whether a frame may tell how a node, or that one, started or ended.
fn wanted(only: Option<&str>) -> impl Fn(&[u8]) -> bool {
    const EVENT: &[u8] = br#""event":""#;
    let event = memmem::Finder::new(EVENT);
    // What an event has to say begins with its node.
    let node = only.map(|name| {
        let name = serde_json::to_string(name).unwrap_or_default();
        format!(",\"node\":{name}").into_bytes()
    });
    move |frame| {
        let Some(at) = event.find(&frame[..frame.len().min(HEAD)]) else {
            return false;
        };
        let said = &frame[at + EVENT.len()..];
        let (name, said) = said.split_at(memchr::memchr(b'"', said).unwrap_or(said.len()));
        match name {
            b"run.reused" => true,
            name if TOLD.contains(&name) => node
                .as_ref()
                .is_none_or(|node| said.get(1..).is_some_and(|said| said.starts_with(node))),
            _ => false,
        }
    }
}

/// Hands out lines that tell how nodes started or ended, with their bytes.
fn each_line(mut frames: Frames, only: Option<&str>, tell: &mut dyn FnMut(&Line<'_>, &[u8])) {
    let wanted = wanted(only);
    while let Some(bytes) = frames.find(&wanted) {
        let Some(line) = Line::read(bytes) else {
            continue;
        };
        let node = line.node.as_deref();
        // Its name may stand for something else in what another says.
        if only.is_none() || node.is_none() || node == only {
            tell(&line, bytes);
        }
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
///
/// # Errors
/// A trace cannot be read.
pub fn hits(read: &ReadTrace<'_>, id: &str) -> Result<Vec<Hit>, ReadError> {
    told(read, id, CHAIN)
}

/// How a trace is come by.
pub type ReadTrace<'a> = dyn Fn(&str) -> Result<Option<Frames>, ReadError> + 'a;

fn referred(read: &ReadTrace<'_>, reused: &Reused, chain: u32) -> Result<Vec<Hit>, ReadError> {
    let mut hits = match chain.checked_sub(1) {
        Some(chain) => told(read, &reused.of, chain)?,
        None => Vec::new(),
    };
    let but: FxHashSet<&String> = reused.but.iter().flatten().collect();
    hits.retain(|hit| !but.contains(&hit.node));
    Ok(hits)
}

fn told(read: &ReadTrace<'_>, id: &str, chain: u32) -> Result<Vec<Hit>, ReadError> {
    let mut hits: Vec<Hit> = Vec::new();
    let mut places: FxHashMap<String, usize> = FxHashMap::default();
    for event in written(read(id)?) {
        let told = match event.body {
            Body::RunReused(reused) => referred(read, &reused, chain)?,
            // What was taken over from elsewhere is here since.
            Body::NodeHit(hit) => vec![Hit {
                fetched: false,
                ..hit
            }],
            Body::NodeSucceeded(done) => vec![done.into()],
            _ => continue,
        };
        for hit in told {
            match places.get(&hit.node) {
                Some(&at) => hits[at] = hit,
                None => {
                    places.insert(hit.node.clone(), hits.len());
                    hits.push(hit);
                }
            }
        }
    }
    Ok(hits)
}
