//! The statements at the top of a module, as items: an import is one item a name, the branches of an `if`
//! are taken apart, everything else is one item.
//!
//! Does not know which items are reached.

use ruff_python_ast::visitor::Visitor;
use ruff_python_ast::{CmpOp, ElifElseClause, Expr, Stmt, StmtFunctionDef, StmtIf, StmtImportFrom};
use ruff_text_size::{Ranged, TextSize};

use super::bindings::{Bindings, imported, imported_from};
use super::canonical::{Canonical, counts};
use super::effects::{Effects, annotation_effect};
use super::lines::Lines;
use super::names::Names;
use crate::encode::Encoder;
use crate::facts::{
    Argument, Bound, Class, Effect, Function, Import, Item, Kind, Module, Signature, Use,
};

/// What kinds of items begin with: they are never confused with each other.
mod tag {
    pub const STATEMENT: u8 = 200;
    pub const IMPORT: u8 = 201;
    pub const IMPORT_FROM: u8 = 202;
    pub const TEST: u8 = 203;
}

/// Takes a module apart.
pub(super) fn module(source: &str, body: &[Stmt]) -> Module {
    let lines = Lines::of_text(source);
    let mut items = Items {
        source,
        lines: &lines,
        guard: Guard::default(),
        depth: 0,
        module: Module::default(),
    };
    if let Some(Stmt::Expr(it)) = body.first()
        && let Expr::StringLiteral(text) = &*it.value
    {
        let mut docs = Encoder::default();
        docs.text(text.value.to_str());
        items.module.documentation = docs.into_bytes().into();
    }
    items.suite(body);
    items.module
}

/// Branches of an `if`, and `if`s within each other, that are taken apart: every statement carries all conditions
/// that it stands under.
const CLAUSES: usize = 12;
const DEPTH: usize = 8;

struct Items<'a> {
    source: &'a str,
    lines: &'a Lines,
    guard: Guard,
    depth: usize,
    module: Module,
}

/// The conditions around a statement.
#[derive(Clone, Default)]
struct Guard {
    bytes: Vec<u8>,
    uses: Vec<Use>,
    eager: Vec<Box<str>>,
}

/// The parts of an item that come of its syntax alone.
struct Parts {
    bytes: Vec<u8>,
    docs: Vec<u8>,
    uses: Vec<Use>,
    eager: Vec<Box<str>>,
    imports: Vec<Import>,
    later: Vec<Import>,
}

impl<'a> Items<'a> {
    fn suite(&mut self, statements: &'a [Stmt]) {
        for statement in statements.iter().filter(|it| counts(it)) {
            self.statement(statement);
        }
    }

    fn statement(&mut self, statement: &'a Stmt) {
        match statement {
            Stmt::Import(it) => {
                for alias in &it.names {
                    let (name, bound) = imported(alias);
                    let mut out = Encoder::default();
                    out.node(tag::IMPORT).text(&alias.name).text(name);
                    self.import(out, name, bound, 0, &alias.name, None, alias.start());
                }
            }
            Stmt::ImportFrom(it) => self.import_from(it),
            Stmt::If(it) if it.elif_else_clauses.len() <= CLAUSES && self.depth < DEPTH => {
                self.depth += 1;
                self.branches(it);
                self.depth -= 1;
            }
            Stmt::FunctionDef(it) => {
                let mut effects = Effects::new(self.lines);
                let kind = Kind::Function(Function {
                    calls: effects.calls(it, false),
                    signature: signature(it),
                    decorated: !it.decorator_list.is_empty(),
                });
                let effect = effects.definition(it);
                self.whole(statement, kind, effect);
            }
            Stmt::ClassDef(it) => {
                let mut effects = Effects::new(self.lines);
                let kind = Kind::Class(Class {
                    makes: effects.makes(it),
                    derives: effects.derives(it),
                });
                let effect = effects.class(it);
                self.whole(statement, kind, effect);
            }
            _ => {
                let (kind, effect) = self.assignment(statement);
                self.whole(statement, kind, effect);
            }
        }
    }

    /// Every other statement: an assignment to names may have no effect, the rest has one.
    fn assignment(&self, statement: &'a Stmt) -> (Kind, Effect) {
        let mut effects = Effects::new(self.lines);
        match statement {
            Stmt::Assign(it) => {
                let plain = effects.plain(&it.value);
                let unpacks = it.targets.iter().any(|it| !it.is_name_expr());
                let names = it.targets.iter().all(is_names);
                match (names, unpacks) {
                    (true, false) => (Kind::Assign { plain }, effects.value(&it.value)),
                    // Taking a value apart runs through it.
                    (true, true) => (Kind::Other, plain),
                    (false, _) => (Kind::Other, Effect::Some),
                }
            }
            Stmt::AnnAssign(it) if it.target.is_name_expr() => {
                let effect = annotation_effect(&it.annotation);
                match it.value.as_deref() {
                    Some(value) => (
                        Kind::Assign {
                            plain: effects.plain(value),
                        },
                        effect.and(effects.value(value)),
                    ),
                    None => (Kind::Other, effect),
                }
            }
            Stmt::TypeAlias(_) => (Kind::Other, Effect::NONE),
            Stmt::Try(_) => (Kind::Other, attempt(&mut effects, statement)),
            _ => (Kind::Other, Effect::Some),
        }
    }

    fn whole(&mut self, statement: &'a Stmt, kind: Kind, effect: Effect) {
        let mut canonical = Canonical::new(self.source);
        canonical.encoder().node(tag::STATEMENT);
        canonical.statement(statement);
        let mut names = Names::new(self.lines);
        names.visit_stmt(statement);
        let mut binds: Vec<(Box<str>, Bound)> = Vec::new();
        for (name, imports) in Bindings::of_block(std::slice::from_ref(statement)).names {
            // What an import binds in a branch, something else may bind in the other.
            binds.push((name.into(), Bound::Here));
            binds.extend(imports.into_iter().map(|it| (name.into(), it)));
        }
        binds.sort_by(|a, b| a.0.cmp(&b.0));
        let (bytes, docs) = canonical.finish();
        let parts = Parts {
            bytes,
            docs,
            uses: names.uses,
            eager: names.eager,
            imports: names.imports,
            later: names.later,
        };
        self.push(statement.start(), kind, binds, parts, effect);
    }

    fn push(
        &mut self,
        at: TextSize,
        kind: Kind,
        binds: Vec<(Box<str>, Bound)>,
        parts: Parts,
        effect: Effect,
    ) {
        let mut bytes = self.guard.bytes.clone();
        bytes.extend(parts.bytes);
        let mut uses = self.guard.uses.clone();
        uses.extend(parts.uses);
        let mut eager = self.guard.eager.clone();
        eager.extend(parts.eager);
        eager.sort();
        eager.dedup();
        self.module.push(Item {
            line: self.lines.of(at),
            kind,
            binds,
            bytes: bytes.into(),
            docs: parts.docs.into(),
            uses,
            eager,
            imports: parts.imports,
            later: parts.later,
            effect,
        });
    }

    fn import_from(&mut self, from: &'a StmtImportFrom) {
        let module = from.module.as_ref().map_or("", |it| it.as_str());
        for alias in &from.names {
            let (name, bound) = imported_from(from, alias);
            let mut out = Encoder::default();
            out.node(tag::IMPORT_FROM)
                .number(from.level.into())
                .text(module)
                .text(&alias.name)
                .text(name);
            self.import(
                out,
                name,
                bound,
                from.level,
                module,
                Some(&alias.name),
                alias.start(),
            );
        }
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "the parts of one import, used twice in this file"
    )]
    fn import(
        &mut self,
        out: Encoder,
        name: &str,
        bound: Bound,
        level: u32,
        module: &str,
        member: Option<&str>,
        at: TextSize,
    ) {
        let import = Import {
            level,
            module: module.into(),
            name: member.map(Into::into),
            line: self.lines.of(at),
        };
        let parts = Parts {
            bytes: out.into_bytes(),
            docs: Vec::new(),
            uses: Vec::new(),
            eager: Vec::new(),
            imports: vec![import],
            later: Vec::new(),
        };
        let (kind, binds) = match member {
            Some("*") => (Kind::Star, Vec::new()),
            _ => (Kind::Import, vec![(name.into(), bound)]),
        };
        // It changes how the rest of the file is compiled.
        let effect = match module {
            "__future__" => Effect::Some,
            _ => Effect::NONE,
        };
        self.push(at, kind, binds, parts, effect);
    }

    /// The branches of an `if`, each under its conditions.
    fn branches(&mut self, statement: &'a StmtIf) {
        let before = self.guard.clone();
        self.test(&statement.test);
        if is_main(&statement.test) && !self.module.names.contains_key("__name__") {
            // A module that is imported is never `__main__`.
            self.guard = before.clone();
            for clause in &statement.elif_else_clauses {
                self.clause(clause);
            }
        } else {
            let tested = self.guard.clone();
            self.guard.bytes.push(1);
            self.suite(&statement.body);
            self.guard = tested;
            for clause in &statement.elif_else_clauses {
                self.guard.bytes.push(0);
                self.clause(clause);
            }
        }
        self.guard = before;
    }

    fn clause(&mut self, clause: &'a ElifElseClause) {
        if let Some(test) = &clause.test {
            self.test(test);
        }
        let tested = self.guard.clone();
        self.guard.bytes.push(1);
        self.suite(&clause.body);
        self.guard = tested;
    }

    /// A condition becomes part of the guard, and an item if evaluating it can be noticed.
    fn test(&mut self, test: &'a Expr) {
        let mut canonical = Canonical::new(self.source);
        canonical.encoder().node(tag::TEST);
        canonical.expression(test);
        let (bytes, _) = canonical.finish();
        let mut names = Names::new(self.lines);
        names.visit_expr(test);
        let effect = Effects::new(self.lines).plain(test);
        let binds = Bindings::of_expression(test).names.into_keys();
        let binds: Vec<(Box<str>, Bound)> = binds.map(|it| (it.into(), Bound::Here)).collect();
        if effect != Effect::NONE || !binds.is_empty() {
            let parts = Parts {
                bytes: bytes.clone(),
                docs: Vec::new(),
                uses: names.uses.clone(),
                eager: names.eager.clone(),
                imports: Vec::new(),
                later: Vec::new(),
            };
            self.push(test.start(), Kind::Other, binds, parts, effect);
        }
        self.guard.bytes.extend(bytes);
        self.guard.uses.extend(names.uses);
        self.guard.eager.extend(names.eager);
    }
}

/// `a`, or `a, (b, c)`.
fn is_names(target: &Expr) -> bool {
    match target {
        Expr::Name(_) => true,
        Expr::Tuple(it) => it.elts.iter().all(is_names),
        Expr::List(it) => it.elts.iter().all(is_names),
        Expr::Starred(it) => is_names(&it.value),
        _ => false,
    }
}

/// `__name__ == "__main__"`, and nothing more.
fn is_main(test: &Expr) -> bool {
    let name = |it: &Expr| matches!(it, Expr::Name(name) if name.id.as_str() == "__name__");
    let main =
        |it: &Expr| matches!(it, Expr::StringLiteral(text) if text.value.to_str() == "__main__");
    match test {
        Expr::Compare(it) => match (&*it.ops, &*it.comparators) {
            ([CmpOp::Eq], [right]) => {
                name(&it.left) && main(right) || main(&it.left) && name(right)
            }
            _ => false,
        },
        _ => false,
    }
}

/// A `try` around imports and plain assignments has no effect of its own.
fn attempt<'a>(effects: &mut Effects<'a>, statement: &'a Stmt) -> Effect {
    let mut effect = Effect::NONE;
    for statement in blocks(statement)
        .into_iter()
        .flatten()
        .filter(|it| counts(it))
    {
        effect = effect.and(match statement {
            Stmt::Import(_) => Effect::NONE,
            Stmt::ImportFrom(it) if it.names.iter().all(|it| it.name.as_str() != "*") => {
                Effect::NONE
            }
            Stmt::Assign(it) if it.targets.iter().all(Expr::is_name_expr) => {
                effects.value(&it.value)
            }
            Stmt::FunctionDef(it) => effects.definition(it),
            Stmt::ClassDef(it) => effects.class(it),
            _ => Effect::Some,
        });
    }
    effect
}

fn blocks(statement: &Stmt) -> Vec<&[Stmt]> {
    match statement {
        Stmt::Try(it) => {
            let handlers = it.handlers.iter().map(|handler| {
                let ruff_python_ast::ExceptHandler::ExceptHandler(it) = handler;
                &*it.body
            });
            let mut all = vec![&*it.body, &*it.orelse, &*it.finalbody];
            all.extend(handlers);
            all
        }
        _ => Vec::new(),
    }
}

fn signature(function: &StmtFunctionDef) -> Signature {
    let parameters = &function.parameters;
    let argument = |it: &ruff_python_ast::ParameterWithDefault, positional_only| Argument {
        name: it.name().as_str().to_owned(),
        optional: it.default().is_some(),
        positional_only,
    };
    let first = parameters.posonlyargs.iter().map(|it| argument(it, true));
    let others = parameters.args.iter().chain(&parameters.kwonlyargs);
    Signature {
        parameters: first.chain(others.map(|it| argument(it, false))).collect(),
        any_positional: parameters.vararg.is_some(),
        any_named: parameters.kwarg.is_some(),
        is_async: function.is_async,
    }
}
