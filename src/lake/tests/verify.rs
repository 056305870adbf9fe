//! The findings of `verify`.

use std::fs;

use super::*;

async fn begun() -> (Scene, LakeWriter) {
    let scene = Scene::new();
    let mut writer = scene.writer("r1").await;
    for ids in [["a", "b"], ["c", "d"]] {
        let draft = draft(&writer, CommitKind::Append, DAY, &ids, "old");
        commit(&mut writer, draft).await;
    }
    (scene, writer)
}

/// What is found, as words.
async fn found(scene: &Scene) -> Vec<&'static str> {
    let kinds = scene
        .verify()
        .await
        .findings
        .into_iter()
        .map(|finding| finding.kind.as_str());
    kinds.collect()
}

fn a_file(scene: &Scene, table: TableName) -> PathBuf {
    let mut files = parquet_files(&scene.root().join(table.as_str()));
    files.sort();
    files.swap_remove(0)
}

#[tokio::test]
async fn a_sound_lake_is_found_sound() {
    let (scene, writer) = begun().await;
    writer.close().await.unwrap();
    let verification = scene.verify().await;
    assert!(verification.is_sound());
    assert_eq!(
        (verification.files, verification.tasks, verification.rows),
        (8, 4, 36)
    );
}

#[tokio::test]
async fn any_changed_byte_is_found() {
    let (scene, writer) = begun().await;
    writer.close().await.unwrap();
    let path = a_file(&scene, TableName::Calls);
    let good = fs::read(&path).unwrap();
    for at in [0, good.len() / 2, good.len() - 1] {
        let mut bad = good.clone();
        bad[at] ^= 1;
        fs::write(&path, bad).unwrap();
        assert_eq!(
            found(&scene).await,
            ["file_changed", "task_rows"],
            "byte {at}"
        );
    }
    fs::write(&path, &good[1..]).unwrap();
    assert_eq!(found(&scene).await, ["file_changed", "task_rows"]);
}

#[tokio::test]
async fn a_missing_file_is_found() {
    let (scene, writer) = begun().await;
    writer.close().await.unwrap();
    fs::remove_file(a_file(&scene, TableName::Redials)).unwrap();
    let findings = scene.verify().await.findings;
    assert_eq!(findings[0].kind, FindingKind::FileMissing);
    assert!(findings[0].place.starts_with("redials/call_date="));
}

#[tokio::test]
async fn strays_are_found_wherever_readers_would_read_them() {
    let (scene, writer) = begun().await;
    writer.close().await.unwrap();
    let path = a_file(&scene, TableName::Calls);
    for stray in [
        path.with_file_name("copy.parquet"),
        scene.root().join("calls").join("top.parquet"),
    ] {
        fs::copy(&path, &stray).unwrap();
        assert_eq!(found(&scene).await, ["stray_file"]);
        fs::remove_file(stray).unwrap();
    }
    fs::write(path.with_file_name("notes.txt"), "no data").unwrap();
    scene.assert_sound().await;
}

#[tokio::test]
async fn a_task_that_was_committed_twice_is_found() {
    let (scene, mut writer) = begun().await;
    // No writer does this: the record is forged after the commit of another task.
    let mut twice = draft(&writer, CommitKind::Append, DAY, &["e"], "old");
    twice.files.truncate(0);
    for table in TableName::ALL {
        twice.files.push(stage_rows(
            &writer,
            table,
            DAY,
            &rows_of(table, &["a"], "old"),
        ));
    }
    commit(&mut writer, twice).await;
    writer.close().await.unwrap();
    let record = scene
        .root()
        .join("_export/commits/00000000000000000003.json");
    let forged = fs::read_to_string(&record)
        .unwrap()
        .replace(r#""id":"e""#, r#""id":"a""#);
    fs::write(&record, sealed_anew(&forged)).unwrap();
    fs::remove_file(scene.root().join("_newest.json")).unwrap();
    let kinds = found(&scene).await;
    assert_eq!(
        kinds
            .iter()
            .filter(|kind| **kind == "duplicate_row")
            .count(),
        4,
        "{kinds:?}"
    );
    assert!(kinds.contains(&"task_rows"));
}

#[tokio::test]
async fn doubled_lost_orphaned_and_strange_rows_are_found() {
    // (table, change of its rows, what is found beside wrong numbers)
    type Spoil = fn(&mut Vec<(String, [i32; 3], String)>);
    let cases: [(TableName, Spoil, &str); 8] = [
        (
            TableName::Calls,
            |rows| rows[1] = rows[0].clone(),
            "duplicate_row",
        ),
        (TableName::Calls, |rows| rows[1].1[0] = 7, "orphan_row"),
        (
            TableName::Redials,
            |rows| rows[1] = rows[0].clone(),
            "duplicate_row",
        ),
        (TableName::Redials, |rows| rows[1].1[0] = 7, "orphan_row"),
        (
            TableName::AsrTurns,
            |rows| rows[3].1 = rows[2].1,
            "duplicate_row",
        ),
        (TableName::AsrTurns, |rows| drop(rows.pop()), "task_rows"),
        (TableName::Tasks, |rows| rows[0].1[1] = 3, "task_rows"),
        (
            TableName::Redials,
            |rows| rows[0].0 = "unknown".into(),
            "unknown_task",
        ),
    ];
    for (table, spoil, expected) in cases {
        let (scene, mut writer) = begun().await;
        let mut spoiled = draft(&writer, CommitKind::Append, DAY, &["e"], "old");
        let mut rows = rows_of(table, &["e"], "old");
        spoil(&mut rows);
        spoiled.files[table as usize] = stage_rows(&writer, table, DAY, &rows);
        commit(&mut writer, spoiled).await;
        writer.close().await.unwrap();
        let kinds = found(&scene).await;
        assert!(
            kinds.contains(&expected),
            "{table}: {kinds:?}, not {expected}"
        );
    }
}

#[tokio::test]
async fn a_file_with_other_rows_or_columns_than_committed_is_found() {
    let (scene, mut writer) = begun().await;
    let mut spoiled = draft(&writer, CommitKind::Append, DAY, &["e"], "old");
    spoiled.files[0].rows += 1;
    let mut redials = stage_rows(&writer, TableName::AsrTurns, DAY, &[]);
    (redials.table, redials.rows) = (TableName::Redials, 0);
    spoiled.files.push(redials);
    let staged = writer
        .store()
        .stage(TableName::Calls, Partition::Unknown)
        .unwrap();
    spoiled.files.push(staged.finish(0).unwrap());
    commit(&mut writer, spoiled).await;
    writer.close().await.unwrap();
    assert_eq!(
        found(&scene).await,
        ["file_unreadable", "file_rows", "file_schema"]
    );
}

#[tokio::test]
async fn rejected_entries_leave_gaps_that_are_no_findings() {
    let (scene, mut writer) = begun().await;
    let mut gaps = draft(&writer, CommitKind::Append, DAY, &["e"], "old");
    let shift = |rows: &mut Vec<(String, [i32; 3], String)>| {
        rows.iter_mut()
            .filter(|row| row.1[0] == 1)
            .for_each(|row| row.1[0] = 3);
    };
    for table in [TableName::Calls, TableName::Redials, TableName::AsrTurns] {
        let mut rows = rows_of(table, &["e"], "old");
        shift(&mut rows);
        gaps.files[table as usize] = stage_rows(&writer, table, DAY, &rows);
    }
    let row = ("e".to_owned(), [4, 2, 4], "old".to_owned());
    gaps.files[3] = stage_rows(&writer, TableName::Tasks, DAY, &[row]);
    gaps.tasks[0].rejects = 2;
    commit(&mut writer, gaps).await;
    writer.close().await.unwrap();
    scene.assert_sound().await;
}

#[tokio::test]
async fn unfinished_business_is_found_and_gone_after_the_next_start() {
    let (scene, mut writer) = begun().await;
    let _left = draft(&writer, CommitKind::Append, DAY, &["never"], "old");
    let next = draft(&writer, CommitKind::Append, DAY, &["e"], "old");
    writer
        .store()
        .failpoints()
        .stop_at(Failpoint::PublishFileMoved, 2);
    assert!(writer.commit(next).await.is_err());
    // While the run lives, this is not a finding.
    scene.assert_sound().await;
    drop(writer);
    assert_eq!(found(&scene).await, ["left_over", "not_published"]);
    scene.writer("r2").await.close().await.unwrap();
    scene.assert_sound().await;
}

#[tokio::test]
async fn a_day_file_that_is_wrong_or_missing_is_found() {
    let (scene, writer) = begun().await;
    writer.close().await.unwrap();
    let path = scene.root().join(format!("_export/days/{DAY}.json"));
    let good = fs::read_to_string(&path).unwrap();
    fs::write(&path, good.replace("\"sealed\":4", "\"sealed\":5")).unwrap();
    assert_eq!(found(&scene).await, ["day_stale"]);
    fs::remove_file(&path).unwrap();
    assert_eq!(found(&scene).await, ["day_stale"]);
    fs::write(&path, good).unwrap();
    fs::write(scene.root().join("_export/days/1999-01-01.json"), "{}").unwrap();
    assert_eq!(found(&scene).await, ["day_stale"]);
}

/// A record that was changed, with the checksum of what it says now.
fn sealed_anew(record: &str) -> Vec<u8> {
    let mut json = record.as_bytes()[..record.len() - crate::lake::record::seal::LENGTH].to_vec();
    json.push(b'}');
    crate::lake::record::seal::seal(&mut json);
    json
}
