//! The library in this process against the naive model: thousands of scenarios, and faults that they find.
//!
//! `JALON_TEST_ROUNDS=100000` tries more.

use jalon_model::definition::LeftOut;
use jalon_model::in_process::{Fault, InProcess};
use jalon_model::scenario::check;
use jalon_model::strategy::{Size, try_all};
use jalon_model::{rounds, undeclared};

const SIZE: Size = Size {
    nodes: 5,
    steps: 4,
    undeclared: false,
};

fn holds(size: Size, cases: u32, system: impl Fn() -> InProcess + Sync) {
    let tried = try_all(size, cases, 5000, None, |scenario| {
        check(scenario, &mut system())
    });
    if let Err(found) = tried {
        panic!("{found}");
    }
}

#[test]
fn what_a_run_leaves_is_what_a_clean_run_leaves() {
    let size = Size {
        undeclared: undeclared(),
        ..SIZE
    };
    holds(size, rounds(2000), || InProcess::new(Fault::None));
}

#[test]
fn what_others_made_is_what_running_would_have_given() {
    let size = Size {
        undeclared: undeclared(),
        ..SIZE
    };
    holds(size, rounds(300), InProcess::sharing);
}

#[test]
fn a_clean_run_reads_what_is_undeclared() {
    let size = Size {
        steps: 0,
        undeclared: true,
        ..SIZE
    };
    holds(size, 100, || InProcess::new(Fault::None));
}

#[test]
fn what_the_definition_leaves_out_is_observed() {
    let left_out = LeftOut {
        code: true,
        sources: true,
        // They lie in one file: an edit to any of them would be an edit to all.
        params: false,
    };
    holds(SIZE, 150, || InProcess::leaving_out(left_out));
}

fn is_caught(fault: Fault, undeclared: bool) {
    let size = Size { undeclared, ..SIZE };
    let tried = try_all(size, 300, 0, Some(1), |scenario| {
        check(scenario, &mut InProcess::new(fault))
    });
    assert!(tried.is_err(), "{fault:?} passed");
}

#[test]
fn each_fault_is_caught() {
    for fault in [
        Fault::ForgetsCode,
        Fault::ForgetsParams,
        Fault::ForgetsSources,
        Fault::TrustsTimes,
        Fault::RunsAlways,
        Fault::PlansAhead,
    ] {
        is_caught(fault, false);
    }
}

#[test]
fn undeclared_reads_that_nobody_observes_are_caught() {
    is_caught(Fault::ForgetsObservations, true);
}
