//! The library in this process: a real store, real files, and a stand-in for the processes of nodes.
//!
//! It does what the binary does around a plan and a run, as anyone who embeds the library would. A
//! [`Fault`] breaks it on purpose, for tests of the tests.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use jalon::event::Status;
use jalon::frontend;
use jalon::graph::Selection;
use jalon::history::History;
use jalon::judge::{self, Judge};
use jalon::observe::Sight;
use jalon::project::{Machine, Project};
use jalon::run::{Materialise, Options, Run, Setting};
use jalon::trace::{Lost, Trace};
use jalon::verdict::Verdict;
use jalon::witness::Witnesses;
use jalon::workspace::journal::Journal;
use jalon::workspace::lock::Lock;
use jalon::workspace::{PRIVATE_DIRECTORY, Workspace};
use jalon::{ambient, plan, roots};
use jalon_conf::Selector;
use jalon_remote::place::Place as RemotePlace;
use jalon_remote::{Remotes, Settings};
use jalon_store::digest::BlobDigest;
use jalon_store::index::{self, StatCache, StatId};
use jalon_store::{GcPolicy, LinkMode, LocalStore, Mode};

use crate::definition::{LeftOut, definition};
use crate::edit::Disturbance;
use crate::perform::{self, Performer};
use crate::pipeline::Pipeline;
use crate::place::Place;
use crate::system::{Observed, Request, System};

/// What is wrong with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// It does not count code.
    ForgetsCode,
    /// It does not count parameters.
    ForgetsParams,
    /// It does not count sources.
    ForgetsSources,
    /// It does not count what executions were observed to read.
    ForgetsObservations,
    /// It takes a file for unchanged that has the size and the modification time that it had.
    TrustsTimes,
    /// It executes everything each time.
    RunsAlways,
    /// Its plan is of another moment: before it looked at the project's files.
    PlansAhead,
}

impl Fault {
    /// Whether nobody observes, who would make good what the definition leaves out.
    fn is_blind(self) -> bool {
        use Fault::{ForgetsCode, ForgetsObservations, ForgetsParams, ForgetsSources};
        matches!(
            self,
            ForgetsCode | ForgetsObservations | ForgetsParams | ForgetsSources
        )
    }
}

/// A project, and the library that runs it.
pub struct InProcess {
    fault: Fault,
    left_out: LeftOut,
    place: Place,
    pipeline: Pipeline,
    definition: String,
    /// The stat cache of each checkout, as long as nobody removes it.
    caches: HashMap<PathBuf, Arc<dyn StatCache>>,
    /// What the plan opened, for the run that follows it.
    session: Option<Session>,
    /// For [`Fault::PlansAhead`].
    planned: BTreeMap<String, String>,
    /// Whether what is made is sent to a remote, and looked for there.
    shares: bool,
}

impl InProcess {
    /// An empty project.
    pub fn new(fault: Fault) -> Self {
        let left_out = LeftOut {
            code: fault == Fault::ForgetsCode,
            params: fault == Fault::ForgetsParams,
            sources: fault == Fault::ForgetsSources,
        };
        InProcess {
            fault,
            left_out,
            place: Place::new(),
            pipeline: Pipeline::default(),
            definition: String::new(),
            caches: HashMap::new(),
            session: None,
            planned: BTreeMap::new(),
            shares: false,
        }
    }

    /// An empty project with a remote, which is all that is left when the store is lost.
    pub fn sharing() -> Self {
        InProcess {
            shares: true,
            ..InProcess::new(Fault::None)
        }
    }

    /// An empty project whose definition leaves something out that observing must make good.
    pub fn leaving_out(left_out: LeftOut) -> Self {
        InProcess {
            left_out,
            ..InProcess::new(Fault::None)
        }
    }

    fn open(&mut self, request: &Request) -> Result<Session, String> {
        let root = self.place.directory().to_owned();
        let cache = self.caches.entry(root.clone());
        let cache = cache.or_insert_with(|| match self.fault {
            Fault::TrustsTimes => Arc::new(Gullible::default()),
            _ => index::open(&root.join(PRIVATE_DIRECTORY).join("index"), &root, true).0,
        });
        let mut session = Session::open(&root, &self.place.store(), cache.clone(), request)?;
        if self.shares {
            session.remotes = Some(remote(&self.place.remote(), &session.store)?);
        }
        Ok(session)
    }

    fn try_run(&mut self, request: &Request, performer: &Performer) -> Result<Ran, String> {
        let mut session = match self.session.take() {
            Some(session) if session.request == *request => session,
            _ => self.open(request)?,
        };
        if self.fault == Fault::RunsAlways {
            session.forced.fill(true);
        }
        session.run(performer)
    }
}

impl System for InProcess {
    fn shares(&self) -> bool {
        self.shares
    }

    fn write(&mut self, pipeline: &Pipeline, quietly: bool) {
        self.session = None;
        self.pipeline = pipeline.clone();
        let left_out = self.left_out;
        self.definition = definition(pipeline, left_out, |node| {
            perform::command(pipeline, node, left_out)
        });
        self.place.write(pipeline, self.definition.clone(), quietly);
    }

    fn disturb(&mut self, disturbance: &Disturbance) {
        match disturbance {
            Disturbance::LoseIndex | Disturbance::Move => {
                drop(self.caches.remove(self.place.directory()));
            }
            Disturbance::Collect(all) => {
                let max_size = all.then_some(0);
                let session = self
                    .open(&Request::default())
                    .expect("the project can be read");
                session.collect(max_size).expect("a store can be collected");
            }
            _ => {}
        }
        self.place.disturb(disturbance);
    }

    fn plan(&mut self, request: &Request) -> BTreeMap<String, String> {
        let session = self.open(request);
        let plan = session
            .as_ref()
            .map_err(Clone::clone)
            .and_then(Session::plan);
        self.session = session.ok();
        // A run that cannot begin says why; its plan cannot.
        let plan = plan.unwrap_or_default();
        if self.fault == Fault::PlansAhead {
            let mut ahead = plan.clone();
            ahead.extend(std::mem::replace(&mut self.planned, plan));
            return ahead;
        }
        plan
    }

    fn run(&mut self, request: &Request) -> Observed {
        let performer = Performer::new(!self.fault.is_blind());
        let run = self.try_run(request, &performer);
        let (succeeded, claimed, said) = match run {
            Ok(run) => (run.succeeded, run.claimed, run.said),
            Err(error) => (false, BTreeMap::new(), error),
        };
        Observed {
            succeeded,
            executed: performer.executed(),
            claimed,
            contents: self.place.contents(&self.pipeline),
            transcript: format!("--- jalon.toml\n{}\n--- {said}", self.definition),
        }
    }
}

/// What a run came to.
struct Ran {
    succeeded: bool,
    claimed: BTreeMap<String, String>,
    said: String,
}

/// A project that is open, with what is asked of it.
struct Session {
    project: Project,
    machine: Machine,
    store: Arc<LocalStore>,
    remotes: Option<Remotes>,
    cache: Arc<dyn StatCache>,
    selection: Selection,
    forced: Vec<bool>,
    request: Request,
}

impl Session {
    fn open(
        root: &Path,
        store: &Path,
        cache: Arc<dyn StatCache>,
        request: &Request,
    ) -> Result<Session, String> {
        let source = frontend::Source {
            from: root.to_owned(),
            env: "local".into(),
            version: env!("CARGO_PKG_VERSION").into(),
            ..frontend::Source::default()
        };
        let bench = frontend::Bench::new(machine(), None, true);
        let project = frontend::load(&source, &Arc::new(Witnesses::off()), &bench)
            .map_err(|error| format!("{error:#?}"))?;
        let store =
            Arc::new(LocalStore::open(store, Mode::Auto).map_err(|error| error.to_string())?);
        let graph = &project.graph;
        let selector = |node: &usize| Selector::parse(&format!("n{node}"));
        let missed = |missed| format!("{missed:?}");
        let selection = if request.targets.is_empty() {
            graph.default_selection().map_err(missed)?
        } else {
            let targets: Result<Vec<_>, _> = request
                .targets
                .iter()
                .map(|node| Ok((selector(node)?, None)))
                .collect();
            let targets = targets.map_err(|why: String| why)?;
            graph.select(targets).map_err(missed)?
        };
        let mut forced = vec![false; graph.len()];
        for node in &request.forced {
            for id in graph.nodes_matching(&selector(node)?) {
                forced[id.0 as usize] = true;
            }
        }
        Ok(Session {
            machine: machine(),
            project,
            store,
            remotes: None,
            cache,
            selection,
            forced,
            request: request.clone(),
        })
    }

    fn workspace(&self, journal: Option<Journal>) -> Workspace {
        let (root, store, cache) = (
            self.project.root.clone(),
            self.store.clone(),
            self.cache.clone(),
        );
        Workspace::new(root, store, cache, LinkMode::Auto, journal)
    }

    fn ambient(&self) -> jalon::action::Ambient {
        ambient::observe(
            &self.project.root,
            &self.machine,
            &self.store,
            &*self.cache,
            true,
        )
    }

    fn plan(&self) -> Result<BTreeMap<String, String>, String> {
        let (graph, workspace) = (&self.project.graph, self.workspace(None));
        let sight = Sight::new(graph, &self.machine, &workspace, &self.store)
            .reaching(self.remotes.as_ref());
        let observations = judge::observe(graph, &self.selection.selected, &sight, self.ambient())
            .map_err(|missed| format!("{missed:?}"))?;
        let judge = Judge::new(graph, &sight, &observations);
        let history = History::new(&self.store, &self.project.name);
        let plan = plan::plan(&plan::Inputs::new(
            judge,
            &self.selection,
            &self.forced,
            &history,
        ));
        let plan = plan.map_err(|error| error.to_string())?;
        let nodes = graph.pipeline().nodes.iter().zip(&plan.verdicts);
        Ok(nodes
            .map(|(node, verdict)| {
                let verdict = if verdict.is_hit() {
                    Verdict::Hit
                } else {
                    *verdict
                };
                (node.name.to_string(), verdict.word().to_owned())
            })
            .collect())
    }

    fn run(self, performer: &Performer) -> Result<Ran, String> {
        let private = self.project.root.join(PRIVATE_DIRECTORY);
        std::fs::create_dir_all(&private).map_err(|error| error.to_string())?;
        let lock =
            Lock::take(&private.join("lock"), "").map_err(|refused| format!("{refused:?}"))?;
        let journal = Journal::open(&private.join("journal")).map_err(|error| error.to_string())?;
        let workspace = self.workspace(Some(journal));
        let id = ulid::Ulid::generate().to_string();
        let setting = Setting {
            repeats: None,
            project: &self.project,
            machine: &self.machine,
            store: &self.store,
            remotes: self.remotes.as_ref(),
            workspace: &workspace,
            ambient: self.ambient(),
            executor: performer,
            lock: &lock,
            remainder: None,
            witnesses: &Witnesses::off(),
            before: None,
            store_state: None,
        };
        let options = Options {
            selection: self.selection.clone(),
            targets: self
                .request
                .targets
                .iter()
                .map(|node| format!("n{node}"))
                .collect(),
            forced: self.forced.clone(),
            jobs: 2,
            fail_fast: false,
            locked: false,
            materialise: Materialise::Targets,
            hooks: false,
        };
        let trace = Box::new(Trace::new(&self.store, &id, &Lost::default()));
        let run = Run::new(id).map_err(|error| error.to_string())?;
        let ended = run
            .execute(&setting, &options, vec![trace])
            .map_err(|error| error.to_string())?;
        let summary = ended.summary;
        self.cache.flush();
        self.store.tidy().map_err(|error| error.to_string())?;
        let said = summary.to_json();
        let nodes = said["nodes"].as_array().into_iter().flatten();
        let told = nodes.map(|node| {
            let name = node["name"].as_str().unwrap_or_default();
            (
                name,
                node["status"].as_str().unwrap_or_default(),
                &node["reason"],
            )
        });
        let mut ran = Ran {
            succeeded: summary.status == Status::Succeeded,
            claimed: BTreeMap::new(),
            said: format!("error: {}\nnotices: {}\n", said["error"], said["notices"]),
        };
        for (name, status, reason) in told {
            let status = if status == "fetched" { "hit" } else { status };
            ran.claimed.insert(name.to_owned(), status.to_owned());
            ran.said += &format!("{name} {status} {reason}\n");
        }
        Ok(ran)
    }

    fn collect(&self, max_size: Option<u64>) -> Result<(), String> {
        let roots = || roots::roots(&self.store, None);
        // Another thread's scenario may have forked a moment ago: until it executes, its child shares every open
        // file of this process, the lease of a session that is closed by now among them. Whoever keeps one open
        // for good is still found.
        let began = Instant::now();
        let impatient = || began.elapsed() > Duration::from_secs(20);
        let collected = self.store.gc(roots, GcPolicy { max_size }, &impatient);
        collected.map(drop).map_err(|error| error.to_string())
    }
}

fn remote(directory: &Path, store: &Arc<LocalStore>) -> Result<Remotes, String> {
    let address = format!("file://{}", directory.display());
    let place = RemotePlace::parse(&address).map_err(|bad| bad.message)?;
    let settings = Settings {
        places: vec![place],
        push: true,
        ..Settings::default()
    };
    Remotes::open(settings, store.clone()).map_err(|fault| fault.message)
}

fn machine() -> Machine {
    let path = std::env::var_os("PATH").unwrap_or_default();
    Machine {
        variables: BTreeMap::from([("PATH".into(), path)]),
        host: "host".into(),
        cpus: 2,
        memory: None,
        pools: BTreeMap::new(),
        platform: ["linux".into(), "any".into(), "any".into()],
        // Nothing is started that could outlive us.
        program: None,
        now_ms: || {
            let since = SystemTime::now().duration_since(UNIX_EPOCH);
            since.map_or(0, |since| since.as_millis() as u64)
        },
    }
}

/// A stat cache that looks at size and modification time only.
#[derive(Debug, Default)]
struct Gullible {
    entries: Mutex<HashMap<PathBuf, (StatId, BlobDigest)>>,
}

impl StatCache for Gullible {
    fn get(&self, path: &Path, id: &StatId) -> Option<BlobDigest> {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let (known, digest) = entries.get(path)?;
        (known.size == id.size && known.mtime_ns == id.mtime_ns).then_some(*digest)
    }

    fn put(&self, path: &Path, id: StatId, digest: BlobDigest, _: i128) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.insert(path.to_owned(), (id, digest));
    }

    fn flush(&self) {}

    fn is_settled(&self, _: &StatId, _: i128) -> bool {
        true
    }
}
