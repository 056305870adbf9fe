//! A start from a checkpoint equals a start from the records, and checkpoints are optional.

use super::*;
use crate::lake::checkpoint::{self, Checkpoint};
use crate::lake::log::Log;
use crate::lake::record::{MisfitCount, MisfitKey};

/// A lake with so many commits of every kind.
async fn busy(scene: &Scene, commits: u32) {
    let mut writer = scene.writer("r1").await;
    for number in 1..=commits {
        let id = format!("{number:032x}");
        let draft = match number % 7 {
            3 => {
                let run = writer.store().run_id().clone();
                let base = writer.ledger().last_sequence();
                let mut draft = CommitDraft::new(run, CommitKind::Observe, base);
                draft.open = vec![open_task(&format!("open {number}"), DAY, "2024-03-12")];
                draft.failed = vec![FailedTask {
                    task: open_task(&format!("failed-{number}"), "2024-03-13", "2024-03-13"),
                    failure: Failure {
                        reason: "it did not answer".into(),
                        attempts: 2,
                        last_run: run_id("r1"),
                        rejects: 0,
                    },
                }];
                draft.shard = format!("{}/2", number % 2 + 1).parse().ok();
                draft.listed_until = "2024-03-19T00:00:00Z".parse().ok();
                draft.coverage = vec![Coverage {
                    from: "2024-03-01T00:00:00Z".parse().unwrap(),
                    to: "2024-03-20T00:00:00Z".parse().unwrap(),
                    at: "2024-03-20T00:00:00Z".parse().unwrap(),
                    is_range: false,
                    evidence: None,
                }];
                draft
            }
            5 => {
                let id = format!("early/{number}");
                let mut draft = draft(&writer, CommitKind::Append, DAY, &[&id], "early");
                draft.tasks[0].sealed = false;
                draft.tasks[0].rejects = 2;
                draft.tasks[0].misfits = vec![MisfitCount { key: 0, count: 3 }];
                draft.misfit_keys = vec![MisfitKey {
                    table: TableName::Calls,
                    key: format!("Key{}", number % 3),
                    kind: "unknown_key".into(),
                }];
                draft
            }
            6 => compaction(&writer),
            _ => draft(&writer, CommitKind::Append, DAY, &[&id], "x"),
        };
        commit(&mut writer, draft).await;
    }
    writer.close().await.unwrap();
}

async fn loaded(scene: &Scene) -> Log {
    Log::load(&Store::new(&scene.dest()).unwrap())
        .await
        .unwrap()
}

async fn from_records(scene: &Scene) -> Log {
    let store = Store::new(&scene.dest()).unwrap();
    Log::load_from_records(&store, |_| {}).await.unwrap()
}

fn checkpoints(scene: &Scene) -> Vec<String> {
    let all = scene.snapshot().into_keys();
    all.filter(|path| path.starts_with("_export/checkpoints"))
        .collect()
}

fn path(scene: &Scene, sequence: u64) -> PathBuf {
    let path = LakePath::checkpoint(sequence);
    scene.root().join(path.as_str())
}

#[tokio::test]
async fn every_hundred_commits_there_is_one_and_two_are_kept() {
    let scene = Scene::new();
    busy(&scene, 99).await;
    assert_eq!(checkpoints(&scene), Vec::<String>::new());
    busy_more(&scene, 250).await;
    let names: Vec<_> = [200_u64, 300]
        .map(|n| LakePath::checkpoint(n).to_string())
        .into();
    assert_eq!(checkpoints(&scene), names);
    scene.assert_sound().await;
}

/// Further commits that say next to nothing.
async fn busy_more(scene: &Scene, commits: u32) {
    let mut writer = scene.writer("r2").await;
    for number in 0..commits {
        let base = writer.ledger().last_sequence();
        let mut draft = CommitDraft::new(run_id("r2"), CommitKind::Observe, base);
        draft.open = vec![open_task(&format!("seen-{number}"), DAY, DAY)];
        commit(&mut writer, draft).await;
    }
    writer.close().await.unwrap();
}

#[tokio::test]
async fn a_start_from_a_checkpoint_knows_what_the_records_say() {
    let scene = Scene::new();
    busy(&scene, 104).await;
    let (quick, whole) = (loaded(&scene).await, from_records(&scene).await);
    assert_eq!((quick.checkpointed, whole.checkpointed), (100, 0));
    assert!(quick.ledger.to_bytes() == whole.ledger.to_bytes());
    let all = |log: &Log| {
        let ledger = &log.ledger;
        let days: Vec<_> = ledger.days().map(|day| ledger.day_summary(day)).collect();
        let unsealed: Vec<_> = ledger.unsealed().cloned().collect();
        (
            days,
            unsealed,
            ledger.live_files(),
            ledger.task_counts(),
            ledger.undated(),
        )
    };
    assert_eq!(all(&quick), all(&whole));
    let early = task_id("early/5");
    let files = scene.reader().await.files_of_tasks(&[early]).await.unwrap();
    assert!(
        !files.is_empty(),
        "where rows of removed files went is known"
    );
    // It continues from there.
    busy_more(&scene, 3).await;
    assert!(loaded(&scene).await.ledger.to_bytes() == from_records(&scene).await.ledger.to_bytes());
}

#[tokio::test]
async fn one_that_is_damaged_or_of_another_log_is_left_alone() {
    let scene = Scene::new();
    busy(&scene, 101).await;
    let good = std::fs::read(path(&scene, 100)).unwrap();
    let ledger = from_records(&scene).await.ledger.to_bytes();
    for byte in [0, 9, 20, 60, 100, good.len() - 1] {
        let mut bad = good.clone();
        bad[byte] ^= 1;
        std::fs::write(path(&scene, 100), bad).unwrap();
        let log = loaded(&scene).await;
        assert_eq!(log.checkpointed, 0, "byte {byte}");
        assert!(log.ledger.to_bytes() == ledger);
        assert_eq!(finding_kinds(&scene).await, [FindingKind::CheckpointStale]);
    }
    std::fs::write(path(&scene, 100), &good[..50]).unwrap();
    assert_eq!(loaded(&scene).await.checkpointed, 0);
    // Sound in itself, but made after another record.
    let mut other = Checkpoint::from_bytes(&good).unwrap();
    other.record.0[0] ^= 1;
    std::fs::write(path(&scene, 100), other.to_bytes().unwrap()).unwrap();
    assert_eq!(loaded(&scene).await.checkpointed, 0);
    assert_eq!(finding_kinds(&scene).await, [FindingKind::CheckpointStale]);
    // Ahead of what is marked as published.
    std::fs::write(path(&scene, 100), &good).unwrap();
    std::fs::write(
        scene.root().join("_export/published.json"),
        r#"{"sequence":99}"#,
    )
    .unwrap();
    let log = loaded(&scene).await;
    assert_eq!((log.checkpointed, log.pending.len()), (0, 2));
    scene.writer("r3").await.close().await.unwrap();
    assert_eq!(loaded(&scene).await.checkpointed, 101);
}

async fn finding_kinds(scene: &Scene) -> Vec<FindingKind> {
    let found = scene.verify().await.findings;
    found.into_iter().map(|finding| finding.kind).collect()
}

#[tokio::test]
async fn one_that_says_something_else_than_the_log_is_found() {
    let scene = Scene::new();
    busy(&scene, 100).await;
    let good = std::fs::read(path(&scene, 100)).unwrap();
    let mut other = Checkpoint::from_bytes(&good).unwrap();
    let store = Store::new(&scene.dest()).unwrap();
    let before = Log::load_from_records(&store, |ledger| {
        if ledger.last_sequence() == 99 {
            other.ledger = ledger.to_bytes();
        }
    });
    before.await.unwrap();
    std::fs::write(path(&scene, 100), other.to_bytes().unwrap()).unwrap();
    assert_eq!(finding_kinds(&scene).await, [FindingKind::CheckpointStale]);
    assert_eq!(loaded(&scene).await.checkpointed, 0);
}

#[tokio::test]
async fn a_record_that_is_missing_behind_a_checkpoint_is_noticed() {
    let scene = Scene::new();
    busy(&scene, 104).await;
    let record = |number| scene.root().join(LakePath::commit(number).as_str());
    std::fs::remove_file(record(102)).unwrap();
    let error = Log::load(&Store::new(&scene.dest()).unwrap())
        .await
        .unwrap_err();
    assert!(
        matches!(&error, LakeError::Store(StoreError::Damaged { path, .. }) if *path == record(102)),
        "{error:?}"
    );
    // At the end only the marker tells.
    for number in [103, 104] {
        std::fs::remove_file(record(number)).unwrap();
    }
    let error = Log::load(&Store::new(&scene.dest()).unwrap())
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("104 commits are published"),
        "{error}"
    );
}

#[tokio::test]
async fn killed_while_it_is_made_the_next_start_is_none_the_worse() {
    let scene = Scene::new();
    busy(&scene, 99).await;
    let mut writer = scene.writer("r2").await;
    writer
        .store()
        .failpoints()
        .stop_at(Failpoint::CheckpointWritten, 1);
    let draft = draft(&writer, CommitKind::Append, DAY, &["last"], "x");
    assert!(matches!(
        writer.commit(draft).await,
        Err(LakeError::Store(StoreError::Stopped(_)))
    ));
    drop(writer);
    scene.writer("r3").await.close().await.unwrap();
    assert_eq!(loaded(&scene).await.checkpointed, 100);
    assert_eq!(checkpoint::EVERY, 100);
    scene.assert_sound().await;
}
