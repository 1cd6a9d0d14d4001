//! Being written.
use super::tally::Summary;
use crate::graph::Graph;
/// One self-contained page.
pub fn page(_: &Graph, _: &Summary) -> String { String::new() }
