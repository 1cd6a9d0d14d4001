//! What a module's text says, found once and asked many times: its statements as *items*, each with
//! its canonical bytes, the names it binds and uses, the imports it executes, and whether running it
//! can be noticed.
//!
//! Knows nothing of other modules: a name is resolved by `lookup`.

use std::sync::Arc;

use rustc_hash::FxHashMap;

/// One module.
pub(crate) struct Module {
    /// In source order.
    pub(crate) items: Vec<Item>,
    /// Which items bind a name, in source order.
    pub(crate) names: FxHashMap<Box<str>, Vec<usize>>,
    /// Items of the form `from x import *`.
    pub(crate) stars: Vec<usize>,
    /// Its documentation string, encoded; empty if it has none.
    pub(crate) documentation: Arc<[u8]>,
    /// Why nothing is known of it but its bytes.
    pub(crate) opaque: Option<Opaque>,
}

/// A module that could not be taken apart: all of it counts.
pub(crate) struct Opaque {
    pub(crate) why: &'static str,
    pub(crate) line: u32,
}

/// A statement at the top of a module, or one of several that it is taken apart into.
pub(crate) struct Item {
    /// From 1.
    pub(crate) line: u32,
    pub(crate) kind: Kind,
    pub(crate) binds: Vec<(Box<str>, Bound)>,
    pub(crate) bytes: Arc<[u8]>,
    /// Documentation strings; empty if there are none.
    pub(crate) docs: Arc<[u8]>,
    pub(crate) uses: Vec<Use>,
    /// Names that are read when the item is executed, not when a function in it is called; sorted.
    pub(crate) eager: Vec<Box<str>>,
    /// Imports executed with the module.
    pub(crate) imports: Vec<Import>,
    /// Imports executed when a function in it is called.
    pub(crate) later: Vec<Import>,
    /// What executing it does besides binding its names.
    pub(crate) effect: Effect,
}

/// What an item is.
pub(crate) enum Kind {
    Function(Function),
    Class(Class),
    /// A single name with a value.
    Assign {
        /// Whether the value is a plain one: number, text, container, path…
        plain: Effect,
    },
    Import,
    Star,
    Other,
}

/// A function definition.
pub(crate) struct Function {
    /// What a call does at each depth: the body, the bodies of functions directly in it, and so on.
    pub(crate) calls: Vec<Effect>,
    pub(crate) signature: Signature,
    pub(crate) decorated: bool,
}

/// What a function can be called with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Signature {
    /// Every named parameter, in order.
    pub parameters: Vec<Argument>,
    /// Whether it takes any further positional arguments.
    pub any_positional: bool,
    /// Whether it takes any further arguments by name.
    pub any_named: bool,
    /// Whether it is a coroutine function.
    pub is_async: bool,
}

/// A parameter of a function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Argument {
    /// Its name.
    pub name: String,
    /// Whether a call may leave it out.
    pub optional: bool,
    /// Whether it cannot be given by name.
    pub positional_only: bool,
}

/// A class definition.
pub(crate) struct Class {
    /// What making an instance does.
    pub(crate) makes: Effect,
    /// What deriving from it does.
    pub(crate) derives: Effect,
}

/// What a name stands for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Bound {
    /// What the item defines.
    Here,
    /// A module by its full dotted name.
    Module(Box<str>),
    /// A member, or a submodule, of a module.
    Member {
        level: u32,
        module: Box<str>,
        name: Box<str>,
    },
}

/// An import statement, for one name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Import {
    pub(crate) level: u32,
    pub(crate) module: Box<str>,
    /// The name after `from … import`; `*` too.
    pub(crate) name: Option<Box<str>>,
    pub(crate) line: u32,
}

/// A name that is used, with the attributes after it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Use {
    pub(crate) root: Root,
    pub(crate) attributes: Vec<Box<str>>,
    /// What it is called with, where that decides what is reached.
    pub(crate) argument: Option<Vec<Piece>>,
    pub(crate) line: u32,
}

/// Where a use begins.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Root {
    /// A name of the module, or a built-in one.
    Global(Box<str>),
    /// A name that an import in a function binds.
    Import(Bound),
    /// An attribute of something unknown.
    Attribute(Box<str>),
}

/// A part of a module name that is put together.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Piece {
    Text(Box<str>),
    /// `__name__`
    OwnName,
    /// `__package__`
    OwnPackage,
    /// Anything computed; what follows is not looked at.
    Unknown,
}

/// Whether executing something can be noticed otherwise than by the names it binds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// It can.
    Some,
    /// It cannot, if all of these hold; so certainly not if there are none.
    Unless(Vec<Need>),
}

/// What must hold of another name so that something has no effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Need {
    pub(crate) what: What,
    pub(crate) of: Use,
}

/// See [`Need`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// It is a plain value, a module or a type of the standard library.
    Plain,
    /// Reading it runs no code.
    Readable,
    /// Calling it has no effect; after `depth` calls of what it returned.
    Call {
        depth: usize,
        /// Whether the arguments are plain, which some functions need.
        plain: Effect,
    },
    /// As a call, and the result is a plain value.
    PlainCall { plain: Effect },
    /// A class may derive from it.
    Base,
    /// Making an instance of a class that derives from it has no effect.
    Made,
    /// It is a function from elsewhere that is known to have no effect.
    Known,
}

impl Effect {
    /// Certainly none.
    pub(crate) const NONE: Self = Self::Unless(Vec::new());

    pub(crate) fn need(what: What, of: Use) -> Self {
        Self::Unless(vec![Need { what, of }])
    }

    /// Both are executed.
    #[must_use]
    pub(crate) fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Unless(mut needs), Self::Unless(more)) => {
                needs.extend(more);
                Self::Unless(needs)
            }
            _ => Self::Some,
        }
    }
}

impl Default for Module {
    fn default() -> Self {
        Self {
            items: Vec::new(),
            names: FxHashMap::default(),
            stars: Vec::new(),
            documentation: Arc::new([]),
            opaque: None,
        }
    }
}

impl Module {
    pub(crate) fn opaque(why: &'static str, line: u32) -> Self {
        Self {
            opaque: Some(Opaque { why, line }),
            ..Self::default()
        }
    }

    pub(crate) fn push(&mut self, item: Item) {
        let index = self.items.len();
        for (name, _) in &item.binds {
            let items = self.names.entry(name.clone()).or_default();
            if items.last() != Some(&index) {
                items.push(index);
            }
        }
        if matches!(item.kind, Kind::Star) {
            self.stars.push(index);
        }
        self.items.push(item);
    }

    /// The items that bind a name.
    pub(crate) fn binding(&self, name: &str) -> &[usize] {
        self.names.get(name).map_or(&[], Vec::as_slice)
    }
}
