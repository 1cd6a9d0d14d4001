//! From a module's bytes to its [`Module`]: the one place that knows the parser and its syntax tree.
//!
//! Does not know other modules, nor where a module lies. Hostile nesting is an answer, not a crash.

mod bindings;
mod canonical;
mod chain;
mod decode;
mod depth;
mod effects;
mod items;
mod lines;
mod names;

use ruff_python_parser::{parse_expression, parse_module};

use crate::facts::Module;
use depth::Depth;

/// Takes a module apart. One that cannot be is *opaque*, with the reason.
pub(crate) fn module(bytes: &[u8]) -> Module {
    let source = match decode::decode(bytes) {
        Ok(source) => source,
        Err(why) => return Module::opaque(why, 1),
    };
    match depth::depth(&source) {
        Depth::Shallow => parse(&source),
        Depth::Deep => on_a_large_stack(&source),
        Depth::TooDeep => Module::opaque("it is nested too deeply", 1),
    }
}

/// Whether a text is a name that a definition can have.
pub(crate) fn is_identifier(text: &str) -> bool {
    // Names have no brackets, so that nothing can nest.
    text.chars().all(|c| c.is_alphanumeric() || c == '_')
        && parse_expression(text).is_ok_and(|it| it.syntax().body.is_name_expr())
}

fn on_a_large_stack(source: &str) -> Module {
    std::thread::scope(|scope| {
        std::thread::Builder::new()
            .stack_size(depth::STACK)
            .spawn_scoped(scope, || parse(source))
            .ok()
            .and_then(|thread| thread.join().ok())
            .unwrap_or_else(|| Module::opaque("it is nested too deeply for the memory there is", 1))
    })
}

fn parse(source: &str) -> Module {
    match parse_module(source) {
        Ok(parsed) => items::module(source, &parsed.into_syntax().body),
        Err(error) => {
            let line = lines::Lines::of_text(source).of(error.location.start());
            Module::opaque("its syntax is not understood", line)
        }
    }
}
