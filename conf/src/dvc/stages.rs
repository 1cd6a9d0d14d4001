//! Stages: foreach and matrix expanded, references resolved, paths made relative to the project.
//!
//! Facts are those of DVC 3 (`dvc/parsing/__init__.py`, `dvc/output.py`). A stage here knows nothing of
//! other stages.

use super::check::{get, list, table, text, truth};
use super::context::{Context, Files};
use super::expression::{self, Arguments};
use super::paths::{join, parent};
use crate::diagnostic::Diagnostic;
use crate::findings::Findings;
use crate::params::yaml::{Entry, Located, What};
use crate::pipeline::Kind;
use crate::place::At;
use crate::value::Value;

/// A stage with everything resolved.
#[derive(Debug)]
pub(super) struct Stage {
    /// As dvc.yaml and `dvc repro` know it: `train`, `build@eu`.
    pub name: String,
    /// The stage that `foreach` or `matrix` made it from.
    pub group: Option<String>,
    /// The dvc.yaml, project-relative.
    pub file: String,
    pub at: At,
    /// Where it runs, project-relative; empty is the project.
    pub directory: String,
    pub commands: Vec<String>,
    pub deps: Vec<(String, At)>,
    pub params: Vec<Declared>,
    pub outs: Vec<Out>,
    pub frozen: bool,
    pub always_changed: bool,
}

/// What a stage takes of one parameter file.
#[derive(Debug)]
pub(super) struct Declared {
    /// Project-relative.
    pub file: String,
    /// Dotted keys; none for all of it.
    pub keys: Option<Vec<(String, At)>>,
    pub at: At,
}

/// Something that a stage makes.
#[derive(Debug)]
pub(super) struct Out {
    /// Project-relative, or an address.
    pub path: String,
    pub at: At,
    pub kind: Kind,
    pub persist: bool,
    pub cache: bool,
}

/// One dvc.yaml while it is being read.
pub(super) struct Reader<'r, 'a> {
    /// Its path, project-relative.
    pub file: &'r str,
    pub context: &'r Context,
    pub how: Arguments,
    pub files: &'r mut Files<'a>,
    pub findings: &'r mut Findings,
}

impl Reader<'_, '_> {
    /// All stages of the file.
    pub fn stages(&mut self, root: &Located) -> Vec<Stage> {
        let mut stages = Vec::new();
        for entry in table(get(root, "stages")) {
            let body = &entry.value;
            if let (Some(over), Some(template)) = (get(body, "foreach"), get(body, "do")) {
                self.foreach(entry, over, template, &mut stages);
            } else if let Some(over) = get(body, "matrix") {
                self.matrix(entry, over, &mut stages);
            } else {
                let context = self.context.clone();
                stages.extend(self.stage(&entry.key, None, entry.key_at, body, &context, &[]));
            }
        }
        stages
    }

    fn foreach(
        &mut self,
        entry: &Entry,
        over: &Located,
        template: &Located,
        stages: &mut Vec<Stage>,
    ) {
        let odd = matches!(over.what, What::Scalar(_)) && text(over).is_none();
        let Some(over) = self.context.resolve(over, None, self.how, self.findings) else {
            return;
        };
        if odd {
            return;
        }
        let keyed = matches!(over.what, What::Table(_));
        let items: Vec<(String, Located)> = match over.what {
            What::Table(entries) => entries.into_iter().map(|e| (e.key, e.value)).collect(),
            What::List(items) => {
                let composite = items.iter().any(|item| scalar(item).is_none());
                let name = |(position, item): (usize, Located)| {
                    let word = scalar(&item).filter(|_| !composite);
                    (word.unwrap_or_else(|| position.to_string()), item)
                };
                items.into_iter().enumerate().map(name).collect()
            }
            What::Scalar(_) => {
                let message = format!("`foreach` of `{}` is neither a list nor a table", entry.key);
                let what = Diagnostic::error("wrong-type", message);
                let help = "write a list or a table, or a reference to one: ${models}";
                self.findings.say(over.at, what.help(help));
                return;
            }
        };
        self.hidden(entry, if keyed { &["item", "key"] } else { &["item"] });
        let at = entry.key_at;
        for (key, item) in unique(items) {
            let mut names = vec![("item", item)];
            if keyed {
                let what = What::Scalar(Value::Text(key.clone()));
                names.push(("key", Located { what, at }));
            }
            let context = self.context.with(names);
            let name = format!("{}@{key}", entry.key);
            let group = Some(entry.key.as_str());
            stages.extend(self.stage(&name, group, at, template, &context, &["item", "key"]));
        }
    }

    fn matrix(&mut self, entry: &Entry, over: &Located, stages: &mut Vec<Stage>) {
        let Some(over) = self.context.resolve(over, None, self.how, self.findings) else {
            return;
        };
        let mut combinations: Vec<(Vec<String>, Vec<Entry>)> = vec![Default::default()];
        for axis in table(Some(&over)) {
            let What::List(values) = &axis.value.what else {
                let message = format!("`{}` of the matrix of `{}` is no list", axis.key, entry.key);
                let what = Diagnostic::error("wrong-type", message);
                let help = "write a list, or a reference to one: ${models}";
                self.findings.say(axis.value.at, what.help(help));
                return;
            };
            if combinations.len().saturating_mul(values.len()) > MOST_STAGES {
                let message = format!(
                    "the matrix of `{}` makes more than {MOST_STAGES} stages",
                    entry.key
                );
                self.findings
                    .say(over.at, Diagnostic::error("too-many", message));
                return;
            }
            let with =
                |(words, entries): &(Vec<String>, Vec<Entry>), at: usize, value: &Located| {
                    let word = scalar(value).unwrap_or_else(|| format!("{}{at}", axis.key));
                    let value = value.clone();
                    let entry = Entry {
                        value,
                        ..axis.clone()
                    };
                    let words = words.iter().cloned().chain([word]).collect();
                    (words, entries.iter().cloned().chain([entry]).collect())
                };
            combinations = combinations
                .iter()
                .flat_map(|before| {
                    let values = values.iter().enumerate();
                    values.map(move |(at, value)| with(before, at, value))
                })
                .collect();
        }
        self.hidden(entry, &["item", "key"]);
        let at = entry.key_at;
        let named = combinations.into_iter().map(|(words, entries)| {
            let what = What::Table(entries);
            (words.join("-"), Located { what, at })
        });
        for (key, item) in unique(named.collect()) {
            let what = What::Scalar(Value::Text(key.clone()));
            let names = vec![("item", item), ("key", Located { what, at })];
            let context = self.context.with(names);
            let name = format!("{}@{key}", entry.key);
            let group = Some(entry.key.as_str());
            stages.extend(self.stage(&name, group, at, &entry.value, &context, &["item", "key"]));
        }
    }

    /// Warns where `item` or `key` hides a variable of that name.
    fn hidden(&mut self, entry: &Entry, names: &[&str]) {
        for name in names.iter().filter(|name| self.context.has(name)) {
            let message = format!(
                "in the stages of `{}`, `{name}` hides the variable of that name",
                entry.key
            );
            let what = Diagnostic::warning("vars-hidden", message);
            self.findings.say(entry.key_at, what);
        }
    }

    fn stage(
        &mut self,
        name: &str,
        group: Option<&str>,
        at: At,
        body: &Located,
        context: &Context,
        reserved: &[&str],
    ) -> Option<Stage> {
        let base = parent(self.file);
        let mut directory = base.to_owned();
        let mut good = true;
        if let Some(wdir) = get(body, "wdir") {
            let resolved = context.resolve(wdir, Some("wdir"), self.how, self.findings);
            match resolved.as_ref().and_then(scalar) {
                Some(path) => directory = join(base, &path),
                None => good = false,
            }
        }
        let mut own = context.clone();
        let vars = get(body, "vars");
        own.load(None, vars, &directory, reserved, self.files, self.findings);
        let mut keys = Vec::new();
        for entry in table(Some(body)) {
            if matches!(entry.key.as_str(), "vars" | "matrix" | "wdir") {
                continue;
            }
            let key = Some(entry.key.as_str());
            match own.resolve(&entry.value, key, self.how, self.findings) {
                Some(value) => keys.push(Entry {
                    value,
                    ..entry.clone()
                }),
                None => good = false,
            }
        }
        let body = Located {
            what: What::Table(keys),
            at: body.at,
        };
        let commands = self.commands(name, &body, at);
        let stage = Stage {
            name: name.to_owned(),
            group: group.map(str::to_owned),
            file: self.file.to_owned(),
            at,
            commands: commands?,
            deps: self.deps(&body, &directory),
            params: self.params(&body, &directory),
            outs: self.outs(&body, &directory),
            frozen: truth(&body, "frozen").unwrap_or(false),
            always_changed: truth(&body, "always_changed").unwrap_or(false),
            directory,
        };
        good.then_some(stage)
    }

    /// A text is a command a line, as under DVC.
    fn commands(&mut self, name: &str, body: &Located, at: At) -> Option<Vec<String>> {
        let cmd = get(body, "cmd")?;
        let commands: Vec<String> = match &cmd.what {
            What::List(items) => items.iter().filter_map(scalar).collect(),
            What::Scalar(Value::Null) => Vec::new(),
            _ => scalar(cmd)?.lines().map(str::to_owned).collect(),
        };
        let commands: Vec<String> = commands
            .into_iter()
            .filter(|it| !it.trim().is_empty())
            .collect();
        if commands.iter().any(|command| command.contains('\0')) {
            let what = Diagnostic::error("nul", "a command cannot contain a NUL character");
            self.findings.say(cmd.at, what);
            return None;
        }
        if commands.is_empty() {
            let message = format!("the command of `{name}` is empty");
            let place = if cmd.at == At::default() { at } else { cmd.at };
            self.findings
                .say(place, Diagnostic::error("empty-command", message));
            return None;
        }
        Some(commands)
    }

    fn deps(&mut self, body: &Located, directory: &str) -> Vec<(String, At)> {
        let items = list(get(body, "deps")).iter();
        let paths = items.filter_map(|item| Some((scalar(item)?, item.at)));
        paths
            .map(|(path, at)| (located(directory, &path), at))
            .collect()
    }

    fn outs(&mut self, body: &Located, directory: &str) -> Vec<Out> {
        let mut outs: Vec<Out> = Vec::new();
        let sections = [
            ("outs", Kind::Data),
            ("metrics", Kind::Metrics),
            ("plots", Kind::Plot),
        ];
        for (section, kind) in sections {
            for item in list(get(body, section)) {
                match &item.what {
                    What::Table(entries) => {
                        for entry in entries {
                            let path = located(directory, &entry.key);
                            add(&mut outs, path, entry.key_at, kind, Some(&entry.value));
                        }
                    }
                    _ => {
                        if let Some(path) = scalar(item) {
                            add(&mut outs, located(directory, &path), item.at, kind, None);
                        }
                    }
                }
            }
        }
        outs
    }

    /// Keys of params.yaml stand alone, those of another file under its name. A file without keys counts
    /// whole, whatever is said of it elsewhere.
    fn params(&mut self, body: &Located, directory: &str) -> Vec<Declared> {
        let mut declared: Vec<Declared> = Vec::new();
        let mut add = |file: &str, keys: Option<Vec<(String, At)>>, at: At| {
            let file = join(directory, file);
            match declared.iter_mut().find(|known| known.file == file) {
                None => declared.push(Declared { file, keys, at }),
                Some(known) => match (&mut known.keys, keys) {
                    (Some(known), Some(keys)) => known.extend(keys),
                    (known, _) => *known = None,
                },
            }
        };
        for item in list(get(body, "params")) {
            match &item.what {
                What::Table(entries) => {
                    for entry in entries {
                        let keys = list(Some(&entry.value)).iter();
                        let keys: Vec<(String, At)> = keys
                            .filter_map(|key| Some((scalar(key)?, key.at)))
                            .collect();
                        add(&entry.key, (!keys.is_empty()).then_some(keys), entry.key_at);
                    }
                }
                _ => {
                    if let Some(key) = scalar(item) {
                        add("params.yaml", Some(vec![(key, item.at)]), item.at);
                    }
                }
            }
        }
        declared
    }
}

/// More is a mistake, not a pipeline.
const MOST_STAGES: usize = 100_000;

/// The text of a scalar.
fn scalar(node: &Located) -> Option<String> {
    match &node.what {
        What::Scalar(value) => expression::word(value),
        _ => None,
    }
}

/// Of several with the same name the last counts, in the place of the first.
fn unique(items: Vec<(String, Located)>) -> Vec<(String, Located)> {
    let mut at = std::collections::HashMap::new();
    let mut out: Vec<(String, Located)> = Vec::new();
    for (name, item) in items {
        match at.get(&name) {
            Some(&position) => out[position] = (name, item),
            None => {
                at.insert(name.clone(), out.len());
                out.push((name, item));
            }
        }
    }
    out
}

fn located(directory: &str, path: &str) -> String {
    match super::paths::scheme(path) {
        Some(_) => path.to_owned(),
        None => join(directory, path),
    }
}

fn add(outs: &mut Vec<Out>, path: String, at: At, kind: Kind, options: Option<&Located>) {
    let option = |key| options.and_then(|options| truth(options, key));
    let known = outs
        .iter_mut()
        .find(|out| out.path == path && out.kind == kind);
    if let Some(known) = known {
        known.persist = option("persist").unwrap_or(known.persist);
        known.cache = option("cache").unwrap_or(known.cache);
        return;
    }
    outs.push(Out {
        path,
        at,
        kind,
        persist: option("persist").unwrap_or(false),
        cache: option("cache").unwrap_or(true),
    });
}

/// What the top of the file says of outputs that stages make: project-relative paths and their kinds.
pub(super) fn kinds(root: &Located, file: &str) -> Vec<(String, Kind)> {
    let base = parent(file);
    let mut kinds = Vec::new();
    for item in list(get(root, "metrics")) {
        kinds.extend(text(item).map(|(path, _)| (join(base, path), Kind::Metrics)));
    }
    for item in list(get(root, "plots")) {
        kinds.extend(text(item).map(|(path, _)| (join(base, path), Kind::Plot)));
        for entry in table(Some(item)) {
            kinds.push((join(base, &entry.key), Kind::Plot));
            for sources in table(get(&entry.value, "y")) {
                kinds.push((join(base, &sources.key), Kind::Plot));
            }
        }
    }
    kinds
}
