//! From places in a text to line numbers.

use ruff_text_size::TextSize;

/// Where the lines of a text end.
pub(super) struct Lines {
    ends: Vec<u32>,
}

impl Lines {
    /// The text is shorter than 4 GiB, as the parser demands.
    pub(super) fn of_text(text: &str) -> Self {
        let ends = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        Self {
            ends: ends.map(|(at, _)| at as u32).collect(),
        }
    }

    /// The line of a place, from 1.
    pub(super) fn of(&self, place: TextSize) -> u32 {
        self.ends.partition_point(|&end| end < place.to_u32()) as u32 + 1
    }
}
