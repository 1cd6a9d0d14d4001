//! A plan's graph for a terminal: a row a cell, producers above consumers, each level indented further.

use std::collections::HashMap;

use super::picture::{Cell, Link, columns, cut, line};
use super::view::View;

/// Columns of a name with its indentation; longer names are cut.
const NAME: usize = 44;
/// Levels that are indented further; deeper ones would leave the screen.
const LEVELS: u32 = 12;
/// Producers named in a row.
const NAMED: usize = 3;

/// The rows, below a headline.
pub fn draw(view: &View) -> String {
    let cells = &view.picture.cells;
    let before = before(view);
    let rows: Vec<[String; 4]> = cells
        .iter()
        .zip(&view.said)
        .zip(&before)
        .map(|((cell, said), before)| {
            let indent = "  ".repeat(cell.depth.min(LEVELS) as usize);
            let name = cut(&format!("{indent}{}", shown(cell)), NAME);
            [
                format!("{} {}", said.mark.sign, said.words),
                name,
                before.clone(),
                said.why.clone(),
            ]
        })
        .collect();
    let widths = [0, 1, 2].map(|at| rows.iter().map(|row| columns(&row[at])).max().unwrap_or(0));
    let mut text = format!("{}\n\n", view.headline);
    for row in rows {
        let mut out = String::new();
        for (cell, width) in row.iter().zip(widths) {
            out += cell;
            out += &" ".repeat(width - columns(cell) + 2);
        }
        out += &row[3];
        text += out.trim_end();
        text.push('\n');
    }
    text
}

fn shown(cell: &Cell) -> String {
    match cell.members.len() {
        1 => line(&cell.name),
        several => format!("{} ×{several}", line(&cell.name)),
    }
}

/// What each cell waits for: sources, cells whose data it reads, cells that only come first.
fn before(view: &View) -> Vec<String> {
    let mut links: HashMap<usize, Vec<&Link>> = HashMap::new();
    for link in &view.picture.links {
        links.entry(link.to).or_default().push(link);
    }
    let row = |(at, cell): (usize, &Cell)| {
        let mut all: Vec<String> = cell.sources.iter().map(|name| line(name)).collect();
        all.extend(producers(view, links.get(&at).map_or(&[], Vec::as_slice)));
        let more = all.len().saturating_sub(NAMED);
        all.truncate(NAMED);
        match (all.is_empty(), more) {
            (true, _) => String::new(),
            (_, 0) => format!("← {}", all.join(", ")),
            _ => format!("← {}, +{more}", all.join(", ")),
        }
    };
    view.picture.cells.iter().enumerate().map(row).collect()
}

/// The instances of one matrix in one word: a fan-in reads all of them, as a rule.
fn producers(view: &View, links: &[&Link]) -> Vec<String> {
    let cell = |link: &Link| &view.picture.cells[link.from];
    let same =
        links.chunk_by(|a, b| cell(a).family == cell(b).family && a.is_order() == b.is_order());
    let word = |same: &[&Link]| {
        let after = if same[0].is_order() { "after " } else { "" };
        match same.len() {
            1 => format!("{after}{}", line(&cell(same[0]).name)),
            several => format!("{after}{}[*] ×{several}", line(&cell(same[0]).family)),
        }
    };
    same.map(word).collect()
}

#[cfg(test)]
mod tests {
    use super::super::sketch;
    use super::*;
    use crate::verdict::{Reason, Verdict};

    fn text(graph: &crate::graph::Graph, verdict: impl Fn(&str) -> Verdict) -> String {
        draw(&View::new(graph, &sketch::plan(graph, verdict)))
    }

    #[test]
    fn rows_say_what_why_and_after_what() {
        let verdict = |name: &str| match name {
            "load" => Verdict::Hit,
            "join" => Verdict::Maybe,
            _ => Verdict::Run,
        };
        let why = line(&Reason::word(Reason::UPSTREAM, sketch::NASTY).line());
        assert_eq!(
            text(&sketch::fan(2), verdict),
            format!(
                "sketch (local): 5 nodes: 3 run, 1 maybe, 1 reuse\n\n\
                 ✓ reuse  load      ← raw\n\
                 ● run      fit[0]  ← load             {why}\n\
                 ● run      fit[1]  ← load             {why}\n\
                 ● run      tell    ← after load       {why}\n\
                 ? maybe      join  ← load, fit[*] ×2\n"
            )
        );
    }

    #[test]
    fn families_are_one_row_with_counts() {
        let verdict = |name: &str| {
            if name == "fit[7]" {
                Verdict::Run
            } else {
                Verdict::Hit
            }
        };
        let text = text(&sketch::fan(600), verdict);
        assert_eq!(text.lines().count(), 6, "{text}");
        assert!(
            text.contains("● 1 run, 599 reuse    fit[*] ×600  ← load"),
            "{text}"
        );
    }

    #[test]
    fn a_name_breaks_no_row() {
        let text = text(&sketch::nasty(), |_| Verdict::Hit);
        assert_eq!(text.lines().count(), 4, "{text}");
    }
}
