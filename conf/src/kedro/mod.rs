//! A Kedro project as a `Pipeline`: from what the project says of itself when it is loaded.
//!
//! Datasets in files are artifacts at their own paths; what Kedro keeps in memory is an artifact in jalon's own
//! directory. Parameters are values, resolved by Kedro. What cannot be known makes its readers run each time, and
//! is said. Knows no disk and no Python.

mod artifacts;
mod description;
mod own;
mod tee;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value as Json;

use crate::diagnostic::{Diagnostic, Location, Severity};
use crate::document::Lowered;
use crate::name::{Instance, Selector};
use crate::pipeline::{
    Cache, Command, Input, Isolation, Loaded, Node, NodeId, Output, Pipeline, Programs, Resources,
    Task,
};
use crate::place::clamp;
use crate::value::Value;
use artifacts::Catalog;
use description::{Description, Told};
pub use own::{NodeSettings, Own, matches, own};

/// Hooks that are called while a node runs; what they do can decide what it gives.
const NODE_HOOKS: [&str; 7] = [
    "before_node_run",
    "after_node_run",
    "on_node_error",
    "before_dataset_loaded",
    "after_dataset_loaded",
    "before_dataset_saved",
    "after_dataset_saved",
];

/// Hooks that are called once a run.
const RUN_HOOKS: [&str; 3] = [
    "before_pipeline_run",
    "after_pipeline_run",
    "on_pipeline_error",
];

/// What the caller knows besides.
#[derive(Debug, Clone)]
pub struct Surroundings {
    /// The file that makes it a Kedro project, relative to it.
    pub definition: String,
    /// `--env`, or Kedro's own default.
    pub env: String,
    /// What `[tool.jalon]` says.
    pub own: Own,
    /// By dataset that has no bytes of its own: which version of it is there, or why that is not known.
    pub versions: BTreeMap<String, Result<String, String>>,
    /// The whole project is meant, not a part of it.
    pub whole: bool,
}

/// Reads a description.
///
/// # Errors
/// It is not one, or of another version.
pub fn lower(text: &str, around: &Surroundings) -> Result<Lowered, String> {
    let told: Description = serde_json::from_str(text).map_err(|error| error.to_string())?;
    if told.schema != description::SCHEMA {
        return Err(format!("a description of form {}", told.schema));
    }
    let at = Location {
        file: Arc::from(around.definition.as_str()),
        line: 1,
        column: 1,
        width: 1,
        ..Location::default()
    };
    let mut diagnostics = around.own.diagnostics.clone();
    if around.whole {
        let nodes = told.nodes.iter().map(|node| node.name.as_str());
        diagnostics.extend(around.own.idle(nodes));
        diagnostics.extend(tee::idle(&told, &around.own, &at));
    }
    if !told.unsatisfied.is_empty() {
        let message = format!(
            "pipeline input(s) {{{}}} not found in the catalog",
            told.unsatisfied.join(", ")
        );
        let what = Diagnostic::error("missing-input", message).at(at.clone());
        diagnostics
            .push(what.help("register them in the catalog, or select the nodes that make them"));
    }
    let (handed_on, said) = tee::handed_on(&told, &around.own, &at);
    diagnostics.extend(said);
    let mut catalog = Catalog::new(&told, &at);
    for (index, node) in told.nodes.iter().enumerate() {
        for name in node.outputs.iter().filter(|name| handed_on.contains(*name)) {
            catalog.handed_on(name, NodeId(clamp(index)));
        }
    }
    let mut builder = Builder {
        catalog,
        hooks: hook_entries(&told),
        places: told
            .nodes
            .iter()
            .enumerate()
            .map(|(index, node)| (node.name.as_str(), NodeId(clamp(index))))
            .collect(),
        told: &told,
        around,
        at: &at,
    };
    let mut nodes: Vec<Node> = (0..told.nodes.len()).map(|at| builder.node(at)).collect();
    for (index, node) in told.nodes.iter().enumerate() {
        for name in node.outputs.iter().filter(|name| handed_on.contains(*name)) {
            let id = NodeId(clamp(nodes.len()));
            nodes.push(builder.saving(&nodes[index], name, id));
        }
    }
    diagnostics.extend(builder.catalog.problems.iter().cloned());
    let failed = diagnostics
        .iter()
        .any(|one| one.severity == Severity::Error);
    let is_beyond = |node: &&Node| matches!(&node.command, Command::Task(task) if task.beyond);
    let chosen = nodes.iter().filter(|node| !is_beyond(node));
    let default = chosen.map(|node| {
        let base = node.name.base.clone();
        (
            Selector::Name {
                base,
                matches: None,
            },
            at.clone(),
        )
    });
    let pipeline = Pipeline {
        name: told.package.clone(),
        env: around.env.clone(),
        default: Some(default.collect()),
        params: Value::Table(Vec::new()),
        params_parts: Vec::new(),
        store: around.own.store.clone(),
        programs: Programs::Version,
        caches: around.own.caches.clone(),
        allow_outside: builder.catalog.outside,
        python: None,
        python_path: told.roots.clone(),
        loaded: Loaded {
            modules: told.loaded.clone(),
            read: told.read.clone(),
            run_hooks: run_hooks(&told),
            hooks_on_hit: around.own.hooks_on_hit,
            asks: !around.versions.is_empty(),
        },
        artifacts: builder.catalog.artifacts,
        nodes,
        finally: Vec::new(),
        hooks: Vec::new(),
    };
    Ok(Lowered {
        pipeline: (!failed).then_some(pipeline),
        diagnostics,
        provenance: Vec::new(),
    })
}

/// The datasets that nodes read from outside and that have no bytes of their own.
///
/// # Errors
/// The text is no description.
pub fn without_bytes(text: &str) -> Result<Vec<String>, String> {
    let told: Description = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let datasets = told.datasets.into_iter();
    let opaque = datasets.filter(|(_, dataset)| dataset.category == "opaque");
    Ok(opaque.map(|(name, _)| name).collect())
}

/// The datasets of a description whose file system tells which version of them is there, and which no node
/// makes: of what is made meanwhile nobody could tell beforehand.
///
/// # Errors
/// The text is no description.
pub fn in_buckets(text: &str) -> Result<Vec<String>, String> {
    let told: Description = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let made: BTreeSet<&String> = told.nodes.iter().flat_map(|node| &node.outputs).collect();
    let datasets = told.datasets.iter();
    let asking = datasets.filter(|(name, dataset)| {
        dataset.category == "opaque" && dataset.asks && !made.contains(name)
    });
    Ok(asking.map(|(name, _)| name.clone()).collect())
}

/// The project's hooks that are called while a node runs: code that counts for every node.
fn hook_entries(told: &Description) -> Vec<String> {
    let mut entries = Vec::new();
    for hook in told.hooks.iter().filter(|hook| hook.in_project) {
        for name in &hook.implements {
            if NODE_HOOKS.contains(&name.as_str()) {
                let of = match hook.qualname.as_str() {
                    "" => String::new(),
                    class => format!("{class}."),
                };
                entries.push(format!("{}:{of}{name}", hook.module));
            }
        }
    }
    entries
}

/// The classes with hooks that are called once a run, but for those that come with Kedro.
fn run_hooks(told: &Description) -> Vec<String> {
    let is_of_the_run = |name: &String| RUN_HOOKS.contains(&name.as_str());
    let hooks = told.hooks.iter().filter(|hook| {
        let shipped = hook.distribution.as_deref() == Some("kedro-telemetry")
            || hook.module.starts_with("kedro.")
            || hook.module.starts_with("kedro_telemetry");
        !shipped && hook.implements.iter().any(is_of_the_run)
    });
    let mut names: Vec<String> = hooks
        .map(|hook| match hook.qualname.as_str() {
            "" => hook.module.clone(),
            class => class.to_owned(),
        })
        .collect();
    names.sort();
    names.dedup();
    names
}

struct Builder<'a> {
    told: &'a Description,
    around: &'a Surroundings,
    catalog: Catalog,
    hooks: Vec<String>,
    places: BTreeMap<&'a str, NodeId>,
    at: &'a Location,
}

impl Builder<'_> {
    fn node(&mut self, index: usize) -> Node {
        let told = &self.told.nodes[index];
        let id = NodeId(clamp(index));
        let mut unknown: Vec<String> = told.function.opaque.clone();
        let mut inputs: Vec<Input> = Vec::new();
        let mut params = Vec::new();
        for (_, name) in &told.inputs {
            if let Some(value) = self.told.parameters.get(name) {
                let path = name.strip_prefix("params:").unwrap_or(name);
                params.push((path.to_owned(), value_of(value, path, &mut unknown)));
                continue;
            }
            let Some(dataset) = self.told.datasets.get(name) else {
                continue;
            };
            if let Some(value) = &dataset.value {
                params.push((name.clone(), value_of(value, name, &mut unknown)));
                continue;
            }
            let artifact = self.catalog.in_memory(name);
            match artifact.or_else(|| self.catalog.find(name)) {
                Some(artifact) if inputs.iter().all(|input| input.artifacts != [artifact]) => {
                    inputs.push(Input {
                        alias: name.clone(),
                        artifacts: vec![artifact],
                        list: false,
                        within: None,
                        at: self.at.clone(),
                    });
                }
                Some(_) => {}
                None if dataset.category == "opaque" => match self.around.versions.get(name) {
                    Some(Ok(version)) => {
                        params.push((format!("version of {name}"), Value::Text(version.clone())))
                    }
                    Some(Err(why)) => {
                        unknown.push(format!(
                            "which version of {name} is there is not known: {why}"
                        ));
                    }
                    None => {
                        unknown.push(format!("what {name} holds is not known: {}", dataset.why));
                    }
                },
                None => {}
            }
        }
        let mut outputs = Vec::new();
        for name in &told.outputs {
            let artifact = self.catalog.in_memory(name);
            match artifact.or_else(|| self.catalog.made(name, id)) {
                Some(artifact) => outputs.push(Output {
                    alias: name.clone(),
                    artifact,
                }),
                None => unknown.push(format!("{name} is kept elsewhere")),
            }
        }
        params.sort_by(|a, b| a.0.cmp(&b.0));
        params.dedup_by(|a, b| a.0 == b.0);
        let mut after: Vec<NodeId> = told
            .after
            .iter()
            .filter_map(|name| self.places.get(name.as_str()).copied())
            .collect();
        after.sort_unstable();
        let task = self.task(index, &mut unknown);
        let settings = self.around.own.of(&told.name);
        Node {
            name: Instance::new(&told.name),
            cache: match unknown.is_empty() {
                true => Cache::Default,
                false => Cache::No,
            },
            command: Command::Task(Box::new(Task { unknown, ..task })),
            code: Vec::new(),
            inputs,
            outputs,
            params,
            env: BTreeMap::new(),
            pass_env: vec!["*".into()],
            secrets: Vec::new(),
            root_env: Vec::new(),
            directory: None,
            partly_read: Vec::new(),
            after,
            tags: told.tags.clone(),
            group: told.namespace.clone(),
            resources: settings.resources,
            retries: settings.retries,
            timeout: settings.timeout,
            checkpoint: None,
            undeclared: settings.undeclared,
            isolation: Isolation::Trace,
            at: self.at.clone(),
        }
    }

    /// A node that saves what another one gave in memory.
    fn saving(&mut self, of: &Node, name: &str, id: NodeId) -> Node {
        let input = |artifact| Input {
            alias: name.to_owned(),
            artifacts: vec![artifact],
            list: false,
            within: None,
            at: self.at.clone(),
        };
        let inputs = self.catalog.in_memory(name).map(input);
        let output = |artifact| Output {
            alias: name.to_owned(),
            artifact,
        };
        let outputs: Vec<Output> = self
            .catalog
            .made(name, id)
            .map(output)
            .into_iter()
            .collect();
        let unknown = match outputs.is_empty() {
            true => vec![format!("{name} is kept elsewhere")],
            false => Vec::new(),
        };
        let Command::Task(task) = &of.command else {
            return of.clone();
        };
        let mut task = task.clone();
        let mut entries = self.hooks.iter().cloned().collect();
        (task.definitions, task.modules) = self.datasets([name].into_iter(), &mut entries);
        task.entries = entries.into_iter().collect();
        task.signature = Value::List(vec![Value::Text("save".into()), Value::Text(name.into())]);
        task.saves = Some(name.to_owned());
        task.hands_on = Vec::new();
        task.unknown.clone_from(&unknown);
        Node {
            name: Instance::new(format!("save {name}")),
            cache: match unknown.is_empty() {
                true => Cache::Default,
                false => Cache::No,
            },
            command: Command::Task(task),
            inputs: inputs.into_iter().collect(),
            outputs,
            params: Vec::new(),
            after: Vec::new(),
            // It waits for a disk or a network, mostly.
            resources: Resources {
                cpu: 0.0,
                mem: None,
                pools: BTreeMap::new(),
                at: None,
            },
            ..of.clone()
        }
    }

    fn task(&self, index: usize, unknown: &mut Vec<String>) -> Task {
        let told = &self.told.nodes[index];
        let mut entries: BTreeSet<String> = told.function.entries.iter().cloned().collect();
        entries.extend(self.hooks.iter().cloned());
        let bound = told.function.bound.iter().map(|value| {
            entries.extend(value.class.iter().cloned());
            value_of(value, "what is bound to the function", unknown)
        });
        let bound: Vec<Value> = bound.collect();
        let used = told.inputs.iter().map(|(_, name)| name);
        let used = used.chain(&told.outputs).map(String::as_str);
        // How it is saved is the affair of who saves it.
        let used = used.filter(|name| self.catalog.in_memory(name).is_none());
        let (definitions, modules) = self.datasets(used, &mut entries);
        let arguments = told.inputs.iter().map(|(argument, name)| {
            let argument = argument.clone().map_or(Value::Null, Value::Text);
            Value::List(vec![argument, Value::Text(name.clone())])
        });
        let outputs = told.outputs.iter().cloned().map(Value::Text);
        let plugins = self.told.hooks.iter().filter(|hook| {
            hook.implements
                .iter()
                .any(|name| NODE_HOOKS.contains(&name.as_str()))
        });
        let distributions = plugins.filter_map(|hook| hook.distribution.clone());
        Task {
            node: told.name.clone(),
            entries: entries.into_iter().collect(),
            signature: Value::List(vec![
                Value::List(arguments.collect()),
                Value::List(outputs.collect()),
                Value::List(bound),
                Value::List(told.confirms.iter().cloned().map(Value::Text).collect()),
            ]),
            definitions,
            modules,
            distributions: distributions.collect(),
            own_process: !told.single_process,
            beyond: told.beyond,
            hands_on: told
                .outputs
                .iter()
                .filter(|name| self.catalog.in_memory(name).is_some())
                .cloned()
                .collect(),
            saves: None,
            kedro: self.told.kedro.clone(),
            unknown: Vec::new(),
        }
    }

    /// How datasets are loaded and saved, and the modules that this needs; classes of the project are entries.
    fn datasets<'n>(
        &self,
        names: impl Iterator<Item = &'n str>,
        entries: &mut BTreeSet<String>,
    ) -> (Vec<(String, Value)>, Vec<String>) {
        let mut definitions = Vec::new();
        let mut modules: BTreeSet<String> = BTreeSet::from(["kedro".to_owned()]);
        for name in names {
            let Some(dataset) = self.told.datasets.get(name) else {
                continue;
            };
            if dataset.class_in_project
                && let Some((module, class)) = dataset.class.rsplit_once('.')
            {
                entries.insert(format!("{module}:{class}"));
            }
            modules.extend(dataset.needs.iter().cloned());
            definitions.push((name.to_owned(), plain(&dataset.definition)));
        }
        definitions.sort_by(|a, b| a.0.cmp(&b.0));
        definitions.dedup_by(|a, b| a.0 == b.0);
        (definitions, modules.into_iter().collect())
    }
}

/// A value for a key; what cannot be told makes the node run each time.
fn value_of(told: &Told, what: &str, unknown: &mut Vec<String>) -> Value {
    if let Some(json) = &told.json {
        return plain(json);
    }
    if let Some(why) = &told.opaque {
        unknown.push(format!("{what}: {why}"));
        return Value::Null;
    }
    let text = [
        ("pickle", &told.pickle),
        ("class", &told.class),
        ("path", &told.path),
    ];
    let known = text.into_iter().filter_map(|(kind, text)| {
        let text = text.as_ref()?;
        Some((kind.to_owned(), Value::Text(text.clone())))
    });
    Value::Table(known.collect())
}

/// JSON as a parameter value.
fn plain(json: &Json) -> Value {
    match json {
        Json::Null => Value::Null,
        Json::Bool(it) => Value::Bool(*it),
        Json::Number(number) => match number.as_i64() {
            Some(whole) => Value::Int(whole),
            None => Value::Float(number.as_f64().unwrap_or(f64::NAN)),
        },
        Json::String(text) => Value::Text(text.clone()),
        Json::Array(items) => Value::List(items.iter().map(plain).collect()),
        Json::Object(entries) => Value::Table(
            entries
                .iter()
                .map(|(key, value)| (key.clone(), plain(value)))
                .collect(),
        ),
    }
}
