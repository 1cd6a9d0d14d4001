//! Whether executing something can be noticed otherwise than by the names it binds: by changing an
//! object, printing, registering. Where that hangs on other names, it says on which.
//!
//! Knows syntax only. What is not recognised has an effect: then it counts for everyone who imports the
//! module, which is the safe side.

use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{
    Arguments, Comprehension, Decorator, Expr, FStringPart, InterpolatedStringElement, Parameters,
    Stmt, StmtClassDef, StmtFunctionDef,
};
use rustc_hash::FxHashSet;

use super::bindings::Bindings;
use super::canonical::counts;
use super::chain::Chain;
use super::lines::Lines;
use crate::facts::{Effect, Root, Use, What};
use crate::known;

/// Judges expressions and statements in a scope.
pub(super) struct Effects<'a> {
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

/// Methods with which an enumeration or a class of classes makes its members.
const MAKERS: [&str; 4] = [
    "__init__",
    "__new__",
    "_generate_next_value_",
    "__prepare__",
];

/// Depths of nested functions that are looked at: a decorator with arguments needs two.
const DEPTHS: usize = 3;

impl<'a> Effects<'a> {
    pub(super) fn new(lines: &'a Lines) -> Self {
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
    pub(super) fn value(&mut self, expression: &'a Expr) -> Effect {
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
    pub(super) fn plain(&mut self, expression: &'a Expr) -> Effect {
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
                match known::QUIET_METHODS.contains(&it.attr.as_str()) {
                    true => before,
                    false => Effect::Some,
                }
            }
            (Some(name), _) if self.is_local(name) => Effect::Some,
            (Some(name), _) => before.and(Effect::need(what, self.used(function, &chain, name))),
            (None, Expr::Attribute(it)) if known::QUIET_METHODS.contains(&it.attr.as_str()) => {
                before.and(self.plain(&it.value))
            }
            _ => Effect::Some,
        }
    }

    /// Putting a decorator on a definition.
    fn decorator(&mut self, decorator: &'a Expr) -> Effect {
        if let Expr::Attribute(it) = decorator
            && matches!(&*it.value, Expr::Name(name) if self.is_local(&name.id))
            && matches!(it.attr.as_str(), "setter" | "getter" | "deleter")
        {
            return Effect::NONE;
        }
        let given = match decorator {
            Expr::Call(it) => {
                let mut values = Effect::NONE;
                for argument in it
                    .arguments
                    .args
                    .iter()
                    .chain(it.arguments.keywords.iter().map(|it| &it.value))
                {
                    values = values.and(self.value(argument));
                }
                values
            }
            _ => Effect::NONE,
        };
        let (function, depth) = match decorator {
            Expr::Call(it) => (&*it.func, 1),
            _ => (decorator, 0),
        };
        let chain = Chain::of(function);
        match chain.name() {
            Some(name) if !self.is_local(name) => {
                let what = What::Call {
                    depth,
                    // The definition itself is an argument, and not a plain one.
                    plain: Effect::Some,
                };
                given.and(Effect::need(what, self.used(function, &chain, name)))
            }
            _ => Effect::Some,
        }
    }

    fn decorators(&mut self, decorators: &'a [Decorator]) -> Effect {
        let mut effect = Effect::NONE;
        for decorator in decorators {
            effect = effect.and(self.decorator(&decorator.expression));
        }
        effect
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

    fn annotations(parameters: &'a Parameters, returns: Option<&'a Expr>) -> Effect {
        let mut effect = Effect::NONE;
        for annotation in parameters
            .iter()
            .filter_map(|it| it.annotation())
            .chain(returns)
        {
            effect = effect.and(annotation_effect(annotation));
        }
        effect
    }

    /// Executing a function's definition.
    pub(super) fn definition(&mut self, function: &'a StmtFunctionDef) -> Effect {
        self.decorators(&function.decorator_list)
            .and(self.defaults(&function.parameters))
            .and(Self::annotations(
                &function.parameters,
                function.returns.as_deref(),
            ))
    }

    /// What calling a function does, and what it returned, and so on.
    pub(super) fn calls(
        &mut self,
        function: &'a StmtFunctionDef,
        constructor: bool,
    ) -> Vec<Effect> {
        let mut found = vec![self.transparent(&function.decorator_list)];
        let mut level: Vec<(&'a StmtFunctionDef, bool)> = vec![(function, constructor)];
        let mut scopes: Vec<FxHashSet<&str>> = Vec::new();
        for depth in 0..DEPTHS {
            let mut below = Vec::new();
            for (function, constructor) in level {
                let mut bindings = Bindings::of_block(&function.body);
                let first = function
                    .parameters
                    .iter()
                    .next()
                    .map(|it| it.name().as_str());
                let first = first.filter(|it| constructor && !bindings.names.contains_key(it));
                bindings.parameters(&function.parameters);
                scopes.push(bindings.names.into_keys().collect());
                // Names of the functions around are no names of the module either.
                self.locals.extend(scopes.iter().cloned());
                let mut body = Body {
                    effects: self,
                    first,
                    functions: FxHashSet::default(),
                    below: Vec::new(),
                };
                let effect = body.suite(&function.body);
                below.extend(body.below.into_iter().map(|it| (it, false)));
                let keep = self.locals.len() - scopes.len();
                self.locals.truncate(keep);
                let before = std::mem::replace(&mut found[depth], Effect::NONE);
                found[depth] = before.and(effect);
            }
            if below.is_empty() {
                break;
            }
            found.push(Effect::NONE);
            level = below;
        }
        // Deeper ones were not looked at.
        if found.len() > DEPTHS {
            found[DEPTHS] = Effect::Some;
        }
        found
    }

    /// Executing a class definition.
    pub(super) fn class(&mut self, class: &'a StmtClassDef) -> Effect {
        let mut effect = self.decorators(&class.decorator_list);
        if derives_from_type(class)
            && Bindings::of_block(&class.body)
                .names
                .keys()
                .any(|it| MAKERS.contains(it))
        {
            return Effect::Some;
        }
        if let Some(arguments) = class.arguments.as_deref() {
            for base in &arguments.args {
                effect = effect.and(self.base(base));
            }
            for keyword in &arguments.keywords {
                effect = effect.and(match keyword.arg.as_ref().map(|it| it.as_str()) {
                    Some("metaclass") => self.base(&keyword.value),
                    Some(_) => self.value(&keyword.value),
                    None => Effect::Some,
                });
            }
        }
        let locals = Bindings::of_block(&class.body).names.into_keys().collect();
        effect.and(self.within(locals, FxHashSet::default(), |effects| {
            let mut effect = Effect::NONE;
            for statement in class.body.iter().filter(|it| counts(it)) {
                effect = effect.and(effects.in_class(statement));
            }
            effect
        }))
    }

    fn in_class(&mut self, statement: &'a Stmt) -> Effect {
        match statement {
            Stmt::Assign(it) if it.targets.iter().all(Expr::is_name_expr) => {
                self.class_value(&it.value)
            }
            Stmt::AnnAssign(it) if it.target.is_name_expr() => annotation_effect(&it.annotation)
                .and(
                    it.value
                        .as_deref()
                        .map_or(Effect::NONE, |it| self.class_value(it)),
                ),
            Stmt::FunctionDef(it) => self.definition(it),
            Stmt::ClassDef(it) => self.class(it),
            _ => Effect::Some,
        }
    }

    /// A class tells what it holds its name, so that an object of unknown kind may do anything.
    fn class_value(&mut self, value: &'a Expr) -> Effect {
        match value {
            Expr::Name(_) => self.readable(value),
            _ => self.value(value),
        }
    }

    /// Deriving from an expression.
    fn base(&mut self, base: &'a Expr) -> Effect {
        let (class, parameters) = match base {
            Expr::Subscript(it) => (&*it.value, self.value(&it.slice)),
            _ => (base, Effect::NONE),
        };
        let chain = Chain::of(class);
        match chain.name() {
            Some(name) if !self.is_local(name) => {
                parameters.and(Effect::need(What::Base, self.used(class, &chain, name)))
            }
            _ => Effect::Some,
        }
    }

    /// What making an instance of a class does, its bases included.
    pub(super) fn makes(&mut self, class: &'a StmtClassDef) -> Effect {
        let mut effect = self.transparent(&class.decorator_list);
        for base in class.arguments.iter().flat_map(|it| &it.args) {
            effect = effect.and(self.made_base(base));
        }
        if class.arguments.iter().any(|it| !it.keywords.is_empty()) {
            return Effect::Some;
        }
        for statement in &class.body {
            if let Stmt::FunctionDef(it) = statement {
                effect = match it.name.as_str() {
                    "__init__" | "__post_init__" => {
                        let calls = self.calls(it, true).swap_remove(0);
                        effect.and(self.decorators(&it.decorator_list)).and(calls)
                    }
                    "__new__" | "__set_name__" | "__setattr__" | "__getattribute__" => Effect::Some,
                    _ if it.decorator_list.iter().any(is_setter) => Effect::Some,
                    _ => effect,
                };
            }
        }
        effect
    }

    fn made_base(&mut self, base: &'a Expr) -> Effect {
        let class = match base {
            Expr::Subscript(it) => &*it.value,
            _ => base,
        };
        let chain = Chain::of(class);
        match chain.name() {
            Some(name) if !self.is_local(name) => {
                Effect::need(What::Made, self.used(class, &chain, name))
            }
            _ => Effect::Some,
        }
    }

    /// Decorators that leave what they decorate as it is, or nearly so.
    fn transparent(&mut self, decorators: &'a [Decorator]) -> Effect {
        let mut effect = Effect::NONE;
        for decorator in decorators {
            let function = match &decorator.expression {
                Expr::Call(it) => &*it.func,
                it => it,
            };
            let chain = Chain::of(function);
            effect = effect.and(match chain.name() {
                Some(name) if !self.is_local(name) => {
                    Effect::need(What::Known, self.used(function, &chain, name))
                }
                _ => Effect::Some,
            });
        }
        effect
    }

    /// What deriving from a class does.
    pub(super) fn derives(&mut self, class: &'a StmtClassDef) -> Effect {
        let names = Bindings::of_block(&class.body).names;
        // The first for classes; the others for a class of classes.
        if [
            "__init_subclass__",
            "__new__",
            "__init__",
            "__prepare__",
            "__call__",
        ]
        .iter()
        .enumerate()
        .any(|(index, it)| names.contains_key(it) && (index == 0 || derives_from_type(class)))
        {
            return Effect::Some;
        }
        let mut effect = Effect::NONE;
        for base in class.arguments.iter().flat_map(|it| &it.args) {
            effect = effect.and(self.base(base));
        }
        for keyword in class.arguments.iter().flat_map(|it| &it.keywords) {
            if keyword
                .arg
                .as_ref()
                .is_none_or(|it| it.as_str() == "metaclass")
            {
                effect = effect.and(self.base(&keyword.value));
            }
        }
        effect
    }
}

/// By the looks: a class of classes, or an enumeration, whose members are made with it.
fn derives_from_type(class: &StmtClassDef) -> bool {
    let mut bases = class.arguments.iter().flat_map(|it| &it.args);
    bases.any(|base| {
        let chain = Chain::of(base);
        let last = chain
            .attributes
            .last()
            .copied()
            .or(chain.name())
            .unwrap_or_default();
        ["type", "Enum", "Flag", "Meta", "EnumMeta", "EnumType"]
            .iter()
            .any(|it| last.ends_with(it))
    })
}

fn is_setter(decorator: &Decorator) -> bool {
    matches!(&decorator.expression, Expr::Attribute(it) if it.attr.as_str() == "setter")
}

/// An annotation has an effect only where it calls something.
pub(super) fn annotation_effect(annotation: &Expr) -> Effect {
    struct Calls(bool);
    impl Visitor<'_> for Calls {
        fn visit_expr(&mut self, expression: &Expr) {
            self.0 |= matches!(expression, Expr::Call(_) | Expr::Await(_) | Expr::Yield(_));
            if !self.0 {
                visitor::walk_expr(self, expression);
            }
        }
    }
    let mut calls = Calls(false);
    calls.visit_expr(annotation);
    match calls.0 {
        true => Effect::Some,
        false => Effect::NONE,
    }
}

/// The body of a function that is called while a module is executed.
struct Body<'e, 'a> {
    effects: &'e mut Effects<'a>,
    /// The instance that a constructor fills.
    first: Option<&'a str>,
    /// Functions defined in it, whose attributes may be set: nobody else has them yet.
    functions: FxHashSet<&'a str>,
    below: Vec<&'a StmtFunctionDef>,
}

impl<'a> Body<'_, 'a> {
    fn suite(&mut self, statements: &'a [Stmt]) -> Effect {
        let mut effect = Effect::NONE;
        for statement in statements.iter().filter(|it| counts(it)) {
            effect = effect.and(self.statement(statement));
        }
        effect
    }

    fn statement(&mut self, statement: &'a Stmt) -> Effect {
        match statement {
            Stmt::Return(it) => it
                .value
                .as_deref()
                .map_or(Effect::NONE, |it| self.effects.value(it)),
            Stmt::Assign(it) => {
                let mut effect = self.effects.value(&it.value);
                for target in &it.targets {
                    effect = effect.and(self.target(target));
                }
                effect
            }
            Stmt::AnnAssign(it) => {
                let value = it
                    .value
                    .as_deref()
                    .map_or(Effect::NONE, |it| self.effects.value(it));
                value.and(self.target(&it.target))
            }
            Stmt::FunctionDef(it) => {
                self.functions.insert(&it.name);
                self.below.push(it);
                self.effects.definition(it)
            }
            Stmt::If(it) => {
                let mut effect = self.effects.plain(&it.test).and(self.suite(&it.body));
                for clause in &it.elif_else_clauses {
                    if let Some(test) = &clause.test {
                        effect = effect.and(self.effects.plain(test));
                    }
                    effect = effect.and(self.suite(&clause.body));
                }
                effect
            }
            Stmt::Expr(it) => self.effects.value(&it.value),
            _ => Effect::Some,
        }
    }

    fn target(&mut self, target: &'a Expr) -> Effect {
        match target {
            Expr::Name(it) if self.effects.is_local(&it.id) => Effect::NONE,
            Expr::Attribute(it) => match &*it.value {
                Expr::Name(name)
                    if self.first == Some(name.id.as_str())
                        || self.functions.contains(name.id.as_str()) =>
                {
                    Effect::NONE
                }
                _ => Effect::Some,
            },
            _ => Effect::Some,
        }
    }
}
