//! Screens. Knows events and summaries; nothing of keys, stores or disk layout.

mod board;
mod live;
mod plain;
mod rows;
mod screen;
mod style;
mod text;

use std::ffi::OsString;

use jalon::event::Sink;

use super::args::Common;
pub use style::{Style, line, pad};
pub use text::{diff_text, plan_text, runs_text, summary_text};

/// What shows a run while it goes on; `terminal` says whether standard error is one.
pub fn run_sink(common: &Common, terminal: bool) -> Box<dyn Sink> {
    let style = Style::of(common);
    let rows = rows::Rows::new(style, common.quiet, common.verbose);
    if terminal && moves(common, |name| std::env::var_os(name)) {
        Box::new(live::Live::new(rows, style))
    } else {
        Box::new(plain::Plain::new(rows))
    }
}

/// Whether the screen has a row for each of so many reused nodes.
pub fn tells_each(common: &Common, nodes: u64) -> bool {
    !common.quiet && rows::is_each_told(common.verbose, nodes)
}

/// Whether moving parts are welcome: not where every line is wanted (`-v`) or none (`-q`), not on a terminal
/// that cannot move its cursor, not in CI, whose terminal is a log file.
fn moves(common: &Common, variable: impl Fn(&str) -> Option<OsString>) -> bool {
    let asked = !common.plain && !common.quiet && common.verbose == 0;
    let able = variable("TERM").is_some_and(|term| !term.is_empty() && term != "dumb");
    let ci =
        variable("CI").is_some_and(|value| !value.is_empty() && value != "false" && value != "0");
    asked && able && !ci
}

#[cfg(test)]
mod tests;
