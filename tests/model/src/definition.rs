//! The definition file of a pipeline. How a node's command is written is the caller's.

use std::fmt::Write as _;

use crate::pipeline::{Cache, Input, Instance, Kind, Pipeline, Undeclared};

/// What a definition leaves out although its nodes use it: a faulty system that does not count it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// The code.
    pub code: bool,
    /// The parameters.
    pub params: bool,
    /// The sources.
    pub sources: bool,
}

/// `jalon.toml`; `command` gives the line `cmd = …` of a node.
pub fn definition(
    pipeline: &Pipeline,
    left_out: LeftOut,
    command: impl Fn(usize) -> String,
) -> String {
    let mut text = String::from(
        "[pipeline]\nname = \"model\"\nparams = [\"params.json\"]\n\n[defaults]\npass_env = [\"LOG\"]\n\n[source]\n",
    );
    for (at, source) in pipeline.sources.iter().enumerate() {
        let rest = match source.kind {
            Kind::File => "",
            Kind::Directory => "/",
            Kind::Pattern => "/*.txt",
        };
        let _ = writeln!(text, "s{at} = \"in/s{at}{rest}\"");
    }
    for node in (0..pipeline.nodes.len()).filter(|&node| pipeline.nodes[node].present) {
        let _ = writeln!(text, "\n[node.n{node}]\n{}", command(node));
        table(pipeline, left_out, node, &mut text);
    }
    text
}

fn table(pipeline: &Pipeline, left_out: LeftOut, node: usize, text: &mut String) {
    let it = &pipeline.nodes[node];
    let mut line = |line: String| *text += &(line + "\n");
    if it.matrix > 0 {
        let values: Vec<String> = (0..it.matrix).map(|value| value.to_string()).collect();
        line(format!("matrix = {{ v = [{}] }}", values.join(", ")));
    }
    if let (Some(code), false) = (pipeline.code_of(node), left_out.code) {
        line(format!("code = [\"{}\"]", code_path(pipeline, code)));
    }
    if let (Some(param), false) = (pipeline.param_of(node), left_out.params) {
        line(format!("params = [\"p{param}\"]"));
    }
    let inputs = pipeline.inputs(node).into_iter();
    let inputs: Vec<String> = inputs
        .filter(|input| !(left_out.sources && matches!(input, Input::Source(_))))
        .map(|input| match input {
            Input::Output(earlier, _) if pipeline.nodes[earlier].matrix > 0 => {
                format!("\"{}[*]\"", alias(input))
            }
            _ => format!("\"{}\"", alias(input)),
        })
        .collect();
    line(format!("in = [{}]", inputs.join(", ")));
    line(format!("env = {{ V = \"{}\" }}", it.env));
    let after: Vec<String> = pipeline
        .after(node)
        .iter()
        .map(|earlier| format!("\"n{earlier}\""))
        .collect();
    if !after.is_empty() {
        line(format!("after = [{}]", after.join(", ")));
    }
    match it.cache {
        Cache::Default => {}
        Cache::Yes => line("cache = true".to_owned()),
        Cache::No => line("cache = false".to_owned()),
    }
    let place = if it.matrix > 0 { ".d/{{matrix}}" } else { "" };
    for (at, shape) in it.outputs.iter().enumerate() {
        let slash = if shape.directory { "/" } else { "" };
        let keep = if shape.ephemeral {
            ", keep = \"run\""
        } else {
            ""
        };
        line(format!(
            "out.n{node}o{at} = {{ path = \"out/n{node}o{at}{place}{slash}\"{keep} }}"
        ));
    }
}

/// The name of an input in the definition.
pub fn alias(input: Input) -> String {
    match input {
        Input::Source(index) => format!("s{index}"),
        Input::Output(node, output) => format!("n{node}o{output}"),
    }
}

/// The path or the pattern of a code file.
pub fn code_path(pipeline: &Pipeline, code: usize) -> String {
    if pipeline.code[code].pattern {
        format!("code/c{code}/*.sh")
    } else {
        format!("code/c{code}.sh")
    }
}

/// Where an undeclared read of a node goes, if it goes anywhere.
pub fn undeclared_path(pipeline: &Pipeline, node: usize, what: Undeclared) -> Option<String> {
    let extra = &pipeline.extra;
    Some(match what {
        Undeclared::Read(raw) | Undeclared::Probe(raw) | Undeclared::Deep(raw) => {
            format!("extra/e{}", extra.file(raw)?.0)
        }
        Undeclared::Overhear(raw) => {
            let (node, output) = pipeline.overheard(node, raw)?;
            Instance { node, value: None }.path(output)
        }
        Undeclared::List => "extra/d".to_owned(),
        Undeclared::Through(raw) => format!("extra/l{}", extra.link(raw)?.0),
        Undeclared::Chase(raw) => format!("extra/w{}", extra.pointer(raw)?.0),
    })
}
