//! Superseded files that could not be read: their tasks are pulled again and remembered until they
//! are exported.

use std::fs;

use super::*;
use crate::lake::{LostFile, TaskState};

#[tokio::test]
async fn tasks_of_a_lost_file_are_failed_until_they_are_exported_again() {
    let scene = Scene::new();
    let mut writer = scene.writer("r1").await;
    let first = draft(&writer, CommitKind::Append, DAY, &["a", "b"], "old");
    commit(&mut writer, first).await;
    let compacted = compaction(&writer);
    commit(&mut writer, compacted).await;
    let live = writer.ledger().live_files();
    let calls = live.iter().find(|live| live.file.table == TableName::Calls);
    let path = calls.unwrap().path();
    let place = scene.root().join(path.to_string());
    fs::write(&place, "not what was committed").unwrap();

    // `a` is exported again, `b` is not. The rows were merged since they were committed.
    let mut tasks = writer.tasks_of_file(&path).await.unwrap();
    let ids: Vec<_> = tasks.iter().map(|task| task.id.as_str()).collect();
    assert_eq!(ids, ["a", "b"]);
    tasks.remove(0);
    let mut next = draft(&writer, CommitKind::Replace, DAY, &["a"], "new");
    for other in live.into_iter().filter(|live| live.path() != path) {
        rewrite(&writer, &mut next, &[other], Some("a"));
    }
    next.removes.push(Removal {
        path: path.clone(),
        into: Vec::new(),
    });
    next.reopened.clone_from(&tasks);
    next.lost.push(LostFile {
        path: path.clone(),
        why: "it is another".to_owned(),
        tasks,
    });
    commit(&mut writer, next).await;

    let aside = scene
        .root()
        .join(format!("_export/quarantine/{}", run_id("r1")))
        .join(path.to_string());
    assert!(!place.exists() && aside.exists());
    let ledger = writer.ledger();
    assert!(ledger.has_lost(&task_id("b")) && !ledger.has_lost(&task_id("a")));
    assert!(matches!(
        ledger.state(&task_id("b")),
        Some(TaskState::Failed(_))
    ));
    let copy = crate::lake::ledger::Ledger::from_bytes(&ledger.to_bytes()).unwrap();
    assert!(copy.has_lost(&task_id("b")), "a checkpoint forgets it");
    let found = scene.verify().await.findings;
    let kinds: Vec<_> = found.iter().map(|found| found.kind.as_str()).collect();
    assert_eq!(kinds, ["rows_lost"], "{found:?}");

    let again = replacement(&writer, "b", "new").await;
    commit(&mut writer, again).await;
    assert_eq!(writer.ledger().lost().count(), 0);
    scene.assert_sound().await;
    writer.close().await.unwrap();
}
