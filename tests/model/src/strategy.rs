//! Random pipelines and edits. Values come from small ranges, so that what was before comes again.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};

use crate::edit::{Edit, Raw};
use crate::pipeline::{Cache, Code, Extra, Kind, Node, Pipeline, Shape, Source, Undeclared};
use crate::scenario::{Scenario, Step};

/// What is generated.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    /// Up to so many nodes.
    pub nodes: usize,
    /// Up to so many steps after the first.
    pub steps: usize,
    /// Undeclared reads too.
    pub undeclared: bool,
}

/// Tries random scenarios, on several threads; the smallest that fails comes back as a script.
///
/// `seed` makes the scenarios the same each time. `shrink` limits the attempts to make a failure smaller.
///
/// # Errors
/// The script, and what differed.
pub fn try_all(
    size: Size,
    cases: u32,
    shrink: u32,
    seed: Option<u8>,
    check: impl Fn(&Scenario) -> Result<(), String> + Sync,
) -> Result<(), String> {
    let threads = std::thread::available_parallelism().map_or(1, |count| count.get() as u32);
    let threads = threads.min(4).min(cases.max(1));
    std::thread::scope(|scope| {
        let check = &check;
        let each = cases.div_ceil(threads);
        let running: Vec<_> = (0..threads)
            .map(|thread| {
                scope.spawn(move || {
                    try_some(
                        size,
                        each,
                        shrink,
                        seed.map(|seed| (seed, thread as u8)),
                        check,
                    )
                })
            })
            .collect();
        let mut outcome = Ok(());
        for thread in running {
            let one = thread
                .join()
                .unwrap_or_else(|_| Err("a thread panicked".to_owned()));
            outcome = outcome.and(one);
        }
        outcome
    })
}

fn try_some(
    size: Size,
    cases: u32,
    shrink: u32,
    seed: Option<(u8, u8)>,
    check: &impl Fn(&Scenario) -> Result<(), String>,
) -> Result<(), String> {
    let config = Config {
        cases,
        failure_persistence: None,
        max_shrink_iters: shrink,
        ..Config::default()
    };
    let mut runner = match seed {
        Some((seed, thread)) => {
            let mut bytes = [seed; 32];
            bytes[0] = thread;
            TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes))
        }
        None => TestRunner::new(config),
    };
    let tried = runner.run(&scenario(size), |scenario| {
        check(&scenario).map_err(TestCaseError::fail)
    });
    tried.map_err(|error| match error {
        TestError::Fail(why, scenario) => format!("{scenario}\n{}", why.message()),
        TestError::Abort(why) => why.message().to_owned(),
    })
}

/// A scenario that begins with a run of everything.
pub fn scenario(size: Size) -> impl Strategy<Value = Scenario> {
    (pipeline(size), vec(step(size.undeclared), 0..=size.steps)).prop_map(
        |(pipeline, mut steps)| {
            steps.insert(0, Step::default());
            Scenario { pipeline, steps }
        },
    )
}

fn pipeline(size: Size) -> impl Strategy<Value = Pipeline> {
    let kind =
        prop_oneof![3 => Just(Kind::File), 1 => Just(Kind::Directory), 2 => Just(Kind::Pattern)];
    let source = (kind, 0..4u32, 0..3u32).prop_map(|(kind, value, more)| Source {
        kind,
        value,
        more,
        beside: 0,
    });
    let code = (any::<bool>(), 0..3u32, any::<bool>()).prop_map(|(pattern, salt, second)| Code {
        pattern,
        salt,
        comment: 0,
        fails: false,
        second,
    });
    (
        vec(source, 1..3),
        vec(0..4u32, 1..4),
        vec(code, 1..4),
        vec(node(size.undeclared), 1..=size.nodes),
        extra(size.undeclared),
    )
        .prop_map(|(sources, params, code, nodes, extra)| Pipeline {
            sources,
            params,
            code,
            nodes,
            extra,
        })
}

fn extra(undeclared: bool) -> BoxedStrategy<Extra> {
    if !undeclared {
        return Just(Extra::default()).boxed();
    }
    (
        vec(proptest::option::weighted(0.7, 0..4u32), 3),
        vec(0..3u32, 2),
        vec(0..3u32, 2),
        vec(any::<bool>(), 3),
    )
        .prop_map(|(files, links, pointers, members)| Extra {
            files,
            links,
            pointers,
            members,
        })
        .boxed()
}

fn node(undeclared: bool) -> impl Strategy<Value = Node> {
    let maybe = || proptest::option::weighted(0.6, 0..8u32);
    let matrix = prop_oneof![3 => Just(0u32), 1 => 1..4u32];
    let after = prop_oneof![3 => Just(Vec::new()), 1 => vec(0..8u32, 1..3)];
    let outputs = prop_oneof![1 => vec(shape(), 0), 6 => vec(shape(), 1), 3 => vec(shape(), 2..4)];
    let rare = || proptest::bool::weighted(0.1);
    let reads = if undeclared {
        vec(read(), 0..4).boxed()
    } else {
        Just(Vec::new()).boxed()
    };
    (
        (vec(0..32u32, 0..4), after, maybe(), maybe()),
        (matrix, outputs, cache(), rare(), rare(), reads),
    )
        .prop_map(
            |((inputs, after, param, code), (matrix, outputs, cache, deaf, touchy, undeclared))| {
                Node {
                    present: true,
                    inputs,
                    after,
                    param,
                    code,
                    env: 0,
                    matrix,
                    outputs,
                    cache,
                    deaf,
                    touchy,
                    undeclared,
                }
            },
        )
}

fn read() -> impl Strategy<Value = Undeclared> {
    prop_oneof![
        (0..3u32).prop_map(Undeclared::Read),
        (0..3u32).prop_map(Undeclared::Probe),
        Just(Undeclared::List),
        (0..2u32).prop_map(Undeclared::Through),
        (0..2u32).prop_map(Undeclared::Chase),
        (0..3u32).prop_map(Undeclared::Deep),
        (0..4u32).prop_map(Undeclared::Overhear),
    ]
}

fn cache() -> impl Strategy<Value = Cache> {
    prop_oneof![6 => Just(Cache::Default), 2 => Just(Cache::Yes), 1 => Just(Cache::No)]
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

fn step(undeclared: bool) -> impl Strategy<Value = Step> {
    let targets = prop_oneof![3 => Just(Vec::new()), 1 => vec(0..8u32, 1..3)];
    let forced = prop_oneof![7 => Just(Vec::new()), 1 => vec(0..8u32, 1..3)];
    (
        vec(edit(undeclared), 0..4),
        proptest::bool::weighted(0.3),
        targets,
        forced,
    )
        .prop_map(|(edits, quiet, targets, forced)| Step {
            edits,
            quiet,
            targets,
            forced,
        })
}

fn edit(undeclared: bool) -> BoxedStrategy<Edit> {
    let at = || 0..8u32;
    let value = || 0..4u32;
    let declared = prop_oneof![
        3 => (at(), value()).prop_map(|(at, value)| Edit::Param(at, value)),
        4 => (at(), value()).prop_map(|(at, value)| Edit::Source(at, value)),
        1 => (at(), 0..3u32).prop_map(|(at, more)| Edit::Matches(at, more)),
        1 => (at(), value()).prop_map(|(at, value)| Edit::Beside(at, value)),
        2 => (at(), value()).prop_map(|(at, value)| Edit::Salt(at, value)),
        2 => (at(), value()).prop_map(|(at, value)| Edit::Comment(at, value)),
        1 => (at(), any::<bool>()).prop_map(|(at, second)| Edit::Second(at, second)),
        2 => (at(), any::<bool>()).prop_map(|(at, fails)| Edit::Fails(at, fails)),
        1 => (at(), value()).prop_map(|(at, value)| Edit::Env(at, value)),
        2 => at().prop_map(Edit::Toggle),
        1 => (at(), 0..4u32).prop_map(|(at, count)| Edit::Matrix(at, count)),
        1 => (at(), 0..32u32).prop_map(|(at, input)| Edit::Read(at, input)),
        1 => (at(), at()).prop_map(|(at, node)| Edit::After(at, node)),
        1 => (at(), cache()).prop_map(|(at, cache)| Edit::Cache(at, cache)),
        1 => (at(), any::<bool>()).prop_map(|(at, ephemeral)| Edit::Ephemeral(at, ephemeral)),
        12 => disturbance().prop_map(Edit::Disturb),
    ];
    if !undeclared {
        return declared.boxed();
    }
    prop_oneof![
        2 => declared,
        1 => prop_oneof![
            3 => (at(), proptest::option::weighted(0.7, value())).prop_map(|(at, value)| Edit::File(at, value)),
            1 => (at(), value()).prop_map(|(at, target)| Edit::Link(at, target)),
            1 => (at(), value()).prop_map(|(at, target)| Edit::Pointer(at, target)),
            1 => (at(), any::<bool>()).prop_map(|(at, there)| Edit::Member(at, there)),
        ],
    ]
    .boxed()
}

fn disturbance() -> impl Strategy<Value = Raw> {
    let output = || 0..64u32;
    let every = || 1..6u32;
    prop_oneof![
        1 => Just(Raw::Touch),
        2 => output().prop_map(Raw::Remove),
        2 => output().prop_map(Raw::Overwrite),
        2 => output().prop_map(Raw::Corrupt),
        1 => every().prop_map(Raw::LoseFiles),
        1 => every().prop_map(Raw::DamageFiles),
        1 => Just(Raw::LoseStore),
        1 => Just(Raw::LoseIndex),
        2 => any::<bool>().prop_map(Raw::Collect),
        1 => Just(Raw::Move),
        2 => Just(Raw::Switch),
    ]
}
