//! A plan's graph for Mermaid (GitHub, GitLab and notebooks draw it). Syntax: mermaid.js.org, Flowcharts.

use std::fmt::Write;

use super::marks::TONES;
use super::picture::line;
use super::view::View;

/// The flowchart; Mermaid itself draws at most 500 edges unless the page allows more.
pub fn draw(view: &View) -> String {
    let mut text = String::from("flowchart LR\n");
    for (at, (cell, said)) in view.picture.cells.iter().zip(&view.said).enumerate() {
        let words = escape(&format!("{} {}", said.mark.sign, said.words));
        let _ = writeln!(
            text,
            "  n{at}[\"{}<br>{words}\"]:::{}",
            escape(&cell.name),
            said.mark.tone
        );
    }
    for link in &view.picture.links {
        let arrow = match link.is_order() {
            true => "-.->".to_owned(),
            false => format!("-->|\"{}\"|", escape(&link.artifacts.join(", "))),
        };
        let _ = writeln!(text, "  n{} {arrow} n{}", link.from, link.to);
    }
    for (tone, fill, stroke) in TONES {
        if view.said.iter().any(|said| said.mark.tone == tone) {
            let _ = writeln!(
                text,
                "  classDef {tone} fill:{fill},stroke:{stroke},color:#111"
            );
        }
    }
    text
}

/// Text within double quotes. Everything that might mean something to Mermaid, to Markdown or to HTML is written
/// as an entity of Mermaid's, `#` and the code point: its parser looks for directives, comments, styles and lists
/// before it looks for quotes.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in line(text).chars() {
        if c.is_alphanumeric()
            || " _/[](),=".contains(c)
            || (matches!(c, '.' | '-') && !out.ends_with(['.', '-']))
        {
            out.push(c);
        } else {
            let _ = write!(out, "#{};", u32::from(c));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::sketch;
    use super::*;
    use crate::verdict::Verdict;

    fn mermaid(graph: &crate::graph::Graph) -> String {
        draw(&View::new(graph, &sketch::plan(graph, |_| Verdict::Hit)))
    }

    #[test]
    fn every_edge_is_there_once() {
        let text = mermaid(&sketch::fan(2));
        assert!(
            text.starts_with("flowchart LR\n  n0[\"load<br>#10003; reuse\"]:::good\n"),
            "{text}"
        );
        assert_eq!(text.matches("->").count(), 6, "{text}");
        assert!(
            text.contains("  n1 -->|\"model[0]\"| n4\n") && text.contains("  n0 -.-> n3\n"),
            "{text}"
        );
        assert_eq!(text.matches("classDef").count(), 1, "{text}");
    }

    #[test]
    fn names_mean_nothing() {
        let text = mermaid(&sketch::nasty());
        let name = "a#34;b#92;N#60;i#62;#38;amp#59; #37;#37;#123;init#125;#37;#37;#35;é#128512;]#59; end -#45;#62; x";
        assert!(text.contains(&format!("n0[\"{name}<br>")), "{text}");
        assert!(text.contains(&format!("n0 -->|\"{name}\"| n1")), "{text}");
    }

    #[test]
    fn thousands_of_nodes_stay_below_mermaids_limit() {
        let text = mermaid(&sketch::fan(600));
        assert!(
            text.lines().count() < 20 && text.contains("fit[#42;]<br>#10003; 600 reuse"),
            "{text}"
        );
    }
}
