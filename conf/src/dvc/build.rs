//! Stages to nodes: inputs bound, parameters looked up, settings filled in.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use super::Texts;
use super::bind::Catalog;
use super::context::{Files, Found};
use super::paths::{below, is_outside, join};
use super::stages::{Declared, Stage};
use super::tracked::Tracked;
use crate::diagnostic::Diagnostic;
use crate::document;
use crate::findings::Findings;
use crate::lower::cycle;
use crate::lower::run_settings::{self, Inherited, RunSettings};
use crate::name::{Instance, Selector};
use crate::params::near;
use crate::pipeline::{Cache, Command, Input, Kind, Node, NodeId, Output, Pipeline, Programs};
use crate::place::At;
use crate::raw::Table;
use crate::request::Request;
use crate::scope::{Scope, Vars};
use crate::settings;
use crate::value::Value;

/// A DVC project, resolved but not yet joined.
pub(super) struct Project<'a> {
    pub texts: &'a Texts,
    pub request: &'a Request,
    pub stages: Vec<Stage>,
    pub tracked: Vec<Tracked>,
    /// What the top of a dvc.yaml says of outputs.
    pub kinds: Vec<(String, Kind)>,
}

/// The pipeline; what is wrong with it is said.
pub(super) fn pipeline(
    project: Project<'_>,
    files: &mut Files<'_>,
    findings: &mut Findings,
) -> Option<Pipeline> {
    let user = match &project.texts.user {
        Some(text) => document::read(text, findings),
        None => Table::default(),
    };
    let vars = Vars::default();
    let scope = Scope {
        vars: &vars,
        env: &project.request.env,
        params: None,
        matrix: None,
        shaken: false,
    };
    let inherited = Inherited::new(user.sub("defaults"));
    let (frozen, nodes): (Vec<&Stage>, Vec<&Stage>) =
        project.stages.iter().partition(|stage| stage.frozen);
    let mut builder = Builder {
        root: &project.texts.root,
        catalog: Catalog::default(),
        params: HashMap::new(),
        files,
        settings: run_settings::read(&inherited, &Table::default(), &scope, findings),
    };
    builder
        .catalog
        .declare(&nodes, &frozen, &project.tracked, &project.kinds, findings);
    let built: Vec<Node> = nodes
        .iter()
        .map(|stage| builder.node(stage, findings))
        .collect();
    let artifacts = builder.catalog.artifacts;
    cycle::check(&built, &artifacts, findings);
    let outside = artifacts.iter().any(|artifact| is_outside(&artifact.path));
    let main = &project.texts.main;
    let at = nodes.iter().find(|stage| stage.file == *main);
    let default = at.map(|stage| (Selector::Tag(main.clone()), findings.texts.locate(stage.at)));
    let defaults = builder
        .params
        .get(&join(&project.texts.root, "params.yaml"));
    let params = defaults.and_then(Clone::clone);
    let params = params.map_or_else(|| Value::Table(Vec::new()), |value| (*value).clone());
    Some(Pipeline {
        name: None,
        env: project.request.env.clone(),
        default: Some(default.into_iter().collect()),
        params_parts: vec![("params.yaml".into(), params.clone())],
        params,
        store: settings::store(user.sub("store"), &scope, findings),
        programs: Programs::Version,
        caches: Vec::new(),
        allow_outside: outside,
        python: None,
        python_path: Vec::new(),
        loaded: Default::default(),
        artifacts,
        nodes: built,
        finally: Vec::new(),
        hooks: Vec::new(),
    })
}

struct Builder<'b, 'a> {
    root: &'b str,
    catalog: Catalog,
    /// By project-relative path: parameter files without their places.
    params: HashMap<String, Option<Rc<Value>>>,
    files: &'b mut Files<'a>,
    settings: RunSettings,
}

impl Builder<'_, '_> {
    fn node(&mut self, stage: &Stage, findings: &mut Findings) -> Node {
        let mut inputs = self.inputs(stage, findings);
        let mut params = Vec::new();
        let mut partly_read = Vec::new();
        for declared in &stage.params {
            if let Some((_, input)) = self.made(declared, findings) {
                // What a stage makes is known only when it ran: the whole file counts.
                inputs.push(input);
                continue;
            }
            self.declared(declared, &mut params, findings);
            if !stage
                .deps
                .iter()
                .any(|(dep, _)| below(&declared.file, dep).is_some())
            {
                partly_read.push(declared.file.clone());
            }
        }
        let mut seen = HashSet::new();
        inputs.retain(|input| seen.insert(input.alias.clone()));
        params.sort_by(|a: &(String, Value), b| a.0.cmp(&b.0));
        params.dedup_by(|a, b| a.0 == b.0);
        let outputs = stage.outs.iter().filter_map(|out| {
            Some(Output {
                alias: out.path.clone(),
                artifact: self.catalog.output_at(&out.path)?,
            })
        });
        let outputs: Vec<Output> = outputs.collect();
        let name = self.name(&stage.file, &stage.name);
        let settings = &self.settings;
        let mut env = settings.env.clone();
        env.insert("DVC_STAGE".into(), name.clone());
        let never_known = stage.deps.is_empty() && stage.params.is_empty() && stage.outs.is_empty();
        Node {
            name: Instance::new(name),
            command: Command::Lines(stage.commands.clone()),
            code: Vec::new(),
            inputs,
            outputs,
            params,
            env,
            pass_env: vec!["*".into()],
            secrets: settings.secrets.clone(),
            root_env: vec![("DVC_ROOT".into(), self.root.to_owned())],
            directory: (!stage.directory.is_empty()).then(|| stage.directory.clone()),
            partly_read,
            after: Vec::new(),
            tags: vec![stage.file.clone()],
            group: stage
                .group
                .as_ref()
                .map(|group| self.name(&stage.file, group)),
            resources: settings.resources.clone(),
            retries: settings.retries.clone(),
            timeout: settings.timeout,
            cache: if stage.always_changed || never_known {
                Cache::No
            } else {
                Cache::Yes
            },
            checkpoint: None,
            undeclared: settings.undeclared,
            isolation: settings.isolation,
            at: findings.texts.locate(stage.at),
        }
    }

    /// As `dvc repro` calls it in DVC's root: `train`, `sub/dvc.yaml:train`.
    fn name(&self, file: &str, stage: &str) -> String {
        match below(file, self.root).unwrap_or(file) {
            "dvc.yaml" => stage.to_owned(),
            file => format!("{file}:{stage}"),
        }
    }

    fn inputs(&mut self, stage: &Stage, findings: &mut Findings) -> Vec<Input> {
        let deps = stage.deps.iter();
        deps.filter_map(|(path, at)| self.catalog.input(path, *at, findings))
            .collect()
    }

    /// A parameter file that a stage makes, as an input.
    fn made(&mut self, declared: &Declared, findings: &mut Findings) -> Option<(NodeId, Input)> {
        let (id, _) = self.catalog.around(&declared.file)?;
        let producer = self.catalog.artifacts[id.0 as usize].producer?;
        let input = self.catalog.input(&declared.file, declared.at, findings)?;
        Some((producer, input))
    }

    /// The values of what a stage declares of one file.
    fn declared(
        &mut self,
        declared: &Declared,
        params: &mut Vec<(String, Value)>,
        findings: &mut Findings,
    ) {
        let Some(value) = self.values(declared, findings) else {
            return;
        };
        let Value::Table(entries) = &*value else {
            return;
        };
        let named = |key: &str| {
            if declared.file == join(self.root, "params.yaml") {
                key.to_owned()
            } else {
                format!("{}:{key}", declared.file)
            }
        };
        match &declared.keys {
            None => params.extend(
                entries
                    .iter()
                    .map(|(key, value)| (named(key), value.clone())),
            ),
            Some(keys) => {
                for (key, at) in keys {
                    match value.get(key) {
                        Some(value) => params.push((named(key), value.clone())),
                        None => missing(key, *at, &declared.file, &value, findings),
                    }
                }
            }
        }
    }

    fn values(&mut self, declared: &Declared, findings: &mut Findings) -> Option<Rc<Value>> {
        if let Some(known) = self.params.get(&declared.file) {
            return known.clone();
        }
        let value = match self.files.get(&declared.file, declared.at, findings) {
            Found::Table(table) => Some(Rc::new(table.into_value())),
            Found::Broken => None,
            Found::Missing => {
                let message = format!("there is no parameter file {}", declared.file);
                let what = Diagnostic::error("params-file", message);
                let help = "make it, or correct the path: it is relative to the stage's wdir";
                findings.say(declared.at, what.help(help));
                return None;
            }
        };
        self.params.insert(declared.file.clone(), value.clone());
        value
    }
}

fn missing(key: &str, at: At, file: &str, value: &Value, findings: &mut Findings) {
    let message = format!("there is no parameter `{key}` in {file}");
    let near = near(value, key).map(|near| format!("did you mean `{near}`?"));
    let help = near.or_else(|| {
        let python = file.ends_with(".py");
        python.then(|| "of a Python file only assignments of literals are parameters".to_owned())
    });
    findings.say(
        at,
        Diagnostic::error("unknown-parameter", message).maybe_help(help),
    );
}
