//! Whether executing something can be noticed otherwise than by the names it binds: by changing an
//! object, printing, registering. Where that hangs on other names, it says on which.
//!
//! Knows syntax only. What is not recognised has an effect: then it counts for everyone who imports the
//! module, which is the safe side.

use ruff_python_ast::{
    Arguments, Comprehension, Expr, FStringPart, InterpolatedStringElement, Parameters,
};
use rustc_hash::FxHashSet;

use super::bindings::Bindings;
use super::chain::Chain;
use super::lines::Lines;
use crate::facts::{Effect, Root, Use, What};
use crate::known;

mod body;
mod definitions;

pub(in crate::python) use definitions::annotation_effect;

/// Judges expressions and statements in a scope.
pub(in crate::python) struct Effects<'a> {
    lines: &'a Lines,
    /// Names of functions, classes and comprehensions around.
    locals: Vec<FxHashSet<&'a str>>,
    /// Of those, the ones that hold plain values.
    plain: Vec<FxHashSet<&'a str>>,
    /// Calls within calls: the arguments of each are judged twice.
    calls: usize,
}

/// Calls within calls that are looked at.
const CALLS: usize = 6;

impl<'a> Effects<'a> {
    pub(in crate::python) fn new(lines: &'a Lines) -> Self {
        Self {
            lines,
            locals: Vec::new(),
            plain: Vec::new(),
            calls: 0,
        }
    }

    fn is_local(&self, name: &str) -> bool {
        self.locals.iter().any(|it| it.contains(name))
    }

    fn is_plain_local(&self, name: &str) -> bool {
        self.plain.iter().any(|it| it.contains(name))
    }

    fn within<T>(
        &mut self,
        locals: FxHashSet<&'a str>,
        plain: FxHashSet<&'a str>,
        judge: impl FnOnce(&mut Self) -> T,
    ) -> T {
        self.locals.push(locals);
        self.plain.push(plain);
        let judged = judge(self);
        self.locals.pop();
        self.plain.pop();
        judged
    }

    fn used(&self, expression: &'a Expr, chain: &Chain<'a>, name: &str) -> Use {
        Use {
            root: Root::Global(name.into()),
            attributes: chain.attributes.iter().map(|&it| it.into()).collect(),
            argument: None,
            line: self.lines.of(ruff_text_size::Ranged::start(expression)),
        }
    }

    fn all(&mut self, expressions: &'a [Expr], judge: fn(&mut Self, &'a Expr) -> Effect) -> Effect {
        let mut effect = Effect::NONE;
        for expression in expressions {
            effect = effect.and(judge(self, expression));
        }
        effect
    }

    /// Evaluating it, whatever comes out.
    pub(in crate::python) fn value(&mut self, expression: &'a Expr) -> Effect {
        match expression {
            Expr::Name(_) | Expr::Lambda(_) => match expression {
                Expr::Lambda(it) => it
                    .parameters
                    .as_deref()
                    .map_or(Effect::NONE, |it| self.defaults(it)),
                _ => Effect::NONE,
            },
            Expr::Tuple(it) => self.all(&it.elts, Self::value),
            Expr::List(it) => self.all(&it.elts, Self::value),
            Expr::Dict(it) => {
                let mut effect = Effect::NONE;
                for item in &it.items {
                    effect = effect.and(match &item.key {
                        // Keys are hashed; what is spread is read through.
                        Some(key) => self.key(key).and(self.value(&item.value)),
                        None => self.plain(&item.value),
                    });
                }
                effect
            }
            Expr::Set(it) => self.all(&it.elts, Self::key),
            Expr::If(it) => self
                .plain(&it.test)
                .and(self.value(&it.body))
                .and(self.value(&it.orelse)),
            Expr::Attribute(it) => self.attribute(expression, &it.value),
            Expr::Subscript(it) => self.plain(&it.value).and(self.value(&it.slice)),
            Expr::Named(it) => self.value(&it.value),
            Expr::Call(it) => self.call(&it.func, &it.arguments, false),
            _ => self.plain(expression),
        }
    }

    /// A class or an enumeration's member is hashed by identity; else what is hashed must be plain.
    fn key(&mut self, expression: &'a Expr) -> Effect {
        match expression {
            Expr::Attribute(_) | Expr::Name(_) => self.readable(expression),
            _ => self.plain(expression),
        }
    }

    fn readable(&mut self, expression: &'a Expr) -> Effect {
        let chain = Chain::of(expression);
        match chain.name() {
            Some(name) if self.is_local(name) => Effect::NONE,
            Some(name) => Effect::need(What::Readable, self.used(expression, &chain, name)),
            None => Effect::Some,
        }
    }

    fn attribute(&mut self, expression: &'a Expr, object: &'a Expr) -> Effect {
        let chain = Chain::of(expression);
        match chain.name() {
            Some(_)
                if chain
                    .attributes
                    .iter()
                    .all(|it| known::QUIET_ATTRIBUTES.contains(it)) =>
            {
                Effect::NONE
            }
            Some(name) if self.is_plain_local(name) => Effect::NONE,
            Some(name) if self.is_local(name) => Effect::Some,
            Some(name) => Effect::need(What::Readable, self.used(expression, &chain, name)),
            None => self.plain(object),
        }
    }

    /// Evaluating it has no effect, and what comes out is a number, a text, a container, a path…, so that
    /// operators on it have none either.
    pub(in crate::python) fn plain(&mut self, expression: &'a Expr) -> Effect {
        match expression {
            _ if expression.is_literal_expr() => Effect::NONE,
            Expr::Tuple(it) => self.all(&it.elts, Self::plain),
            Expr::List(it) => self.all(&it.elts, Self::plain),
            Expr::Set(it) => self.all(&it.elts, Self::plain),
            Expr::Dict(it) => {
                let mut effect = Effect::NONE;
                for item in &it.items {
                    if let Some(key) = &item.key {
                        effect = effect.and(self.plain(key));
                    }
                    effect = effect.and(self.plain(&item.value));
                }
                effect
            }
            Expr::BinOp(it) => self.plain(&it.left).and(self.plain(&it.right)),
            Expr::UnaryOp(it) => self.plain(&it.operand),
            Expr::BoolOp(it) => self.all(&it.values, Self::plain),
            Expr::Compare(it) => {
                let left = self.plain(&it.left);
                left.and(self.all(&it.comparators, Self::plain))
            }
            Expr::If(it) => self
                .plain(&it.test)
                .and(self.plain(&it.body))
                .and(self.plain(&it.orelse)),
            Expr::Subscript(it) => self.plain(&it.value).and(self.value(&it.slice)),
            Expr::Slice(it) => [&it.lower, &it.upper, &it.step]
                .into_iter()
                .flatten()
                .fold(Effect::NONE, |effect, it| effect.and(self.plain(it))),
            Expr::Starred(it) => self.plain(&it.value),
            Expr::Named(it) => self.plain(&it.value),
            Expr::FString(it) => self.interpolated(it.value.iter()),
            Expr::Name(_) | Expr::Attribute(_) => self.plain_chain(expression),
            Expr::Call(it) => self.call(&it.func, &it.arguments, true),
            Expr::ListComp(it) => self.comprehension(&it.generators, &[&it.elt]),
            Expr::SetComp(it) => self.comprehension(&it.generators, &[&it.elt]),
            Expr::Generator(it) => self.comprehension(&it.generators, &[&it.elt]),
            Expr::DictComp(it) => match it.key.as_deref() {
                Some(key) => self.comprehension(&it.generators, &[key, &it.value]),
                None => Effect::Some,
            },
            _ => Effect::Some,
        }
    }

    fn plain_chain(&mut self, expression: &'a Expr) -> Effect {
        let chain = Chain::of(expression);
        match chain.name() {
            Some(name) if self.is_plain_local(name) => Effect::NONE,
            Some(name) if self.is_local(name) => Effect::Some,
            Some(name) => Effect::need(What::Plain, self.used(expression, &chain, name)),
            None => match expression {
                Expr::Attribute(it) => self.plain(&it.value),
                _ => Effect::Some,
            },
        }
    }

    fn interpolated(&mut self, parts: impl Iterator<Item = &'a FStringPart>) -> Effect {
        let mut effect = Effect::NONE;
        for part in parts {
            if let FStringPart::FString(it) = part {
                for element in &it.elements {
                    if let InterpolatedStringElement::Interpolation(it) = element {
                        effect = effect.and(self.plain(&it.expression));
                        if let Some(spec) = &it.format_spec
                            && spec.elements.interpolations().next().is_some()
                        {
                            effect = Effect::Some;
                        }
                    }
                }
            }
        }
        effect
    }

    fn comprehension(&mut self, generators: &'a [Comprehension], values: &[&'a Expr]) -> Effect {
        let names: FxHashSet<&str> = Bindings::of_targets(generators).names.into_keys().collect();
        let mut effect = Effect::NONE;
        for generator in generators.iter().take(1) {
            effect = effect.and(self.plain(&generator.iter));
        }
        if generators.iter().any(|it| it.is_async) {
            return Effect::Some;
        }
        effect.and(self.within(names.clone(), names, |effects| {
            let mut effect = Effect::NONE;
            for (index, generator) in generators.iter().enumerate() {
                if index > 0 {
                    effect = effect.and(effects.plain(&generator.iter));
                }
                effect = effect.and(effects.all(&generator.ifs, Self::plain));
            }
            for value in values {
                effect = effect.and(effects.plain(value));
            }
            effect
        }))
    }

    fn call(&mut self, function: &'a Expr, arguments: &'a Arguments, plain: bool) -> Effect {
        if self.calls == CALLS {
            return Effect::Some;
        }
        self.calls += 1;
        let mut values = Effect::NONE;
        let mut all_plain = Effect::NONE;
        for argument in arguments
            .args
            .iter()
            .chain(arguments.keywords.iter().map(|it| &it.value))
        {
            values = values.and(self.value(argument));
            all_plain = all_plain.and(self.plain(argument));
        }
        // Spreading reads through a mapping or a sequence.
        if arguments.keywords.iter().any(|it| it.arg.is_none()) {
            values = values.and(all_plain.clone());
        }
        let effect = values.and(self.callee(function, all_plain, plain));
        self.calls -= 1;
        effect
    }

    fn callee(&mut self, mut function: &'a Expr, plain: Effect, plain_result: bool) -> Effect {
        let mut depth = 0;
        let mut before = Effect::NONE;
        while let Expr::Call(it) = function {
            for argument in it
                .arguments
                .args
                .iter()
                .chain(it.arguments.keywords.iter().map(|it| &it.value))
            {
                before = before.and(self.value(argument));
            }
            function = &it.func;
            depth += 1;
        }
        let chain = Chain::of(function);
        let what = match plain_result {
            true if depth == 0 => What::PlainCall { plain },
            true => return Effect::Some,
            false => What::Call { depth, plain },
        };
        match (chain.name(), function) {
            (Some(name), Expr::Attribute(it)) if self.is_plain_local(name) => {
                match known::QUIET_METHODS.contains(it.attr.as_str()) {
                    true => before,
                    false => Effect::Some,
                }
            }
            (Some(name), _) if self.is_local(name) => Effect::Some,
            (Some(name), _) => before.and(Effect::need(what, self.used(function, &chain, name))),
            (None, Expr::Attribute(it)) if known::QUIET_METHODS.contains(it.attr.as_str()) => {
                before.and(self.plain(&it.value))
            }
            _ => Effect::Some,
        }
    }

    fn defaults(&mut self, parameters: &'a Parameters) -> Effect {
        let mut effect = Effect::NONE;
        for parameter in parameters.iter_non_variadic_params() {
            if let Some(default) = parameter.default() {
                effect = effect.and(self.value(default));
            }
        }
        effect
    }
}
