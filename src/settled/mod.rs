//! What a run that left everything at rest may answer the next time, without reading anything but stats.
//!
//! `.jalon/settled/<question>` holds what a run said that found nothing to do, with every look that this rested
//! on. A later run that asks the same question and finds the same at every one of those paths would be led, look
//! by look, through the same decisions to the same answer; so it is given at once. What is not the same, cannot
//! be told or cannot be read is a miss, never an error: the run is then made as if there were no such file.
//!
//! That this is sound rests on five things.
//!
//! 1. *Decisions are a function of the question and of what was looked at.* The question ([`Question`]) has all
//!    that comes from outside the file system, and which jalon asks. Every look at a file goes through
//!    [`crate::witness`]; the records that were looked up stay what they were as long as the packs do
//!    ([`jalon_store::Glance`]), and whether bytes are in the store was not asked ([`crate::run::rest`]).
//! 2. *A stat tells.* A file with the same device, inode, size, modification and change time holds the same bytes,
//!    provided that a change after the look must have shown in them. Where it need not (the change time was not
//!    older than the clock's granularity when the look began, or lay in the future because the clock was set
//!    back), a file is marked and its digest is taken; a directory or a link too fresh to tell prevents the
//!    snapshot. An edit that keeps size and modification time changes the change time; a replaced file has
//!    another inode.
//! 3. *Another stat is not yet another content*: the digest of a file that was only touched is taken, and the
//!    snapshot brought up to date.
//! 4. *Nobody works meanwhile.* Both are done under the workspace's lock, and reading under a lease on the store.
//! 5. *The file is what was written*: it begins with a hash of the rest, which holds the question.
//!
//! Where nothing but files that nodes declare to read has changed, there is no answer, but most of what judging
//! came to still stands: it is kept beside the answer, node by node ([`crate::plan::held`]), and what was looked
//! at for it is still known. A run that is handed that judges only what the change reaches; where nobody wants to hear of
//! each node, the others are not even read, and the run is one of the part that the change reaches ([`Part`]). A file is of this
//! kind only if nobody looked at its content but as a declared source or code ([`crate::witness::Look::declared`]).
//!
//! A run with hooks that hear of it, `finally` nodes that follow it, `--force`, or nodes that run each time is not
//! kept: something would have to happen. Nor is one that ends without outputs that were asked for in the project (`--materialize none`): that
//! rests on the store's having their bytes.
//!
//! Knows paths, stats and events; nothing of how a pipeline is read or judged.

mod amend;
mod check;
#[cfg(test)]
mod example;
mod files;
mod format;
mod part;
mod reach;
mod reply;
mod standing;
mod table;

use std::cell::LazyCell;
use std::ffi::{CStr, OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jalon_store::canonical::Encoder;
use jalon_store::digest::{BlobDigest, Hasher, context};
use jalon_store::index::{Sight, StatId};
use jalon_store::{Glance, LocalStore};

use self::amend::amend;
use self::check::{Checked, Touched};
use self::format::{Group, Kept, Snapshot};
use self::reach::Reach;
use self::standing::SheetRows;
use crate::frontend::{self, Source};
use crate::graph::{Graph, Selection};
use crate::observe::Territory;
use crate::plan::held::{Before, Ledger};
use crate::project::{Machine, Project};
use crate::run::Materialise;
use crate::run::rest::Rest;
use crate::witness::{Look, Witnesses};
use crate::worker::environment::{self, PLACES};
use crate::workspace::PRIVATE_DIRECTORY;

pub use self::files::Files;
pub use self::part::Part;
pub use self::reply::{Answer, Listeners, Occasion};

/// Files that are kept of a project, three a question; of more questions, the oldest ones are forgotten.
const MOST: usize = 48;

/// All that decides an answer and does not lie in a file that was looked at.
#[derive(Debug)]
pub struct Question<'a> {
    /// What was to be read.
    pub source: &'a Source,
    /// The project's directory, absolute.
    pub root: &'a Path,
    /// The definition's name.
    pub definition: &'a str,
    /// The machine: its variables that count, and what nodes may ask of it.
    pub machine: &'a Machine,
    /// What `$JALON_STORE` says.
    pub store: Option<&'a OsStr>,
    /// The targets, as they were written.
    pub targets: &'a [String],
    /// Whose bytes are laid out.
    pub materialise: Materialise,
}

/// A question as it stood when it was asked.
#[derive(Debug)]
pub struct Asked {
    digest: [u8; 32],
    root: PathBuf,
    definition: String,
}

impl Question<'_> {
    /// Asks; nothing where jalon's own program cannot be looked at. To be done once, before anything is read: a
    /// program may be replaced while it runs.
    pub fn ask(&self) -> Option<Asked> {
        Some(Asked {
            digest: self.digest()?,
            root: self.root.to_owned(),
            definition: self.definition.to_owned(),
        })
    }

    fn digest(&self) -> Option<[u8; 32]> {
        let mut to = Encoder::new();
        let program = self.machine.program.as_deref()?;
        let id = StatId::of(&fs::metadata(program).ok()?);
        to.text(env!("CARGO_PKG_VERSION")).bytes(bytes(program));
        for number in [id.size, id.inode, id.device] {
            to.number(number);
        }
        to.bytes(&id.mtime_ns.to_le_bytes())
            .bytes(&id.ctime_ns.to_le_bytes());
        to.bytes(bytes(self.root)).text(self.definition);
        let user = self.source.user.as_deref();
        to.list(user.iter().len()).bytes(user.map_or(b"", bytes));
        to.text(&self.source.env).list(self.source.set.len());
        for (key, value) in &self.source.set {
            to.text(key).text(value);
        }
        to.text(&format!("{:?}", (&self.source.kedro, &self.source.python)));
        let variable = |name: &str| self.machine.variables.get(OsStr::new(name));
        if self.definition == frontend::kedro::FILE {
            // Any of them may have been asked for, and a look at one is no look at a file.
            for (name, value) in environment::telling(&self.machine.variables) {
                to.bytes(name.as_bytes()).bytes(value.as_bytes());
            }
        }
        let (home, path) = (variable("HOME"), variable("PATH"));
        // Where it leads, for paths below it are looked at there.
        let real = home.and_then(|home| fs::canonicalize(home).ok());
        for place in [
            self.store,
            home.map(OsString::as_os_str),
            real.as_deref().map(Path::as_os_str),
            path.map(OsString::as_os_str),
        ] {
            to.list(place.iter().len())
                .bytes(place.map_or(b"", OsStr::as_bytes));
        }
        to.list(self.targets.len());
        for target in self.targets {
            to.text(target);
        }
        to.variant(self.materialise as u8);
        self.machine_to(&mut to);
        let mut hasher = Hasher::context(context::QUESTION);
        hasher.update(&to.into_bytes());
        Some(hasher.finish())
    }

    fn machine_to(&self, to: &mut Encoder) {
        let machine = self.machine;
        for text in &machine.platform {
            to.text(text);
        }
        to.number(machine.cpus.into());
        to.list(machine.memory.iter().len())
            .number(machine.memory.unwrap_or(0));
        to.list(machine.pools.len());
        for (name, capacity) in &machine.pools {
            to.text(name).number(capacity.to_bits());
        }
        let texts: Vec<_> = environment::hashed_texts(&machine.variables).collect();
        to.list(texts.len());
        for (name, value) in texts {
            to.bytes(name.as_bytes()).bytes(value.as_bytes());
        }
        for name in PLACES {
            let value = machine.variables.get(OsStr::new(name));
            to.list(value.iter().len())
                .bytes(value.map_or(b"", |value| value.as_bytes()));
        }
    }
}

impl Asked {
    /// The project's directory.
    pub fn root(&self) -> &Path {
        &self.root
    }

    fn place(&self) -> PathBuf {
        let digits = self.digest[..16].iter().map(|byte| format!("{byte:02x}"));
        let name: String = digits.collect();
        self.private().join("settled").join(name)
    }

    fn private(&self) -> PathBuf {
        self.root.join(PRIVATE_DIRECTORY)
    }
}

/// What is known of a question.
pub enum Known {
    /// Nothing has changed: the answer.
    All(Box<Answer>),
    /// Only files have changed that nodes declare to read.
    Most(Box<Standing>),
    /// Nothing that still holds.
    Nothing,
}

/// What still stands of what an earlier run left at rest, as it was kept.
pub struct Standing {
    snapshot: Arc<Vec<u8>>,
    ledger: Vec<u8>,
    /// Of a project as it was read then, if that was kept.
    pipeline: Option<Arc<Vec<u8>>>,
    touched: Touched,
    /// Keeps collections from what it names.
    _lease: Glance,
}

impl Standing {
    /// The part of the project that the change reaches; nothing where that has to do with more than what others gave.
    pub fn part(&self, asked: &Asked) -> Option<(Project, Part)> {
        let snapshot = Snapshot::again(&self.snapshot)?;
        let entry = standing::ledger_again(&self.ledger)?;
        let pipeline = self.pipeline.as_ref()?;
        Part::of(asked, &snapshot, entry, pipeline, &self.touched.changed)
    }

    /// All of it; nothing where it cannot be read.
    pub fn whole(&self, asked: &Asked) -> Option<Whole> {
        let snapshot = Snapshot::again(&self.snapshot)?;
        let entry = standing::ledger_again(&self.ledger)?;
        let pipeline = self.pipeline.as_ref();
        Some(Whole {
            ledger: entry.sheet.ledger()?,
            run: (entry.run, entry.chain),
            looks: looks_now(asked, &snapshot, &self.touched)?,
            project: pipeline.and_then(|pipeline| read_again(asked, pipeline)),
            pipeline: entry.pipeline,
        })
    }

    /// Outputs that are not the part's and are not what they were any more; none where that cannot be told.
    pub fn changed_elsewhere(&self, asked: &Asked, part: &Part) -> Vec<PathBuf> {
        let is_elsewhere = |look: &Look| {
            let path = look.path.strip_prefix(&asked.root).ok();
            let owner = path.and_then(|path| part.output_elsewhere(bytes(path)));
            owner.is_some()
        };
        let find = || {
            let snapshot = Snapshot::again(&self.snapshot)?;
            let private = asked.private();
            let is_meant = |group: &Group<'_>, name: &CStr| {
                let path = group.relative(name);
                path.is_some_and(|path| part.output_elsewhere(&path).is_some())
            };
            if check::check_of(&asked.root, &private, &snapshot, &is_meant).is_some() {
                return None;
            }
            // Which it is.
            let mut looks = snapshot.looks(&asked.root)?;
            looks.retain(is_elsewhere);
            let kept = snapshot.kept();
            let holds = |looks: Vec<Look>| {
                let bytes = format::write(&kept, &asked.digest, &asked.root, looks)?;
                let snapshot = Snapshot::again(&bytes)?;
                check::check(&asked.root, &private, &snapshot)
            };
            looks.retain(|look| holds(vec![look.clone()]).is_none());
            Some(looks.into_iter().map(|look| look.path).collect())
        };
        find().unwrap_or_default()
    }

    /// What is known of the bytes of files that were looked at.
    pub fn files(&self, asked: &Asked) -> Files {
        Files::new(&asked.root, &self.snapshot, &self.touched)
    }
}

/// The same, read.
pub struct Whole {
    /// What judging came to then.
    pub ledger: Ledger,
    /// The run that it is of, and how many traces that one's refers to.
    run: (String, u32),
    /// Everything that was looked at, as it is now.
    pub looks: Vec<Look>,
    /// The project as it was read then, if that was kept.
    pub project: Option<Project>,
    /// The digest of what was kept of it.
    pipeline: [u8; 32],
}

impl Whole {
    /// What a run is handed of it.
    pub fn before(&self) -> Before<'_> {
        Before {
            ledger: &self.ledger,
            run: &self.run.0,
            chain: self.run.1,
        }
    }

    /// Files of which the bytes are known, by their stats.
    pub fn files(&self) -> Vec<(PathBuf, StatId, BlobDigest)> {
        let files = self.looks.iter().filter_map(|look| match look.sight {
            Sight::File {
                id,
                digest,
                settled: true,
                ..
            } => Some((look.path.clone(), id, digest)),
            _ => None,
        });
        files.collect()
    }
}

fn bytes(path: &Path) -> &[u8] {
    path.as_os_str().as_bytes()
}

/// Whether there is anything that may answer: cheap, and before any lock.
pub fn may_answer(asked: &Asked) -> bool {
    asked.place().is_file()
}

/// What is known of a question. Only the holder of the workspace's lock may ask.
pub fn known(asked: &Asked) -> Known {
    look_up(asked).unwrap_or(Known::Nothing)
}

fn look_up(asked: &Asked) -> Option<Known> {
    let place = asked.place();
    let file = fs::read(&place).ok()?;
    let snapshot = Snapshot::read(&file, &asked.digest)?;
    let glance = Glance::at(&snapshot.store)?;
    let same = glance.state().ok()? == snapshot.records
        && glance.trace_id(&snapshot.run) == Some(snapshot.trace);
    if !same {
        return None;
    }
    let mut touched = match check::check(&asked.root, &asked.private(), &snapshot)? {
        Checked::Same => Touched::default(),
        Checked::Touched(touched) => touched,
    };
    if !touched.changed.is_empty() {
        let ledger = fs::read(ledger_of(&place)).ok()?;
        let entry = standing::read_ledger(&ledger, &asked.digest)?;
        if entry.run != snapshot.run {
            return None;
        }
        // Reading looked at nothing that has changed.
        let pipeline = fs::read(pipeline_of(&place)).ok();
        let pipeline = pipeline.filter(|file| standing::is_pipeline(file, &entry.pipeline));
        drop((entry, snapshot));
        touched.changed.sort();
        return Some(Known::Most(Box::new(Standing {
            snapshot: Arc::new(file),
            ledger,
            pipeline: pipeline.map(Arc::new),
            touched,
            _lease: glance,
        })));
    }
    if !touched.now.is_empty() {
        let (kept, now) = (snapshot.kept(), &touched.now);
        let (question, root) = (&asked.digest, &asked.root);
        // One that cannot be brought up to date costs the same look again.
        if let Some(bytes) = amend(&snapshot, &kept, question, root, now, Vec::new(), |_| true) {
            replace(&place, &bytes);
        }
    }
    Some(Known::All(Answer::new(&snapshot, glance).into()))
}

fn looks_now(asked: &Asked, snapshot: &Snapshot<'_>, touched: &Touched) -> Option<Vec<Look>> {
    let mut looks = snapshot.looks(&asked.root)?;
    for look in &mut looks {
        // Of a path only one kind of look tells of content.
        if let (Sight::File { .. }, Some(now)) = (look.sight, touched.now.get(bytes(&look.path))) {
            look.sight = *now;
        }
    }
    Some(looks)
}

/// The project as it was read.
fn read_again(asked: &Asked, pipeline: &[u8]) -> Option<Project> {
    let outline = standing::outline(pipeline)?;
    Some(Project {
        root: asked.root.clone(),
        definition: asked.definition.clone(),
        name: outline.name.to_owned(),
        graph: Graph::new(outline.pipeline()?).ok()?,
        loader: None,
        warnings: Vec::new(),
    })
}

fn pipeline_of(place: &Path) -> PathBuf {
    place.with_extension("pipeline")
}

fn ledger_of(place: &Path) -> PathBuf {
    place.with_extension("nodes")
}

/// A run that left everything at rest.
pub struct Rested<'a> {
    /// Its id.
    pub run: &'a str,
    /// What it came to.
    pub rest: &'a Rest,
    /// What was made.
    pub selection: &'a Selection,
    /// Whose bytes were laid out.
    pub materialise: Materialise,
    /// The store.
    pub store: &'a LocalStore,
    /// What it looked at.
    pub witnesses: &'a Witnesses,
}

impl Rested<'_> {
    fn kept(&self, nodes: Vec<(String, u32)>) -> Option<Kept> {
        let rest = self.rest;
        Some(Kept {
            store: self.store.path().to_owned(),
            records: rest.store,
            run: self.run.to_owned(),
            trace: self.store.trace_id(self.run)?,
            planned: rest.planned.clone(),
            counts: rest.counts,
            saved_seconds: rest.saved_seconds,
            notices: rest.notices.clone(),
            nodes,
        })
    }
}

/// Keeps what a run of a part came to, beside what stood before of the others. As [`keep`].
pub fn keep_part(
    asked: &Asked,
    rested: &Rested<'_>,
    project: &Project,
    standing: &Standing,
    part: &Part,
) -> bool {
    let territory = Territory::new(&project.graph);
    let territory = territory.beside(Some(part.remainder.elsewhere.clone()));
    let is_output = |look: &Look| territory.is_output(&asked.root, &look.path);
    let kept = || {
        let snapshot = Snapshot::again(&standing.snapshot)?;
        let entry = standing::ledger_again(&standing.ledger)?;
        let rows = part.rows(&entry, rested.rest)?;
        let run = (rested.run, rested.rest.chain);
        let ledger = standing::write_ledger(&rows, run, &asked.digest, Some(&entry.pipeline))?;
        let mut looks = rested.witnesses.all()?;
        for look in &mut looks {
            // A source of the part may be none of the whole.
            look.declared &= !is_output(look);
        }
        let may = |look: &Look| look.declared || is_output(look);
        let kept = rested.kept(Vec::new())?;
        let touched = &standing.touched.now;
        let snapshot = amend(
            &snapshot,
            &kept,
            &asked.digest,
            &asked.root,
            touched,
            looks,
            may,
        )?;
        Some((ledger, snapshot))
    };
    put(asked, kept())
}

/// Keeps what a run came to that left everything at rest. Only the holder of the workspace's lock may. Nothing
/// is kept, and nothing said, where that is not possible: it costs the next run its time. What stood `before` and was
/// gone by in the run stands on. Whether it is kept.
pub fn keep(asked: &Asked, rested: &Rested<'_>, project: &Project, before: Option<Whole>) -> bool {
    let place = asked.place();
    let (rest, witnesses) = (rested.rest, rested.witnesses);
    let pipeline = match &before {
        Some(before) => Some(before.pipeline),
        None => keep_pipeline(&place, project, rested),
    };
    let territory = LazyCell::new(|| Territory::new(&project.graph));
    let may = |look: &Look| look.declared || territory.is_output(&project.root, &look.path);
    let stands = before.is_none_or(|before| witnesses.adopt(before.looks, may));
    let kept = || {
        if !stands {
            return None;
        }
        let same = project.root == asked.root && project.definition == asked.definition;
        let graph = same.then_some(&project.graph)?;
        let mut ranks = vec![u32::MAX; graph.len()];
        for (rank, node) in rest.hits.iter().enumerate() {
            ranks[node.0 as usize] = rank as u32;
        }
        let nodes = graph.pipeline().nodes.iter().zip(ranks);
        let nodes = nodes.map(|(node, rank)| (node.name.to_string(), rank));
        let kept = rested.kept(nodes.collect())?;
        let (rows, run) = (SheetRows::of(&rest.ledger)?, (rested.run, rest.chain));
        let ledger = standing::write_ledger(&rows, run, &asked.digest, pipeline.as_ref())?;
        let snapshot = format::write(&kept, &asked.digest, &asked.root, witnesses.all()?)?;
        Some((ledger, snapshot))
    };
    put(asked, kept())
}

fn put(asked: &Asked, kept: Option<(Vec<u8>, Vec<u8>)>) -> bool {
    let place = asked.place();
    match kept {
        Some((ledger, snapshot)) => {
            // Of two runs' halves nothing is believed.
            replace(&ledger_of(&place), &ledger) && replace(&place, &snapshot)
        }
        None => {
            forget(asked);
            false
        }
    }
}

/// Keeps a project as it was read; nothing where reading it again would say more than that, or needs somebody.
fn keep_pipeline(place: &Path, project: &Project, rested: &Rested<'_>) -> Option<[u8; 32]> {
    if !project.warnings.is_empty() || project.loader.is_some() {
        return None;
    }
    let reach = Reach::of(&project.graph, rested.selection, rested.materialise)?;
    let (bytes, digest) = standing::write_pipeline(&project.name, project.graph.pipeline(), reach)?;
    replace(&pipeline_of(place), &bytes);
    Some(digest)
}

/// Forgets the answer to a question: what was kept before a run that worked is not right any more, and would be
/// read for nothing.
pub fn forget(asked: &Asked) {
    // What stays is found wrong by its stats.
    let _ = fs::remove_file(asked.place());
    let _ = fs::remove_file(ledger_of(&asked.place()));
    let _ = fs::remove_file(pipeline_of(&asked.place()));
}

/// Under a temporary name first; not synced, for what a power cut tears does not hash to what it says. Whether
/// that was possible: what cannot be kept costs the next run its time.
fn replace(place: &Path, bytes: &[u8]) -> bool {
    let Some(directory) = place.parent() else {
        return false;
    };
    let temporary = place.with_added_extension("tmp");
    let done = fs::create_dir_all(directory)
        .and_then(|()| fs::write(&temporary, bytes))
        .and_then(|()| fs::rename(&temporary, place));
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let mut all: Vec<_> = entries
        .filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())))
        .collect();
    if all.len() > MOST {
        all.sort();
        let old = all.len() - MOST;
        for (_, path) in all.drain(..old) {
            let _ = fs::remove_file(path);
        }
    }
    done.is_ok()
}
