//! The parameters: files merged in order, `-p` on top, and look-ups that explain what is missing.
//!
//! Knows which format a file has by its extension, not what a parameter means.

mod json;
mod python;
mod scalar;
pub(crate) mod yaml;
mod yaml12;

use crate::diagnostic::{Diagnostic, Location};
use crate::findings::Findings;
use crate::layer::Layer;
use crate::nearest::{listing, nearest};
use crate::place::At;
use crate::toml_text;
use crate::value::Value;
use yaml::{Located, What};

/// A parameter file's contents.
#[derive(Debug, Clone)]
pub struct ParamsFile {
    /// As the user knows it; the extension says the format.
    pub file: String,
    /// Its bytes.
    pub text: Vec<u8>,
}

/// A parameter file or glob that the definition asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Project-relative, variables inserted.
    pub pattern: String,
    /// Where it was written.
    pub at: Location,
    /// Whether it is a pattern that may match any number of files, none included.
    pub is_glob: bool,
}

/// All parameters, merged.
#[derive(Debug, Clone)]
pub(crate) struct Params {
    pub value: Value,
    /// The files they came from, for messages.
    pub files: Vec<String>,
    /// What each file (or `-p`) said, in merge order.
    pub parts: Vec<(String, Value)>,
}

/// Reads and merges: later files over earlier ones, then `set`.
pub(crate) fn read(
    files: Vec<ParamsFile>,
    set: &[(String, String)],
    findings: &mut Findings,
) -> Params {
    let mut value = Value::Table(Vec::new());
    let mut names = Vec::with_capacity(files.len());
    let mut parts = Vec::with_capacity(files.len());
    for file in files {
        names.push(file.file.clone());
        match read_file(&file, findings) {
            Some(read) => {
                parts.push((file.file.clone(), read.clone()));
                value.merge(read);
            }
            None => findings.shake("params"),
        }
    }
    for (key, text) in set {
        match set_one(key, text, findings) {
            Some(set) => {
                parts.push((format!("-p {key}"), set.clone()));
                value.merge(set);
            }
            None => findings.shake("params"),
        }
    }
    Params {
        value,
        files: names,
        parts,
    }
}

/// Reads a file as DVC does, with places where the format has them: `.json`, `.toml`, `.py`, and
/// YAML under any other name. At the top there must be a table.
pub(crate) fn read_dvc(file: &ParamsFile, findings: &mut Findings) -> Option<Located> {
    let (id, text) = text_of(file, findings)?;
    let at = At {
        file: id,
        start: 0,
        end: 0,
    };
    let plain = |value| Located::from_value(value, at);
    let read = match extension(&file.file).as_str() {
        "json" => plain(json::read(id, text, findings)?),
        "toml" => plain(read_toml(id, text, findings)?),
        "py" => match python::read(text) {
            Ok(value) => plain(value),
            Err((offset, why)) => {
                let start = crate::place::clamp(offset);
                let at = At {
                    file: id,
                    start,
                    end: start,
                };
                findings.say(at, Diagnostic::error("python-syntax", why));
                return None;
            }
        },
        _ => yaml::read_located(id, text, yaml::Dialect::Dvc, findings)?,
    };
    match read.what {
        What::Table(_) => Some(read),
        What::Scalar(Value::Null) => Some(plain(Value::Table(Vec::new()))),
        _ => {
            let what = Diagnostic::error("params-format", "parameters must be a table at the top");
            findings.say(at, what);
            None
        }
    }
}

fn extension(file: &str) -> String {
    let last = file.rsplit('/').next().unwrap_or(file);
    last.rsplit_once('.')
        .map_or_else(String::new, |(_, extension)| extension.to_ascii_lowercase())
}

/// The text of a file and its number among all texts.
pub(crate) fn text_of<'f>(file: &'f ParamsFile, findings: &mut Findings) -> Option<(u32, &'f str)> {
    let text = match std::str::from_utf8(&file.text) {
        Ok(text) => text.strip_prefix('\u{feff}').unwrap_or(text),
        Err(error) => {
            let id = findings.texts.add(
                &file.file,
                &String::from_utf8_lossy(&file.text[..error.valid_up_to()]),
            );
            let end = crate::place::clamp(error.valid_up_to());
            findings.say(
                At {
                    file: id,
                    start: end,
                    end,
                },
                Diagnostic::error("not-utf8", "the file is not UTF-8"),
            );
            return None;
        }
    };
    Some((findings.texts.add(&file.file, text), text))
}

fn read_file(file: &ParamsFile, findings: &mut Findings) -> Option<Value> {
    let (id, text) = text_of(file, findings)?;
    let value = match extension(&file.file).as_str() {
        "yml" | "yaml" => yaml::read(id, text, findings)?,
        "toml" => read_toml(id, text, findings)?,
        "json" => json::read(id, text, findings)?,
        _ => {
            let what = Diagnostic::error(
                "params-format",
                format!("`{}` is not a parameter file", file.file),
            )
            .help("parameters are read from .yml, .yaml, .toml and .json");
            findings.say(
                At {
                    file: id,
                    start: 0,
                    end: 0,
                },
                what,
            );
            return None;
        }
    };
    match value {
        Value::Table(_) => Some(value),
        Value::Null => Some(Value::Table(Vec::new())),
        _ => {
            let what = Diagnostic::error("params-format", "parameters must be a table at the top");
            findings.say(
                At {
                    file: id,
                    start: 0,
                    end: 0,
                },
                what,
            );
            None
        }
    }
}

fn read_toml(id: u32, text: &str, findings: &mut Findings) -> Option<Value> {
    let read = toml_text::read(id, text, Layer::Project);
    let good = read.mistakes.is_empty();
    for m in read.mistakes {
        findings.say(
            m.at,
            Diagnostic::error(m.code, m.message).maybe_help(m.help),
        );
    }
    good.then(|| crate::raw::Raw::Table(read.table).into_value())
}

/// `-p a.b=value`, as a table to merge.
fn set_one(key: &str, text: &str, findings: &mut Findings) -> Option<Value> {
    let shown = format!("{key}={text}");
    let id = findings.texts.add("-p", &shown);
    let parts: Vec<&str> = key.split('.').collect();
    if parts.iter().any(|p| p.is_empty()) {
        let at = At {
            file: id,
            start: 0,
            end: crate::place::clamp(key.len()),
        };
        let what = Diagnostic::error(
            "bad-name",
            format!("`{key}` is not the path of a parameter"),
        );
        findings.say(at, what.help("write -p train.lr=0.1"));
        return None;
    }
    let offset = crate::place::clamp(key.len() + 1);
    let value = yaml::read_value(id, offset, text, findings)?;
    Some(parts.iter().rev().fold(value, |inner, part| {
        Value::Table(vec![((*part).to_owned(), inner)])
    }))
}

impl Value {
    /// The value of `-p key=TEXT`: YAML's rules, `[1, 2]` and `{a: 1}` included.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub fn from_text(text: &str) -> Result<Value, Diagnostic> {
        let mut findings = Findings::default();
        let id = findings.texts.add("-p", text);
        let value = yaml::read_value(id, 0, text, &mut findings);
        let first = findings
            .into_sorted()
            .into_iter()
            .find(|d| d.severity == crate::diagnostic::Severity::Error);
        match (value, first) {
            (Some(value), None) => Ok(value),
            (_, Some(problem)) => Err(problem),
            (None, None) => Err(Diagnostic::error("yaml-syntax", "not a value")),
        }
    }
}

impl Params {
    /// The words that stand for a parameter in a command.
    pub fn words(&self, path: &str) -> Result<Vec<String>, Diagnostic> {
        let words = self.find(path)?.words().ok_or_else(|| {
            let message = format!("the parameter `{path}` is a table and cannot be inserted");
            Diagnostic::error("table-in-text", message)
                .help("use {{params.file}}, the path of a JSON file with the declared parameters")
        })?;
        if words.iter().any(|w| w.contains('\0')) {
            let message =
                format!("the parameter `{path}` contains a NUL character and cannot be inserted");
            return Err(Diagnostic::error("nul", message));
        }
        Ok(words)
    }

    /// A parameter, or what is near it.
    pub fn find(&self, path: &str) -> Result<&Value, Diagnostic> {
        self.value.get(path).ok_or_else(|| {
            let problem = Diagnostic::error(
                "unknown-parameter",
                format!("there is no parameter `{path}`"),
            );
            problem.help(self.hint(path))
        })
    }

    fn hint(&self, path: &str) -> String {
        let read = if self.files.is_empty() {
            "no parameter file was read: name some in [pipeline] params".to_owned()
        } else {
            format!("read: {}", listing(self.files.iter().map(String::as_str)))
        };
        match near(&self.value, path) {
            Some(near) => format!("did you mean `{near}`? {read}"),
            None => read,
        }
    }
}

/// The path with its first unknown part replaced by the nearest known one.
pub(crate) fn near(value: &Value, path: &str) -> Option<String> {
    let mut here = value;
    let mut known = Vec::new();
    for part in path.split('.') {
        let Value::Table(entries) = here else {
            return None;
        };
        match entries.iter().find(|(k, _)| k == part) {
            Some((_, next)) => {
                known.push(part);
                here = next;
            }
            None => {
                known.push(nearest(part, entries.iter().map(|(k, _)| k.as_str()))?);
                return Some(known.join("."));
            }
        }
    }
    None
}
