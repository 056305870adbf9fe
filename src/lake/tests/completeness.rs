//! Conditions of a day's completeness, and its file when rows arrive late.

use chrono::NaiveDate;

use super::*;
use crate::lake::{Evidence, RevisionReason, TaskState, WorkflowNote};
use crate::task::WorkflowId;

fn date(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

/// The days from `from` to `to` (excluded), listed at the end of the last one.
fn covered(from: &str, to: &str) -> Coverage {
    let time = |day: &str| format!("{day}T00:00:00Z").parse().unwrap();
    Coverage {
        from: time(from),
        to: time(to),
        at: time(to),
        is_range: false,
        evidence: None,
    }
}

fn observation(writer: &LakeWriter) -> CommitDraft {
    let run = writer.store().run_id().clone();
    CommitDraft::new(run, CommitKind::Observe, writer.ledger().last_sequence())
}

fn is_complete(writer: &LakeWriter, day: &str) -> bool {
    let summary = writer.ledger().day_summary(date(day));
    summary.is_some_and(|day| day.complete)
}

/// Complete, how often revised, and why.
fn state(writer: &LakeWriter, day: &str) -> (bool, u64, Option<RevisionReason>) {
    let summary = writer.ledger().day_summary(date(day)).expect("a day");
    (summary.complete, summary.revision, summary.reason)
}

async fn cover(writer: &mut LakeWriter, from: &str, to: &str) {
    let mut seen = observation(writer);
    seen.coverage.push(covered(from, to));
    commit(writer, seen).await;
}

#[tokio::test]
async fn a_paused_task_holds_the_days_behind_its_end_until_it_is_overdue() {
    let scene = Scene::new();
    let mut writer = scene.writer("r1").await;
    let mut seen = observation(&writer);
    // Its schedule ended on the 11th, and it may continue to call on the 13th.
    seen.open
        .push(open_task("paused", "2024-03-11", "2024-03-11"));
    seen.coverage.push(covered("2024-03-10", "2024-03-14"));
    commit(&mut writer, seen).await;
    assert!(is_complete(&writer, "2024-03-10"), "before its start");
    for day in ["2024-03-11", "2024-03-12", "2024-03-13"] {
        assert!(!is_complete(&writer, day), "{day}");
    }
    let mut late = observation(&writer);
    late.open.push(OpenTask {
        overdue: true,
        ..open_task("paused", "2024-03-11", "2024-03-11")
    });
    commit(&mut writer, late).await;
    for day in ["2024-03-11", "2024-03-12", "2024-03-13"] {
        assert_eq!(state(&writer, day), (true, 1, None), "{day}");
    }
    // Its rows come after all.
    let rows = draft(
        &writer,
        CommitKind::Append,
        "2024-03-13",
        &["paused"],
        "late",
    );
    commit(&mut writer, rows).await;
    let late = Some(RevisionReason::Late);
    assert_eq!(state(&writer, "2024-03-13"), (true, 2, late));
    assert_eq!(state(&writer, "2024-03-12"), (true, 1, None));
    writer.close().await.unwrap();
    scene.assert_sound().await;
}

#[tokio::test]
async fn a_task_of_an_unknown_day_holds_every_day_that_is_not_complete_yet() {
    let scene = Scene::new();
    let mut writer = scene.writer("r1").await;
    cover(&mut writer, "2024-03-10", "2024-03-11").await;
    let mut seen = observation(&writer);
    let unknown = OpenTask::new(task_id("somewhen"), TaskStatus::Calling);
    seen.open.push(unknown.clone());
    seen.coverage.push(covered("2024-03-11", "2024-03-12"));
    commit(&mut writer, seen).await;
    assert!(is_complete(&writer, "2024-03-10"), "it was complete before");
    assert!(!is_complete(&writer, "2024-03-11"));
    let mut late = observation(&writer);
    late.open.push(OpenTask {
        overdue: true,
        ..unknown
    });
    commit(&mut writer, late).await;
    assert!(is_complete(&writer, "2024-03-11"));
    writer.close().await.unwrap();
}

#[tokio::test]
async fn a_task_that_failed_holds_the_days_of_its_schedule_however_old_and_no_later_ones() {
    let scene = Scene::new();
    let mut writer = scene.writer("r1").await;
    let mut seen = observation(&writer);
    seen.failed.push(FailedTask {
        task: OpenTask {
            overdue: true,
            ..open_task("failed", "2024-03-11", "2024-03-12")
        },
        failure: Failure {
            reason: "http_503".into(),
            attempts: 9,
            last_run: run_id("r1"),
            rejects: 0,
        },
    });
    seen.coverage.push(covered("2024-03-10", "2024-03-14"));
    commit(&mut writer, seen).await;
    let complete = ["2024-03-10", "2024-03-11", "2024-03-12", "2024-03-13"]
        .map(|day| is_complete(&writer, day));
    assert_eq!(complete, [true, false, false, true]);
    writer.close().await.unwrap();
}

#[tokio::test]
async fn the_first_day_of_a_range_is_complete_once_the_day_before_is_covered() {
    let scene = Scene::new();
    let mut writer = scene.writer("r1").await;
    let range = |from, to| Coverage {
        is_range: true,
        ..covered(from, to)
    };
    let mut seen = observation(&writer);
    seen.coverage.push(range("2024-03-11", "2024-03-13"));
    commit(&mut writer, seen).await;
    assert!(!is_complete(&writer, "2024-03-11"), "calls after midnight");
    assert!(is_complete(&writer, "2024-03-12"));
    let mut before = observation(&writer);
    before.coverage.push(range("2024-03-10", "2024-03-11"));
    commit(&mut writer, before).await;
    assert!(is_complete(&writer, "2024-03-11"));
    assert!(!is_complete(&writer, "2024-03-10"));
    // A listing without a range knows the tasks of all days before.
    cover(&mut writer, "2024-03-10", "2024-03-11").await;
    assert!(is_complete(&writer, "2024-03-10"));
    writer.close().await.unwrap();
    scene.assert_sound().await;
}

#[tokio::test]
async fn a_reopened_task_is_not_complete_until_its_rows_are_replaced() {
    let scene = Scene::new();
    let mut writer = scene.writer("r1").await;
    let rows = draft(&writer, CommitKind::Append, DAY, &["a", "b"], "old");
    commit(&mut writer, rows).await;
    cover(&mut writer, DAY, "2024-03-12").await;
    assert_eq!(state(&writer, DAY), (true, 1, None));
    assert_eq!(writer.ledger().sealed_calls(&task_id("a")), Some(2));

    let mut seen = observation(&writer);
    seen.reopened.push(open_task("a", DAY, DAY));
    commit(&mut writer, seen).await;
    let known = writer.ledger().state(&task_id("a"));
    assert!(matches!(known, Some(TaskState::Reopened(_))), "{known:?}");
    assert_eq!(state(&writer, DAY), (false, 1, None));
    assert_eq!(writer.ledger().sealed_calls(&task_id("a")), Some(2));
    // Seen again, failed, seen again: it stays what it is.
    let mut seen = observation(&writer);
    seen.open.push(OpenTask {
        status: TaskStatus::Paused,
        ..open_task("a", DAY, DAY)
    });
    commit(&mut writer, seen).await;
    let known = writer.ledger().state(&task_id("a"));
    assert!(matches!(known, Some(TaskState::Reopened(_))), "{known:?}");

    let new = replacement(&writer, "a", "new").await;
    commit(&mut writer, new).await;
    let reopened = Some(RevisionReason::Reopened);
    assert_eq!(state(&writer, DAY), (true, 2, reopened));
    writer.close().await.unwrap();
    scene.assert_sound().await;
}

#[tokio::test]
async fn who_did_not_know_of_a_tasks_rows_does_not_reopen_it() {
    let scene = Scene::new();
    let mut slow = scene.writer("slow").await;
    let mut seen = observation(&slow);
    seen.reopened.push(open_task("a", DAY, DAY));
    let mut quick = scene.writer("quick").await;
    let rows = draft(&quick, CommitKind::Append, DAY, &["a"], "rows");
    commit(&mut quick, rows).await;
    slow.refresh().await.unwrap();
    let outcome = slow.commit(seen).await.unwrap();
    assert!(matches!(outcome, CommitOutcome::Unchanged), "{outcome:?}");
    assert!(slow.ledger().is_sealed(&task_id("a")));
    slow.close().await.unwrap();
    quick.close().await.unwrap();
}

#[tokio::test]
async fn compaction_revises_no_day_and_a_replacement_does() {
    let scene = Scene::new();
    let mut writer = scene.writer("r1").await;
    let rows = draft(&writer, CommitKind::Append, DAY, &["a"], "old");
    commit(&mut writer, rows).await;
    cover(&mut writer, DAY, "2024-03-12").await;
    let mut compacted = CommitDraft::new(
        writer.store().run_id().clone(),
        CommitKind::Compact,
        writer.ledger().last_sequence(),
    );
    for live in writer.ledger().live_files() {
        rewrite(&writer, &mut compacted, &[live], None);
    }
    commit(&mut writer, compacted).await;
    assert_eq!(state(&writer, DAY), (true, 1, None));
    let new = replacement(&writer, "a", "new").await;
    commit(&mut writer, new).await;
    let replaced = Some(RevisionReason::Replaced);
    assert_eq!(state(&writer, DAY), (true, 2, replaced));
    writer.close().await.unwrap();
    scene.assert_sound().await;
}

#[tokio::test]
async fn a_day_says_which_listings_cover_it() {
    let scene = Scene::new();
    let mut writer = scene.writer("r1").await;
    let mut seen = observation(&writer);
    let evidence = Evidence {
        listings: 3,
        pages: 4,
        items: 250,
        totals: Some(250),
    };
    seen.coverage.push(Coverage {
        evidence: Some(evidence),
        ..covered("2024-03-11", "2024-03-13")
    });
    commit(&mut writer, seen).await;
    writer.close().await.unwrap();
    for day in ["2024-03-11", "2024-03-12"] {
        let path = scene.root().join(format!("_export/days/{day}.json"));
        let file: serde_json::Value =
            serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        assert_eq!(file["revision"], 1);
        assert_eq!(
            file["evidence"],
            serde_json::json!([{
                "run_id": run_id("r1"), "listed_at": "2024-03-13T00:00:00Z",
                "listings": 3, "pages": 4, "items": 250, "totals": 250
            }])
        );
    }
}

#[tokio::test]
async fn what_was_listed_with_a_clock_that_was_ahead_is_found_and_taken_back() {
    let scene = Scene::new();
    let mut writer = scene.writer("r1").await;
    let mut seen = observation(&writer);
    // The clock of these tests says 2024-03-20.
    seen.coverage.push(covered("2024-03-18", "2024-03-25"));
    seen.listed_until = "2024-03-25T00:00:00Z".parse().ok();
    commit(&mut writer, seen).await;
    assert!(is_complete(&writer, "2024-03-23"));
    let kinds: Vec<_> = (scene.verify().await.findings.iter())
        .map(|finding| finding.kind)
        .collect();
    assert_eq!(kinds, [FindingKind::ListedAhead]);
    let done =
        crate::maintenance::repair::repair(&mut writer, &scene.dest(), Arc::new(schema)).await;
    assert!(done.unwrap().verification.is_sound());
    assert!(is_complete(&writer, "2024-03-19"));
    assert_eq!(state(&writer, "2024-03-20"), (false, 0, None));
    let now = clock().now();
    assert!(writer.ledger().listed_until(None).unwrap() <= now + chrono::TimeDelta::minutes(1));
    // It is covered again once a listing does.
    cover(&mut writer, "2024-03-20", "2024-03-21").await;
    assert!(is_complete(&writer, "2024-03-20"));
    writer.close().await.unwrap();
}

#[tokio::test]
async fn nights_of_a_workflow_that_is_gone_are_counted_until_it_is_there_again() {
    let scene = Scene::new();
    let mut writer = scene.writer("r1").await;
    let workflow = WorkflowId::new("w").unwrap();
    let note = |nights_gone, day| WorkflowNote {
        id: workflow.clone(),
        nights_gone,
        on: date(day),
    };
    for (nights, day) in [(1, "2024-03-11"), (2, "2024-03-12")] {
        let mut seen = observation(&writer);
        seen.workflows.push(note(nights, day));
        commit(&mut writer, seen).await;
    }
    let gone = writer.ledger().nights_gone(&workflow).unwrap();
    assert_eq!((gone.nights, gone.on), (2, date("2024-03-12")));
    let mut seen = observation(&writer);
    seen.workflows.push(note(0, "2024-03-13"));
    commit(&mut writer, seen.clone()).await;
    assert_eq!(writer.ledger().nights_gone(&workflow), None);
    let again = writer.commit(seen).await.unwrap();
    assert!(matches!(again, CommitOutcome::Unchanged), "no news");
    writer.close().await.unwrap();
}
