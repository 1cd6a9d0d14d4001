//! The text of a run's rows: one a node that did something, reused nodes together, and at the end how to
//! go on. Knows events and columns; nothing of where the rows go.

use std::collections::HashMap;

use jalon::event::{Body, Counts, Event, Failed, Finished, Planned, RemoteUse, Status, Succeeded};
use jalon::report::words;

use super::style::{Style, cut, line, pad, width};

/// Reused nodes that are worth a row each.
const FEW: u64 = 40;
/// Columns of a row's first word, painted or not.
pub const WORD: usize = 6;
/// Columns of a node's name, where there is room.
pub const NAME: usize = 24;
/// Columns of a duration.
pub const TIME: usize = 9;
/// A reason with less room than this says nothing.
const LEAST: usize = 6;

/// Whether reused nodes get a row each.
pub fn is_each_told(verbose: u8, nodes: u64) -> bool {
    verbose > 0 || nodes <= FEW
}

/// Turns events into rows.
pub struct Rows {
    style: Style,
    quiet: bool,
    verbose: u8,
    columns: Option<usize>,
    reasons: HashMap<String, String>,
    hits: Vec<(String, f64)>,
    /// Those of which no name is known: how many, and the seconds that they saved.
    reused: (u64, f64),
    fetched: Vec<(String, f64)>,
    used: Option<RemoteUse>,
    failed: Option<String>,
    out: Vec<String>,
}

impl Rows {
    /// `quiet` leaves failures only; `verbose` adds every reused node and what nodes print.
    pub fn new(style: Style, quiet: bool, verbose: u8) -> Rows {
        Rows {
            style,
            quiet,
            verbose,
            columns: None,
            reasons: HashMap::new(),
            hits: Vec::new(),
            reused: (0, 0.0),
            fetched: Vec::new(),
            used: None,
            failed: None,
            out: Vec::new(),
        }
    }

    /// Rows of so many columns from now on: names take less room, reasons are cut. Errors never are.
    pub fn fit(&mut self, columns: usize) {
        self.columns = Some(columns);
    }

    /// The rows that an event comes to; often none.
    pub fn of(&mut self, event: &Event) -> Vec<String> {
        self.read(event);
        std::mem::take(&mut self.out)
    }

    fn read(&mut self, event: &Event) {
        match &event.body {
            Body::RunPlanned(planned) => self.planned(planned),
            Body::NodeQueued { node, reason } => {
                self.reasons.insert(node.clone(), reason.line());
            }
            Body::NodeHit(hit) => {
                let told = (hit.node.clone(), hit.saved_seconds);
                let hits = if hit.fetched {
                    &mut self.fetched
                } else {
                    &mut self.hits
                };
                hits.push(told);
            }
            Body::RemoteUsed(used) => self.used = Some(used.clone()),
            Body::RunReused(reused) => self.reused = (reused.nodes, reused.saved_seconds),
            Body::NodeSucceeded(done) => self.succeeded(done),
            Body::NodeFailed(failed) => self.failure(failed),
            Body::NodeRetrying {
                node,
                attempt,
                error,
                wait,
            } => {
                let wait = words::duration(*wait);
                let why = format!("attempt {attempt}: {}; again in {wait}", error.message);
                self.row_in_full(&self.style.warn("retry "), node, "", &why);
            }
            Body::NodeBlocked { node, by } if !self.quiet => {
                let why = by
                    .as_ref()
                    .map_or("the run stopped".into(), |by| format!("needs {by}"));
                self.row(&self.style.warn("wait  "), node, "", &why);
            }
            Body::NodeCancelled { node } if !self.quiet => {
                self.row(&self.style.warn("stop  "), node, "", "");
            }
            Body::NodeOverdue {
                node,
                seconds,
                expected,
            } if !self.quiet => {
                let (now, before) = (words::duration(*seconds), words::duration(*expected));
                self.row(
                    &self.style.warn("slow  "),
                    node,
                    "",
                    &format!("{now} so far, took {before} before"),
                );
            }
            Body::NodeOutput { node, text, .. } if self.verbose > 0 => self.output(node, text),
            Body::Notice(notice) if !self.quiet => {
                self.tell_hits();
                self.say(format!(
                    "{}  {}",
                    self.style.warn("note  "),
                    line(&notice.text)
                ));
            }
            Body::RunFinished(end) => self.end(end),
            _ => {}
        }
    }

    fn say(&mut self, text: String) {
        self.out.push(text);
    }

    fn row(&mut self, word: &str, node: &str, time: &str, why: &str) {
        let fixed = WORD + 2 + TIME + 4;
        let name = match self.columns {
            Some(columns) => columns.saturating_sub(fixed).clamp(8, NAME),
            None => NAME,
        };
        let start = format!("{}  {time:>TIME$}  ", pad(&line(node), name));
        let start = if why.is_empty() {
            start.trim_end().to_owned()
        } else {
            start
        };
        let why = match self.columns {
            Some(columns) => {
                let room = columns.saturating_sub(WORD + 2 + width(&start));
                if room < LEAST {
                    String::new()
                } else {
                    cut(&line(why), room)
                }
            }
            None => line(why),
        };
        if why.is_empty() {
            self.say(format!("{word}  {}", start.trim_end()));
        } else {
            self.say(format!("{word}  {start}{}", self.style.dim(&why)));
        }
    }

    /// What went wrong is told in full, whatever room there is.
    fn row_in_full(&mut self, word: &str, node: &str, time: &str, why: &str) {
        let columns = self.columns.take();
        self.row(word, node, time, why);
        self.columns = columns;
    }

    /// Reused nodes are told when something else is, or at the end.
    fn tell_hits(&mut self) {
        let hits = std::mem::take(&mut self.hits);
        let reused = std::mem::take(&mut self.reused);
        self.tell_known("reused", &hits, reused);
        let fetched = std::mem::take(&mut self.fetched);
        self.tell_known("remote", &fetched, (0, 0.0));
    }

    fn tell_known(&mut self, word: &str, hits: &[(String, f64)], (nodes, seconds): (u64, f64)) {
        if self.quiet || (hits.is_empty() && nodes == 0) {
            return;
        }
        if nodes == 0 && is_each_told(self.verbose, hits.len() as u64) {
            let word = self.style.good(word);
            for (node, saved) in hits {
                let why = if *saved > 0.0 {
                    format!("saved {}", words::duration(*saved))
                } else {
                    String::new()
                };
                self.row(&word, node, "", &why);
            }
        } else {
            let saved = hits.iter().map(|(_, saved)| *saved).chain([seconds]);
            self.all_known(word, hits.len() as u64 + nodes, words::total(saved));
        }
    }

    fn all_known(&mut self, word: &str, nodes: u64, saved: f64) {
        if self.quiet {
            return;
        }
        let count = words::count(nodes, "node");
        let how = if word == "remote" { "fetched" } else { word };
        self.say(format!(
            "{}  {count} {how}, {} saved",
            self.style.good(word),
            words::duration(saved)
        ));
    }

    fn planned(&mut self, planned: &Planned) {
        let todo = planned.run + planned.maybe;
        if self.quiet || todo == 0 {
            return;
        }
        let reuse = match planned.hit {
            0 => String::new(),
            hit => format!("{hit} to reuse, "),
        };
        let upto = if planned.maybe > 0 { "up to " } else { "" };
        let cost = if planned.expected >= 1.0 {
            format!(", about {} of work", words::duration(planned.expected))
        } else {
            String::new()
        };
        let nodes = words::count(planned.nodes, "node");
        self.say(
            self.style
                .dim(&format!("{nodes}: {reuse}{upto}{todo} to run{cost}")),
        );
    }

    fn succeeded(&mut self, done: &Succeeded) {
        self.tell_hits();
        let mut parts: Vec<String> = self.reasons.remove(&done.node).into_iter().collect();
        if done.cutoff {
            parts.push("same result as before".into());
        }
        if done.attempts > 1 {
            parts.push(format!("attempt {}", done.attempts));
        }
        if !self.quiet {
            let time = words::duration(done.seconds);
            self.row(
                &self.style.work("ran   "),
                &done.node,
                &time,
                &parts.join("; "),
            );
        }
    }

    fn failure(&mut self, failed: &Failed) {
        self.tell_hits();
        let time = words::duration(failed.seconds);
        self.row_in_full(
            &self.style.bad("FAILED"),
            &failed.node,
            &time,
            &failed.error.message,
        );
        for text in words::printable(&failed.tail).lines() {
            self.say(format!("        | {}", line(text)));
        }
        if !failed.error.help.is_empty() {
            self.say(format!("        help: {}", line(&failed.error.help)));
        }
        self.failed.get_or_insert_with(|| failed.node.clone());
    }

    fn end(&mut self, end: &Finished) {
        self.tell_hits();
        let word = match end.status {
            Status::Succeeded => self.style.good("done"),
            Status::Failed => self.style.bad("failed"),
            Status::Interrupted => self.style.warn("interrupted"),
        };
        let saved = if end.saved_seconds >= 0.05 {
            format!("; {} saved", words::duration(end.saved_seconds))
        } else {
            String::new()
        };
        if !(self.quiet && end.status == Status::Succeeded) {
            let time = words::duration(end.seconds);
            self.say(format!("{word}: {} in {time}{saved}", outcome(&end.counts)));
            let used = self.used.take().and_then(|used| words::remotes(&used));
            used.into_iter()
                .for_each(|text| self.say(format!("  remote: {text}")));
        }
        match (end.status, &self.failed, &end.error) {
            (Status::Failed, Some(node), _) => self.say(format!(
                "  jalon log last '{}' shows all it printed; jalon run goes on from here",
                line(node)
            )),
            (Status::Failed, None, Some(error)) => self.say(format!("  {}", line(&error.message))),
            (Status::Interrupted, ..) => self.say("  jalon run goes on from here".into()),
            _ => {}
        }
    }

    fn output(&mut self, node: &str, text: &str) {
        for text in words::printable(text).lines() {
            self.say(format!("{}  {}", self.style.dim(&line(node)), line(text)));
        }
    }
}

/// `3 ran, 2 reused`.
fn outcome(counts: &Counts) -> String {
    let parts = [
        (counts.ran, "ran"),
        (counts.hit, "reused"),
        (counts.fetched, "fetched"),
        (counts.failed, "failed"),
        (counts.blocked, "not reached"),
    ];
    let parts = parts.iter().filter(|(number, _)| *number > 0);
    let parts: Vec<String> = parts
        .map(|(number, word)| format!("{number} {word}"))
        .collect();
    if parts.is_empty() {
        "nothing to do".into()
    } else {
        parts.join(", ")
    }
}
