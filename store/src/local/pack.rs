//! Packs: append-only files of frames. A frame's header guards itself, its payload has a check, and
//! a reader stops at the first header that is not whole. Knows kinds and keys, not what they mean.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use crate::digest::{check, context};
use crate::error::{At, IoAt};

use super::atomic::Temporary;
use super::lock;

/// The first bytes of a pack.
pub(crate) const MAGIC: [u8; 16] = *b"jalon pack 1\n\0\0\0";

/// The first bytes of a frame.
const FRAME: [u8; 4] = *b"jF1\n";

/// Bytes of a frame before its payload.
pub(crate) const HEADER: usize = 72;

/// Largest payload, in bytes: more is damage.
pub(crate) const MAX_PAYLOAD: u64 = 1 << 30;

/// What a frame holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub(crate) enum Kind {
    /// A small blob, under its digest.
    Blob = 1,
    /// A tree's encoding, under its digest.
    Tree = 2,
    /// An action record, under its strong key.
    Action = 3,
    /// An explanation, under its strong key.
    Explanation = 4,
    /// A path set, under its weak key; there may be several.
    PathSet = 5,
    /// That earlier action records under this strong key no longer count. Empty.
    Forget = 6,
    /// What a blob is called by SHA-256, under its digest. Can be found out again.
    Sha256 = 7,
    /// Where a piece of a large blob lies, under the piece's digest. Can be found out again.
    Piece = 8,
}

impl Kind {
    pub(crate) fn from_byte(byte: u8) -> Option<Self> {
        Some(match byte {
            1 => Self::Blob,
            2 => Self::Tree,
            3 => Self::Action,
            4 => Self::Explanation,
            5 => Self::PathSet,
            6 => Self::Forget,
            7 => Self::Sha256,
            8 => Self::Piece,
            _ => return None,
        })
    }
}

/// Where a frame lies in its pack, and what it says it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Frame {
    /// A kind's number; frames of kinds that a newer jalon added are passed over.
    pub(crate) kind: u8,
    pub(crate) key: [u8; 32],
    /// Nanoseconds since the Unix epoch when it was written, rising within a pack.
    pub(crate) stamp: u64,
    /// Of the header, in the pack.
    pub(crate) offset: u64,
    /// Of the payload.
    pub(crate) len: u64,
}

impl Frame {
    /// The offset behind it.
    pub(crate) fn end(&self) -> u64 {
        self.offset + HEADER as u64 + self.len
    }

    fn header(&self, payload: &[u8]) -> [u8; HEADER] {
        let mut header = [0; HEADER];
        header[0..4].copy_from_slice(&FRAME);
        header[4] = self.kind;
        header[8..16].copy_from_slice(&self.stamp.to_le_bytes());
        header[16..24].copy_from_slice(&self.len.to_le_bytes());
        header[24..56].copy_from_slice(&self.key);
        header[56..64].copy_from_slice(&check(context::FRAME, &[payload]));
        let guard = check(context::FRAME, &[&header[..64]]);
        header[64..72].copy_from_slice(&guard);
        header
    }

    /// The frame at `offset` whose header these bytes are, and its payload's check.
    fn parse(header: &[u8; HEADER], offset: u64) -> Option<(Self, [u8; 8])> {
        if header[0..4] != FRAME || header[64..72] != check(context::FRAME, &[&header[..64]]) {
            return None;
        }
        let frame = Self {
            kind: header[4],
            key: header[24..56].try_into().ok()?,
            stamp: u64::from_le_bytes(header[8..16].try_into().ok()?),
            offset,
            len: u64::from_le_bytes(header[16..24].try_into().ok()?),
        };
        (frame.len <= MAX_PAYLOAD).then_some((frame, header[56..64].try_into().ok()?))
    }
}

/// The payload of `frame`; `None` if what lies there is not that frame, whole and undamaged.
pub(crate) fn read(file: &File, path: &Path, frame: &Frame) -> Result<Option<Vec<u8>>, IoAt> {
    if frame.len > MAX_PAYLOAD {
        return Ok(None);
    }
    // An index may lie about the length; the file's own length bounds what is allocated.
    let length = file.metadata().at("stat", path)?.len();
    if frame
        .offset
        .checked_add(HEADER as u64 + frame.len)
        .is_none_or(|end| end > length)
    {
        return Ok(None);
    }
    let mut bytes = vec![0; HEADER + frame.len as usize];
    match file.read_exact_at(&mut bytes, frame.offset) {
        Ok(()) => {}
        Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(e) => return Err(IoAt::new("read", path, e)),
    }
    let Some((header, payload)) = bytes.split_first_chunk::<HEADER>() else {
        return Ok(None);
    };
    let believed = Frame::parse(header, frame.offset)
        .is_some_and(|(found, sum)| found == *frame && sum == check(context::FRAME, &[payload]));
    if !believed {
        return Ok(None);
    }
    bytes.drain(..HEADER);
    Ok(Some(bytes))
}

/// Calls `each` for every frame from `start` on, until the file's end or the first header that is
/// not whole; returns the offset up to which frames were found. Payloads are not looked at.
pub(crate) fn scan(
    file: &File,
    path: &Path,
    start: u64,
    mut each: impl FnMut(Frame),
) -> Result<u64, IoAt> {
    let length = file.metadata().at("stat", path)?.len();
    let mut window = Window::new(file, path);
    let mut offset = start;
    if offset == 0 {
        match window.get(0, length)? {
            Some(head) if head[..MAGIC.len()] == MAGIC => offset = MAGIC.len() as u64,
            _ if length == MAGIC.len() as u64 => return Ok(MAGIC.len() as u64),
            _ => return Ok(0),
        }
    }
    while let Some(header) = window.get(offset, length)? {
        let Some((frame, _)) = Frame::parse(&header, offset) else {
            break;
        };
        let end = frame.end();
        if end > length {
            break;
        }
        offset = end;
        each(frame);
    }
    Ok(offset)
}

/// Reads ahead, so that a scan over small frames is not a system call each.
struct Window<'a> {
    file: &'a File,
    path: &'a Path,
    start: u64,
    bytes: Vec<u8>,
}

impl<'a> Window<'a> {
    const SIZE: usize = 128 * 1024;

    fn new(file: &'a File, path: &'a Path) -> Self {
        Self {
            file,
            path,
            start: 0,
            bytes: Vec::new(),
        }
    }

    fn get(&mut self, offset: u64, length: u64) -> Result<Option<[u8; HEADER]>, IoAt> {
        if offset.saturating_add(HEADER as u64) > length {
            return Ok(None);
        }
        let inside = |window: &Self| {
            let from = usize::try_from(offset.checked_sub(window.start)?).ok()?;
            window.bytes.get(from..)?.first_chunk::<HEADER>().copied()
        };
        if let Some(header) = inside(self) {
            return Ok(Some(header));
        }
        self.start = offset;
        // Most packs are small, and many.
        let rest = usize::try_from(length - offset).unwrap_or(usize::MAX);
        self.bytes.resize(rest.min(Self::SIZE), 0);
        let mut filled = 0;
        while filled < HEADER {
            match self
                .file
                .read_at(&mut self.bytes[filled..], offset + filled as u64)
            {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(IoAt::new("read", self.path, e)),
            }
        }
        self.bytes.truncate(filled);
        Ok(inside(self))
    }
}

/// The end of a pack that this process appends to. Holds the pack's lock, by which others know it lives.
pub(crate) struct Writer {
    file: File,
    path: PathBuf,
    end: u64,
    stamp: u64,
    synced: u64,
    broken: bool,
}

impl Writer {
    /// Creates a pack. It gets its name only once it is locked and begun.
    pub(crate) fn create(tmp: &Path, path: &Path) -> Result<Self, IoAt> {
        let mut temporary = Temporary::in_directory(tmp)?;
        lock::try_exclusive(temporary.file(), path)?;
        temporary.file().write_all(&MAGIC).at("write", path)?;
        let file = temporary.persist(path)?;
        Ok(Self {
            file,
            path: path.to_owned(),
            end: MAGIC.len() as u64,
            stamp: 0,
            synced: 0,
            broken: false,
        })
    }

    /// Appends a frame. After an error the pack ends where it ended before, and can be gone on with
    /// unless [`Writer::is_broken`].
    pub(crate) fn append(
        &mut self,
        kind: u8,
        key: &[u8; 32],
        stamp: u64,
        payload: &[u8],
    ) -> Result<Frame, IoAt> {
        // A pack from elsewhere may have the last stamp there is; merging it must not end here.
        self.stamp = stamp.max(self.stamp.saturating_add(1));
        let frame = Frame {
            kind,
            key: *key,
            stamp: self.stamp,
            offset: self.end,
            len: payload.len() as u64,
        };
        let mut bytes = Vec::with_capacity(HEADER + payload.len());
        bytes.extend_from_slice(&frame.header(payload));
        bytes.extend_from_slice(payload);
        if let Err(e) = self.file.write_all_at(&bytes, self.end) {
            self.broken = self.file.set_len(self.end).is_err();
            return Err(IoAt::new("write", &self.path, e));
        }
        self.end = frame.end();
        Ok(frame)
    }

    pub(crate) fn is_broken(&self) -> bool {
        self.broken
    }

    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn len(&self) -> u64 {
        self.end
    }

    /// Makes what was appended durable; whether there was anything.
    pub(crate) fn sync(&mut self) -> Result<bool, IoAt> {
        if self.synced == self.end {
            return Ok(false);
        }
        self.file.sync_data().at("sync", &self.path)?;
        self.synced = self.end;
        Ok(true)
    }
}
