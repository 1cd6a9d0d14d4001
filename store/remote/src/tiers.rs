//! The remotes of a project, asked in order: each question once, none while a remote does not answer, nothing
//! believed beyond the policy. Asynchronous; `remotes` is the outside.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use jalon_store::LocalStore;
use jalon_store::action::PathSet;
use jalon_store::content::Content;
use jalon_store::digest::{ActionKey, TreeDigest, WeakKey};
use jalon_store::sealed::{Shared, slot};
use jalon_store::tree::{Entry, MAX_DEPTH, Tree, stays_inside};
use rustc_hash::{FxHashMap, FxHashSet};

use crate::access::Access;
use crate::fault::{Fault, Kind};
use crate::flow::Flow;
use crate::place::Place;
use crate::tier::{Gone, Item, Tier, lock};
use crate::trust::{Disbelief, Policy};

/// Places for path sets under a weak key.
pub const SLOTS: u8 = 8;

/// How long a remote that did not answer is left alone, at first and at most.
const ALONE: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(600));

/// Answers in a row that nothing can be made of, after which a remote is left alone.
const NONSENSE: u64 = 8;

/// A fetch that takes so much longer than making it again is not made.
const SLACK: Duration = Duration::from_secs(5);

/// Questions at once while planning.
pub const WIDTH: usize = 48;

/// What is asked for.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Where, in the order in which they are asked.
    pub places: Vec<Place>,
    /// What gives access to all of them.
    pub access: Access,
    /// What is believed.
    pub policy: Policy,
    /// What is made is sent there.
    pub push: bool,
    /// Nothing is done without them.
    pub required: bool,
}

/// Something that the user should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remark {
    /// A stable word.
    pub code: &'static str,
    /// One sentence.
    pub text: String,
}

/// What came of it all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// Outcomes that were taken over.
    pub outcomes: u64,
    /// Outcomes that were sent.
    pub sent: u64,
    /// Outcomes that were to be sent and were not.
    pub unsent: u64,
    /// Bytes that came.
    pub down: u64,
    /// Bytes that went.
    pub up: u64,
    /// Records that were not believed.
    pub disbelieved: u64,
    /// Faults.
    pub errors: u64,
    /// By remote: its address, and `read-write`, `read-only` or `unavailable`.
    pub remotes: Vec<(String, &'static str)>,
}

pub(crate) struct Post {
    pub(crate) name: String,
    pub(crate) tier: Arc<dyn Tier>,
    /// Milliseconds since the beginning until which it is left alone.
    until: AtomicU64,
    trips: AtomicU64,
    nonsense: AtomicU64,
    pub(crate) read_only: AtomicBool,
    ever_down: AtomicBool,
    /// What turned out to be damaged there: to be sent again.
    pub(crate) damaged: Mutex<FxHashSet<Item>>,
}

/// What a slot holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Slot {
    /// Nothing, and the ones behind it hold nothing either.
    Empty,
    /// Something that is not believed.
    Unusable,
    /// This.
    Set(Arc<PathSet>),
}

/// Answers by key, each asked for once.
type Memo<K, V> = Mutex<FxHashMap<K, V>>;

pub(crate) struct Tiers {
    pub(crate) settings: Settings,
    pub(crate) store: Arc<LocalStore>,
    pub(crate) posts: Vec<Post>,
    /// What comes.
    pub(crate) down: Flow,
    /// What goes.
    pub(crate) up: Flow,
    began: Instant,
    slots: Memo<([u8; 32], u8), Slot>,
    outcomes: Memo<ActionKey, Option<Arc<Shared>>>,
    present: Memo<Content, bool>,
    /// By content: the record that names it, and what making it took.
    owners: Memo<[u8; 32], (ActionKey, Duration)>,
    bringing: Memo<Content, Arc<Mutex<()>>>,
    remarks: Mutex<BTreeMap<(&'static str, String), u64>>,
    pub(crate) sent: AtomicU64,
    pub(crate) unsent: AtomicU64,
    taken: AtomicU64,
    disbelieved: AtomicU64,
    errors: AtomicU64,
}

impl Tiers {
    /// Gets ready, on a runtime; nothing is asked yet.
    pub(crate) fn new(settings: Settings, store: Arc<LocalStore>) -> Result<Tiers, Fault> {
        let posts = settings.places.iter().map(|place| {
            Ok(Post {
                name: place.to_string(),
                tier: place.tier(&settings.access)?,
                until: AtomicU64::new(0),
                trips: AtomicU64::new(0),
                nonsense: AtomicU64::new(0),
                read_only: AtomicBool::new(false),
                ever_down: AtomicBool::new(false),
                damaged: Mutex::default(),
            })
        });
        let posts = posts.collect::<Result<Vec<Post>, Fault>>()?;
        Ok(Tiers {
            settings,
            store,
            posts,
            down: Flow::default(),
            up: Flow::default(),
            began: Instant::now(),
            slots: Memo::default(),
            outcomes: Memo::default(),
            present: Memo::default(),
            owners: Memo::default(),
            bringing: Memo::default(),
            remarks: Mutex::default(),
            sent: AtomicU64::new(0),
            unsent: AtomicU64::new(0),
            taken: AtomicU64::new(0),
            disbelieved: AtomicU64::new(0),
            errors: AtomicU64::new(0),
        })
    }

    /// The first that did not answer at some time.
    pub(crate) fn failed(&self) -> Option<&str> {
        let down = |post: &&Post| post.ever_down.load(Ordering::Relaxed);
        self.posts.iter().find(down).map(|post| post.name.as_str())
    }

    pub(crate) fn took_over(&self) {
        self.taken.fetch_add(1, Ordering::Relaxed);
    }

    /// From now on it is known which record names these contents, and what making them took.
    pub(crate) fn note(&self, key: &ActionKey, contents: &[Content], took: Duration) {
        let mut owners = lock(&self.owners);
        for content in contents {
            owners.insert(*content.digest_bytes(), (*key, took));
        }
    }

    /// Held by who fetches a content.
    pub(crate) fn turn(&self, content: &Content) -> Arc<Mutex<()>> {
        lock(&self.bringing).entry(*content).or_default().clone()
    }

    pub(crate) fn remarks(&self) -> Vec<Remark> {
        let remarks = lock(&self.remarks);
        let each = remarks.iter().map(|((code, text), count)| Remark {
            code,
            text: match count {
                1 => text.replace("{n} ", "one "),
                _ => text.replace("{n} ", &format!("{count} ")),
            },
        });
        each.collect()
    }

    pub(crate) fn tally(&self) -> Tally {
        let count = |number: &AtomicU64| number.load(Ordering::Relaxed);
        let remotes = self.posts.iter().map(|post| {
            let state = if self.is_alone(post) {
                "unavailable"
            } else if !self.settings.push || post.read_only.load(Ordering::Relaxed) {
                "read-only"
            } else {
                "read-write"
            };
            (post.name.clone(), state)
        });
        Tally {
            outcomes: count(&self.taken),
            sent: count(&self.sent),
            unsent: count(&self.unsent),
            down: self.down.bytes().0,
            up: self.up.bytes().1,
            disbelieved: count(&self.disbelieved),
            errors: count(&self.errors),
            remotes: remotes.collect(),
        }
    }

    fn now(&self) -> u64 {
        self.began.elapsed().as_millis() as u64
    }

    /// Whether a remote is left alone now.
    pub(crate) fn is_alone(&self, post: &Post) -> bool {
        self.now() < post.until.load(Ordering::Relaxed)
    }

    pub(crate) fn remark(&self, code: &'static str, text: String) {
        *lock(&self.remarks).entry((code, text)).or_default() += 1;
    }

    /// Makes what was sent outlast a power cut, where that is up to us.
    pub(crate) async fn settle(&self) {
        for post in &self.posts {
            if let Err(fault) = post.tier.settle().await {
                self.heard(post, &fault);
            }
        }
    }

    /// A remote answered.
    fn answered(&self, post: &Post) {
        post.trips.store(0, Ordering::Relaxed);
        post.nonsense.store(0, Ordering::Relaxed);
    }

    /// A remote did not do what was asked of it.
    pub(crate) fn heard(&self, post: &Post, fault: &Fault) {
        self.errors.fetch_add(1, Ordering::Relaxed);
        let name = &post.name;
        let alone = match fault.kind {
            Kind::Unavailable => true,
            Kind::Denied => {
                let text = format!("{name} does not let us in ({fault}): going on without it");
                self.remark("remote-unavailable", text);
                post.ever_down.store(true, Ordering::Relaxed);
                post.until.store(u64::MAX, Ordering::Relaxed);
                return;
            }
            Kind::Refused | Kind::Absent => {
                post.nonsense.fetch_add(1, Ordering::Relaxed) + 1 >= NONSENSE
            }
            Kind::Here => {
                self.remark("remote-unavailable", format!("{name}: {fault}"));
                false
            }
        };
        if alone {
            // Of those that were under way together the first one tells.
            if !self.is_alone(post) {
                let trips = post.trips.fetch_add(1, Ordering::Relaxed).min(10);
                let pause = (ALONE.0 * (1 << trips)).min(ALONE.1);
                let until = self.now() + pause.as_millis() as u64;
                post.until.store(until, Ordering::Relaxed);
            }
            post.ever_down.store(true, Ordering::Relaxed);
            let said = format!("{name} does not answer: going on without it");
            let known = lock(&self.remarks).keys().any(|(code, text)| {
                *code == "remote-unavailable" && text.starts_with(name.as_str())
            });
            if !known {
                self.remark("remote-unavailable", format!("{said} ({fault})"));
            }
        } else if fault.kind == Kind::Refused {
            let known = lock(&self.remarks)
                .keys()
                .any(|(code, text)| *code == "remote-error" && text.starts_with(name.as_str()));
            if !known {
                self.remark("remote-error", format!("{name}: {fault}"));
            }
        }
    }

    /// Asks one remote, unless it is left alone.
    pub(crate) async fn ask<T>(
        &self,
        post: &Post,
        question: impl Future<Output = Result<T, Fault>>,
    ) -> Option<T> {
        if self.is_alone(post) {
            return None;
        }
        match question.await {
            Ok(answer) => {
                self.answered(post);
                Some(answer)
            }
            Err(fault) => {
                self.heard(post, &fault);
                None
            }
        }
    }

    fn disbelieve(&self, post: &Post, why: Disbelief) {
        self.disbelieved.fetch_add(1, Ordering::Relaxed);
        let name = &post.name;
        let (code, text) = match why {
            Disbelief::Newer => return,
            Disbelief::Damaged => (
                "record-damaged",
                format!(
                    "{name} gave {{n}} record(s) that do not say what they should: taken for absent"
                ),
            ),
            Disbelief::Unsigned => (
                "record-unsigned",
                format!("{name} gave {{n}} record(s) that nobody signed: taken for absent"),
            ),
            Disbelief::Untrusted => (
                "record-untrusted",
                format!(
                    "{name} gave {{n}} record(s) signed by nobody in trusted_keys: taken for absent"
                ),
            ),
            Disbelief::Short(word) => (
                "record-untrusted",
                format!(
                    "{name} gave {{n}} record(s) that are not {word}, which is required: taken for absent"
                ),
            ),
        };
        self.remark(code, text);
    }

    pub(crate) async fn path_set(&self, weak: &WeakKey, number: u8) -> Slot {
        let memo = (*weak.as_bytes(), number);
        if let Some(known) = lock(&self.slots).get(&memo) {
            return known.clone();
        }
        let key = slot(weak, number);
        let mut found = Slot::Empty;
        for post in &self.posts {
            let Some(Some(bytes)) = self.ask(post, post.tier.record(&key)).await else {
                continue;
            };
            match self.settings.policy.path_set(&bytes, weak, number) {
                Ok(set) => {
                    found = Slot::Set(Arc::new(set));
                    break;
                }
                Err(why) => {
                    self.disbelieve(post, why);
                    found = Slot::Unusable;
                }
            }
        }
        lock(&self.slots).insert(memo, found.clone());
        found
    }

    pub(crate) async fn outcome(&self, key: &ActionKey) -> Option<Arc<Shared>> {
        if let Some(known) = lock(&self.outcomes).get(key) {
            return known.clone();
        }
        let mut found = None;
        for post in &self.posts {
            let asked = self.ask(post, post.tier.record(key.as_bytes())).await;
            let Some(Some(bytes)) = asked else { continue };
            match self.settings.policy.outcome(&bytes, key, &post.name) {
                Ok(shared) => {
                    found = Some(Arc::new(shared));
                    break;
                }
                Err(why) => self.disbelieve(post, why),
            }
        }
        lock(&self.outcomes).insert(*key, found.clone());
        found
    }

    pub(crate) fn owner(&self, digest: &[u8; 32]) -> Option<ActionKey> {
        lock(&self.owners).get(digest).map(|(key, _)| *key)
    }

    /// Whether fetching a content would take clearly longer than making it again.
    pub(crate) fn is_slower(&self, content: &Content) -> bool {
        let took = lock(&self.owners)
            .get(content.digest_bytes())
            .map(|(_, took)| *took);
        match (took, self.down.expected(content.size())) {
            (Some(took), Some(expected)) => expected > took + SLACK,
            _ => false,
        }
    }

    pub(crate) async fn has(&self, contents: &[Content]) -> Vec<bool> {
        let known = |content: &Content| lock(&self.present).get(content).copied();
        let mut open: Vec<Content> = contents
            .iter()
            .filter(|content| known(content).is_none())
            .copied()
            .collect();
        open.sort_by_key(|content| *content.digest_bytes());
        open.dedup();
        for post in &self.posts {
            if open.is_empty() {
                break;
            }
            // Remotes that name things otherwise have to be told which record names them.
            let mut by_owner: FxHashMap<Option<ActionKey>, Vec<Item>> = FxHashMap::default();
            for content in &open {
                let owner = self.owner(content.digest_bytes());
                by_owner.entry(owner).or_default().push(item_of(content));
            }
            let mut missing = FxHashSet::default();
            let asked = by_owner.into_iter().map(|(owner, items)| async move {
                let key = owner.as_ref().map(ActionKey::as_bytes);
                match self.ask(post, post.tier.missing(&items, key)).await {
                    Some(missing) => missing,
                    None => items,
                }
            });
            let mut asked =
                futures_util::StreamExt::buffer_unordered(futures_util::stream::iter(asked), WIDTH);
            while let Some(some) = futures_util::StreamExt::next(&mut asked).await {
                missing.extend(some);
            }
            let mut present = lock(&self.present);
            open.retain(|content| {
                let there = !missing.contains(&item_of(content));
                if there {
                    present.insert(*content, true);
                }
                !there
            });
        }
        let mut present = lock(&self.present);
        for content in open {
            present.insert(content, false);
        }
        contents
            .iter()
            .map(|content| present.get(content).copied().unwrap_or(false))
            .collect()
    }

    /// Fetches into a store what is not there of these items, from the first remote that has each; those that none had.
    pub(crate) async fn fetch(
        &self,
        items: &[Item],
        owner: Option<ActionKey>,
        into: &Arc<LocalStore>,
    ) -> Vec<Item> {
        let mut open: Vec<Item> = items
            .iter()
            .filter(|item| !item.is_in(into))
            .copied()
            .collect();
        let mut damaged = 0_u64;
        for post in &self.posts {
            if open.is_empty() {
                break;
            }
            let key = owner.as_ref().map(ActionKey::as_bytes);
            let asked = post.tier.fetch(&open, key, into, &self.down);
            match self.ask(post, asked).await {
                Some(gone) => {
                    let mut known = lock(&post.damaged);
                    for (item, why) in &gone {
                        if *why == Gone::Damaged {
                            known.insert(*item);
                            damaged += 1;
                        }
                    }
                    open = gone.into_iter().map(|(item, _)| item).collect();
                }
                // Some may have come before it broke off.
                None => open.retain(|item| !item.is_in(into)),
            }
        }
        if damaged > 0 {
            self.errors.fetch_add(damaged, Ordering::Relaxed);
            for _ in 0..damaged {
                self.remark(
                    "blob-damaged",
                    "{n} blob(s) on a remote are not what their names say: not taken".to_owned(),
                );
            }
        }
        open
    }

    /// Brings all that a content is made of.
    pub(crate) async fn bring(&self, content: &Content) -> bool {
        let owner = self.owner(content.digest_bytes());
        let lost = match content {
            Content::File { digest, size, .. } => {
                self.fetch(&[Item::Blob(*digest, *size)], owner, &self.store)
                    .await
            }
            Content::Tree { digest, .. } => self.bring_tree(digest, owner).await,
        };
        if lost.is_empty() && self.store.has_content(content) {
            return true;
        }
        lock(&self.present).insert(*content, false);
        // What does not answer may have it still.
        if !self.down.is_stopped() && !self.posts.iter().any(|post| self.is_alone(post)) {
            self.remark(
                "blob-lost",
                "{n} result(s) are named by records of a remote that lost their bytes: made again"
                    .to_owned(),
            );
        }
        false
    }

    async fn bring_tree(&self, root: &TreeDigest, owner: Option<ActionKey>) -> Vec<Item> {
        let mut seen: FxHashSet<TreeDigest> = FxHashSet::default();
        let mut level = vec![*root];
        let mut blobs: FxHashSet<Item> = FxHashSet::default();
        let mut depth = 0;
        while !level.is_empty() {
            let items: Vec<Item> = level.iter().map(|digest| Item::Tree(*digest)).collect();
            let lost = self.fetch(&items, owner, &self.store).await;
            if !lost.is_empty() {
                return lost;
            }
            let mut next = Vec::new();
            for digest in level {
                let tree = self.store.read_tree(&digest);
                // Nothing that could not be laid out, or would lead out, is worth its bytes.
                let Ok(Some(tree)) = tree.map(|tree| tree.filter(|tree| is_sound(tree, depth)))
                else {
                    return vec![Item::Tree(digest)];
                };
                for (_, entry) in tree.entries() {
                    match entry {
                        Entry::File { digest, size, .. } => {
                            blobs.insert(Item::Blob(*digest, *size));
                        }
                        Entry::Directory { digest, .. } if seen.insert(*digest) => {
                            next.push(*digest);
                        }
                        _ => {}
                    }
                }
            }
            level = next;
            depth += 1;
        }
        let blobs: Vec<Item> = blobs.into_iter().collect();
        self.fetch(&blobs, owner, &self.store).await
    }
}

/// Whether a tree can lie so many directories below its root and leads nowhere else.
fn is_sound(tree: &Tree, depth: usize) -> bool {
    let mut entries = tree.entries().iter();
    depth <= MAX_DEPTH
        && entries.all(|(_, entry)| match entry {
            Entry::Symlink { target } => stays_inside(target, depth),
            _ => true,
        })
}

fn item_of(content: &Content) -> Item {
    match content {
        Content::File { digest, size, .. } => Item::Blob(*digest, *size),
        Content::Tree { digest, .. } => Item::Tree(*digest),
    }
}
