//! `jalon check --repeat`: nodes run again with the same inputs, and whether they give the same bytes.

use std::io::IsTerminal;

use serde_json::{Value, json};

use jalon::event::{Sink, Status};
use jalon::graph::Selection;
use jalon::history::History;
use jalon::judge::{self, Judge, is_cached};
use jalon::observe::Sight;
use jalon::plan;
use jalon::repeat::{Compared, Comparer, Verdict, confirm};
use jalon::report::words;
use jalon::run::{Ended, Materialise, Options, Repeated, Repeats, Run, RunError, Setting};
use jalon::workspace::{PRIVATE_DIRECTORY, Workspace};
use jalon_conf::pipeline::NodeId;

use super::super::super::args::Common;
use super::super::super::exit::{self, Failure};
use super::super::super::out;
use super::super::super::session::Session;
use super::super::super::signals;
use super::super::super::ui::{self, Style, line};
use super::super::run::refused;

/// A node that was asked for, and what became of it.
struct Answer {
    node: String,
    standing: Standing,
    outputs: Vec<Value>,
    rows: Vec<String>,
    confirmed: Option<u32>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Standing {
    Same,
    Differs,
    /// It failed, or was not reached.
    Failed,
    /// An input that had to be made again came out otherwise.
    OtherInputs,
}

impl Standing {
    fn word(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Differs => "differs",
            Self::Failed => "failed",
            Self::OtherInputs => "other-inputs",
        }
    }
}

/// Runs nodes again and compares.
pub fn repeat(common: &Common, names: &[String]) -> Result<u8, Failure> {
    let session = Session::open(common, true)?;
    let asked = session.forced(names)?;
    let selection = session.select(names)?;
    let lock = session.lock(true, &format!("process {}, check", std::process::id()))?;
    let workspace = session.own_files(&lock)?;
    all_known(&session, &workspace, &selection, &asked)?;
    let run =
        Run::new(ulid::Ulid::generate().to_string()).map_err(|error| refused(&session, error))?;
    let signals = signals::forward(run.control());
    let options = Options {
        selection,
        targets: names.to_vec(),
        forced: asked.clone(),
        jobs: session.machine.cpus,
        fail_fast: false,
        locked: false,
        materialise: Materialise::Targets,
        hooks: false,
    };
    let repeats = Repeats::new(asked.clone());
    let setting = Setting {
        project: &session.project,
        machine: &session.machine,
        store: &session.store,
        remotes: None,
        workspace: &workspace,
        ambient: session.ambient(),
        executor: &jalon::worker::process::Processes,
        lock: &lock,
        repeats: Some(&repeats),
        witnesses: &session.witnesses,
        before: None,
        remainder: None,
        store_state: None,
    };
    let mut sinks: Vec<Box<dyn Sink>> = Vec::new();
    if !common.json {
        sinks.push(ui::run_sink(common, std::io::stderr().is_terminal()));
    }
    let Ended { summary, .. } = run
        .execute(&setting, &options, sinks)
        .map_err(|error| refused(&session, error))?;
    let answers = answers(common, &session, &asked, &repeats.into_seen())?;
    session.cache.flush();
    let equal = answers.iter().all(|one| one.standing == Standing::Same);
    say(common, &answers, equal)?;
    Ok(match summary.status {
        Status::Interrupted => 128 + signals.last().unwrap_or(2) as u8,
        Status::Succeeded if equal => exit::DONE,
        _ => exit::FAILED,
    })
}

/// Nothing is run unless there is something to compare every node with.
fn all_known(
    session: &Session,
    workspace: &Workspace,
    selection: &Selection,
    asked: &[bool],
) -> Result<(), Failure> {
    let graph = &session.project.graph;
    let sight = Sight::new(graph, &session.machine, workspace, &session.store);
    let observations = judge::observe(graph, &selection.selected, &sight, session.ambient())
        .map_err(|missed| refused(session, RunError::Unobserved(missed)))?;
    let judge = Judge::new(graph, &sight, &observations);
    let history = History::new(&session.store, &session.project.name);
    let forced = vec![false; graph.len()];
    let inputs = plan::Inputs::new(judge, selection, &forced, &history);
    let plan = plan::plan(&inputs)?;
    let is_known = |id: NodeId| {
        let judged = plan.judged[id.0 as usize].as_ref();
        judged.is_some_and(|judged| judged.found.is_some())
    };
    let nodes = (0..graph.len() as u32).map(NodeId);
    let Some(first) = nodes
        .filter(|id| asked[id.0 as usize])
        .find(|&id| !is_known(id))
    else {
        return Ok(());
    };
    let node = graph.node(first);
    let name = node.name.to_string();
    Err(if is_cached(node) {
        let message = format!("no outcome of {name} is kept for its inputs as they are now");
        Failure::new(exit::NO_MATCH, "no-outcome", message)
            .help(format!("run it first: jalon run '{name}'"))
    } else {
        let message =
            format!("outcomes of {name} are never kept, so there is nothing to compare with");
        Failure::new(exit::NO_MATCH, "no-outcome", message)
            .help("give it outputs, or take `cache = false` away")
    })
}

fn answers(
    common: &Common,
    session: &Session,
    asked: &[bool],
    seen: &[Repeated],
) -> Result<Vec<Answer>, Failure> {
    let private = session.project.root.join(PRIVATE_DIRECTORY);
    let comparer = Comparer {
        store: &session.store,
        scratch: private.join("repeat").join(std::process::id().to_string()),
    };
    let graph = &session.project.graph;
    let mut answers = Vec::new();
    for id in (0..graph.len() as u32).map(NodeId) {
        if !asked[id.0 as usize] {
            continue;
        }
        let mut answer = Answer {
            node: graph.node(id).name.to_string(),
            standing: Standing::Failed,
            outputs: Vec::new(),
            rows: Vec::new(),
            confirmed: None,
        };
        if let Some(repeated) = seen.iter().find(|repeated| repeated.node == id) {
            answer.take(
                common,
                session,
                &comparer.outputs(graph, repeated)?,
                repeated,
            )?;
        }
        answers.push(answer);
    }
    // Only there if something was too large for memory.
    let _ = std::fs::remove_dir_all(&comparer.scratch);
    Ok(answers)
}

impl Answer {
    fn confirmation(&self) -> String {
        let times = self.confirmed.map_or_else(String::new, |times| {
            format!(", {} by now", words::count(times.into(), "time"))
        });
        format!("gave the same bytes{times}")
    }

    fn take(
        &mut self,
        common: &Common,
        session: &Session,
        outputs: &[Compared],
        repeated: &Repeated,
    ) -> Result<(), Failure> {
        let Some(earlier) = &repeated.earlier else {
            self.standing = Standing::OtherInputs;
            return Ok(());
        };
        let equal = outputs.iter().all(|one| one.verdict == Verdict::Same);
        self.standing = if equal {
            Standing::Same
        } else {
            Standing::Differs
        };
        if equal {
            self.confirmed = confirm(&session.store, earlier)?;
        }
        for one in outputs {
            let artifact = session.project.graph.artifact(one.artifact);
            let (name, path) = (artifact.name.to_string(), artifact.path.as_str());
            let (difference, why) = match &one.verdict {
                Verdict::Same => (None, None),
                Verdict::Differs(difference) => (Some(difference), Some(difference.to_string())),
                Verdict::Gone => (
                    None,
                    Some(
                        "it differs; where cannot be said, for the earlier bytes are gone"
                            .to_owned(),
                    ),
                ),
            };
            if why.is_some() || common.verbose > 0 {
                let why = why.as_deref().unwrap_or("the same bytes");
                self.rows.push(line(&format!("{name}  {path}: {why}")));
            }
            let difference = difference.map(|it| {
                json!({"format": it.format, "within": it.within, "place": it.place, "offset": it.offset, "old": it.old, "new": it.new})
            });
            self.outputs.push(json!({
                "artifact": name,
                "path": path,
                "equal": one.verdict == Verdict::Same,
                "kept": one.verdict != Verdict::Gone,
                "old": one.old.digest_hex(),
                "new": one.new.digest_hex(),
                "difference": difference,
                "text": why,
            }));
        }
        Ok(())
    }
}

fn say(common: &Common, answers: &[Answer], equal: bool) -> Result<(), Failure> {
    if common.json {
        let nodes: Vec<Value> = answers
            .iter()
            .map(|one| {
                json!({"node": one.node, "status": one.standing.word(), "confirmed": one.confirmed, "outputs": one.outputs})
            })
            .collect();
        return out::line(json!({"schema": 1, "check": "repeat", "equal": equal, "nodes": nodes}));
    }
    let style = Style::of(common);
    let mut text = String::new();
    for one in answers {
        let (word, said) = match one.standing {
            Standing::Same => (style.good("same   "), one.confirmation()),
            Standing::Differs => (style.bad("DIFFERS"), "(the earlier outcome stands)".into()),
            Standing::Failed => (style.bad("FAILED "), "it did not come to its end".into()),
            Standing::OtherInputs => (
                style.bad("DIFFERS"),
                "an input that had to be made again came out otherwise".into(),
            ),
        };
        text += &format!("{word}  {}  {said}\n", line(&one.node));
        one.rows
            .iter()
            .for_each(|row| text += &format!("         {row}\n"));
    }
    out::bytes(text.as_bytes())
}
