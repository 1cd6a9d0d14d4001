//! A run's events kept in the store as they happen: what history, `log` and collection read afterwards.
//!
//! Whoever runs a pipeline hands one of these to the run among its sinks; without it nothing that the run
//! recorded is a root, and the next collection takes it. Knows nothing of running.

use jalon_store::{LocalStore, TraceWriter};

use crate::event::{Body, Event, Sink};

/// The trace of one run, being written.
pub struct Trace {
    writer: Option<TraceWriter>,
}

impl Trace {
    /// The trace of the run with this id.
    pub fn new(store: &LocalStore, id: &str) -> Trace {
        // A read-only store keeps no history; the run says once that it keeps nothing.
        Trace {
            writer: store.create_trace(id).ok(),
        }
    }
}

impl Sink for Trace {
    fn take(&mut self, event: &Event) {
        if matches!(event.body, Body::NodeOutput { .. }) {
            return;
        }
        if let (Some(writer), Ok(text)) = (&mut self.writer, serde_json::to_vec(event))
            && (writer.append(&text).is_err() || (matters(&event.body) && writer.flush().is_err()))
        {
            self.writer = None;
        }
        if matches!(event.body, Body::RunFinished(_))
            && let Some(writer) = self.writer.take()
        {
            // What a full disk loses here is history, not results.
            let _ = writer.finish();
        }
    }
}

/// What whoever reads along waits for; the rest may come with it.
fn matters(body: &Body) -> bool {
    !matches!(
        body,
        Body::NodeHit(_) | Body::NodeQueued { .. } | Body::ArtifactStored { .. }
    )
}
