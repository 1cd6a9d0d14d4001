//! Bytes to and from a server: small ones many in a message, large ones in a stream.

use std::io::Read;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Instant;

use bazel_remote_apis::build::bazel::remote::execution::v2::{
    BatchReadBlobsRequest, BatchUpdateBlobsRequest, batch_update_blobs_request,
};
use bazel_remote_apis::google::bytestream::{ReadRequest, WriteRequest};
use bytes::Bytes;
use futures_util::StreamExt;
use jalon_store::digest::BlobDigest;
use jalon_store::{LocalStore, Received};
use rustc_hash::FxHashMap;
use sha2::{Digest as _, Sha256};
use tonic::Status;

use super::call::fault;
use super::{Name, Reapi, hex};
use crate::fault::{Fault, Kind};
use crate::flow::Flow;
use crate::tier::{Gone, Item, MOST_TREE};
use crate::wire::{ANSWER, STALL, Source};

/// Messages of one kind on their way at once.
const WIDTH: usize = 8;

/// What stands around a blob in a message, bytes.
const AROUND: u64 = 128;

/// Blobs in one message.
const MOST: usize = 2000;

/// How often the rest of a blob is asked for after a transfer broke off.
const RESUMES: u32 = 4;

/// What the server would call an item; what the disk has damaged is called nothing. A large blob is read for it
/// once: what it is called then is kept beside it.
pub(super) fn name_of(item: &Item, store: &Arc<LocalStore>) -> Result<Name, Fault> {
    let gone = || Fault::here(format!("{} is not in the store", item.hex()));
    match item {
        Item::Tree(_) => Ok(Name::of(&bytes_of(item, store)?)),
        Item::Blob(digest, size) => {
            let Some(path) = store.blob_file(digest) else {
                return Ok(Name::of(&bytes_of(item, store)?));
            };
            if let Some(name) = store.sha256(digest).map_err(Fault::here)?
                && store.has_blob(digest, *size)
            {
                return Ok(Name {
                    hash: hex(&name),
                    size: *size,
                });
            }
            let mut file = std::fs::File::open(path).map_err(Fault::here)?;
            let mut hasher = Sha256::new();
            let mut own = jalon_store::digest::Hasher::blob();
            let mut buffer = vec![0; 1 << 20];
            let mut length = 0;
            loop {
                let read = file.read(&mut buffer).map_err(Fault::here)?;
                if read == 0 {
                    break;
                }
                hasher.update(&buffer[..read]);
                own.update(&buffer[..read]);
                length += read as u64;
            }
            if length != *size || own.finish() != *digest.as_bytes() {
                store.is_damaged(digest);
                return Err(gone());
            }
            let name: [u8; 32] = hasher.finalize().into();
            // Where it cannot be kept it is found out again.
            let _ = store.keep_sha256(digest, &name);
            Ok(Name {
                hash: hex(&name),
                size: length,
            })
        }
    }
}

fn bytes_of(item: &Item, store: &LocalStore) -> Result<Vec<u8>, Fault> {
    let found = match item {
        Item::Tree(digest) => store
            .read_tree(digest)
            .map_err(Fault::here)?
            .map(|tree| tree.encode()),
        Item::Blob(digest, size) => store
            .read_blob(digest)
            .map_err(Fault::here)?
            .filter(|bytes| bytes.len() as u64 == *size),
    };
    found.ok_or_else(|| Fault::here(format!("{} is not in the store", item.hex())))
}

/// An item, and what the server calls it.
type Named = (Item, Name);

/// Groups of which each fits into one message, and what fits into none.
fn grouped(all: Vec<Named>, batch: u64) -> (Vec<Vec<Named>>, Vec<Named>) {
    let (mut groups, mut large) = (Vec::new(), Vec::new());
    let (mut group, mut size) = (Vec::new(), 0);
    for (item, name) in all {
        let more = name.size + AROUND;
        if more > batch {
            large.push((item, name));
            continue;
        }
        if size + more > batch || group.len() == MOST {
            groups.push(std::mem::take(&mut group));
            size = 0;
        }
        size += more;
        group.push((item, name));
    }
    if !group.is_empty() {
        groups.push(group);
    }
    (groups, large)
}

/// Keeps bytes that came, if they are the item's.
fn keep(item: &Item, bytes: &[u8], into: &Arc<LocalStore>) -> Result<Option<Gone>, Fault> {
    let kept = match item {
        Item::Tree(digest) => into.put_encoded_tree(digest, bytes).map_err(Fault::here)?,
        Item::Blob(digest, size) => {
            let right = bytes.len() as u64 == *size && BlobDigest::of(bytes) == *digest;
            if right {
                into.put_bytes(bytes).map_err(Fault::here)?;
            }
            right
        }
    };
    Ok((!kept).then_some(Gone::Damaged))
}

impl Reapi {
    pub(super) async fn fetch_named(
        &self,
        named: Vec<(Item, Name)>,
        into: &Arc<LocalStore>,
        flow: &Flow,
    ) -> Result<Vec<(Item, Gone)>, Fault> {
        let batch = self.line.ready().await?.batch;
        let (groups, large) = grouped(named, batch);
        let mut gone = Vec::new();
        let mut small = futures_util::stream::iter(
            groups
                .into_iter()
                .map(|group| self.fetch_group(group, into, flow)),
        )
        .buffer_unordered(WIDTH);
        while let Some(some) = small.next().await {
            gone.extend(some?);
        }
        let each = large.into_iter().map(|(item, name)| async move {
            let found = self.fetch_large(&item, &name, into, flow).await?;
            Ok::<_, Fault>(found.map(|gone| (item, gone)))
        });
        let mut each = futures_util::stream::iter(each).buffer_unordered(WIDTH);
        while let Some(one) = each.next().await {
            gone.extend(one?);
        }
        Ok(gone)
    }

    async fn fetch_group(
        &self,
        group: Vec<(Item, Name)>,
        into: &Arc<LocalStore>,
        flow: &Flow,
    ) -> Result<Vec<(Item, Gone)>, Fault> {
        if flow.is_stopped() {
            return Err(Fault::here("the transfer was stopped"));
        }
        let request = BatchReadBlobsRequest {
            instance_name: self.line.instance.clone(),
            digests: group.iter().map(|(_, name)| name.digest()).collect(),
            ..BatchReadBlobsRequest::default()
        };
        let answer = self
            .line
            .call(|| {
                let (mut client, request) = (self.line.cas(), self.line.request(request.clone()));
                async move { client.batch_read_blobs(request).await }
            })
            .await?;
        // They come in any order, and some may not come at all.
        let mut came: FxHashMap<Name, Option<Vec<u8>>> = FxHashMap::default();
        for one in answer.responses {
            let Some(name) = one.digest.as_ref().and_then(Name::read) else {
                continue;
            };
            let code = one.status.map_or(0, |status| status.code);
            flow.came(one.data.len() as u64);
            came.insert(name, (code == 0).then_some(one.data));
        }
        let mut gone = Vec::new();
        for (item, name) in group {
            match came.get(&name) {
                Some(Some(bytes)) => {
                    gone.extend(keep(&item, bytes, into)?.map(|gone| (item, gone)));
                }
                _ => gone.push((item, Gone::Absent)),
            }
        }
        Ok(gone)
    }

    async fn fetch_large(
        &self,
        item: &Item,
        name: &Name,
        into: &Arc<LocalStore>,
        flow: &Flow,
    ) -> Result<Option<Gone>, Fault> {
        let Item::Blob(digest, size) = item else {
            return match self.read_whole(name, MOST_TREE).await? {
                Some(bytes) => keep(item, &bytes, into),
                None => Ok(Some(Gone::Absent)),
            };
        };
        let began = Instant::now();
        let mut incoming = into.receive(digest, *size).map_err(Fault::here)?;
        let mut again = 0;
        let whole = loop {
            let mut stream = match self.read_from(name, incoming.len()).await {
                Ok(stream) => stream,
                Err(fault) if fault.kind == Kind::Absent => return Ok(Some(Gone::Absent)),
                Err(fault) => return Err(fault),
            };
            let broken = loop {
                if flow.is_stopped() {
                    return Err(Fault::here("the transfer was stopped"));
                }
                match tokio::time::timeout(STALL, stream.message()).await {
                    Err(_) => break Some(Fault::unavailable("nothing came in time")),
                    Ok(Err(status)) => break Some(fault(&status)),
                    Ok(Ok(None)) => break None,
                    Ok(Ok(Some(piece))) => {
                        flow.came(piece.data.len() as u64);
                        if !incoming.write(&piece.data).map_err(Fault::here)? {
                            return Ok(Some(Gone::Damaged));
                        }
                    }
                }
            };
            match broken {
                None => break incoming,
                Some(fault) if fault.kind == Kind::Absent => return Ok(Some(Gone::Absent)),
                Some(fault) if again == RESUMES => return Err(fault),
                Some(_) => again += 1,
            }
        };
        Ok(match whole.finish().map_err(Fault::here)? {
            Received::Kept => {
                flow.took(*size, began.elapsed());
                None
            }
            Received::Damaged => Some(Gone::Damaged),
        })
    }

    async fn read_from(
        &self,
        name: &Name,
        from: u64,
    ) -> Result<tonic::Streaming<bazel_remote_apis::google::bytestream::ReadResponse>, Fault> {
        let request = ReadRequest {
            resource_name: self.resource(&format!("blobs/{}/{}", name.hash, name.size)),
            read_offset: i64::try_from(from).unwrap_or(i64::MAX),
            read_limit: 0,
        };
        self.line
            .call(|| {
                let (mut client, request) = (self.line.bytes(), self.line.request(request.clone()));
                async move { client.read(request).await }
            })
            .await
    }

    /// Bytes by their name, if they are no more than `most`; nothing where they are not there.
    pub(super) async fn read_whole(
        &self,
        name: &Name,
        most: u64,
    ) -> Result<Option<Vec<u8>>, Fault> {
        if name.size > most {
            return Ok(None);
        }
        let mut stream = match self.read_from(name, 0).await {
            Ok(stream) => stream,
            Err(fault) if fault.kind == Kind::Absent => return Ok(None),
            Err(fault) => return Err(fault),
        };
        let mut all = Vec::with_capacity(name.size as usize);
        loop {
            match tokio::time::timeout(STALL, stream.message()).await {
                Err(_) => return Err(Fault::unavailable("nothing came in time")),
                Ok(Err(status)) => {
                    let fault = fault(&status);
                    return match fault.kind {
                        Kind::Absent => Ok(None),
                        _ => Err(fault),
                    };
                }
                Ok(Ok(None)) => break,
                Ok(Ok(Some(piece))) if (all.len() + piece.data.len()) as u64 > name.size => {
                    return Ok(None);
                }
                Ok(Ok(Some(piece))) => all.extend_from_slice(&piece.data),
            }
        }
        Ok((Name::of(&all) == *name).then_some(all))
    }

    fn resource(&self, rest: &str) -> String {
        match self.line.instance.as_str() {
            "" => rest.to_owned(),
            instance => format!("{instance}/{rest}"),
        }
    }

    pub(super) async fn send_named(
        &self,
        named: Vec<(Item, Name)>,
        from: &Arc<LocalStore>,
        flow: &Flow,
    ) -> Result<(), Fault> {
        let batch = self.line.ready().await?.batch;
        let (groups, large) = grouped(named, batch);
        let mut small = futures_util::stream::iter(
            groups
                .into_iter()
                .map(|group| self.send_group(group, from, flow)),
        )
        .buffer_unordered(WIDTH);
        while let Some(sent) = small.next().await {
            sent?;
        }
        let each = large.into_iter().map(|(item, name)| async move {
            let file = match &item {
                Item::Blob(digest, size) => {
                    from.blob_file(digest).map(|path| Source::File(path, *size))
                }
                Item::Tree(_) => None,
            };
            let source = match file {
                Some(file) => file,
                None => Source::Bytes(Bytes::from(bytes_of(&item, from)?)),
            };
            self.put_stream(&name, source, flow).await
        });
        let mut each = futures_util::stream::iter(each).buffer_unordered(WIDTH);
        while let Some(sent) = each.next().await {
            sent?;
        }
        Ok(())
    }

    async fn send_group(
        &self,
        group: Vec<(Item, Name)>,
        from: &Arc<LocalStore>,
        flow: &Flow,
    ) -> Result<(), Fault> {
        if flow.is_stopped() {
            return Err(Fault::here("the transfer was stopped"));
        }
        let mut requests = Vec::with_capacity(group.len());
        let mut bytes = 0;
        for (item, name) in &group {
            let data = bytes_of(item, from)?;
            bytes += data.len() as u64;
            requests.push(batch_update_blobs_request::Request {
                digest: Some(name.digest()),
                data,
                compressor: 0,
            });
        }
        let request = BatchUpdateBlobsRequest {
            instance_name: self.line.instance.clone(),
            requests,
            digest_function: 0,
        };
        let answer = self
            .line
            .call(|| {
                let (mut client, request) = (self.line.cas(), self.line.request(request.clone()));
                async move { client.batch_update_blobs(request).await }
            })
            .await?;
        for one in answer.responses {
            if let Some(status) = one.status.filter(|status| status.code != 0) {
                return Err(fault(&Status::new(status.code.into(), status.message)));
            }
        }
        flow.went(bytes);
        Ok(())
    }

    pub(super) async fn put_one(
        &self,
        name: &Name,
        bytes: Bytes,
        flow: &Flow,
    ) -> Result<(), Fault> {
        self.put_stream(name, Source::Bytes(bytes), flow).await
    }

    async fn put_stream(&self, name: &Name, source: Source, flow: &Flow) -> Result<(), Fault> {
        let mut number = [0; 16];
        std::fs::File::open("/dev/urandom")
            .and_then(|mut file| file.read_exact(&mut number))
            .map_err(Fault::here)?;
        let id = hex(&number);
        let id = [&id[..8], &id[8..12], &id[12..16], &id[16..20], &id[20..]].join("-");
        let resource = self.resource(&format!("uploads/{id}/blobs/{}/{}", name.hash, name.size));
        let counted = Arc::new(AtomicU64::new(0));
        let requests = requests(resource, name.size, &source, counted.clone());
        let mut client = self.line.bytes();
        let request = self.line.request(requests);
        let writing = client.write(request);
        tokio::pin!(writing);
        let (mut told, mut last) = (0, Instant::now());
        let answer = loop {
            let waited =
                tokio::time::timeout(std::time::Duration::from_millis(250), &mut writing).await;
            let now = counted.load(Ordering::Relaxed);
            if now > told {
                flow.went(now - told);
                told = now;
                last = Instant::now();
            }
            match waited {
                Ok(answer) => break answer,
                Err(_) if flow.is_stopped() => {
                    return Err(Fault::here("the transfer was stopped"));
                }
                Err(_) if last.elapsed() > STALL + ANSWER => {
                    return Err(Fault::unavailable("nothing moved in time"));
                }
                Err(_) => {}
            }
        };
        let committed = answer.map_err(|status| fault(&status))?.into_inner();
        let size = committed.committed_size;
        // -1: it had it already, for one that comes compressed.
        if size == -1 || u64::try_from(size).is_ok_and(|size| size == name.size) {
            Ok(())
        } else {
            Err(Fault::unavailable("it took a part only"))
        }
    }
}

/// The messages that write some bytes.
fn requests(resource: String, total: u64, source: &Source, counted: Arc<AtomicU64>) -> Requests {
    let pieces = source.stream(Arc::new(move |bytes| {
        counted.fetch_add(bytes, Ordering::Relaxed);
    }));
    // Nothing at all is one message too.
    let empty = (total == 0).then(|| Ok(Bytes::new()));
    let pieces = futures_util::stream::iter(empty).chain(pieces);
    let mut offset = 0_u64;
    let requests = pieces.scan((), move |(), piece| {
        let request = piece.ok().map(|data| {
            let at = offset;
            offset += data.len() as u64;
            WriteRequest {
                resource_name: if at == 0 {
                    resource.clone()
                } else {
                    String::new()
                },
                write_offset: i64::try_from(at).unwrap_or(i64::MAX),
                finish_write: offset >= total,
                data: data.to_vec(),
            }
        });
        // Bytes that cannot be read end the stream before its end: the server keeps none of it.
        futures_util::future::ready(request)
    });
    let (sender, receiver) = tokio::sync::mpsc::channel(4);
    tokio::spawn(async move {
        let mut requests = std::pin::pin!(requests);
        while let Some(request) = requests.next().await {
            if sender.send(request).await.is_err() {
                return;
            }
        }
    });
    Requests(receiver)
}

/// Messages as they become ready.
struct Requests(tokio::sync::mpsc::Receiver<WriteRequest>);

impl futures_util::Stream for Requests {
    type Item = WriteRequest;

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<WriteRequest>> {
        self.0.poll_recv(context)
    }
}
