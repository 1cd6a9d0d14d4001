//! What a node sees of the environment: the fixed few, what it names, and nothing else.
//!
//! Pure: the caller's variables come in as a list. Which of them count for the key is decided here too,
//! so that what is visible and what is hashed cannot drift apart.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use jalon_conf::pipeline::Node;

/// Visible, never hashed.
const PASSED: [&str; 5] = ["PATH", "HOME", "USER", "TMPDIR", "TERM"];
/// Visible, hashed as text.
const TEXTS: [&str; 6] = [
    "LANG",
    "LANGUAGE",
    "TZ",
    "PYTHONHASHSEED",
    "OMP_NUM_THREADS",
    "SOURCE_DATE_EPOCH",
];
/// Visible, hashed by what they point to.
pub const PLACES: [&str; 3] = ["PYTHONPATH", "VIRTUAL_ENV", "CONDA_PREFIX"];

/// The variables jalon was started with.
pub type Variables = BTreeMap<OsString, OsString>;

/// Whether a variable is hashed as text when it is set.
fn is_text(name: &OsStr) -> bool {
    name.to_str()
        .is_some_and(|name| TEXTS.contains(&name) || name.starts_with("LC_"))
}

/// The variables that every node sees and that count as text, sorted.
pub fn hashed_texts(caller: &Variables) -> impl Iterator<Item = (&OsString, &OsString)> {
    caller.iter().filter(|(name, _)| is_text(name))
}

/// Variables that say where somebody works, not on what: terminals, sessions, windows.
const INCIDENTAL: [&str; 24] = [
    "_",
    "COLORTERM",
    "COLUMNS",
    "DBUS_SESSION_BUS_ADDRESS",
    "DISPLAY",
    "EDITOR",
    "FORCE_COLOR",
    "LINES",
    "LOGNAME",
    "LS_COLORS",
    "MAIL",
    "NO_COLOR",
    "OLDPWD",
    "PAGER",
    "PS1",
    "PWD",
    "SHELL",
    "SHLVL",
    "SSH_AUTH_SOCK",
    "SSH_CLIENT",
    "SSH_CONNECTION",
    "SSH_TTY",
    "TMUX",
    "WINDOWID",
];

/// All variables that code may depend on.
pub fn telling(caller: &Variables) -> impl Iterator<Item = (&OsString, &OsString)> {
    caller.iter().filter(|(name, _)| {
        let known = name.to_str();
        !known.is_some_and(|name| {
            PASSED.contains(&name) || INCIDENTAL.contains(&name) || name.starts_with("JALON_")
        })
    })
}

/// What everyone who is executed for the user sees: the fixed few, the hashed ones, and those named.
pub fn base(caller: &Variables, pass: &[String]) -> Variables {
    caller
        .iter()
        .filter(|(name, _)| {
            is_text(name)
                || name
                    .to_str()
                    .is_some_and(|name| PASSED.contains(&name) || PLACES.contains(&name))
                || pass
                    .iter()
                    .any(|passed| passed == "*" || OsStr::new(passed) == *name)
        })
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

/// The environment of a node: [`base`], where the project is, its secrets, its own `env` over all.
///
/// # Errors
/// The names of secrets that are not set.
pub fn of_node(caller: &Variables, node: &Node, root: &Path) -> Result<Variables, Vec<String>> {
    let mut all = base(caller, &node.pass_env);
    for (name, directory) in &node.root_env {
        // Without the slash that joining nothing would leave.
        let place = || root.join(directory).components().collect::<PathBuf>();
        all.entry(name.into()).or_insert_with(|| place().into());
    }
    add_secrets(caller, node.secrets.iter().map(|(name, _)| name), &mut all)?;
    all.extend(
        node.env
            .iter()
            .map(|(name, value)| (name.into(), value.into())),
    );
    Ok(all)
}

/// Adds secrets from the caller's variables.
///
/// # Errors
/// The names of those that are not set.
pub fn add_secrets<'a>(
    caller: &Variables,
    names: impl IntoIterator<Item = &'a String>,
    into: &mut Variables,
) -> Result<(), Vec<String>> {
    let mut unset = Vec::new();
    for name in names {
        match caller.get(OsStr::new(name)) {
            Some(value) => {
                into.insert(name.into(), value.clone());
            }
            None => unset.push(name.clone()),
        }
    }
    if unset.is_empty() { Ok(()) } else { Err(unset) }
}
