//! Vacuum removes files that no commit needs once they are old enough, and nothing else.

use std::fs::{self, File};
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::*;
use crate::maintenance::vacuum::{VacuumKind, VacuumOptions, Vacuumed, plan_vacuum, vacuum};

const WEEK: Duration = Duration::from_hours(7 * 24);

fn options() -> VacuumOptions {
    VacuumOptions {
        older_than: WEEK,
        unknown: true,
        max_share: 40,
        reports_older_than: Duration::MAX,
        rejects_older_than: None,
        delta_retention: std::time::Duration::ZERO,
    }
}

/// Long after everything that these tests write.
fn later() -> DateTime<Utc> {
    Clock::system().now() + chrono::TimeDelta::days(8)
}

/// A file below the lake's root.
fn put(scene: &Scene, path: &str) -> PathBuf {
    let path = scene.root().join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, b"rows").unwrap();
    path
}

/// A lake with two commits, one of which replaced.
async fn lake(scene: &Scene) {
    let mut writer = scene.writer("r1").await;
    let first = draft(&writer, CommitKind::Append, DAY, &["a", "b"], "old");
    commit(&mut writer, first).await;
    let second = replacement(&writer, "a", "new").await;
    commit(&mut writer, second).await;
    writer.close().await.unwrap();
}

async fn vacuumed(scene: &Scene, options: VacuumOptions, now: DateTime<Utc>) -> Vacuumed {
    let planned = plan_vacuum(&scene.reader().await, options, now)
        .await
        .unwrap();
    let mut writer = scene.writer("vacuum").await;
    let done = vacuum(&mut writer, options, now).await.unwrap();
    writer.close().await.unwrap();
    // But for what opening the lake has removed already.
    let items = planned.items.into_iter();
    let items: Vec<_> = items
        .filter(|item| item.kind != VacuumKind::Staged)
        .collect();
    assert_eq!(items, done.items);
    done
}

fn kinds(done: &Vacuumed) -> Vec<(VacuumKind, &str)> {
    done.items
        .iter()
        .map(|item| (item.kind, item.path.as_str()))
        .collect()
}

#[tokio::test]
async fn strays_go_when_they_are_old_enough_and_files_of_the_lake_never_do() {
    let scene = Scene::new();
    lake(&scene).await;
    let rows = scene.glob();
    let removed = scene
        .reader()
        .await
        .read_commit(2)
        .await
        .unwrap()
        .unwrap()
        .changes
        .removes;
    let gave_way = removed[0].path.to_string();
    for path in [
        "calls/call_date=2024-03-11/stray.parquet",
        "calls/flat.parquet",
        "tasks/elsewhere/x.parquet",
        &gave_way,
    ] {
        put(&scene, path);
    }
    put(&scene, "calls/call_date=2024-03-11/notes.txt");
    let now = Clock::system().now();
    let young = vacuumed(&scene, options(), now).await;
    assert_eq!((young.items.len(), young.kept), (0, 4));
    let done = vacuumed(&scene, options(), later()).await;
    let mut expected = [
        (
            VacuumKind::Unknown,
            "calls/call_date=2024-03-11/stray.parquet",
        ),
        (VacuumKind::Unknown, "calls/flat.parquet"),
        (VacuumKind::Unknown, "tasks/elsewhere/x.parquet"),
        (VacuumKind::Superseded, &gave_way),
    ];
    expected.sort_unstable();
    assert_eq!(kinds(&done), expected);
    assert!(
        scene
            .root()
            .join("calls/call_date=2024-03-11/notes.txt")
            .exists()
    );
    fs::remove_file(scene.root().join("calls/call_date=2024-03-11/notes.txt")).unwrap();
    assert_eq!(scene.glob(), rows);
    scene.assert_sound().await;
}

#[tokio::test]
async fn a_file_that_somebody_publishes_meanwhile_is_not_taken_for_a_stray() {
    let scene = Scene::new();
    lake(&scene).await;
    // It knows of two commits; the third is made by another while it is at work.
    let mut slow = scene.writer("vacuum").await;
    let mut quick = scene.writer("r2").await;
    let third = draft(&quick, CommitKind::Append, DAY, &["c"], "x");
    commit(&mut quick, third).await;
    quick.close().await.unwrap();
    let done = vacuum(&mut slow, options(), later()).await.unwrap();
    assert_eq!(done.items, []);
    slow.close().await.unwrap();
    scene.assert_sound().await;
}

#[tokio::test]
async fn what_a_living_run_stages_stays_and_what_a_dead_one_staged_goes() {
    let scene = Scene::new();
    lake(&scene).await;
    let living = scene.writer("living").await;
    let third = draft(&living, CommitKind::Append, DAY, &["c"], "x");
    let dead = LakePath::staging_of(&run_id("dead"));
    let staged = format!("{dead}/{}-000001.parquet", run_id("dead"));
    put(&scene, &staged);
    put(&scene, &format!("{dead}/lock"));
    let planned = plan_vacuum(&scene.reader().await, options(), later())
        .await
        .unwrap();
    assert_eq!(kinds(&planned), [(VacuumKind::Staged, staged.as_str())]);
    let done = vacuumed(&scene, options(), later()).await;
    assert_eq!(done.recovered.len(), 1, "{:?}", done.recovered);
    let staged = scene.staging();
    assert!(
        staged.iter().all(|path| path.contains("living/")),
        "{staged:?}"
    );
    let mut living = living;
    commit(&mut living, third).await;
    living.close().await.unwrap();
    scene.assert_sound().await;
}

#[tokio::test]
async fn reports_go_when_they_are_old_and_rejects_only_if_asked_for() {
    let scene = Scene::new();
    lake(&scene).await;
    let [r1, r9, at_work] = ["r1", "r9", "living"].map(run_id);
    let report = put(&scene, &format!("_export/runs/{r1}.json"));
    fs::write(report, format!(r#"{{"run_id":"{r1}","command":"run"}}"#)).unwrap();
    put(&scene, &format!("_export/rejects/{r1}/000001.jsonl"));
    let probe = format!("_export/doctor-{r9}");
    put(&scene, &format!("{probe}/file"));
    // What only looks like it, or is somebody's.
    let strange = [
        format!("_export/rejects/{r1}.old/000001.jsonl"),
        "_export/rejects/notes.txt".to_owned(),
        "_export/runs/a.txt".to_owned(),
        format!("_export/runs/{r9}.json"),
    ];
    for path in &strange {
        put(&scene, path);
    }
    put(&scene, "_export/doctor-notes/file");
    put(
        &scene,
        "_export/quarantine/r9/calls/call_date=2024-03-11/x.parquet",
    );
    let living = scene.writer("living").await;
    assert_eq!(living.store().run_id(), &at_work);
    put(&scene, &format!("_export/rejects/{at_work}/000001.jsonl"));
    let done = vacuumed(&scene, options(), later()).await;
    assert_eq!(
        kinds(&done),
        [(VacuumKind::Probe, format!("{probe}/file").as_str())]
    );
    assert!(!scene.root().join(probe).exists());
    assert!(scene.root().join("_export/doctor-notes/file").exists());
    let all = VacuumOptions {
        reports_older_than: WEEK,
        rejects_older_than: Some(WEEK),
        ..options()
    };
    let young = vacuumed(&scene, all, Clock::system().now()).await;
    assert_eq!(young.items, []);
    let done = vacuumed(&scene, all, later()).await;
    let expected = [
        format!("_export/runs/{r1}.json"),
        format!("_export/rejects/{r1}/000001.jsonl"),
    ];
    let kinds_of = [VacuumKind::Report, VacuumKind::Reject];
    let expected: Vec<_> = (kinds_of.into_iter())
        .zip(expected.iter().map(String::as_str))
        .collect();
    assert_eq!(kinds(&done), expected);
    assert!(!scene.root().join(format!("_export/rejects/{r1}")).exists());
    assert_eq!(
        done.left_alone.len(),
        strange.len(),
        "{:?}",
        done.left_alone
    );
    for path in &strange {
        assert!(scene.root().join(path).exists(), "{path}");
    }
    living.close().await.unwrap();
    scene.assert_sound().await;
}

#[tokio::test]
async fn killed_in_the_middle_it_goes_on_the_next_time() {
    let scene = Scene::new();
    lake(&scene).await;
    let paths = ["calls/a.parquet", "calls/b.parquet"].map(|path| put(&scene, path));
    let mut writer = scene.writer("vacuum").await;
    writer
        .store()
        .failpoints()
        .stop_at(Failpoint::VacuumFileRemoved, 1);
    vacuum(&mut writer, options(), later()).await.unwrap_err();
    drop(writer);
    assert_eq!(paths.iter().filter(|path| path.exists()).count(), 1);
    let done = vacuumed(&scene, options(), later()).await;
    assert_eq!(done.items.len(), 1);
    scene.assert_sound().await;
}

#[tokio::test]
async fn the_age_of_a_file_is_when_it_was_last_written() {
    let scene = Scene::new();
    lake(&scene).await;
    let old = put(&scene, "calls/old.parquet");
    put(&scene, "calls/new.parquet");
    let month = std::time::SystemTime::from(Clock::system().now()) - 4 * WEEK;
    File::options()
        .write(true)
        .open(&old)
        .unwrap()
        .set_modified(month)
        .unwrap();
    let done = vacuumed(&scene, options(), Clock::system().now()).await;
    assert_eq!(kinds(&done), [(VacuumKind::Unknown, "calls/old.parquet")]);
    assert_eq!(done.kept, 1);
}
