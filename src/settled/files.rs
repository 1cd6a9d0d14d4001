//! What a snapshot knows of the bytes of files, looked up one by one.

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use jalon_store::digest::BlobDigest;
use jalon_store::index::{Sight, StatId};
use rustc_hash::FxHashMap;

use super::check::Touched;
use super::format::{Group, Snapshot, split};

/// By directory, with a NUL at its end: where its witnesses begin and end.
type Places = FxHashMap<Vec<u8>, Vec<(usize, usize)>>;

/// See the module.
pub struct Files {
    root: PathBuf,
    snapshot: Arc<Vec<u8>>,
    /// Those whose stat is another than the snapshot says.
    touched: FxHashMap<Vec<u8>, Sight>,
    /// Of the snapshot's bytes.
    places: OnceLock<Places>,
}

impl Files {
    pub(super) fn new(root: &Path, snapshot: &Arc<Vec<u8>>, touched: &Touched) -> Files {
        Files {
            root: root.to_owned(),
            snapshot: snapshot.clone(),
            touched: touched.now.clone(),
            places: OnceLock::new(),
        }
    }

    /// The stat and the digest of a file; nothing of one that was not looked at.
    pub fn get(&self, path: &Path) -> Option<(StatId, BlobDigest)> {
        if let Some(now) = self.touched.get(path.as_os_str().as_bytes()) {
            return settled(now);
        }
        let (directory, name) = split(&self.root, path);
        let mut places = self.places().get(&directory)?.iter();
        places.find_map(|&(begin, end)| {
            let witnesses = Group::bare(self.snapshot.get(begin..end)?).witnesses();
            let mut here = witnesses.flatten();
            here.find_map(|witness| {
                let is_it = witness.name.to_bytes_with_nul() == name;
                is_it.then(|| settled(&witness.sight))?
            })
        })
    }

    fn places(&self) -> &Places {
        self.places.get_or_init(|| {
            let mut places = Places::default();
            let base = self.snapshot.as_ptr() as usize;
            let snapshot = Snapshot::again(&self.snapshot);
            for group in snapshot.iter().flat_map(|snapshot| &snapshot.groups) {
                let begin = group.witnesses.as_ptr() as usize - base;
                let directory = group.directory.to_bytes_with_nul().to_vec();
                let there = places.entry(directory).or_default();
                there.push((begin, begin + group.witnesses.len()));
            }
            places
        })
    }
}

fn settled(sight: &Sight) -> Option<(StatId, BlobDigest)> {
    match sight {
        Sight::File {
            id,
            digest,
            settled: true,
            ..
        } => Some((*id, *digest)),
        _ => None,
    }
}
