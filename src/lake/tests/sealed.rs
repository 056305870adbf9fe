//! Sealed records beside those of earlier versions, and derived files of other programs.

use std::fs;

use super::*;
use crate::lake::checkpoint::{self, Checkpoint};
use crate::lake::log::Log;
use crate::lake::record::seal;

fn record(scene: &Scene, sequence: u64) -> PathBuf {
    scene.root().join(LakePath::commit(sequence).as_str())
}

/// As a program of format 2 would have written it.
fn without_seals(scene: &Scene, last: u64) {
    for sequence in 1..=last {
        let bytes = fs::read(record(scene, sequence)).unwrap();
        let mut commit: Commit = serde_json::from_slice(&bytes).unwrap();
        commit.format_version = 2;
        commit.previous = None;
        let json = serde_json::to_vec(&commit).unwrap();
        fs::write(record(scene, sequence), json).unwrap();
    }
    let _ = fs::remove_file(scene.root().join("_newest.json"));
}

async fn commits(scene: &Scene, run: &str, ids: &[&str]) {
    let mut writer = scene.writer(run).await;
    for id in ids {
        let draft = draft(&writer, CommitKind::Append, DAY, &[id], "x");
        commit(&mut writer, draft).await;
    }
    writer.close().await.unwrap();
}

async fn error_of(scene: &Scene) -> LakeError {
    let error = Lake::open(&scene.dest()).await.unwrap_err();
    let store = Store::new(&scene.dest()).unwrap();
    let other = Log::load(&store).await.unwrap_err();
    assert_eq!(error.to_string(), other.to_string());
    assert_eq!(error.exit_code().number(), 65);
    error
}

#[tokio::test]
async fn records_of_earlier_versions_are_read_and_the_chain_begins_behind_them() {
    let scene = Scene::new();
    commits(&scene, "r1", &["a", "b"]).await;
    without_seals(&scene, 2);
    scene.assert_sound().await;
    commits(&scene, "r2", &["c", "d"]).await;
    scene.assert_sound().await;
    let old = fs::read(record(&scene, 2)).unwrap();
    let first = scene.reader().await.read_commit(3).await.unwrap().unwrap();
    assert_eq!(first.previous, Some(seal::sum(&old)));
    // The last one without a seal is in the chain, too.
    let changed = String::from_utf8(old)
        .unwrap()
        .replace("\"calls\":2", "\"calls\":4");
    fs::write(record(&scene, 2), changed).unwrap();
    let error = error_of(&scene).await.to_string();
    assert!(error.contains("follows on another commit 2"), "{error}");
}

#[tokio::test]
async fn a_record_without_a_seal_behind_sealed_ones_is_refused() {
    let scene = Scene::new();
    commits(&scene, "r1", &["a", "b"]).await;
    let bytes = fs::read(record(&scene, 2)).unwrap();
    let mut commit: Commit = serde_json::from_slice(&bytes).unwrap();
    commit.format_version = 2;
    commit.previous = None;
    fs::write(record(&scene, 2), serde_json::to_vec(&commit).unwrap()).unwrap();
    let error = error_of(&scene).await.to_string();
    assert!(error.contains("it has no checksum"), "{error}");
}

#[tokio::test]
async fn a_sound_record_of_another_lake_is_refused() {
    let (scene, other) = (Scene::new(), Scene::new());
    commits(&scene, "r1", &["a", "b", "c"]).await;
    commits(&other, "r2", &["d", "e", "f"]).await;
    fs::copy(record(&other, 2), record(&scene, 2)).unwrap();
    let error = error_of(&scene).await.to_string();
    assert!(error.contains("follows on another commit 1"), "{error}");
}

#[tokio::test]
async fn a_flipped_bit_is_found_by_a_start_from_the_checkpoint_of_that_record() {
    let scene = Scene::new();
    commits(&scene, "r1", &["a", "b"]).await;
    let mut writer = scene.writer("r2").await;
    assert!(writer.checkpoint(1).await.unwrap());
    writer.close().await.unwrap();
    let mut bytes = fs::read(record(&scene, 2)).unwrap();
    bytes[200] ^= 4;
    fs::write(record(&scene, 2), bytes).unwrap();
    let error = error_of(&scene).await.to_string();
    assert!(error.contains("00000000000000000002.json"), "{error}");
}

#[tokio::test]
async fn a_checkpoint_that_is_far_too_large_takes_no_memory_and_is_made_again() {
    let scene = Scene::new();
    commits(&scene, "r1", &["a", "b"]).await;
    let mut writer = scene.writer("r2").await;
    assert!(writer.checkpoint(1).await.unwrap());
    writer.close().await.unwrap();
    let path = scene.root().join(LakePath::checkpoint(2).as_str());
    let good = fs::read(&path).unwrap();
    let mut bomb = Checkpoint::from_bytes(&good).unwrap();
    bomb.ledger = vec![0; 600 << 20];
    let bomb = bomb.to_bytes().unwrap();
    assert!(bomb.len() < 1 << 20);
    assert!(Checkpoint::from_bytes(&bomb).is_none());
    let store = Store::new(&scene.dest()).unwrap();
    let huge = || {
        fs::write(&path, &good).unwrap();
        let file = fs::File::options().write(true).open(&path).unwrap();
        file.set_len(1 << 40).unwrap();
    };
    for spoil in [&|| fs::write(&path, &bomb).unwrap(), &huge as &dyn Fn()] {
        spoil();
        let log = Log::load(&store).await.unwrap();
        assert!(log.passed_over && log.checkpointed == 0);
        let loaded = checkpoint::load(&store, 2).await.unwrap().unwrap();
        assert!(loaded.len() < 1 << 20);
        // The next start of a writing command makes it again.
        scene.writer("r3").await.close().await.unwrap();
        assert_eq!(Log::load(&store).await.unwrap().checkpointed, 2);
        scene.assert_sound().await;
    }
}

#[tokio::test]
async fn large_files_in_place_of_small_ones_take_no_memory() {
    let scene = Scene::new();
    commits(&scene, "r1", &["a"]).await;
    for path in [
        "_newest.json",
        "_export/published.json",
        "_export/days/2024-03-11.json",
    ] {
        let path = scene.root().join(path);
        let good = fs::read(&path).unwrap();
        fs::File::create(&path).unwrap().set_len(1 << 40).unwrap();
        assert_eq!(scene.reader().await.ledger().last_sequence(), 1);
        fs::write(&path, good).unwrap();
    }
}

#[tokio::test]
async fn killed_before_the_witness_is_written_the_next_start_is_none_the_worse() {
    let scene = Scene::new();
    commits(&scene, "r1", &["a"]).await;
    for point in [
        Failpoint::CommitDurable,
        Failpoint::DaysSynced,
        Failpoint::MarkerMoved,
    ] {
        let mut writer = scene.writer("r2").await;
        writer.store().failpoints().stop_at(point, 1);
        let draft = draft(&writer, CommitKind::Append, DAY, &[point.as_str()], "x");
        writer.commit(draft).await.unwrap_err();
        drop(writer);
        assert!(scene.reader().await.ledger().last_sequence() >= 1);
        scene.writer("r3").await.close().await.unwrap();
        scene.assert_sound().await;
        let witness = fs::read(scene.root().join("_newest.json")).unwrap();
        let witness: serde_json::Value = serde_json::from_slice(&witness).unwrap();
        let last = scene.reader().await.ledger().last_sequence();
        assert_eq!(witness["sequence"], last, "{point:?}");
    }
}
