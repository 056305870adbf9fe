//! Repair fixes what it can in one pass and never touches committed data.

use std::fs;

use super::*;
use crate::maintenance::repair::{Repair, repair};

async fn lake(scene: &Scene) {
    let mut writer = scene.writer("r1").await;
    for id in ["a", "b"] {
        let draft = draft(&writer, CommitKind::Append, DAY, &[id], "x");
        commit(&mut writer, draft).await;
    }
    writer.close().await.unwrap();
}

async fn repaired(scene: &Scene, run: &str) -> Repair {
    let mended = mend_log(&scene.dest(), &run_id(run), false).await.unwrap();
    let mut writer = scene.writer(run).await;
    let mut done = repair(&mut writer, &scene.dest(), Arc::new(schema))
        .await
        .unwrap();
    writer.close().await.unwrap();
    done.repaired.splice(0..0, mended);
    done
}

fn places(done: &Repair) -> Vec<&str> {
    done.repaired.iter().map(|one| one.place.as_str()).collect()
}

async fn live_paths(scene: &Scene) -> Vec<PathBuf> {
    let files = scene.reader().await.ledger().live_files();
    files
        .iter()
        .map(|live| scene.root().join(live.path().to_string()))
        .collect()
}

#[tokio::test]
async fn there_is_nothing_to_do_in_a_sound_lake() {
    let scene = Scene::new();
    lake(&scene).await;
    let before = scene.snapshot();
    let done = repaired(&scene, "repair").await;
    assert_eq!(done.repaired, []);
    assert!(done.verification.is_sound());
    assert_eq!(scene.snapshot(), before);
}

#[tokio::test]
async fn strays_are_put_aside_with_their_paths() {
    let scene = Scene::new();
    lake(&scene).await;
    let rows = scene.glob();
    let stray = "calls/call_date=2024-03-11/stray.parquet";
    fs::copy(&live_paths(&scene).await[0], scene.root().join(stray)).unwrap();
    let done = repaired(&scene, "repair").await;
    assert_eq!(places(&done), [stray]);
    assert!(
        done.verification.is_sound(),
        "{:?}",
        done.verification.findings
    );
    assert_eq!(scene.glob(), rows);
    let aside = LakePath::quarantine(&run_id("repair"), &LakePath::found(stray));
    let aside = scene.root().join(aside.as_str());
    assert!(aside.exists(), "{}", done.repaired[0].what);
}

#[tokio::test]
async fn a_committed_file_that_somebody_moved_is_moved_back() {
    let scene = Scene::new();
    lake(&scene).await;
    let (rows, paths) = (scene.glob(), live_paths(&scene).await);
    let moved = scene
        .root()
        .join("calls")
        .join(paths[0].file_name().unwrap());
    fs::rename(&paths[0], &moved).unwrap();
    let done = repaired(&scene, "repair").await;
    assert!(done.verification.is_sound(), "{done:?}");
    assert_eq!(scene.glob(), rows);
    // Also from where an earlier repair would have put it.
    let aside = paths[1].strip_prefix(scene.root()).unwrap();
    let aside = scene
        .root()
        .join(format!("_export/quarantine/{}", run_id("r0")))
        .join(aside);
    fs::create_dir_all(aside.parent().unwrap()).unwrap();
    fs::rename(&paths[1], &aside).unwrap();
    let done = repaired(&scene, "repair2").await;
    assert!(done.verification.is_sound(), "{done:?}");
    assert_eq!(scene.glob(), rows);
}

#[tokio::test]
async fn a_file_of_that_name_with_other_bytes_is_not() {
    let scene = Scene::new();
    lake(&scene).await;
    let paths = live_paths(&scene).await;
    let mut bytes = fs::read(&paths[0]).unwrap();
    fs::remove_file(&paths[0]).unwrap();
    bytes[10] ^= 1;
    let moved = scene
        .root()
        .join("calls")
        .join(paths[0].file_name().unwrap());
    fs::write(&moved, bytes).unwrap();
    let done = repaired(&scene, "repair").await;
    let kinds: Vec<_> = done
        .verification
        .findings
        .iter()
        .map(|found| found.kind)
        .collect();
    assert!(kinds.contains(&FindingKind::FileMissing), "{kinds:?}");
    assert!(!kinds.contains(&FindingKind::StrayFile), "{kinds:?}");
    assert!(!paths[0].exists() && !moved.exists());
}

#[tokio::test]
async fn day_files_and_checkpoints_are_made_again() {
    let scene = Scene::new();
    lake(&scene).await;
    let day = scene
        .root()
        .join("_export/days")
        .join(format!("{DAY}.json"));
    let good = fs::read(&day).unwrap();
    let checkpoint = scene.root().join(LakePath::checkpoint(2).as_str());
    fs::create_dir_all(checkpoint.parent().unwrap()).unwrap();
    fs::write(&checkpoint, b"half a chec").unwrap();
    let strange = scene.root().join("_export/days/1999-01-01.json");
    for bad in [None, Some("half a fi"), Some(r#"{"sequence":999}"#)] {
        match bad {
            None => fs::remove_file(&day).unwrap(),
            Some(bad) => fs::write(&day, bad).unwrap(),
        }
        fs::write(&strange, "{}").unwrap();
        let done = repaired(&scene, "repair").await;
        assert!(done.verification.is_sound(), "{bad:?}: {done:?}");
        assert_eq!(fs::read(&day).unwrap(), good);
        assert!(!strange.exists());
        fs::remove_dir_all(scene.root().join("_export/quarantine")).unwrap();
    }
    assert_ne!(fs::read(&checkpoint).unwrap(), b"half a chec");
}

#[tokio::test]
async fn a_damaged_marker_and_unpublished_commits_are_finished() {
    let scene = Scene::new();
    lake(&scene).await;
    let mut writer = scene.writer("r2").await;
    writer
        .store()
        .failpoints()
        .stop_at(Failpoint::CommitDurable, 1);
    let third = draft(&writer, CommitKind::Append, DAY, &["c"], "x");
    writer.commit(third).await.unwrap_err();
    drop(writer);
    fs::write(scene.root().join("_export/published.json"), "{").unwrap();
    let done = repaired(&scene, "repair").await;
    assert!(
        places(&done).iter().all(|place| *place == "log"),
        "{done:?}"
    );
    assert!(done.repaired.len() >= 2, "{done:?}");
    assert!(done.verification.is_sound(), "{done:?}");
    scene.assert_sound().await;
}

#[tokio::test]
async fn what_is_lost_is_reported_and_left_as_it_is() {
    let scene = Scene::new();
    lake(&scene).await;
    let paths = live_paths(&scene).await;
    fs::remove_file(&paths[0]).unwrap();
    let mut bytes = fs::read(&paths[1]).unwrap();
    bytes[10] ^= 1;
    fs::write(&paths[1], &bytes).unwrap();
    let before = scene.snapshot();
    let done = repaired(&scene, "repair").await;
    assert_eq!(done.repaired, []);
    let kinds: Vec<_> = done
        .verification
        .findings
        .iter()
        .map(|found| found.kind)
        .collect();
    assert!(kinds.contains(&FindingKind::FileMissing), "{kinds:?}");
    assert!(kinds.contains(&FindingKind::FileChanged), "{kinds:?}");
    assert_eq!(scene.snapshot(), before);
}
