//! Whom a change reaches: of a pipeline, what it takes to tell that without reading its nodes.

use std::path::{Component, Path, PathBuf};

use jalon_conf::pipeline::{Keep, Shape};
use serde::{Deserialize, Serialize};

use crate::graph::{Graph, Selection};
use crate::observe::{self, Paths};
use crate::run::Materialise;
use crate::workspace::glob::{self, Pattern};

/// See the module. Nodes and artifacts are the numbers of the pipeline's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reach<'a> {
    /// By node: what it reads.
    pub reads: Lists,
    /// By node: what it makes.
    pub makes: Lists,
    /// By node: those that it only comes after.
    pub after: Lists,
    /// By artifact: who makes it.
    pub producers: Vec<Option<u32>>,
    /// By node: it was asked for, or is needed.
    pub selected: Vec<bool>,
    /// By artifact: its bytes were asked for.
    pub wanted: Vec<bool>,
    /// By artifact: a run leaves it where it belongs, so that it is there as long as nothing changes.
    pub laid: Vec<bool>,
    /// The outputs' paths.
    pub outputs: Paths,
    /// What some node tells its processes in confidence.
    pub secrets: Vec<String>,
    /// Some node sees the whole environment.
    pub sees_all: bool,
    /// What is declared to be read.
    #[serde(borrow)]
    watched: Vec<Watched<'a>>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Watched<'a> {
    path: &'a str,
    /// A pattern, else a path with all that is below it.
    pattern: bool,
    by: Vec<u32>,
}

/// Numbers by number.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Lists {
    ends: Vec<u32>,
    all: Vec<u32>,
}

impl Lists {
    fn new<I: Iterator<Item = u32>>(lists: impl Iterator<Item = I>) -> Option<Lists> {
        let mut to = Lists::default();
        for list in lists {
            to.all.extend(list);
            to.ends.push(u32::try_from(to.all.len()).ok()?);
        }
        Some(to)
    }

    /// A list; an empty one where there is none.
    pub fn get(&self, at: u32) -> &[u32] {
        let at = at as usize;
        let begin = at
            .checked_sub(1)
            .map_or(Some(0), |it| self.ends.get(it).copied());
        let range = begin.zip(self.ends.get(at).copied());
        let list = range.and_then(|(begin, end)| self.all.get(begin as usize..end as usize));
        list.unwrap_or_default()
    }

    fn len(&self) -> usize {
        self.ends.len()
    }

    /// By number that occurs: where.
    fn turned(&self, count: usize) -> Lists {
        let mut ends = vec![0; count + 1];
        let known = |it: &&u32| (**it as usize) < count;
        for one in self.all.iter().filter(known) {
            ends[*one as usize + 1] += 1;
        }
        for at in 1..ends.len() {
            ends[at] += ends[at - 1];
        }
        let mut all = vec![0; ends[count] as usize];
        for at in 0..self.len() as u32 {
            for one in self.get(at).iter().filter(known) {
                let place = &mut ends[*one as usize];
                all[*place as usize] = at;
                *place += 1;
            }
        }
        // Each begin has moved to its end by now.
        ends.pop();
        Lists { ends, all }
    }
}

impl<'a> Reach<'a> {
    /// Of a pipeline of which this is selected; nothing where it is too large to be numbered.
    pub fn of(
        graph: &'a Graph,
        selection: &Selection,
        materialise: Materialise,
    ) -> Option<Reach<'a>> {
        let (nodes, artifacts) = (&graph.pipeline().nodes, &graph.pipeline().artifacts);
        let ids = || (0..graph.len() as u32).map(jalon_conf::pipeline::NodeId);
        let mut secrets: Vec<String> = nodes
            .iter()
            .flat_map(|node| node.secrets.iter().map(|(name, _)| name.clone()))
            .collect();
        secrets.sort();
        secrets.dedup();
        let is_laid = |(artifact, wanted): (&jalon_conf::pipeline::Artifact, &bool)| {
            let asked = *wanted || materialise == Materialise::All;
            asked
                && artifact.keep == Keep::Store
                && !artifact.private
                && artifact.versions.is_none()
        };
        let reads = Lists::new(ids().map(|id| graph.reads(id).map(|it| it.0)))?;
        Some(Reach {
            makes: Lists::new(ids().map(|id| graph.makes(id).map(|it| it.0)))?,
            after: Lists::new(nodes.iter().map(|node| node.after.iter().map(|it| it.0)))?,
            producers: artifacts
                .iter()
                .map(|it| it.producer.map(|it| it.0))
                .collect(),
            selected: selection.selected.clone(),
            wanted: selection.wanted.clone(),
            laid: artifacts
                .iter()
                .zip(&selection.wanted)
                .map(is_laid)
                .collect(),
            outputs: observe::paths(graph)?,
            secrets,
            sees_all: nodes
                .iter()
                .any(|node| node.pass_env.iter().any(|name| name == "*")),
            watched: watched(graph, &reads),
            reads,
        })
    }

    /// Whether its lists are as long as they must be: they were read from a file.
    pub fn is_sound(&self, nodes: usize, artifacts: usize) -> bool {
        [
            self.reads.len(),
            self.makes.len(),
            self.after.len(),
            self.selected.len(),
        ]
        .iter()
        .all(|length| *length == nodes)
            && [self.producers.len(), self.wanted.len(), self.laid.len()]
                .iter()
                .all(|length| *length == artifacts)
            && self.outputs.are_sound()
    }

    /// The nodes that changes of these files reach, sorted; nothing where it is not known who reads one of them.
    pub fn of_changes(&self, changed: &[&Path]) -> Option<Vec<u32>> {
        let mut reached = vec![false; self.selected.len()];
        let mut open: Vec<u32> = Vec::new();
        for path in changed {
            let before = open.len();
            let by = self.watched.iter().filter(|it| it.covers(path));
            open.extend(by.flat_map(|it| &it.by));
            if open.len() == before {
                return None;
            }
        }
        let readers = self.reads.turned(self.producers.len());
        let followers = self.after.turned(self.selected.len());
        while let Some(node) = open.pop() {
            let at = node as usize;
            if !*self.selected.get(at)? || std::mem::replace(&mut reached[at], true) {
                continue;
            }
            let made = self.makes.get(node).iter();
            open.extend(made.flat_map(|artifact| readers.get(*artifact)));
            open.extend(followers.get(node));
        }
        let reached = (0..).zip(reached).filter(|(_, reached)| *reached);
        Some(reached.map(|(node, _)| node).collect())
    }
}

impl Watched<'_> {
    fn covers(&self, path: &Path) -> bool {
        if self.pattern {
            // Who is to be asked needlessly is only judged needlessly.
            return Pattern::new(self.path).map_or(true, |pattern| pattern.covers(path));
        }
        let own: PathBuf = Path::new(self.path)
            .components()
            .filter(|part| *part != Component::CurDir)
            .collect();
        path.starts_with(own)
    }
}

/// Sources and code, with the nodes that read them.
fn watched<'g>(graph: &'g Graph, reads: &Lists) -> Vec<Watched<'g>> {
    let artifacts = &graph.pipeline().artifacts;
    let readers = reads.turned(artifacts.len());
    let mut all = Vec::new();
    for (artifact, at) in artifacts.iter().zip(0..) {
        let by = readers.get(at);
        if artifact.producer.is_some() || by.is_empty() {
            continue;
        }
        let paths = [Some(&artifact.path), artifact.versions.as_ref()];
        all.extend(paths.into_iter().flatten().map(|path| Watched {
            path,
            pattern: artifact.shape == Shape::Glob,
            by: by.to_vec(),
        }));
    }
    let mut code: rustc_hash::FxHashMap<&str, Vec<u32>> = rustc_hash::FxHashMap::default();
    for (node, at) in graph.pipeline().nodes.iter().zip(0..) {
        for (pattern, _) in &node.code {
            code.entry(pattern).or_default().push(at);
        }
    }
    all.extend(code.into_iter().map(|(path, by)| Watched {
        path,
        pattern: glob::is_pattern(path),
        by,
    }));
    all.sort_by_key(|it| it.path);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lists(lists: &[&[u32]]) -> Lists {
        Lists::new(lists.iter().map(|list| list.iter().copied())).expect("they are short")
    }

    #[test]
    fn a_list_turned_tells_where_each_occurs() {
        let turned = lists(&[&[1, 2], &[], &[2, 0, 9]]).turned(4);
        let all: Vec<&[u32]> = (0..4).map(|at| turned.get(at)).collect();
        assert_eq!(all, [&[2][..], &[0], &[0, 2], &[]]);
        assert!(turned.get(4).is_empty());
        assert!(lists(&[]).turned(0).get(0).is_empty());
    }

    /// a reads s and makes x; b reads x and comes after c; c reads the files below d; e was not asked for.
    fn reach() -> Reach<'static> {
        let watched = |path, pattern, by: &[u32]| Watched {
            path,
            pattern,
            by: by.to_vec(),
        };
        Reach {
            reads: lists(&[&[0], &[2], &[1], &[2]]),
            makes: lists(&[&[2], &[], &[], &[]]),
            after: lists(&[&[], &[2], &[], &[]]),
            producers: vec![None, None, Some(0)],
            selected: vec![true, true, true, false],
            wanted: vec![false; 3],
            laid: vec![false; 3],
            outputs: Paths::default(),
            secrets: Vec::new(),
            sees_all: false,
            watched: vec![
                watched("s", false, &[0]),
                watched("d", false, &[2]),
                watched("code/*.py", true, &[1]),
            ],
        }
    }

    #[test]
    fn a_change_reaches_who_reads_it_and_all_that_comes_after() {
        let reach = reach();
        assert!(reach.is_sound(4, 3));
        for (changed, expected) in [
            (vec!["s"], Some(vec![0, 1])),
            (vec!["d/x"], Some(vec![1, 2])),
            (vec!["code/m.py"], Some(vec![1])),
            (vec!["s", "d/y/z"], Some(vec![0, 1, 2])),
            (vec!["code/m.txt"], None),
            (vec!["s", "elsewhere"], None),
            (vec!["sx"], None),
            (vec!["all/x"], None),
            (vec![], Some(vec![])),
        ] {
            let paths: Vec<&Path> = changed.iter().map(Path::new).collect();
            assert_eq!(reach.of_changes(&paths), expected, "{changed:?}");
        }
    }
}
