//! Responses as text: valid, complete, deterministic, and shaped like the sample.

use std::io::Read;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use super::*;
use crate::sandbox::options::SandboxOptions;

fn options() -> SandboxOptions {
    SandboxOptions {
        first_day: "2024-03-11".parse().expect("valid"),
        tasks_per_day: 40,
        ..SandboxOptions::default()
    }
}

const STYLE: CallStyle = CallStyle {
    zone: chrono_tz::Asia::Jakarta,
    odd: true,
};

fn bytes(mut detail: Detail) -> Vec<u8> {
    let mut all = Vec::new();
    while let Some(piece) = detail.piece() {
        all.extend_from_slice(&piece);
    }
    all
}

fn answer(world: &Arc<World>, task: &Task, now: i64) -> Vec<u8> {
    bytes(Detail::new(world, &task.id, now, STYLE).expect("listed"))
}

/// Accepts only valid JSON without repeated keys in one object.
struct Strict;

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Strict)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Self;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("JSON")
    }
    fn visit_bool<E>(self, _: bool) -> Result<Self, E> {
        Ok(self)
    }
    fn visit_i64<E>(self, _: i64) -> Result<Self, E> {
        Ok(self)
    }
    fn visit_u64<E>(self, _: u64) -> Result<Self, E> {
        Ok(self)
    }
    fn visit_f64<E>(self, _: f64) -> Result<Self, E> {
        Ok(self)
    }
    fn visit_str<E>(self, _: &str) -> Result<Self, E> {
        Ok(self)
    }
    fn visit_unit<E>(self) -> Result<Self, E> {
        Ok(self)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self, A::Error> {
        while seq.next_element::<Strict>()?.is_some() {}
        Ok(self)
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self, A::Error> {
        let mut keys = std::collections::HashSet::new();
        while let Some(key) = map.next_key::<String>()? {
            map.next_value::<Strict>()?;
            if let Some(twice) = keys.replace(key) {
                return Err(serde::de::Error::custom(format!("{twice} twice")));
            }
        }
        Ok(self)
    }
}

#[test]
fn every_answer_at_every_moment_is_valid_json_without_a_key_twice() {
    let world = Arc::new(World::new(&options()));
    for task in &world.tasks {
        for share in [0, 300, 600, 2000] {
            let now = task.listed + (task.scheduled_end - task.listed) * share / 1000;
            let text = answer(&world, task, now);
            let parsed: Result<Strict, _> = serde_json::from_slice(&text);
            assert!(parsed.is_ok(), "{:?}", parsed.err());
        }
    }
}

#[test]
fn what_is_counted_is_what_is_written() {
    let world = Arc::new(World::new(&options()));
    for task in &world.tasks {
        for now in [task.start + (task.scheduled_end - task.start) / 2, i64::MAX] {
            let view = task.at(now).expect("listed");
            let text = answer(&world, task, now);
            let json: serde_json::Value = serde_json::from_slice(&text).expect("valid");
            let calls = json["data"]["detail"].as_array().expect("an array");
            let length = |key: &str| {
                let each = calls
                    .iter()
                    .map(|call| call[key].as_array().map_or(0, Vec::len));
                each.sum::<usize>() as u64
            };
            let redials = length("RedailCall");
            let counted = Counts {
                calls: calls.len() as u64,
                redials,
                turns: length("AsrResult"),
            };
            assert_eq!(counted, Counts::of(task, &view));
            assert_eq!(json["data"]["TaskID"], task.id.as_str());
            assert_eq!(json["data"]["Status"], view.status);
            assert!(text.ends_with(b",\"code\":200}"));
            let detail = Detail::new(&world, &task.id, now, STYLE).expect("listed");
            assert!(text.len() as u64 >= detail.least_bytes(), "{}", text.len());
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_one_others() {
    let first = Arc::new(World::new(&options()));
    let second = Arc::new(World::new(&options()));
    let other = Arc::new(World::new(&SandboxOptions {
        seed: 2,
        ..options()
    }));
    for (task, twin) in first.tasks.iter().zip(&second.tasks) {
        assert_eq!(
            answer(&first, task, i64::MAX),
            answer(&second, twin, i64::MAX - 1)
        );
        assert!(other.task_index(&task.id).is_none());
    }
}

#[test]
fn calls_have_the_shape_of_the_documented_sample() {
    let world = Arc::new(World::new(&options()));
    let sample = [
        "id",
        "RobotID",
        "CalleeName",
        "CalleeGender",
        "CalleeNumber",
        "CallStartTime",
        "CallEndTime",
        "Status",
        "Intention",
        "CallID",
        "CallTimes",
        "Comments",
        "BorrowedDate",
        "DueDate",
        "BorrowedAmount",
        "TotalOwingAmount",
        "CurrencyUnit",
        "PlatformName",
        "RingType",
        "HangupType",
        "ExtraA",
        "ExtraB",
        "ExtraC",
        "AsrResult",
        "RingTime",
        "TalkRound",
        "RedailCall",
        "NerSlots",
        "intention_description",
        "EventLabel",
        "caller_number",
        "case_id",
    ];
    let style = CallStyle {
        odd: false,
        ..STYLE
    };
    for task in &world.tasks {
        let detail = Detail::new(&world, &task.id, i64::MAX, style).expect("listed");
        let json: serde_json::Value = serde_json::from_slice(&bytes(detail)).expect("valid");
        for call in json["data"]["detail"].as_array().expect("an array") {
            let mut keys: Vec<&String> = call.as_object().expect("an object").keys().collect();
            keys.retain(|key| *key != "Multi_intention");
            if call["Status"] == "finished" {
                assert_eq!(keys, sample);
                assert!(call["CallEndTime"].as_str() >= call["CallStartTime"].as_str());
            } else {
                assert!(keys.len() == sample.len() || keys.len() == sample.len() - 2);
            }
            assert!(call["CalleeNumber"].as_str().expect("text").contains("000"));
        }
    }
}

#[test]
fn redials_are_written_in_the_source_zone_and_come_before_the_call() {
    let world = Arc::new(World::new(&options()));
    let mut seen = 0;
    for task in &world.tasks {
        let text = answer(&world, task, i64::MAX);
        let json: serde_json::Value = serde_json::from_slice(&text).expect("valid");
        for call in json["data"]["detail"].as_array().expect("an array") {
            let Some(first) = call["RedailCall"].get(0) else {
                continue;
            };
            let local = first["CallStartTime"].as_str().expect("text");
            let local = chrono::NaiveDateTime::parse_from_str(local, "%Y-%m-%d %H:%M:%S")
                .expect("local time");
            let start: chrono::DateTime<chrono::Utc> = call["CallStartTime"]
                .as_str()
                .expect("text")
                .parse()
                .expect("RFC 3339");
            let ahead = start.naive_utc() + chrono::TimeDelta::hours(7) - local;
            assert!((40..400).contains(&ahead.num_seconds()), "{ahead}");
            seen += 1;
        }
    }
    assert!(seen > 1000);
}

#[test]
fn a_call_is_about_as_large_as_a_real_one() {
    let options = SandboxOptions {
        first_day: "2024-03-11".parse().expect("valid"),
        days: 1,
        tasks_per_day: 12,
        calls_per_task: 1000,
        exact_calls: true,
        ..options()
    };
    let world = Arc::new(World::new(&options));
    let total: usize = world
        .tasks
        .iter()
        .map(|task| answer(&world, task, i64::MAX).len())
        .sum();
    let mean = total / (12 * 1000);
    assert!((1900..2900).contains(&mean), "{mean}");
}

#[test]
fn a_compressed_answer_unpacks_to_the_plain_one() {
    let world = Arc::new(World::new(&options()));
    let task = &world.tasks[0];
    let detail = Detail::new(&world, &task.id, i64::MAX, STYLE).expect("listed");
    let packed = bytes(detail.compressed(false));
    let mut plain = Vec::new();
    flate2::read::GzDecoder::new(&packed[..])
        .read_to_end(&mut plain)
        .expect("gzip");
    assert_eq!(plain, answer(&world, task, i64::MAX));
}

#[test]
#[ignore = "a measurement: cargo test --release -- --ignored --nocapture answers_are_made_fast"]
fn answers_are_made_fast() {
    let options = SandboxOptions {
        days: 1,
        tasks_per_day: 1,
        calls_per_task: 300_000,
        exact_calls: true,
        ..options()
    };
    let world = Arc::new(World::new(&options));
    let mut detail = Detail::new(&world, &world.tasks[0].id, i64::MAX, STYLE).expect("listed");
    let start = std::time::Instant::now();
    let mut total = 0;
    while let Some(piece) = detail.piece() {
        total += piece.len();
    }
    let megabytes = f64::from(u32::try_from(total).expect("below 4 GB")) / 1e6;
    let speed = megabytes / start.elapsed().as_secs_f64();
    assert!(speed > 100.0, "{megabytes:.0} MB at {speed:.0} MB/s");
    std::fs::write(
        std::env::temp_dir().join("sandbox-speed"),
        format!("{megabytes:.0} MB at {speed:.0} MB/s\n"),
    )
    .expect("written");
}
