//! Shards: together they are the whole, and a day is complete only when all of them have covered it.

use std::fs;

use airudder_export::sandbox::SandboxOptions;
use serde_json::Value;

use crate::harness::lake::assert_same;
use crate::harness::scripted::answer;
use crate::harness::vendor::{clock, past_days};
use crate::harness::{Exporter, LakeView, NOW, Running, Vendor, folder};
use crate::trouble::{WEEK, undisturbed};

fn day(exporter: &Exporter, day: &str) -> Option<bool> {
    let path = exporter.dest().join(format!("_export/days/{day}.json"));
    let day: Value = serde_json::from_slice(&fs::read(path).ok()?).expect("JSON");
    day["complete"].as_bool()
}

#[test]
fn four_shards_at_once_are_the_whole() {
    let options = past_days(3, 20, 6);
    let expected = undisturbed(&options);
    let (folder, vendor) = (folder(), Vendor::start(options));
    let exporter = Exporter::new(folder.path()).against(vendor.url()).at(NOW);
    let shards: Vec<Running> = (1..=4)
        .map(|number| {
            let shard = exporter
                .clone()
                .set("AIRUDDER_SHARD", &format!("{number}/4"));
            shard.start(&WEEK)
        })
        .collect();
    for shard in shards {
        let ended = shard.wait().done();
        assert!(
            ended.stdout.contains("of another shard"),
            "{}",
            ended.stdout
        );
    }
    assert_same(&LakeView::new(exporter.dest()).content(), &expected);
    let stats = vendor.stats();
    assert!(stats.details_complete.values().all(|times| *times == 1));
    assert_eq!(day(&exporter, "2024-03-12"), Some(true));
    exporter.run(&["verify"]).done();
}

#[test]
fn a_day_is_complete_when_the_last_shard_has_covered_it() {
    let (folder, vendor) = (folder(), Vendor::start(past_days(2, 12, 3)));
    let exporter = Exporter::new(folder.path()).against(vendor.url()).at(NOW);
    let args = |shard| [&WEEK[..], &["--shard", shard]].concat();
    for shard in ["1/3", "3/3", "3/3"] {
        exporter.run(&args(shard)).done();
        assert_eq!(day(&exporter, "2024-03-12"), Some(false), "{shard}");
        // A quiet day has no file before it is complete.
        assert_eq!(day(&exporter, "2024-03-15"), None, "{shard}");
    }
    let plan = [&["plan"], &args("2/3")[..], &["--format", "json"]].concat();
    let plan = exporter.run(&plan).done().json();
    let left: u64 = plan["days"]
        .as_array()
        .expect("days")
        .iter()
        .map(|day| day["reasons"]["other_shard"].as_u64().unwrap_or_default())
        .sum();
    assert!(left > 8, "{plan}");
    exporter.run(&args("2/3")).done();
    for date in ["2024-03-12", "2024-03-15"] {
        assert_eq!(day(&exporter, date), Some(true), "{date}");
    }
    // Calls of the day before may go on after midnight.
    assert_eq!(day(&exporter, "2024-03-11"), Some(false));
}

#[test]
fn each_shard_s_nights_go_on_where_it_ended_and_a_late_one_catches_up() {
    let night = |day: u32| format!("2024-03-{day}T00:30:00Z");
    let options = SandboxOptions {
        clock: clock(&night(12)),
        ..past_days(4, 8, 3)
    };
    let whole = SandboxOptions {
        clock: clock(&night(16)),
        ..options.clone()
    };
    let expected = undisturbed(&whole);
    let (folder, vendor) = (folder(), Vendor::start(options));
    let exporter = Exporter::new(folder.path()).against(vendor.url());
    let run = |shard: &str, time: &str| {
        exporter
            .clone()
            .at(time)
            .run(&["run", "--shard", shard])
            .done();
    };
    for shard in ["1/2", "2/2"] {
        run(shard, &night(12));
    }
    // Two nights without the second shard.
    for time in [night(13), night(14)] {
        vendor.set_time(&time);
        run("1/2", &time);
        assert_eq!(day(&exporter, "2024-03-12"), Some(false), "{time}");
    }
    vendor.set_time(&night(15));
    run("2/2", &night(15));
    for date in ["2024-03-12", "2024-03-13"] {
        assert_eq!(day(&exporter, date), Some(true), "{date}");
    }
    assert_eq!(day(&exporter, "2024-03-14"), Some(false));
    // One process for all continues from where the slower one ended.
    vendor.set_time(&night(16));
    exporter.clone().at(&night(16)).run(&["run"]).done();
    assert_eq!(day(&exporter, "2024-03-14"), Some(true));
    assert_same(&LakeView::new(exporter.dest()).content(), &expected);
}

#[test]
fn saved_answers_are_split_as_well_and_each_bad_one_is_rejected_once() {
    let folder = folder();
    let ids: Vec<String> = (0..12).map(|id| format!("task-{id:02}")).collect();
    for id in &ids {
        fs::write(folder.path().join(format!("{id}.json")), answer(id, "[{}]")).expect("writable");
    }
    fs::write(folder.path().join("broken.json"), "{").expect("writable");
    let exporter = Exporter::new(folder.path());
    let names: Vec<String> = ids.iter().map(|id| format!("{id}.json")).collect();
    let mut args: Vec<&str> = vec!["replay", "broken.json"];
    args.extend(names.iter().map(String::as_str));
    let codes: Vec<_> = ["0", "1", "2"]
        .map(|index| {
            let pod = exporter.clone().set("JOB_COMPLETION_INDEX", index);
            pod.set("AIRUDDER_SHARD_COUNT", "3").run(&args).code
        })
        .to_vec();
    let rejecting = codes.iter().filter(|code| **code == Some(65)).count();
    assert_eq!(rejecting, 1, "{codes:?}");
    let tasks = LakeView::new(exporter.dest()).table("tasks");
    let found: Vec<String> = tasks.iter().map(|row| row["task_id"].to_string()).collect();
    assert_eq!(found, ids);
}

#[test]
fn a_wrong_shard_is_refused() {
    let folder = folder();
    let exporter = Exporter::new(folder.path());
    let said = exporter.run(&["replay", "--shard", "5/4", "x"]).with(64);
    said.saying(&["--shard", "`5/4` is not a shard such as 2/4"]);
    let pod = exporter.set("AIRUDDER_SHARD_COUNT", "4");
    pod.run(&["replay", "x"])
        .with(78)
        .saying(&["set JOB_COMPLETION_INDEX"]);
}
