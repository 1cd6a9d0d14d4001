//! Pieces of large blobs: bytes that somebody names by their digest, found inside a blob that is here.
//!
//! Knows nothing of how a blob is cut, nor of who asks.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use crate::digest::BlobDigest;
use crate::error::{ReadError, WriteError};
use crate::local::LocalStore;
use crate::local::pack::Kind;

/// Where a piece lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lies {
    pub(crate) blob: BlobDigest,
    from: u64,
    length: u32,
}

/// Bytes of the payload: a digest, where it begins, how long it is; numbers are little-endian.
const LEN: usize = 32 + 8 + 4;

impl Lies {
    fn encode(self) -> [u8; LEN] {
        let mut bytes = [0; LEN];
        bytes[..32].copy_from_slice(self.blob.as_bytes());
        bytes[32..40].copy_from_slice(&self.from.to_le_bytes());
        bytes[40..].copy_from_slice(&self.length.to_le_bytes());
        bytes
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Lies> {
        let (blob, rest) = bytes.split_first_chunk::<32>()?;
        let (from, length) = rest.split_first_chunk::<8>()?;
        Some(Lies {
            blob: BlobDigest::from_bytes(*blob),
            from: u64::from_le_bytes(*from),
            length: u32::from_le_bytes(length.try_into().ok()?),
        })
    }
}

impl LocalStore {
    /// The bytes of a piece, if a blob that is here has it: they hash to its name.
    ///
    /// # Errors
    /// The disk did not answer.
    pub fn piece(&self, piece: &BlobDigest, length: u32) -> Result<Option<Vec<u8>>, ReadError> {
        // What another process has found out since may be found out again.
        if self.packs.has(Kind::Piece, piece.as_bytes()).is_none() {
            return Ok(None);
        }
        for lies in self.lies(piece)? {
            if lies.length != length {
                continue;
            }
            // A blob that is gone, or is not what it was, has no such piece.
            let Some(Ok(bytes)) = self.loose(&lies.blob).map(|path| -> io::Result<Vec<u8>> {
                let mut bytes = vec![0; lies.length as usize];
                File::open(path)?.read_exact_at(&mut bytes, lies.from)?;
                Ok(bytes)
            }) else {
                continue;
            };
            if BlobDigest::of(&bytes) == *piece {
                return Ok(Some(bytes));
            }
        }
        Ok(None)
    }

    fn lies(&self, piece: &BlobDigest) -> Result<Vec<Lies>, ReadError> {
        let mut all = Vec::new();
        for found in self.packs.find(Kind::Piece, piece.as_bytes())? {
            all.extend(found.read()?.as_deref().and_then(Lies::decode));
        }
        Ok(all)
    }

    /// Remembers which pieces a blob that is here consists of, in their order: of each its digest and its length.
    /// Of pieces that are known nothing is written again.
    ///
    /// # Errors
    /// The disk refused.
    pub fn keep_pieces(
        &self,
        blob: &BlobDigest,
        pieces: &[(BlobDigest, u32)],
    ) -> Result<(), WriteError> {
        self.may_write()?;
        let mut from = 0;
        for (piece, length) in pieces {
            let is_known = self.packs.has(Kind::Piece, piece.as_bytes()).is_some()
                && self
                    .lies(piece)?
                    .iter()
                    .any(|lies| lies.length == *length && self.loose(&lies.blob).is_some());
            if !is_known {
                let lies = Lies {
                    blob: *blob,
                    from,
                    length: *length,
                };
                self.packs
                    .append(Kind::Piece, piece.as_bytes(), &lies.encode())?;
            }
            from += u64::from(*length);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::local::Mode;

    #[test]
    fn pieces_are_found_while_their_blob_is_whole() {
        let dir = tempfile::tempdir().unwrap();
        let store = Arc::new(LocalStore::open(dir.path(), Mode::ReadWrite).unwrap());
        let bytes: Vec<u8> = (0..40_000_u32).flat_map(u32::to_le_bytes).collect();
        let blob = store.put_bytes(&bytes).unwrap();
        let cut = [(0, 100_000), (100_000, 60_000)].map(|(from, length): (usize, usize)| {
            (BlobDigest::of(&bytes[from..from + length]), length as u32)
        });
        store.keep_pieces(&blob, &cut).unwrap();
        let second = store.piece(&cut[1].0, 60_000).unwrap();
        assert_eq!(second.as_deref(), Some(&bytes[100_000..]));
        assert_eq!(store.piece(&cut[1].0, 60_001).unwrap(), None);
        assert_eq!(store.piece(&BlobDigest::of(b"x"), 1).unwrap(), None);

        let path = store.blob_file(&blob).unwrap();
        std::fs::remove_file(&path).unwrap();
        let mut other = bytes.clone();
        other[120_000] ^= 1;
        std::fs::write(&path, other).unwrap();
        assert_eq!(store.piece(&cut[1].0, 60_000).unwrap(), None);
        assert!(store.piece(&cut[0].0, 100_000).unwrap().is_some());
        std::fs::remove_file(&path).unwrap();
        assert_eq!(store.piece(&cut[0].0, 100_000).unwrap(), None);
    }
}
