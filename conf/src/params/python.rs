//! Python parameter files: the assignments of literals that DVC finds in them.
//!
//! Nothing is executed. As under DVC these count: `name = LITERAL` (with or without an annotation) at
//! the top, the same in a class under the class's name, and `self.name = LITERAL` in its `__init__`. What is no
//! literal is no parameter; it is passed over.

use crate::value::Value;

mod tokens;

use tokens::{Line, Token, lines};

/// Literals inside literals.
const MOST_DEPTH: usize = 64;

/// Reads a file: a table, or the byte where it cannot be Python and why.
pub(super) fn read(text: &str) -> Result<Value, (usize, &'static str)> {
    let lines = lines(text)?;
    let indent = lines.first().map_or(0, |line| line.indent);
    Ok(Value::Table(block(&lines, indent, false)))
}

/// The assignments of one block; `own` in `__init__`, where only `self.name` counts.
fn block(lines: &[Line], indent: usize, own: bool) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(line) = lines.get(at) {
        at += 1;
        let body = &lines[at..];
        let deep = body.iter().take_while(|line| line.indent > indent).count();
        if line.indent != indent {
            continue;
        }
        at += deep;
        let body = &body[..deep];
        let inner = body.first().map_or(0, |line| line.indent);
        match line.tokens.as_slice() {
            [Token::Name(word), Token::Name(name), ..] if word == "class" => {
                put(&mut found, name, Value::Table(block(body, inner, false)));
            }
            [Token::Name(word), Token::Name(name), ..] if word == "def" => {
                if name == "__init__" {
                    let assigned = block(body, inner, true);
                    assigned
                        .into_iter()
                        .for_each(|(name, value)| put(&mut found, &name, value));
                }
            }
            tokens => {
                let statements = tokens.split(|token| *token == Token::Sign(";"));
                for (name, value) in statements.filter_map(|tokens| assignment(tokens, own)) {
                    put(&mut found, name, value);
                }
            }
        }
    }
    found
}

fn put(found: &mut Vec<(String, Value)>, name: &str, value: Value) {
    match found.iter_mut().find(|(known, _)| known == name) {
        Some((_, old)) => *old = value,
        None => found.push((name.to_owned(), value)),
    }
}

/// `name = LITERAL`, `name: annotation = LITERAL`, `self.name = LITERAL`.
fn assignment(tokens: &[Token], own: bool) -> Option<(&str, Value)> {
    let (name, rest) = match tokens {
        [
            Token::Name(owner),
            Token::Sign("."),
            Token::Name(name),
            rest @ ..,
        ] if owner == "self" => (name, rest),
        [Token::Name(name), rest @ ..] if !own => (name, rest),
        _ => return None,
    };
    let value = match rest {
        [Token::Sign("="), value @ ..] => value,
        [Token::Sign(":"), rest @ ..] => {
            let equals = rest.iter().position(|token| *token == Token::Sign("="))?;
            &rest[equals + 1..]
        }
        _ => return None,
    };
    let mut reader = Literal {
        rest: value,
        depth: 0,
    };
    let first = reader.value()?;
    if reader.rest.is_empty() {
        return Some((name, first));
    }
    let mut items = vec![first];
    while reader.takes(",") {
        if reader.rest.is_empty() {
            break;
        }
        items.push(reader.value()?);
    }
    reader.rest.is_empty().then_some((name, Value::List(items)))
}

struct Literal<'t> {
    rest: &'t [Token],
    depth: usize,
}

impl Literal<'_> {
    fn takes(&mut self, sign: &str) -> bool {
        match self.rest {
            [Token::Sign(found), rest @ ..] if *found == sign => {
                self.rest = rest;
                true
            }
            _ => false,
        }
    }

    fn value(&mut self) -> Option<Value> {
        self.depth += 1;
        let value = (self.depth <= MOST_DEPTH).then(|| self.one())?;
        self.depth -= 1;
        value
    }

    fn one(&mut self) -> Option<Value> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        match first {
            Token::Name(name) => match name.as_str() {
                "True" => Some(Value::Bool(true)),
                "False" => Some(Value::Bool(false)),
                "None" => Some(Value::Null),
                _ => None,
            },
            Token::Number(text) => number(text),
            Token::Text(text) => {
                let mut text = text.clone()?;
                while let [Token::Text(more), rest @ ..] = self.rest {
                    text += more.as_ref()?;
                    self.rest = rest;
                }
                Some(Value::Text(text))
            }
            Token::Sign("-") => match self.value()? {
                Value::Int(number) => Some(Value::Int(number.checked_neg()?)),
                Value::Float(number) => Some(Value::Float(-number)),
                _ => None,
            },
            Token::Sign("+") => {
                let value = self.value()?;
                matches!(value, Value::Int(_) | Value::Float(_)).then_some(value)
            }
            Token::Sign("[") => Some(Value::List(self.items("]")?.0)),
            Token::Sign("(") => {
                let (mut items, comma) = self.items(")")?;
                if items.len() == 1 && !comma {
                    return items.pop();
                }
                Some(Value::List(items))
            }
            Token::Sign("{") => self.braces(),
            Token::Sign(_) => None,
        }
    }

    /// Up to the closing sign, and whether a comma stood before it.
    fn items(&mut self, close: &str) -> Option<(Vec<Value>, bool)> {
        let mut items = Vec::new();
        let mut comma = false;
        loop {
            if self.takes(close) {
                return Some((items, comma));
            }
            if !items.is_empty() && !comma {
                return None;
            }
            items.push(self.value()?);
            comma = self.takes(",");
        }
    }

    /// A dictionary or a set.
    fn braces(&mut self) -> Option<Value> {
        let before = self.rest;
        let mut entries = Vec::new();
        loop {
            if self.takes("}") {
                return Some(Value::Table(entries));
            }
            let key = self.value()?;
            if !self.takes(":") {
                self.rest = before;
                return Some(Value::List(self.items("}")?.0));
            }
            let value = self.value()?;
            put(&mut entries, &key.word()?, value);
            if !self.takes(",") && self.rest.first() != Some(&Token::Sign("}")) {
                return None;
            }
        }
    }
}

fn number(text: &str) -> Option<Value> {
    let text = text.replace('_', "");
    let radix = match text.get(..2).map(str::to_ascii_lowercase).as_deref() {
        Some("0x") => 16,
        Some("0o") => 8,
        Some("0b") => 2,
        _ if text.bytes().all(|b| b.is_ascii_digit()) => 10,
        _ => return text.parse().ok().map(Value::Float),
    };
    let digits = if radix == 10 { &text } else { &text[2..] };
    i64::from_str_radix(digits, radix).ok().map(Value::Int)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> String {
        read(text).expect("it is Python").to_json()
    }

    #[test]
    fn literals_are_parameters_and_nothing_else_is() {
        let text = "import os\nLR = 1e-3  # a comment\nN: int = 1_000\nNAMES = ['a', \"b\" 'c',\n  # more\n  'd']\n\
            HOME = os.environ['HOME']\nA = B = 1\nT = 1, 2\nD = {'x': -1, 'y': (1,), 'z': (2)}\nS = {1, 2}\n\
            F = f'{LR}'\nR = r'\\d'\nE = 'a\\n\\x41'\nM = '''two\nlines'''\nX == 1\nY = 1 + 2\nP = 3; Q = 4\nNO: int\n\
            if True:\n    HIDDEN = 1\nLR = 0.5\n";
        assert_eq!(
            json(text),
            r#"{"LR":0.5,"N":1000,"NAMES":["a","bc","d"],"T":[1,2],"D":{"x":-1,"y":[1],"z":2},"S":[1,2],"R":"\\d","E":"a\nA","M":"two\nlines","P":3,"Q":4}"#
        );
    }

    #[test]
    fn classes_and_their_own_values() {
        let text = "class Train:\n    rate = 0.1\n    def __init__(self, x):\n        self.layers = [1, 2]\n        y = 1\n    def other(self):\n        self.no = 1\n    last = None\nBACK = True\n";
        assert_eq!(
            json(text),
            r#"{"Train":{"rate":0.1,"layers":[1,2],"last":null},"BACK":true}"#
        );
    }

    #[test]
    fn what_cannot_be_python_is_said() {
        assert_eq!(read("a = 'x").map_err(|(at, _)| at), Err(4));
        assert_eq!(read("a = [1").map_err(|(at, _)| at), Err(4));
        assert!(read("a = )").is_err());
    }
}
