//! Files with holes stay files with holes: what a file system did not have to keep, a copy need not keep either.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};

/// What is looked at for zeros at a time; what file systems leave out is a multiple of their blocks.
const BLOCK: usize = 64 << 10;

/// Bytes that `st_blocks` counts in. Source: stat(3type).
const UNIT: u64 = 512;

/// Whether a file occupies less than it is long.
pub(crate) fn has_holes(file: &Metadata) -> bool {
    file.blocks() * UNIT < file.len()
}

/// Writes a file, each piece where it belongs.
pub(crate) struct Copy<'a> {
    to: &'a File,
    holes: bool,
}

impl<'a> Copy<'a> {
    /// Of a file that has holes, into an empty one.
    pub(crate) fn of(from: &Metadata, to: &'a File) -> Copy<'a> {
        Copy {
            to,
            holes: has_holes(from),
        }
    }

    /// What lies there.
    pub(crate) fn write(&self, piece: &[u8], offset: u64) -> io::Result<()> {
        static ZEROS: [u8; BLOCK] = [0; BLOCK];
        if !self.holes {
            return self.to.write_all_at(piece, offset);
        }
        for (block, at) in piece.chunks(BLOCK).zip((offset..).step_by(BLOCK)) {
            if *block != ZEROS[..block.len()] {
                self.to.write_all_at(block, at)?;
            }
        }
        Ok(())
    }

    /// The end.
    pub(crate) fn finish(self, length: u64) -> io::Result<()> {
        if self.holes {
            self.to.set_len(length)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
            let to = File::create(&path).unwrap();
            let copy = Copy::of(&from.metadata().unwrap(), &to);
            for (piece, at) in bytes.chunks(1 << 20).zip((0..).step_by(1 << 20)) {
                copy.write(piece, at).unwrap();
            }
            copy.finish(bytes.len() as u64).unwrap();
            assert!(std::fs::read(&path).unwrap() == bytes, "{name}");
            let blocks = std::fs::metadata(&path).unwrap().blocks();
            assert!(blocks * UNIT < 1 << 20, "{name}: {blocks} blocks");
        }
    }
}
