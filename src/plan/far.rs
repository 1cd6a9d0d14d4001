//! Questions to remotes while planning: many at once, so that all take no longer than the slowest.

use std::cell::RefCell;
use std::sync::{Mutex, PoisonError};

use jalon_conf::pipeline::{ArtifactId, Keep, NodeId};
use jalon_store::content::Content;

use super::held::Held;
use super::{Ahead, Inputs, is_here};
use crate::judge::Judge;

/// Asks the remotes for what nobody knows here, many at once: each answer has its way to come.
pub(super) fn ask(
    judge: &Judge<'_>,
    values: &[Option<Content>],
    judged: Vec<(NodeId, Option<Ahead>)>,
) -> Vec<(NodeId, Option<Ahead>)> {
    let is_open = |(node, ahead): &(NodeId, Option<Ahead>)| {
        ahead
            .as_ref()
            .is_some_and(|ahead| judge.is_open(*node, &ahead.judged))
    };
    let (open, mut all): (Vec<_>, Vec<_>) = judged.into_iter().partition(is_open);
    let width = open.len().min(jalon_remote::WIDTH);
    let queue = Mutex::new(open);
    let done = Mutex::new(Vec::new());
    let work = || {
        let take = || queue.lock().unwrap_or_else(PoisonError::into_inner).pop();
        while let Some((node, ahead)) = take() {
            let asked = ahead.and_then(|mut ahead| {
                let more = RefCell::default();
                let value = |artifact: ArtifactId| {
                    let value = values[artifact.0 as usize];
                    Vec::push(&mut more.borrow_mut(), (artifact, value));
                    value
                };
                judge.ask_far(node, &mut ahead.judged, &value).ok()?;
                ahead.asked.extend(more.take());
                Some(ahead)
            });
            done.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push((node, asked));
        }
    };
    std::thread::scope(|scope| {
        (1..width).for_each(|_| drop(scope.spawn(work)));
        work();
    });
    all.extend(done.into_inner().unwrap_or_else(PoisonError::into_inner));
    all
}

/// Tells the remotes which records name what nodes gave that are not judged: some of them have to know.
pub(super) fn note_held(inputs: &Inputs<'_>, held: &[Option<Held>]) {
    if let Some(remotes) = inputs.judge.sight.remotes {
        for held in held.iter().flatten() {
            remotes.note(&held.key, &held.outputs, held.took());
        }
    }
}

/// Asks the remotes once for all that will be asked for in the end and is not here: each question alone would
/// take as long as all together.
pub(super) fn ask_for_targets(inputs: &Inputs<'_>, ahead: &[Option<Ahead>]) {
    let Some(remotes) = inputs.judge.sight.remotes else {
        return;
    };
    let mut wanted = Vec::new();
    for (at, ahead) in ahead.iter().enumerate() {
        let judged = ahead.as_ref().map(|ahead| &ahead.judged);
        let Some(record) = judged.and_then(|judged| judged.found.as_ref()) else {
            continue;
        };
        judged
            .into_iter()
            .for_each(|judged| inputs.judge.note(judged));
        let outputs = record.outcome.outputs.iter().map(|output| output.content);
        let made = inputs.graph.makes(NodeId(at as u32)).zip(outputs);
        wanted.extend(made.filter_map(|(artifact, content)| {
            let asked = inputs.selection.wanted[artifact.0 as usize]
                && inputs.graph.artifact(artifact).keep == Keep::Store;
            (asked && !is_here(inputs, artifact, &content)).then_some(content)
        }));
    }
    remotes.has(&wanted);
}
