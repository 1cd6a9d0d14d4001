//! Being written.
use super::tally::Summary;
/// Markdown for a job's page.
pub fn page(_: &Summary, _: &str) -> String { String::new() }
