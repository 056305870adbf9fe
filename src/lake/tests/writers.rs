//! Concurrent writers on one lake.

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn writers_that_race_commit_every_task_once() {
    let scene = Arc::new(Scene::new());
    let mut handles = Vec::new();
    for number in 0..4 {
        let scene = Arc::clone(&scene);
        handles.push(tokio::spawn(async move {
            let mut lost = 0;
            let mut writer = scene.writer(&format!("r{number}")).await;
            for round in 0..8 {
                // One task of its own, one that all want.
                let own = format!("own {number} {round}");
                let shared = format!("shared {round}");
                let mut ids = vec![own.as_str(), shared.as_str()];
                loop {
                    let draft = draft(&writer, CommitKind::Append, DAY, &ids, "old");
                    match writer.commit(draft).await.unwrap() {
                        CommitOutcome::Committed(_) => break,
                        CommitOutcome::Unchanged => panic!("a new task is news"),
                        CommitOutcome::Conflict { conflict, draft } => {
                            assert_eq!(conflict.sealed_meanwhile, [task_id(&shared)]);
                            for file in &draft.files {
                                writer.store().unstage(file).await.unwrap();
                            }
                            ids.truncate(1);
                            lost += 1;
                        }
                    }
                }
            }
            writer.close().await.unwrap();
            lost
        }));
    }
    let mut lost = 0;
    for handle in handles {
        lost += handle.await.unwrap();
    }
    assert_eq!(lost, 3 * 8);
    let reader = scene.reader().await;
    assert_eq!(reader.ledger().last_sequence(), 4 * 8);
    assert_eq!(reader.ledger().sealed_count(), 4 * 8 + 8);
    assert_eq!(scene.glob().len(), (4 * 8 + 8) * 9);
    assert_eq!(scene.staging(), Vec::<String>::new());
    scene.assert_sound().await;
}

#[tokio::test]
async fn a_loser_without_overlap_takes_the_next_number() {
    let scene = Scene::new();
    let mut one = scene.writer("r1").await;
    let mut other = scene.writer("r2").await;
    let first = draft(&one, CommitKind::Append, DAY, &["a"], "old");
    let second = draft(&other, CommitKind::Append, DAY, &["b"], "old");
    assert_eq!(commit(&mut one, first).await.sequence, 1);
    assert_eq!(commit(&mut other, second).await.sequence, 2);
    one.refresh().await.unwrap();
    assert_eq!(one.ledger().sealed_count(), 2);
    one.close().await.unwrap();
    other.close().await.unwrap();
    scene.assert_sound().await;
}

#[tokio::test]
async fn what_a_slower_process_saw_does_not_unseal_a_task() {
    let scene = Scene::new();
    let mut slow = scene.writer("r1").await;
    let mut quick = scene.writer("r2").await;
    let sealing = draft(&quick, CommitKind::Append, DAY, &["a"], "old");
    commit(&mut quick, sealing).await;
    let mut stale = CommitDraft::new(run_id("r1"), CommitKind::Observe, 0);
    stale.open.push(open_task("a", DAY, DAY));
    stale.forgotten.push(task_id("a"));
    assert_eq!(commit(&mut slow, stale).await.sequence, 2);
    assert!(slow.ledger().is_sealed(&task_id("a")));
    assert_eq!(slow.ledger().unsealed().count(), 0);
    assert!(scene.reader().await.ledger().is_sealed(&task_id("a")));
}

#[tokio::test]
async fn a_put_that_took_effect_unseen_is_met_again_as_our_own() {
    let scene = Scene::new();
    let mut writer = scene.writer("r1").await;
    let path = LakePath::commit(1);
    let bytes = bytes::Bytes::from_static(b"same");
    assert_eq!(
        writer
            .run
            .put_if_absent(&path, bytes.clone())
            .await
            .unwrap(),
        PutOutcome::Created
    );
    assert_eq!(
        writer.run.put_if_absent(&path, bytes).await.unwrap(),
        PutOutcome::Taken
    );
    std::fs::remove_file(scene.root().join(path.as_str())).unwrap();
    let draft = draft(&writer, CommitKind::Append, DAY, &["a"], "old");
    commit(&mut writer, draft).await;
    writer.close().await.unwrap();
    scene.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn starts_that_recover_at_once_do_no_harm() {
    let scene = Arc::new(Scene::new());
    let mut writer = scene.writer("r0").await;
    let first = draft(&writer, CommitKind::Append, DAY, &["a", "b"], "old");
    commit(&mut writer, first).await;
    let again = replacement(&writer, "a", "new").await;
    writer
        .store()
        .failpoints()
        .stop_at(Failpoint::PublishFileMoved, 2);
    assert!(writer.commit(again).await.is_err());
    drop(writer);
    let starts = (1..=6).map(|number| {
        let scene = Arc::clone(&scene);
        tokio::spawn(async move { scene.writer(&format!("r{number}")).await.close().await })
    });
    for start in starts.collect::<Vec<_>>() {
        start.await.unwrap().unwrap();
    }
    scene.assert_sound().await;
    assert_eq!(scene.glob().len(), 18);
    assert_eq!(scene.staging(), Vec::<String>::new());
}

#[tokio::test]
async fn an_id_that_is_taken_is_changed() {
    let scene = Scene::new();
    let id = |writer: &LakeWriter| writer.store().run_id().as_str().to_owned();
    let mut first = scene.writer("r1").await;
    let mut beside = scene.writer("r1").await;
    let r1 = run_id("r1");
    assert_eq!(id(&first), r1.as_str());
    assert_ne!(id(&beside), r1.as_str(), "its staging folder is there");
    let one = draft(&first, CommitKind::Append, DAY, &["a"], "first");
    let other = draft(&beside, CommitKind::Append, DAY, &["b"], "beside");
    commit(&mut first, one).await;
    commit(&mut beside, other).await;
    first.close().await.unwrap();
    beside.close().await.unwrap();
    let later = scene.writer("r1").await;
    assert_ne!(id(&later), r1.as_str(), "its files are in the log");
    let [r2, r3] = ["r2", "r3"].map(run_id);
    for (run, left) in [
        (&r2, format!("runs/{r2}.json")),
        (&r3, format!("rejects/{r3}/000001.jsonl")),
    ] {
        let path = scene.root().join("_export").join(&left);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, "{}").unwrap();
        let writer = scene.writer(run.as_str()).await;
        assert_ne!(id(&writer), run.as_str(), "{left} is there");
    }
    later.close().await.unwrap();
    scene.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_id_that_is_taken_in_a_bucket_is_changed() {
    let cloud = super::object::ObjectLake::new();
    let first = cloud.writer("r1").await;
    let beside = cloud.writer("r1").await;
    assert_eq!(first.store().run_id(), &run_id("r1"));
    assert_ne!(beside.store().run_id(), &run_id("r1"));
    first.close().await.unwrap();
    beside.close().await.unwrap();
}

#[tokio::test]
async fn a_commit_that_names_anothers_file_is_refused_before_it_is_made() {
    let scene = Scene::new();
    let mut first = scene.writer("r1").await;
    // Somebody cleans up below it, and so the id seems to be free.
    let staging = (scene.root().join("_export/staging")).join(run_id("r1").as_str());
    std::fs::remove_dir_all(&staging).unwrap();
    let mut second = scene.writer("r1").await;
    assert_eq!(second.store().run_id(), &run_id("r1"));
    let draft_of =
        |writer: &LakeWriter, id: &str| draft(writer, CommitKind::Append, DAY, &[id], id);
    let one = draft_of(&first, "a");
    // The same names in the same folder: what was staged first waits elsewhere meanwhile.
    let aside = scene.dir.path().join("aside");
    std::fs::rename(&staging, &aside).unwrap();
    std::fs::create_dir(&staging).unwrap();
    let other = draft_of(&second, "b");
    commit(&mut second, other).await;
    std::fs::remove_dir_all(&staging).unwrap();
    std::fs::rename(&aside, &staging).unwrap();
    let error = first.commit(one).await.unwrap_err();
    assert!(
        matches!(error, LakeError::Store(StoreError::RunTaken(_))),
        "{error}"
    );
    assert_eq!(error.exit_code(), crate::exit_code::ExitCode::Destination);
    drop((first, second));
    assert_eq!(scene.reader().await.ledger().last_sequence(), 1);
    scene.writer("r2").await.close().await.unwrap();
    scene.assert_sound().await;
}
