//! Pipelines small enough to be evaluated naively: sources, parameters, code files and nodes of numbers.
//!
//! Every reference is an index that is taken modulo what there is, so that any list of numbers is a valid
//! pipeline and shrinking cannot make an invalid one. A node refers only to nodes before it.

/// A pipeline and everything that it reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pipeline {
    /// Sources, by index: `s0`, `s1`…
    pub sources: Vec<Source>,
    /// Parameters, by index: `p0`, `p1`…
    pub params: Vec<u32>,
    /// Code files, by index: `code/c0.sh`…
    pub code: Vec<Code>,
    /// Nodes, by index: `n0`, `n1`…
    pub nodes: Vec<Node>,
}

/// A source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// A directory, else a file.
    pub directory: bool,
    /// What it holds.
    pub value: u32,
}

/// A code file: what it adds to the value of the nodes that execute it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Code {
    /// Enters the value.
    pub salt: u32,
    /// Stands in the file and changes nothing: an edit to it is cut off.
    pub comment: u32,
    /// Nodes with this code write their outputs and then fail.
    pub fails: bool,
}

/// A node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Whether it stands in the definition; what would read it reads the rest.
    pub present: bool,
    /// What it reads, by raw index; see [`Pipeline::inputs`].
    pub inputs: Vec<u32>,
    /// A parameter that it declares, by raw index.
    pub param: Option<u32>,
    /// A code file that it declares, by raw index.
    pub code: Option<u32>,
    /// A hashed variable.
    pub env: u32,
    /// Number of matrix values; 0 is no matrix.
    pub matrix: u32,
    /// What it makes.
    pub outputs: Vec<Shape>,
    /// `cache = true`, which matters where there are no outputs.
    pub cached: bool,
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

    /// The code file that a node declares.
    pub fn code_of(&self, node: usize) -> Option<usize> {
        self.nodes[node]
            .code
            .filter(|_| !self.code.is_empty())
            .map(|raw| raw as usize % self.code.len())
    }

    /// The parameter that a node declares.
    pub fn param_of(&self, node: usize) -> Option<usize> {
        self.nodes[node]
            .param
            .filter(|_| !self.params.is_empty())
            .map(|raw| raw as usize % self.params.len())
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

    /// The nodes that are asked for, with all that they need.
    pub fn selected(&self, targets: &[usize]) -> Vec<bool> {
        let mut selected = vec![false; self.nodes.len()];
        for node in (0..self.nodes.len()).rev() {
            selected[node] |=
                self.nodes[node].present && (targets.is_empty() || targets.contains(&node));
            if selected[node] {
                for input in self.inputs(node) {
                    if let Input::Output(earlier, _) = input {
                        selected[earlier] = true;
                    }
                }
            }
        }
        selected
    }
}

/// The element that a raw index means.
pub fn pick<T>(choices: &[T], raw: u32) -> Option<&T> {
    if choices.is_empty() {
        None
    } else {
        choices.get(raw as usize % choices.len())
    }
}
