//! From sightings to a path set: what each path stands for, what lies there, and what is wrong.
//!
//! A read counts by what it told: content, type and size, existence, a link's target, a directory's names. What
//! the execution made itself, what is declared, the system's files and tools' caches leave the set; a file of a
//! package becomes its distribution, a program its version. Nothing is decided about the node here.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jalon_conf::pipeline::{ArtifactId, NodeId};
use jalon_store::action::{Access, PathEntry, Place};
use jalon_store::content::Content;
use rustc_hash::{FxHashMap, FxHashSet};

use super::declared::Declared;
use super::folded::{Folded, Trespass};
use super::programs::runtime;
use super::python;
use super::rules::Rules;
use super::sight::{Sight, Site};
use super::territory::Owner;
use crate::graph::Graph;
use crate::ways::Ways;
use crate::worker::observed::{Extent, Kind, Observed, Sighting, Uses};
use crate::worker::trace;

/// What is known of an execution besides what was seen.
#[derive(Debug, Clone, Copy, Default)]
pub struct Known<'a> {
    /// The files of the node's function: what is read of them, its definitions stand for.
    pub modules: &'a [(String, Content)],
    /// What counts although it was used before anybody looked.
    pub entries: &'a [PathEntry],
    /// A runtime that was running before anybody looked.
    pub runtime: Option<&'a Path>,
}

/// Folds. `value` gives the content of an output in this run.
pub fn fold(
    sight: &Sight<'_>,
    graph: &Graph,
    id: NodeId,
    known: Known<'_>,
    observed: &Observed,
    value: &(dyn Fn(ArtifactId) -> Option<Content> + Sync),
) -> Folded {
    // What is found by other ways than the text tells counts by its file, and so does all that it may use.
    let modules = if observed.dynamic { &[] } else { known.modules };
    let declared = Declared::new(sight.workspace, graph, id, modules);
    let mut fold = Fold::new(sight, graph, declared, observed);
    if let Some(runtime) = known.runtime {
        let homes = homes(sight, runtime);
        fold.runtimes.extend(homes);
        let name = sight.programs.name(runtime);
        fold.add(Place::Program, &name, Access::Content, None);
    }
    if let Extent::None(_) = observed.extent {
        fold.whole_environment();
    }
    for sighting in &observed.sightings {
        fold.take(sighting);
    }
    fold.modules(&observed.modules);
    fold.distributions(&observed.distributions);
    for name in &observed.variables {
        fold.add(Place::Variable, name, Access::Content, None);
    }
    for entry in known.entries {
        fold.entries.entry(entry.clone()).or_insert(None);
    }
    fold.end(observed, value)
}

/// The directories that belong to a runtime.
fn homes(sight: &Sight<'_>, program: &Path) -> Vec<PathBuf> {
    let real = program.canonicalize().ok();
    let installed = real.and_then(|real| Some(real.parent()?.parent()?.to_owned()));
    let homes = [python::home(sight.programs.cache(), program), installed];
    let homes = homes.into_iter().flatten();
    homes
        .filter(|home| home.join("lib").is_dir() && home.parent().is_some())
        .filter(|home| {
            !sight.rules.root.starts_with(home) && Some(home) != sight.rules.home.as_ref()
        })
        .collect()
}

/// Folding, half way.
pub struct Fold<'a, 'o> {
    pub(super) sight: &'a Sight<'a>,
    graph: &'a Graph,
    pub(super) declared: Declared,
    pub(super) rules: &'a Rules,
    /// By absolute path.
    sightings: FxHashMap<&'o Path, &'o Sighting>,
    /// When the execution made what, by absolute path.
    made: FxHashMap<&'o Path, u32>,
    /// Runtimes' own directories: a file there belongs to the runtime.
    runtimes: Vec<PathBuf>,
    managers: Vec<PathBuf>,
    /// Entries and the sighting that each rests on.
    pub(super) entries: FxHashMap<PathEntry, Option<&'o Sighting>>,
    sites: FxHashMap<PathBuf, Arc<Site>>,
    /// First parts of packages' paths whose distributions are entered.
    spoken: FxHashSet<Vec<u8>>,
    environments: FxHashMap<PathBuf, bool>,
    pub(super) strays: Vec<String>,
    pub(super) outside: Vec<String>,
    pub(super) trespasses: Vec<Trespass>,
    pub(super) moved: Option<String>,
    pub(super) touched: Option<String>,
    ways: Ways,
}

impl<'a, 'o> Fold<'a, 'o> {
    fn new(
        sight: &'a Sight<'a>,
        graph: &'a Graph,
        mut declared: Declared,
        observed: &'o Observed,
    ) -> Self {
        let sightings = observed.sightings.iter();
        let sightings = sightings.map(|one| (one.path.as_path(), one)).collect();
        let made = observed.sightings.iter();
        let made = made
            .filter_map(|one| Some((one.path.as_path(), one.made_at?)))
            .collect();
        let mut ways = declared.ways();
        let executed = observed
            .sightings
            .iter()
            .filter(|one| one.uses.has(Uses::EXECUTE));
        let runtimes = executed
            .filter(|one| {
                runtime(&one.path).is_some()
                    || ways
                        .real(&one.path)
                        .is_some_and(|real| runtime(&real).is_some())
            })
            .flat_map(|one| homes(sight, &one.path))
            .collect();
        Fold {
            sight,
            graph,
            declared,
            rules: &sight.rules,
            sightings,
            made,
            runtimes,
            managers: sight.programs.managers(),
            entries: FxHashMap::default(),
            sites: FxHashMap::default(),
            spoken: FxHashSet::default(),
            environments: FxHashMap::default(),
            strays: Vec::new(),
            outside: Vec::new(),
            trespasses: Vec::new(),
            moved: None,
            touched: None,
            ways,
        }
    }

    fn take(&mut self, sighting: &'o Sighting) {
        if sighting.uses.has(Uses::EXECUTE) && self.program(sighting) {
            return;
        }
        if self.declared.is_really(&sighting.path) {
            return;
        }
        if let Some((site, rest)) = self.packages(&sighting.path) {
            return self.package(sighting, &site, &rest);
        }
        if !sighting.stamped && sighting.uses.has(Uses::EXECUTE) {
            // The system's own.
            return;
        }
        let path = sighting.path.as_path();
        if let Ok(relative) = path.strip_prefix(&self.rules.root) {
            return self.project(sighting, relative.as_os_str().as_bytes());
        }
        // The project under another name is noted under its real one too.
        if !self.real(path).starts_with(&self.rules.root) {
            self.elsewhere(sighting);
        }
    }

    /// Where nothing was seen, everything that is installed in the active environment counts.
    fn whole_environment(&mut self) {
        let home = self.sight.virtual_env.as_deref();
        let sites = home.map(|home| python::sites(self.sight.programs.cache(), home));
        for site in sites.unwrap_or_default() {
            let label = python::label(&self.sight.programs, &self.rules.root, &site);
            self.entries.entry(python::all(&label)).or_insert(None);
        }
    }

    /// A path with the links on the way to it resolved, the last part as it is.
    fn real(&mut self, path: &Path) -> PathBuf {
        self.ways.beside(path).unwrap_or_else(|| path.to_owned())
    }

    /// Whether the execution had made this itself before it looked.
    fn is_own(&self, sighting: &Sighting) -> bool {
        let Some(learnt) = sighting.learnt_at else {
            return false;
        };
        sighting
            .path
            .ancestors()
            .any(|above| self.made.get(above).is_some_and(|&made| made < learnt))
    }

    /// A project path, relative.
    fn project(&mut self, sighting: &'o Sighting, path: &[u8]) {
        if path.is_empty() {
            // Of the root itself only the names say anything.
            if sighting.uses.has(Uses::LIST) {
                self.add(Place::Project, b"", Access::Listing, Some(sighting));
            }
            return;
        }
        if self.rules.is_cache(path) && !self.is_sourceless(sighting, path) {
            self.source_of_byte_code(sighting, path);
            return self.version_control(sighting, path);
        }
        let writable = Declared::covers(&self.declared.writes, path);
        if sighting.uses.any(Uses::WRITING) && !writable {
            self.written(sighting, path);
        }
        if writable || !sighting.uses.learns() || self.is_own(sighting) {
            return;
        }
        if Declared::covers(&self.declared.reads, path) {
            return self.held(sighting, path);
        }
        if let Some(owner) = self.sight.territory.owner(path)
            && !self.comes_after(owner)
        {
            let path = String::from_utf8_lossy(path).into_owned();
            return self.trespasses.push(Trespass { path, owner });
        }
        let made = sighting
            .first
            .is_none_or(|first| first.kind == Kind::Directory);
        if made && self.sight.territory.is_above(path) && !sighting.uses.has(Uses::LIST) {
            // Whether a directory of results is there yet depends on what ran before.
            return;
        }
        if !self.is_runtimes(&sighting.path) {
            self.enter(sighting, Place::Project, path);
        }
    }

    /// Whether what an output holds is known before the node starts.
    fn comes_after(&self, owner: Owner) -> bool {
        let Owner::Here(artifact) = owner else {
            return false;
        };
        let producer = self.graph.artifact(artifact).producer;
        self.declared.parts.contains(&artifact)
            || producer.is_some_and(|producer| self.declared.after.contains(&producer))
    }

    /// What is declared was digested before; that it did not change and change back meanwhile, its stamp tells.
    fn held(&mut self, sighting: &Sighting, path: &[u8]) {
        let is_file = sighting.first.is_some_and(|first| first.kind == Kind::File);
        let now = trace::stamp(sighting.path.as_os_str().as_bytes());
        if is_file && sighting.stamped && now != sighting.first {
            let name = String::from_utf8_lossy(path).into_owned();
            self.touched.get_or_insert(name);
        }
    }

    /// Whether a file belongs to a runtime that was executed: its library, not whatever lies beside it.
    pub(super) fn is_runtimes(&self, path: &Path) -> bool {
        self.runtimes.iter().any(|home| {
            let Ok(relative) = path.strip_prefix(home) else {
                return false;
            };
            let first = relative.components().next();
            let first = first.map(|first| first.as_os_str().as_bytes());
            match first {
                None => true,
                // Shared with whatever else is installed there.
                Some(b"lib") if home == Path::new("/usr/local") => {
                    let second = relative.components().nth(1);
                    second.is_some_and(|name| name.as_os_str().as_bytes().starts_with(b"python3"))
                }
                Some(
                    b"lib" | b"lib64" | b"libexec" | b"include" | b"conf" | b"jre" | b"modules",
                ) => true,
                Some(b"pyvenv.cfg") => true,
                Some(b"bin") => relative.components().count() == 1 || runtime(relative).is_some(),
                Some(_) => false,
            }
        })
    }

    /// Whether a file of byte code stands for itself: there is nothing that it was compiled from.
    fn is_sourceless(&self, sighting: &Sighting, path: &[u8]) -> bool {
        path.ends_with(b".pyc")
            && sighting.uses.has(Uses::READ)
            && !path
                .split(|&byte| byte == b'/')
                .any(|part| part == b"__pycache__")
            && !sighting.path.with_extension("py").exists()
    }

    /// Who reads byte code has read what it was compiled from: the interpreter compared the two.
    fn source_of_byte_code(&mut self, sighting: &'o Sighting, path: &[u8]) {
        if !sighting.uses.has(Uses::READ) || sighting.first.is_none() {
            return;
        }
        let Some((directory, name)) = path.rsplit_once_at(b"__pycache__/") else {
            return;
        };
        let Some(module) = name.split(|&byte| byte == b'.').next() else {
            return;
        };
        let source = [directory, module, b".py"].concat();
        let owned = Declared::covers(&self.declared.reads, &source)
            || self.sight.territory.owner(&source).is_some()
            || self.rules.is_cache(&source);
        if !owned {
            // The interpreter looked at the source's stamp, so a change since then can be told.
            let place = self.rules.root.join(OsStr::from_bytes(&source));
            let looked = self.sightings.get(place.as_path()).copied();
            self.add(Place::Project, &source, Access::Content, looked);
        }
    }

    /// Who looks into the version control's files has learnt the commit; all else there is its own affair.
    fn version_control(&mut self, sighting: &'o Sighting, path: &[u8]) {
        let asks = sighting.uses.has(Uses::READ) && sighting.first.is_some();
        if asks && path.starts_with(b".git/") && !self.rules.is_own_cache(path) {
            self.add(Place::Project, b".git", Access::Content, None);
        }
    }

    /// The same of a repository that the project lies in, or of any other.
    fn repository_elsewhere(&mut self, path: &Path) -> bool {
        let Some(git) = path.ancestors().find(|above| above.ends_with(".git")) else {
            return false;
        };
        match self.beside(git) {
            Some(beside) => self.add(Place::Project, &beside, Access::Content, None),
            None => self.add(
                Place::Absolute,
                git.as_os_str().as_bytes(),
                Access::Content,
                None,
            ),
        }
        true
    }

    fn written(&mut self, sighting: &Sighting, path: &[u8]) {
        let now = trace::stamp(sighting.path.as_os_str().as_bytes());
        let stays = match (sighting.first, now) {
            (None, None) => false,
            (None, Some(now)) => now.kind != Kind::Directory,
            (Some(first), Some(now)) => {
                first != now && !(first.kind == Kind::Directory && now.kind == Kind::Directory)
            }
            (Some(_), None) => true,
        };
        if stays {
            self.strays.push(String::from_utf8_lossy(path).into_owned());
        }
    }

    fn elsewhere(&mut self, sighting: &'o Sighting) {
        let path = sighting.path.as_path();
        let under = |places: &[PathBuf]| places.iter().any(|place| path.starts_with(place));
        if self.is_runtimes(path) || under(&self.managers) || self.is_above(path) {
            return;
        }
        let temporary = self.rules.is_temporary(path);
        let home = self
            .rules
            .home
            .as_deref()
            .and_then(|home| path.strip_prefix(home).ok());
        if home.is_some_and(Rules::is_home_cache) {
            return;
        }
        if sighting.uses.any(Uses::WRITE.and(Uses::CHANGE))
            && !temporary
            && sighting.first.is_none_or(|first| first.kind != Kind::Other)
        {
            let now = trace::stamp(path.as_os_str().as_bytes());
            if now != sighting.first && now.is_some_and(|now| now.kind == Kind::File) {
                self.outside.push(path.display().to_string());
            }
        }
        if !sighting.uses.learns() || self.is_own(sighting) {
            return;
        }
        if sighting.first.is_some() && self.repository_elsewhere(path) {
            return;
        }
        if temporary
            && sighting
                .first
                .is_none_or(|first| first.kind == Kind::Directory)
        {
            return;
        }
        if let Some(beside) = self.beside(path) {
            return self.enter(sighting, Place::Project, &beside);
        }
        match home {
            Some(relative) if !relative.as_os_str().is_empty() => {
                let relative = relative.as_os_str().as_bytes().to_vec();
                self.enter(sighting, Place::Home, &relative);
            }
            Some(_) => {}
            None => self.enter(sighting, Place::Absolute, path.as_os_str().as_bytes()),
        }
    }

    /// Whether the project or the home directory lies there.
    fn is_above(&self, path: &Path) -> bool {
        self.rules.root.starts_with(path)
            || self
                .rules
                .home
                .as_ref()
                .is_some_and(|home| home.starts_with(path))
    }

    /// A name beside a directory that the project lies in (tools look there for their configuration): told from
    /// the project, it means the same in another place.
    fn beside(&self, path: &Path) -> Option<Vec<u8>> {
        let parent = path.parent()?;
        let up = self
            .rules
            .root
            .ancestors()
            .skip(1)
            .position(|above| above == parent)?;
        let mut relative = b"../".repeat(up + 1);
        relative.extend_from_slice(path.file_name()?.as_bytes());
        Some(relative)
    }

    fn enter(&mut self, sighting: &'o Sighting, place: Place, path: &[u8]) {
        let uses = sighting.uses;
        let Some(first) = sighting.first else {
            return self.add(place, path, Access::Existence, Some(sighting));
        };
        if first.link && (uses.has(Uses::LINK) || first.kind == Kind::Directory) {
            self.add(place, path, Access::Link, Some(sighting));
        }
        match first.kind {
            Kind::Directory => {
                if uses.has(Uses::LIST) {
                    self.add(place, path, Access::Listing, Some(sighting));
                } else if uses.has(Uses::FIND) {
                    // Which names were looked for there is told by name.
                } else {
                    self.add(place, path, Access::Existence, Some(sighting));
                }
            }
            Kind::File if uses.any(Uses::READ.and(Uses::EXECUTE)) => {
                self.add(place, path, Access::Content, Some(sighting));
            }
            Kind::File => self.add(place, path, Access::Stat, Some(sighting)),
            Kind::Other => self.add(place, path, Access::Existence, Some(sighting)),
        }
    }

    pub(super) fn add(
        &mut self,
        place: Place,
        path: &[u8],
        access: Access,
        sighting: Option<&'o Sighting>,
    ) {
        let entry = PathEntry {
            place,
            path: path.to_vec(),
            access,
        };
        let known = self.entries.entry(entry).or_insert(sighting);
        if known.is_none() {
            *known = sighting;
        }
    }

    /// A program by what it counts by; whether its file need not count besides.
    fn program(&mut self, sighting: &'o Sighting) -> bool {
        let path = &sighting.path;
        let real = self.ways.real(path).unwrap_or_else(|| path.clone());
        if !real.is_file() {
            return false;
        }
        let is_runtime = runtime(path).is_some() || runtime(&real).is_some();
        let stands_for_another = self.managers.iter().any(|place| {
            path.starts_with(place.join("shims")) || path.starts_with(place.join("libexec"))
        });
        let is_systems = !sighting.stamped && python::split(path).is_none();
        let all = self.graph.pipeline().programs == jalon_conf::pipeline::Programs::Content;
        if stands_for_another || (is_systems && !is_runtime && !all) {
            return false;
        }
        let name = self.sight.programs.name(path);
        let is_found = !name.contains(&b'/');
        if is_runtime || is_systems || is_found {
            self.add(Place::Program, &name, Access::Content, None);
        }
        is_found && !sighting.uses.any(Uses::READ.and(Uses::WRITING))
    }

    /// The package directory that a path lies in, and the rest of the path.
    pub(super) fn packages(&mut self, path: &Path) -> Option<(PathBuf, PathBuf)> {
        let (site, rest) = python::split(path)?;
        let known = self.environments.get(&site).copied();
        let is = known.unwrap_or_else(|| {
            let is = trace::is_environment(&site);
            self.environments.insert(site.clone(), is);
            is
        });
        is.then_some((site, rest))
    }

    fn package(&mut self, sighting: &'o Sighting, site: &Path, rest: &Path) {
        let rules = self.rules;
        let known = self.sites.entry(site.to_owned());
        let known = known.or_insert_with(|| self.sight.site(site)).clone();
        let (label, owners) = (&known.label, &known.owners);
        let Some(first) = rest.components().next() else {
            if sighting.uses.has(Uses::LIST) {
                self.entries.entry(python::all(label)).or_insert(None);
            }
            if sighting.uses.has(Uses::START) {
                self.entries.entry(python::pth(label)).or_insert(None);
            }
            return;
        };
        if !sighting.uses.learns() {
            return;
        }
        let first = first.as_os_str().as_bytes();
        if let Some(names) = owners.get(first) {
            // Of a distribution with thousands of files one entry speaks.
            if !self
                .spoken
                .insert([site.as_os_str().as_bytes(), b"/", first].concat())
            {
                return;
            }
            let names: Vec<PathEntry> = names
                .iter()
                .map(|name| python::entry(label, name))
                .collect();
            for entry in names {
                self.entries.entry(entry).or_insert(None);
            }
            return;
        }
        let path = rest.as_os_str().as_bytes();
        if rules.is_cache(path) || sighting.path.is_dir() {
            return;
        }
        // A file that no distribution speaks of counts by itself.
        self.entries
            .entry(python::file(label, path))
            .or_insert(None);
    }
}

trait Split {
    /// What stands before and behind the last occurrence of a text.
    fn rsplit_once_at(&self, at: &[u8]) -> Option<(&[u8], &[u8])>;
}

impl Split for [u8] {
    fn rsplit_once_at(&self, at: &[u8]) -> Option<(&[u8], &[u8])> {
        let start = self.windows(at.len()).rposition(|window| window == at)?;
        Some((&self[..start], &self[start + at.len()..]))
    }
}
