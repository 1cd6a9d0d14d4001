//! A picture of the graph as SVG within a page: boxes in columns, left to right, lines between them.
//!
//! Size and place of everything is written out; colours come from the page's style sheet.

use std::fmt::Write;

use super::layout::{self, HEIGHT};
use super::marks::Mark;
use super::page::escape;
use super::picture::{Link, Picture, columns, cut, line};

/// Columns of a name; the whole of it is in the box's title.
const NAME: usize = 30;
/// Width of a character in 12 pixel monospaced fonts.
const CHARACTER: f64 = 7.3;
/// Around everything, so that no stroke is cut off.
const MARGIN: f64 = 4.0;

/// What a box says besides its name.
pub struct Note {
    /// Its sign and its tone.
    pub mark: Mark,
    /// The line below the name.
    pub words: String,
    /// More, for whoever points at it.
    pub title: String,
    /// Id of the element that tells all.
    pub target: String,
}

/// The drawing; a note for each cell.
pub fn draw(picture: &Picture, notes: &[Note]) -> String {
    let boxes: Vec<(u32, f64)> = picture
        .cells
        .iter()
        .zip(notes)
        .map(|(cell, note)| {
            let text = columns(&shown(&cell.name)).max(columns(&note.words) + 2);
            (cell.depth, text as f64 * CHARACTER + 20.0)
        })
        .collect();
    let lines: Vec<(usize, usize)> = picture
        .links
        .iter()
        .map(|link| (link.from, link.to))
        .collect();
    let layout = layout::lay(&boxes, &lines);
    let (width, height) = (layout.width + 2.0 * MARGIN, layout.height + 2.0 * MARGIN);
    let mut svg = format!(
        "<svg class=\"dag\" xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" \
         viewBox=\"-{MARGIN} -{MARGIN} {width:.0} {height:.0}\" role=\"group\" \
         aria-label=\"The graph of the pipeline; the table of nodes says the same in words\">\n\
         <defs><marker id=\"tip\" viewBox=\"0 0 8 8\" refX=\"8\" refY=\"4\" markerWidth=\"8\" markerHeight=\"8\" \
         orient=\"auto\"><path d=\"M0 0L8 4L0 8z\"/></marker></defs>\n"
    );
    for (link, route) in picture.links.iter().zip(&layout.routes) {
        edge(&mut svg, picture, link, route);
    }
    for ((cell, note), &place) in picture.cells.iter().zip(notes).zip(&layout.boxes) {
        node(&mut svg, &cell.name, note, place);
    }
    svg += "</svg>\n";
    svg
}

/// What the lines mean, in words below the drawing.
pub fn legend(picture: &Picture) -> String {
    let mut text = String::from("<p class=\"dim\">A line is data, a dashed line order alone.");
    if picture.is_collapsed() {
        text += " A box named <code>[*]</code> stands for all instances of a matrix.";
    }
    text + "</p>\n"
}

fn shown(name: &str) -> String {
    cut(&line(name), NAME)
}

/// Level through the columns, a curve between them.
fn edge(svg: &mut String, picture: &Picture, link: &Link, route: &[(f64, f64)]) {
    let mut path = String::new();
    for (at, &(x, y)) in route.iter().enumerate() {
        let (from, above) = route[at.saturating_sub(1)];
        let middle = (from + x) / 2.0;
        let _ = match at {
            0 => write!(path, "M{x:.1} {y:.1}"),
            _ if at % 2 == 1 => write!(
                path,
                "C{middle:.1} {above:.1} {middle:.1} {y:.1} {x:.1} {y:.1}"
            ),
            _ => write!(path, "H{x:.1}"),
        };
    }
    let (from, to) = (&picture.cells[link.from].name, &picture.cells[link.to].name);
    let (class, what) = match link.is_order() {
        true => ("edge order", "order only".to_owned()),
        false => ("edge", link.artifacts.join(", ")),
    };
    let title = escape(&format!("{} → {}: {}", line(from), line(to), line(&what)));
    let _ = writeln!(
        svg,
        "<path class=\"{class}\" d=\"{path}\" marker-end=\"url(#tip)\"><title>{title}</title></path>"
    );
}

fn node(svg: &mut String, name: &str, note: &Note, (x, y, width): (f64, f64, f64)) {
    let title = format!(
        "{}: {}{}",
        line(name),
        note.words,
        match note.title.as_str() {
            "" => String::new(),
            more => format!("\n{more}"),
        }
    );
    let label = escape(&format!("{}: {}", line(name), note.words));
    let top = y - HEIGHT / 2.0;
    let _ = writeln!(
        svg,
        "<a href=\"#{}\" aria-label=\"{label}\"><g class=\"node {}\"><title>{}</title>\
         <rect x=\"{x:.1}\" y=\"{top:.1}\" width=\"{width:.1}\" height=\"{HEIGHT}\" rx=\"6\"/>\
         <text class=\"name\" x=\"{:.1}\" y=\"{:.1}\">{}</text>\
         <text x=\"{:.1}\" y=\"{:.1}\">{} {}</text></g></a>",
        note.target,
        note.mark.tone,
        escape(&title),
        x + 10.0,
        y - 3.0,
        escape(&shown(name)),
        x + 10.0,
        y + 13.0,
        note.mark.sign,
        escape(&note.words),
    );
}

#[cfg(test)]
mod tests {
    use super::super::sketch;
    use super::*;
    use crate::verdict::Verdict;

    fn drawn(graph: &crate::graph::Graph) -> String {
        let picture = Picture::new(graph, |_| true);
        let note = |_| Note {
            mark: Mark::of_verdict(Verdict::Run),
            words: "run".into(),
            title: "because <of> \"it\"".into(),
            target: "n0".into(),
        };
        draw(
            &picture,
            &picture.cells.iter().map(note).collect::<Vec<_>>(),
        )
    }

    #[test]
    fn every_edge_and_every_node_is_drawn() {
        let svg = drawn(&sketch::fan(2));
        assert_eq!(svg.matches("<rect ").count(), 5, "{svg}");
        assert_eq!(svg.matches("class=\"edge\"").count(), 5, "{svg}");
        assert_eq!(svg.matches("class=\"edge order\"").count(), 1, "{svg}");
        assert!(
            svg.contains("<title>fit[1] → join: model[1]</title>"),
            "{svg}"
        );
        assert!(svg.contains("load → tell: order only"), "{svg}");
        assert!(svg.contains(">● run</text>"), "a sign and a word: {svg}");
    }

    #[test]
    fn names_are_text() {
        let svg = drawn(&sketch::nasty());
        assert!(
            !svg.contains("<i>") && !svg.contains("<of>") && !svg.contains("a\"b"),
            "{svg}"
        );
        assert!(svg.contains("a&quot;b\\N&lt;i&gt;&amp;amp; %%"), "{svg}");
    }
}
