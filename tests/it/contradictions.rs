//! A vendor that contradicts itself: keys in two spellings, items that move while pages are asked
//! for, statuses that are no words, counts that do not agree. Nothing is lost, and nothing is decided
//! by what was read last.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use serde_json::{Value, json};

use crate::harness::exporter::Ended;
use crate::harness::scripted::{Reply, Request, Scripted, account, answer};
use crate::harness::{Exporter, LakeView, folder};

const BACKFILL: [&str; 5] = ["backfill", "--from", "2024-03-10", "--to", "2024-03-11"];
const JOB: &str =
    "[api]\nrate = \"2000/s\"\nburst = 100\nbase_backoff = \"1ms\"\nmax_attempts = 2\n";

struct Lake {
    exporter: Exporter,
    /// Removed with it.
    #[expect(dead_code, reason = "it is there to be dropped")]
    folder: tempfile::TempDir,
}

impl Lake {
    fn new() -> Self {
        let folder = folder();
        Self {
            exporter: Exporter::new(folder.path())
                .job(JOB)
                .at("2024-03-12T12:00:00Z"),
            folder,
        }
    }

    fn run(&self, vendor: &Scripted, args: &[&str]) -> Ended {
        self.exporter.clone().against(vendor.url()).run(args)
    }

    /// Calls and tasks.
    fn rows(&self) -> [usize; 2] {
        let [calls, _, _, tasks] = LakeView::new(self.exporter.dest()).counts();
        [calls, tasks]
    }

    fn day(&self) -> Value {
        let path = self.exporter.dest().join("_export/days/2024-03-11.json");
        std::fs::read(path).map_or(Value::Null, |text| {
            serde_json::from_slice(&text).expect("a day file is JSON")
        })
    }

    fn is_complete(&self) -> bool {
        self.day()["complete"] == true
    }
}

fn item(id: &str) -> Value {
    json!({
        "task_id": id, "status": "finished",
        "schedule_start_time": "2024-03-11T08:00:00Z", "schedule_end_time": "2024-03-11T09:00:00Z",
    })
}

/// An account whose pages of tasks are these; every task has the same answer, with its own id.
fn vendor(
    pages: impl Fn(u64) -> Reply + Send + Sync + 'static,
    detail: impl Fn(&str) -> String + Send + Sync + 'static,
) -> Scripted {
    Scripted::start(move |request: &Request| {
        let is = |name: &str| request.path.ends_with(name);
        Some(if is("/tasklist") {
            pages(request.body["page"].as_u64().unwrap_or(1))
        } else if is("/taskdetail") {
            Reply::ok(detail(request.body["task_id"].as_str().unwrap_or_default()))
        } else {
            account(&[], request)
        })
    })
}

/// Pages of this raw item alone.
fn only(item: String, detail: impl Fn(&str) -> String + Send + Sync + 'static) -> Scripted {
    let pages = move |page| {
        let list = if page == 1 { item.as_str() } else { "" };
        Reply::ok(format!(
            r#"{{"data":{{"list":[{list}],"total":1}},"status":"OK","code":200}}"#
        ))
    };
    vendor(pages, detail)
}

fn one_call(id: &str) -> String {
    answer(id, "[{}]")
}

/// A key in two spellings with two values decides nothing, whichever stands first.
#[test]
fn two_spellings_of_a_key_that_differ_are_not_understood() {
    for (twin, key) in [
        (r#""Status":"calling""#, "status_keys"),
        (r#""STATUS":3"#, "status_keys"),
        (
            r#""ScheduleStartTime":"2024-05-11T08:00:00Z""#,
            "schedule_start_keys",
        ),
        (
            r#""scheduleEndTime":"2030-03-11T08:00:00Z""#,
            "schedule_end_keys",
        ),
    ] {
        let item = item("a").to_string();
        let inner = &item[1..item.len() - 1];
        for text in [format!("{{{inner},{twin}}}"), format!("{{{twin},{inner}}}")] {
            let lake = Lake::new();
            let ended = lake.run(&only(text, one_call), &BACKFILL).done();
            assert_eq!((lake.rows(), lake.is_complete()), ([1, 1], true), "{twin}");
            let said = format!("{}{}", ended.stdout, ended.stderr);
            assert!(said.contains(key), "{twin}: {said}");
        }
    }
    // Of an id nothing else tells which is right.
    let lake = Lake::new();
    let text = item("a").to_string().replacen('{', r#"{"TaskID":"b","#, 1);
    let ended = lake.run(&only(text, one_call), &BACKFILL).with(75);
    assert_eq!((lake.rows(), lake.is_complete()), ([0, 0], false));
    assert!(ended.stderr.contains("id_keys"), "{}", ended.stderr);
    // What says the same, or nothing, is no contradiction.
    let lake = Lake::new();
    let same = r#"{"TaskID":"\u0061","taskId":null,"TASK_ID":" ","Status":"finished","#;
    let text = item("a").to_string().replacen('{', same, 1);
    let ended = lake.run(&only(text, one_call), &BACKFILL).done();
    assert_eq!((lake.rows(), lake.is_complete()), ([1, 1], true));
    assert!(!ended.stderr.contains("_keys"), "{}", ended.stderr);
}

/// What an answer says and nobody understands is not taken for nothing said.
#[test]
fn a_status_that_is_no_word_leaves_the_task_although_it_is_listed_as_finished() {
    for status in [
        r#"["finished"]"#,
        r#"{"word":"finished"}"#,
        "true",
        "3",
        "NaN",
    ] {
        let detail = move |id: &str| {
            one_call(id).replace(r#""Status":"finished""#, &format!(r#""Status":{status}"#))
        };
        let lake = Lake::new();
        let vendor = only(item("a").to_string(), detail);
        let ended = lake.run(&vendor, &BACKFILL).with(75);
        assert!(
            ended.stdout.contains("their status is not understood"),
            "{status}"
        );
        assert_eq!(
            (lake.rows(), lake.is_complete()),
            ([0, 0], false),
            "{status}"
        );
    }
    for status in ["null", r#""""#, r#""  ""#] {
        let detail = move |id: &str| {
            one_call(id).replace(r#""Status":"finished""#, &format!(r#""Status":{status}"#))
        };
        let lake = Lake::new();
        lake.run(&only(item("a").to_string(), detail), &BACKFILL)
            .done();
        assert_eq!(
            (lake.rows(), lake.is_complete()),
            ([1, 1], true),
            "{status}"
        );
    }
}

#[test]
fn an_answer_whose_task_id_is_no_id_is_rejected() {
    for id in [r#"{"id":"a"}"#, r#"["a"]"#, "true", r#""\ud83d""#] {
        let detail =
            move |_: &str| one_call("a").replace(r#""TaskID":"a""#, &format!(r#""TaskID":{id}"#));
        let lake = Lake::new();
        let vendor = only(item("a").to_string(), detail);
        let ended = lake.run(&vendor, &BACKFILL).with(65);
        assert!(
            ended.stdout.contains("its TaskID is"),
            "{id}: {}",
            ended.stdout
        );
        assert_eq!((lake.rows(), lake.is_complete()), ([0, 0], false), "{id}");
    }
}

/// Where no total counts the list, an item that moves to an earlier page is found all the same.
#[test]
fn an_item_that_moves_to_an_earlier_page_is_not_lost() {
    for form in ["none", "of the page", "-1"] {
        for (count, at) in [(12_usize, 2), (12, 3), (10, 2), (11, 3)] {
            let deleted = AtomicBool::new(false);
            let pages = move |page: u64| {
                // The first item goes just before this page is asked for.
                if page == at {
                    deleted.store(true, Ordering::SeqCst);
                }
                let first = usize::from(deleted.load(Ordering::SeqCst));
                let skipped = usize::try_from(page - 1).expect("small") * 5;
                let items = (first..count).skip(skipped).take(5);
                let list: Vec<_> = items.map(|number| item(&format!("t{number}"))).collect();
                let total = match form {
                    "of the page" => json!(list.len()),
                    "-1" => json!(-1),
                    _ => Value::Null,
                };
                Reply::data(&json!({"list": list, "total": total}))
            };
            let lake = Lake::new();
            let vendor = vendor(pages, one_call);
            lake.run(&vendor, &BACKFILL).done();
            assert_eq!(lake.rows(), [count, count], "{form} {count} {at}");
            assert!(lake.is_complete(), "{form} {count} {at}");
        }
    }
}

/// What a second look costs: nothing where a total counts the list or where there is one page.
#[test]
fn a_second_look_is_taken_only_where_no_total_counts_the_list() {
    for (has_total, count, expected) in [
        (true, 12_usize, 3),
        (true, 5, 2),
        (false, 4, 2),
        (false, 12, 4 + 2),
        (false, 10, 3 + 2),
    ] {
        let pages = move |page: u64| {
            let skipped = usize::try_from(page - 1).expect("small") * 5;
            let items = (0..count).skip(skipped).take(5);
            let list: Vec<_> = items.map(|number| item(&format!("t{number}"))).collect();
            let total = has_total.then_some(count);
            Reply::data(&json!({"list": list, "total": total}))
        };
        let lake = Lake::new();
        let vendor = vendor(pages, one_call);
        lake.run(&vendor, &BACKFILL).done();
        let asked = vendor
            .seen()
            .iter()
            .filter(|request| request.path.ends_with("/tasklist"))
            .count();
        assert_eq!(asked, expected, "{has_total} {count}");
        assert_eq!(lake.rows(), [count, count]);
    }
}

#[test]
fn a_refusal_behind_the_only_page_is_the_end_with_or_without_a_total() {
    for total in [json!(3), Value::Null, json!("many")] {
        let shown = total.clone();
        let pages = move |page| {
            if page > 1 {
                return Reply::ok(r#"{"code":400,"status":"no such page","data":null}"#);
            }
            let list = ["a", "b", "c"].map(item);
            Reply::data(&json!({"list": list, "total": shown}))
        };
        let lake = Lake::new();
        lake.run(&vendor(pages, one_call), &BACKFILL).done();
        assert_eq!((lake.rows(), lake.is_complete()), ([3, 3], true), "{total}");
    }
}

/// Entries that are no calls do not make up for calls that are sealed.
#[test]
fn what_is_left_of_purged_calls_takes_no_rows_away() {
    let of = |detail: String| only(item("a").to_string(), move |id| answer(id, &detail));
    let lake = Lake::new();
    lake.run(&of("[{},{},{}]".to_owned()), &BACKFILL).done();
    let replace = [&BACKFILL[..], &["--replace"]].concat();
    let large = format!(
        "[{{}},{}]",
        vec![format!("\"{}\"", "x".repeat(3_000)); 2_000].join(",")
    );
    for detail in [
        "[1,2,3]",
        r#"[{},"b","c"]"#,
        "[null,null,null,null]",
        &large,
    ] {
        let ended = lake.run(&of(detail.to_owned()), &replace).with(75);
        assert!(ended.stdout.contains("--allow-fewer"), "{}", ended.stdout);
        assert_eq!(lake.rows(), [3, 1]);
    }
}

/// A count that means something else does not have its task pulled in again night after night.
#[test]
fn a_count_that_no_answer_confirms_changes_nothing() {
    let lake = Lake::new();
    let job = format!("{JOB}[api.list_tasks]\ncall_count_keys = [\"contacts\"]\n");
    let lake = Lake {
        exporter: lake.exporter.clone().job(&job),
        ..lake
    };
    let of = |count: u32| {
        let mut item = item("a");
        item["contacts"] = json!(count);
        only(item.to_string(), one_call)
    };
    lake.run(&of(1), &BACKFILL).done();
    for _ in 0..2 {
        let ended = lake.run(&of(7), &BACKFILL).done();
        assert!(
            ended.stdout.contains("not as many as are listed"),
            "{}",
            ended.stdout
        );
        assert_eq!((lake.rows(), &lake.day()["revision"]), ([1, 1], &json!(1)));
    }
}

/// A date to wait until is one of this machine's time, whatever `--as-of` says.
#[test]
fn a_date_to_wait_until_is_not_held_against_as_of() {
    let tries = AtomicU32::new(0);
    let vendor = Scripted::start(move |request: &Request| {
        let is_first =
            request.path.ends_with("/taskdetail") && tries.fetch_add(1, Ordering::SeqCst) == 0;
        if is_first {
            return Some(Reply {
                // Long over by this machine's time, months ahead by that of the run.
                headers: vec!["Retry-After: Sun, 01 Jun 2025 00:00:00 GMT".to_owned()],
                ..Reply::status(429, "")
            });
        }
        let details = [("a".to_owned(), Reply::ok(one_call("a")))];
        Some(account(&details, request))
    });
    let lake = Lake::new();
    lake.run(&vendor, &BACKFILL).done();
    assert_eq!(lake.rows(), [1, 1]);
}
