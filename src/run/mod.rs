//! A run: the schedule driven for real, from the plan to the last event.
//!
//! The coordinator owns the schedule and judges; workers execute; everyone tells the bus. It picks no exit
//! code and prints nothing.

pub mod attempt;
mod bus;
mod call;
mod capture;
mod carry;
mod checkpoint;
mod drive;
mod failure;
mod far;
mod fetched;
mod finally;
mod finish;
mod hooks;
mod observed;
mod preflight;
pub mod remainder;
mod render;
mod repeat;
mod repeats;
pub mod resources;
pub mod rest;
mod task;
mod tell;

use std::fmt;
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Instant;

use jalon_remote::Remotes;
use jalon_store::LocalStore;
use jalon_store::error::ReadError;

use self::attempt::{Done, Shop};
use self::bus::{Bus, Known};
use self::remainder::Remainder;
use self::rest::{Basis, Rest};
use crate::action::Ambient;
use crate::event::{Body, Finished, Planned, Problem, Sink, Started, Status};
use crate::graph::{Graph, Selection};
use crate::history::History;
use crate::judge::{self, Judge, Unobserved};
use crate::observe::{Elsewhere, Sight};
use crate::plan::held::Before;
use crate::plan::{self, Plan};
use crate::project::{Machine, Project};
use crate::report::tally::{Summary, Tally};
use crate::schedule::State;
use crate::verdict::Verdict;
use crate::witness::Witnesses;
use crate::worker::lifeline::Lifeline;
use crate::worker::process::{Cancel, Execute};
use crate::workspace::Workspace;
use jalon_conf::pipeline::{ArtifactId, Command, Node, NodeId};

/// Whose bytes are laid out in the project at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Materialise {
    /// Those asked for.
    Targets,
    /// Those of every node that was judged.
    All,
    /// Nothing that did not have to be there for a node.
    None,
}

/// What is asked for.
#[derive(Debug, Clone)]
pub struct Options {
    /// The nodes.
    pub selection: Selection,
    /// The same as it was written.
    pub targets: Vec<String>,
    /// By node: runs whatever is known.
    pub forced: Vec<bool>,
    /// Nodes at once.
    pub jobs: u32,
    /// Start nothing more after a failure.
    pub fail_fast: bool,
    /// Fail rather than run.
    pub locked: bool,
    /// Whose bytes are laid out.
    pub materialise: Materialise,
    /// The hooks of a Kedro project's run are called although nothing runs.
    pub hooks: bool,
}

/// Where a run takes place.
pub struct Setting<'a> {
    /// The project.
    pub project: &'a Project,
    /// The machine.
    pub machine: &'a Machine,
    /// The store.
    pub store: &'a Arc<LocalStore>,
    /// Stores elsewhere, if there are any.
    pub remotes: Option<&'a Remotes>,
    /// The project's files, publishable.
    pub workspace: &'a Workspace,
    /// The machine's part of all keys.
    pub ambient: Ambient,
    /// What executes nodes.
    pub executor: &'a dyn Execute,
    /// The workspace's lock, for the helper that outlives us.
    pub lock: &'a crate::workspace::lock::Lock,
    /// Forced nodes whose earlier outcomes stand: they run only to be compared. Nobody outside is told of such a
    /// run: no hook hears of it, and no `finally` runs.
    pub repeats: Option<&'a Repeats>,
    /// What an earlier run left at rest, where nothing has changed since but what nodes declare to read.
    pub before: Option<Before<'a>>,
    /// The nodes that are not in the project's graph, if it is a part of a pipeline. Only with what is known from
    /// [`Setting::before`], and without remotes.
    pub remainder: Option<&'a Remainder>,
    /// Who hears of every look at the project's files.
    pub witnesses: &'a Witnesses,
    /// What the store's records were before it was opened, if that is known.
    pub store_state: Option<[u8; 32]>,
}

impl Setting<'_> {
    fn elsewhere(&self) -> Option<Arc<Elsewhere>> {
        self.remainder.map(|remainder| remainder.elsewhere.clone())
    }
}

/// What came of a run.
#[derive(Debug)]
pub struct Ended {
    /// What `--json` shows.
    pub summary: Summary,
    /// What the next run will say if nothing changes; nothing where that is not known.
    pub rest: Option<Rest>,
    /// Nodes that were not judged again, see [`plan::held`].
    pub held: usize,
    /// Something ran of which not all is known that it did: it may have changed what it has nothing to do with.
    pub roamed: bool,
}

/// Why there was no run.
#[derive(Debug)]
pub enum RunError {
    /// Sources or code files that are declared and not there.
    Unobserved(Vec<Unobserved>),
    /// Nodes that ask for more than the machine has.
    Beyond(Vec<resources::Beyond>),
    /// Inputs that nobody has, and the nodes that were not chosen and would make them.
    OutOfReach(Vec<(NodeId, ArtifactId)>),
    /// `--locked`, and these would run.
    Locked(Vec<NodeId>),
    /// A part of a pipeline needs more than that.
    Whole,
    /// Secrets or programs that nodes about to run need.
    Unequipped(Vec<preflight::Lack>),
    /// The store cannot be read.
    Store(ReadError),
    /// A remote without which nothing is to be done.
    Remote(String),
    /// No descriptor or thread to be had.
    System(std::io::Error),
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RunError::Unobserved(all) => {
                write!(f, "declared inputs that are missing: {}", all.len())
            }
            RunError::Beyond(all) => write!(f, "nodes beyond what this machine has: {}", all.len()),
            RunError::OutOfReach(all) => write!(f, "inputs that nobody has: {}", all.len()),
            RunError::Whole => f.write_str("the pipeline has to be run whole"),
            RunError::Locked(all) => write!(f, "--locked, and nodes that would run: {}", all.len()),
            RunError::Unequipped(all) => {
                write!(f, "secrets or programs that are missing: {}", all.len())
            }
            RunError::Store(error) => error.fmt(f),
            RunError::Remote(error) => f.write_str(error),
            RunError::System(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for RunError {}

impl From<ReadError> for RunError {
    fn from(error: ReadError) -> RunError {
        RunError::Store(error)
    }
}

pub use far::UNAVAILABLE as REMOTE_UNAVAILABLE;
pub use preflight::Lack;
pub use repeats::{Repeated, Repeats};

/// What workers and signals tell the coordinator.
enum Message {
    Done(NodeId, Box<Done>),
    /// Bytes of a hit that are asked for came, or did not.
    Brought(NodeId, bool),
    Interrupt,
}

/// A hold on a run from another thread: for signals.
#[derive(Clone)]
pub struct Control {
    sender: Arc<Mutex<Sender<Message>>>,
    cancel: Arc<Cancel>,
}

impl Control {
    /// The first time asks what runs to end and starts nothing more; the second time kills.
    pub fn interrupt(&self) {
        self.cancel.raise();
        let sender = self
            .sender
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        // A run that is over needs no telling.
        let _ = sender.send(Message::Interrupt);
    }
}

/// A run about to begin.
pub struct Run {
    id: String,
    control: Control,
    receiver: Receiver<Message>,
}

impl Run {
    /// `id` is a ULID.
    ///
    /// # Errors
    /// No descriptor to be had.
    pub fn new(id: String) -> Result<Run, RunError> {
        let (sender, receiver) = channel();
        let cancel = Arc::new(Cancel::new().map_err(RunError::System)?);
        Ok(Run {
            id,
            control: Control {
                sender: Arc::new(Mutex::new(sender)),
                cancel,
            },
            receiver,
        })
    }

    /// Its id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// A hold on it.
    pub fn control(&self) -> Control {
        self.control.clone()
    }

    /// Plans, executes and settles.
    ///
    /// # Errors
    /// See [`RunError`]; nothing has run then.
    pub fn execute(
        self,
        setting: &Setting<'_>,
        options: &Options,
        sinks: Vec<Box<dyn Sink>>,
    ) -> Result<Ended, RunError> {
        setting.witnesses.mark();
        let began = Instant::now();
        if let Some(remotes) = setting.remotes {
            far::require(remotes)?;
        }
        let project = setting.project;
        let graph = &project.graph;
        let beyond = resources::beyond(graph, &options.selection.selected, setting.machine);
        if !beyond.is_empty() {
            return Err(RunError::Beyond(beyond));
        }
        let sight = Sight::new(graph, setting.machine, setting.workspace, setting.store)
            .reaching(setting.remotes)
            .beside(setting.elsewhere());
        let selected = &options.selection.selected;
        let observations = judge::observe(graph, selected, &sight, setting.ambient.clone())
            .map_err(RunError::Unobserved)?;
        let judge = Judge::new(graph, &sight, &observations);
        let history = History::before(setting.store, &project.name, &self.id);
        let inputs = plan::Inputs::new(judge, &options.selection, &options.forced, &history)
            .with(setting.before.map(|before| before.ledger));
        let plan = plan::plan(&inputs)?;
        let reused = setting
            .before
            .and_then(|before| tell::referring(&before, setting.remainder, selected, graph, &plan));
        if let Some(remainder) = setting.remainder {
            remainder.suffices(&observations)?;
            setting.remotes.iter().for_each(|it| remainder.note(it));
            // Nobody here could tell of each.
            reused.as_ref().ok_or(RunError::Whole)?;
        }
        let missed = plan::out_of_reach(graph, &plan);
        if !missed.is_empty() {
            return Err(RunError::OutOfReach(missed));
        }
        if options.locked {
            let would = (0..graph.len() as u32).map(NodeId);
            let would: Vec<NodeId> = would
                .filter(|id| matches!(plan.verdicts[id.0 as usize], Verdict::Run | Verdict::Maybe))
                .collect();
            if !would.is_empty() {
                return Err(RunError::Locked(would));
            }
        }
        let lacks = preflight::lacks(project, setting.machine, &plan, judge.interpreter());
        if !lacks.is_empty() {
            return Err(RunError::Unequipped(lacks));
        }
        let counts = setting.remainder.map(|it| (it.counts(), it.saved_seconds));
        let tally = Tally::new(graph).beside(counts.unwrap_or_default());
        let (told, finally) = match setting.repeats {
            None => (
                graph.pipeline().hooks.as_slice(),
                !graph.pipeline().finally.is_empty(),
            ),
            Some(_) => (&[][..], false),
        };
        let (hooks, veto) = hooks::Hooks::start(project, setting.machine, told);
        let mut all: Vec<Box<dyn Sink>> = vec![Box::new(tally.clone()), Box::new(hooks.sink())];
        all.extend(sinks);
        let bus = Bus::new(self.id.clone(), setting.machine.now_ms, all);
        let planned = planned(setting, options, &plan, &history);
        let started = started(&project.root, &planned, options.jobs, setting.machine);
        bus.emit(Body::RunStarted(started));
        let planning = began.elapsed();
        let vetoed = veto.ask(&bus, &planned);
        bus.emit(Body::RunPlanned(planned.clone()));
        for notice in plan::notices(graph, &plan, setting.store) {
            if !options.hooks || notice.code != plan::SILENT {
                bus.notice(&notice.code, notice.text);
            }
        }
        // With nothing to run, nothing needs to be outlived.
        let busy = plan.count(Verdict::Run) + plan.count(Verdict::Maybe) > 0;
        let basis = (busy && setting.before.is_none() && rest::can_rest(graph, options))
            .then(|| Basis::of(&inputs, &plan, setting.witnesses))
            .flatten();
        let lifeline = setting
            .machine
            .program
            .as_ref()
            .filter(|_| busy || finally)
            .and_then(|program| Lifeline::start(program, setting.lock.file()).ok());
        let shop = Shop {
            project,
            machine: setting.machine,
            store: setting.store,
            remotes: setting.remotes,
            clean: OnceLock::new(),
            workspace: setting.workspace,
            judge: &judge,
            bus: &bus,
            cancel: &self.control.cancel,
            executor: setting.executor,
            lifeline,
            mask: preflight::mask(project, setting.machine, setting.remainder),
            repeats: setting.repeats,
            paths: graph
                .pipeline()
                .artifacts
                .iter()
                .map(|_| Mutex::new(()))
                .collect(),
            first_error: Mutex::default(),
            given: Mutex::default(),
        };
        // Of a node of Kedro's it is seen what it asks for.
        let sees_all = |node: &Node| {
            !matches!(node.command, Command::Task(_))
                && node.pass_env.iter().any(|name| name == "*")
        };
        let nodes = &graph.pipeline().nodes;
        if busy && (nodes.iter().any(sees_all) || setting.remainder.is_some_and(|it| it.sees_all)) {
            let text = "stages see the whole environment, but of it only what every node sees counts (LANG, TZ, PYTHONPATH and the like): another variable is not seen to change";
            bus.notice("environment", text);
        }
        let sender = self
            .control
            .sender
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .clone();
        let chain = match (&reused, setting.before) {
            (Some(_), Some(before)) => before.chain + 1,
            _ => 0,
        };
        let mut failed = vetoed.is_some();
        let mut error = vetoed;
        let mut interrupted = false;
        let mut at_rest = false;
        let mut roamed = false;
        if !failed {
            let work = drive::Drive::new(&shop, &inputs, &plan, options, &history);
            let beside = setting.remainder.zip(setting.before);
            let beside = beside.map(|(it, before)| it.told(before.run, names(graph)));
            let ended = work.go(Known { reused, beside }, sender, &self.receiver)?;
            interrupted = ended.interrupted;
            failed = ended.failed;
            error = ended.error.clone();
            roamed = ended.roamed;
            let settled = finish::Settled {
                states: &ended.states,
                contents: &ended.contents,
            };
            let told = match (interrupted, failed) {
                (true, _) => Status::Interrupted,
                (_, true) => Status::Failed,
                _ => Status::Succeeded,
            };
            if let Some(problem) = shop.end_session(told, error.as_ref(), &ended, options.hooks) {
                failed = true;
                error.get_or_insert(problem);
            }
            let whole = !failed && !interrupted;
            let order = finish::settle(&shop, options, &settled, whole);
            at_rest = order.at_rest && ended.states.iter().all(|state| is_idle(*state));
            if let Some(problem) = order.problem {
                failed = true;
                error.get_or_insert(problem);
            }
        }
        if let Err(problem) = setting.store.sync() {
            bus.notice(
                "not-kept",
                format!("what ran may not survive a power cut: {problem}"),
            );
        }
        if let Some(remotes) = setting.remotes
            && let Some(problem) = far::finish(remotes, &bus, &self.control.cancel)
        {
            failed = true;
            error.get_or_insert(problem);
        }
        let status = |failed: bool| match (interrupted, failed) {
            (true, _) => Status::Interrupted,
            (_, true) => Status::Failed,
            _ => Status::Succeeded,
        };
        if finally {
            let so_far = tally.summary(&self.id, status(failed), began.elapsed(), error.as_ref());
            if let Some(problem) = finally::run(&shop, &so_far, began) {
                failed = true;
                error.get_or_insert(problem);
            }
        }
        let (counts, saved_seconds) = tally.counts();
        bus.emit(Body::RunFinished(Finished {
            status: status(failed),
            seconds: began.elapsed().as_secs_f64(),
            counts,
            saved_seconds,
            error: error.clone(),
        }));
        drop(shop);
        let hook_failed = hooks.finish(&bus);
        if hook_failed && !failed {
            failed = true;
            error.get_or_insert(Problem {
                code: "hook".into(),
                message: "a hook that counts failed".into(),
                help: String::new(),
            });
        }
        drop(bus);
        let elapsed = began.elapsed();
        let summary = tally.summary(&self.id, status(failed), elapsed, error.as_ref());
        let succeeded = summary.status == Status::Succeeded;
        // Where some were held, or not even in the graph, going through it again is as cheap as this was.
        let beside = setting.remainder.map_or(0, |it| it.nodes as usize);
        let held = plan.held.iter().flatten().count() + beside;
        let rest = if !succeeded || !rest::can_rest(graph, options) {
            None
        } else if at_rest {
            // What it said besides, the next one may have to say too.
            let lasts = summary.notices.iter().all(|one| one.code == plan::SILENT);
            let state = setting.store_state.filter(|_| lasts);
            state.and_then(|state| rest::of(&inputs, setting.remainder, planned, &plan, state))
        } else if held > 0 || basis.is_some() || rest::is_worth_rehearsing(elapsed, planning) {
            // Whether the store can be read is the next run's affair.
            let rest = rest::rehearse(setting, options, &summary, &plan, basis);
            rest.ok().flatten()
        } else {
            None
        };
        Ok(Ended {
            summary,
            rest: rest.map(|rest| Rest { chain, ..rest }),
            held,
            roamed,
        })
    }
}

/// Whether a node did nothing in this run.
fn is_idle(state: State) -> bool {
    matches!(state, State::Hit | State::Unselected)
}

/// How a run of this process starts.
pub fn started(root: &Path, planned: &Planned, jobs: u32, machine: &Machine) -> Started {
    Started {
        project: planned.project.clone(),
        root: root.display().to_string(),
        env: planned.env.clone(),
        targets: planned.targets.clone(),
        jobs,
        jalon: env!("CARGO_PKG_VERSION").into(),
        host: machine.host.clone(),
        pid: std::process::id(),
        commit: String::new(),
    }
}

fn planned(
    setting: &Setting<'_>,
    options: &Options,
    plan: &Plan,
    history: &History<'_>,
) -> Planned {
    let graph = &setting.project.graph;
    let mut expected = 0.0;
    for (at, verdict) in plan.verdicts.iter().enumerate() {
        if matches!(verdict, Verdict::Run | Verdict::Maybe) {
            let name = graph.node(NodeId(at as u32)).name.to_string();
            expected += history
                .of(&name)
                .earlier
                .first()
                .map_or(0.0, |earlier| earlier.seconds);
        }
    }
    let planned = Planned {
        project: setting.project.name.clone(),
        env: graph.pipeline().env.clone(),
        targets: options.targets.clone(),
        nodes: options
            .selection
            .selected
            .iter()
            .filter(|&&selected| selected)
            .count() as u64,
        hit: plan.count(Verdict::Hit) + plan.count(Verdict::HitRemote),
        run: plan.count(Verdict::Run),
        maybe: plan.count(Verdict::Maybe),
        expected,
    };
    match setting.remainder {
        Some(remainder) => remainder.add_to(planned),
        None => planned,
    }
}

fn names(graph: &Graph) -> Vec<String> {
    let nodes = graph.pipeline().nodes.iter();
    nodes.map(|node| node.name.to_string()).collect()
}
