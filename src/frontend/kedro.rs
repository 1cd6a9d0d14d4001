//! A Kedro project: loaded by its own interpreter when something that loading it read has changed, else known.
//!
//! Loading is an action like any other: its key is what is asked, its path set what loading was seen to read (modules,
//! everything below conf/, distributions), its outcome the description. So a project that has not changed is known without
//! Python, and by everybody who shares the store. What a node reads later is another page (`worker/session`).

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jalon_conf::kedro::{self, Surroundings};
use jalon_conf::name::Instance;
use jalon_conf::pipeline::{
    Artifact, ArtifactId, Cache, Command, Isolation, Keep, Kind, Node, NodeId, Output, Pipeline,
    Programs, Resources, Retries, Shape, Undeclared,
};
use jalon_conf::{Lowered, Value};
use jalon_store::LocalStore;
use jalon_store::action::{Derivation, Field, FieldValue, PathSet, Place, Seen, strong_key};
use jalon_store::content::Content;
use jalon_store::digest::BlobDigest;
use jalon_store::index::StatCache;
use jalon_store::outcome::{
    ActionRecord, Attestation, Cost, Explanation, Made, NamedContent, Outcome,
};
use serde_json::{Value as Json, json};

use super::bench::Bench;
use super::source::{LoadError, Read, Source, place};
use super::versions;
use crate::action::Ambient;
use crate::explain::called;
use crate::function::Interpreter;
use crate::graph::Graph;
use crate::judge::{Judge, Lookup, Observations};
use crate::observe::{self, Bytes, Folded, Rules, Sight};
use crate::project::Project;
use crate::witness::{Recording, Witnesses};
use crate::worker::loader::{LoadFailure, Loader};
use crate::worker::session::SessionError;
use crate::worker::trace::Lasting;
use crate::workspace::{PRIVATE_DIRECTORY, Workspace};

/// The file that says that a directory is a Kedro project.
pub const FILE: &str = "pyproject.toml";

/// What loads a project, by its name in a package.
const PACKAGE: [(&str, &str); 10] = [
    (
        "__init__.py",
        include_str!("../../python/jalon_kedro/__init__.py"),
    ),
    (
        "channel.py",
        include_str!("../../python/jalon_kedro/channel.py"),
    ),
    (
        "describe.py",
        include_str!("../../python/jalon_kedro/describe.py"),
    ),
    ("load.py", include_str!("../../python/jalon_kedro/load.py")),
    (
        "memory.py",
        include_str!("../../python/jalon_kedro/memory.py"),
    ),
    ("node.py", include_str!("../../python/jalon_kedro/node.py")),
    (
        "serve.py",
        include_str!("../../python/jalon_kedro/serve.py"),
    ),
    (
        "start.py",
        include_str!("../../python/jalon_kedro/start.py"),
    ),
    (
        "variables.py",
        include_str!("../../python/jalon_kedro/variables.py"),
    ),
    (
        "ukeys.py",
        include_str!("../../python/jalon_kedro/ukeys.py"),
    ),
];

/// Variables of which a loaded project depends on those that begin so.
const OWN_VARIABLES: &[u8] = b"KEDRO_";

/// Set by the runner in Kedro, which calls the hooks of the run itself.
const INSIDE: &str = "JALON_INSIDE_KEDRO";

/// Whether a file is a Kedro project's.
pub fn is_project(path: &Path) -> bool {
    std::fs::read_to_string(path).is_ok_and(|text| kedro::own(FILE, &text).is_some())
}

/// Reads a project, loading it where it is not known.
///
/// # Errors
/// See [`LoadError`].
pub fn load(
    source: &Source,
    path: &Path,
    witnesses: &Arc<Witnesses>,
    bench: &Bench,
) -> Result<Project, LoadError> {
    let (root, definition) = place(path)?;
    let text = witnesses
        .read(path)
        .map_err(|error| LoadError::Io(path.to_owned(), error))?;
    let text = String::from_utf8_lossy(&text);
    let own = kedro::own(&definition, &text).unwrap_or_default();
    if !own.is_sound() {
        return Err(LoadError::Invalid {
            diagnostics: own.diagnostics,
            texts: vec![(definition, text.into_owned())],
        });
    }
    let private = root.join(PRIVATE_DIRECTORY);
    let store_path = bench.store_path(&root, own.store.path.clone().map(PathBuf::from));
    let store = bench
        .store(&store_path)
        .map_err(|error| LoadError::Refused(refusal("store", error.to_string(), "")))?;
    let (cache, _) = bench.cache(&private, &root);
    let cache: Arc<dyn StatCache> = Arc::new(Recording::new(cache, witnesses.clone()));
    let graph = Graph::new(loading()).map_err(|_| unreadable("the loading step is no graph"))?;
    let workspace = Workspace::new(
        root.clone(),
        store.clone(),
        cache,
        jalon_store::LinkMode::Auto,
        None,
    );
    let sight = Sight::new(&graph, &bench.machine, &workspace, &store);
    let interpreter =
        crate::function::interpreter(source.python.as_deref(), &sight).ok_or_else(|| {
            let named = source.python.as_deref().unwrap_or("python3");
            let message = format!("the interpreter {named} is not there");
            let help = "activate the project's environment, or name one with --python";
            LoadError::Refused(refusal("missing-interpreter", message, help))
        })?;
    let request = request(source, &root);
    let loader = loader(&root, &private, &interpreter, &request, bench)
        .map_err(|error| LoadError::Io(private.clone(), error))?;
    let ambient = crate::ambient::observe(&root, &bench.machine, &store, workspace.cache(), false);
    let observations = Observations {
        sources: Vec::new(),
        code: vec![Arc::default()],
        functions: crate::function::Functions::default(),
        ambient: ambient.clone(),
    };
    let judge = Judge::new(&graph, &sight, &observations);
    let derivation = derivation(&request, &interpreter, &ambient, bench);
    let known = judge.find(NodeId(0), &derivation.weak_key(), &|_| None);
    let known = match known {
        Ok(Lookup::Known(record, _)) => description(&record, &store),
        _ => None,
    };
    let told = match known {
        Some(told) => told,
        None => Loading {
            loader: &loader,
            sight: &sight,
            graph: &graph,
            store: &store,
            derivation: &derivation,
            bench,
        }
        .told()?,
    };
    let asked = match own.versions.is_empty() {
        true => Vec::new(),
        false => kedro::without_bytes(&told).map_err(unreadable)?,
    };
    let mut known = versions::by_command(&own, &asked, &root, bench);
    let mut told_elsewhere = kedro::in_buckets(&told).map_err(unreadable)?;
    told_elsewhere.retain(|name| !known.contains_key(name));
    known.extend(versions::in_buckets(told_elsewhere, &loader, &root, bench));
    let around = Surroundings {
        definition: definition.clone(),
        env: source.env.clone(),
        versions: known,
        own,
        whole: source.kedro == Default::default(),
    };
    let mut lowered = kedro::lower(&told, &around).map_err(unreadable)?;
    if let Some(pipeline) = &mut lowered.pipeline {
        if !loader.hooks {
            // Who started this calls them.
            pipeline.loaded.run_hooks.clear();
        }
        let place = interpreter.place.to_string_lossy().into_owned();
        pipeline.python = Some((place, jalon_conf::Location::default()));
    }
    into_project(root, definition, lowered, loader)
}

fn into_project(
    root: PathBuf,
    definition: String,
    lowered: Lowered,
    loader: Loader,
) -> Result<Project, LoadError> {
    let read = Read {
        root,
        definition,
        lowered,
        texts: Vec::new(),
    };
    let mut project = read.into_project()?;
    project.loader = Some(Arc::new(loader));
    Ok(project)
}

fn unreadable(why: impl Into<String>) -> LoadError {
    let message = format!(
        "what the project says of itself is not understood: {}",
        why.into()
    );
    LoadError::Refused(refusal("description", message, ""))
}

fn refusal(code: &str, message: impl Into<String>, help: &str) -> super::source::Refusal {
    super::source::Refusal {
        code: code.to_owned(),
        message: message.into(),
        help: help.to_owned(),
    }
}

/// What is asked of a project; all of it decides what it consists of.
fn request(source: &Source, root: &Path) -> Json {
    let asked = &source.kedro;
    let params: serde_json::Map<String, Json> = serde_json::Map::new();
    let mut request = json!({
        "project": root.to_string_lossy(),
        "env": (source.env != "local").then_some(&source.env),
        "conf_source": asked.conf_source,
        "params": params,
        "load_versions": asked.load_versions.iter().cloned().collect::<std::collections::BTreeMap<_, _>>(),
        "pipelines": asked.pipelines,
        "from_nodes": asked.from_nodes,
        "to_nodes": asked.to_nodes,
        "node_names": asked.nodes,
        "from_inputs": asked.from_inputs,
        "to_outputs": asked.to_outputs,
        "tags": asked.tags,
        "namespaces": asked.namespaces,
        "only_missing_outputs": asked.only_missing_outputs,
    });
    let given: Vec<Json> = source
        .set
        .iter()
        .map(|(key, value)| json!([key, value]))
        .collect();
    request["runtime_params"] = given.into();
    request
}

/// What starts the session.
fn loader(
    root: &Path,
    private: &Path,
    interpreter: &Interpreter,
    request: &Json,
    bench: &Bench,
) -> std::io::Result<Loader> {
    let own = private.join("kedro");
    let sources: Vec<u8> = PACKAGE.iter().flat_map(|(_, text)| text.bytes()).collect();
    let version = BlobDigest::of(&sources).to_string();
    let package = own.join(&version[..16]).join("jalon_kedro");
    let by = std::process::id().to_string();
    for (name, text) in PACKAGE {
        crate::worker::private::write_once(&package, name, text.as_bytes(), &by)?;
    }
    let text = request.to_string();
    let name = format!(
        "{}.json",
        &BlobDigest::of(text.as_bytes()).to_string()[..16]
    );
    crate::worker::private::write_once(&own, &name, text.as_bytes(), &by)?;
    let ignore = private.join(".gitignore");
    if !ignore.exists() {
        std::fs::write(ignore, "*\n")?;
    }
    let mut env = bench.machine.variables.clone();
    env.insert("DO_NOT_TRACK".into(), "1".into());
    // Else the order of a set of names differs from run to run, and so does what is made of it.
    env.entry("PYTHONHASHSEED".into()).or_insert("0".into());
    crate::worker::private::ride(private, &by, &mut env)?;
    let argv = vec![
        interpreter.place.clone().into_os_string(),
        package.join("start.py").into_os_string(),
        own.join(name).into_os_string(),
    ];
    let rules = Rules::new(root, None, None, Vec::new());
    Ok(Loader::new(
        argv,
        env.into_iter().collect(),
        root.to_owned(),
        own.join("session.log"),
        Lasting {
            system: Rules::system(),
            ours: rules.ours(),
            look: Arc::new(Bytes),
        },
        !bench.machine.variables.contains_key(OsStr::new(INSIDE)),
    ))
}

/// The recipe of loading.
fn derivation(
    request: &Json,
    interpreter: &Interpreter,
    ambient: &Ambient,
    bench: &Bench,
) -> Derivation {
    let mut fields = Vec::new();
    let mut add = |field: &str, what: &str, value: FieldValue| {
        fields.push(Field {
            field: field.to_owned().into(),
            what: what.as_bytes().to_vec(),
            value,
        });
    };
    let text = |text: &str| FieldValue::Text(text.to_owned());
    add("format", "", text("kedro 1"));
    for (what, value) in ["os", "architecture", "libc"].iter().zip(&ambient.platform) {
        add("platform", what, text(value));
    }
    let mut asked = request.clone();
    // Not where it lies.
    asked["project"] = Json::Null;
    add("command", "load", FieldValue::Json(asked.to_string()));
    add("command", "python", text(&interpreter.name));
    for (name, source) in PACKAGE {
        let digest = BlobDigest::of(source.as_bytes());
        add("code", name, FieldValue::Digest(*digest.as_bytes()));
    }
    for (name, value) in &ambient.variables {
        add("env", name, value.clone());
    }
    for (name, value) in &bench.machine.variables {
        if name.as_bytes().starts_with(OWN_VARIABLES) {
            let value = FieldValue::Bytes(value.as_bytes().to_vec());
            add("env", &name.to_string_lossy(), value);
        }
    }
    Derivation::new(fields)
}

/// A pipeline of one node, which loads the project.
fn loading() -> Pipeline {
    let at = jalon_conf::Location::default();
    let description = Artifact {
        name: Instance::new("description"),
        path: format!("{PRIVATE_DIRECTORY}/kedro/description"),
        shape: Shape::File,
        producer: Some(NodeId(0)),
        keep: Keep::Store,
        kind: Kind::Data,
        format: None,
        stateful: false,
        private: true,
        versions: None,
        load_version: None,
        except: Vec::new(),
        obtain: None,
        at: at.clone(),
    };
    let node = Node {
        name: Instance::new("load"),
        command: Command::Exec(Vec::new()),
        code: Vec::new(),
        inputs: Vec::new(),
        outputs: vec![Output {
            alias: "description".into(),
            artifact: ArtifactId(0),
        }],
        params: Vec::new(),
        env: Default::default(),
        pass_env: Vec::new(),
        secrets: Vec::new(),
        root_env: Vec::new(),
        directory: None,
        partly_read: Vec::new(),
        after: Vec::new(),
        tags: Vec::new(),
        group: None,
        resources: Resources {
            cpu: 1.0,
            mem: None,
            pools: Default::default(),
            at: None,
        },
        retries: Retries {
            max: 0,
            on: Vec::new(),
            wait: Default::default(),
        },
        timeout: None,
        cache: Cache::Yes,
        checkpoint: None,
        undeclared: Undeclared::Follow,
        isolation: Isolation::Trace,
        at,
    };
    Pipeline {
        name: None,
        env: "local".into(),
        default: None,
        params: Value::Table(Vec::new()),
        params_parts: Vec::new(),
        store: jalon_conf::pipeline::StoreSettings::default(),
        programs: Programs::Version,
        caches: Vec::new(),
        allow_outside: false,
        python: None,
        python_path: Vec::new(),
        loaded: Default::default(),
        artifacts: vec![description],
        nodes: vec![node],
        finally: Vec::new(),
        hooks: Vec::new(),
    }
}

/// The text of a description that is known.
fn description(record: &ActionRecord, store: &LocalStore) -> Option<String> {
    let Content::File { digest, .. } = record.outcome.outputs.first()?.content else {
        return None;
    };
    String::from_utf8(store.read_blob(&digest).ok()??).ok()
}

struct Loading<'a> {
    loader: &'a Loader,
    sight: &'a Sight<'a>,
    graph: &'a Graph,
    store: &'a LocalStore,
    derivation: &'a Derivation,
    bench: &'a Bench,
}

impl Loading<'_> {
    /// Loads the project, and keeps what that came to.
    fn told(&self) -> Result<String, LoadError> {
        let (session, mut told) = self.loader.load(&|| false).map_err(failed)?;
        let observed = session.loaded();
        let folded = observe::fold(
            self.sight,
            self.graph,
            NodeId(0),
            observe::Known::default(),
            &observed,
            &|_| None,
        );
        told["read"] = read_besides(&told, &folded);
        let text = told.to_string();
        if folded.moved.is_none() && folded.touched.is_none() {
            // What cannot be kept is loaded again the next time.
            let _ = self.keep(&text, folded);
        }
        Ok(text)
    }

    fn keep(&self, text: &str, folded: Folded) -> Option<()> {
        let digest = self.store.put_bytes(text.as_bytes()).ok()?;
        let weak = self.derivation.weak_key();
        let content = Content::File {
            digest,
            size: text.len() as u64,
            executable: false,
        };
        let machine = &self.bench.machine;
        let record = ActionRecord {
            key: strong_key(&weak, &folded.observed),
            weak,
            outcome: Outcome {
                outputs: vec![NamedContent {
                    name: "description".into(),
                    content,
                }],
                transcript: None,
                cost: Cost::default(),
            },
            attestation: Attestation {
                traced: folded.traced,
                host_bound: folded.host_bound,
                notes: folded.notes.clone(),
                ..Attestation::default()
            },
            made: Made {
                at_ms: (machine.now_ms)(),
                run: String::new(),
                node: "load".into(),
                project: String::new(),
                jalon: env!("CARGO_PKG_VERSION").to_owned(),
                host: machine.host.clone(),
            },
        };
        let set = PathSet {
            entries: folded
                .observed
                .iter()
                .map(|(entry, _)| entry.clone())
                .collect(),
        };
        let explanation = Explanation {
            derivation: self.derivation.clone(),
            observed: folded.observed,
        };
        self.store.put_action(&record, &explanation, &set).ok()
    }
}

/// What was read besides modules and configuration, and asked for: modules do that while they are imported, and what it
/// gave is in them from then on.
fn read_besides(told: &Json, folded: &Folded) -> Json {
    let modules = told["modules"].as_array();
    let modules: Vec<&str> = modules
        .into_iter()
        .flatten()
        .filter_map(Json::as_str)
        .collect();
    let conf = told["conf"].as_str().unwrap_or("conf");
    let configures = |path: &str| {
        let below = path.strip_prefix(conf);
        path == FILE || below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let read = folded.observed.iter().filter_map(|(entry, seen)| {
        let path = std::str::from_utf8(&entry.path).unwrap_or_default();
        let is_own = entry.place == Place::Project;
        match (entry.place, seen) {
            (Place::Project | Place::Home | Place::Absolute, Seen::File { digest, .. })
                if !(is_own && (configures(path) || modules.binary_search(&path).is_ok())) =>
            {
                Some(json!([called(entry), digest.to_string()]))
            }
            (Place::Variable, Seen::Version(value)) => Some(json!([called(entry), value])),
            _ => None,
        }
    });
    read.collect::<Vec<_>>().into()
}

fn failed(failure: LoadFailure) -> LoadError {
    LoadError::Refused(match failure {
        LoadFailure::Refused {
            code,
            message,
            help,
            traceback,
        } => {
            let message = match traceback.is_empty() {
                true => message,
                false => format!(
                    "the project cannot be loaded: {message}\n\n{}",
                    traceback.trim_end()
                ),
            };
            refusal(&code, message, &help)
        }
        LoadFailure::Silent(SessionError::NotStarted(error)) => refusal(
            "missing-interpreter",
            format!("the interpreter cannot be started: {error}"),
            "",
        ),
        LoadFailure::Silent(SessionError::Ended(why)) => refusal("load", why, ""),
        LoadFailure::Silent(SessionError::Cancelled) => {
            refusal("interrupted", "stopped while loading", "")
        }
    })
}
