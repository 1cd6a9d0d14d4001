//! Screens. Knows events and summaries; nothing of keys, stores or disk layout.

mod plain;
mod rows;
mod style;
mod text;

use jalon::event::Sink;

use super::args::Common;
pub use style::Style;
pub use text::{diff_text, plan_text, runs_text, summary_text};

/// What shows a run while it goes on.
pub fn run_sink(common: &Common, _terminal: bool) -> Box<dyn Sink> {
    Box::new(plain::Plain::new(rows::Rows::new(Style::of(common), common.quiet, common.verbose)))
}
