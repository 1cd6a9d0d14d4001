//! The real binary against the naive model: incremental equals clean, and nothing twice.
//!
//! `JALON_TEST_ROUNDS=2000` tries more; `JALON_BIN` names another binary than the one that cargo built.

use std::path::PathBuf;

use jalon_model::binary::Binary;
use jalon_model::scenario::check;
use jalon_model::strategy::scenario;
use proptest::test_runner::{Config, TestCaseError, TestRunner};

#[test]
fn what_a_run_leaves_is_what_a_clean_run_leaves() {
    let program = jalon();
    assert!(
        program.exists(),
        "build jalon first: {} is missing",
        program.display()
    );
    let cases = std::env::var("JALON_TEST_ROUNDS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(60);
    let config = Config {
        cases,
        failure_persistence: None,
        max_shrink_iters: 300,
        ..Config::default()
    };
    let result = TestRunner::new(config).run(&scenario(8, 6), |scenario| {
        check(&scenario, &mut Binary::new(&program)).map_err(TestCaseError::fail)
    });
    if let Err(error) = result {
        panic!("{error}");
    }
}

/// The binary beside this test's own: `target/debug/jalon` for `target/debug/deps/binary-…`.
fn jalon() -> PathBuf {
    if let Some(path) = std::env::var_os("JALON_BIN") {
        return path.into();
    }
    let own = std::env::current_exe().expect("a test has a path");
    own.ancestors()
        .nth(2)
        .expect("it lies in deps")
        .join("jalon")
}
