//! What was made here, on its way out: in the background, bytes first, the record after them, its path set
//! last.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use jalon_store::LocalStore;
use jalon_store::action::PathSet;
use jalon_store::content::Content;
use jalon_store::digest::TreeDigest;
use jalon_store::error::ReadError;
use jalon_store::sealed::{Shared, slot};
use jalon_store::tree::Entry;
use rustc_hash::FxHashSet;
use tokio::runtime::Runtime;
use tokio::sync::Semaphore;

use crate::fault::{Fault, Kind};
use crate::tier::{Item, lock};
use crate::tiers::{Post, SLOTS, Tiers};

/// Outcomes on their way at once.
const AT_ONCE: usize = 8;

/// How long the end of a run waits for uploads of which nothing moves.
const IDLE: Duration = Duration::from_secs(30);

/// An outcome to be sent.
#[derive(Debug, Clone)]
pub struct Parcel {
    /// It, and what explains it.
    pub shared: Shared,
    /// The path set under which it is found.
    pub set: PathSet,
}

/// What is on its way.
pub(crate) struct Uploads {
    handle: tokio::runtime::Handle,
    inner: Arc<Tiers>,
    room: Arc<Semaphore>,
    open: Arc<AtomicUsize>,
}

/// Where an outcome went.
enum Sent {
    /// To every remote that takes anything.
    Everywhere,
    /// One that would have taken it does not have it.
    InPart,
    /// No remote takes anything from us.
    Nowhere,
}

/// How waiting for uploads ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waited {
    /// Nothing is on its way any more.
    Done,
    /// So many are, and are given up.
    GivenUp(usize),
}

impl Uploads {
    pub(crate) fn start(runtime: &Runtime, inner: &Arc<Tiers>) -> Uploads {
        Uploads {
            handle: runtime.handle().clone(),
            inner: inner.clone(),
            room: Arc::new(Semaphore::new(AT_ONCE)),
            open: Arc::default(),
        }
    }

    /// Begins to send an outcome. What must not travel does not.
    pub(crate) fn push(&self, parcel: Parcel) {
        if parcel.shared.record.attestation.host_bound {
            return;
        }
        let (inner, room, open) = (self.inner.clone(), self.room.clone(), self.open.clone());
        open.fetch_add(1, Ordering::SeqCst);
        self.handle.spawn(async move {
            let _room = room.acquire().await;
            match inner.send(&parcel).await {
                Sent::Everywhere => {
                    inner.sent.fetch_add(1, Ordering::Relaxed);
                }
                Sent::InPart => {
                    inner.unsent.fetch_add(1, Ordering::Relaxed);
                }
                Sent::Nowhere => {}
            }
            open.fetch_sub(1, Ordering::SeqCst);
        });
    }

    /// How many outcomes are on their way.
    pub(crate) fn under_way(&self) -> usize {
        self.open.load(Ordering::SeqCst)
    }

    /// Waits until everything is sent: at most for `patience`, only while something moves, and until `cancelled`
    /// says so. What is still on its way then is given up.
    pub(crate) fn finish(&self, patience: Duration, cancelled: &dyn Fn() -> bool) -> Waited {
        let began = Instant::now();
        let idle = || self.inner.up.idle().min(began.elapsed()) > IDLE;
        let mut pause = Duration::from_millis(1);
        loop {
            let open = self.under_way();
            if open == 0 {
                self.handle.block_on(self.inner.settle());
                return Waited::Done;
            }
            if began.elapsed() > patience || idle() || cancelled() {
                self.inner.up.stop();
                self.inner.unsent.fetch_add(open as u64, Ordering::Relaxed);
                self.inner.remark(
                    "upload-unfinished",
                    format!(
                        "{open} result(s) could not be sent in time: `jalon cache push` sends them"
                    ),
                );
                return Waited::GivenUp(open);
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(50));
        }
    }
}

/// Everything that an outcome names, each once.
pub(crate) fn items_of(shared: &Shared, store: &LocalStore) -> Result<Vec<Item>, ReadError> {
    let mut items: FxHashSet<Item> = FxHashSet::default();
    let mut trees: Vec<TreeDigest> = Vec::new();
    let mut order = Vec::new();
    let mut add = |item: Item| {
        if items.insert(item) {
            order.push(item);
            true
        } else {
            false
        }
    };
    for output in &shared.record.outcome.outputs {
        match output.content {
            Content::File { digest, size, .. } => drop(add(Item::Blob(digest, size))),
            Content::Tree { digest, .. } => trees.push(digest),
        }
    }
    while let Some(digest) = trees.pop() {
        if !add(Item::Tree(digest)) {
            continue;
        }
        let Some(tree) = store.read_tree(&digest)? else {
            continue;
        };
        for (_, entry) in tree.entries() {
            match entry {
                Entry::File { digest, size, .. } => drop(add(Item::Blob(*digest, *size))),
                Entry::Directory { digest, .. } => trees.push(*digest),
                Entry::Symlink { .. } => {}
            }
        }
    }
    Ok(order)
}

impl Tiers {
    async fn send(&self, parcel: &Parcel) -> Sent {
        let Ok(mut items) = items_of(&parcel.shared, &self.store) else {
            return Sent::InPart;
        };
        // What is not kept here is made again there as well, where somebody needs it.
        items.retain(|item| item.is_in(&self.store));
        let (mut all, mut some) = (true, false);
        for post in &self.posts {
            if post.read_only.load(Ordering::Relaxed) {
                continue;
            }
            if self.is_alone(post) {
                all = false;
                continue;
            }
            match self.send_to(post, parcel, &items).await {
                Ok(()) => some = true,
                Err(fault) if fault.kind == Kind::Denied => {
                    let first = !post.read_only.swap(true, Ordering::Relaxed);
                    if first {
                        let text = format!("{} takes nothing from us ({fault})", post.name);
                        self.remark("remote-read-only", text);
                    }
                }
                Err(fault) => {
                    all = false;
                    if !self.up.is_stopped() {
                        self.heard(post, &fault);
                    }
                }
            }
        }
        match (all, some) {
            (true, true) => Sent::Everywhere,
            (true, false) => Sent::Nowhere,
            (false, _) => Sent::InPart,
        }
    }

    async fn send_to(&self, post: &Post, parcel: &Parcel, items: &[Item]) -> Result<(), Fault> {
        let key = *parcel.shared.record.key.as_bytes();
        let mut missing = post.tier.lacking(items, Some(&key)).await?;
        {
            let damaged = lock(&post.damaged);
            missing.extend(items.iter().filter(|item| damaged.contains(item)));
        }
        let mut once = FxHashSet::default();
        missing.retain(|item| once.insert(*item));
        if !missing.is_empty() {
            post.tier.send(&missing, &self.store, &self.up).await?;
            let mut damaged = lock(&post.damaged);
            damaged.retain(|item| !once.contains(item));
        }
        let policy = &self.settings.policy;
        let record = &parcel.shared.record;
        let there = post.tier.record(&key).await?;
        let there = there.and_then(|bytes| policy.outcome(&bytes, &record.key, &post.name).ok());
        if there.is_none_or(|there| !policy.is_as_good(&there.record, record)) {
            let sealed = policy.seal_outcome(&parcel.shared).map_err(Fault::here)?;
            post.tier.put_record(&key, sealed, items).await?;
        }
        self.send_set(post, parcel).await
    }

    /// Into the first slot that is free, or holds it already; where all are taken one is given up.
    async fn send_set(&self, post: &Post, parcel: &Parcel) -> Result<(), Fault> {
        let policy = &self.settings.policy;
        let weak = &parcel.shared.record.weak;
        let sealed = |number| {
            policy
                .seal_path_set(&parcel.set, weak, number)
                .map_err(Fault::here)
        };
        for number in 0..SLOTS {
            let key = slot(weak, number);
            if let Some(bytes) = post.tier.record(&key).await? {
                match policy.path_set(&bytes, weak, number) {
                    Ok(set) if set == parcel.set => return Ok(()),
                    Ok(_) => continue,
                    // What nobody believes is in nobody's way.
                    Err(_) => {}
                }
            }
            return post.tier.put_record(&key, sealed(number)?, &[]).await;
        }
        let victim = parcel.shared.record.key.as_bytes()[0] % SLOTS;
        let key = slot(weak, victim);
        post.tier.put_record(&key, sealed(victim)?, &[]).await
    }
}
