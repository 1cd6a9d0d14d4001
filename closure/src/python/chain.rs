//! Dotted chains: `a.b.c`, and `getattr(a, "b")` with a literal, as a root with attributes.
//!
//! Knows expressions, not what their names stand for.

use ruff_python_ast::{Expr, ExprCall, FStringPart, InterpolatedStringElement, Operator};

use crate::facts::Piece;

/// Built-in functions that take an object and the name of an attribute.
const ACCESSORS: [&str; 4] = ["getattr", "hasattr", "setattr", "delattr"];

/// An expression as a root and the attributes after it, innermost first.
pub(super) struct Chain<'a> {
    pub(super) root: &'a Expr,
    pub(super) attributes: Vec<&'a str>,
}

impl<'a> Chain<'a> {
    pub(super) fn of(mut expression: &'a Expr) -> Self {
        let mut attributes = Vec::new();
        loop {
            match expression {
                Expr::Attribute(it) => {
                    attributes.push(it.attr.as_str());
                    expression = &it.value;
                }
                Expr::Call(it) => match literal_getattr(it) {
                    Some((object, name)) => {
                        attributes.push(name);
                        expression = object;
                    }
                    None => break,
                },
                _ => break,
            }
        }
        attributes.reverse();
        Self {
            root: expression,
            attributes,
        }
    }

    /// The name at the root, if it is one.
    pub(super) fn name(&self) -> Option<&'a str> {
        match self.root {
            Expr::Name(it) => Some(it.id.as_str()),
            _ => None,
        }
    }
}

/// `getattr(object, "name")`, with or without a default, and its like.
pub(super) fn literal_getattr(call: &ExprCall) -> Option<(&Expr, &str)> {
    let Expr::Name(function) = &*call.func else {
        return None;
    };
    match &*call.arguments.args {
        [object, Expr::StringLiteral(name), ..]
            if ACCESSORS.contains(&function.id.as_str()) && call.arguments.keywords.is_empty() =>
        {
            Some((object, name.value.to_str()))
        }
        _ => None,
    }
}

/// The first argument of a call as pieces of a name, for `import_module` and `__import__`. A name
/// relative to a literal second argument, or to `__name__` or `__package__`, begins with that.
pub(super) fn import_argument(call: &ExprCall) -> Vec<Piece> {
    let argument = |index: usize, name: &str| {
        call.arguments.args.get(index).or_else(|| {
            let keyword = call.arguments.keywords.iter();
            keyword
                .filter(|it| it.arg.as_ref().is_some_and(|it| it.as_str() == name))
                .map(|it| &it.value)
                .next()
        })
    };
    let starred = call.arguments.args.iter().any(Expr::is_starred_expr)
        || call.arguments.keywords.iter().any(|it| it.arg.is_none());
    let Some(first) = argument(0, "name").filter(|_| !starred) else {
        return vec![Piece::Unknown];
    };
    let mut found = pieces(first);
    if let Some(Piece::Text(text)) = found.first()
        && text.starts_with('.')
    {
        let mut whole = argument(1, "package").map_or(vec![Piece::Unknown], pieces);
        whole.append(&mut found);
        return whole;
    }
    found
}

/// Text that is put together, as far as it can be read.
fn pieces(expression: &Expr) -> Vec<Piece> {
    match expression {
        Expr::StringLiteral(it) => vec![Piece::Text(it.value.to_str().into())],
        Expr::Name(it) if it.id.as_str() == "__name__" => vec![Piece::OwnName],
        Expr::Name(it) if it.id.as_str() == "__package__" => vec![Piece::OwnPackage],
        Expr::BinOp(it) if it.op == Operator::Add => {
            let mut both = pieces(&it.left);
            if !both.contains(&Piece::Unknown) {
                both.append(&mut pieces(&it.right));
            }
            both
        }
        Expr::FString(it) => {
            let mut found = Vec::new();
            for part in it.value.iter() {
                match part {
                    FStringPart::Literal(it) => found.push(Piece::Text((&*it.value).into())),
                    FStringPart::FString(it) => {
                        for element in &it.elements {
                            match element {
                                InterpolatedStringElement::Literal(it) => {
                                    found.push(Piece::Text((&*it.value).into()));
                                }
                                InterpolatedStringElement::Interpolation(it) => {
                                    let as_it_is = it.conversion.to_byte().is_none()
                                        && it.format_spec.is_none()
                                        && it.debug_text.is_none();
                                    found.append(&mut match as_it_is {
                                        true => pieces(&it.expression),
                                        false => vec![Piece::Unknown],
                                    });
                                }
                            }
                        }
                    }
                }
            }
            found
        }
        _ => vec![Piece::Unknown],
    }
}
