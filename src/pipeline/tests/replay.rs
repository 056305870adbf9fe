//! Saved responses of a folder, imported into a lake.

use std::time::Duration;

use super::*;
use crate::discover::Reason;
use crate::pipeline::pull::CommitPace;
use crate::pipeline::replay::Replayer;
use crate::shard::Shard;

/// Saves a response under a name.
fn save(scene: &LakeScene, name: &str, text: &str) {
    let folder = scene.folder.path().join("saved");
    std::fs::create_dir_all(&folder).expect("made");
    std::fs::write(folder.join(name), text).expect("written");
}

fn save_task(scene: &LakeScene, task: &str) {
    save(scene, &format!("{task}.json"), &answer(task, "finished", 2));
}

/// Imports what is saved, as the `n`th run.
async fn import(scene: &LakeScene, n: u32, shard: Option<Shard>, replace: bool) -> Summary {
    let RunOnLake {
        mut committer,
        mut summary,
        ..
    } = RunOnLake::begin(scene, n).await;
    committer.shard = shard;
    let saved = [scene.folder.path().join("saved").into()];
    let answers = saved_answers(&saved, &BTreeMap::new())
        .await
        .expect("found");
    let replayer = Replayer {
        pending: Arc::clone(&committer.pending),
        committer,
        pace: CommitPace {
            calls: u64::MAX,
            task_bytes: usize::MAX,
            interval: Duration::MAX,
        },
        stop: StopSwitch::default(),
        replace,
        shard,
        received_at_micros: now().timestamp_micros(),
    };
    let committer = replayer.replay(answers, &mut summary).await;
    let committer = committer.expect("imported");
    committer.lake.close().await.expect("closed");
    summary
}

fn planned(summary: &Summary, reason: Reason) -> u64 {
    let mut planned = summary.planned.iter();
    let found = planned.find(|(one, _)| *one == reason);
    found.map_or(0, |(_, count)| *count)
}

#[tokio::test]
async fn shards_divide_what_is_saved() {
    let scene = LakeScene::new();
    for number in 0..20 {
        save_task(&scene, &format!("task-{number}"));
    }
    let mut taken = 0;
    for number in [1, 2] {
        let shard = Shard::new(number, 2).expect("a shard");
        let summary = import(&scene, number, Some(shard), false).await;
        let sealed = summary.tasks.sealed;
        assert!(0 < sealed && sealed < 20, "{sealed}");
        assert_eq!(planned(&summary, Reason::OtherShard), 20 - sealed);
        let lake = scene.lake().await;
        let held = (0..20).map(|number| id(&format!("task-{number}")));
        let held = held.filter(|task| shard.holds(task));
        assert!(held.into_iter().all(|task| lake.ledger().is_sealed(&task)));
        taken += sealed;
    }
    assert_eq!(taken, 20);
    assert_eq!(scene.calls().await, 40);
    scene.assert_sound().await;
}

#[tokio::test]
async fn what_is_sealed_is_left_unless_it_is_to_be_replaced() {
    let scene = LakeScene::new();
    save_task(&scene, "t");
    save_task(&scene, "u");
    assert_eq!(import(&scene, 1, None, false).await.tasks.sealed, 2);
    save_task(&scene, "new");
    let again = import(&scene, 2, None, false).await;
    assert_eq!(
        (again.tasks.sealed, planned(&again, Reason::Sealed)),
        (1, 2)
    );
    let replaced = import(&scene, 3, None, true).await;
    assert_eq!(
        (replaced.tasks.sealed, planned(&replaced, Reason::Sealed)),
        (3, 0)
    );
    assert_eq!(scene.calls().await, 6);
    scene.assert_sound().await;
}

#[tokio::test]
async fn a_file_that_is_no_answer_is_a_reject_and_the_others_are_taken() {
    let scene = LakeScene::new();
    save_task(&scene, "t");
    save(&scene, "page.json", "<html>maintenance</html>");
    let summary = import(&scene, 1, None, false).await;
    assert_eq!((summary.tasks.sealed, summary.rejects), (1, 1));
    let failed: Vec<&str> = summary
        .failures
        .iter()
        .map(|one| one.task_id.as_str())
        .collect();
    assert_eq!(failed, ["page.json"]);
    assert!(scene.rejects().contains("maintenance"));
    assert_eq!(summary.exit_code(), ExitCode::Data);
}
