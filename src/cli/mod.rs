//! The command line: arguments in, verbs called, screens and exit codes out.

mod args;
mod complain;
mod exit;
mod far;
mod out;
mod record;
mod session;
mod signals;
mod ui;
mod verbs;

use std::process::ExitCode;

use clap::Parser;

use args::{Cli, Common, Verb};
use exit::Failure;

/// Runs what was typed.
pub fn main() -> ExitCode {
    let mut arguments = std::env::args_os();
    if arguments
        .nth(1)
        .is_some_and(|verb| verb == jalon::worker::lifeline::VERB)
    {
        if let Ok(table) = jalon::worker::lifeline::table() {
            jalon::worker::lifeline::serve(std::io::stdin().lock(), &table);
        }
        return ExitCode::SUCCESS;
    }
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            return ExitCode::from(help(&error));
        }
    };
    let common = cli.common.clone();
    // A reader that has had enough (`jalon log | head`) ends us quietly, as every other tool. Not so a run:
    // a hook that does not read what it is told must not end it.
    if !matches!(cli.verb, Verb::Run(_)) {
        signals::default_pipe();
    }
    match std::panic::catch_unwind(|| dispatch(cli)) {
        Ok(Ok(code)) => ExitCode::from(code),
        Ok(Err(failure)) => ExitCode::from(say(&common, &failure)),
        Err(_) => {
            out::note(
                "jalon: this is a bug in jalon; what was recorded is safe, and `jalon run` goes on from it",
            );
            ExitCode::from(exit::BUG)
        }
    }
}

/// The help that was asked for, or what is wrong with the arguments.
fn help(error: &clap::Error) -> u8 {
    let told = error.print();
    match told {
        _ if error.use_stderr() => exit::USAGE,
        Err(lost) if lost.kind() != std::io::ErrorKind::BrokenPipe => exit::STORE,
        _ => exit::DONE,
    }
}

fn say(common: &Common, failure: &Failure) -> u8 {
    // What a script cannot be told, for its standard output takes nothing, a person may still read.
    if !common.json || out::line(failure.json()).is_err() {
        let plain = ui::Style::of(common).is_plain();
        out::remark(&complain::draw(&failure.problems, &failure.texts, plain));
    }
    failure.exit
}

fn dispatch(cli: Cli) -> Result<u8, Failure> {
    let common = &cli.common;
    match &cli.verb {
        Verb::Run(args) => verbs::run::run(common, args),
        Verb::Plan(args) => verbs::plan::plan(common, args),
        Verb::Explain(args) => verbs::explain::explain(common, args),
        Verb::Check(args) => verbs::check::check(common, args),
        Verb::Graph(args) => verbs::graph::graph(common, args),
        Verb::Log(args) => verbs::log::log(common, args),
        Verb::Show(args) => verbs::show::show(common, args),
        Verb::Diff(args) => verbs::diff::diff(common, args),
        Verb::Get(args) => verbs::get::get(common, args),
        Verb::Report(args) => verbs::report::report(common, args),
        Verb::Cache(verb) => verbs::cache::cache(common, verb),
        Verb::Gc(args) => verbs::gc::gc(common, args),
        Verb::Init(args) => verbs::init::init(common, args),
        Verb::Doctor => verbs::doctor::doctor(common),
        Verb::Completions { shell } => {
            let mut command = <Cli as clap::CommandFactory>::command();
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut command, "jalon", &mut script);
            out::bytes(&script)?;
            Ok(exit::DONE)
        }
        Verb::Man { directory } => {
            std::fs::create_dir_all(directory)?;
            clap_mangen::generate_to(<Cli as clap::CommandFactory>::command(), directory)?;
            Ok(exit::DONE)
        }
        Verb::Import(args) => verbs::import::import(common, args),
        Verb::Serve | Verb::Deploy => {
            let failure = Failure::new(
                exit::USAGE,
                "not-here",
                "this version of jalon does not do that yet",
            );
            Err(failure.help("README.md says what it does"))
        }
    }
}
