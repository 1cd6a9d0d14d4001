//! `isolation = "strict"`: what an execution may see is what its node declares, and the system.
//!
//! A project file that is not declared is refused when it is opened or asked about (`EACCES`), and so is a file of
//! the user's elsewhere; the node fails whatever it makes of that, with the file named. Directories may be
//! listed, and what is not there is not there: both are in the path set. The refusal rests on the same
//! filter as observation. Against a program that means harm a sandbox is needed, not this.

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use jalon_conf::pipeline::NodeId;
use jalon_store::content::Content;

use super::declared::Declared;
use super::python;
use super::rules::Rules;
use super::sight::Sight;
use crate::graph::Graph;
use crate::worker::observed::{Kind, Look, Stamp};

/// Looks for a node that is isolated.
pub struct Strict<'a> {
    sight: &'a Sight<'a>,
    declared: Declared,
    /// Where programs are installed: what lies there is theirs.
    installed: Vec<PathBuf>,
}

impl<'a> Strict<'a> {
    /// Of a node.
    pub fn new(
        sight: &'a Sight<'a>,
        graph: &Graph,
        id: NodeId,
        modules: &[(String, Content)],
    ) -> Strict<'a> {
        Strict {
            sight,
            declared: Declared::new(sight.workspace, graph, id, modules),
            installed: sight.programs.installed(),
        }
    }

    fn is_declared(&self, path: &[u8]) -> bool {
        Declared::covers(&self.declared.reads, path)
            || Declared::covers(&self.declared.writes, path)
    }
}

impl Look for Strict<'_> {
    fn mark(&self, path: &Path, names: bool) -> Option<[u8; 32]> {
        self.sight.mark(path, names)
    }

    fn admits(&self, path: &Path, found: &Stamp) -> bool {
        if found.kind != Kind::File || python::split(path).is_some() {
            return true;
        }
        let rules = &self.sight.rules;
        let real = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        if let Ok(relative) = real.strip_prefix(&rules.root) {
            let bytes = relative.as_os_str().as_bytes();
            let named = path
                .strip_prefix(&rules.root)
                .map(|path| path.as_os_str().as_bytes());
            return rules.is_cache(bytes)
                || self.is_declared(bytes)
                || named.is_ok_and(|named| self.is_declared(named));
        }
        let home = rules
            .home
            .as_deref()
            .and_then(|home| real.strip_prefix(home).ok());
        self.installed.iter().any(|place| real.starts_with(place))
            || home.is_some_and(Rules::is_home_cache)
            || Rules::system()
                .iter()
                .any(|place| real.as_os_str().as_bytes().starts_with(place))
    }
}
