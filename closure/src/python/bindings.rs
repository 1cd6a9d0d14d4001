//! Which names a block binds, as Python's compiler decides it: by any assignment, import, definition,
//! loop, `with`, `except`, capture or `:=` in it, but not in the functions and classes below it.
//!
//! Does not know what the names stand for.

use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{
    Alias, Comprehension, ExceptHandler, Expr, ExprContext, Parameters, Pattern, Stmt,
    StmtImportFrom, TypeParams,
};
use rustc_hash::{FxHashMap, FxHashSet};

use crate::facts::Bound;

/// The names of a block. A name with no imports is bound by something else.
#[derive(Default)]
pub(super) struct Bindings<'a> {
    pub(super) names: FxHashMap<&'a str, Vec<Bound>>,
    pub(super) globals: FxHashSet<&'a str>,
    pub(super) nonlocals: FxHashSet<&'a str>,
    /// How many comprehensions around: their targets are theirs.
    inside: usize,
}

impl<'a> Bindings<'a> {
    pub(super) fn of_block(statements: &'a [Stmt]) -> Self {
        let mut found = Self::default();
        for statement in statements {
            found.visit_stmt(statement);
        }
        for name in found.globals.iter().chain(&found.nonlocals) {
            found.names.remove(name);
        }
        found
    }

    pub(super) fn of_expression(expression: &'a Expr) -> Self {
        let mut found = Self::default();
        found.visit_expr(expression);
        found
    }

    pub(super) fn of_parameters(parameters: &'a Parameters) -> Self {
        let mut found = Self::default();
        found.parameters(parameters);
        found
    }

    pub(super) fn of_type_params(params: &'a TypeParams) -> Self {
        let mut found = Self::default();
        for param in params.iter() {
            found.bind(param.name().as_str());
        }
        found
    }

    pub(super) fn of_targets(generators: &'a [Comprehension]) -> Self {
        let mut found = Self::default();
        for generator in generators {
            found.visit_expr(&generator.target);
        }
        found
    }

    pub(super) fn parameters(&mut self, parameters: &'a Parameters) {
        for parameter in parameters.iter() {
            self.bind(parameter.name().as_str());
        }
    }

    fn bind(&mut self, name: &'a str) {
        self.names.entry(name).or_default();
    }
}

/// The name that `import a.b` or `import a.b as c` binds, and to what.
pub(super) fn imported(alias: &Alias) -> (&str, Bound) {
    match &alias.asname {
        Some(name) => (name.as_str(), Bound::Module(alias.name.as_str().into())),
        None => {
            let name = alias.name.as_str();
            let first = name.split('.').next().unwrap_or(name);
            (first, Bound::Module(first.into()))
        }
    }
}

/// The name that one part of `from a import b as c` binds, and to what.
pub(super) fn imported_from<'a>(from: &'a StmtImportFrom, alias: &'a Alias) -> (&'a str, Bound) {
    let bound = Bound::Member {
        level: from.level,
        module: from.module.as_ref().map_or("", |it| it.as_str()).into(),
        name: alias.name.as_str().into(),
    };
    (alias.asname.as_ref().unwrap_or(&alias.name).as_str(), bound)
}

impl<'a> Visitor<'a> for Bindings<'a> {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        match statement {
            Stmt::FunctionDef(it) => {
                self.bind(&it.name);
                // What is evaluated here may hold `:=`.
                for decorator in &it.decorator_list {
                    self.visit_expr(&decorator.expression);
                }
                for default in it
                    .parameters
                    .iter_non_variadic_params()
                    .filter_map(|it| it.default())
                {
                    self.visit_expr(default);
                }
            }
            Stmt::ClassDef(it) => {
                self.bind(&it.name);
                for decorator in &it.decorator_list {
                    self.visit_expr(&decorator.expression);
                }
                if let Some(arguments) = &it.arguments {
                    self.visit_arguments(arguments);
                }
            }
            Stmt::Import(it) => {
                for alias in &it.names {
                    let (name, bound) = imported(alias);
                    self.names.entry(name).or_default().push(bound);
                }
            }
            Stmt::ImportFrom(it) => {
                for alias in it.names.iter().filter(|it| it.name.as_str() != "*") {
                    let (name, bound) = imported_from(it, alias);
                    self.names.entry(name).or_default().push(bound);
                }
            }
            Stmt::Global(it) => self.globals.extend(it.names.iter().map(|it| it.as_str())),
            Stmt::Nonlocal(it) => self.nonlocals.extend(it.names.iter().map(|it| it.as_str())),
            _ => visitor::walk_stmt(self, statement),
        }
    }

    fn visit_expr(&mut self, expression: &'a Expr) {
        match expression {
            Expr::Name(it) => {
                if self.inside == 0 && matches!(it.ctx, ExprContext::Store | ExprContext::Del) {
                    self.bind(&it.id);
                }
            }
            Expr::Named(it) => {
                if let Expr::Name(name) = &*it.target {
                    self.bind(&name.id);
                }
                self.visit_expr(&it.value);
            }
            Expr::Lambda(it) => {
                let parameters = it
                    .parameters
                    .iter()
                    .flat_map(|it| it.iter_non_variadic_params());
                for default in parameters.filter_map(|it| it.default()) {
                    self.visit_expr(default);
                }
            }
            Expr::ListComp(_) | Expr::SetComp(_) | Expr::DictComp(_) | Expr::Generator(_) => {
                self.inside += 1;
                visitor::walk_expr(self, expression);
                self.inside -= 1;
            }
            _ => visitor::walk_expr(self, expression),
        }
    }

    fn visit_except_handler(&mut self, handler: &'a ExceptHandler) {
        let ExceptHandler::ExceptHandler(it) = handler;
        if let Some(name) = &it.name {
            self.bind(name);
        }
        visitor::walk_except_handler(self, handler);
    }

    fn visit_pattern(&mut self, pattern: &'a Pattern) {
        let name = match pattern {
            Pattern::MatchStar(it) => it.name.as_ref(),
            Pattern::MatchAs(it) => it.name.as_ref(),
            Pattern::MatchMapping(it) => it.rest.as_ref(),
            _ => None,
        };
        if let Some(name) = name {
            self.bind(name);
        }
        visitor::walk_pattern(self, pattern);
    }
}
