//! What the coordinator does with results that others made: taken over, their bytes sent for.

use jalon_conf::pipeline::{Keep, NodeId};
use jalon_store::content::Content;

use super::Materialise;
use super::carry::Carriers;
use super::drive::Drive;
use crate::judge::Judged;
use crate::plan;
use crate::schedule::State;
use crate::verdict::Reason;

impl<'r, 's> Drive<'r, 's> {
    /// What a remote knew is known here from now on.
    pub(super) fn take_over(&self, judged: &Judged) {
        let (Some(shared), Some(remotes)) = (&judged.far, self.shop.remotes) else {
            return;
        };
        remotes.took_over();
        // Where it cannot be kept it is asked for again next time.
        let _ = self.shop.store.adopt_outcome(shared);
    }

    /// Bytes of a hit that will be laid out in the end and are not here are fetched meanwhile.
    pub(super) fn bring(&mut self, node: NodeId, outputs: &[Content]) {
        let Some(carriers) = &mut self.carriers else {
            return;
        };
        let all = self.options.materialise == Materialise::All;
        let none = self.options.materialise == Materialise::None;
        for (id, content) in self.inputs.graph.makes(node).zip(outputs) {
            let artifact = self.inputs.graph.artifact(id);
            let asked = (all || self.options.selection.wanted[id.0 as usize]) && !none;
            if asked && artifact.keep == Keep::Store && !plan::is_here(self.inputs, id, content) {
                carriers.order(node, *content);
            }
        }
    }

    /// Whether bytes are on their way.
    pub(super) fn is_fetching(&self) -> bool {
        self.carriers.as_ref().is_some_and(Carriers::is_busy)
    }

    /// What was sent for came, or did not: then the node runs after all.
    pub(super) fn brought(&mut self, node: NodeId, came: bool) {
        if let Some(carriers) = &mut self.carriers {
            carriers.delivered();
        }
        if !came && self.schedule.state(node) == State::Hit {
            let name = self.graph().node(node).name.to_string();
            self.queued(node, Reason::word(Reason::GONE, name));
            self.schedule.remake(node);
        }
    }
}
