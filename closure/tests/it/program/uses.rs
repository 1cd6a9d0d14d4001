//! How a program uses what it has: values, and the ways to reach a name of one's own module or of another.

use super::{Maker, Name, Sort};

impl Maker<'_> {
    /// An expression: an integer.
    pub(super) fn value(&mut self, module: usize, argument: Option<&str>, simple: bool) -> String {
        let mut terms = Vec::new();
        for _ in 0..1 + self.chance.below(2) {
            terms.push(self.term(module, argument, simple));
        }
        if self.chance.one_in(3) {
            terms.push(self.literal());
        }
        terms.extend(
            argument
                .map(str::to_owned)
                .filter(|_| self.chance.one_in(2)),
        );
        terms.join(*self.chance.pick(&[" + ", " - "]))
    }

    pub(super) fn term(&mut self, module: usize, argument: Option<&str>, simple: bool) -> String {
        let visible: Vec<Name> = self
            .names
            .iter()
            .filter(|it| !simple || it.module == module)
            .cloned()
            .collect();
        if visible.is_empty() || self.chance.one_in(8) {
            return self.literal();
        }
        let name = self.chance.pick(&visible).clone();
        let reference = match name.module == module {
            true => self.own_reference(&name),
            false => self.reference(module, &name, argument.is_some()),
        };
        let given = match argument {
            Some(argument) => format!("{argument} % 7"),
            None => self.literal(),
        };
        match name.sort {
            Sort::Constant => reference,
            Sort::Function => match self.chance.below(6) {
                0 => format!("max(map({reference}, [{given}]))"),
                1 => format!("sum(map(ord, {reference}.__doc__ or \"a\")) % 100"),
                _ => format!("{reference}({given})"),
            },
            Sort::Class => match self.chance.below(4) {
                0 => format!("getattr({reference}(), \"m\")({given})"),
                1 => format!("getattr({reference}, \"attr\", 5)"),
                _ => format!("{reference}().m({given})"),
            },
            Sort::Table => format!("{reference}[\"k\"]({given})"),
        }
    }

    pub(super) fn own_reference(&mut self, name: &Name) -> String {
        let name = &name.name;
        match self.chance.below(14) {
            0 if self.computed => format!("globals()[\"{name}\"]"),
            1 if self.dynamic => format!("eval(\"{name}\")"),
            2 if self.dynamic => format!("__import__(\"sys\").modules[__name__].{name}"),
            _ => name.clone(),
        }
    }

    /// An expression for a name of another module, with the imports that it takes.
    pub(super) fn reference(&mut self, module: usize, name: &Name, in_function: bool) -> String {
        let dotted = self.modules[name.module].dotted.clone();
        let n = &name.name;
        let alias = format!("_{}", dotted.replace('.', "_"));
        let import_as = format!("import {dotted} as {alias}");
        match self.chance.below(20) {
            0..=2 => {
                let renamed = format!("{n}_{}", self.chance.below(3));
                self.import(module, format!("from {dotted} import {n} as {renamed}"));
                renamed
            }
            3 | 4 => {
                self.import(module, format!("from {dotted} import {n}"));
                n.clone()
            }
            5 | 6 => {
                self.import(module, format!("import {dotted}"));
                format!("{dotted}.{n}")
            }
            7 | 8 => {
                self.import(module, import_as);
                format!("{alias}.{n}")
            }
            9 => {
                self.import(module, format!("from {dotted} import *"));
                n.clone()
            }
            10 => {
                self.import(module, import_as);
                format!("getattr({alias}, \"{n}\")")
            }
            11 if self.computed => {
                self.import(module, import_as);
                format!(
                    "getattr({alias}, \"\".join([\"{}\", \"{}\"]))",
                    &n[..1],
                    &n[1..]
                )
            }
            12 if self.dynamic => {
                format!("__import__(\"importlib\").import_module(\"{dotted}\").{n}")
            }
            13 if self.dynamic => {
                self.import(module, format!("import importlib\n{import_as}"));
                format!(
                    "importlib.import_module(\"\".join([\"{}\", \"{}\"])).{n}",
                    &dotted[..1],
                    &dotted[1..]
                )
            }
            14 if self.computed => {
                self.import(module, import_as);
                format!("vars({alias})[\"{n}\"]")
            }
            15 if self.computed => {
                self.import(module, import_as);
                self.import(
                    module,
                    "def _of(module, name):\n    return getattr(module, name)".to_owned(),
                );
                format!("_of({alias}, \"{n}\")")
            }
            16 => {
                self.import(module, format!("import importlib\ntry:\n    from {dotted} import {n}\nexcept ImportError:\n    {n} = None"));
                n.clone()
            }
            17 => match dotted.rsplit_once('.') {
                Some((package, last)) => {
                    self.import(module, format!("from {package} import {last} as {alias}"));
                    format!("{alias}.{n}")
                }
                None => {
                    self.import(module, import_as);
                    format!("{alias}.{n}")
                }
            },
            18 => match (
                self.modules[module].package.clone(),
                dotted.rsplit_once('.'),
            ) {
                (Some(own), Some((package, last))) if own == package && last != "__init__" => {
                    self.import(module, format!("from .{last} import {n}"));
                    n.clone()
                }
                _ => {
                    self.import(module, format!("from {dotted} import {n}"));
                    n.clone()
                }
            },
            _ if in_function => {
                format!("(lambda: __import__(\"{dotted}\", fromlist=[\"x\"]).{n})()")
            }
            _ if !self.computed => {
                self.import(module, import_as);
                format!("{alias}.{n}")
            }
            _ => {
                self.import(module, import_as);
                format!("(lambda m: m.{n})({alias})")
            }
        }
    }

    pub(super) fn import(&mut self, module: usize, statement: String) {
        let it = &mut self.modules[module];
        if !it.imported.contains(&statement) {
            it.imported.push(statement.clone());
            it.statements.push(statement);
        }
    }
}
