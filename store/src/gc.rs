//! Collection: what no root reaches goes; above a size, the bytes of what was used longest ago go too.
//!
//! Records outlive the bytes they name (the outcome is still known, and can be made again). Works only
//! while nobody else uses the store: every user holds a lease.

use std::fs;
use std::io;
use std::path::PathBuf;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::content::Content;
use crate::digest::{ActionKey, BlobDigest, TreeDigest};
use crate::error::{At, GcError, IoAt, ReadError};
use crate::fsck::is_right;
use crate::local::lock::Lease;
use crate::local::pack::{Frame, Kind};
use crate::local::{LocalStore, atomic, trace};
use crate::piece::Lies;
use crate::tree::Entry;

/// Packs that are worth merging.
const MANY: usize = 32;

/// What is to be kept.
#[derive(Debug, Clone, Default)]
pub struct GcRoots {
    /// Outcomes, and when they were last used, milliseconds since the Unix epoch.
    pub actions: Vec<(ActionKey, u64)>,
    /// Outcomes whose bytes stay whatever the size.
    pub pinned_actions: FxHashSet<ActionKey>,
    /// Contents that stay whatever the size.
    pub contents: Vec<Content>,
    /// Blobs that stay whatever the size.
    pub blobs: Vec<BlobDigest>,
    /// Traces that go.
    pub drop_traces: Vec<String>,
}

/// How much may stay.
#[derive(Debug, Clone, Copy, Default)]
pub struct GcPolicy {
    /// Bytes of blobs; above it the bytes of the outcomes used longest ago go.
    pub max_size: Option<u64>,
}

/// What went, or would go.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct GcReport {
    /// Blobs.
    pub blobs: u64,
    /// Bytes of blobs.
    pub bytes: u64,
    /// Outcomes of which nothing is known any more.
    pub records: u64,
    /// Outcomes whose bytes went and whose record stays.
    pub evicted: u64,
    /// Traces.
    pub traces: u64,
    /// Blobs that stay.
    pub kept_blobs: u64,
    /// Bytes that stay.
    pub kept_bytes: u64,
}

/// What the store holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// Blobs, small and large.
    pub blobs: u64,
    /// Bytes of blobs.
    pub bytes: u64,
    /// Outcomes.
    pub records: u64,
    /// Packs.
    pub packs: u64,
    /// Traces of runs.
    pub traces: u64,
}

#[derive(Default)]
struct Live {
    blobs: FxHashMap<BlobDigest, u64>,
    trees: FxHashSet<TreeDigest>,
}

impl LocalStore {
    /// What a collection would remove now.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn gc_dry(&self, roots: &GcRoots, policy: GcPolicy) -> Result<GcReport, GcError> {
        self.collect(roots, policy, true)
    }

    /// Removes what the roots do not reach. Waits until nobody else uses the store, and asks `impatient`
    /// between tries, at least every 50 ms. The roots are asked for after that, for whoever was waited for
    /// may have recorded something.
    ///
    /// # Errors
    /// [`GcError::Busy`] where others use the store and `impatient` says so.
    pub fn gc(
        &self,
        roots: impl FnOnce() -> Result<GcRoots, ReadError>,
        policy: GcPolicy,
        impatient: &dyn Fn() -> bool,
    ) -> Result<GcReport, GcError> {
        self.alone(impatient, || self.collect(&roots()?, policy, false))
    }

    /// Merges packs where there are many, unless others use the store just now.
    ///
    /// # Errors
    /// The disk refused; the packs are as they were.
    pub fn tidy(&self) -> Result<(), GcError> {
        if self.is_read_only() || self.packs.count() <= MANY {
            return Ok(());
        }
        let merge = || Ok(self.packs.replace(|_| true, is_right)?);
        match self.alone(&|| true, merge) {
            Ok(_) | Err(GcError::Busy) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// With the lease held exclusively; shared again afterwards.
    pub(crate) fn alone<T>(
        &self,
        impatient: &dyn Fn() -> bool,
        work: impl FnOnce() -> Result<T, GcError>,
    ) -> Result<T, GcError> {
        let lease = self
            .lease
            .as_ref()
            .filter(|_| !self.is_read_only())
            .ok_or(GcError::ReadOnly)?;
        if !lease.exclude(impatient)? {
            self.share_again(lease)?;
            return Err(GcError::Busy);
        }
        self.packs.reload()?;
        let done = work();
        self.share_again(lease)?;
        done
    }

    /// The lease was given up for a moment at least: whatever was here may be gone.
    fn share_again(&self, lease: &Lease) -> Result<(), GcError> {
        lease.share()?;
        self.forget_whole();
        Ok(self.packs.reload()?)
    }

    fn collect(&self, roots: &GcRoots, policy: GcPolicy, dry: bool) -> Result<GcReport, GcError> {
        let mut report = GcReport::default();
        let mut live = Live::default();
        for content in &roots.contents {
            self.mark(content, &mut live)?;
        }
        for blob in &roots.blobs {
            live.blobs.entry(*blob).or_insert(0);
        }
        let mut known: FxHashSet<[u8; 32]> = FxHashSet::default();
        let mut weak: FxHashSet<[u8; 32]> = FxHashSet::default();
        let mut actions = roots.actions.clone();
        let mut total: u64 = live.blobs.values().sum();
        // Pinned ones first, then those used last: what no longer fits is what was used longest ago.
        actions.sort_by_key(|(key, used)| {
            (
                !roots.pinned_actions.contains(key),
                std::cmp::Reverse(*used),
            )
        });
        for (key, _) in actions {
            if known.contains(key.as_bytes()) {
                continue;
            }
            let Some(record) = self.action(&key)? else {
                continue;
            };
            known.insert(*key.as_bytes());
            weak.insert(*record.weak.as_bytes());
            let mut wanted = Live::default();
            for output in &record.outcome.outputs {
                self.mark(&output.content, &mut wanted)?;
            }
            if let Some(transcript) = record.outcome.transcript {
                wanted.blobs.entry(transcript).or_insert(0);
            }
            let more: u64 = wanted
                .blobs
                .iter()
                .filter(|(blob, _)| !live.blobs.contains_key(blob))
                .map(|(_, size)| size)
                .sum();
            let fits = policy.max_size.is_none_or(|max| total + more <= max);
            if fits || roots.pinned_actions.contains(&key) {
                total += more;
                live.blobs.extend(wanted.blobs);
            } else {
                report.evicted += 1;
            }
            // Trees are small, and tell what was evicted.
            live.trees.extend(wanted.trees);
        }
        self.sweep_loose(&live, &mut report, dry)?;
        self.sweep_packs(&live, &known, &weak, &mut report, dry)?;
        for id in &roots.drop_traces {
            report.traces += 1;
            if !dry {
                report.bytes += trace::remove(&self.layout, id)?;
            }
        }
        if !dry {
            self.sweep_litter();
        }
        Ok(report)
    }

    fn mark(&self, content: &Content, live: &mut Live) -> Result<(), GcError> {
        match content {
            Content::File { digest, size, .. } => drop(live.blobs.insert(*digest, *size)),
            Content::Tree { digest, .. } => self.mark_tree(digest, live)?,
        }
        Ok(())
    }

    fn mark_tree(&self, digest: &TreeDigest, live: &mut Live) -> Result<(), GcError> {
        let mut pending = vec![*digest];
        while let Some(digest) = pending.pop() {
            if !live.trees.insert(digest) {
                continue;
            }
            let Some(tree) = self.read_tree(&digest)? else {
                continue;
            };
            for (_, entry) in tree.entries() {
                match entry {
                    Entry::File { digest, size, .. } => drop(live.blobs.insert(*digest, *size)),
                    Entry::Directory { digest, .. } => pending.push(*digest),
                    Entry::Symlink { .. } => {}
                }
            }
        }
        Ok(())
    }

    fn sweep_loose(&self, live: &Live, report: &mut GcReport, dry: bool) -> Result<(), GcError> {
        for (digest, size, path) in self.loose_blobs()? {
            if live.blobs.contains_key(&digest) {
                report.kept_blobs += 1;
                report.kept_bytes += size;
                continue;
            }
            report.blobs += 1;
            report.bytes += size;
            if !dry {
                fs::remove_file(&path).at("remove", &path)?;
            }
        }
        Ok(())
    }

    fn sweep_packs(
        &self,
        live: &Live,
        known: &FxHashSet<[u8; 32]>,
        weak: &FxHashSet<[u8; 32]>,
        report: &mut GcReport,
        dry: bool,
    ) -> Result<(), GcError> {
        let pieces = self.pieces_of(live)?;
        let keep = |frame: &Frame| match Kind::from_byte(frame.kind) {
            Some(Kind::Blob | Kind::Sha256) => {
                live.blobs.contains_key(&BlobDigest::from_bytes(frame.key))
            }
            Some(Kind::Piece) => pieces.contains(&frame.key),
            Some(Kind::Tree) => live.trees.contains(&TreeDigest::from_bytes(frame.key)),
            // With a mark that earlier ones do not count, or they would count again.
            Some(Kind::Action | Kind::Explanation | Kind::Forget) => known.contains(&frame.key),
            Some(Kind::PathSet) => weak.contains(&frame.key),
            // Of a newer jalon: not ours to judge.
            None => true,
        };
        let mut any = false;
        for found in self.packs.all() {
            let kept = keep(&found.frame);
            any |= !kept;
            match (Kind::from_byte(found.frame.kind), kept) {
                (Some(Kind::Blob), true) => {
                    report.kept_blobs += 1;
                    report.kept_bytes += found.frame.len;
                }
                (Some(Kind::Blob), false) => {
                    report.blobs += 1;
                    report.bytes += found.frame.len;
                }
                (Some(Kind::Action), false) => report.records += 1,
                _ => {}
            }
        }
        if any && !dry {
            self.packs.replace(keep, is_right)?;
        }
        Ok(())
    }

    /// What is a piece of a blob that stays.
    fn pieces_of(&self, live: &Live) -> Result<FxHashSet<[u8; 32]>, IoAt> {
        let mut pieces = FxHashSet::default();
        for found in self.packs.all() {
            if found.frame.kind == Kind::Piece as u8
                && let Some(bytes) = found.read()?
                && Lies::decode(&bytes).is_some_and(|lies| live.blobs.contains_key(&lies.blob))
            {
                pieces.insert(found.frame.key);
            }
        }
        Ok(pieces)
    }

    /// Temporary files of processes that died. Nobody else is here, so all are.
    fn sweep_litter(&self) {
        for directory in [self.layout.tmp(), self.layout.packs()] {
            atomic::sweep(&directory, |name| name.ends_with(b".new"));
        }
    }

    /// Every loose blob: its name's digest, its size, its path.
    pub(crate) fn loose_blobs(&self) -> Result<Vec<(BlobDigest, u64, PathBuf)>, IoAt> {
        let mut all = Vec::new();
        let root = self.layout.blobs();
        for shard in list(&root)? {
            let name = shard
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            for path in list(&shard)? {
                let rest = path.file_name().unwrap_or_default().to_string_lossy();
                if let Ok(digest) = format!("{name}{rest}").parse() {
                    let size = fs::metadata(&path).map_or(0, |metadata| metadata.len());
                    all.push((digest, size, path));
                }
            }
        }
        Ok(all)
    }

    /// What the store holds.
    ///
    /// # Errors
    /// The disk did not answer.
    pub fn stats(&self) -> Result<Stats, ReadError> {
        let mut stats = Stats {
            packs: self.packs.count() as u64,
            ..Stats::default()
        };
        for (_, size, _) in self.loose_blobs()? {
            stats.blobs += 1;
            stats.bytes += size;
        }
        let mut seen = FxHashSet::default();
        for found in self.packs.all() {
            let frame = found.frame;
            match Kind::from_byte(frame.kind) {
                Some(Kind::Blob) if seen.insert((frame.kind, frame.key)) => {
                    stats.blobs += 1;
                    stats.bytes += frame.len;
                }
                Some(Kind::Action) if seen.insert((frame.kind, frame.key)) => stats.records += 1,
                _ => {}
            }
        }
        stats.traces = self.list_traces()?.len() as u64;
        Ok(stats)
    }
}

fn list(directory: &std::path::Path) -> Result<Vec<PathBuf>, IoAt> {
    match fs::read_dir(directory) {
        Ok(entries) => entries
            .map(|entry| entry.map(|entry| entry.path()).at("list", directory))
            .collect(),
        Err(e)
            if matches!(
                e.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            Ok(Vec::new())
        }
        Err(e) => Err(IoAt::new("list", directory, e)),
    }
}
