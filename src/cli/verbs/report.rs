//! `jalon report`.

use jalon::history::History;
use jalon::report::tally::Summary;
use jalon::report::{chrome, html, junit, markdown};

use super::super::args::{Common, ReportArgs};
use super::super::exit::{self, Failure};
use super::super::out;
use super::super::session::Session;
use super::super::ui;
use super::log::no_run;

/// Makes a report of a run.
pub fn report(common: &Common, args: &ReportArgs) -> Result<u8, Failure> {
    let session = Session::open(common, false)?;
    let history = History::new(&session.store, &session.project.name);
    let id = history
        .resolve(&args.run)?
        .ok_or_else(|| no_run(&args.run))?;
    let events = history.events(&id)?;
    let summary = Summary::of_events(&events);
    let text = if args.html {
        html::page(&session.project.graph, &summary)
    } else if args.trace {
        chrome::trace(&summary)
    } else if args.junit {
        junit::xml(&summary, &session.project.name)
    } else if args.markdown {
        markdown::page(&summary, &session.project.name)
    } else if common.json {
        summary.to_json().to_string()
    } else {
        ui::summary_text(common, &summary)
    };
    match &args.output {
        Some(path) => std::fs::write(path, text)?,
        None => out::bytes(text.as_bytes())?,
    }
    Ok(exit::DONE)
}
