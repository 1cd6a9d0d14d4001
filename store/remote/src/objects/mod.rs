//! A remote made of objects: `cas/<digest>` and `ac/<key>`, as Bazel's HTTP cache has them.
//!
//! An object may hold the bytes packed, or a list of the pieces of a large blob, which are objects of their own:
//! it does where it is shorter than they are and begins as packed bytes, or a list, do. Nothing that comes is
//! believed before it hashes to its name.

mod large;

use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::StreamExt;
use jalon_store::digest::BlobDigest;
use jalon_store::{Incoming, LocalStore, Received};
use rustc_hash::FxHashSet;
use tokio::sync::Semaphore;

use crate::fault::Fault;
use crate::flow::Flow;
use crate::pack::{self, Unpacker};
use crate::pieces;
use crate::tier::{Gone, Item, MOST_RECORD, MOST_TREE, Tier};
use crate::wire::{Reply, Source, Wire};
use large::{Holds, holds};

/// Requests at once.
const WIDTH: usize = 32;

/// Uploads at once.
const UPLOADS: usize = 16;

/// Large blobs at once.
const LARGE: usize = 4;

/// How often the rest of a blob is asked for after a transfer broke off.
const RESUMES: u32 = 4;

/// See the module.
pub(crate) struct Objects<W> {
    wire: W,
    /// Large blobs under way at once: of each some pieces wait in memory.
    large: Semaphore,
    /// Pieces under way at once, of all blobs together: each is in memory.
    turns: Semaphore,
    /// Pieces that were not what their names say, or were not there: to be sent again whatever the remote says.
    spoilt: Mutex<FxHashSet<BlobDigest>>,
}

fn cas(item: &Item) -> String {
    format!("cas/{}", item.hex())
}

fn ac(key: &[u8; 32]) -> String {
    format!("ac/{}", BlobDigest::from_bytes(*key))
}

/// How a blob came.
enum Came {
    /// With so many bytes from there.
    Kept(u64),
    Gone(Gone),
}

impl<W: Wire> Objects<W> {
    pub(crate) fn new(wire: W) -> Objects<W> {
        Objects {
            wire,
            large: Semaphore::new(LARGE),
            turns: Semaphore::new(WIDTH),
            spoilt: Mutex::default(),
        }
    }

    async fn fetch_one(
        &self,
        item: &Item,
        into: &Arc<LocalStore>,
        flow: &Flow,
    ) -> Result<Option<Gone>, Fault> {
        match item {
            Item::Tree(digest) => {
                let Some(reply) = self.wire.get(&cas(item), 0).await? else {
                    return Ok(Some(Gone::Absent));
                };
                let bytes = reply.whole(MOST_TREE, flow).await?;
                let Some(bytes) = bytes.and_then(|bytes| pack::unpack(bytes, MOST_TREE)) else {
                    return Ok(Some(Gone::Damaged));
                };
                let kept = into.put_encoded_tree(digest, &bytes).map_err(Fault::here)?;
                Ok((!kept).then_some(Gone::Damaged))
            }
            Item::Blob(digest, size) => {
                let began = Instant::now();
                match self.fetch_blob(item, digest, *size, into, flow).await? {
                    Came::Gone(gone) => Ok(Some(gone)),
                    Came::Kept(came) => {
                        flow.took(came, began.elapsed());
                        Ok(None)
                    }
                }
            }
        }
    }

    async fn fetch_blob(
        &self,
        item: &Item,
        digest: &BlobDigest,
        size: u64,
        into: &Arc<LocalStore>,
        flow: &Flow,
    ) -> Result<Came, Fault> {
        let mut incoming = into.receive(digest, size).map_err(Fault::here)?;
        let mut again = 0;
        loop {
            let from = incoming.len();
            let reply = self.wire.get(&cas(item), from).await?;
            let Some(mut reply) = reply else {
                return Ok(Came::Gone(Gone::Absent));
            };
            let is_short = reply.total.is_some_and(|total| total < size);
            if is_short && reply.from > 0 {
                // The rest of it tells nothing without its beginning.
                let Some(whole) = self.wire.get(&cas(item), 0).await? else {
                    return Ok(Came::Gone(Gone::Absent));
                };
                reply = whole;
            }
            // Some servers do not say how long an object is.
            let may_be_list = size >= pieces::CUT && (is_short || reply.total.is_none());
            if may_be_list && reply.from == 0 {
                match holds(reply, size, flow).await {
                    Ok(Holds::Bytes(same)) => reply = same,
                    Ok(Holds::Pieces(list)) => {
                        return self.take_pieces(digest, list, incoming, into, flow).await;
                    }
                    Ok(Holds::Nonsense) => return Ok(Came::Gone(Gone::Damaged)),
                    Err(_) if again < RESUMES && !flow.is_stopped() => {
                        again += 1;
                        continue;
                    }
                    Err(fault) => return Err(fault),
                }
            }
            if reply.from != from {
                incoming.restart().map_err(Fault::here)?;
            }
            let came = if is_short {
                take_packed(reply, incoming, flow).await?
            } else if reply.total.is_none_or(|total| total == size) {
                take_plain(reply, incoming, flow).await?
            } else {
                return Ok(Came::Gone(Gone::Damaged));
            };
            match came {
                Taken::Whole(done) => {
                    return Ok(match done.finish().map_err(Fault::here)? {
                        Received::Kept => Came::Kept(size),
                        Received::Damaged => Came::Gone(Gone::Damaged),
                    });
                }
                Taken::Wrong => return Ok(Came::Gone(Gone::Damaged)),
                Taken::Broken(fault, _) if again == RESUMES || flow.is_stopped() => {
                    return Err(fault);
                }
                Taken::Broken(_, rest) => {
                    again += 1;
                    incoming = rest;
                }
            }
        }
    }

    /// A small object, asked for again where it breaks off.
    async fn whole(&self, item: &Item, most: u64, flow: &Flow) -> Result<Option<Vec<u8>>, Fault> {
        let mut again = 0;
        loop {
            let Some(reply) = self.wire.get(&cas(item), 0).await? else {
                return Ok(None);
            };
            match reply.whole(most, flow).await {
                Err(_) if again < RESUMES && !flow.is_stopped() => again += 1,
                done => return done,
            }
        }
    }

    async fn send_one(
        &self,
        item: &Item,
        from: &Arc<LocalStore>,
        flow: &Flow,
    ) -> Result<(), Fault> {
        let source = match item {
            Item::Blob(digest, size) if *size >= pieces::CUT => {
                self.send_pieces(digest, *size, from, flow).await?
            }
            _ => {
                let (item, store) = (*item, from.clone());
                let prepared = tokio::task::spawn_blocking(move || source(&item, &store));
                prepared.await.map_err(Fault::here)??
            }
        };
        self.wire
            .put(&cas(item), &Source::Bytes(Bytes::from(source)), flow)
            .await
    }
}

/// A transfer so far.
enum Taken {
    Whole(Incoming),
    /// It broke off, and can go on from there.
    Broken(Fault, Incoming),
    Wrong,
}

async fn take_plain(mut reply: Reply, mut incoming: Incoming, flow: &Flow) -> Result<Taken, Fault> {
    let total = reply.total;
    while let Some(piece) = reply.next(flow).await {
        let piece = match piece {
            Ok(piece) => piece,
            Err(fault) => return Ok(Taken::Broken(fault, incoming)),
        };
        if !incoming.write(&piece).map_err(Fault::here)? {
            return Ok(Taken::Wrong);
        }
    }
    // Some servers close the connection in the middle and call it the end.
    Ok(match total {
        Some(total) if incoming.len() < total => {
            Taken::Broken(Fault::unavailable("the answer broke off"), incoming)
        }
        _ => Taken::Whole(incoming),
    })
}

/// Takes what unpacking gives; more than the blob has is refused at once.
struct Bounded(Incoming);

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.0.write(bytes) {
            Ok(true) => Ok(bytes.len()),
            Ok(false) => Err(io::ErrorKind::FileTooLarge.into()),
            Err(error) => Err(io::Error::new(io::ErrorKind::StorageFull, error)),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

async fn take_packed(mut reply: Reply, incoming: Incoming, flow: &Flow) -> Result<Taken, Fault> {
    let total = reply.total.unwrap_or(0);
    let mut unpacker = Unpacker::new(Bounded(incoming)).map_err(Fault::here)?;
    let mut had = 0;
    while let Some(piece) = reply.next(flow).await {
        let piece = piece?;
        if had == 0 && !pack::is_packed(&piece) {
            return Ok(Taken::Wrong);
        }
        had += piece.len() as u64;
        if let Err(error) = unpacker.write(&piece) {
            return match error.kind() {
                io::ErrorKind::StorageFull => Err(Fault::here(error)),
                _ => Ok(Taken::Wrong),
            };
        }
    }
    if had < total {
        return Err(Fault::unavailable("the answer broke off"));
    }
    Ok(match unpacker.finish() {
        Ok(Bounded(incoming)) => Taken::Whole(incoming),
        Err(_) => Taken::Wrong,
    })
}

/// A tree, or a blob that is no large one, as it travels; what the disk has damaged does not.
fn source(item: &Item, store: &Arc<LocalStore>) -> Result<Vec<u8>, Fault> {
    let bytes = match item {
        Item::Tree(digest) => {
            let tree = store.read_tree(digest).map_err(Fault::here)?;
            tree.map(|tree| tree.encode())
        }
        Item::Blob(digest, size) => {
            let bytes = store.read_blob(digest).map_err(Fault::here)?;
            bytes.filter(|it| it.len() as u64 == *size)
        }
    };
    Ok(pack::pack(bytes.ok_or_else(|| gone(&item.hex()))?))
}

fn gone(name: &impl std::fmt::Display) -> Fault {
    Fault::here(format!("{name} is not in the store"))
}

#[async_trait]
impl<W: Wire> Tier for Objects<W> {
    async fn record(&self, key: &[u8; 32]) -> Result<Option<Vec<u8>>, Fault> {
        let Some(reply) = self.wire.get(&ac(key), 0).await? else {
            return Ok(None);
        };
        // One that is too long, or no packed bytes after all, is as good as none: it will not verify.
        let bytes = reply.whole(MOST_RECORD, &Flow::default()).await?;
        Ok(Some(
            bytes
                .and_then(|bytes| pack::unpack(bytes, MOST_RECORD))
                .unwrap_or_default(),
        ))
    }

    async fn put_record(
        &self,
        key: &[u8; 32],
        bytes: Vec<u8>,
        _names: &[Item],
    ) -> Result<(), Fault> {
        let source = Source::Bytes(Bytes::from(pack::pack(bytes)));
        self.wire.put(&ac(key), &source, &Flow::default()).await
    }

    async fn missing(&self, items: &[Item], _owner: Option<&[u8; 32]>) -> Result<Vec<Item>, Fault> {
        let asked = items.iter().copied().map(|item| async move {
            let found = self.wire.length(&cas(&item)).await?;
            let there = match (found, item) {
                (None, _) => false,
                (Some(Some(length)), Item::Blob(_, size)) => length <= size,
                _ => true,
            };
            Ok::<_, Fault>((!there).then_some(item))
        });
        let answers: Vec<_> = futures_util::stream::iter(asked)
            .buffer_unordered(WIDTH)
            .collect()
            .await;
        let mut missing = Vec::new();
        for answer in answers {
            missing.extend(answer?);
        }
        Ok(missing)
    }

    async fn lacking(&self, items: &[Item], owner: Option<&[u8; 32]>) -> Result<Vec<Item>, Fault> {
        let mut lacking = self.missing(items, owner).await?;
        let missing: FxHashSet<Item> = lacking.iter().copied().collect();
        let large = items.iter().copied().filter_map(|item| match item {
            Item::Blob(_, size) if size >= pieces::CUT && !missing.contains(&item) => {
                Some((item, size))
            }
            _ => None,
        });
        let asked: Vec<_> = large
            .map(|(item, size)| async move {
                let there = self.has_pieces(&item, size).await?;
                Ok::<_, Fault>((!there).then_some(item))
            })
            .collect();
        let mut answers = futures_util::stream::iter(asked).buffer_unordered(WIDTH);
        while let Some(answer) = answers.next().await {
            lacking.extend(answer?);
        }
        Ok(lacking)
    }

    async fn fetch(
        &self,
        items: &[Item],
        _owner: Option<&[u8; 32]>,
        into: &Arc<LocalStore>,
        flow: &Flow,
    ) -> Result<Vec<(Item, Gone)>, Fault> {
        let each = items.iter().copied().map(|item| async move {
            let gone = self.fetch_one(&item, into, flow).await?;
            Ok::<_, Fault>(gone.map(|gone| (item, gone)))
        });
        let mut answers = futures_util::stream::iter(each).buffer_unordered(WIDTH);
        let mut all = Vec::new();
        while let Some(answer) = answers.next().await {
            all.extend(answer?);
        }
        Ok(all)
    }

    async fn send(&self, items: &[Item], from: &Arc<LocalStore>, flow: &Flow) -> Result<(), Fault> {
        let each = items.iter().copied();
        let each = each.map(|item| async move { self.send_one(&item, from, flow).await });
        let mut answers = futures_util::stream::iter(each).buffer_unordered(UPLOADS);
        while let Some(answer) = answers.next().await {
            answer?;
        }
        Ok(())
    }

    async fn greet(&self) -> Result<String, Fault> {
        self.wire.greet().await
    }

    async fn settle(&self) -> Result<(), Fault> {
        self.wire.settle().await
    }
}
