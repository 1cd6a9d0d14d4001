//! What the body of a function does that is called while a module is executed.

use ruff_python_ast::{Expr, Stmt, StmtFunctionDef};
use rustc_hash::FxHashSet;

use super::Effects;
use crate::facts::Effect;
use crate::python::canonical::counts;

/// The body of a function that is called while a module is executed.
pub(super) struct Body<'e, 'a> {
    pub(super) effects: &'e mut Effects<'a>,
    /// The instance that a constructor fills.
    pub(super) first: Option<&'a str>,
    /// Functions defined in it, whose attributes may be set: nobody else has them yet.
    pub(super) functions: FxHashSet<&'a str>,
    pub(super) below: Vec<&'a StmtFunctionDef>,
}

impl<'a> Body<'_, 'a> {
    pub(super) fn suite(&mut self, statements: &'a [Stmt]) -> Effect {
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
            Expr::Name(it) if self.effects.is_local(&it.id) => {
                self.functions.remove(it.id.as_str());
                Effect::NONE
            }
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
