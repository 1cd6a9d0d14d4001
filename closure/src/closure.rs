//! What an analysis answers: the parts of a function's code version, and what it rests on.
//!
//! Knows no hashing: a caller hashes the parts, in their order.

use std::sync::Arc;

use crate::facts::Signature;

/// Everything that can decide what a function does, as far as its project's code does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closure {
    /// The definitions it reaches, sorted by module and definition. Two closures with the same parts,
    /// natives and elsewhere are the same code.
    pub parts: Vec<Part>,
    /// Compiled modules that count by their contents: paths relative to the project.
    pub natives: Vec<String>,
    /// The files of all modules that are imported on the way, compiled ones included: what Python reads of them
    /// is what the parts and the natives stand for. Paths relative to the project, sorted.
    pub files: Vec<String>,
    /// Modules of distributions that are imported on the way, by their first name; the standard library's
    /// are left out. Sorted.
    pub elsewhere: Vec<Elsewhere>,
    /// Why it holds more than the definitions it reaches by name; none twice.
    pub widenings: Vec<Widening>,
    /// What the function can be called with, where that is known: not for what is decorated or not a plain
    /// function.
    pub signature: Option<Signature>,
    /// Where the function is defined; nothing if it is not in the project.
    pub place: Option<Place>,
}

/// A definition, or what a module does when it is imported.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Part {
    /// The module's dotted name, or the path of a file that no root leads to.
    pub module: Arc<str>,
    /// The names that are defined; in parentheses, what has no name.
    pub definition: Arc<str>,
    /// An injective encoding of its syntax, without formatting, comments and line numbers.
    pub bytes: Arc<[u8]>,
}

/// A distribution's module, and where it is imported first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Elsewhere {
    /// The first part of its name.
    pub module: String,
    /// The import.
    pub place: Place,
}

/// A place in the project's code.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Relative to the project.
    pub file: String,
    /// From 1.
    pub line: u32,
}

/// Something that cannot be decided, and what is taken in instead.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Widening {
    /// What is taken in.
    pub reach: Reach,
    /// Where the cause stands; nothing if it is not in the code.
    pub place: Option<Place>,
    /// The cause, as the end of a sentence that begins with the place.
    pub why: String,
}

/// How far a widening goes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reach {
    /// All of a module, by its name.
    Module(Arc<str>),
    /// All modules of a package.
    Package(Arc<str>),
    /// All source files of the project.
    Project,
    /// The documentation strings of what is reached.
    Documentation,
    /// The source text of the modules reached, comments and all.
    Text,
}

impl std::fmt::Display for Reach {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Module(name) => write!(f, "all of {name}"),
            Self::Package(name) => write!(f, "all modules of {name}"),
            Self::Project => f.write_str("all modules of the project"),
            Self::Documentation => f.write_str("documentation strings"),
            Self::Text => f.write_str("comments and layout"),
        }
    }
}

/// What the answers of an analysis rest on. While none of it changes, neither do they.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Consulted {
    /// Files that were read, or whose presence decided; sorted.
    pub files: Vec<String>,
    /// Directories whose names decided; sorted.
    pub directories: Vec<String>,
    /// Modules that were not found; sorted.
    pub absent: Vec<Absent>,
}

/// A module that was looked for in a directory: no package, source or compiled module of that name was there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Absent {
    /// Relative to the project.
    pub directory: String,
    /// The last part of the module's name.
    pub module: String,
}

impl Absent {
    /// Paths of which one would make it present; a compiled module has one of many further names.
    #[must_use]
    pub fn candidates(&self) -> [String; 2] {
        let path = crate::locate::join(&self.directory, &self.module);
        [format!("{path}/__init__.py"), format!("{path}.py")]
    }
}

/// Why there is no closure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Missing {
    /// The function is not of the form `package.module:function`.
    Malformed,
    /// The project has the first part of the module's name, but not all of it.
    Module {
        /// What is missing.
        module: String,
    },
    /// The module binds no such name.
    Function {
        /// The module's file.
        file: Option<String>,
        /// The names that it binds, sorted.
        names: Vec<String>,
    },
}

impl std::fmt::Display for Missing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Malformed => write!(f, "a function is named as `package.module:function`"),
            Self::Module { module } => write!(f, "the project has no module `{module}`"),
            Self::Function { file, .. } => match file {
                Some(file) => write!(f, "`{file}` defines no such function"),
                None => write!(f, "the module defines no such function"),
            },
        }
    }
}

impl std::error::Error for Missing {}
