//! How deeply a text is nested, before anything recursive looks at it.
//!
//! Knows tokens only. The bound is from above: what looks deep and is not costs a larger stack, or, far
//! beyond what Python itself accepts, the taking apart of the module.

use ruff_python_ast::token::TokenKind;
use ruff_python_parser::{Mode, lexer};

/// What a text needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Depth {
    /// Any thread's stack will do.
    Shallow,
    /// A stack of [`STACK`] bytes will do.
    Deep,
    /// Python would refuse it, or nearly.
    TooDeep,
}

/// Bytes of a stack for [`Depth::Deep`]: reserved, and used only as far as needed.
pub(super) const STACK: usize = 512 << 20;

/// Levels of brackets and blocks, each of which costs some twenty calls. CPython refuses more than 200 and 100.
const LEVELS: [usize; 2] = [24, 300];
/// Operators, calls and the like in a row, each of which costs a few calls.
const ROW: [usize; 2] = [200, 20_000];

/// Measures a text.
pub(super) fn depth(source: &str) -> Depth {
    let mut lexer = lexer::lex(source, Mode::Module);
    let mut blocks = 0_usize;
    // Tokens since the last comma or line, for every open bracket.
    let mut rows: Vec<usize> = vec![0];
    let mut sum = 0_usize;
    let (mut levels, mut row) = (0, 0);
    loop {
        let kind = lexer.next_token();
        match kind {
            TokenKind::EndOfFile => break,
            TokenKind::Indent => blocks += 1,
            TokenKind::Dedent => blocks = blocks.saturating_sub(1),
            TokenKind::Lpar
            | TokenKind::Lsqb
            | TokenKind::Lbrace
            | TokenKind::FStringStart
            | TokenKind::TStringStart => {
                count(&mut rows, &mut sum);
                rows.push(0);
            }
            TokenKind::Rpar
            | TokenKind::Rsqb
            | TokenKind::Rbrace
            | TokenKind::FStringEnd
            | TokenKind::TStringEnd => {
                if rows.len() > 1 {
                    sum -= rows.pop().unwrap_or(0);
                }
                count(&mut rows, &mut sum);
            }
            TokenKind::Comma | TokenKind::Newline | TokenKind::Semi => {
                // Brackets that are never closed end with the text, not with the line.
                if let Some(last) = rows.last_mut() {
                    sum -= std::mem::take(last);
                }
            }
            TokenKind::NonLogicalNewline | TokenKind::Comment => {}
            // `elif` is no deeper than `if`, but a chain of clauses has no comma.
            _ => count(&mut rows, &mut sum),
        }
        levels = levels.max(blocks + rows.len());
        row = row.max(sum);
    }
    match () {
        () if levels > LEVELS[1] || row > ROW[1] => Depth::TooDeep,
        () if levels > LEVELS[0] || row > ROW[0] => Depth::Deep,
        () => Depth::Shallow,
    }
}

fn count(rows: &mut [usize], sum: &mut usize) {
    if let Some(last) = rows.last_mut() {
        *last += 1;
        *sum += 1;
    }
}
