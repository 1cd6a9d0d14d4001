//! Random Python projects of several modules, which use each other's names in every way there is. All values are
//! small integers; what a function gives depends on as much as possible.
//!
//! Knows nothing of closures.

mod uses;

use std::fmt::Write;

use crate::chance::Chance;
use jalon_closure::Memory;

/// A project: files of statements, so that these can be moved and left out.
#[derive(Clone)]
pub struct Program {
    pub files: Vec<(String, Vec<String>)>,
}

impl Program {
    pub fn sources(&self) -> Memory {
        let mut memory = Memory::default();
        for (path, statements) in &self.files {
            let text: String = statements.iter().map(|it| format!("{it}\n")).collect();
            memory.files.insert(path.clone(), text.into_bytes());
        }
        memory
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Sort {
    /// An integer.
    Constant,
    /// A function of an integer.
    Function,
    /// A class with a method `m` of an integer, that is made without arguments.
    Class,
    /// A mapping from "k" to a function.
    Table,
}

#[derive(Clone)]
struct Name {
    module: usize,
    name: String,
    sort: Sort,
}

struct Maker<'c> {
    chance: &'c mut Chance,
    /// Whether it may use what widens a closure to modules, and to the whole project: beside these, nothing else
    /// would be seen.
    computed: bool,
    dynamic: bool,
    modules: Vec<Module>,
    names: Vec<Name>,
    counter: usize,
}

struct Module {
    path: String,
    dotted: String,
    statements: Vec<String>,
    /// Import statements that stand already.
    imported: Vec<String>,
    package: Option<String>,
}

/// Makes a project with the entry `main:run`, a function of an integer.
pub fn random(chance: &mut Chance) -> Program {
    let level = chance.below(5);
    let (computed, dynamic) = (level > 2, level > 3);
    let mut maker = Maker {
        chance,
        computed,
        dynamic,
        modules: Vec::new(),
        names: Vec::new(),
        counter: 0,
    };
    let modules = 2 + maker.chance.below(4);
    let mut packages: Vec<&str> = Vec::new();
    for index in 0..modules {
        let package = *maker
            .chance
            .pick(&[None, Some("pa"), Some("pb"), Some("pa.sub")]);
        if let Some(package) = package {
            for it in ["pa", "pa.sub", "pb"] {
                let above = package == it || package.starts_with(&format!("{it}."));
                if above && !packages.contains(&it) {
                    packages.push(it);
                }
            }
        }
        let dotted = package.map_or(format!("m{index}"), |it| format!("{it}.m{index}"));
        maker.module(&dotted, package, None);
    }
    for package in packages {
        let init = format!("{}/__init__.py", package.replace('.', "/"));
        maker.module(package, Some(package), Some(init));
    }
    maker.module("main", None, None);
    let entry = maker.modules.len() - 1;
    maker.last(entry);
    let files = maker.modules.into_iter().map(|it| (it.path, it.statements));
    Program {
        files: files.collect(),
    }
}

impl Maker<'_> {
    fn fresh(&mut self, prefix: &str) -> String {
        self.counter += 1;
        format!("{prefix}{}", self.counter)
    }

    fn literal(&mut self) -> String {
        (1 + self.chance.below(50)).to_string()
    }

    fn module(&mut self, dotted: &str, package: Option<&str>, path: Option<String>) {
        let is_init = path.is_some();
        self.modules.push(Module {
            path: path.unwrap_or_else(|| format!("{}.py", dotted.replace('.', "/"))),
            dotted: dotted.to_owned(),
            statements: Vec::new(),
            imported: Vec::new(),
            package: package.map(str::to_owned),
        });
        let index = self.modules.len() - 1;
        if self.chance.one_in(3) {
            let text = format!("\"\"\"Module {}.\"\"\"", self.literal());
            self.modules[index].statements.push(text);
        }
        // A package's file imports little: what imports its modules executes it first.
        for _ in 0..if is_init {
            1 + self.chance.below(3)
        } else {
            4 + self.chance.below(6)
        } {
            self.statement(index, is_init);
        }
    }

    fn say(&mut self, module: usize, statement: String) {
        self.modules[module].statements.push(statement);
    }

    fn bind(&mut self, module: usize, name: &str, sort: Sort) {
        self.names.push(Name {
            module,
            name: name.to_owned(),
            sort,
        });
    }

    /// Some statement at the top of a module.
    fn statement(&mut self, module: usize, simple: bool) {
        match self.chance.below(if simple { 3 } else { 26 }) {
            0 => {
                let (name, value) = (self.fresh("K"), self.literal());
                self.say(module, format!("{name} = {value}  # as of {value}"));
                self.bind(module, &name, Sort::Constant);
            }
            1 | 3..=6 => self.function(module, simple),
            2 => {
                let name = self.fresh("K");
                let value = self.value(module, None, simple);
                self.say(module, format!("{name} = {value}"));
                self.bind(module, &name, Sort::Constant);
            }
            7 | 8 => self.class(module),
            9 => self.table(module),
            10 => {
                if let Some(name) = self.own(module, Sort::Constant) {
                    let value = self.literal();
                    let how = *self
                        .chance
                        .pick(&["+= V", "= N * V", "= (N + V) % 97", "-= V"]);
                    self.say(
                        module,
                        format!("{name} {}", how.replace('V', &value).replace('N', &name)),
                    );
                }
            }
            11 => self.list(module),
            12 => self.patch(module),
            13 => {
                if let Some(name) = self.own(module, Sort::Constant) {
                    let (bound, value) = (1 + self.chance.below(4), self.literal());
                    self.say(
                        module,
                        format!("for _i in range({bound}):\n    {name} += _i * {value}"),
                    );
                }
            }
            14 => {
                let name = self.fresh("K");
                let test = self.value(module, None, false);
                let (bound, a, b) = (self.literal(), self.literal(), self.literal());
                self.say(
                    module,
                    format!(
                        "if ({test}) % 100 > {bound}:\n    {name} = {a}\nelse:\n    {name} = {b}"
                    ),
                );
                self.bind(module, &name, Sort::Constant);
            }
            15 => {
                let name = self.fresh("K");
                let (a, b) = (self.value(module, None, false), self.literal());
                self.say(module, format!("try:\n    {name} = {a} // (({b}) % 3)\nexcept ZeroDivisionError:\n    {name} = {b}"));
                self.bind(module, &name, Sort::Constant);
            }
            16 => self.setter(module),
            17 => {
                let (name, value) = (self.fresh("f"), self.literal());
                if let Some(of) = self.own(module, Sort::Function) {
                    self.say(module, format!("import functools\ndef _two{name}(a, b):\n    return {of}(a) + b\n{name} = functools.partial(_two{name}, b={value})"));
                    self.bind(module, &name, Sort::Function);
                }
            }
            18 => self.subclasses(module),
            19 => {
                let name = self.fresh("f");
                let body = self.value(module, Some("x"), false);
                self.say(module, format!("{name} = lambda x: {body}"));
                self.bind(module, &name, Sort::Function);
            }
            20 => self.decorated(module),
            21 => {
                let name = self.fresh("C");
                let (a, b) = (self.literal(), self.value(module, Some("x"), false));
                self.say(module, format!("import dataclasses\n@dataclasses.dataclass\nclass {name}:\n    a: int = {a}\n    b: list = dataclasses.field(default_factory=lambda: [{a}])\n    def m(self, x):\n        return self.a + self.b[0] + {b}"));
                self.bind(module, &name, Sort::Class);
            }
            22 => {
                if let Some(name) = self.own(module, Sort::Function) {
                    let value = self.literal();
                    self.say(module, format!("def _wrap(f, n):\n    def inner(x):\n        return f(x) + n\n    return inner\n{name} = _wrap({name}, {value})"));
                }
            }
            23 => {
                let (name, value) = (self.fresh("K"), self.literal());
                self.say(module, format!("import enum\nclass E{name}(enum.Enum):\n    A = {value}\n    B = 2\n{name} = E{name}.A.value"));
                self.bind(module, &name, Sort::Constant);
            }
            24 => {
                let (name, other) = (self.fresh("K"), self.fresh("K"));
                let (a, b) = (self.literal(), self.literal());
                self.say(
                    module,
                    format!("{name}, ({other}, *_rest) = {a}, ({b}, 2, 3)"),
                );
                self.bind(module, &name, Sort::Constant);
                self.bind(module, &other, Sort::Constant);
            }
            _ => {
                if let Some(name) = self.own(module, Sort::Constant).filter(|_| self.computed) {
                    let value = self.literal();
                    self.say(module, format!("globals()[\"{name}\"] += {value}"));
                }
            }
        }
    }

    /// A name of the module itself.
    fn own(&mut self, module: usize, sort: Sort) -> Option<String> {
        let some: Vec<String> = self
            .names
            .iter()
            .filter(|it| it.module == module && it.sort == sort)
            .map(|it| it.name.clone())
            .collect();
        (!some.is_empty()).then(|| self.chance.pick(&some).clone())
    }

    fn function(&mut self, module: usize, simple: bool) {
        let name = self.fresh("f");
        let mut text = format!("def {name}(x");
        if self.chance.one_in(4) {
            let default = self.value(module, None, simple);
            write!(text, ", d={default}").unwrap();
        } else {
            text.push_str(", d=0");
        }
        text.push_str("):\n");
        if self.chance.one_in(3) {
            writeln!(text, "    \"\"\"Gives {}.\"\"\"", self.literal()).unwrap();
        }
        match self.chance.below(5) {
            0 => {
                let inner = self.value(module, Some("y"), simple);
                writeln!(
                    text,
                    "    def inner(y):\n        return {inner}\n    x = inner(x) % 1009"
                )
                .unwrap();
            }
            1 => {
                let item = self.value(module, Some("x"), simple);
                writeln!(text, "    x = sum(({item}) + x for x in range(2)) % 1009").unwrap();
            }
            2 => writeln!(
                text,
                "    x = [v * {} for v in (x, 1)][0]  # {}",
                self.literal(),
                self.literal()
            )
            .unwrap(),
            3 => {
                // A name of the module that is shadowed, on purpose.
                if let Some(shadowed) = self.own(module, Sort::Constant) {
                    writeln!(
                        text,
                        "    {shadowed} = x + {}\n    x = {shadowed}",
                        self.literal()
                    )
                    .unwrap();
                    let tail = self.literal();
                    write!(text, "    return (x + d + {tail}) % 10007").unwrap();
                    self.say(module, text);
                    self.bind(module, &name, Sort::Function);
                    return;
                }
            }
            _ => {}
        }
        let result = self.value(module, Some("x"), simple);
        write!(text, "    return (({result}) + d) % 10007").unwrap();
        self.say(module, text);
        self.bind(module, &name, Sort::Function);
    }

    fn class(&mut self, module: usize) {
        let name = self.fresh("C");
        let base = self
            .own(module, Sort::Class)
            .filter(|_| self.chance.one_in(2));
        let (a, b) = (self.literal(), self.value(module, Some("x"), false));
        let mut text = match &base {
            Some(base) => format!("class {name}({base}):\n"),
            None => format!("class {name}:\n"),
        };
        writeln!(text, "    attr = {a}").unwrap();
        match (self.chance.below(4), &base) {
            (0, _) => writeln!(text, "    @property\n    def p(self):\n        return self.attr * {}\n    def m(self, x):\n        return self.p + {b}", self.literal()).unwrap(),
            (1, Some(_)) => writeln!(text, "    def m(self, x):\n        return super().m(x) + {b}").unwrap(),
            (2, _) => writeln!(text, "    @classmethod\n    def c(cls):\n        return cls.attr\n    def m(self, x):\n        return self.c() + {b}").unwrap(),
            _ => writeln!(text, "    def m(self, x):\n        return self.attr + {b}").unwrap(),
        }
        self.say(module, text.trim_end().to_owned());
        self.bind(module, &name, Sort::Class);
    }

    fn table(&mut self, module: usize) {
        let Some(first) = self.own(module, Sort::Function) else {
            return;
        };
        let second = self
            .own(module, Sort::Function)
            .unwrap_or_else(|| first.clone());
        let name = self.fresh("T");
        match self.chance.below(3) {
            0 => self.say(module, format!("{name} = {{\"k\": {first}}}")),
            1 => {
                self.say(module, format!("{name} = {{}}"));
                self.say(module, format!("{name}[\"k\"] = {second}"));
            }
            _ => {
                self.say(module, format!("{name} = {{\"k\": {first}}}"));
                self.say(module, format!("_alias{name} = {name}"));
                self.say(module, format!("_alias{name}.update(k={second})"));
            }
        }
        self.bind(module, &name, Sort::Table);
    }

    fn list(&mut self, module: usize) {
        let name = self.fresh("K");
        let (a, b) = (self.literal(), self.literal());
        self.say(module, format!("_l{name} = [{a}]"));
        match self.chance.below(3) {
            0 => self.say(module, format!("_l{name}.append({b})")),
            1 => self.say(module, format!("_l{name} += [{b}, 1]")),
            _ => self.say(module, format!("_m{name} = _l{name}\n_m{name}[0] = {b}")),
        }
        self.say(module, format!("{name} = sum(_l{name})"));
        self.bind(module, &name, Sort::Constant);
    }

    /// A name of another module is changed.
    fn patch(&mut self, module: usize) {
        let others: Vec<Name> = self
            .names
            .iter()
            .filter(|it| it.module < module && matches!(it.sort, Sort::Constant | Sort::Function))
            .cloned()
            .collect();
        if others.is_empty() {
            return;
        }
        let name = self.chance.pick(&others).clone();
        let dotted = self.modules[name.module].dotted.clone();
        let value = match name.sort {
            Sort::Constant => self.literal(),
            _ => format!("lambda x, d=0: x + {}", self.literal()),
        };
        let alias = self.fresh("_mod");
        match self.chance.below(2) {
            0 => self.say(
                module,
                format!(
                    "import {dotted} as {alias}\n{alias}.{} = {value}",
                    name.name
                ),
            ),
            _ => self.say(
                module,
                format!(
                    "import {dotted} as {alias}\nsetattr({alias}, \"{}\", {value})",
                    name.name
                ),
            ),
        }
    }

    /// A function that sets a name of the module, called now, later, or never.
    fn setter(&mut self, module: usize) {
        let Some(name) = self.own(module, Sort::Constant) else {
            return;
        };
        let setter = self.fresh("f");
        let (value, given) = (self.literal(), self.literal());
        self.say(module, format!("def {setter}(x, d=0):\n    global {name}\n    {name} = {value} + x\n    return {name}"));
        if self.chance.one_in(2) {
            self.say(module, format!("{setter}({given})"));
        }
        self.bind(module, &setter, Sort::Function);
    }

    fn subclasses(&mut self, module: usize) {
        let name = self.fresh("f");
        let (a, b) = (self.literal(), self.literal());
        self.say(module, format!("_R{name} = []\nclass _B{name}:\n    def __init_subclass__(cls):\n        _R{name}.append(cls.w)"));
        self.say(module, format!("class _A{name}(_B{name}):\n    w = {a}"));
        match self.chance.below(if self.dynamic { 2 } else { 1 }) {
            0 => self.say(module, format!("def {name}(x, d=0):\n    return x + sum(_R{name}) + {b}")),
            _ => self.say(module, format!("def {name}(x, d=0):\n    return x + sum(c.w for c in _B{name}.__subclasses__()) + {b}")),
        }
        self.bind(module, &name, Sort::Function);
    }

    fn decorated(&mut self, module: usize) {
        let (name, hidden) = (self.fresh("f"), self.fresh("_g"));
        let (a, b) = (self.literal(), self.value(module, Some("x"), false));
        match self.chance.below(3) {
            0 => {
                self.say(module, format!("import functools\ndef _d{name}(n):\n    def outer(f):\n        @functools.wraps(f)\n        def inner(x, d=0):\n            return f(x) + n\n        return inner\n    return outer"));
                self.say(
                    module,
                    format!("@_d{name}({a})\ndef {name}(x, d=0):\n    return {b}"),
                );
            }
            1 => {
                self.say(
                    module,
                    format!(
                        "_S{name} = {{}}\ndef _d{name}(f):\n    _S{name}[\"k\"] = f\n    return f"
                    ),
                );
                self.say(
                    module,
                    format!("@_d{name}\ndef {hidden}(x):\n    return {b} + {a}"),
                );
                self.say(
                    module,
                    format!("def {name}(x, d=0):\n    return _S{name}[\"k\"](x)"),
                );
            }
            _ => {
                self.say(module, format!("import functools\n@functools.lru_cache(maxsize={a})\ndef {name}(x, d=0):\n    return {b}"));
            }
        }
        self.bind(module, &name, Sort::Function);
    }

    /// The entry, which uses a good part of everything.
    fn last(&mut self, module: usize) {
        let mut text = "def run(x):\n    total = 0\n".to_owned();
        for _ in 0..4 + self.chance.below(4) {
            let value = self.value(module, Some("x"), false);
            let weight = self.literal();
            writeln!(text, "    total += ({value}) * {weight}").unwrap();
        }
        text.push_str("    return total % 1000003");
        self.say(module, text);
    }
}
