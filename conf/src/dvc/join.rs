//! A DVC project joined to a pipeline of jalon's own: what meets at a path is one artifact.

use std::collections::{BTreeMap, HashSet};

use super::paths::below;
use crate::diagnostic::{Diagnostic, Severity};
use crate::document::{Import, Lowered};
use crate::pipeline::{Artifact, ArtifactId, NodeId, Pipeline, Shape};
use crate::place::clamp;

/// Both in one. A source of the one that is an output of the other is bound to it, by its path.
#[must_use]
pub fn join(own: Lowered, other: Lowered, import: &Import) -> Lowered {
    let mut diagnostics = own.diagnostics;
    diagnostics.extend(other.diagnostics);
    let pipeline = own.pipeline.zip(other.pipeline).map(|(own, other)| {
        let mut joiner = Joiner {
            own,
            other,
            import,
            diagnostics: &mut diagnostics,
        };
        joiner.name();
        joiner.bind();
        joiner.whole()
    });
    let wrong = diagnostics
        .iter()
        .any(|one| one.severity == Severity::Error);
    Lowered {
        pipeline: pipeline.filter(|_| !wrong),
        diagnostics,
        provenance: own.provenance,
    }
}

struct Joiner<'j> {
    own: Pipeline,
    other: Pipeline,
    import: &'j Import,
    diagnostics: &'j mut Vec<Diagnostic>,
}

impl Joiner<'_> {
    /// The imported nodes under their prefix; no name twice.
    fn name(&mut self) {
        let known: HashSet<String> = self
            .own
            .nodes
            .iter()
            .map(|node| node.name.to_string())
            .collect();
        for node in &mut self.other.nodes {
            if let Some(prefix) = &self.import.prefix {
                node.name.base = format!("{prefix}:{}", node.name.base);
                node.group = node.group.take().map(|group| format!("{prefix}:{group}"));
            }
            if known.contains(&node.name.to_string()) {
                let message = format!("two nodes are called `{}`", node.name);
                let what = Diagnostic::error("duplicate-name", message).at(self.import.at.clone());
                let what = what.also(node.at.clone(), "the imported stage");
                self.diagnostics
                    .push(what.help("give the import a `prefix`"));
            }
        }
        let known: HashSet<String> = self
            .own
            .artifacts
            .iter()
            .map(|one| one.name.to_string())
            .collect();
        for artifact in &mut self.other.artifacts {
            while known.contains(&artifact.name.to_string()) {
                artifact.name.base = format!("./{}", artifact.name.base);
            }
        }
    }

    /// Binds what meets at a path; the imported artifacts are numbered after the own ones.
    fn bind(&mut self) {
        let shift = clamp(self.own.artifacts.len());
        let made = |artifacts: &[Artifact], from: u32| -> BTreeMap<String, ArtifactId> {
            let numbered = artifacts.iter().zip(from..);
            let outputs = numbered.filter(|(artifact, _)| artifact.producer.is_some());
            outputs
                .map(|(artifact, id)| (artifact.path.clone(), ArtifactId(id)))
                .collect()
        };
        let (ours, theirs) = (
            made(&self.own.artifacts, 0),
            made(&self.other.artifacts, shift),
        );
        self.apart(&ours, &theirs);
        for node in &mut self.own.nodes {
            for id in node
                .inputs
                .iter_mut()
                .flat_map(|input| &mut input.artifacts)
            {
                let artifact = &self.own.artifacts[id.0 as usize];
                if artifact.producer.is_none()
                    && let Some(found) = theirs.get(&artifact.path)
                {
                    *id = *found;
                }
            }
        }
        for node in &mut self.other.nodes {
            for input in &mut node.inputs {
                let single = input.artifacts.len() == 1;
                for id in &mut input.artifacts {
                    let artifact = &self.other.artifacts[id.0 as usize];
                    *id = ArtifactId(id.0 + shift);
                    if artifact.producer.is_some() || !single {
                        continue;
                    }
                    let around = ours.iter().find_map(|(path, found)| {
                        below(&artifact.path, path).map(|within| (*found, within))
                    });
                    if let Some((found, within)) = around {
                        *id = found;
                        input.within = (!within.is_empty()).then(|| within.to_owned());
                    }
                }
            }
            for output in &mut node.outputs {
                output.artifact = ArtifactId(output.artifact.0 + shift);
            }
        }
    }

    /// Says what overlaps and cannot be bound.
    fn apart(
        &mut self,
        ours: &BTreeMap<String, ArtifactId>,
        theirs: &BTreeMap<String, ArtifactId>,
    ) {
        let mut say = |code, message: String| {
            let what = Diagnostic::error(code, message).at(self.import.at.clone());
            self.diagnostics
                .push(what.help("give each a path of its own"));
        };
        for path in theirs.keys() {
            for own in ours.keys() {
                if below(path, own).is_some() || below(own, path).is_some() {
                    say(
                        "two-producers",
                        format!("a node here makes `{own}`, and an imported stage makes `{path}`"),
                    );
                }
            }
        }
        let sources = |artifacts: &[Artifact], glob: bool| -> Vec<String> {
            let sources = artifacts.iter().filter(|one| one.producer.is_none());
            let plain = sources.filter(|one| glob || one.shape != Shape::Glob);
            let paths = plain.map(|one| one.path.trim_end_matches("/**").to_owned());
            paths.collect()
        };
        for source in sources(&self.own.artifacts, false) {
            for path in theirs.keys().filter(|path| **path != source) {
                if below(path, &source).is_some() || below(&source, path).is_some() {
                    say(
                        "source-in-output",
                        format!(
                            "the source `{source}` and `{path}`, which an imported stage makes, lie in each other"
                        ),
                    );
                }
            }
        }
        for source in sources(&self.other.artifacts, true) {
            for path in ours.keys().filter(|path| **path != source) {
                if below(path, &source).is_some() {
                    say(
                        "output-in-source",
                        format!(
                            "`{path}`, which a node here makes, lies in `{source}`, which an imported stage reads"
                        ),
                    );
                }
            }
        }
    }

    /// One pipeline of both.
    fn whole(self) -> Pipeline {
        let Joiner { mut own, other, .. } = self;
        let shift = clamp(own.nodes.len());
        own.artifacts
            .extend(other.artifacts.into_iter().map(|artifact| Artifact {
                producer: artifact.producer.map(|producer| NodeId(producer.0 + shift)),
                ..artifact
            }));
        own.nodes.extend(other.nodes);
        own.allow_outside |= other.allow_outside;
        own
    }
}
