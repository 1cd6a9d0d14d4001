//! Objects as files in a directory: a network file system, or a folder that CI carries along.

use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::StreamExt;

use super::{Reply, STALL, Source, Wire};
use crate::fault::{Fault, Kind};
use crate::flow::Flow;

/// Bytes that are read at a time.
const CHUNK: usize = 256 << 10;

/// How long a file system may take to write down what it holds back.
const SETTLE: Duration = Duration::from_secs(600);

/// A directory.
pub(crate) struct Directory {
    root: PathBuf,
    /// Whether anything was put there since it was last settled.
    is_unsettled: AtomicBool,
}

impl Directory {
    pub(crate) fn new(root: PathBuf) -> Directory {
        Directory {
            root,
            is_unsettled: AtomicBool::new(false),
        }
    }

    fn place(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }
}

fn fault(doing: &str, path: &Path, error: &std::io::Error) -> Fault {
    let kind = match error.kind() {
        std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem => {
            Kind::Denied
        }
        _ => Kind::Unavailable,
    };
    Fault::new(kind, format!("cannot {doing} {}: {error}", path.display()))
}

/// Off the threads that must not wait; a file system that hangs is left alone after a while.
async fn apart<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Fault> + Send + 'static,
) -> Result<T, Fault> {
    within(STALL, work).await
}

async fn within<T: Send + 'static>(
    patience: Duration,
    work: impl FnOnce() -> Result<T, Fault> + Send + 'static,
) -> Result<T, Fault> {
    match tokio::time::timeout(patience, tokio::task::spawn_blocking(work)).await {
        Ok(Ok(done)) => done,
        Ok(Err(_)) => Err(Fault::here("a thread ended early")),
        Err(_) => Err(Fault::unavailable("the file system does not answer")),
    }
}

#[async_trait]
impl Wire for Directory {
    async fn get(&self, name: &str, from: u64) -> Result<Option<Reply>, Fault> {
        let path = self.place(name);
        let opened = apart(move || {
            let mut file = match std::fs::File::open(&path) {
                Ok(file) => file,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
                Err(error) => return Err(fault("open", &path, &error)),
            };
            let length = file
                .metadata()
                .and_then(|metadata| {
                    file.seek(SeekFrom::Start(from))?;
                    Ok(metadata.len())
                })
                .map_err(|error| fault("read", &path, &error))?;
            Ok(Some((file, length, path)))
        });
        let Some((file, total, path)) = opened.await? else {
            return Ok(None);
        };
        let stream = futures_util::stream::unfold(Some((file, path)), |state| async move {
            let (mut file, path) = state?;
            let read = apart(move || {
                let mut piece = Vec::with_capacity(CHUNK);
                let read = (&mut file).take(CHUNK as u64).read_to_end(&mut piece);
                read.map_err(|error| fault("read", &path, &error))?;
                Ok((piece, file, path))
            });
            match read.await {
                Ok((piece, ..)) if piece.is_empty() => None,
                Ok((piece, file, path)) => Some((Ok(Bytes::from(piece)), Some((file, path)))),
                Err(error) => Some((Err(error), None)),
            }
        });
        Ok(Some(Reply {
            total: Some(total),
            from,
            stream: stream.boxed(),
        }))
    }

    async fn length(&self, name: &str) -> Result<Option<Option<u64>>, Fault> {
        let path = self.place(name);
        apart(move || match std::fs::metadata(&path) {
            Ok(metadata) => Ok(Some(Some(metadata.len()))),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(fault("look at", &path, &error)),
        })
        .await
    }

    async fn put(&self, name: &str, source: &Source, flow: &Flow) -> Result<(), Fault> {
        let path = self.place(name);
        let temporary = {
            let parent = path.parent().unwrap_or(&self.root).to_owned();
            move || {
                std::fs::create_dir_all(&parent)
                    .map_err(|error| fault("create", &parent, &error))?;
                let name = format!(
                    ".{}-{:016x}.part",
                    std::process::id(),
                    rand_number().map_err(|error| fault("name a file in", &parent, &error))?
                );
                let part = parent.join(name);
                let file = std::fs::File::create_new(&part)
                    .map_err(|error| fault("create", &part, &error))?;
                Ok((part, file))
            }
        };
        let (part, file) = apart(temporary).await?;
        let written = write(file, &part, source, flow).await;
        apart(move || {
            let placed = written.and_then(|()| {
                std::fs::rename(&part, &path)
                    .map_err(|error| fault("rename a file to", &path, &error))
            });
            if placed.is_err() {
                let _ = std::fs::remove_file(&part);
            }
            placed
        })
        .await?;
        self.is_unsettled.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// The names, all at once at the end. Until then a power cut can take back what was put, and tear nothing.
    async fn settle(&self) -> Result<(), Fault> {
        if !self.is_unsettled.swap(false, Ordering::Relaxed) {
            return Ok(());
        }
        let root = self.root.clone();
        let settled = within(SETTLE, move || {
            let directory = std::fs::File::open(&root);
            directory
                .and_then(|directory| Ok(rustix::fs::syncfs(directory)?))
                .map_err(|error| fault("sync", &root, &error))
        });
        settled.await
    }

    async fn greet(&self) -> Result<String, Fault> {
        let root = self.root.clone();
        apart(move || match std::fs::metadata(&root) {
            Ok(found) if found.is_dir() => Ok("a directory".to_owned()),
            Ok(_) => Err(Fault::unavailable(format!(
                "{} is no directory",
                root.display()
            ))),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                Ok("a directory that is not there yet".to_owned())
            }
            Err(error) => Err(fault("look at", &root, &error)),
        })
        .await
    }
}

async fn write(
    mut file: std::fs::File,
    part: &Path,
    source: &Source,
    flow: &Flow,
) -> Result<(), Fault> {
    let mut pieces = source.stream(std::sync::Arc::new(|_| ()));
    while let Some(piece) = pieces.next().await {
        if flow.is_stopped() {
            return Err(Fault::here("the transfer was stopped"));
        }
        let piece = piece.map_err(Fault::here)?;
        let (length, at) = (piece.len() as u64, part.to_owned());
        let written = apart(move || {
            file.write_all(&piece)
                .map_err(|error| fault("write", &at, &error))?;
            Ok(file)
        });
        file = written.await?;
        flow.went(length);
    }
    // Before it has its name: what has the name and the length is taken to be whole until somebody reads it.
    let at = part.to_owned();
    let synced = within(SETTLE, move || {
        file.sync_data().map_err(|error| fault("sync", &at, &error))
    });
    synced.await
}

fn rand_number() -> std::io::Result<u64> {
    let mut bytes = [0; 8];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(u64::from_le_bytes(bytes))
}
