//! What may happen between two runs: to the pipeline, to the workspace, to the store.

use crate::pipeline::{Cache, Pipeline, pick};

/// One thing that happens. Indices are raw, as in [`Pipeline`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Edit {
    /// A parameter gets a value.
    Param(u32, u32),
    /// A source gets a value.
    Source(u32, u32),
    /// A pattern matches another number of files.
    Matches(u32, u32),
    /// A file beside those that a pattern matches is edited.
    Beside(u32, u32),
    /// A code file gets a salt: other results.
    Salt(u32, u32),
    /// A code file gets another comment: the same results.
    Comment(u32, u32),
    /// A second code file comes or goes, where a pattern declares the code.
    Second(u32, bool),
    /// A code file starts or stops failing.
    Fails(u32, bool),
    /// A node's hashed variable.
    Env(u32, u32),
    /// A node comes or goes.
    Toggle(u32),
    /// A node gets another number of matrix values.
    Matrix(u32, u32),
    /// A node reads something more.
    Read(u32, u32),
    /// A node comes after something more.
    After(u32, u32),
    /// A node's `cache`.
    Cache(u32, Cache),
    /// All outputs of a node are ephemeral, or none is.
    Ephemeral(u32, bool),
    /// An undeclared file gets a value, or goes.
    File(u32, Option<u32>),
    /// A link leads elsewhere.
    Link(u32, u32),
    /// A file names another file.
    Pointer(u32, u32),
    /// A member of a directory comes or goes.
    Member(u32, bool),
    /// Something that the definition and its files do not show.
    Disturb(Raw),
}

/// A disturbance by raw indices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Raw {
    /// See [`Disturbance::Touch`].
    Touch,
    /// An output in the workspace is removed.
    Remove(u32),
    /// An output in the workspace is overwritten.
    Overwrite(u32),
    /// An output is overwritten, with its size and modification time as they were.
    Corrupt(u32),
    /// See [`Disturbance::LoseFiles`].
    LoseFiles(u32),
    /// See [`Disturbance::DamageFiles`].
    DamageFiles(u32),
    /// See [`Disturbance::LoseStore`].
    LoseStore,
    /// See [`Disturbance::LoseIndex`].
    LoseIndex,
    /// See [`Disturbance::Collect`].
    Collect(bool),
    /// See [`Disturbance::Move`].
    Move,
    /// See [`Disturbance::Switch`].
    Switch,
}

/// What an edit does that the definition and its files do not show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Disturbance {
    /// All files get a new modification time and nothing else.
    Touch,
    /// Removes a path of the workspace.
    Remove(String),
    /// Overwrites a path of the workspace; in a directory, a file of it.
    Overwrite(String),
    /// Overwrites it with as many other bytes and sets the modification time back.
    Corrupt(String),
    /// Some files of the store vanish: of every so many, one.
    LoseFiles(u32),
    /// Some files of the store are damaged: of every so many, one.
    DamageFiles(u32),
    /// The store is removed.
    LoseStore,
    /// `.jalon/index` is removed.
    LoseIndex,
    /// Collection; with `true` down to what the last runs need.
    Collect(bool),
    /// The project is copied elsewhere and goes on there, with the same store.
    Move,
    /// Work goes on in the other of two checkouts that share the store, as it was left.
    Switch,
}

/// Changes the pipeline, or tells what is disturbed instead.
pub fn apply(edit: &Edit, pipeline: &mut Pipeline) -> Option<Disturbance> {
    let extra = &mut pipeline.extra;
    match *edit {
        Edit::Param(at, value) => set(&mut pipeline.params, at, |it| *it = value),
        Edit::Source(at, value) => set(&mut pipeline.sources, at, |it| it.value = value),
        Edit::Matches(at, more) => set(&mut pipeline.sources, at, |it| it.more = more),
        Edit::Beside(at, value) => set(&mut pipeline.sources, at, |it| it.beside = value),
        Edit::Salt(at, value) => set(&mut pipeline.code, at, |it| it.salt = value),
        Edit::Comment(at, value) => set(&mut pipeline.code, at, |it| it.comment = value),
        Edit::Second(at, second) => set(&mut pipeline.code, at, |it| it.second = second),
        Edit::Fails(at, fails) => set(&mut pipeline.code, at, |it| it.fails = fails),
        Edit::Env(at, value) => set(&mut pipeline.nodes, at, |it| it.env = value),
        Edit::Toggle(at) => set(&mut pipeline.nodes, at, |it| it.present = !it.present),
        Edit::Matrix(at, count) => set(&mut pipeline.nodes, at, |it| it.matrix = count),
        Edit::Read(at, input) => set(&mut pipeline.nodes, at, |it| it.inputs.push(input)),
        Edit::After(at, node) => set(&mut pipeline.nodes, at, |it| it.after.push(node)),
        Edit::Cache(at, cache) => set(&mut pipeline.nodes, at, |it| it.cache = cache),
        Edit::Ephemeral(at, ephemeral) => set(&mut pipeline.nodes, at, |it| {
            it.outputs
                .iter_mut()
                .for_each(|shape| shape.ephemeral = ephemeral);
        }),
        Edit::File(at, value) => set(&mut extra.files, at, |it| *it = value),
        Edit::Link(at, target) => set(&mut extra.links, at, |it| *it = target),
        Edit::Pointer(at, target) => set(&mut extra.pointers, at, |it| *it = target),
        Edit::Member(at, there) => set(&mut extra.members, at, |it| *it = there),
        Edit::Disturb(raw) => return disturbance(raw, pipeline),
    }
    None
}

fn disturbance(raw: Raw, pipeline: &Pipeline) -> Option<Disturbance> {
    Some(match raw {
        Raw::Touch => Disturbance::Touch,
        Raw::Remove(at) => Disturbance::Remove(output(pipeline, at)?),
        Raw::Overwrite(at) => Disturbance::Overwrite(output(pipeline, at)?),
        Raw::Corrupt(at) => Disturbance::Corrupt(output(pipeline, at)?),
        Raw::LoseFiles(every) => Disturbance::LoseFiles(every),
        Raw::DamageFiles(every) => Disturbance::DamageFiles(every),
        Raw::LoseStore => Disturbance::LoseStore,
        Raw::LoseIndex => Disturbance::LoseIndex,
        Raw::Collect(all) => Disturbance::Collect(all),
        Raw::Move => Disturbance::Move,
        Raw::Switch => Disturbance::Switch,
    })
}

fn set<T>(all: &mut [T], raw: u32, change: impl FnOnce(&mut T)) {
    if let Some(index) = (raw as usize).checked_rem(all.len()) {
        change(&mut all[index]);
    }
}

fn output(pipeline: &Pipeline, raw: u32) -> Option<String> {
    let mut paths = Vec::new();
    for instance in pipeline.instances() {
        let outputs = 0..pipeline.nodes[instance.node].outputs.len();
        paths.extend(outputs.map(|output| instance.path(output)));
    }
    pick(&paths, raw).cloned()
}
