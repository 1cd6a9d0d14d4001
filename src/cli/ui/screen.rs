//! The lower end of a terminal: rows that stay scroll up, a block of rows below them is drawn again and again.
//!
//! The cursor rests at the start of the block. Whatever a resized terminal does with long rows, the block is
//! what lies below the cursor, so it can be erased without counting; and what a terminal echoes (`^C`) or a
//! killed run leaves to the next prompt is written over it. The cursor is never hidden. Escapes: ECMA-48
//! CUU, ED and EL, which every terminal but a dumb one has.

use std::io::Write;

/// Erase from the cursor to the end of the screen.
const ERASE_BELOW: &str = "\x1b[J";
/// Erase from the cursor to the end of the row.
const ERASE_ROW: &str = "\x1b[K";

/// A terminal with a block at its lower end.
pub struct Screen<W> {
    out: W,
    pending: String,
    block: Vec<String>,
}

impl<W: Write> Screen<W> {
    /// Draws on this; nothing is written before there is something to show.
    pub fn new(out: W) -> Screen<W> {
        Screen {
            out,
            pending: String::new(),
            block: Vec::new(),
        }
    }

    /// Rows that stay: written above the block with the next [`Screen::draw`].
    pub fn say(&mut self, rows: &[String]) {
        for row in rows {
            self.pending += row;
            self.pending.push('\n');
        }
    }

    /// Writes what was said and this block, in one piece. The block's rows must be narrower than the terminal
    /// and fewer than its lines. Costs nothing where nothing changed.
    pub fn draw(&mut self, block: Vec<String>) {
        if self.pending.is_empty() && block == self.block {
            return;
        }
        let mut text = String::from("\r");
        if !self.pending.is_empty() || block.is_empty() {
            text += ERASE_BELOW;
        }
        text += &std::mem::take(&mut self.pending);
        for (at, row) in block.iter().enumerate() {
            if at > 0 {
                text += "\r\n";
            }
            text += row;
            text += ERASE_ROW;
        }
        if !block.is_empty() {
            text += ERASE_BELOW;
            text.push('\r');
        }
        if block.len() > 1 {
            text += &format!("\x1b[{}A", block.len() - 1);
        }
        self.block = block;
        // A closed terminal must not stop a run.
        let _ = self
            .out
            .write_all(text.as_bytes())
            .and_then(|()| self.out.flush());
    }

    /// Forgets what the terminal shows, so that the next block is drawn even if it is the same.
    pub fn resized(&mut self) {
        self.block.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As much of a terminal as the block needs: lines without a limit, a cursor, three escapes.
    #[derive(Default)]
    struct Terminal {
        rows: Vec<String>,
        row: usize,
        column: usize,
        writes: usize,
    }

    impl Write for Terminal {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.writes += 1;
            let mut rest = std::str::from_utf8(bytes).expect("text").chars();
            while let Some(c) = rest.next() {
                self.rows
                    .resize(self.rows.len().max(self.row + 1), String::new());
                match c {
                    '\r' => self.column = 0,
                    '\n' => (self.row, self.column) = (self.row + 1, 0),
                    '\x1b' => self.escape(&mut rest),
                    c => {
                        let mut row: Vec<char> = self.rows[self.row].chars().collect();
                        row.resize(row.len().max(self.column + 1), ' ');
                        row[self.column] = c;
                        self.rows[self.row] = row.into_iter().collect();
                        self.column += 1;
                    }
                }
            }
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    impl Terminal {
        fn escape(&mut self, rest: &mut std::str::Chars<'_>) {
            assert_eq!(rest.next(), Some('['));
            let mut number = String::new();
            let end = loop {
                match rest.next().expect("a whole escape") {
                    c if c.is_ascii_digit() => number.push(c),
                    c => break c,
                }
            };
            let erased: String = self.rows[self.row].chars().take(self.column).collect();
            match end {
                'A' => self.row -= number.parse::<usize>().expect("a number"),
                'K' => self.rows[self.row] = erased,
                'J' => {
                    self.rows[self.row] = erased;
                    self.rows.truncate(self.row + 1);
                }
                other => panic!("unknown escape {other}"),
            }
        }
    }

    fn block(rows: &[&str]) -> Vec<String> {
        rows.iter().map(|row| (*row).to_owned()).collect()
    }

    #[test]
    fn what_is_said_stays_and_the_block_goes() {
        let mut screen = Screen::new(Terminal::default());
        screen.draw(block(&["running a", "running b", "total 0"]));
        assert_eq!((screen.out.row, screen.out.column), (0, 0));
        screen.say(&block(&["ran a"]));
        screen.draw(block(&["run b", "total 1"]));
        assert_eq!(screen.out.rows, ["ran a", "run b", "total 1"]);
        assert_eq!((screen.out.row, screen.out.column), (1, 0));
        screen.draw(block(&["run b", "run c", "total 1"]));
        screen.say(&block(&["ran b", "done"]));
        screen.draw(Vec::new());
        assert_eq!(screen.out.rows, ["ran a", "ran b", "done"]);
        assert_eq!((screen.out.row, screen.out.column), (3, 0));
    }

    #[test]
    fn nothing_new_writes_nothing() {
        let mut screen = Screen::new(Terminal::default());
        screen.draw(Vec::new());
        assert_eq!(screen.out.writes, 0);
        for _ in 0..5 {
            screen.draw(block(&["a", "b"]));
        }
        assert_eq!(screen.out.writes, 1);
        screen.resized();
        screen.draw(block(&["a", "b"]));
        assert_eq!(
            (screen.out.writes, screen.out.rows),
            (2, block(&["a", "b"]))
        );
    }
}
