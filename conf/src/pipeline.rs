//! The validated pipeline: what every front end lowers to and everything else reads.
//!
//! All references are resolved, every matrix is expanded, every name is known. It knows nothing
//! of the file it came from except the [`Location`]s kept for messages, and nothing of disk,
//! environment or store: globs are still patterns, secrets are still names.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::diagnostic::Location;
use crate::format::Format;
use crate::name::{Instance, Selector};
use crate::value::Value;

/// Index of an artifact in [`Pipeline::artifacts`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ArtifactId(pub u32);

/// Index of a node in [`Pipeline::nodes`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct NodeId(pub u32);

/// A whole definition, valid as far as can be known without a disk.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Pipeline {
    /// `[pipeline] name`, if given.
    pub name: Option<String>,
    /// The environment this was lowered for (`--env`, default `local`).
    pub env: String,
    /// Targets of a bare run; `None` where `default` is not given.
    pub default: Option<Vec<(Selector, Location)>>,
    /// All parameters, merged from files and `-p`.
    pub params: Value,
    /// What each parameter file (or `-p KEY`) said, in merge order.
    pub params_parts: Vec<(String, Value)>,
    /// `[store]`, merged over all layers.
    pub store: StoreSettings,
    /// `[pipeline] programs`.
    pub programs: Programs,
    /// `[pipeline] caches`: project-relative paths and patterns that belong to tools.
    pub caches: Vec<String>,
    /// `[pipeline] allow_outside`.
    pub allow_outside: bool,
    /// `[pipeline] python`: the interpreter of functions, where one is named.
    pub python: Option<(String, Location)>,
    /// `[pipeline] python_path`: project-relative directories in which the modules of functions are found.
    pub python_path: Vec<String>,
    /// What is known of a project that was loaded by its own interpreter.
    pub loaded: Loaded,
    /// Every artifact instance, sources included.
    pub artifacts: Vec<Artifact>,
    /// Every node instance, in definition order, matrix instances in matrix order.
    pub nodes: Vec<Node>,
    /// `[finally.*]`, in definition order.
    pub finally: Vec<Finally>,
    /// `[[hook]]`, in definition order.
    pub hooks: Vec<Hook>,
}

/// What is known of a Kedro project as a whole.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Loaded {
    /// Modules, by the first part of their names, that are there before a node begins.
    pub modules: Vec<String>,
    /// What its modules read while they were imported, with digests: it counts for every node.
    pub read: Vec<(String, String)>,
    /// Classes with hooks that are called once a run.
    pub run_hooks: Vec<String>,
    /// Hooks are called for nodes that are reused, too.
    pub hooks_on_hit: bool,
    /// Something is asked each time for its version: no look at files tells whether it changed.
    pub asks: bool,
}

impl Pipeline {
    /// The file (or `-p KEY`) that gives the parameter at a dotted path its value: the last that has it.
    pub fn origin_of_param(&self, path: &str) -> Option<&str> {
        let mut parts = self.params_parts.iter().rev();
        parts
            .find(|(_, part)| part.get(path).is_some())
            .map(|(file, _)| file.as_str())
    }
}

/// A named dataset.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Artifact {
    /// Its name with its matrix values: `model[gbm,1]`.
    pub name: Instance,
    /// Project-relative path with `/` between components and no trailing one; for a glob, the pattern.
    pub path: String,
    /// What lies at the path.
    pub shape: Shape,
    /// Its producer, or none for a source.
    pub producer: Option<NodeId>,
    /// Whether the bytes outlive the run.
    pub keep: Keep,
    /// What reports make of it.
    pub kind: Kind,
    /// In which form a function's value lies there; `None` where it has to do with the path itself.
    pub format: Option<Format>,
    /// Its producer goes on from what lies there: it is not removed before a run, and what it held
    /// is part of the key.
    pub stateful: bool,
    /// It lies in jalon's own directory, and only while a node needs it.
    pub private: bool,
    /// A project-relative directory of versions, of which the newest is what the artifact holds
    /// (`DIRECTORY/VERSION/NAME`); what lies at the path is a copy.
    pub versions: Option<String>,
    /// The version that is read, where it is not the newest.
    pub load_version: Option<String>,
    /// For a source written as a pattern: paths (with all below them) that do not count, since others make them.
    pub except: Vec<String>,
    /// How to get it, where that is known: said when it is missing.
    pub obtain: Option<String>,
    /// Where it was declared.
    pub at: Location,
}

impl Artifact {
    /// The path that people know it by.
    #[must_use]
    pub fn shown(&self) -> &str {
        self.versions.as_deref().unwrap_or(&self.path)
    }
}

/// What lies at an artifact's path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Shape {
    /// One file.
    File,
    /// A directory with all that is below it (declared with a trailing `/`).
    Directory,
    /// A source that is written as a pattern: any number of files.
    Glob,
    /// A file or a directory, as found: a source written without a trailing `/` or a wildcard, or an
    /// output whose definition does not say.
    Any,
}

impl Shape {
    /// The form of the value at a path: a directory or a pattern is no one value.
    pub(crate) fn format(self, path: &str) -> Option<Format> {
        match self {
            Shape::File | Shape::Any => Format::of(path),
            Shape::Directory | Shape::Glob => None,
        }
    }
}

/// Whether an output's bytes outlive the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Keep {
    /// In the store (the default).
    Store,
    /// `keep = "run"`: ephemeral.
    Run,
}

/// `kind` of an output: how reports and `diff` read it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// Plain bytes.
    Data,
    /// A JSON, YAML or TOML file of numbers that `diff` and reports compare.
    Metrics,
    /// A picture or a table that reports show.
    Plot,
}

/// One step, matrix already expanded.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Node {
    /// Its name with its matrix values: `train[gbm,1]`.
    pub name: Instance,
    /// What it executes.
    pub command: Command,
    /// `code`: project-relative patterns.
    pub code: Vec<(String, Location)>,
    /// `in`, in declared order.
    pub inputs: Vec<Input>,
    /// `out`, in declared order.
    pub outputs: Vec<Output>,
    /// The declared subtrees of the parameters, by dotted path, sorted.
    pub params: Vec<(String, Value)>,
    /// `env`: hashed.
    pub env: BTreeMap<String, String>,
    /// `pass_env`: visible, not hashed; `*` is every variable.
    pub pass_env: Vec<String>,
    /// `secrets`: visible, never hashed, masked.
    pub secrets: Vec<(String, Location)>,
    /// Variables that hold the place of a project-relative directory, unless the caller has set them; not
    /// hashed, for the same project elsewhere has the same keys.
    pub root_env: Vec<(String, String)>,
    /// Where it runs: a project-relative directory, or the project's own.
    pub directory: Option<String>,
    /// Files that count by [`Node::params`] only, although the command may read them whole: to read
    /// one is no undeclared dependency on its content.
    pub partly_read: Vec<String>,
    /// `after`: order without data.
    pub after: Vec<NodeId>,
    /// `tags`.
    pub tags: Vec<String>,
    /// `group`.
    pub group: Option<String>,
    /// `resources`.
    pub resources: Resources,
    /// `retries`.
    pub retries: Retries,
    /// `timeout`.
    pub timeout: Option<Duration>,
    /// `cache`.
    pub cache: Cache,
    /// `checkpoint`: project-relative directory.
    pub checkpoint: Option<String>,
    /// `undeclared`.
    pub undeclared: Undeclared,
    /// `isolation`.
    pub isolation: Isolation,
    /// Where it was declared (the table header).
    pub at: Location,
}

/// What a node or a `finally` executes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Command {
    /// A string: `sh -ceu`, inserted values quoted.
    Shell(Vec<Piece>),
    /// An array: executed as it is.
    Exec(Vec<Word>),
    /// Commands that go, one after the other until one fails, to the shell that the caller uses
    /// (`$SHELL`, else `/bin/sh`), each to a shell of its own.
    Lines(Vec<String>),
    /// A Python function.
    Call(Call),
    /// A node of a Kedro project.
    Task(Box<Task>),
}

/// A node of a Kedro project, which a process runs that has the project loaded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Task {
    /// Its name in Kedro.
    pub node: String,
    /// The version of Kedro.
    pub kedro: String,
    /// Functions and classes whose code counts, as `module:name`; `module:*` is all of a module.
    pub entries: Vec<String>,
    /// What it is given by which argument, what it gives, and what is bound to its function.
    pub signature: Value,
    /// How each dataset is read and written, by name; without credentials.
    pub definitions: Vec<(String, Value)>,
    /// Modules whose distributions count beside those that the code names.
    pub modules: Vec<String>,
    /// Distributions that count besides.
    pub distributions: Vec<String>,
    /// It may run in a process of its own, beside others.
    pub own_process: bool,
    /// It was not chosen: what it gave is taken from earlier runs, or those that read it are refused.
    pub beyond: bool,
    /// Outputs that are handed on in memory; other nodes save them.
    pub hands_on: Vec<String>,
    /// It saves this output of the Kedro node, which has run, and nothing else.
    pub saves: Option<String>,
    /// Why what it gives cannot be known to be the same again; then it runs each time.
    pub unknown: Vec<String>,
}

/// A Python function that is a node: its arguments are the node's inputs, parameters and matrix values by name,
/// its results the outputs that it does not take as arguments.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Call {
    /// `package.module:function`.
    pub function: String,
    /// Where it was named.
    pub at: Location,
}

/// One element of an array command.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Word {
    /// What the element is made of, in order.
    pub pieces: Vec<Piece>,
    /// The element is exactly one reference to a list: it becomes as many arguments as that has words.
    pub splice: bool,
}

/// A part of a command.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Piece {
    /// Text as written; `vars` in a string command are inserted here already.
    Text(String),
    /// The path(s) of [`Node::inputs`]`[0]` by index.
    Input(usize),
    /// The path of [`Node::outputs`] by index.
    Output(usize),
    /// The words of a parameter, matrix value, environment name or (in an array) `vars` entry.
    Value {
        /// As written, without braces: `params.train.lr`.
        reference: String,
        /// Its text: one word, or several for a list.
        words: Vec<String>,
    },
    /// The path of a JSON file that holds the declared subtrees only.
    ParamsFile,
    /// A fact of the run; in `finally` only.
    Run(RunField),
}

/// `{{run.*}}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum RunField {
    /// `succeeded`, `failed` or `interrupted`.
    Status,
    /// The run's id.
    Id,
    /// The environment's name.
    Env,
    /// Seconds since the run started, with three decimals.
    Seconds,
    /// The first error's message, or empty.
    Error,
}

/// One entry of `in`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Input {
    /// The name under `in.NAME`.
    pub alias: String,
    /// The artifacts bound to it, in stable order; more than one for a fan-in.
    pub artifacts: Vec<ArtifactId>,
    /// Written with a selector: a list even where it has one element.
    pub list: bool,
    /// The path inside its one artifact, a directory, that alone counts.
    pub within: Option<String>,
    /// Where it was written.
    pub at: Location,
}

/// One entry of `out`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Output {
    /// The name under `out.NAME`: the artifact's base name.
    pub alias: String,
    /// The artifact.
    pub artifact: ArtifactId,
}

/// `resources`. `cpu` defaults to 1; any other name is a pool of its own (`gpu`, `licence`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Resources {
    /// Cores; fractions allowed.
    pub cpu: f64,
    /// Bytes of memory, if declared.
    pub mem: Option<u64>,
    /// Named pools and how much of each.
    pub pools: BTreeMap<String, f64>,
    /// Where they were written, if they were.
    pub at: Option<Location>,
}

/// `retries`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Retries {
    /// Further attempts after the first.
    pub max: u32,
    /// Which failures are worth another attempt.
    pub on: Vec<Cause>,
    /// Pause before an attempt.
    pub wait: Duration,
}

/// A cause of failure that may be retried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Cause {
    /// It took longer than `timeout`.
    Timeout,
    /// Killed for want of memory.
    Oom,
    /// Ended by a signal (other than ours).
    Signal,
    /// This exit code.
    Exit(i32),
    /// Any failure.
    Any,
}

/// `cache`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Cache {
    /// Not written: outputs are cached, a node without outputs always runs.
    Default,
    /// `true`: cached even without outputs.
    Yes,
    /// `false`: runs each time it is asked for; in a bare run only where something needs it.
    No,
}

/// `undeclared`: what a read of an undeclared project file does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Undeclared {
    /// Folded into the key.
    Follow,
    /// The same, with a notice.
    Warn,
    /// The node fails.
    Error,
}

/// `isolation`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Isolation {
    /// Reads are observed.
    Trace,
    /// Undeclared reads are refused.
    Strict,
    /// Neither.
    None,
}

/// `[pipeline] programs`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Programs {
    /// Runtimes by version, system utilities by nothing.
    Version,
    /// All by content.
    Content,
}

/// `[finally.*]`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Finally {
    /// Its name.
    pub name: String,
    /// What it executes.
    pub command: Command,
    /// When.
    pub when: When,
    /// Hashed nowhere: it is never cached.
    pub env: BTreeMap<String, String>,
    /// Visible variables.
    pub pass_env: Vec<String>,
    /// Secret variables.
    pub secrets: Vec<(String, Location)>,
    /// Limit.
    pub timeout: Option<Duration>,
    /// Where it was declared.
    pub at: Location,
}

/// `when` of a `finally`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum When {
    /// Always.
    Always,
    /// Only after success.
    Success,
    /// Only after failure or interruption.
    Failure,
}

/// `[[hook]]`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Hook {
    /// Event names; `run.*` and `*` are allowed.
    pub on: Vec<String>,
    /// Program and arguments.
    pub run: Vec<String>,
    /// One process per event, or one for all.
    pub mode: HookMode,
    /// What its failure does.
    pub failure: HookFailure,
    /// Limit (default 30 s; for a stream, the time to end after the last event).
    pub timeout: Duration,
    /// Where it was declared.
    pub at: Location,
}

/// `mode` of a hook.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum HookMode {
    /// One process an event, one object on stdin.
    Each,
    /// One process a run, JSON lines.
    Stream,
}

/// `failure` of a hook.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum HookFailure {
    /// A notice.
    Warn,
    /// The run fails.
    Fail,
}

/// `[store]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StoreSettings {
    /// `path`, if written: relative to the project, or absolute, or with a leading `~/`.
    pub path: Option<String>,
    /// `link`.
    pub link: Link,
    /// `max_size` in bytes.
    pub max_size: Option<u64>,
    /// `remote`: tiers in order.
    pub remote: Vec<(String, Location)>,
    /// `push`.
    pub push: bool,
    /// `required`.
    pub required: bool,
    /// `require`: of `signed`, `traced`, `clean`.
    pub require: Vec<String>,
    /// `trusted_keys`.
    pub trusted_keys: Vec<String>,
    /// `token_env`.
    pub token_env: String,
    /// `headers`.
    pub headers: BTreeMap<String, String>,
    /// `ca`, `client_cert`, `client_key`: paths.
    pub ca: Option<String>,
    /// See `ca`.
    pub client_cert: Option<String>,
    /// See `ca`.
    pub client_key: Option<String>,
}

impl Default for StoreSettings {
    /// What holds where nothing is said.
    fn default() -> Self {
        StoreSettings {
            path: None,
            link: Link::Auto,
            max_size: None,
            remote: Vec::new(),
            push: false,
            required: false,
            require: Vec::new(),
            trusted_keys: Vec::new(),
            token_env: "JALON_REMOTE_TOKEN".into(),
            headers: BTreeMap::new(),
            ca: None,
            client_cert: None,
            client_key: None,
        }
    }
}

/// `[store] link`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Link {
    /// Reflink, else copy.
    Auto,
    /// Read-only hardlinks.
    Hardlink,
    /// Copy always.
    Copy,
}
