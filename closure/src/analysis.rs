//! A project's code, built once and asked for many functions.
//!
//! Knows neither disk nor clock: what it reads comes through [`Sources`].

use std::sync::Arc;

use crate::closure::{Absent, Closure, Consulted, Elsewhere, Missing, Place};
use crate::facts::{Import, Kind, Signature};
use crate::inert::Inert;
use crate::known;
use crate::modules::{Id, Modules, Target};
use crate::parts::{self, Cache};
use crate::reach::Walk;
use crate::sources::Sources;

/// Stands for all of a module, where a function's name would stand.
const WHOLE: &str = "*";

/// Modules that Python imports by itself where it finds them.
const IMPORTED_ALWAYS: [&str; 2] = ["sitecustomize", "usercustomize"];

/// The code of a project. Answers are those of the moment at which a file was first read; for others, build
/// another one.
pub struct Analysis<S> {
    modules: Modules<S>,
    inert: Inert,
    cache: Cache,
}

/// A function, and how it is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// `package.module:function`; the function may be a method, with dots, or `*` for all of the module.
    pub function: String,
    /// Whether it is given objects that were pickled: their classes may lie in any module.
    pub unpickles: bool,
}

impl Entry {
    /// A function that is given no pickled objects.
    #[must_use]
    pub fn new(function: &str) -> Self {
        Self {
            function: function.to_owned(),
            unpickles: false,
        }
    }
}

impl<S: Sources> Analysis<S> {
    /// A project whose modules are found in these directories, in this order. They are relative to the
    /// project, without `.` and `..`; the project itself is the empty path.
    pub fn new(sources: S, roots: Vec<String>) -> Self {
        Self {
            modules: Modules::new(sources, roots),
            inert: Inert::default(),
            cache: Cache::default(),
        }
    }

    /// The closure of a function. A function that is not in the project has one without parts: its
    /// distribution is all that counts.
    ///
    /// # Errors
    ///
    /// If the project has the beginning of its name, but not the function.
    pub fn function(&mut self, entry: &Entry) -> Result<Closure, Missing> {
        let (module, path) = split(&entry.function)?;
        let chain = self.modules.chain(module);
        let Some(&id) = chain.last() else {
            return Ok(Self::elsewhere(module));
        };
        if chain.len() < module.split('.').count() {
            return Err(Missing::Module {
                module: module.to_owned(),
            });
        }
        if path == WHOLE {
            return Ok(self.closure(entry, id, Vec::new()));
        }
        let path: Vec<Box<str>> = path.split('.').map(Into::into).collect();
        let targets = self.modules.member(id, &path);
        if targets.is_empty() && self.modules.get(id).facts.opaque.is_none() && self.is_source(id) {
            return Err(self.no_function(id));
        }
        Ok(self.closure(entry, id, targets))
    }

    fn closure(&mut self, entry: &Entry, id: Id, targets: Vec<Target>) -> Closure {
        let signature = self.signature(&targets);
        let place = self.definition(id, &targets);
        let mut walk = Walk::new(&mut self.modules, &mut self.inert);
        walk.import(id);
        if entry.function.ends_with(WHOLE) {
            walk.all_of(id, &place, "it is asked for as a whole".into());
        }
        for target in targets {
            walk.target(&target, &place);
        }
        if entry.unpickles {
            walk.all_of_project(
                None,
                "an input is unpickled, which may make objects of any class".into(),
            );
        }
        walk.customised(id);
        walk.run();
        let reached = walk.reached;
        let parts = parts::parts(
            &mut self.modules,
            &mut self.inert,
            &mut self.cache,
            &reached,
            id,
        );
        let natives = reached
            .natives
            .iter()
            .filter_map(|&id| self.modules.get(id).path());
        let mut natives: Vec<String> = natives.map(str::to_owned).collect();
        natives.sort();
        let imported = reached
            .imported
            .iter()
            .filter_map(|&id| self.modules.get(id).path());
        let mut files: Vec<String> = imported.map(str::to_owned).collect();
        files.sort();
        files.dedup();
        Closure {
            parts,
            natives,
            files,
            elsewhere: reached
                .elsewhere
                .into_iter()
                .map(|(module, place)| Elsewhere { module, place })
                .collect(),
            widenings: reached.widenings.into_iter().collect(),
            signature,
            place: Some(place),
        }
    }

    /// A function of a distribution.
    fn elsewhere(module: &str) -> Closure {
        Closure {
            parts: Vec::new(),
            natives: Vec::new(),
            files: Vec::new(),
            elsewhere: vec![Elsewhere {
                module: known::top(module).to_owned(),
                place: Place {
                    file: String::new(),
                    line: 0,
                },
            }],
            widenings: Vec::new(),
            signature: None,
            place: None,
        }
    }

    fn is_source(&self, id: Id) -> bool {
        self.modules.get(id).bytes.is_some()
    }

    fn no_function(&self, id: Id) -> Missing {
        let loaded = self.modules.get(id);
        let mut names: Vec<String> = loaded.facts.names.keys().map(|it| it.to_string()).collect();
        names.sort();
        Missing::Function {
            file: loaded.path().map(str::to_owned),
            names,
        }
    }

    /// The one definition that the targets lead to, past the imports on the way.
    fn single(&self, targets: &[Target]) -> Option<(Id, usize)> {
        let mut definitions = targets.iter().filter_map(|target| match target {
            Target::Item(id, item, 0)
                if !matches!(
                    self.modules.get(*id).facts.items[*item].kind,
                    Kind::Import | Kind::Star
                ) =>
            {
                Some((*id, *item))
            }
            _ => None,
        });
        match (definitions.next(), definitions.next()) {
            (Some(one), None) => Some(one),
            _ => None,
        }
    }

    fn signature(&self, targets: &[Target]) -> Option<Signature> {
        let (id, item) = self.single(targets)?;
        match &self.modules.get(id).facts.items[item].kind {
            Kind::Function(it) if !it.decorated => Some(it.signature.clone()),
            _ => None,
        }
    }

    fn definition(&self, id: Id, targets: &[Target]) -> Place {
        let (id, line) = match self.single(targets) {
            Some((id, item)) => (id, self.modules.get(id).facts.items[item].line),
            None => (id, 1),
        };
        let loaded = self.modules.get(id);
        Place {
            file: loaded.path().unwrap_or(&loaded.name).to_owned(),
            line,
        }
    }

    /// What was looked at and looked for, for all functions asked so far.
    #[must_use]
    pub fn consulted(&self) -> Consulted {
        let (directories, absent) = self.modules.finder.asked();
        let mut files: Vec<String> = self
            .modules
            .all()
            .iter()
            .filter_map(|it| it.path().map(str::to_owned))
            .collect();
        files.sort();
        files.dedup();
        let absent = absent.iter().map(|(directory, module)| Absent {
            directory: directory.clone(),
            module: module.clone(),
        });
        Consulted {
            files,
            directories: directories.into_iter().collect(),
            absent: absent.collect(),
        }
    }
}

impl<S: Sources> Walk<'_, S> {
    /// What Python imports before anything else.
    fn customised(&mut self, from: Id) {
        for name in IMPORTED_ALWAYS {
            let import = Import {
                level: 0,
                module: name.into(),
                name: None,
                line: 1,
            };
            self.import_if_found(from, &import);
        }
    }
}

fn split(function: &str) -> Result<(&str, &str), Missing> {
    let well_formed =
        |name: &str| !name.is_empty() && name.split('.').all(crate::python::is_identifier);
    match function.split_once(':') {
        Some((module, path)) if well_formed(module) && (path == WHOLE || well_formed(path)) => {
            Ok((module, path))
        }
        _ => Err(Missing::Malformed),
    }
}

/// What makes two closures the same code, in a form that is easily compared.
impl Closure {
    /// The bytes of a part, if it has it.
    #[must_use]
    pub fn part(&self, module: &str, definition: &str) -> Option<&Arc<[u8]>> {
        let wanted = (module, definition);
        let found = self
            .parts
            .binary_search_by(|it| (&*it.module, &*it.definition).cmp(&wanted));
        found.ok().map(|at| &self.parts[at].bytes)
    }

    /// Whether another closure is the same code.
    #[must_use]
    pub fn same_code(&self, other: &Self) -> bool {
        let names = |it: &Self| {
            it.elsewhere
                .iter()
                .map(|it| it.module.clone())
                .collect::<Vec<_>>()
        };
        self.parts == other.parts && self.natives == other.natives && names(self) == names(other)
    }
}
