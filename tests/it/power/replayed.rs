//! What a verb did to the disk is recorded call by call (strace), and replayed up to a moment, with what was not synced
//! lost as a disk may lose it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::disk::Disk;
use super::recording::{CALLS, Op, read};
use super::{AFTER_ANOTHER, COLLECTION, Numbers, PUSH, RUN, Scenario, aim, files, project};
use crate::project::{Project, copy_tree, rounds, skip};

/// What a verb did below directories, in order; nothing where that cannot be recorded.
fn record(project: &mut Project, verb: &[&str], below: &[PathBuf]) -> Option<Vec<Op>> {
    let strace = Command::new("strace").arg("-V").output();
    if !strace.is_ok_and(|output| output.status.success()) {
        skip("power cuts, replayed (no strace here)");
        return None;
    }
    let recording = project.beside("recording");
    project.set_launcher(&[
        "strace",
        "-f",
        "-y",
        "-xx",
        "-s",
        "10000000",
        "-e",
        CALLS,
        "-e",
        "signal=none",
        "-o",
        recording.to_str().unwrap(),
    ]);
    project.jalon(verb).expect(0);
    project.set_launcher(&[]);
    let ops = read(&fs::read_to_string(&recording).unwrap(), below);
    let is_sync = |op: &&Op| matches!(op, Op::Sync { .. } | Op::SyncAll);
    let syncs = ops.iter().filter(is_sync).count();
    assert!(
        ops.len() > 10 && syncs > 0,
        "{} calls, {syncs} syncs",
        ops.len()
    );
    Some(ops)
}

fn cut_off(scenario: &Scenario, turns: u32) {
    let mut project = project();
    aim(&project, &project, false);
    (scenario.prepare)(&project);
    let untouched = Project::new("");
    copy_tree(&project.dir, &untouched.dir);
    let kept = [".jalon", "far"].map(|name| project.path(name));
    let start = Disk::of(&kept);
    let Some(ops) = record(&mut project, scenario.verb, &kept) else {
        return;
    };
    if scenario.verb[0] == "gc" {
        let is_removal = |op: &&Op| matches!(op, Op::Remove { .. });
        let removed = ops.iter().filter(is_removal).count();
        assert!(removed > 3, "{removed} removed: nothing was collected");
    }
    project.run_ok(&[]);
    let expected = files(&project);

    let mut numbers = Numbers(0x1234_5678_9abc_def1);
    for turn in 0..turns {
        // The end itself, often: what was said to be kept must be there.
        let upto = match turn % 4 {
            0 => ops.len(),
            _ => numbers.below(ops.len() as u64 + 1) as usize,
        };
        let what = format!(
            "{:?}, turn {turn}: {upto} of {} calls",
            scenario.verb,
            ops.len()
        );
        let mut other = Project::new("");
        copy_tree(&untouched.dir, &other.dir);
        aim(&other, &other, false);
        let log = other.beside("executed");
        other.set_env("LOG", log.to_str().unwrap());
        let mut disk = start.clone();
        ops[..upto].iter().for_each(|op| disk.perform(op));
        for name in [".jalon", "far"] {
            let _ = fs::remove_dir_all(other.path(name));
            fs::create_dir_all(other.path(name)).unwrap();
        }
        let place = |path: &Path| other.dir.join(path.strip_prefix(&project.dir).unwrap());
        disk.cut(place, &mut |limit| numbers.below(limit));
        (scenario.check)(&other, upto == ops.len(), &expected, &what);
    }
    eprintln!("{turns} moments of {} calls", ops.len());
}

#[test]
fn a_power_cut_at_any_moment_of_a_run() {
    cut_off(&RUN, rounds(40));
}

#[test]
fn a_power_cut_at_any_moment_of_a_run_after_another() {
    cut_off(&AFTER_ANOTHER, rounds(20));
}

#[test]
fn a_power_cut_at_any_moment_of_a_collection() {
    cut_off(&COLLECTION, rounds(20));
}

#[test]
fn a_power_cut_at_any_moment_of_a_push() {
    cut_off(&PUSH, rounds(20));
}
