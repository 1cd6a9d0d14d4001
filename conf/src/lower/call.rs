//! `call`: a Python function in a command's place, and where functions are found.
//!
//! Whether there is such a function, and what arguments it has, is not known here.

use super::Context;
use super::command::Io;
use super::paths::clean;
use crate::diagnostic::{Diagnostic, Location};
use crate::findings::Findings;
use crate::pipeline::{Call, Command};
use crate::raw::{Item, Table};
use crate::scope::Scope;

/// Where modules are looked for if nothing is said: the project, and the usual place in it.
const SEARCH_PATH: [&str; 2] = ["", "src"];

/// Reads a `call`; what is wrong was said.
pub(crate) fn read(
    item: &Item,
    scope: &Scope<'_>,
    io: &Io<'_>,
    findings: &mut Findings,
) -> Command {
    let text = item.text().unwrap_or_default();
    let Some(function) = scope.text(text, item.at, findings) else {
        return Command::Exec(Vec::new());
    };
    if !is_function(&function) {
        let message = format!("`{function}` does not name a Python function");
        let what = Diagnostic::error("bad-function", message);
        findings.say(
            item.at,
            what.help("write call = \"package.module:function\""),
        );
    }
    for input in io.inputs {
        if !is_identifier(&input.alias) && !findings.is_shaken("in") {
            let message = format!("`{}` cannot be the name of an argument", input.alias);
            let help = format!(
                "give it one: in = {{ name = \"{}\" }}",
                input.alias.replace('"', "\\\"")
            );
            let what = Diagnostic::error("bad-argument", message).help(help);
            findings.say(item.at, what.also(input.at.clone(), "it is named here"));
        }
    }
    let at = findings.texts.locate(item.at);
    Command::Call(Call { function, at })
}

/// `[pipeline] python`.
pub(crate) fn interpreter(
    cx: &Context<'_>,
    own: Option<&Table>,
    findings: &mut Findings,
) -> Option<(String, Location)> {
    let item = own?.get("python")?;
    let text = cx.scope().text(item.text()?, item.at, findings)?;
    if text.trim().is_empty() {
        let what = Diagnostic::error("bad-path", "the interpreter's name is empty");
        findings.say(item.at, what);
        return None;
    }
    Some((text, findings.texts.locate(item.at)))
}

/// `[pipeline] python_path`; the project itself is the empty path.
pub(crate) fn search_path(
    cx: &Context<'_>,
    own: Option<&Table>,
    findings: &mut Findings,
) -> Vec<String> {
    let Some(items) = own.and_then(|p| p.get("python_path")).and_then(Item::list) else {
        return SEARCH_PATH.map(str::to_owned).to_vec();
    };
    let mut places = Vec::with_capacity(items.len());
    for item in items {
        let text = item
            .text()
            .and_then(|text| cx.scope().text(text, item.at, findings));
        let place = match text.as_deref() {
            Some("." | "./") => Some(String::new()),
            Some(text) => clean(text, item.at, false, findings).map(|clean| clean.text),
            None => None,
        };
        places.extend(place);
    }
    places
}

fn is_function(text: &str) -> bool {
    let dotted = |name: &str| name.split('.').all(is_identifier);
    text.split_once(':')
        .is_some_and(|(module, path)| dotted(module) && dotted(path))
}

/// As far as it matters: what Python would not take is said when it is asked.
fn is_identifier(name: &str) -> bool {
    let mut characters = name.chars();
    characters
        .next()
        .is_some_and(|first| first == '_' || first.is_alphabetic())
        && characters.all(|rest| rest == '_' || rest.is_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_is_named_by_its_module_and_its_name() {
        for good in ["a:b", "a.b:c", "a.b:C.d", "_a1:é"] {
            assert!(is_function(good), "{good}");
        }
        for bad in [
            "", "a", "a:", ":b", "a:b:c", "a-b:c", "a..b:c", "1a:b", "a b:c",
        ] {
            assert!(!is_function(bad), "{bad}");
        }
    }
}
