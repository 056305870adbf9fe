//! Compaction keeps the rows and reduces the files, also beside concurrent writers.

use parquet::file::statistics::Statistics;
use tokio_util::sync::CancellationToken;

use super::real::{draft, findings, live_rows, replacement, rows_of_file, write_options};
use super::*;
use crate::job::WriteOptions;
use crate::maintenance::compact::{CompactOptions, CompactPlan, Compaction, compact};

/// A lake with a commit for each of so many tasks, their calls in no order of time.
async fn nights(scene: &Scene, tasks: i64) {
    let mut writer = scene.writer("nights").await;
    for number in 0..tasks {
        let (id, at) = (format!("t{number:03}"), (number * 37 % tasks) * 60);
        let draft = draft(&writer, CommitKind::Append, DAY, &[(&id, at)]);
        commit(&mut writer, draft).await;
    }
    writer.close().await.unwrap();
}

fn options(write: WriteOptions) -> CompactOptions {
    let query = FileQuery::default();
    CompactOptions { query, write }
}

async fn compacted(writer: &mut LakeWriter, write: WriteOptions) -> Compaction {
    let stop = CancellationToken::new();
    compact(writer, &options(write), &stop).await.unwrap()
}

async fn all_rows(scene: &Scene) -> Vec<Vec<String>> {
    let mut all = Vec::new();
    for name in TableName::ALL {
        let mut rows = live_rows(scene, name).await;
        rows.sort();
        all.push(rows);
    }
    all
}

#[tokio::test]
async fn the_small_files_of_a_day_become_one_in_order_and_then_there_is_nothing_to_do() {
    let scene = Scene::new();
    nights(&scene, 12).await;
    let before = all_rows(&scene).await;
    let mut writer = scene.writer("compact").await;
    let done = compacted(&mut writer, write_options(&[])).await;
    assert_eq!(done.commits, [13]);
    for name in TableName::ALL {
        let change = done.tables[&name];
        assert_eq!((change.before.files, change.after.files), (12, 1));
        assert_eq!(change.before.rows, change.after.rows);
    }
    let again = compacted(&mut writer, write_options(&[])).await;
    assert_eq!(again, Compaction::default());
    writer.close().await.unwrap();
    assert_eq!(all_rows(&scene).await, before);
    assert_eq!(scene.reader().await.ledger().live_files().len(), 4);
    let on_disk = TableName::ALL.map(|name| parquet_files(&scene.root().join(name.as_str())).len());
    assert_eq!(on_disk, [1; 4]);
    assert_eq!(findings(&scene).await, []);
}

#[tokio::test]
async fn rows_of_several_files_do_not_overlap_and_each_file_says_its_order() {
    let scene = Scene::new();
    let mut writer = scene.writer("nights").await;
    for number in 0..40_i64 {
        let rows: Vec<_> = (0..400).map(|row| real_call(number, row)).collect();
        let file = real::stage(&writer, TableName::Calls, DAY, &rows);
        let mut draft = draft(
            &writer,
            CommitKind::Append,
            DAY,
            &[(&format!("t{number}"), 0)],
        );
        draft.tasks[0].files.push(4);
        draft.files.push(file);
        commit(&mut writer, draft).await;
    }
    let before = all_rows(&scene).await;
    // Small row groups and hardly any memory: runs are merged.
    let mut write = write_options(&[("write.memory_budget", "1MiB")]);
    write.row_group_bytes = (128 << 10).try_into().unwrap();
    write.bloom_filters = vec!["call_id".to_owned()];
    let done = compacted(&mut writer, write).await;
    assert_eq!(done.tables[&TableName::Calls].before.files, 80);
    writer.close().await.unwrap();
    assert_eq!(all_rows(&scene).await, before);
    let mut last = None;
    for live in scene.reader().await.ledger().live_files() {
        if live.file.table != TableName::Calls {
            continue;
        }
        let path = scene.root().join(live.path().to_string());
        let file = std::fs::File::open(path).unwrap();
        let builder = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
        let groups = builder.metadata().num_row_groups();
        assert!(groups > 2, "{groups} row groups in {live:?}");
        for group in builder.metadata().row_groups() {
            let index = builder.schema().index_of("call_start_time").unwrap();
            let sorted = &group.sorting_columns().unwrap()[0];
            assert_eq!(usize::try_from(sorted.column_idx).unwrap(), index);
            let Some(Statistics::Int64(range)) = group.column(index).statistics() else {
                panic!("no statistics");
            };
            assert!(last <= range.min_opt().copied());
            last = range.max_opt().copied();
            let bloom = builder.schema().index_of("call_id").unwrap();
            assert!(group.column(bloom).bloom_filter_offset().is_some());
            assert!(group.column(index).offset_index_offset().is_some());
        }
    }
}

fn incompressible(seed: i64) -> String {
    let mut random = fastrand::Rng::with_seed(seed.cast_unsigned());
    (0..300).map(|_| random.alphanumeric()).collect()
}

fn real_call(task: i64, row: i64) -> real::RealRow {
    let mixed = (task * 400 + row) * 7919 % 16_000;
    real::RealRow {
        task: format!("t{task}"),
        indexes: [i32::try_from(row + 2).unwrap(), 0],
        at: Some(mixed),
        text: incompressible(mixed),
    }
}

#[tokio::test]
async fn files_end_at_the_target_size_and_the_next_time_there_is_nothing_to_do() {
    let scene = Scene::new();
    let mut writer = scene.writer("nights").await;
    for number in 0..10_i64 {
        let rows: Vec<_> = (0..400).map(|row| real_call(number, row)).collect();
        let mut draft = draft(
            &writer,
            CommitKind::Append,
            DAY,
            &[(&format!("t{number}"), 0)],
        );
        draft.tasks[0].files.push(4);
        draft
            .files
            .push(real::stage(&writer, TableName::Calls, DAY, &rows));
        commit(&mut writer, draft).await;
    }
    let mut write = write_options(&[("write.target_file_size", "300KiB")]);
    write.row_group_bytes = (64 << 10).try_into().unwrap();
    let done = compacted(&mut writer, write.clone()).await;
    let after = done.tables[&TableName::Calls].after;
    assert!(after.files > 1 && after.files < 20, "{after:?}");
    assert_eq!(compacted(&mut writer, write).await, Compaction::default());
    // The rows of a removed file are where the log says.
    for live in writer.files_of_tasks(&[task_id("t3")]).await.unwrap() {
        let path = scene.root().join(live.path().to_string());
        let rows = rows_of_file(&path);
        assert!(rows.iter().any(|row| row.contains("\"t3\"")), "{path:?}");
    }
}

#[tokio::test]
async fn a_day_that_somebody_else_rewrites_is_planned_again() {
    // Once the other is through with publishing, and the files are gone; once its record is there
    // and nothing more, and the files are still readable.
    for stopped in [None, Some(Failpoint::CommitDurable)] {
        let scene = Scene::new();
        nights(&scene, 6).await;
        let mut slow = scene.writer("compact").await;
        let mut quick = scene.writer("replace").await;
        let draft = replacement(&quick, "t003", 7_777).await;
        match stopped {
            None => drop(commit(&mut quick, draft).await),
            Some(point) => {
                quick.store().failpoints().stop_at(point, 1);
                quick.commit(draft).await.unwrap_err();
            }
        }
        let done = compacted(&mut slow, write_options(&[])).await;
        assert_eq!(done.commits, [8], "{stopped:?}");
        slow.close().await.unwrap();
        let calls = live_rows(&scene, TableName::Calls).await;
        assert_eq!(calls.len(), 12);
        assert_eq!(
            calls.iter().filter(|row| row.contains("02:09:37")).count(),
            1
        );
        assert_eq!(findings(&scene).await, []);
        assert_eq!(scene.reader().await.ledger().live_files().len(), 4);
    }
}

#[tokio::test]
async fn a_task_can_be_replaced_after_its_file_was_merged() {
    let scene = Scene::new();
    nights(&scene, 5).await;
    let mut writer = scene.writer("compact").await;
    compacted(&mut writer, write_options(&[])).await;
    let draft = replacement(&writer, "t002", 9_999).await;
    commit(&mut writer, draft).await;
    compacted(&mut writer, write_options(&[])).await;
    writer.close().await.unwrap();
    assert_eq!(live_rows(&scene, TableName::Calls).await.len(), 10);
    assert_eq!(findings(&scene).await, []);
}

#[tokio::test]
async fn told_to_stop_it_leaves_the_day_as_it_was() {
    let scene = Scene::new();
    nights(&scene, 4).await;
    let before = all_rows(&scene).await;
    let mut writer = scene.writer("compact").await;
    let stop = CancellationToken::new();
    stop.cancel();
    let done = compact(&mut writer, &options(write_options(&[])), &stop)
        .await
        .unwrap();
    assert!(done.stopped && done.commits.is_empty());
    writer.close().await.unwrap();
    assert_eq!(all_rows(&scene).await, before);
    assert_eq!(scene.staging(), Vec::<String>::new());
}

#[tokio::test]
async fn a_file_that_is_not_what_was_committed_stops_it() {
    let scene = Scene::new();
    nights(&scene, 3).await;
    let mut writer = scene.writer("compact").await;
    let live = &writer.ledger().live_files()[0];
    std::fs::remove_file(scene.root().join(live.path().to_string())).unwrap();
    let stop = CancellationToken::new();
    let error = compact(&mut writer, &options(write_options(&[])), &stop).await;
    assert!(
        matches!(error, Err(LakeError::Store(StoreError::Damaged { .. }))),
        "{error:?}"
    );
    assert_eq!(writer.ledger().last_sequence(), 3);
}

#[tokio::test]
async fn a_plan_takes_small_files_only_and_no_file_alone() {
    let scene = Scene::new();
    nights(&scene, 2).await;
    let reader = scene.reader().await;
    let plan = |target| CompactPlan::new(reader.ledger(), FileQuery::default(), target);
    assert_eq!(plan(1 << 30).partitions.len(), 4);
    assert_eq!(plan(1_000).partitions.len(), 0);
    let elsewhere = FileQuery {
        from: "2024-03-12".parse().ok(),
        ..FileQuery::default()
    };
    let plan = CompactPlan::new(reader.ledger(), elsewhere, 1 << 30);
    assert_eq!(plan, CompactPlan::default());
}

#[tokio::test]
async fn a_kill_at_any_point_changes_no_row() {
    let made = Scene::new();
    nights(&made, 4).await;
    let (before, files) = (all_rows(&made).await, made.snapshot());
    for point in Failpoint::ALL {
        let scene = Scene::of(&files);
        let mut writer = scene.writer("compact").await;
        writer.store().failpoints().stop_at(*point, 1);
        let stop = CancellationToken::new();
        let killed = compact(&mut writer, &options(write_options(&[])), &stop).await;
        drop(writer);
        if killed.is_ok() {
            // No day becomes complete, or ceases to be.
            let is_marker = *point == Failpoint::DayMarked;
            let is_expected = is_elsewhere(*point) || is_marker;
            assert!(is_expected, "{}: {NEVER_PASSED}", point.as_str());
        }
        assert_eq!(
            all_rows(&scene).await,
            before,
            "{point:?}, before the next start"
        );
        let mut writer = scene.writer("next").await;
        compacted(&mut writer, write_options(&[])).await;
        writer.close().await.unwrap();
        assert_eq!(all_rows(&scene).await, before, "{point:?}");
        assert_eq!(scene.reader().await.ledger().live_files().len(), 4);
        assert_eq!(findings(&scene).await, [], "{point:?}");
    }
}
