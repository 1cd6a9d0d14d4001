//! An answer as the events of the run that it stands for.

use std::path::Path;
use std::time::Instant;

use jalon_store::error::WriteError;
use jalon_store::{Glance, TraceWriter};

use super::format::{self, Snapshot};
use crate::event::{
    Body, Counts, Event, Finished, Hit, Notice, Planned, Reused, SCHEMA, Sink, Status,
};
use crate::history;
use crate::project::Machine;
use crate::report::summary::Summary;
use crate::report::tally::Tally;
use crate::run;

/// What a run says in which nothing has changed.
pub struct Answer {
    store: Glance,
    run: String,
    planned: Planned,
    counts: Counts,
    saved_seconds: f64,
    notices: Vec<Notice>,
    /// See [`format::nodes`]; mostly nobody asks.
    nodes: Vec<u8>,
}

/// The run that is answered.
pub struct Occasion<'a> {
    /// Its id.
    pub id: &'a str,
    /// The project's directory.
    pub root: &'a Path,
    /// The machine.
    pub machine: &'a Machine,
    /// Nodes that might have run at once.
    pub jobs: u32,
    /// When it began.
    pub began: Instant,
}

/// Who is told.
pub struct Listeners {
    /// Those to whom it is enough that nodes are reused, and how many.
    pub brief: Vec<Box<dyn Sink>>,
    /// Those who want to hear of each.
    pub full: Vec<Box<dyn Sink>>,
}

impl Answer {
    pub(super) fn new(snapshot: &Snapshot<'_>, store: Glance) -> Answer {
        Answer {
            store,
            run: snapshot.run.clone(),
            planned: snapshot.planned.clone(),
            counts: snapshot.counts,
            saved_seconds: snapshot.saved_seconds,
            notices: snapshot.notices.clone(),
            nodes: snapshot.nodes.to_vec(),
        }
    }

    /// Nodes that are reused.
    pub fn reused(&self) -> u64 {
        self.counts.hit
    }

    /// Begins the trace of the run that this answers.
    ///
    /// # Errors
    /// The disk refused.
    pub fn trace(&self, id: &str) -> Result<TraceWriter, WriteError> {
        self.store.create_trace(id)
    }

    /// A fold that lists every node, for [`Listeners::full`].
    pub fn tally(&self) -> Option<Tally> {
        let names = format::nodes(&self.nodes)?.into_iter();
        Some(Tally::of(&self.planned.env, names.map(|(name, _)| name)))
    }

    /// What each node gave, in the order in which the run would tell of them; nothing where the trace that
    /// knows is gone or does not tell of all.
    pub fn hits(&self) -> Option<Vec<Hit>> {
        let mut ranked = format::nodes(&self.nodes)?;
        ranked.retain(|(_, rank)| *rank != u32::MAX);
        ranked.sort_unstable_by_key(|(_, rank)| *rank);
        let told = history::hits(&|id| self.store.read_trace(id), &self.run).ok()?;
        let mut told: rustc_hash::FxHashMap<String, Hit> = told
            .into_iter()
            .map(|hit| (hit.node.clone(), hit))
            .collect();
        ranked
            .into_iter()
            .map(|(name, _)| told.remove(&name))
            .collect()
    }

    /// Tells everyone. `hits` are those of [`Answer::hits`], where somebody wants them.
    pub fn tell(&self, occasion: &Occasion<'_>, hits: Vec<Hit>, listeners: Listeners) {
        let Listeners {
            mut brief,
            mut full,
        } = listeners;
        let Occasion {
            root,
            machine,
            jobs,
            ..
        } = *occasion;
        let started = run::started(root, &self.planned, jobs, machine);
        let mut seq = 0;
        for body in [
            Body::RunStarted(started),
            Body::RunPlanned(self.planned.clone()),
        ] {
            let event = occasion.event(seq, body);
            let all = brief.iter_mut().chain(&mut full);
            all.for_each(|sink| sink.take(&event));
            seq += 1;
        }
        let reused = Body::RunReused(Reused {
            of: self.run.clone(),
            nodes: self.counts.hit,
            saved_seconds: self.saved_seconds,
            but: None,
            beside: 0,
        });
        let event = occasion.event(seq, reused);
        brief.iter_mut().for_each(|sink| sink.take(&event));
        for (seq, hit) in (seq..).zip(hits) {
            let event = occasion.event(seq, Body::NodeHit(hit));
            full.iter_mut().for_each(|sink| sink.take(&event));
        }
        let mut seq = seq + self.counts.hit;
        for notice in &self.notices {
            let event = occasion.event(seq, Body::Notice(notice.clone()));
            let all = brief.iter_mut().chain(&mut full);
            all.for_each(|sink| sink.take(&event));
            seq += 1;
        }
        let finished = Finished {
            status: Status::Succeeded,
            seconds: occasion.began.elapsed().as_secs_f64(),
            counts: self.counts,
            saved_seconds: self.saved_seconds,
            error: None,
        };
        let event = occasion.event(seq, Body::RunFinished(finished));
        let all = brief.iter_mut().chain(&mut full);
        all.for_each(|sink| sink.take(&event));
    }
}

impl Occasion<'_> {
    fn event(&self, seq: u64, body: Body) -> Event {
        Event {
            schema: SCHEMA,
            run: self.id.to_owned(),
            seq,
            at: (self.machine.now_ms)(),
            body,
        }
    }

    /// The run in one piece, as `--json` shows it, from a fold that was told.
    pub fn summary(&self, tally: &Tally) -> Summary {
        tally.summary(self.id, Status::Succeeded, self.began.elapsed(), None)
    }
}
