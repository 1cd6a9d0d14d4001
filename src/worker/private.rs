//! Small files of jalon's own in the project, written by several workers at once.

use std::ffi::OsStr;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use super::environment::Variables;

/// What rides along in Python.
const OBSERVE: &str = include_str!("../../python/observe.py");

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

/// Lets a Python tell which modules it looks for: `private` is jalon's directory in the project.
///
/// # Errors
/// The file for it cannot be written.
pub fn ride(private: &Path, by: &str, env: &mut Variables) -> std::io::Result<()> {
    let directory = private.join("observe");
    write_once(&directory, "sitecustomize.py", OBSERVE.as_bytes(), by)?;
    let mut places = directory.into_os_string();
    if let Some(own) = env
        .get(OsStr::new("PYTHONPATH"))
        .filter(|own| !own.is_empty())
    {
        places.push(":");
        places.push(own);
    }
    env.insert("PYTHONPATH".into(), places);
    Ok(())
}
