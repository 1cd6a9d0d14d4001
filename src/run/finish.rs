//! The end of a run: the project shows what was judged, and nothing else in its place.
//!
//! What was asked for is laid out; what was judged but not asked for stays if it is right and goes if it is
//! not; what is ephemeral goes, kept aside only while the run that needs it is not finished.

use std::sync::Mutex;

use jalon_conf::pipeline::{Artifact, ArtifactId, Keep};
use jalon_store::content::Content;
use rayon::prelude::*;

use super::attempt::Shop;
use super::{Materialise, Options};
use crate::event::{Body, Problem};
use crate::schedule::State;
use crate::workspace::PublishError;

/// What the loop came to.
pub struct Settled<'a> {
    /// By node.
    pub states: &'a [State],
    /// By artifact.
    pub contents: &'a [Option<Content>],
}

/// Brings the project into order; the first thing that could not be done, if any. `whole` says that
/// everything asked for was made.
pub fn settle(
    shop: &Shop<'_>,
    options: &Options,
    settled: &Settled<'_>,
    whole: bool,
) -> Option<Problem> {
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
        let result = match artifact.keep {
            Keep::Run => ephemeral(shop, artifact, &content, whole),
            Keep::Store => kept(
                shop,
                options,
                id,
                artifact,
                &content,
                settled.states[producer.0 as usize],
            ),
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
    first
        .into_inner()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
        .map(|(_, problem)| problem)
}

fn kept(
    shop: &Shop<'_>,
    options: &Options,
    id: ArtifactId,
    artifact: &Artifact,
    content: &Content,
    state: State,
) -> Result<(), PublishError> {
    let current = shop.workspace.current(&artifact.path);
    if matches!(current, Ok(Some(current)) if current == *content) {
        return Ok(());
    }
    let wanted = match options.materialise {
        Materialise::All => true,
        Materialise::None => false,
        Materialise::Targets => options.selection.wanted[id.0 as usize],
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

/// Gone after the run; but a run that is to be resumed must not make it again, so its bytes are kept then.
fn ephemeral(
    shop: &Shop<'_>,
    artifact: &Artifact,
    content: &Content,
    whole: bool,
) -> Result<(), PublishError> {
    let current = shop.workspace.current(&artifact.path).ok().flatten();
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
