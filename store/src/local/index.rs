//! Pack indexes: sorted tables from (key, kind) to a frame, mapped into memory so that opening a
//! store costs next to nothing. Derived and deletable; what they say is checked against the pack.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use memmap2::Mmap;

use crate::digest::{check, context};
use crate::error::{At, IoAt};

use super::atomic::Temporary;
use super::pack::Frame;

const MAGIC: [u8; 16] = *b"jalon index 1\n\0\0";

/// Magic, pack length, count, and for each first byte of a key the number of entries up to it.
const HEAD: usize = 16 + 8 + 8 + 256 * 4;

/// Behind the head: its check.
const TABLE: usize = HEAD + 8;

/// Bytes of an entry.
const ENTRY: usize = 64;

/// A mapped index.
#[derive(Debug)]
pub(crate) struct Index {
    map: Mmap,
}

impl Index {
    /// Writes the index of a pack of `pack_len` bytes. Synced, for half an index would hide records.
    pub(crate) fn write(
        tmp: &Path,
        path: &Path,
        pack_len: u64,
        frames: &mut [Frame],
    ) -> Result<(), IoAt> {
        frames.sort_unstable_by_key(|frame| (frame.key, frame.kind, frame.stamp, frame.offset));
        let mut temporary = Temporary::in_directory(tmp)?;
        let mut to = BufWriter::new(temporary.file());
        let mut put = |bytes: &[u8]| to.write_all(bytes).at("write", path);
        let head = head(pack_len, frames);
        put(&head)?;
        put(&check(context::FRAME, &[&head]))?;
        for frame in frames.iter() {
            put(&entry(frame))?;
        }
        to.flush().at("write", path)?;
        drop(to);
        temporary.file().sync_data().at("sync", path)?;
        temporary.persist(path)?;
        Ok(())
    }

    /// Maps the index of a pack of `pack_len` bytes; `None` if there is none that fits.
    pub(crate) fn open(path: &Path, pack_len: u64) -> Option<Self> {
        let file = File::open(path).ok()?;
        if file.metadata().ok()?.len() < TABLE as u64 {
            return None;
        }
        // SAFETY: an index is written under a temporary name and renamed, never written to or cut
        // short afterwards; it is only ever unlinked, which leaves the mapping whole. Somebody who
        // truncates files inside the store behind our back can stop the process, not mislead it.
        let map = unsafe { Mmap::map(&file) }.ok()?;
        let index = Self { map };
        (index.map.get(..16)? == MAGIC
            && index.map.get(HEAD..TABLE)? == check(context::FRAME, &[index.map.get(..HEAD)?])
            && index.number(16)? == pack_len
            && index.map.len() as u64
                == (index.number(24)?)
                    .checked_mul(ENTRY as u64)?
                    .checked_add(TABLE as u64)?
            && u64::from(index.up_to(255)?) == index.number(24)?)
        .then_some(index)
    }

    fn number(&self, at: usize) -> Option<u64> {
        Some(u64::from_le_bytes(*self.map.get(at..)?.first_chunk()?))
    }

    fn up_to(&self, byte: u8) -> Option<u32> {
        let at = 32 + usize::from(byte) * 4;
        Some(u32::from_le_bytes(*self.map.get(at..)?.first_chunk()?))
    }

    pub(crate) fn len(&self) -> usize {
        (self.map.len() - TABLE) / ENTRY
    }

    /// The entry at a position.
    pub(crate) fn get(&self, position: usize) -> Option<Frame> {
        let bytes: &[u8; ENTRY] = self
            .map
            .get(TABLE + position.checked_mul(ENTRY)?..)?
            .first_chunk()?;
        let number = |at: usize| bytes[at..].first_chunk().map(|b| u64::from_le_bytes(*b));
        Some(Frame {
            kind: bytes[32],
            key: *bytes.first_chunk()?,
            stamp: number(40)?,
            offset: number(48)?,
            len: number(56)?,
        })
    }

    /// All entries of a kind under a key.
    pub(crate) fn find(&self, kind: u8, key: &[u8; 32], each: &mut dyn FnMut(Frame)) {
        let first = key[0];
        let from = if first == 0 {
            Some(0)
        } else {
            self.up_to(first - 1)
        };
        let (Some(mut low), Some(end)) = (from, self.up_to(first)) else {
            return;
        };
        let mut high = end;
        while low < high {
            let middle = low + (high - low) / 2;
            let Some(frame) = self.get(middle as usize) else {
                return;
            };
            if (&frame.key, frame.kind) < (key, kind) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        while low < end {
            match self.get(low as usize) {
                Some(frame) if frame.key == *key && frame.kind == kind => each(frame),
                _ => return,
            }
            low += 1;
        }
    }
}

fn head(pack_len: u64, frames: &[Frame]) -> Vec<u8> {
    let mut head = Vec::with_capacity(HEAD);
    head.extend_from_slice(&MAGIC);
    head.extend_from_slice(&pack_len.to_le_bytes());
    head.extend_from_slice(&(frames.len() as u64).to_le_bytes());
    let mut upto = 0;
    for byte in 0..=255_u8 {
        upto += frames[upto..].partition_point(|frame| frame.key[0] <= byte);
        head.extend_from_slice(&(upto as u32).to_le_bytes());
    }
    head
}

fn entry(frame: &Frame) -> [u8; ENTRY] {
    let mut bytes = [0; ENTRY];
    bytes[..32].copy_from_slice(&frame.key);
    bytes[32] = frame.kind;
    bytes[40..48].copy_from_slice(&frame.stamp.to_le_bytes());
    bytes[48..56].copy_from_slice(&frame.offset.to_le_bytes());
    bytes[56..64].copy_from_slice(&frame.len.to_le_bytes());
    bytes
}
