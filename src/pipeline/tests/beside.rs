//! A run that begins beside others, on a lake in a temporary folder.

use std::time::Duration;

use tokio::time::timeout;

use super::*;
use crate::lake::LivingRun;
use crate::pipeline::beside::{ahead, names, yield_to_others};

/// Begins a run that is alive until it is closed, and says that it began at this time.
async fn living(scene: &LakeScene, name: &str, since: &str) -> LakeWriter {
    let options = LakeOptions {
        dest: scene.job.dest.clone(),
        partition_timezone: Tz::UTC,
    };
    let run = run_id(name);
    let clock = Clock::starting_at(now());
    let lake = LakeWriter::open(&options, run.clone(), clock, Events::default());
    let lake = lake.await.expect("opened");
    let lock = format!("lake/_export/staging/{run}/lock");
    let sign = format!(r#"{{"since":"{since}","host":"etl-1","pid":7}}"#);
    std::fs::write(scene.folder.path().join(lock), sign).expect("written");
    lake
}

fn run_id(name: &str) -> RunId {
    RunId::new(&format!("20240320T000000Z-{name}")).expect("an id")
}

fn store(scene: &LakeScene) -> Store {
    Store::new(&scene.job.dest).expect("a folder")
}

async fn ids_ahead(scene: &LakeScene, name: &str) -> Vec<RunId> {
    let ahead = ahead(&store(scene), &run_id(name)).await.expect("read");
    ahead.into_iter().map(|run| run.run_id).collect()
}

#[tokio::test]
async fn of_runs_that_are_alive_the_one_that_began_first_is_ahead() {
    let scene = LakeScene::new();
    let first = living(&scene, "zzzzzz", "2024-03-20T00:00:00Z").await;
    let second = living(&scene, "aaaaaa", "2024-03-20T01:00:00Z").await;
    let third = living(&scene, "bbbbbb", "2024-03-20T01:00:00Z").await;
    let ids = |names: &[&str]| -> Vec<RunId> { names.iter().map(|name| run_id(name)).collect() };
    assert_eq!(ids_ahead(&scene, "zzzzzz").await, ids(&[]));
    assert_eq!(ids_ahead(&scene, "aaaaaa").await, ids(&["zzzzzz"]));
    assert_eq!(
        ids_ahead(&scene, "bbbbbb").await,
        ids(&["aaaaaa", "zzzzzz"]),
        "of two that began at the same moment, the smaller id is first"
    );
    assert_eq!(
        ids_ahead(&scene, "cccccc").await,
        ids(&["aaaaaa", "bbbbbb", "zzzzzz"]),
        "a run without a sign of life is behind all others"
    );
    first.close().await.expect("closed");
    assert_eq!(ids_ahead(&scene, "bbbbbb").await, ids(&["aaaaaa"]));
    second.close().await.expect("closed");
    third.close().await.expect("closed");
    assert_eq!(ids_ahead(&scene, "cccccc").await, ids(&[]));
}

#[rstest]
#[case(IfRunning::Wait)]
#[case(IfRunning::Fail)]
#[case(IfRunning::Share)]
#[tokio::test]
async fn a_run_that_is_alone_begins(#[case] if_running: IfRunning) {
    let scene = LakeScene::new();
    living(&scene, "gone00", "2024-03-20T00:00:00Z")
        .await
        .close()
        .await
        .expect("closed");
    let (store, stop) = (store(&scene), StopSwitch::default());
    let alone = yield_to_others(&store, if_running, &stop).await;
    alone.expect("nothing else is at work");
}

#[tokio::test]
async fn beside_another_run_one_that_shares_begins_and_one_that_is_to_fail_names_it() {
    let scene = LakeScene::new();
    let other = living(&scene, "other0", "2024-03-20T00:00:00Z").await;
    let (store, stop) = (store(&scene), StopSwitch::default());
    yield_to_others(&store, IfRunning::Share, &stop)
        .await
        .expect("both continue");
    let refused = yield_to_others(&store, IfRunning::Fail, &stop).await;
    let refused = refused.expect_err("another run is at work").to_string();
    let named = "run 20240320T000000Z-other0, since 2024-03-20T00:00:00Z, process 7 on etl-1";
    assert!(refused.contains(named), "{refused}");
    other.close().await.expect("closed");
}

/// Time is virtual: it passes while the run has nothing to do but wait.
#[tokio::test(start_paused = true)]
async fn a_run_that_waits_begins_when_the_other_has_ended() {
    let scene = LakeScene::new();
    let other = living(&scene, "other0", "2024-03-20T00:00:00Z").await;
    let (store, stop) = (store(&scene), StopSwitch::default());
    let mut waiting = pin!(yield_to_others(&store, IfRunning::Wait, &stop));
    let waited = timeout(Duration::from_secs(20), waiting.as_mut()).await;
    assert!(waited.is_err(), "the other is still at work");
    other.close().await.expect("closed");
    waiting.await.expect("it is alone");
}

#[rstest]
#[case(Stop::Interrupted)]
#[case(Stop::Terminated)]
#[tokio::test(start_paused = true)]
async fn a_run_that_waits_ends_when_it_is_told_to_stop(#[case] why: Stop) {
    let scene = LakeScene::new();
    let other = living(&scene, "other0", "2024-03-20T00:00:00Z").await;
    let (store, stop) = (store(&scene), StopSwitch::default());
    let mut waiting = pin!(yield_to_others(&store, IfRunning::Wait, &stop));
    let waited = timeout(Duration::from_secs(20), waiting.as_mut()).await;
    assert!(waited.is_err(), "the other is still at work");
    stop.tell(why.clone());
    match waiting.await {
        Err(BeginError::Stopped(told)) => assert_eq!(told, why),
        ended => panic!("{ended:?}"),
    }
    other.close().await.expect("closed");
}

#[test]
fn runs_are_named_on_one_line_that_a_terminal_may_show() {
    let run = |name: &str, host: &str| LivingRun {
        run_id: run_id(name),
        since: None,
        host: Some(host.to_owned()),
        pid: None,
    };
    let named = names(&[run("one", "etl-1"), run("two", "\u{1b}[31mred")]);
    let (one, two) = named.split_once("; ").expect("two runs");
    assert_eq!(one, "run 20240320T000000Z-one on etl-1");
    assert!(
        two.starts_with("run 20240320T000000Z-two on ") && two.ends_with("[31mred"),
        "{two}"
    );
    assert!(!named.contains(char::is_control), "{named:?}");
}
