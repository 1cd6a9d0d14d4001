//! `jalon graph`.

use jalon::report::graph::{self, Form};

use super::super::args::{Common, GraphArgs};
use super::super::exit::{self, Failure};
use super::super::out;
use super::super::session::Session;
use super::plan;

/// Shows the graph with its verdicts.
pub fn graph(common: &Common, args: &GraphArgs) -> Result<u8, Failure> {
    let session = Session::open(common, false)?;
    let remotes = session.remotes(common.offline, Some(false))?;
    let report = plan::report(&session, remotes.as_deref(), &args.targets, &[])?;
    let form = match (common.json, args.dot, args.mermaid, args.html) {
        (true, ..) => Form::Json,
        (_, true, ..) => Form::Dot,
        (_, _, true, _) => Form::Mermaid,
        (_, _, _, true) => Form::Html,
        _ => Form::Text,
    };
    out::line(graph::draw(&session.project.graph, &report, form).trim_end())?;
    Ok(exit::DONE)
}
