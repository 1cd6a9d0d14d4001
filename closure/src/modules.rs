//! The modules of a project, each found, read and taken apart once.
//!
//! Does not know what is reached.

use std::collections::BTreeMap;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::facts::{Import, Module};
use crate::locate::{Finder, Found, Location, join};
use crate::python;
use crate::sources::{EntryKind, Sources};

/// A module, by its place in [`Modules`].
pub(crate) type Id = usize;

/// A module that was found.
pub(crate) struct Loaded {
    /// Dotted; or a path, for a file that no root leads to.
    pub(crate) name: Arc<str>,
    pub(crate) location: Location,
    pub(crate) facts: Module,
    pub(crate) bytes: Option<Arc<[u8]>>,
}

impl Loaded {
    pub(crate) fn path(&self) -> Option<&str> {
        match &self.location.what {
            Found::Source(path) | Found::Native(path) => Some(path),
            Found::Namespace => None,
        }
    }

    pub(crate) fn is_package(&self) -> bool {
        !self.location.search.is_empty()
    }

    /// What `__package__` is in it.
    pub(crate) fn package(&self) -> &str {
        match self.is_package() {
            true => &self.name,
            false => self
                .name
                .rsplit_once('.')
                .map_or("", |(package, _)| package),
        }
    }
}

/// All modules asked for so far.
pub(crate) struct Modules<S> {
    pub(crate) finder: Finder<S>,
    loaded: Vec<Loaded>,
    by_name: FxHashMap<Arc<str>, Option<Id>>,
    tree: Option<Vec<Id>>,
    resolved: FxHashMap<(Id, usize), Arc<Resolved>>,
}

/// What the names and imports of an item lead to, in their order in its facts.
#[derive(Default)]
pub(crate) struct Resolved {
    pub(crate) uses: Vec<Vec<Target>>,
    pub(crate) imports: Vec<Executed>,
    pub(crate) later: Vec<Executed>,
}

/// The modules of the project that an import executes, packages first; and the first name of what is not in the
/// project.
#[derive(Clone)]
pub(crate) struct Executed {
    pub(crate) modules: Vec<Id>,
    pub(crate) elsewhere: Option<String>,
}

/// Something that a use of a name leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// A statement of a module, and how many attributes are left to be asked of what it defines.
    Item(Id, usize, usize),
    /// A module as a value: whoever has it can ask for any name.
    Module(Id),
    /// A name that is not the project's, dotted.
    Elsewhere(String),
    /// A built-in name, or one that nobody binds.
    Builtin(Box<str>),
    /// An attribute of something unknown.
    Attribute(Box<str>),
}

/// Directories that hold no modules of a project.
const NOT_SEARCHED: [&str; 3] = ["__pycache__", "node_modules", "site-packages"];

impl<S: Sources> Modules<S> {
    pub(crate) fn new(sources: S, roots: Vec<String>) -> Self {
        Self {
            finder: Finder::new(sources, roots),
            loaded: Vec::new(),
            by_name: FxHashMap::default(),
            tree: None,
            resolved: FxHashMap::default(),
        }
    }

    pub(crate) fn get(&self, id: Id) -> &Loaded {
        &self.loaded[id]
    }

    pub(crate) fn all(&self) -> &[Loaded] {
        &self.loaded
    }

    /// A module of the project by its dotted name.
    pub(crate) fn find(&mut self, name: &str) -> Option<Id> {
        // Level by level, so that a long name costs no stack.
        let mut parent: Option<Id> = None;
        let mut end = 0;
        loop {
            let next = name[end..].find('.').map_or(name.len(), |at| end + at);
            let part = &name[end..next];
            let dotted = &name[..next];
            let found = match self.by_name.get(dotted) {
                Some(found) => *found,
                None => self.locate(dotted, part, parent),
            };
            if next == name.len() || found.is_none() {
                return found;
            }
            parent = found;
            end = next + 1;
        }
    }

    fn locate(&mut self, dotted: &str, part: &str, parent: Option<Id>) -> Option<Id> {
        let search = match parent {
            Some(parent) => self.loaded[parent].location.search.clone(),
            None => self.finder.roots().to_vec(),
        };
        let usable = !part.is_empty() && !part.contains(['/', '\0']);
        let found = match usable {
            true => self.finder.find(part, &search),
            false => None,
        };
        let id = found.map(|location| self.load(dotted.into(), location));
        self.by_name.insert(dotted.into(), id);
        id
    }

    fn load(&mut self, name: Arc<str>, location: Location) -> Id {
        let (facts, bytes) = match &location.what {
            Found::Source(path) => match self.finder.read(path) {
                Some(bytes) => (python::module(&bytes), Some(bytes.into())),
                None => (Module::opaque("it cannot be read", 1), None),
            },
            Found::Native(_) | Found::Namespace => (Module::default(), None),
        };
        self.loaded.push(Loaded {
            name,
            location,
            facts,
            bytes,
        });
        self.loaded.len() - 1
    }

    /// The dotted name that an import in a module means; nothing if it leads out of its package.
    pub(crate) fn absolute(&self, from: Id, level: u32, module: &str) -> Option<String> {
        if level == 0 {
            return Some(module.to_owned());
        }
        let mut package = self.loaded[from].package();
        for _ in 1..level {
            package = package.rsplit_once('.')?.0;
        }
        match (package.is_empty(), module.is_empty()) {
            (true, _) => None,
            (false, true) => Some(package.to_owned()),
            (false, false) => Some(format!("{package}.{module}")),
        }
    }

    /// What an import executes.
    pub(crate) fn executed(&mut self, from: Id, import: &Import) -> Executed {
        let nothing = Executed {
            modules: Vec::new(),
            elsewhere: None,
        };
        let Some(module) = self.absolute(from, import.level, &import.module) else {
            return nothing;
        };
        let mut found = self.chain(&module);
        let complete = found.len() == module.split('.').count();
        if complete && let Some(name) = import.name.as_deref().filter(|it| *it != "*") {
            found.extend(self.find(&format!("{module}.{name}")));
        }
        let first = module.split('.').next().unwrap_or_default().to_owned();
        // A bare directory gives way to a package of the same name anywhere else.
        let elsewhere = match found.first() {
            None => true,
            Some(&id) => matches!(self.loaded[id].location.what, Found::Namespace),
        };
        Executed {
            modules: found,
            elsewhere: (elsewhere && import.level == 0).then_some(first),
        }
    }

    /// What an item leads to, found once.
    pub(crate) fn resolved(&mut self, module: Id, item: usize) -> Arc<Resolved> {
        if let Some(known) = self.resolved.get(&(module, item)) {
            return Arc::clone(known);
        }
        let facts = &mut self.loaded[module].facts.items[item];
        // Lent out while others are looked at; nobody asks for them meanwhile.
        let uses = std::mem::take(&mut facts.uses);
        let (imports, later) = (facts.imports.clone(), facts.later.clone());
        let found = Arc::new(Resolved {
            uses: uses.iter().map(|it| self.targets(module, it)).collect(),
            imports: imports.iter().map(|it| self.executed(module, it)).collect(),
            later: later.iter().map(|it| self.executed(module, it)).collect(),
        });
        self.loaded[module].facts.items[item].uses = uses;
        self.resolved.insert((module, item), Arc::clone(&found));
        found
    }

    /// A module and the packages it is in, as far as they are in the project.
    pub(crate) fn chain(&mut self, name: &str) -> Vec<Id> {
        let ends = name
            .match_indices('.')
            .map(|(at, _)| at)
            .chain([name.len()]);
        let mut found = Vec::new();
        for end in ends.collect::<Vec<_>>() {
            match self.find(&name[..end]) {
                Some(id) => found.push(id),
                None => break,
            }
        }
        found
    }

    /// All modules below a package, itself included.
    pub(crate) fn below(&mut self, package: Id) -> Vec<Id> {
        let mut found = vec![(package, false)];
        let mut next = 0;
        while let Some(&(id, linked)) = found.get(next) {
            next += 1;
            let name = Arc::clone(&self.loaded[id].name);
            let mut parts: BTreeMap<String, bool> = BTreeMap::new();
            for directory in self.loaded[id].location.search.clone() {
                for (entry, kind) in self.finder.list(&directory).into_iter().flatten() {
                    let link = *kind == EntryKind::Link;
                    if let Some(name) = module_name(entry, *kind).filter(|_| !(link && linked)) {
                        *parts.entry(name).or_default() |= link;
                    }
                }
            }
            parts.remove("__init__");
            for (part, link) in parts {
                let id = self.find(&format!("{name}.{part}"));
                found.extend(id.map(|id| (id, linked || link)));
            }
        }
        found.into_iter().map(|(id, _)| id).collect()
    }

    /// Every source file of the project, virtual environments and hidden directories aside.
    pub(crate) fn tree(&mut self) -> Vec<Id> {
        if let Some(found) = &self.tree {
            return found.clone();
        }
        let mut found = Vec::new();
        let mut directories = vec![(String::new(), false)];
        while let Some((directory, linked)) = directories.pop() {
            let Some(listing) = self.finder.list(&directory) else {
                continue;
            };
            if listing.contains_key("pyvenv.cfg") {
                continue;
            }
            for (name, kind) in listing.clone() {
                let path = join(&directory, &name);
                let link = kind == EntryKind::Link;
                if kind == EntryKind::File {
                    found.extend(name.ends_with(".py").then(|| self.by_path(path)));
                } else if !(name.starts_with('.')
                    || NOT_SEARCHED.contains(&&*name)
                    || link && linked)
                {
                    directories.push((path, linked || link));
                }
            }
        }
        found.sort_unstable();
        found.dedup();
        self.tree = Some(found.clone());
        found
    }

    /// The module of a file, under the name that the first root gives it.
    fn by_path(&mut self, path: String) -> Id {
        for root in self.finder.roots().to_vec() {
            let inside = match &*root {
                "" => Some(&*path),
                root => path.strip_prefix(root).and_then(|it| it.strip_prefix('/')),
            };
            let Some(stem) = inside.and_then(|it| it.strip_suffix(".py")) else {
                continue;
            };
            let stem = stem.strip_suffix("/__init__").unwrap_or(stem);
            if stem.split('/').all(python::is_identifier)
                && let Some(id) = self.find(&stem.replace('/', "."))
                && self.loaded[id].path() == Some(&path)
            {
                return id;
            }
        }
        let name: Arc<str> = path.as_str().into();
        if let Some(Some(id)) = self.by_name.get(&name) {
            return *id;
        }
        let location = Location {
            what: Found::Source(path),
            search: Vec::new(),
        };
        let id = self.load(Arc::clone(&name), location);
        self.by_name.insert(name, Some(id));
        id
    }
}

/// The name of the module that an entry of a package's directory may be.
fn module_name(entry: &str, kind: EntryKind) -> Option<String> {
    let name = match kind.is_directory() {
        true => entry,
        false => {
            let (name, rest) = entry.split_once('.')?;
            let source = rest == "py" || rest == "pyc";
            (source || rest.ends_with("so") || rest.ends_with("pyd")).then_some(name)?
        }
    };
    python::is_identifier(name).then(|| name.to_owned())
}
