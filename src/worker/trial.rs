//! Whether executions can be observed on this machine: found out by observing one.

use std::ffi::OsString;
use std::path::Path;

use super::mask::Mask;
use super::observed::{Extent, Look};
use super::process::{Cancel, Execute, How, Processes, Request};
use super::trace::Trace;
use super::transcript::Transcript;

/// Wants no digests.
struct Indifferent;

impl Look for Indifferent {
    fn mark(&self, _path: &Path, _names: bool) -> Option<[u8; 32]> {
        None
    }
}

/// Executes a shell that asks for one path, in a directory, and looks whether that was seen.
///
/// # Errors
/// Why it was not.
pub fn observe(directory: &Path) -> Result<(), String> {
    let argv: [OsString; 3] = ["sh".into(), "-c".into(), "[ -e jalon-trial ] || :".into()];
    let mask = Mask::new([]);
    let trace = Trace {
        system: &[],
        ours: &[],
        look: &Indifferent,
    };
    let request = Request {
        argv: &argv,
        cwd: directory,
        env: &[],
        stdin: None,
        timeout: None,
        mask: &mask,
        trace: Some(&trace),
    };
    let cancel = Cancel::new().map_err(|error| error.to_string())?;
    let mut transcript = Transcript::new(directory.join("jalon-trial.out"));
    let ended = Processes.execute(&request, &cancel, None, &mut transcript, &mut |_, _| {});
    match (ended.how, ended.observed.extent) {
        (How::Exit(0), Extent::Full) => {
            let wanted = directory.join("jalon-trial");
            let mut seen = ended.observed.sightings.iter();
            match seen.any(|sighting| sighting.path == wanted) {
                true => Ok(()),
                false => Err("what a process looks for is not seen".to_owned()),
            }
        }
        (How::Exit(0), Extent::Partial(why)) => Err(why.join("; ")),
        (How::Exit(0), Extent::None(why)) => Err(why),
        (how, _) => Err(format!("sh could not be tried: {how:?}")),
    }
}
