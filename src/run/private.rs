//! Small files of jalon's own in the project, written by several workers at once.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

/// Makes a file hold these bytes; several may do so at once. `by` makes temporary names different.
///
/// # Errors
/// It cannot be written.
pub fn write_once(directory: &Path, name: &str, bytes: &[u8], by: &str) -> std::io::Result<()> {
    let place = directory.join(name);
    if std::fs::read(&place).is_ok_and(|found| found == bytes) {
        return Ok(());
    }
    std::fs::create_dir_all(directory)?;
    static WRITTEN: AtomicU64 = AtomicU64::new(0);
    let number = WRITTEN.fetch_add(1, Ordering::Relaxed);
    let temporary = directory.join(format!("{by}.{number}.tmp"));
    std::fs::write(&temporary, bytes)?;
    std::fs::rename(&temporary, &place)
}
