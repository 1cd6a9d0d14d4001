//! What nodes that ran again gave, beside what was kept: output by output, down to the place that differs.
//!
//! Reads both from the store; an outcome that came out the same is confirmed there. Knows nothing of how
//! nodes are executed or of screens.

use std::fs::File;
use std::io::{self, Cursor};
use std::path::{Path, PathBuf};

use jalon_conf::pipeline::ArtifactId;
use jalon_store::action::PathSet;
use jalon_store::content::Content;
use jalon_store::digest::{BlobDigest, TreeDigest};
use jalon_store::error::ReadError;
use jalon_store::outcome::ActionRecord;
use jalon_store::tree::Entry;
use jalon_store::{LinkMode, LocalStore};

use crate::compare::{Bytes, Difference, WHOLE, compare};
use crate::graph::Graph;
use crate::run::Repeated;

/// An output beside what it was.
#[derive(Debug, Clone)]
pub struct Compared {
    /// Which.
    pub artifact: ArtifactId,
    /// What was kept.
    pub old: Content,
    /// What came out now.
    pub new: Content,
    /// Where they differ.
    pub verdict: Verdict,
}

/// What comparing an output came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Byte for byte the same.
    Same,
    /// The first difference.
    Differs(Difference),
    /// Their digests differ, but the bytes of one are no longer kept (or, ephemeral, never were).
    Gone,
}

/// Compares contents of a store.
pub struct Comparer<'a> {
    /// The store.
    pub store: &'a LocalStore,
    /// Where bytes that are too many for memory are laid out for the time being.
    pub scratch: PathBuf,
}

impl Comparer<'_> {
    /// All outputs of a node, in declared order.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn outputs(&self, graph: &Graph, repeated: &Repeated) -> Result<Vec<Compared>, ReadError> {
        let Some(earlier) = &repeated.earlier else {
            return Ok(Vec::new());
        };
        let pairs = graph
            .makes(repeated.node)
            .zip(earlier.outcome.outputs.iter().zip(&repeated.outputs));
        let each = pairs.map(|(artifact, (old, new))| {
            let (old, new) = (old.content, new.content);
            let verdict = self.content(&old, &new)?;
            Ok(Compared {
                artifact,
                old,
                new,
                verdict,
            })
        });
        each.collect()
    }

    fn content(&self, old: &Content, new: &Content) -> Result<Verdict, ReadError> {
        if old == new {
            return Ok(Verdict::Same);
        }
        let found = match (old, new) {
            (
                Content::File {
                    digest: a,
                    size: n,
                    executable: x,
                },
                Content::File {
                    digest: b,
                    size: m,
                    executable: y,
                },
            ) => self.file((a, *n, *x), (b, *m, *y))?,
            (Content::Tree { digest: a, .. }, Content::Tree { digest: b, .. }) => {
                self.tree(a, b, &mut Vec::new())?
            }
            (Content::File { .. }, Content::Tree { .. }) => {
                Some(plain("its type", "a file", "a directory"))
            }
            (Content::Tree { .. }, Content::File { .. }) => {
                Some(plain("its type", "a directory", "a file"))
            }
        };
        Ok(found.map_or(Verdict::Gone, Verdict::Differs))
    }

    /// Nothing where the bytes of one are gone.
    fn file(
        &self,
        old: (&BlobDigest, u64, bool),
        new: (&BlobDigest, u64, bool),
    ) -> Result<Option<Difference>, ReadError> {
        if old.0 == new.0 {
            let word = |executable| if executable { "yes" } else { "no" };
            return Ok(Some(plain("executable", word(old.2), word(new.2))));
        }
        let (Some(mut a), Some(mut b)) = (self.open(old.0, old.1)?, self.open(new.0, new.1)?)
        else {
            return Ok(None);
        };
        // Bytes that cannot be read any more are as good as gone.
        Ok(compare(&mut *a, &mut *b).ok().flatten())
    }

    /// The first member that differs, in the order of names.
    fn tree(
        &self,
        old: &TreeDigest,
        new: &TreeDigest,
        above: &mut Vec<String>,
    ) -> Result<Option<Difference>, ReadError> {
        let (Some(a), Some(b)) = (self.store.read_tree(old)?, self.store.read_tree(new)?) else {
            return Ok(None);
        };
        let mut names: Vec<&Vec<u8>> = a
            .entries()
            .iter()
            .chain(b.entries())
            .map(|(n, _)| n)
            .collect();
        names.sort();
        names.dedup();
        for name in names {
            let (one, another) = (a.get(name), b.get(name));
            if one == another {
                continue;
            }
            above.push(String::from_utf8_lossy(name).into_owned());
            let path = above.join("/");
            let found = match (one, another) {
                (
                    Some(Entry::Directory { digest: a, .. }),
                    Some(Entry::Directory { digest: b, .. }),
                ) => {
                    return self.tree(a, b, above);
                }
                (Some(one), Some(another)) => self.entry(one, another)?,
                (Some(_), None) => Some(plain("this member", "there", "gone")),
                (None, _) => Some(plain("this member", "nothing", "new")),
            };
            return Ok(found.map(|mut found| {
                found.within.insert(0, path);
                found
            }));
        }
        Ok(None)
    }

    fn entry(&self, old: &Entry, new: &Entry) -> Result<Option<Difference>, ReadError> {
        let kind = |entry: &Entry| match entry {
            Entry::File { .. } => "a file",
            Entry::Directory { .. } => "a directory",
            Entry::Symlink { .. } => "a link",
        };
        match (old, new) {
            (
                Entry::File {
                    digest: a,
                    size: n,
                    executable: x,
                },
                Entry::File {
                    digest: b,
                    size: m,
                    executable: y,
                },
            ) => self.file((a, *n, *x), (b, *m, *y)),
            (Entry::Symlink { target: a }, Entry::Symlink { target: b }) => Ok(Some(plain(
                "the link's target",
                &String::from_utf8_lossy(a),
                &String::from_utf8_lossy(b),
            ))),
            _ => Ok(Some(plain("its type", kind(old), kind(new)))),
        }
    }

    fn open(&self, digest: &BlobDigest, size: u64) -> Result<Option<Box<dyn Bytes>>, ReadError> {
        if size <= WHOLE || !self.store.has_blob(digest, size) {
            let bytes = self.store.read_blob(digest)?;
            return Ok(bytes.map(|bytes| Box::new(Cursor::new(bytes)) as Box<dyn Bytes>));
        }
        let content = Content::File {
            digest: *digest,
            size,
            executable: false,
        };
        let place = self.scratch.join(digest.to_string());
        Ok(self
            .lay(&content, &place)
            .ok()
            .map(|file| Box::new(file) as Box<dyn Bytes>))
    }

    /// An open file without a name: it is gone when it is closed.
    fn lay(&self, content: &Content, place: &Path) -> io::Result<File> {
        std::fs::create_dir_all(&self.scratch)?;
        self.store
            .materialise(content, place, LinkMode::Auto)
            .map_err(io::Error::other)?;
        let file = File::open(place);
        std::fs::remove_file(place)?;
        file
    }
}

fn plain(place: &str, old: &str, new: &str) -> Difference {
    Difference {
        format: "bytes",
        within: Vec::new(),
        place: place.to_owned(),
        offset: None,
        old: Some(old.to_owned()),
        new: Some(new.to_owned()),
    }
}

/// Notes in the store that an outcome came out the same once more; how often it did by now. Nothing where the store
/// keeps nothing, or no longer knows what the outcome rests on.
///
/// # Errors
/// The store cannot be read.
pub fn confirm(store: &LocalStore, record: &ActionRecord) -> Result<Option<u32>, ReadError> {
    let Some(explanation) = store.explanation(&record.key)? else {
        return Ok(None);
    };
    let mut record = record.clone();
    record.attestation.confirmed = record.attestation.confirmed.saturating_add(1);
    let entries = explanation.observed.iter();
    let set = PathSet::new(entries.map(|(entry, _)| entry.clone()).collect());
    match store.put_action(&record, &explanation, &set) {
        Ok(()) => Ok(Some(record.attestation.confirmed)),
        // Of a read-only store, or a full disk: the outcome stands all the same.
        Err(_) => Ok(None),
    }
}
