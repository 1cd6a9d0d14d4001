//! Which nodes of a run run only to be compared, and what they gave. Knows nothing of how they are executed.

use std::sync::{Arc, Mutex, PoisonError};

use jalon_conf::pipeline::NodeId;
use jalon_store::outcome::{ActionRecord, NamedContent};

/// Which nodes are repeated, and what came of it.
#[derive(Debug)]
pub struct Repeats {
    asked: Vec<bool>,
    seen: Mutex<Vec<Repeated>>,
}

/// A node that ran again.
#[derive(Debug, Clone)]
pub struct Repeated {
    /// Which.
    pub node: NodeId,
    /// What was kept under the same inputs; none where an input that was made again came out otherwise.
    pub earlier: Option<Arc<ActionRecord>>,
    /// What it gave now; in the store, where its outputs are kept there.
    pub outputs: Vec<NamedContent>,
}

impl Repeats {
    /// By node: whether it is repeated.
    pub fn new(asked: Vec<bool>) -> Repeats {
        Repeats {
            asked,
            seen: Mutex::default(),
        }
    }

    /// What came of it, by node.
    pub fn into_seen(self) -> Vec<Repeated> {
        let mut seen = self
            .seen
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        seen.sort_by_key(|repeated| repeated.node);
        seen
    }

    pub(super) fn is_asked(&self, node: NodeId) -> bool {
        self.asked.get(node.0 as usize).copied().unwrap_or(false)
    }

    pub(super) fn add(&self, repeated: Repeated) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.push(repeated);
    }
}
