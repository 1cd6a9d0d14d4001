//! By what a program counts: a language's runtime by its version and ABI, any other by its bytes.
//!
//! A program's name is portable where it can be: as it is found on the search path, else relative to the
//! project, else absolute. What a runtime says of itself is asked once a binary and kept beside the stat
//! cache, so that a run with nothing to do starts none.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};

use jalon_store::LocalStore;
use jalon_store::digest::BlobDigest;
use jalon_store::index::{StatCache, StatId, now_ns};
use rustc_hash::FxHashMap;

use crate::witness;

/// How runtimes are told, and how they tell their version: start of the file's name, arguments.
const RUNTIMES: [(&str, &[&str]); 10] = [
    ("python", PYTHON),
    ("pypy", PYTHON),
    ("node", &["--version"]),
    ("ruby", &["--version"]),
    ("perl", &["-e", "print $^V"]),
    ("julia", &["--version"]),
    ("java", &["-version"]),
    ("lua", &["-v"]),
    ("Rscript", &["--version"]),
    ("R", &["--version"]),
];

const PYTHON: &[&str] = &[
    "-I",
    "-S",
    "-c",
    "import sys; i = sys.implementation; \
     print(i.name, '.'.join(map(str, sys.version_info[:3])), i.cache_tag, getattr(i, '_multiarch', ''))",
];

/// Where programs are looked for without a PATH.
const PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// Finds programs and what they count by.
pub struct Programs<'a> {
    root: PathBuf,
    path: OsString,
    store: &'a LocalStore,
    cache: &'a dyn StatCache,
    known: Mutex<FxHashMap<Vec<u8>, Option<String>>>,
}

impl<'a> Programs<'a> {
    /// Of a project and the search path that its nodes have.
    pub fn new(
        root: &Path,
        path: Option<&OsStr>,
        store: &'a LocalStore,
        cache: &'a dyn StatCache,
    ) -> Programs<'a> {
        let (root, path) = (root.to_owned(), path.unwrap_or(OsStr::new(PATH)).to_owned());
        let known = Mutex::default();
        Programs {
            root,
            path,
            store,
            cache,
            known,
        }
    }

    /// What the program of this name counts by; `None` where there is none.
    pub fn version(&self, name: &[u8]) -> Option<String> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(version) = known.get(name) {
            return version.clone();
        }
        let version = self.find(name).and_then(|place| self.counted(&place));
        known.insert(name.to_vec(), version.clone());
        version
    }

    fn counted(&self, place: &Path) -> Option<String> {
        let real = place.canonicalize().ok()?;
        if let Some(arguments) = runtime(&real) {
            return self.told(&real, arguments);
        }
        match self.store.digest_path(&real, self.cache).ok()?? {
            jalon_store::content::Content::File { digest, .. } => Some(format!("content {digest}")),
            jalon_store::content::Content::Tree { .. } => None,
        }
    }

    /// The digest of what is left of a file's bytes, from the last time where nothing changed since. `what`
    /// names the filter.
    pub fn filtered(
        &self,
        file: &Path,
        what: &str,
        filter: impl Fn(&[u8]) -> Vec<u8>,
    ) -> Option<String> {
        let id = StatId::of(&witness::metadata(self.cache, file).ok()?);
        let key = beside(file, what);
        if let Some(digest) = self.cache.get(&key, &id) {
            return Some(digest.to_string());
        }
        let began = now_ns();
        let digest = BlobDigest::of(&filter(&std::fs::read(file).ok()?));
        self.cache.put(&key, id, digest, began);
        Some(digest.to_string())
    }

    /// Something small that follows from a file's bytes, from the last time where nothing changed since. `what` names it.
    pub fn derived(
        &self,
        file: &Path,
        what: &str,
        derive: impl FnOnce(&[u8]) -> Vec<u8>,
    ) -> Option<Vec<u8>> {
        let id = StatId::of(&witness::metadata(self.cache, file).ok()?);
        let key = beside(file, what);
        let kept = self.cache.get(&key, &id);
        if let Some(kept) = kept.and_then(|digest| self.store.read_blob(&digest).ok()?) {
            return Some(kept);
        }
        let began = now_ns();
        let derived = derive(&std::fs::read(file).ok()?);
        // On a store that takes nothing it is derived every time.
        if let Ok(digest) = self.store.put_bytes(&derived) {
            self.cache.put(&key, id, digest, began);
        }
        Some(derived)
    }

    /// What a runtime says, from the last time where nothing changed since.
    fn told(&self, real: &Path, arguments: &[&str]) -> Option<String> {
        let id = StatId::of(&witness::metadata(self.cache, real).ok()?);
        let key = beside(real, "version");
        let kept = self
            .cache
            .get(&key, &id)
            .and_then(|digest| self.store.read_blob(&digest).ok()?);
        if let Some(text) = kept.and_then(|bytes| String::from_utf8(bytes).ok()) {
            return Some(text);
        }
        let began = now_ns();
        let text = ask(real, arguments)?;
        // On a store that takes nothing it is asked every time.
        if let Ok(digest) = self.store.put_bytes(text.as_bytes()) {
            self.cache.put(&key, id, digest, began);
        }
        Some(text)
    }

    /// What is told of every look.
    pub fn cache(&self) -> &'a dyn StatCache {
        self.cache
    }

    /// Whether there is a program, and where a link to one leads: its name is part of what it is.
    fn is_program(&self, place: &Path) -> bool {
        let is = witness::is_program(self.cache, place);
        if is {
            witness::link(self.cache, place);
        }
        is
    }

    /// Where the program of this name lies.
    pub fn find(&self, name: &[u8]) -> Option<PathBuf> {
        let name = Path::new(OsStr::from_bytes(name));
        if name.components().count() > 1 || name.is_absolute() {
            return Some(self.root.join(name)).filter(|place| self.is_program(place));
        }
        for directory in self.path.as_bytes().split(|&byte| byte == b':') {
            let directory = self.root.join(OsStr::from_bytes(directory));
            let place = directory.join(name);
            if !self.is_program(&place) {
                continue;
            }
            match self.shimmed(&directory, name) {
                Shim::None => return Some(place),
                Shim::Leads(real) => return Some(real),
                Shim::Away => {}
            }
        }
        None
    }

    /// pyenv's stand-ins: scripts that execute the version that files name, as pyenv decides it.
    fn shimmed(&self, directory: &Path, name: &Path) -> Shim {
        let (Some(manager), true) = (directory.parent(), directory.ends_with("shims")) else {
            return Shim::None;
        };
        let versions = manager.join("versions");
        if !witness::is_directory(self.cache, &versions) {
            return Shim::None;
        }
        let local = self
            .root
            .ancestors()
            .map(|directory| directory.join(".python-version"));
        let named = local
            .chain([manager.join("version")])
            .find_map(|file| witness::text(self.cache, &file));
        let Some(version) = named
            .as_deref()
            .and_then(|text| text.split_whitespace().next())
        else {
            return Shim::Away;
        };
        let place = versions.join(version).join("bin").join(name);
        if self.is_program(&place) {
            Shim::Leads(place)
        } else {
            Shim::Away
        }
    }

    /// The directories that version managers keep to themselves: what is read there decides which program
    /// is executed, and that is known.
    pub fn managers(&self) -> Vec<PathBuf> {
        let directories = self.path.as_bytes().split(|&byte| byte == b':');
        directories
            .map(|directory| Path::new(OsStr::from_bytes(directory)))
            .filter(|directory| directory.ends_with("shims"))
            .filter_map(|directory| directory.parent().map(Path::to_owned))
            .filter(|manager| manager.join("versions").is_dir())
            .collect()
    }

    /// Where programs on the search path are installed with what belongs to them: the directories above
    /// their `bin`, and above where links from there lead.
    pub fn installed(&self) -> Vec<PathBuf> {
        let mut places = self.managers();
        for directory in self.path.as_bytes().split(|&byte| byte == b':') {
            let directory = self.root.join(OsStr::from_bytes(directory));
            places.extend(
                directory
                    .parent()
                    .filter(|_| directory.ends_with("bin"))
                    .map(Path::to_owned),
            );
        }
        for name in ["python3", "python"] {
            let real = self
                .find(name.as_bytes())
                .and_then(|place| place.canonicalize().ok());
            places.extend(real.and_then(|real| Some(real.parent()?.parent()?.to_owned())));
        }
        places.retain(|place| place.parent().is_some() && !self.root.starts_with(place));
        places
    }

    /// The most portable name of a program that was executed.
    pub fn name(&self, place: &Path) -> Vec<u8> {
        let real = place.canonicalize().ok();
        let bare = place.file_name().map(OsStr::as_bytes).unwrap_or_default();
        let generic = runtime(place).is_some().then_some(b"python3".as_slice());
        for name in [Some(bare), generic].into_iter().flatten() {
            let found = self.find(name).and_then(|found| found.canonicalize().ok());
            if found.is_some() && found == real {
                return name.to_vec();
            }
        }
        match place.strip_prefix(&self.root) {
            // A bare name would be looked for on the search path.
            Ok(relative) => Path::new(".").join(relative).into_os_string().into_vec(),
            Err(_) => place.as_os_str().as_bytes().to_vec(),
        }
    }
}

/// A key of the stat cache for something that follows from a file: no path has a zero byte.
fn beside(file: &Path, what: &str) -> PathBuf {
    OsString::from_vec([file.as_os_str().as_bytes(), b"\0", what.as_bytes()].concat()).into()
}

enum Shim {
    /// It is no stand-in.
    None,
    /// It stands for this.
    Leads(PathBuf),
    /// It stands for nothing here: the search goes on.
    Away,
}

/// Whether a file is a language's runtime, and how it tells its version.
pub fn runtime(place: &Path) -> Option<&'static [&'static str]> {
    let name = place.file_name()?.to_str()?;
    let (_, arguments) = RUNTIMES.iter().find(|(start, _)| {
        let rest = name.strip_prefix(start);
        rest.is_some_and(|rest| {
            rest.bytes()
                .all(|byte| byte.is_ascii_digit() || byte == b'.')
        })
    })?;
    Some(arguments)
}

fn ask(program: &Path, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program)
        .args(arguments)
        .env_clear()
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .output()
        .ok()
        .filter(|output| output.status.success())?;
    let said = if output.stdout.is_empty() {
        output.stderr
    } else {
        output.stdout
    };
    let first = String::from_utf8_lossy(&said)
        .lines()
        .next()?
        .trim()
        .to_owned();
    (!first.is_empty()).then_some(first)
}
