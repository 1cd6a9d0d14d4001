//! The end of a run: the project shows what was judged, and nothing else in its place.
//!
//! What was asked for is laid out; what was judged but not asked for stays if it is right and goes if it is
//! not; what is ephemeral goes, kept aside only while the run that needs it is not finished.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use jalon_conf::pipeline::{Artifact, ArtifactId, Keep, NodeId};
use jalon_store::content::Content;
use jalon_store::error::IngestError;
use rayon::prelude::*;

use super::attempt::Shop;
use super::{Materialise, Options};
use crate::event::{Body, Problem};
use crate::graph::Graph;
use crate::schedule::State;
use crate::workspace::{PublishError, Workspace};

/// What the loop came to.
pub struct Settled<'a> {
    /// By node.
    pub states: &'a [State],
    /// By artifact.
    pub contents: &'a [Option<Content>],
}

/// How bringing the project into order went.
pub struct Order {
    /// What could not be done.
    pub problem: Option<Problem>,
    /// Nothing had to be done.
    pub at_rest: bool,
}

/// Whether this is what the next run of these options would leave there without another look elsewhere.
fn is_at_rest(
    options: &Options,
    id: ArtifactId,
    artifact: &Artifact,
    content: &Content,
    current: Option<Content>,
) -> bool {
    // Whether bytes that are asked for and not laid out are still in the store is another question.
    let wanted = options.selection.wanted[id.0 as usize] || options.materialise == Materialise::All;
    let wanted = wanted && (!artifact.private || artifact.versions.is_some());
    match (artifact.keep, current) {
        (Keep::Run, current) => current.is_none(),
        (Keep::Store, Some(current)) => current == *content,
        (Keep::Store, None) => !wanted,
    }
}

/// Whether the project is as a run that judged this leaves it; looks, and changes nothing. Of a node that `stands` it
/// is known.
pub fn rests(
    graph: &Graph,
    workspace: &Workspace,
    options: &Options,
    contents: &[Option<Content>],
    stands: impl Fn(NodeId) -> bool + Sync,
) -> bool {
    let artifacts = &graph.pipeline().artifacts;
    artifacts.par_iter().enumerate().all(|(at, artifact)| {
        let id = ArtifactId(at as u32);
        let (Some(producer), Some(content)) = (artifact.producer, &contents[at]) else {
            return true;
        };
        if stands(producer) {
            return true;
        }
        let Ok(current) = workspace.held(artifact) else {
            return false;
        };
        let gone = artifact.keep == Keep::Run || artifact.private;
        is_at_rest(options, id, artifact, content, current)
            && (!gone || workspace.is_vacant(&artifact.path))
    })
}

/// Brings the project into order; the first thing that could not be done, if any. `whole` says that
/// everything asked for was made. Whether there was nothing to do, and nothing to look at elsewhere, is
/// `at_rest`.
pub fn settle(shop: &Shop<'_>, options: &Options, settled: &Settled<'_>, whole: bool) -> Order {
    let at_rest = AtomicBool::new(true);
    let artifacts = &shop.project.graph.pipeline().artifacts;
    let first: Mutex<Option<(usize, Problem)>> = Mutex::new(None);
    artifacts.par_iter().enumerate().for_each(|(at, artifact)| {
        let Some(producer) = artifact.producer else {
            return;
        };
        let (State::Hit | State::Ran, Some(content)) =
            (settled.states[producer.0 as usize], settled.contents[at])
        else {
            return;
        };
        let id = ArtifactId(at as u32);
        let current = shop.workspace.held(artifact);
        let known = current.as_ref().ok().copied();
        if known.is_none_or(|known| !is_at_rest(options, id, artifact, &content, known)) {
            at_rest.store(false, Ordering::Relaxed);
        }
        let result = match artifact.keep {
            Keep::Store if artifact.private => {
                let asked = options.selection.wanted[id.0 as usize];
                private(shop, options, asked, artifact, &content, current)
            }
            Keep::Run => ephemeral(shop, artifact, &content, current.ok().flatten(), whole),
            Keep::Store => {
                let state = settled.states[producer.0 as usize];
                let asked = options.selection.wanted[id.0 as usize];
                kept(shop, options, asked, artifact, &content, current, state)
            }
        };
        if let Err(error) = result {
            let problem = Problem {
                code: "workspace".into(),
                message: format!("{}: {error}", artifact.name),
                help: String::new(),
            };
            let mut first = first
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            if first.as_ref().is_none_or(|(before, _)| at < *before) {
                *first = Some((at, problem));
            }
        }
    });
    let first = first
        .into_inner()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    Order {
        problem: first.map(|(_, problem)| problem),
        at_rest: at_rest.into_inner() && !shop.workspace.is_touched(),
    }
}

fn kept(
    shop: &Shop<'_>,
    options: &Options,
    asked: bool,
    artifact: &Artifact,
    content: &Content,
    current: Result<Option<Content>, IngestError>,
    state: State,
) -> Result<(), PublishError> {
    if matches!(current, Ok(Some(current)) if current == *content) {
        return Ok(());
    }
    let wanted = match options.materialise {
        Materialise::All => true,
        Materialise::None => false,
        Materialise::Targets => asked,
    };
    // What just ran was laid out by the node itself: if it differs now, somebody changed it since.
    let wanted = wanted
        || artifact.stateful
        || (state == State::Ran && options.materialise != Materialise::None);
    if !wanted || (!shop.store.has_content(content) && shop.store.is_read_only()) {
        // What cannot be read is not the right content either; clearing says what is wrong with it.
        if !matches!(current, Ok(None)) {
            shop.rescued(shop.workspace.clear(&artifact.path)?);
        }
        return Ok(());
    }
    let laid = shop.workspace.lay(&artifact.path, content)?;
    shop.rescued(laid.rescued);
    if laid.written {
        let (artifact, path) = (artifact.name.to_string(), artifact.path.clone());
        shop.bus.emit(Body::ArtifactMaterialised { artifact, path });
    }
    Ok(())
}

/// What is laid out for nodes only goes; of versions the newest is to be the right one, and none is ever taken away.
fn private(
    shop: &Shop<'_>,
    options: &Options,
    asked: bool,
    artifact: &Artifact,
    content: &Content,
    current: Result<Option<Content>, IngestError>,
) -> Result<(), PublishError> {
    let right = matches!(current, Ok(Some(current)) if current == *content);
    let wanted = match options.materialise {
        Materialise::All => true,
        Materialise::None => false,
        Materialise::Targets => asked,
    };
    if artifact.versions.is_some()
        && wanted
        && !right
        && artifact.load_version.is_none()
        && shop.store.has_content(content)
    {
        shop.lay(artifact, content)?;
    }
    // It is in the store, or can be made again.
    shop.workspace.may_discard(*content);
    shop.workspace.clear(&artifact.path).map(|_| ())
}

/// Gone after the run; but a run that is to be resumed must not make it again, so its bytes are kept then.
fn ephemeral(
    shop: &Shop<'_>,
    artifact: &Artifact,
    content: &Content,
    current: Option<Content>,
    whole: bool,
) -> Result<(), PublishError> {
    if current == Some(*content) {
        if !whole && !shop.store.has_content(content) && !shop.store.is_read_only() {
            let place = shop.project.root.join(&artifact.path);
            if let Err(error) = shop.workspace.ingest(&place) {
                // Left where it is, the next run finds it there.
                shop.bus.notice(
                    "not-kept",
                    format!("{} cannot be kept for the next run: {error}", artifact.name),
                );
                return Ok(());
            }
        }
        shop.workspace.may_discard(*content);
    }
    shop.rescued(shop.workspace.clear(&artifact.path)?);
    Ok(())
}
