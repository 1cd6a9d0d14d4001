//! `jalon plan`.

use jalon::event::Notice;
use jalon::graph::Selection;
use jalon::history::History;
use jalon::judge::{self, Judge};
use jalon::observe::Sight;
use jalon::plan::{self, Plan};
use jalon::report::plan::PlanReport;
use jalon::run::RunError;
use jalon::run::resources;
use jalon::verdict::Verdict;
use jalon_remote::Remotes;

use super::super::args::{Common, PlanArgs};
use super::super::exit::{self, Failure};
use super::super::out;
use super::super::session::Session;
use super::super::ui;
use super::run::refused;

/// Shows what would run.
pub fn plan(common: &Common, args: &PlanArgs) -> Result<u8, Failure> {
    let session = Session::open(common, false)?;
    let remotes = session.remotes(common.offline, Some(false))?;
    let mut report = report(&session, remotes.as_deref(), &args.targets, &args.force)?;
    let remarks = remotes.iter().flat_map(|remotes| remotes.remarks());
    report.notices.extend(remarks.map(|remark| Notice {
        code: remark.code.to_owned(),
        text: remark.text,
    }));
    let work = report
        .nodes
        .iter()
        .any(|node| matches!(node.verdict, Verdict::Run | Verdict::Maybe));
    if common.json {
        out::line(report.to_json())?;
    } else {
        out::bytes(ui::plan_text(common, &report).as_bytes())?;
    }
    Ok(if args.exit_code && work {
        exit::LOCKED
    } else {
        exit::DONE
    })
}

/// The plan for these targets, as reports show it.
pub fn report(
    session: &Session,
    remotes: Option<&Remotes>,
    targets: &[String],
    force: &[String],
) -> Result<PlanReport, Failure> {
    let graph = &session.project.graph;
    let selection = session.select(targets)?;
    let forced = session.forced(force)?;
    let beyond = resources::beyond(graph, &selection.selected, &session.machine);
    if !beyond.is_empty() {
        return Err(refused(session, RunError::Beyond(beyond)));
    }
    planned(session, remotes, &selection, &forced, |inputs, plan| {
        PlanReport::new(
            &session.project,
            targets,
            plan,
            inputs.history,
            &session.store,
        )
    })
}

/// Plans, and tells what came of it.
pub fn planned<T>(
    session: &Session,
    remotes: Option<&Remotes>,
    selection: &Selection,
    forced: &[bool],
    tell: impl FnOnce(&plan::Inputs<'_>, &Plan) -> T,
) -> Result<T, Failure> {
    let graph = &session.project.graph;
    let workspace = session.files();
    let sight = Sight::new(graph, &session.machine, &workspace, &session.store).reaching(remotes);
    let observations = judge::observe(graph, &selection.selected, &sight, session.ambient())
        .map_err(|missed| refused(session, RunError::Unobserved(missed)))?;
    let judge = Judge::new(graph, &sight, &observations);
    let history = History::new(&session.store, &session.project.name);
    let inputs = plan::Inputs::new(judge, selection, forced, &history);
    let plan = plan::plan(&inputs)?;
    let missed = plan::out_of_reach(graph, &plan);
    if !missed.is_empty() {
        return Err(refused(session, RunError::OutOfReach(missed)));
    }
    session.cache.flush();
    Ok(tell(&inputs, &plan))
}
