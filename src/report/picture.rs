//! The graph as drawings show it: a cell a node, or a cell a matrix family where there are too many nodes,
//! and what flows between cells. Knows no format, no verdicts and no places on a page.

use std::collections::{BTreeMap, HashMap};

use jalon_conf::Instance;
use jalon_conf::pipeline::NodeId;

use super::words;
use crate::graph::{Edge, Graph};

/// Nodes that are drawn one by one; with more of them, matrix families are drawn as one cell each.
pub const MOST: usize = 60;

/// What is drawn.
#[derive(Debug)]
pub struct Picture {
    /// By depth, then in definition order: producers stand before consumers.
    pub cells: Vec<Cell>,
    /// Each pair of cells once.
    pub links: Vec<Link>,
}

/// A node, or the instances of one that stand at the same depth.
#[derive(Debug)]
pub struct Cell {
    /// `train[gbm,1]`, or `train[*]` for more than one.
    pub name: String,
    /// Its name without matrix values.
    pub family: String,
    /// As [`Graph::depth`].
    pub depth: u32,
    /// The nodes it stands for, in definition order; never empty.
    pub members: Vec<NodeId>,
    /// The sources it reads.
    pub sources: Vec<String>,
}

/// Something before something else.
#[derive(Debug)]
pub struct Link {
    /// Index of the cell that comes first.
    pub from: usize,
    /// Index of the cell that waits.
    pub to: usize,
    /// What flows: `rows`, `model[*]` for several instances; nothing where only the order counts.
    pub artifacts: Vec<String>,
}

impl Link {
    /// Whether it is order without data.
    pub fn is_order(&self) -> bool {
        self.artifacts.is_empty()
    }
}

impl Picture {
    /// The nodes for which `shown` holds.
    pub fn new(graph: &Graph, shown: impl Fn(NodeId) -> bool) -> Picture {
        let nodes: Vec<NodeId> = (0..graph.len() as u32)
            .map(NodeId)
            .filter(|&id| shown(id))
            .collect();
        let cells = cells(graph, &nodes);
        let mut cell_of = HashMap::new();
        for (at, cell) in cells.iter().enumerate() {
            cell_of.extend(cell.members.iter().map(|&id| (id, at)));
        }
        let links = links(graph, &cells, &cell_of);
        Picture { cells, links }
    }

    /// Whether any cell stands for several nodes.
    pub fn is_collapsed(&self) -> bool {
        self.cells.iter().any(|cell| cell.members.len() > 1)
    }
}

/// Members of a family at different depths stay apart: together they could wait for themselves.
fn cells(graph: &Graph, nodes: &[NodeId]) -> Vec<Cell> {
    let collapse = nodes.len() > MOST;
    let mut groups: BTreeMap<(u32, NodeId), Vec<NodeId>> = BTreeMap::new();
    let mut first: HashMap<(&str, u32), NodeId> = HashMap::new();
    for &id in nodes {
        let (name, depth) = (&graph.node(id).name, graph.depth(id));
        let head = if collapse && !name.matrix.is_empty() {
            *first.entry((&name.base, depth)).or_insert(id)
        } else {
            id
        };
        groups.entry((depth, head)).or_default().push(id);
    }
    let cell = |((depth, _), members): (_, Vec<NodeId>)| Cell {
        name: together(members.iter().map(|&id| &graph.node(id).name)).join(", "),
        family: graph.node(members[0]).name.base.clone(),
        sources: together(
            members
                .iter()
                .flat_map(|&id| graph.reads(id))
                .map(|id| graph.artifact(id))
                .filter(|artifact| artifact.producer.is_none())
                .map(|artifact| &artifact.name),
        ),
        depth,
        members,
    };
    groups.into_iter().map(cell).collect()
}

fn links(graph: &Graph, cells: &[Cell], cell_of: &HashMap<NodeId, usize>) -> Vec<Link> {
    let mut flows: BTreeMap<(usize, usize), Vec<&Instance>> = BTreeMap::new();
    for (to, cell) in cells.iter().enumerate() {
        for &node in &cell.members {
            for (from, edge) in graph.before(node) {
                if let (Some(&from), Edge::Order) = (cell_of.get(&from), edge) {
                    flows.entry((from, to)).or_default();
                }
            }
            for artifact in graph.reads(node).map(|id| graph.artifact(id)) {
                if let Some(from) = artifact.producer.and_then(|id| cell_of.get(&id)) {
                    flows.entry((*from, to)).or_default().push(&artifact.name);
                }
            }
        }
    }
    let link = |((from, to), names): (_, Vec<&Instance>)| Link {
        from,
        to,
        artifacts: together(names.into_iter()),
    };
    flows.into_iter().map(link).collect()
}

/// Names in order, each once; several instances of one as `base[*]`.
fn together<'a>(names: impl Iterator<Item = &'a Instance>) -> Vec<String> {
    let mut order: Vec<&Instance> = Vec::new();
    let mut several: HashMap<&str, (&Instance, bool)> = HashMap::new();
    for name in names {
        let seen = several.entry(&name.base).or_insert_with(|| {
            order.push(name);
            (name, false)
        });
        seen.1 |= seen.0 != name;
    }
    let text = |name: &Instance| match several[name.base.as_str()].1 {
        true => format!("{}[*]", name.base),
        false => name.to_string(),
    };
    order.into_iter().map(text).collect()
}

/// Text in one line without control characters.
pub fn line(text: &str) -> String {
    let text = words::printable(text);
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Text of at most so many columns, with `…` where something was left out.
pub fn cut(text: &str, most: usize) -> String {
    if columns(text) <= most {
        return text.to_owned();
    }
    let mut room = most.saturating_sub(1);
    let fits = |c: &char| {
        let wide = column(*c);
        let fits = wide <= room;
        room = room.saturating_sub(wide);
        fits
    };
    let mut kept: String = text.chars().take_while(fits).collect();
    kept.push('…');
    kept
}

/// Columns of a fixed-width font that a text takes, near enough to align a drawing.
pub fn columns(text: &str) -> usize {
    text.chars().map(column).sum()
}

/// The East Asian wide blocks and emoji take two (Unicode TR 11), combining marks and joiners none.
fn column(c: char) -> usize {
    match u32::from(c) {
        0x300..=0x36f | 0x200b..=0x200f | 0xfe00..=0xfe0f => 0,
        0x1100..=0x115f | 0x2e80..=0xa4cf | 0xac00..=0xd7a3 | 0xf900..=0xfaff => 2,
        0xfe30..=0xfe6f | 0xff00..=0xff60 | 0xffe0..=0xffe6 => 2,
        0x1f300..=0x1faff | 0x20000..=0x3ffff => 2,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::super::sketch;
    use super::*;

    fn told(picture: &Picture) -> Vec<String> {
        let cells = &picture.cells;
        let link = |link: &Link| {
            let (from, to) = (&cells[link.from].name, &cells[link.to].name);
            format!("{from} {} {to}", link.artifacts.join("+"))
        };
        picture.links.iter().map(link).collect()
    }

    #[test]
    fn few_nodes_stand_alone_with_every_edge() {
        let picture = Picture::new(&sketch::fan(2), |_| true);
        let names: Vec<&str> = picture.cells.iter().map(|cell| &*cell.name).collect();
        assert_eq!(names, ["load", "fit[0]", "fit[1]", "tell", "join"]);
        assert_eq!(picture.cells[0].sources, ["raw"]);
        assert_eq!(
            told(&picture),
            [
                "load rows fit[0]",
                "load rows fit[1]",
                "load  tell",
                "load rows join",
                "fit[0] model[0] join",
                "fit[1] model[1] join",
            ]
        );
        assert!(picture.links[2].is_order() && !picture.is_collapsed());
    }

    #[test]
    fn many_instances_become_one_cell() {
        let graph = sketch::fan(MOST);
        let picture = Picture::new(&graph, |_| true);
        let cells: Vec<_> = picture
            .cells
            .iter()
            .map(|cell| (&*cell.name, cell.members.len()))
            .collect();
        assert_eq!(
            cells,
            [("load", 1), ("fit[*]", MOST), ("tell", 1), ("join", 1)]
        );
        assert_eq!(
            told(&picture),
            [
                "load rows fit[*]",
                "load  tell",
                "load rows join",
                "fit[*] model[*] join"
            ]
        );
        assert!(picture.is_collapsed());
    }

    #[test]
    fn what_is_not_shown_has_no_edges() {
        let graph = sketch::fan(2);
        let load = graph.find("load").expect("it is there");
        let picture = Picture::new(&graph, |id| id != load);
        assert_eq!(
            told(&picture),
            ["fit[0] model[0] join", "fit[1] model[1] join"]
        );
    }

    #[test]
    fn text_is_measured_and_cut() {
        assert_eq!(columns("é日本"), 5);
        assert_eq!(cut("日本語", 6), "日本語");
        assert_eq!(cut("日本語", 5), "日本…");
        assert_eq!(cut("abcdef", 4), "abc…");
        assert_eq!(line("a\n b\u{1b}[31m\tc"), "a b c");
    }
}
