//! Python's packages: which distribution a file belongs to, and in which version it is there now.
//!
//! An environment is named by its interpreter (see `programs`), so that a laptop and a CI machine speak of the
//! same one. A distribution counts by name, version and its RECORD without what depends on where and by
//! whom it was installed. Sources: PEP 376 and 427 (RECORD), PEP 405 (pyvenv.cfg), PEP 503 (names).

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use jalon_store::action::{Access, PathEntry, Place, Seen};
use jalon_store::index::StatCache;
use rustc_hash::FxHashMap;

use super::programs::Programs;
use crate::witness;
use crate::workspace::Workspace;
use crate::workspace::see::digest_of;

/// Stands for the list of all distributions.
pub(super) const ALL: &str = "*";
/// Stands for the names of the files that tell an interpreter what to start with.
pub(super) const PTH: &str = "*.pth";

/// Where a package directory ends in a path below one: `…/site-packages` of `…/site-packages/a/b.py`.
pub fn split(path: &Path) -> Option<(PathBuf, PathBuf)> {
    let mut site = PathBuf::new();
    let mut parts = path.components();
    while let Some(part) = parts.next() {
        site.push(part);
        if matches!(
            part.as_os_str().as_bytes(),
            b"site-packages" | b"dist-packages"
        ) {
            return Some((site, parts.as_path().to_owned()));
        }
    }
    None
}

/// The directory that belongs to an interpreter: that of its virtual environment, or where it is installed.
pub fn home(cache: &dyn StatCache, interpreter: &Path) -> Option<PathBuf> {
    let mut place = interpreter.to_owned();
    // A virtual environment is told beside the link, not beside what it leads to.
    for _ in 0..16 {
        let above = place.parent()?.parent()?;
        if witness::metadata(cache, &above.join("pyvenv.cfg")).is_ok_and(|found| found.is_file()) {
            return Some(above.to_owned());
        }
        let Some(target) = witness::link(cache, &place) else {
            break;
        };
        place = place.parent()?.join(target);
    }
    Some(
        interpreter
            .canonicalize()
            .ok()?
            .parent()?
            .parent()?
            .to_owned(),
    )
}

/// The package directories of an environment.
pub(super) fn sites(cache: &dyn StatCache, home: &Path) -> Vec<PathBuf> {
    let mut libraries = vec![home.join("lib"), home.join("lib64"), home.join("local/lib")];
    if home == Path::new("/usr") {
        libraries.push("/usr/local/lib".into());
    }
    let mut sites: Vec<PathBuf> = Vec::new();
    for library in libraries {
        let versions = witness::names(cache, &library).into_iter();
        let mut versions: Vec<PathBuf> = versions
            .filter(|name| name.as_bytes().starts_with(b"python3"))
            .map(|name| library.join(name))
            .collect();
        versions.sort();
        for version in versions {
            for name in ["site-packages", "dist-packages"] {
                let site = version.join(name);
                let known = site.canonicalize().is_ok_and(|real| {
                    sites
                        .iter()
                        .any(|one| one.canonicalize().is_ok_and(|one| one == real))
                });
                let is_there = witness::metadata(cache, &site).is_ok_and(|found| found.is_dir());
                if is_there && !known {
                    sites.push(site);
                }
            }
        }
    }
    sites
}

/// The package directories that a name of [`label`] stands for now.
pub(super) fn places(programs: &Programs<'_>, label: &str) -> Vec<PathBuf> {
    let path = Path::new(label);
    if split(path).is_some() {
        return vec![path.to_owned()];
    }
    let interpreter = programs.find(label.as_bytes());
    interpreter
        .and_then(|place| home(programs.cache(), &place))
        .map(|home| sites(programs.cache(), &home))
        .unwrap_or_default()
}

/// The most portable name of the environment that a package directory belongs to.
pub fn label(programs: &Programs<'_>, root: &Path, site: &Path) -> String {
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let wanted = real(site);
    for name in ["python3", "python"] {
        if places(programs, name)
            .iter()
            .any(|place| real(place) == wanted)
        {
            return name.to_owned();
        }
    }
    // lib/pythonX.Y/site-packages below the environment.
    let environment = site.ancestors().nth(3);
    if let Some(relative) = environment.and_then(|above| above.strip_prefix(root).ok()) {
        return relative.join("bin/python").to_string_lossy().into_owned();
    }
    site.to_string_lossy().into_owned()
}

/// An entry for a distribution.
pub fn entry(label: &str, name: &str) -> PathEntry {
    PathEntry {
        place: Place::Distribution,
        path: format!("{label}:{name}").into_bytes(),
        access: Access::Content,
    }
}

/// An entry for the list of all distributions.
pub fn all(label: &str) -> PathEntry {
    entry(label, ALL)
}

/// An entry for what an interpreter starts with.
pub fn pth(label: &str) -> PathEntry {
    entry(label, PTH)
}

/// An entry for a file that no distribution speaks of, relative to the package directory.
pub fn file(label: &str, path: &[u8]) -> PathEntry {
    PathEntry {
        place: Place::Distribution,
        path: [label.as_bytes(), b":/", path].concat(),
        access: Access::Content,
    }
}

/// An entry for modules that were looked for.
/// `below` is where in the package directory they were looked for.
pub fn modules(label: &str, below: &[u8], names: &[&[u8]]) -> PathEntry {
    PathEntry {
        place: Place::Distribution,
        path: [label.as_bytes(), b":", below, b"\0", &names.join(&0)].concat(),
        access: Access::Module,
    }
}

/// Environments as they are at one moment: each is gone through once, however many entries speak of it.
#[derive(Default)]
pub struct Moment(Mutex<FxHashMap<String, Arc<Environment>>>);

/// The package directories of an environment, and name, version and metadata directory of what is installed there.
struct Environment {
    places: Vec<PathBuf>,
    installed: OnceLock<Vec<(String, String, PathBuf)>>,
}

impl Moment {
    fn environment(&self, programs: &Programs<'_>, label: &str) -> Arc<Environment> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = known.get(label) {
            return known.clone();
        }
        let found = Arc::new(Environment {
            places: places(programs, label),
            installed: OnceLock::new(),
        });
        known.insert(label.to_owned(), found.clone());
        found
    }
}

impl Environment {
    fn installed(&self, cache: &dyn StatCache) -> &[(String, String, PathBuf)] {
        self.installed.get_or_init(|| {
            let places = self.places.iter();
            places
                .flat_map(|place| distributions(cache, place))
                .collect()
        })
    }
}

/// What an entry for a distribution finds at a moment.
pub fn see(
    programs: &Programs<'_>,
    workspace: &Workspace,
    moment: &Moment,
    entry: &PathEntry,
) -> Option<Seen> {
    let text = std::str::from_utf8(&entry.path).ok()?;
    let (label, name) = text.split_once(':')?;
    let environment = moment.environment(programs, label);
    let places = &environment.places;
    let cache = programs.cache();
    if let Some(file) = name.strip_prefix('/') {
        let mut found = places.iter().map(|place| place.join(file));
        return match found.find(|place| witness::metadata(cache, place).is_ok()) {
            Some(place) => workspace.see(&place, Access::Content, &|_| false),
            None => Some(Seen::Absent),
        };
    }
    if name == PTH {
        let entries = places.iter().flat_map(|place| witness::names(cache, place));
        let mut names: Vec<String> = entries
            .filter_map(|name| name.into_string().ok())
            .filter(|name| name.ends_with(".pth"))
            .collect();
        names.sort();
        return Some(Seen::Version(names.join(", ")));
    }
    if entry.access == Access::Module {
        let mut found = String::new();
        let (below, names) = name.split_once('\0')?;
        for place in places {
            let place = match below {
                "" => place.clone(),
                below => place.join(below),
            };
            let path = [place.as_os_str().as_bytes(), b"\0", names.as_bytes()].concat();
            let seen = workspace.see(
                Path::new(OsStr::from_bytes(&path)),
                Access::Module,
                &|name| name.as_bytes().ends_with(b".dist-info") || name == "__pycache__",
            )?;
            found.push_str(&digest_of(&seen).map_or_else(String::new, hex));
        }
        return Some(Seen::Version(found));
    }
    let installed = environment.installed(cache);
    if name == ALL {
        let mut list: Vec<_> = installed.iter().collect();
        list.sort();
        let list: Vec<String> = list
            .iter()
            .map(|(name, version, _)| format!("{name} {version}"))
            .collect();
        return Some(Seen::Version(list.join(", ")));
    }
    match installed.iter().find(|(one, _, _)| one == name) {
        None => Some(Seen::Absent),
        Some((name, version, place)) => {
            let record = record(programs, place)?;
            Some(Seen::Version(format!("{name} {version} {record}")))
        }
    }
}

fn hex(digest: [u8; 32]) -> String {
    jalon_store::digest::BlobDigest::from_bytes(digest).to_string()
}

/// Name, version and metadata directory of everything in a package directory.
pub(super) fn distributions(cache: &dyn StatCache, site: &Path) -> Vec<(String, String, PathBuf)> {
    let entries = witness::names(cache, site).into_iter();
    let mut found: Vec<_> = entries
        .filter_map(|entry| {
            let place = site.join(&entry);
            let name = entry.into_string().ok()?;
            let stem = name
                .strip_suffix(".dist-info")
                .or_else(|| name.strip_suffix(".egg-info"))?;
            let (name, version) = stem.split_once('-').unwrap_or((stem, ""));
            Some((normal(name), version.to_owned(), place))
        })
        .collect();
    found.sort();
    found
}

/// A distribution's name as PEP 503 compares it.
pub(super) fn normal(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for part in name.split(['-', '_', '.']).filter(|part| !part.is_empty()) {
        if !out.is_empty() {
            out.push('-');
        }
        out.push_str(&part.to_ascii_lowercase());
    }
    out
}

/// A digest of what a distribution installed, where and by whom aside.
fn record(programs: &Programs<'_>, metadata: &Path) -> Option<String> {
    let mut file = metadata.to_owned();
    for name in ["RECORD", "PKG-INFO", ""] {
        file = metadata.join(name);
        if witness::metadata(programs.cache(), &file).is_ok_and(|found| found.is_file()) {
            break;
        }
    }
    programs.filtered(&file, "record", |bytes| {
        let lines = bytes.split(|&byte| byte == b'\n');
        let mut lines: Vec<&[u8]> = lines.filter(|line| counts(line)).collect();
        lines.sort_unstable();
        lines.join(&b'\n')
    })
}

/// Whether a line of RECORD says what was installed, not where, by whom or what was compiled since.
fn counts(line: &[u8]) -> bool {
    let path = line.split(|&byte| byte == b',').next().unwrap_or_default();
    let ends = |end: &[u8]| path.ends_with(end);
    !(path.starts_with(b"../")
        || path.starts_with(b"/")
        || ends(b".pyc")
        || ends(b".dist-info/RECORD")
        || ends(b".dist-info/INSTALLER")
        || ends(b".dist-info/REQUESTED")
        || ends(b".dist-info/direct_url.json"))
}

/// By the first part of a path in a package directory: distributions.
pub type Owners = FxHashMap<Vec<u8>, Vec<String>>;

/// For each first part of a path in a package directory, the distributions that put something there.
pub fn owners(programs: &Programs<'_>, site: &Path) -> Owners {
    let mut owners = Owners::default();
    for (name, _, place) in distributions(programs.cache(), site) {
        let own = place
            .file_name()
            .map(|name| name.as_bytes().to_vec())
            .unwrap_or_default();
        owners.entry(own).or_default().push(name.clone());
        // Long lists of files, of which hardly more is wanted than one name.
        let listed = ["RECORD", "top_level.txt"].iter().find_map(|list| {
            let firsts = programs.derived(&place.join(list), "first parts", first_parts)?;
            (!firsts.is_empty()).then_some(firsts)
        });
        for first in listed.unwrap_or_default().split(|&byte| byte == b'\n') {
            let names = owners.entry(first.to_vec()).or_default();
            if !first.is_empty() && !names.contains(&name) {
                names.push(name.clone());
            }
        }
    }
    owners
}

/// The first parts of the paths in a list of files, each once, divided by line breaks.
fn first_parts(list: &[u8]) -> Vec<u8> {
    let lines = list.split(|&byte| byte == b'\n');
    let firsts = lines.filter_map(|line| {
        let path = line.split(|&byte| byte == b',').next()?;
        let first = path.split(|&byte| byte == b'/').next()?.trim_ascii();
        (!first.is_empty() && first != b"..").then_some(first)
    });
    let firsts: std::collections::BTreeSet<&[u8]> = firsts.collect();
    firsts.into_iter().collect::<Vec<_>>().join(&b'\n')
}
