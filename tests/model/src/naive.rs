//! Evaluation from scratch: each node from what it reads, in order, with no memory of anything.

use std::collections::BTreeMap;

use crate::pipeline::{Extra, Input, Instance, Kind, Pipeline, Shape, Undeclared};

/// The value of a file that is read and is not there.
pub const ABSENT: u32 = 11;

/// The value of a file that is there, and of one that is not, where only that is asked.
pub const PROBED: [u32; 2] = [13, 14];

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
    /// Something that comes before it fails.
    Blocked,
}

/// An instance, evaluated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evaluated {
    /// Which.
    pub instance: Instance,
    /// Everything that may count, spelt out: two equal keys are one action.
    pub key: String,
    /// Everything that must count. It differs from the key where it is a matter of taste: whether a link
    /// that leads elsewhere to the same content is a change.
    pub core: String,
    /// What becomes of it.
    pub fate: Fate,
}

/// Evaluates everything, in definition order.
pub fn evaluate(pipeline: &Pipeline) -> Vec<Evaluated> {
    let mut done: BTreeMap<Instance, Fate> = BTreeMap::new();
    let mut all = Vec::new();
    for instance in pipeline.instances() {
        let it = evaluate_one(pipeline, instance, &done);
        done.insert(instance, it.fate.clone());
        all.push(it);
    }
    all
}

fn evaluate_one(
    pipeline: &Pipeline,
    instance: Instance,
    done: &BTreeMap<Instance, Fate>,
) -> Evaluated {
    let node = &pipeline.nodes[instance.node];
    let Some(read) = read(pipeline, instance.node, done) else {
        let (key, core, fate) = (String::new(), String::new(), Fate::Blocked);
        return Evaluated {
            instance,
            key,
            core,
            fate,
        };
    };
    let code = pipeline
        .code_of(instance.node)
        .map(|at| (at, &pipeline.code[at]));
    let param = pipeline
        .param_of(instance.node)
        .map(|at| (at, pipeline.params[at]));
    let core = format!(
        "{} env={} param={param:?} code={:?} out={:?} in={read:?}",
        instance.name(),
        node.env,
        code.map(|(at, code)| (
            at,
            code.pattern,
            code.salt,
            code.comment,
            code.fails,
            code.has_second()
        )),
        node.outputs
            .iter()
            .map(|shape| (shape.directory, shape.blunt))
            .collect::<Vec<_>>(),
    );
    let mut core = format!("{core} deaf={} touchy={}", node.deaf, node.touchy);
    let mut key = core.clone();

    let mut value = 17;
    let salt = code.map(|(_, code)| code.adds());
    for part in [instance.value, Some(node.env), param.map(|it| it.1), salt] {
        value = mix(value, part.unwrap_or(0));
    }
    if !node.deaf {
        value = read
            .iter()
            .fold(value, |value, (_, content)| absorb(value, content));
    }
    for undeclared in &node.undeclared {
        if let Undeclared::Overhear(raw) = *undeclared {
            if let Some((name, content)) = overhear(pipeline, instance.node, raw, done) {
                for it in [&mut key, &mut core] {
                    *it += &format!(" {name}={content:?}");
                }
                value = absorb(value, &content);
            }
            continue;
        }
        for part in observe(&pipeline.extra, *undeclared, &mut key, &mut core) {
            value = mix(value, part);
        }
    }
    let fails =
        code.is_some_and(|(_, code)| code.fails) || (node.touchy && value.is_multiple_of(3));
    let fate = if fails {
        Fate::Failed
    } else {
        Fate::Made(
            node.outputs
                .iter()
                .map(|shape| content(*shape, value))
                .collect(),
        )
    };
    Evaluated {
        instance,
        key,
        core,
        fate,
    }
}

/// What a node reads, by name; nothing where something before it was not made.
fn read(
    pipeline: &Pipeline,
    node: usize,
    done: &BTreeMap<Instance, Fate>,
) -> Option<Vec<(String, Content)>> {
    let made = |from: &Instance| match &done[from] {
        Fate::Made(outputs) => Some(outputs),
        _ => None,
    };
    for earlier in pipeline.before(node) {
        for from in pipeline.instances_of(earlier) {
            made(&from)?;
        }
    }
    let mut read = Vec::new();
    for input in pipeline.inputs(node) {
        match input {
            Input::Source(index) => read.push((format!("s{index}"), source(pipeline, index))),
            Input::Output(earlier, output) => {
                for from in pipeline.instances_of(earlier) {
                    read.push((from.path(output), made(&from)?[output].clone()));
                }
            }
        }
    }
    Some(read)
}

/// What a node reads of one that it only comes after, by name.
fn overhear(
    pipeline: &Pipeline,
    node: usize,
    raw: u32,
    done: &BTreeMap<Instance, Fate>,
) -> Option<(String, Content)> {
    let (node, output) = pipeline.overheard(node, raw)?;
    let from = Instance { node, value: None };
    match &done[&from] {
        Fate::Made(outputs) => Some((from.path(output), outputs[output].clone())),
        _ => None,
    }
}

/// The numbers that an undeclared read of a file gives; what it saw is added to key and core.
fn observe(extra: &Extra, what: Undeclared, key: &mut String, core: &mut String) -> Vec<u32> {
    let mut saw = |text: String, value: u32| {
        for it in [&mut *key, &mut *core] {
            *it += &text;
        }
        vec![value]
    };
    let mut read = |raw: u32| match extra.file(raw) {
        Some((at, found)) => saw(format!(" e{at}={found:?}"), found.unwrap_or(ABSENT)),
        None => Vec::new(),
    };
    match what {
        Undeclared::Overhear(_) => Vec::new(),
        Undeclared::Read(raw) | Undeclared::Deep(raw) => read(raw),
        Undeclared::Chase(raw) => match extra.pointer(raw) {
            Some((at, target)) => {
                let value = read(target);
                key.push_str(&format!(" w{at}"));
                core.push_str(&format!(" w{at}"));
                value
            }
            None => Vec::new(),
        },
        Undeclared::Probe(raw) => match extra.file(raw) {
            Some((at, found)) => saw(
                format!(" e{at}?{}", found.is_some()),
                PROBED[usize::from(found.is_none())],
            ),
            None => Vec::new(),
        },
        Undeclared::List => {
            let names = extra.listing();
            saw(format!(" d={names:?}"), 0);
            names
        }
        Undeclared::Through(raw) => match extra
            .link(raw)
            .and_then(|(at, to)| Some((at, extra.file(to)?)))
        {
            Some((at, (to, found))) => {
                key.push_str(&format!(" l{at}->e{to}={found:?}"));
                core.push_str(&format!(" l{at}={found:?}"));
                vec![found.unwrap_or(ABSENT)]
            }
            None => Vec::new(),
        },
    }
}

/// The content of a source; of a pattern, the files that match, by name.
pub fn source(pipeline: &Pipeline, index: usize) -> Content {
    let source = &pipeline.sources[index];
    if source.kind == Kind::Pattern {
        let files =
            (0..=source.more).map(|at| (format!("f{at}.txt"), format!("{}\n", source.value + at)));
        return Content::Directory(files.collect());
    }
    let shape = Shape {
        directory: source.kind == Kind::Directory,
        ephemeral: false,
        blunt: false,
    };
    content(shape, source.value)
}

/// One step of a node's arithmetic.
pub fn mix(value: u32, part: u32) -> u32 {
    (value * 31 + part) % 10007
}

fn absorb(value: u32, content: &Content) -> u32 {
    let number = |text: &String| text.trim().parse().expect("the model writes numbers");
    match content {
        Content::File(text) => mix(value, number(text)),
        // In the order of their names: a, sub/b, x; or f0.txt, f1.txt…
        Content::Directory(files) => files
            .values()
            .fold(value, |value, text| mix(value, number(text))),
    }
}

/// What an output of this shape holds where the node's value is this.
pub fn content(shape: Shape, value: u32) -> Content {
    let value = if shape.blunt { value % 2 } else { value };
    if !shape.directory {
        return Content::File(format!("{value}\n"));
    }
    let mut files = BTreeMap::from([
        ("a".to_owned(), format!("{value}\n")),
        ("sub/b".to_owned(), format!("{}\n", value % 2)),
    ]);
    if value.is_multiple_of(3) {
        files.insert("x".to_owned(), "1\n".to_owned());
    }
    Content::Directory(files)
}
