//! What an execution was seen to do, held against what its node declares: a failure, a notice, or a path
//! set to record with.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;

use jalon_conf::pipeline::{ArtifactId, Command, Isolation, Node, NodeId, Undeclared};
use jalon_store::action::{PathEntry, PathSet, Seen};
use jalon_store::content::Content;
use jalon_store::digest::WeakKey;
use jalon_store::error::ReadError;

use super::attempt::{Job, Shop};
use super::failure::Failure;
use crate::observe::{self, Finding, Folded, Owner};
use crate::worker::environment::Variables;
use crate::worker::observed::{Extent, Observed};
use crate::worker::private::ride;
use crate::workspace::PRIVATE_DIRECTORY;

/// Path sets of one weak key that are kept apart. A node that reads other paths each time it runs would
/// else be looked up under ever more of them; past this many they are merged into one, which is as sound and
/// misses more often.
const SETS: usize = 8;

impl Shop<'_> {
    /// The files of the function that a node is.
    pub(super) fn modules(&self, node: NodeId) -> &[(String, Content)] {
        let function = self.judge.function(node);
        function.map_or(&[], |function| &function.files)
    }

    /// The distributions that a Kedro node needs: they were loaded before it began.
    fn required(&self, id: NodeId) -> Vec<PathEntry> {
        let node = self.graph().node(id);
        let (Command::Task(task), Some(function)) = (&node.command, self.judge.function(id)) else {
            return Vec::new();
        };
        let modules = task.modules.iter().chain(&function.elsewhere);
        let modules: Vec<&str> = modules.map(String::as_str).collect();
        let interpreter = self.judge.interpreter();
        interpreter.map_or_else(Vec::new, |interpreter| {
            let sight = self.judge.sight();
            let loaded = &self.graph().pipeline().loaded.modules;
            sight.required(&interpreter.place, loaded, &modules, &task.distributions)
        })
    }

    /// Whether this node's executions are to be observed.
    pub(super) fn traces(node: &Node) -> bool {
        node.isolation != Isolation::None
    }

    /// Lets a Python that the command names tell which modules it looks for.
    ///
    /// # Errors
    /// The file for it cannot be written.
    pub(super) fn ask_python(
        &self,
        node: &Node,
        argv: &[OsString],
        env: &mut Variables,
    ) -> std::io::Result<()> {
        if !Shop::traces(node) || !argv.iter().any(|word| names_python(word.as_bytes())) {
            return Ok(());
        }
        let private = self.project.root.join(PRIVATE_DIRECTORY);
        ride(&private, self.bus.run(), env)
    }

    /// Fails a node that was to be isolated and was not, or that wanted more than it declares, however it ended.
    ///
    /// # Errors
    /// As said.
    pub(super) fn isolated(&self, node: &Node, observed: &Observed) -> Result<(), Box<Failure>> {
        if node.isolation != Isolation::Strict {
            return Ok(());
        }
        if let Extent::None(why) = &observed.extent {
            let message = format!("isolation = \"strict\" cannot be had here: {why}");
            let help = "use isolation = \"trace\" on this machine";
            return Err(Failure::new("no-isolation", message, help));
        }
        let root = &self.judge.sight().rules.root;
        let refused: Vec<String> = observed
            .sightings
            .iter()
            .filter(|sighting| sighting.refused)
            .map(|sighting| sighting.path.strip_prefix(root).unwrap_or(&sighting.path))
            .map(|path| path.display().to_string())
            .collect();
        let Some(path) = refused.first() else {
            return Ok(());
        };
        let help = if path.starts_with('/') {
            "copy it into the project and declare it there, or use isolation = \"trace\"".to_owned()
        } else {
            format!(
                "allow it in [node.{}]: code = [{}]",
                node.name.base,
                quoted(&refused)
            )
        };
        let message = format!(
            "it was refused {}, which it does not declare",
            listed(&refused)
        );
        Err(Failure::new("undeclared-read", message, help))
    }

    /// The outputs that a node used and that were not there to be used. They are said to be: it runs again
    /// once they were made.
    pub(super) fn missed(
        &self,
        node: &Node,
        absent: &[ArtifactId],
        observed: &Observed,
    ) -> Vec<ArtifactId> {
        let sight = self.judge.sight();
        let mut missed: Vec<ArtifactId> = Vec::new();
        let learnt = observed.sightings.iter().filter(|one| one.uses.learns());
        for sighting in learnt.filter(|_| !absent.is_empty()) {
            let path = sighting.path.strip_prefix(&sight.rules.root).ok();
            let output = path.and_then(|path| sight.territory.output(path.as_os_str().as_bytes()));
            if let Some((artifact, _)) = output
                && absent.contains(&artifact)
                && !missed.contains(&artifact)
            {
                missed.push(artifact);
                let text = format!(
                    "{}; it runs again once that is made",
                    self.unsaid(node, artifact)
                );
                self.bus.notice("undeclared-dependency", text);
            }
        }
        missed
    }

    fn unsaid(&self, node: &Node, artifact: ArtifactId) -> String {
        let artifact = self.graph().artifact(artifact);
        format!(
            "{} used {}, whose bytes are not kept, without declaring it: add \"{}\" to `in` of {}",
            node.name, artifact.path, artifact.name, node.name.base
        )
    }

    /// What was observed, folded.
    ///
    /// # Errors
    /// The node used what nothing puts in order, or read undeclared files where that is forbidden.
    pub(super) fn fold(
        &self,
        job: &Job,
        node: &Node,
        observed: &Observed,
    ) -> Result<Folded, Box<Failure>> {
        let values = |artifact: ArtifactId| job.value(artifact);
        let entries = self.required(job.node);
        let is_task = matches!(node.command, Command::Task(_));
        let interpreter = self.judge.interpreter().filter(|_| is_task);
        let known = observe::Known {
            modules: self.modules(job.node),
            entries: &entries,
            runtime: interpreter.map(|interpreter| interpreter.place.as_path()),
        };
        let folded = observe::fold(
            self.judge.sight(),
            self.graph(),
            job.node,
            known,
            observed,
            &values,
        );
        self.told(node, observed, &folded);
        if let Some(trespass) = folded.trespasses.first() {
            return Err(self.trespass(node, trespass));
        }
        let undeclared = folded.undeclared();
        match node.undeclared {
            Undeclared::Error if !undeclared.is_empty() => Err(Failure::new(
                "undeclared-read",
                format!(
                    "it read {} without declaring {}",
                    listed(&undeclared),
                    them(&undeclared)
                ),
                format!("declare it: code = [{}]", quoted(&undeclared)),
            )),
            Undeclared::Warn if !undeclared.is_empty() => {
                let text = format!(
                    "{} read {} without declaring {}",
                    node.name,
                    listed(&undeclared),
                    them(&undeclared)
                );
                self.bus.notice("undeclared-read", text);
                Ok(folded)
            }
            _ => Ok(folded),
        }
    }

    fn trespass(&self, node: &Node, trespass: &observe::Trespass) -> Box<Failure> {
        let sight = self.judge.sight();
        let (artifact, producer) = match (trespass.owner, sight.territory.elsewhere()) {
            (Owner::Here(id), _) => {
                let artifact = self.graph().artifact(id);
                let producer = artifact.producer.map(|id| self.graph().node(id));
                let producer = producer.map_or_else(String::new, |node| node.name.to_string());
                (artifact.name.to_string(), producer)
            }
            (Owner::Elsewhere(output), Some(elsewhere)) => elsewhere.names(output),
            (Owner::Elsewhere(_), None) => Default::default(),
        };
        let message = format!(
            "{} used {}, an output of {producer}, without declaring it: whether it was there was luck",
            node.name, trespass.path
        );
        let help = format!(
            "add \"{}\" to `in` of {}, or after = [\"{}\"] where only the order counts",
            artifact,
            node.name.base,
            producer.split('[').next().unwrap_or_default()
        );
        Failure::new("undeclared-dependency", message, help)
    }

    /// What could not be seen, and what was done that a hit cannot do again.
    fn told(&self, node: &Node, observed: &Observed, folded: &Folded) {
        match &observed.extent {
            Extent::Full => {}
            Extent::Partial(why) => {
                let text = format!("{} was not observed in full: {}", node.name, why.join("; "));
                self.bus.notice("partly-traced", text);
            }
            Extent::None(why) => {
                let text = format!(
                    "reads are not observed, so a file that a node reads without declaring it is not seen to change: {why}"
                );
                self.bus.notice("untraced", text);
            }
        }
        if !folded.outside.is_empty() {
            let text = format!(
                "{} wrote outside the project: {}",
                node.name,
                listed(&folded.outside)
            );
            self.bus.notice("wrote-outside", text);
        }
        if !folded.strays.is_empty() {
            let text = format!(
                "{} made or changed {}, which {} no output of it, so what it gave is not kept: a hit could not do that again. {}",
                node.name,
                listed(&folded.strays),
                if folded.strays.len() == 1 {
                    "is"
                } else {
                    "are"
                },
                match node.command {
                    Command::Task(_) =>
                        "Make it a dataset, or a tool's cache: [tool.jalon.kedro] caches in pyproject.toml",
                    _ => "Declare it under `out`, or as a tool's cache under [pipeline] caches",
                }
            );
            self.bus.notice("undeclared-write", text);
        }
        if let Some(path) = &folded.moved {
            let text = format!(
                "{path} changed while {} ran, so what it gave is not kept; run again",
                node.name
            );
            self.bus.notice("input-moved", text);
        }
    }

    /// The path set to record under: the observed one, or one with all that are known where they are many.
    pub(super) fn settle_paths(
        &self,
        job: &Job,
        weak: &WeakKey,
        node: &Node,
        observed: Vec<(PathEntry, Seen)>,
    ) -> Result<Vec<(PathEntry, Seen)>, ReadError> {
        let set = paths(&observed);
        let known = self.store.path_sets(weak)?;
        if known.len() < SETS || known.contains(&set) {
            return Ok(observed);
        }
        let sight = self.judge.sight();
        let mut all = observed;
        let more = known.into_iter().flat_map(|set| set.entries);
        for entry in more {
            if !all.iter().any(|(one, _)| *one == entry)
                && let Finding::Seen(seen) = sight.see(&entry, &|artifact| job.value(artifact))
            {
                all.push((entry, seen));
            }
        }
        all.sort();
        let text = format!(
            "{} uses other paths each time it runs; it is looked up by all {} of them from now on",
            node.name,
            all.len()
        );
        self.bus.notice("many-path-sets", text);
        Ok(all)
    }
}

/// Whether a command says that Python will run, or a program that starts it.
fn names_python(word: &[u8]) -> bool {
    let names: [&[u8]; 4] = [b"py", b"uv run", b"conda", b"jupyter"];
    names
        .iter()
        .any(|name| word.windows(name.len()).any(|part| part == *name))
}

impl Job {
    /// What an output holds that this node reads, or may read because it comes after its producer.
    pub(super) fn value(&self, artifact: ArtifactId) -> Option<Content> {
        let all = self.inputs.iter().chain(&self.beside);
        all.clone()
            .find(|(id, _)| *id == artifact)
            .map(|(_, content)| *content)
    }
}

/// The path set of what was observed.
pub fn paths(observed: &[(PathEntry, Seen)]) -> PathSet {
    PathSet::new(observed.iter().map(|(entry, _)| entry.clone()).collect())
}

fn listed(paths: &[String]) -> String {
    match paths {
        [] => String::new(),
        [one] => one.clone(),
        [first, second] => format!("{first} and {second}"),
        [first, second, rest @ ..] => format!("{first}, {second} and {} more", rest.len()),
    }
}

fn quoted(paths: &[String]) -> String {
    let quoted: Vec<String> = paths.iter().map(|path| format!("{path:?}")).collect();
    quoted.join(", ")
}

fn them(paths: &[String]) -> &'static str {
    if paths.len() == 1 { "it" } else { "them" }
}
