//! `jalon run` where nothing has changed: answered before a definition is read or a store is opened.

use std::io::IsTerminal;
use std::time::Instant;

use jalon::event::Sink;
use jalon::frontend;
use jalon::settled::{self, Answer, Asked, Known, Listeners, Occasion, Question, Standing};
use jalon::trace::{Lost, Trace};
use jalon::workspace::PRIVATE_DIRECTORY;
use jalon::workspace::lock::Lock;

use super::super::args::{Common, RunArgs};
use super::super::exit::{self, Failure};
use super::super::record::Lines;
use super::super::session;
use super::super::ui;
use super::run::{finish, materialise};

/// What a run asks, as things stand before anything is read.
pub fn ask(common: &Common, args: &RunArgs) -> Option<Asked> {
    let source = session::source(common).ok()?;
    let (root, definition) = frontend::locate(&source)?;
    let store = session::named_store();
    let question = Question {
        source: &source,
        root: &root,
        definition: &definition,
        machine: &session::machine(),
        store: store.as_deref(),
        targets: &args.targets,
        materialise: materialise(args),
    };
    question.ask()
}

/// What came of asking.
pub enum Asking {
    /// The run is answered.
    Answered(Result<u8, Failure>),
    /// It has to be made; what is known, and under which lock.
    Make(Option<(Box<Standing>, Lock)>),
}

/// The answer to a run, if an earlier one left everything at rest and nothing has changed since; else what still
/// stands of it, under the lock under which that was found out.
pub fn answer(common: &Common, args: &RunArgs, asked: &Asked, id: &str) -> Asking {
    let began = Instant::now();
    if !args.force.is_empty() || args.with_hooks || !settled::may_answer(asked) {
        return Asking::Make(None);
    }
    // Whoever holds it is waited for where all that is said.
    let place = asked.root().join(PRIVATE_DIRECTORY).join("lock");
    let Ok(lock) = Lock::take(&place, &session::about(id)) else {
        return Asking::Make(None);
    };
    match settled::known(asked) {
        Known::All(answer) => match tell(common, args, asked, id, began, &answer) {
            Some(told) => Asking::Answered(told),
            None => Asking::Make(None),
        },
        Known::Most(standing) => Asking::Make(Some((standing, lock))),
        Known::Nothing => Asking::Make(None),
    }
}

/// Tells an answer; nothing where all of it is wanted and not known.
fn tell(
    common: &Common,
    args: &RunArgs,
    asked: &Asked,
    id: &str,
    began: Instant,
    answer: &Answer,
) -> Option<Result<u8, Failure>> {
    let (machine, root) = (session::machine(), asked.root());
    let shown = !common.json && ui::tells_each(common, answer.reused());
    let each = common.json || args.events.is_some() || shown;
    let hits = if each { answer.hits()? } else { Vec::new() };
    let tally = if common.json {
        Some(answer.tally()?)
    } else {
        None
    };
    let lost = Lost::default();
    let lines = args.events.as_deref();
    let lines = match lines.map(|path| Lines::append(path, &lost)) {
        Some(Err(failure)) => return Some(Err(failure)),
        Some(Ok(lines)) => Some(lines),
        None => None,
    };
    let trace = Trace::to(Some(answer.trace(id)), &lost);
    let mut brief: Vec<Box<dyn Sink>> = vec![Box::new(trace)];
    let mut full: Vec<Box<dyn Sink>> = Vec::new();
    full.extend(tally.clone().map(|tally| Box::new(tally) as Box<dyn Sink>));
    full.extend(lines.map(|lines| Box::new(lines) as Box<dyn Sink>));
    if !common.json {
        let screen = ui::run_sink(common, std::io::stderr().is_terminal());
        if shown { &mut full } else { &mut brief }.push(screen);
    }
    let occasion = Occasion {
        id,
        root,
        jobs: args.jobs.unwrap_or(machine.cpus),
        machine: &machine,
        began,
    };
    answer.tell(&occasion, hits, Listeners { brief, full });
    let summary = tally.map(|tally| occasion.summary(&tally));
    Some(finish(exit::DONE, lost.take(), summary))
}
