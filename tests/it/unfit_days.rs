//! Rejects and values that did not fit, by day: in the day files, `status` and the page. They go with
//! the rows that left them, whatever is replaced, moved to another day, compacted or killed.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use crate::harness::scripted::{self, Reply, Scripted, answer};
use crate::harness::{Exporter, NOW, folder};
use crate::older_lakes::copy as copy_lake;
use crate::page::table;

const MONDAY: &str = "2024-03-11";
const TUESDAY: &str = "2024-03-12";

/// The answer of a task of another day.
fn on(day: &str, task: &str, detail: &str) -> String {
    answer(task, detail).replace(MONDAY, day)
}

/// The answer of a task without a schedule.
fn undated(task: &str, detail: &str) -> String {
    format!(
        r#"{{"data":{{"TaskID":"{task}","Status":"finished","detail":{detail}}},"status":"OK","code":200}}"#
    )
}

fn day(exporter: &Exporter, day: &str) -> Value {
    let path = exporter.dest().join(format!("_export/days/{day}.json"));
    serde_json::from_slice(&fs::read(path).expect("a day file")).expect("JSON")
}

/// Rejects of a day, and its misfits as `key kind count`.
fn unfit(day: &Value) -> (u64, Vec<String>) {
    let misfits = day["misfits"].as_array().expect("a list").iter();
    let line = |misfit: &Value| {
        let text = |name: &str| misfit[name].as_str().expect("text").to_owned();
        assert_eq!(
            misfit.as_object().map(serde_json::Map::len),
            Some(4),
            "{misfit}"
        );
        format!(
            "{}.{} {} {}",
            text("table"),
            text("key"),
            text("kind"),
            misfit["count"]
        )
    };
    (
        day["rejects"].as_u64().expect("a number"),
        misfits.map(line).collect(),
    )
}

fn replay(exporter: &Exporter, answers: &[String], flags: &[&str], code: i32) {
    let names: Vec<String> = (0..answers.len())
        .map(|n| format!("answer-{n}.json"))
        .collect();
    for (name, answer) in names.iter().zip(answers) {
        let folder = exporter.dest();
        fs::write(folder.with_file_name(name), answer).expect("writable");
    }
    let paths: Vec<String> = names
        .iter()
        .map(|name| exporter.dest().with_file_name(name).display().to_string())
        .collect();
    let mut args = vec!["replay"];
    args.extend(paths.iter().map(String::as_str));
    args.extend(flags);
    exporter.run(&args).with(code);
}

#[test]
fn they_are_on_the_day_of_their_task_and_go_with_its_rows() {
    let folder = folder();
    let exporter = Exporter::new(folder.path()).at(NOW);
    let call =
        r#"{"id":1,"CallStartTime":"2024-03-11T08:00:00Z","NewKey":1,"BorrowedAmount":"much"}"#;
    let other = r#"{"id":2,"CallStartTime":"2024-03-11T08:01:00Z","NewKey":2}"#;
    replay(
        &exporter,
        &[
            answer("a", &format!("[{call},{other},7,null]")),
            answer("b", &format!("[{call}]")),
            on(TUESDAY, "c", &format!("[{other},\"x\"]")),
            undated("d", &format!("[{other}]")),
        ],
        &[],
        65,
    );
    let amount = |count: u32| format!("calls.BorrowedAmount not_a_number {count}");
    let new_key = |count: u32| format!("calls.NewKey unknown_key {count}");
    assert_eq!(
        unfit(&day(&exporter, MONDAY)),
        (2, vec![amount(2), new_key(3)])
    );
    assert_eq!(unfit(&day(&exporter, TUESDAY)), (1, vec![new_key(1)]));
    let status = exporter.run(&["status", "--format", "json"]).done().stdout;
    let status: Value = serde_json::from_str(&status).expect("JSON");
    assert_eq!(unfit(&status["undated"]), (0, vec![new_key(1)]));
    assert_eq!(status["days"][0], day(&exporter, MONDAY));
    exporter.run(&["verify"]).done();

    // The names of keys are there; values and keys that look like data are not.
    let personal =
        r#"[{"id":1,"CallStartTime":"2024-03-11T08:00:00Z","+62811222333 Budi":"Budi"}]"#;
    replay(&exporter, &[answer("e", personal)], &[], 0);
    let (_, misfits) = unfit(&day(&exporter, MONDAY));
    assert!(
        misfits.contains(&"calls.(keys that look like data) unknown_key 1".to_owned()),
        "{misfits:?}"
    );
    for path in crate::harness::lake::below(&exporter.dest().join("_export")) {
        let is_kept_whole = path.components().any(|part| part.as_os_str() == "rejects");
        let text = fs::read(&path).expect("readable");
        let text = String::from_utf8_lossy(&text);
        assert!(
            is_kept_whole || !text.contains("Budi"),
            "{}",
            path.display()
        );
    }

    // Compacting moves rows, and counts nothing twice.
    let before = [MONDAY, TUESDAY].map(|one| unfit(&day(&exporter, one)));
    exporter.run(&["compact"]).done();
    assert_eq!(
        [MONDAY, TUESDAY].map(|one| unfit(&day(&exporter, one))),
        before
    );
    exporter.run(&["verify"]).done();

    // Replaced: `a` fits now, `b` has another day, `d` has got one, `e` is as it was.
    let sound = r#"[{"id":1,"CallStartTime":"2024-03-11T08:00:00Z"},{"id":2},{"id":3},{"id":4}]"#;
    replay(
        &exporter,
        &[
            answer("a", sound),
            on(TUESDAY, "b", &format!("[{call}]")),
            on(TUESDAY, "d", &format!("[{other}]")),
        ],
        &["--replace"],
        0,
    );
    let hidden = "calls.(keys that look like data) unknown_key 1".to_owned();
    assert_eq!(unfit(&day(&exporter, MONDAY)), (0, vec![hidden]));
    assert_eq!(
        unfit(&day(&exporter, TUESDAY)),
        (1, vec![amount(1), new_key(3)])
    );
    let status = exporter.run(&["status", "--format", "json"]).done().stdout;
    let status: Value = serde_json::from_str(&status).expect("JSON");
    assert_eq!(unfit(&status["undated"]), (0, vec![]));
    exporter.run(&["verify"]).done();

    // The page has the same figures, over time.
    let page = exporter.run(&["report", "--html", "-"]).done().stdout;
    let unfit = table(&page, "rejects-days");
    assert_eq!(unfit[MONDAY], ["0", "1"]);
    assert_eq!(unfit[TUESDAY], ["1", "4"]);
    assert!(!unfit.contains_key("no day"), "{unfit:?}");
    let drift = table(&page, "drift-table");
    assert_eq!(
        drift["Day"],
        [
            "calls.NewKey",
            "calls.(keys that look like data)",
            "calls.BorrowedAmount (not a number)"
        ]
    );
    assert_eq!(drift[MONDAY], ["0", "1", "0"]);
    assert_eq!(drift[TUESDAY], ["3", "0", "1"]);
}

#[test]
fn a_day_file_that_counts_otherwise_is_found_and_made_again() {
    let folder = folder();
    let exporter = Exporter::new(folder.path()).at(NOW);
    replay(
        &exporter,
        &[answer("a", r#"[{"id":1,"NewKey":1},7]"#)],
        &[],
        65,
    );
    let path = exporter.dest().join(format!("_export/days/{MONDAY}.json"));
    let sound = fs::read_to_string(&path).expect("it is there");
    let wrong = sound.replace(r#""rejects":1"#, r#""rejects":2"#);
    assert_ne!(wrong, sound);
    fs::write(&path, wrong).expect("writable");
    let found = exporter.run(&["verify"]).with(65).stdout;
    assert!(
        found.contains("day_stale  _export/days/2024-03-11.json"),
        "{found}"
    );
    exporter.run(&["verify", "--repair"]).done();
    assert_eq!(fs::read_to_string(&path).expect("it is there"), sound);

    // A file of an earlier version has no such counts, and is no finding.
    let mut earlier: Value = serde_json::from_str(&sound).expect("JSON");
    let fields = earlier.as_object_mut().expect("an object");
    fields.remove("rejects").expect("it was there");
    fields.remove("misfits").expect("it was there");
    let start = sound.find(r#","rejects""#).expect("it is there");
    let end = sound.find(r#","sequence""#).expect("it is there");
    let text = format!("{}{}", &sound[..start], &sound[end..]);
    assert_eq!(serde_json::from_str::<Value>(&text).expect("JSON"), earlier);
    fs::write(&path, text).expect("writable");
    exporter.run(&["verify"]).done();
    exporter.run(&["status"]).done();
}

#[test]
fn a_rejected_answer_counts_until_its_task_is_exported() {
    let folder = folder();
    let is_well = Arc::new(AtomicBool::new(false));
    let well = Arc::clone(&is_well);
    let server = Scripted::start(move |request| {
        let text = if well.load(Ordering::SeqCst) {
            answer("a", r#"[{"id":1,"NewKey":1}]"#)
        } else {
            r#"{"data":{"TaskID":"a","detail":[{]}"#.to_owned()
        };
        Some(scripted::account(
            &[("a".to_owned(), Reply::ok(text))],
            request,
        ))
    });
    let exporter = Exporter::new(folder.path()).against(server.url()).at(NOW);
    let exporter = exporter
        .job("[api]\nrate = \"2000/s\"\nburst = 100\nbase_backoff = \"1ms\"\nmax_attempts = 2\n");
    exporter.run(&["run"]).with(65);
    let failed = day(&exporter, MONDAY);
    assert_eq!(
        (unfit(&failed), &failed["tasks"]["failed"]),
        ((1, vec![]), &json!(1))
    );
    exporter.run(&["verify"]).done();

    is_well.store(true, Ordering::SeqCst);
    exporter.run(&["run"]).done();
    let sealed = day(&exporter, MONDAY);
    assert_eq!(
        unfit(&sealed),
        (0, vec!["calls.NewKey unknown_key 1".to_owned()])
    );
    assert_eq!(sealed["tasks"]["failed"], 0);
    exporter.run(&["verify"]).done();
}

#[test]
fn a_replacement_that_is_killed_counts_once() {
    let folder = folder();
    let exporter = Exporter::new(folder.path()).at(NOW);
    let first = r#"[{"id":1,"NewKey":1},{"id":2,"NewKey":1},7]"#;
    replay(&exporter, &[answer("a", first)], &[], 65);
    let path = folder.path().join("again.json");
    fs::write(
        &path,
        answer("a", r#"[{"id":1,"NewKey":1},{"id":2},{"id":3}]"#),
    )
    .expect("writable");
    let again = ["replay", path.to_str().expect("Unicode"), "--replace"];
    for point in [
        "commit.staging_synced",
        "commit.durable",
        "publish.removed",
        "day.written",
    ] {
        let lake = format!("lake-{point}");
        let copy = exporter.clone().lake(&lake);
        copy_lake(&exporter.dest(), &copy.dest());
        let killed = copy.dying_at(point).run(&again);
        assert_eq!(killed.code, None, "{point}: {}", killed.stderr);
        copy.run(&again).done();
        assert_eq!(
            unfit(&day(&copy, MONDAY)),
            (0, vec!["calls.NewKey unknown_key 1".to_owned()]),
            "{point}"
        );
        copy.run(&["verify"]).done();
    }
}
