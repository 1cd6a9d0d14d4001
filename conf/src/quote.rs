//! Quoting for `sh`, and splitting text into words the way `sh` would.

/// One word of `sh` that stands for exactly these bytes.
#[must_use]
pub fn shell_quote_bytes(word: &[u8]) -> Vec<u8> {
    let plain = |b: &u8| b.is_ascii_alphanumeric() || b"_@%+:,./-".contains(b);
    if !word.is_empty() && word.iter().all(plain) {
        return word.to_vec();
    }
    let mut out = Vec::with_capacity(word.len() + 2);
    out.push(b'\'');
    for &b in word {
        if b == b'\'' {
            out.extend_from_slice(b"'\\''");
        } else {
            out.push(b);
        }
    }
    out.push(b'\'');
    out
}

/// [`shell_quote_bytes`] for text.
#[must_use]
pub fn shell_quote(word: &str) -> String {
    let quoted = shell_quote_bytes(word.as_bytes());
    String::from_utf8(quoted).expect("quotes are put between characters of valid text")
}

/// Words separated by blanks; `'…'`, `"…"` and `\` keep blanks in a word. Nothing is expanded.
pub(crate) fn split_words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (Some(q), c) if c == q => quote = None,
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None | Some('"'), '\\') => {
                if let Some(next) = chars.next() {
                    word.get_or_insert_default().push(next);
                }
            }
            (None, c) if c.is_whitespace() => words.extend(word.take()),
            (_, c) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

/// Follows `sh`'s quotes through the literal parts of a command.
#[derive(Debug, Default)]
pub(crate) struct QuoteState {
    /// `"`, `'` or `(` of a `$(`, innermost last.
    open: Vec<char>,
}

impl QuoteState {
    /// Reads literal text.
    pub fn feed(&mut self, text: &str) {
        let mut chars = text.chars().peekable();
        let mut before = ' ';
        while let Some(c) = chars.next() {
            match (self.open.last(), c) {
                (Some('\''), '\'') | (Some('"'), '"') | (Some('('), ')') => drop(self.open.pop()),
                (Some('\''), _) => {}
                (_, '\\') => drop(chars.next()),
                (_, '$') if chars.peek() == Some(&'(') => {
                    chars.next();
                    self.open.push('(');
                }
                (None | Some('('), '#') if before.is_whitespace() => {
                    for c in chars.by_ref() {
                        if c == '\n' {
                            break;
                        }
                    }
                }
                (_, '"') => self.open.push('"'),
                (None | Some('('), '\'') => self.open.push('\''),
                (Some('('), '(') => self.open.push('('),
                _ => {}
            }
            before = c;
        }
    }

    /// The quote that what comes next would stand in.
    pub fn quote(&self) -> Option<char> {
        self.open.last().copied().filter(|&c| c != '(')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoting() {
        assert_eq!(shell_quote("a b"), "'a b'");
        assert_eq!(shell_quote("it's"), "'it'\\''s'");
        assert_eq!(shell_quote(""), "''");
        assert_eq!(shell_quote("data/x-1.csv"), "data/x-1.csv");
        assert_eq!(shell_quote("A=b"), "'A=b'");
        assert_eq!(shell_quote_bytes(b"\xff"), b"'\xff'");
    }

    #[test]
    fn words() {
        assert_eq!(
            split_words("uv run  'a b' \"c d\"e f\\ g"),
            ["uv", "run", "a b", "c de", "f g"]
        );
        assert_eq!(split_words(" '' "), [""]);
        for word in ["it's", "a b", "", "x\ny", "\"q\"", "\\"] {
            assert_eq!(split_words(&shell_quote(word)), [word]);
        }
    }

    #[test]
    fn quotes_are_followed() {
        let after = |t: &str| {
            let mut state = QuoteState::default();
            state.feed(t);
            state.quote()
        };
        assert_eq!(after("echo \"x "), Some('"'));
        assert_eq!(after("echo 'x "), Some('\''));
        assert_eq!(after("echo \"$(cat "), None);
        assert_eq!(after("echo \\\" "), None);
        assert_eq!(after("echo 'it' # don't\n"), None);
    }
}
