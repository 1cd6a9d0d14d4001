//! What TOML 1.1 has and 1.0 has not: found among the tokens of a text that parses as 1.1.

use std::ops::Range;

use toml_parser::lexer::{Token, TokenKind};

type Found = (Range<usize>, &'static str);

/// Newlines and a last comma in inline tables, `\\e` and `\\x`, times without seconds.
pub(super) fn syntax(text: &str, tokens: &[Token]) -> Vec<Found> {
    let mut found = Vec::new();
    let mut open: Vec<Inline> = Vec::new();
    for token in tokens {
        let span = token.span().start()..token.span().end();
        let inside = open.last_mut().filter(|o| o.table);
        match token.kind() {
            TokenKind::Whitespace => continue,
            TokenKind::Newline | TokenKind::Comment => {
                if let Some(inside) = inside
                    && !std::mem::replace(&mut inside.broken, true)
                {
                    found.push((
                        span.start..span.start + 1,
                        "a line break inside an inline table",
                    ));
                }
                continue;
            }
            TokenKind::LeftCurlyBracket => open.push(Inline {
                table: true,
                ..Inline::default()
            }),
            TokenKind::LeftSquareBracket => open.push(Inline::default()),
            TokenKind::Comma => {
                if let Some(inside) = inside {
                    inside.comma = Some(span.start);
                }
                continue;
            }
            TokenKind::RightCurlyBracket | TokenKind::RightSquareBracket => {
                if let Some(comma) = open.pop().and_then(|o| o.comma) {
                    found.push((
                        comma..comma + 1,
                        "a comma after the last entry of an inline table",
                    ));
                }
            }
            TokenKind::BasicString | TokenKind::MlBasicString => {
                if let Some(i) = escape(&text[span.clone()]) {
                    found.push((
                        span.start + i..span.start + i + 2,
                        "the escapes \\e and \\x",
                    ));
                }
            }
            TokenKind::Atom if time_without_seconds(&text[span.clone()]) => {
                found.push((span, "a time without seconds"));
            }
            _ => {}
        }
        if let Some(inside) = open.last_mut() {
            inside.comma = None;
        }
    }
    found
}

/// An open bracket.
#[derive(Default)]
struct Inline {
    table: bool,
    /// The comma that nothing has followed yet.
    comma: Option<usize>,
    /// A line break was found in it.
    broken: bool,
}

/// Whether a string, as written, may hold one of the later escapes.
pub(super) fn has_escape(raw: &str) -> bool {
    raw.starts_with('"') && raw.contains('\\') && escape(raw).is_some()
}

fn escape(raw: &str) -> Option<usize> {
    let mut bytes = raw.bytes().enumerate();
    while let Some((i, b)) = bytes.next() {
        if b == b'\\' && matches!(bytes.next(), Some((_, b'e' | b'x'))) {
            return Some(i);
        }
    }
    None
}

/// `07:32`, or `1979-05-27T07:32` with or without an offset.
fn time_without_seconds(atom: &str) -> bool {
    let time = match atom.as_bytes() {
        [_, _, b':', ..] => atom.as_bytes(),
        [_, _, _, _, b'-', _, _, b'-', _, _, b'T' | b't', time @ ..] => time,
        _ => return false,
    };
    matches!(time, [a, b, b':', c, d, rest @ ..]
        if [a, b, c, d].iter().all(|b| b.is_ascii_digit()) && rest.first() != Some(&b':'))
}
