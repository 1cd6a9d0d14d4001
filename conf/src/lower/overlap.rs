//! Paths that must not share bytes: outputs, checkpoints, sources and the store; code and parameter files
//! are held against them in `overwritten`.
//!
//! All are sorted component by component, so that what lies inside a path follows it at once;
//! patterns are compared only with what lies below their literal beginning.

use std::cmp::Ordering;
use std::collections::HashSet;

use super::artifacts::Catalog;
use super::draft::Draft;
use super::{glob, paths};
use crate::diagnostic::Diagnostic;
use crate::findings::Findings;
use crate::name::Instance;
use crate::pipeline::{Node, Shape};
use crate::place::At;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Store,
    Source,
    Checkpoint,
    Output,
}

/// A path that something stands at.
#[derive(Debug)]
pub(crate) struct Claim<'a> {
    path: &'a str,
    role: Role,
    /// None for the store.
    name: Option<&'a Instance>,
    pub at: At,
    directory: bool,
    /// Index of the node's table, for outputs and checkpoints.
    draft: usize,
}

/// Says every pair that overlaps, once for each later path. `claims` are sorted by component.
pub(crate) fn check(claims: &[Claim<'_>], catalog: &Catalog, findings: &mut Findings) {
    let mut open: Vec<&Claim<'_>> = Vec::new();
    let mut said = HashSet::new();
    for claim in claims {
        while open.last().is_some_and(|o| !inside(claim.path, o.path)) {
            open.pop();
        }
        let clash = open
            .iter()
            .find_map(|outer| Some((outer, problem(outer, claim)?)));
        if let Some((outer, what)) = clash {
            let (first, second) = if outer.at <= claim.at {
                (*outer, claim)
            } else {
                (claim, *outer)
            };
            let what = if first.at == second.at {
                what
            } else {
                findings.related(what, first.at, &first.shown())
            };
            if said.insert((first.at, second.at, what.code)) {
                findings.say(second.at, what);
            }
        }
        if open
            .last()
            .is_none_or(|o| o.path != claim.path || o.role != claim.role)
        {
            open.push(claim);
        }
    }
    patterns(catalog, claims, findings);
}

impl Claim<'_> {
    /// Its name, for messages.
    pub fn shown(&self) -> String {
        self.name
            .map_or_else(|| "the store".to_owned(), ToString::to_string)
    }
}

/// Order by components: what lies inside a path follows it at once.
fn by_component(a: &str, b: &str) -> Ordering {
    let key = |b: u8| if b == b'/' { 0 } else { b };
    a.bytes().map(key).cmp(b.bytes().map(key))
}

/// What stands where, sorted by component: what lies inside a path follows it at once.
pub(crate) fn claims<'a>(
    drafts: &[Draft<'_>],
    catalog: &'a Catalog,
    nodes: &'a [Node],
    store: Option<&'a (paths::Clean, At)>,
) -> Vec<Claim<'a>> {
    let mut out = Vec::new();
    let of_node = |node: u32| {
        drafts
            .partition_point(|d| d.first <= node)
            .saturating_sub(1)
    };
    for (artifact, at) in catalog.artifacts.iter().zip(&catalog.path_at) {
        if artifact.shape == Shape::Glob {
            continue;
        }
        out.push(Claim {
            path: &artifact.path,
            role: if artifact.producer.is_some() {
                Role::Output
            } else {
                Role::Source
            },
            name: Some(&artifact.name),
            at: *at,
            directory: artifact.shape == Shape::Directory,
            draft: artifact.producer.map_or(usize::MAX, |n| of_node(n.0)),
        });
    }
    for (index, node) in nodes.iter().enumerate() {
        let draft = of_node(crate::place::clamp(index));
        if let Some(path) = &node.checkpoint
            && let Some(at) = drafts
                .get(draft)
                .and_then(|d| d.table.get("checkpoint"))
                .map(|i| i.at)
        {
            let name = Some(&node.name);
            out.push(Claim {
                path,
                role: Role::Checkpoint,
                name,
                at,
                directory: true,
                draft,
            });
        }
    }
    if let Some((store, at)) = store {
        out.push(Claim {
            path: &store.text,
            role: Role::Store,
            name: None,
            at: *at,
            directory: true,
            draft: usize::MAX,
        });
    }
    out.sort_by(|a, b| {
        by_component(a.path, b.path)
            .then((a.role as u8).cmp(&(b.role as u8)))
            .then(a.at.cmp(&b.at))
    });
    out
}

/// Equal to, or below.
fn inside(path: &str, outer: &str) -> bool {
    path.strip_prefix(outer)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// What is wrong with `inner` being at or inside `outer`.
fn problem(outer: &Claim<'_>, inner: &Claim<'_>) -> Option<Diagnostic> {
    let equal = outer.path == inner.path;
    let (o, i) = (&outer.shown(), &inner.shown());
    Some(match (outer.role, inner.role) {
        (Role::Source | Role::Store, Role::Source) | (Role::Store, Role::Store) => return None,
        (Role::Source, Role::Store) => return None,
        (Role::Store, _) => Diagnostic::error(
            "reserved-path",
            format!("the path of `{i}` lies in the store"),
        ),
        (_, Role::Store) => Diagnostic::error(
            "reserved-path",
            format!("the store lies in the path of `{o}`"),
        ),
        (Role::Checkpoint, Role::Checkpoint) => {
            let message = format!(
                "`{o}` and `{i}` have the same checkpoint directory, or one inside the other"
            );
            matrix_help(
                outer,
                inner,
                Diagnostic::error("checkpoint-overlap", message),
            )
        }
        (Role::Checkpoint, _) => Diagnostic::error(
            "checkpoint-overlap",
            format!("`{i}` lies in the checkpoint of `{o}`"),
        ),
        (_, Role::Checkpoint) => Diagnostic::error(
            "checkpoint-overlap",
            format!("the checkpoint of `{i}` lies in `{o}`"),
        ),
        (Role::Output, Role::Output) if equal => {
            let message = format!(
                "`{o}` and `{i}` are written to the same path `{}`",
                inner.path
            );
            matrix_help(outer, inner, Diagnostic::error("same-path", message))
        }
        (Role::Output, Role::Output) => {
            let message = format!("the output `{i}` lies inside the output `{o}`");
            matrix_help(outer, inner, Diagnostic::error("output-in-output", message))
        }
        (Role::Source, Role::Output) if equal => Diagnostic::error(
            "output-in-source",
            format!("the output `{i}` is written over the source `{o}`"),
        ),
        (Role::Source, Role::Output) => Diagnostic::error(
            "output-in-source",
            format!("the output `{i}` lies inside the source `{o}`"),
        )
        .help("a source changes only by hand: write the output elsewhere"),
        (Role::Output, Role::Source) => Diagnostic::error(
            "source-in-output",
            format!("the source `{i}` lies inside the output `{o}`"),
        ),
    })
}

fn matrix_help(outer: &Claim<'_>, inner: &Claim<'_>, what: Diagnostic) -> Diagnostic {
    if outer.draft == inner.draft && outer.at == inner.at {
        return what.help("put {{matrix}} into the path, so that each instance has its own");
    }
    what
}

/// Patterns against what nodes write.
fn patterns(catalog: &Catalog, claims: &[Claim<'_>], findings: &mut Findings) {
    let sources = catalog
        .artifacts
        .iter()
        .zip(&catalog.path_at)
        .filter(|(a, _)| a.shape == Shape::Glob);
    for (source, at) in sources {
        for found in reached(claims, &source.path) {
            let code = if found.around {
                "source-in-output"
            } else {
                "output-in-source"
            };
            let message = format!(
                "the source `{}` ({}) takes in what `{}` writes",
                source.name,
                source.path,
                found.claim.shown()
            );
            let what = findings.related(
                Diagnostic::error(code, message),
                *at,
                &source.name.to_string(),
            );
            findings.say(
                found.claim.at,
                what.help("write the output elsewhere, or narrow the pattern"),
            );
        }
    }
}

/// Something that a node writes where a pattern reads.
pub(crate) struct Reached<'c, 'a> {
    pub claim: &'c Claim<'a>,
    /// All that the pattern could match lies inside it.
    around: bool,
}

/// The outputs and checkpoints that a pattern, or the path of a file or directory, takes in or lies in.
/// `claims` are sorted by component.
pub(crate) fn reached<'c, 'a>(claims: &'c [Claim<'a>], text: &str) -> Vec<Reached<'c, 'a>> {
    let pattern = paths::is_glob(text).then(|| glob::Pattern::new(text));
    let base = glob::base(text);
    let from = claims.partition_point(|c| !base.is_empty() && by_component(c.path, base).is_lt());
    let below = claims[from..]
        .iter()
        .take_while(move |c| base.is_empty() || inside(c.path, base));
    let above = ancestors(base).flat_map(move |path| {
        let at = claims.partition_point(|c| by_component(c.path, path).is_lt());
        claims[at..].iter().take_while(move |c| c.path == path)
    });
    let written = |c: &&Claim<'_>| matches!(c.role, Role::Output | Role::Checkpoint);
    let found = below.chain(above).filter(written).filter_map(move |claim| {
        let around = claim.path.len() < base.len();
        // A path without a pattern takes in all that lies in it.
        let taken = pattern
            .as_ref()
            .is_none_or(|pattern| pattern.reaches(claim.path, claim.directory));
        (around || taken).then_some(Reached { claim, around })
    });
    found.collect()
}

/// The proper ancestors of a path.
fn ancestors(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/')
        .map(move |(i, _)| &path[..i])
        .filter(|p| !p.is_empty())
}
