//! Traces: one append-only file of frames a run, readable while it is written. The frames are opaque.
//!
//! Format: 16 bytes of magic, then frames of length (4, little-endian), check (8), payload.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::Path;

use super::layout::Layout;
use crate::digest::{check, context};
use crate::error::{At, IoAt, ReadError, WriteError};
use crate::index::StatId;

const MAGIC: [u8; 16] = *b"jalon trace 1\n\0\0";

/// Bytes that are read at first, and at a time.
const HEAD: usize = 4 * 1024;
const PIECE: usize = 256 * 1024;

/// Bytes that are gathered before they are written.
const BATCH: usize = 32 * 1024;

/// The end of a trace that is being written.
#[derive(Debug)]
pub struct TraceWriter {
    file: File,
    buffer: Vec<u8>,
    path: std::path::PathBuf,
    /// Bytes that were written whole.
    end: u64,
    written: std::time::Instant,
}

impl TraceWriter {
    pub(crate) fn create(layout: &Layout, id: &str) -> Result<TraceWriter, WriteError> {
        if !is_id(id) {
            let error = io::Error::new(io::ErrorKind::InvalidInput, "not letters, digits and `-`");
            return Err(IoAt::new("name a trace", Path::new(id), error).into());
        }
        let path = layout.traces().join(format!("{id}.trace"));
        let file = OpenOptions::new()
            .create_new(true)
            .append(true)
            .open(&path)
            .at("create", &path)?;
        let written = std::time::Instant::now();
        Ok(TraceWriter {
            file,
            buffer: MAGIC.to_vec(),
            path,
            end: 0,
            written,
        })
    }

    /// Adds a frame. Others see it at the latest when a tenth of a second's worth has come together, or
    /// at the next [`TraceWriter::flush`].
    ///
    /// # Errors
    /// The disk refused; the frames since the last flush are lost.
    pub fn append(&mut self, payload: &[u8]) -> Result<(), WriteError> {
        self.buffer
            .extend_from_slice(&(payload.len() as u32).to_le_bytes());
        self.buffer
            .extend_from_slice(&check(context::EVENT, &[payload]));
        self.buffer.extend_from_slice(payload);
        if self.buffer.len() >= BATCH || self.written.elapsed().as_millis() >= 100 {
            self.flush()?;
        }
        Ok(())
    }

    /// Hands all frames to the system.
    ///
    /// # Errors
    /// The disk refused.
    pub fn flush(&mut self) -> Result<(), WriteError> {
        self.written = std::time::Instant::now();
        let result = self.file.write_all(&self.buffer).at("write", &self.path);
        match &result {
            Ok(()) => self.end += self.buffer.len() as u64,
            // Half a frame would hide all that follow it.
            Err(_) => drop(self.file.set_len(self.end)),
        }
        // Without the magic no frame is read, so that is kept for another try.
        self.buffer
            .truncate(if self.end == 0 { MAGIC.len() } else { 0 });
        Ok(result?)
    }

    /// The last frame was added: the trace survives a power cut from now on.
    ///
    /// # Errors
    /// The disk refused.
    pub fn finish(mut self) -> Result<(), WriteError> {
        self.flush()?;
        self.file.sync_data().at("sync", &self.path)?;
        let directory = self.path.parent().unwrap_or(Path::new("."));
        Ok(super::atomic::sync_directory(directory)?)
    }
}

impl Drop for TraceWriter {
    fn drop(&mut self) {
        // A run that ends without a last word keeps what it had said.
        let _ = self.flush();
    }
}

/// Their names alone: to look at each takes as long as there were runs.
pub(crate) fn list(layout: &Layout) -> Result<Vec<String>, ReadError> {
    let directory = layout.traces();
    let entries = match fs::read_dir(&directory) {
        Ok(entries) => entries,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(IoAt::new("list", &directory, e).into()),
    };
    let mut all = Vec::new();
    for entry in entries {
        let name = entry.at("list", &directory)?.file_name();
        if let Some(id) = name.to_str().and_then(|name| name.strip_suffix(".trace")) {
            all.push(id.to_owned());
        }
    }
    all.sort();
    Ok(all)
}

/// The frames, up to the first that is not whole.
pub(crate) fn read(layout: &Layout, id: &str) -> Result<Option<Frames>, ReadError> {
    if !is_id(id) {
        return Ok(None);
    }
    let path = layout.traces().join(format!("{id}.trace"));
    match Frames::open(&path) {
        Ok(frames) => Ok(Some(frames)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(IoAt::new("read", &path, e).into()),
    }
}

/// The stat of a trace, if there is one.
pub(crate) fn stat(layout: &Layout, id: &str) -> Option<StatId> {
    let path = layout.traces().join(format!("{id}.trace"));
    let metadata = is_id(id).then(|| fs::metadata(path).ok())??;
    Some(StatId::of(&metadata))
}

/// Whether the name is one that a file among the traces may have.
fn is_id(id: &str) -> bool {
    !id.is_empty()
        && id
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

pub(crate) fn remove(layout: &Layout, id: &str) -> Result<u64, IoAt> {
    if !is_id(id) {
        return Ok(0);
    }
    let path = layout.traces().join(format!("{id}.trace"));
    let size = fs::metadata(&path).map_or(0, |metadata| metadata.len());
    remove_file(&path)?;
    Ok(size)
}

fn remove_file(path: &Path) -> Result<(), IoAt> {
    match fs::remove_file(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other.at("remove", path),
    }
}

/// The frames of a trace, read as they are asked for: those that were written when it was opened.
#[derive(Debug)]
pub struct Frames {
    file: File,
    /// Bytes of the file behind the buffer.
    left: u64,
    buffer: Vec<u8>,
    /// The next frame, in the buffer.
    at: usize,
}

impl Frames {
    fn open(path: &Path) -> io::Result<Frames> {
        let file = File::open(path)?;
        let mut frames = Frames {
            left: file.metadata()?.len(),
            file,
            buffer: Vec::new(),
            at: 0,
        };
        if frames.need(MAGIC.len()) && frames.buffer.starts_with(&MAGIC) {
            frames.at = MAGIC.len();
        } else {
            frames.end();
        }
        Ok(frames)
    }

    /// Nothing follows.
    fn end(&mut self) {
        (self.left, self.at) = (0, 0);
        self.buffer.clear();
    }

    /// Whether so many bytes follow; they are in the buffer then.
    fn need(&mut self, bytes: usize) -> bool {
        let here = self.buffer.len() - self.at;
        if here >= bytes {
            return true;
        }
        if (bytes - here) as u64 > self.left {
            return false;
        }
        self.buffer.drain(..self.at);
        self.at = 0;
        // The head of a trace is often all that is wanted.
        let piece = if self.buffer.capacity() == 0 {
            HEAD
        } else {
            PIECE
        };
        let more = self.left.min(piece.max(bytes - here) as u64);
        let read = (&mut self.file).take(more).read_to_end(&mut self.buffer);
        self.left -= more;
        if read.is_err() {
            self.end();
        }
        self.buffer.len() >= bytes
    }

    /// The next frame of which this is true; the others are passed over, unverified.
    pub fn find(&mut self, wanted: impl Fn(&[u8]) -> bool) -> Option<&[u8]> {
        loop {
            if !self.need(12) {
                return None;
            }
            let head = &self.buffer[self.at..self.at + 12];
            let length = u32::from_le_bytes([head[0], head[1], head[2], head[3]]) as usize;
            if !self.need(12 + length) {
                return None;
            }
            let (start, end) = (self.at + 12, self.at + 12 + length);
            if wanted(&self.buffer[start..end]) {
                let payload = &self.buffer[start..end];
                if self.buffer[self.at + 4..start] != check(context::EVENT, &[payload]) {
                    self.end();
                    return None;
                }
                self.at = end;
                return Some(&self.buffer[start..end]);
            }
            self.at = end;
        }
    }
}

impl Iterator for Frames {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        self.find(|_| true).map(<[u8]>::to_vec)
    }
}
