//! A run as lines on standard error: what files, pipes and CI get.

use std::io::Write;

use jalon::event::{Event, Sink};

use super::rows::Rows;

/// Writes each row as it comes.
pub struct Plain {
    rows: Rows,
}

impl Plain {
    /// Shows these rows.
    pub fn new(rows: Rows) -> Plain {
        Plain { rows }
    }
}

impl Sink for Plain {
    fn take(&mut self, event: &Event) {
        let rows = self.rows.of(event);
        if !rows.is_empty() {
            // A closed terminal must not stop a run.
            let _ = writeln!(std::io::stderr().lock(), "{}", rows.join("\n"));
        }
    }
}
