//! `jalon run`.

use std::io::IsTerminal;

use jalon::event::{Notice, Sink, Status};
use jalon::graph::Selection;
use jalon::plan::held::Before;
use jalon::report::summary::Summary;
use jalon::run::{Ended, Materialise, Options, Run, RunError, Setting};
use jalon::settled::{Asked, Part, Rested, Standing, Whole};
use jalon::trace::{Lost, Trace};
use jalon::workspace::ObserveError;
use jalon::workspace::links::Outside;
use jalon::workspace::lock::Lock;
use jalon_conf::{Diagnostic, Severity};

use super::super::args::{Common, MaterialiseArg, RunArgs};
use super::super::exit::{self, Failure};
use super::super::out;
use super::super::record::Lines;
use super::super::session::{self, Known, Session};
use super::super::{signals, ui};
use super::settled::{self, Asking};

/// Bytes that are hashed again, should it come to that, in less time than it takes to open a database.
const LIGHT: u64 = 64 << 20;

/// Makes the targets.
pub fn run(common: &Common, args: &RunArgs) -> Result<u8, Failure> {
    let asked = settled::ask(common, args);
    let id = ulid::Ulid::generate().to_string();
    let asking = asked
        .as_ref()
        .map(|asked| settled::answer(common, args, asked, &id));
    let (standing, mut lock) = match asking {
        Some(Asking::Answered(answered)) => return answered,
        Some(Asking::Make(known)) => known.unzip(),
        None => (None, None),
    };
    let order = Order {
        common,
        args,
        id: &id,
        asked: asked.as_ref(),
        standing: standing.as_deref(),
    };
    if let Some(code) = order.make_part(&mut lock)? {
        return Ok(code);
    }
    order.make_whole(lock)
}

/// A run that has to be made.
struct Order<'a> {
    common: &'a Common,
    args: &'a RunArgs,
    id: &'a str,
    asked: Option<&'a Asked>,
    /// What an earlier run left at rest.
    standing: Option<&'a Standing>,
}

/// What is kept of a run that came to rest, and of which project.
enum Scope<'a> {
    Part(&'a Part, &'a Standing),
    Whole(Option<Box<Whole>>),
}

impl Scope<'_> {
    fn before(&self) -> Option<Before<'_>> {
        match self {
            Scope::Part(part, _) => Some(part.before()),
            Scope::Whole(whole) => whole.as_deref().map(Whole::before),
        }
    }

    fn part(&self) -> Option<&Part> {
        match self {
            Scope::Part(part, _) => Some(part),
            Scope::Whole(_) => None,
        }
    }
}

impl Order<'_> {
    /// Makes what a change reaches; nothing where the whole pipeline is needed for that.
    fn make_part(&self, lock: &mut Option<Lock>) -> Result<Option<u8>, Failure> {
        let (Some(asked), Some(standing)) = (self.asked, self.standing) else {
            return Ok(None);
        };
        // Who wants to hear of each node is told of it by who knows it.
        if self.common.json || self.args.events.is_some() {
            return Ok(None);
        }
        let Some((project, part)) = standing.part(asked) else {
            return Ok(None);
        };
        if ui::tells_each(self.common, part.remainder.nodes) {
            return Ok(None);
        }
        let files = standing.files(asked);
        let files = Known::Asked(Box::new(move |path| files.get(path)));
        let session = Session::open_with(self.common, true, Some(project), Some(files))?;
        let Some(held) = lock.take() else {
            return Ok(None);
        };
        let scope = Scope::Part(&part, standing);
        let made = self.make(&session, &held, scope);
        *lock = Some(held);
        made
    }

    /// Makes all of it.
    fn make_whole(&self, lock: Option<Lock>) -> Result<u8, Failure> {
        let whole = self.asked.zip(self.standing);
        let mut whole = whole.and_then(|(asked, standing)| standing.whole(asked));
        let known = whole.as_mut().and_then(|whole| whole.project.take());
        // With a project that has to be loaded again the cache was opened for that.
        let files = whole.as_ref().filter(|_| known.is_some());
        let files = files.map(|whole| Known::All(whole.files()));
        let session = Session::open_with(self.common, true, known, files)?;
        let lock = match lock {
            Some(lock) => lock,
            None => session.lock(!self.args.no_wait, &session::about(self.id))?,
        };
        // What Python is to be told of each node is not kept.
        let whole = whole.filter(|_| session.project.loader.is_none());
        let made = self.make(&session, &lock, Scope::Whole(whole.map(Box::new)))?;
        made.ok_or_else(|| refused(&session, RunError::Whole))
    }

    /// Makes it; nothing where it was only a part, and that does not do.
    fn make(
        &self,
        session: &Session,
        lock: &Lock,
        scope: Scope<'_>,
    ) -> Result<Option<u8>, Failure> {
        let (common, args, id) = (self.common, self.args, self.id);
        let workspace = session.own_files(lock)?;
        let options = match scope.part() {
            None => options(session, args, session.select(&args.targets)?)?,
            Some(part) => options(session, args, part.selection.clone())?,
        };
        let remotes = session.remotes(common.offline, args.no_push.then_some(false))?;
        let run = Run::new(id.to_owned()).map_err(|error| refused(session, error))?;
        let signals = signals::forward(run.control());
        let mut sinks: Vec<Box<dyn Sink>> = Vec::new();
        let lost = Lost::default();
        sinks.push(Box::new(Trace::new(&session.store, id, &lost)));
        if let Some(path) = &args.events {
            sinks.push(Box::new(Lines::append(path, &lost)?));
        }
        if !common.json {
            sinks.push(ui::run_sink(common, std::io::stderr().is_terminal()));
        }
        let setting = Setting {
            project: &session.project,
            machine: &session.machine,
            store: &session.store,
            remotes: remotes.as_deref(),
            workspace: &workspace,
            ambient: session.ambient(),
            executor: &jalon::worker::process::Processes,
            lock,
            repeats: None,
            before: scope.before(),
            remainder: scope.part().map(|part| &part.remainder),
            witnesses: &session.witnesses,
            store_state: session.store_state,
        };
        let ended = match run.execute(&setting, &options, sinks) {
            Err(RunError::Whole) => return Ok(None),
            ended => ended.map_err(|error| refused(session, error))?,
        };
        if common.verbose > 0 && ended.held > 0 {
            out::note(format!(
                "note: nothing that {} of the nodes rest on has changed, so they were not looked at again",
                ended.held
            ));
        }
        if let Err(error) = session.store.tidy() {
            out::note(format!("note: the store could not be tidied: {error}"));
        }
        let lost = lost.take();
        let kept = lost.is_empty() && self.keep(session, &options, &ended, scope);
        // What was hashed is kept with that, too.
        if !kept || session.cache.at_stake() > LIGHT {
            session.cache.flush();
        }
        let summary = ended.summary;
        let code = match summary.status {
            Status::Succeeded => exit::DONE,
            Status::Failed if is_of_remote(&summary) => exit::STORE,
            Status::Failed => exit::FAILED,
            Status::Interrupted => 128 + signals.last().unwrap_or(2) as u8,
        };
        finish(code, lost, common.json.then_some(summary)).map(Some)
    }

    /// Keeps what a run came to, for the next time, or forgets what was kept of an earlier one. Whether it is kept.
    fn keep(&self, session: &Session, options: &Options, ended: &Ended, scope: Scope<'_>) -> bool {
        let Some(asked) = self.asked else {
            return false;
        };
        if let (Scope::Part(part, standing), true) = (&scope, ended.roamed) {
            let changed = standing.changed_elsewhere(asked, part);
            if let Some(path) = changed.first() {
                let path = path.strip_prefix(asked.root()).unwrap_or(path);
                out::note(format!(
                    "note: {}, which another node made, was changed meanwhile; run again to have it put right",
                    path.display()
                ));
                jalon::settled::forget(asked);
                return false;
            }
        }
        let Some(rest) = &ended.rest else {
            jalon::settled::forget(asked);
            return false;
        };
        let rested = Rested {
            run: self.id,
            rest,
            selection: &options.selection,
            materialise: options.materialise,
            store: &session.store,
            witnesses: &session.witnesses,
        };
        let project = &session.project;
        match scope {
            Scope::Part(part, standing) => {
                jalon::settled::keep_part(asked, &rested, project, standing, part)
            }
            Scope::Whole(whole) => {
                jalon::settled::keep(asked, &rested, project, whole.map(|it| *it))
            }
        }
    }
}

/// Whether nothing failed but a remote that was required.
fn is_of_remote(summary: &Summary) -> bool {
    let code = summary.error.as_ref().map(|error| error.code.as_str());
    code == Some(jalon::run::REMOTE_UNAVAILABLE)
}

/// The last word of a run that came to this code: what could not be written of it, and the reply, if one is
/// wanted.
pub fn finish(code: u8, lost: Vec<Notice>, reply: Option<Summary>) -> Result<u8, Failure> {
    for notice in &lost {
        out::note(format!("note: {}", notice.text));
    }
    let deaf = lost.iter().any(|notice| notice.code == Lost::EVENTS);
    let code = if code == exit::DONE && deaf {
        exit::STORE
    } else {
        code
    };
    let Some(mut summary) = reply else {
        return Ok(code);
    };
    summary.notices.extend(lost);
    if let Err(untold) = out::line(summary.to_json()) {
        // What became of the run is the first thing to know.
        let exit = if code == exit::DONE {
            untold.exit
        } else {
            code
        };
        return Err(Failure { exit, ..untold });
    }
    Ok(code)
}

fn options(session: &Session, args: &RunArgs, selection: Selection) -> Result<Options, Failure> {
    Ok(Options {
        selection,
        targets: args.targets.clone(),
        forced: session.forced(&args.force)?,
        jobs: args.jobs.unwrap_or(session.machine.cpus),
        fail_fast: args.fail_fast,
        locked: args.locked,
        materialise: materialise(args),
        hooks: args.with_hooks,
    })
}

/// Whose bytes are to be laid out.
pub fn materialise(args: &RunArgs) -> Materialise {
    match args.materialize {
        MaterialiseArg::Targets => Materialise::Targets,
        MaterialiseArg::All => Materialise::All,
        MaterialiseArg::None => Materialise::None,
    }
}

/// Why nothing ran, with its places.
pub fn refused(session: &Session, error: RunError) -> Failure {
    let graph = &session.project.graph;
    let problem =
        |code, message: String, help: &str, at: Option<&jalon_conf::Location>| Diagnostic {
            severity: Severity::Error,
            code,
            message,
            help: (!help.is_empty()).then(|| help.to_owned()),
            spans: at
                .map(|at| (at.clone(), String::new()))
                .into_iter()
                .collect(),
        };
    let (exit, problems) = match error {
        RunError::Unobserved(all) => {
            let each = all.iter().map(|one| {
                let colon = match one.error {
                    ObserveError::Uncallable(..) => "",
                    _ => ":",
                };
                let message = format!("the {} {}{colon} {}", one.what, one.name, one.error);
                let (code, help) = match (&one.error, &one.obtain) {
                    (ObserveError::Outside(_), _) => ("outside", Outside::HELP),
                    (ObserveError::Uncallable(_, help), _) => ("uncallable", help.as_str()),
                    (_, Some(obtain)) => ("missing-input", obtain.as_str()),
                    _ => ("missing-input", "make the file, or correct the path here"),
                };
                problem(code, message, help, Some(&one.at))
            });
            (exit::INVALID, each.collect())
        }
        RunError::Beyond(all) => {
            let each = all.iter().map(|one| {
                let node = graph.node(one.node);
                let (wanted, capacity) = (one.wanted, one.capacity);
                let message = format!(
                    "{} asks for {} = {wanted}, but this machine has {capacity}",
                    node.name, one.pool
                );
                let found_out = matches!(one.pool.as_str(), "cpu" | "mem");
                let help = if found_out || session.machine.pools.contains_key(&one.pool) {
                    "lower it, or overlay it for this machine in an [env.NAME]".to_owned()
                } else {
                    format!("a pool that nobody declared holds 1: JALON_POOLS={}={wanted} says what there is", one.pool)
                };
                problem(
                    "beyond-machine",
                    message,
                    &help,
                    node.resources.at.as_ref().or(Some(&node.at)),
                )
            });
            (exit::INVALID, each.collect())
        }
        RunError::OutOfReach(all) => {
            // Kedro's own words, as for what no node makes.
            let each = all.iter().map(|(node, artifact)| {
                let (node, artifact) = (graph.node(*node), graph.artifact(*artifact));
                let message = format!(
                    "pipeline input(s) {{{}}} not found in the catalog, and no earlier run that is kept made it from what is there now",
                    artifact.name
                );
                let help = format!(
                    "choose {} as well, or register it in the catalog",
                    node.name
                );
                problem("missing-input", message, &help, Some(&node.at))
            });
            (exit::INVALID, each.collect())
        }
        RunError::Locked(all) => {
            let names: Vec<String> = all
                .iter()
                .take(5)
                .map(|id| graph.node(*id).name.to_string())
                .collect();
            let more = if all.len() > 5 {
                format!(" and {} more", all.len() - 5)
            } else {
                String::new()
            };
            let message = format!("--locked, but these would run: {}{more}", names.join(", "));
            (
                exit::LOCKED,
                vec![problem("locked", message, "`jalon plan` says why", None)],
            )
        }
        RunError::Unequipped(all) => {
            let each = all.iter().map(|lack| {
                let message = format!(
                    "{} needs the {} {}, which is not there",
                    lack.node, lack.what, lack.name
                );
                let (code, help) = match lack.what {
                    "secret" => ("missing-secret", "set the variable where jalon is started"),
                    "interpreter" => (
                        "missing-interpreter",
                        "install Python 3, or name one with [pipeline] python",
                    ),
                    _ => (
                        "missing-program",
                        "install it, or give its path relative to the project",
                    ),
                };
                problem(code, message, help, Some(&lack.at))
            });
            (exit::MISSING, each.collect())
        }
        RunError::Whole => {
            let message =
                "the part of the pipeline that changed cannot be run by itself".to_owned();
            (
                exit::STORE,
                vec![problem("whole", message, "run again", None)],
            )
        }
        RunError::Store(error) => return error.into(),
        RunError::Remote(message) => {
            let message = format!("the remote is required and does not answer: {message}");
            let help = "run again when it answers, or set [store] required = false";
            (
                exit::STORE,
                vec![problem(jalon::run::REMOTE_UNAVAILABLE, message, help, None)],
            )
        }
        RunError::System(error) => return error.into(),
    };
    let file = session.project.root.join(&session.project.definition);
    let text = std::fs::read_to_string(file).unwrap_or_default();
    Failure {
        exit,
        problems,
        texts: vec![(session.project.definition.clone(), text)],
    }
}
