//! What failed in a run, as articles of a page: the error, what to do, the end of what was printed.

use std::fmt::Write;

use super::marks::Mark;
use super::page::{self, code, escape};
use super::picture::line;
use super::tally::{NodeSummary, Standing, Summary};
use super::words;

/// Failures told in full; the table has them all.
const FAILURES: usize = 50;
/// Characters of a failure's output, from its end.
const TAIL: usize = 20_000;

/// The failures, or the error of a run in which no node failed; nothing where all is well.
pub fn draw(summary: &Summary) -> String {
    let failed = || {
        summary
            .nodes
            .iter()
            .filter(|node| node.standing == Standing::Failed)
    };
    let count = failed().count();
    let mut text = String::new();
    if let Some(error) = summary.error.as_ref().filter(|_| count == 0) {
        let _ = writeln!(
            text,
            "<section>\n<h2>Error</h2>\n<div class=\"failure\"><p>{}</p>\n<p class=\"dim\">{}</p></div>\n</section>",
            escape(&error.message),
            escape(&error.help),
        );
    }
    if count > 0 {
        text += "<section>\n<h2>What failed</h2>\n";
        failed()
            .take(FAILURES)
            .for_each(|node| failure(&mut text, node));
        if count > FAILURES {
            let _ = writeln!(
                text,
                "<p class=\"dim\">… and {} more, in the table below.</p>",
                count - FAILURES
            );
        }
        text += "</section>\n";
    }
    text
}

fn failure(text: &mut String, node: &NodeSummary) {
    let mut facts = vec![words::duration(node.seconds)];
    if let Some(exit) = node.exit_code.filter(|_| node.error.is_none()) {
        facts.push(format!("exit code {exit}"));
    }
    if node.attempts > 1 {
        facts.push(format!("{} attempts", node.attempts));
    }
    let _ = writeln!(
        text,
        "<article class=\"failure\">\n<h3>{} {} <span class=\"dim\">{}</span></h3>",
        page::badge(Mark::of_standing(node.standing)),
        code(&line(&node.name)),
        facts.join(", "),
    );
    if let Some(error) = &node.error {
        let _ = writeln!(text, "<p>{}</p>", escape(&error.message));
        if !error.help.is_empty() {
            let _ = writeln!(text, "<p class=\"dim\">{}</p>", escape(&error.help));
        }
    }
    let tail = words::printable(&node.tail);
    let tail = tail.trim_end();
    if !tail.is_empty() {
        let from = tail
            .char_indices()
            .rev()
            .nth(TAIL - 1)
            .map_or(0, |(at, _)| at);
        // The first line break after <pre> is not shown, so this one keeps any that the text begins with.
        let _ = writeln!(
            text,
            "<pre tabindex=\"0\" aria-label=\"The end of what it printed\">\n{}</pre>",
            escape(&tail[from..])
        );
    }
    *text += "</article>\n";
}
