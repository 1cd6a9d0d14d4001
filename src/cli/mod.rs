//! The command line: arguments in, verbs called, screens and exit codes out.

mod args;
mod complain;
mod exit;
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
        jalon::worker::lifeline::serve(std::io::stdin().lock());
        return ExitCode::SUCCESS;
    }
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Writing the help or the message is all that is left to do.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() {
                exit::USAGE
            } else {
                exit::DONE
            });
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
            eprintln!(
                "jalon: this is a bug in jalon; what was recorded is safe, and `jalon run` goes on from it"
            );
            ExitCode::from(exit::BUG)
        }
    }
}

fn say(common: &Common, failure: &Failure) -> u8 {
    if common.json {
        println!("{}", failure.json());
    } else {
        eprint!(
            "{}",
            complain::draw(
                &failure.problems,
                &failure.texts,
                ui::Style::of(common).is_plain()
            )
        );
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
            clap_complete::generate(*shell, &mut command, "jalon", &mut std::io::stdout().lock());
            Ok(exit::DONE)
        }
        Verb::Man { directory } => {
            std::fs::create_dir_all(directory)?;
            clap_mangen::generate_to(<Cli as clap::CommandFactory>::command(), directory)?;
            Ok(exit::DONE)
        }
        Verb::Import | Verb::Serve | Verb::Deploy => {
            let failure = Failure::new(
                exit::USAGE,
                "not-here",
                "this version of jalon does not do that yet",
            );
            Err(failure.help("README.md says what it does"))
        }
    }
}
