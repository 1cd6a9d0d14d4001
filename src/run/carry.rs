//! Bytes of hits that lie elsewhere and will be laid out in the end, fetched while nodes run.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::Scope;

use jalon_conf::pipeline::NodeId;
use jalon_remote::Remotes;
use jalon_store::content::Content;

use super::Message;

/// So many contents at once are waited for.
const CARRIERS: usize = 32;

/// Who waits for bytes from elsewhere.
pub(super) struct Carriers {
    orders: Sender<(NodeId, Content)>,
    queue: Arc<Mutex<Receiver<(NodeId, Content)>>>,
    hands: usize,
    /// Orders that nobody was called for yet.
    waiting: usize,
    /// Orders that are not delivered yet.
    open: usize,
}

impl Carriers {
    /// Sends for a content that a node made.
    pub(super) fn order(&mut self, node: NodeId, content: Content) {
        // The queue lives as long as this does.
        if self.orders.send((node, content)).is_ok() {
            self.open += 1;
            self.waiting += 1;
        }
    }

    /// Something that was sent for came, or did not.
    pub(super) fn delivered(&mut self) {
        self.open = self.open.saturating_sub(1);
    }

    /// Whether something is on its way.
    pub(super) fn is_busy(&self) -> bool {
        self.open > 0
    }

    /// Calls who is to go for what was sent for.
    pub(super) fn call<'scope>(
        &mut self,
        scope: &'scope Scope<'scope, '_>,
        remotes: &'scope Remotes,
        sender: &Sender<Message>,
    ) {
        while self.waiting > 0 && self.hands < CARRIERS {
            self.waiting -= 1;
            self.hands += 1;
            let (queue, sender) = (self.queue.clone(), sender.clone());
            scope.spawn(move || {
                loop {
                    let order = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
                    let Ok((node, content)) = order else { return };
                    let came = remotes.bring(&content, false);
                    if sender.send(Message::Brought(node, came)).is_err() {
                        return;
                    }
                }
            });
        }
        self.waiting = 0;
    }

    /// Nobody is called yet.
    pub(super) fn new() -> Carriers {
        let (orders, queue) = channel();
        Carriers {
            orders,
            queue: Arc::new(Mutex::new(queue)),
            hands: 0,
            waiting: 0,
            open: 0,
        }
    }
}
