//! Rows that replace others.

use super::*;

#[tokio::test]
async fn a_replaced_task_keeps_its_neighbours_rows() {
    let scene = Scene::new();
    let mut writer = scene.writer("r1").await;
    let first = draft(&writer, CommitKind::Append, DAY, &["a", "b"], "old");
    commit(&mut writer, first).await;
    for mark in ["new", "newer"] {
        let again = replacement(&writer, "a", mark).await;
        commit(&mut writer, again).await;
    }
    writer.close().await.unwrap();
    scene.assert_sound().await;
    let rows = scene.glob();
    assert_eq!(rows.len(), 18);
    assert!(
        rows.iter()
            .all(|row| row.4 == if row.1 == "a" { "newer" } else { "old" })
    );
    let reader = scene.reader().await;
    assert_eq!(reader.ledger().sealed_count(), 2);
    assert_eq!(
        reader
            .files_of_tasks(&[task_id("a"), task_id("b")])
            .await
            .unwrap()
            .len(),
        8
    );
}

#[tokio::test]
async fn the_files_of_a_task_are_found_through_compactions() {
    let scene = Scene::new();
    let mut writer = scene.writer("r1").await;
    for id in ["a", "b", "c"] {
        let draft = draft(&writer, CommitKind::Append, DAY, &[id], "old");
        commit(&mut writer, draft).await;
    }
    let of_b = |files: Vec<LiveFile>| {
        files
            .iter()
            .map(|f| f.path().to_string())
            .collect::<Vec<_>>()
    };
    let before = of_b(writer.files_of_tasks(&[task_id("b")]).await.unwrap());
    assert_eq!(before.len(), 4);
    assert!(before.iter().all(|path| path.contains("0000r1-0000")));
    for _ in 0..2 {
        let draft = compaction(&writer);
        commit(&mut writer, draft).await;
    }
    let files = writer.files_of_tasks(&[task_id("b")]).await.unwrap();
    assert_eq!(files.len(), 4);
    assert_eq!(files[0].sequence, 5);
    assert_eq!(files[0].tasks_at_most, 3);
    assert_eq!(writer.ledger().rows_in(&task_id("b")), Some(2));
    let again = replacement(&writer, "b", "new").await;
    commit(&mut writer, again).await;
    writer.close().await.unwrap();
    scene.assert_sound().await;
    assert_eq!(scene.glob().iter().filter(|row| row.4 == "new").count(), 9);
}

#[tokio::test]
async fn a_slow_publisher_never_brings_a_removed_file_back() {
    let scene = Scene::new();
    // One process commits and stops before it publishes…
    let mut slow = scene.writer("r1").await;
    let first = draft(&slow, CommitKind::Append, DAY, &["a", "b"], "old");
    slow.store()
        .failpoints()
        .stop_at(Failpoint::CommitDurable, 1);
    assert!(slow.commit(first).await.is_err());
    // … another publishes for it, replaces the files and publishes that…
    let mut quick = scene.writer("r2").await;
    let again = replacement(&quick, "a", "new").await;
    commit(&mut quick, again).await;
    let wanted = scene.glob();
    // … and the first continues from where it was.
    slow.store()
        .failpoints()
        .stop_at(Failpoint::RecoverDeadFound, 1);
    assert_eq!(slow.log.pending.len(), 1);
    slow.close().await.unwrap();
    quick.close().await.unwrap();
    assert_eq!(scene.glob(), wanted);
    scene.assert_sound().await;
}

#[tokio::test]
async fn a_replacement_of_rows_that_somebody_else_replaced_is_a_conflict() {
    let scene = Scene::new();
    let mut one = scene.writer("r1").await;
    let first = draft(&one, CommitKind::Append, DAY, &["a", "b"], "old");
    commit(&mut one, first).await;
    let mut other = scene.writer("r2").await;
    let slower = replacement(&one, "a", "slow").await;
    let quicker = replacement(&other, "b", "quick").await;
    commit(&mut other, quicker).await;
    let CommitOutcome::Conflict { conflict, draft } = one.commit(slower).await.unwrap() else {
        panic!("expected a conflict")
    };
    assert_eq!(conflict.sealed_meanwhile, []);
    assert_eq!(conflict.rewritten_meanwhile.len(), 4);
    for file in &draft.files {
        one.store().unstage(file).await.unwrap();
    }
    let planned_again = replacement(&one, "a", "slow").await;
    commit(&mut one, planned_again).await;
    one.close().await.unwrap();
    other.close().await.unwrap();
    scene.assert_sound().await;
    let rows = scene.glob();
    assert!(
        rows.iter()
            .all(|row| row.4 == if row.1 == "a" { "slow" } else { "quick" })
    );
}

#[tokio::test]
async fn a_task_exported_early_is_replaced_when_it_is_final() {
    let scene = Scene::new();
    let mut writer = scene.writer("r1").await;
    let mut early = draft(&writer, CommitKind::Append, DAY, &["a", "b"], "early");
    early.tasks[0].sealed = false;
    early.tasks[0].status = TaskStatus::Calling;
    commit(&mut writer, early).await;
    let Some(TaskState::Early(known)) = writer.ledger().state(&task_id("a")) else {
        panic!("expected an early task")
    };
    assert_eq!(known.task.status, TaskStatus::Calling);
    assert_eq!(known.rows_in, Some(1));
    assert_eq!(writer.ledger().unsealed().count(), 1);

    // Its rows must be replaced, not added to.
    let appended = draft(&writer, CommitKind::Append, DAY, &["a"], "twice");
    let outcome = writer.commit(appended).await.unwrap();
    assert!(matches!(outcome, CommitOutcome::Conflict { .. }));
    let last = replacement(&writer, "a", "final").await;
    commit(&mut writer, last).await;
    assert!(matches!(
        writer.ledger().state(&task_id("a")),
        Some(TaskState::Sealed { rows_in: 2 })
    ));
    assert_eq!(writer.ledger().unsealed().count(), 0);
    writer.close().await.unwrap();
    scene.assert_sound().await;
}

#[tokio::test]
async fn drafts_that_would_damage_the_lake_are_refused() {
    let scene = Scene::new();
    let mut writer = scene.writer("r1").await;
    let good = draft(&writer, CommitKind::Append, DAY, &["a"], "old");
    let broken: [fn(&mut CommitDraft); 8] = [
        |draft| draft.tasks[0].files.push(9),
        |draft| draft.tasks[0].files.clear(),
        |draft| draft.tasks.push(draft.tasks[0].clone()),
        |draft| draft.files.push(draft.files[0].clone()),
        |draft| draft.kind = CommitKind::Observe,
        |draft| draft.kind = CommitKind::Compact,
        |draft| draft.run_id = run_id("r9"),
        |draft| draft.files[0].bytes += 1,
    ];
    for spoil in broken {
        let mut draft = good.clone();
        spoil(&mut draft);
        assert!(writer.commit(draft).await.is_err());
    }
    assert_eq!(writer.ledger().last_sequence(), 0);
    commit(&mut writer, good.clone()).await;
    // Its file names are used up now, and its task has rows.
    let outcome = writer.commit(good).await.unwrap();
    assert!(matches!(outcome, CommitOutcome::Conflict { .. }));
    writer.close().await.unwrap();
    scene.assert_sound().await;
}

#[tokio::test]
async fn a_file_names_all_those_whose_rows_it_took_over() {
    let scene = Scene::new();
    let mut writer = scene.writer("r1").await;
    let mut before = Vec::new();
    let calls = |writer: &LakeWriter| {
        let query = FileQuery {
            table: Some(TableName::Calls),
            ..FileQuery::default()
        };
        let files = query.run(writer.ledger());
        files.map(|live| live.path()).collect::<Vec<_>>()
    };
    for ids in [["a", "b"], ["c", "d"]] {
        let next = draft(&writer, CommitKind::Append, DAY, &ids, "old");
        commit(&mut writer, next).await;
    }
    before.extend(calls(&writer));
    assert_eq!(writer.ledger().rewrites().len(), 0);
    // The rest of the first file's rows goes to one, the new rows of its task to another.
    let next = replacement(&writer, "a", "new").await;
    commit(&mut writer, next).await;
    let rewrites = writer.ledger().rewrites();
    let heirs: Vec<_> = calls(&writer)
        .into_iter()
        .filter_map(|path| rewrites.get(&path))
        .collect();
    assert_eq!(heirs, [&before[..1]]);
    before.extend(calls(&writer));
    let next = compaction(&writer);
    commit(&mut writer, next).await;
    before.sort_unstable();
    before.dedup();
    let [only] = &calls(&writer)[..] else {
        panic!("one file is left");
    };
    assert_eq!(writer.ledger().rewrites()[only], before);
    writer.close().await.unwrap();
    // A checkpoint knows it, too.
    assert_eq!(scene.reader().await.ledger().rewrites()[only], before);
}
