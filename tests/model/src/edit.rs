//! What may happen between two runs: to the pipeline, to the workspace, to the store.

use crate::pipeline::{Pipeline, pick};

/// One thing that happens. Indices are raw, as in [`Pipeline`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Edit {
    /// A parameter gets a value.
    Param(u32, u32),
    /// A source gets a value.
    Source(u32, u32),
    /// A code file gets a salt: other results.
    Salt(u32, u32),
    /// A code file gets another comment: the same results.
    Comment(u32, u32),
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
    /// All files get a new modification time and nothing else.
    Touch,
    /// An output in the workspace is removed.
    Remove(u32),
    /// An output in the workspace is overwritten.
    Overwrite(u32),
    /// Some files of the store vanish: of every so many, one.
    LoseFiles(u32),
    /// Some files of the store are damaged: of every so many, one.
    DamageFiles(u32),
    /// The project is copied elsewhere and goes on there, with the same store.
    Move,
}

/// What an edit does that the definition and its files do not show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Disturbance {
    /// See [`Edit::Touch`].
    Touch,
    /// Removes a path of the workspace.
    Remove(String),
    /// Overwrites a path of the workspace; in a directory, a file of it.
    Overwrite(String),
    /// See [`Edit::LoseFiles`].
    LoseFiles(u32),
    /// See [`Edit::DamageFiles`].
    DamageFiles(u32),
    /// See [`Edit::Move`].
    Move,
}

impl Disturbance {
    /// Whether outcomes may be unavailable from now on.
    pub fn spoils_store(&self) -> bool {
        matches!(
            self,
            Disturbance::LoseFiles(_) | Disturbance::DamageFiles(_)
        )
    }
}

/// Changes the pipeline, or tells what is disturbed instead.
pub fn apply(edit: &Edit, pipeline: &mut Pipeline) -> Option<Disturbance> {
    match *edit {
        Edit::Param(at, value) => set(&mut pipeline.params, at, |it| *it = value),
        Edit::Source(at, value) => set(&mut pipeline.sources, at, |it| it.value = value),
        Edit::Salt(at, value) => set(&mut pipeline.code, at, |it| it.salt = value),
        Edit::Comment(at, value) => set(&mut pipeline.code, at, |it| it.comment = value),
        Edit::Fails(at, fails) => set(&mut pipeline.code, at, |it| it.fails = fails),
        Edit::Env(at, value) => set(&mut pipeline.nodes, at, |it| it.env = value),
        Edit::Toggle(at) => set(&mut pipeline.nodes, at, |it| it.present = !it.present),
        Edit::Matrix(at, count) => set(&mut pipeline.nodes, at, |it| it.matrix = count),
        Edit::Read(at, input) => set(&mut pipeline.nodes, at, |it| it.inputs.push(input)),
        Edit::Touch => return Some(Disturbance::Touch),
        Edit::Remove(at) => return output(pipeline, at).map(Disturbance::Remove),
        Edit::Overwrite(at) => return output(pipeline, at).map(Disturbance::Overwrite),
        Edit::LoseFiles(every) => return Some(Disturbance::LoseFiles(every)),
        Edit::DamageFiles(every) => return Some(Disturbance::DamageFiles(every)),
        Edit::Move => return Some(Disturbance::Move),
    }
    None
}

fn set<T>(all: &mut [T], raw: u32, change: impl FnOnce(&mut T)) {
    let count = all.len();
    if count > 0 {
        change(&mut all[raw as usize % count]);
    }
}

fn output(pipeline: &Pipeline, raw: u32) -> Option<String> {
    let paths: Vec<String> = pipeline
        .instances()
        .into_iter()
        .flat_map(|instance| {
            (0..pipeline.nodes[instance.node].outputs.len())
                .map(move |output| instance.path(output))
        })
        .collect();
    pick(&paths, raw).cloned()
}
