//! All remotes of a project as one: what others made, by key and by content, and never the reason why a run
//! fails.
//!
//! Blocking on the outside; what happens at once happens on a runtime of its own. Knows contents and keys;
//! nothing of nodes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use jalon_store::LocalStore;
use jalon_store::content::Content;
use jalon_store::digest::{ActionKey, TreeDigest, WeakKey};
use jalon_store::error::ReadError;
use jalon_store::sealed::Shared;
use jalon_store::tree::Tree;
use rustc_hash::FxHashSet;
use tokio::runtime::Runtime;

use crate::fault::Fault;
use crate::tier::{Item, lock};
use crate::tiers::{Remark, Settings, Slot, Tally, Tiers, WIDTH};
use crate::upload::{self, Parcel, Uploads, Waited};

/// See the module.
pub struct Remotes {
    pub(crate) runtime: Runtime,
    pub(crate) inner: Arc<Tiers>,
    pub(crate) uploads: Uploads,
}

impl Remotes {
    /// Gets ready; nothing is asked yet.
    ///
    /// # Errors
    /// What gives access cannot be read or used, or there are no threads to be had.
    pub fn open(settings: Settings, store: Arc<LocalStore>) -> Result<Remotes, Fault> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .max_blocking_threads(32)
            .thread_name("jalon-remote")
            .enable_all()
            .build()
            .map_err(Fault::here)?;
        let entered = runtime.enter();
        let inner = Arc::new(Tiers::new(settings, store)?);
        drop(entered);
        let uploads = Uploads::start(&runtime, &inner);
        Ok(Remotes {
            runtime,
            inner,
            uploads,
        })
    }

    /// Whether what is made is sent.
    pub fn pushes(&self) -> bool {
        self.inner.settings.push
    }

    /// Whether nothing is to be done without them.
    pub fn is_required(&self) -> bool {
        self.inner.settings.required
    }

    /// Whether each of them answers; the address of each, with what it says of itself.
    pub fn greet(&self) -> Vec<(String, Result<String, Fault>)> {
        let each = self.inner.posts.iter().map(|post| {
            let said = self.runtime.block_on(post.tier.greet());
            if let Err(fault) = &said {
                self.inner.heard(post, fault);
            }
            (post.name.clone(), said)
        });
        each.collect()
    }

    /// The first that did not answer at some time, if one did not.
    pub fn failed(&self) -> Option<&str> {
        self.inner.failed()
    }

    /// The path set in a slot of a weak key.
    pub fn path_set(&self, weak: &WeakKey, number: u8) -> Slot {
        self.runtime.block_on(self.inner.path_set(weak, number))
    }

    /// The outcome under a strong key, if there is one that is believed.
    pub fn outcome(&self, key: &ActionKey) -> Option<Arc<Shared>> {
        self.runtime.block_on(self.inner.outcome(key))
    }

    /// An outcome that was taken over counts.
    pub fn took_over(&self) {
        self.inner.took_over();
    }

    /// From now on it is known which record names these contents, and what making them took.
    pub fn note(&self, key: &ActionKey, contents: &[Content], took: Duration) {
        self.inner.note(key, contents, took);
    }

    /// Which of these contents lie on a remote, as far as that can be told without fetching them.
    pub fn has(&self, contents: &[Content]) -> Vec<bool> {
        self.runtime.block_on(self.inner.has(contents))
    }

    /// Brings a content into the store, unless making it again would take less time (where that is known and
    /// `whatever` is not asked for). Whether it is there now.
    pub fn bring(&self, content: &Content, whatever: bool) -> bool {
        let inner = &self.inner;
        if inner.store.has_content(content) {
            return true;
        }
        if inner.store.is_read_only() || (!whatever && inner.is_slower(content)) {
            return false;
        }
        let turn = inner.turn(content);
        let _one_at_a_time = lock(&turn);
        if inner.store.has_content(content) {
            return true;
        }
        self.runtime.block_on(inner.bring(content))
    }

    /// Brings many contents at once, whatever it takes; how many could not be had. `done` is told how many are
    /// through, each time one is.
    pub fn bring_all(&self, contents: &[Content], done: &(dyn Fn(usize) + Sync)) -> u64 {
        let next = AtomicUsize::new(0);
        let missed = AtomicU64::new(0);
        let through = AtomicUsize::new(0);
        let work = || {
            while let Some(content) = contents.get(next.fetch_add(1, Ordering::Relaxed)) {
                if !self.bring(content, true) {
                    missed.fetch_add(1, Ordering::Relaxed);
                }
                done(through.fetch_add(1, Ordering::Relaxed) + 1);
            }
        };
        std::thread::scope(|scope| {
            (1..contents.len().min(WIDTH)).for_each(|_| drop(scope.spawn(work)));
            work();
        });
        missed.into_inner()
    }

    /// Whoever waits for bytes is to wait no longer.
    pub fn stop_fetching(&self) {
        self.inner.down.stop();
    }

    /// A tree, without what is in it.
    pub fn tree(&self, digest: &TreeDigest) -> Option<Tree> {
        let inner = &self.inner;
        let item = [Item::Tree(*digest)];
        let owner = inner.owner(digest.as_bytes());
        self.runtime
            .block_on(inner.fetch(&item, owner, &inner.store));
        inner.store.read_tree(digest).ok().flatten()
    }

    /// What an outcome names that no remote has, by digest; nothing where they have all.
    ///
    /// # Errors
    /// A directory of it cannot be read here.
    pub fn lacks(&self, shared: &Shared) -> Result<Vec<String>, ReadError> {
        let inner = &self.inner;
        let mut open = upload::items_of(shared, &inner.store)?;
        for post in &inner.posts {
            let key = shared.record.key.as_bytes();
            let asked = inner.ask(post, post.tier.lacking(&open, Some(key)));
            if let Some(missing) = self.runtime.block_on(asked) {
                open = missing;
            }
        }
        Ok(open.iter().map(Item::hex).collect())
    }

    /// What an outcome names that no remote has whole, by digest: each is fetched and read, and kept nowhere.
    ///
    /// # Errors
    /// There is no room for it meanwhile.
    pub fn damaged(&self, shared: &Shared) -> Result<Vec<String>, Fault> {
        let inner = &self.inner;
        let scratch = inner.store.scratch_store().map_err(Fault::here)?;
        let key = shared.record.key;
        // Directories name what else there is: level by level, as far as they are there.
        let mut lost = Vec::new();
        let mut asked: FxHashSet<Item> = FxHashSet::default();
        loop {
            let mut items = upload::items_of(shared, &scratch.store).map_err(Fault::here)?;
            items.retain(|item| asked.insert(*item));
            if items.is_empty() {
                return Ok(lost);
            }
            let into = &scratch.store;
            let missed = self.runtime.block_on(inner.fetch(&items, Some(key), into));
            lost.extend(missed.iter().map(Item::hex));
        }
    }

    /// Begins to send an outcome. What must not travel does not.
    pub fn push(&self, parcel: Parcel) {
        self.uploads.push(parcel);
    }

    /// How many outcomes are on their way.
    pub fn under_way(&self) -> usize {
        self.uploads.under_way()
    }

    /// Waits until everything is sent: at most for `patience`, only while something moves, and until `cancelled`
    /// says so. What is still on its way then is given up.
    pub fn finish(&self, patience: Duration, cancelled: &dyn Fn() -> bool) -> Waited {
        self.uploads.finish(patience, cancelled)
    }

    /// What the user should know so far.
    pub fn remarks(&self) -> Vec<Remark> {
        self.inner.remarks()
    }

    /// What came of it so far.
    pub fn tally(&self) -> Tally {
        self.inner.tally()
    }
}
