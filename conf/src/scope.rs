//! What references stand for at one place: variables, environment, parameters, matrix values.
//!
//! Knows which kinds of reference a place allows; nothing of commands or artifacts.

use std::collections::HashMap;

use crate::diagnostic::Diagnostic;
use crate::findings::Findings;
use crate::nearest::{did_you_mean, listing};
use crate::params::Params;
use crate::place::At;
use crate::quote::shell_quote;
use crate::raw::{Item, Table};
use crate::template::{Part, RESERVED, Reference, Target, is_template, parts};
use crate::value::Value;

/// The code of a reference to parameters where these are not read yet.
pub(crate) const PARAMS_TOO_EARLY: &str = "params-too-early";

/// References within references, and bytes of a variable's text.
const MOST_DEPTH: usize = 64;
const MOST_TEXT: usize = 1 << 20;

/// A variable's text with everything in it resolved.
#[derive(Debug, Clone, Default)]
pub(crate) struct VarText {
    /// Values as they are, for paths.
    pub plain: String,
    /// Values quoted for `sh`, for commands.
    pub shell: String,
}

/// All variables; `None` for one that is broken and was reported.
pub(crate) type Vars = HashMap<String, Option<VarText>>;

/// Resolves `[pipeline] vars`; without parameters while these are not read yet.
pub(crate) fn resolve_vars(
    table: Option<&Table>,
    env: &str,
    params: Option<&Params>,
    findings: &mut Findings,
) -> Vars {
    let mut resolver = VarResolver {
        table,
        env,
        params,
        done: HashMap::new(),
        open: Vec::new(),
        findings,
    };
    for entry in table.map_or(&[][..], |t| &t.entries) {
        if RESERVED.contains(&entry.key.as_str()) {
            let message = format!("`{}` cannot be the name of a variable", entry.key);
            resolver.findings.say(
                entry.key_at,
                Diagnostic::error("reserved-name", message)
                    .help(format!("reserved: {}", RESERVED.join(", "))),
            );
        }
        resolver.var(&entry.key, entry.item.at);
    }
    resolver.done
}

struct VarResolver<'a> {
    table: Option<&'a Table>,
    env: &'a str,
    params: Option<&'a Params>,
    done: Vars,
    open: Vec<(&'a str, At)>,
    findings: &'a mut Findings,
}

impl<'a> VarResolver<'a> {
    fn var(&mut self, name: &str, from: At) -> Option<VarText> {
        if let Some(done) = self.done.get(name) {
            return done.clone();
        }
        let entry = self.table?.entry(name)?;
        if self.open.iter().any(|(n, _)| *n == name) {
            self.cycle(name, from);
            return None;
        }
        if self.open.len() >= MOST_DEPTH {
            self.findings.say(
                from,
                Diagnostic::error("too-deep", "variables nested too deep"),
            );
            return None;
        }
        self.open.push((&entry.key, from));
        let text = self.text(&entry.item);
        self.open.pop();
        self.done.insert(name.to_owned(), text.clone());
        text
    }

    fn cycle(&mut self, name: &str, from: At) {
        let start = self.open.iter().position(|(n, _)| *n == name).unwrap_or(0);
        let ring = &self.open[start..];
        let names: Vec<&str> = ring.iter().map(|(n, _)| *n).chain([name]).collect();
        let mut what = Diagnostic::error(
            "cycle",
            format!("variables that need each other: {}", names.join(" → ")),
        );
        for (other, at) in ring.iter().skip(1) {
            what = self
                .findings
                .related(what, *at, &format!("`{other}` is needed here"));
        }
        self.findings.say(from, what);
    }

    fn text(&mut self, item: &Item) -> Option<VarText> {
        let Some(text) = item.text() else {
            let word = item.to_value().word()?;
            return Some(VarText {
                shell: shell_quote(&word),
                plain: word,
            });
        };
        let mut out = VarText::default();
        let mut good = true;
        for part in parts(text, item.at, self.findings)? {
            match part {
                Part::Text(t) => {
                    out.plain.push_str(&t);
                    out.shell.push_str(&t);
                }
                Part::Ref(r) => match self.reference(&r) {
                    Some(t) => {
                        out.plain.push_str(&t.plain);
                        out.shell.push_str(&t.shell);
                    }
                    None => good = false,
                },
            }
            if out.shell.len() > MOST_TEXT {
                self.findings.say(
                    item.at,
                    Diagnostic::error("too-long", "a variable of more than a mebibyte"),
                );
                return None;
            }
        }
        good.then_some(out)
    }

    fn reference(&mut self, reference: &Reference) -> Option<VarText> {
        let problem = match reference.target() {
            Target::Env => return Some(quoted(self.env.to_owned())),
            Target::Var(name) if self.table.is_some_and(|t| t.entry(name).is_some()) => {
                return self.var(name, reference.at);
            }
            Target::Param(path) => match self.params {
                None => Diagnostic::error(
                    PARAMS_TOO_EARLY,
                    "parameters cannot be used before they are read",
                ),
                Some(params) => match params.words(path) {
                    Ok(words) => {
                        let shell: Vec<String> = words.iter().map(|w| shell_quote(w)).collect();
                        return Some(VarText {
                            plain: words.join(" "),
                            shell: shell.join(" "),
                        });
                    }
                    Err(_) if self.findings.is_shaken("params") => return None,
                    Err(problem) => problem,
                },
            },
            _ => {
                let vars = self
                    .table
                    .map_or(&[][..], |t| &t.entries)
                    .iter()
                    .map(|e| e.key.as_str());
                unknown(
                    &reference.name,
                    vars.chain(["env"]),
                    "a variable can refer to env, params and other variables",
                )
            }
        };
        if !self.findings.is_shaken("vars") || !matches!(reference.target(), Target::Var(_)) {
            self.findings.say(reference.at, problem);
        }
        None
    }
}

fn quoted(plain: String) -> VarText {
    VarText {
        shell: shell_quote(&plain),
        plain,
    }
}

/// `… is not known here`, with the nearest known word.
pub(crate) fn unknown<'a>(
    name: &str,
    known: impl Iterator<Item = &'a str>,
    otherwise: &str,
) -> Diagnostic {
    let help = did_you_mean(name, known).unwrap_or_else(|| otherwise.to_owned());
    Diagnostic::error(
        "unknown-reference",
        format!("`{{{{{name}}}}}` is not known here"),
    )
    .help(help)
}

/// What references may be used at a place, and what they stand for.
#[derive(Clone, Copy)]
pub(crate) struct Scope<'a> {
    pub vars: &'a Vars,
    pub env: &'a str,
    /// Absent where parameters cannot be used.
    pub params: Option<&'a Params>,
    /// Absent where there is no node.
    pub matrix: Option<&'a [(String, String)]>,
    /// What the rest of the table is worth: nothing is said of references into a broken one.
    pub shaken: bool,
}

impl Scope<'_> {
    /// Text with everything inserted as it is: for paths, names and environment values.
    pub fn text(&self, text: &str, at: At, findings: &mut Findings) -> Option<String> {
        if !is_template(text) {
            return Some(text.to_owned());
        }
        let mut out = String::new();
        let mut good = true;
        for part in parts(text, at, findings)? {
            match part {
                Part::Text(t) => out.push_str(&t),
                Part::Ref(r) => match self.plain(&r, findings) {
                    Some(t) => out.push_str(&t),
                    None => good = false,
                },
            }
        }
        good.then_some(out)
    }

    fn plain(&self, reference: &Reference, findings: &mut Findings) -> Option<String> {
        if let Target::Var(name) = reference.target()
            && let Some(var) = self.vars.get(name)
        {
            return var.as_ref().map(|v| v.plain.clone());
        }
        let words = self.words(reference, findings)?;
        if words.len() != 1 {
            let what = Diagnostic::error(
                "list-in-text",
                format!("`{}` is a list and cannot stand here", reference.name),
            );
            findings.say(reference.at, what);
            return None;
        }
        words.into_iter().next()
    }

    /// The words of a parameter, matrix value or environment name; says what is wrong.
    pub fn words(&self, reference: &Reference, findings: &mut Findings) -> Option<Vec<String>> {
        let problem = match reference.target() {
            Target::Env => return Some(vec![self.env.to_owned()]),
            Target::Matrix if self.matrix.is_some_and(|m| !m.is_empty()) => {
                let values: Vec<&str> = self
                    .matrix
                    .unwrap_or(&[])
                    .iter()
                    .map(|(_, v)| v.as_str())
                    .collect();
                return Some(vec![values.join("-")]);
            }
            Target::MatrixKey(key) => {
                match self.matrix.unwrap_or(&[]).iter().find(|(k, _)| k == key) {
                    Some((_, value)) => return Some(vec![value.clone()]),
                    None => self.no_matrix_key(key),
                }
            }
            Target::Matrix if self.matrix.is_some() => self.no_matrix_key(""),
            Target::Param(path) => match self.params.map(|p| p.words(path)) {
                Some(Ok(words)) => return Some(words),
                Some(Err(_)) if findings.is_shaken("params") => return None,
                Some(Err(problem)) => problem,
                None => Diagnostic::error(
                    PARAMS_TOO_EARLY,
                    "parameters cannot be used before they are read",
                ),
            },
            _ => self.unknown(&reference.name),
        };
        let var_may_be_missing =
            matches!(reference.target(), Target::Var(_)) && findings.is_shaken("vars");
        if !self.shaken && !var_may_be_missing {
            findings.say(reference.at, problem);
        }
        None
    }

    fn no_matrix_key(&self, key: &str) -> Diagnostic {
        let keys: Vec<&str> = self
            .matrix
            .unwrap_or(&[])
            .iter()
            .map(|(k, _)| k.as_str())
            .collect();
        if keys.is_empty() {
            return Diagnostic::error("unknown-reference", "there is no matrix here")
                .help("only a node with `matrix` has {{matrix}}");
        }
        let help = did_you_mean(key, keys.iter().copied())
            .unwrap_or_else(|| format!("known: {}", listing(keys.iter().copied())));
        Diagnostic::error(
            "unknown-reference",
            format!("the matrix has no key `{key}`"),
        )
        .help(help)
    }

    /// An unknown reference, with what is known here.
    pub fn unknown(&self, name: &str) -> Diagnostic {
        let mut known: Vec<String> = self.vars.keys().cloned().collect();
        known.extend(self.vars.keys().map(|v| format!("vars.{v}")));
        known.push("env".into());
        for (key, _) in self.matrix.unwrap_or(&[]) {
            known.push(format!("matrix.{key}"));
            known.push("matrix".into());
        }
        if let Some(Params {
            value: Value::Table(entries),
            ..
        }) = self.params
        {
            known.extend(entries.iter().map(|(k, _)| format!("params.{k}")));
        }
        known.sort();
        let kinds = match (self.matrix.is_some(), self.params.is_some()) {
            (true, _) => "known here: params.NAME, matrix, matrix.KEY, vars.NAME, env",
            (false, true) => "known here: params.NAME, vars.NAME, env",
            (false, false) => "known here: vars.NAME, env",
        };
        unknown(name, known.iter().map(String::as_str), kinds)
    }
}
