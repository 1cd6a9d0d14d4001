//! Python functions as nodes: their code version, whether they can be called so, and which interpreter calls
//! them; all from files, so that none starts.
//!
//! Knows the definition's functions and the project's modules; nothing of keys, order or execution.

mod arguments;
mod interpreter;
mod sources;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jalon_closure::{Analysis, Closure, Entry, Missing, Widening};
use jalon_conf::pipeline::{Command, NodeId};
use jalon_store::content::Content;
use jalon_store::digest::BlobDigest;

use self::sources::Disk;
use crate::graph::Graph;
use crate::observe::Sight;

pub use interpreter::{Interpreter, find as interpreter};

/// What a node's function is; of a Kedro node, with all that is called around it.
#[derive(Debug, Clone, Default)]
pub struct Function {
    /// Every definition that decides what it does, as `module:definition`, with the digest of its syntax.
    pub parts: Vec<(String, BlobDigest)>,
    /// Compiled modules, by content.
    pub natives: Vec<(String, Content)>,
    /// The files of the modules that are imported on the way: what is read of them is what the parts stand for.
    pub files: Vec<(String, Content)>,
    /// Modules of distributions that are imported on the way, by their first name.
    pub elsewhere: Vec<String>,
    /// Why more counts than what is reached by name.
    pub widenings: Vec<Widening>,
    /// Where it is defined, `file:line`; nothing for a distribution's.
    pub place: Option<String>,
}

/// All that is known of functions before judging.
#[derive(Debug, Clone, Default)]
pub struct Functions {
    /// By node; nothing for a command.
    pub of: Vec<Option<Arc<Function>>>,
    /// Who calls them; nothing where there is no function, or no interpreter.
    pub interpreter: Option<Interpreter>,
}

impl Functions {
    /// The function of a node.
    pub fn get(&self, id: NodeId) -> Option<&Arc<Function>> {
        self.of.get(id.0 as usize)?.as_ref()
    }
}

/// A function that is not there, or cannot be called as its node says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uncallable {
    /// The node.
    pub node: NodeId,
    /// What is wrong, as the end of a sentence that begins with the function.
    pub message: String,
    /// What to do.
    pub help: String,
}

impl Uncallable {
    fn new(node: NodeId, (message, help): (String, String)) -> Uncallable {
        Uncallable {
            node,
            message,
            help,
        }
    }
}

/// Finds the functions of these nodes.
///
/// # Errors
/// All that are missing or cannot be called as their nodes say.
pub fn observe(
    graph: &Graph,
    chosen: impl Iterator<Item = NodeId>,
    sight: &Sight<'_>,
) -> Result<Functions, Vec<Uncallable>> {
    let asked: Vec<(NodeId, &[String])> = chosen
        .filter_map(|id| match &graph.node(id).command {
            Command::Call(call) => Some((id, std::slice::from_ref(&call.function))),
            Command::Task(task) => Some((id, task.entries.as_slice())),
            _ => None,
        })
        .collect();
    if asked.is_empty() {
        return Ok(Functions::default());
    }
    let pipeline = graph.pipeline();
    let disk = Disk::new(sight.workspace);
    let mut analysis = Analysis::new(&disk, pipeline.python_path.clone());
    let mut of: Vec<Option<Arc<Function>>> = vec![None; graph.len()];
    let mut wrong = Vec::new();
    let mut closures: BTreeMap<&str, Result<Closure, Missing>> = BTreeMap::new();
    for (node, entries) in asked {
        let mut whole = Function::default();
        for entry in entries {
            let found = closures
                .entry(entry)
                .or_insert_with(|| analysis.function(&Entry::new(entry)));
            match found {
                Ok(closure) => match arguments::check(graph, node, closure) {
                    Ok(()) => whole.take(closure, &disk),
                    Err(why) => wrong.push(Uncallable::new(node, why)),
                },
                Err(missing) => wrong.push(Uncallable::new(node, lacking(missing))),
            }
        }
        of[node.0 as usize] = Some(Arc::new(whole.whole()));
    }
    if !wrong.is_empty() {
        return Err(wrong);
    }
    let named = pipeline.python.as_ref().map(|(name, _)| name.as_str());
    let interpreter = interpreter::find(named, sight);
    Ok(Functions { of, interpreter })
}

impl Function {
    /// Takes in one more function that counts.
    fn take(&mut self, closure: &Closure, disk: &Disk<'_>) {
        let contents = |paths: &[String]| {
            let found = paths
                .iter()
                .filter_map(|path| Some((path.clone(), disk.content(path)?)));
            found.collect::<Vec<_>>()
        };
        let parts = closure.parts.iter().map(|part| {
            let name = format!("{}:{}", part.module, part.definition);
            (name, BlobDigest::of(&part.bytes))
        });
        self.parts.extend(parts);
        self.natives.extend(contents(&closure.natives));
        self.files.extend(contents(&closure.files));
        self.elsewhere
            .extend(closure.elsewhere.iter().map(|it| it.module.clone()));
        self.widenings.extend(closure.widenings.iter().cloned());
        let place = closure.place.as_ref();
        self.place = self
            .place
            .take()
            .or(place.map(|place| format!("{}:{}", place.file, place.line)));
    }

    /// Sorted, and none twice. Parts of one name that differ follow from different functions: both count.
    fn whole(mut self) -> Function {
        let mut parts: BTreeMap<String, BTreeSet<BlobDigest>> = BTreeMap::new();
        for (name, digest) in self.parts.drain(..) {
            parts.entry(name).or_default().insert(digest);
        }
        let parts = parts.into_iter().map(|(name, digests)| {
            let all: Vec<u8> = digests.iter().flat_map(|it| *it.as_bytes()).collect();
            let one = digests.first().filter(|_| digests.len() == 1).copied();
            (name, one.unwrap_or_else(|| BlobDigest::of(&all)))
        });
        self.parts = parts.collect();
        self.natives.sort_by(|a, b| a.0.cmp(&b.0));
        self.natives.dedup_by(|a, b| a.0 == b.0);
        self.files.sort_by(|a, b| a.0.cmp(&b.0));
        self.files.dedup_by(|a, b| a.0 == b.0);
        self.elsewhere.sort();
        self.elsewhere.dedup();
        self.widenings.sort();
        self.widenings.dedup();
        self
    }
}

/// What is wrong, and what to do.
fn lacking(missing: &Missing) -> (String, String) {
    match missing {
        Missing::Malformed => (
            "is not named as Python names functions".to_owned(),
            "write call = \"package.module:function\"".to_owned(),
        ),
        Missing::Module { module } => (
            format!("lies in the module {module}, which the project does not have"),
            format!(
                "make {}.py, or say with [pipeline] python_path where modules are found",
                module.replace('.', "/")
            ),
        ),
        Missing::Function { file, names } => {
            let file = file.as_deref().unwrap_or("its module");
            let help = match names.is_empty() {
                true => format!("{file} defines nothing"),
                false => format!("it has: {}", names.join(", ")),
            };
            (format!("is not defined in {file}"), help)
        }
    }
}
