//! When each node of a run ran, as bars on one scale.

use std::fmt::Write;

use super::marks::Mark;
use super::page::escape;
use super::picture::line;
use super::tally::{NodeSummary, Summary};
use super::words;

/// Bars that a reader can take in; of more, the longest are shown.
const MOST: usize = 150;

/// The bars, first started first; nothing where no node ran. Milliseconds since the Unix epoch come in.
///
/// A node whose end nobody saw lasts until the end of the run.
pub fn draw(summary: &Summary) -> String {
    let end = summary.at + (summary.seconds.max(0.0) * 1000.0) as u64;
    let mut bars: Vec<Bar<'_>> = summary
        .nodes
        .iter()
        .filter_map(|node| Bar::of(node, end))
        .collect();
    let Some(last) = bars.iter().map(|bar| bar.to).max() else {
        return String::new();
    };
    let ran = bars.len();
    bars.sort_by_key(|bar| std::cmp::Reverse(bar.to - bar.from));
    bars.truncate(MOST);
    bars.sort_by_key(|bar| (bar.from, bar.to));
    // A run read back without its start begins with its first node.
    let origin = if summary.at > 0 {
        summary.at
    } else {
        bars.iter().map(|bar| bar.from).min().unwrap_or(0)
    };
    let span = last.max(end).saturating_sub(origin).max(1);
    let mut text = String::from("<section>\n<h2>When</h2>\n");
    if ran > bars.len() {
        let _ = writeln!(
            text,
            "<p class=\"dim\">The longest {} of {ran}.</p>",
            bars.len()
        );
    }
    text += "<dl class=\"time\">\n";
    bars.iter()
        .for_each(|bar| bar.draw(&mut text, origin, span));
    let half = words::duration(span as f64 / 2000.0);
    let whole = words::duration(span as f64 / 1000.0);
    let _ = writeln!(
        text,
        "<dt aria-hidden=\"true\"><span></span></dt><dd aria-hidden=\"true\"><span class=\"scale\"><span>0</span>\
         <span>{half}</span><span>{whole}</span></span><span></span></dd>\n</dl>\n</section>"
    );
    text
}

struct Bar<'a> {
    node: &'a NodeSummary,
    from: u64,
    to: u64,
}

impl Bar<'_> {
    fn of(node: &NodeSummary, end: u64) -> Option<Bar<'_>> {
        let from = node.started_at?;
        let to = node.ended_at.unwrap_or(end).max(from);
        Some(Bar { node, from, to })
    }

    fn draw(&self, text: &mut String, origin: u64, span: u64) {
        let mark = Mark::of_standing(self.node.standing);
        let share = |time: u64| time.saturating_sub(origin) as f64 * 100.0 / span as f64;
        let (left, width) = (share(self.from), share(self.to) - share(self.from));
        let time = words::duration((self.to - self.from) as f64 / 1000.0);
        let start = words::duration(self.from.saturating_sub(origin) as f64 / 1000.0);
        let name = escape(&line(&self.node.name));
        let _ = writeln!(
            text,
            "<dt><code class=\"who\" title=\"{name}\">{name}</code></dt><dd><span class=\"track\" \
             title=\"{name}: {}, {time} from {start}\"><span class=\"bar {}\" \
             style=\"left:{left:.2}%;width:{width:.2}%\"></span></span>\
             <span class=\"much\"><span class=\"took\">{time}</span> <span class=\"mark {}\">{} {}</span></span></dd>",
            mark.word, mark.tone, mark.tone, mark.sign, mark.word,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;
    use crate::report::tally::Standing;

    #[test]
    fn a_bar_a_node_that_ran() {
        let summary = sample::summary();
        let ran = summary
            .nodes
            .iter()
            .filter(|node| node.started_at.is_some())
            .count();
        let text = draw(&summary);
        assert!(ran > 0);
        assert_eq!(text.matches("class=\"bar ").count(), ran, "{text}");
        assert!(
            text.contains("class=\"bar bad\"") && text.contains("✗ failed"),
            "{text}"
        );
    }

    #[test]
    fn bars_stay_on_their_scale() {
        let mut summary = sample::summary();
        (summary.at, summary.seconds) = (1000, 4.0);
        summary.nodes.truncate(1);
        let node = &mut summary.nodes[0];
        (node.name, node.standing) = ("<b>".into(), Standing::Unknown);
        (node.started_at, node.ended_at) = (Some(3000), None);
        let text = draw(&summary);
        assert!(
            text.contains("left:50.00%;width:50.00%") && text.contains("? end unknown"),
            "{text}"
        );
        assert!(!text.contains("<b>"), "{text}");
        summary.nodes[0].started_at = None;
        assert_eq!(draw(&summary), "");
    }

    #[test]
    fn of_thousands_the_longest_are_shown() {
        let mut summary = sample::summary();
        let mut node = summary.nodes[0].clone();
        node.started_at = Some(summary.at);
        summary.nodes = (0..2000_u64)
            .map(|more| {
                node.name = format!("node-{more}.");
                node.ended_at = Some(summary.at + more);
                node.clone()
            })
            .collect();
        let text = draw(&summary);
        assert_eq!(text.matches("class=\"bar ").count(), MOST);
        assert!(text.contains("The longest 150 of 2000.") && text.contains("node-1999."));
        assert!(!text.contains("node-1849."));
    }
}
