//! A node's behaviour in `sh`, for the real binary.
//!
//! One process and builtins only, but where a node reads in a process of a process: a run of a hundred
//! nodes should cost what jalon costs.

use crate::definition::{alias, code_path, undeclared_path};
use crate::naive::{ABSENT, PROBED};
use crate::pipeline::{Pipeline, Shape, Undeclared};

/// What every node can do.
const ABILITIES: &str = r#"mix() { h=$(( (h * 31 + $1) % 10007 )); }
take() { if [ -e "$1" ]; then read -r v < "$1"; mix "$v"; fi; }
absorb() { if [ -d "$1" ]; then take "$1/a"; take "$1/sub/b"; take "$1/x"; else read -r v < "$1"; mix "$v"; fi; }
look() { if [ -e "$1" ]; then read -r v < "$1"; mix "$v"; else mix ABSENT; fi; }"#;

/// The line `cmd = …` of a node, which computes what [`crate::naive::evaluate`] says.
pub fn command(pipeline: &Pipeline, node: usize) -> String {
    format!("cmd = '''\n{}\n'''", script(pipeline, node))
}

fn script(pipeline: &Pipeline, node: usize) -> String {
    let it = &pipeline.nodes[node];
    let name = if it.matrix > 0 {
        format!("n{node}'['{{{{matrix}}}}']'")
    } else {
        format!("n{node}")
    };
    let mut lines = vec![
        format!("echo {name} >> \"$LOG\""),
        "salt=0 fails=0 more=0".to_owned(),
        ABILITIES.replace("ABSENT", &ABSENT.to_string()),
    ];
    if let Some(code) = pipeline.code_of(node) {
        lines.push(format!(
            "for f in {}; do . \"./$f\"; done",
            code_path(pipeline, code)
        ));
    }
    let param = pipeline
        .param_of(node)
        .map_or("0".to_owned(), |index| format!("{{{{params.p{index}}}}}"));
    let matrix = if it.matrix > 0 { "{{matrix.v}}" } else { "0" };
    lines.push(format!(
        "h=17; mix {matrix}; mix \"$V\"; mix {param}; mix $((salt + more))"
    ));
    if it.deaf {
        lines.push("keep=$h".to_owned());
    }
    for input in pipeline.inputs(node) {
        lines.push(format!(
            "for f in {{{{in.{}}}}}; do absorb \"$f\"; done",
            alias(input)
        ));
    }
    if it.deaf {
        lines.push("h=$keep".to_owned());
    }
    let undeclared = it.undeclared.iter();
    lines.extend(
        undeclared.filter_map(|&what| Some(read(what, &undeclared_path(pipeline, node, what)?))),
    );
    lines.extend(
        it.outputs
            .iter()
            .enumerate()
            .map(|(at, shape)| write(&format!("{{{{out.n{node}o{at}}}}}"), shape)),
    );
    if it.touchy {
        lines.push("[ $((h % 3)) != 0 ] || exit 1".to_owned());
    }
    lines.push("[ \"$fails\" = 0 ] || exit 1".to_owned());
    lines.join("\n")
}

fn read(what: Undeclared, path: &str) -> String {
    match what {
        Undeclared::Read(_) | Undeclared::Through(_) | Undeclared::Overhear(_) => {
            format!("look {path}")
        }
        Undeclared::Probe(_) => {
            let [there, not] = PROBED;
            format!("if [ -e {path} ]; then mix {there}; else mix {not}; fi")
        }
        Undeclared::List => format!("for f in {path}/*; do mix \"${{f##*m}}\"; done"),
        Undeclared::Chase(_) => format!("read -r w < {path}; look \"extra/$w\""),
        // Each shell does something after, so that neither becomes what it starts.
        Undeclared::Deep(_) => format!(
            "v=$(sh -c 'sh -c \"if [ -e {path} ]; then cat {path}; else echo {ABSENT}; fi; :\"; :'); mix \"$v\""
        ),
    }
}

fn write(out: &str, shape: &Shape) -> String {
    let value = if shape.blunt { "$((h % 2))" } else { "$h" };
    if shape.directory {
        format!(
            "w={value}; mkdir -p {out}/sub; echo $w > {out}/a; echo $((w % 2)) > {out}/sub/b; if [ $((w % 3)) = 0 ]; then echo 1 > {out}/x; fi"
        )
    } else {
        format!("echo {value} > {out}")
    }
}
