//! What executing the definition of a function or a class does, and what calling and deriving from it does.

use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{Decorator, Expr, Parameters, Stmt, StmtClassDef, StmtFunctionDef};
use rustc_hash::FxHashSet;

use super::Effects;
use super::body::Body;
use crate::facts::{Effect, What};
use crate::python::bindings::Bindings;
use crate::python::canonical::counts;
use crate::python::chain::Chain;

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
    pub(in crate::python) fn definition(&mut self, function: &'a StmtFunctionDef) -> Effect {
        self.decorators(&function.decorator_list)
            .and(self.defaults(&function.parameters))
            .and(Self::annotations(
                &function.parameters,
                function.returns.as_deref(),
            ))
    }

    /// What calling a function does, and what it returned, and so on.
    pub(in crate::python) fn calls(
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
    pub(in crate::python) fn class(&mut self, class: &'a StmtClassDef) -> Effect {
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
    pub(in crate::python) fn makes(&mut self, class: &'a StmtClassDef) -> Effect {
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
    pub(in crate::python) fn derives(&mut self, class: &'a StmtClassDef) -> Effect {
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
pub(in crate::python) fn annotation_effect(annotation: &Expr) -> Effect {
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
