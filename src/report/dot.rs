//! A plan's graph for Graphviz. Grammar: graphviz.org/doc/info/lang.html; escString and entities in labels.

use std::fmt::Write;

use super::marks::TONES;
use super::picture::line;
use super::view::View;

/// The digraph; nodes are `n0`, `n1`, … and carry their names as labels.
pub fn draw(view: &View) -> String {
    let mut text = format!("digraph \"{}\" {{\n", escape(&view.headline));
    text += "  rankdir=LR;\n  node [shape=box, style=\"rounded,filled\", fontname=\"sans-serif\", fontsize=11];\n";
    text += "  edge [fontname=\"sans-serif\", fontsize=9, color=\"#666666\"];\n";
    for (at, (cell, said)) in view.picture.cells.iter().zip(&view.said).enumerate() {
        let (_, fill, stroke) = TONES
            .iter()
            .find(|tone| tone.0 == said.mark.tone)
            .unwrap_or(&TONES[0]);
        let (name, words) = (escape(&cell.name), escape(&said.words));
        let why = if said.why.is_empty() {
            &said.words
        } else {
            &said.why
        };
        let _ = writeln!(
            text,
            "  n{at} [label=\"{name}\\n{} {words}\", tooltip=\"{name}: {}\", fillcolor=\"{fill}\", color=\"{stroke}\"];",
            said.mark.sign,
            escape(why),
        );
    }
    for link in &view.picture.links {
        let look = match link.is_order() {
            true => "style=dashed, tooltip=\"order only\"".to_owned(),
            false => format!("label=\"{}\"", escape(&link.artifacts.join(", "))),
        };
        let _ = writeln!(text, "  n{} -> n{} [{look}];", link.from, link.to);
    }
    text + "}\n"
}

/// Text within double quotes: a backslash begins an escape there, an ampersand an entity.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in line(text).chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '&' => out.push_str("&amp;"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::sketch;
    use super::*;
    use crate::verdict::Verdict;

    fn dot(graph: &crate::graph::Graph) -> String {
        draw(&View::new(graph, &sketch::plan(graph, |_| Verdict::Run)))
    }

    #[test]
    fn every_edge_is_there_once() {
        let dot = dot(&sketch::fan(2));
        assert!(
            dot.starts_with("digraph \"sketch (local): 5 nodes: 5 run\" {\n"),
            "{dot}"
        );
        assert_eq!(dot.matches(" -> ").count(), 6, "{dot}");
        assert!(dot.contains("  n1 -> n4 [label=\"model[0]\"];\n"), "{dot}");
        assert!(
            dot.contains("  n0 -> n3 [style=dashed, tooltip=\"order only\"];\n"),
            "{dot}"
        );
        assert!(dot.contains("n1 [label=\"fit[0]\\n● run\","), "{dot}");
    }

    #[test]
    fn names_cannot_end_their_quotes() {
        let name = "a\\\"b\\\\N<i>&amp;amp; %%{init}%%#é😀]; end --> x";
        let dot = dot(&sketch::nasty());
        assert!(
            dot.contains(&format!("n0 [label=\"{name}\\n● run\"")),
            "{dot}"
        );
        assert!(
            dot.contains(&format!("n0 -> n1 [label=\"{name}\"];")),
            "{dot}"
        );
    }
}
