//! Large blobs in pieces, so that of a blob that changed a little only little moves: where they are cut, and the
//! list that stands for the blob. A piece is a blob of its own on a remote, and nothing anywhere else: whoever
//! gets a blob this way has it whole, by its own digest, or not at all.
//!
//! Cut as the Remote Execution API's `FAST_CDC_2020` does, with the parameters that it recommends.
//! The door of fastcdc.

use std::io::{self, Read};

use fastcdc::v2020::{Error, Normalization, StreamCDC};
use jalon_store::digest::{BlobDigest, Hasher};

/// From this size on a blob travels in pieces.
pub(crate) const CUT: u64 = 2 << 20;

/// Bytes of a piece: at least (but for the last), about, at most.
const LEAST: usize = 128 << 10;
const ABOUT: usize = 512 << 10;
pub(crate) const MOST: usize = 2 << 20;

/// How a list begins.
const MAGIC: [u8; 16] = *b"jalon pieces 1\n\0";

/// Bytes of an entry: the digest, and the length in little-endian order.
const ENTRY: usize = 32 + 4;

/// A piece: its digest, its length.
pub(crate) type Piece = (BlobDigest, u32);

/// Cuts all that a stream gives: the pieces, each handed on with its bytes, and the digest of the whole.
pub(crate) fn cut(
    from: impl Read,
    mut each: impl FnMut(Piece, Vec<u8>) -> io::Result<()>,
) -> io::Result<(Vec<Piece>, BlobDigest)> {
    let mut whole = Hasher::blob();
    let mut pieces = Vec::new();
    for piece in StreamCDC::with_level(from, LEAST, ABOUT, MOST, Normalization::Level2) {
        let data = match piece {
            Ok(piece) => piece.data,
            Err(Error::Empty) => break,
            Err(Error::IoError(error)) => return Err(error),
            Err(Error::Other(text)) => return Err(io::Error::other(text)),
        };
        whole.update(&data);
        let piece = (BlobDigest::of(&data), data.len() as u32);
        pieces.push(piece);
        each(piece, data)?;
    }
    Ok((pieces, BlobDigest::from_bytes(whole.finish())))
}

/// Whether bytes begin as a list does.
pub(crate) fn is_list(bytes: &[u8]) -> bool {
    bytes.starts_with(&MAGIC)
}

/// The longest list that a blob can have.
pub(crate) fn longest(size: u64) -> u64 {
    MAGIC.len() as u64 + (size / LEAST as u64 + 1) * ENTRY as u64
}

pub(crate) fn encode(pieces: &[Piece]) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    for (digest, length) in pieces {
        bytes.extend_from_slice(digest.as_bytes());
        bytes.extend_from_slice(&length.to_le_bytes());
    }
    bytes
}

/// The pieces of a blob of so many bytes, unless this is no such list.
pub(crate) fn decode(bytes: &[u8], size: u64) -> Option<Vec<Piece>> {
    let entries = bytes.strip_prefix(&MAGIC)?;
    if entries.len() % ENTRY != 0 || bytes.len() as u64 > longest(size) {
        return None;
    }
    let mut pieces = Vec::with_capacity(entries.len() / ENTRY);
    let mut total = 0;
    for entry in entries.chunks_exact(ENTRY) {
        let (digest, length) = entry.split_first_chunk::<32>()?;
        let length = u32::from_le_bytes(length.try_into().ok()?);
        if length == 0 || length as usize > MOST {
            return None;
        }
        total += u64::from(length);
        pieces.push((BlobDigest::from_bytes(*digest), length));
    }
    (total == size).then_some(pieces)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(length: usize) -> Vec<u8> {
        let mut all = Vec::with_capacity(length + 32);
        for n in 0_u32.. {
            if all.len() >= length {
                break;
            }
            all.extend_from_slice(BlobDigest::of(&n.to_le_bytes()).as_bytes());
        }
        all.truncate(length);
        all
    }

    fn cut_all(bytes: &[u8]) -> io::Result<(Vec<Piece>, BlobDigest)> {
        let mut again = Vec::new();
        let done = cut(bytes, |(digest, _), data| {
            assert_eq!(BlobDigest::of(&data), digest);
            again.extend_from_slice(&data);
            Ok(())
        });
        assert!(again == bytes);
        done
    }

    #[test]
    fn of_a_blob_that_changed_in_the_middle_most_pieces_stay() {
        let before = noise(16 << 20);
        let mut after = before.clone();
        after.splice(7_000_000..7_000_000, *b"a few bytes more");
        let (old, whole) = cut_all(&before).unwrap();
        assert_eq!(whole, BlobDigest::of(&before));
        let (new, _) = cut_all(&after).unwrap();
        assert!(old.len() > 8 && new.iter().filter(|it| !old.contains(it)).count() <= 2);
        let list = encode(&new);
        assert!(is_list(&list) && list.len() as u64 <= longest(after.len() as u64));
        assert_eq!(decode(&list, after.len() as u64), Some(new));
        let (none, empty) = cut_all(b"").unwrap();
        assert!(none.is_empty() && empty == BlobDigest::of(b""));
    }

    /// The cuts are on the wire: others, and later versions, must make the same.
    #[test]
    fn where_it_is_cut_does_not_change() {
        let (pieces, _) = cut_all(&noise(6 << 20)).unwrap();
        let lengths: Vec<u32> = pieces.iter().map(|(_, length)| *length).collect();
        let wanted = [
            547_505, 180_291, 625_497, 761_220, 533_192, 684_769, 596_390, 826_393, 797_715,
            510_575, 227_909,
        ];
        assert_eq!(lengths, wanted);
    }

    #[test]
    fn lists_that_lie_are_none() {
        let size = 3 << 20;
        let (pieces, _) = cut_all(&noise(size)).unwrap();
        let (list, size) = (encode(&pieces), size as u64);
        assert!(decode(&list, size).is_some());
        assert_eq!(decode(&list, size + 1), None);
        assert_eq!(decode(&list[..list.len() - 1], size), None);
        assert_eq!(decode(&list[..list.len() - ENTRY], size), None);
        assert_eq!(decode(&list[1..], size), None);
        // More pieces than there can be, and a piece that is more than one can be.
        let crumbs = vec![(pieces[0].0, 1); 1 << 12];
        assert_eq!(decode(&encode(&crumbs), 1 << 12), None);
        let huge = [(pieces[0].0, u32::MAX)];
        assert_eq!(decode(&encode(&huge), u64::from(u32::MAX)), None);
    }
}
