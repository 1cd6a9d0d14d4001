//! One run held against the naive evaluation: contents, executions, claims, and the plan before it.

use std::collections::{BTreeMap, BTreeSet};

use crate::edit::Disturbance;
use crate::naive::{Content, Evaluated, Fate, evaluate};
use crate::pipeline::{Input, Instance, Pipeline};
use crate::system::{Observed, Request};

/// What the runs so far must have left in the store.
#[derive(Debug, Default)]
pub struct Compare {
    /// By key: actions that executed and succeeded.
    known: BTreeMap<String, Known>,
    /// The cores of the same.
    cores: BTreeSet<String>,
    /// The keys that the last run used.
    last: BTreeSet<String>,
    /// Files of the store were damaged: that bytes cannot be had is found out by reading them.
    damaged: bool,
}

/// What is known of an action that executed and succeeded.
#[derive(Debug, Clone, Default)]
struct Known {
    /// Its record is in the store; else the store was disturbed since.
    certain: bool,
    /// The outputs whose bytes were kept with it.
    stored: BTreeSet<usize>,
}

/// A run and everything that it is compared with.
struct Case<'a> {
    pipeline: &'a Pipeline,
    request: &'a Request,
    plan: &'a BTreeMap<String, String>,
    observed: &'a Observed,
    /// The selected instances.
    all: Vec<Evaluated>,
    executed: BTreeSet<&'a str>,
}

impl Compare {
    /// Something happened beside the definition. What is `shared` outlives the store.
    pub fn disturbed(&mut self, disturbance: &Disturbance, shared: bool) {
        match disturbance {
            // That what is shared is damaged as well is not known before somebody fetches it.
            Disturbance::LoseStore if shared && self.damaged => self.doubt(|_| true),
            Disturbance::LoseStore if shared => {}
            Disturbance::LoseStore => *self = Compare::default(),
            Disturbance::LoseFiles(_) | Disturbance::DamageFiles(_) => {
                self.damaged = true;
                self.doubt(|_| true);
            }
            Disturbance::Collect(true) => {
                let last = std::mem::take(&mut self.last);
                self.doubt(|key| !last.contains(key));
                self.last = last;
            }
            _ => {}
        }
    }

    fn doubt(&mut self, which: impl Fn(&str) -> bool) {
        for (_, known) in self.known.iter_mut().filter(|(key, _)| which(key)) {
            known.certain = false;
        }
    }

    /// Compares a run and learns from it.
    ///
    /// # Errors
    /// What differs.
    pub fn step(
        &mut self,
        pipeline: &Pipeline,
        request: &Request,
        plan: &BTreeMap<String, String>,
        observed: &Observed,
    ) -> Result<(), String> {
        let selected = pipeline.selected(&request.targets);
        let all: Vec<Evaluated> = evaluate(pipeline)
            .into_iter()
            .filter(|it| selected[it.instance.node])
            .collect();
        let case = Case {
            pipeline,
            request,
            plan,
            observed,
            all,
            executed: observed.executed.iter().map(String::as_str).collect(),
        };
        case.success()?;
        case.contents()?;
        case.once()?;
        self.order(&case)?;
        for it in &case.all {
            self.execution(&case, it)?;
            self.verdict(&case, it)?;
            case.claim(it)?;
        }
        self.learn(&case);
        Ok(())
    }

    /// Nothing started before what comes before it; but what was known may be made again for another.
    fn order(&self, case: &Case<'_>) -> Result<(), String> {
        let position = |it: &Evaluated| {
            let name = it.instance.name();
            case.observed.executed.iter().position(|one| *one == name)
        };
        // What overhears may run twice: its last time counts.
        let last = |it: &Evaluated| {
            let name = it.instance.name();
            case.observed.executed.iter().rposition(|one| *one == name)
        };
        let new = |it: &&Evaluated| case.must(it) || !self.known.contains_key(&it.key);
        for it in case.all.iter().filter(|it| case.did(it)) {
            let before = case.pipeline.before(it.instance.node);
            let before = case
                .all
                .iter()
                .filter(|from| before.contains(&from.instance.node));
            if let Some(from) = before.filter(new).find(|from| position(from) > last(it)) {
                let (from, it) = (from.instance.name(), it.instance.name());
                return Err(format!("{it} started before {from}"));
            }
        }
        Ok(())
    }

    /// What must execute did; what need not did not.
    fn execution(&self, case: &Case<'_>, it: &Evaluated) -> Result<(), String> {
        let name = it.instance.name();
        let did = case.did(it);
        let must = case.must(it) || !self.cores.contains(&it.core);
        match &it.fate {
            Fate::Blocked if did => Err(format!(
                "{name} executed although something before it failed"
            )),
            Fate::Failed if !did => Err(format!(
                "{name} should have executed: a failure is never cached"
            )),
            Fate::Made(_) if must && !did => {
                Err(format!("{name} should have executed, and did not"))
            }
            Fate::Made(_)
                if did && !must && self.is_certain(case, it) && !self.is_remade(case, it) =>
            {
                Err(format!(
                    "{name} executed again although its outcome is available"
                ))
            }
            _ => Ok(()),
        }
    }

    /// Whether the outcome must be available, with the bytes of everything that is to be kept.
    fn is_certain(&self, case: &Case<'_>, it: &Evaluated) -> bool {
        let outputs = &case.pipeline.nodes[it.instance.node].outputs;
        self.known.get(&it.key).is_some_and(|known| {
            known.certain
                && (0..outputs.len())
                    .all(|output| outputs[output].ephemeral || known.stored.contains(&output))
        })
    }

    /// Whether it makes something whose bytes were not kept and that a node needs which executed.
    fn is_remade(&self, case: &Case<'_>, it: &Evaluated) -> bool {
        self.readers(case, it).any(|reader| case.did(reader))
    }

    /// The instances that read something of it whose bytes were not kept.
    fn readers<'c>(
        &'c self,
        case: &'c Case<'c>,
        it: &'c Evaluated,
    ) -> impl Iterator<Item = &'c Evaluated> {
        let stored = self.known.get(&it.key).map(|known| &known.stored);
        let is_stored = move |output: &usize| stored.is_some_and(|stored| stored.contains(output));
        let makes = move |input: &Input| matches!(input, Input::Output(node, output) if *node == it.instance.node && !is_stored(output));
        let used = |reader: &Evaluated| case.pipeline.used(reader.instance.node);
        case.all
            .iter()
            .filter(move |reader| used(reader).iter().any(makes))
    }

    /// What the plan said is what happened.
    fn verdict(&self, case: &Case<'_>, it: &Evaluated) -> Result<(), String> {
        let name = it.instance.name();
        let (did, blocked) = (case.did(it), it.fate == Fate::Blocked);
        let mut readers = self.readers(case, it);
        // One of its outputs may be declared, and another be used besides.
        let overhears = |reader: &Evaluated| {
            let node = reader.instance.node;
            let inputs = case.pipeline.inputs(node);
            let of_it = |input: &&Input| matches!(input, Input::Output(node, _) if *node == it.instance.node);
            let mut used = case.pipeline.used(node).into_iter();
            used.any(|input| of_it(&&input) && !inputs.contains(&input))
        };
        match case.planned(it.instance) {
            // A reader that was a maybe may need it made again; one that had to run was known to. What is
            // overheard is known only where an earlier outcome is kept that rests on it.
            "hit"
                if did
                    && self.is_certain(case, it)
                    && !(self.damaged && self.readers(case, it).next().is_some())
                    && !readers.any(|reader| {
                        case.did(reader)
                            && (case.planned(reader.instance) != "run" || overhears(reader))
                    }) =>
            {
                Err(format!("{name} was planned as a hit, and executed"))
            }
            "hit" if !blocked && !did && !self.cores.contains(&it.core) => Err(format!(
                "{name} was planned as a hit, and nobody ever made it"
            )),
            "run" if !did && !blocked && !self.is_spared(case, it) => {
                Err(format!("{name} was planned to run, and did not"))
            }
            "maybe" if !case.waits_for_something(it) => Err(format!(
                "{name} was planned as a maybe although its inputs are known"
            )),
            "hit" | "run" | "maybe" => Ok(()),
            other => Err(format!("{name} was planned as {other}")),
        }
    }

    /// Whether it was to be made again for others, and then need not be: they were blocked, or another
    /// node made the same bytes meanwhile.
    fn is_spared(&self, case: &Case<'_>, it: &Evaluated) -> bool {
        let texts = |it: &Evaluated| match &it.fate {
            Fate::Made(outputs) => outputs.iter().flat_map(texts).collect(),
            _ => BTreeSet::new(),
        };
        let mut readers = self.readers(case, it).peekable();
        let is_read = readers.peek().is_some();
        let executed = case.all.iter().filter(|other| case.did(other));
        let made: BTreeSet<String> = executed.flat_map(texts).collect();
        is_read && (readers.any(|reader| !case.did(reader)) || !texts(it).is_disjoint(&made))
    }

    fn learn(&mut self, case: &Case<'_>) {
        self.last.clear();
        for it in &case.all {
            let node = &case.pipeline.nodes[it.instance.node];
            if !matches!(it.fate, Fate::Made(_)) || !node.is_cached() {
                continue;
            }
            self.last.insert(it.key.clone());
            if case.did(it) {
                self.cores.insert(it.core.clone());
                let known = self.known.entry(it.key.clone()).or_default();
                // Bytes that were kept under a record that is in doubt are in doubt with it.
                if !known.certain {
                    known.stored.clear();
                }
                known.certain = true;
                let kept =
                    (0..node.outputs.len()).filter(|&output| !node.outputs[output].ephemeral);
                known.stored.extend(kept);
            }
        }
    }
}

/// The texts of all files of a content.
fn texts(content: &Content) -> Vec<String> {
    match content {
        Content::File(text) => vec![text.clone()],
        Content::Directory(files) => files.values().cloned().collect(),
    }
}

impl Case<'_> {
    fn did(&self, it: &Evaluated) -> bool {
        self.executed.contains(it.instance.name().as_str())
    }

    /// Whether it executes whatever is known of it.
    fn must(&self, it: &Evaluated) -> bool {
        let node = it.instance.node;
        !self.pipeline.nodes[node].is_cached() || self.request.forced.contains(&node)
    }

    /// The verdict of the plan.
    fn planned(&self, instance: Instance) -> &str {
        self.plan
            .get(&instance.name())
            .map_or("nothing", String::as_str)
    }

    fn success(&self) -> Result<(), String> {
        let should = self.all.iter().all(|it| matches!(it.fate, Fate::Made(_)));
        if self.observed.succeeded == should {
            return Ok(());
        }
        Err(format!(
            "it should {}",
            if should { "succeed" } else { "fail" }
        ))
    }

    /// Incremental equals clean: targets are there and right, the rest is right or absent, never stale.
    fn contents(&self) -> Result<(), String> {
        for it in &self.all {
            let Fate::Made(outputs) = &it.fate else {
                continue;
            };
            let is_target = self
                .pipeline
                .is_target(&self.request.targets, it.instance.node);
            for (index, expected) in outputs.iter().enumerate() {
                let path = it.instance.path(index);
                let ephemeral = self.pipeline.nodes[it.instance.node].outputs[index].ephemeral;
                match self.observed.contents.get(&path) {
                    Some(_) if ephemeral => {
                        return Err(format!("{path} is ephemeral and is still there"));
                    }
                    Some(found) if found != expected => {
                        return Err(format!(
                            "{path} is stale: {found:?}, should be {expected:?}"
                        ));
                    }
                    None if is_target && !ephemeral => return Err(format!("{path} is missing")),
                    _ => {}
                }
            }
        }
        Ok(())
    }

    /// Nothing executed twice or unasked. What overhears may have to: that it uses what was not kept is
    /// known only afterwards.
    fn once(&self) -> Result<(), String> {
        let executed = &self.observed.executed;
        for it in &self.all {
            let (name, node) = (it.instance.name(), it.instance.node);
            let times = executed.iter().filter(|one| **one == name).count();
            let overhears = self.pipeline.used(node).len() > self.pipeline.inputs(node).len();
            if times > 1 + usize::from(overhears) {
                return Err(format!("{name} executed twice in one run: {executed:?}"));
            }
        }
        let selected: BTreeSet<String> = self.all.iter().map(|it| it.instance.name()).collect();
        match executed.iter().find(|name| !selected.contains(*name)) {
            Some(name) => Err(format!("{name} executed, and nobody asked for it")),
            None => Ok(()),
        }
    }

    /// Whether a producer of what it reads was planned to run, or perhaps to.
    fn waits_for_something(&self, it: &Evaluated) -> bool {
        self.pipeline
            .used(it.instance.node)
            .into_iter()
            .any(|input| match input {
                Input::Source(_) => false,
                Input::Output(earlier, _) => self
                    .pipeline
                    .instances_of(earlier)
                    .iter()
                    .any(|from| matches!(self.planned(*from), "run" | "maybe")),
            })
    }

    /// What it says that it did is what was done.
    fn claim(&self, it: &Evaluated) -> Result<(), String> {
        let name = it.instance.name();
        let Some(claim) = self.observed.claimed.get(&name) else {
            return Err(format!("{name} is not reported"));
        };
        let right = match it.fate {
            Fate::Blocked => claim == "blocked",
            Fate::Failed => claim == "failed",
            Fate::Made(_) if self.did(it) => claim == "ran",
            Fate::Made(_) => claim == "hit" || claim == "not_needed",
        };
        if right {
            Ok(())
        } else {
            Err(format!("{name} is reported as {claim}"))
        }
    }
}
