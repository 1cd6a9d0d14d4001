//! Outputs of nodes that are no part of the graph that is run: their paths are theirs all the same.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::{Deserialize, Serialize};

use super::relative::{parents, trimmed};

/// Paths, sorted, one behind the other: many, of which few are ever looked for.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Paths {
    text: Vec<u8>,
    ends: Vec<u32>,
    owners: Vec<u32>,
}

impl Paths {
    /// Of outputs and their numbers; nothing where they are too long to be counted.
    pub fn new(mut all: Vec<(&[u8], u32)>) -> Option<Paths> {
        all.sort_unstable();
        let mut paths = Paths::default();
        for (path, owner) in all {
            paths.text.extend_from_slice(path);
            paths.ends.push(u32::try_from(paths.text.len()).ok()?);
            paths.owners.push(owner);
        }
        Some(paths)
    }

    fn get(&self, at: usize) -> &[u8] {
        let begin = at.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.text[begin as usize..self.ends[at] as usize]
    }

    /// Where the first path is that does not come before this one.
    fn place(&self, path: &[u8]) -> usize {
        let (mut low, mut high) = (0, self.ends.len());
        while low < high {
            let middle = low.midpoint(high);
            if self.get(middle) < path {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    fn owner(&self, path: &[u8]) -> Option<u32> {
        let at = self.place(path);
        (at < self.ends.len() && self.get(at) == path).then(|| self.owners[at])
    }

    /// Whether they can be gone through: they were read from a file.
    pub fn are_sound(&self) -> bool {
        self.ends.len() == self.owners.len()
            && self.ends.is_sorted()
            && self
                .ends
                .last()
                .is_none_or(|last| *last as usize <= self.text.len())
    }
}

/// An output by its number, and what it and its producer are called.
type Names = Box<dyn Fn(u32) -> (String, String) + Send + Sync>;

/// See the module.
pub struct Elsewhere {
    paths: Paths,
    names: Names,
    asked: AtomicBool,
}

impl Elsewhere {
    /// Of outputs that are called so.
    pub fn new(paths: Paths, names: Names) -> Elsewhere {
        Elsewhere {
            paths,
            names,
            asked: AtomicBool::new(false),
        }
    }

    /// The output that a path is or lies in.
    pub fn output(&self, path: &[u8]) -> Option<u32> {
        let path = trimmed(path);
        let all = std::iter::once(path).chain(parents(path));
        all.into_iter().find_map(|path| self.paths.owner(path))
    }

    /// Whether an output lies somewhere below a path.
    pub fn is_above(&self, path: &[u8]) -> bool {
        let inside = [trimmed(path), b"/"].concat();
        let at = self.paths.place(&inside);
        at < self.paths.ends.len() && self.paths.get(at).starts_with(&inside)
    }

    /// What an output and its producer are called.
    pub fn names(&self, output: u32) -> (String, String) {
        (self.names)(output)
    }

    /// Somebody had to know what an output holds.
    pub fn ask(&self) {
        self.asked.store(true, Ordering::Relaxed);
    }

    /// Whether somebody had to.
    pub fn was_asked(&self) -> bool {
        self.asked.load(Ordering::Relaxed)
    }
}

impl fmt::Debug for Elsewhere {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Elsewhere")
            .field("paths", &self.paths.ends.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn elsewhere(paths: &[&str]) -> Elsewhere {
        let numbered = paths.iter().map(|path| path.as_bytes()).zip(0..);
        let paths = Paths::new(numbered.collect()).expect("they are short");
        assert!(paths.are_sound());
        Elsewhere::new(
            paths,
            Box::new(|output| (output.to_string(), String::new())),
        )
    }

    #[test]
    fn a_path_is_an_output_or_lies_in_one() {
        let all = elsewhere(&["b/out", "a", "b-c", "b/out-2/x"]);
        for (path, owner) in [
            ("a", Some(1)),
            ("a/", Some(1)),
            ("a/x/y", Some(1)),
            ("ab", None),
            ("b", None),
            ("b/out", Some(0)),
            ("b/out/z", Some(0)),
            ("b/out-2", None),
            ("b/out-2/x", Some(3)),
            ("b-c", Some(2)),
            ("", None),
        ] {
            assert_eq!(all.output(path.as_bytes()), owner, "{path}");
        }
    }

    #[test]
    fn a_directory_is_above_what_lies_below_it() {
        let all = elsewhere(&["b/out", "a", "b-c/d", "b/out-2/x"]);
        for (path, above) in [
            ("b", true),
            ("b/", true),
            ("b-c", true),
            ("b/out-2", true),
            ("b/out", false),
            ("a", false),
            ("c", false),
        ] {
            assert_eq!(all.is_above(path.as_bytes()), above, "{path}");
        }
        assert!(!elsewhere(&[]).is_above(b"a"));
    }
}
