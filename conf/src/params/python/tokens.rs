//! Python's words: logical lines with their indentation, strings unescaped. Knows no statement.

/// A logical line: brackets and backslashes joined, comments gone.
#[derive(Debug)]
pub(super) struct Line {
    pub indent: usize,
    pub tokens: Vec<Token>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    Name(String),
    Number(String),
    /// A string; none where it is no plain text (`f"…"`, `b"…"`).
    Text(Option<String>),
    Sign(&'static str),
}

/// Signs of two characters first.
const SIGNS: [&str; 42] = [
    "==", "!=", "<=", ">=", "+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", "@=", ":=", "->", "**",
    "//", "(", ")", "[", "]", "{", "}", ",", ":", ";", ".", "=", "+", "-", "*", "/", "%", "@", "&",
    "|", "^", "~", "<", ">", "!", "\\",
];

/// All lines, or the byte where the text cannot be Python and why.
pub(super) fn lines(text: &str) -> Result<Vec<Line>, (usize, &'static str)> {
    let mut out: Vec<Line> = Vec::new();
    let mut open: Vec<(usize, &'static str)> = Vec::new();
    let mut at = 0;
    let mut fresh = true;
    let mut indent = 0;
    while let Some(c) = text[at..].chars().next() {
        let rest = &text[at..];
        match c {
            '\n' => {
                if open.is_empty() {
                    fresh = true;
                    indent = 0;
                }
                at += 1;
            }
            ' ' | '\t' | '\r' | '\u{c}' => {
                if fresh {
                    indent += if c == '\t' { 8 } else { usize::from(c == ' ') };
                }
                at += 1;
            }
            '#' => at += rest.find('\n').unwrap_or(rest.len()),
            '\\' if rest[1..].trim_start_matches('\r').starts_with('\n') => {
                at += rest.find('\n').unwrap_or(0) + 1;
            }
            _ => {
                let (token, length) = token(rest).map_err(|why| (at, why))?;
                match token {
                    Token::Sign(sign @ ("(" | "[" | "{")) => open.push((at, sign)),
                    Token::Sign(sign @ (")" | "]" | "}")) => {
                        let fits = open.pop().is_some_and(|(_, opened)| {
                            matches!((opened, sign), ("(", ")") | ("[", "]") | ("{", "}"))
                        });
                        if !fits {
                            return Err((at, "a bracket that nothing opened"));
                        }
                    }
                    _ => {}
                }
                if fresh {
                    let tokens = Vec::new();
                    out.push(Line { indent, tokens });
                    fresh = false;
                }
                if let Some(line) = out.last_mut() {
                    line.tokens.push(token);
                }
                at += length;
            }
        }
    }
    match open.first() {
        Some(&(at, _)) => Err((at, "a bracket that nothing closes")),
        None => Ok(out),
    }
}

fn token(rest: &str) -> Result<(Token, usize), &'static str> {
    let name: usize = rest
        .chars()
        .take_while(|c| c.is_alphanumeric() || *c == '_')
        .map(char::len_utf8)
        .sum();
    let digit = |text: &str| text.starts_with(|c: char| c.is_ascii_digit());
    if digit(rest) || rest.starts_with('.') && digit(&rest[1..]) {
        let length = number(rest);
        return Ok((Token::Number(rest[..length].to_owned()), length));
    }
    let prefix = &rest[..name];
    let quoted = rest[name..].starts_with(['\'', '"']);
    if quoted && name <= 2 && prefix.chars().all(|c| "rRbBuUfF".contains(c)) {
        let (text, length) = string(&rest[name..], prefix)?;
        return Ok((Token::Text(text), name + length));
    }
    if name > 0 {
        return Ok((Token::Name(prefix.to_owned()), name));
    }
    let sign = SIGNS.iter().find(|sign| rest.starts_with(**sign));
    match sign {
        Some(sign) => Ok((Token::Sign(sign), sign.len())),
        None => Err("a character that Python does not know"),
    }
}

/// The length of a number: `1_000`, `0x1f`, `1.5e-3`.
fn number(rest: &str) -> usize {
    let hexadecimal = rest.starts_with("0x") || rest.starts_with("0X");
    let mut before = ' ';
    let mut length = 0;
    for c in rest.chars() {
        let signed = matches!(c, '+' | '-') && matches!(before, 'e' | 'E') && !hexadecimal;
        if !(c.is_ascii_alphanumeric() || matches!(c, '_' | '.') || signed) {
            break;
        }
        before = c;
        length += c.len_utf8();
    }
    length
}

/// A string from its first quote: its text, if it is plain, and its length.
fn string(rest: &str, prefix: &str) -> Result<(Option<String>, usize), &'static str> {
    let quote = &rest[..1];
    let triple = rest.starts_with(&quote.repeat(3));
    let end = if triple {
        quote.repeat(3)
    } else {
        quote.to_owned()
    };
    let raw = prefix.contains(['r', 'R']);
    let mut text = (!prefix.contains(['b', 'B', 'f', 'F'])).then(String::new);
    let mut at = end.len();
    loop {
        let here = &rest[at..];
        let Some(c) = here.chars().next() else {
            return Err("a string that does not end");
        };
        if here.starts_with(&end) {
            return Ok((text, at + end.len()));
        }
        if c == '\n' && !triple {
            return Err("a string that does not end");
        }
        let (value, length) = match c {
            '\\' if raw => {
                let two: String = here.chars().take(2).collect();
                let length = two.len();
                (Some(two), length)
            }
            '\\' => escape(here),
            c => (Some(c.to_string()), c.len_utf8()),
        };
        text = text.zip(value).map(|(text, value)| text + &value);
        at += length;
    }
}

/// What a backslash and what follows it stand for, if that is known, and their length.
fn escape(here: &str) -> (Option<String>, usize) {
    let mut rest = here.chars();
    rest.next();
    let Some(c) = rest.next() else {
        return (None, here.len());
    };
    let simple = |text: &str| (Some(text.to_owned()), 2);
    let code = |count: usize| {
        let digits = here.get(2..2 + count);
        let value = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        let length = digits.map_or(2, |digits| 2 + digits.len());
        (value.and_then(char::from_u32).map(String::from), length)
    };
    match c {
        '\n' => simple(""),
        '\\' => simple("\\"),
        '\'' => simple("'"),
        '"' => simple("\""),
        'a' => simple("\u{7}"),
        'b' => simple("\u{8}"),
        'f' => simple("\u{c}"),
        'n' => simple("\n"),
        'r' => simple("\r"),
        't' => simple("\t"),
        'v' => simple("\u{b}"),
        'x' => code(2),
        'u' => code(4),
        'U' => code(8),
        'N' => (None, 2),
        '0'..='7' => {
            let digits: String = here[1..]
                .chars()
                .take(3)
                .take_while(|c| c.is_digit(8))
                .collect();
            let value = u32::from_str_radix(&digits, 8)
                .ok()
                .and_then(char::from_u32);
            (value.map(String::from), 1 + digits.len())
        }
        c => (Some(format!("\\{c}")), 1 + c.len_utf8()),
    }
}
