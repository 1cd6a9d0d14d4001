//! Before anything runs: what the nodes about to run need and this machine lacks.
//!
//! Nodes that will be reused need nothing: a laptop without the secret may use what CI computed.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use jalon_conf::diagnostic::Location;
use jalon_conf::pipeline::{Command, Node, Piece};

use super::remainder::Remainder;
use crate::function::Interpreter;
use crate::plan::Plan;
use crate::project::{Machine, Project};
use crate::verdict::Verdict;
use crate::worker::mask::Mask;

/// A secret or a program that is not to be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lack {
    /// `secret`, `program` or `interpreter`.
    pub what: &'static str,
    /// Its name.
    pub name: String,
    /// The node or `finally` that needs it.
    pub node: String,
    /// Where that says so.
    pub at: Location,
}

/// Everything that is lacking, in definition order.
pub fn lacks(
    project: &Project,
    machine: &Machine,
    plan: &Plan,
    interpreter: Option<&Interpreter>,
) -> Vec<Lack> {
    let pipeline = project.graph.pipeline();
    let mut lacks = Vec::new();
    for (node, verdict) in pipeline.nodes.iter().zip(&plan.verdicts) {
        if matches!(verdict, Verdict::Run | Verdict::Maybe) {
            let name = node.name.to_string();
            secrets(&node.secrets, &name, machine, &mut lacks);
            if let (Command::Call(_), None) = (&node.command, interpreter) {
                let named = pipeline.python.as_ref();
                lacks.push(Lack {
                    what: "interpreter",
                    name: named.map_or_else(|| "python3".to_owned(), |(name, _)| name.clone()),
                    node: name.clone(),
                    at: named.map_or_else(|| node.at.clone(), |(_, at)| at.clone()),
                });
            }
            if let Some(program) = lacking_program(project, machine, node) {
                lacks.push(Lack {
                    what: "program",
                    name: program,
                    node: name,
                    at: node.at.clone(),
                });
            }
        }
    }
    for finally in &pipeline.finally {
        secrets(&finally.secrets, &finally.name, machine, &mut lacks);
    }
    lacks
}

fn secrets(names: &[(String, Location)], node: &str, machine: &Machine, lacks: &mut Vec<Lack>) {
    for (name, at) in names {
        if !machine.variables.contains_key(OsStr::new(name)) {
            lacks.push(Lack {
                what: "secret",
                name: name.clone(),
                node: node.to_owned(),
                at: at.clone(),
            });
        }
    }
}

/// The program of an array command, if it can be told beforehand that it is not there.
fn lacking_program(project: &Project, machine: &Machine, node: &Node) -> Option<String> {
    let Command::Exec(words) = &node.command else {
        return None;
    };
    let program = match words.first()?.pieces.as_slice() {
        [Piece::Text(text)] => text.clone(),
        [Piece::Value { words, .. }] => words.first()?.clone(),
        _ => return None,
    };
    // The pipeline may make its own program.
    let made = project.graph.pipeline().artifacts.iter().any(|artifact| {
        artifact.producer.is_some()
            && (program == artifact.path || program.starts_with(&format!("{}/", artifact.path)))
    });
    let path = node.env.get("PATH").map(OsStr::new).or(machine
        .variables
        .get(OsStr::new("PATH"))
        .map(|p| p.as_os_str()));
    (!made && !is_program(&project.root, &program, path)).then_some(program)
}

fn is_program(root: &Path, program: &str, path: Option<&OsStr>) -> bool {
    let executable = |place: &Path| {
        place
            .metadata()
            .is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
    };
    if program.contains('/') {
        return executable(&root.join(program));
    }
    let directories = path
        .unwrap_or(OsStr::new("/usr/local/bin:/usr/bin:/bin"))
        .as_bytes()
        .split(|&byte| byte == b':');
    directories
        .map(|directory| root.join(OsStr::from_bytes(directory)))
        .any(|directory| executable(&directory.join(program)))
}

/// Hides every secret that the pipeline names, whoever prints it.
pub fn mask(project: &Project, machine: &Machine, remainder: Option<&Remainder>) -> Mask {
    let pipeline = project.graph.pipeline();
    let nodes = pipeline.nodes.iter().flat_map(|node| &node.secrets);
    let finally = pipeline.finally.iter().flat_map(|finally| &finally.secrets);
    let mut names: Vec<&String> = nodes.chain(finally).map(|(name, _)| name).collect();
    names.extend(remainder.iter().flat_map(|remainder| &remainder.secrets));
    names.sort();
    names.dedup();
    Mask::new(
        names
            .into_iter()
            .filter_map(|name| machine.variables.get(OsStr::new(name)))
            .map(|value| value.as_bytes()),
    )
}
