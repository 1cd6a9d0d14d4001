//! Kedro's cases of `--only-missing-outputs`: its own sequential runner beside ours, on a project that is made of them.

use std::fs;
use std::path::Path;

use crate::ground::{Ground, shown};

#[test]
fn kedros_cases_of_only_missing_outputs() {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/real/kedro/cases");
    let Some(ground) = Ground::of(&cases) else {
        return;
    };
    let told = ground.python(&["compare.py"]);
    let text = shown(&told);
    assert!(told.status.success(), "{text}");
    assert!(text.contains("20 of 20 cases agree"), "{text}");
    // It can tell a difference.
    let registry = ground.dir.join("src/cases/pipeline_registry.py");
    let text = fs::read_to_string(&registry).expect("it is there");
    let first = text
        .find("    \"the_final_output_exists\"")
        .expect("a case");
    let last = text.find("}\n\nPREFIX").expect("the end of the cases");
    let wrong = format!(
        "{}{}",
        &text[..first].replace("[0]),", "[]),"),
        &text[last..]
    );
    fs::write(&registry, wrong).expect("it can be written");
    let told = ground.python(&["compare.py"]);
    assert!(
        shown(&told).contains("0 of 1 cases agree"),
        "{}",
        shown(&told)
    );
}
