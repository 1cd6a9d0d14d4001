//! A large file's digest, its parts read and hashed by as many threads as there are.
//!
//! A thread that reads a part hashes it while it still lies in that thread's own cache, so the copy that
//! reading makes costs less than the page faults of mapping the file would; and a file that another
//! process cuts short meanwhile is an error here, where with a mapping it would be the end of this one.
//!
//! Knows nothing of what a digest is for.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use blake3::hazmat::{self, ChainingValue, HasherExt, Mode};

/// Bytes of a part: a power of two, so that a part is a subtree of the hash wherever it lies.
const PART: u64 = 256 * 1024;

/// Shorter files are not worth waking others for.
pub(super) const WORTH_IT: u64 = 4 * PART;

/// Bytes of a window, a power of two as well: what is remembered of its parts is forgotten with it.
const WINDOW: u64 = 4096 * PART;

/// BLAKE3 of the first `length` bytes of a file; `length` is more than [`PART`]. Each part is handed on with its
/// offset.
///
/// # Errors
/// Reading failed, or who was handed a part; `UnexpectedEof` where the file is shorter.
pub(super) fn hash(
    file: &File,
    length: u64,
    each: &(impl Fn(&[u8], u64) -> io::Result<()> + Sync),
) -> io::Result<[u8; super::LEN]> {
    let _ = rustix::fs::fadvise(file, 0, None, rustix::fs::Advice::Sequential);
    let (left, right) = if length <= WINDOW {
        halves(&parts(file, 0, length, each)?, PART, length)
    } else {
        let begins = (0..length).step_by(WINDOW as usize);
        let windows = begins.map(|begin| {
            let length = WINDOW.min(length - begin);
            let parts = parts(file, begin, length, each)?;
            Ok(subtree(&parts, PART, length))
        });
        halves(&windows.collect::<io::Result<Vec<_>>>()?, WINDOW, length)
    };
    Ok(*hazmat::merge_subtrees_root(&left, &right, Mode::Hash).as_bytes())
}

/// The values of a window's parts.
fn parts(
    file: &File,
    begin: u64,
    length: u64,
    each: &(impl Fn(&[u8], u64) -> io::Result<()> + Sync),
) -> io::Result<Vec<ChainingValue>> {
    let parts = vec![OnceLock::new(); length.div_ceil(PART) as usize];
    let next = AtomicUsize::new(0);
    let failed = OnceLock::new();
    // In the order in which they lie there, whoever takes them: a disk reads ahead.
    let work = || {
        let mut buffer = vec![0; PART as usize];
        while failed.get().is_none() {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(part) = parts.get(at) else { return };
            let within = at as u64 * PART;
            let bytes = &mut buffer[..PART.min(length - within) as usize];
            let offset = begin + within;
            let read = file.read_exact_at(bytes, offset);
            if let Err(error) = read.and_then(|()| each(bytes, offset)) {
                // The first error is told.
                let _ = failed.set(error);
                return;
            }
            let mut hasher = blake3::Hasher::new();
            hasher.set_input_offset(offset).update(bytes);
            // Nobody else had this part.
            let _ = part.set(hasher.finalize_non_root());
        }
    };
    rayon::scope(|scope| {
        for _ in 1..rayon::current_num_threads().min(parts.len()) {
            scope.spawn(|_| work());
        }
        work();
    });
    match failed.into_inner() {
        Some(error) => Err(error),
        None => Ok(parts.into_iter().flat_map(OnceLock::into_inner).collect()),
    }
}

/// The two subtrees of what is made of pieces of `unit` bytes, the last perhaps shorter, `length` bytes in all.
fn halves(pieces: &[ChainingValue], unit: u64, length: u64) -> (ChainingValue, ChainingValue) {
    let left = hazmat::left_subtree_len(length);
    let (before, after) = pieces.split_at((left / unit) as usize);
    (
        subtree(before, unit, left),
        subtree(after, unit, length - left),
    )
}

fn subtree(pieces: &[ChainingValue], unit: u64, length: u64) -> ChainingValue {
    if let [piece] = pieces {
        return *piece;
    }
    let (left, right) = halves(pieces, unit, length);
    hazmat::merge_subtrees_non_root(&left, &right, Mode::Hash)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::sync::Mutex;

    #[test]
    fn a_file_in_parts_is_its_bytes() {
        for length in [
            PART + 1,
            2 * PART - 1,
            2 * PART,
            2 * PART + 1,
            3 * PART,
            5 * PART + 1024,
            8 * PART,
            11 * PART + 1025,
            16 * PART - 1,
        ] {
            let bytes: Vec<u8> = (0..length).map(|at| (at * 7 / 3) as u8).collect();
            let mut file = tempfile::tempfile().expect("a file");
            file.write_all(&bytes).expect("it is written");
            let handed = Mutex::new(vec![0; bytes.len()]);
            let found = hash(&file, length, &|part, offset| {
                let at = offset as usize;
                handed.lock().expect("nobody panics")[at..at + part.len()].copy_from_slice(part);
                Ok(())
            });
            assert_eq!(
                found.expect("it is read"),
                *blake3::hash(&bytes).as_bytes(),
                "{length}"
            );
            assert!(*handed.lock().expect("nobody panics") == bytes, "{length}");
        }
    }

    #[test]
    fn a_file_of_several_windows_is_its_bytes() {
        // Holes cost nothing but their hashing.
        let length = 2 * WINDOW + PART + 3;
        let file = tempfile::tempfile().expect("a file");
        file.set_len(length).expect("it has a length");
        for (at, byte) in [(0, 1), (WINDOW - 1, 2), (2 * WINDOW, 3), (length - 1, 4)] {
            file.write_all_at(&[byte], at).expect("it is written");
        }
        let mut hasher = blake3::Hasher::new();
        hasher.update_reader(&file).expect("it is read");
        let found = hash(&file, length, &|_, _| Ok(())).expect("it is read");
        assert_eq!(found, *hasher.finalize().as_bytes());
    }

    #[test]
    fn a_file_cut_short_is_an_error() {
        let file = tempfile::tempfile().expect("a file");
        file.set_len(9 * PART).expect("it has a length");
        let found = hash(&file, 9 * PART + 1, &|_, _| Ok(())).expect_err("a byte is missing");
        assert_eq!(found.kind(), io::ErrorKind::UnexpectedEof);
    }

    #[test]
    fn what_fails_on_the_way_is_told() {
        let file = tempfile::tempfile().expect("a file");
        file.set_len(64 * PART).expect("it has a length");
        let found = hash(&file, 64 * PART, &|_, offset| match offset {
            PART => Err(io::ErrorKind::StorageFull.into()),
            _ => Ok(()),
        });
        let error = found.expect_err("it fails");
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    }
}
