//! Bytes made small for the way: zstd where it is worth it, and unpacked no further than they may be long.
//! The door of zstd.

use std::io::{self, Read, Write};

use zstd::stream::read::Decoder;

/// Level: the fastest that is worth anything.
const LEVEL: i32 = 1;

/// Shorter ones travel as they are.
const SHORT: usize = 256;

/// So much of the beginning says whether the rest can be made small.
const PROBE: usize = 128 << 10;

/// How every zstd frame begins. Source: RFC 8878, 3.1.1.
const MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// Whether bytes begin as packed ones do.
pub fn is_packed(bytes: &[u8]) -> bool {
    bytes.starts_with(&MAGIC)
}

/// Whether something that begins so is worth packing.
fn is_worth(beginning: &[u8]) -> bool {
    let probe = &beginning[..beginning.len().min(PROBE)];
    probe.len() >= SHORT
        && zstd::bulk::compress(probe, LEVEL)
            .is_ok_and(|packed| packed.len() < probe.len() / 10 * 9)
}

/// Bytes as they travel: packed if that makes them shorter.
pub fn pack(bytes: Vec<u8>) -> Vec<u8> {
    if !is_worth(&bytes) {
        return bytes;
    }
    match zstd::bulk::compress(&bytes, LEVEL) {
        Ok(packed) if packed.len() < bytes.len() => packed,
        _ => bytes,
    }
}

/// Bytes as they were, unless they are more than `most` or no such frame.
pub fn unpack(bytes: Vec<u8>, most: u64) -> Option<Vec<u8>> {
    if !is_packed(&bytes) {
        return (bytes.len() as u64 <= most).then_some(bytes);
    }
    let mut out = Vec::new();
    let unpacked = Decoder::new(bytes.as_slice())
        .and_then(|decoder| decoder.take(most + 1).read_to_end(&mut out));
    (unpacked.is_ok() && out.len() as u64 <= most).then_some(out)
}

/// Unpacks what is written to it, piece by piece, and hands it on. What it hands on may refuse.
pub struct Unpacker<W: Write>(zstd::stream::write::Decoder<'static, W>);

impl<W: Write> Unpacker<W> {
    /// Nothing came yet.
    ///
    /// # Errors
    /// No memory.
    pub fn new(to: W) -> io::Result<Self> {
        Ok(Unpacker(zstd::stream::write::Decoder::new(to)?))
    }

    /// Takes a piece.
    ///
    /// # Errors
    /// It is no such frame, or what came of it was refused.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes)
    }

    /// The end.
    ///
    /// # Errors
    /// As [`Unpacker::write`].
    pub fn finish(mut self) -> io::Result<W> {
        self.0.flush()?;
        Ok(self.0.into_inner())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_comes_back_and_a_bomb_does_not() {
        let text: Vec<u8> = b"the same again and again. ".repeat(4000);
        let packed = pack(text.clone());
        assert!(packed.len() < text.len() / 20);
        assert_eq!(
            unpack(packed.clone(), text.len() as u64),
            Some(text.clone())
        );
        assert_eq!(unpack(packed.clone(), text.len() as u64 - 1), None);
        assert_eq!(
            unpack(packed[..packed.len() - 3].to_vec(), u64::MAX - 1),
            None
        );
        let noise: Vec<u8> = (0..125_u8)
            .flat_map(|n| *jalon_store::digest::BlobDigest::of(&[n]).as_bytes())
            .collect();
        assert!(pack(noise.clone()) == noise);
        assert!(unpack(noise.clone(), 4000) == Some(noise));
    }
}
