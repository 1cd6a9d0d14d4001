//! Being written.
use super::tally::Summary;
/// JUnit XML.
pub fn xml(_: &Summary, _: &str) -> String { String::new() }
