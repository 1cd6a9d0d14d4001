//! Statements as canonical bytes: what counts of a definition. Formatting, comments, `pass`, the
//! quotes and the splitting of strings do not; documentation strings go to a list of their own.
//!
//! Does not know which definitions are reached. One tag a kind of node; none is ever given another
//! meaning, and a field is never added to one: a new tag is.

use ruff_python_ast::{
    Arguments, Decorator, ElifElseClause, ExceptHandler, Expr, Identifier, Parameter,
    ParameterWithDefault, Parameters, Stmt, TypeParam, TypeParams,
};

use crate::encode::Encoder;

mod expressions;
mod patterns;
mod tag;

/// Collects the bytes of statements and, apart from them, of their documentation strings.
pub(in crate::python) struct Canonical<'a> {
    source: &'a str,
    out: Encoder,
    docs: Encoder,
}

impl<'a> Canonical<'a> {
    pub(in crate::python) fn new(source: &'a str) -> Self {
        Self {
            source,
            out: Encoder::default(),
            docs: Encoder::default(),
        }
    }

    /// The bytes, and those of the documentation strings with the places where they stood.
    pub(in crate::python) fn finish(self) -> (Vec<u8>, Vec<u8>) {
        (self.out.into_bytes(), self.docs.into_bytes())
    }

    pub(in crate::python) fn encoder(&mut self) -> &mut Encoder {
        &mut self.out
    }

    pub(in crate::python) fn suite(&mut self, statements: &[Stmt]) {
        let counted = statements.iter().filter(|it| counts(it)).count();
        self.out.list(counted);
        for statement in statements {
            self.statement(statement);
        }
    }

    pub(in crate::python) fn statement(&mut self, statement: &Stmt) {
        match statement {
            Stmt::Pass(_) => {}
            Stmt::Expr(it) => match &*it.value {
                Expr::StringLiteral(text) => {
                    let place = self.out.len() as u64;
                    self.docs.number(place).text(text.value.to_str());
                }
                Expr::EllipsisLiteral(_) => {}
                value => {
                    self.out.node(tag::EXPRESSION);
                    self.expression(value);
                }
            },
            Stmt::FunctionDef(it) => {
                self.out.node(tag::FUNCTION).number(it.is_async.into());
                self.decorators(&it.decorator_list);
                self.out.text(&it.name);
                self.type_params(it.type_params.as_deref());
                self.parameters(&it.parameters);
                self.optional(it.returns.as_deref());
                self.suite(&it.body);
            }
            Stmt::ClassDef(it) => {
                self.out.node(tag::CLASS);
                self.decorators(&it.decorator_list);
                self.out.text(&it.name);
                self.type_params(it.type_params.as_deref());
                match it.arguments.as_deref() {
                    Some(arguments)
                        if !(arguments.args.is_empty() && arguments.keywords.is_empty()) =>
                    {
                        self.arguments(arguments);
                    }
                    _ => drop(self.out.list(0).list(0)),
                }
                self.suite(&it.body);
            }
            Stmt::Import(it) => {
                self.out
                    .node(tag::IMPORT)
                    .number(it.is_lazy.into())
                    .list(it.names.len());
                for alias in &it.names {
                    self.out.text(&alias.name);
                    self.identifier(alias.asname.as_ref());
                }
            }
            Stmt::ImportFrom(it) => {
                self.out
                    .node(tag::IMPORT_FROM)
                    .number(it.is_lazy.into())
                    .number(it.level.into());
                self.identifier(it.module.as_ref());
                self.out.list(it.names.len());
                for alias in &it.names {
                    self.out.text(&alias.name);
                    self.identifier(alias.asname.as_ref());
                }
            }
            Stmt::Global(it) => self.identifiers(tag::GLOBAL, &it.names),
            Stmt::Nonlocal(it) => self.identifiers(tag::NONLOCAL, &it.names),
            Stmt::Break(_) => drop(self.out.node(tag::BREAK)),
            Stmt::Continue(_) => drop(self.out.node(tag::CONTINUE)),
            Stmt::IpyEscapeCommand(it) => drop(self.out.node(tag::ESCAPE).text(&it.value)),
            _ => self.simple(statement),
        }
    }

    fn simple(&mut self, statement: &Stmt) {
        match statement {
            Stmt::Return(it) => {
                self.out.node(tag::RETURN);
                self.optional(it.value.as_deref());
            }
            Stmt::Delete(it) => {
                self.out.node(tag::DELETE);
                self.expressions(&it.targets);
            }
            Stmt::TypeAlias(it) => {
                self.out.node(tag::TYPE_ALIAS);
                self.expression(&it.name);
                self.type_params(it.type_params.as_deref());
                self.expression(&it.value);
            }
            Stmt::Assign(it) => {
                self.out.node(tag::ASSIGN);
                self.expressions(&it.targets);
                self.expression(&it.value);
            }
            Stmt::AugAssign(it) => {
                self.out.node(tag::AUG_ASSIGN).text(it.op.as_str());
                self.expression(&it.target);
                self.expression(&it.value);
            }
            Stmt::AnnAssign(it) => {
                self.out.node(tag::ANN_ASSIGN).number(it.simple.into());
                self.expression(&it.target);
                self.expression(&it.annotation);
                self.optional(it.value.as_deref());
            }
            Stmt::Raise(it) => {
                self.out.node(tag::RAISE);
                self.optional(it.exc.as_deref());
                self.optional(it.cause.as_deref());
            }
            Stmt::Assert(it) => {
                self.out.node(tag::ASSERT);
                self.expression(&it.test);
                self.optional(it.msg.as_deref());
            }
            _ => self.compound(statement),
        }
    }

    fn compound(&mut self, statement: &Stmt) {
        match statement {
            Stmt::For(it) => {
                self.out.node(tag::FOR).number(it.is_async.into());
                self.expression(&it.target);
                self.expression(&it.iter);
                self.suite(&it.body);
                self.suite(&it.orelse);
            }
            Stmt::While(it) => {
                self.out.node(tag::WHILE);
                self.expression(&it.test);
                self.suite(&it.body);
                self.suite(&it.orelse);
            }
            Stmt::If(it) => {
                self.out.node(tag::IF);
                self.expression(&it.test);
                self.suite(&it.body);
                self.out.list(it.elif_else_clauses.len());
                for clause in &it.elif_else_clauses {
                    self.clause(clause);
                }
            }
            Stmt::With(it) => {
                self.out
                    .node(tag::WITH)
                    .number(it.is_async.into())
                    .list(it.items.len());
                for item in &it.items {
                    self.expression(&item.context_expr);
                    self.optional(item.optional_vars.as_deref());
                }
                self.suite(&it.body);
            }
            Stmt::Match(it) => {
                self.out.node(tag::MATCH);
                self.expression(&it.subject);
                self.out.list(it.cases.len());
                for case in &it.cases {
                    self.pattern(&case.pattern);
                    self.optional(case.guard.as_deref());
                    self.suite(&case.body);
                }
            }
            Stmt::Try(it) => {
                self.out.node(tag::TRY).number(it.is_star.into());
                self.suite(&it.body);
                self.out.list(it.handlers.len());
                for ExceptHandler::ExceptHandler(handler) in &it.handlers {
                    self.optional(handler.type_.as_deref());
                    self.identifier(handler.name.as_ref());
                    self.suite(&handler.body);
                }
                self.suite(&it.orelse);
                self.suite(&it.finalbody);
            }
            _ => unreachable!("every other statement was encoded before"),
        }
    }

    fn clause(&mut self, clause: &ElifElseClause) {
        self.optional(clause.test.as_ref());
        self.suite(&clause.body);
    }

    fn identifiers(&mut self, kind: u8, names: &[Identifier]) {
        self.out.node(kind).list(names.len());
        for name in names {
            self.out.text(name);
        }
    }

    fn identifier(&mut self, name: Option<&Identifier>) {
        self.out.presence(name.is_some());
        if let Some(name) = name {
            self.out.text(name);
        }
    }

    fn decorators(&mut self, decorators: &[Decorator]) {
        self.out.list(decorators.len());
        for decorator in decorators {
            self.expression(&decorator.expression);
        }
    }

    fn type_params(&mut self, params: Option<&TypeParams>) {
        let params = params.map_or(&[][..], |it| &it.type_params);
        self.out.list(params.len());
        for param in params {
            match param {
                TypeParam::TypeVar(it) => {
                    self.out.node(tag::TYPE_VAR).text(&it.name);
                    self.optional(it.bound.as_deref());
                    self.optional(it.default.as_deref());
                }
                TypeParam::TypeVarTuple(it) => {
                    self.out.node(tag::TYPE_VAR_TUPLE).text(&it.name);
                    self.optional(it.default.as_deref());
                }
                TypeParam::ParamSpec(it) => {
                    self.out.node(tag::PARAM_SPEC).text(&it.name);
                    self.optional(it.default.as_deref());
                }
            }
        }
    }

    fn parameters(&mut self, parameters: &Parameters) {
        for some in [
            &parameters.posonlyargs,
            &parameters.args,
            &parameters.kwonlyargs,
        ] {
            self.out.list(some.len());
            for ParameterWithDefault {
                parameter, default, ..
            } in some
            {
                self.parameter(parameter);
                self.optional(default.as_deref());
            }
        }
        for one in [&parameters.vararg, &parameters.kwarg] {
            self.out.presence(one.is_some());
            if let Some(one) = one {
                self.parameter(one);
            }
        }
    }

    fn parameter(&mut self, parameter: &Parameter) {
        self.out.text(&parameter.name);
        self.optional(parameter.annotation.as_deref());
    }

    fn arguments(&mut self, arguments: &Arguments) {
        self.expressions(&arguments.args);
        self.out.list(arguments.keywords.len());
        for keyword in &arguments.keywords {
            self.identifier(keyword.arg.as_ref());
            self.expression(&keyword.value);
        }
    }

    fn optional(&mut self, expression: Option<&Expr>) {
        self.out.presence(expression.is_some());
        if let Some(expression) = expression {
            self.expression(expression);
        }
    }

    fn expressions(&mut self, expressions: &[Expr]) {
        self.out.list(expressions.len());
        for expression in expressions {
            self.expression(expression);
        }
    }
}

/// Whether a statement does anything when it is executed.
pub(in crate::python) fn counts(statement: &Stmt) -> bool {
    match statement {
        Stmt::Pass(_) => false,
        Stmt::Expr(it) => !matches!(
            &*it.value,
            Expr::StringLiteral(_) | Expr::EllipsisLiteral(_)
        ),
        _ => true,
    }
}
