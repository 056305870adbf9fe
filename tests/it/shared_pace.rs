//! Several processes, one account's limit: through Redis, and without it.

use std::thread;
use std::time::Duration;

use airudder_export::sandbox::SandboxOptions;

use crate::harness::lake::assert_same;
use crate::harness::redis::{PASSWORD, Redis};
use crate::harness::vendor::past_days;
use crate::harness::{Exporter, LakeView, NOW, Running, Vendor, folder, skip};
use crate::trouble::{WEEK, undisturbed};

/// A vendor that counts strictly.
fn strict(tasks_per_day: u32) -> SandboxOptions {
    SandboxOptions {
        rate_limit: Some("60/s:8".parse().expect("a limit")),
        ..past_days(2, tasks_per_day, 1)
    }
}

fn exporter(folder: &tempfile::TempDir, vendor: &Vendor) -> Exporter {
    Exporter::new(folder.path())
        .against(vendor.url())
        .at(NOW)
        .set("AIRUDDER_RATE", "60/s")
        .set("AIRUDDER_BURST", "8")
}

fn start_shards(exporter: &Exporter, shards: u32) -> Vec<Running> {
    let start = |number| {
        let shard = exporter
            .clone()
            .set("AIRUDDER_SHARD", &format!("{number}/{shards}"));
        shard.start(&WEEK)
    };
    (1..=shards).map(start).collect()
}

#[test]
fn shards_keep_to_the_limit_together_each_with_its_share() {
    let (folder, vendor) = (folder(), Vendor::start(strict(100)));
    let exporter = exporter(&folder, &vendor);
    for shard in start_shards(&exporter, 3) {
        shard.wait().done();
    }
    assert_eq!(vendor.stats().rate_violations, 0);
}

#[test]
#[ignore = "needs redis-server: just test-all"]
fn processes_that_share_the_pace_keep_to_the_limit_and_the_last_one_takes_what_the_others_leave() {
    let redis = match Redis::start() {
        Ok(redis) => redis,
        Err(why) => return skip(&why),
    };
    let (folder, vendor) = (folder(), Vendor::start(strict(180)));
    let expected = undisturbed(&strict(180));
    let exporter = exporter(&folder, &vendor)
        .set("AIRUDDER_RATE_SHARED", &redis.address())
        .set("AIRUDDER_RATE_PROCESSES", "4");
    // Three have nothing to do but their listings, so the fourth is to have the whole pace.
    let idle = ["backfill", "--from", "2024-03-17", "--to", "2024-03-17"];
    let mut quiet: Vec<Running> = (0..3).map(|_| exporter.start(&idle)).collect();
    let busy = exporter.start(&WEEK);
    quiet.push(busy);
    for running in quiet {
        let ended = running.wait().done();
        assert!(!ended.stderr.contains("going on alone"), "{}", ended.stderr);
    }
    let stats = vendor.stats();
    assert_eq!(stats.rate_violations, 0);
    let requests = f64::from(u32::try_from(stats.total_requests()).expect("some hundred"));
    // The first seconds are at a fourth of the pace.
    let whole = 4.0 * 15.0 + (stats.busy_seconds - 4.0) * 60.0;
    assert!(
        requests > 0.8 * whole,
        "{requests} in {} s",
        stats.busy_seconds
    );
    assert!(
        requests > 30.0 * stats.busy_seconds,
        "{requests} in {} s",
        stats.busy_seconds
    );
    assert_same(&LakeView::new(exporter.dest()).content(), &expected);
}

#[test]
#[ignore = "needs redis-server: just test-all"]
fn without_redis_each_goes_on_with_its_share_and_comes_back_with_it() {
    let mut redis = match Redis::start() {
        Ok(redis) => redis,
        Err(why) => return skip(&why),
    };
    let (folder, vendor) = (folder(), Vendor::start(strict(220)));
    let exporter = exporter(&folder, &vendor).set("AIRUDDER_RATE_SHARED", &redis.address());
    let mut shards = start_shards(&exporter, 3);
    let wait_for = |details: usize| {
        while vendor.stats().details_complete.len() < details {
            thread::sleep(Duration::from_millis(20));
        }
    };
    wait_for(60);
    redis.end();
    wait_for(180);
    redis.begin().expect("it was there before");
    let mut back = 0;
    for mut shard in shards.drain(..) {
        while shard.is_running() {
            thread::sleep(Duration::from_millis(5));
        }
        let ended = shard.wait().done();
        let said = &ended.stderr;
        assert!(
            said.contains("the shared pace at redis://127.0.0.1:"),
            "{said}"
        );
        assert!(
            said.contains("going on alone with this process's share, 20.000/s"),
            "{said}"
        );
        assert!(
            !said.contains(PASSWORD) && !ended.stdout.contains(PASSWORD),
            "{said}"
        );
        back += usize::from(said.contains("is back"));
    }
    assert_eq!(back, 3, "not all came back");
    assert_eq!(vendor.stats().rate_violations, 0);
    exporter.run(&["verify"]).done();
}

#[test]
#[ignore = "needs redis-server: just test-all"]
fn what_slows_one_process_down_holds_all_of_them() {
    let redis = match Redis::start() {
        Ok(redis) => redis,
        Err(why) => return skip(&why),
    };
    // The limit is far below what the processes think it is.
    let options = SandboxOptions {
        rate_limit: Some("20/s:4".parse().expect("a limit")),
        ..past_days(1, 60, 1)
    };
    let expected = undisturbed(&options);
    let (folder, vendor) = (folder(), Vendor::start(options));
    let exporter = exporter(&folder, &vendor).set("AIRUDDER_RATE_SHARED", &redis.address());
    for shard in start_shards(&exporter, 2) {
        shard.wait().done();
    }
    assert!(vendor.stats().rate_violations > 0);
    assert_same(&LakeView::new(exporter.dest()).content(), &expected);
}

#[test]
#[ignore = "needs redis-server: just test-all"]
fn what_somebody_plants_in_redis_stops_no_run() {
    let redis = match Redis::start() {
        Ok(redis) => redis,
        Err(why) => return skip(&why),
    };
    let (folder, vendor) = (folder(), Vendor::start(strict(4)));
    let exporter = exporter(&folder, &vendor)
        .set("AIRUDDER_RATE_SHARED", &redis.address())
        .set("AIRUDDER_RATE_PROCESSES", "2");
    exporter.run(&WEEK).done();
    let key = redis.ask(&["KEYS", "airudder-export:pace:*"]);
    assert!(key.starts_with("airudder-export:pace:"), "{key}");
    // A day that is centuries away, by either field; what is no number; a key of another type.
    let far = "99999999999999999";
    let planted: [&[&str]; 6] = [
        &["HSET", &key, "held", far],
        &["HSET", &key, "next", far],
        &["HSET", &key, "held", "1e300"],
        &["HSET", &key, "next", "nan", "since", "nan"],
        &["HSET", &key, "next", "-inf", "held", "soon"],
        &["SET", &key, "text"],
    ];
    for (number, plant) in planted.into_iter().enumerate() {
        redis.ask(&["DEL", &key]);
        redis.ask(plant);
        let exporter = exporter.clone().lake(&format!("lake-{number}"));
        // Nobody waits for long: the test's runner would end it.
        let ended = exporter.run(&WEEK).done();
        if plant.contains(&far) {
            let wanted = "asks to wait";
            assert!(ended.stderr.contains(wanted), "{plant:?}: {}", ended.stderr);
            assert!(ended.stderr.contains(&key), "{plant:?}: {}", ended.stderr);
        }
        exporter.run(&["verify"]).done();
    }
    assert_eq!(vendor.stats().rate_violations, 0);
}
