//! What `${…}` may refer to: parameter files and `vars`, merged without redefinition.
//!
//! Facts are those of DVC 3 (`dvc/parsing/context.py`). Asks the caller for files; knows no stage.

use std::collections::{BTreeMap, HashMap};

use super::expression::{self, Arguments, Part};
use super::paths::join;
use super::{Answer, Ask};
use crate::diagnostic::Diagnostic;
use crate::findings::Findings;
use crate::nearest::did_you_mean;
use crate::params::yaml::{Entry, Located, What};
use crate::params::{ParamsFile, read_dvc};
use crate::place::At;
use crate::value::Value;

/// Files that were asked for, each read once.
pub(super) struct Files<'a> {
    ask: &'a mut Ask<'a>,
    read: HashMap<String, Option<Located>>,
}

/// What a file came to.
pub(super) enum Found {
    /// A table.
    Table(Located),
    /// There is no such file.
    Missing,
    /// It was said what is wrong with it.
    Broken,
}

impl<'a> Files<'a> {
    pub fn new(ask: &'a mut Ask<'a>) -> Self {
        Files {
            ask,
            read: HashMap::new(),
        }
    }

    /// A parameter file by its project-relative path. `at` is where it was asked for.
    pub fn get(&mut self, path: &str, at: At, findings: &mut Findings) -> Found {
        if let Some(known) = self.read.get(path) {
            return known.clone().map_or(Found::Broken, Found::Table);
        }
        let read = match (self.ask)(path) {
            Answer::Missing => return Found::Missing,
            Answer::Unreadable(why) => {
                let message = format!("cannot read {path}: {why}");
                findings.say(at, Diagnostic::error("params-file", message));
                None
            }
            Answer::Text(text) => {
                let file = path.to_owned();
                read_dvc(&ParamsFile { file, text }, findings)
            }
        };
        self.read.insert(path.to_owned(), read.clone());
        read.map_or(Found::Broken, Found::Table)
    }
}

/// The names that references begin with.
#[derive(Debug, Clone, Default)]
pub(super) struct Context {
    entries: Vec<Entry>,
    /// By file: the keys that were taken from it, or none for all.
    loaded: BTreeMap<String, Option<Vec<String>>>,
    /// Something could not be read: what is missing may be in it.
    pub shaken: bool,
}

impl Context {
    /// The default file, if it is there, then `vars`, from the directory they are relative to.
    pub fn load(
        &mut self,
        default: Option<&str>,
        vars: Option<&Located>,
        directory: &str,
        reserved: &[&str],
        files: &mut Files<'_>,
        findings: &mut Findings,
    ) {
        if let Some(default) = default {
            match files.get(&join(directory, default), At::default(), findings) {
                Found::Table(table) => {
                    self.merge(table, reserved, findings);
                    self.loaded.insert(join(directory, default), None);
                }
                Found::Missing => {}
                Found::Broken => self.shaken = true,
            }
        }
        let Some(What::List(items)) = vars.map(|vars| &vars.what) else {
            return;
        };
        for item in items {
            if !no_templates(item, findings) {
                self.shaken = true;
                continue;
            }
            match &item.what {
                What::Scalar(Value::Text(text)) => {
                    self.load_file(text, item.at, directory, reserved, files, findings);
                }
                _ => self.merge(item.clone(), reserved, findings),
            }
        }
    }

    /// `params.yaml`, or some of its keys: `params.yaml:train,eval`.
    fn load_file(
        &mut self,
        text: &str,
        at: At,
        directory: &str,
        reserved: &[&str],
        files: &mut Files<'_>,
        findings: &mut Findings,
    ) {
        let (path, keys) = text.split_once(':').unwrap_or((text, ""));
        let path = join(directory, path);
        let keys: Vec<String> = keys
            .split(',')
            .filter(|key| !key.is_empty())
            .map(str::to_owned)
            .collect();
        let keys = (!keys.is_empty()).then_some(keys);
        if let Some(before) = self.loaded.get(&path) {
            let twice = match (before, &keys) {
                (None, None) => return,
                (None, Some(_)) => "all of it is loaded already",
                (Some(_), None) => "a part of it is loaded already",
                (Some(before), Some(keys)) if keys.iter().any(|key| before.contains(key)) => {
                    "one of these keys is loaded already"
                }
                _ => "",
            };
            if !twice.is_empty() {
                let message = format!("cannot load `{text}`: {twice}");
                let help = "name each file once, or each of its keys once; params.yaml is loaded by itself";
                findings.say(at, Diagnostic::error("vars-twice", message).help(help));
                return;
            }
        }
        let table = match files.get(&path, at, findings) {
            Found::Table(table) => table,
            Found::Broken => {
                self.shaken = true;
                return;
            }
            Found::Missing => {
                self.shaken = true;
                let message = format!("there is no file {path}");
                let help = "make it, or correct the path: it is relative to the directory of the dvc.yaml, for a stage's `vars` to its wdir";
                findings.say(at, Diagnostic::error("params-file", message).help(help));
                return;
            }
        };
        let table = match &keys {
            None => table,
            Some(keys) => selected(table, keys, &path, at, findings),
        };
        self.merge(table, reserved, findings);
        let loaded = self.loaded.entry(path).or_insert_with(|| keys.clone());
        if let (Some(loaded), Some(keys)) = (loaded, keys) {
            loaded.extend(keys);
        }
    }

    fn merge(&mut self, over: Located, reserved: &[&str], findings: &mut Findings) {
        let What::Table(mut entries) = over.what else {
            return;
        };
        for entry in &entries {
            if reserved.contains(&entry.key.as_str()) {
                let message = format!("`{}` is what foreach and matrix set", entry.key);
                let what = Diagnostic::error("vars-reserved", message);
                findings.say(entry.key_at, what.help("give the variable another name"));
            }
        }
        entries.retain(|entry| !reserved.contains(&entry.key.as_str()));
        merge("", &mut self.entries, entries, findings);
    }

    /// The same names and these over them.
    pub fn with(&self, names: Vec<(&str, Located)>) -> Context {
        let mut own = self.clone();
        for (name, value) in names {
            own.entries.retain(|entry| entry.key != name);
            own.entries.push(Entry {
                key: name.to_owned(),
                key_at: value.at,
                value,
            });
        }
        own
    }

    /// What a reference names; `None` after an error that was said.
    pub fn select(&self, reference: &str, at: At, findings: &mut Findings) -> Option<&Located> {
        let Some(steps) = expression::steps(reference) else {
            let message = format!("`${{{reference}}}` is not understood");
            let help = "a reference is a name with steps, like ${train.lr} or ${layers[0]}; a literal ${ is written \\${";
            findings.say(at, Diagnostic::error("bad-reference", message).help(help));
            return None;
        };
        match self.walk(&steps) {
            Ok(found) => Some(found),
            Err(_) if self.shaken => None,
            Err(near) => {
                let message = format!("there is no `{}` to insert", reference.trim());
                let help = near.unwrap_or_else(|| {
                    "names come from params.yaml, from `vars`, and in foreach and matrix from `item` and `key`; a literal ${ is written \\${".into()
                });
                findings.say(
                    at,
                    Diagnostic::error("unknown-reference", message).help(help),
                );
                None
            }
        }
    }

    /// Follows the steps; else what was near, if anything was.
    fn walk(&self, steps: &[&str]) -> Result<&Located, Option<String>> {
        let mut entries = &self.entries;
        let mut here = None;
        for step in steps {
            let next = match here.map(|here: &Located| &here.what) {
                None | Some(What::Table(_)) => {
                    if let Some(What::Table(inner)) = here.map(|here| &here.what) {
                        entries = inner;
                    }
                    let keys = entries.iter().map(|entry| entry.key.as_str());
                    let found = entries.iter().find(|entry| entry.key == *step);
                    &found.ok_or_else(|| did_you_mean(step, keys))?.value
                }
                Some(What::List(items)) => {
                    let index: i64 = step.parse().map_err(|_| None)?;
                    let count = i64::try_from(items.len()).map_err(|_| None)?;
                    let index = if index < 0 { index + count } else { index };
                    let item = usize::try_from(index).ok().and_then(|at| items.get(at));
                    let many = || Some(format!("the list has {count} elements, counted from 0"));
                    item.ok_or_else(many)?
                }
                Some(What::Scalar(_)) => return Err(None),
            };
            here = Some(next);
        }
        here.ok_or(None)
    }

    /// Whether a name is there.
    pub fn has(&self, name: &str) -> bool {
        self.entries.iter().any(|entry| entry.key == name)
    }

    /// Everything below with its references resolved; `None` after errors that were said. `key` is the
    /// stage's key that it stands under: only there tables and lists cannot be inserted.
    pub fn resolve(
        &self,
        node: &Located,
        key: Option<&str>,
        how: Arguments,
        findings: &mut Findings,
    ) -> Option<Located> {
        let what = match &node.what {
            What::Scalar(Value::Text(text)) => return self.text(text, node.at, key, how, findings),
            What::Scalar(value) => What::Scalar(value.clone()),
            What::List(items) => {
                let items: Vec<Option<Located>> = items
                    .iter()
                    .map(|item| self.resolve(item, key, how, findings))
                    .collect();
                What::List(items.into_iter().collect::<Option<_>>()?)
            }
            What::Table(entries) => {
                let entries: Vec<Option<Entry>> = entries
                    .iter()
                    .map(|entry| self.entry(entry, key, how, findings))
                    .collect();
                What::Table(entries.into_iter().collect::<Option<_>>()?)
            }
        };
        Some(Located { what, at: node.at })
    }

    fn entry(
        &self,
        entry: &Entry,
        key: Option<&str>,
        how: Arguments,
        findings: &mut Findings,
    ) -> Option<Entry> {
        let name = self.text(&entry.key, entry.key_at, key, how, findings);
        let value = self.resolve(&entry.value, key, how, findings);
        Some(Entry {
            key: match name?.what {
                What::Scalar(value) => expression::word(&value)?,
                _ => return None,
            },
            key_at: entry.key_at,
            value: value?,
        })
    }

    fn text(
        &self,
        text: &str,
        at: At,
        key: Option<&str>,
        how: Arguments,
        findings: &mut Findings,
    ) -> Option<Located> {
        let parts = expression::parts(text);
        if let [Part::Reference(reference)] = parts.as_slice() {
            let found = self.select(reference, at, findings)?;
            if key.is_none() || matches!(found.what, What::Scalar(_)) {
                let what = found.what.clone();
                return Some(Located { what, at });
            }
        }
        let inserted: Vec<Option<String>> = parts
            .iter()
            .map(|part| match part {
                Part::Text(text) => Some(text.replace("\\${", "${")),
                Part::Reference(reference) => self.inserted(reference, at, key, how, findings),
            })
            .collect();
        let text = inserted.into_iter().collect::<Option<Vec<_>>>()?.concat();
        let what = What::Scalar(Value::Text(text));
        Some(Located { what, at })
    }

    /// The text of a reference among other text.
    fn inserted(
        &self,
        reference: &str,
        at: At,
        key: Option<&str>,
        how: Arguments,
        findings: &mut Findings,
    ) -> Option<String> {
        let found = self.select(reference, at, findings)?;
        match &found.what {
            What::Scalar(value) => expression::word(value),
            What::Table(_) if key == Some("cmd") => {
                let Value::Table(entries) = found.clone().into_value() else {
                    return None;
                };
                match expression::arguments(&entries, how) {
                    Ok(text) => Some(text),
                    Err(why) => {
                        let what = Diagnostic::error("bad-insertion", why);
                        findings.say(at, what.help("insert its elements one by one: ${list[0]}"));
                        None
                    }
                }
            }
            _ => cannot(reference, found, at, findings),
        }
    }
}

fn cannot<T>(reference: &str, found: &Located, at: At, findings: &mut Findings) -> Option<T> {
    let kind = match found.what {
        What::List(_) => "a list",
        _ => "a table",
    };
    let message = format!(
        "`{}` is {kind} and cannot be inserted here",
        reference.trim()
    );
    let what = Diagnostic::error("bad-insertion", message);
    let help = "tables can be inserted in `cmd`, lists nowhere: name an element, like ${list[0]}";
    findings.say(at, what.help(help));
    None
}

/// Only these keys of a file.
fn selected(
    table: Located,
    keys: &[String],
    path: &str,
    at: At,
    findings: &mut Findings,
) -> Located {
    let What::Table(mut entries) = table.what else {
        return table;
    };
    for key in keys {
        if !entries.iter().any(|entry| entry.key == *key) {
            let known = entries.iter().map(|entry| entry.key.as_str());
            let message = format!("there is no `{key}` in {path}");
            let what = Diagnostic::error("unknown-parameter", message);
            findings.say(at, what.maybe_help(did_you_mean(key, known)));
        }
    }
    entries.retain(|entry| keys.contains(&entry.key));
    Located {
        what: What::Table(entries),
        at: table.at,
    }
}

/// Tables merge; nothing is redefined.
fn merge(above: &str, into: &mut Vec<Entry>, over: Vec<Entry>, findings: &mut Findings) {
    for entry in over {
        let path = format!("{above}{}", entry.key);
        let Some(old) = into.iter_mut().find(|old| old.key == entry.key) else {
            into.push(entry);
            continue;
        };
        match (&mut old.value.what, entry.value.what) {
            (What::Table(mine), What::Table(theirs)) => {
                merge(&format!("{path}."), mine, theirs, findings);
            }
            _ => {
                let message = format!("`{path}` is defined twice");
                let what = findings.related(
                    Diagnostic::error("vars-conflict", message),
                    old.key_at,
                    "first defined here",
                );
                let help = "a variable has one place: take it out of one of the two, or give it another name";
                findings.say(entry.key_at, what.help(help));
            }
        }
    }
}

/// `vars` cannot refer to others.
fn no_templates(node: &Located, findings: &mut Findings) -> bool {
    let mut say = |text: &str, at: At| {
        let bad = expression::is_template(text);
        if bad {
            let what = Diagnostic::error("bad-reference", "nothing can be inserted in `vars`");
            findings.say(at, what.help("write the value itself"));
        }
        !bad
    };
    match &node.what {
        What::Scalar(Value::Text(text)) => say(text, node.at),
        What::Scalar(_) => true,
        // All of them, for each is said.
        What::List(items) => {
            let bad = items.iter().filter(|item| !no_templates(item, findings));
            bad.count() == 0
        }
        What::Table(entries) => {
            let values = entries.iter().map(|entry| &entry.value);
            values
                .filter(|value| !no_templates(value, findings))
                .count()
                == 0
        }
    }
}
