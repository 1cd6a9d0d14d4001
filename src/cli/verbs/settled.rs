//! `jalon run` where nothing has changed: answered before a definition is read or a store is opened.

use std::io::IsTerminal;
use std::time::Instant;

use jalon::event::Sink;
use jalon::frontend;
use jalon::run::rest::Rest;
use jalon::settled::{self, Asked, Listeners, Occasion, Question};
use jalon::trace::{Lost, Trace};
use jalon::workspace::PRIVATE_DIRECTORY;
use jalon::workspace::lock::Lock;

use super::super::args::{Common, RunArgs};
use super::super::exit::{self, Failure};
use super::super::record::Lines;
use super::super::session::{self, Session};
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

/// The answer to a run, if an earlier one left everything at rest and nothing has changed since; nothing where
/// the run has to be made.
pub fn answer(common: &Common, args: &RunArgs, asked: &Asked) -> Option<Result<u8, Failure>> {
    let began = Instant::now();
    if !args.force.is_empty() || args.with_hooks || !settled::may_answer(asked) {
        return None;
    }
    let machine = session::machine();
    let root = asked.root();
    let id = ulid::Ulid::generate().to_string();
    let about = format!("process {}, run {id}", std::process::id());
    // Whoever holds it is waited for where all that is said.
    let _lock = Lock::take(&root.join(PRIVATE_DIRECTORY).join("lock"), &about).ok()?;
    let answer = settled::answer(asked)?;
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
    let trace = Trace::to(Some(answer.trace(&id)), &lost);
    let mut brief: Vec<Box<dyn Sink>> = vec![Box::new(trace)];
    let mut full: Vec<Box<dyn Sink>> = Vec::new();
    full.extend(tally.clone().map(|tally| Box::new(tally) as Box<dyn Sink>));
    full.extend(lines.map(|lines| Box::new(lines) as Box<dyn Sink>));
    if !common.json {
        let screen = ui::run_sink(common, std::io::stderr().is_terminal());
        if shown { &mut full } else { &mut brief }.push(screen);
    }
    let occasion = Occasion {
        id: &id,
        root,
        jobs: args.jobs.unwrap_or(machine.cpus),
        machine: &machine,
        began,
    };
    answer.tell(&occasion, hits, Listeners { brief, full });
    let summary = tally.map(|tally| occasion.summary(&tally));
    Some(finish(exit::DONE, lost.take(), summary))
}

/// Keeps what a run came to, for the next time, or forgets what was kept of an earlier one.
pub fn keep(asked: &Asked, session: &Session, id: &str, rest: Option<&Rest>) {
    match rest {
        Some(rest) => settled::keep(
            asked,
            rest,
            id,
            &session.project,
            &session.store,
            &session.witnesses,
        ),
        None => settled::forget(asked),
    }
}
