//! A run's nodes as a table of a page: how each stands, how long it took, why, and what it made.

use std::fmt::Write;

use super::marks::Mark;
use super::page::{self, code, escape};
use super::picture::line;
use super::tally::{NodeSummary, Standing, Summary};
use super::words;
use crate::event::Made;
use crate::verdict::Reason;

/// Outputs of a node that are shown at once; the others unfold.
const OUTPUTS: usize = 4;

/// Why a node stands where it stands.
pub fn because(node: &NodeSummary) -> Option<String> {
    match (&node.error, &node.blocked_by, node.standing) {
        (Some(error), ..) => Some(error.message.clone()),
        (_, Some(by), Standing::Blocked) => Some(format!("waits for {by}")),
        (.., Standing::Hit | Standing::Fetched) => None,
        _ => node.reason.as_ref().map(Reason::line),
    }
}

/// A row a node, in definition order; the row of the first has the id `n0`.
pub fn draw(summary: &Summary) -> String {
    let mut text = String::from(
        "<section>\n<h2>Nodes</h2>\n<div class=\"wide\"><table>\n<thead><tr><th scope=\"col\">Node</th>\
         <th scope=\"col\">Status</th><th scope=\"col\">Time</th><th scope=\"col\">Why</th>\
         <th scope=\"col\">Outputs</th></tr></thead>\n<tbody>\n",
    );
    for (at, node) in summary.nodes.iter().enumerate() {
        let _ = writeln!(
            text,
            "<tr id=\"n{at}\"><th scope=\"row\">{}</th><td>{}</td><td class=\"much\">{}</td><td>{}</td><td>{}</td></tr>",
            code(&line(&node.name)),
            page::badge(Mark::of_standing(node.standing)),
            time(node),
            remarks(node),
            outputs(node),
        );
    }
    text + "</tbody>\n</table></div>\n</section>\n"
}

fn time(node: &NodeSummary) -> String {
    match node.standing {
        Standing::Hit | Standing::Fetched if node.saved_seconds > 0.0 => {
            format!(
                "<span class=\"dim\">saved {}</span>",
                words::duration(node.saved_seconds)
            )
        }
        Standing::Ran | Standing::Failed => words::duration(node.seconds),
        _ => String::new(),
    }
}

/// Why, and what else is worth a look.
fn remarks(node: &NodeSummary) -> String {
    let mut parts: Vec<String> = because(node).iter().map(|why| escape(&line(why))).collect();
    if node.attempts > 1 {
        parts.push(format!("{} attempts", node.attempts));
    }
    if node.cutoff {
        parts.push("gave what it had given before".into());
    }
    if !node.undeclared.is_empty() {
        let files: Vec<String> = node
            .undeclared
            .iter()
            .map(|file| code(&line(file)))
            .collect();
        parts.push(format!("read without declaring it: {}", files.join(", ")));
    }
    parts.join("<br>")
}

fn outputs(node: &NodeSummary) -> String {
    let item = |(name, made): (&String, &Made)| {
        let digest = made.digest.get(..10).unwrap_or(&made.digest);
        format!(
            "<li>{} <span class=\"dim\">{}, {}, <span title=\"{}\">{}</span></span></li>",
            code(&line(name)),
            escape(&line(&made.path)),
            words::size(made.size),
            escape(&made.digest),
            code(digest),
        )
    };
    let list = |items: String| {
        if items.is_empty() {
            items
        } else {
            format!("<ul>{items}</ul>")
        }
    };
    let mut text = list(node.outputs.iter().take(OUTPUTS).map(item).collect());
    let rest: String = node.outputs.iter().skip(OUTPUTS).map(item).collect();
    if !rest.is_empty() {
        let more = node.outputs.len() - OUTPUTS;
        let _ = write!(
            text,
            "<details><summary>{more} more</summary>{}</details>",
            list(rest)
        );
    }
    text
}
