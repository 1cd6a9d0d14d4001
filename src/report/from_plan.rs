//! A [`Plan`](crate::plan::Plan) as a [`PlanReport`]: ids become names, contents what is shown of them.

use jalon_conf::pipeline::NodeId;
use jalon_store::LocalStore;
use jalon_store::content::Content;

use super::plan::{PlanReport, PlannedNode};
use crate::event::{Made, Shape};
use crate::history::History;
use crate::plan::{Plan, notices};
use crate::project::Project;
use crate::verdict::Verdict;

impl PlanReport {
    /// The report of a plan.
    pub fn new(
        project: &Project,
        targets: &[String],
        plan: &Plan,
        history: &History<'_>,
        store: &LocalStore,
    ) -> PlanReport {
        let nodes = (0..project.graph.len()).map(|at| planned(project, plan, history, at));
        PlanReport {
            project: project.name.clone(),
            env: project.graph.pipeline().env.clone(),
            targets: targets.to_vec(),
            nodes: nodes.collect(),
            notices: notices(&project.graph, plan, store),
        }
    }
}

fn planned(project: &Project, plan: &Plan, history: &History<'_>, at: usize) -> PlannedNode {
    let graph = &project.graph;
    let id = NodeId(at as u32);
    let name = graph.node(id).name.to_string();
    let judged = plan.judged[at].as_ref();
    let record = judged.and_then(|judged| judged.found.as_ref());
    let outputs = record
        .into_iter()
        .flat_map(|record| graph.makes(id).zip(&record.outcome.outputs));
    let outputs = outputs.map(|(artifact, output)| {
        let artifact = graph.artifact(artifact);
        (
            artifact.name.to_string(),
            made_of(&output.content, &artifact.path),
        )
    });
    let expected_seconds = match (plan.verdicts[at], record) {
        (Verdict::NotNeeded, _) => None,
        (_, Some(record)) => Some(record.outcome.cost.wall_ms as f64 / 1000.0),
        _ => history
            .of(&name)
            .earlier
            .first()
            .map(|earlier| earlier.seconds),
    };
    PlannedNode {
        verdict: plan.verdicts[at],
        key: judged.map(|judged| judged.key().to_string()),
        reason: plan.reasons[at].clone(),
        outputs: outputs.collect(),
        expected_seconds,
        name,
    }
}

/// A content as reports show it.
pub fn made_of(content: &Content, path: &str) -> Made {
    Made {
        digest: content.digest_hex(),
        size: content.size(),
        path: path.to_owned(),
        shape: if content.is_tree() {
            Shape::Directory
        } else {
            Shape::File
        },
        executable: matches!(
            content,
            Content::File {
                executable: true,
                ..
            }
        ),
    }
}
