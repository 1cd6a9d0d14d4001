//! Evaluation from scratch: each node from its inputs, in order, with no memory of anything.

use std::collections::BTreeMap;

use crate::pipeline::{Input, Instance, Pipeline, Shape};

/// What lies at a path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Content {
    /// A file with this text.
    File(String),
    /// A directory: relative path to text.
    Directory(BTreeMap<String, String>),
}

/// What becomes of an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// It succeeds with these outputs.
    Made(Vec<Content>),
    /// It fails.
    Failed,
    /// Something that it needs fails.
    Blocked,
}

/// An instance, evaluated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evaluated {
    /// Which.
    pub instance: Instance,
    /// Everything that its result depends on, spelt out: two equal keys are one action.
    pub key: String,
    /// What becomes of it.
    pub fate: Fate,
}

/// Evaluates everything, in definition order.
pub fn evaluate(pipeline: &Pipeline) -> Vec<Evaluated> {
    let mut done: BTreeMap<Instance, Fate> = BTreeMap::new();
    let mut all = Vec::new();
    for instance in pipeline.instances() {
        let (key, fate) = evaluate_one(pipeline, instance, &done);
        done.insert(instance, fate.clone());
        all.push(Evaluated {
            instance,
            key,
            fate,
        });
    }
    all
}

fn evaluate_one(
    pipeline: &Pipeline,
    instance: Instance,
    done: &BTreeMap<Instance, Fate>,
) -> (String, Fate) {
    let node = &pipeline.nodes[instance.node];
    let mut read: Vec<(String, Content)> = Vec::new();
    for input in pipeline.inputs(instance.node) {
        match input {
            Input::Source(index) => read.push((format!("s{index}"), source(pipeline, index))),
            Input::Output(earlier, output) => {
                for from in pipeline.instances_of(earlier) {
                    let Fate::Made(outputs) = &done[&from] else {
                        return (String::new(), Fate::Blocked);
                    };
                    read.push((from.path(output), outputs[output].clone()));
                }
            }
        }
    }
    let code = pipeline
        .code_of(instance.node)
        .map(|index| (index, &pipeline.code[index]));
    let param = pipeline
        .param_of(instance.node)
        .map(|index| (index, pipeline.params[index]));
    let key = format!(
        "{} env={} param={param:?} code={code:?} out={:?} cached={} in={read:?}",
        instance.name(),
        node.env,
        node.outputs,
        node.cached && node.outputs.is_empty(),
    );

    let mut value = start(
        instance.value,
        node.env,
        param.map(|it| it.1),
        code.map(|it| it.1.salt),
    );
    for (_, content) in &read {
        value = absorb(value, content);
    }
    if code.is_some_and(|(_, code)| code.fails) {
        return (key, Fate::Failed);
    }
    (
        key,
        Fate::Made(
            node.outputs
                .iter()
                .map(|shape| content(*shape, value))
                .collect(),
        ),
    )
}

/// The content of a source.
pub fn source(pipeline: &Pipeline, index: usize) -> Content {
    let source = &pipeline.sources[index];
    content(
        Shape {
            directory: source.directory,
            ephemeral: false,
            blunt: false,
        },
        source.value,
    )
}

fn start(matrix: Option<u32>, env: u32, param: Option<u32>, salt: Option<u32>) -> u32 {
    let mut value = 17;
    for part in [
        matrix.unwrap_or(0),
        env,
        param.unwrap_or(0),
        salt.unwrap_or(0),
    ] {
        value = mix(value, part);
    }
    value
}

fn mix(value: u32, part: u32) -> u32 {
    (value * 31 + part) % 10007
}

fn absorb(value: u32, content: &Content) -> u32 {
    let number = |text: &String| text.trim().parse().expect("the model writes numbers");
    match content {
        Content::File(text) => mix(value, number(text)),
        // In the order of their names: a, sub/b, x.
        Content::Directory(files) => files
            .values()
            .fold(value, |value, text| mix(value, number(text))),
    }
}

fn content(shape: Shape, value: u32) -> Content {
    let value = if shape.blunt { value % 2 } else { value };
    if !shape.directory {
        return Content::File(format!("{value}\n"));
    }
    let mut files = BTreeMap::from([
        ("a".to_owned(), format!("{value}\n")),
        ("sub/b".to_owned(), format!("{}\n", value % 2)),
    ]);
    if value % 3 == 0 {
        files.insert("x".to_owned(), "1\n".to_owned());
    }
    Content::Directory(files)
}

/// The commands of an instance in `sh`, which compute what [`evaluate`] says. `{{…}}` is jalon's insertion.
///
/// One process, builtins only: a run of a hundred nodes should cost what jalon costs.
pub fn shell(pipeline: &Pipeline, node: usize) -> String {
    let it = &pipeline.nodes[node];
    let name = if it.matrix > 0 {
        format!("n{node}'['{{{{matrix}}}}']'")
    } else {
        format!("n{node}")
    };
    let mut lines = vec![
        format!("echo {name} >> \"$LOG\""),
        "salt=0 fails=0".to_owned(),
        "mix() { h=$(( (h * 31 + $1) % 10007 )); }".to_owned(),
        "take() { if [ -e \"$1\" ]; then read -r v < \"$1\"; mix \"$v\"; fi; }".to_owned(),
        "absorb() { if [ -d \"$1\" ]; then take \"$1/a\"; take \"$1/sub/b\"; take \"$1/x\"; else read -r v < \"$1\"; mix \"$v\"; fi; }".to_owned(),
    ];
    if let Some(code) = pipeline.code_of(node) {
        lines.push(format!(". ./code/c{code}.sh"));
    }
    let param = pipeline
        .param_of(node)
        .map_or("0".to_owned(), |index| format!("{{{{params.p{index}}}}}"));
    let matrix = if it.matrix > 0 { "{{matrix.v}}" } else { "0" };
    lines.push(format!(
        "h=17; mix {matrix}; mix \"$V\"; mix {param}; mix \"$salt\""
    ));
    for input in pipeline.inputs(node) {
        let alias = alias(input);
        lines.push(format!(
            "for f in {{{{in.{alias}}}}}; do absorb \"$f\"; done"
        ));
    }
    for (index, shape) in it.outputs.iter().enumerate() {
        let out = format!("{{{{out.n{node}o{index}}}}}");
        let value = if shape.blunt { "$((h % 2))" } else { "$h" };
        lines.push(if shape.directory {
            format!(
                "w={value}; mkdir -p {out}/sub; echo $w > {out}/a; echo $((w % 2)) > {out}/sub/b; if [ $((w % 3)) = 0 ]; then echo 1 > {out}/x; fi"
            )
        } else {
            format!("echo {value} > {out}")
        });
    }
    lines.push("[ \"$fails\" = 0 ] || exit 1".to_owned());
    lines.join("\n")
}

/// The name of an input in the definition.
pub fn alias(input: Input) -> String {
    match input {
        Input::Source(index) => format!("s{index}"),
        Input::Output(node, output) => format!("n{node}o{output}"),
    }
}
