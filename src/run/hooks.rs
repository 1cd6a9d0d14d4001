//! `[[hook]]`: programs that are told what happens. They observe; the one veto is `run.planned`.
//!
//! Each hook has a thread of its own and is told in order; a run never waits for one before its end.
//! One process an event, or one for the whole run that reads JSON lines.

use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use jalon_conf::pipeline::{Hook, HookFailure, HookMode};

use super::bus::Bus;
use crate::event::{Body, Event, Planned, Problem, SCHEMA, Sink};
use crate::project::{Machine, Project};
use crate::worker::environment::{self, Variables};

/// The hooks of a run.
pub struct Hooks {
    each: Vec<Running>,
}

struct Running {
    hook: Hook,
    sender: Sender<String>,
    thread: JoinHandle<Option<String>>,
}

/// The hooks that may veto.
pub struct Veto {
    hooks: Vec<Hook>,
    place: Place,
}

#[derive(Clone)]
struct Place {
    root: PathBuf,
    env: Variables,
}

/// Hands events to the hooks' threads.
pub struct HookSink {
    each: Vec<(Vec<String>, Sender<String>)>,
}

impl Hooks {
    /// Starts the threads of these hooks; processes start with their first event.
    pub fn start(project: &Project, machine: &Machine, hooks: &[Hook]) -> (Hooks, Veto) {
        let place = Place {
            root: project.root.clone(),
            env: environment::base(&machine.variables, &[]),
        };
        let each = hooks
            .iter()
            .map(|hook| {
                let (sender, receiver) = channel();
                let (this, place) = (hook.clone(), place.clone());
                let thread = std::thread::spawn(move || match this.mode {
                    HookMode::Each => tell_each(&this, &place, &receiver),
                    HookMode::Stream => tell_stream(&this, &place, &receiver),
                });
                Running {
                    hook: hook.clone(),
                    sender,
                    thread,
                }
            })
            .collect();
        let vetoing = hooks
            .iter()
            .filter(|hook| hook.mode == HookMode::Each && wants(&hook.on, "run.planned"));
        (
            Hooks { each },
            Veto {
                hooks: vetoing.cloned().collect(),
                place,
            },
        )
    }

    /// Where the bus tells them. `run.planned` is asked separately, by [`Veto`].
    pub fn sink(&self) -> HookSink {
        HookSink {
            each: self
                .each
                .iter()
                .map(|one| (one.hook.on.clone(), one.sender.clone()))
                .collect(),
        }
    }

    /// Waits until all are told and have ended; whether one failed that counts.
    pub fn finish(self, bus: &Bus) -> bool {
        let mut failed = false;
        for Running {
            hook,
            sender,
            thread,
        } in self.each
        {
            // The sink's copy ends with the word that no more comes.
            let _ = sender.send(String::new());
            drop(sender);
            let problem = thread
                .join()
                .unwrap_or_else(|_| Some("its thread panicked".into()));
            if let Some(problem) = problem {
                bus.notice(
                    "hook-failed",
                    format!("hook {}: {problem}", hook.run.join(" ")),
                );
                failed |= hook.failure == HookFailure::Fail;
            }
        }
        failed
    }
}

impl Veto {
    /// Asks every hook on `run.planned`; the first that ends with another code than 0 stops the run.
    pub fn ask(&self, bus: &Bus, planned: &Planned) -> Option<Problem> {
        for hook in &self.hooks {
            let event = Event {
                schema: SCHEMA,
                run: bus.run().to_owned(),
                seq: 0,
                at: 0,
                body: Body::RunPlanned(planned.clone()),
            };
            let text = serde_json::to_string(&event).unwrap_or_default();
            if let Err(why) = tell(hook, &self.place, &text) {
                let message = format!(
                    "the hook {} on run.planned refused the run: {why}",
                    hook.run.join(" ")
                );
                return Some(Problem {
                    code: "vetoed".into(),
                    message,
                    help: String::new(),
                });
            }
        }
        None
    }
}

impl Sink for HookSink {
    fn take(&mut self, event: &Event) {
        if self.each.is_empty() || event.body.is_passing() {
            return;
        }
        let Ok(text) = serde_json::to_string(event) else {
            return;
        };
        let name = event.body.name();
        for (on, sender) in &self.each {
            if wants(on, name) {
                // A hook that has given up listens no more.
                let _ = sender.send(text.clone());
            }
        }
    }
}

/// Whether a hook on these is told of an event of this name.
pub(super) fn wants(on: &[String], name: &str) -> bool {
    on.iter().any(|pattern| {
        pattern == "*"
            || pattern == name
            || pattern.strip_suffix(".*").is_some_and(|prefix| {
                name.starts_with(prefix) && name[prefix.len()..].starts_with('.')
            })
    })
}

/// Events until the empty one.
fn events(receiver: &Receiver<String>) -> impl Iterator<Item = String> + '_ {
    receiver.iter().take_while(|event| !event.is_empty())
}

fn tell_each(hook: &Hook, place: &Place, receiver: &Receiver<String>) -> Option<String> {
    let mut first = None;
    for event in events(receiver) {
        // Asked already, before the run began.
        if event.contains("\"event\":\"run.planned\"") {
            continue;
        }
        if let Err(why) = tell(hook, place, &event) {
            first.get_or_insert(why);
        }
    }
    first
}

fn tell(hook: &Hook, place: &Place, event: &str) -> Result<(), String> {
    let mut child = spawn(hook, place)?;
    write(&mut child, event.as_bytes());
    drop(child.stdin.take());
    wait(&mut child, hook.timeout)
}

fn tell_stream(hook: &Hook, place: &Place, receiver: &Receiver<String>) -> Option<String> {
    let mut events = events(receiver);
    let first = events.next()?;
    let mut child = match spawn(hook, place) {
        Ok(child) => child,
        Err(why) => return Some(why),
    };
    for event in std::iter::once(first).chain(events) {
        write(&mut child, event.as_bytes());
    }
    drop(child.stdin.take());
    wait(&mut child, hook.timeout).err()
}

/// A hook that does not read to the end is free not to; how it exits is what counts.
fn write(child: &mut Child, event: &[u8]) {
    if let Some(stdin) = &mut child.stdin {
        let _ = stdin
            .write_all(event)
            .and_then(|()| stdin.write_all(b"\n"))
            .and_then(|()| stdin.flush());
    }
}

fn spawn(hook: &Hook, place: &Place) -> Result<Child, String> {
    use std::os::unix::process::CommandExt;
    let (program, arguments) = hook.run.split_first().ok_or("it names no program")?;
    let program = if program.contains('/') {
        place.root.join(program).into_os_string()
    } else {
        program.into()
    };
    Command::new(&program)
        .args(arguments)
        .current_dir(&place.root)
        .env_clear()
        .envs(&place.env)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
        .map_err(|error| format!("cannot start {}: {error}", program.to_string_lossy()))
}

/// Waits; what it complained of on standard error is part of why it failed.
fn wait(child: &mut Child, timeout: Duration) -> Result<(), String> {
    let stderr = child.stderr.take();
    let complaint = std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let Some(mut stderr) = stderr else {
            return bytes;
        };
        let mut chunk = [0u8; 4096];
        // All of it is read, so that the hook never waits for us; the beginning is kept.
        while let Ok(count @ 1..) = stderr.read(&mut chunk) {
            let room = 4096usize.saturating_sub(bytes.len());
            bytes.extend_from_slice(&chunk[..count.min(room)]);
        }
        bytes
    });
    let ended = wait_for_exit(child, timeout);
    ended.map_err(|why| {
        let said = complaint.join().unwrap_or_default();
        let said = String::from_utf8_lossy(&said);
        if said.trim().is_empty() {
            why
        } else {
            format!("{why}: {}", said.trim())
        }
    })
}

fn wait_for_exit(child: &mut Child, timeout: Duration) -> Result<(), String> {
    let until = Instant::now() + timeout;
    let mut pause = Duration::from_micros(200);
    loop {
        match child.try_wait() {
            Ok(Some(status)) if status.success() => return Ok(()),
            Ok(Some(status)) => return Err(status.to_string()),
            Ok(None) if Instant::now() >= until => {
                let group = rustix::process::Pid::from_child(child);
                let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
                let _ = child.wait();
                return Err(format!("took longer than {} s", timeout.as_secs_f64()));
            }
            Ok(None) => std::thread::sleep(pause),
            Err(error) => return Err(error.to_string()),
        }
        pause = (pause * 2).min(Duration::from_millis(20));
    }
}
