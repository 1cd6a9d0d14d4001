//! After a syntax error: which statement is broken, so that it can be blanked out and the rest read.

use std::ops::Range;

use toml_parser::lexer::{Token, TokenKind};

/// A statement that could not be read.
pub(super) struct Broken {
    pub range: Range<usize>,
    /// The bracket that is still open where the next table begins, or the text ends.
    pub never_closed: Option<usize>,
}

/// A header or a key with its value.
struct Statement {
    range: Range<usize>,
    header: bool,
    never_closed: Option<usize>,
}

/// The statement around `place`; with a header, all that stands below it.
pub(super) fn broken_statement(text: &str, tokens: &[Token], place: usize) -> Broken {
    let in_comment = tokens.iter().find(|t| {
        t.kind() == TokenKind::Comment && (t.span().start()..t.span().end()).contains(&place)
    });
    if let Some(comment) = in_comment {
        let range = comment.span().start()..comment.span().end();
        return Broken {
            range,
            never_closed: None,
        };
    }
    let statements = statements(text, tokens);
    let unclosed = statements
        .iter()
        .position(|s| s.never_closed.is_some() && s.range.start <= place);
    let around = statements
        .partition_point(|s| s.range.start <= place)
        .saturating_sub(1);
    let index = unclosed.unwrap_or(around);
    let Some(statement) = statements.get(index) else {
        return Broken {
            range: 0..text.len(),
            never_closed: None,
        };
    };
    let mut range = statement.range.clone();
    if statement.header {
        let next = statements[index + 1..].iter().find(|s| s.header);
        range.end = next.map_or(text.len(), |s| s.range.start);
    }
    Broken {
        range,
        never_closed: statement.never_closed,
    }
}

/// Splits at line ends outside brackets, and wherever a line is plainly the header of a table.
fn statements(text: &str, tokens: &[Token]) -> Vec<Statement> {
    let mut out: Vec<Statement> = Vec::new();
    let mut current: Option<Statement> = None;
    let mut open: Vec<usize> = Vec::new();
    let mut value = false;
    for token in tokens {
        let (kind, at) = (token.kind(), token.span().start());
        let begins_table = kind == TokenKind::LeftSquareBracket && header_line(text, at);
        if begins_table || kind == TokenKind::Eof || kind == TokenKind::Newline && open.is_empty() {
            if let Some(done) = current.take() {
                let range = done.range.start..at;
                out.push(Statement {
                    range,
                    never_closed: open.first().copied(),
                    ..done
                });
            }
            open.clear();
            value = false;
        }
        if matches!(
            kind,
            TokenKind::Whitespace | TokenKind::Comment | TokenKind::Newline | TokenKind::Eof
        ) {
            continue;
        }
        let header = kind == TokenKind::LeftSquareBracket;
        let statement = current.get_or_insert(Statement {
            range: at..at,
            header,
            never_closed: None,
        });
        match kind {
            TokenKind::Equals => value = true,
            TokenKind::LeftSquareBracket | TokenKind::LeftCurlyBracket
                if value && !statement.header =>
            {
                open.push(at);
            }
            TokenKind::RightSquareBracket | TokenKind::RightCurlyBracket => drop(open.pop()),
            _ => {}
        }
    }
    out
}

/// Whether a line that begins here is `[a.b]` or `[[a]]` and nothing else but a comment.
fn header_line(text: &str, at: usize) -> bool {
    if at > 0 && text.as_bytes().get(at - 1) != Some(&b'\n') {
        return false;
    }
    let line = text[at..].lines().next().unwrap_or("");
    let line = line.split(" #").next().unwrap_or(line).trim_end();
    let inner = line.trim_start_matches('[').trim_end_matches(']');
    let names_a_table = inner.starts_with(|c: char| c.is_alphabetic() || c == '_')
        && !matches!(inner, "true" | "false" | "inf" | "nan");
    line.ends_with(']') && names_a_table && !inner.contains([',', '[', ']', '=', '{'])
}

/// The text with a range replaced by spaces, so that offsets stay.
pub(super) fn blank(text: &str, range: Range<usize>) -> String {
    let spaces = |c: char| {
        if c == '\n' {
            "\n".to_owned()
        } else {
            " ".repeat(c.len_utf8())
        }
    };
    let blanked: String = text[range.clone()].chars().map(spaces).collect();
    format!("{}{blanked}{}", &text[..range.start], &text[range.end..])
}
