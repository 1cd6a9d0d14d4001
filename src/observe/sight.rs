//! What an entry of a path set finds now. The same eyes look after an execution and at every later lookup,
//! so that a key can be found again. Within a run each entry is looked at once.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};

use jalon_conf::pipeline::ArtifactId;
use jalon_remote::Remotes;
use jalon_store::LocalStore;
use jalon_store::action::{Access, PathEntry, PathKind, Place, Seen, listing_digest};
use jalon_store::content::Content;
use jalon_store::digest::{BlobDigest, TreeDigest};
use jalon_store::index::StatCache;
use jalon_store::tree::{Entry, Tree};
use rustc_hash::FxHashMap;

use super::elsewhere::Elsewhere;
use super::programs::Programs;
use super::python;
use super::required::{Installation, required};
use super::rules::Rules;
use super::territory::Territory;
use crate::graph::Graph;
use crate::project::Machine;
use crate::witness;
use crate::worker::environment::Variables;
use crate::workspace::Workspace;
use crate::workspace::glob::Pattern;
use crate::workspace::see::digest_of;

/// What looking at an entry came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// This lies there.
    Seen(Seen),
    /// It lies in another node's output, and what that will be is not known yet.
    Unsettled(ArtifactId),
    /// It cannot be found out, so no key comes of it.
    Blind,
}

/// Looks at entries.
pub struct Sight<'a> {
    /// The project's files.
    pub workspace: &'a Workspace,
    /// The store, for what lies in outputs that are trees.
    pub store: &'a LocalStore,
    /// Where else outputs may lie.
    pub remotes: Option<&'a Remotes>,
    /// Whose a path is.
    pub territory: Territory,
    /// Where things are on this machine.
    pub rules: Rules,
    /// Programs and their versions.
    pub programs: Programs<'a>,
    /// `$VIRTUAL_ENV`: the Python environment that is active.
    pub virtual_env: Option<PathBuf>,
    variables: Variables,
    sites: Mutex<FxHashMap<PathBuf, Arc<Site>>>,
    /// What is installed beside the interpreter of functions.
    installation: OnceLock<Installation>,
    known: RwLock<FxHashMap<PathEntry, Option<Seen>>>,
    moment: python::Moment,
}

/// A package directory.
pub(super) struct Site {
    /// The most portable name of the environment that it belongs to.
    pub label: String,
    /// Whose what is.
    pub owners: python::Owners,
}

/// Looks at files only, where no pipeline is known yet: of listings it takes no digest, so that one that
/// changes meanwhile is not told.
#[derive(Debug, Clone, Copy)]
pub struct Bytes;

impl crate::worker::observed::Look for Bytes {
    fn mark(&self, path: &Path, names: bool) -> Option<[u8; 32]> {
        if names {
            return None;
        }
        let bytes = std::fs::read(path).ok()?;
        Some(*BlobDigest::of(&bytes).as_bytes())
    }
}

impl<'a> Sight<'a> {
    /// The same, with what lies on remotes.
    #[must_use]
    pub fn reaching(self, remotes: Option<&'a Remotes>) -> Sight<'a> {
        Sight { remotes, ..self }
    }

    /// The same, beside outputs of nodes that are no part of the graph.
    #[must_use]
    pub fn beside(self, elsewhere: Option<Arc<Elsewhere>>) -> Sight<'a> {
        let territory = self.territory.beside(elsewhere);
        Sight { territory, ..self }
    }

    /// A tree, from wherever it can be had.
    pub(crate) fn tree(&self, digest: &TreeDigest) -> Option<Tree> {
        let here = self.store.read_tree(digest).ok()?;
        here.or_else(|| self.remotes?.tree(digest))
    }

    /// Eyes that have seen nothing yet.
    pub fn new(
        graph: &Graph,
        machine: &Machine,
        workspace: &'a Workspace,
        store: &'a LocalStore,
    ) -> Sight<'a> {
        let variable = |name: &str| {
            machine
                .variables
                .get(OsStr::new(name))
                .map(OsString::as_os_str)
        };
        let caches = graph.pipeline().caches.iter();
        // The definition's patterns were checked when it was read.
        let caches = caches.filter_map(|pattern| Pattern::new(pattern).ok());
        let rules = Rules::new(
            workspace.root(),
            variable("HOME"),
            variable("TMPDIR"),
            caches.collect(),
        );
        Sight {
            workspace,
            remotes: None,
            store,
            territory: Territory::new(graph),
            programs: Programs::new(&rules.root, variable("PATH"), store, workspace.cache()),
            virtual_env: variable("VIRTUAL_ENV")
                .filter(|place| !place.is_empty())
                .map(|place| rules.root.join(place)),
            rules,
            variables: machine.variables.clone(),
            sites: Mutex::default(),
            installation: OnceLock::new(),
            known: RwLock::default(),
            moment: python::Moment::default(),
        }
    }

    /// What a package directory holds, looked at once a run.
    pub(super) fn site(&self, site: &Path) -> Arc<Site> {
        let mut sites = self.sites.lock().unwrap_or_else(PoisonError::into_inner);
        let known = sites.entry(site.to_owned()).or_insert_with(|| {
            Arc::new(Site {
                label: python::label(&self.programs, &self.rules.root, site),
                owners: python::owners(&self.programs, site),
            })
        });
        known.clone()
    }

    /// By what name an interpreter is the same elsewhere: an environment has it under several names.
    pub fn interpreter_name(&self, place: &Path) -> String {
        let cache = self.programs.cache();
        let home = python::home(cache, place);
        let usual = self.programs.find(b"python3");
        if home.is_some() && usual.and_then(|usual| python::home(cache, &usual)) == home {
            return "python3".to_owned();
        }
        String::from_utf8_lossy(&self.programs.name(place)).into_owned()
    }

    /// Where `loaded` modules were loaded before anybody looked: entries for the distributions of modules, by the first part of their names, and of these names, with all that
    /// they need.
    pub fn required(
        &self,
        interpreter: &Path,
        loaded: &[String],
        modules: &[&str],
        names: &[String],
    ) -> Vec<PathEntry> {
        let (programs, root) = (&self.programs, &self.rules.root);
        let installed = self
            .installation
            .get_or_init(|| Installation::of(programs, root, interpreter, loaded));
        required(installed, modules, names)
    }

    /// What an entry finds. `value` gives the content of another node's output in this run.
    pub fn see(&self, entry: &PathEntry, value: &dyn Fn(ArtifactId) -> Option<Content>) -> Finding {
        if entry.place == Place::Project
            && let Some((artifact, rest)) = self.territory.output(directory_of(entry))
        {
            return match value(artifact) {
                None => Finding::Unsettled(artifact),
                Some(content) => self
                    .inside(&content, rest, entry.access)
                    .map_or(Finding::Blind, Finding::Seen),
            };
        }
        if entry.place == Place::Project
            && let Some(elsewhere) = self.territory.elsewhere()
            && elsewhere.output(directory_of(entry)).is_some()
        {
            elsewhere.ask();
            return Finding::Blind;
        }
        let known = self
            .known
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(entry)
            .cloned();
        let seen = known.unwrap_or_else(|| {
            let seen = self.look(entry, &self.moment);
            let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
            known.insert(entry.clone(), seen.clone());
            seen
        });
        seen.map_or(Finding::Blind, Finding::Seen)
    }

    /// What an entry that is no node's output finds now, of environments at a moment.
    pub fn look(&self, entry: &PathEntry, moment: &python::Moment) -> Option<Seen> {
        match entry.place {
            Place::Program => self
                .programs
                .version(&entry.path)
                .map(Seen::Version)
                .or(Some(Seen::Absent)),
            // Not the value itself: it may be nobody's business.
            Place::Variable => Some(match self.variables.get(OsStr::from_bytes(&entry.path)) {
                Some(value) => Seen::Version(BlobDigest::of(value.as_bytes()).to_string()),
                None => Seen::Absent,
            }),
            Place::Distribution => python::see(&self.programs, self.workspace, moment, entry),
            Place::Project | Place::Absolute | Place::Home => {
                let place = self.place(entry)?;
                let cache = self.workspace.cache();
                if entry.access == Access::Content
                    && place.ends_with(".git")
                    && witness::is_directory(cache, &place)
                {
                    return Some(commit(cache, &place).map_or(Seen::Absent, Seen::Version));
                }
                self.workspace
                    .see(&place, entry.access, &self.hidden(entry))
            }
        }
    }

    /// Where an entry lies.
    fn place(&self, entry: &PathEntry) -> Option<PathBuf> {
        let path = OsStr::from_bytes(&entry.path);
        match entry.place {
            Place::Project => Some(self.rules.root.join(path)),
            Place::Home => Some(self.rules.home.as_ref()?.join(path)),
            _ => Some(PathBuf::from(path)),
        }
    }

    /// The names of a directory that say nothing: tools' caches, and what comes and goes with runs.
    fn hidden<'e>(&'e self, entry: &'e PathEntry) -> impl Fn(&OsStr) -> bool + 'e {
        let inside = (entry.place == Place::Project).then(|| directory_of(entry));
        move |name| match inside {
            None => self.rules.is_cache(name.as_bytes()),
            Some(b"") => self.is_nothing(name.as_bytes()),
            Some(directory) => self.is_nothing(&[directory, b"/", name.as_bytes()].concat()),
        }
    }

    fn is_nothing(&self, path: &[u8]) -> bool {
        self.rules.is_cache(path) || self.territory.is_made(path)
    }

    /// What lies below a content that need not be laid out anywhere.
    fn inside(&self, content: &Content, rest: &[u8], access: Access) -> Option<Seen> {
        let Content::Tree { digest, .. } = content else {
            let Content::File {
                digest,
                size,
                executable,
            } = *content
            else {
                return None;
            };
            return Some(match (rest, access) {
                (b"", Access::Content) => Seen::File { digest, executable },
                (b"", Access::Existence) => Seen::Exists(PathKind::File),
                (b"", _) => Seen::Size { size, executable },
                _ => Seen::Absent,
            });
        };
        let mut at: TreeDigest = *digest;
        let mut parts = rest
            .split(|&byte| byte == b'/')
            .filter(|part| !part.is_empty());
        while let Some(part) = parts.next() {
            let tree = self.tree(&at)?;
            match tree.get(part) {
                None => return Some(Seen::Absent),
                Some(Entry::Directory { digest, .. }) => at = *digest,
                Some(Entry::File {
                    digest,
                    size,
                    executable,
                }) => {
                    let (digest, size, executable) = (*digest, *size, *executable);
                    let file = Content::File {
                        digest,
                        size,
                        executable,
                    };
                    let rest: &[u8] = if parts.next().is_some() { b"?" } else { b"" };
                    return self.inside(&file, rest, access);
                }
                Some(_) => return None,
            }
        }
        Some(match access {
            Access::Content => Seen::Directory(at),
            Access::Listing => listing(&self.tree(&at)?),
            _ => Seen::Exists(PathKind::Directory),
        })
    }
}

/// The path of an entry, of modules that of the directory they are looked for in.
pub fn directory_of(entry: &PathEntry) -> &[u8] {
    match entry.access {
        Access::Module => entry
            .path
            .split(|&byte| byte == 0)
            .next()
            .unwrap_or_default(),
        _ => &entry.path,
    }
}

/// The commit that is checked out, or the branch that has none yet. Source: gitrepository-layout(5).
fn commit(cache: &dyn StatCache, git: &Path) -> Option<String> {
    let head = witness::text(cache, &git.join("HEAD"))?;
    let Some(name) = head.trim().strip_prefix("ref: ") else {
        return Some(head.trim().to_owned());
    };
    let loose = witness::text(cache, &git.join(name));
    let packed = || {
        let all = witness::text(cache, &git.join("packed-refs"))?;
        let mut lines = all.lines().filter_map(|line| line.split_once(' '));
        lines
            .find(|(_, one)| *one == name)
            .map(|(commit, _)| commit.to_owned())
    };
    let commit = loose.map(|text| text.trim().to_owned()).or_else(packed);
    Some(commit.unwrap_or_else(|| name.to_owned()))
}

fn listing(tree: &Tree) -> Seen {
    let names: Vec<_> = tree
        .entries()
        .iter()
        .map(|(name, entry)| {
            let kind = match entry {
                Entry::File { .. } => PathKind::File,
                Entry::Directory { .. } => PathKind::Directory,
                _ => PathKind::Symlink,
            };
            (name.clone(), kind)
        })
        .collect();
    Seen::Listing(listing_digest(&names))
}

/// For an observer: a digest of what lies at an absolute path, in the form in which it is seen later.
impl crate::worker::observed::Look for Sight<'_> {
    fn mark(&self, path: &Path, names: bool) -> Option<[u8; 32]> {
        let (place, relative) = match path.strip_prefix(&self.rules.root) {
            Ok(relative) => (Place::Project, relative),
            Err(_) => (Place::Absolute, path),
        };
        let access = if names {
            Access::Listing
        } else {
            Access::Content
        };
        let entry = PathEntry {
            place,
            path: relative.as_os_str().as_bytes().to_vec(),
            access,
        };
        digest_of(&self.look(&entry, &python::Moment::default())?)
    }
}
