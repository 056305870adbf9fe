//! Answers of any size in bounded memory.

use airudder_export::sandbox::SandboxOptions;

use crate::harness::vendor::past_days;
use crate::harness::{Exporter, LakeView, NOW, Vendor, folder};

const CALLS: u32 = 300_000;
const MAX_MEMORY: u64 = 256 << 20;

/// Exports so many huge answers at once and gives the most memory it took, in bytes.
fn peak(tasks: u32) -> u64 {
    let options = SandboxOptions {
        exact_calls: true,
        ..past_days(1, tasks, CALLS)
    };
    let (folder, vendor) = (folder(), Vendor::start(options));
    let exporter = Exporter::new(folder.path()).against(vendor.url()).at(NOW);
    let (ended, peak) = exporter.run_measured(&["run"]);
    ended.done();
    let live = LakeView::new(exporter.dest()).commits();
    let calls: u64 = live
        .iter()
        .flat_map(|commit| {
            commit["changes"]["tasks"]
                .as_array()
                .cloned()
                .unwrap_or_default()
        })
        .map(|task| task["calls"].as_u64().expect("a number"))
        .sum();
    assert_eq!(calls, u64::from(CALLS * tasks));
    peak
}

#[test]
#[ignore = "takes a minute: just test-all"]
fn an_answer_of_300_000_calls_takes_no_more_than_256_mb() {
    let peak = peak(1);
    assert!(peak <= MAX_MEMORY, "{} MiB", peak >> 20);
}

#[test]
#[ignore = "takes a minute: just test-all"]
fn four_such_answers_at_once_take_no_more_than_256_mb() {
    let peak = peak(4);
    assert!(peak <= MAX_MEMORY, "{} MiB", peak >> 20);
}

#[test]
fn tasks_that_wait_for_their_commit_count_in_the_memory_budget() {
    const TASKS: u32 = 1_300;
    let options = SandboxOptions {
        exact_calls: true,
        ..past_days(1, TASKS, 1)
    };
    let (folder, vendor) = (folder(), Vendor::start(options));
    let exporter = Exporter::new(folder.path()).against(vendor.url()).at(NOW);
    exporter.run(&["run", "--memory-budget", "1MiB"]).done();
    let commits = LakeView::new(exporter.dest()).commits();
    let tasks = commits.iter().map(|commit| {
        let tasks = commit["changes"]["tasks"].as_array();
        tasks.map_or(0, Vec::len)
    });
    let tasks: Vec<usize> = tasks.collect();
    assert_eq!(tasks.iter().sum::<usize>(), TASKS as usize, "{tasks:?}");
    // Half of the budget, 1 KiB each; those in flight may come on top.
    assert!(tasks.iter().all(|count| *count < 600), "{tasks:?}");
}
