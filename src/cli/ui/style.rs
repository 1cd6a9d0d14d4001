//! Colour, where the user wants it (never the only carrier of a meaning), and text measured in columns.

use std::io::IsTerminal;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::super::args::Common;

/// How text may look.
#[derive(Debug, Clone, Copy)]
pub struct Style {
    colour: bool,
}

impl Style {
    /// No colour.
    #[cfg(test)]
    pub const PLAIN: Style = Style { colour: false };

    /// NO_COLOR and `--plain` turn colour off, CLICOLOR_FORCE on; else a terminal has it.
    pub fn of(common: &Common) -> Style {
        let set = |name: &str| {
            std::env::var_os(name).is_some_and(|value| !value.is_empty() && value != "0")
        };
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let colour = !common.plain
            && !set("NO_COLOR")
            && (set("CLICOLOR_FORCE") || (std::io::stderr().is_terminal() && !dumb));
        Style { colour }
    }

    /// Whether there is no colour.
    pub fn is_plain(self) -> bool {
        !self.colour
    }

    fn paint(self, code: &str, text: &str) -> String {
        if self.colour {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }

    /// What went well.
    pub fn good(self, text: &str) -> String {
        self.paint("32", text)
    }

    /// What was done.
    pub fn work(self, text: &str) -> String {
        self.paint("36", text)
    }

    /// What needs a look.
    pub fn warn(self, text: &str) -> String {
        self.paint("33", text)
    }

    /// What went wrong.
    pub fn bad(self, text: &str) -> String {
        self.paint("1;31", text)
    }

    /// What matters less.
    pub fn dim(self, text: &str) -> String {
        self.paint("2", text)
    }
}

/// Text as it may stand in one line of a terminal: no control characters.
pub fn line(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

/// Columns that text without control characters takes on a terminal.
pub fn width(text: &str) -> usize {
    UnicodeWidthStr::width(text)
}

/// Text filled with spaces up to so many columns; longer text stays as it is.
pub fn pad(text: &str, columns: usize) -> String {
    format!("{text}{}", " ".repeat(columns.saturating_sub(width(text))))
}

/// Text of at most so many columns, with `…` where something was left out.
pub fn cut(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let mut room = columns.saturating_sub(1);
    let mut kept = String::new();
    for c in text.chars() {
        // Character by character is never less than the whole, so a sequence may be cut early, not late.
        let columns = UnicodeWidthChar::width(c).unwrap_or(0);
        if columns > room {
            break;
        }
        room -= columns;
        kept.push(c);
    }
    if columns > 0 {
        kept.push('…');
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_measured_in_columns() {
        assert_eq!(width("モデル"), 6);
        assert_eq!(width("e\u{301}"), 1);
        assert_eq!(pad("モデル", 8), "モデル  ");
        assert_eq!(pad("model", 3), "model");
        assert_eq!(cut("モデル", 6), "モデル");
        assert_eq!(cut("モデル", 5), "モデ…");
        assert_eq!(cut("モデル", 4), "モ…");
        assert_eq!(cut("model", 1), "…");
        assert_eq!(cut("model", 0), "");
        for columns in 0..12 {
            assert!(
                width(&cut("a👩‍🚀モb\u{301}デル", columns)) <= columns,
                "{columns}"
            );
        }
    }

    #[test]
    fn a_name_cannot_move_the_cursor() {
        assert_eq!(line("a\x1b[2Jb\nc\u{9b}d"), "a [2Jb c d");
    }
}
