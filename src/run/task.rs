//! Running a node of a Kedro project: what the session is asked, and what its result says.
//!
//! Knows which datasets lie in files of jalon's own; nothing of how they are read.

use std::path::{Path, PathBuf};
use std::sync::PoisonError;
use std::time::Instant;

use jalon_conf::pipeline::{ArtifactId, Command, Node, NodeId, Task};
use jalon_store::content::Content;
use serde_json::{Map, Value as Json, json};

use super::attempt::{Job, Shop, Stopped};
use super::drive;
use super::failure::Failure;
use crate::event::{Problem, Status};
use crate::plan;
use crate::schedule::State;
use crate::stand_in;
use crate::worker::loader::{LoadFailure, Loader};
use crate::worker::process::{Ended, GRACE, Request};
use crate::worker::session::SessionError;
use crate::worker::transcript::Transcript;
use crate::workspace::PRIVATE_DIRECTORY;

impl Shop<'_> {
    /// Has a node run by the session, which is started if it is the first.
    ///
    /// # Errors
    /// There is no session to be had, or the run was stopped.
    pub(super) fn task(
        &self,
        job: &Job,
        node: &Node,
        task: &Task,
        request: &Request<'_>,
        transcript: &mut Transcript,
        live: &mut dyn FnMut(u8, &[u8]),
    ) -> Result<Ended, Stopped> {
        let Some(loader) = &self.project.loader else {
            let message = "the project of this node is not loaded";
            return Err(Failure::new("load", message, "").into());
        };
        let session = loader
            .begun(&|| self.cancel.raised())
            .map_err(|failure| not_loaded(failure, loader))?;
        let result = self.result(node);
        let prepared = result.parent().map_or(Ok(()), std::fs::create_dir_all);
        let prepared = prepared.and_then(|()| match std::fs::remove_file(&result) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        });
        if let Err(error) = prepared {
            let message = format!("cannot write below {PRIVATE_DIRECTORY}: {error}");
            return Err(Failure::new("workspace", message, "").into());
        }
        let message = self.asked(job, node, task, &result);
        let lifeline = self.lifeline.as_ref();
        Ok(session.execute(message, request, self.cancel, lifeline, transcript, live))
    }

    fn asked(&self, job: &Job, node: &Node, task: &Task, result: &Path) -> Json {
        let (remade, _) = self.remade(job);
        let (mut given, mut taken, mut copies) = (Map::new(), Map::new(), Map::new());
        let place = |path: &str| Json::from(self.project.root.join(path).to_string_lossy());
        let makers = remade.iter().map(|&id| self.graph().node(id));
        for input in makers.clone().chain([node]).flat_map(|node| &node.inputs) {
            for &id in &input.artifacts {
                let artifact = self.graph().artifact(id);
                if artifact.private && artifact.versions.is_none() {
                    given.insert(input.alias.clone(), place(&artifact.path));
                }
            }
        }
        let remake = makers.filter_map(|node| match &node.command {
            Command::Task(task) => Some(Json::from(task.node.clone())),
            _ => None,
        });
        for output in &node.outputs {
            let artifact = self.graph().artifact(output.artifact);
            if artifact.versions.is_some() {
                copies.insert(output.alias.clone(), place(&artifact.path));
            } else if artifact.private {
                taken.insert(output.alias.clone(), place(&artifact.path));
            }
        }
        json!({
            "node": task.node,
            "result": result.to_string_lossy(),
            "memory_in": given,
            "memory_out": taken,
            "copies": copies,
            "own_process": task.own_process,
            "hands_on": task.hands_on,
            "save": task.saves,
            "remake": remake.collect::<Vec<_>>(),
            "key": job.judged.weak.to_string(),
        })
    }

    /// Where the session writes what came of a node.
    fn result(&self, node: &Node) -> PathBuf {
        let name =
            jalon_store::digest::BlobDigest::of(node.name.to_string().as_bytes()).to_string();
        let private = self.project.root.join(PRIVATE_DIRECTORY);
        let live = private.join("live").join(self.bus.run());
        live.join(format!("{}.result.json", &name[..16]))
    }

    /// What came of a node of Kedro's.
    fn answer(&self, node: &Node) -> Json {
        let told = std::fs::read(self.result(node)).ok();
        let told = told.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        told.unwrap_or(Json::Null)
    }

    /// A failure with the message that Kedro shows.
    pub(super) fn in_its_own_words(&self, node: &Node, mut failure: Box<Failure>) -> Box<Failure> {
        if !matches!(node.command, Command::Task(_)) {
            return failure;
        }
        let told = self.answer(node);
        let error = &told["error"];
        if let (Some(kind), Some(message)) = (error["type"].as_str(), error["message"].as_str()) {
            failure.problem.message = format!("{kind}: {message}");
            let mut first = self
                .first_error
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            first.get_or_insert_with(|| error.clone());
        }
        failure
    }

    /// Says of what a node gave that only its kind of process can hold it.
    pub(super) fn tell_what_is_not_kept(&self, node: &Node) {
        if !matches!(node.command, Command::Task(_)) {
            return;
        }
        let told = self.answer(node);
        for (name, why) in told["unpicklable"].as_object().into_iter().flatten() {
            let why = why.as_str().unwrap_or_default();
            let text = format!(
                "{name} lives in memory only ({why}): each node that reads it has {} run again in its own process",
                node.name
            );
            self.bus.notice("in-memory-only", text);
        }
    }

    /// The nodes whose results live in memory only and that a node reads, directly or by way of each other, in the order in
    /// which they are to be run again; and what these read.
    pub(super) fn remade(&self, job: &Job) -> (Vec<NodeId>, Vec<(ArtifactId, Content)>) {
        let (mut order, mut reads) = (Vec::new(), Vec::new());
        if matches!(self.graph().node(job.node).command, Command::Task(_)) {
            self.remake(&job.inputs, &mut order, &mut reads);
        }
        (order, reads)
    }

    fn remake(
        &self,
        inputs: &[(ArtifactId, Content)],
        order: &mut Vec<NodeId>,
        reads: &mut Vec<(ArtifactId, Content)>,
    ) {
        for (id, content) in inputs {
            let Some(producer) = self.graph().artifact(*id).producer else {
                continue;
            };
            if order.contains(&producer) || !self.is_stand_in(*id, content) {
                continue;
            }
            let given = {
                let all = self.given.lock().unwrap_or_else(PoisonError::into_inner);
                all.get(&producer).cloned().unwrap_or_default()
            };
            self.remake(&given, order, reads);
            reads.extend(given);
            order.push(producer);
        }
    }

    /// Whether a content stands for an object that could not be kept.
    fn is_stand_in(&self, id: ArtifactId, content: &Content) -> bool {
        self.graph().artifact(id).private && stand_in::is_one(self.store, content)
    }

    /// Ends the run for the session, if there is one; what went wrong in its hooks.
    pub(super) fn end_session(
        &self,
        status: Status,
        error: Option<&Problem>,
        ended: &drive::Ended,
        asked: bool,
    ) -> Option<Problem> {
        let told_of_hits = self.graph().pipeline().loaded.hooks_on_hit;
        let loader = self
            .project
            .loader
            .as_ref()
            .filter(|loader| asked || told_of_hits || loader.is_loaded())?;
        let memory = match status {
            Status::Succeeded => self.terminal(&ended.contents),
            _ => Json::Null,
        };
        let hits = match told_of_hits {
            true => self.hits(ended),
            false => Vec::new(),
        };
        let first = self
            .first_error
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let error = first
            .clone()
            .or_else(|| error.map(|error| json!({"message": error.message})));
        // Hooks may take their time, but not for ever where somebody wants to leave.
        let began = Instant::now();
        let cancelled = || self.cancel.raised() && began.elapsed() > GRACE;
        let finished = loader.begun(&cancelled).and_then(|_| {
            let how =
                json!({"status": status.word(), "error": error, "memory": memory, "hits": hits});
            loader.finish(&how, &cancelled)
        });
        match finished {
            Ok(told) => {
                for (node, why) in told["skipped"].as_object().into_iter().flatten() {
                    let why = why.as_str().unwrap_or_default();
                    let text = format!("hooks were not called for {node}, which was reused: {why}");
                    self.bus.notice(plan::SILENT, text);
                }
                None
            }
            Err(failure) => match not_loaded(failure, loader) {
                Stopped::Failed(failure) => Some(failure.problem),
                _ => None,
            },
        }
    }

    /// The nodes that were reused, in order, with the places of what they read and made, laid out for their hooks.
    fn hits(&self, ended: &drive::Ended) -> Vec<Json> {
        let graph = self.graph();
        let reused = graph.order().iter().copied();
        let reused = reused.filter(|node| ended.states[node.0 as usize] == State::Hit);
        let mut all = Vec::new();
        for id in reused {
            let node = graph.node(id);
            let Command::Task(task) = &node.command else {
                continue;
            };
            if task.saves.is_some() || task.beyond {
                continue;
            }
            let inputs = node.inputs.iter().flat_map(|input| {
                let artifacts = input.artifacts.iter();
                artifacts.map(|&artifact| (&input.alias, artifact))
            });
            let outputs = node.outputs.iter();
            let outputs = outputs.map(|output| (&output.alias, output.artifact));
            let mut memory = Map::new();
            for (alias, id) in inputs.chain(outputs) {
                let artifact = graph.artifact(id);
                if let (Some(content), Some(_)) =
                    (&ended.contents[id.0 as usize], artifact.producer)
                {
                    // What cannot be laid out is missed by whoever loads it, and said then.
                    let _ = self.lay(artifact, content);
                }
                if artifact.private && artifact.versions.is_none() {
                    let place = self.project.root.join(&artifact.path);
                    memory.insert(alias.clone(), place.to_string_lossy().into());
                }
            }
            all.push(json!({"node": task.node, "memory": memory}));
        }
        all
    }

    /// What is in memory when a run of Kedro's ends, laid out for its hooks.
    fn terminal(&self, contents: &[Option<Content>]) -> Json {
        let graph = self.graph();
        let mut read = vec![false; contents.len()];
        for node in 0..graph.len() as u32 {
            graph
                .reads(NodeId(node))
                .for_each(|id| read[id.0 as usize] = true);
        }
        let artifacts = graph.pipeline().artifacts.iter().enumerate();
        let mut memory = Map::new();
        for (at, artifact) in artifacts {
            let (false, true, None) = (read[at], artifact.private, &artifact.versions) else {
                continue;
            };
            if let Some(content) = &contents[at]
                && self.lay(artifact, content).is_ok()
            {
                let place = self.project.root.join(&artifact.path);
                memory.insert(artifact.name.to_string(), place.to_string_lossy().into());
            }
        }
        memory.into()
    }
}

/// Why there is no session.
fn not_loaded(failure: LoadFailure, loader: &Loader) -> Stopped {
    let failure = match failure {
        LoadFailure::Refused {
            code,
            message,
            help,
            traceback,
        } => {
            let mut failure = Failure::new(&code, message, help);
            failure.tail = traceback;
            failure
        }
        LoadFailure::Silent(SessionError::Cancelled) => return Stopped::Cancelled,
        LoadFailure::Silent(SessionError::NotStarted(error)) => {
            let program = loader
                .argv
                .first()
                .map(|it| it.to_string_lossy())
                .unwrap_or_default();
            Failure::new("spawn", format!("{program} cannot be started: {error}"), "")
        }
        LoadFailure::Silent(SessionError::Ended(why)) => Failure::new("session-ended", why, ""),
    };
    failure.into()
}
