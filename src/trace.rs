//! A run's events kept in the store as they happen: what history, `log` and collection read afterwards.
//!
//! Whoever runs a pipeline hands one of these to the run among its sinks; without it nothing that the run
//! recorded is a root, and the next collection takes it. Knows nothing of running.

use std::sync::{Arc, Mutex, PoisonError};

use jalon_store::error::WriteError;
use jalon_store::{LocalStore, TraceWriter};

use crate::event::{Body, Event, Notice, Sink};

/// What could not be written of a run: told when it is over, for none of it may stop the run.
#[derive(Clone, Default)]
pub struct Lost(Arc<Mutex<Vec<Notice>>>);

impl Lost {
    /// `code` of a notice that says that `--events` has gaps.
    pub const EVENTS: &str = "events-lost";
    /// `code` of a notice that says that the run's history has gaps, or may not survive a power cut.
    pub const HISTORY: &str = "history-lost";

    /// Remembers one more thing.
    pub fn add(&self, code: &str, text: String) {
        let code = code.to_owned();
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.push(Notice { code, text });
    }

    /// All of it, once.
    pub fn take(&self) -> Vec<Notice> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The trace of one run, being written.
pub struct Trace {
    /// Where it will be begun, with the first event: a run that is refused leaves none.
    place: Option<(Arc<LocalStore>, String)>,
    writer: Option<TraceWriter>,
    /// Synced at its end.
    lasting: bool,
    lost: Lost,
}

impl Trace {
    /// The trace of the run with this id. A read-only store keeps no history; the run says once that it
    /// keeps nothing.
    pub fn new(store: &Arc<LocalStore>, id: &str, lost: &Lost) -> Trace {
        let place = (!store.is_read_only()).then(|| (store.clone(), id.to_owned()));
        Trace {
            place,
            lasting: true,
            ..Trace::to(None, lost)
        }
    }

    /// The trace that this writes, if one is to be kept. It is not made to survive a power cut: of a run that did
    /// nothing, no more is lost than that it was.
    pub fn to(writer: Option<Result<TraceWriter, WriteError>>, lost: &Lost) -> Trace {
        let mut trace = Trace {
            place: None,
            writer: None,
            lasting: false,
            lost: lost.clone(),
        };
        trace.begin(writer);
        trace
    }

    fn begin(&mut self, writer: Option<Result<TraceWriter, WriteError>>) {
        match writer {
            Some(Ok(writer)) => self.writer = Some(writer),
            Some(Err(error)) => self.gone(&error),
            None => {}
        }
    }

    fn gone(&mut self, error: &dyn std::fmt::Display) {
        self.writer = None;
        let text = format!("the history of this run is not complete: {error}");
        self.lost.add(Lost::HISTORY, text);
    }
}

impl Sink for Trace {
    fn take(&mut self, event: &Event) {
        if event.body.is_passing() {
            return;
        }
        if let Some((store, id)) = self.place.take() {
            self.begin(Some(store.create_trace(&id)));
        }
        if let (Some(writer), Ok(text)) = (&mut self.writer, serde_json::to_vec(event)) {
            let mut written = writer.append(&text);
            if matters(&event.body) {
                written = written.and_then(|()| writer.flush());
            }
            if let Err(error) = written {
                self.gone(&error);
            }
        }
        if matches!(event.body, Body::RunFinished(_))
            && let Some(writer) = self.writer.take()
            && self.lasting
            && let Err(error) = writer.finish()
        {
            self.gone(&error);
        }
    }

    fn refers(&self) -> bool {
        true
    }
}

/// What whoever reads along waits for; the rest may come with it.
fn matters(body: &Body) -> bool {
    !matches!(
        body,
        Body::NodeHit(_) | Body::NodeQueued { .. } | Body::ArtifactStored { .. }
    )
}
