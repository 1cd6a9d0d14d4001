//! The canonical encoding: what is hashed. Tagged, length-prefixed and injective, so that two
//! different sequences of values never encode alike; numbers and lengths have one form each.
//!
//! Knows values, not what they mean. Serde's bytes are never hashed: they may change with a library.

use std::fmt;

/// Tags. None is ever given another meaning.
mod tag {
    pub const BYTES: u8 = 1;
    pub const TEXT: u8 = 2;
    pub const NUMBER: u8 = 3;
    pub const FALSE: u8 = 4;
    pub const TRUE: u8 = 5;
    pub const DIGEST: u8 = 6;
    pub const LIST: u8 = 7;
    pub const VARIANT: u8 = 8;
}

/// Writes values one after the other. Each value's encoding is prefix-free, hence so is any sequence.
#[derive(Default)]
pub struct Encoder {
    out: Vec<u8>,
}

impl Encoder {
    /// An empty encoding.
    pub fn new() -> Self {
        Self::default()
    }

    /// The encoding so far.
    pub fn into_bytes(self) -> Vec<u8> {
        self.out
    }

    /// Any bytes.
    pub fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.lengthed(tag::BYTES, bytes)
    }

    /// Text, distinct from the same bytes as bytes.
    pub fn text(&mut self, text: &str) -> &mut Self {
        self.lengthed(tag::TEXT, text.as_bytes())
    }

    /// A number.
    pub fn number(&mut self, number: u64) -> &mut Self {
        self.out.push(tag::NUMBER);
        self.varint(number)
    }

    /// A truth value.
    pub fn truth(&mut self, truth: bool) -> &mut Self {
        self.out.push(if truth { tag::TRUE } else { tag::FALSE });
        self
    }

    /// Thirty-two bytes.
    pub fn digest(&mut self, digest: &[u8; 32]) -> &mut Self {
        self.out.push(tag::DIGEST);
        self.out.extend_from_slice(digest);
        self
    }

    /// Announces a list of `count` elements, which the caller then encodes.
    pub fn list(&mut self, count: usize) -> &mut Self {
        self.out.push(tag::LIST);
        self.varint(count as u64)
    }

    /// Announces which of several shapes follows.
    pub fn variant(&mut self, variant: u8) -> &mut Self {
        self.out.extend_from_slice(&[tag::VARIANT, variant]);
        self
    }

    fn lengthed(&mut self, tag: u8, bytes: &[u8]) -> &mut Self {
        self.out.push(tag);
        self.varint(bytes.len() as u64);
        self.out.extend_from_slice(bytes);
        self
    }

    /// Little-endian base 128, shortest form.
    fn varint(&mut self, mut number: u64) -> &mut Self {
        while number >= 0x80 {
            self.out.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.out.push(number as u8);
        self
    }
}

/// Bytes that no encoder writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotCanonical(pub &'static str);

impl fmt::Display for NotCanonical {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not a canonical encoding: {}", self.0)
    }
}

impl std::error::Error for NotCanonical {}

/// Reads values in the order they were written, and accepts only what an [`Encoder`] writes.
pub struct Decoder<'a> {
    rest: &'a [u8],
}

impl<'a> Decoder<'a> {
    /// Reads from `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// Bytes.
    pub fn bytes(&mut self) -> Result<&'a [u8], NotCanonical> {
        self.tag(tag::BYTES)?;
        let length = usize::try_from(self.varint()?).map_err(|_| NotCanonical("length"))?;
        self.take(length)
    }

    /// A number.
    pub fn number(&mut self) -> Result<u64, NotCanonical> {
        self.tag(tag::NUMBER)?;
        self.varint()
    }

    /// A truth value.
    pub fn truth(&mut self) -> Result<bool, NotCanonical> {
        match self.take(1)? {
            [tag::TRUE] => Ok(true),
            [tag::FALSE] => Ok(false),
            _ => Err(NotCanonical("truth value")),
        }
    }

    /// Thirty-two bytes.
    pub fn digest(&mut self) -> Result<[u8; 32], NotCanonical> {
        self.tag(tag::DIGEST)?;
        self.take(32)?
            .try_into()
            .map_err(|_| NotCanonical("digest"))
    }

    /// The length of a list, never more than the bytes that are left could hold.
    pub fn list(&mut self) -> Result<usize, NotCanonical> {
        self.tag(tag::LIST)?;
        let count = usize::try_from(self.varint()?).map_err(|_| NotCanonical("list length"))?;
        if count > self.rest.len() {
            return Err(NotCanonical("list longer than its bytes"));
        }
        Ok(count)
    }

    /// Which shape follows.
    pub fn variant(&mut self) -> Result<u8, NotCanonical> {
        self.tag(tag::VARIANT)?;
        Ok(self.take(1)?[0])
    }

    /// Refuses bytes after the last value.
    pub fn end(&self) -> Result<(), NotCanonical> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(NotCanonical("bytes after the end"))
        }
    }

    fn tag(&mut self, tag: u8) -> Result<(), NotCanonical> {
        if self.take(1)? == [tag] {
            Ok(())
        } else {
            Err(NotCanonical("tag"))
        }
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], NotCanonical> {
        let (taken, rest) = self
            .rest
            .split_at_checked(length)
            .ok_or(NotCanonical("cut short"))?;
        self.rest = rest;
        Ok(taken)
    }

    fn varint(&mut self) -> Result<u64, NotCanonical> {
        let mut number: u64 = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.take(1)?[0];
            let bits = u64::from(byte & 0x7f);
            if bits << shift >> shift != bits {
                return Err(NotCanonical("number too large"));
            }
            number |= bits << shift;
            if byte & 0x80 == 0 {
                if byte == 0 && shift > 0 {
                    return Err(NotCanonical("number in a longer form"));
                }
                return Ok(number);
            }
        }
        Err(NotCanonical("number too long"))
    }
}
