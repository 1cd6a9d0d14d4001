//! What a run with nothing to do, and a plan, cost: instructions, which do not depend on who else is on the machine.
//!
//! Of the unoptimised binary, ten times those of the real one; what a node more adds, so that what a start costs
//! falls out. The bounds are a quarter above what it takes (half, where threads make the count waver): who comes near them finds
//! out why, and who makes it faster lowers them.

use crate::project::{Project, skip, wait_until};
use crate::settled::answered;

/// Of a run with nothing to do, for each node with two inputs and an output.
const AT_REST: u64 = 7_500;
/// Of the same, where there is hardly a node.
const START: u64 = 16_000_000;
/// Of a plan, for each node.
const PLANNED: u64 = 900_000;
/// Of a quiet run of one node whose source has changed, for each that it does not read.
const BESIDE: i64 = 92_000;
/// Of the same with `--json`, which tells of each node.
const HELD: u64 = 900_000;

const VALGRIND: [&str; 3] = [
    "valgrind",
    "--tool=callgrind",
    "--callgrind-out-file=/dev/null",
];

/// Layers of 20 nodes, each of which reads two of the layer above.
fn project(layers: usize) -> Project {
    // valgrind is in the way of our own observing.
    let mut lines = "[defaults]\nisolation = \"none\"\n[source]\nseed = \"seed.txt\"\ntip = \"tip.txt\"\n\
        [node.tip]\ncmd = \"cat {{in.tip}} > {{out.top}}\"\nin = [\"tip\"]\nout = { top = \"out/top.txt\" }\n"
        .to_owned();
    for layer in 0..layers {
        for column in 0..20 {
            let inputs = match layer.checked_sub(1) {
                None => vec!["seed".to_owned()],
                Some(above) => [column, (column + 1) % 20]
                    .iter()
                    .map(|column| format!("n{above}_{column}"))
                    .collect(),
            };
            let name = format!("n{layer}_{column}");
            let words: Vec<String> = inputs.iter().map(|it| format!("{{{{in.{it}}}}}")).collect();
            lines += &format!(
                "[node.make_{name}]\ncmd = \"head -qc 16 {} > {{{{out.{name}}}}}\"\nin = {inputs:?}\nout = {{ {name} = \"out/{layer}/{column}.txt\" }}\n",
                words.join(" ")
            );
        }
    }
    let mut project = Project::new(&lines);
    project.set_env("RAYON_NUM_THREADS", "1");
    project.write("seed.txt", "seed\n");
    project.write("tip.txt", "tip\n");
    settle(&project);
    project
}

fn settle(project: &Project) {
    wait_until("the project comes to rest", || {
        project.run_ok(&[]);
        answered(project)
    });
}

fn count(project: &mut Project, args: &[&str]) -> u64 {
    project.set_launcher(&VALGRIND);
    let said = project.jalon(args).expect(0).all();
    project.set_launcher(&[]);
    let line = said.lines().find(|line| line.contains("Collected :"));
    let number = line.and_then(|line| line.split_whitespace().last()?.parse().ok());
    number.unwrap_or_else(|| panic!("valgrind says how many: {said}"))
}

#[test]
fn what_a_node_more_costs_stays_what_it_is() {
    if std::process::Command::new("valgrind")
        .arg("--version")
        .output()
        .is_err()
    {
        return skip("instruction counts: there is no valgrind");
    }
    let (few, many) = (5, 15);
    let added = 20 * (many - few) as u64;
    let counts = [few, many].map(|layers| {
        let mut project = project(layers);
        let at_rest = count(&mut project, &["run", "-q"]);
        assert!(answered(&project));
        let plan = count(&mut project, &["plan", "-q"]);
        project.write("tip.txt", "another\n");
        let part = count(&mut project, &["run", "-q"]);
        settle(&project);
        project.write("tip.txt", "one more\n");
        let whole = count(&mut project, &["run", "--json"]);
        (at_rest, plan, part, whole)
    });
    let [
        (rest_few, plan_few, part_few, whole_few),
        (rest_many, plan_many, part_many, whole_many),
    ] = counts;
    let at_rest = (rest_many - rest_few) / added;
    let planned = plan_many.saturating_sub(plan_few) / added;
    let beside = (part_many as i64 - part_few as i64) / added as i64;
    let held = whole_many.saturating_sub(whole_few) / added;
    let start = rest_few - 20 * few as u64 * at_rest;
    println!(
        "a node at rest {at_rest}, planned {planned}, beside {beside}, held {held}; a start {start}"
    );
    assert!(at_rest < AT_REST, "{at_rest} instructions a node at rest");
    assert!(start < START, "{start} instructions to start");
    assert!(planned < PLANNED, "{planned} instructions a node planned");
    assert!(
        beside < BESIDE,
        "{beside} instructions a node beside a part"
    );
    assert!(held < HELD, "{held} instructions a node held");
}
