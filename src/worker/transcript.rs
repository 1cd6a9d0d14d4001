//! What a node printed: both streams in the order they came, masked, as one blob that can be replayed.
//!
//! Format: frames of one byte stream number (1 or 2), four bytes little-endian length, bytes. Kept in
//! memory while small and young; else in a file that `jalon log` can read while the node still runs.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Beyond this many bytes it goes to disk.
const SMALL: usize = 64 * 1024;
/// Beyond this age it goes to disk, so that others can read along.
const YOUNG: Duration = Duration::from_millis(500);
/// What is kept for messages.
const TAIL: usize = 4 * 1024;

/// A transcript being written.
#[derive(Debug)]
pub struct Transcript {
    path: PathBuf,
    started: Instant,
    memory: Vec<u8>,
    file: Option<File>,
    tail: Vec<u8>,
    lost: Option<std::io::Error>,
}

/// A finished transcript.
#[derive(Debug)]
pub enum Kept {
    /// Nothing was printed.
    Nothing,
    /// The frames.
    Bytes(Vec<u8>),
    /// A file that holds the frames; the taker removes it.
    File(PathBuf),
}

impl Transcript {
    /// `path` is where it goes if it grows; its directory need not exist yet.
    pub fn new(path: PathBuf) -> Transcript {
        let started = Instant::now();
        Transcript {
            path,
            started,
            memory: Vec::new(),
            file: None,
            tail: Vec::new(),
            lost: None,
        }
    }

    /// Adds masked bytes of a stream. A full disk loses the transcript, never the node: see [`Transcript::finish`].
    pub fn push(&mut self, stream: u8, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        self.tail.extend_from_slice(bytes);
        if self.tail.len() > 2 * TAIL {
            self.tail.drain(..self.tail.len() - TAIL);
        }
        let mut frame = Vec::with_capacity(bytes.len() + 5);
        for part in bytes.chunks(u32::MAX as usize) {
            frame.push(stream);
            frame.extend_from_slice(&(part.len() as u32).to_le_bytes());
            frame.extend_from_slice(part);
        }
        if self.file.is_none() && (self.memory.len() > SMALL || self.started.elapsed() > YOUNG) {
            self.spill();
        }
        match &mut self.file {
            Some(file) => {
                if let Err(error) = file.write_all(&frame) {
                    self.lost.get_or_insert(error);
                }
            }
            None => self.memory.extend_from_slice(&frame),
        }
    }

    fn spill(&mut self) {
        let opened = self
            .path
            .parent()
            .map_or(Ok(()), std::fs::create_dir_all)
            .and_then(|()| File::create(&self.path));
        match opened.and_then(|mut file| file.write_all(&self.memory).map(|()| file)) {
            Ok(file) => {
                self.file = Some(file);
                self.memory = Vec::new();
            }
            Err(error) => {
                self.lost.get_or_insert(error);
            }
        }
    }

    /// The last lines, for a message.
    pub fn tail(&self) -> String {
        let from = self.tail.len().saturating_sub(TAIL);
        let text = String::from_utf8_lossy(&self.tail[from..]).into_owned();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }

    /// What is to be kept, and the error if some of it could not be.
    pub fn finish(self) -> (Kept, Option<std::io::Error>) {
        let kept = match self.file {
            Some(_) => Kept::File(self.path),
            None if self.memory.is_empty() => Kept::Nothing,
            None => Kept::Bytes(self.memory),
        };
        (kept, self.lost)
    }
}

/// The frames of a transcript, in order; stops silently at a torn end (a file that is still being written).
pub fn frames(mut bytes: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    std::iter::from_fn(move || {
        let (head, rest) = bytes.split_at_checked(5)?;
        let length = u32::from_le_bytes([head[1], head[2], head[3], head[4]]) as usize;
        let (frame, rest) = rest.split_at_checked(length)?;
        bytes = rest;
        Some((head[0], frame))
    })
}

/// Removes a spilled file that nobody took.
pub fn discard(path: &Path) {
    // Left behind, it costs space in a temporary directory that the next run clears.
    let _ = std::fs::remove_file(path);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_back_in_order_and_a_torn_end_is_left_out() {
        let mut transcript = Transcript::new("/nonexistent/x".into());
        transcript.push(1, b"out");
        transcript.push(2, b"err");
        let (Kept::Bytes(bytes), None) = transcript.finish() else {
            panic!("small ones stay in memory")
        };
        let all: Vec<_> = frames(&bytes).collect();
        assert_eq!(all, [(1, b"out".as_slice()), (2, b"err".as_slice())]);
        assert_eq!(frames(&bytes[..bytes.len() - 1]).count(), 1);
    }

    #[test]
    fn a_large_one_is_a_file_with_the_same_frames() {
        let directory = tempfile::tempdir().unwrap();
        let mut transcript = Transcript::new(directory.path().join("deep/log"));
        let chunk = vec![b'x'; 50_000];
        (0..4).for_each(|_| transcript.push(1, &chunk));
        let (Kept::File(path), None) = transcript.finish() else {
            panic!("large ones go to disk")
        };
        let bytes = std::fs::read(path).unwrap();
        assert_eq!(frames(&bytes).map(|(_, b)| b.len()).sum::<usize>(), 200_000);
    }
}
