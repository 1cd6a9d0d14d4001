//! Graphs and plans for the tests of drawings: from a definition's text, with names that no definition allows.

use std::collections::BTreeMap;

use jalon_conf::{Layer, Request, Text};

use super::plan::{PlanReport, PlannedNode};
use crate::graph::Graph;
use crate::verdict::{Reason, Verdict};

/// A name with everything that some format takes for its own.
pub const NASTY: &str = "a\"b\\N<i>&amp;\n%%{init}%%#é😀]; end --> x";

/// The graph of a definition.
pub fn graph(text: &str) -> Graph {
    let request = Request {
        env: "local".into(),
        set: Vec::new(),
        version: "0.1.0".into(),
    };
    let text = Text {
        file: "jalon.toml".into(),
        text: text.into(),
        layer: Layer::Project,
    };
    let lowered = jalon_conf::parse(vec![text], &request).lower(Vec::new());
    let why = format!("{:?}", lowered.diagnostics);
    Graph::new(lowered.pipeline.expect(&why)).expect("no cycle")
}

/// `load`, so many instances of `fit`, `join` of them all, `tell` after `load` without data.
pub fn fan(width: usize) -> Graph {
    let seeds: Vec<String> = (0..width).map(|seed| seed.to_string()).collect();
    graph(&format!(
        "[source]\nraw = 'raw.csv'\n\
         [node.load]\ncmd = 'x'\nin = ['raw']\nout = {{ rows = 'rows.csv' }}\n\
         [node.fit]\nmatrix = {{ seed = [{}] }}\ncmd = 'x'\nin = ['rows']\nout = {{ model = 'm/{{{{matrix}}}}' }}\n\
         [node.join]\ncmd = 'x'\nin = ['model[*]', 'rows']\nout = {{ best = 'best' }}\n\
         [node.tell]\ncmd = 'x'\nafter = ['load']\nout = {{ told = 'told' }}\n",
        seeds.join(", ")
    ))
}

/// A node called [`NASTY`] that makes an artifact of that name for another.
pub fn nasty() -> Graph {
    let plain = graph(
        "[node.a]\ncmd = 'x'\nout = { b = 'b' }\n[node.c]\ncmd = 'x'\nin = ['b']\nout = { d = 'd' }\n",
    );
    let mut pipeline = plain.pipeline().clone();
    pipeline.nodes[0].name.base = NASTY.into();
    let made = pipeline.nodes[0].outputs[0].artifact.0 as usize;
    pipeline.artifacts[made].name.base = NASTY.into();
    Graph::new(pipeline).expect("no cycle")
}

/// A plan of it in which each node has the verdict that its name gets; what runs does so because of [`NASTY`].
pub fn plan(graph: &Graph, verdict: impl Fn(&str) -> Verdict) -> PlanReport {
    let nodes = graph.pipeline().nodes.iter().map(|node| {
        let name = node.name.to_string();
        let verdict = verdict(&name);
        PlannedNode {
            verdict,
            key: None,
            reason: (verdict == Verdict::Run).then(|| Reason::word(Reason::UPSTREAM, NASTY)),
            outputs: BTreeMap::new(),
            expected_seconds: None,
            name,
        }
    });
    PlanReport {
        project: "sketch".into(),
        env: "local".into(),
        targets: Vec::new(),
        nodes: nodes.collect(),
        notices: Vec::new(),
    }
}
