//! A run as one self-contained page: how it ended, what failed and why, the graph, the timeline, every node.
//!
//! The graph is today's; a node of the run that is no longer in it is in the table and not in the drawing.

use std::collections::HashMap;
use std::fmt::Write;

use jalon_conf::pipeline::NodeId;

use super::marks::{self, Mark};
use super::page::{self, code, escape, moment};
use super::picture::{Picture, line};
use super::svg::{self, Note};
use super::tally::{Standing, Summary};
use super::view::why;
use super::{failures, table, timeline, words};
use crate::event::Status;
use crate::graph::Graph;

/// One self-contained page.
pub fn page(graph: &Graph, summary: &Summary) -> String {
    let name = match &summary.started {
        Some(started) => started.project.clone(),
        None => graph
            .pipeline()
            .name
            .clone()
            .unwrap_or_else(|| "pipeline".into()),
    };
    let (mark, word) = ending(summary);
    let title = format!(
        "{}: {word} in {}",
        line(&name),
        words::duration(summary.seconds)
    );
    let mut body = format!(
        "<header>\n<h1><span class=\"mark {}\">{}</span> {}</h1>\n{}{}</header>\n",
        mark.tone,
        mark.sign,
        escape(&title),
        origin(summary),
        tiles(summary),
    );
    body += &failures::draw(summary);
    body += &drawing(graph, summary);
    body += &timeline::draw(summary);
    body += &table::draw(summary);
    body += &notices(summary);
    body += &footer(summary);
    page::shell(&title, &body)
}

/// The sign and the word of the whole run.
fn ending(summary: &Summary) -> (Mark, &'static str) {
    let (standing, word) = match (summary.ended, summary.status) {
        (false, _) => (Standing::Unknown, "not finished"),
        (_, Status::Succeeded) => (Standing::Hit, "succeeded"),
        (_, Status::Failed) => (Standing::Failed, "failed"),
        (_, Status::Interrupted) => (Standing::Cancelled, "interrupted"),
    };
    (Mark::of_standing(standing), word)
}

fn origin(summary: &Summary) -> String {
    let mut parts = vec![format!("Run {}", code(&summary.run))];
    if summary.at > 0 {
        parts.push(moment(summary.at));
    }
    parts.push(format!("environment {}", code(&line(&summary.env))));
    if let Some(started) = &summary.started {
        if !started.commit.is_empty() {
            parts.push(format!("commit {}", code(&line(&started.commit))));
        }
        if !started.targets.is_empty() {
            let targets: Vec<String> = started
                .targets
                .iter()
                .map(|target| code(&line(target)))
                .collect();
            parts.push(format!("targets {}", targets.join(" ")));
        }
    }
    format!("<p class=\"dim\">{}</p>\n", parts.join(" · "))
}

/// The counts; the share reused is that of the nodes that came to an end.
fn tiles(summary: &Summary) -> String {
    let counts = &summary.counts;
    let mut text = String::from("<ul class=\"tiles\">\n");
    let mut tile = |tone: &str, number: &str, what: &str| {
        let _ = writeln!(
            text,
            "<li class=\"{tone}\"><b>{number}</b><span>{what}</span></li>"
        );
    };
    let numbers = [
        (Standing::Failed, counts.failed, "failed"),
        (Standing::Blocked, counts.blocked, "not reached"),
        (Standing::Ran, counts.ran, "ran"),
        (Standing::Hit, counts.hit, "reused"),
        (Standing::Fetched, counts.fetched, "fetched"),
        (Standing::NotNeeded, counts.not_needed, "not needed"),
    ];
    for (standing, number, what) in numbers.into_iter().filter(|(_, number, _)| *number > 0) {
        let mark = Mark::of_standing(standing);
        tile(mark.tone, &format!("{} {number}", mark.sign), what);
    }
    let known = counts.hit + counts.fetched;
    let ended = known + counts.ran + counts.failed;
    if ended > 0 {
        let rate = known as f64 * 100.0 / ended as f64;
        tile(
            "",
            &format!("{rate:.0} %"),
            &format!("hit rate, {known} of {ended}"),
        );
    }
    tile("", &words::duration(summary.seconds), "wall time");
    if summary.saved_seconds > 0.0 {
        tile(
            "",
            &words::duration(summary.saved_seconds),
            "saved by reuse",
        );
    }
    text + "</ul>\n"
}

/// The nodes of the run that are still in the pipeline.
fn drawing(graph: &Graph, summary: &Summary) -> String {
    let mut row_of: HashMap<&str, usize> = HashMap::new();
    for (at, node) in summary.nodes.iter().enumerate() {
        if node.standing != Standing::NotNeeded {
            row_of.insert(&node.name, at);
        }
    }
    let nodes = graph.pipeline().nodes.iter().enumerate();
    let rows: HashMap<NodeId, usize> = nodes
        .filter_map(|(id, node)| {
            let row = row_of.get(node.name.to_string().as_str())?;
            Some((NodeId(id as u32), *row))
        })
        .collect();
    let gone = row_of.len() - rows.len();
    if rows.is_empty() {
        return String::new();
    }
    let picture = Picture::new(graph, |id| rows.contains_key(&id));
    let notes: Vec<Note> = picture
        .cells
        .iter()
        .map(|cell| note(summary, &mut cell.members.iter().map(|id| rows[id])))
        .collect();
    let mut text = String::from("<section>\n<h2>Graph</h2>\n<div class=\"drawing\">\n");
    text += &svg::draw(&picture, &notes);
    text += "</div>\n";
    text += &svg::legend(&picture);
    if gone > 0 {
        let _ = writeln!(
            text,
            "<p class=\"dim\">{} of this run not in the pipeline any more.</p>",
            match gone {
                1 => "1 node is".to_owned(),
                more => format!("{more} nodes are"),
            }
        );
    }
    text + "</section>\n"
}

/// What a box says: the most urgent of its nodes leads to that node's row.
fn note(summary: &Summary, rows: &mut dyn Iterator<Item = usize>) -> Note {
    let mut rows: Vec<usize> = rows.collect();
    let mark = |at: &usize| Mark::of_standing(summary.nodes[*at].standing);
    rows.sort_by_key(mark);
    let (mark, mut words) = marks::together(rows.iter().map(mark)).expect("a cell has a member");
    let seconds = words::total(rows.iter().map(|&at| summary.nodes[at].seconds));
    if seconds > 0.0 {
        let _ = write!(words, ", {}", words::duration(seconds));
    }
    let reasons = rows
        .iter()
        .filter_map(|&at| table::because(&summary.nodes[at]));
    Note {
        mark,
        words,
        title: why(reasons),
        target: format!("n{}", rows[0]),
    }
}

fn notices(summary: &Summary) -> String {
    if summary.notices.is_empty() {
        return String::new();
    }
    let item = |notice: &crate::event::Notice| {
        format!("<li>{} {}</li>\n", code(&notice.code), escape(&notice.text))
    };
    let items: String = summary.notices.iter().map(item).collect();
    format!("<section>\n<h2>Notices</h2>\n<ul>\n{items}</ul>\n</section>\n")
}

fn footer(summary: &Summary) -> String {
    let Some(started) = &summary.started else {
        return String::new();
    };
    let (version, host) = (escape(&line(&started.jalon)), escape(&line(&started.host)));
    let jobs = words::count(u64::from(started.jobs), "node");
    format!("<footer>jalon {version} on {host}, {jobs} at once</footer>\n")
}

#[cfg(test)]
mod tests {
    use super::super::tally::NodeSummary;
    use super::super::{sample, sketch};
    use super::*;
    use crate::event::Made;
    use crate::verdict::Reason;

    /// A run of this graph in which nodes stand as their names say.
    fn run(graph: &Graph, standing: impl Fn(&str) -> Standing) -> Summary {
        let mut summary = sample::summary();
        let node = summary.nodes[0].clone();
        summary.nodes = graph
            .pipeline()
            .nodes
            .iter()
            .map(|each| {
                let name = each.name.to_string();
                NodeSummary {
                    standing: standing(&name),
                    name,
                    ..node.clone()
                }
            })
            .collect();
        summary
    }

    #[test]
    fn the_page_of_a_failed_run() {
        let summary = sample::summary();
        let html = page(&sketch::fan(2), &summary);
        let title = "churn: failed in 1 min 12 s";
        assert!(html.contains(&format!("<title>{title}</title>")), "{html}");
        assert!(html.contains("<b>✗ 1</b><span>failed</span>"), "{html}");
        assert!(html.contains("43 %") && html.contains("15.8s"), "{html}");
        assert!(html.contains("2026-11-21 "), "{html}");
        assert_eq!(html.matches("<tr id=").count(), summary.nodes.len());
        assert!(
            html.contains("ValueError: ```nan``` is not a number ]]&gt;</pre>"),
            "{html}"
        );
        assert!(
            html.contains("a &lt; b &amp; c | d") && !html.contains("a < b"),
            "{html}"
        );
        assert!(
            html.contains("<code>untraced</code> reads are not observed"),
            "{html}"
        );
        for outside in [
            "src=",
            "href=\"http",
            "@import",
            "url(http",
            "<script",
            "<link",
        ] {
            assert!(!html.contains(outside), "{outside}");
        }
    }

    #[test]
    fn the_drawing_shows_how_the_nodes_of_the_run_stand() {
        let graph = sketch::fan(2);
        let html = page(
            &graph,
            &run(&graph, |name| match name {
                "fit[1]" => Standing::Failed,
                "join" => Standing::Blocked,
                "tell" => Standing::NotNeeded,
                _ => Standing::Hit,
            }),
        );
        assert_eq!(html.matches("<rect ").count(), 4, "{html}");
        assert!(html.contains("aria-label=\"fit[1]: failed\""), "{html}");
        assert!(html.contains("aria-label=\"join: not reached\""), "{html}");
        assert!(html.contains("<g class=\"node bad\">"), "{html}");
        for href in html
            .split("href=\"#")
            .skip(1)
            .filter_map(|rest| rest.split('"').next())
        {
            assert!(
                html.contains(&format!("<tr id=\"{href}\">")),
                "{href} leads nowhere"
            );
        }
    }

    #[test]
    fn one_failure_among_thousands_leads_to_its_row() {
        let graph = sketch::fan(600);
        let html = page(
            &graph,
            &run(&graph, |name| match name {
                "fit[77]" => Standing::Failed,
                _ => Standing::Hit,
            }),
        );
        let at = graph.find("fit[77]").expect("it is there").0;
        assert!(
            html.contains(&format!(
                "<a href=\"#n{at}\" aria-label=\"fit[*]: 1 failed, 599 reused"
            )),
            "its row"
        );
        assert_eq!(html.matches("<rect ").count(), 4);
    }

    #[test]
    fn names_outputs_and_notices_are_text() {
        let graph = sketch::nasty();
        let mut summary = run(&graph, |_| Standing::Ran);
        let made = Made {
            digest: "é".repeat(8),
            size: 1,
            path: sketch::NASTY.into(),
            shape: Default::default(),
            executable: false,
        };
        summary.nodes[0].outputs = (0..6)
            .map(|at| (format!("{}{at}", sketch::NASTY), made.clone()))
            .collect();
        summary.nodes[0].undeclared = vec![sketch::NASTY.into()];
        summary.nodes[0].reason = Some(Reason::word(Reason::UPSTREAM, sketch::NASTY));
        summary.notices[0].text = sketch::NASTY.into();
        summary.env = sketch::NASTY.into();
        let html = page(&graph, &summary);
        assert!(!html.contains("<i>") && !html.contains("a\"b"), "{html}");
        assert!(html.contains("<summary>2 more</summary>"), "{html}");
    }

    #[test]
    fn a_run_of_nothing_is_a_page() {
        let html = page(&sketch::fan(1), &Summary::of_events(&[]));
        assert!(
            html.contains("not finished") && !html.contains("<svg"),
            "{html}"
        );
        assert!(
            !html.contains("hit rate") && !html.contains("NaN"),
            "{html}"
        );
    }
}
