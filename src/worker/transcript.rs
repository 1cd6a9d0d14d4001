//! What a node printed: both streams in the order they came, masked, as one blob that can be replayed.
//!
//! Format: frames of one byte stream number (1 or 2), four bytes little-endian length, bytes. Kept in
//! memory while small and young; else in a file that `jalon log` can read while the node still runs. Of what
//! is more than [`Limits`] allow the beginning and the end are kept, and a line between says what is missing.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Beyond this many bytes it goes to disk.
const SMALL: usize = 64 * 1024;
/// Beyond this age it goes to disk, so that others can read along.
const YOUNG: Duration = Duration::from_millis(500);
/// What is kept for messages.
const TAIL: usize = 4 * 1024;

/// How much of a transcript is kept, in bytes of frames: `head + 2 * segment` at most.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// From the beginning.
    pub head: u64,
    /// From the end, at least; twice as much at most.
    pub segment: u64,
}

impl Default for Limits {
    /// The first 32 MiB and the last 16 to 32.
    fn default() -> Limits {
        const MIB: u64 = 1024 * 1024;
        Limits {
            head: 32 * MIB,
            segment: 16 * MIB,
        }
    }
}

/// A transcript being written.
#[derive(Debug)]
pub struct Transcript {
    path: PathBuf,
    limits: Limits,
    started: Instant,
    memory: Vec<u8>,
    file: Option<File>,
    /// Bytes of frames in memory or in the file.
    written: u64,
    end: Option<End>,
    tail: Vec<u8>,
    lost: Option<io::Error>,
}

/// What came after the beginning that is kept: the segment being written, and the one before it.
#[derive(Debug)]
struct End {
    file: File,
    /// Bytes of frames, and what was printed in them: in this segment, in the one before.
    size: u64,
    printed: u64,
    before: u64,
    /// What was printed and is gone.
    gone: u64,
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
        Transcript::limited(path, Limits::default())
    }

    /// The same with other limits.
    pub fn limited(path: PathBuf, limits: Limits) -> Transcript {
        Transcript {
            path,
            limits,
            started: Instant::now(),
            memory: Vec::new(),
            file: None,
            written: 0,
            end: None,
            tail: Vec::new(),
            lost: None,
        }
    }

    /// Adds masked bytes of a stream. A full disk loses what comes then, never the node: see [`Transcript::finish`].
    pub fn push(&mut self, stream: u8, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        self.tail.extend_from_slice(bytes);
        if self.tail.len() > 2 * TAIL {
            self.tail.drain(..self.tail.len() - TAIL);
        }
        // After half a frame no other can be read.
        if self.lost.is_none()
            && let Err(error) = self.add(stream, bytes)
        {
            self.lost = Some(error);
        }
    }

    fn add(&mut self, stream: u8, bytes: &[u8]) -> io::Result<()> {
        let frame = frame(stream, bytes);
        let size = frame.len() as u64;
        if self.end.is_some() || self.written + size > self.limits.head {
            return self.add_to_end(&frame, bytes.len() as u64);
        }
        if self.file.is_none() && (self.memory.len() > SMALL || self.started.elapsed() > YOUNG) {
            self.spill()?;
        }
        self.written += size;
        match &mut self.file {
            Some(file) => file.write_all(&frame),
            None => {
                self.memory.extend_from_slice(&frame);
                Ok(())
            }
        }
    }

    fn spill(&mut self) -> io::Result<()> {
        if let Some(directory) = self.path.parent() {
            std::fs::create_dir_all(directory)?;
        }
        let mut file = File::create(&self.path)?;
        file.write_all(&self.memory)?;
        self.file = Some(file);
        self.memory = Vec::new();
        Ok(())
    }

    fn add_to_end(&mut self, frame: &[u8], printed: u64) -> io::Result<()> {
        if self.file.is_none() {
            self.spill()?;
        }
        let [before, now] = segments(&self.path);
        let end = match &mut self.end {
            Some(end) => end,
            none => none.insert(End {
                file: File::create(&now)?,
                size: 0,
                printed: 0,
                before: 0,
                gone: 0,
            }),
        };
        if end.size > 0 && end.size + frame.len() as u64 > self.limits.segment {
            std::fs::rename(&now, &before)?;
            *end = End {
                file: File::create(&now)?,
                size: 0,
                printed: 0,
                before: end.printed,
                gone: end.gone + end.before,
            };
        }
        end.size += frame.len() as u64;
        end.printed += printed;
        end.file.write_all(frame)
    }

    /// The last lines, for a message.
    pub fn tail(&self) -> String {
        let from = self.tail.len().saturating_sub(TAIL);
        let text = String::from_utf8_lossy(&self.tail[from..]).into_owned();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }

    /// What is to be kept, and the error if some of it could not be.
    pub fn finish(mut self) -> (Kept, Option<io::Error>) {
        if let Some(end) = self.end.take() {
            if self.lost.is_none() {
                self.lost = self.join(&end).err();
            }
            segments(&self.path).iter().for_each(|path| discard(path));
        }
        let kept = match self.file {
            Some(_) => Kept::File(self.path),
            None if self.memory.is_empty() => Kept::Nothing,
            None => Kept::Bytes(self.memory),
        };
        (kept, self.lost)
    }

    /// The beginning, what is missing, and the end, in one file.
    fn join(&mut self, end: &End) -> io::Result<()> {
        let Some(file) = &mut self.file else {
            return Ok(());
        };
        if end.gone > 0 {
            file.write_all(&gap(&format!("{} bytes", end.gone)))?;
        }
        for path in segments(&self.path) {
            match File::open(&path) {
                Ok(mut segment) => drop(io::copy(&mut segment, file)?),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

fn frame(stream: u8, bytes: &[u8]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(bytes.len() + 5);
    for part in bytes.chunks(u32::MAX as usize) {
        frame.push(stream);
        frame.extend_from_slice(&(part.len() as u32).to_le_bytes());
        frame.extend_from_slice(part);
    }
    frame
}

/// A line in place of what is missing, among what went to standard error.
fn gap(what: &str) -> Vec<u8> {
    frame(2, format!("\n[jalon: {what} left out here]\n").as_bytes())
}

/// Where the end of a long transcript lies while it is written, in the order of reading.
fn segments(path: &Path) -> [PathBuf; 2] {
    [path.with_extension("before"), path.with_extension("now")]
}

/// The frames so far of a transcript that is being written to this path.
///
/// # Errors
/// There is none, or it cannot be read.
pub fn going_on(path: &Path) -> io::Result<Vec<u8>> {
    let mut all = std::fs::read(path)?;
    let ends = segments(path).map(|path| std::fs::read(path).unwrap_or_default());
    if !ends[0].is_empty() {
        all.extend(gap("what came in between is"));
    }
    ends.iter().for_each(|end| all.extend_from_slice(end));
    Ok(all)
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

    const FEW: Limits = Limits {
        head: 1000,
        segment: 500,
    };

    #[test]
    fn of_a_very_long_one_the_beginning_and_the_end_are_kept() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        let mut transcript = Transcript::limited(path.clone(), FEW);
        let line = |number: u32| format!("line {number:05}\n").into_bytes();
        (0..10_000).for_each(|number| transcript.push(1, &line(number)));
        let live = going_on(&path).unwrap();
        let (Kept::File(kept), None) = transcript.finish() else {
            panic!("long ones go to disk")
        };
        assert_eq!(kept, path);
        let bytes = std::fs::read(&path).unwrap();
        assert!(
            bytes.len() as u64 <= FEW.head + 2 * FEW.segment + 60,
            "{}",
            bytes.len()
        );
        let all: Vec<_> = frames(&bytes).collect();
        let (gap, printed): (Vec<_>, Vec<_>) =
            all.iter().copied().partition(|(stream, _)| *stream == 2);
        let at = all.iter().position(|(stream, _)| *stream == 2).unwrap();
        let left = 10_000 - printed.len();
        let said = format!("\n[jalon: {} bytes left out here]\n", left * 11);
        assert_eq!(gap, [(2, said.as_bytes())]);
        for (number, (_, bytes)) in all[..at].iter().enumerate() {
            assert_eq!(*bytes, line(number as u32));
        }
        for (number, (_, bytes)) in (0..10_000).rev().zip(all[at + 1..].iter().rev()) {
            assert_eq!(*bytes, line(number));
        }
        assert!(((all.len() - at) * 16) as u64 >= FEW.segment);
        assert_eq!(frames(&live).last().unwrap().1, line(9_999));
        let left: Vec<_> = std::fs::read_dir(directory.path()).unwrap().collect();
        assert_eq!(left.len(), 1, "its segments are gone: {left:?}");
    }

    #[test]
    fn one_that_just_goes_over_loses_nothing() {
        let directory = tempfile::tempdir().unwrap();
        for count in [60, 70, 90, 110] {
            let path = directory.path().join(count.to_string());
            let mut transcript = Transcript::limited(path.clone(), FEW);
            (0..count).for_each(|_| transcript.push(1, b"0123456789\n"));
            let bytes = match transcript.finish().0 {
                Kept::Bytes(bytes) => bytes,
                Kept::File(path) => std::fs::read(path).unwrap(),
                Kept::Nothing => Vec::new(),
            };
            let all: Vec<_> = frames(&bytes).collect();
            assert_eq!(all.len(), count);
            assert!(all.iter().all(|frame| *frame == (1, b"0123456789\n")));
        }
    }

    #[test]
    fn what_cannot_be_written_is_said_and_what_was_is_kept() {
        let mut transcript = Transcript::limited("/dev/null/nowhere/log".into(), FEW);
        transcript.push(1, b"kept");
        (0..100).for_each(|_| transcript.push(1, &[b'x'; 100]));
        let (Kept::Bytes(bytes), Some(_)) = transcript.finish() else {
            panic!("there is no file")
        };
        assert_eq!(frames(&bytes).next(), Some((1, b"kept".as_slice())));
        assert!(bytes.len() as u64 <= FEW.head);
    }
}
