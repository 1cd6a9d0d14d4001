//! Nodes that run again to be compared: what they gave is set beside what was kept, and what was kept stands.
//!
//! Only the worker's part: nothing is recorded, what comes after goes on with the earlier outcome, and its
//! bytes are laid out again. Knows nothing of how outputs are compared.

use jalon_conf::pipeline::{Keep, Node};
use jalon_store::outcome::NamedContent;

use super::attempt::{Job, Ran, Shop};
use super::repeats::Repeated;

impl Shop<'_> {
    /// The outcome that a repeated node goes on with; none for one that runs as usual.
    pub(super) fn repeated(&self, job: &Job, outputs: &[NamedContent]) -> Option<Ran> {
        let repeats = self.repeats.filter(|repeats| repeats.is_asked(job.node))?;
        let earlier = job.judged.found.clone();
        repeats.add(Repeated {
            node: job.node,
            earlier: earlier.clone(),
            outputs: outputs.to_vec(),
        });
        let mut record = (*earlier?).clone();
        let kept = &record.outcome.outputs;
        let stands = kept
            .iter()
            .zip(outputs)
            .all(|(old, new)| old.content == new.content || self.store.has_content(&old.content));
        if stands {
            // Nobody made these by hand, so they may be overwritten.
            outputs
                .iter()
                .for_each(|output| self.workspace.may_discard(output.content));
        } else {
            // What cannot be laid out again cannot be read: what comes after goes on with what is there.
            record.outcome.outputs = outputs.to_vec();
        }
        Some(Ran {
            record,
            attempts: 1,
            recorded: false,
            undeclared: job.judged.undeclared.to_vec(),
            unkept: None,
        })
    }

    /// After a repetition that failed: what was there before is laid out again, as far as it is kept.
    pub(super) fn lay_earlier(&self, job: &Job, node: &Node) {
        let is_asked = self
            .repeats
            .is_some_and(|repeats| repeats.is_asked(job.node));
        let Some(record) = job.judged.found.as_ref().filter(|_| is_asked) else {
            return;
        };
        for (output, kept) in node.outputs.iter().zip(&record.outcome.outputs) {
            let artifact = self.graph().artifact(output.artifact);
            if artifact.keep == Keep::Run || !self.store.has_content(&kept.content) {
                continue;
            }
            // The journal knows what a failed node left, so nothing is rescued here.
            match self.workspace.lay(&artifact.path, &kept.content) {
                Ok(_) => self.workspace.taken(&artifact.path),
                Err(error) => self
                    .bus
                    .notice("not-restored", format!("{}: {error}", artifact.path)),
            }
        }
    }
}
