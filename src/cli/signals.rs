//! SIGINT, SIGTERM and SIGHUP: the first asks, the second kills.

use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};

use jalon::run::Control;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// Which signal came.
pub struct Seen(Arc<AtomicI32>);

impl Seen {
    /// The first signal, if one came.
    pub fn last(&self) -> Option<i32> {
        Some(self.0.load(Ordering::SeqCst)).filter(|&signal| signal != 0)
    }
}

/// Hands signals to the run until the process ends.
pub fn forward(control: Control) -> Seen {
    let seen = Arc::new(AtomicI32::new(0));
    let shared = seen.clone();
    // Without a handler the default stands: the process ends, and the helper that outlives it kills the rest.
    if let Ok(mut signals) = Signals::new([SIGINT, SIGTERM, SIGHUP]) {
        std::thread::spawn(move || {
            for signal in signals.forever() {
                let _ = shared.compare_exchange(0, signal, Ordering::SeqCst, Ordering::SeqCst);
                control.interrupt();
            }
        });
    }
    Seen(seen)
}

/// Gives SIGPIPE its default meaning back, which Rust takes away at start.
pub fn default_pipe() {
    // SAFETY: called before any other thread is started; the default action is always a valid one.
    unsafe {
        libc::signal(libc::SIGPIPE, libc::SIG_DFL);
    }
}
