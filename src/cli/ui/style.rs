//! Colour, where the user wants it; never the only carrier of a meaning.

use std::io::IsTerminal;

use super::super::args::Common;

/// How text may look.
#[derive(Debug, Clone, Copy)]
pub struct Style {
    colour: bool,
}

impl Style {
    /// NO_COLOR and `--plain` turn colour off, CLICOLOR_FORCE on; else a terminal has it.
    pub fn of(common: &Common) -> Style {
        let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty() && value != "0");
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let colour =
            !common.plain && !set("NO_COLOR") && (set("CLICOLOR_FORCE") || (std::io::stderr().is_terminal() && !dumb));
        Style { colour }
    }

    /// Whether there is no colour.
    pub fn is_plain(self) -> bool {
        !self.colour
    }

    fn paint(self, code: &str, text: &str) -> String {
        if self.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
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
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
