//! `jalon cache`: looking after the store.

mod keygen;
mod remote;

use serde_json::json;

use jalon::report::words;

use crate::cli::args::{CacheVerb, Common};
use crate::cli::exit::{self, Failure};
use crate::cli::out;
use crate::cli::session::Session;

/// One of the store's own verbs.
pub fn cache(common: &Common, verb: &CacheVerb) -> Result<u8, Failure> {
    match verb {
        CacheVerb::Stats { remote: false } => stats(common),
        CacheVerb::Verify { remote: false, .. } => verify(common),
        CacheVerb::Stats { remote: true } => remote::stats(common),
        CacheVerb::Verify { bytes, .. } => remote::verify(common, *bytes),
        CacheVerb::Push { what, all } => remote::push(common, what, *all),
        CacheVerb::Pull { targets } => remote::pull(common, targets),
        CacheVerb::Keygen => keygen::keygen(common),
    }
}

fn stats(common: &Common) -> Result<u8, Failure> {
    let session = Session::open(common, false)?;
    let stats = session.store.stats()?;
    if common.json {
        out::line(json!({
            "schema": 1,
            "path": session.store.path(),
            "blobs": stats.blobs,
            "bytes": stats.bytes,
            "records": stats.records,
            "packs": stats.packs,
            "traces": stats.traces,
        }))?;
    } else {
        out::line(session.store.path().display())?;
        out::line(format!(
            "  {} holding {}",
            words::count(stats.blobs, "blob"),
            words::size(stats.bytes)
        ))?;
        out::line(format!(
            "  {} in {}",
            words::count(stats.records, "record"),
            words::count(stats.packs, "pack")
        ))?;
        out::line(format!("  {} of runs", words::count(stats.traces, "trace")))?;
    }
    Ok(exit::DONE)
}

fn verify(common: &Common) -> Result<u8, Failure> {
    let session = Session::open(common, false)?;
    let report = session.store.verify(&mut |_| ())?;
    let clean = report.damaged.is_empty();
    if common.json {
        out::line(
            json!({"schema": 1, "clean": clean, "checked": report.checked, "damaged": report.damaged}),
        )?;
    } else if clean {
        out::line(format!(
            "clean: {} checked",
            words::count(report.checked, "thing")
        ))?;
    } else {
        for damaged in &report.damaged {
            out::line(format!("damaged: {damaged}"))?;
        }
        out::note(
            "what is damaged is set aside and counts as not there; `jalon run` makes it again where it is needed",
        );
    }
    Ok(if clean { exit::DONE } else { exit::STORE })
}
