//! Bytes counted as they move: for progress, for the summary, and to know how fast a remote is.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Fewer bytes than this tell nothing of a remote's speed.
const TELLING: u64 = 4 << 20;

/// See the module.
#[derive(Debug)]
pub struct Flow {
    began: Instant,
    down: AtomicU64,
    up: AtomicU64,
    /// Bytes of large blobs, and the microseconds they took.
    timed: AtomicU64,
    time: AtomicU64,
    stopped: AtomicBool,
    /// Milliseconds from the beginning to the last byte.
    last: AtomicU64,
}

impl Default for Flow {
    fn default() -> Self {
        Flow {
            began: Instant::now(),
            down: AtomicU64::new(0),
            up: AtomicU64::new(0),
            timed: AtomicU64::new(0),
            time: AtomicU64::new(0),
            stopped: AtomicBool::new(false),
            last: AtomicU64::new(0),
        }
    }
}

impl Flow {
    fn touch(&self) {
        let now = self.began.elapsed().as_millis() as u64;
        self.last.fetch_max(now, Ordering::Relaxed);
    }

    /// Bytes came.
    pub fn came(&self, bytes: u64) {
        self.down.fetch_add(bytes, Ordering::Relaxed);
        self.touch();
    }

    /// Bytes went.
    pub fn went(&self, bytes: u64) {
        self.up.fetch_add(bytes, Ordering::Relaxed);
        self.touch();
    }

    /// Bytes that came and went so far.
    pub fn bytes(&self) -> (u64, u64) {
        (
            self.down.load(Ordering::Relaxed),
            self.up.load(Ordering::Relaxed),
        )
    }

    /// How long nothing has moved.
    pub fn idle(&self) -> Duration {
        let last = Duration::from_millis(self.last.load(Ordering::Relaxed));
        self.began.elapsed().saturating_sub(last)
    }

    /// A blob came in so much time.
    pub fn took(&self, bytes: u64, time: Duration) {
        if bytes >= 1 << 20 {
            self.timed.fetch_add(bytes, Ordering::Relaxed);
            let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
            self.time.fetch_add(micros.max(1), Ordering::Relaxed);
        }
    }

    /// How long so many bytes will take, where enough came to tell.
    pub fn expected(&self, bytes: u64) -> Option<Duration> {
        let (timed, time) = (
            self.timed.load(Ordering::Relaxed),
            self.time.load(Ordering::Relaxed),
        );
        (timed >= TELLING)
            .then(|| Duration::from_micros((bytes as f64 / timed as f64 * time as f64) as u64))
    }

    /// What goes on is to end at the next byte.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    /// Whether it is to end.
    pub fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }
}
