//! Expressions as canonical bytes, strings that are put together included.

use ruff_python_ast::{
    Comprehension, Expr, FStringPart, InterpolatedStringElement, InterpolatedStringElements,
    Number, Parameters,
};
use ruff_text_size::{Ranged, TextRange};

use super::{Canonical, tag};

/// What stands for a code point that is no character.
const REPLACEMENT: char = '\u{FFFD}';

impl Canonical<'_> {
    pub(in crate::python) fn expression(&mut self, expression: &Expr) {
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
