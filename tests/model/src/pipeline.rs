//! Pipelines small enough to be evaluated naively: sources, parameters, code files and nodes of numbers.
//!
//! Every reference is an index that is taken modulo what there is, so that any list of numbers is a valid
//! pipeline and shrinking cannot make an invalid one. A node refers only to nodes before it.

/// A pipeline and everything that it reads.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pipeline {
    /// Sources, by index: `s0`, `s1`…
    pub sources: Vec<Source>,
    /// Parameters, by index: `p0`, `p1`…
    pub params: Vec<u32>,
    /// Code files, by index: `code/c0.sh`…
    pub code: Vec<Code>,
    /// Nodes, by index: `n0`, `n1`…
    pub nodes: Vec<Node>,
    /// Files that no definition mentions.
    pub extra: Extra,
}

/// What a source is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A file.
    File,
    /// A directory.
    Directory,
    /// The files that a pattern matches.
    Pattern,
}

/// A source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// What it is.
    pub kind: Kind,
    /// What it holds.
    pub value: u32,
    /// Of a pattern: how many files match beside the first.
    pub more: u32,
    /// Of a pattern: what a file beside them holds that does not match. It concerns nobody.
    pub beside: u32,
}

/// Code: what it adds to the value of the nodes that execute it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Code {
    /// Declared by a pattern, else by name.
    pub pattern: bool,
    /// Enters the value.
    pub salt: u32,
    /// Stands in the file and changes nothing: an edit to it is cut off.
    pub comment: u32,
    /// Nodes with this code write their outputs and then fail.
    pub fails: bool,
    /// Where a pattern declares it: whether there is a second file, which adds to the salt.
    pub second: bool,
}

impl Code {
    /// What it adds to a value.
    pub fn adds(&self) -> u32 {
        self.salt + if self.has_second() { 5 } else { 0 }
    }

    /// Whether there is a second file that matches the pattern.
    pub fn has_second(&self) -> bool {
        self.pattern && self.second
    }
}

/// `cache` of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cache {
    /// Not said: kept where there are outputs.
    Default,
    /// `true`
    Yes,
    /// `false`: executes each time, and only on request.
    No,
}

/// A node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Whether it stands in the definition; what would read it reads the rest.
    pub present: bool,
    /// What it reads, by raw index; see [`Pipeline::inputs`].
    pub inputs: Vec<u32>,
    /// Nodes that come first, by raw index; see [`Pipeline::after`].
    pub after: Vec<u32>,
    /// A parameter that it declares, by raw index.
    pub param: Option<u32>,
    /// Code that it declares, by raw index.
    pub code: Option<u32>,
    /// A hashed variable.
    pub env: u32,
    /// Number of matrix values; 0 is no matrix.
    pub matrix: u32,
    /// What it makes.
    pub outputs: Vec<Shape>,
    /// Whether its outcome is kept.
    pub cache: Cache,
    /// It reads its inputs and makes nothing of them.
    pub deaf: bool,
    /// It fails on some values.
    pub touchy: bool,
    /// What it reads without saying so.
    pub undeclared: Vec<Undeclared>,
}

impl Node {
    /// Whether its outcome may be kept and reused.
    pub fn is_cached(&self) -> bool {
        match self.cache {
            Cache::Default => !self.outputs.is_empty(),
            Cache::Yes => true,
            Cache::No => false,
        }
    }
}

/// What an output is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// A directory, else a file.
    pub directory: bool,
    /// `keep = "run"`.
    pub ephemeral: bool,
    /// Holds the parity of the value only, so that many edits are cut off.
    pub blunt: bool,
}

/// Files that no definition mentions, in `extra/`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Extra {
    /// `e0`, `e1`…: what they hold, where they are there.
    pub files: Vec<Option<u32>>,
    /// `l0`, `l1`…: symbolic links to one of the files, by raw index.
    pub links: Vec<u32>,
    /// `w0`, `w1`…: each names one of the files, by raw index.
    pub pointers: Vec<u32>,
    /// `d/m0`, `d/m1`…: whether they are there. `d/m9` always is.
    pub members: Vec<bool>,
}

impl Extra {
    /// The index of a file and what it holds.
    pub fn file(&self, raw: u32) -> Option<(usize, Option<u32>)> {
        let index = (raw as usize).checked_rem(self.files.len())?;
        Some((index, self.files[index]))
    }

    /// The index of a link and the raw index of the file that it leads to.
    pub fn link(&self, raw: u32) -> Option<(usize, u32)> {
        let index = (raw as usize).checked_rem(self.links.len())?;
        Some((index, self.links[index]))
    }

    /// The index of a pointer and the raw index of the file that it names.
    pub fn pointer(&self, raw: u32) -> Option<(usize, u32)> {
        let index = (raw as usize).checked_rem(self.pointers.len())?;
        Some((index, self.pointers[index]))
    }

    /// The numbers of the members of `d`, sorted.
    pub fn listing(&self) -> Vec<u32> {
        let there = self.members.iter().enumerate().filter(|(_, there)| **there);
        there.map(|(index, _)| index as u32).chain([9]).collect()
    }
}

/// A read that the definition does not mention. A path that is absent has a value of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Undeclared {
    /// A file's content, by raw index.
    Read(u32),
    /// Whether a file is there.
    Probe(u32),
    /// The names in a directory.
    List,
    /// The content behind a link.
    Through(u32),
    /// The content of the file that another file names.
    Chase(u32),
    /// As [`Undeclared::Read`], by a process that a process started.
    Deep(u32),
    /// The content of an output of a node that this one only comes after, by raw index; see
    /// [`Pipeline::overheard`].
    Overhear(u32),
}

/// What a node reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Input {
    /// A source.
    Source(usize),
    /// Every instance of an output of an earlier node.
    Output(usize, usize),
}

/// A node with its matrix value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Instance {
    /// The node.
    pub node: usize,
    /// Its matrix value, if it has a matrix.
    pub value: Option<u32>,
}

impl Instance {
    /// `n3`, or `n3[1]`.
    pub fn name(self) -> String {
        match self.value {
            Some(value) => format!("n{}[{value}]", self.node),
            None => format!("n{}", self.node),
        }
    }

    /// Where an output of it lies, without a trailing slash.
    pub fn path(self, output: usize) -> String {
        match self.value {
            Some(value) => format!("out/n{}o{output}.d/{value}", self.node),
            None => format!("out/n{}o{output}", self.node),
        }
    }
}

impl Pipeline {
    /// What a node reads: its raw indices resolved, absent nodes left out, each once, in order.
    pub fn inputs(&self, node: usize) -> Vec<Input> {
        let mut choices: Vec<Input> = (0..self.sources.len()).map(Input::Source).collect();
        for (index, earlier) in self.nodes[..node].iter().enumerate() {
            choices.extend((0..earlier.outputs.len()).map(|output| Input::Output(index, output)));
        }
        let mut inputs = Vec::new();
        for &raw in &self.nodes[node].inputs {
            let Some(&input) = pick(&choices, raw) else {
                continue;
            };
            let present = match input {
                Input::Source(_) => true,
                Input::Output(node, _) => self.nodes[node].present,
            };
            if present && !inputs.contains(&input) {
                inputs.push(input);
            }
        }
        inputs
    }

    /// The nodes that come before a node without giving it data: earlier ones that are present, each once.
    pub fn after(&self, node: usize) -> Vec<usize> {
        let raw = self.nodes[node].after.iter();
        let mut after: Vec<usize> = raw
            .filter_map(|&raw| (raw as usize).checked_rem(node))
            .filter(|&earlier| self.nodes[earlier].present)
            .collect();
        after.sort_unstable();
        after.dedup();
        after
    }

    /// The output that an [`Undeclared::Overhear`] reads: a file of a node without a matrix that this one
    /// comes after, and that it does not declare as an input.
    pub fn overheard(&self, node: usize, raw: u32) -> Option<(usize, usize)> {
        let inputs = self.inputs(node);
        let mut choices = Vec::new();
        for earlier in self.after(node) {
            let it = &self.nodes[earlier];
            let files = (0..it.outputs.len()).filter(|&at| !it.outputs[at].directory);
            choices.extend(
                files
                    .filter(|&at| it.matrix == 0 && !inputs.contains(&Input::Output(earlier, at)))
                    .map(|at| (earlier, at)),
            );
        }
        pick(&choices, raw).copied()
    }

    /// What a node reads, whether it says so or not; undeclared files aside.
    pub fn used(&self, node: usize) -> Vec<Input> {
        let overheard = self.nodes[node].undeclared.iter().filter_map(|&what| {
            let Undeclared::Overhear(raw) = what else {
                return None;
            };
            let (earlier, output) = self.overheard(node, raw)?;
            Some(Input::Output(earlier, output))
        });
        self.inputs(node).into_iter().chain(overheard).collect()
    }

    /// Every node that comes before a node, for its data or for the order, each once.
    pub fn before(&self, node: usize) -> Vec<usize> {
        let mut before = self.after(node);
        before.extend(self.inputs(node).iter().filter_map(|input| match input {
            Input::Output(earlier, _) => Some(*earlier),
            Input::Source(_) => None,
        }));
        before.sort_unstable();
        before.dedup();
        before
    }

    /// The code that a node declares.
    pub fn code_of(&self, node: usize) -> Option<usize> {
        (self.nodes[node].code? as usize).checked_rem(self.code.len())
    }

    /// The parameter that a node declares.
    pub fn param_of(&self, node: usize) -> Option<usize> {
        (self.nodes[node].param? as usize).checked_rem(self.params.len())
    }

    /// Every instance of every present node, in definition order.
    pub fn instances(&self) -> Vec<Instance> {
        let present = (0..self.nodes.len()).filter(|&node| self.nodes[node].present);
        present.flat_map(|node| self.instances_of(node)).collect()
    }

    /// The instances of one node, in matrix order.
    pub fn instances_of(&self, node: usize) -> Vec<Instance> {
        match self.nodes[node].matrix {
            0 => vec![Instance { node, value: None }],
            count => (0..count)
                .map(|value| Instance {
                    node,
                    value: Some(value),
                })
                .collect(),
        }
    }

    /// Whether a node is itself asked for; no targets ask for all but those of `cache = false`.
    pub fn is_target(&self, targets: &[usize], node: usize) -> bool {
        let it = &self.nodes[node];
        it.present
            && if targets.is_empty() {
                it.cache != Cache::No
            } else {
                targets.contains(&node)
            }
    }

    /// The nodes that are asked for, with all that come before them.
    pub fn selected(&self, targets: &[usize]) -> Vec<bool> {
        let mut selected = vec![false; self.nodes.len()];
        for node in (0..self.nodes.len()).rev() {
            selected[node] |= self.is_target(targets, node);
            if selected[node] {
                for earlier in self.before(node) {
                    selected[earlier] = true;
                }
            }
        }
        selected
    }
}

/// The element that a raw index means.
pub fn pick<T>(choices: &[T], raw: u32) -> Option<&T> {
    choices.get((raw as usize).checked_rem(choices.len())?)
}
