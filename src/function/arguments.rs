//! Whether a function takes what its node gives, as far as its text tells.
//!
//! The same rules as in `python/call.py`, which asks Python itself: what cannot be told here is told there.

use jalon_closure::{Closure, Signature};
use jalon_conf::nearest;
use jalon_conf::pipeline::{Command, NodeId};

use crate::graph::Graph;

/// The argument that takes all declared parameters as one dictionary.
const ALL_PARAMS: &str = "params";

/// Checks; what is wrong and what to do about it.
pub fn check(graph: &Graph, id: NodeId, closure: &Closure) -> Result<(), (String, String)> {
    let node = graph.node(id);
    let (Command::Call(_), Some(signature)) = (&node.command, &closure.signature) else {
        return Ok(());
    };
    for input in &node.inputs {
        takes(signature, &input.alias, "the input")?;
    }
    for (path, _) in &node.params {
        let last = path.rsplit('.').next().unwrap_or(path);
        if has(signature, ALL_PARAMS) && !has(signature, last) {
            continue;
        }
        takes(signature, last, "the parameter")?;
    }
    let given = |name: &str| {
        node.inputs.iter().any(|input| input.alias == name)
            || node.outputs.iter().any(|output| output.alias == name)
            || name == ALL_PARAMS
            || node.name.matrix.iter().any(|(key, _)| key == name)
            || node
                .params
                .iter()
                .any(|(path, _)| path.rsplit('.').next() == Some(name))
    };
    let lacking = signature
        .parameters
        .iter()
        .find(|argument| !argument.optional && !given(&argument.name));
    match lacking {
        None => Ok(()),
        Some(argument) => {
            let message = format!("needs the argument `{}`", argument.name);
            let help = format!(
                "give it with in = {{ {0} = \"…\" }}, or as the last part of a path in params, or with a default in the function",
                argument.name
            );
            Err((message, help))
        }
    }
}

fn has(signature: &Signature, name: &str) -> bool {
    let mut parameters = signature.parameters.iter();
    parameters.any(|argument| argument.name == name)
}

fn takes(signature: &Signature, name: &str, what: &str) -> Result<(), (String, String)> {
    if signature.any_named {
        return Ok(());
    }
    let found = signature.parameters.iter().find(|it| it.name == name);
    match found {
        Some(argument) if argument.positional_only => {
            let message = format!("takes {what} `{name}` by its place only");
            Err((message, "take out the `/` behind it".to_owned()))
        }
        Some(_) => Ok(()),
        None => {
            let names = || signature.parameters.iter().map(|it| it.name.as_str());
            let help = match nearest(name, names()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!(
                    "its arguments are: {}",
                    names().collect::<Vec<_>>().join(", ")
                ),
            };
            Err((format!("has no argument for {what} `{name}`"), help))
        }
    }
}
