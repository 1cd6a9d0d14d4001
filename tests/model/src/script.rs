//! A scenario as a script to read: every index resolved, one line a statement.

use std::fmt;

use crate::definition::{alias, code_path, undeclared_path};
use crate::edit::{Disturbance, Edit, apply};
use crate::pipeline::{Cache, Kind, Pipeline, Undeclared};
use crate::scenario::{Scenario, Step};

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut pipeline = self.pipeline.clone();
        for line in statements(&pipeline) {
            writeln!(f, "{line}")?;
        }
        for (number, step) in self.steps.iter().enumerate() {
            writeln!(
                f,
                "step {number}{}",
                if step.quiet {
                    ", sizes and times kept"
                } else {
                    ""
                }
            )?;
            for edit in &step.edits {
                let before = statements(&pipeline);
                match apply(edit, &mut pipeline) {
                    Some(disturbance) => writeln!(f, "  {}", spell(&disturbance))?,
                    None => changes(f, edit, &before, &statements(&pipeline))?,
                }
            }
            writeln!(f, "  {}", invocation(step, &pipeline))?;
        }
        Ok(())
    }
}

/// The statements that an edit changed: `-` what was, `+` what is.
fn changes(
    f: &mut fmt::Formatter<'_>,
    edit: &Edit,
    before: &[String],
    after: &[String],
) -> fmt::Result {
    if before == after {
        return writeln!(f, "  ({edit:?} changes nothing)");
    }
    for line in before.iter().filter(|line| !after.contains(line)) {
        writeln!(f, "  - {line}")?;
    }
    for line in after.iter().filter(|line| !before.contains(line)) {
        writeln!(f, "  + {line}")?;
    }
    Ok(())
}

fn invocation(step: &Step, pipeline: &Pipeline) -> String {
    let request = step.request(pipeline);
    let targets = request.targets.iter().map(|node| format!(" n{node}"));
    let forced = request
        .forced
        .iter()
        .map(|node| format!(" --force n{node}"));
    format!("run{}", targets.chain(forced).collect::<String>())
}

fn statements(pipeline: &Pipeline) -> Vec<String> {
    let mut lines = Vec::new();
    for (at, it) in pipeline.sources.iter().enumerate() {
        lines.push(match it.kind {
            Kind::File => format!("source s{at} = {}", it.value),
            Kind::Directory => format!("source s{at} = directory of {}", it.value),
            Kind::Pattern => {
                format!(
                    "source s{at} = {} files from {}, beside them {}",
                    it.more + 1,
                    it.value,
                    it.beside
                )
            }
        });
    }
    for (at, value) in pipeline.params.iter().enumerate() {
        lines.push(format!("param p{at} = {value}"));
    }
    for (at, it) in pipeline.code.iter().enumerate() {
        let second = if it.has_second() {
            ", and a second file"
        } else {
            ""
        };
        let fails = if it.fails { ", fails" } else { "" };
        lines.push(format!(
            "code {} = salt {}, comment {}{second}{fails}",
            code_path(pipeline, at),
            it.salt,
            it.comment
        ));
    }
    let extra = &pipeline.extra;
    lines.extend(
        extra
            .files
            .iter()
            .enumerate()
            .map(|(at, value)| match value {
                Some(value) => format!("file extra/e{at} = {value}"),
                None => format!("file extra/e{at} is absent"),
            }),
    );
    for (at, to) in extra.links.iter().enumerate() {
        lines.push(format!(
            "link extra/l{at} -> e{}",
            extra.file(*to).map_or(0, |it| it.0)
        ));
    }
    for (at, to) in extra.pointers.iter().enumerate() {
        lines.push(format!(
            "file extra/w{at} names e{}",
            extra.file(*to).map_or(0, |it| it.0)
        ));
    }
    if !extra.members.is_empty() {
        lines.push(format!("directory extra/d = {:?}", extra.listing()));
    }
    let present = (0..pipeline.nodes.len()).filter(|&node| pipeline.nodes[node].present);
    lines.extend(present.map(|node| statement(pipeline, node)));
    lines
}

fn statement(pipeline: &Pipeline, node: usize) -> String {
    let it = &pipeline.nodes[node];
    let mut words = vec![format!("node n{node}")];
    if it.matrix > 0 {
        words.push(format!("matrix of {}", it.matrix));
    }
    words.extend(
        pipeline
            .inputs(node)
            .into_iter()
            .map(|input| format!("in {}", alias(input))),
    );
    words.extend(
        pipeline
            .after(node)
            .iter()
            .map(|earlier| format!("after n{earlier}")),
    );
    words.extend(pipeline.param_of(node).map(|at| format!("param p{at}")));
    words.extend(
        pipeline
            .code_of(node)
            .map(|at| format!("code {}", code_path(pipeline, at))),
    );
    words.push(format!("env {}", it.env));
    words.extend(it.undeclared.iter().filter_map(|&what| {
        let verb = match what {
            Undeclared::Read(_) => "reads",
            Undeclared::Probe(_) => "probes",
            Undeclared::List => "lists",
            Undeclared::Through(_) => "follows",
            Undeclared::Chase(_) => "reads what is named by",
            Undeclared::Overhear(_) => "overhears",
            Undeclared::Deep(_) => "has a process of a process read",
        };
        Some(format!("{verb} {}", undeclared_path(pipeline, node, what)?))
    }));
    for (flag, word) in [(it.deaf, "deaf"), (it.touchy, "touchy")] {
        words.extend(flag.then(|| word.to_owned()));
    }
    match it.cache {
        Cache::Default => {}
        Cache::Yes => words.push("cached".to_owned()),
        Cache::No => words.push("uncached".to_owned()),
    }
    for (at, shape) in it.outputs.iter().enumerate() {
        let mut output = format!("out n{node}o{at}");
        for (flag, word) in [
            (shape.directory, " directory"),
            (shape.ephemeral, " ephemeral"),
            (shape.blunt, " blunt"),
        ] {
            output += if flag { word } else { "" };
        }
        words.push(output);
    }
    words.join("; ")
}

fn spell(disturbance: &Disturbance) -> String {
    match disturbance {
        Disturbance::Touch => "touch every file".to_owned(),
        Disturbance::Remove(path) => format!("remove {path}"),
        Disturbance::Overwrite(path) => format!("overwrite {path}"),
        Disturbance::Corrupt(path) => format!("overwrite {path}, size and time kept"),
        Disturbance::LoseFiles(every) => format!("lose one of every {every} files of the store"),
        Disturbance::DamageFiles(every) => {
            format!("damage one of every {every} files of the store")
        }
        Disturbance::LoseStore => "remove the store".to_owned(),
        Disturbance::LoseIndex => "remove .jalon/index".to_owned(),
        Disturbance::Collect(false) => "gc".to_owned(),
        Disturbance::Collect(true) => "gc --max-size 0".to_owned(),
        Disturbance::Move => "copy the project elsewhere and go on there".to_owned(),
        Disturbance::Switch => "go on in the other checkout".to_owned(),
    }
}
