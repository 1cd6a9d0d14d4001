//! Whether executing an item can be noticed: what `facts` left open is settled here, through the definitions
//! of all modules and the lists of what is known of names from elsewhere.
//!
//! The answer does not depend on what was asked before: whoever calls in a circle has an effect.

use rustc_hash::FxHashMap;

use crate::facts::{Effect, Kind, Need, What};
use crate::known;
use crate::modules::{Id, Modules, Target};
use crate::sources::Sources;

/// Something that may have an effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Act {
    /// Executing the item.
    Execute,
    /// Calling the function, after so many calls of what it returned.
    Call(usize),
    /// Deriving from the class.
    Derive,
    /// Using the value in an expression.
    Use,
}

type Key = (Id, usize, Act);

/// Answers so far.
#[derive(Default)]
pub(crate) struct Inert {
    known: FxHashMap<Key, bool>,
}

/// What a need comes to.
enum Step {
    Holds,
    Fails,
    /// All of these must hold.
    Needs(Vec<Need>),
    /// This must have no effect.
    Ask(Key),
    /// All of these must hold.
    All(Vec<Step>),
}

struct Frame {
    key: Key,
    open: Vec<Need>,
    asked: Vec<Step>,
}

impl Inert {
    /// Whether an item has an effect when its module is executed.
    pub(crate) fn has_effect<S: Sources>(
        &mut self,
        modules: &mut Modules<S>,
        module: Id,
        item: usize,
    ) -> bool {
        let asked = (module, item, Act::Execute);
        if let Some(quiet) = self.known.get(&asked) {
            return !quiet;
        }
        // An explicit stack: a chain of calls may be long. Every frame waits for the one above it, so that one
        // that fails is the end of all; until it is settled, a key counts as failed, which settles circles.
        let mut stack: Vec<Frame> = Vec::new();
        let mut step = Step::Ask(asked);
        loop {
            match step {
                Step::Holds => {}
                Step::Fails => break,
                Step::Needs(more) => {
                    if let Some(frame) = stack.last_mut() {
                        frame.open.extend(more);
                    }
                }
                Step::Ask(key) => match self.known.get(&key) {
                    Some(true) => {}
                    Some(false) => break,
                    None => {
                        self.known.insert(key, false);
                        let Effect::Unless(open) = effect_of(modules, key) else {
                            break;
                        };
                        stack.push(Frame {
                            key,
                            open,
                            asked: Vec::new(),
                        });
                    }
                },
                Step::All(steps) => {
                    // Each need leads to few definitions; they are asked one after the other.
                    if let Some(frame) = stack.last_mut() {
                        frame.asked.extend(steps);
                    }
                }
            }
            step = match self.next(modules, &mut stack) {
                Some(step) => step,
                None => break,
            };
        }
        !self.known.get(&asked).copied().unwrap_or(false)
    }

    /// The next step of the frame on top; frames with none left are settled.
    fn next<S: Sources>(
        &mut self,
        modules: &mut Modules<S>,
        stack: &mut Vec<Frame>,
    ) -> Option<Step> {
        while let Some(frame) = stack.last_mut() {
            if let Some(step) = frame.asked.pop() {
                return Some(step);
            }
            if let Some(need) = frame.open.pop() {
                return Some(settle(modules, frame.key.0, need));
            }
            self.known.insert(frame.key, true);
            stack.pop();
        }
        None
    }
}

fn effect_of<S: Sources>(modules: &Modules<S>, (module, item, act): Key) -> Effect {
    let item = &modules.get(module).facts.items[item];
    match (act, &item.kind) {
        (Act::Execute, _) => item.effect.clone(),
        (Act::Call(depth), Kind::Function(it)) => match it.calls.get(..=depth) {
            Some(calls) => calls.iter().cloned().fold(Effect::NONE, Effect::and),
            // It returned something else than a function of its own.
            None => Effect::Some,
        },
        (Act::Call(0), Kind::Class(it)) => it.makes.clone(),
        (Act::Derive, Kind::Class(it)) => it.derives.clone(),
        (Act::Use, Kind::Assign { plain }) => plain.clone(),
        _ => Effect::Some,
    }
}

/// What a need comes to, through everything that its name may lead to.
fn settle<S: Sources>(modules: &mut Modules<S>, module: Id, need: Need) -> Step {
    let targets = modules.targets(module, &need.of);
    let last = need.of.attributes.last().map(|it| &**it);
    let mut steps = Vec::new();
    for target in targets {
        steps.push(match target {
            Target::Item(id, item, rest) => match &modules.get(id).facts.items[item].kind {
                Kind::Import | Kind::Star => Step::Holds,
                kind => of_item((id, item), kind, rest, last, &need.what),
            },
            Target::Module(_) => holds(need.what == What::Readable),
            Target::Elsewhere(name) => of_elsewhere(&name, &need.what),
            Target::Builtin(name) => of_builtin(&name, &need.what),
            Target::Attribute(_) => Step::Fails,
        });
    }
    match steps.is_empty() {
        true => Step::Fails,
        false => Step::All(steps),
    }
}

fn holds(it: bool) -> Step {
    match it {
        true => Step::Holds,
        false => Step::Fails,
    }
}

fn if_plain(plain: &Effect) -> Step {
    match plain {
        Effect::Some => Step::Fails,
        Effect::Unless(needs) => Step::Needs(needs.clone()),
    }
}

fn of_item(at: (Id, usize), kind: &Kind, rest: usize, last: Option<&str>, what: &What) -> Step {
    let ask = |act| Step::Ask((at.0, at.1, act));
    match (what, kind) {
        (What::Call { depth, .. }, Kind::Function(_)) if rest == 0 => ask(Act::Call(*depth)),
        (What::Call { depth: 0, .. } | What::Made, Kind::Class(_)) if rest == 0 => {
            ask(Act::Call(0))
        }
        (What::Base, Kind::Class(_)) if rest == 0 => ask(Act::Derive),
        (What::Readable, Kind::Function(_) | Kind::Class(_)) => Step::Holds,
        (What::Plain | What::Readable, Kind::Assign { .. }) => ask(Act::Use),
        (What::Call { depth: 0, plain } | What::PlainCall { plain }, Kind::Assign { .. })
            if rest > 0 && last.is_some_and(|it| known::QUIET_METHODS.contains(it)) =>
        {
            Step::All(vec![ask(Act::Use), if_plain(plain)])
        }
        _ => Step::Fails,
    }
}

fn of_elsewhere(name: &str, what: &What) -> Step {
    let keeps = known::KEEPING_CALLS.contains(name);
    let quiet = known::QUIET_CALLS.contains(name);
    match what {
        What::Readable => Step::Holds,
        What::Plain => {
            let top = known::top(name);
            holds(known::STANDARD.contains(top) || known::BLIND.contains(top))
        }
        // Calling what `partial` made calls what it was given.
        What::Call { depth, .. } if keeps => holds(*depth == 0 || name != "functools.partial"),
        What::Call { depth: 0, plain } | What::PlainCall { plain } if quiet => if_plain(plain),
        What::Base | What::Made => {
            holds(known::STANDARD.contains(known::top(name)) || known::QUIET_BASES.contains(name))
        }
        What::Known => holds(keeps),
        What::Call { .. } | What::PlainCall { .. } => Step::Fails,
    }
}

fn of_builtin(name: &str, what: &What) -> Step {
    let (first, last) = match name.split_once('.') {
        Some((first, rest)) => (first, rest.rsplit('.').next()),
        None => (name, None),
    };
    let class = known::BUILTIN_TYPES.contains(first) || is_exception(first);
    let own = first.starts_with("__") && first.ends_with("__");
    match (what, last) {
        (What::Readable, _) => holds(class || own || known::QUIET_BUILTINS.contains(first)),
        (What::Plain, _) => holds(class || own),
        (What::Base | What::Made, None) => holds(class),
        (What::Known, None) => holds(known::KEEPING_BUILTINS.contains(first)),
        (What::Call { .. }, None) if known::KEEPING_BUILTINS.contains(first) => Step::Holds,
        (What::Call { depth: 0, plain } | What::PlainCall { plain }, None) => {
            match known::QUIET_BUILTINS.contains(first) || is_exception(first) {
                true => if_plain(plain),
                false => Step::Fails,
            }
        }
        // `str.maketrans(…)`, `__name__.split(".")`.
        (What::Call { depth: 0, plain } | What::PlainCall { plain }, Some(method)) => {
            match class || own && known::QUIET_METHODS.contains(method) {
                true => if_plain(plain),
                false => Step::Fails,
            }
        }
        _ => Step::Fails,
    }
}

/// By its name, as all built-in ones have it.
fn is_exception(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_uppercase())
        && [
            "Error",
            "Exception",
            "Warning",
            "Exit",
            "Interrupt",
            "Iteration",
        ]
        .iter()
        .any(|it| name.ends_with(it))
}
