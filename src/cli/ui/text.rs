//! Answers as text: plans, runs, summaries, differences.

use jalon::history::Run;
use jalon::report::plan::PlanReport;
use jalon::report::tally::{Standing, Summary};
use jalon::report::words;
use jalon::verdict::{Reason, Verdict};
use serde_json::Value;

use super::super::args::Common;
use super::style::{self, Style, line, pad};

fn width<'a>(names: impl Iterator<Item = &'a str>) -> usize {
    names
        .map(|name| style::width(&line(name)))
        .max()
        .unwrap_or(0)
        .clamp(8, 40)
}

/// One line a node, then what it would cost.
pub fn plan_text(common: &Common, report: &PlanReport) -> String {
    let style = Style::of(common);
    let shown = report
        .nodes
        .iter()
        .filter(|node| node.verdict != Verdict::NotNeeded || common.verbose > 0);
    let width = width(report.nodes.iter().map(|node| node.name.as_str()));
    let mut text = String::new();
    for node in shown {
        let word = match node.verdict {
            Verdict::Hit => style.good("reuse "),
            Verdict::HitRemote => style.good("fetch "),
            Verdict::Run => style.work("run   "),
            Verdict::Maybe => style.warn("maybe "),
            Verdict::NotNeeded => style.dim("skip  "),
        };
        let why = node.reason.as_ref().map(Reason::line).unwrap_or_default();
        let cost = node
            .expected_seconds
            .filter(|_| node.verdict != Verdict::Hit)
            .map(words::duration)
            .unwrap_or_default();
        let row = format!(
            "{word}  {}  {cost:>9}  {}",
            pad(&line(&node.name), width),
            style.dim(&line(&why))
        );
        text += row.trim_end();
        text.push('\n');
    }
    let (run, maybe, hit) = (
        report.count(Verdict::Run),
        report.count(Verdict::Maybe),
        report.count(Verdict::Hit) + report.count(Verdict::HitRemote),
    );
    text += &match (run, maybe) {
        (0, 0) => format!("nothing to run: {} to reuse\n", words::count(hit, "node")),
        (_, 0) => format!(
            "{run} to run, {hit} to reuse{}\n",
            cost(report.seconds(Verdict::Run))
        ),
        _ => format!(
            "{run} to run, {maybe} maybe, {hit} to reuse{}\n",
            cost(report.seconds(Verdict::Run) + report.seconds(Verdict::Maybe))
        ),
    };
    for notice in &report.notices {
        text += &format!("{}  {}\n", style.warn("note  "), notice.text);
    }
    text
}

fn cost(seconds: f64) -> String {
    if seconds >= 0.5 {
        format!("; at most about {} of work", words::duration(seconds))
    } else {
        String::new()
    }
}

/// One line a run, newest first.
pub fn runs_text(common: &Common, runs: &[Run]) -> String {
    let style = Style::of(common);
    let mut text = String::new();
    for run in runs {
        let when = when(run.at);
        let (word, rest) = match &run.finished {
            Some(end) => {
                let counts = end.counts;
                let word = match end.status.word() {
                    "succeeded" => style.good("done       "),
                    "failed" => style.bad("failed     "),
                    _ => style.warn("interrupted"),
                };
                let more = if counts.failed + counts.blocked > 0 {
                    format!(", {} failed, {} not reached", counts.failed, counts.blocked)
                } else {
                    String::new()
                };
                (
                    word,
                    format!(
                        "{} ran, {} reused{more}, {}",
                        counts.ran,
                        counts.hit + counts.fetched,
                        words::duration(end.seconds)
                    ),
                )
            }
            None => (
                style.warn("unfinished "),
                format!("process {} on {}", run.started.pid, run.started.host),
            ),
        };
        let targets = if run.started.targets.is_empty() {
            String::new()
        } else {
            format!("  {}", run.started.targets.join(" "))
        };
        text += &format!("{}  {when}  {word}  {rest}{targets}\n", run.id);
    }
    text
}

/// `2026-11-21 07:40:12`, in local time.
fn when(at_ms: u64) -> String {
    let stamp = jiff::Timestamp::from_millisecond(at_ms as i64).unwrap_or_default();
    stamp
        .to_zoned(jiff::tz::TimeZone::system())
        .strftime("%Y-%m-%d %H:%M:%S")
        .to_string()
}

/// One run in full.
pub fn summary_text(common: &Common, summary: &Summary) -> String {
    let style = Style::of(common);
    let width = width(summary.nodes.iter().map(|node| node.name.as_str()));
    let state = if summary.ended {
        summary.status.word()
    } else {
        "not finished (going on, or killed)"
    };
    let mut text = format!(
        "run {}  {}  {state}, {}\n",
        summary.run,
        when(summary.at),
        words::duration(summary.seconds)
    );
    for node in &summary.nodes {
        let (word, time) = match node.standing {
            Standing::NotNeeded => continue,
            Standing::Hit => (style.good("reused"), String::new()),
            Standing::Fetched => (style.good("fetch "), String::new()),
            Standing::Ran => (style.work("ran   "), words::duration(node.seconds)),
            Standing::Failed => (style.bad("FAILED"), words::duration(node.seconds)),
            Standing::Blocked => (style.warn("wait  "), String::new()),
            Standing::Cancelled => (style.warn("stop  "), String::new()),
            Standing::Unknown => (style.warn("?     "), String::new()),
        };
        let why = match (&node.error, &node.reason, &node.blocked_by) {
            (Some(error), ..) => error.message.clone(),
            (_, _, Some(by)) => format!("needs {by}"),
            (_, Some(reason), _) => reason.line(),
            _ => String::new(),
        };
        let row = format!(
            "{word}  {}  {time:>9}  {}",
            pad(&line(&node.name), width),
            style.dim(&line(&why))
        );
        text += row.trim_end();
        text.push('\n');
    }
    for notice in &summary.notices {
        text += &format!("{}  {}\n", style.warn("note  "), notice.text);
    }
    text
}

/// The sections of a comparison of two runs.
pub fn diff_text(common: &Common, diff: &Value) -> String {
    let style = Style::of(common);
    let mut text = String::new();
    for section in ["params", "code", "inputs", "metrics", "verdicts"] {
        let rows = diff[section]
            .as_array()
            .map(Vec::as_slice)
            .unwrap_or_default();
        if rows.is_empty() {
            continue;
        }
        text += &format!("{section}\n");
        for row in rows {
            let word = |key: &str| match &row[key] {
                Value::Null => "—".to_owned(),
                Value::String(text) if text.len() == 64 => text[..12].to_owned(),
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            let change = row["change"]
                .as_f64()
                .map(|change| format!("  ({change:+})"))
                .unwrap_or_default();
            let what = row["what"].as_str().unwrap_or_default();
            text += &format!(
                "  {what}: {} → {}{}\n",
                word("old"),
                word("new"),
                style.dim(&change)
            );
        }
    }
    if text.is_empty() {
        "no difference\n".to_owned()
    } else {
        text
    }
}
