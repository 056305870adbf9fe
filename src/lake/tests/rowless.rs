//! Tables without rows: readers find their columns, and no reader takes their files for data.

use super::object::ObjectLake;
use super::*;

/// A task whose calls had neither redials nor turns.
fn quiet(writer: &LakeWriter, id: &str) -> CommitDraft {
    let run = writer.store().run_id().clone();
    let mut draft = CommitDraft::new(run, CommitKind::Append, writer.ledger().last_sequence());
    for (table, key) in [(TableName::Calls, [0, 0, 0]), (TableName::Tasks, [1, 0, 0])] {
        let rows = [(id.to_owned(), key, "x".to_owned())];
        draft.files.push(stage_rows(writer, table, DAY, &rows));
    }
    draft.tasks.push(CommittedTask {
        misfits: Vec::new(),
        calls: 1,
        redials: 0,
        turns: 0,
        files: vec![0, 1],
        ..committed(id, DAY)
    });
    draft
}

const REDIALS: &str = "redials/call_date=2024-03-11/no-rows.parquet";
const TURNS: &str = "asr_turns/call_date=2024-03-11/no-rows.parquet";

fn rowless(scene: &Scene) -> Vec<String> {
    let files = scene.snapshot().into_keys();
    files.filter(|path| path.contains("no-rows")).collect()
}

async fn quiet_lake(scene: &Scene) -> LakeWriter {
    let mut writer = scene.writer("r1").await;
    let first = quiet(&writer, "a");
    commit(&mut writer, first).await;
    writer
}

#[tokio::test]
async fn a_table_without_rows_has_a_file_with_its_columns() {
    let scene = Scene::new();
    quiet_lake(&scene).await.close().await.unwrap();
    assert_eq!(rowless(&scene), [TURNS, REDIALS]);
    for (path, table) in [(TURNS, TableName::AsrTurns), (REDIALS, TableName::Redials)] {
        let file = std::fs::File::open(scene.root().join(path)).unwrap();
        let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
        let fields = |schema: &Schema| -> Vec<_> {
            let fields = schema.fields().iter();
            fields
                .map(|f| (f.name().clone(), f.data_type().clone(), f.is_nullable()))
                .collect()
        };
        let expected = crate::schema::table(table).arrow_schema();
        assert_eq!(fields(reader.schema()), fields(&expected));
        assert_eq!(reader.metadata().file_metadata().num_rows(), 0);
    }
    // The file is not data.
    assert_eq!(scene.listed().await, scene.glob());
    assert_eq!(scene.reader().await.ledger().live_files().len(), 2);
    let day = scene
        .reader()
        .await
        .ledger()
        .day_summary(DAY.parse().unwrap());
    let redials = day.unwrap().tables.remove(&TableName::Redials);
    assert!(redials.is_none_or(|counts| counts.files == 0));
    scene.assert_sound().await;
}

#[tokio::test]
async fn it_stays_as_it_is_until_the_table_has_rows_and_goes_then() {
    let scene = Scene::new();
    quiet_lake(&scene).await.close().await.unwrap();
    let before = rowless(&scene).into_iter().map(|path| {
        let bytes = std::fs::read(scene.root().join(&path)).unwrap();
        (path, bytes)
    });
    let before: Vec<_> = before.collect();
    let mut writer = scene.writer("r2").await;
    let second = quiet(&writer, "b");
    commit(&mut writer, second).await;
    for (path, bytes) in before {
        assert_eq!(std::fs::read(scene.root().join(path)).unwrap(), bytes);
    }
    let third = draft(&writer, CommitKind::Append, DAY, &["c"], "x");
    commit(&mut writer, third).await;
    assert_eq!(rowless(&scene), Vec::<String>::new());
    // And comes back when they are all gone again.
    let run = writer.store().run_id().clone();
    let mut emptied = CommitDraft::new(run, CommitKind::Replace, writer.ledger().last_sequence());
    let all = FileQuery::default().run(writer.ledger());
    emptied.removes = all
        .map(|live| Removal {
            path: live.path(),
            into: Vec::new(),
        })
        .collect();
    commit(&mut writer, emptied).await;
    assert_eq!(rowless(&scene).len(), 4);
    writer.close().await.unwrap();
    assert_eq!(scene.glob(), []);
}

#[tokio::test]
async fn a_lake_of_an_earlier_version_gets_it_with_its_next_commit() {
    let scene = Scene::new();
    quiet_lake(&scene).await.close().await.unwrap();
    std::fs::remove_dir_all(scene.root().join("redials")).unwrap();
    let mut writer = scene.writer("r2").await;
    assert_eq!(rowless(&scene), [TURNS], "opening it changes nothing");
    let second = quiet(&writer, "b");
    commit(&mut writer, second).await;
    writer.close().await.unwrap();
    assert_eq!(rowless(&scene), [TURNS, REDIALS]);
}

#[tokio::test]
async fn the_next_start_writes_what_a_crash_left_out() {
    for point in [
        Failpoint::CommitDurable,
        Failpoint::PublishSynced,
        Failpoint::DayWritten,
        Failpoint::DaysSynced,
    ] {
        let scene = Scene::new();
        let mut writer = scene.writer("r1").await;
        let first = quiet(&writer, "a");
        writer.store().failpoints().stop_at(point, 1);
        assert!(writer.commit(first).await.is_err(), "{point:?}");
        drop(writer);
        scene.writer("r2").await.close().await.unwrap();
        assert_eq!(rowless(&scene), [TURNS, REDIALS], "{point:?}");
        scene.assert_sound().await;
    }
}

#[tokio::test]
async fn vacuum_keeps_it_and_verify_takes_only_one_without_rows_for_it() {
    let scene = Scene::new();
    let mut writer = quiet_lake(&scene).await;
    let options = crate::maintenance::vacuum::VacuumOptions {
        older_than: std::time::Duration::ZERO,
        unknown: true,
        max_share: 100,
        reports_older_than: std::time::Duration::MAX,
        rejects_older_than: None,
        delta_retention: std::time::Duration::ZERO,
    };
    let later = Clock::system().now() + chrono::TimeDelta::days(30);
    let done = crate::maintenance::vacuum::vacuum(&mut writer, options, later).await;
    assert_eq!(done.unwrap().items, []);
    assert_eq!(rowless(&scene), [TURNS, REDIALS]);
    // Rows under that name are rows that no commit knows.
    let rows = [("z".to_owned(), [0, 0, 0], "x".to_owned())];
    let staged = stage_rows(&writer, TableName::Redials, DAY, &rows);
    let place = writer.store().staged_place(&staged);
    std::fs::copy(place, scene.root().join(REDIALS)).unwrap();
    writer.store().unstage(&staged).await.unwrap();
    writer.close().await.unwrap();
    let findings = scene.verify().await.findings;
    let found: Vec<_> = findings.iter().map(|f| (f.kind, &*f.place)).collect();
    assert_eq!(found, [(FindingKind::StrayFile, REDIALS)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_the_same_on_an_object_store() {
    let cloud = ObjectLake::new();
    let mut writer = cloud.writer("r1").await;
    let first = quiet(&writer, "a");
    commit(&mut writer, first).await;
    let there = async |path: &str| {
        let path: FilePath = path.parse().unwrap();
        let lake = cloud.lake().await;
        lake.store()
            .size(&LakePath::from(&path))
            .await
            .unwrap()
            .is_some()
    };
    assert!(there(REDIALS).await && there(TURNS).await);
    assert_eq!(cloud.glob().await, cloud.listed().await);
    cloud.assert_sound("without rows").await;
    let second = draft(&writer, CommitKind::Append, DAY, &["b"], "x");
    commit(&mut writer, second).await;
    assert!(!there(REDIALS).await && !there(TURNS).await);
    writer.close().await.unwrap();
    cloud.assert_sound("with rows").await;
}
