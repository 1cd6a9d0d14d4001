//! Statements as canonical bytes: what counts of a definition. Formatting, comments, `pass`, the
//! quotes and the splitting of strings do not; documentation strings go to a list of their own.
//!
//! Does not know which definitions are reached. One tag a kind of node; none is ever given another
//! meaning, and a field is never added to one: a new tag is.

use ruff_python_ast::{
    Arguments, Comprehension, Decorator, ElifElseClause, ExceptHandler, Expr, FStringPart,
    Identifier, InterpolatedStringElement, InterpolatedStringElements, Number, Parameter,
    ParameterWithDefault, Parameters, Pattern, Singleton, Stmt, TypeParam, TypeParams,
};
use ruff_text_size::{Ranged, TextRange};

use crate::encode::Encoder;

mod tag {
    pub const FUNCTION: u8 = 1;
    pub const CLASS: u8 = 2;
    pub const RETURN: u8 = 3;
    pub const DELETE: u8 = 4;
    pub const TYPE_ALIAS: u8 = 5;
    pub const ASSIGN: u8 = 6;
    pub const AUG_ASSIGN: u8 = 7;
    pub const ANN_ASSIGN: u8 = 8;
    pub const FOR: u8 = 9;
    pub const WHILE: u8 = 10;
    pub const IF: u8 = 11;
    pub const WITH: u8 = 12;
    pub const MATCH: u8 = 13;
    pub const RAISE: u8 = 14;
    pub const TRY: u8 = 15;
    pub const ASSERT: u8 = 16;
    pub const IMPORT: u8 = 17;
    pub const IMPORT_FROM: u8 = 18;
    pub const GLOBAL: u8 = 19;
    pub const NONLOCAL: u8 = 20;
    pub const EXPRESSION: u8 = 21;
    pub const BREAK: u8 = 22;
    pub const CONTINUE: u8 = 23;
    pub const ESCAPE: u8 = 24;

    pub const BOOL_OP: u8 = 40;
    pub const NAMED: u8 = 41;
    pub const BIN_OP: u8 = 42;
    pub const UNARY_OP: u8 = 43;
    pub const LAMBDA: u8 = 44;
    pub const CONDITIONAL: u8 = 45;
    pub const DICT: u8 = 46;
    pub const SET: u8 = 47;
    pub const LIST_COMP: u8 = 48;
    pub const SET_COMP: u8 = 49;
    pub const DICT_COMP: u8 = 50;
    pub const GENERATOR: u8 = 51;
    pub const AWAIT: u8 = 52;
    pub const YIELD: u8 = 53;
    pub const YIELD_FROM: u8 = 54;
    pub const COMPARE: u8 = 55;
    pub const CALL: u8 = 56;
    pub const F_STRING: u8 = 57;
    pub const T_STRING: u8 = 58;
    pub const STRING: u8 = 59;
    pub const BYTES: u8 = 60;
    pub const INT: u8 = 61;
    pub const FLOAT: u8 = 62;
    pub const COMPLEX: u8 = 63;
    pub const TRUE: u8 = 64;
    pub const FALSE: u8 = 65;
    pub const NONE: u8 = 66;
    pub const ELLIPSIS: u8 = 67;
    pub const ATTRIBUTE: u8 = 68;
    pub const SUBSCRIPT: u8 = 69;
    pub const STARRED: u8 = 70;
    pub const NAME: u8 = 71;
    pub const LIST: u8 = 72;
    pub const TUPLE: u8 = 73;
    pub const SLICE: u8 = 74;

    pub const PATTERN_VALUE: u8 = 90;
    pub const PATTERN_SINGLETON: u8 = 91;
    pub const PATTERN_SEQUENCE: u8 = 92;
    pub const PATTERN_MAPPING: u8 = 93;
    pub const PATTERN_CLASS: u8 = 94;
    pub const PATTERN_STAR: u8 = 95;
    pub const PATTERN_AS: u8 = 96;
    pub const PATTERN_OR: u8 = 97;

    pub const INTERPOLATION: u8 = 110;
    pub const LITERAL: u8 = 111;
    pub const TYPE_VAR: u8 = 112;
    pub const TYPE_VAR_TUPLE: u8 = 113;
    pub const PARAM_SPEC: u8 = 114;
    /// A value with a lone surrogate, which the parser cannot hold: the source text follows.
    pub const AS_WRITTEN: u8 = 115;
}

/// What stands for a code point that is no character.
const REPLACEMENT: char = '\u{FFFD}';

/// Collects the bytes of statements and, apart from them, of their documentation strings.
pub(super) struct Canonical<'a> {
    source: &'a str,
    out: Encoder,
    docs: Encoder,
}

impl<'a> Canonical<'a> {
    pub(super) fn new(source: &'a str) -> Self {
        Self {
            source,
            out: Encoder::default(),
            docs: Encoder::default(),
        }
    }

    /// The bytes, and those of the documentation strings with the places where they stood.
    pub(super) fn finish(self) -> (Vec<u8>, Vec<u8>) {
        (self.out.into_bytes(), self.docs.into_bytes())
    }

    pub(super) fn encoder(&mut self) -> &mut Encoder {
        &mut self.out
    }

    pub(super) fn suite(&mut self, statements: &[Stmt]) {
        let counted = statements.iter().filter(|it| counts(it)).count();
        self.out.list(counted);
        for statement in statements {
            self.statement(statement);
        }
    }

    pub(super) fn statement(&mut self, statement: &Stmt) {
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

    pub(super) fn expression(&mut self, expression: &Expr) {
        match expression {
            Expr::Name(it) => drop(self.out.node(tag::NAME).text(&it.id)),
            Expr::Attribute(it) => {
                self.out.node(tag::ATTRIBUTE).text(&it.attr);
                self.expression(&it.value);
            }
            Expr::Call(it) => {
                self.out.node(tag::CALL);
                self.expression(&it.func);
                self.arguments(&it.arguments);
            }
            Expr::Subscript(it) => {
                self.out.node(tag::SUBSCRIPT);
                self.expression(&it.value);
                self.expression(&it.slice);
            }
            Expr::Starred(it) => {
                self.out.node(tag::STARRED);
                self.expression(&it.value);
            }
            Expr::List(it) => {
                self.out.node(tag::LIST);
                self.expressions(&it.elts);
            }
            Expr::Tuple(it) => {
                self.out.node(tag::TUPLE);
                self.expressions(&it.elts);
            }
            Expr::Set(it) => {
                self.out.node(tag::SET);
                self.expressions(&it.elts);
            }
            Expr::Dict(it) => {
                self.out.node(tag::DICT).list(it.items.len());
                for item in &it.items {
                    self.optional(item.key.as_ref());
                    self.expression(&item.value);
                }
            }
            Expr::Slice(it) => {
                self.out.node(tag::SLICE);
                self.optional(it.lower.as_deref());
                self.optional(it.upper.as_deref());
                self.optional(it.step.as_deref());
            }
            Expr::IpyEscapeCommand(it) => drop(self.out.node(tag::ESCAPE).text(&it.value)),
            _ if expression.is_literal_expr() => self.literal(expression),
            _ => self.operation(expression),
        }
    }

    fn literal(&mut self, expression: &Expr) {
        match expression {
            Expr::StringLiteral(it) => {
                let value = it.value.to_str();
                self.out.node(tag::STRING).text(value);
                self.surrogates(value, it.range);
            }
            Expr::BytesLiteral(it) => {
                let bytes: Vec<u8> = it.value.bytes().collect();
                self.out.node(tag::BYTES).bytes(&bytes);
            }
            Expr::NumberLiteral(it) => match &it.value {
                Number::Int(int) => drop(self.out.node(tag::INT).text(&int.to_string())),
                Number::Float(float) => drop(self.out.node(tag::FLOAT).number(float.to_bits())),
                Number::Complex { real, imag } => {
                    self.out
                        .node(tag::COMPLEX)
                        .number(real.to_bits())
                        .number(imag.to_bits());
                }
            },
            Expr::BooleanLiteral(it) => {
                self.out.node(if it.value { tag::TRUE } else { tag::FALSE });
            }
            Expr::NoneLiteral(_) => drop(self.out.node(tag::NONE)),
            Expr::EllipsisLiteral(_) => drop(self.out.node(tag::ELLIPSIS)),
            _ => unreachable!("no other literal exists"),
        }
    }

    fn operation(&mut self, expression: &Expr) {
        match expression {
            Expr::BoolOp(it) => {
                self.out.node(tag::BOOL_OP).text(it.op.as_str());
                self.expressions(&it.values);
            }
            Expr::Named(it) => {
                self.out.node(tag::NAMED);
                self.expression(&it.target);
                self.expression(&it.value);
            }
            Expr::BinOp(it) => {
                self.out.node(tag::BIN_OP).text(it.op.as_str());
                self.expression(&it.left);
                self.expression(&it.right);
            }
            Expr::UnaryOp(it) => {
                self.out.node(tag::UNARY_OP).text(it.op.as_str());
                self.expression(&it.operand);
            }
            Expr::Compare(it) => {
                self.out.node(tag::COMPARE);
                self.expression(&it.left);
                self.out.list(it.ops.len());
                for (op, right) in it.ops.iter().zip(&it.comparators) {
                    self.out.text(op.as_str());
                    self.expression(right);
                }
            }
            Expr::If(it) => {
                self.out.node(tag::CONDITIONAL);
                self.expression(&it.test);
                self.expression(&it.body);
                self.expression(&it.orelse);
            }
            Expr::Lambda(it) => {
                self.out.node(tag::LAMBDA);
                match it.parameters.as_deref() {
                    Some(parameters) => self.parameters(parameters),
                    None => self.parameters(&Parameters::default()),
                }
                self.expression(&it.body);
            }
            Expr::Await(it) => {
                self.out.node(tag::AWAIT);
                self.expression(&it.value);
            }
            Expr::Yield(it) => {
                self.out.node(tag::YIELD);
                self.optional(it.value.as_deref());
            }
            Expr::YieldFrom(it) => {
                self.out.node(tag::YIELD_FROM);
                self.expression(&it.value);
            }
            Expr::FString(it) => {
                let parts: Vec<Part> = it.value.iter().flat_map(parts_of).collect();
                self.out.node(tag::F_STRING);
                self.interpolated(&parts);
            }
            Expr::TString(it) => {
                let parts: Vec<Part> = it
                    .value
                    .iter()
                    .flat_map(|it| elements_of(&it.elements))
                    .collect();
                self.out.node(tag::T_STRING);
                self.interpolated(&parts);
            }
            _ => self.comprehension(expression),
        }
    }

    fn comprehension(&mut self, expression: &Expr) {
        match expression {
            Expr::ListComp(it) => self.comprehended(tag::LIST_COMP, None, &it.elt, &it.generators),
            Expr::SetComp(it) => self.comprehended(tag::SET_COMP, None, &it.elt, &it.generators),
            Expr::Generator(it) => self.comprehended(tag::GENERATOR, None, &it.elt, &it.generators),
            Expr::DictComp(it) => {
                self.comprehended(tag::DICT_COMP, it.key.as_deref(), &it.value, &it.generators);
            }
            _ => unreachable!("every other expression was encoded before"),
        }
    }

    fn comprehended(
        &mut self,
        kind: u8,
        key: Option<&Expr>,
        value: &Expr,
        generators: &[Comprehension],
    ) {
        self.out.node(kind);
        self.optional(key);
        self.expression(value);
        self.out.list(generators.len());
        for generator in generators {
            self.out.number(generator.is_async.into());
            self.expression(&generator.target);
            self.expression(&generator.iter);
            self.expressions(&generator.ifs);
        }
    }

    /// Neighbouring literals are one, however they were split.
    fn interpolated(&mut self, parts: &[Part]) {
        let mut literal = String::new();
        for part in parts {
            match part {
                Part::Literal(text, range) => {
                    literal.push_str(text);
                    if text.contains(REPLACEMENT) {
                        self.flush(&mut literal);
                        self.surrogates(text, *range);
                    }
                }
                Part::Interpolation(it) => {
                    self.flush(&mut literal);
                    self.out.node(tag::INTERPOLATION);
                    self.expression(&it.expression);
                    self.out.presence(it.debug_text.is_some());
                    if let Some(text) = &it.debug_text {
                        self.out.text(text.as_str());
                    }
                    self.out.number(it.conversion.to_byte().unwrap_or(0).into());
                    self.out.presence(it.format_spec.is_some());
                    if let Some(spec) = &it.format_spec {
                        self.interpolated(&elements_of(&spec.elements).collect::<Vec<_>>());
                    }
                }
            }
        }
        self.flush(&mut literal);
        self.out.presence(false);
    }

    fn flush(&mut self, literal: &mut String) {
        if !literal.is_empty() {
            self.out.node(tag::LITERAL).text(literal);
            literal.clear();
        }
    }

    /// The parser reads every lone surrogate as the same character; the source tells them apart.
    fn surrogates(&mut self, value: &str, range: TextRange) {
        if value.contains(REPLACEMENT) {
            let written = self
                .source
                .get(range.start().to_usize()..range.end().to_usize());
            self.out
                .node(tag::AS_WRITTEN)
                .text(written.unwrap_or_default());
        }
    }

    fn pattern(&mut self, pattern: &Pattern) {
        match pattern {
            Pattern::MatchValue(it) => {
                self.out.node(tag::PATTERN_VALUE);
                self.expression(&it.value);
            }
            Pattern::MatchSingleton(it) => {
                self.out
                    .node(tag::PATTERN_SINGLETON)
                    .number(match it.value {
                        Singleton::None => 0,
                        Singleton::True => 1,
                        Singleton::False => 2,
                    });
            }
            Pattern::MatchSequence(it) => {
                self.out.node(tag::PATTERN_SEQUENCE);
                self.patterns(&it.patterns);
            }
            Pattern::MatchMapping(it) => {
                self.out.node(tag::PATTERN_MAPPING);
                self.expressions(&it.keys);
                self.patterns(&it.patterns);
                self.identifier(it.rest.as_ref());
            }
            Pattern::MatchClass(it) => {
                self.out.node(tag::PATTERN_CLASS);
                self.expression(&it.cls);
                self.patterns(&it.arguments.patterns);
                self.out.list(it.arguments.keywords.len());
                for keyword in &it.arguments.keywords {
                    self.out.text(&keyword.attr);
                    self.pattern(&keyword.pattern);
                }
            }
            Pattern::MatchStar(it) => {
                self.out.node(tag::PATTERN_STAR);
                self.identifier(it.name.as_ref());
            }
            Pattern::MatchAs(it) => {
                self.out
                    .node(tag::PATTERN_AS)
                    .presence(it.pattern.is_some());
                if let Some(pattern) = &it.pattern {
                    self.pattern(pattern);
                }
                self.identifier(it.name.as_ref());
            }
            Pattern::MatchOr(it) => {
                self.out.node(tag::PATTERN_OR);
                self.patterns(&it.patterns);
            }
        }
    }

    fn patterns(&mut self, patterns: &[Pattern]) {
        self.out.list(patterns.len());
        for pattern in patterns {
            self.pattern(pattern);
        }
    }
}

/// Whether a statement does anything when it is executed.
pub(super) fn counts(statement: &Stmt) -> bool {
    match statement {
        Stmt::Pass(_) => false,
        Stmt::Expr(it) => !matches!(
            &*it.value,
            Expr::StringLiteral(_) | Expr::EllipsisLiteral(_)
        ),
        _ => true,
    }
}

enum Part<'a> {
    Literal(&'a str, TextRange),
    Interpolation(&'a ruff_python_ast::InterpolatedElement),
}

fn parts_of(part: &FStringPart) -> Vec<Part<'_>> {
    match part {
        FStringPart::Literal(it) => vec![Part::Literal(&it.value, it.range())],
        FStringPart::FString(it) => elements_of(&it.elements).collect(),
    }
}

fn elements_of(elements: &InterpolatedStringElements) -> impl Iterator<Item = Part<'_>> {
    elements.iter().map(|element| match element {
        InterpolatedStringElement::Literal(it) => Part::Literal(&it.value, it.range()),
        InterpolatedStringElement::Interpolation(it) => Part::Interpolation(it),
    })
}
