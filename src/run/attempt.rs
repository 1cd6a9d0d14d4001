//! One node from start to record: inputs laid out, outputs cleared, attempts made, results taken.
//!
//! Runs on a worker thread. The order is the promise: outputs are removed before, captured only after
//! success, their bytes stored before the record that names them; a failure leaves no record. Knows
//! nothing of the graph's order or of resources.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use jalon_conf::Value;
use jalon_conf::pipeline::{Artifact, ArtifactId, Command, Isolation, Node, NodeId};
use jalon_remote::Remotes;
use jalon_store::LocalStore;
use jalon_store::content::Content;
use jalon_store::digest::BlobDigest;
use jalon_store::outcome::ActionRecord;
use rustc_hash::FxHashMap;

use super::bus::{Bus, Told};
use super::checkpoint::{Checkpoint, Found};
use super::failure::{Failure, failure_of, is_worth_another};
use super::render::{self, Words};
use super::repeats::Repeats;
use crate::event::Body;
use crate::graph::Graph;
use crate::judge::{Judge, Judged, Lookup, is_cached};
use crate::observe::{Rules, Strict, undeclared};
use crate::project::{Machine, Project};
use crate::worker::environment;
use crate::worker::lifeline::Lifeline;
use crate::worker::mask::Mask;
use crate::worker::observed::Look;
use crate::worker::private::write_once;
use crate::worker::process::{self, Cancel, Execute, How};
use crate::worker::trace::Trace;
use crate::worker::transcript::Transcript;
use crate::workspace::{PRIVATE_DIRECTORY, PublishError, Rescued, Workspace};

/// Why an attempt gave nothing.
pub(super) enum Stopped {
    /// It failed.
    Failed(Box<Failure>),
    /// It used outputs of nodes that it only comes after, whose bytes were nowhere.
    Missed(Vec<ArtifactId>),
    /// The run was stopped.
    Cancelled,
}

impl From<Box<Failure>> for Stopped {
    fn from(failure: Box<Failure>) -> Stopped {
        Stopped::Failed(failure)
    }
}

/// Program and arguments, and the environment.
type Invocation = (Vec<OsString>, Vec<(OsString, OsString)>);

/// What all workers of a run share.
pub struct Shop<'a> {
    /// The project.
    pub project: &'a Project,
    /// The machine.
    pub machine: &'a Machine,
    /// The store.
    pub store: &'a LocalStore,
    /// Stores elsewhere.
    pub remotes: Option<&'a Remotes>,
    /// Whether the project's tree has no uncommitted changes, once somebody asked.
    pub clean: OnceLock<Option<bool>>,
    /// The project's files.
    pub workspace: &'a Workspace,
    /// The judge, for a second look once the action is ours.
    pub judge: &'a Judge<'a>,
    /// Where events go.
    pub bus: &'a Bus,
    /// The word to stop.
    pub cancel: &'a Cancel,
    /// What executes.
    pub executor: &'a dyn Execute,
    /// The helper that outlives us.
    pub lifeline: Option<Lifeline>,
    /// Secrets to hide.
    pub mask: Mask,
    /// Nodes that run only to be compared.
    pub repeats: Option<&'a Repeats>,
    /// By artifact: held while its path is being laid out.
    pub paths: Vec<Mutex<()>>,
    /// The first error of a node of Kedro's, as its session told it.
    pub first_error: Mutex<Option<serde_json::Value>>,
    /// What nodes were judged by, for those whose results live in memory only.
    pub given: Mutex<FxHashMap<NodeId, Vec<(ArtifactId, Content)>>>,
}

/// A node to run.
#[derive(Debug, Clone)]
pub struct Job {
    /// Which.
    pub node: NodeId,
    /// What it reads, in the order of [`Graph::reads`].
    pub inputs: Vec<(ArtifactId, Content)>,
    /// The outputs of nodes that it only comes after.
    pub beside: Vec<(ArtifactId, Content)>,
    /// Its recipe.
    pub judged: Judged,
    /// It runs even if its outcome turns out to be known.
    pub whatever: bool,
    /// Seconds it took the last time.
    pub expected: Option<f64>,
}

/// How it went.
#[derive(Debug)]
pub enum Done {
    /// It ran.
    Ran(Box<Ran>),
    /// Another process had made the outcome when its turn came; what it reads undeclared.
    Taken(Arc<ActionRecord>, Vec<String>),
    /// Inputs' bytes are gone.
    Missing(Vec<ArtifactId>),
    /// Its last attempt failed.
    Failed(Box<Failure>),
    /// The run was stopped.
    Cancelled,
}

/// A success.
#[derive(Debug)]
pub struct Ran {
    /// What it gave; kept or not.
    pub record: ActionRecord,
    /// Attempts.
    pub attempts: u32,
    /// Whether the record was kept.
    pub recorded: bool,
    /// What it read without declaring it.
    pub undeclared: Vec<String>,
    /// Why not, where it should have been.
    pub unkept: Option<String>,
}

impl Shop<'_> {
    pub(super) fn graph(&self) -> &Graph {
        &self.project.graph
    }

    /// Runs a node to its end.
    pub fn work(&self, job: &Job) -> Done {
        let node = self.graph().node(job.node);
        let mut flight = None;
        if is_cached(node) && job.judged.state.is_some() && !self.store.is_read_only() {
            flight = match self
                .store
                .flight(&job.judged.weak, &|| self.cancel.raised())
            {
                Ok(Some(flight)) => Some(flight),
                Ok(None) => return Done::Cancelled,
                Err(error) => {
                    self.bus.notice(
                        "no-lock",
                        format!("equal nodes of other runs cannot be waited for: {error}"),
                    );
                    None
                }
            };
            if !job.whatever
                && let Ok(Lookup::Known(record, observed)) =
                    self.judge
                        .find(job.node, &job.judged.weak, &|artifact| job.value(artifact))
            {
                return Done::Taken(record.into(), undeclared(&observed));
            }
        }
        let done = match self.prepare(job, node) {
            Ok(absent) => self.attempts(job, node, &absent),
            Err(done) => done,
        };
        if matches!(done, Done::Failed(_) | Done::Cancelled) {
            self.lay_earlier(job, node);
        }
        drop(flight);
        done
    }

    /// Inputs in place, outputs out of the way. The outputs of nodes that it only comes after and whose bytes
    /// are nowhere: it need not use them.
    fn prepare(&self, job: &Job, node: &Node) -> Result<Vec<ArtifactId>, Done> {
        let failed = |error: PublishError| Done::Failed(error.into());
        let (mut gone, mut absent) = (Vec::new(), Vec::new());
        let (_, of_others) = self.remade(job);
        let all = job.inputs.iter().chain(&of_others).chain(&job.beside);
        for &(id, content) in all {
            let artifact = self.graph().artifact(id);
            if artifact.producer.is_none() {
                continue;
            }
            let _one_at_a_time = self.paths[id.0 as usize]
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            if matches!(self.workspace.held(artifact), Ok(Some(held)) if held == content) {
                continue;
            }
            if !self.bring(&content) {
                let mut needed = job.inputs.iter().chain(&of_others);
                let is_needed = needed.any(|(input, _)| *input == id);
                if is_needed { &mut gone } else { &mut absent }.push(id);
                continue;
            }
            match self.lay(artifact, &content) {
                Ok(()) => {}
                // Damaged or evicted since: the producer makes it again.
                Err(PublishError::Materialise(_)) if !self.store.has_content(&content) => {
                    gone.push(id)
                }
                Err(error) => return Err(failed(error)),
            }
        }
        if !gone.is_empty() {
            return Err(Done::Missing(gone));
        }
        for output in &node.outputs {
            let artifact = self.graph().artifact(output.artifact);
            if artifact.stateful {
                self.workspace.go_on(&artifact.path).map_err(failed)?;
            } else {
                self.rescued(self.workspace.prepare(&artifact.path).map_err(failed)?);
            }
        }
        Ok(absent)
    }

    /// Whether a content's bytes are in the store; they are fetched where that is worth it.
    fn bring(&self, content: &Content) -> bool {
        self.store.has_content(content)
            || self
                .remotes
                .is_some_and(|remotes| remotes.bring(content, false))
    }

    /// Puts an artifact where who reads it looks for it.
    pub(super) fn lay(&self, artifact: &Artifact, content: &Content) -> Result<(), PublishError> {
        if artifact.versions.is_some() {
            self.workspace
                .renew(artifact, content, (self.machine.now_ms)())?;
        } else {
            let laid = self.workspace.lay(&artifact.path, content)?;
            self.rescued(laid.rescued);
        }
        if !artifact.private || artifact.versions.is_some() {
            self.bus.emit(Body::ArtifactMaterialised {
                artifact: artifact.name.to_string(),
                path: artifact.shown().to_owned(),
            });
        }
        Ok(())
    }

    /// What a failed attempt left is taken away; a stateful output holds again what it held.
    fn restore(&self, job: &Job, node: &Node) -> Result<(), PublishError> {
        for output in &node.outputs {
            let artifact = self.graph().artifact(output.artifact);
            let state = job.judged.state.iter().flatten();
            let held = state
                .filter(|(alias, _)| artifact.stateful && *alias == output.alias)
                .find_map(|(_, content)| *content);
            let rescued = match held {
                Some(content) => self.workspace.lay(&artifact.path, &content)?.rescued,
                None => self.workspace.prepare(&artifact.path)?,
            };
            self.rescued(rescued);
        }
        Ok(())
    }

    /// The shell that the caller uses.
    fn shell(&self) -> Option<&OsStr> {
        let shell = self.machine.variables.get(OsStr::new("SHELL"));
        shell.map(|shell| shell.as_os_str())
    }

    /// Says how to get back what had to be moved out of the way.
    pub fn rescued(&self, rescued: Option<Rescued>) {
        if let Some(Rescued { path, content }) = rescued {
            let digest = content.digest_hex();
            let text = format!(
                "{path} held something that no run made; it is kept: jalon get {} -o {path}",
                &digest[..16]
            );
            self.bus.notice("hand-edit-kept", text);
        }
    }

    fn attempts(&self, job: &Job, node: &Node, absent: &[ArtifactId]) -> Done {
        let checkpoint = match self.checkpoint(job, node) {
            Ok(checkpoint) => checkpoint,
            Err(failure) => return Done::Failed(failure),
        };
        let mut attempt = 1;
        loop {
            let expected = job.expected;
            self.bus.emit(Body::NodeStarted {
                node: node.name.to_string(),
                attempt,
                expected,
            });
            let failure = match self.attempt(job, node, absent) {
                Ok(ran) => {
                    if let Some(checkpoint) = &checkpoint {
                        checkpoint.done();
                    }
                    return Done::Ran(Box::new(Ran {
                        attempts: attempt,
                        ..ran
                    }));
                }
                Err(Stopped::Cancelled) => return Done::Cancelled,
                Err(Stopped::Missed(missed)) => return Done::Missing(missed),
                Err(Stopped::Failed(mut failure)) => {
                    failure.attempts = attempt;
                    failure
                }
            };
            if attempt > node.retries.max
                || !is_worth_another(node, &failure)
                || !self.pause(job, node, attempt, &failure)
            {
                return if self.cancel.raised() && failure.problem.code == "cancelled" {
                    Done::Cancelled
                } else {
                    Done::Failed(failure)
                };
            }
            attempt += 1;
        }
    }

    /// Between two attempts: says so, waits, clears what the failed one left. False when there is to be no other.
    fn pause(&self, job: &Job, node: &Node, attempt: u32, failure: &Failure) -> bool {
        let wait = node.retries.wait;
        self.bus.emit(Body::NodeRetrying {
            node: node.name.to_string(),
            attempt,
            error: failure.problem.clone(),
            wait: wait.as_secs_f64(),
        });
        let until = Instant::now() + wait;
        while Instant::now() < until {
            if self.cancel.raised() {
                return false;
            }
            std::thread::sleep(
                Duration::from_millis(20).min(until.saturating_duration_since(Instant::now())),
            );
        }
        !self.cancel.raised() && self.restore(job, node).is_ok()
    }

    fn checkpoint(&self, job: &Job, node: &Node) -> Result<Option<Checkpoint>, Box<Failure>> {
        let Some(path) = &node.checkpoint else {
            return Ok(None);
        };
        let private = self.project.root.join(PRIVATE_DIRECTORY);
        let checkpoint = Checkpoint::new(&self.project.root, &private, path);
        let aside = private.join("aside").join(self.bus.run());
        match checkpoint.prepare(&job.judged.weak, &aside) {
            Ok(Found::SetAside(place)) => {
                let text = format!(
                    "{path} held the checkpoint of another derivation; it is now {}",
                    place.display()
                );
                self.bus.notice("checkpoint-set-aside", text);
            }
            Ok(_) => {}
            Err(error) => {
                return Err(Failure::new(
                    "workspace",
                    format!("cannot prepare {path}: {error}"),
                    "",
                ));
            }
        }
        Ok(Some(checkpoint))
    }

    /// One attempt.
    fn attempt(&self, job: &Job, node: &Node, absent: &[ArtifactId]) -> Result<Ran, Stopped> {
        let (argv, env) = self.command(node)?;
        let spool = self
            .project
            .root
            .join(PRIVATE_DIRECTORY)
            .join("live")
            .join(self.bus.run());
        let mut transcript = Transcript::new(spool.join(format!("{}.out", job.node.0)));
        let sight = self.judge.sight();
        let strict = (node.isolation == Isolation::Strict)
            .then(|| Strict::new(sight, self.graph(), job.node, self.modules(job.node)));
        let (system, ours) = (Rules::system(), sight.rules.ours());
        let trace = Trace {
            system: &system,
            ours: &ours,
            look: strict.as_ref().map_or(sight as &dyn Look, |strict| strict),
        };
        let root = &self.project.root;
        let directory = node
            .directory
            .as_ref()
            .map(|directory| root.join(directory));
        let cwd = directory.as_deref().unwrap_or(root);
        if !cwd.is_dir() {
            let message = format!("there is no directory {} to work in", cwd.display());
            return Err(Failure::new("no-directory", message, "make it").into());
        }
        let request = process::Request {
            argv: &argv,
            cwd,
            env: &env,
            stdin: None,
            timeout: node.timeout,
            mask: &self.mask,
            trace: Shop::traces(node).then_some(&trace),
        };
        let name = node.name.to_string();
        let mut told = Told::new(self.bus, &name);
        let mut live = |stream, bytes: &[u8]| told.push(stream, bytes);
        let ended = match &node.command {
            Command::Task(task) => {
                self.task(job, node, task, &request, &mut transcript, &mut live)?
            }
            _ => self.executor.execute(
                &request,
                self.cancel,
                self.lifeline.as_ref(),
                &mut transcript,
                &mut live,
            ),
        };
        told.end();
        let tail = transcript.tail();
        let transcript = self.keep(transcript);
        let told = |mut failure: Box<Failure>| {
            failure.transcript = transcript;
            failure.tail.clone_from(&tail);
            failure.wall = ended.wall;
            failure
        };
        if matches!(ended.how, How::Cancelled) {
            return Err(Stopped::Cancelled);
        }
        // Before how it ended: what it was refused, or did not find, is why.
        let missed = self.missed(node, absent, &ended.observed);
        if !missed.is_empty() {
            return Err(Stopped::Missed(missed));
        }
        if !matches!(ended.how, How::NotStarted(_)) {
            self.isolated(node, &ended.observed).map_err(&told)?;
        }
        if let Some(failure) = failure_of(node, &argv, &ended) {
            return Err(told(self.in_its_own_words(node, failure)).into());
        }
        self.tell_what_is_not_kept(node);
        let folded = self.fold(job, node, &ended.observed).map_err(&told)?;
        let outputs = self.capture(node).map_err(&told)?;
        if let Some(ran) = self.repeated(job, &outputs) {
            return Ok(ran);
        }
        Ok(self.record(job, node, outputs, transcript, &ended, folded))
    }

    fn command(&self, node: &Node) -> Result<Invocation, Stopped> {
        let graph = self.graph();
        let mut inputs: Vec<Vec<PathBuf>> = Vec::with_capacity(node.inputs.len());
        for input in &node.inputs {
            let mut words = Vec::new();
            for &artifact in &input.artifacts {
                let found = self.workspace.words(graph.artifact(artifact));
                words.extend(found.map_err(|error| Failure::new("input", error.to_string(), ""))?);
            }
            inputs.push(words);
        }
        let outputs: Vec<String> = node
            .outputs
            .iter()
            .map(|output| graph.artifact(output.artifact).path.clone())
            .collect();
        let params = self.params_file(node).map_err(|error| {
            let message = format!("cannot write the parameter file: {error}");
            Failure::new("workspace", message, "")
        })?;
        let call = match &node.command {
            Command::Call(call) => self.call(node, call, &inputs).map_err(|error| {
                let message = format!("the function cannot be called: {error}");
                Failure::new("workspace", message, "")
            })?,
            _ => None,
        };
        let is_call = call.is_some();
        let words = Words {
            inputs: &inputs,
            outputs: &outputs,
            params_file: params.as_deref(),
            shell: self.shell(),
            call,
            run: None,
        };
        let argv = render::argv(&node.command, &words);
        let root = &self.project.root;
        let variables = &self.machine.variables;
        let mut env = environment::of_node(variables, node, root).map_err(|unset| {
            let message = format!("the secret {} is not set", unset.join(", "));
            let help = "set the variable where jalon is started";
            Failure::new("missing-secret", message, help)
        })?;
        if is_call {
            // Else the order of a set of names differs from run to run, and so does what is made of it.
            env.entry("PYTHONHASHSEED".into()).or_insert("0".into());
        }
        self.ask_python(node, &argv, &mut env).map_err(|error| {
            let message = format!("cannot write what is to observe Python: {error}");
            Failure::new("workspace", message, "")
        })?;
        Ok((argv, env.into_iter().collect()))
    }

    /// `{{params.file}}`: named by its content, so that equal subtrees share one and no path is by chance.
    fn params_file(&self, node: &Node) -> std::io::Result<Option<String>> {
        if !render::wants_params_file(&node.command) {
            return Ok(None);
        }
        let json = subtrees(&node.params).to_json();
        let digest = BlobDigest::of(json.as_bytes()).to_string();
        let name = format!("{}.json", &digest[..16]);
        let directory = self.project.root.join(PRIVATE_DIRECTORY).join("params");
        write_once(&directory, &name, json.as_bytes(), self.bus.run())?;
        let path = format!("{PRIVATE_DIRECTORY}/params/{name}");
        Ok(Some(path))
    }
}

/// The declared subtrees in their places: `train.gbm` becomes `{"train": {"gbm": …}}`.
fn subtrees(params: &[(String, Value)]) -> Value {
    let mut all = Value::Table(Vec::new());
    for (path, value) in params {
        let nested = path.rsplit('.').fold(value.clone(), |inner, key| {
            Value::Table(vec![(key.to_owned(), inner)])
        });
        all.merge(nested);
    }
    all
}
