//! Whether a node's outcome is known: its key from what it is made of, and a look into the store.
//!
//! Two phases (BuildXL's): the weak key from what is declared, then for each path set seen under it
//! the strong key from what lies at those paths now. Shared by planning and running. Decides nothing about
//! order, and changes nothing.

mod declared;

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use jalon_conf::pipeline::{ArtifactId, Cache, Node, NodeId};
use jalon_remote::{SLOTS, Slot};
use jalon_store::action::{Derivation, PathEntry, PathSet, Place, Seen, strong_key};
use jalon_store::content::Content;
use jalon_store::digest::{ActionKey, WeakKey};
use jalon_store::error::ReadError;
use jalon_store::outcome::ActionRecord;
use jalon_store::sealed::Shared;
use jalon_store::tree::Entry;

pub use self::declared::{Observations, Unobserved, observe};
use crate::action::{self, Called, Facts};
use crate::function::{Function, Interpreter};
use crate::graph::Graph;
use crate::observe::{Finding, Sight, directory_of, undeclared};

/// A node's recipe with everything bound, and what is known of it.
#[derive(Debug, Clone)]
pub struct Judged {
    /// The recipe.
    pub derivation: Arc<Derivation>,
    /// Its key.
    pub weak: WeakKey,
    /// The outcome, if one is known.
    pub found: Option<Arc<ActionRecord>>,
    /// The same as a remote told it, where nobody knows it here.
    pub far: Option<Arc<Shared>>,
    /// Project files that made it and are not declared.
    pub undeclared: Arc<Vec<String>>,
    /// Whether there is an outcome cannot be told before what this output holds is known.
    pub unsettled: Option<ArtifactId>,
    /// It was asked what outputs hold that it does not declare to read.
    pub overhears: bool,
    /// What its stateful outputs hold, by alias; nothing where that cannot be found out: then no outcome
    /// is believed and none is kept.
    pub state: Option<State>,
}

/// What stateful outputs hold, by alias.
pub type State = Vec<(String, Option<Content>)>;

impl Judged {
    /// The strong key of the outcome, or the one that running would give if nothing undeclared is read.
    pub fn key(&self) -> ActionKey {
        self.found
            .as_ref()
            .map_or_else(|| strong_key(&self.weak, &[]), |record| record.key)
    }
}

/// Looks outcomes up.
#[derive(Clone, Copy)]
pub struct Judge<'a> {
    /// The pipeline.
    pub graph: &'a Graph,
    /// The eyes, with the project's files and the store.
    pub sight: &'a Sight<'a>,
    /// What was observed before judging.
    pub observations: &'a Observations,
}

/// What a lookup came to.
pub enum Lookup {
    /// The outcome, and what was seen at the paths that it rests on.
    Known(Box<ActionRecord>, Vec<(PathEntry, Seen)>),
    /// None is known.
    Unknown,
    /// It depends on an output that is not known yet.
    Unsettled(ArtifactId),
}

/// The contents of outputs in this run, as far as they are known.
pub type Values<'v> = &'v dyn Fn(ArtifactId) -> Option<Content>;

/// Whether an outcome of this node may be kept and believed.
pub fn is_cached(node: &Node) -> bool {
    match node.cache {
        Cache::Yes => true,
        Cache::No => false,
        Cache::Default => !node.outputs.is_empty(),
    }
}

impl<'a> Judge<'a> {
    /// Judges nodes of this graph by these observations.
    pub fn new(
        graph: &'a Graph,
        sight: &'a Sight<'a>,
        observations: &'a Observations,
    ) -> Judge<'a> {
        Judge {
            graph,
            sight,
            observations,
        }
    }

    /// The eyes that it judges by.
    pub fn sight(&self) -> &'a Sight<'a> {
        self.sight
    }

    /// What is found now where something was observed, as far as that can be told.
    pub fn now(&self, observed: &[(PathEntry, Seen)]) -> Vec<(PathEntry, Seen)> {
        let found = observed.iter().filter_map(|(entry, _)| {
            let Finding::Seen(seen) = self.sight.see(entry, &|_| None) else {
                return None;
            };
            Some((entry.clone(), seen))
        });
        found.collect()
    }

    /// The declared code files of a node, as they were when observed.
    pub fn code(&self, id: NodeId) -> &Arc<Vec<(String, Content)>> {
        &self.observations.code[id.0 as usize]
    }

    /// The Python function of a node, if it is one, as it was when observed.
    pub fn function(&self, id: NodeId) -> Option<&Arc<Function>> {
        self.observations.functions.get(id)
    }

    /// Who calls functions.
    pub fn interpreter(&self) -> Option<&Interpreter> {
        self.observations.functions.interpreter.as_ref()
    }

    /// The recipe of a node whose inputs have these contents, in the order of [`Graph::reads`].
    fn derivation(&self, id: NodeId, inputs: &[&Content], state: &State) -> Derivation {
        let code = &self.observations.code[id.0 as usize];
        let narrowed = self.narrowed(id, inputs);
        let inputs: Vec<&Content> = narrowed.iter().collect();
        let functions = &self.observations.functions;
        let function = functions.get(id).map(|function| Called {
            function,
            interpreter: functions.interpreter.as_ref().map(|one| one.name.as_str()),
        });
        let facts = Facts {
            ambient: &self.observations.ambient,
            code,
            function,
            inputs: &inputs,
            state,
        };
        action::derivation(self.graph, self.graph.node(id), facts)
    }

    /// Of an input that counts in part, that part; all of it where it has no such part.
    fn narrowed(&self, id: NodeId, inputs: &[&Content]) -> Vec<Content> {
        let bound = &self.graph.node(id).inputs;
        let within = bound
            .iter()
            .flat_map(|input| input.artifacts.iter().map(|_| input.within.as_deref()));
        let parts = inputs.iter().zip(within).map(|(whole, within)| {
            within
                .and_then(|within| self.part(**whole, within))
                .unwrap_or(**whole)
        });
        parts.collect()
    }

    fn part(&self, whole: Content, within: &str) -> Option<Content> {
        within.split('/').try_fold(whole, |here, name| {
            let Content::Tree { digest, .. } = here else {
                return None;
            };
            let tree = self.sight.tree(&digest)?;
            Some(match *tree.get(name.as_bytes())? {
                Entry::File {
                    digest,
                    size,
                    executable,
                } => Content::File {
                    digest,
                    size,
                    executable,
                },
                Entry::Directory {
                    digest,
                    size,
                    files,
                } => Content::Tree {
                    digest,
                    size,
                    files,
                },
                Entry::Symlink { .. } => return None,
            })
        })
    }

    /// What the stateful outputs of a node hold now.
    fn state(&self, id: NodeId) -> Option<State> {
        let outputs = self.graph.node(id).outputs.iter();
        let stateful = outputs.filter(|output| self.graph.artifact(output.artifact).stateful);
        let held = stateful.map(|output| {
            let path = &self.graph.artifact(output.artifact).path;
            Some((
                output.alias.clone(),
                self.sight.workspace.current(path).ok()?,
            ))
        });
        held.collect()
    }

    /// Judges a node. `values` are asked where an earlier execution read an output that it does not declare.
    ///
    /// # Errors
    /// The store cannot be read; a damaged record is a miss, not an error.
    pub fn judge(
        &self,
        id: NodeId,
        inputs: &[&Content],
        values: Values<'_>,
    ) -> Result<Judged, ReadError> {
        let state = self.state(id);
        let derivation = self.derivation(id, inputs, state.as_ref().unwrap_or(&Vec::new()));
        let mut judged = Judged {
            weak: derivation.weak_key(),
            derivation: Arc::new(derivation),
            found: None,
            far: None,
            undeclared: Arc::default(),
            unsettled: None,
            overhears: false,
            state,
        };
        let overhears = Cell::new(false);
        let values = &|artifact: ArtifactId| {
            overhears.set(true);
            values(artifact)
        };
        if is_cached(self.graph.node(id)) && judged.state.is_some() {
            match self.find(id, &judged.weak, values)? {
                Lookup::Known(record, observed) => {
                    judged.found = Some(record.into());
                    judged.undeclared = undeclared(&observed).into();
                }
                Lookup::Unknown => {}
                Lookup::Unsettled(artifact) => judged.unsettled = Some(artifact),
            }
        }
        judged.overhears = overhears.get();
        Ok(judged)
    }

    /// Whether remotes may know what nobody knows here.
    pub fn is_open(&self, id: NodeId, judged: &Judged) -> bool {
        self.sight.remotes.is_some()
            && judged.found.is_none()
            && judged.state.is_some()
            && is_cached(self.graph.node(id))
    }

    /// Asks the remotes for what nobody knows here. Waits for them.
    ///
    /// # Errors
    /// The store cannot be read; a remote that does not answer knows nothing.
    pub fn ask_far(
        &self,
        id: NodeId,
        judged: &mut Judged,
        values: Values<'_>,
    ) -> Result<(), ReadError> {
        let Some(remotes) = self.sight.remotes.filter(|_| self.is_open(id, judged)) else {
            return Ok(());
        };
        let weak = judged.weak;
        let here = self.sight.store.path_sets(&weak)?;
        let mut slots = 0..SLOTS;
        let mut known = here.iter().cloned().map(Arc::new);
        // The sets that are known here first: they cost no question of their own.
        let mut next = || {
            known.next().or_else(|| {
                slots
                    .by_ref()
                    .find_map(|number| match remotes.path_set(&weak, number) {
                        Slot::Empty => Some(None),
                        Slot::Unusable => None,
                        Slot::Set(set) if here.contains(&set) => None,
                        Slot::Set(set) => Some(Some(set)),
                    })?
            })
        };
        while let Some(set) = next() {
            let observed = match self.see(&set, values) {
                Ok(observed) => observed,
                Err(unsettled) => {
                    judged.unsettled = judged.unsettled.or(unsettled);
                    continue;
                }
            };
            let Some(shared) = remotes.outcome(&strong_key(&weak, &observed)) else {
                continue;
            };
            if self.answers(id, &shared.record) {
                judged.found = Some(Arc::new(shared.record.clone()));
                judged.undeclared = undeclared(&observed).into();
                judged.far = Some(shared);
                return Ok(());
            }
        }
        Ok(())
    }

    /// Tells the remotes which record names what a node gave: some of them have to know.
    pub fn note(&self, judged: &Judged) {
        let (Some(remotes), Some(record)) = (self.sight.remotes, &judged.found) else {
            return;
        };
        let outputs = record.outcome.outputs.iter();
        let contents: Vec<Content> = outputs.map(|output| output.content).collect();
        let took = Duration::from_millis(record.outcome.cost.wall_ms);
        remotes.note(&record.key, &contents, took);
    }

    /// The newest outcome under a weak key that still holds.
    ///
    /// # Errors
    /// As [`Judge::judge`].
    pub fn find(
        &self,
        id: NodeId,
        weak: &WeakKey,
        values: Values<'_>,
    ) -> Result<Lookup, ReadError> {
        let mut open = None;
        for set in self.sight.store.path_sets(weak)? {
            let observed = match self.see(&set, values) {
                Ok(observed) => observed,
                Err(unsettled) => {
                    open = open.or(unsettled);
                    continue;
                }
            };
            let Some(record) = self.sight.store.action(&strong_key(weak, &observed))? else {
                continue;
            };
            if self.answers(id, &record) {
                return Ok(Lookup::Known(Box::new(record), observed));
            }
        }
        Ok(open.map_or(Lookup::Unknown, Lookup::Unsettled))
    }

    /// What earlier executions of a recipe read of the nodes that it only comes after.
    ///
    /// # Errors
    /// As [`Judge::judge`].
    pub fn overheard(&self, id: NodeId, weak: &WeakKey) -> Result<Vec<ArtifactId>, ReadError> {
        let after = &self.graph.node(id).after;
        if after.is_empty() {
            return Ok(Vec::new());
        }
        let sets = self.sight.store.path_sets(weak)?;
        let entries = sets.iter().flat_map(|set| &set.entries);
        let outputs = entries
            .filter(|entry| entry.place == Place::Project)
            .filter_map(|entry| self.sight.territory.output(directory_of(entry)));
        let mut all: Vec<ArtifactId> = outputs
            .map(|(artifact, _)| artifact)
            .filter(|artifact| {
                let producer = self.graph.artifact(*artifact).producer;
                producer.is_some_and(|producer| after.contains(&producer))
            })
            .collect();
        all.sort_unstable();
        all.dedup();
        Ok(all)
    }

    /// A record must speak of exactly the outputs that the node declares.
    fn answers(&self, id: NodeId, record: &ActionRecord) -> bool {
        let outputs = &self.graph.node(id).outputs;
        outputs.len() == record.outcome.outputs.len()
            && outputs
                .iter()
                .zip(&record.outcome.outputs)
                .all(|(declared, kept)| {
                    declared.alias == kept.name
                        && crate::workspace::fits(
                            self.graph.artifact(declared.artifact),
                            &kept.content,
                        )
                        .is_ok()
                })
    }

    /// What lies at the paths of a path set now; the output that is not known yet, or nothing, where one
    /// cannot be looked at.
    fn see(
        &self,
        set: &PathSet,
        values: Values<'_>,
    ) -> Result<Vec<(PathEntry, Seen)>, Option<ArtifactId>> {
        let each = set
            .entries
            .iter()
            .map(|entry| match self.sight.see(entry, values) {
                Finding::Seen(seen) => Ok((entry.clone(), seen)),
                Finding::Unsettled(artifact) => Err(Some(artifact)),
                Finding::Blind => Err(None),
            });
        each.collect()
    }
}
