//! What a node's key is made of: one list of fields, for hashing and for explaining.
//!
//! Pure: takes what others observed (digests of code and inputs, values of variables) and gives the
//! [`Derivation`]. Knows nothing of disk, store or schedule. Never in it: secrets, variables that are only
//! passed on, tags, groups, resources, retries, timeouts, whether bytes are kept, the project's place.

use jalon_conf::Format;
use jalon_conf::pipeline::{Command, Isolation, Node, Piece, RunField, Shape};
use jalon_conf::value::Value;
use jalon_store::action::{Derivation, Field, FieldValue};
use jalon_store::content::Content;

use crate::function::Function;
use crate::graph::Graph;

/// The number of this list; a change of meaning changes it, and so every key.
pub const FORMAT: u32 = 1;

/// The fields, by name; what `explain` prints and `--json` carries.
pub mod field {
    /// [`super::FORMAT`].
    pub const FORMAT: &str = "format";
    /// Operating system, architecture and C library.
    pub const PLATFORM: &str = "platform";
    /// Shell or program and arguments, references unexpanded.
    pub const COMMAND: &str = "command";
    /// The working directory, where it is not the project's.
    pub const DIRECTORY: &str = "directory";
    /// A declared code file.
    pub const CODE: &str = "code";
    /// A leaf of a declared subtree of the parameters.
    pub const PARAMS: &str = "params";
    /// A matrix value.
    pub const MATRIX: &str = "matrix";
    /// The environment's name, or a `vars` entry, where the command names it.
    pub const VARS: &str = "vars";
    /// A hashed variable.
    pub const ENV: &str = "env";
    /// Which artifacts an alias stands for, and where they lie.
    pub const IN: &str = "in";
    /// How a dataset is read or written.
    pub const DATASET: &str = "dataset";
    /// What an artifact it reads holds.
    pub const INPUT: &str = "input";
    /// What a stateful output held before.
    pub const STATE: &str = "state";
    /// Where an output is to lie, and what it is to be.
    pub const OUT: &str = "out";
    /// What was found at a path that an earlier execution was seen to use.
    pub const OBSERVED: &str = "observed";
}

/// What was observed of the machine and the project, once for all nodes.
#[derive(Debug, Clone, Default)]
pub struct Ambient {
    /// `linux`, `x86_64`, `gnu`.
    pub platform: [String; 3],
    /// Hashed variables that every node sees, by name: text, or a digest of what they point to.
    pub variables: Vec<(String, FieldValue)>,
    /// Variables that name an environment of Python, with a digest of what is installed there. Where a node is
    /// observed it is known which of that it uses; these count where it is not.
    pub environments: Vec<(String, FieldValue)>,
}

/// What was observed for one node.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// The machine.
    pub ambient: &'a Ambient,
    /// Declared code files: project-relative path and content.
    pub code: &'a [(String, Content)],
    /// The function that it is, if it is one.
    pub function: Option<Called<'a>>,
    /// The contents of what it reads, in the order of [`Graph::reads`].
    pub inputs: &'a [&'a Content],
    /// What its stateful outputs hold, by alias.
    pub state: &'a [(String, Option<Content>)],
}

/// A Python function, and who calls it.
#[derive(Debug, Clone, Copy)]
pub struct Called<'a> {
    /// The function.
    pub function: &'a Function,
    /// The interpreter, by a name that is the same elsewhere; its version is seen when it is executed.
    pub interpreter: Option<&'a str>,
}

/// The derivation of a node.
pub fn derivation(graph: &Graph, node: &Node, facts: Facts<'_>) -> Derivation {
    let mut list = List {
        fields: Vec::with_capacity(16 + facts.code.len() + facts.inputs.len()),
    };
    list.text(field::FORMAT, "", &FORMAT.to_string());
    for (what, value) in ["os", "architecture", "libc"]
        .iter()
        .zip(&facts.ambient.platform)
    {
        list.text(field::PLATFORM, what, value);
    }
    command(&mut list, graph, node);
    if let Some(directory) = &node.directory {
        list.text(field::DIRECTORY, "", directory);
    }
    for (path, content) in facts.code {
        list.content(field::CODE, path, content);
    }
    if let Some(called) = facts.function {
        call(&mut list, graph, node, called);
    }
    for (path, value) in &node.params {
        leaves(&mut list, path, value);
    }
    for (key, value) in &node.name.matrix {
        list.text(field::MATRIX, key, value);
    }
    let unseen = node.isolation == Isolation::None;
    let environments = facts.ambient.environments.iter().filter(|_| unseen);
    for (name, value) in facts.ambient.variables.iter().chain(environments) {
        if !node.env.contains_key(name) {
            list.push(field::ENV, name, value.clone());
        }
    }
    for (name, value) in &node.env {
        list.text(field::ENV, name, value);
    }
    inputs(&mut list, graph, node, facts.inputs);
    for (alias, content) in facts.state {
        let held = content.as_ref().map_or(FieldValue::Absent, content_value);
        list.push(field::STATE, alias, held);
    }
    for output in &node.outputs {
        let artifact = graph.artifact(output.artifact);
        let shape = match artifact.shape {
            Shape::Directory => "directory",
            Shape::Any => "any",
            Shape::File | Shape::Glob => "file",
        };
        match (&node.command, artifact.format) {
            (Command::Call(_), Some(format)) => {
                let described = [&*artifact.path, shape, format.word()];
                list.json(field::OUT, &output.alias, &described);
            }
            _ => list.json(field::OUT, &output.alias, &[&artifact.path, shape]),
        }
    }
    Derivation::new(list.fields)
}

struct List {
    fields: Vec<Field>,
}

impl List {
    fn push(&mut self, field: &'static str, what: &str, value: FieldValue) {
        self.fields.push(Field {
            field: field.into(),
            what: what.as_bytes().to_vec(),
            value,
        });
    }

    fn text(&mut self, field: &'static str, what: &str, value: &str) {
        self.push(field, what, FieldValue::Text(value.to_owned()));
    }

    fn content(&mut self, field: &'static str, what: &str, content: &Content) {
        self.push(field, what, content_value(content));
    }

    fn json(&mut self, field: &'static str, what: &str, values: &[&str]) {
        let list = Value::List(
            values
                .iter()
                .map(|text| Value::Text((*text).to_owned()))
                .collect(),
        );
        self.push(field, what, FieldValue::Json(list.to_json()));
    }
}

/// A content as a field: its digest; that a file may be executed is part of it.
pub fn content_value(content: &Content) -> FieldValue {
    match content {
        Content::File {
            digest,
            executable: true,
            ..
        } => FieldValue::Text(format!("{digest} executable")),
        Content::File { digest, .. } => FieldValue::Digest(*digest.as_bytes()),
        Content::Tree { digest, .. } => FieldValue::Text(format!("{digest} tree")),
    }
}

/// The command with its references unexpanded: what they stand for are fields of their own.
fn command(list: &mut List, graph: &Graph, node: &Node) {
    let mut text = String::new();
    match &node.command {
        Command::Shell(pieces) => {
            pieces
                .iter()
                .for_each(|piece| spell(list, node, piece, &mut text));
            list.text(field::COMMAND, "shell", &text);
        }
        Command::Exec(words) => {
            for (position, word) in words.iter().enumerate() {
                text.clear();
                word.pieces
                    .iter()
                    .for_each(|piece| spell(list, node, piece, &mut text));
                list.text(field::COMMAND, &format!("argument {position}"), &text);
            }
        }
        Command::Lines(lines) => {
            for (position, line) in lines.iter().enumerate() {
                list.text(field::COMMAND, &format!("line {}", position + 1), line);
            }
        }
        Command::Call(call) => list.text(field::COMMAND, "function", &call.function),
        Command::Task(task) => {
            list.text(field::COMMAND, "kedro node", &task.node);
            list.text(field::COMMAND, "kedro", &task.kedro);
            let signature = task.signature.canonical().to_json();
            list.push(field::COMMAND, "signature", FieldValue::Json(signature));
            for (what, digest) in &graph.pipeline().loaded.read {
                list.text(field::CODE, what, digest);
            }
            for (name, definition) in &task.definitions {
                let json = definition.canonical().to_json();
                list.push(field::DATASET, name, FieldValue::Json(json));
            }
        }
    }
}

/// What decides what a function does: its definitions, where modules are found, who calls it, and in which forms it
/// is given its inputs.
fn call(list: &mut List, graph: &Graph, node: &Node, called: Called<'_>) {
    let search: Vec<&str> = graph
        .pipeline()
        .python_path
        .iter()
        .map(|it| &**it)
        .collect();
    list.json(field::COMMAND, "python path", &search);
    if let Some(interpreter) = called.interpreter {
        list.text(field::COMMAND, "python", interpreter);
    }
    for input in &node.inputs {
        let formats = input.artifacts.iter().map(|&id| graph.artifact(id).format);
        let words: Vec<&str> = formats
            .map(|format| format.map_or("path", Format::word))
            .collect();
        list.json(field::COMMAND, &format!("form of {}", input.alias), &words);
    }
    for (name, digest) in &called.function.parts {
        list.push(field::CODE, name, FieldValue::Digest(*digest.as_bytes()));
    }
    for (path, content) in &called.function.natives {
        list.content(field::CODE, path, content);
    }
}

fn spell(list: &mut List, node: &Node, piece: &Piece, text: &mut String) {
    let reference = match piece {
        // Escaped as in the definition, so that text can never be taken for a reference.
        Piece::Text(literal) => return text.push_str(&literal.replace("{{", "{{{{")),
        Piece::Input(at) => format!("in.{}", node.inputs[*at].alias),
        Piece::Output(at) => format!("out.{}", node.outputs[*at].alias),
        Piece::ParamsFile => "params.file".to_owned(),
        Piece::Run(field) => format!("run.{}", run_field(*field)),
        Piece::Value { reference, words } => {
            let covered = reference.starts_with("params.") || reference.starts_with("matrix");
            if !covered {
                let words: Vec<&str> = words.iter().map(String::as_str).collect();
                list.json(field::VARS, reference, &words);
            }
            reference.clone()
        }
    };
    text.push_str("{{");
    text.push_str(&reference);
    text.push_str("}}");
}

/// The word of a `{{run.*}}` reference.
pub fn run_field(field: RunField) -> &'static str {
    match field {
        RunField::Status => "status",
        RunField::Id => "id",
        RunField::Env => "env",
        RunField::Seconds => "seconds",
        RunField::Error => "error",
    }
}

/// Every leaf under its dotted path, so that a difference names the parameter that changed.
fn leaves(list: &mut List, path: &str, value: &Value) {
    match value {
        Value::Table(entries) if !entries.is_empty() => {
            for (key, value) in entries {
                // A key with a dot in it must not read like two keys.
                let key = if key.contains(['.', '"']) {
                    format!("{key:?}")
                } else {
                    key.clone()
                };
                leaves(list, &format!("{path}.{key}"), value);
            }
        }
        leaf => list.push(
            field::PARAMS,
            path,
            FieldValue::Json(leaf.canonical().to_json()),
        ),
    }
}

fn inputs(list: &mut List, graph: &Graph, node: &Node, contents: &[&Content]) {
    let mut contents = contents.iter();
    for input in &node.inputs {
        let mut bound = Vec::with_capacity(input.artifacts.len() * 2);
        for &id in &input.artifacts {
            let artifact = graph.artifact(id);
            let name = artifact.name.to_string();
            if let Some(content) = contents.next() {
                let part = input.within.as_ref();
                let what = part.map_or_else(|| name.clone(), |part| format!("{name}/{part}"));
                list.content(field::INPUT, &what, content);
            }
            bound.push(name);
            bound.push(artifact.path.clone());
            bound.extend(input.within.clone());
        }
        let bound: Vec<&str> = bound.iter().map(String::as_str).collect();
        list.json(field::IN, &input.alias, &bound);
    }
}
