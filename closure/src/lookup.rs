//! What a use of a name leads to: definitions, modules as values, names from elsewhere. All that it may
//! lead to, where a branch or an order decides.
//!
//! Does not follow what it finds any further.

use rustc_hash::FxHashSet;

use crate::facts::{Bound, Root, Use};
use crate::locate::Found;
use crate::modules::{Id, Modules, Target};
use crate::sources::Sources;

/// Attributes that every module has and that say nothing of its contents.
const OF_EVERY_MODULE: [&str; 5] = ["__name__", "__file__", "__path__", "__package__", "__doc__"];

/// A name still to be looked up: in a module, with attributes after it.
struct Open<'u> {
    module: Id,
    name: Box<str>,
    rest: &'u [Box<str>],
    /// As an attribute of the module, which may be a submodule.
    attribute: bool,
}

struct Lookup<'u> {
    open: Vec<Open<'u>>,
    seen: FxHashSet<(Id, Box<str>, usize)>,
    found: Vec<Target>,
}

impl<S: Sources> Modules<S> {
    /// Everything that a use in a module may lead to.
    pub(crate) fn targets(&mut self, module: Id, used: &Use) -> Vec<Target> {
        let mut lookup = Lookup {
            open: Vec::new(),
            seen: FxHashSet::default(),
            found: Vec::new(),
        };
        match &used.root {
            Root::Attribute(name) => return vec![Target::Attribute(name.clone())],
            Root::Global(name) => lookup.open.push(Open {
                module,
                name: name.clone(),
                rest: &used.attributes,
                attribute: false,
            }),
            Root::Import(bound) => self.bound(module, bound, &used.attributes, &mut lookup),
        }
        while let Some(open) = lookup.open.pop() {
            if lookup
                .seen
                .insert((open.module, open.name.clone(), open.rest.len()))
            {
                self.name(open, &mut lookup);
            }
        }
        lookup.found
    }

    /// What a definition's name leads to, from outside its module.
    pub(crate) fn member(&mut self, module: Id, path: &[Box<str>]) -> Vec<Target> {
        let Some((first, rest)) = path.split_first() else {
            return vec![Target::Module(module)];
        };
        let mut lookup = Lookup {
            open: vec![Open {
                module,
                name: first.clone(),
                rest,
                attribute: true,
            }],
            seen: FxHashSet::default(),
            found: Vec::new(),
        };
        while let Some(open) = lookup.open.pop() {
            if lookup
                .seen
                .insert((open.module, open.name.clone(), open.rest.len()))
            {
                self.name(open, &mut lookup);
            }
        }
        lookup.found
    }

    fn name<'u>(&mut self, open: Open<'u>, lookup: &mut Lookup<'u>) {
        let Open {
            module,
            name,
            rest,
            attribute,
        } = open;
        let items = self.get(module).facts.binding(&name).to_vec();
        let mut own_submodule = false;
        let submodule = match self.get(module).is_package() {
            true => self.find(&format!("{}.{name}", self.get(module).name)),
            false => None,
        };
        for &index in &items {
            lookup.found.push(Target::Item(module, index, rest.len()));
            let bounds: Vec<Bound> = self.get(module).facts.items[index]
                .binds
                .iter()
                .filter(|(bound, it)| *bound == name && *it != Bound::Here)
                .map(|(_, it)| it.clone())
                .collect();
            for bound in bounds {
                // `from .train import train`: the function wins over the module for good.
                if let Bound::Member {
                    level,
                    module: from,
                    ..
                } = &bound
                    && let Some(from) = self.absolute(module, *level, from)
                {
                    own_submodule |= submodule.is_some() && self.find(&from) == submodule;
                }
                self.bound(module, &bound, rest, lookup);
            }
        }
        if let Some(submodule) =
            submodule.filter(|_| items.is_empty() || !own_submodule || !rest.is_empty())
        {
            self.in_module(submodule, rest, lookup);
        }
        let starred = self.stars(module, &name, rest, lookup);
        if items.is_empty() && submodule.is_none() && !starred {
            self.unbound(module, name, rest, attribute, lookup);
        }
    }

    /// A name that may come by `from x import *`. Says whether one of them is sure to have it.
    fn stars<'u>(
        &mut self,
        module: Id,
        name: &str,
        rest: &'u [Box<str>],
        lookup: &mut Lookup<'u>,
    ) -> bool {
        let mut sure = false;
        for index in self.get(module).facts.stars.clone() {
            let imports = self.get(module).facts.items[index].imports.clone();
            for import in imports {
                let Some(from) = self.absolute(module, import.level, &import.module) else {
                    continue;
                };
                match self.find(&from) {
                    Some(id) => {
                        let facts = &self.get(id).facts;
                        let has = !facts.binding(name).is_empty();
                        if has || !facts.stars.is_empty() || self.get(id).is_package() {
                            sure |= has;
                            lookup.found.push(Target::Item(module, index, 0));
                            let all = self.get(id).facts.binding("__all__").iter();
                            lookup
                                .found
                                .extend(all.map(|&index| Target::Item(id, index, 0)));
                            lookup.open.push(Open {
                                module: id,
                                name: name.into(),
                                rest,
                                attribute: true,
                            });
                        }
                    }
                    None => lookup
                        .found
                        .push(Target::Elsewhere(dotted(&format!("{from}.{name}"), rest))),
                }
            }
        }
        sure
    }

    fn unbound<'u>(
        &mut self,
        module: Id,
        name: Box<str>,
        rest: &'u [Box<str>],
        attribute: bool,
        lookup: &mut Lookup<'u>,
    ) {
        if !attribute {
            let full = match rest.is_empty() {
                true => name,
                false => dotted(&name, rest).into(),
            };
            lookup.found.push(Target::Builtin(full));
            return;
        }
        let hook = self.get(module).facts.binding("__getattr__").to_vec();
        lookup
            .found
            .extend(hook.into_iter().map(|index| Target::Item(module, index, 0)));
        if &*name == "__doc__" {
            lookup.found.push(Target::Attribute(name));
        } else if name.starts_with("__")
            && name.ends_with("__")
            && !OF_EVERY_MODULE.contains(&&*name)
        {
            lookup.found.push(Target::Module(module));
        }
    }

    fn bound<'u>(
        &mut self,
        from: Id,
        bound: &Bound,
        rest: &'u [Box<str>],
        lookup: &mut Lookup<'u>,
    ) {
        match bound {
            Bound::Here => {}
            Bound::Module(name) => {
                let id = self.find(name);
                if let Some(id) = id {
                    self.in_module(id, rest, lookup);
                }
                // `import a.b as c` takes the attribute `b` of `a`, which may be something else.
                if let Some((package, last)) = name.rsplit_once('.')
                    && let Some(package) = self.find(package)
                    && !self.get(package).facts.binding(last).is_empty()
                {
                    lookup.open.push(Open {
                        module: package,
                        name: last.into(),
                        rest,
                        attribute: true,
                    });
                }
                if self.is_elsewhere(id) {
                    lookup.found.push(Target::Elsewhere(dotted(name, rest)));
                }
            }
            Bound::Member {
                level,
                module,
                name,
            } => {
                let Some(module) = self.absolute(from, *level, module) else {
                    return;
                };
                let id = self.find(&module);
                if let Some(id) = id {
                    lookup.open.push(Open {
                        module: id,
                        name: name.clone(),
                        rest,
                        attribute: true,
                    });
                }
                if self.is_elsewhere(id) && *level == 0 {
                    lookup
                        .found
                        .push(Target::Elsewhere(dotted(&format!("{module}.{name}"), rest)));
                }
            }
        }
    }

    /// What is not found may come from elsewhere, and so may what is only a directory here.
    fn is_elsewhere(&self, id: Option<Id>) -> bool {
        id.is_none_or(|id| matches!(self.get(id).location.what, Found::Namespace))
    }

    fn in_module<'u>(&mut self, module: Id, rest: &'u [Box<str>], lookup: &mut Lookup<'u>) {
        match rest.split_first() {
            None => lookup.found.push(Target::Module(module)),
            Some((name, rest)) => lookup.open.push(Open {
                module,
                name: name.clone(),
                rest,
                attribute: true,
            }),
        }
    }
}

fn dotted(first: &str, rest: &[Box<str>]) -> String {
    let mut whole = first.to_owned();
    for part in rest {
        whole.push('.');
        whole.push_str(part);
    }
    whole
}
