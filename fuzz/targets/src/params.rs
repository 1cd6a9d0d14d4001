//! Any bytes are parameters or a reason why they are none, in each form that a file of them may have.
//!
//! The first byte says which form.

use jalon_conf::{Layer, ParamsFile, Request, Severity, Text, parse};

/// Longer inputs find nothing that these do not, and are slow.
const LONGEST: usize = 8 << 10;

const FORMS: [&str; 4] = ["p.yaml", "p.toml", "p.json", "p.py"];

/// Takes the input in, and panics where the promise does not hold.
pub fn run(data: &[u8]) {
    let Some((form, text)) = data.split_first().filter(|_| data.len() <= LONGEST) else {
        return;
    };
    let file = FORMS[usize::from(*form) % FORMS.len()];
    let request = Request {
        env: "local".into(),
        set: Vec::new(),
        version: "0.1.0".into(),
    };
    let definition = format!(
        "[pipeline]\nparams = [\"{file}\"]\n[node.n]\ncmd = \"true {{{{params.x}}}} > {{{{out.o}}}}\"\nparams = [\"x\"]\nout = {{ o = \"o\" }}\n"
    );
    let layer = Layer::Project;
    let texts = vec![Text {
        file: "jalon.toml".into(),
        text: definition,
        layer,
    }];
    let given = ParamsFile {
        file: file.into(),
        text: text.to_vec(),
    };
    let lowered = parse(texts, &request).lower(vec![given]);
    let errors = lowered.diagnostics.iter();
    let wrong = errors
        .filter(|found| found.severity == Severity::Error)
        .count();
    // A user who gets no pipeline must be told why.
    assert_eq!(lowered.pipeline.is_none(), wrong > 0);
}
