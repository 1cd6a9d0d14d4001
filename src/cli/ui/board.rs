//! What runs at the moment, as rows of a block. Knows events and seconds; nothing of terminals or clocks.

use jalon::event::{Body, Event};
use jalon::report::words;

use super::rows::{NAME, TIME, WORD};
use super::style::{Style, cut, line, pad, width};

/// More running nodes than this are counted, not listed.
const MOST: usize = 16;

/// The nodes that run, and how far the run is.
#[derive(Default)]
pub struct Board {
    /// In order of start.
    running: Vec<Running>,
    total: u64,
    done: u64,
    started: bool,
    /// Bytes that come and go, in words.
    moved: String,
}

struct Running {
    name: String,
    attempt: u32,
    since: f64,
    expected: Option<f64>,
}

impl Board {
    /// Takes an event that came so many seconds after the start.
    pub fn take(&mut self, event: &Event, now: f64) {
        match &event.body {
            Body::RunPlanned(planned) => self.total = planned.hit + planned.run + planned.maybe,
            Body::NodeStarted {
                node,
                attempt,
                expected,
            } => {
                self.started = true;
                self.running.push(Running {
                    name: line(node),
                    attempt: *attempt,
                    since: now,
                    expected: *expected,
                });
            }
            Body::NodeRetrying { node, .. } => self.stopped(node),
            Body::RunReused(reused) => self.done += reused.nodes,
            Body::NodeHit(hit) => self.ended(&hit.node),
            Body::NodeSucceeded(done) => self.ended(&done.node),
            Body::NodeFailed(failed) => self.ended(&failed.node),
            Body::NodeBlocked { node, .. } | Body::NodeCancelled { node } => self.ended(node),
            Body::RemoteProgress {
                downloaded,
                uploaded,
                to_send,
            } => {
                self.started = true;
                self.moved = moved(*downloaded, *uploaded, *to_send);
            }
            _ => {}
        }
    }

    fn stopped(&mut self, node: &str) {
        let name = line(node);
        if let Some(at) = self.running.iter().position(|running| running.name == name) {
            self.running.remove(at);
        }
    }

    fn ended(&mut self, node: &str) {
        self.done += 1;
        self.stopped(node);
    }

    /// Whether there is something to show: before the first node starts there is nothing to wait for.
    pub fn is_busy(&self) -> bool {
        self.started
    }

    /// Nodes that came to an end, and all there are.
    pub fn progress(&self) -> (u64, u64) {
        (self.done, self.total.max(self.done))
    }

    /// What stands behind the bar.
    pub fn tail(&self, now: f64) -> String {
        let (done, total) = self.progress();
        format!("{done}/{total}{}  {}", self.moved, clock(now))
    }

    /// A row a running node, each of at most so many columns, with at most so many rows.
    pub fn rows(&self, style: Style, columns: usize, most: usize, now: f64) -> Vec<String> {
        let most = most.clamp(1, MOST);
        let listed = if self.running.len() > most {
            most - 1
        } else {
            self.running.len()
        };
        let mut rows: Vec<String> = self
            .running
            .iter()
            .take(listed)
            .map(|node| node.row(style, columns, now))
            .collect();
        let more = self.running.len() - listed;
        if more > 0 {
            rows.push(cut(
                &format!("{}{more} running", if listed > 0 { "and " } else { "" }),
                columns,
            ));
        }
        rows
    }
}

impl Running {
    fn row(&self, style: Style, columns: usize, now: f64) -> String {
        let room = columns.saturating_sub(WORD + 2);
        let name = room.saturating_sub(TIME + 2).clamp(8, NAME);
        let elapsed = (now - self.since).max(0.0);
        let mut text = format!(
            "{}  {:>TIME$}",
            pad(&cut(&self.name, name), name),
            clock(elapsed)
        );
        let mut add = |more: String| {
            if width(&text) + width(&more) <= room {
                text += &more;
            }
        };
        if let Some(expected) = self.expected {
            add(format!(" of about {}", words::duration(expected)));
        }
        if self.attempt > 1 {
            add(format!(", attempt {}", self.attempt));
        }
        let late = self
            .expected
            .is_some_and(|expected| elapsed > expected * 1.5 && elapsed > expected + 5.0);
        let word = if late {
            style.warn("run   ")
        } else {
            style.work("run   ")
        };
        format!("{word}  {}", cut(&text, room))
    }
}

/// `  ↓ 12.0 MiB  ↑ 3.1 MiB, 2 to send`.
fn moved(downloaded: u64, uploaded: u64, to_send: u64) -> String {
    let mut text = String::new();
    if downloaded > 0 {
        text += &format!("  ↓ {}", words::size(downloaded));
    }
    if uploaded > 0 {
        text += &format!("  ↑ {}", words::size(uploaded));
    }
    if to_send > 0 {
        text += &format!(", {to_send} to send");
    }
    text
}

/// Time that passes: tenths of a second would only flicker.
fn clock(seconds: f64) -> String {
    if seconds < 60.0 {
        format!("{}s", seconds as u64)
    } else {
        words::duration(seconds.floor())
    }
}
