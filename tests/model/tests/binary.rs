//! The real binary against the naive model, a process a node.
//!
//! `JALON_TEST_ROUNDS=2000` tries more; `JALON_BIN` names another binary than the one that cargo built.

use std::path::PathBuf;
use std::sync::atomic::Ordering;

use jalon_model::binary::{ANSWERED, Binary};
use jalon_model::scenario::check;
use jalon_model::strategy::{Size, try_all};
use jalon_model::{rounds, undeclared};

const SIZE: Size = Size {
    nodes: 6,
    steps: 4,
    undeclared: false,
};

#[test]
fn what_a_run_leaves_is_what_a_clean_run_leaves() {
    let program = jalon();
    let size = Size {
        undeclared: undeclared(),
        ..SIZE
    };
    let tried = try_all(size, rounds(60), 300, None, |scenario| {
        check(scenario, &mut Binary::new(&program))
    });
    if let Err(found) = tried {
        panic!("{found}");
    }
}

#[test]
fn what_a_quiet_run_leaves_is_what_a_clean_run_leaves() {
    let program = jalon();
    let size = Size {
        undeclared: undeclared(),
        ..SIZE
    };
    let tried = try_all(size, rounds(60), 300, None, |scenario| {
        check(scenario, &mut Binary::quiet(&program))
    });
    if let Err(found) = tried {
        panic!("{found}");
    }
}

#[test]
fn a_clean_run_reads_what_is_undeclared() {
    let program = jalon();
    let size = Size {
        steps: 0,
        undeclared: true,
        ..SIZE
    };
    let tried = try_all(size, 20, 300, None, |scenario| {
        check(scenario, &mut Binary::new(&program))
    });
    if let Err(found) = tried {
        panic!("{found}");
    }
    let answered = ANSWERED.load(Ordering::Relaxed);
    assert!(
        answered > 0,
        "no run was answered from what an earlier one had kept"
    );
}

/// The binary beside this test's own: `target/debug/jalon` for `target/debug/deps/binary-…`.
fn jalon() -> PathBuf {
    let program = std::env::var_os("JALON_BIN").map_or_else(
        || {
            let own = std::env::current_exe().expect("a test has a path");
            own.ancestors()
                .nth(2)
                .expect("it lies in deps")
                .join("jalon")
        },
        PathBuf::from,
    );
    assert!(
        program.exists(),
        "build jalon first: {} is missing",
        program.display()
    );
    program
}
