//! A store looked at without being opened: whether it still is what it was, and its traces.
//!
//! Records and small blobs lie in packs, which only ever grow or go: whatever is recorded, forgotten, merged
//! or collected changes the list of packs or one of their lengths. So what was found in a store holds as long
//! as that list with every pack's stat does. Nothing is indexed or read here.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::layout::Layout;
use super::lock::Lease;
use super::trace::{self, Frames, TraceWriter};
use super::{LocalStore, layout};
use crate::digest::{Hasher, context};
use crate::error::{At, IoAt, ReadError, WriteError};
use crate::index::StatId;

/// A store that nobody collects while this lives.
#[derive(Debug)]
pub struct Glance {
    layout: Layout,
    _lease: Lease,
}

impl Glance {
    /// Looks at the store in a directory; `None` where there is none, it is not writable, or somebody removes
    /// from it just now.
    pub fn at(path: &Path) -> Option<Glance> {
        let layout = Layout::new(path);
        let lease = layout
            .lease()
            .is_file()
            .then(|| Lease::open(&layout.lease(), false).ok())??;
        lease.try_share().ok()?.then_some(Glance {
            layout,
            _lease: lease,
        })
    }

    /// See [`LocalStore::state`].
    ///
    /// # Errors
    /// The disk did not answer.
    pub fn state(&self) -> Result<[u8; 32], IoAt> {
        state(&self.layout)
    }

    /// See [`LocalStore::trace_id`].
    pub fn trace_id(&self, id: &str) -> Option<StatId> {
        trace::stat(&self.layout, id)
    }

    /// See [`LocalStore::create_trace`].
    ///
    /// # Errors
    /// There is one, or the disk refused.
    pub fn create_trace(&self, id: &str) -> Result<TraceWriter, WriteError> {
        TraceWriter::create(&self.layout, id)
    }

    /// See [`LocalStore::read_trace`].
    ///
    /// # Errors
    /// The disk did not answer.
    pub fn read_trace(&self, id: &str) -> Result<Option<Frames>, ReadError> {
        trace::read(&self.layout, id)
    }
}

impl LocalStore {
    /// A digest of everything that a lookup of records can rest on: FORMAT, and name and stat of each pack. It
    /// differs whenever something was recorded, forgotten, merged, collected or damaged. Loose blobs do not
    /// count: whether bytes are there is not a matter of records.
    ///
    /// # Errors
    /// The disk did not answer.
    pub fn state(&self) -> Result<[u8; 32], IoAt> {
        state(&self.layout)
    }

    /// The stat of a run's trace, if it is there.
    pub fn trace_id(&self, id: &str) -> Option<StatId> {
        trace::stat(&self.layout, id)
    }
}

fn state(layout: &layout::Layout) -> Result<[u8; 32], IoAt> {
    let directory = layout.packs();
    let mut packs = Vec::new();
    for entry in fs::read_dir(&directory).at("list", &directory)? {
        let entry = entry.at("list", &directory)?;
        let name = entry.file_name();
        if name.as_bytes().ends_with(b".pack") {
            packs.push((
                name,
                StatId::of(&entry.metadata().at("stat", &entry.path())?),
            ));
        }
    }
    packs.sort_unstable_by(|a, b| a.0.cmp(&b.0));
    let mut hasher = Hasher::context(context::STORE);
    let format = layout.format();
    add(
        &mut hasher,
        b"",
        &StatId::of(&fs::metadata(&format).at("stat", &format)?),
    );
    for (name, id) in &packs {
        add(&mut hasher, name.as_bytes(), id);
    }
    Ok(hasher.finish())
}

fn add(hasher: &mut Hasher, name: &[u8], id: &StatId) {
    hasher.update(&(name.len() as u64).to_le_bytes());
    hasher.update(name);
    for number in [id.size, id.inode, id.device] {
        hasher.update(&number.to_le_bytes());
    }
    for time in [id.mtime_ns, id.ctime_ns] {
        hasher.update(&time.to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::ActionKey;
    use crate::local::Mode;

    #[test]
    fn every_record_and_every_loss_changes_the_state() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("store");
        let store = LocalStore::open(&path, Mode::ReadWrite).unwrap();
        let mut seen = vec![store.state().unwrap()];
        for number in 0..3 {
            store.forget(&ActionKey::from_bytes([number; 32])).unwrap();
            seen.push(store.state().unwrap());
        }
        drop(store);
        let glance = Glance::at(&path).unwrap();
        assert_eq!(glance.state().unwrap(), seen[3]);
        let pack = fs::read_dir(path.join("packs"))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .find(|path| path.extension().is_some_and(|it| it == "pack"))
            .unwrap();
        let bytes = fs::read(&pack).unwrap();
        fs::remove_file(&pack).unwrap();
        seen.push(glance.state().unwrap());
        fs::write(&pack, bytes).unwrap();
        seen.push(glance.state().unwrap());
        // Without a pack it is what it was when it was new, and rightly so.
        assert!(seen.windows(2).all(|two| two[0] != two[1]), "{seen:?}");
        assert_ne!(seen[5], seen[3], "the same bytes, written again");
    }

    #[test]
    fn nobody_glances_while_somebody_collects() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("store");
        assert!(Glance::at(&path).is_none());
        drop(LocalStore::open(&path, Mode::ReadWrite).unwrap());
        let lease = Lease::open(&Layout::new(&path).lease(), false).unwrap();
        assert!(lease.exclude(&|| true).unwrap());
        assert!(Glance::at(&path).is_none());
        drop(lease);
        assert!(Glance::at(&path).is_some());
    }
}
