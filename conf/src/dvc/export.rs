//! A DVC project as a `jalon.toml`: readable, and where something is not the same, it says so.
//!
//! References are resolved by now, so foreach and matrix are written out, a node each.

use std::collections::{BTreeSet, HashMap};
use std::fmt::Write as _;

use crate::pipeline::{Artifact, ArtifactId, Cache, Command, Kind, Node, Pipeline, Shape};
use crate::quote::shell_quote;

/// The text of a definition. `is_directory` knows what lies at a project-relative path now.
#[must_use]
pub fn export(
    pipeline: &Pipeline,
    name: &str,
    is_directory: &dyn Fn(&str) -> Option<bool>,
) -> String {
    let writer = Writer {
        pipeline,
        names: names(pipeline),
        is_directory,
    };
    writer.definition(name)
}

struct Writer<'w> {
    pipeline: &'w Pipeline,
    /// By artifact.
    names: Vec<String>,
    is_directory: &'w dyn Fn(&str) -> Option<bool>,
}

/// Names that a definition may use, each once.
fn names(pipeline: &Pipeline) -> Vec<String> {
    let mut taken = HashMap::new();
    let paths = pipeline
        .artifacts
        .iter()
        .map(|artifact| plain(&artifact.path));
    paths.map(|name| unique(name, &mut taken)).collect()
}

fn unique(name: String, taken: &mut HashMap<String, u32>) -> String {
    let count = taken.entry(name.clone()).or_insert(0);
    *count += 1;
    match count {
        1 => name,
        count => format!("{name}.{count}"),
    }
}

/// Only what a name may hold.
fn plain(text: &str) -> String {
    let text = text.replace("/dvc.yaml:", "-");
    let name = text.chars().map(|c| {
        let fits = c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
        if fits { c } else { '-' }
    });
    let name: String = name.collect();
    match name.trim_matches('-') {
        "" => "all".to_owned(),
        name => name.to_owned(),
    }
}

/// A key or a text of TOML.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() => {
                let _ = write!(out, "\\U{:08x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out + "\""
}

/// Text for a comment, which TOML lets hold no control characters and no line breaks: they are written as escapes.
fn remark(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\t' => out.push(c),
            c if c.is_control() => out.extend(c.escape_default()),
            c => out.push(c),
        }
    }
    out
}

fn key(name: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    if name.chars().all(bare) {
        name.to_owned()
    } else {
        quoted(name)
    }
}

/// A command: as it is where that can be, over several lines where it has some.
fn command(text: &str) -> String {
    let literal = !text.contains("'''") && !text.ends_with('\'');
    let odd = text.chars().any(|c| c.is_control() && c != '\n');
    if text.contains('\n') && literal && !odd {
        return format!("'''\n{text}'''");
    }
    if text.contains('"') && !text.contains('\'') && !text.contains('\n') && !odd {
        return format!("'{text}'");
    }
    quoted(text)
}

fn list<'t>(words: impl Iterator<Item = &'t str>) -> String {
    let words: Vec<String> = words.map(quoted).collect();
    format!("[{}]", words.join(", "))
}

impl Writer<'_> {
    fn definition(&self, name: &str) -> String {
        let mut out = String::from(
            "# Made by `jalon import` from dvc.yaml. Lines that begin with NOTE say what is not the same.\n\
             # Commands go to `sh -eu` here; under DVC they went to $SHELL, and unset variables were empty.\n\n",
        );
        let _ = writeln!(out, "[pipeline]\nname = {}", quoted(&plain(name)));
        if self
            .pipeline
            .nodes
            .iter()
            .any(|node| keys(node).next().is_some())
        {
            out += "params = [\"params.yaml\"]\n";
        }
        out += "\n[defaults]\npass_env = [\"*\"]   # stages of a dvc.yaml see every variable\n";
        self.sources(&mut out);
        let mut taken = HashMap::new();
        for node in &self.pipeline.nodes {
            let name = unique(plain(&node.name.to_string()), &mut taken);
            self.node(&name, node, &mut out);
        }
        out
    }

    fn artifact(&self, id: ArtifactId) -> &Artifact {
        &self.pipeline.artifacts[id.0 as usize]
    }

    fn sources(&self, out: &mut String) {
        let numbered = self.pipeline.artifacts.iter().zip(&self.names);
        let mut sources = numbered
            .filter(|(artifact, _)| artifact.producer.is_none() && artifact.except.is_empty())
            .peekable();
        if sources.peek().is_some() {
            *out += "\n[source]\n";
        }
        for (artifact, name) in sources {
            if let Some(obtain) = &artifact.obtain {
                let _ = writeln!(out, "# {}", remark(obtain));
            }
            let _ = writeln!(out, "{} = {}", key(name), quoted(&artifact.path));
        }
    }

    fn node(&self, name: &str, node: &Node, out: &mut String) {
        out.push('\n');
        for note in self.notes(node) {
            let _ = writeln!(out, "# NOTE {}", remark(&note));
        }
        let _ = writeln!(out, "[node.{}]", key(name));
        let _ = writeln!(out, "cmd = {}", command(&script(node)));
        let mut inputs = Vec::new();
        for id in node.inputs.iter().flat_map(|input| &input.artifacts) {
            let name = self.names[id.0 as usize].as_str();
            if self.artifact(*id).except.is_empty() && !inputs.contains(&name) {
                inputs.push(name);
            }
        }
        if !inputs.is_empty() {
            let _ = writeln!(out, "in = {}", list(inputs.into_iter()));
        }
        let params: Vec<&str> = keys(node).collect();
        if !params.is_empty() {
            let _ = writeln!(out, "params = {}", list(params.into_iter()));
        }
        let files = other_files(node);
        if !files.is_empty() {
            let _ = writeln!(out, "code = {}", list(files.into_iter()));
        }
        if mentions(node, "DVC_STAGE")
            && let Some(stage) = node.env.get("DVC_STAGE")
        {
            let _ = writeln!(out, "env = {{ DVC_STAGE = {} }}", quoted(stage));
        }
        if let Some(group) = &node.group {
            let _ = writeln!(out, "tags = {}", list([group.as_str()].into_iter()));
        }
        match (node.cache, node.outputs.is_empty()) {
            (Cache::No, _) => *out += "cache = false\n",
            (Cache::Yes, true) => *out += "cache = true\n",
            _ => {}
        }
        if !node.outputs.is_empty() {
            let _ = writeln!(out, "[node.{}.out]", key(name));
        }
        for output in &node.outputs {
            let artifact = self.artifact(output.artifact);
            let path = self.written(artifact);
            let name = key(&self.names[output.artifact.0 as usize]);
            let kind = match artifact.kind {
                Kind::Data => None,
                Kind::Metrics => Some("metrics"),
                Kind::Plot => Some("plot"),
            };
            let _ = match kind {
                None => writeln!(out, "{name} = {}", quoted(&path)),
                Some(kind) => writeln!(
                    out,
                    "{name} = {{ path = {}, kind = {kind:?} }}",
                    quoted(&path)
                ),
            };
        }
    }

    /// The path, with a slash at the end where it is a directory.
    fn written(&self, artifact: &Artifact) -> String {
        let known = (self.is_directory)(&artifact.path);
        let is_directory = known.unwrap_or_else(|| self.has_parts(artifact));
        let slash = if is_directory { "/" } else { "" };
        format!("{}{slash}", artifact.path)
    }

    /// Whether something inside it is read.
    fn has_parts(&self, artifact: &Artifact) -> bool {
        let mut inputs = self.pipeline.nodes.iter().flat_map(|node| &node.inputs);
        inputs.any(|input| {
            let whole = input.artifacts.first().map(|id| self.artifact(*id));
            input.within.is_some() && whole.is_some_and(|whole| whole.path == artifact.path)
        })
    }

    fn notes(&self, node: &Node) -> Vec<String> {
        let mut notes = Vec::new();
        for output in &node.outputs {
            let artifact = self.artifact(output.artifact);
            let path = &artifact.path;
            if artifact.stateful {
                notes.push(format!(
                    "{path} has `persist`: here it is removed before the node runs."
                ));
            }
            let last = path.rsplit('/').next().unwrap_or(path);
            let unknown = (self.is_directory)(path).is_none() && !self.has_parts(artifact);
            if unknown && !last.contains('.') {
                notes.push(format!(
                    "{path} is not there yet: if it is a directory, end its path with a /."
                ));
            }
        }
        for input in &node.inputs {
            if let Some(within) = &input.within {
                notes.push(format!(
                    "of what is read here only {within} counted; now all of {} does.",
                    self.artifact(input.artifacts[0]).path
                ));
            }
            for id in &input.artifacts {
                let artifact = self.artifact(*id);
                if !artifact.except.is_empty() {
                    notes.push(format!("files in {} that no node makes counted too: name those that matter in `code`.", input.alias));
                } else if artifact.shape == Shape::Glob {
                    notes.push("it depends on the whole project.".to_owned());
                }
            }
        }
        for file in other_files(node) {
            notes.push(format!(
                "of {file} only some keys counted; now all of it does."
            ));
        }
        if mentions(node, "DVC_ROOT") {
            notes.push(
                "DVC_ROOT is not set here: commands run in the project's directory.".to_owned(),
            );
        }
        notes
    }
}

/// The commands as one script of a shell that stops at the first failure.
fn script(node: &Node) -> String {
    let lines = match &node.command {
        Command::Lines(lines) => lines.as_slice(),
        Command::Shell(_) | Command::Exec(_) | Command::Call(_) | Command::Task(_) => &[],
    };
    let changes = |line: &String| {
        ["cd ", "export ", "set ", "exit", "="]
            .iter()
            .any(|word| line.contains(word))
    };
    let apart = lines.len() > 1 && lines.iter().any(changes);
    let mut script = String::new();
    if let Some(directory) = &node.directory {
        let _ = writeln!(script, "cd {}", shell_quote(directory));
    }
    for line in lines {
        let _ = match apart {
            true => writeln!(script, "( {line} )"),
            false => writeln!(script, "{line}"),
        };
    }
    let script = script.replace("{{", "{{{{");
    match script.trim_end_matches('\n') {
        one if !one.contains('\n') => one.to_owned(),
        _ => script,
    }
}

/// The declared keys of params.yaml.
fn keys(node: &Node) -> impl Iterator<Item = &str> {
    let keys = node.params.iter().map(|(key, _)| key.as_str());
    keys.filter(|key| !key.contains(':'))
}

/// The other parameter files.
fn other_files(node: &Node) -> BTreeSet<&str> {
    let files = node.partly_read.iter().map(String::as_str);
    files.filter(|file| *file != "params.yaml").collect()
}

fn mentions(node: &Node, word: &str) -> bool {
    match &node.command {
        Command::Lines(lines) => lines.iter().any(|line| line.contains(word)),
        Command::Shell(_) | Command::Exec(_) | Command::Call(_) | Command::Task(_) => false,
    }
}
