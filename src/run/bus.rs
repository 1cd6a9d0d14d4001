//! The one place where events are numbered, stamped and handed to all who listen.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::event::{Body, Event, Hit, Notice, Reused, SCHEMA, Sink};
use crate::worker::text::Decoder;

/// What an earlier trace tells of nodes.
#[derive(Debug, Default)]
pub struct Known {
    /// Of all that are held or no part of the graph, for those to whom that is enough.
    pub reused: Option<Reused>,
    /// Of those that are no part of the graph, for all others.
    pub beside: Option<Reused>,
}

/// The event stream of a run.
pub struct Bus {
    run: String,
    now_ms: fn() -> u64,
    state: Mutex<State>,
}

struct State {
    seq: u64,
    sinks: Vec<Box<dyn Sink>>,
    said: HashSet<Notice>,
}

impl Bus {
    /// A stream of the run with this id.
    pub fn new(run: String, now_ms: fn() -> u64, sinks: Vec<Box<dyn Sink>>) -> Bus {
        Bus {
            run,
            now_ms,
            state: Mutex::new(State {
                seq: 0,
                sinks,
                said: HashSet::new(),
            }),
        }
    }

    /// The run's id.
    pub fn run(&self) -> &str {
        &self.run
    }

    /// Tells everyone.
    pub fn emit(&self, body: Body) {
        let mut state = self.lock();
        let event = self.event(state.seq, body);
        state.seq += 1;
        for sink in &mut state.sinks {
            sink.take(&event);
        }
    }

    /// Tells of hits; those for whom that is enough hear only which earlier run tells of them.
    pub fn reuse(&self, known: Known, hits: impl Iterator<Item = Hit>) {
        let mut state = self.lock();
        let state = &mut *state;
        let refers = known.reused.is_some();
        for (reused, brief) in [(known.reused, true), (known.beside, false)] {
            let Some(reused) = reused else { continue };
            if !brief {
                state.seq += reused.nodes;
            }
            let event = self.event(state.seq, Body::RunReused(reused));
            let sinks = state.sinks.iter_mut();
            let sinks = sinks.filter(|sink| sink.refers() == brief);
            sinks.for_each(|sink| sink.take(&event));
        }
        for hit in hits {
            let event = self.event(state.seq, Body::NodeHit(hit));
            state.seq += 1;
            let full = state.sinks.iter_mut();
            let full = full.filter(|sink| !refers || !sink.refers());
            full.for_each(|sink| sink.take(&event));
        }
    }

    /// Tells everyone, once for each text.
    pub fn notice(&self, code: &str, text: impl Into<String>) {
        let notice = Notice {
            code: code.into(),
            text: text.into(),
        };
        let new = self.lock().said.insert(notice.clone());
        if new {
            self.emit(Body::Notice(notice));
        }
    }

    fn event(&self, seq: u64, body: Body) -> Event {
        Event {
            schema: SCHEMA,
            run: self.run.clone(),
            seq,
            at: (self.now_ms)(),
            body,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What one process prints, told as it comes.
pub struct Told<'a> {
    bus: &'a Bus,
    node: &'a str,
    streams: [Decoder; 2],
}

impl<'a> Told<'a> {
    /// By the node of this name, or by `finally.NAME`.
    pub fn new(bus: &'a Bus, node: &'a str) -> Told<'a> {
        let streams = [Decoder::default(), Decoder::default()];
        Told { bus, node, streams }
    }

    /// Stream 1 or 2.
    pub fn push(&mut self, stream: u8, bytes: &[u8]) {
        let text = self.streams[usize::from(stream != 1)].push(bytes);
        self.say(stream, text);
    }

    /// Nothing more comes.
    pub fn end(mut self) {
        for (stream, decoder) in std::mem::take(&mut self.streams).into_iter().enumerate() {
            self.say(stream as u8 + 1, decoder.end());
        }
    }

    fn say(&self, stream: u8, text: String) {
        if !text.is_empty() {
            let node = self.node.to_owned();
            self.bus.emit(Body::NodeOutput { node, stream, text });
        }
    }
}
