//! `finally` nodes: after success, failure and interruption, with the final status, never cached.

use std::ffi::OsString;
use std::time::Instant;

use jalon_conf::pipeline::{Finally, RunField, When};

use super::attempt::Shop;
use super::bus::Told;
use super::render::{self, Words};
use crate::event::{Problem, Status};
use crate::report::tally::{Summary, final_status};
use crate::worker::environment;
use crate::worker::process::{self, Cancel, How};
use crate::worker::transcript::Transcript;
use crate::workspace::PRIVATE_DIRECTORY;

/// The variable that carries the final status.
const VARIABLE: &str = "JALON_FINAL_STATUS";

/// Runs them in definition order; the first failure, if any.
pub fn run(shop: &Shop<'_>, summary: &Summary, began: Instant) -> Option<Problem> {
    let mut first = None;
    for finally in &shop.project.graph.pipeline().finally {
        let due = match finally.when {
            When::Always => true,
            When::Success => summary.status == Status::Succeeded,
            When::Failure => summary.status != Status::Succeeded,
        };
        if due && let Err(problem) = one(shop, finally, summary, began) {
            shop.bus.notice("finally-failed", problem.message.clone());
            first.get_or_insert(problem);
        }
    }
    first
}

fn one(
    shop: &Shop<'_>,
    finally: &Finally,
    summary: &Summary,
    began: Instant,
) -> Result<(), Problem> {
    let problem = |message: String| Problem {
        code: "finally".into(),
        message,
        help: String::new(),
    };
    let status = final_status(summary, &summary.run).to_string();
    let field = |field: RunField| match field {
        RunField::Status => summary.status.word().to_owned(),
        RunField::Id => summary.run.clone(),
        RunField::Env => shop.project.graph.pipeline().env.clone(),
        RunField::Seconds => format!("{:.3}", began.elapsed().as_secs_f64()),
        RunField::Error => summary
            .error
            .as_ref()
            .map(|error| error.message.clone())
            .unwrap_or_default(),
    };
    let words = Words {
        inputs: &[],
        outputs: &[],
        params_file: None,
        shell: None,
        call: None,
        run: Some(&field),
    };
    let argv = render::argv(&finally.command, &words);
    let caller = &shop.machine.variables;
    let mut env = environment::base(caller, &finally.pass_env);
    environment::add_secrets(
        caller,
        finally.secrets.iter().map(|(name, _)| name),
        &mut env,
    )
    .map_err(|unset| {
        problem(format!(
            "finally {}: the secret {} is not set",
            finally.name,
            unset.join(", ")
        ))
    })?;
    env.extend(
        finally
            .env
            .iter()
            .map(|(name, value)| (name.into(), value.into())),
    );
    // Larger than this the kernel refuses it in an environment; standard input has it whole.
    if status.len() < 120 * 1024 {
        env.insert(VARIABLE.into(), status.clone().into());
    }
    let env: Vec<(OsString, OsString)> = env.into_iter().collect();
    // The signal that ended the run was not meant for what cleans up after it.
    let cancel = Cancel::new().map_err(|error| problem(error.to_string()))?;
    let spool = shop
        .project
        .root
        .join(PRIVATE_DIRECTORY)
        .join("live")
        .join(shop.bus.run());
    let mut transcript = Transcript::new(spool.join(format!("finally-{}.out", finally.name)));
    let request = process::Request {
        argv: &argv,
        cwd: &shop.project.root,
        env: &env,
        stdin: Some(status.as_bytes()),
        timeout: finally.timeout,
        mask: &shop.mask,
        trace: None,
    };
    let name = format!("finally.{}", finally.name);
    let mut told = Told::new(shop.bus, &name);
    let mut live = |stream, bytes: &[u8]| told.push(stream, bytes);
    let ended = shop.executor.execute(
        &request,
        &cancel,
        shop.lifeline.as_ref(),
        &mut transcript,
        &mut live,
    );
    told.end();
    let tail = transcript.tail();
    if let (crate::worker::transcript::Kept::File(path), _) = transcript.finish() {
        crate::worker::transcript::discard(&path);
    }
    let why = match ended.how {
        How::Exit(0) => return Ok(()),
        How::Exit(code) => format!("exit {code}"),
        How::Signal(signal) => format!("signal {signal}"),
        How::TimedOut => "it took longer than its timeout".to_owned(),
        How::Cancelled => "it was stopped".to_owned(),
        How::NotStarted(error) => format!("it could not be started: {error}"),
    };
    let tail = if tail.is_empty() {
        String::new()
    } else {
        format!("\n{tail}")
    };
    Err(problem(format!(
        "finally {} failed: {why}{tail}",
        finally.name
    )))
}
