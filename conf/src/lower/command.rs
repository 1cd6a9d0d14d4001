//! `cmd`: text with references to the pieces that the runner fills in and quotes.

use super::artifacts::Catalog;
use crate::diagnostic::Diagnostic;
use crate::findings::Findings;
use crate::nearest::{did_you_mean, listing};
use crate::pipeline::{Command, Input, Output, Piece, Shape, Word};
use crate::quote::{QuoteState, split_words};
use crate::raw::{Item, Raw, Table};
use crate::scope::{Scope, unknown};
use crate::template::{Part, RUN_FIELDS, Reference, Target, parts};

/// What a node's command can refer to; a `finally` has none.
pub(crate) struct Io<'a> {
    pub table: &'a Table,
    pub inputs: &'a [Input],
    pub outputs: &'a [Output],
    pub catalog: &'a Catalog,
    /// The declared parameters.
    pub params: &'a [String],
}

/// Reads a command; what is wrong was said.
pub(crate) fn command(
    item: &Item,
    scope: &Scope<'_>,
    io: Option<&Io<'_>>,
    findings: &mut Findings,
) -> Command {
    let reader = Reader { scope, io };
    match &item.raw {
        Raw::Text(text) => {
            if text.trim().is_empty() {
                findings.say(
                    item.at,
                    Diagnostic::error("empty-command", "an empty command"),
                );
            }
            Command::Shell(reader.shell(text, item, findings))
        }
        Raw::List(_) => Command::Exec(reader.exec(item, findings)),
        _ => Command::Exec(Vec::new()),
    }
}

struct Reader<'r, 'a> {
    scope: &'r Scope<'a>,
    io: Option<&'r Io<'a>>,
}

impl Reader<'_, '_> {
    fn shell(&self, text: &str, item: &Item, findings: &mut Findings) -> Vec<Piece> {
        let mut pieces = Vec::new();
        let mut quotes = QuoteState::default();
        for part in parts(text, item.at, findings).unwrap_or_default() {
            let inserted = match part {
                Part::Text(text) => Some(text),
                Part::Ref(reference) => match self.var(&reference) {
                    Some(text) => text,
                    None => {
                        self.warn_of_quotes(&quotes, &reference, findings);
                        pieces.extend(self.piece(&reference, findings));
                        None
                    }
                },
            };
            if let Some(text) = inserted {
                quotes.feed(&text);
                push_text(&mut pieces, text);
            }
        }
        pieces
    }

    /// The text of a variable: `Some(None)` for one that is broken and was reported.
    fn var(&self, reference: &Reference) -> Option<Option<String>> {
        let Target::Var(name) = reference.target() else {
            return None;
        };
        self.scope
            .vars
            .get(name)
            .map(|v| v.as_ref().map(|v| v.shell.clone()))
    }

    fn warn_of_quotes(&self, quotes: &QuoteState, reference: &Reference, findings: &mut Findings) {
        if let Some(quote) = quotes.quote() {
            let message = format!(
                "`{{{{{}}}}}` stands inside {quote}…{quote} and would be quoted twice",
                reference.name
            );
            let what = Diagnostic::warning("quoted-reference", message)
                .help("leave the quotes out: what is inserted is quoted already");
            findings.say(reference.at, what);
        }
    }

    fn exec(&self, item: &Item, findings: &mut Findings) -> Vec<Word> {
        let items = item.list().unwrap_or(&[]);
        if items.is_empty() {
            findings.say(
                item.at,
                Diagnostic::error("empty-command", "an empty command"),
            );
        }
        let words: Vec<Word> = items
            .iter()
            .filter_map(|i| self.word(i.text()?, i, findings))
            .collect();
        if let Some(Word { pieces, .. }) = words.first()
            && pieces
                .iter()
                .all(|p| matches!(p, Piece::Text(t) if t.is_empty()))
            && let Some(first) = items.first()
        {
            findings.say(
                first.at,
                Diagnostic::error("empty-command", "the program's name is empty"),
            );
        }
        words
    }

    fn word(&self, text: &str, item: &Item, findings: &mut Findings) -> Option<Word> {
        let parts = parts(text, item.at, findings)?;
        if let [Part::Ref(reference)] = &parts[..] {
            if let Some(var) = self.var(reference) {
                let words = split_words(&var?);
                return Some(Word {
                    pieces: vec![Piece::Value {
                        reference: reference.name.clone(),
                        words,
                    }],
                    splice: true,
                });
            }
            let piece = self.piece(reference, findings)?;
            let splice = self.is_list(&piece, reference);
            return Some(Word {
                pieces: vec![piece],
                splice,
            });
        }
        let mut pieces = Vec::new();
        for part in parts {
            match part {
                Part::Text(text) => push_text(&mut pieces, text),
                Part::Ref(reference) => {
                    match reference.target() {
                        Target::Var(name) if self.scope.vars.contains_key(name) => {
                            let var = self.scope.vars.get(name).and_then(Option::as_ref)?;
                            push_text(&mut pieces, var.plain.clone());
                        }
                        _ => {
                            let piece = self.piece(&reference, findings)?;
                            if self.is_list(&piece, &reference) {
                                let message = format!(
                                    "`{}` is a list within a longer element",
                                    reference.name
                                );
                                let what = Diagnostic::error("list-in-text", message);
                                findings.say(reference.at, what.help("make it an element of its own: it becomes one for each word"));
                            }
                            pieces.push(piece);
                        }
                    }
                }
            }
        }
        Some(Word {
            pieces,
            splice: false,
        })
    }

    /// Whether a piece stands for any number of words.
    fn is_list(&self, piece: &Piece, reference: &Reference) -> bool {
        match piece {
            Piece::Input(index) => self.io.is_some_and(|io| {
                let input = &io.inputs[*index];
                input.list
                    || input
                        .artifacts
                        .iter()
                        .any(|a| io.catalog.get(*a).shape == Shape::Glob)
            }),
            Piece::Value { words, .. } => {
                words.len() != 1
                    || matches!(reference.target(), Target::Param(path)
                        if matches!(self.scope.params.and_then(|p| p.value.get(path)), Some(crate::value::Value::List(_))))
            }
            _ => false,
        }
    }

    fn piece(&self, reference: &Reference, findings: &mut Findings) -> Option<Piece> {
        match (reference.target(), self.io) {
            (Target::In(alias), Some(io)) => {
                match io.inputs.iter().position(|i| i.alias == alias) {
                    Some(index) => Some(Piece::Input(index)),
                    None => self.no_input(alias, io, reference, findings),
                }
            }
            (Target::Out(alias), Some(io)) => {
                match io.outputs.iter().position(|o| o.alias == alias) {
                    Some(index) => Some(Piece::Output(index)),
                    None => self.no_output(alias, io, reference, findings),
                }
            }
            (Target::ParamsFile, Some(io)) => {
                if io.params.is_empty() && !self.scope.shaken {
                    let what = Diagnostic::error(
                        "undeclared-parameter",
                        "this node declares no parameters",
                    );
                    findings.say(
                        reference.at,
                        what.help("name the subtrees it needs: params = [\"…\"]"),
                    );
                }
                Some(Piece::ParamsFile)
            }
            (Target::Run(field), None) => Some(Piece::Run(field)),
            (Target::Run(_), Some(_)) => {
                let what = Diagnostic::error(
                    "unknown-reference",
                    "{{run.*}} is known in [finally.*] only",
                );
                self.say(reference, what, findings)
            }
            (Target::In(_) | Target::Out(_) | Target::ParamsFile, None) => {
                let what = Diagnostic::error(
                    "unknown-reference",
                    "a `finally` has no inputs, outputs or params.file",
                );
                self.say(
                    reference,
                    what.help("known here: run.NAME, params.NAME, vars.NAME, env"),
                    findings,
                )
            }
            (Target::Unknown, None) if reference.name.starts_with("run") => {
                let names: Vec<String> =
                    RUN_FIELDS.iter().map(|(n, _)| format!("run.{n}")).collect();
                let known = listing(names.iter().map(String::as_str));
                let what = unknown(
                    &reference.name,
                    names.iter().map(String::as_str),
                    &format!("known: {known}"),
                );
                self.say(reference, what, findings)
            }
            (Target::Var(_) | Target::Unknown, Some(io)) => {
                let what = self.unknown_word(reference, io);
                if findings.is_shaken("vars") {
                    None
                } else {
                    self.say(reference, what, findings)
                }
            }
            _ => self.value(reference, findings),
        }
    }

    fn say(
        &self,
        reference: &Reference,
        what: Diagnostic,
        findings: &mut Findings,
    ) -> Option<Piece> {
        if !self.scope.shaken {
            findings.say(reference.at, what);
        }
        None
    }

    /// A parameter, matrix value or environment name.
    fn value(&self, reference: &Reference, findings: &mut Findings) -> Option<Piece> {
        if let (Target::Param(path), Some(io)) = (reference.target(), self.io)
            && let Some(params) = self.scope.params
            && io
                .params
                .iter()
                .any(|d| covers(d, path) && params.find(d).is_err())
        {
            return None;
        }
        let words = self.scope.words(reference, findings)?;
        if let (Target::Param(path), Some(io)) = (reference.target(), self.io)
            && !io.params.iter().any(|declared| covers(declared, path))
            && !self.scope.shaken
        {
            let top = path.split('.').next().unwrap_or(path);
            let mut lines: Vec<String> = io.params.iter().map(|p| format!("{p:?}")).collect();
            lines.push(format!("{top:?}"));
            let message = format!("the parameter `{path}` is used, but not declared by this node");
            let what = Diagnostic::error("undeclared-parameter", message);
            findings.say(
                reference.at,
                what.help(format!("write params = [{}]", lines.join(", "))),
            );
        }
        Some(Piece::Value {
            reference: reference.name.clone(),
            words,
        })
    }

    fn no_input(
        &self,
        alias: &str,
        io: &Io<'_>,
        reference: &Reference,
        findings: &mut Findings,
    ) -> Option<Piece> {
        let unbound = io.inputs.iter().any(|i| i.artifacts.is_empty());
        if unbound || listed(io.table.get("in"), alias) {
            return None;
        }
        let known = io.inputs.iter().map(|i| i.alias.as_str());
        let help = did_you_mean(alias, known).unwrap_or_else(|| format!("add \"{alias}\" to `in`"));
        let what = Diagnostic::error("unknown-input", format!("this node has no input `{alias}`"))
            .help(help);
        self.say(reference, what, findings)
    }

    fn no_output(
        &self,
        alias: &str,
        io: &Io<'_>,
        reference: &Reference,
        findings: &mut Findings,
    ) -> Option<Piece> {
        if io
            .table
            .sub("out")
            .is_some_and(|t| t.entry(alias).is_some())
        {
            return None;
        }
        let known = io.outputs.iter().map(|o| o.alias.as_str());
        let help = did_you_mean(alias, known)
            .unwrap_or_else(|| format!("add {alias} = \"PATH\" to `out`"));
        let what = Diagnostic::error(
            "unknown-output",
            format!("this node has no output `{alias}`"),
        )
        .help(help);
        self.say(reference, what, findings)
    }

    fn unknown_word(&self, reference: &Reference, io: &Io<'_>) -> Diagnostic {
        let name = reference.name.as_str();
        if io.inputs.iter().any(|i| i.alias == name) {
            return unknown(
                name,
                std::iter::empty(),
                &format!("did you mean `in.{name}`?"),
            );
        }
        if io.outputs.iter().any(|o| o.alias == name) {
            return unknown(
                name,
                std::iter::empty(),
                &format!("did you mean `out.{name}`?"),
            );
        }
        let mut known: Vec<String> = io
            .inputs
            .iter()
            .map(|i| format!("in.{}", i.alias))
            .collect();
        known.extend(io.outputs.iter().map(|o| format!("out.{}", o.alias)));
        known.extend(io.params.iter().map(|p| format!("params.{p}")));
        known.push("params.file".into());
        match did_you_mean(name, known.iter().map(String::as_str)) {
            Some(help) => unknown(name, std::iter::empty(), &help),
            None => {
                let plain = self.scope.unknown(name);
                match &plain.help {
                    Some(help) if help.starts_with("did") => plain,
                    _ => plain.help("known here: in.NAME, out.NAME, params.NAME, params.file, matrix, matrix.KEY, vars.NAME, env"),
                }
            }
        }
    }
}

/// Whether an input was written under that name: if it is not bound, that was said.
fn listed(item: Option<&Item>, alias: &str) -> bool {
    match item.map(|i| &i.raw) {
        Some(Raw::Table(table)) => table.entry(alias).is_some(),
        Some(Raw::List(items)) => items
            .iter()
            .filter_map(Item::text)
            .any(|t| t == alias || t.split('[').next() == Some(alias)),
        _ => false,
    }
}

fn push_text(pieces: &mut Vec<Piece>, text: String) {
    if let Some(Piece::Text(last)) = pieces.last_mut() {
        last.push_str(&text);
    } else if !text.is_empty() || pieces.is_empty() {
        pieces.push(Piece::Text(text));
    }
}

/// Whether declaring `declared` makes `path` visible.
pub(crate) fn covers(declared: &str, path: &str) -> bool {
    path.strip_prefix(declared)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}
