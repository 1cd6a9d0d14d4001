//! Stores elsewhere, as a run uses them: asked for before it if nothing is to be done without them, told of
//! what was made, and waited for in the end, not for ever.

use std::cell::Cell;
use std::time::{Duration, Instant};

use jalon_remote::Remotes;

use super::RunError;
use super::bus::Bus;
use crate::event::{Body, Problem, RemoteUse};
use crate::worker::process::Cancel;

/// How long the end of a run waits for uploads, as long as something moves.
const PATIENCE: Duration = Duration::from_secs(15 * 60);

/// How often progress is told.
const OFTEN: Duration = Duration::from_millis(300);

/// What a problem with a remote is called.
pub const UNAVAILABLE: &str = "remote-unavailable";

/// Whether what is required answers.
///
/// # Errors
/// One does not, and nothing is to be done without it.
pub fn require(remotes: &Remotes) -> Result<(), RunError> {
    if !remotes.is_required() {
        return Ok(());
    }
    for (name, said) in remotes.greet() {
        if let Err(fault) = said {
            return Err(RunError::Remote(format!("{name}: {fault}")));
        }
    }
    Ok(())
}

/// Tells how many bytes moved, not too often, and only where some did.
pub struct Progress<'a> {
    remotes: &'a Remotes,
    bus: &'a Bus,
    told: Cell<(u64, u64, u64)>,
    at: Cell<Instant>,
}

impl<'a> Progress<'a> {
    /// Nothing was told yet.
    pub fn new(remotes: &'a Remotes, bus: &'a Bus) -> Progress<'a> {
        Progress {
            remotes,
            bus,
            told: Cell::default(),
            at: Cell::new(Instant::now()),
        }
    }

    /// Tells, if it is time.
    pub fn tell(&self) {
        if self.at.get().elapsed() < OFTEN {
            return;
        }
        self.at.set(Instant::now());
        let tally = self.remotes.tally();
        let now = (tally.down, tally.up, self.remotes.under_way() as u64);
        if self.told.replace(now) != now {
            let (downloaded, uploaded, to_send) = now;
            self.bus.emit(Body::RemoteProgress {
                downloaded,
                uploaded,
                to_send,
            });
        }
    }
}

/// Waits for what is on its way, and tells what came of it. What went wrong is a problem only where nothing is
/// to be done without remotes.
pub fn finish(remotes: &Remotes, bus: &Bus, cancel: &Cancel) -> Option<Problem> {
    let progress = Progress::new(remotes, bus);
    remotes.finish(PATIENCE, &|| {
        progress.tell();
        cancel.raised()
    });
    for remark in remotes.remarks() {
        bus.notice(remark.code, remark.text);
    }
    let tally = remotes.tally();
    bus.emit(Body::RemoteUsed(RemoteUse {
        remotes: tally
            .remotes
            .iter()
            .map(|(name, mode)| (name.clone(), (*mode).to_owned()))
            .collect(),
        fetched: tally.outcomes,
        sent: tally.sent,
        unsent: tally.unsent,
        downloaded: tally.down,
        uploaded: tally.up,
        disbelieved: tally.disbelieved,
        errors: tally.errors,
    }));
    let failed = remotes.failed().filter(|_| remotes.is_required())?;
    Some(Problem {
        code: UNAVAILABLE.into(),
        message: format!("{failed} did not answer, and `[store] required` is set"),
        help: "run again when it answers, or set required = false".into(),
    })
}
