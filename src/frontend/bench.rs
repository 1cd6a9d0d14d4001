//! What reading needs where a project has to be executed to be read: the machine, the store, the stat cache.
//!
//! Each is opened when it is first asked for, and once: whoever works with the project afterwards takes the same.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use jalon_store::error::OpenError;
use jalon_store::index::{self, Primed, StatCache};
use jalon_store::{LocalStore, Mode};

use crate::project::Machine;

/// See the module.
pub struct Bench {
    /// What jalon was started with.
    pub machine: Machine,
    /// The store that is named over all definitions.
    pub named: Option<OsString>,
    /// Whether a store may be made.
    pub write: bool,
    store: OnceLock<Arc<LocalStore>>,
    cache: OnceLock<(Arc<dyn StatCache>, Option<String>)>,
}

impl Bench {
    /// Nothing is opened yet.
    pub fn new(machine: Machine, named: Option<OsString>, write: bool) -> Bench {
        Bench {
            machine,
            named,
            write,
            store: OnceLock::new(),
            cache: OnceLock::new(),
        }
    }

    /// Where the store is: as named, else as the definition says, else in the project.
    pub fn store_path(&self, root: &Path, defined: Option<PathBuf>) -> PathBuf {
        let named = self.named.clone().map(PathBuf::from);
        let path = named.or(defined);
        path.map_or_else(
            || root.join(crate::workspace::PRIVATE_DIRECTORY).join("store"),
            |path| root.join(path),
        )
    }

    /// The store at a path.
    ///
    /// # Errors
    /// It cannot be opened.
    pub fn store(&self, path: &Path) -> Result<Arc<LocalStore>, OpenError> {
        if let Some(store) = self.store.get() {
            return Ok(store.clone());
        }
        // Looking must not leave a store behind.
        let mode = if self.write || path.exists() {
            Mode::Auto
        } else {
            Mode::ReadOnly
        };
        let store = Arc::new(LocalStore::open(path, mode)?);
        Ok(self.store.get_or_init(|| store).clone())
    }

    /// What is remembered of a project's files, and why it is not all that could be.
    pub fn cache(&self, private: &Path, root: &Path) -> (Arc<dyn StatCache>, Option<String>) {
        let opened = self.cache.get_or_init(|| {
            let (index, base, write) = (private.join("index"), root.to_owned(), self.write);
            // To open a database takes longer than a short first run hashes.
            if write && !index.exists() && std::fs::create_dir_all(private).is_ok() {
                let open = move || index::open(&index, &base, write).0;
                return (Arc::new(Primed::first(private, open)), None);
            }
            index::open(&index, &base, write)
        });
        opened.clone()
    }
}
