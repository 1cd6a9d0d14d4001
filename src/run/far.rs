//! Stores elsewhere, as a run uses them: asked for before it if nothing is to be done without them, told of
//! what was made, and waited for in the end, not for ever.

use std::time::Duration;

use jalon_remote::Remotes;

use super::RunError;
use super::bus::Bus;
use crate::event::{Body, Problem, RemoteUse};
use crate::worker::process::Cancel;

/// How long the end of a run waits for uploads, as long as something moves.
const PATIENCE: Duration = Duration::from_secs(15 * 60);

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

/// Waits for what is on its way, and tells what came of it. What went wrong is a problem only where nothing is
/// to be done without remotes.
pub fn finish(remotes: &Remotes, bus: &Bus, cancel: &Cancel) -> Option<Problem> {
    remotes.finish(PATIENCE, &|| cancel.raised());
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
