//! The machine against naive rules: Kedro's only-missing-outputs, and a world of cached functions.

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;

use jalon_conf::pipeline::{ArtifactId, Keep, NodeId};
use proptest::prelude::*;

mod model;

use self::model::World;
use super::*;

/// One node of a test graph: what it reads (by node and output), and what it makes.
#[derive(Debug, Clone)]
struct Sketch {
    reads: Vec<(usize, usize)>,
    /// Each output: kept or ephemeral.
    makes: Vec<bool>,
    after: Vec<usize>,
}

fn graph(nodes: &[Sketch]) -> Graph {
    let mut text = String::from("[source]\nseed = \"seed\"\n");
    for (at, node) in nodes.iter().enumerate() {
        let reads: Vec<String> = node
            .reads
            .iter()
            .map(|(from, output)| format!("\"a{from}_{output}\""))
            .collect();
        let reads = if reads.is_empty() {
            "\"seed\"".to_owned()
        } else {
            reads.join(", ")
        };
        let after: Vec<String> = node
            .after
            .iter()
            .map(|before| format!("\"n{before}\""))
            .collect();
        let _ = writeln!(
            text,
            "[node.n{at}]\ncmd = [\"run\"]\nin = [{reads}]\nafter = [{}]",
            after.join(", ")
        );
        if !node.makes.is_empty() {
            let _ = writeln!(text, "[node.n{at}.out]");
        }
        for (output, kept) in node.makes.iter().enumerate() {
            let keep = if *kept { "store" } else { "run" };
            let _ = writeln!(
                text,
                "a{at}_{output} = {{ path = \"out/{at}_{output}\", keep = \"{keep}\" }}"
            );
        }
    }
    let definition = jalon_conf::Text {
        file: "jalon.toml".into(),
        text: text.clone(),
        layer: jalon_conf::Layer::Project,
    };
    let request = jalon_conf::Request {
        env: "local".into(),
        set: Vec::new(),
        version: "0.1.0".into(),
    };
    let lowered = jalon_conf::parse(vec![definition], &request).lower(Vec::new());
    let pipeline = lowered
        .pipeline
        .unwrap_or_else(|| panic!("{:?}\n{text}", lowered.diagnostics));
    Graph::new(pipeline).expect("made without cycles")
}

fn seeds(graph: &Graph) -> Vec<Option<u64>> {
    graph
        .pipeline()
        .artifacts
        .iter()
        .map(|artifact| artifact.producer.is_none().then_some(1))
        .collect()
}

/// Constant keys: every outcome is known, and only bytes may be missing. `exists` is by artifact.
fn runs_with_constant_keys(graph: &Graph, exists: &HashSet<ArtifactId>) -> HashSet<NodeId> {
    let mut there = exists.clone();
    let mut ran = HashSet::new();
    let mut schedule = Schedule::new(graph, &vec![Stance::Open; graph.len()], seeds(graph));
    while let Some(step) = schedule.next(1, |_| true) {
        match step {
            Step::Judge(node) if graph.node(node).outputs.is_empty() => {
                let gone: Vec<_> = graph
                    .reads(node)
                    .filter(|read| is_gone(graph, &there, *read))
                    .collect();
                schedule.must_run(node, &gone);
            }
            Step::Judge(node) => {
                schedule.hit(
                    node,
                    graph.makes(node).map(|made| u64::from(made.0)).collect(),
                );
                let lost = |made: &ArtifactId| {
                    graph.artifact(*made).keep == Keep::Store && !there.contains(made)
                };
                if graph.makes(node).any(|made| lost(&made)) {
                    schedule.remake(node);
                }
            }
            Step::Start(node) => {
                let gone: Vec<_> = graph
                    .reads(node)
                    .filter(|read| is_gone(graph, &there, *read))
                    .collect();
                if gone.is_empty() {
                    assert!(ran.insert(node), "{} ran twice", graph.node(node).name);
                    there.extend(graph.makes(node));
                    schedule.ran(
                        node,
                        graph.makes(node).map(|made| u64::from(made.0)).collect(),
                    );
                } else {
                    assert_eq!(schedule.missing(node, &gone), None);
                }
            }
        }
    }
    ran
}

fn is_gone(graph: &Graph, there: &HashSet<ArtifactId>, artifact: ArtifactId) -> bool {
    graph.artifact(artifact).producer.is_some() && !there.contains(&artifact)
}

/// The flag as Kedro documents it: from the last node to the first, a node runs if it has no outputs, if a
/// persistent output of it does not exist, or if a node that runs reads an output of it that is ephemeral or missing.
fn kedros_rule(graph: &Graph, exists: &HashSet<ArtifactId>) -> HashSet<NodeId> {
    let mut runs: HashSet<NodeId> = HashSet::new();
    for &node in graph.order().iter().rev() {
        let outputs: Vec<ArtifactId> = graph.makes(node).collect();
        let missing =
            |made: &ArtifactId| graph.artifact(*made).keep == Keep::Store && !exists.contains(made);
        let needed = |made: &ArtifactId| {
            let unavailable = graph.artifact(*made).keep == Keep::Run || !exists.contains(made);
            unavailable
                && graph.after(node).any(|(next, _)| {
                    runs.contains(&next) && graph.reads(next).any(|read| read == *made)
                })
        };
        if outputs.is_empty() || outputs.iter().any(missing) || outputs.iter().any(needed) {
            runs.insert(node);
        }
    }
    runs
}

/// `chain` etc. are written as (reads, makes); a made output is `+` kept and there, `-` kept and missing, `~` ephemeral.
fn case(nodes: &[(&[(usize, usize)], &str)]) -> (Graph, HashSet<ArtifactId>) {
    let sketches: Vec<Sketch> = nodes
        .iter()
        .map(|(reads, makes)| Sketch {
            reads: reads.to_vec(),
            makes: makes.chars().map(|how| how != '~').collect(),
            after: Vec::new(),
        })
        .collect();
    let graph = graph(&sketches);
    let mut exists = HashSet::new();
    for (at, (_, makes)) in nodes.iter().enumerate() {
        let made = graph.makes(NodeId(at as u32)).zip(makes.chars());
        exists.extend(
            made.filter(|(_, how)| *how == '+')
                .map(|(artifact, _)| artifact),
        );
    }
    (graph, exists)
}

#[test]
fn kedros_cases_of_only_missing_outputs() {
    type Nodes = &'static [(&'static [(usize, usize)], &'static str)];
    let cases: &[(&str, Nodes, &[usize])] = &[
        ("all outputs missing", &[(&[], "-")], &[0]),
        (
            "the final output exists",
            &[(&[], "~"), (&[(0, 0)], "+")],
            &[],
        ),
        (
            "the final output is missing behind an ephemeral one",
            &[(&[], "~"), (&[(0, 0)], "-")],
            &[0, 1],
        ),
        (
            "a persistent intermediate exists",
            &[(&[], "+"), (&[(0, 0)], "-")],
            &[1],
        ),
        (
            "two chains, both intermediates exist",
            &[(&[], "+"), (&[(0, 0)], "-"), (&[], "+"), (&[(2, 0)], "-")],
            &[1, 3],
        ),
        (
            "three branches, one of them whole",
            &[
                (&[], "~"),
                (&[(0, 0)], "+"),
                (&[], "~"),
                (&[(2, 0)], "-"),
                (&[], "~"),
                (&[(4, 0)], "-"),
            ],
            &[2, 3, 4, 5],
        ),
        (
            "what only a skipped node reads is not made",
            &[(&[], "~"), (&[], "~"), (&[(0, 0), (1, 0)], "+")],
            &[],
        ),
        ("a factory's output is missing", &[(&[], "-")], &[0]),
        (
            "a diamond of ephemerals",
            &[
                (&[], "~"),
                (&[(0, 0)], "~"),
                (&[(0, 0)], "~"),
                (&[(1, 0), (2, 0)], "-"),
            ],
            &[0, 1, 2, 3],
        ),
        (
            "an ephemeral output alone is not missing",
            &[(&[], "~")],
            &[],
        ),
        (
            "a persistent output that exists is not missing",
            &[(&[], "+")],
            &[],
        ),
        ("an undefined output is ephemeral", &[(&[], "~")], &[]),
        ("one output ephemeral, one missing", &[(&[], "~-")], &[0]),
        ("one output ephemeral, one there", &[(&[], "~+")], &[]),
        (
            "a node without outputs runs",
            &[(&[], "+"), (&[(0, 0)], ""), (&[(0, 0)], "+")],
            &[1],
        ),
        (
            "an ephemeral intermediate is needed by what is missing",
            &[(&[], "~"), (&[(0, 0)], "-")],
            &[0, 1],
        ),
        (
            "nodes without outputs among others",
            &[
                (&[], "+"),
                (&[(0, 0)], ""),
                (&[(0, 0)], "+"),
                (&[(2, 0)], ""),
                (&[(2, 0)], "+"),
            ],
            &[1, 3],
        ),
        (
            "a node without outputs pulls its ephemeral input",
            &[(&[], "~"), (&[(0, 0)], "")],
            &[0, 1],
        ),
        (
            "a missing intermediate is remade even where the end exists",
            &[(&[], "-"), (&[(0, 0)], "+")],
            &[0],
        ),
        (
            "need goes through a chain of ephemerals",
            &[
                (&[], "+"),
                (&[(0, 0)], "~"),
                (&[(1, 0)], "~"),
                (&[(2, 0)], "-"),
            ],
            &[1, 2, 3],
        ),
    ];
    for (name, nodes, expected) in cases {
        let (graph, exists) = case(nodes);
        let expected: HashSet<NodeId> = expected.iter().map(|&at| NodeId(at as u32)).collect();
        assert_eq!(kedros_rule(&graph, &exists), expected, "the rule: {name}");
        assert_eq!(runs_with_constant_keys(&graph, &exists), expected, "{name}");
    }
}

fn sketches() -> impl Strategy<Value = Vec<Sketch>> {
    let node = (
        prop::collection::vec(
            (any::<prop::sample::Index>(), any::<prop::sample::Index>()),
            0..4,
        ),
        prop::collection::vec(prop::bool::weighted(0.6), 0..3),
        prop::collection::vec(any::<prop::sample::Index>(), 0..2),
    );
    prop::collection::vec(node, 1..10).prop_map(|raw| {
        let mut nodes: Vec<Sketch> = Vec::new();
        for (reads, makes, after) in raw {
            let before = nodes.len();
            let mut reads: Vec<(usize, usize)> = reads
                .iter()
                .filter(|_| before > 0)
                .map(|(from, output)| (from.index(before), output))
                .filter(|(from, _)| !nodes[*from].makes.is_empty())
                .map(|(from, output)| (from, output.index(nodes[from].makes.len())))
                .collect();
            reads.sort_unstable();
            reads.dedup();
            let mut after: Vec<usize> = after
                .iter()
                .filter(|_| before > 0)
                .map(|index| index.index(before))
                .collect();
            after.sort_unstable();
            after.dedup();
            nodes.push(Sketch {
                reads,
                makes,
                after,
            });
        }
        nodes
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn constant_keys_give_kedros_rule(nodes in sketches(), there in prop::collection::vec(any::<bool>(), 40)) {
        // Order without data is nothing that Kedro has.
        let nodes: Vec<Sketch> = nodes.into_iter().map(|node| Sketch { after: Vec::new(), ..node }).collect();
        let graph = graph(&nodes);
        let kept = |id: &ArtifactId| {
            let artifact = graph.artifact(*id);
            artifact.producer.is_some() && artifact.keep == Keep::Store && there[id.0 as usize]
        };
        let exists: HashSet<ArtifactId> = (0..graph.pipeline().artifacts.len() as u32).map(ArtifactId).filter(kept).collect();
        prop_assert_eq!(runs_with_constant_keys(&graph, &exists), kedros_rule(&graph, &exists));
    }

    #[test]
    fn incremental_equals_clean_and_nothing_runs_twice(
        nodes in sketches(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0u64..3, prop::collection::vec(any::<bool>(), 40)), 1..6),
        fickle in prop::collection::vec(prop::bool::weighted(0.1), 10),
        slots in 1u32..4,
        picks in prop::collection::vec(any::<prop::sample::Index>(), 64),
        may_hold in prop::collection::vec(any::<bool>(), 10),
        pick_targets in prop::collection::vec(prop::bool::weighted(0.8), 10),
    ) {
        let graph = graph(&nodes);
        let count = graph.len();
        let mut world = World {
            graph: &graph,
            code: vec![0; count],
            known: HashMap::new(),
            bytes: HashSet::new(),
            fickle: fickle[..count].to_vec(),
            clock: 0,
            executed: Vec::new(),
        };
        let targets = (0..count).filter(|at| pick_targets[*at]).map(|at| (jalon_conf::Selector::parse(&format!("n{at}")).unwrap(), None));
        let selected = graph.select(targets).unwrap().selected;
        let deterministic = !world.fickle.contains(&true);
        for (which, version, lost) in edits {
            world.code[which.index(count)] = version;
            // Some bytes are lost, others were never kept.
            world.bytes.retain(|(artifact, value)| {
                graph.artifact(*artifact).keep == Keep::Store && !lost[(artifact.0 as usize * 7 + *value as usize) % 40]
            });
            let before: HashSet<_> = world.known.keys().cloned().collect();
            let had = world.bytes.clone();
            let mut at = 0;
            let values = world.run_held(&selected, &may_hold[..count], slots, &mut |running| { at += 1; picks[at % 64].index(running) });
            let executed = world.executed.clone();
            if deterministic {
                let distinct: HashSet<_> = executed.iter().collect();
                prop_assert_eq!(distinct.len(), executed.len(), "an action ran twice in one run");
                for key in &executed {
                    let node = graph.node(key.0);
                    let available = before.contains(key)
                        && !node.outputs.is_empty()
                        && graph.makes(key.0).zip(&world.known[key]).all(|(made, value)| had.contains(&(made, *value)));
                    prop_assert!(!available, "{} ran although its outcome was there", node.name);
                }
                // The same from nothing.
                let mut clean = World {
                    graph: &graph,
                    code: world.code.clone(),
                    known: HashMap::new(),
                    bytes: HashSet::new(),
                    fickle: vec![false; count],
                    clock: 0,
                    executed: Vec::new(),
                };
                prop_assert_eq!(values, clean.run(&selected, 1, |_| 0));
            }
        }
    }
}
