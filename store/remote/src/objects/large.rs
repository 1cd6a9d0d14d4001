//! Large blobs among objects: each lies there as a list of its pieces.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures_util::StreamExt;
use jalon_store::digest::BlobDigest;
use jalon_store::{Incoming, LocalStore, Received};
use rustc_hash::FxHashSet;
use tokio::sync::mpsc::Sender;

use super::{Came, Objects, UPLOADS, WIDTH, cas, gone};
use crate::fault::Fault;
use crate::flow::Flow;
use crate::pack;
use crate::pieces::{self, Piece};
use crate::tier::{Gone, Item, lock};
use crate::wire::{Reply, Source, Wire};

/// Pieces of one blob that are in memory ahead of the one that is written, or sent.
const AHEAD: usize = 8;

/// A piece that came.
struct Part {
    bytes: Vec<u8>,
    /// Of these were here already.
    skip: usize,
    /// Bytes that it took.
    cost: u64,
}

/// What an object under a large blob's name holds.
pub(super) enum Holds {
    Pieces(Vec<Piece>),
    /// The bytes themselves, packed or not.
    Bytes(Reply),
    /// A list that is none, or another blob's.
    Nonsense,
}

/// Looks at how an object begins, and reads it where it is a list.
pub(super) async fn holds(mut reply: Reply, size: u64, flow: &Flow) -> Result<Holds, Fault> {
    if !pieces::is_list(&reply.first(flow).await?) {
        return Ok(Holds::Bytes(reply));
    }
    let list = reply.whole(pieces::longest(size), flow).await?;
    let list = list.and_then(|list| pieces::decode(&list, size));
    Ok(list.map_or(Holds::Nonsense, Holds::Pieces))
}

impl<W: Wire> Objects<W> {
    /// What is left of a blob, piece by piece in order, while the next ones are fetched.
    pub(super) async fn take_pieces(
        &self,
        digest: &BlobDigest,
        list: Vec<Piece>,
        mut incoming: Incoming,
        into: &Arc<LocalStore>,
        flow: &Flow,
    ) -> Result<Came, Fault> {
        let _large = self.large.acquire().await.map_err(Fault::here)?;
        let mut end = 0;
        let had = incoming.len();
        let mut rest = Vec::new();
        for (piece, length) in &list {
            let skip = had.saturating_sub(end) as usize;
            end += u64::from(*length);
            if end > had {
                rest.push((*piece, *length, skip));
            }
        }
        let fetched = rest.into_iter().map(|(piece, length, skip)| async move {
            self.fetch_piece(&piece, length, skip, into, flow).await
        });
        let mut fetched = futures_util::stream::iter(fetched).buffered(AHEAD);
        let mut cost = 0;
        while let Some(part) = fetched.next().await {
            // As good as damaged: the blob is to be sent again, whatever lies under its name.
            let Some(part) = part? else {
                return Ok(Came::Gone(Gone::Damaged));
            };
            cost += part.cost;
            let bytes = &part.bytes[part.skip..];
            if !incoming.write(bytes).map_err(Fault::here)? {
                return Ok(Came::Gone(Gone::Damaged));
            }
        }
        drop(fetched);
        Ok(match incoming.finish().map_err(Fault::here)? {
            Received::Kept => {
                // For the next blob that is made of them; without it, they are fetched.
                let _ = into.keep_pieces(digest, &list);
                Came::Kept(cost)
            }
            Received::Damaged => Came::Gone(Gone::Damaged),
        })
    }

    /// A piece from a blob that is here, or from there; nothing where it cannot be had.
    async fn fetch_piece(
        &self,
        piece: &BlobDigest,
        length: u32,
        skip: usize,
        into: &Arc<LocalStore>,
        flow: &Flow,
    ) -> Result<Option<Part>, Fault> {
        let _turn = self.turns.acquire().await.map_err(Fault::here)?;
        let (bytes, cost) = match into.piece(piece, length).map_err(Fault::here)? {
            Some(bytes) => (Some(bytes), 0),
            None => {
                let item = Item::Blob(*piece, u64::from(length));
                let bytes = self.whole(&item, u64::from(length), flow).await?;
                let name = *piece;
                // Beside the one that is written now.
                let verified = tokio::task::spawn_blocking(move || {
                    bytes
                        .and_then(|bytes| pack::unpack(bytes, u64::from(length)))
                        .filter(|it| it.len() == length as usize && BlobDigest::of(it) == name)
                });
                (verified.await.map_err(Fault::here)?, u64::from(length))
            }
        };
        if bytes.is_none() {
            lock(&self.spoilt).insert(*piece);
        }
        Ok(bytes.map(|bytes| Part { bytes, skip, cost }))
    }

    /// Sends the pieces of a blob that are not there, while the rest of it is read and cut; the list, to be put when
    /// they are.
    pub(super) async fn send_pieces(
        &self,
        digest: &BlobDigest,
        size: u64,
        from: &Arc<LocalStore>,
        flow: &Flow,
    ) -> Result<Vec<u8>, Fault> {
        let _large = self.large.acquire().await.map_err(Fault::here)?;
        let path = from.blob_file(digest).ok_or_else(|| gone(digest))?;
        let (name, store) = (*digest, from.clone());
        let (give, take) = tokio::sync::mpsc::channel(AHEAD);
        let cutting = tokio::task::spawn_blocking(move || cut(&name, size, &path, &store, &give));
        let cuts = futures_util::stream::unfold(take, |mut take| async move {
            let next = take.recv().await?;
            Some((next, take))
        });
        let once = Mutex::new(FxHashSet::default());
        let sent = cuts.map(|(piece, bytes): (Piece, Vec<u8>)| {
            let is_new = lock(&once).insert(piece.0);
            async move {
                match is_new {
                    true => self.send_piece(piece, bytes, flow).await,
                    false => Ok(()),
                }
            }
        });
        let mut sent = Box::pin(sent.buffer_unordered(UPLOADS));
        while let Some(answer) = sent.next().await {
            answer?;
        }
        drop(sent);
        let list = cutting.await.map_err(Fault::here)??;
        // For what comes from there later.
        let _ = from.keep_pieces(digest, &list);
        Ok(pieces::encode(&list))
    }

    async fn send_piece(&self, piece: Piece, bytes: Vec<u8>, flow: &Flow) -> Result<(), Fault> {
        let _turn = self.turns.acquire().await.map_err(Fault::here)?;
        if flow.is_stopped() {
            return Err(Fault::here("the transfer was stopped"));
        }
        let (digest, length) = piece;
        let is_spoilt = lock(&self.spoilt).contains(&digest);
        if !is_spoilt && self.has_piece(&digest, length).await? {
            return Ok(());
        }
        let packed = tokio::task::spawn_blocking(move || pack::pack(bytes));
        let source = Source::Bytes(Bytes::from(packed.await.map_err(Fault::here)?));
        let name = cas(&Item::Blob(digest, u64::from(length)));
        self.wire.put(&name, &source, flow).await?;
        lock(&self.spoilt).remove(&digest);
        Ok(())
    }

    async fn has_piece(&self, piece: &BlobDigest, length: u32) -> Result<bool, Fault> {
        let item = Item::Blob(*piece, u64::from(length));
        let found = self.wire.length(&cas(&item)).await?;
        Ok(found.is_some_and(|known| known.is_none_or(|known| known <= u64::from(length))))
    }

    /// Whether a blob of which something lies there lies there with all of its pieces, if it is in pieces.
    pub(super) async fn has_pieces(&self, item: &Item, size: u64) -> Result<bool, Fault> {
        let Some(reply) = self.wire.get(&cas(item), 0).await? else {
            return Ok(false);
        };
        if reply
            .total
            .is_some_and(|total| total > pieces::longest(size))
        {
            return Ok(true);
        }
        let list = match holds(reply, size, &Flow::default()).await? {
            Holds::Bytes(_) => return Ok(true),
            Holds::Nonsense => return Ok(false),
            Holds::Pieces(list) => list,
        };
        let each = list.into_iter().map(|(piece, length)| async move {
            let _turn = self.turns.acquire().await.map_err(Fault::here)?;
            self.has_piece(&piece, length).await
        });
        let mut answers = futures_util::stream::iter(each).buffer_unordered(WIDTH);
        let mut all = true;
        while let Some(answer) = answers.next().await {
            all &= answer?;
        }
        Ok(all)
    }
}

/// Cuts a blob and hands its pieces on; the list of them, if the blob is what its name says.
fn cut(
    digest: &BlobDigest,
    size: u64,
    path: &Path,
    store: &LocalStore,
    give: &Sender<(Piece, Vec<u8>)>,
) -> Result<Vec<Piece>, Fault> {
    let file = File::open(path).map_err(Fault::here)?;
    let (list, whole) = pieces::cut(file, |piece, bytes| {
        let given = give.blocking_send((piece, bytes));
        given.map_err(|_| io::ErrorKind::BrokenPipe.into())
    })
    .map_err(Fault::here)?;
    let length: u64 = list.iter().map(|(_, length)| u64::from(*length)).sum();
    if whole != *digest || length != size {
        store.is_damaged(digest);
        return Err(gone(digest));
    }
    Ok(list)
}
