//! `jalon gc`: what nothing needs any more goes.

use std::cell::Cell;
use std::collections::HashSet;
use std::time::{Duration, Instant};

use serde_json::json;

use jalon::report::words;
use jalon::roots;
use jalon_store::error::GcError;
use jalon_store::pin::Pin;
use jalon_store::{GcPolicy, LocalStore};

use super::super::args::{Common, GcArgs};
use super::super::exit::{self, Failure};
use super::super::out;
use super::super::session::Session;
use super::get;

/// How long a collection waits for those who use the store.
const PATIENCE: Duration = Duration::from_secs(60);

/// Collects, or says what would be collected.
pub fn gc(common: &Common, args: &GcArgs) -> Result<u8, Failure> {
    let pinning = !args.pin.is_empty() || !args.unpin.is_empty();
    let session = Session::open(common, args.yes || pinning)?;
    pins(&session, args)?;
    let collecting = args.yes || args.max_size.is_some() || args.max_age.is_some();
    if pinning && !collecting {
        return Ok(exit::DONE);
    }
    let max_size = match &args.max_size {
        Some(text) => Some(quantity(
            jalon_conf::parse_size(text),
            text,
            "a size such as 50GiB",
        )?),
        None => session.project.graph.pipeline().store.max_size,
    };
    let max_age = match &args.max_age {
        Some(text) => Some(quantity(
            jalon_conf::parse_duration(text),
            text,
            "an age such as 30d",
        )?),
        None => None,
    };
    let oldest =
        max_age.map(|age| (session.machine.now_ms)().saturating_sub(age.as_millis() as u64));
    let roots = || roots::roots(&session.store, oldest);
    let policy = GcPolicy { max_size };
    let report = if args.yes {
        let waiting = Waiting::new(args.no_wait);
        session.store.gc(roots, policy, &|| waiting.is_over())
    } else {
        session.store.gc_dry(&roots()?, policy)
    }
    .map_err(|error| match error {
        GcError::Busy => Failure::new(exit::HELD, "held", "another jalon uses the store")
            .help("run it again when nothing else runs; or share a store among fewer"),
        error => error.into(),
    })?;
    if common.json {
        out::line(json!({
            "schema": 1,
            "dry": !args.yes,
            "removed": {
                "blobs": report.blobs,
                "bytes": report.bytes,
                "records": report.records,
                "evicted": report.evicted,
                "traces": report.traces,
            },
            "kept": {"blobs": report.kept_blobs, "bytes": report.kept_bytes},
        }))?;
    } else {
        let would = if args.yes { "removed" } else { "would remove" };
        out::line(format!(
            "{would} {} ({}), {} and {}",
            words::count(report.blobs, "blob"),
            words::size(report.bytes),
            words::count(report.records, "record"),
            words::count(report.traces, "run")
        ))?;
        if report.evicted > 0 {
            out::line(format!(
                "of {} only the record stays; it can be made again",
                words::count(report.evicted, "outcome")
            ))?;
        }
        out::line(format!(
            "{} left ({})",
            words::count(report.kept_blobs, "blob"),
            words::size(report.kept_bytes)
        ))?;
        if !args.yes {
            out::note("nothing was removed: `jalon gc --yes` does it");
        }
    }
    Ok(exit::DONE)
}

/// Waiting for those who use the store.
struct Waiting {
    since: Instant,
    at_most: Duration,
    said: Cell<bool>,
}

impl Waiting {
    fn new(not_at_all: bool) -> Waiting {
        Waiting {
            since: Instant::now(),
            at_most: if not_at_all { Duration::ZERO } else { PATIENCE },
            said: Cell::new(false),
        }
    }

    /// Called each time that the store was in use.
    fn is_over(&self) -> bool {
        if self.at_most > Duration::ZERO && !self.said.replace(true) {
            let most = words::duration(self.at_most.as_secs_f64());
            out::note(format!(
                "waiting for others who use the store, {most} at most"
            ));
        }
        self.since.elapsed() >= self.at_most
    }
}

fn quantity<T>(parsed: Option<T>, text: &str, wanted: &str) -> Result<T, Failure> {
    parsed.ok_or_else(|| Failure::new(exit::USAGE, "quantity", format!("`{text}` is not {wanted}")))
}

fn pins(session: &Session, args: &GcArgs) -> Result<(), Failure> {
    let history = jalon::history::History::new(&session.store, &session.project.name);
    for what in &args.pin {
        let (name, pin) = match history.resolve(what)? {
            Some(run) => (format!("run-{run}"), Pin::run(&run, "pinned by hand")),
            None => {
                let (content, _) = get::find(session, what)?;
                (
                    format!("artifact-{}", content.digest_hex()),
                    Pin::content(content, what.as_str()),
                )
            }
        };
        session.store.pin(&name, &pin)?;
        out::note(format!("pinned {what} as {name}"));
    }
    let known = known(&session.store)?;
    for what in &args.unpin {
        let run = history.resolve(what)?.map(|run| format!("run-{run}"));
        let name = run
            .filter(|name| known.contains(name))
            .unwrap_or_else(|| what.clone());
        let name = if known.contains(&name) {
            name
        } else {
            let (content, _) = get::find(session, what)?;
            format!("artifact-{}", content.digest_hex())
        };
        if !session.store.unpin(&name)? {
            return Err(Failure::new(
                exit::NO_MATCH,
                "no-pin",
                format!("there is no pin on `{what}`"),
            ));
        }
    }
    Ok(())
}

fn known(store: &LocalStore) -> Result<HashSet<String>, Failure> {
    Ok(store.pins()?.into_iter().map(|(name, _)| name).collect())
}
