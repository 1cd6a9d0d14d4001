//! After a node succeeded: its outputs taken, its inputs looked at again, its outcome kept.

use std::time::Duration;

use jalon_conf::pipeline::{Keep, Node, Output};
use jalon_remote::Parcel;
use jalon_store::action::{Derivation, Field, PathEntry, Seen, strong_key};
use jalon_store::digest::BlobDigest;
use jalon_store::error::{IngestError, WriteError};
use jalon_store::outcome::{
    ActionRecord, Attestation, Cost, Explanation, Made, NamedContent, Outcome,
};

use super::attempt::{Job, Ran, Shop};
use super::failure::Failure;
use super::observed::paths;
use crate::action::{content_value, field};
use crate::commit;
use crate::judge::is_cached;
use crate::observe::Folded;
use crate::worker::process::Ended;
use crate::worker::transcript::{self, Kept, Transcript};
use crate::workspace::fits;
use crate::workspace::links::Outside;

impl Shop<'_> {
    /// The transcript's blob; what cannot be kept is lost with a notice, and the node goes on.
    pub(super) fn keep(&self, transcript: Transcript) -> Option<BlobDigest> {
        let (kept, lost) = transcript.finish();
        let stored = match kept {
            Kept::Nothing => return None,
            Kept::Bytes(bytes) => self.store.put_bytes(&bytes),
            Kept::File(path) => {
                let stored = self.store.put_file(&path).map(|(digest, _)| digest);
                transcript::discard(&path);
                stored
            }
        };
        if let Some(error) = lost {
            self.bus.notice(
                "output-lost",
                format!("some of what nodes printed could not be kept: {error}"),
            );
        }
        match stored {
            Ok(digest) => Some(digest),
            Err(WriteError::ReadOnly) => None,
            Err(error) => {
                self.bus.notice(
                    "output-lost",
                    format!("what a node printed could not be kept: {error}"),
                );
                None
            }
        }
    }

    /// The outputs, into the store where they are to be kept.
    pub(super) fn capture(&self, node: &Node) -> Result<Vec<NamedContent>, Box<Failure>> {
        let mut outputs = Vec::with_capacity(node.outputs.len());
        for output in &node.outputs {
            let artifact = self.graph().artifact(output.artifact);
            let place = self.project.root.join(&artifact.path);
            let keep = artifact.keep == Keep::Store && !self.store.is_read_only();
            let wrong = |error: IngestError| {
                Failure::new(
                    "output",
                    format!("the output {} cannot be taken: {error}", artifact.name),
                    error.help().unwrap_or_default(),
                )
            };
            self.workspace
                .fence_result(&artifact.path)
                .map_err(|outside| {
                    let message =
                        format!("the output {} cannot be taken: {outside}", artifact.name);
                    Failure::new("outside", message, Outside::HELP)
                })?;
            let content = if keep {
                match self.workspace.ingest(&place) {
                    Ok(content) => Some(content),
                    Err(error) if error.is_disk_full() || error.is_read_only() => {
                        self.bus.notice(
                            "not-kept",
                            format!("{} cannot be kept in the store: {error}", artifact.name),
                        );
                        self.workspace.current(&artifact.path).map_err(wrong)?
                    }
                    Err(IngestError::Missing(_)) => None,
                    Err(error) => return Err(wrong(error)),
                }
            } else {
                self.workspace.current(&artifact.path).map_err(wrong)?
            };
            let Some(content) = content else {
                let message = format!(
                    "the node ended well but did not make {} ({})",
                    artifact.path, artifact.name
                );
                let help = "every declared output must be there afterwards: make it, or take it out of `out`";
                return Err(Failure::new("missing-output", message, help));
            };
            fits(artifact, &content).map_err(|wanted| {
                let message = format!("{} is not {wanted}, as `out` says it is", artifact.path);
                Failure::new(
                    "wrong-shape",
                    message,
                    "a directory is declared with a trailing /",
                )
            })?;
            self.workspace.unlink(&artifact.path, &content)?;
            outputs.push(NamedContent {
                name: output.alias.clone(),
                content,
            });
        }
        for output in &node.outputs {
            self.workspace
                .taken(&self.graph().artifact(output.artifact).path);
        }
        Ok(outputs)
    }

    /// Keeps the outcome, unless an input moved under the node or nothing can be kept.
    pub(super) fn record(
        &self,
        job: &Job,
        node: &Node,
        outputs: Vec<NamedContent>,
        transcript: Option<BlobDigest>,
        ended: &Ended,
        folded: Folded,
    ) -> Ran {
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let cost = Cost {
            wall_ms: millis(ended.wall),
            user_ms: millis(ended.user),
            system_ms: millis(ended.system),
            max_rss_bytes: ended.max_rss,
        };
        let made = Made {
            at_ms: (self.machine.now_ms)(),
            run: self.bus.run().to_owned(),
            node: node.name.to_string(),
            project: self.project.name.clone(),
            jalon: env!("CARGO_PKG_VERSION").to_owned(),
            host: self.machine.host.clone(),
        };
        let mut notes = folded.notes.clone();
        notes.extend(folded.gaps.iter().cloned());
        let attestation = Attestation {
            traced: folded.traced,
            host_bound: folded.host_bound,
            clean: self.clean(),
            notes,
            ..Attestation::default()
        };
        let outcome = Outcome {
            outputs,
            transcript,
            cost,
        };
        let weak = job.judged.weak;
        let undeclared = folded.undeclared();
        let changed = |what: String| format!("{what} changed while it ran");
        let unfit = match (&folded.moved, folded.strays.first()) {
            (Some(path), _) => Some(changed(path.clone())),
            (None, Some(stray)) => {
                Some(format!("it wrote {stray}, which is not among its outputs"))
            }
            (None, None) => None,
        };
        let observed = folded.observed;
        let mut record = ActionRecord {
            key: strong_key(&weak, &observed),
            weak,
            outcome,
            attestation,
            made,
        };
        let unknown = job.judged.state.is_none();
        let unfit =
            unfit.or_else(|| unknown.then(|| "what its outputs held is not known".to_owned()));
        let derivation = &job.judged.derivation;
        let kept = is_cached(node).then(|| {
            match unfit.or_else(|| self.moved(job, node, folded.touched).map(changed)) {
                Some(why) => Err(why),
                None => self
                    .put(job, derivation, node, &mut record, observed.clone())
                    .and_then(|()| self.put_settled(job, node, &record, observed))
                    .inspect(|()| self.share(&record)),
            }
        });
        Ran {
            record,
            attempts: 1,
            recorded: matches!(kept, Some(Ok(()))),
            unkept: kept.and_then(Result::err),
            undeclared,
        }
    }

    /// Whether the tree has no uncommitted changes, where somebody elsewhere will want to know.
    fn clean(&self) -> Option<bool> {
        self.remotes.filter(|remotes| remotes.pushes())?;
        *self.clean.get_or_init(|| {
            let territory = &self.judge.sight.territory;
            commit::is_clean(&self.project.root, |path| territory.owner(path).is_some())
        })
    }

    /// Sends an outcome where others will find it.
    fn share(&self, record: &ActionRecord) {
        let Some(remotes) = self.remotes.filter(|remotes| remotes.pushes()) else {
            return;
        };
        // What cannot be read back was not kept.
        if let Ok(Some(shared)) = self.store.share(record.clone()) {
            let set = shared.path_set();
            remotes.push(Parcel { shared, set });
        }
    }

    /// That a node which finds its stateful outputs as it left them has nothing to do: the same outcome
    /// under the key that it has from now on.
    fn put_settled(
        &self,
        job: &Job,
        node: &Node,
        record: &ActionRecord,
        observed: Vec<(PathEntry, Seen)>,
    ) -> Result<(), String> {
        let stateful = |output: &&Output| self.graph().artifact(output.artifact).stateful;
        if !node.outputs.iter().any(|output| stateful(&output)) {
            return Ok(());
        }
        let fields = job.judged.derivation.fields.iter();
        let mut fields: Vec<Field> = fields
            .filter(|one| one.field != field::STATE)
            .cloned()
            .collect();
        for output in node.outputs.iter().filter(stateful) {
            let made = &record.outcome.outputs;
            let Some(made) = made.iter().find(|made| made.name == output.alias) else {
                continue;
            };
            fields.push(Field {
                field: field::STATE.into(),
                what: output.alias.as_bytes().to_vec(),
                value: content_value(&made.content),
            });
        }
        let settled = Derivation::new(fields);
        let weak = settled.weak_key();
        let mut record = ActionRecord {
            weak,
            ..record.clone()
        };
        self.put(job, &settled, node, &mut record, observed)
    }

    /// The error says why the record is not kept.
    fn put(
        &self,
        job: &Job,
        derivation: &Derivation,
        node: &Node,
        record: &mut ActionRecord,
        observed: Vec<(PathEntry, Seen)>,
    ) -> Result<(), String> {
        let observed = self
            .settle_paths(job, &record.weak, node, observed)
            .map_err(|error| {
                self.bus
                    .notice("not-kept", format!("what ran cannot be kept: {error}"));
                error.to_string()
            })?;
        record.key = strong_key(&record.weak, &observed);
        let set = paths(&observed);
        let explanation = Explanation {
            derivation: derivation.clone(),
            observed,
        };
        match self.store.put_action(record, &explanation, &set) {
            Ok(()) => Ok(()),
            Err(WriteError::ReadOnly) => {
                self.bus.notice(
                    "store-read-only",
                    "the store is read-only: what runs now cannot be kept",
                );
                Err("the store is read-only".to_owned())
            }
            Err(error) => {
                self.bus
                    .notice("not-kept", format!("what ran cannot be kept: {error}"));
                Err(error.to_string())
            }
        }
    }

    /// Something declared that changed between its digest and now.
    fn moved(&self, job: &Job, node: &Node, touched: Option<String>) -> Option<String> {
        let graph = self.graph();
        let mut moved: Option<String> = None;
        for &(id, content) in &job.inputs {
            let artifact = graph.artifact(id);
            let now = if artifact.producer.is_none() {
                self.workspace.source(artifact).ok()
            } else {
                self.workspace.held(artifact).ok().flatten()
            };
            if now != Some(content) {
                moved.get_or_insert_with(|| artifact.name.to_string());
            }
        }
        let code = self.judge.code(job.node);
        let now: Vec<_> = node
            .code
            .iter()
            .filter_map(|(path, _)| self.workspace.code(path).ok())
            .flatten()
            .collect();
        if **code != now {
            moved.get_or_insert_with(|| "its code".to_owned());
        }
        let modules = self.modules(job.node);
        for (path, content) in modules {
            if self.workspace.current(path).ok().flatten() != Some(*content) {
                moved.get_or_insert_with(|| path.clone());
            }
        }
        let moved = moved.or(touched);
        if let Some(what) = &moved {
            let text = format!(
                "{what} changed while {} ran, so what it gave is not kept; run again",
                node.name
            );
            self.bus.notice("input-moved", text);
        }
        moved
    }
}
