//! One node written, many made: instances, skips, selectors, and the order of a fan-in.

use crate::project::Project;

const DEFINITION: &str = r#"
[defaults]
pass_env = ["LOG"]
[node.train]
matrix = { model = ["gbm", "mlp"], seed = [1, 2] }
skip = [{ model = "mlp", seed = 2 }]
cmd = '''echo train'['{{matrix.model}},{{matrix.seed}}']' >> "$LOG"; echo {{matrix}} > {{out.model}}'''
out = { model = "models/{{matrix}}.txt" }
[node.all]
cmd = 'cat {{in.model}} > {{out.all}}'
in = ["model[*]"]
out = { all = "all.txt" }
[node.gbm]
cmd = 'cat {{in.model}} > {{out.gbms}}'
in = ["model[gbm,*]"]
out = { gbms = "gbms.txt" }
[node.keyed]
cmd = 'cat {{in.ones}} > {{out.keyed}}'
in = { ones = "model[seed=1]" }
out = { keyed = "keyed.txt" }
[node.single]
cmd = 'cat {{in.model}} > {{out.single}}'
in = ["model[gbm,2]"]
out = { single = "single.txt" }
[node.words]
cmd = ["sh", "-c", 'for word in "$@"; do echo "$word"; done > words.txt', "sh", "{{in.model}}"]
in = ["model[*]"]
out = { words = "words.txt" }
"#;

#[test]
fn instances_skips_and_selectors() {
    let project = Project::new(DEFINITION);
    let run = project.run_ok(&[]);
    assert_eq!(
        project.executed(),
        ["train[gbm,1]", "train[gbm,2]", "train[mlp,1]"]
    );
    run.assert(&[("train[gbm,1]", "ran"), ("train[mlp,1]", "ran")]);
    assert_eq!(
        run.node("train[gbm,1]")["outputs"]["model[gbm,1]"]["path"],
        "models/gbm-1.txt"
    );
    assert_eq!(project.read("all.txt"), "gbm-1\ngbm-2\nmlp-1\n");
    assert_eq!(project.read("gbms.txt"), "gbm-1\ngbm-2\n");
    assert_eq!(project.read("keyed.txt"), "gbm-1\nmlp-1\n");
    assert_eq!(project.read("single.txt"), "gbm-2\n");
    assert_eq!(
        project.read("words.txt"),
        "models/gbm-1.txt\nmodels/gbm-2.txt\nmodels/mlp-1.txt\n"
    );
}

#[test]
fn targets_select_instances() {
    for (target, expected) in [
        ("train[gbm,1]", vec!["train[gbm,1]"]),
        ("model[gbm,*]", vec!["train[gbm,1]", "train[gbm,2]"]),
        ("model[model=mlp]", vec!["train[mlp,1]"]),
        (
            "train",
            vec!["train[gbm,1]", "train[gbm,2]", "train[mlp,1]"],
        ),
        ("models/gbm-2.txt", vec!["train[gbm,2]"]),
    ] {
        let project = Project::new(DEFINITION);
        project.run_ok(&[target]);
        assert_eq!(project.executed(), expected, "{target}");
        assert!(!project.exists("all.txt"));
    }
}

#[test]
fn a_skipped_instance_is_no_target() {
    let project = Project::new(DEFINITION);
    project.jalon(&["run", "train[mlp,2]"]).expect(4);
}

#[test]
fn a_fan_in_of_nothing_is_an_error() {
    let project = Project::new(&DEFINITION.replace("model[gbm,2]", "model[svm,1]"));
    project.jalon(&["run"]).expect(3);
}
