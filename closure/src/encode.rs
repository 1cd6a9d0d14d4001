//! The canonical encoding of syntax: tagged and length-prefixed, so that two different sequences of
//! values never encode alike. What a caller hashes.
//!
//! Knows values, not Python.

/// Tags of values. None is ever given another meaning.
mod tag {
    pub const TEXT: u8 = 1;
    pub const BYTES: u8 = 2;
    pub const NUMBER: u8 = 3;
    pub const LIST: u8 = 4;
    pub const ABSENT: u8 = 5;
    pub const PRESENT: u8 = 6;
    pub const NODE: u8 = 7;
}

/// Writes values one after the other; each one's encoding is prefix-free.
#[derive(Default)]
pub(crate) struct Encoder {
    out: Vec<u8>,
}

impl Encoder {
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.out
    }

    pub(crate) fn len(&self) -> usize {
        self.out.len()
    }

    pub(crate) fn text(&mut self, text: &str) -> &mut Self {
        self.lengthed(tag::TEXT, text.as_bytes())
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.lengthed(tag::BYTES, bytes)
    }

    pub(crate) fn number(&mut self, number: u64) -> &mut Self {
        self.out.push(tag::NUMBER);
        self.varint(number)
    }

    /// Announces a list of `count` elements.
    pub(crate) fn list(&mut self, count: usize) -> &mut Self {
        self.out.push(tag::LIST);
        self.varint(count as u64)
    }

    /// Says whether an optional value follows.
    pub(crate) fn presence(&mut self, present: bool) -> &mut Self {
        self.out
            .push(if present { tag::PRESENT } else { tag::ABSENT });
        self
    }

    /// Announces a node, whose fields follow in an order that its kind fixes.
    pub(crate) fn node(&mut self, kind: u8) -> &mut Self {
        self.out.extend_from_slice(&[tag::NODE, kind]);
        self
    }

    fn lengthed(&mut self, tag: u8, bytes: &[u8]) -> &mut Self {
        self.out.push(tag);
        self.varint(bytes.len() as u64);
        self.out.extend_from_slice(bytes);
        self
    }

    fn varint(&mut self, mut number: u64) -> &mut Self {
        while number >= 0x80 {
            self.out.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.out.push(number as u8);
        self
    }
}
