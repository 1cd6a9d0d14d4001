//! Files with holes stay files with holes: what a file system did not have to keep, a copy need not keep either.

use std::fs::{File, Metadata};
use std::io::{self, Seek, SeekFrom, Write};
use std::os::unix::fs::MetadataExt;

/// What is looked at for zeros at a time; what file systems leave out is a multiple of their blocks.
const BLOCK: usize = 64 << 10;

/// Bytes that `st_blocks` counts in. Source: stat(3type).
const UNIT: u64 = 512;

/// Whether a file occupies less than it is long.
pub(crate) fn has_holes(file: &Metadata) -> bool {
    file.blocks() * UNIT < file.len()
}

/// Writes a file in order, from its beginning.
pub(crate) struct Copy<'a> {
    to: &'a mut File,
    holes: bool,
    in_hole: bool,
}

impl<'a> Copy<'a> {
    /// Of a file that has holes, into an empty one.
    pub(crate) fn of(from: &Metadata, to: &'a mut File) -> Copy<'a> {
        Copy {
            to,
            holes: has_holes(from),
            in_hole: false,
        }
    }

    /// What comes next.
    pub(crate) fn write(&mut self, piece: &[u8]) -> io::Result<()> {
        static ZEROS: [u8; BLOCK] = [0; BLOCK];
        if !self.holes {
            return self.to.write_all(piece);
        }
        for block in piece.chunks(BLOCK) {
            self.in_hole = *block == ZEROS[..block.len()];
            if self.in_hole {
                self.to.seek(SeekFrom::Current(block.len() as i64))?;
            } else {
                self.to.write_all(block)?;
            }
        }
        Ok(())
    }

    /// The end.
    pub(crate) fn finish(self) -> io::Result<()> {
        if self.in_hole {
            let end = self.to.stream_position()?;
            self.to.set_len(end)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::FileExt;

    #[test]
    fn holes_stay_holes_and_bytes_stay_bytes() {
        let dir = tempfile::tempdir().unwrap();
        for (tail, name) in [(0, "ends in a hole"), (9, "ends in bytes")] {
            let from = File::create(dir.path().join("from")).unwrap();
            from.set_len(3 << 20).unwrap();
            from.write_all_at(b"in the middle", (1 << 20) + 77).unwrap();
            from.write_all_at(&vec![1; tail], (3 << 20) - tail as u64)
                .unwrap();
            let bytes = std::fs::read(dir.path().join("from")).unwrap();
            let path = dir.path().join("to");
            let mut to = File::create(&path).unwrap();
            let mut copy = Copy::of(&from.metadata().unwrap(), &mut to);
            for piece in bytes.chunks(1 << 20) {
                copy.write(piece).unwrap();
            }
            copy.finish().unwrap();
            assert!(std::fs::read(&path).unwrap() == bytes, "{name}");
            let blocks = std::fs::metadata(&path).unwrap().blocks();
            assert!(blocks * UNIT < 1 << 20, "{name}: {blocks} blocks");
        }
    }
}
