//! Crashes at every named point, and recovery by the next start.

use rstest::rstest;

use super::*;

/// Makes one change of the kind to a lake that holds tasks `a` and `b`.
async fn change(writer: &mut LakeWriter, kind: CommitKind) -> Result<(), LakeError> {
    let draft = match kind {
        CommitKind::Append => draft(writer, kind, DAY, &["c"], "new"),
        CommitKind::Replace => replacement(writer, "a", "new").await,
        _ => compaction(writer),
    };
    writer.commit(draft).await.map(drop)
}

async fn begun(scene: &Scene) {
    let mut writer = scene.writer("r1").await;
    for ids in [["a", "b"], ["x", "y"]] {
        let draft = draft(&writer, CommitKind::Append, DAY, &ids, "old");
        commit(&mut writer, draft).await;
    }
    writer.close().await.unwrap();
}

/// What must be the same whatever happened: rows, day files but for their times.
fn essence(scene: &Scene) -> (Vec<Row>, serde_json::Value) {
    let day = std::fs::read(scene.root().join(format!("_export/days/{DAY}.json"))).unwrap();
    let mut day: serde_json::Value = serde_json::from_slice(&day).unwrap();
    day.as_object_mut().unwrap().remove("updated_at");
    // Compressed lengths are equal, too, since run ids are of equal length.
    (scene.glob(), day)
}

#[rstest]
#[tokio::test]
async fn a_crash_at_any_point_of_a_commit_is_finished_or_undone(
    #[values(CommitKind::Append, CommitKind::Replace, CommitKind::Compact)] kind: CommitKind,
) {
    let undisturbed = Scene::new();
    begun(&undisturbed).await;
    let (before, files) = (undisturbed.listed().await, undisturbed.snapshot());
    let mut writer = undisturbed.writer("r2").await;
    change(&mut writer, kind).await.unwrap();
    writer.close().await.unwrap();
    let wanted = essence(&undisturbed);
    let mut never_passed = Vec::new();

    for point in points_of_a_commit() {
        // The first time and the second: some points are passed once a file.
        for nth in [1, 2] {
            let scene = Scene::of(&files);
            let mut writer = scene.writer("r2").await;
            writer.store().failpoints().stop_at(point, nth);
            let result = change(&mut writer, kind).await;
            drop(writer);
            if result.is_ok() && nth == 1 {
                never_passed.push(point);
            }

            // What readers see while it lies there.
            let at = format!("{kind:?} stopped at {} ({nth})", point.as_str());
            let listed = scene.listed().await;
            assert!(
                listed == before || listed == wanted.0,
                "{at}: a mixed state is listed"
            );
            let durable = scene
                .root()
                .join("_export/commits/00000000000000000003.json")
                .exists();
            let mut globbed = scene.glob();
            if kind == CommitKind::Append && !durable {
                assert_eq!(globbed, before, "{at}: uncommitted rows are visible");
            }
            globbed.dedup();
            let lost = before
                .iter()
                .filter(|row| globbed.binary_search(row).is_err())
                .count();
            let gave_way = before
                .iter()
                .filter(|row| wanted.0.binary_search(row).is_err())
                .count();
            assert!(lost <= gave_way, "{at}: rows are lost");

            let mut writer = scene.writer("r3").await;
            if writer.ledger().last_sequence() == 2 {
                assert!(!durable, "{at}");
                change(&mut writer, kind).await.unwrap();
            }
            writer.close().await.unwrap();
            assert_eq!(essence(&scene), wanted, "{at}");
            assert_eq!(scene.listed().await, wanted.0, "{at}");
            assert_eq!(scene.staging(), Vec::<String>::new(), "{at}");
            scene.assert_sound().await;
        }
    }
    // None of the days is complete, so no marker turns.
    let removing = [
        Failpoint::PublishFileRemoved,
        Failpoint::PublishRemoved,
        Failpoint::DayMarked,
    ];
    let expected = if kind == CommitKind::Append {
        &removing[..]
    } else {
        &removing[2..]
    };
    assert_eq!(never_passed, expected, "{NEVER_PASSED}");
}

#[rstest]
#[tokio::test]
async fn a_recovery_that_crashes_is_recovered(
    #[values(
        Failpoint::RecoverDeadFound,
        Failpoint::RecoverFileRemoved,
        Failpoint::PublishFileMoved
    )]
    again: Failpoint,
    #[values(
        Failpoint::CommitBegun,
        Failpoint::CommitDurable,
        Failpoint::PublishFileMoved
    )]
    first: Failpoint,
) {
    let scene = Scene::new();
    begun(&scene).await;
    let mut writer = scene.writer("r2").await;
    let _staged = draft(
        &writer,
        CommitKind::Append,
        DAY,
        &["never committed"],
        "old",
    );
    writer.store().failpoints().stop_at(first, 1);
    assert!(change(&mut writer, CommitKind::Replace).await.is_err());
    drop(writer);
    // Does not get there in each combination.
    drop(scene.writer_stopped_at("r3", again).await);
    let mut writer = scene.writer("r4").await;
    if writer.ledger().last_sequence() == 2 {
        change(&mut writer, CommitKind::Replace).await.unwrap();
    }
    writer.close().await.unwrap();
    assert_eq!(scene.staging(), Vec::<String>::new());
    scene.assert_sound().await;
    let marks: Vec<_> = scene
        .glob()
        .into_iter()
        .filter(|row| row.1 == "a")
        .collect();
    assert!(marks.iter().all(|row| row.4 == "new"));
    assert_eq!(marks.len(), 9);
}

#[tokio::test]
async fn what_was_recovered_is_said() {
    let scene = Scene::new();
    let mut writer = scene.writer("r1").await;
    let staged = draft(&writer, CommitKind::Append, DAY, &["a"], "old");
    writer
        .store()
        .failpoints()
        .stop_at(Failpoint::CommitDurable, 1);
    assert!(writer.commit(staged).await.is_err());
    drop(writer);
    assert!(scene.heard().is_empty());
    scene.writer("r2").await.close().await.unwrap();
    assert_eq!(
        scene.heard(),
        [
            "commit 1 was durable and is now published",
            &*format!(
                "run {} ended early; 0 unfinished files were removed",
                run_id("r1")
            )
        ]
    );
    scene.writer("r3").await.close().await.unwrap();
    assert!(scene.heard().is_empty());
}

#[tokio::test]
async fn the_staged_files_of_a_living_run_are_left_alone() {
    let scene = Scene::new();
    let mut slow = scene.writer("r1").await;
    let staged = draft(&slow, CommitKind::Append, DAY, &["a"], "old");
    let mut quick = scene.writer("r2").await;
    let other = draft(&quick, CommitKind::Append, DAY, &["b"], "old");
    commit(&mut quick, other).await;
    quick.close().await.unwrap();
    commit(&mut slow, staged).await;
    slow.close().await.unwrap();
    scene.assert_sound().await;
    assert_eq!(scene.glob().len(), 18);
}

#[tokio::test]
async fn a_run_that_commits_and_dies_while_another_starts_loses_nothing() {
    let scene = Scene::new();
    let mut dying = scene.writer("r1").await;
    let staged = draft(&dying, CommitKind::Append, DAY, &["a"], "old");
    // The other one has read the log…
    let store = Store::new(&scene.dest()).unwrap();
    let log = Log::load(&store).await.unwrap();
    let run = RunStore::open(store, run_id("r2")).await.unwrap();
    // … when this one commits and dies.
    dying
        .store()
        .failpoints()
        .stop_at(Failpoint::CommitDurable, 1);
    assert!(dying.commit(staged).await.is_err());
    drop(dying);
    let writer = LakeWriter {
        run,
        log,
        zone: Tz::UTC,
        clock: clock(),
        events: scene.events(),
        mends: false,
        pins_ended: 0,
        recovered: Vec::new(),
        rowless: std::collections::BTreeSet::default(),
        in_doubt: None,
        claim: None,
    };
    writer.recover().await.unwrap().close().await.unwrap();
    scene.assert_sound().await;
    assert_eq!(scene.glob().len(), 9);
}

#[tokio::test]
async fn a_commit_that_failed_after_it_counted_is_not_undone_by_closing() {
    let scene = Scene::new();
    let mut writer = scene.writer("r1").await;
    let first = draft(&writer, CommitKind::Append, DAY, &["a"], "old");
    writer
        .store()
        .failpoints()
        .stop_at(Failpoint::CommitRecordNamed, 1);
    assert!(writer.commit(first).await.is_err());
    writer.close().await.unwrap();
    scene.assert_sound().await;
    assert_eq!(scene.glob().len(), 9);
}

#[tokio::test]
async fn a_staged_file_that_is_dropped_leaves_nothing() {
    let scene = Scene::new();
    let writer = scene.writer("r1").await;
    let staged = writer
        .store()
        .stage(TableName::Calls, Partition::Unknown)
        .unwrap();
    assert_eq!(scene.staging().len(), 2);
    drop(staged);
    assert_eq!(
        scene.staging(),
        [format!("_export/staging/{}/lock", run_id("r1"))]
    );
    for point in [
        Failpoint::StageOpened,
        Failpoint::StageWritten,
        Failpoint::StageSynced,
    ] {
        writer.store().failpoints().stop_at(point, 1);
        let staged = writer.store().stage(TableName::Calls, Partition::Unknown);
        assert!(staged.and_then(|staged| staged.finish(0)).is_err());
        assert_eq!(
            scene.staging(),
            [format!("_export/staging/{}/lock", run_id("r1"))]
        );
    }
}

#[tokio::test]
async fn a_damaged_marker_makes_everything_be_checked_and_changes_nothing() {
    let scene = Scene::new();
    begun(&scene).await;
    let mut writer = scene.writer("r2").await;
    change(&mut writer, CommitKind::Replace).await.unwrap();
    change(&mut writer, CommitKind::Compact).await.unwrap();
    writer.close().await.unwrap();
    let before = scene.snapshot();
    std::fs::write(scene.root().join("_export/published.json"), "{").unwrap();
    assert_eq!(scene.listed().await, scene.glob());
    scene.writer("r3").await.close().await.unwrap();
    assert_eq!(scene.snapshot(), before);
    assert_eq!(scene.heard().len(), 2);
}

#[tokio::test]
async fn a_missing_record_is_damage_and_says_so() {
    let scene = Scene::new();
    begun(&scene).await;
    std::fs::remove_file(
        scene
            .root()
            .join("_export/commits/00000000000000000001.json"),
    )
    .unwrap();
    let error = LakeWriter::open(&scene.options(), run_id("r2"), clock(), Events::default()).await;
    let error = error.unwrap_err();
    assert_eq!(error.exit_code().number(), 65);
    assert!(
        error.to_string().contains("00000000000000000001.json"),
        "{error}"
    );

    let scene = Scene::new();
    begun(&scene).await;
    std::fs::remove_file(
        scene
            .root()
            .join("_export/commits/00000000000000000002.json"),
    )
    .unwrap();
    let error = LakeWriter::open(&scene.options(), run_id("r2"), clock(), Events::default()).await;
    assert!(error.unwrap_err().to_string().contains("published.json"));
}

#[tokio::test]
async fn a_record_of_a_newer_version_is_refused() {
    let scene = Scene::new();
    begun(&scene).await;
    let path = scene
        .root()
        .join("_export/commits/00000000000000000003.json");
    std::fs::write(path, r#"{"format_version": 4, "shape": "unknown"}"#).unwrap();
    let error = Lake::open(&scene.dest()).await.unwrap_err();
    assert!(
        matches!(
            error,
            LakeError::NewerFormat {
                found: 4,
                known: 3,
                ..
            }
        ),
        "{error:?}"
    );
    assert_eq!(error.exit_code().number(), 78);
}

#[tokio::test]
async fn a_lake_keeps_its_zone() {
    let scene = Scene::new();
    begun(&scene).await;
    let options = LakeOptions {
        partition_timezone: Tz::Asia__Jakarta,
        ..scene.options()
    };
    let error = LakeWriter::open(&options, run_id("r2"), clock(), Events::default()).await;
    let error = error.unwrap_err();
    assert!(
        error.to_string().contains("--partition-timezone UTC"),
        "{error}"
    );
    assert_eq!(error.exit_code().number(), 78);
}

#[tokio::test]
async fn other_things_in_the_folder_are_left_alone() {
    let scene = Scene::new();
    std::fs::create_dir_all(scene.root().join("calls/notes")).unwrap();
    for name in ["README.txt", "calls/notes/a.txt", "_x"] {
        std::fs::write(scene.root().join(name), "mine").unwrap();
    }
    assert!(scene.reader().await.is_empty());
    begun(&scene).await;
    for name in ["README.txt", "calls/notes/a.txt", "_x"] {
        assert_eq!(std::fs::read(scene.root().join(name)).unwrap(), b"mine");
    }
    scene.assert_sound().await;
}

#[tokio::test]
async fn a_destination_that_is_a_file_is_named_with_advice() {
    let scene = Scene::new();
    std::fs::write(scene.root(), "a file").unwrap();
    let error = LakeWriter::open(&scene.options(), run_id("r1"), clock(), Events::default()).await;
    let error = error.unwrap_err();
    assert_eq!(error.exit_code().number(), 74);
    assert!(error.to_string().contains("lake"), "{error}");
    assert!(error.to_string().contains("--dest"), "{error}");
}
