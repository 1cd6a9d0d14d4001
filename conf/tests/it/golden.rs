//! Definitions on disk: the good ones are quiet, the bad ones say exactly what their `.expect` says.
//!
//! `UPDATE_EXPECT=1 cargo test -p jalon-conf` writes the `.expect` files anew.

use crate::common::{files, inline_params, read, show};

#[test]
fn good_definitions_are_quiet() {
    for (name, text) in files("good") {
        let lowered = read(&name, &text, &[("params.yml", &inline_params(&text))]);
        assert!(
            lowered.diagnostics.is_empty(),
            "{name}:\n{}",
            show(&lowered.diagnostics)
        );
        assert!(lowered.pipeline.is_some(), "{name}");
    }
}

#[test]
fn bad_definitions_say_what_is_expected() {
    let directory = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bad");
    let update = std::env::var_os("UPDATE_EXPECT").is_some();
    let mut wrong = String::new();
    for (name, text) in files("bad") {
        let lowered = read(
            "jalon.toml",
            &text,
            &[("params.yml", &inline_params(&text))],
        );
        let shown = show(&lowered.diagnostics);
        let expected = directory.join(&name).with_extension("expect");
        if update {
            std::fs::write(&expected, &shown).expect("writable");
        }
        let expected = std::fs::read_to_string(&expected).unwrap_or_default();
        if shown != expected {
            wrong += &format!("{name}: expected\n{expected}but got\n{shown}\n");
        }
        let errors = lowered
            .diagnostics
            .iter()
            .any(|d| d.severity == jalon_conf::Severity::Error);
        assert_eq!(lowered.pipeline.is_none(), errors, "{name}");
    }
    assert!(wrong.is_empty(), "{wrong}");
}
