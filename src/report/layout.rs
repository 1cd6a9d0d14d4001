//! Places for boxes and lines: columns by depth, crossings reduced by barycentre, boxes near what they touch.
//!
//! After Sugiyama, Tagawa and Toda (1981): lines over several columns are threaded through points of their own.
//! Numbers only; knows nothing of names or of SVG. Deterministic.

use std::collections::BTreeMap;

/// Height of a box, pixels.
pub const HEIGHT: f64 = 42.0;
/// Between boxes of a column.
const GAP: f64 = 14.0;
/// Between columns.
const BETWEEN: f64 = 64.0;
/// Height of the point through which a line passes a column.
const POINT: f64 = 4.0;
/// Points in all; beyond them long lines go straight, for a drawing that nobody can follow costs the least.
const MOST_POINTS: usize = 20_000;
/// Rounds of each improvement; more changes little (Gansner et al. 1993 use 8 and 24).
const ROUNDS: usize = 8;

/// Where everything is, pixels from the upper left corner.
#[derive(Debug, Default)]
pub struct Layout {
    /// Left edge, vertical middle and width of each box.
    pub boxes: Vec<(f64, f64, f64)>,
    /// For each line, the ends of its level pieces, left to right.
    pub routes: Vec<Vec<(f64, f64)>>,
    /// Of all.
    pub width: f64,
    /// Of all.
    pub height: f64,
}

/// Lays out boxes of these depths and widths, and lines from lower depths to higher ones.
pub fn lay(boxes: &[(u32, f64)], lines: &[(usize, usize)]) -> Layout {
    if boxes.is_empty() {
        return Layout::default();
    }
    let mut net = Net::new(boxes, lines);
    net.reduce_crossings();
    net.align();
    net.finish(boxes)
}

/// A box, or a point of a line.
struct Item {
    column: usize,
    height: f64,
    /// From the top of its column.
    place: usize,
    y: f64,
    before: Vec<usize>,
    after: Vec<usize>,
}

struct Net {
    /// Boxes first, then points.
    items: Vec<Item>,
    /// The items each line touches, ends included.
    threads: Vec<Vec<usize>>,
    /// The items of each column, top to bottom.
    columns: Vec<Vec<usize>>,
}

impl Net {
    fn new(boxes: &[(u32, f64)], lines: &[(usize, usize)]) -> Net {
        let mut ranks: BTreeMap<u32, usize> = boxes.iter().map(|&(depth, _)| (depth, 0)).collect();
        ranks
            .values_mut()
            .enumerate()
            .for_each(|(at, rank)| *rank = at);
        let mut net = Net {
            items: Vec::new(),
            threads: Vec::new(),
            columns: vec![Vec::new(); ranks.len()],
        };
        for (depth, _) in boxes {
            net.add(ranks[depth], HEIGHT);
        }
        let span = |&(from, to): &(usize, usize)| ranks[&boxes[to].0] - ranks[&boxes[from].0];
        let points: usize = lines.iter().map(|line| span(line).saturating_sub(1)).sum();
        for &(from, to) in lines {
            let through = if points > MOST_POINTS {
                0..0
            } else {
                net.items[from].column + 1..net.items[to].column
            };
            let mut thread = vec![from];
            thread.extend(through.map(|column| net.add(column, POINT)));
            thread.push(to);
            for pair in thread.windows(2) {
                net.items[pair[0]].after.push(pair[1]);
                net.items[pair[1]].before.push(pair[0]);
            }
            net.threads.push(thread);
        }
        net
    }

    fn add(&mut self, column: usize, height: f64) -> usize {
        let at = self.items.len();
        let place = self.columns[column].len();
        self.columns[column].push(at);
        self.items.push(Item {
            column,
            height,
            place,
            y: 0.0,
            before: Vec::new(),
            after: Vec::new(),
        });
        at
    }

    /// Sorts each column by the mean place of its neighbours, to and fro; the best order seen is kept.
    fn reduce_crossings(&mut self) {
        let mut best = (self.crossings(), self.columns.clone());
        for round in 0..ROUNDS {
            let back = round % 2 == 1;
            let count = self.columns.len();
            for step in 0..count {
                self.sort(if back { count - 1 - step } else { step }, back);
            }
            let crossings = self.crossings();
            if crossings < best.0 {
                best = (crossings, self.columns.clone());
            }
        }
        self.columns = best.1;
    }

    fn sort(&mut self, column: usize, back: bool) {
        let wish = |&item: &usize| {
            let places = self
                .beside(item, back)
                .iter()
                .map(|&other| self.items[other].place as f64);
            (mean(places).unwrap_or(self.items[item].place as f64), item)
        };
        let mut keyed: Vec<(f64, usize)> = self.columns[column].iter().map(wish).collect();
        keyed.sort_by(|a, b| a.0.total_cmp(&b.0));
        for (place, &(_, item)) in keyed.iter().enumerate() {
            self.items[item].place = place;
            self.columns[column][place] = item;
        }
    }

    fn beside(&self, item: usize, back: bool) -> &[usize] {
        if back {
            &self.items[item].after
        } else {
            &self.items[item].before
        }
    }

    /// Pairs of lines that cross between neighbouring columns.
    fn crossings(&self) -> u64 {
        let crossed = |column: &Vec<usize>| {
            inversions(column.iter().flat_map(|&item| {
                let after = self.items[item].after.iter();
                let mut ends: Vec<usize> = after.map(|&end| self.items[end].place).collect();
                ends.sort_unstable();
                ends
            }))
        };
        self.columns.iter().map(crossed).sum()
    }

    /// Moves each box towards the mean height of its neighbours as far as the order and the gaps allow.
    fn align(&mut self) {
        for column in 0..self.columns.len() {
            self.settle(column, |_, _| None);
        }
        for round in 0..ROUNDS {
            let back = round % 2 == 1;
            let count = self.columns.len();
            for step in 0..count {
                let column = if back { count - 1 - step } else { step };
                self.settle(column, |net, item| {
                    mean(
                        net.beside(item, back)
                            .iter()
                            .map(|&other| net.items[other].y),
                    )
                });
            }
        }
    }

    fn settle(&mut self, column: usize, wish: impl Fn(&Net, usize) -> Option<f64>) {
        let items = self.columns[column].clone();
        let mut offset = 0.0;
        let mut offsets = Vec::with_capacity(items.len());
        for (at, &item) in items.iter().enumerate() {
            if at > 0 {
                offset += (self.items[items[at - 1]].height + self.items[item].height) / 2.0 + GAP;
            }
            offsets.push(offset);
        }
        let wishes = items.iter().zip(&offsets);
        let wishes =
            wishes.map(|(&item, offset)| wish(self, item).unwrap_or(self.items[item].y) - offset);
        let settled = rising(wishes);
        for ((&item, offset), y) in items.iter().zip(&offsets).zip(settled) {
            self.items[item].y = y + offset;
        }
    }

    fn finish(&self, boxes: &[(u32, f64)]) -> Layout {
        let mut widths = vec![0.0_f64; self.columns.len()];
        for (item, (_, width)) in self.items.iter().zip(boxes) {
            widths[item.column] = widths[item.column].max(*width);
        }
        let mut left = vec![0.0; widths.len()];
        for column in 1..widths.len() {
            left[column] = left[column - 1] + widths[column - 1] + BETWEEN;
        }
        let edge = |start: f64, sign: f64| {
            self.items
                .iter()
                .map(|item| sign * (item.y + sign * item.height / 2.0))
                .fold(start, f64::max)
        };
        let (top, bottom) = (-edge(f64::NEG_INFINITY, -1.0), edge(f64::NEG_INFINITY, 1.0));
        let y = |item: usize| self.items[item].y - top;
        let route = |thread: &Vec<usize>| {
            let ends = thread.iter().flat_map(|&item| {
                let from = left[self.items[item].column];
                [
                    (from, y(item)),
                    (from + widths[self.items[item].column], y(item)),
                ]
            });
            let ends: Vec<(f64, f64)> = ends.collect();
            ends[1..ends.len() - 1].to_vec()
        };
        Layout {
            boxes: (0..boxes.len())
                .map(|at| {
                    (
                        left[self.items[at].column],
                        y(at),
                        widths[self.items[at].column],
                    )
                })
                .collect(),
            routes: self.threads.iter().map(route).collect(),
            width: left[left.len() - 1] + widths[widths.len() - 1],
            height: bottom - top,
        }
    }
}

fn mean(values: impl ExactSizeIterator<Item = f64>) -> Option<f64> {
    let count = values.len();
    (count > 0).then(|| values.sum::<f64>() / count as f64)
}

/// Pairs in the wrong order, counted in a Fenwick tree.
fn inversions(values: impl Iterator<Item = usize>) -> u64 {
    let values: Vec<usize> = values.collect();
    let size = values.iter().max().map_or(0, |most| most + 1);
    let mut tree = vec![0_u64; size + 1];
    let mut found = 0;
    for (seen, value) in values.into_iter().enumerate() {
        let mut not_above = 0;
        let mut at = value + 1;
        while at > 0 {
            not_above += tree[at];
            at &= at - 1;
        }
        found += seen as u64 - not_above;
        at = value + 1;
        while at <= size {
            tree[at] += 1;
            at += at & at.wrapping_neg();
        }
    }
    found
}

/// The rising sequence nearest to these values by least squares: neighbours in the wrong order share their
/// mean (pool adjacent violators).
fn rising(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut pools: Vec<(f64, usize)> = Vec::new();
    for value in values {
        let mut pool = (value, 1);
        while let Some(&(sum, count)) = pools.last() {
            if sum / count as f64 <= pool.0 / pool.1 as f64 {
                break;
            }
            pools.pop();
            pool = (sum + pool.0, count + pool.1);
        }
        pools.push(pool);
    }
    pools
        .into_iter()
        .flat_map(|(sum, count)| std::iter::repeat_n(sum / count as f64, count))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cross(depths: &[u32], lines: &[(usize, usize)]) -> (u64, u64) {
        let boxes: Vec<(u32, f64)> = depths.iter().map(|&depth| (depth, 80.0)).collect();
        let mut net = Net::new(&boxes, lines);
        let before = net.crossings();
        net.reduce_crossings();
        (before, net.crossings())
    }

    #[test]
    fn crossings_are_counted_and_undone() {
        assert_eq!(cross(&[0, 0, 1, 1], &[(0, 3), (1, 2)]), (1, 0));
        assert_eq!(
            cross(&[0, 0, 0, 1, 1, 1], &[(0, 5), (1, 4), (2, 3)]),
            (3, 0)
        );
        // Two by two, all to all: one crossing is the least.
        assert_eq!(
            cross(&[0, 0, 1, 1], &[(0, 2), (0, 3), (1, 2), (1, 3)]),
            (1, 1)
        );
    }

    #[test]
    fn boxes_of_a_column_never_overlap() {
        let boxes: Vec<(u32, f64)> = (0..300).map(|at| (at / 40, 100.0)).collect();
        let lines: Vec<(usize, usize)> =
            (40..300).map(|to| (to * 7 % (to / 40 * 40), to)).collect();
        let layout = lay(&boxes, &lines);
        for (at, a) in layout.boxes.iter().enumerate() {
            assert!(a.0 >= 0.0 && a.0 + a.2 <= layout.width + 0.01);
            assert!(a.1 >= HEIGHT / 2.0 - 0.01 && a.1 + HEIGHT / 2.0 <= layout.height + 0.01);
            for b in &layout.boxes[..at] {
                assert!(
                    a.0 != b.0 || (a.1 - b.1).abs() >= HEIGHT + GAP - 0.01,
                    "{a:?} {b:?}"
                );
            }
        }
    }

    #[test]
    fn a_line_joins_its_boxes_and_passes_the_columns_between() {
        let layout = lay(
            &[(0, 50.0), (2, 60.0), (7, 70.0)],
            &[(0, 2), (0, 1), (1, 2)],
        );
        let (first, last) = (layout.boxes[0], layout.boxes[2]);
        let route = &layout.routes[0];
        assert_eq!(route.len(), 4);
        assert_eq!(route[0], (first.0 + 50.0, first.1));
        assert_eq!(route[3], (last.0, last.1));
        assert!(
            (route[1].1 - layout.boxes[1].1).abs() > HEIGHT / 2.0,
            "around the box"
        );
        assert_eq!(lay(&[], &[]).boxes.len(), 0);
    }

    #[test]
    fn long_lines_of_a_huge_graph_cost_no_points() {
        let boxes: Vec<(u32, f64)> = (0..3000).map(|at| (at, 10.0)).collect();
        let lines: Vec<(usize, usize)> = (1..3000).map(|to| (0, to)).collect();
        let layout = lay(&boxes, &lines);
        assert!(layout.routes.iter().all(|route| route.len() == 2));
    }

    #[test]
    fn the_nearest_rising_sequence() {
        let rose = rising([3.0, 1.0, 2.0, 9.0].into_iter());
        assert_eq!(rose, [2.0, 2.0, 2.0, 9.0]);
        assert_eq!(inversions([2, 0, 1, 1].into_iter()), 3);
    }
}
