//! Texts and places in them: byte ranges while reading, [`Location`]s when something is said.
//!
//! Lines and columns are looked up in tables that are built once a text, so that a million
//! places cost a million lookups. Knows nothing of what the texts mean.

use std::sync::Arc;

use crate::diagnostic::Location;

/// A byte range of one text. `Default` is "nowhere": a built-in value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct At {
    pub file: u32,
    pub start: u32,
    pub end: u32,
}

impl Default for At {
    fn default() -> Self {
        Self {
            file: u32::MAX,
            start: 0,
            end: 0,
        }
    }
}

/// All texts that were read.
#[derive(Debug, Default)]
pub(crate) struct Texts {
    texts: Vec<Indexed>,
}

#[derive(Debug)]
struct Indexed {
    file: Arc<str>,
    text: Arc<str>,
    /// Byte offset of each line's start.
    lines: Vec<u32>,
    /// The line of each 64th byte.
    blocks: Vec<u32>,
    /// Characters before each 64th byte; empty where every character is one byte.
    chars: Vec<u32>,
}

impl Texts {
    pub fn add(&mut self, file: &str, text: &str) -> u32 {
        let id = u32::try_from(self.texts.len()).unwrap_or(u32::MAX);
        let starts = text.bytes().enumerate().filter(|&(_, b)| b == b'\n');
        let lines: Vec<u32> = std::iter::once(0)
            .chain(starts.map(|(i, _)| clamp(i + 1)))
            .collect();
        let blocks = line_of_blocks(&lines, text.len());
        let chars = if text.is_ascii() {
            Vec::new()
        } else {
            chars_before(text)
        };
        self.texts.push(Indexed {
            file: file.into(),
            text: text.into(),
            lines,
            blocks,
            chars,
        });
        id
    }

    /// The bytes of a place, where it is on character boundaries.
    pub fn slice(&self, at: At) -> Option<&str> {
        let text = &self.texts.get(at.file as usize)?.text;
        text.get(at.start as usize..at.end as usize)
    }

    /// The byte offset of a character, counted from the start of the text.
    pub fn char_offset(&self, file: u32, index: usize) -> u32 {
        self.texts
            .get(file as usize)
            .map_or(0, |t| t.char_offset(index))
    }

    /// The byte offset of a 1-based line and a 1-based column in bytes.
    pub fn byte_offset(&self, file: u32, line: usize, column: usize) -> u32 {
        let Some(text) = self.texts.get(file as usize) else {
            return 0;
        };
        let offset =
            (text.line_start(line) as usize + column.saturating_sub(1)).min(text.text.len());
        let boundary = (0..=offset).rev().find(|&i| text.text.is_char_boundary(i));
        clamp(boundary.unwrap_or(0))
    }

    pub fn locate(&self, at: At) -> Location {
        self.texts
            .get(at.file as usize)
            .map_or_else(Location::default, |t| t.locate(at.start, at.end))
    }
}

impl Indexed {
    fn line_start(&self, line: usize) -> u32 {
        self.lines
            .get(line.saturating_sub(1))
            .copied()
            .unwrap_or(clamp(self.text.len()))
    }

    fn locate(&self, start: u32, end: u32) -> Location {
        let line = self.line_of(start);
        let line_start = self.lines.get(line).copied().unwrap_or(0);
        let next = self
            .lines
            .get(line + 1)
            .map_or(clamp(self.text.len()), |&n| n - 1);
        let first_line_end = end.min(next).max(start);
        let width = self
            .chars_to(first_line_end)
            .saturating_sub(self.chars_to(start));
        Location {
            file: self.file.clone(),
            offset: start as usize,
            length: end.saturating_sub(start) as usize,
            line: clamp(line + 1),
            column: self
                .chars_to(start)
                .saturating_sub(self.chars_to(line_start))
                + 1,
            width: width.max(1),
        }
    }

    fn char_offset(&self, index: usize) -> u32 {
        let index = clamp(index);
        if self.chars.is_empty() {
            return index.min(clamp(self.text.len()));
        }
        let block = self.chars.partition_point(|&c| c <= index).max(1) - 1;
        let mut left = index - self.chars[block];
        for (i, b) in self.text.as_bytes().iter().enumerate().skip(block * 64) {
            if starts_char(*b) {
                if left == 0 {
                    return clamp(i);
                }
                left -= 1;
            }
        }
        clamp(self.text.len())
    }

    /// 0-based.
    fn line_of(&self, offset: u32) -> usize {
        let block = self.blocks.get(offset as usize / 64).or(self.blocks.last());
        let mut line = block.map_or(0, |&l| l as usize);
        while self.lines.get(line + 1).is_some_and(|&next| next <= offset) {
            line += 1;
        }
        line
    }

    /// Characters before a byte offset.
    fn chars_to(&self, offset: u32) -> u32 {
        if self.chars.is_empty() {
            return offset;
        }
        let block = (offset as usize / 64).min(self.chars.len() - 1);
        let bytes = &self.text.as_bytes()
            [(block * 64).min(self.text.len())..(offset as usize).min(self.text.len())];
        self.chars[block] + clamp(bytes.iter().filter(|&&b| starts_char(b)).count())
    }
}

fn line_of_blocks(lines: &[u32], length: usize) -> Vec<u32> {
    let mut line = 0;
    let blocks = (0..=length / 64).map(|block| {
        while lines
            .get(line + 1)
            .is_some_and(|&next| next as usize <= block * 64)
        {
            line += 1;
        }
        clamp(line)
    });
    blocks.collect()
}

fn chars_before(text: &str) -> Vec<u32> {
    let mut seen = 0;
    let mut table = Vec::with_capacity(text.len() / 64 + 1);
    for chunk in text.as_bytes().chunks(64) {
        table.push(seen);
        seen += clamp(chunk.iter().filter(|&&b| starts_char(b)).count());
    }
    table
}

fn starts_char(byte: u8) -> bool {
    byte & 0b1100_0000 != 0b1000_0000
}

pub(crate) fn clamp(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters_and_lines_start_at_one() {
        let mut texts = Texts::default();
        let long = "é".repeat(100);
        let text = format!("a\n{long}x = 1\r\nz");
        let file = texts.add("f", &text);
        let start = clamp(2 + 200);
        let at = texts.locate(At {
            file,
            start,
            end: start + 1,
        });
        assert_eq!((at.line, at.column, at.width), (2, 101, 1));
        let z = clamp(text.len() - 1);
        let at = texts.locate(At {
            file,
            start: z,
            end: z + 1,
        });
        assert_eq!((at.line, at.column), (3, 1));
        let end = texts.locate(At {
            file,
            start: z + 1,
            end: z + 1,
        });
        assert_eq!((end.line, end.column, end.width), (3, 2, 1));
    }
}
