//! `jalon cache`: looking after the store.

use serde_json::json;

use jalon::report::words;

use super::super::args::{CacheVerb, Common};
use super::super::exit::{self, Failure};
use super::super::out;
use super::super::session::Session;

/// One of the store's own verbs.
pub fn cache(common: &Common, verb: &CacheVerb) -> Result<u8, Failure> {
    match verb {
        CacheVerb::Stats => stats(common),
        CacheVerb::Verify => verify(common),
        CacheVerb::Push | CacheVerb::Pull | CacheVerb::Keygen => {
            let failure = Failure::new(
                exit::USAGE,
                "not-here",
                "this version of jalon knows no remote store yet",
            );
            Err(failure.help(
                "several projects and users may share one store: set [store] path or $JALON_STORE",
            ))
        }
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
