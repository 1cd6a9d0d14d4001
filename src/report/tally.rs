//! The event stream folded into a [`Summary`].
//!
//! Works on a stream as it comes and on one read back from a trace. A stream without an end is that of a
//! run that goes on or was killed: what had started then is unknown, never taken for success.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustc_hash::FxHashMap;

use crate::event::{
    Body, Counts, Event, Failed, Finished, Hit, Notice, Planned, Problem, RemoteUse, Sink, Started,
    State, Status, Succeeded,
};
use crate::graph::Graph;
use crate::report::words;

pub use super::summary::{Attempt, NodeSummary, Standing, Summary, final_status};

/// A shared fold: one end is a sink of the run, the other is asked for summaries.
#[derive(Clone, Default)]
pub struct Tally {
    fold: Arc<Mutex<Fold>>,
}

impl Tally {
    /// A fold that lists every node of the graph, in definition order.
    pub fn new(graph: &Graph) -> Tally {
        let nodes = &graph.pipeline().nodes;
        let names = nodes.iter().map(|node| node.name.to_string());
        Tally::of(&graph.pipeline().env, names)
    }

    /// A fold that lists these nodes, of a run in this environment.
    pub fn of(env: &str, nodes: impl Iterator<Item = String>) -> Tally {
        let mut fold = Fold {
            env: env.to_owned(),
            ..Fold::default()
        };
        for name in nodes {
            fold.node(&name);
        }
        Tally {
            fold: Arc::new(Mutex::new(fold)),
        }
    }

    /// The same, beside so many nodes that the stream does not name, which saved so many seconds.
    #[must_use]
    pub fn beside(self, (counts, saved): (Counts, f64)) -> Tally {
        self.lock().beside = (counts, saved);
        self
    }

    /// The summary as of now, of a run that is known to end like this.
    pub fn summary(
        &self,
        run: &str,
        status: Status,
        elapsed: Duration,
        error: Option<&Problem>,
    ) -> Summary {
        let mut summary = self
            .lock()
            .summary(run, status, elapsed.as_secs_f64(), error);
        summary.ended = true;
        summary
    }

    /// Nodes by status, and the seconds that reuse saved.
    pub fn counts(&self) -> (Counts, f64) {
        self.lock().counts()
    }

    /// The summary as far as the stream tells.
    pub fn so_far(&self) -> Summary {
        self.lock().so_far()
    }

    fn lock(&self) -> MutexGuard<'_, Fold> {
        self.fold.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sink for Tally {
    fn take(&mut self, event: &Event) {
        self.lock().take(event);
    }
}

impl Summary {
    /// The summary of a stream read back.
    pub fn of_events(events: &[Event]) -> Summary {
        let mut fold = Fold::default();
        events.iter().for_each(|event| fold.take(event));
        fold.so_far()
    }
}

#[derive(Default)]
struct Fold {
    run: String,
    env: String,
    at: u64,
    until: u64,
    nodes: Vec<NodeSummary>,
    beside: (Counts, f64),
    by_name: FxHashMap<String, usize>,
    groups: std::collections::BTreeMap<String, State>,
    notices: Vec<Notice>,
    started: Option<Started>,
    planned: Option<Planned>,
    finished: Option<Finished>,
    remote: Option<RemoteUse>,
}

impl Fold {
    fn node(&mut self, name: &str) -> &mut NodeSummary {
        let at = match self.by_name.get(name) {
            Some(&at) => at,
            None => {
                self.nodes.push(NodeSummary::new(name));
                self.by_name.insert(name.to_owned(), self.nodes.len() - 1);
                self.nodes.len() - 1
            }
        };
        &mut self.nodes[at]
    }

    fn take(&mut self, event: &Event) {
        let at = event.at;
        if self.run.is_empty() {
            self.run.clone_from(&event.run);
            self.at = at;
        }
        self.until = self.until.max(at);
        match &event.body {
            Body::RunStarted(started) => {
                self.at = at;
                self.env.clone_from(&started.env);
                self.started = Some(started.clone());
            }
            Body::RunPlanned(planned) => self.planned = Some(planned.clone()),
            Body::RunFinished(finished) => self.finished = Some(finished.clone()),
            Body::NodeQueued { node, reason } => {
                let node = self.stand(node, Standing::Blocked, at);
                node.reason = Some(reason.clone());
            }
            Body::NodeStarted { node, attempt, .. } => {
                let node = self.stand(node, Standing::Unknown, at);
                node.attempts = *attempt;
                node.started_at = Some(at);
                node.ended_at = None;
                node.tries.push(Attempt {
                    number: *attempt,
                    started_at: at,
                    ended_at: None,
                    error: None,
                });
            }
            Body::NodeRetrying { node, error, .. } => close(self.node(node), at, Some(error)),
            Body::NodeHit(hit) => self.hit(hit, at),
            Body::NodeSucceeded(done) => self.succeeded(done, at),
            Body::NodeFailed(failed) => self.failed(failed, at),
            Body::NodeBlocked { node, by } => {
                self.stand(node, Standing::Blocked, at)
                    .blocked_by
                    .clone_from(by);
            }
            Body::NodeCancelled { node } => {
                close(self.stand(node, Standing::Cancelled, at), at, None)
            }
            Body::GroupStarted { group } => drop(self.groups.insert(group.clone(), State::Unknown)),
            Body::GroupFinished { group, state } => drop(self.groups.insert(group.clone(), *state)),
            Body::Notice(notice) => self.notices.push(notice.clone()),
            Body::RemoteUsed(used) => self.remote = Some(used.clone()),
            Body::RunReused(_)
            | Body::NodeOverdue { .. }
            | Body::NodeOutput { .. }
            | Body::RemoteProgress { .. }
            | Body::ArtifactMaterialised { .. }
            | Body::ArtifactStored { .. } => {}
        }
    }

    fn stand(&mut self, name: &str, standing: Standing, at: u64) -> &mut NodeSummary {
        let node = self.node(name);
        node.standing = standing;
        node.at = Some(at);
        node
    }

    /// What ran in this run stays `ran` where it is judged again afterwards: that it cost time is a fact.
    fn hit(&mut self, hit: &Hit, at: u64) {
        let ran = self
            .by_name
            .get(&hit.node)
            .is_some_and(|&at| self.nodes[at].exit_code == Some(0));
        let standing = match (ran, hit.fetched) {
            (true, _) => Standing::Ran,
            (_, true) => Standing::Fetched,
            _ => Standing::Hit,
        };
        let node = self.stand(&hit.node, standing, at);
        node.key.clone_from(&hit.key);
        node.outputs.clone_from(&hit.outputs);
        if !ran {
            node.saved_seconds = hit.saved_seconds;
            node.traced = hit.traced;
            node.undeclared.clone_from(&hit.undeclared);
            node.reason = None;
            // It was started and found that another process had made the outcome meanwhile.
            node.attempts = 0;
            node.tries.clear();
            node.started_at = None;
            node.ended_at = None;
        }
    }

    fn succeeded(&mut self, done: &Succeeded, at: u64) {
        let node = self.stand(&done.node, Standing::Ran, at);
        node.key.clone_from(&done.key);
        node.seconds = done.seconds;
        node.saved_seconds = 0.0;
        node.cpu_seconds = done.cpu_seconds;
        node.max_rss = done.max_rss;
        node.traced = done.traced;
        node.exit_code = Some(0);
        node.attempts = done.attempts;
        node.undeclared.clone_from(&done.undeclared);
        node.cutoff = done.cutoff;
        node.outputs.clone_from(&done.outputs);
        close(node, at, None);
    }

    fn failed(&mut self, failed: &Failed, at: u64) {
        let node = self.stand(&failed.node, Standing::Failed, at);
        node.key.clone_from(&failed.key);
        node.seconds = failed.seconds;
        node.saved_seconds = 0.0;
        node.exit_code = failed.exit_code;
        node.attempts = failed.attempts;
        node.outputs.clear();
        node.error = Some(failed.error.clone());
        node.tail.clone_from(&failed.tail);
        close(node, at, Some(&failed.error));
    }

    fn so_far(&self) -> Summary {
        let heard = self.until.saturating_sub(self.at) as f64 / 1000.0;
        let (status, seconds, error) = match &self.finished {
            Some(finished) => (finished.status, finished.seconds, finished.error.as_ref()),
            None => (Status::Interrupted, heard, None),
        };
        self.summary(&self.run, status, seconds, error)
    }

    fn counts(&self) -> (Counts, f64) {
        let (mut counts, beside) = self.beside;
        for node in &self.nodes {
            *match node.standing.word() {
                "hit" => &mut counts.hit,
                "fetched" => &mut counts.fetched,
                "ran" => &mut counts.ran,
                "failed" => &mut counts.failed,
                "not_needed" => &mut counts.not_needed,
                _ => &mut counts.blocked,
            } += 1;
        }
        let saved = self.nodes.iter().map(|node| node.saved_seconds);
        (counts, words::total(saved.chain([beside])))
    }

    fn summary(&self, run: &str, status: Status, seconds: f64, error: Option<&Problem>) -> Summary {
        let (counts, saved) = self.counts();
        Summary {
            run: run.to_owned(),
            status,
            ended: self.finished.is_some(),
            env: self.env.clone(),
            seconds,
            counts,
            saved_seconds: saved,
            nodes: self.nodes.clone(),
            groups: self.groups.clone(),
            notices: self.notices.clone(),
            error: error.cloned(),
            started: self.started.clone(),
            planned: self.planned.clone(),
            remote: self.remote.clone(),
            at: self.at,
            until: self.until,
        }
    }
}

/// Ends the attempt that goes on, if one does.
fn close(node: &mut NodeSummary, at: u64, error: Option<&Problem>) {
    if let Some(attempt) = node
        .tries
        .last_mut()
        .filter(|attempt| attempt.ended_at.is_none())
    {
        attempt.ended_at = Some(at);
        attempt.error = error.cloned();
        node.ended_at = Some(at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    fn of<'s>(summary: &'s Summary, name: &str) -> &'s NodeSummary {
        summary
            .nodes
            .iter()
            .find(|node| node.name == name)
            .expect("a node of the sample")
    }

    #[test]
    fn a_stream_read_back_gives_what_the_live_one_gave() {
        let events = sample::failing();
        let mut tally = Tally::default();
        events.iter().for_each(|event| tally.take(event));
        let live = tally.summary(
            sample::RUN,
            Status::Failed,
            Duration::from_secs_f64(5.25),
            Some(&sample::exit_1()),
        );
        assert_eq!(live.to_json(), Summary::of_events(&events).to_json());
        let (reused, of) = live.reused_of();
        assert_eq!((reused, of), (2, 6));
        assert_eq!(live.saved_seconds, 12.5);
    }

    #[test]
    fn attempts_are_kept_apart() {
        let summary = Summary::of_events(&sample::failing());
        let node = of(&summary, "train[gbm,2]");
        assert_eq!(node.attempts, 2);
        let ends: Vec<_> = node
            .tries
            .iter()
            .map(|one| (one.number, one.ended_at.is_some(), one.error.is_some()))
            .collect();
        assert_eq!(ends, [(1, true, true), (2, true, false)]);
    }

    #[test]
    fn what_had_started_when_the_stream_broke_off_is_unknown() {
        let events = sample::failing();
        for cut in 0..events.len() {
            let summary = Summary::of_events(&events[..cut]);
            assert!(!summary.ended);
            assert_eq!(summary.state(), State::Unknown);
            for node in summary
                .nodes
                .iter()
                .filter(|node| node.tries.iter().any(|one| one.ended_at.is_none()))
            {
                assert_eq!(
                    node.standing.state(),
                    State::Unknown,
                    "{} at {cut}",
                    node.name
                );
                assert_eq!(node.standing.word(), "blocked");
            }
        }
        let whole = Summary::of_events(&events);
        assert!(whole.ended);
        assert!(
            whole
                .nodes
                .iter()
                .all(|node| node.standing != Standing::Unknown)
        );
    }

    #[test]
    fn a_node_that_ran_and_is_judged_again_did_run() {
        let mut events = sample::failing();
        let hit = events
            .iter()
            .find(|event| matches!(event.body, Body::NodeHit(_)))
            .expect("a hit")
            .clone();
        let Body::NodeHit(mut hit) = hit.body else {
            unreachable!("found by its kind")
        };
        hit.node = "train[gbm,1]".into();
        events.push(sample::event(99, 9000, Body::NodeHit(hit)));
        let summary = Summary::of_events(&events);
        let node = of(&summary, "train[gbm,1]");
        assert_eq!(
            (node.standing, node.saved_seconds, node.attempts),
            (Standing::Ran, 0.0, 1)
        );
    }

    #[test]
    fn the_final_status_has_kubeflows_fields() {
        let summary = Summary::of_events(&sample::failing());
        let whole = final_status(&summary, &summary.run);
        assert_eq!(whole["state"], "FAILED");
        assert_eq!(whole["pipeline_job_resource_name"], sample::RUN);
        assert_eq!(whole["error_code"], "exit");
        assert!(
            whole["error_message"]
                .as_str()
                .is_some_and(|text| text.contains("exit"))
        );
        let blocked = whole["nodes"]
            .as_array()
            .expect("nodes")
            .iter()
            .find(|node| node["name"] == "publish");
        assert_eq!(blocked.expect("publish")["state"], "SKIPPED");
        let task = final_status(&summary, "prepare");
        assert_eq!(
            (task["state"].as_str(), task.get("error_code")),
            (Some("SUCCEEDED"), None)
        );
        assert_eq!(final_status(&summary, "training")["state"], "SUCCEEDED");
        let lost = Summary::of_events(&sample::failing()[..12]);
        assert_eq!(final_status(&lost, "run")["state"], "UNKNOWN");
    }
}
