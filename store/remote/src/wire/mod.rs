//! Objects under names, however they are reached: the least that a remote can be.
//!
//! Knows names and bytes; nothing of digests, records or trust.

pub(crate) mod cloud;
pub(crate) mod directory;
pub(crate) mod http;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::BoxStream;

use crate::fault::Fault;
use crate::flow::Flow;

/// How long a remote may take to begin an answer.
pub(crate) const ANSWER: Duration = Duration::from_secs(15);

/// How long nothing may move in the middle of a transfer.
pub(crate) const STALL: Duration = Duration::from_secs(20);

/// How long a connection may take.
pub(crate) const CONNECT: Duration = Duration::from_secs(5);

/// Bytes that are read from a file at a time.
const CHUNK: usize = 256 << 10;

/// So many bytes tell what an object holds.
const BEGINNING: usize = 16;

/// Bytes to be put.
pub(crate) enum Source {
    /// In memory.
    Bytes(Bytes),
    /// A file, and its length.
    File(PathBuf, u64),
}

impl Source {
    pub(crate) fn len(&self) -> u64 {
        match self {
            Source::Bytes(bytes) => bytes.len() as u64,
            Source::File(_, length) => *length,
        }
    }

    pub(crate) fn path(&self) -> Option<PathBuf> {
        match self {
            Source::Bytes(_) => None,
            Source::File(path, _) => Some(path.clone()),
        }
    }

    /// All of it, piece by piece; the pieces are counted as they are taken.
    pub(crate) fn stream(
        &self,
        flow: Arc<dyn Fn(u64) + Send + Sync>,
    ) -> BoxStream<'static, std::io::Result<Bytes>> {
        use futures_util::StreamExt;
        let pieces: BoxStream<'static, std::io::Result<Bytes>> = match (self, self.path()) {
            (_, Some(path)) => file_stream(path),
            (Source::Bytes(bytes), _) => {
                let bytes = bytes.clone();
                let cut = (0..bytes.len().div_ceil(CHUNK)).map(move |at| {
                    let from = at * CHUNK;
                    Ok(bytes.slice(from..bytes.len().min(from + CHUNK)))
                });
                futures_util::stream::iter(cut).boxed()
            }
            _ => futures_util::stream::empty().boxed(),
        };
        pieces
            .inspect(move |piece| {
                if let Ok(piece) = piece {
                    flow(piece.len() as u64);
                }
            })
            .boxed()
    }
}

fn file_stream(path: PathBuf) -> BoxStream<'static, std::io::Result<Bytes>> {
    use futures_util::StreamExt;
    use tokio::io::AsyncReadExt;
    enum At {
        Closed(PathBuf),
        Open(tokio::fs::File),
        End,
    }
    futures_util::stream::unfold(At::Closed(path), |at| async move {
        let mut file = match at {
            At::End => return None,
            At::Open(file) => file,
            At::Closed(path) => match tokio::fs::File::open(path).await {
                Ok(mut file) => {
                    file.set_max_buf_size(CHUNK);
                    file
                }
                Err(error) => return Some((Err(error), At::End)),
            },
        };
        let mut piece = Vec::with_capacity(CHUNK);
        match file.read_buf(&mut piece).await {
            Ok(0) => None,
            Ok(_) => Some((Ok(Bytes::from(piece)), At::Open(file))),
            Err(error) => Some((Err(error), At::End)),
        }
    })
    .boxed()
}

/// An object on its way in.
pub(crate) struct Reply {
    /// The length of the whole object, if it was said.
    pub(crate) total: Option<u64>,
    /// Where the bytes begin.
    pub(crate) from: u64,
    /// The bytes.
    pub(crate) stream: BoxStream<'static, Result<Bytes, Fault>>,
}

impl Reply {
    /// The next piece; a fault where none comes in time.
    pub(crate) async fn next(&mut self, flow: &Flow) -> Option<Result<Bytes, Fault>> {
        let piece = self.pull(flow).await;
        if let Some(Ok(piece)) = &piece {
            flow.came(piece.len() as u64);
        }
        piece
    }

    async fn pull(&mut self, flow: &Flow) -> Option<Result<Bytes, Fault>> {
        use futures_util::StreamExt;
        if flow.is_stopped() {
            return Some(Err(Fault::here("the transfer was stopped")));
        }
        match tokio::time::timeout(STALL, self.stream.next()).await {
            Ok(piece) => piece,
            Err(_) => Some(Err(Fault::unavailable(format!(
                "nothing came for {} s",
                STALL.as_secs()
            )))),
        }
    }

    /// How it begins; nothing is lost of it, or counted.
    pub(crate) async fn first(&mut self, flow: &Flow) -> Result<Bytes, Fault> {
        use futures_util::StreamExt;
        let mut first = bytes::BytesMut::new();
        while first.len() < BEGINNING {
            match self.pull(flow).await {
                Some(piece) => first.extend_from_slice(&piece?),
                None => break,
            }
        }
        let first = first.freeze();
        let again = futures_util::stream::iter([Ok(first.clone())]);
        let rest = std::mem::replace(&mut self.stream, futures_util::stream::empty().boxed());
        self.stream = again.chain(rest).boxed();
        Ok(first)
    }

    /// All of it, if it is no more than `most`.
    pub(crate) async fn whole(mut self, most: u64, flow: &Flow) -> Result<Option<Vec<u8>>, Fault> {
        if self.total.is_some_and(|total| total > most) {
            return Ok(None);
        }
        let mut all = Vec::with_capacity(self.total.unwrap_or(0) as usize);
        while let Some(piece) = self.next(flow).await {
            let piece = piece?;
            if (all.len() + piece.len()) as u64 > most {
                return Ok(None);
            }
            all.extend_from_slice(&piece);
        }
        match self.total {
            Some(total) if all.len() as u64 + self.from < total => {
                Err(Fault::unavailable("the answer broke off"))
            }
            _ => Ok(Some(all)),
        }
    }
}

/// How objects are reached.
#[async_trait]
pub(crate) trait Wire: Send + Sync {
    /// An object, from a byte on where the server can begin there, else from the first.
    async fn get(&self, name: &str, from: u64) -> Result<Option<Reply>, Fault>;

    /// Whether there is such an object, and its length where that is said.
    async fn length(&self, name: &str) -> Result<Option<Option<u64>>, Fault>;

    /// Puts an object, whole or not at all.
    async fn put(&self, name: &str, source: &Source, flow: &Flow) -> Result<(), Fault>;

    /// What it is, if it answers.
    async fn greet(&self) -> Result<String, Fault>;

    /// Makes what was put outlast a power cut, where that is up to us.
    async fn settle(&self) -> Result<(), Fault> {
        Ok(())
    }
}
