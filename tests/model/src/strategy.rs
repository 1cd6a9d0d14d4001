//! Random pipelines and edits. Values come from small ranges, so that what was before comes again.

use proptest::collection::vec;
use proptest::prelude::*;

use crate::edit::Edit;
use crate::pipeline::{Code, Node, Pipeline, Shape, Source};
use crate::scenario::{Scenario, Step};

/// A pipeline of up to so many nodes, with up to so many steps.
pub fn scenario(nodes: usize, steps: usize) -> impl Strategy<Value = Scenario> {
    (pipeline(nodes), vec(step(), 1..=steps)).prop_map(|(pipeline, mut steps)| {
        // First everything, then what the steps say.
        steps.insert(
            0,
            Step {
                edits: Vec::new(),
                targets: Vec::new(),
            },
        );
        Scenario { pipeline, steps }
    })
}

/// A pipeline of up to so many nodes.
pub fn pipeline(nodes: usize) -> impl Strategy<Value = Pipeline> {
    let source =
        (any::<bool>(), 0..4u32).prop_map(|(directory, value)| Source { directory, value });
    let code = (0..3u32).prop_map(|salt| Code {
        salt,
        comment: 0,
        fails: false,
    });
    (
        vec(source, 1..3),
        vec(0..4u32, 1..4),
        vec(code, 1..4),
        vec(node(), 1..=nodes),
    )
        .prop_map(|(sources, params, code, nodes)| Pipeline {
            sources,
            params,
            code,
            nodes,
        })
}

fn node() -> impl Strategy<Value = Node> {
    let maybe = || proptest::option::weighted(0.6, 0..8u32);
    let matrix = prop_oneof![3 => Just(0u32), 1 => 1..4u32];
    let outputs = prop_oneof![1 => Just(0usize), 6 => Just(1), 2 => Just(2), 1 => Just(3)];
    (
        vec(0..32u32, 0..4),
        maybe(),
        maybe(),
        matrix,
        outputs.prop_flat_map(|count| vec(shape(), count)),
        any::<bool>(),
    )
        .prop_map(|(inputs, param, code, matrix, outputs, cached)| Node {
            present: true,
            inputs,
            param,
            code,
            env: 0,
            matrix,
            outputs,
            cached,
        })
}

fn shape() -> impl Strategy<Value = Shape> {
    (
        proptest::bool::weighted(0.25),
        proptest::bool::weighted(0.25),
        proptest::bool::weighted(0.3),
    )
        .prop_map(|(directory, ephemeral, blunt)| Shape {
            directory,
            ephemeral,
            blunt,
        })
}

fn step() -> impl Strategy<Value = Step> {
    let targets = prop_oneof![3 => Just(Vec::new()), 1 => vec(0..8u32, 1..3)];
    (vec(edit(), 0..3), targets).prop_map(|(edits, targets)| Step { edits, targets })
}

fn edit() -> impl Strategy<Value = Edit> {
    let at = || 0..8u32;
    let value = || 0..4u32;
    prop_oneof![
        3 => (at(), value()).prop_map(|(at, value)| Edit::Param(at, value)),
        3 => (at(), value()).prop_map(|(at, value)| Edit::Source(at, value)),
        2 => (at(), value()).prop_map(|(at, value)| Edit::Salt(at, value)),
        2 => (at(), value()).prop_map(|(at, value)| Edit::Comment(at, value)),
        2 => (at(), any::<bool>()).prop_map(|(at, fails)| Edit::Fails(at, fails)),
        1 => (at(), value()).prop_map(|(at, value)| Edit::Env(at, value)),
        2 => at().prop_map(Edit::Toggle),
        1 => (at(), 0..4u32).prop_map(|(at, count)| Edit::Matrix(at, count)),
        1 => (at(), 0..32u32).prop_map(|(at, input)| Edit::Read(at, input)),
        1 => Just(Edit::Touch),
        2 => (0..64u32).prop_map(Edit::Remove),
        2 => (0..64u32).prop_map(Edit::Overwrite),
        1 => (1..6u32).prop_map(Edit::LoseFiles),
        1 => (1..6u32).prop_map(Edit::DamageFiles),
        1 => Just(Edit::Move),
    ]
}
