//! The pipeline as a graph: who needs whom, in which order, and which nodes a target selects.
//!
//! Built once from a validated [`Pipeline`]. Knows nothing of keys, bytes or runs.

use jalon_conf::diagnostic::Location;
use jalon_conf::name::Selector;
use jalon_conf::pipeline::{Artifact, ArtifactId, Cache, Node, NodeId, Pipeline};
use petgraph::Direction;
use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::visit::{Dfs, EdgeRef, Reversed};
use rustc_hash::FxHashMap;

/// Why one node must come before another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edge {
    /// It reads an output of the other.
    Data,
    /// `after`: order without data.
    Order,
}

/// A pipeline with its edges.
#[derive(Debug)]
pub struct Graph {
    pipeline: Pipeline,
    edges: DiGraph<NodeId, Edge>,
    order: Vec<NodeId>,
    depth: Vec<u32>,
    nodes_by_name: FxHashMap<String, Vec<NodeId>>,
    artifacts_by_name: FxHashMap<String, Vec<ArtifactId>>,
}

/// What a set of targets comes to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// By node: a target itself, or an ancestor of one.
    pub selected: Vec<bool>,
    /// By artifact: its bytes are asked for.
    pub wanted: Vec<bool>,
}

/// A target that nothing in the pipeline answers to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoMatch {
    /// As written.
    pub target: String,
    /// The nearest known name, if one is near.
    pub nearest: Option<String>,
    /// Where it was written, when that was in a file.
    pub at: Option<Location>,
}

impl Graph {
    /// Builds the graph.
    ///
    /// # Errors
    /// The names on a cycle, in order, if there is one (a front end reports it with its place before
    /// it comes to this).
    pub fn new(pipeline: Pipeline) -> Result<Graph, Vec<String>> {
        let mut edges = DiGraph::with_capacity(pipeline.nodes.len(), pipeline.nodes.len() * 2);
        for id in 0..pipeline.nodes.len() {
            edges.add_node(NodeId(id as u32));
        }
        let mut seen = rustc_hash::FxHashSet::default();
        for (to, node) in pipeline.nodes.iter().enumerate() {
            seen.clear();
            for input in node.inputs.iter().flat_map(|input| &input.artifacts) {
                if let Some(from) = pipeline.artifacts[input.0 as usize].producer
                    && seen.insert(from)
                {
                    edges.add_edge(index(from), NodeIndex::new(to), Edge::Data);
                }
            }
            for from in &node.after {
                if seen.insert(*from) {
                    edges.add_edge(index(*from), NodeIndex::new(to), Edge::Order);
                }
            }
        }
        let order = order(&edges).map_err(|cycle| {
            cycle
                .iter()
                .map(|n| pipeline.nodes[n.0 as usize].name.to_string())
                .collect::<Vec<_>>()
        })?;
        let mut depth = vec![0; pipeline.nodes.len()];
        for &node in &order {
            for before in edges.neighbors_directed(index(node), Direction::Incoming) {
                depth[node.0 as usize] = depth[node.0 as usize].max(depth[before.index()] + 1);
            }
        }
        let mut nodes_by_name: FxHashMap<String, Vec<NodeId>> = FxHashMap::default();
        for (id, node) in pipeline.nodes.iter().enumerate() {
            nodes_by_name
                .entry(node.name.base.clone())
                .or_default()
                .push(NodeId(id as u32));
        }
        let mut artifacts_by_name: FxHashMap<String, Vec<ArtifactId>> = FxHashMap::default();
        for (id, artifact) in pipeline.artifacts.iter().enumerate() {
            artifacts_by_name
                .entry(artifact.name.base.clone())
                .or_default()
                .push(ArtifactId(id as u32));
        }
        Ok(Graph {
            pipeline,
            edges,
            order,
            depth,
            nodes_by_name,
            artifacts_by_name,
        })
    }

    /// The pipeline it was built from.
    pub fn pipeline(&self) -> &Pipeline {
        &self.pipeline
    }

    /// A node by id.
    pub fn node(&self, id: NodeId) -> &Node {
        &self.pipeline.nodes[id.0 as usize]
    }

    /// An artifact by id.
    pub fn artifact(&self, id: ArtifactId) -> &Artifact {
        &self.pipeline.artifacts[id.0 as usize]
    }

    /// How many nodes there are.
    pub fn len(&self) -> usize {
        self.pipeline.nodes.len()
    }

    /// Whether there is no node at all.
    pub fn is_empty(&self) -> bool {
        self.pipeline.nodes.is_empty()
    }

    /// Every node, producers before consumers, otherwise in definition order.
    pub fn order(&self) -> &[NodeId] {
        &self.order
    }

    /// The length of the longest chain of nodes before this one.
    pub fn depth(&self, id: NodeId) -> u32 {
        self.depth[id.0 as usize]
    }

    /// The nodes that must come before, each once.
    pub fn before(&self, id: NodeId) -> impl Iterator<Item = (NodeId, Edge)> + '_ {
        self.edges
            .edges_directed(index(id), Direction::Incoming)
            .map(|edge| (NodeId(edge.source().index() as u32), *edge.weight()))
    }

    /// The nodes that wait for this one, each once.
    pub fn after(&self, id: NodeId) -> impl Iterator<Item = (NodeId, Edge)> + '_ {
        self.edges
            .edges_directed(index(id), Direction::Outgoing)
            .map(|edge| (NodeId(edge.target().index() as u32), *edge.weight()))
    }

    /// The artifacts a node reads, in declared order, fan-ins spelled out.
    pub fn reads(&self, id: NodeId) -> impl Iterator<Item = ArtifactId> + '_ {
        self.node(id)
            .inputs
            .iter()
            .flat_map(|input| input.artifacts.iter().copied())
    }

    /// The artifacts a node makes, in declared order.
    pub fn makes(&self, id: NodeId) -> impl Iterator<Item = ArtifactId> + '_ {
        self.node(id).outputs.iter().map(|output| output.artifact)
    }

    /// The node of that full name (`train[gbm,1]`).
    pub fn find(&self, name: &str) -> Option<NodeId> {
        let base = name.split('[').next().unwrap_or(name);
        self.nodes_by_name
            .get(name)
            .or_else(|| self.nodes_by_name.get(base))?
            .iter()
            .copied()
            .find(|&id| self.node(id).name.to_string() == name)
    }

    /// The artifact of that full name.
    pub fn find_artifact(&self, name: &str) -> Option<ArtifactId> {
        let base = name.split('[').next().unwrap_or(name);
        self.artifacts_by_name
            .get(name)
            .or_else(|| self.artifacts_by_name.get(base))?
            .iter()
            .copied()
            .find(|&id| self.artifact(id).name.to_string() == name)
    }

    /// The targets of a bare run: `default`, or every node that is not `cache = false`.
    ///
    /// # Errors
    /// An entry of `default` that matches nothing.
    pub fn default_selection(&self) -> Result<Selection, Vec<NoMatch>> {
        if let Some(default) = &self.pipeline.default {
            return self.select(
                default
                    .iter()
                    .map(|(selector, at)| (selector.clone(), Some(at.clone()))),
            );
        }
        let mut picked = Picked::new(self);
        for (id, node) in self.pipeline.nodes.iter().enumerate() {
            if node.cache != Cache::No {
                picked.node(NodeId(id as u32));
            }
        }
        Ok(picked.close())
    }

    /// The nodes that these targets need, and the artifacts asked for.
    ///
    /// # Errors
    /// Every target that matches nothing.
    pub fn select(
        &self,
        targets: impl IntoIterator<Item = (Selector, Option<Location>)>,
    ) -> Result<Selection, Vec<NoMatch>> {
        let mut picked = Picked::new(self);
        let mut missed = Vec::new();
        for (selector, at) in targets {
            if !picked.selector(&selector) {
                let target = selector.to_string();
                let nearest = self.nearest(&target);
                missed.push(NoMatch {
                    target,
                    nearest,
                    at,
                });
            }
        }
        if missed.is_empty() {
            Ok(picked.close())
        } else {
            Err(missed)
        }
    }

    /// The nodes a selector names, without their ancestors: for `--force`, `explain`, `check --repeat`.
    pub fn nodes_matching(&self, selector: &Selector) -> Vec<NodeId> {
        let mut picked = Picked::new(self);
        picked.selector(selector);
        (0..self.len() as u32)
            .map(NodeId)
            .filter(|id| picked.nodes[id.0 as usize])
            .collect()
    }

    /// The artifacts a selector names: an artifact by name or path, or all outputs of a node.
    pub fn artifacts_matching(&self, selector: &Selector) -> Vec<ArtifactId> {
        let mut picked = Picked::new(self);
        picked.selector(selector);
        (0..self.pipeline.artifacts.len() as u32)
            .map(ArtifactId)
            .filter(|id| picked.wanted[id.0 as usize])
            .collect()
    }

    fn nearest(&self, target: &str) -> Option<String> {
        let base = target.split('[').next().unwrap_or(target);
        let paths = self
            .pipeline
            .artifacts
            .iter()
            .map(|artifact| artifact.path.as_str());
        let tags = self.pipeline.nodes.iter().flat_map(|node| &node.tags);
        let candidates: Vec<String> = if let Some(tag) = target.strip_prefix("tag:") {
            let near = jalon_conf::nearest(tag, tags.map(String::as_str));
            return near.map(|tag| format!("tag:{tag}"));
        } else if target.contains('/') {
            paths.map(str::to_owned).collect()
        } else {
            let names = self
                .artifacts_by_name
                .keys()
                .chain(self.nodes_by_name.keys());
            names.cloned().collect()
        };
        jalon_conf::nearest(base, candidates.iter().map(String::as_str)).map(str::to_owned)
    }
}

/// Targets being gathered.
struct Picked<'g> {
    graph: &'g Graph,
    nodes: Vec<bool>,
    wanted: Vec<bool>,
}

impl<'g> Picked<'g> {
    fn new(graph: &'g Graph) -> Self {
        let artifacts = graph.pipeline.artifacts.len();
        Picked {
            graph,
            nodes: vec![false; graph.len()],
            wanted: vec![false; artifacts],
        }
    }

    fn node(&mut self, id: NodeId) {
        self.nodes[id.0 as usize] = true;
        for artifact in self.graph.makes(id) {
            self.wanted[artifact.0 as usize] = true;
        }
    }

    fn artifact(&mut self, id: ArtifactId) {
        self.wanted[id.0 as usize] = true;
        if let Some(producer) = self.graph.artifact(id).producer {
            self.nodes[producer.0 as usize] = true;
        }
    }

    /// An artifact of that name wins over a node of that name, except that both are meant where the
    /// node makes the artifact.
    fn selector(&mut self, selector: &Selector) -> bool {
        let graph = self.graph;
        match selector {
            Selector::Name { base, matches } => {
                let none = Vec::new();
                let artifacts = graph.artifacts_by_name.get(base).unwrap_or(&none);
                let mut found = false;
                for &id in artifacts
                    .iter()
                    .filter(|&&id| selector.matches(&graph.artifact(id).name))
                {
                    found = true;
                    self.artifact(id);
                }
                if found {
                    return true;
                }
                for &id in graph
                    .nodes_by_name
                    .get(base)
                    .map(Vec::as_slice)
                    .unwrap_or_default()
                {
                    if selector.matches(&graph.node(id).name) {
                        found = true;
                        self.node(id);
                    }
                }
                found || matches.is_none() && self.family(base)
            }
            Selector::Tag(tag) => {
                let mut found = false;
                for (id, node) in graph.pipeline.nodes.iter().enumerate() {
                    if node.tags.contains(tag) {
                        found = true;
                        self.node(NodeId(id as u32));
                    }
                }
                found
            }
            Selector::Path(path) => self.family(path) || self.path(path),
        }
    }

    /// The nodes whose names are of dvc.yaml's kind: `sub/dvc.yaml:train`, all `build@…` for `build`, or all
    /// of a file for its path.
    fn family(&mut self, name: &str) -> bool {
        let graph = self.graph;
        let mut found = false;
        for (id, node) in graph.pipeline.nodes.iter().enumerate() {
            let rest = node.name.base.strip_prefix(name);
            if rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['@', ':'])) {
                found = true;
                self.node(NodeId(id as u32));
            }
        }
        found
    }

    /// The artifact at that path, or the one whose directory it lies in, or all below that directory.
    fn path(&mut self, path: &str) -> bool {
        let path = path.trim_start_matches("./").trim_end_matches('/');
        let within = |inner: &str, outer: &str| {
            outer.is_empty()
                || inner == outer
                || inner
                    .strip_prefix(outer)
                    .is_some_and(|rest| rest.starts_with('/'))
        };
        let mut found = false;
        for (id, artifact) in self.graph.pipeline.artifacts.iter().enumerate() {
            if within(&artifact.path, path) || within(path, &artifact.path) {
                found = true;
                self.artifact(ArtifactId(id as u32));
            }
        }
        found
    }

    fn close(self) -> Selection {
        let mut selected = vec![false; self.graph.len()];
        let reversed = Reversed(&self.graph.edges);
        let mut walk = Dfs::empty(reversed);
        for (id, picked) in self.nodes.iter().enumerate() {
            if *picked {
                walk.move_to(NodeIndex::new(id));
                while let Some(node) = walk.next(reversed) {
                    selected[node.index()] = true;
                }
            }
        }
        Selection {
            selected,
            wanted: self.wanted,
        }
    }
}

fn index(node: NodeId) -> NodeIndex {
    NodeIndex::new(node.0 as usize)
}

/// Kahn's order, smallest id first, so that screens follow the definition.
fn order(edges: &DiGraph<NodeId, Edge>) -> Result<Vec<NodeId>, Vec<NodeId>> {
    let mut waiting: Vec<usize> = edges
        .node_indices()
        .map(|node| edges.neighbors_directed(node, Direction::Incoming).count())
        .collect();
    let mut ready: std::collections::BinaryHeap<std::cmp::Reverse<u32>> = (0..waiting.len() as u32)
        .filter(|&node| waiting[node as usize] == 0)
        .map(std::cmp::Reverse)
        .collect();
    let mut order = Vec::with_capacity(waiting.len());
    while let Some(std::cmp::Reverse(node)) = ready.pop() {
        order.push(NodeId(node));
        for next in edges.neighbors_directed(NodeIndex::new(node as usize), Direction::Outgoing) {
            waiting[next.index()] -= 1;
            if waiting[next.index()] == 0 {
                ready.push(std::cmp::Reverse(next.index() as u32));
            }
        }
    }
    if order.len() == waiting.len() {
        return Ok(order);
    }
    // Every node left has a predecessor that is left: walking back must meet itself.
    let start = waiting.iter().position(|&count| count > 0).unwrap_or(0);
    let mut path = vec![start];
    loop {
        let last = path[path.len() - 1];
        let before = edges
            .neighbors_directed(NodeIndex::new(last), Direction::Incoming)
            .map(NodeIndex::index)
            .find(|&node| waiting[node] > 0)
            .unwrap_or(last);
        if let Some(from) = path.iter().position(|&node| node == before) {
            let mut cycle: Vec<NodeId> = path[from..]
                .iter()
                .map(|&node| NodeId(node as u32))
                .collect();
            cycle.reverse();
            return Err(cycle);
        }
        path.push(before);
    }
}
