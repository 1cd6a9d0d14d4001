//! A run as lines: one a node that did something, reused nodes together, and at the end how to go on.

use std::io::Write;

use jalon::event::{Body, Event, Finished, Sink, Status};
use jalon::report::words;

use super::style::{Style, line};

/// Reused nodes that are worth a line each.
const FEW: usize = 40;

/// The lines of a run, on standard error.
pub struct Plain {
    style: Style,
    quiet: bool,
    verbose: u8,
    width: usize,
    reasons: std::collections::HashMap<String, String>,
    hits: Vec<(String, f64)>,
    failed: Vec<String>,
    total: u64,
}

impl Plain {
    /// `verbose` lists every reused node and what nodes print.
    pub fn new(style: Style, quiet: bool, verbose: u8) -> Plain {
        Plain {
            style,
            quiet,
            verbose,
            width: 24,
            reasons: std::collections::HashMap::new(),
            hits: Vec::new(),
            failed: Vec::new(),
            total: 0,
        }
    }

    fn say(&self, text: &str) {
        // A closed terminal must not stop a run.
        let _ = writeln!(std::io::stderr().lock(), "{text}");
    }

    fn row(&self, word: &str, node: &str, time: &str, why: &str) {
        let node = line(node);
        let text = format!("{word}  {node:<width$}  {time:>9}  {}", self.style.dim(&line(why)), width = self.width);
        self.say(text.trim_end());
    }

    /// Reused nodes are told when something else is, or at the end.
    fn tell_hits(&mut self) {
        let hits = std::mem::take(&mut self.hits);
        if self.quiet || hits.is_empty() {
            return;
        }
        if self.verbose > 0 || hits.len() <= FEW {
            for (node, saved) in &hits {
                let why = if *saved > 0.0 { format!("saved {}", words::duration(*saved)) } else { String::new() };
                self.row(&self.style.good("reused"), node, "", &why);
            }
        } else {
            let saved: f64 = hits.iter().map(|(_, saved)| saved).sum();
            let text = format!("{} reused, {} saved", words::count(hits.len() as u64, "node"), words::duration(saved));
            self.say(&format!("{}  {text}", self.style.good("reused")));
        }
    }

    fn failure(&mut self, failed: &jalon::event::Failed) {
        self.tell_hits();
        let why = failed.error.message.clone();
        self.row(&self.style.bad("FAILED"), &failed.node, &words::duration(failed.seconds), &why);
        for text in failed.tail.lines() {
            self.say(&format!("        | {}", line(text)));
        }
        if !failed.error.help.is_empty() {
            self.say(&format!("        help: {}", failed.error.help));
        }
        self.failed.push(failed.node.clone());
    }

    fn end(&mut self, end: &Finished) {
        self.tell_hits();
        let counts = &end.counts;
        let mut parts = Vec::new();
        let mut part = |number: u64, word: &str| {
            if number > 0 {
                parts.push(format!("{number} {word}"));
            }
        };
        part(counts.ran, "ran");
        part(counts.hit, "reused");
        part(counts.fetched, "fetched");
        part(counts.failed, "failed");
        part(counts.blocked, "not reached");
        let what = if parts.is_empty() { "nothing to do".to_owned() } else { parts.join(", ") };
        let (word, how) = match end.status {
            Status::Succeeded => (self.style.good("done"), ""),
            Status::Failed => (self.style.bad("failed"), ""),
            Status::Interrupted => (self.style.warn("interrupted"), ""),
        };
        let saved = if end.saved_seconds >= 0.05 { format!("; {} saved", words::duration(end.saved_seconds)) } else { String::new() };
        if !(self.quiet && end.status == Status::Succeeded) {
            self.say(&format!("{word}: {what} in {}{saved}{how}", words::duration(end.seconds)));
        }
        match end.status {
            Status::Failed => {
                if let Some(node) = self.failed.first() {
                    self.say(&format!("  jalon log last '{node}' shows all it printed; jalon run goes on from here"));
                } else if let Some(error) = &end.error {
                    self.say(&format!("  {}", error.message));
                }
            }
            Status::Interrupted => self.say("  jalon run goes on from here"),
            Status::Succeeded => {}
        }
    }
}

impl Sink for Plain {
    fn take(&mut self, event: &Event) {
        match &event.body {
            Body::RunPlanned(planned) => {
                self.total = planned.nodes;
                let todo = planned.run + planned.maybe;
                if !self.quiet && todo > 0 {
                    let upto = if planned.maybe > 0 { "up to " } else { "" };
                    let cost = if planned.expected >= 1.0 {
                        format!(", about {} of work", words::duration(planned.expected))
                    } else {
                        String::new()
                    };
                    let reuse = if planned.hit > 0 { format!("{} to reuse, ", planned.hit) } else { String::new() };
                    self.say(&self.style.dim(&format!("{}: {reuse}{upto}{todo} to run{cost}", words::count(planned.nodes, "node"))));
                }
            }
            Body::NodeQueued { node, reason } => {
                self.reasons.insert(node.clone(), reason.line());
            }
            Body::NodeHit(hit) => self.hits.push((hit.node.clone(), hit.saved_seconds)),
            Body::NodeSucceeded(done) => {
                self.tell_hits();
                if !self.quiet {
                    let mut why = self.reasons.remove(&done.node).unwrap_or_default();
                    if done.cutoff {
                        why += "; same result as before";
                    }
                    if done.attempts > 1 {
                        why += &format!("; attempt {}", done.attempts);
                    }
                    self.row(&self.style.work("ran   "), &done.node, &words::duration(done.seconds), &why);
                }
            }
            Body::NodeFailed(failed) => self.failure(failed),
            Body::NodeRetrying { node, attempt, error, wait } => {
                let why = format!("attempt {attempt}: {}; again in {}", error.message, words::duration(*wait));
                self.row(&self.style.warn("retry "), node, "", &why);
            }
            Body::NodeBlocked { node, by } if !self.quiet => {
                let why = by.as_ref().map_or_else(|| "the run stopped".to_owned(), |by| format!("needs {by}"));
                self.row(&self.style.warn("wait  "), node, "", &why);
            }
            Body::NodeCancelled { node } if !self.quiet => self.row(&self.style.warn("stop  "), node, "", ""),
            Body::NodeOverdue { node, seconds, expected } if !self.quiet => {
                let why = format!("{} so far, took {} before", words::duration(*seconds), words::duration(*expected));
                self.row(&self.style.warn("slow  "), node, "", &why);
            }
            Body::NodeOutput { node, text, .. } if self.verbose > 0 => {
                for text in text.lines() {
                    self.say(&format!("{}  {}", self.style.dim(&line(node)), line(text)));
                }
            }
            // Known limits that hold for every run belong into the documentation and the JSON, unless asked for.
            Body::Notice(notice) if notice.code == "untraced" && self.verbose == 0 => {}
            Body::Notice(notice) if !self.quiet => {
                self.tell_hits();
                self.say(&format!("{}  {}", self.style.warn("note  "), notice.text));
            }
            Body::RunFinished(end) => self.end(end),
            _ => {}
        }
    }
}
