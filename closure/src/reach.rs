//! From a function to everything it can reach: definitions by name, modules by import, and where names do not
//! decide, more.
//!
//! Decides nothing about single statements: `facts`, `lookup` and `inert` do.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use rustc_hash::FxHashSet;

use crate::closure::{Place, Reach, Widening};
use crate::facts::{Bound, Import, Kind, Piece, Root, Use};
use crate::inert::Inert;
use crate::known;
use crate::locate::Found;
use crate::modules::{Executed, Id, Modules, Target};
use crate::sources::Sources;

/// What is still to be followed.
enum Open {
    Item(Id, usize),
    /// A module is imported.
    Import(Id),
}

/// What was reached.
#[derive(Default)]
pub(crate) struct Reached {
    pub(crate) items: BTreeSet<(Id, usize)>,
    pub(crate) imported: BTreeSet<Id>,
    pub(crate) natives: BTreeSet<Id>,
    pub(crate) elsewhere: BTreeMap<String, Place>,
    pub(crate) widenings: BTreeSet<Widening>,
    pub(crate) documentation: bool,
    pub(crate) text: bool,
}

/// Follows names through modules.
pub(crate) struct Walk<'a, S> {
    modules: &'a mut Modules<S>,
    inert: &'a mut Inert,
    open: VecDeque<Open>,
    whole: FxHashSet<Id>,
    project: bool,
    pub(crate) reached: Reached,
}

impl<'a, S: Sources> Walk<'a, S> {
    pub(crate) fn new(modules: &'a mut Modules<S>, inert: &'a mut Inert) -> Self {
        Self {
            modules,
            inert,
            open: VecDeque::new(),
            whole: FxHashSet::default(),
            project: false,
            reached: Reached::default(),
        }
    }

    /// Follows everything up to the end.
    pub(crate) fn run(&mut self) {
        while let Some(open) = self.open.pop_front() {
            match open {
                Open::Item(module, item) => self.item(module, item),
                Open::Import(module) => self.executed(module),
            }
        }
    }

    pub(crate) fn target(&mut self, target: &Target, place: &Place) {
        match target {
            Target::Item(module, item, _) => self.reach(*module, *item),
            Target::Module(module) => self.escape(*module, place),
            Target::Elsewhere(name) => self.foreign(name, place),
            Target::Builtin(name) => self.foreign(name, place),
            Target::Attribute(name) => self.attribute(name, place),
        }
    }

    fn reach(&mut self, module: Id, item: usize) {
        if self.reached.items.insert((module, item)) {
            self.open.push_back(Open::Item(module, item));
        }
    }

    pub(crate) fn import(&mut self, module: Id) {
        if self.reached.imported.insert(module) {
            self.open.push_back(Open::Import(module));
        }
    }

    fn place(&self, module: Id, line: u32) -> Place {
        let loaded = self.modules.get(module);
        Place {
            file: loaded.path().unwrap_or(&loaded.name).to_owned(),
            line,
        }
    }

    fn widen(&mut self, reach: Reach, place: Option<Place>, why: impl Into<String>) {
        let why = why.into();
        self.reached
            .widenings
            .insert(Widening { reach, place, why });
    }

    // ---- items and modules

    fn item(&mut self, module: Id, item: usize) {
        self.import(module);
        let resolved = self.modules.resolved(module, item);
        for (index, targets) in resolved.uses.iter().enumerate() {
            for target in targets {
                self.used(module, item, index, target);
            }
        }
        for (index, executed) in resolved.later.iter().enumerate() {
            let import = self.modules.get(module).facts.items[item].later[index].clone();
            self.imported(module, &import, executed);
        }
    }

    fn used(&mut self, module: Id, item: usize, index: usize, target: &Target) {
        if let Target::Item(module, item, _) = target {
            return self.reach(*module, *item);
        }
        let used = &self.modules.get(module).facts.items[item].uses[index];
        let place = self.place(module, used.line);
        match target {
            Target::Elsewhere(name) if is_import_call(name) && used.argument.is_some() => {
                let used = used.clone();
                self.computed_import(module, &used, &place);
            }
            Target::Builtin(name) if is_import_call(name) && used.argument.is_some() => {
                let used = used.clone();
                self.computed_import(module, &used, &place);
            }
            Target::Builtin(name) if known::NAMESPACE.contains(name) => {
                // `vars(x)`: `x` is a use of its own.
                if used.argument.is_none() {
                    self.all_of(
                        module,
                        &place,
                        format!("`{name}` reads all names of the module"),
                    );
                }
            }
            _ => self.target(target, &place),
        }
    }

    /// A module is executed: what it does then counts, and so do the modules that it imports.
    fn executed(&mut self, module: Id) {
        let loaded = self.modules.get(module);
        if let Found::Native(path) = &loaded.location.what {
            let place = Place {
                file: path.clone(),
                line: 1,
            };
            self.reached.natives.insert(module);
            self.native(module, place);
            return;
        }
        if let Some(opaque) = &loaded.facts.opaque {
            let why = format!("the module cannot be taken apart: {}", opaque.why);
            let place = self.place(module, opaque.line);
            self.all_of_project(Some(place), why);
            return;
        }
        let name = Arc::clone(&loaded.name);
        for package in self.modules.chain(&name) {
            self.import(package);
        }
        for item in 0..self.modules.get(module).facts.items.len() {
            if !self.modules.get(module).facts.items[item]
                .imports
                .is_empty()
            {
                let resolved = self.modules.resolved(module, item);
                for (index, executed) in resolved.imports.iter().enumerate() {
                    let import = self.modules.get(module).facts.items[item].imports[index].clone();
                    self.imported(module, &import, executed);
                }
            }
            if self.inert.has_effect(self.modules, module, item) {
                self.reach(module, item);
            }
        }
    }

    /// As an import, but no distribution need have it.
    pub(crate) fn import_if_found(&mut self, from: Id, import: &Import) {
        for module in self.modules.executed(from, import).modules {
            self.import(module);
        }
    }

    fn imported(&mut self, from: Id, import: &Import, executed: &Executed) {
        for &module in &executed.modules {
            self.import(module);
        }
        if let Some(name) = &executed.elsewhere {
            let place = self.place(from, import.line);
            // A star hands out names that the text does not say.
            if import.name.as_deref() == Some("*")
                && let Some(why) = known::dynamic(&import.module)
            {
                self.all_of_project(Some(place.clone()), format!("`{}` {why}", import.module));
            }
            self.distribution(name, place);
        }
    }

    fn distribution(&mut self, name: &str, place: Place) {
        let standard = known::STANDARD.contains(name);
        if known::READS_DOCS.contains(name) || !standard && !known::BLIND.contains(name) {
            self.reached.documentation = true;
            let why = format!("`{name}` may read documentation strings");
            self.widen(Reach::Documentation, Some(place.clone()), why);
        }
        if !standard && !name.is_empty() {
            let first = self
                .reached
                .elsewhere
                .entry(name.to_owned())
                .or_insert_with(|| place.clone());
            if place < *first {
                *first = place;
            }
        }
    }

    // ---- what names do not decide

    /// A module of the project is handed on as a value.
    fn escape(&mut self, module: Id, place: &Place) {
        let name = Arc::clone(&self.modules.get(module).name);
        if self.modules.get(module).is_package() {
            self.package(
                module,
                Some(place.clone()),
                format!("the package `{name}` is used as a value"),
            );
        } else {
            self.all_of(
                module,
                place,
                format!("the module `{name}` is used as a value"),
            );
        }
    }

    pub(crate) fn all_of(&mut self, module: Id, place: &Place, why: String) {
        let name = Arc::clone(&self.modules.get(module).name);
        self.widen(Reach::Module(name), Some(place.clone()), why);
        self.take(module);
    }

    /// Every item of a module, and everything that its names stand for.
    fn take(&mut self, module: Id) {
        if !self.whole.insert(module) {
            return;
        }
        self.import(module);
        for item in 0..self.modules.get(module).facts.items.len() {
            self.reach(module, item);
            let facts = &self.modules.get(module).facts.items[item];
            let place = self.place(module, facts.line);
            let bounds: Vec<Bound> = facts.binds.iter().map(|(_, it)| it.clone()).collect();
            let star = matches!(facts.kind, Kind::Star).then(|| facts.imports.clone());
            for bound in bounds.into_iter().filter(|it| *it != Bound::Here) {
                let used = Use {
                    root: Root::Import(bound),
                    attributes: Vec::new(),
                    argument: None,
                    line: place.line,
                };
                for target in self.modules.targets(module, &used) {
                    // Modules from elsewhere are handed on too, but nobody asked for what is dynamic in them.
                    if !matches!(target, Target::Elsewhere(_)) {
                        self.target(&target, &place);
                    }
                }
            }
            for import in star.into_iter().flatten() {
                for module in self
                    .modules
                    .executed(module, &import)
                    .modules
                    .into_iter()
                    .rev()
                    .take(1)
                {
                    self.all_of(
                        module,
                        &place,
                        "all of its names are imported, and then used".into(),
                    );
                }
            }
        }
    }

    fn package(&mut self, package: Id, place: Option<Place>, why: String) {
        let name = Arc::clone(&self.modules.get(package).name);
        self.widen(Reach::Package(name), place, why);
        for module in self.modules.below(package) {
            self.take(module);
        }
    }

    pub(crate) fn all_of_project(&mut self, place: Option<Place>, why: String) {
        self.widen(Reach::Project, place, why);
        if !std::mem::replace(&mut self.project, true) {
            for module in self.modules.tree() {
                self.take(module);
            }
        }
    }

    /// A compiled module may import anything; at least its own package is near at hand.
    fn native(&mut self, module: Id, place: Place) {
        let name = Arc::clone(&self.modules.get(module).name);
        let top = known::top(&name).to_owned();
        if top != *name
            && let Some(package) = self.modules.find(&top)
        {
            let why = "the module is compiled, and may use any other of its package".to_owned();
            self.package(package, Some(place), why);
        }
    }

    fn computed_import(&mut self, from: Id, used: &Use, place: &Place) {
        let loaded = self.modules.get(from);
        let (own, package) = (Arc::clone(&loaded.name), loaded.package().to_owned());
        let mut name = String::new();
        let mut complete = true;
        for piece in used.argument.iter().flatten() {
            match piece {
                Piece::Text(text) => name.push_str(text),
                Piece::OwnName => name.push_str(&own),
                Piece::OwnPackage => name.push_str(&package),
                Piece::Unknown => {
                    complete = false;
                    break;
                }
            }
        }
        // `"pkg" + ".x"` and `"." + x` relative to `pkg` come to the same; more dots go further up.
        let relative = name.contains("..") || name.starts_with('.') || name.is_empty();
        if relative {
            self.all_of_project(
                Some(place.clone()),
                "a module whose name is computed is imported".into(),
            );
        } else if complete {
            self.literal_import(&name, place);
        } else {
            match name.rsplit_once('.') {
                Some((package, _)) => {
                    let why = format!("a module of `{package}` whose name is computed is imported");
                    self.prefix_import(package, place, why);
                }
                None => {
                    let why = "a module whose name is computed is imported".to_owned();
                    self.all_of_project(Some(place.clone()), why);
                }
            }
        }
    }

    fn literal_import(&mut self, name: &str, place: &Place) {
        let found = self.modules.chain(name);
        let whole = found.len() == name.split('.').count();
        for &module in &found {
            self.import(module);
        }
        match found.last() {
            // `__import__("a.b")` gives `a`, `import_module` gives `a.b`.
            Some(&last) if whole => {
                self.escape(last, place);
                self.escape(found[0], place);
            }
            _ => {
                self.distribution(known::top(name), place.clone());
                if let Some(why) = known::dynamic(name) {
                    self.all_of_project(Some(place.clone()), format!("`{name}` {why}"));
                }
            }
        }
    }

    fn prefix_import(&mut self, package: &str, place: &Place, why: String) {
        match self.modules.find(package) {
            Some(id) => self.package(id, Some(place.clone()), why),
            None => self.distribution(known::top(package), place.clone()),
        }
    }

    /// A name from elsewhere, or a built-in one.
    fn foreign(&mut self, name: &str, place: &Place) {
        if name == "help" || name == "__doc__" {
            self.attribute("__doc__", place);
        } else if known::below(name, "inspect.getsource")
            || known::below(name, "inspect.getsourcelines")
        {
            self.attribute("getsource", place);
        } else if let Some(why) = known::dynamic(name) {
            self.all_of_project(Some(place.clone()), format!("`{name}` {why}"));
        }
    }

    /// An attribute with which code looks into the program.
    fn attribute(&mut self, name: &str, place: &Place) {
        match name {
            "__doc__" => {
                self.reached.documentation = true;
                let why = "documentation strings are read".to_owned();
                self.widen(Reach::Documentation, Some(place.clone()), why);
            }
            "getsource" | "getsourcelines" => {
                self.reached.text = true;
                let why = "source text is read".to_owned();
                self.widen(Reach::Text, Some(place.clone()), why);
            }
            _ => self.all_of_project(
                Some(place.clone()),
                format!("`{name}` looks into the program"),
            ),
        }
    }
}

fn is_import_call(name: &str) -> bool {
    matches!(
        name,
        "importlib.import_module" | "__import__" | "builtins.__import__" | "importlib.__import__"
    )
}
