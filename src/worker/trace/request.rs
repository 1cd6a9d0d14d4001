//! What an observer is asked to note.

use std::sync::Arc;

use crate::worker::observed::Look;

/// What to look for.
pub struct Trace<'a> {
    /// Directories whose files are only counted, unless they are executed: absolute, with a closing slash.
    pub system: &'a [Vec<u8>],
    /// Directories that are none of those, even if they lie in one.
    pub ours: &'a [Vec<u8>],
    /// Looks at what was seen when it was seen.
    pub look: &'a dyn Look,
}

/// The same, for a thread that outlives who started it.
#[derive(Clone)]
pub struct Lasting {
    /// As in [`Trace`].
    pub system: Vec<Vec<u8>>,
    /// As in [`Trace`].
    pub ours: Vec<Vec<u8>>,
    /// As in [`Trace`].
    pub look: Arc<dyn Look + Send>,
}

impl Lasting {
    /// What it says.
    pub fn trace(&self) -> Trace<'_> {
        Trace {
            system: &self.system,
            ours: &self.ours,
            look: &*self.look,
        }
    }
}

impl std::fmt::Debug for Trace<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Trace")
    }
}
