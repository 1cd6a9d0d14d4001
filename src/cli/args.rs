//! What may be typed. Parsed here, resolved elsewhere.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Runs data and machine-learning pipelines incrementally: what has not changed is not run again.
#[derive(Debug, Parser)]
#[command(
    name = "jalon",
    version,
    max_term_width = 100,
    disable_help_subcommand = true
)]
pub struct Cli {
    /// What to do
    #[command(subcommand)]
    pub verb: Verb,
    /// What holds for every verb
    #[command(flatten)]
    pub common: Common,
}

/// What holds for every verb.
#[derive(Debug, Clone, Args)]
pub struct Common {
    /// Work as if started in DIR
    #[arg(short = 'C', value_name = "DIR", global = true)]
    pub directory: Option<PathBuf>,
    /// The definition file (default: jalon.toml, dvc.yaml or a Kedro project, found upwards)
    #[arg(long, value_name = "FILE", global = true)]
    pub file: Option<PathBuf>,
    /// The environment whose [env.NAME] overlays the definition
    #[arg(long, value_name = "NAME", default_value = "local", global = true)]
    pub env: String,
    /// Set a parameter, over all files
    #[arg(short = 'p', long = "param", value_name = "KEY=VALUE", global = true, value_parser = key_value)]
    pub set: Vec<(String, String)>,
    /// Answer with one JSON object on stdout
    #[arg(long, global = true)]
    pub json: bool,
    /// Plain lines: no colour, no moving parts
    #[arg(long, global = true)]
    pub plain: bool,
    /// Say only what failed
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Say more: every node, and what nodes print
    #[arg(short, long, action = clap::ArgAction::Count, global = true)]
    pub verbose: u8,
    /// Use no remote store
    #[arg(long, global = true)]
    pub offline: bool,
    /// For Kedro projects
    #[command(flatten)]
    pub kedro: KedroArgs,
}

/// What `kedro run` takes, with its meanings. Lists are divided by commas.
#[derive(Debug, Clone, Default, PartialEq, Args)]
#[command(next_help_heading = "In a Kedro project, as for `kedro run`")]
pub struct KedroArgs {
    /// Pipelines, in place of __default__
    #[arg(long, value_name = "NAMES", value_delimiter = ',', global = true)]
    pub pipelines: Vec<String>,
    /// Nodes from which on
    #[arg(long, value_name = "NODES", value_delimiter = ',', global = true)]
    pub from_nodes: Vec<String>,
    /// Nodes up to which
    #[arg(long, value_name = "NODES", value_delimiter = ',', global = true)]
    pub to_nodes: Vec<String>,
    /// Only these nodes
    #[arg(long, value_name = "NODES", value_delimiter = ',', global = true)]
    pub nodes: Vec<String>,
    /// Datasets from which on
    #[arg(long, value_name = "DATASETS", value_delimiter = ',', global = true)]
    pub from_inputs: Vec<String>,
    /// Datasets up to which
    #[arg(long, value_name = "DATASETS", value_delimiter = ',', global = true)]
    pub to_outputs: Vec<String>,
    /// Nodes with any of these tags
    #[arg(long, value_name = "TAGS", value_delimiter = ',', global = true)]
    pub tags: Vec<String>,
    /// Nodes of these namespaces
    #[arg(long, value_name = "NAMES", value_delimiter = ',', global = true)]
    pub namespaces: Vec<String>,
    /// Parameters: a.b=1,c=x
    #[arg(long, value_name = "KEY=VALUE", value_delimiter = ',', global = true, value_parser = key_value)]
    pub params: Vec<(String, String)>,
    /// Versions of datasets to read: dataset:version
    #[arg(long, value_name = "DATASET:VERSION", value_delimiter = ',', global = true, value_parser = version)]
    pub load_versions: Vec<(String, String)>,
    /// Only what makes missing outputs: right ones or not, as for Kedro
    #[arg(long, global = true)]
    pub only_missing_outputs: bool,
    /// Where the configuration lies
    #[arg(long, value_name = "DIR", global = true)]
    pub conf_source: Option<String>,
    /// The project's interpreter (default: the active environment, .venv, python3)
    #[arg(long, value_name = "PYTHON", global = true)]
    pub python: Option<String>,
}

fn version(text: &str) -> Result<(String, String), String> {
    match text.rsplit_once(':') {
        Some((dataset, version)) if !dataset.is_empty() && !version.is_empty() => {
            Ok((dataset.to_owned(), version.to_owned()))
        }
        _ => Err("write it as dataset:version".into()),
    }
}

fn key_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => {
            Ok((key.trim().to_owned(), value.to_owned()))
        }
        _ => Err("write it as key=value".into()),
    }
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Make the targets; to run again is to resume
    Run(RunArgs),
    /// Show what would run and why; change nothing
    Plan(PlanArgs),
    /// Say field by field why a node would run or was reused
    Explain(ExplainArgs),
    /// Validate everything without running
    Check(CheckArgs),
    /// Show the graph
    Graph(GraphArgs),
    /// List runs, show one, or what a node printed
    Log(LogArgs),
    /// Show where an artifact comes from
    Show(ShowArgs),
    /// Compare two runs
    Diff(DiffArgs),
    /// Take an artifact's bytes out of the store
    Get(GetArgs),
    /// Make a report of a run
    Report(ReportArgs),
    /// Look after the store
    #[command(subcommand)]
    Cache(CacheVerb),
    /// Remove what nothing needs any more
    Gc(GcArgs),
    /// Write a jalon.toml from a dvc.yaml
    Import(ImportArgs),
    /// Detect what is there and write a first jalon.toml
    Init(InitArgs),
    /// Say what works here and what to do about the rest
    Doctor,
    /// Print a completion script
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Write the man pages into a directory
    Man {
        /// The directory
        directory: PathBuf,
    },
    /// Serve pipelines over HTTP
    Serve,
    /// Export to an orchestrator
    Deploy,
}

/// `run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// Artifacts, nodes, model[gbm,*], tag:NAME or paths (default: [pipeline] default, else all)
    pub targets: Vec<String>,
    /// Nodes at once (default: the number of processors)
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub jobs: Option<u32>,
    /// Run this node whatever is known of it
    #[arg(long, value_name = "NODE")]
    pub force: Vec<String>,
    /// Start nothing more after a failure
    #[arg(long)]
    pub fail_fast: bool,
    /// Fail rather than run anything (exit 5)
    #[arg(long)]
    pub locked: bool,
    /// Whose bytes are laid out in the project
    #[arg(long, value_enum, default_value = "targets", value_name = "WHAT")]
    pub materialize: MaterialiseArg,
    /// Append every event to FILE as one line of JSON
    #[arg(long, value_name = "FILE")]
    pub events: Option<PathBuf>,
    /// Exit 75 at once if another run holds the project
    #[arg(long)]
    pub no_wait: bool,
    /// Push nothing to a remote store
    #[arg(long)]
    pub no_push: bool,
    /// Call the hooks of a Kedro project's run although nothing has to run
    #[arg(long)]
    pub with_hooks: bool,
}

/// `--materialize`.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum MaterialiseArg {
    /// Those asked for
    Targets,
    /// Those of every node judged
    All,
    /// None
    None,
}

/// `plan`.
#[derive(Debug, Args)]
pub struct PlanArgs {
    /// As for run
    pub targets: Vec<String>,
    /// Exit 5 if there is anything to do
    #[arg(long)]
    pub exit_code: bool,
    /// As for run
    #[arg(long, value_name = "NODE")]
    pub force: Vec<String>,
}

/// `explain`.
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// The node
    pub node: String,
}

/// `check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// Report how the last runs were observed, and what they read undeclared
    #[arg(long)]
    pub trace: bool,
    /// Declare what they read, in the definition
    #[arg(long)]
    pub fix: bool,
    /// Compare installed files with what their distributions say
    #[arg(long, conflicts_with_all = ["trace", "fix", "repeat"])]
    pub deep: bool,
    /// Run these nodes again and compare their outputs byte by byte; the earlier outcomes stand
    #[arg(long, value_name = "NODE", num_args = 1.., conflicts_with_all = ["trace", "fix"])]
    pub repeat: Vec<String>,
}

/// `graph`.
#[derive(Debug, Args)]
pub struct GraphArgs {
    /// As for run
    pub targets: Vec<String>,
    /// Graphviz
    #[arg(long, group = "form")]
    pub dot: bool,
    /// Mermaid
    #[arg(long, group = "form")]
    pub mermaid: bool,
    /// One self-contained page
    #[arg(long, group = "form")]
    pub html: bool,
}

/// `log`.
#[derive(Debug, Args)]
pub struct LogArgs {
    /// A run: its id, the beginning of it, `last` or `last~1`
    pub run: Option<String>,
    /// A node of it: what it printed
    pub node: Option<String>,
    /// At most so many runs
    #[arg(short = 'n', long, default_value = "20")]
    pub most: usize,
}

/// `show`.
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// ARTIFACT or ARTIFACT@RUN
    pub artifact: String,
}

/// `diff`.
#[derive(Debug, Args)]
pub struct DiffArgs {
    /// The earlier run
    pub old: String,
    /// The later run
    #[arg(default_value = "last")]
    pub new: String,
}

/// `get`.
#[derive(Debug, Args)]
pub struct GetArgs {
    /// ARTIFACT, ARTIFACT@RUN or a digest
    pub artifact: String,
    /// Where to (default: its own path; `-` for standard output; a directory, or DIR/, for its name in there)
    #[arg(short, long, value_name = "PATH")]
    pub output: Option<PathBuf>,
}

/// `report`.
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// The run
    #[arg(default_value = "last")]
    pub run: String,
    /// One self-contained page
    #[arg(long, group = "form")]
    pub html: bool,
    /// Chrome's trace format
    #[arg(long, group = "form")]
    pub trace: bool,
    /// JUnit XML
    #[arg(long, group = "form")]
    pub junit: bool,
    /// Markdown
    #[arg(long, group = "form")]
    pub markdown: bool,
    /// Where to (default: standard output)
    #[arg(short, long, value_name = "PATH")]
    pub output: Option<PathBuf>,
}

/// `cache`.
#[derive(Debug, Subcommand)]
pub enum CacheVerb {
    /// What the store holds
    Stats {
        /// Of the remotes: whether they answer, and what they are
        #[arg(long)]
        remote: bool,
    },
    /// Read everything and compare it with its name; damaged things are set aside
    Verify {
        /// On the remotes: whether the results of the last run are there, whole and believed
        #[arg(long)]
        remote: bool,
        /// With --remote: fetch and read their bytes too, instead of asking whether they are there
        #[arg(long, requires = "remote")]
        bytes: bool,
    },
    /// Send results to the remotes: those of the last run, of a run, of artifacts with all before them
    Push {
        /// Runs, artifacts or nodes; none means the last run
        #[arg(value_name = "RUN|TARGET")]
        what: Vec<String>,
        /// Everything that runs which are kept refer to
        #[arg(long, conflicts_with = "what")]
        all: bool,
    },
    /// Fetch results from the remotes: those that a run of the targets would find there
    Pull {
        /// As for `jalon run`
        #[arg(value_name = "TARGET")]
        targets: Vec<String>,
    },
    /// Make a key to sign with what is pushed
    Keygen,
}

/// `gc`.
#[derive(Debug, Args)]
pub struct GcArgs {
    /// Do it (without: only say what would be removed)
    #[arg(long)]
    pub yes: bool,
    /// Keep the store below this size, such as 50GiB
    #[arg(long, value_name = "SIZE")]
    pub max_size: Option<String>,
    /// Forget runs older than this, such as 30d
    #[arg(long, value_name = "AGE")]
    pub max_age: Option<String>,
    /// Exit 75 at once if another jalon uses the store (else: after a minute)
    #[arg(long)]
    pub no_wait: bool,
    /// Keep a run or an artifact whatever happens
    #[arg(long, value_name = "RUN|ARTIFACT")]
    pub pin: Vec<String>,
    /// Take a pin away
    #[arg(long, value_name = "RUN|ARTIFACT")]
    pub unpin: Vec<String>,
}

/// `import`.
#[derive(Debug, Args)]
pub struct ImportArgs {
    /// Print it instead of writing it
    #[arg(long)]
    pub print: bool,
}

/// `init`.
#[derive(Debug, Args)]
pub struct InitArgs {
    /// Print it instead of writing it
    #[arg(long)]
    pub print: bool,
}
