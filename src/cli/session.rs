//! What a verb works with: the machine as it is, the project, its store and its files.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jalon::action::Ambient;
use jalon::frontend::{self, Bench, Kedro, LoadError};
use jalon::graph::{NoMatch, Selection};
use jalon::project::{Machine, Project};
use jalon::witness::{Recording, Witnesses};
use jalon::workspace::journal::Journal;
use jalon::workspace::lock::{Lock, Refused};
use jalon::workspace::{PRIVATE_DIRECTORY, Workspace};
use jalon_conf::pipeline::{Isolation, Link};
use jalon_conf::{Diagnostic, Selector, Severity};
use jalon_store::digest::BlobDigest;
use jalon_store::index::{Ask, Primed, StatCache, StatId};
use jalon_store::{Glance, LinkMode, LocalStore};

use super::args::Common;
use super::exit::{self, Failure};
use super::out;

/// The variable that names the store, over the definition.
const STORE: &str = "JALON_STORE";

/// The variable that says what the machine has of named pools.
const POOLS: &str = "JALON_POOLS";

/// What is known of files without looking at them.
pub enum Known {
    /// Of so many, their digests.
    All(Vec<(PathBuf, StatId, BlobDigest)>),
    /// Somebody is asked for each.
    Asked(Ask),
}

/// A project with its store.
pub struct Session {
    /// What jalon was started with.
    pub machine: Machine,
    /// The project.
    pub project: Project,
    /// Its store.
    pub store: Arc<LocalStore>,
    /// What was digested before.
    pub cache: Arc<dyn StatCache>,
    /// The same, for what nodes declare to read.
    declared: Arc<dyn StatCache>,
    /// Who hears of every look at the project's files, where it is opened for writing.
    pub witnesses: Arc<Witnesses>,
    /// What the store's records were before it was opened, where there was one.
    pub store_state: Option<[u8; 32]>,
}

/// Reads the project that is meant.
pub fn project(
    common: &Common,
    witnesses: &Arc<Witnesses>,
    bench: &Bench,
) -> Result<Project, Failure> {
    frontend::load(&source(common)?, witnesses, bench).map_err(not_loaded)
}

/// What reading a project may need.
pub fn bench(write: bool) -> Bench {
    Bench::new(machine(), named_store(), write)
}

/// The same, as if its definition held another text.
pub fn project_as(common: &Common, path: &Path, text: String) -> Result<Project, Failure> {
    let nobody = Arc::new(Witnesses::off());
    frontend::native::load_text(&source(common)?, path, text, &nobody).map_err(not_loaded)
}

/// What others are told of who holds a project's lock.
pub fn about(run: &str) -> String {
    format!("process {}, run {run}", std::process::id())
}

/// What is to be read.
pub fn source(common: &Common) -> Result<frontend::Source, Failure> {
    let from = common
        .directory
        .clone()
        .unwrap_or_else(|| PathBuf::from("."));
    if !from.is_dir() {
        return Err(Failure::new(
            exit::USAGE,
            "no-directory",
            format!("there is no directory {}", from.display()),
        ));
    }
    let asked = common.kedro.clone();
    Ok(frontend::Source {
        from,
        file: common.file.clone(),
        user: user_settings(),
        env: common.env.clone(),
        set: common.set.iter().chain(&asked.params).cloned().collect(),
        version: env!("CARGO_PKG_VERSION").into(),
        python: asked.python,
        kedro: Kedro {
            pipelines: asked.pipelines,
            from_nodes: asked.from_nodes,
            to_nodes: asked.to_nodes,
            nodes: asked.nodes,
            from_inputs: asked.from_inputs,
            to_outputs: asked.to_outputs,
            tags: asked.tags,
            namespaces: asked.namespaces,
            load_versions: asked.load_versions,
            conf_source: asked.conf_source,
            only_missing_outputs: asked.only_missing_outputs,
        },
    })
}

fn user_settings() -> Option<PathBuf> {
    config_directory().map(|directory| directory.join("config.toml"))
}

/// `$XDG_CONFIG_HOME/jalon`, else `~/.config/jalon`.
pub fn config_directory() -> Option<PathBuf> {
    let base = std::env::var_os("XDG_CONFIG_HOME")
        .filter(|path| !path.is_empty())
        .map(PathBuf::from);
    base.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".config")))
        .map(|base| base.join("jalon"))
}

/// The words of what loads a project, as those that are known.
fn known_code(code: &str) -> &'static str {
    let known = [
        "kedro-only",
        "missing-interpreter",
        "no-kedro",
        "missing-package",
        "unsupported-kedro",
        "selection",
        "store",
        "description",
        "interrupted",
    ];
    known.into_iter().find(|it| *it == code).unwrap_or("load")
}

/// Why there is no project, with its exit code.
pub fn not_loaded(error: LoadError) -> Failure {
    match error {
        LoadError::NotFound { from, others } => {
            let failure = Failure::new(
                exit::INVALID,
                "no-definition",
                format!(
                    "there is neither a jalon.toml nor a dvc.yaml nor a Kedro project in {} or above",
                    from.display()
                ),
            );
            match others.first() {
                Some(other) => failure.help(format!(
                    "`jalon init` writes a first one; {other} was seen here"
                )),
                None => failure.help("`jalon init` writes a first one"),
            }
        }
        LoadError::Refused(refusal) => {
            let exit = match refusal.code.as_str() {
                "kedro-only" => exit::USAGE,
                "missing-interpreter" | "no-kedro" | "missing-package" => exit::MISSING,
                "store" => exit::STORE,
                _ => exit::INVALID,
            };
            Failure::new(exit, known_code(&refusal.code), refusal.message).help(refusal.help)
        }
        LoadError::Io(path, error) => Failure::new(
            exit::INVALID,
            "unreadable",
            format!("cannot read {}: {error}", path.display()),
        ),
        LoadError::Invalid { diagnostics, texts } => Failure {
            exit: exit::INVALID,
            problems: diagnostics,
            texts,
        },
    }
}

impl Session {
    /// The project, its store and the stat cache. `write` makes the store where there is none.
    pub fn open(common: &Common, write: bool) -> Result<Session, Failure> {
        Session::open_with(common, write, None, None)
    }

    /// The same, where the project is known already, or what its files are.
    pub fn open_with(
        common: &Common,
        write: bool,
        known: Option<Project>,
        files: Option<Known>,
    ) -> Result<Session, Failure> {
        let witnesses = Arc::new(if write {
            Witnesses::default()
        } else {
            Witnesses::off()
        });
        let bench = bench(write);
        let project = match known {
            Some(known) => known,
            None => project(common, &witnesses, &bench)?,
        };
        let machine = bench.machine.clone();
        let path = store_path(&project);
        let private = project.root.join(PRIVATE_DIRECTORY);
        if write {
            make_private(&private);
        }
        let store_state = Glance::at(&path).and_then(|glance| glance.state().ok());
        let store = bench.store(&path)?;
        let (cache, note) = match files {
            None => bench.cache(&private, &project.root),
            Some(known) => {
                let (index, root) = (private.join("index"), project.root.clone());
                let open = move || jalon_store::index::open(&index, &root, write).0;
                let primed = match known {
                    Known::All(files) => Primed::new(files, &private, open),
                    Known::Asked(ask) => Primed::new([], &private, open).asking(ask),
                };
                (Arc::new(primed) as Arc<dyn StatCache>, None)
            }
        };
        if let (Some(note), true) = (note, common.verbose > 0) {
            out::note(format!("note: {note}"));
        }
        let recording = || Recording::new(cache.clone(), witnesses.clone());
        let (declared, cache) = (Arc::new(recording().at_declared()), Arc::new(recording()));
        Ok(Session {
            machine,
            project,
            store,
            cache,
            declared,
            witnesses,
            store_state,
        })
    }

    /// The project's files, to be looked at only.
    pub fn files(&self) -> Workspace {
        self.workspace(None)
    }

    /// The project's files, to be changed by the holder of the lock.
    pub fn own_files(&self, _lock: &Lock) -> Result<Workspace, Failure> {
        let path = self.project.root.join(PRIVATE_DIRECTORY).join("journal");
        let journal = Journal::open(&path).map_err(|error| {
            Failure::new(
                exit::STORE,
                "journal",
                format!("cannot open {}: {error}", path.display()),
            )
        })?;
        let workspace = self.workspace(Some(journal));
        workspace.tidy();
        Ok(workspace)
    }

    fn workspace(&self, journal: Option<Journal>) -> Workspace {
        let link = match self.project.graph.pipeline().store.link {
            Link::Auto => LinkMode::Auto,
            Link::Hardlink => LinkMode::Hardlink,
            Link::Copy => LinkMode::Copy,
        };
        Workspace::new(
            self.project.root.clone(),
            self.store.clone(),
            self.cache.clone(),
            link,
            journal,
        )
        .declared_through(self.declared.clone())
        .allow_outside(self.project.graph.pipeline().allow_outside)
    }

    /// The lock on the project's files; waits for it unless told not to.
    pub fn lock(&self, wait: bool, about: &str) -> Result<Lock, Failure> {
        let path = self.project.root.join(PRIVATE_DIRECTORY).join("lock");
        let mut said = false;
        loop {
            match Lock::take(&path, about) {
                Ok(lock) => return Ok(lock),
                Err(Refused::Held(holder)) if !wait => {
                    let message =
                        format!("another jalon works in this project ({})", holder.trim());
                    return Err(Failure::new(exit::HELD, "held", message)
                        .help("wait for it, or run without --no-wait"));
                }
                Err(Refused::Held(holder)) => {
                    if !said {
                        out::note(format!(
                            "waiting for another jalon in this project ({})",
                            holder.trim()
                        ));
                        said = true;
                    }
                    std::thread::sleep(std::time::Duration::from_millis(50));
                }
                Err(Refused::Io(error)) => {
                    let message = format!("cannot lock {}: {error}", path.display());
                    return Err(Failure::new(exit::STORE, "lock", message));
                }
            }
        }
    }

    /// The machine's part of all keys.
    pub fn ambient(&self) -> Ambient {
        let nodes = &self.project.graph.pipeline().nodes;
        let unseen = nodes.iter().any(|node| node.isolation == Isolation::None);
        let (root, machine) = (&self.project.root, &self.machine);
        jalon::ambient::observe(root, machine, &self.store, &*self.cache, unseen)
    }

    /// The nodes that targets mean; none means the default ones.
    pub fn select(&self, targets: &[String]) -> Result<Selection, Failure> {
        let graph = &self.project.graph;
        if targets.is_empty() {
            return graph
                .default_selection()
                .map_err(|missed| no_match(&missed, exit::INVALID));
        }
        let selectors = targets.iter().map(|target| self.meant(target));
        let selectors: Vec<_> = selectors.collect::<Result<_, _>>()?;
        let selectors = selectors.into_iter().map(|selector| (selector, None));
        graph
            .select(selectors)
            .map_err(|missed| no_match(&missed, exit::NO_MATCH))
    }

    /// A target as typed; in a part of a DVC project its own stages come first.
    fn meant(&self, text: &str) -> Result<Selector, Failure> {
        let near = Selector::Path(format!("{}:{text}", self.project.definition));
        let is_part = self.project.definition.ends_with("/dvc.yaml");
        if is_part && !self.project.graph.nodes_matching(&near).is_empty() {
            return Ok(near);
        }
        selector(text)
    }

    /// By node: forced.
    pub fn forced(&self, names: &[String]) -> Result<Vec<bool>, Failure> {
        let graph = &self.project.graph;
        let mut forced = vec![false; graph.len()];
        for name in names {
            let nodes = graph.nodes_matching(&self.meant(name)?);
            if nodes.is_empty() {
                let missed = NoMatch {
                    target: name.clone(),
                    nearest: None,
                    at: None,
                };
                return Err(no_match(&[missed], exit::NO_MATCH));
            }
            nodes
                .into_iter()
                .for_each(|node| forced[node.0 as usize] = true);
        }
        Ok(forced)
    }
}

/// A target as typed.
pub fn selector(text: &str) -> Result<Selector, Failure> {
    Selector::parse(text)
        .map_err(|why| Failure::new(exit::USAGE, "bad-target", format!("`{text}`: {why}")))
}

/// A failure for targets that nothing answers to.
pub fn no_match(missed: &[NoMatch], exit: u8) -> Failure {
    let problems = missed.iter().map(|missed| Diagnostic {
        severity: Severity::Error,
        code: "no-match",
        message: format!("nothing is called `{}`", missed.target),
        help: Some(match &missed.nearest {
            Some(nearest) => format!("did you mean `{nearest}`?"),
            None => "`jalon graph` shows what there is".to_owned(),
        }),
        spans: missed
            .at
            .clone()
            .map(|at| (at, String::new()))
            .into_iter()
            .collect(),
    });
    Failure {
        exit,
        problems: problems.collect(),
        texts: Vec::new(),
    }
}

/// `.jalon` with a note to git; what cannot be made now fails where it is needed.
fn make_private(private: &Path) {
    let ignore = private.join(".gitignore");
    if std::fs::create_dir_all(private).is_ok() && !ignore.exists() {
        let _ = std::fs::write(ignore, "*\n");
    }
}

/// What `$JALON_STORE` says.
pub fn named_store() -> Option<OsString> {
    std::env::var_os(STORE).filter(|path| !path.is_empty())
}

/// `$JALON_STORE`, else what the definition says, else `.jalon/store`.
fn store_path(project: &Project) -> PathBuf {
    let path = named_store().map(PathBuf::from).unwrap_or_else(|| {
        project
            .graph
            .pipeline()
            .store
            .path
            .clone()
            .unwrap_or_else(|| format!("{PRIVATE_DIRECTORY}/store"))
            .into()
    });
    match (path.strip_prefix("~"), std::env::var_os("HOME")) {
        (Ok(rest), Some(home)) => PathBuf::from(home).join(rest),
        _ => project.root.join(path),
    }
}

/// The machine as it is.
pub fn machine() -> Machine {
    let mut pools = BTreeMap::new();
    let gpus = std::fs::read_dir("/dev")
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| {
            let name = entry.file_name();
            name.to_str()
                .and_then(|name| name.strip_prefix("nvidia"))
                .is_some_and(|rest| rest.parse::<u32>().is_ok())
        });
    let gpus = gpus.count();
    if gpus > 0 {
        pools.insert("gpu".to_owned(), gpus as f64);
    }
    pools.extend(declared_pools());
    let libc = if cfg!(target_env = "musl") {
        "musl"
    } else if cfg!(target_os = "linux") {
        "gnu"
    } else {
        ""
    };
    Machine {
        variables: std::env::vars_os().collect(),
        host: rustix::system::uname()
            .nodename()
            .to_string_lossy()
            .into_owned(),
        cpus: std::thread::available_parallelism().map_or(1, |count| count.get() as u32),
        memory: memory(),
        pools,
        platform: [
            std::env::consts::OS.into(),
            std::env::consts::ARCH.into(),
            libc.into(),
        ],
        program: std::env::current_exe().ok(),
        now_ms,
    }
}

/// `JALON_POOLS=gpu=2,licence=4`: what this machine has of pools that cannot be found out.
fn declared_pools() -> BTreeMap<String, f64> {
    let text = std::env::var(POOLS).unwrap_or_default();
    let entries = text.split(',').filter_map(|entry| entry.split_once('='));
    entries
        .filter_map(|(name, count)| {
            Some((name.trim().to_owned(), count.trim().parse::<f64>().ok()?))
        })
        .filter(|(name, count)| !name.is_empty() && count.is_finite() && *count >= 0.0)
        .collect()
}

/// Memory in bytes: the machine's, or the smaller limit of the control group.
fn memory() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))?;
    let machine = line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024;
    let group = std::fs::read_to_string("/sys/fs/cgroup/memory.max")
        .ok()
        .and_then(|text| text.trim().parse().ok());
    Some(group.map_or(machine, |group: u64| group.min(machine)))
}

fn now_ms() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| since.as_millis() as u64)
}
