//! Which names of the module, built-in names and imports a statement uses, by Python's rules of scope.
//!
//! Does not resolve them: a name of the module is a root with the attributes after it.

use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{Comprehension, Expr, ExprCall, ExprContext, Parameters, Stmt, TypeParams};
use ruff_text_size::{Ranged, TextSize};
use rustc_hash::FxHashSet;

use super::bindings::Bindings;
use super::chain::{Chain, import_argument, literal_getattr};
use super::lines::Lines;
use crate::facts::{Bound, Import, Piece, Root, Use};
use crate::known::TELLING_ATTRIBUTES;

/// What a statement uses.
pub(super) struct Names<'a> {
    lines: &'a Lines,
    scopes: Vec<Scope<'a>>,
    classes: Vec<&'a str>,
    annotation: bool,
    /// Without their lines.
    seen: FxHashSet<Use>,
    pub(super) uses: Vec<Use>,
    /// Names of the module that are read when the statement is executed, not when a function in it is called.
    pub(super) eager: Vec<Box<str>>,
    pub(super) imports: Vec<Import>,
    pub(super) later: Vec<Import>,
}

struct Scope<'a> {
    kind: ScopeKind,
    bindings: Bindings<'a>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum ScopeKind {
    Function,
    Class,
    /// Comprehensions and type parameters: executed where they stand.
    Inline,
}

/// What a name in a scope stands for.
enum Found<'s> {
    Local,
    Imports(&'s [Bound]),
    Global,
    /// It may be bound in the class, or not yet.
    ClassOrGlobal(&'s [Bound]),
}

impl<'a> Names<'a> {
    pub(super) fn new(lines: &'a Lines) -> Self {
        Self {
            lines,
            scopes: Vec::new(),
            classes: Vec::new(),
            annotation: false,
            seen: FxHashSet::default(),
            uses: Vec::new(),
            eager: Vec::new(),
            imports: Vec::new(),
            later: Vec::new(),
        }
    }

    fn in_function(&self) -> bool {
        self.scopes.iter().any(|it| it.kind == ScopeKind::Function)
    }

    fn find(&self, name: &str) -> Found<'_> {
        let mut class = None;
        let mut below_function = false;
        for scope in self.scopes.iter().rev() {
            if scope.kind == ScopeKind::Class && (below_function || class.is_some()) {
                continue;
            }
            below_function |= scope.kind == ScopeKind::Function;
            if scope.bindings.globals.contains(name) {
                return Found::Global;
            }
            match scope.bindings.names.get(name) {
                Some(imports) if scope.kind == ScopeKind::Class => class = Some(imports),
                Some(imports) if imports.is_empty() => return Found::Local,
                Some(imports) => return Found::Imports(imports),
                None => {}
            }
        }
        match class {
            Some(imports) => Found::ClassOrGlobal(imports),
            None => Found::Global,
        }
    }

    fn record(
        &mut self,
        name: &str,
        attributes: &[&str],
        argument: Option<Vec<Piece>>,
        at: TextSize,
    ) {
        let mut roots: Vec<Root> = Vec::new();
        match self.find(name) {
            Found::Local => {}
            Found::Global => roots.push(Root::Global(name.into())),
            Found::Imports(bounds) => roots.extend(bounds.iter().cloned().map(Root::Import)),
            Found::ClassOrGlobal(bounds) => {
                roots.extend(bounds.iter().cloned().map(Root::Import));
                roots.push(Root::Global(name.into()));
            }
        }
        for root in roots {
            if let Root::Global(name) = &root
                && !self.in_function()
            {
                self.eager.push(name.clone());
            }
            self.push(root, attributes, argument.clone(), at);
        }
    }

    fn push(
        &mut self,
        root: Root,
        attributes: &[&str],
        argument: Option<Vec<Piece>>,
        at: TextSize,
    ) {
        let mut used = Use {
            root,
            attributes: attributes.iter().map(|&it| it.into()).collect(),
            argument,
            line: 0,
        };
        if self.seen.insert(used.clone()) {
            used.line = self.lines.of(at);
            self.uses.push(used);
        }
    }

    /// A chain from a name, also as a class mangles it.
    fn chain(
        &mut self,
        name: &str,
        attributes: &[&str],
        argument: Option<Vec<Piece>>,
        at: TextSize,
    ) {
        if TELLING_ATTRIBUTES.contains(name) {
            self.push(Root::Attribute(name.into()), &[], None, at);
        }
        self.record(name, attributes, argument.clone(), at);
        if let Some(class) = self.classes.last() {
            let mangle = |name: &str| match name.starts_with("__") && !name.ends_with("__") {
                true => Some(format!("_{}{name}", class.trim_start_matches('_'))),
                false => None,
            };
            let mangled: Vec<Option<String>> = std::iter::once(&name)
                .chain(attributes)
                .map(|it| mangle(it))
                .collect();
            if mangled.iter().any(Option::is_some) {
                let all: Vec<&str> = std::iter::once(&name)
                    .chain(attributes)
                    .zip(&mangled)
                    .map(|(plain, mangled)| mangled.as_deref().unwrap_or(plain))
                    .collect();
                self.record(all[0], &all[1..], argument, at);
            }
        }
    }

    fn reference(&mut self, expression: &'a Expr, argument: Option<Vec<Piece>>) {
        let chain = Chain::of(expression);
        for attribute in &chain.attributes {
            if TELLING_ATTRIBUTES.contains(attribute) {
                self.push(
                    Root::Attribute((*attribute).into()),
                    &[],
                    None,
                    expression.start(),
                );
            }
        }
        match chain.name() {
            Some(name) => self.chain(name, &chain.attributes, argument, expression.start()),
            None => self.visit_expr(chain.root),
        }
        self.further_arguments(expression);
    }

    /// Defaults of the `getattr` calls in a chain.
    fn further_arguments(&mut self, mut expression: &'a Expr) {
        loop {
            match expression {
                Expr::Attribute(it) => expression = &it.value,
                Expr::Call(it) if literal_getattr(it).is_some() => {
                    self.visit_expr(&it.func);
                    for argument in it.arguments.args.iter().skip(2) {
                        self.visit_expr(argument);
                    }
                    expression = &it.arguments.args[0];
                }
                _ => return,
            }
        }
    }

    fn call(&mut self, call: &'a ExprCall) {
        let callee = Chain::of(&call.func);
        let last = callee.attributes.last().copied().or(callee.name());
        let argument = match last {
            Some("import_module" | "__import__") => Some(import_argument(call)),
            // Of an object, and of a function's names: nothing of the module.
            Some("vars" | "dir") if !call.arguments.args.is_empty() => Some(Vec::new()),
            Some("locals") if self.in_function() => Some(Vec::new()),
            _ => None,
        };
        match (&*call.func, argument) {
            (Expr::Name(_) | Expr::Attribute(_), Some(argument)) => {
                self.reference(&call.func, Some(argument));
            }
            _ => self.visit_expr(&call.func),
        }
        self.visit_arguments(&call.arguments);
    }

    fn import(&mut self, level: u32, module: &str, name: Option<&str>, at: TextSize) {
        let import = Import {
            level,
            module: module.into(),
            name: name.map(Into::into),
            line: self.lines.of(at),
        };
        match self.in_function() {
            true => self.later.push(import),
            false => self.imports.push(import),
        }
    }

    fn scoped(&mut self, kind: ScopeKind, bindings: Bindings<'a>, inside: impl FnOnce(&mut Self)) {
        self.scopes.push(Scope { kind, bindings });
        inside(self);
        self.scopes.pop();
    }

    fn with_type_params(&mut self, params: Option<&'a TypeParams>, inside: impl FnOnce(&mut Self)) {
        match params {
            None => inside(self),
            Some(params) => self.scoped(
                ScopeKind::Inline,
                Bindings::of_type_params(params),
                |names| {
                    visitor::walk_type_params(names, params);
                    inside(names);
                },
            ),
        }
    }

    fn defaults(&mut self, parameters: &'a Parameters) {
        for default in parameters
            .iter_non_variadic_params()
            .filter_map(|it| it.default())
        {
            self.visit_expr(default);
        }
    }

    fn function_body(&mut self, parameters: &'a Parameters, body: &'a [Stmt]) {
        let mut bindings = Bindings::of_block(body);
        bindings.parameters(parameters);
        self.scoped(ScopeKind::Function, bindings, |names| {
            names.visit_body(body)
        });
    }

    fn comprehension(&mut self, generators: &'a [Comprehension], values: &[&'a Expr]) {
        if let Some(first) = generators.first() {
            self.visit_expr(&first.iter);
        }
        self.scoped(
            ScopeKind::Inline,
            Bindings::of_targets(generators),
            |names| {
                for (index, generator) in generators.iter().enumerate() {
                    names.visit_expr(&generator.target);
                    if index > 0 {
                        names.visit_expr(&generator.iter);
                    }
                    for condition in &generator.ifs {
                        names.visit_expr(condition);
                    }
                }
                for value in values {
                    names.visit_expr(value);
                }
            },
        );
    }

    /// Names in an annotation that is written as text; no need to parse it to find too many.
    fn written_annotation(&mut self, text: &str, at: TextSize) {
        let part = |c: char| c.is_alphanumeric() || c == '_' || c == '.';
        for chain in text.split(|c| !part(c)) {
            let mut names = chain.split('.').filter(|it| !it.is_empty());
            if let Some(name) = names
                .next()
                .filter(|it| !it.starts_with(|c: char| c.is_numeric()))
            {
                let attributes: Vec<&str> = names.collect();
                self.record(name, &attributes, None, at);
            }
        }
    }
}

impl<'a> Visitor<'a> for Names<'a> {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        match statement {
            Stmt::FunctionDef(it) => {
                for decorator in &it.decorator_list {
                    self.visit_expr(&decorator.expression);
                }
                self.defaults(&it.parameters);
                self.with_type_params(it.type_params.as_deref(), |names| {
                    for annotation in it.parameters.iter().filter_map(|it| it.annotation()) {
                        names.visit_annotation(annotation);
                    }
                    if let Some(returns) = &it.returns {
                        names.visit_annotation(returns);
                    }
                    names.function_body(&it.parameters, &it.body);
                });
            }
            Stmt::ClassDef(it) => {
                for decorator in &it.decorator_list {
                    self.visit_expr(&decorator.expression);
                }
                self.with_type_params(it.type_params.as_deref(), |names| {
                    if let Some(arguments) = &it.arguments {
                        names.visit_arguments(arguments);
                    }
                    names.classes.push(&it.name);
                    names.scoped(ScopeKind::Class, Bindings::of_block(&it.body), |names| {
                        names.visit_body(&it.body);
                    });
                    names.classes.pop();
                });
            }
            Stmt::Import(it) => {
                for alias in &it.names {
                    self.import(0, &alias.name, None, alias.start());
                }
            }
            Stmt::ImportFrom(it) => {
                let module = it.module.as_ref().map_or("", |it| it.as_str());
                for alias in &it.names {
                    self.import(it.level, module, Some(&alias.name), alias.start());
                }
            }
            Stmt::AugAssign(it) => {
                if let Expr::Name(name) = &*it.target {
                    self.chain(&name.id, &[], None, name.start());
                }
                visitor::walk_stmt(self, statement);
            }
            _ => visitor::walk_stmt(self, statement),
        }
    }

    fn visit_annotation(&mut self, annotation: &'a Expr) {
        let before = std::mem::replace(&mut self.annotation, true);
        self.visit_expr(annotation);
        self.annotation = before;
    }

    fn visit_expr(&mut self, expression: &'a Expr) {
        match expression {
            Expr::Name(it) => match it.ctx {
                ExprContext::Load | ExprContext::Invalid => {
                    self.chain(&it.id, &[], None, it.start())
                }
                // What is bound elsewhere than here is a name of the module, by `global`.
                ExprContext::Store | ExprContext::Del => {
                    if !self.scopes.is_empty() && matches!(self.find(&it.id), Found::Global) {
                        self.chain(&it.id, &[], None, it.start());
                    }
                }
            },
            Expr::Attribute(_) => self.reference(expression, None),
            Expr::Call(it) => match literal_getattr(it) {
                Some(_) => self.reference(expression, None),
                None => self.call(it),
            },
            Expr::Lambda(it) => match it.parameters.as_deref() {
                Some(parameters) => {
                    self.defaults(parameters);
                    self.scoped(
                        ScopeKind::Function,
                        Bindings::of_parameters(parameters),
                        |names| {
                            names.visit_expr(&it.body);
                        },
                    );
                }
                None => self.scoped(ScopeKind::Function, Bindings::default(), |names| {
                    names.visit_expr(&it.body);
                }),
            },
            Expr::ListComp(it) => self.comprehension(&it.generators, &[&it.elt]),
            Expr::SetComp(it) => self.comprehension(&it.generators, &[&it.elt]),
            Expr::Generator(it) => self.comprehension(&it.generators, &[&it.elt]),
            Expr::DictComp(it) => match it.key.as_deref() {
                Some(key) => self.comprehension(&it.generators, &[key, &it.value]),
                None => self.comprehension(&it.generators, &[&it.value]),
            },
            Expr::StringLiteral(it) if self.annotation => {
                self.written_annotation(it.value.to_str(), it.start());
            }
            _ => visitor::walk_expr(self, expression),
        }
    }
}
