//! The graph with the verdicts of a plan, in the forms that `jalon graph` offers.
//!
//! Drawings show the whole graph, or for targets what they need, matrix families as one where there are many
//! nodes; JSON has every node and every edge.

use std::collections::BTreeSet;
use std::fmt::Write;

use jalon_conf::pipeline::NodeId;
use serde_json::{Value, json};

use super::marks::Mark;
use super::page::{self, code, escape};
use super::picture::line;
use super::plan::PlanReport;
use super::svg::{self, Note};
use super::view::View;
use super::{dot, mermaid, outline, words};
use crate::graph::{Edge, Graph};
use crate::verdict::{Reason, Verdict};

/// How a graph is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Rows for a terminal.
    Text,
    /// Graphviz.
    Dot,
    /// Mermaid.
    Mermaid,
    /// One object: `nodes`, `artifacts`, `edges`.
    Json,
    /// One self-contained page.
    Html,
}

/// The drawing; the report is that of a plan of this graph.
pub fn draw(graph: &Graph, report: &PlanReport, form: Form) -> String {
    match form {
        Form::Text => outline::draw(&View::new(graph, report)),
        Form::Dot => dot::draw(&View::new(graph, report)),
        Form::Mermaid => mermaid::draw(&View::new(graph, report)),
        Form::Json => format!("{}\n", object(graph, report)),
        Form::Html => page(graph, report),
    }
}

fn object(graph: &Graph, report: &PlanReport) -> Value {
    let ids = || (0..graph.len() as u32).map(NodeId);
    let nodes: Vec<Value> = ids()
        .zip(&report.nodes)
        .map(|(id, planned)| {
            let node = graph.node(id);
            json!({
                "name": planned.name,
                "verdict": planned.verdict,
                "depth": graph.depth(id),
                "reason": planned.reason,
                "expected_seconds": planned.expected_seconds,
                "group": node.group,
                "tags": node.tags,
            })
        })
        .collect();
    let artifacts: Vec<Value> = graph
        .pipeline()
        .artifacts
        .iter()
        .map(|artifact| {
            json!({
                "name": artifact.name.to_string(),
                "path": artifact.path,
                "producer": artifact.producer.map(|id| graph.node(id).name.to_string()),
            })
        })
        .collect();
    let edges: Vec<Value> = ids().flat_map(|id| edges(graph, id)).collect();
    json!({
        "schema": 1,
        "project": report.project,
        "env": report.env,
        "nodes": nodes,
        "artifacts": artifacts,
        "edges": edges,
    })
}

/// What a node waits for: an edge an artifact that another node makes, then order without data.
fn edges(graph: &Graph, to: NodeId) -> Vec<Value> {
    let name = |id: NodeId| graph.node(id).name.to_string();
    let mut seen = BTreeSet::new();
    let mut edges = Vec::new();
    for id in graph.reads(to).filter(|&id| seen.insert(id)) {
        let artifact = graph.artifact(id);
        if let Some(from) = artifact.producer {
            edges.push(json!({"from": name(from), "to": name(to), "kind": "data", "artifact": artifact.name.to_string()}));
        }
    }
    for (from, _) in graph.before(to).filter(|(_, edge)| *edge == Edge::Order) {
        edges.push(json!({"from": name(from), "to": name(to), "kind": "order", "artifact": null}));
    }
    edges
}

fn page(graph: &Graph, report: &PlanReport) -> String {
    let view = View::new(graph, report);
    let notes: Vec<Note> = view
        .picture
        .cells
        .iter()
        .zip(&view.said)
        .map(|(cell, said)| Note {
            mark: said.mark,
            words: said.words.clone(),
            title: said.why.clone(),
            target: format!("n{}", cell.members[0].0),
        })
        .collect();
    let mut body = format!("<h1>{}</h1>\n", escape(&view.headline));
    body += "<section aria-label=\"Graph\">\n<div class=\"drawing\">\n";
    body += &svg::draw(&view.picture, &notes);
    body += "</div>\n";
    body += &svg::legend(&view.picture);
    body += "</section>\n";
    body += &table(graph, report, &view);
    page::shell(&format!("{}: graph", line(&report.project)), &body)
}

/// A row a node, also for those that the drawing shows as one.
fn table(graph: &Graph, report: &PlanReport, view: &View) -> String {
    let mut text = String::from(
        "<h2>Nodes</h2>\n<div class=\"wide\"><table>\n<thead><tr><th scope=\"col\">Node</th><th scope=\"col\">Verdict</th>\
         <th scope=\"col\">Why</th><th scope=\"col\">Last time</th><th scope=\"col\">Reads</th></tr></thead>\n<tbody>\n",
    );
    for id in view.picture.cells.iter().flat_map(|cell| &cell.members) {
        let Some(node) = report.nodes.get(id.0 as usize) else {
            continue;
        };
        let why = node.reason.as_ref().map(Reason::line).unwrap_or_default();
        let shown = node
            .expected_seconds
            .filter(|_| node.verdict != Verdict::NotNeeded);
        let _ = writeln!(
            text,
            "<tr id=\"n{}\"><th scope=\"row\">{}</th><td>{}</td><td>{}</td><td class=\"much\">{}</td><td>{}</td></tr>",
            id.0,
            code(&line(&node.name)),
            page::badge(Mark::of_verdict(node.verdict)),
            escape(&line(&why)),
            shown.map(words::duration).unwrap_or_default(),
            reads(graph, *id),
        );
    }
    text + "</tbody>\n</table></div>\n"
}

/// The first few; a fan-in of thousands would drown the rest.
fn reads(graph: &Graph, id: NodeId) -> String {
    const SOME: usize = 4;
    let names = graph
        .reads(id)
        .take(SOME)
        .map(|id| code(&line(&graph.artifact(id).name.to_string())));
    let mut text = names.collect::<Vec<_>>().join(", ");
    let count = graph.reads(id).count();
    if count > SOME {
        let _ = write!(text, " and {} more", count - SOME);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::sketch;
    use super::*;

    fn drawn(graph: &Graph, form: Form) -> String {
        draw(graph, &sketch::plan(graph, |_| Verdict::Run), form)
    }

    #[test]
    fn json_has_every_edge_and_every_name_as_it_is() {
        let value: Value =
            serde_json::from_str(&drawn(&sketch::fan(100), Form::Json)).expect("JSON");
        assert_eq!(value["nodes"].as_array().map(Vec::len), Some(103));
        assert_eq!(value["artifacts"].as_array().map(Vec::len), Some(104));
        assert_eq!(value["edges"].as_array().map(Vec::len), Some(100 + 100 + 2));
        assert_eq!(
            value["edges"][0],
            json!({"from": "load", "to": "fit[0]", "kind": "data", "artifact": "rows"})
        );
        let order = json!({"from": "load", "to": "tell", "kind": "order", "artifact": null});
        assert!(
            value["edges"]
                .as_array()
                .is_some_and(|edges| edges.contains(&order))
        );
        assert_eq!(
            (&value["nodes"][1]["depth"], &value["nodes"][1]["verdict"]),
            (&json!(1), &json!("run"))
        );
        let value: Value =
            serde_json::from_str(&drawn(&sketch::nasty(), Form::Json)).expect("JSON");
        assert_eq!(value["edges"][0]["artifact"], sketch::NASTY);
    }

    #[test]
    fn the_page_holds_all_nodes_and_leaves_them_text() {
        let html = drawn(&sketch::fan(100), Form::Html);
        assert_eq!(html.matches("<tr id=").count(), 103);
        assert_eq!(html.matches("<rect ").count(), 4, "families are one box");
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
        let html = drawn(&sketch::nasty(), Form::Html);
        assert!(
            !html.contains("<i>") && html.contains("a&quot;b\\N&lt;i&gt;&amp;amp;"),
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
    fn targets_leave_the_rest_out_of_drawings() {
        let graph = sketch::fan(2);
        let verdict = |name: &str| {
            if name == "load" {
                Verdict::Run
            } else {
                Verdict::NotNeeded
            }
        };
        let mut report = sketch::plan(&graph, verdict);
        assert!(draw(&graph, &report, Form::Text).contains("fit[0]"));
        report.targets = vec!["load".into()];
        assert!(!draw(&graph, &report, Form::Text).contains("fit[0]"));
        assert!(draw(&graph, &report, Form::Json).contains("fit[0]"));
    }
}
