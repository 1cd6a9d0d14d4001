//! `jalon explain`.

use serde_json::{Value, json};

use jalon::action::field;
use jalon::explain::Difference;
use jalon::plan;
use jalon_conf::pipeline::NodeId;

use super::super::args::{Common, ExplainArgs};
use super::super::exit::{self, Failure};
use super::super::out;
use super::super::session::{Session, no_match, selector};
use super::plan::planned;
use jalon_remote::Remotes;

/// What there is to say of one node.
struct Answer {
    node: String,
    verdict: &'static str,
    reason: String,
    key: Option<String>,
    compared_with: Option<(String, String)>,
    differences: Vec<Difference>,
    widened: Vec<Widened>,
}

/// Code that counts although the function does not reach it by name.
#[derive(serde::Serialize)]
struct Widened {
    to: String,
    #[serde(rename = "where")]
    place: String,
    why: String,
}

/// Explains a node, or every instance that a selector matches.
pub fn explain(common: &Common, args: &ExplainArgs) -> Result<u8, Failure> {
    let session = Session::open(common, false)?;
    let graph = &session.project.graph;
    let nodes = graph.nodes_matching(&selector(&args.node)?);
    if nodes.is_empty() {
        let missed = match session.select(std::slice::from_ref(&args.node)) {
            Err(failure) => return Err(failure),
            Ok(_) => jalon::graph::NoMatch {
                target: args.node.clone(),
                nearest: None,
                at: None,
            },
        };
        return Err(
            no_match(&[missed], exit::NO_MATCH).help("it is a source: nothing runs to make it")
        );
    }
    let remotes = session.remotes(common.offline, Some(false))?;
    let answers = answers(&session, remotes.as_deref(), &nodes, &args.node)?;
    if common.json {
        let mut all: Vec<Value> = answers.iter().map(json).collect();
        let mut first = all.first().cloned().unwrap_or_default();
        if all.len() > 1 {
            first["others"] = Value::Array(all.split_off(1));
        }
        out::line(&first)?;
    } else {
        let all: String = answers.iter().map(text).collect();
        out::bytes(all.as_bytes())?;
    }
    Ok(exit::DONE)
}

fn answers(
    session: &Session,
    remotes: Option<&Remotes>,
    nodes: &[NodeId],
    target: &str,
) -> Result<Vec<Answer>, Failure> {
    let selection = session.select(&[target.to_owned()])?;
    let forced = vec![false; session.project.graph.len()];
    planned(session, remotes, &selection, &forced, |inputs, plan| {
        nodes
            .iter()
            .map(|&node| answer(inputs, plan, node))
            .collect()
    })
}

fn answer(inputs: &plan::Inputs<'_>, plan: &plan::Plan, node: NodeId) -> Answer {
    let at = node.0 as usize;
    let name = inputs.graph.node(node).name.to_string();
    let judged = plan.judged[at].as_ref();
    let mut answer = Answer {
        verdict: plan.verdicts[at].word(),
        reason: plan.reasons[at].as_ref().map_or_else(
            || "its outcome is known".into(),
            jalon::verdict::Reason::line,
        ),
        key: judged.map(|judged| judged.key().to_string()),
        compared_with: None,
        differences: Vec::new(),
        widened: widened(inputs, node),
        node: name,
    };
    let Some(judged) = judged else { return answer };
    // A hit is compared with the run before the one that made it; what runs, with the nearest.
    if let Some(nearest) = plan::nearest(inputs, node, judged, Some(judged.key())) {
        let earlier = nearest.earlier;
        answer.compared_with = Some((earlier.run.clone(), earlier.key.to_string()));
        answer.differences = nearest.differences;
        answer
            .differences
            .iter_mut()
            .for_each(|one| place(inputs, node, one));
    }
    answer
}

/// Why more of a function's code counts than what it reaches by name.
fn widened(inputs: &plan::Inputs<'_>, node: NodeId) -> Vec<Widened> {
    let function = inputs.judge.function(node);
    let widenings = function.iter().flat_map(|function| &function.widenings);
    widenings
        .map(|one| Widened {
            to: one.reach.to_string(),
            place: one.place.as_ref().map_or_else(String::new, |place| {
                format!("{}:{}", place.file, place.line)
            }),
            why: one.why.clone(),
        })
        .collect()
}

/// Where to look for what changed.
fn place(inputs: &plan::Inputs<'_>, node: NodeId, difference: &mut Difference) {
    let pipeline = inputs.graph.pipeline();
    let declared = &inputs.graph.node(node).at;
    difference.place = match difference.field.as_str() {
        field::PARAMS => pipeline
            .origin_of_param(&difference.what)
            .unwrap_or_default()
            .to_owned(),
        field::INPUT => {
            let artifact = inputs
                .graph
                .find_artifact(&difference.what)
                .map(|id| inputs.graph.artifact(id));
            artifact
                .map(|artifact| artifact.path.clone())
                .unwrap_or_default()
        }
        field::ENV if !inputs.graph.node(node).env.contains_key(&difference.what) => {
            format!("${}", difference.what)
        }
        field::CODE | field::OBSERVED => difference.what.clone(),
        field::PLATFORM => String::new(),
        _ => format!("{}:{}", declared.file, declared.line),
    };
}

fn json(answer: &Answer) -> Value {
    json!({
        "schema": 1,
        "node": answer.node,
        "verdict": answer.verdict,
        "reason": answer.reason,
        "key": answer.key,
        "compared_with": answer.compared_with.as_ref().map(|(run, key)| json!({"run": run, "key": key})),
        "differences": answer.differences,
        "widened": answer.widened,
    })
}

fn text(answer: &Answer) -> String {
    let mut text = format!("{}: {} ({})\n", answer.node, answer.verdict, answer.reason);
    if let Some(key) = &answer.key {
        text += &format!("  key            {}\n", &key[..16.min(key.len())]);
    }
    match &answer.compared_with {
        Some((run, key)) => {
            text += &format!(
                "  compared with  {} of run {run}\n",
                &key[..16.min(key.len())]
            )
        }
        None if answer.key.is_some() => {
            text += "  compared with  nothing: no other derivation of it is known\n"
        }
        None => text += "  its key is not known before what it reads is made\n",
    }
    for widened in &answer.widened {
        let place = if widened.place.is_empty() {
            String::new()
        } else {
            format!("{}: ", widened.place)
        };
        text += &format!(
            "  counts too     {}, for {place}{}\n",
            widened.to, widened.why
        );
    }
    for difference in &answer.differences {
        let line = jalon::verdict::Reason::from(difference).line();
        text += &format!("  - {line}\n");
    }
    text
}
