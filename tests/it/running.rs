//! Tasks that still run: left and remembered, or exported early and replaced; and what is replaced
//! on purpose.

use airudder_export::sandbox::SandboxOptions;

use crate::harness::lake::assert_same;
use crate::harness::vendor::{clock, past_days};
use crate::harness::{Exporter, LakeView, NOW, Vendor, folder};
use crate::trouble::undisturbed;

const MIDDAY: &str = "2024-03-12T05:00:00Z";

/// Two days, the second of which is in full swing.
fn in_full_swing() -> SandboxOptions {
    SandboxOptions {
        clock: clock(MIDDAY),
        ..past_days(2, 14, 10)
    }
}

fn finished() -> SandboxOptions {
    SandboxOptions {
        clock: clock(NOW),
        ..in_full_swing()
    }
}

fn unfinished(vendor: &Vendor) -> Vec<String> {
    let is_final = |status: &str| ["finished", "canceled", "cancelled"].contains(&status);
    let tasks = vendor.tasks().into_iter();
    tasks
        .filter(|task| {
            task.status
                .as_deref()
                .is_some_and(|status| !is_final(status))
        })
        .map(|task| task.task_id)
        .collect()
}

#[test]
fn a_running_task_is_left_and_exported_when_it_ends_however_old_its_workflow() {
    let (folder, vendor) = (folder(), Vendor::start(in_full_swing()));
    let exporter = Exporter::new(folder.path()).against(vendor.url());
    exporter.clone().at(MIDDAY).run(&["run"]).done();
    let lake = LakeView::new(exporter.dest());
    let running = unfinished(&vendor);
    assert!(running.len() > 3, "{}", running.len());
    let exported = |id: &String| {
        lake.table("tasks")
            .iter()
            .any(|row| row["task_id"].text() == Some(id))
    };
    assert!(!running.iter().any(exported));

    // Nights pass; the workflow falls out of the window that is listed.
    for night in ["2024-05-01T00:30:00Z", "2024-06-15T00:30:00Z"] {
        let late = exporter.clone().at(night);
        late.run(&["run"]).with(78).saying(&["--allow-future"]);
        late.run(&["run", "--allow-future"]).done();
        assert!(!running.iter().any(exported), "it still runs");
    }
    vendor.set_time("2024-06-16T00:30:00Z");
    exporter
        .clone()
        .at("2024-06-16T00:30:00Z")
        .run(&["run"])
        .done();
    assert!(running.iter().all(exported));
    let expected = undisturbed(&finished());
    let there = |content: &crate::harness::lake::Content| {
        let tasks = content["tasks"]
            .iter()
            .map(|row| row["task_id"].to_string());
        tasks.collect::<Vec<_>>()
    };
    // Tasks that were listed for the first time when nobody looked are another matter.
    let late = there(&expected).len() - there(&lake.content()).len();
    assert!(late < 14, "{late}");
    exporter.at("2024-06-16T00:30:00Z").run(&["verify"]).done();
}

#[test]
fn rows_of_running_tasks_are_replaced_when_they_end() {
    let (folder, vendor) = (folder(), Vendor::start(in_full_swing()));
    let exporter = Exporter::new(folder.path())
        .against(vendor.url())
        .set("AIRUDDER_INCLUDE_RUNNING", "true");
    let lake = LakeView::new(exporter.dest());
    let mut seen = Vec::new();
    for time in [MIDDAY, "2024-03-12T08:00:00Z", "2024-03-12T11:00:00Z", NOW] {
        vendor.set_time(time);
        exporter.clone().at(time).run(&["run"]).done();
        exporter.run(&["verify"]).done();
        seen.push(lake.counts());
    }
    assert!(
        seen.windows(2).all(|pair| pair[0][0] <= pair[1][0]),
        "{seen:?}"
    );
    assert!(seen[0][0] < seen[3][0], "nothing was running: {seen:?}");
    assert_same(&lake.content(), &undisturbed(&finished()));
}

#[test]
fn a_task_exported_early_is_replaced_by_a_run_that_leaves_running_tasks_too() {
    let (folder, vendor) = (folder(), Vendor::start(in_full_swing()));
    let exporter = Exporter::new(folder.path()).against(vendor.url());
    exporter
        .clone()
        .at(MIDDAY)
        .run(&["run", "--include-running"])
        .done();
    vendor.set_time(NOW);
    exporter.clone().at(NOW).run(&["run"]).done();
    exporter.run(&["verify"]).done();
    assert_same(
        &LakeView::new(exporter.dest()).content(),
        &undisturbed(&finished()),
    );
}

#[test]
fn backfill_replace_pulls_its_days_again_and_spares_the_others() {
    let (folder, vendor) = (folder(), Vendor::start(past_days(3, 6, 12)));
    let exporter = Exporter::new(folder.path()).against(vendor.url()).at(NOW);
    exporter
        .run(&["backfill", "--from", "2024-03-11", "--to", "2024-03-17"])
        .done();
    let lake = LakeView::new(exporter.dest());
    let (before, files) = (lake.content(), lake.live_files());
    let run_of = |table: &str| {
        let rows = lake.table(table).into_iter();
        rows.map(|row| (row.key(), row["_run_id"].clone()))
            .collect::<Vec<_>>()
    };
    let runs = run_of("calls");
    let again = [
        "backfill",
        "--from",
        "2024-03-12",
        "--to",
        "2024-03-12",
        "--replace",
    ];
    exporter.run(&again).done();
    assert_same(&lake.content(), &before);
    assert_ne!(lake.live_files(), files);
    let pulled = vendor.stats().details;
    assert_eq!(pulled.values().filter(|times| **times == 2).count(), 6);
    let changed = runs
        .iter()
        .zip(run_of("calls"))
        .filter(|(old, new)| **old != *new)
        .count();
    let of_day: u64 = vendor
        .tasks()
        .iter()
        .filter(|task| task.schedule_start_time.date_naive().to_string() == "2024-03-12")
        .map(|task| task.calls)
        .sum();
    assert_eq!(u64::try_from(changed).expect("small"), of_day);
    exporter.run(&["verify"]).done();
}

#[test]
fn tasks_and_workflows_can_be_named_instead_of_listed() {
    let (folder, vendor) = (folder(), Vendor::start(past_days(1, 8, 3)));
    let exporter = Exporter::new(folder.path()).against(vendor.url()).at(NOW);
    let tasks = vendor.tasks();
    let ids: Vec<&str> = tasks.iter().map(|task| task.task_id.as_str()).collect();
    exporter.run(&["run", "--task-id", ids[0]]).done();
    exporter
        .run_with(
            &["run", "--task-ids", "-"],
            &format!("{}\n{}\n", ids[0], ids[1]),
        )
        .done();
    let stats = vendor.stats();
    assert_eq!(stats.details.values().sum::<u64>(), 2);
    assert_eq!(
        stats.requests.len(),
        2,
        "nothing was listed: {:?}",
        stats.requests
    );
    exporter
        .run(&["run", "--workflow-id", &tasks[0].workflow_id])
        .done();
    let of_workflow = tasks
        .iter()
        .filter(|t| t.workflow_id == tasks[0].workflow_id)
        .count();
    assert_eq!(
        LakeView::new(exporter.dest()).counts()[3],
        of_workflow.max(2)
    );
}
