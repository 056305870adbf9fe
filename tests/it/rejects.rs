//! What is no call and what is no answer: kept whole, with its reason, and the rest exported.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::harness::lake::below;
use crate::harness::scripted::{Reply, Scripted, answer};
use crate::harness::{Exporter, LakeView, NOW, folder};

const FEW_TRIES: &str = "[api]\nrate = \"2000/s\"\nburst = 100\nbase_backoff = \"1ms\"\nmax_attempts = 3\n[write]\nmax_record_size = \"2MiB\"\n";

/// Runs against an account with these details; gives the exporter and its code.
fn pulled(folder: &tempfile::TempDir, details: Vec<(&str, Reply)>) -> (Exporter, Option<i32>) {
    let server = Scripted::account(details);
    let exporter = Exporter::new(folder.path())
        .against(server.url())
        .job(FEW_TRIES)
        .at(NOW);
    let ended = exporter.run(&["run"]);
    (exporter, ended.code)
}

/// All lines of rejects, and the folder they are in.
fn rejects(exporter: &Exporter) -> (Vec<Value>, PathBuf) {
    let all = below(&exporter.dest().join("_export/rejects"));
    let folder = all
        .first()
        .and_then(|path| path.parent())
        .expect("there are rejects");
    assert!(
        all.iter().all(|path| path.parent() == Some(folder)),
        "one run, one folder"
    );
    let mut lines: Vec<Value> = all
        .iter()
        .filter(|path| path.extension().is_some_and(|ending| ending == "jsonl"))
        .flat_map(|path| {
            let text = fs::read_to_string(path).expect("readable");
            let lines = text
                .lines()
                .map(|line| serde_json::from_str(line).expect("JSON"));
            lines.collect::<Vec<Value>>()
        })
        .collect();
    lines.sort_by_key(|line| (line["task_id"].to_string(), line["detail_index"].as_u64()));
    (lines, folder.to_owned())
}

#[test]
fn entries_of_detail_that_are_no_objects_are_kept_beside_their_calls() {
    let folder = folder();
    let detail = r#"[{"id":1}, "a \u0041", null, {"id":4}, [ 1,2 ], {"id":01}]"#;
    let (exporter, code) = pulled(&folder, vec![("t", Reply::ok(answer("t", detail)))]);
    assert_eq!(code, Some(65));
    let (lines, folder) = rejects(&exporter);
    let kept: Vec<(Value, Value)> = lines
        .iter()
        .map(|line| (line["detail_index"].clone(), line["value"].clone()))
        .collect();
    assert_eq!(
        kept,
        [
            (json!(1), json!(r#""a \u0041""#)),
            (json!(2), json!("null")),
            (json!(4), json!("[ 1,2 ]")),
            (json!(5), json!(r#"{"id":01}"#)),
        ]
    );
    assert!(
        lines
            .iter()
            .all(|line| line["task_id"] == "t" && line["reason"].is_string())
    );
    let lake = LakeView::new(exporter.dest());
    let calls = lake.table("calls");
    let run = calls[0]["_run_id"].to_string();
    assert_eq!(
        folder.file_name().and_then(|name| name.to_str()),
        Some(run.as_str())
    );
    let indexes: Vec<String> = calls
        .iter()
        .map(|row| row["detail_index"].to_string())
        .collect();
    assert_eq!(indexes, ["0", "3"]);
    assert_eq!(lake.table("tasks")[0]["call_count"].to_string(), "6");
    exporter.run(&["verify"]).done();
    exporter.run(&["run"]).done();
}

#[test]
fn a_page_in_place_of_an_answer_is_an_outage_kept_whole_and_asked_for_again() {
    let folder = folder();
    let page = "<html><body>down for maintenance</body></html>";
    let details = vec![
        ("good", Reply::ok(answer("good", "[{}]"))),
        ("page", Reply::ok(page)),
    ];
    let server = Scripted::account(details);
    let exporter = Exporter::new(folder.path())
        .against(server.url())
        .job(FEW_TRIES)
        .at(NOW);
    let ended = exporter.run(&["run"]).with(75);
    assert!(ended.stdout.contains("page"), "{}", ended.stdout);
    let asked = |task: &str| {
        let seen = server.seen();
        let is = |request: &&crate::harness::scripted::Request| request.body["task_id"] == task;
        seen.iter().filter(is).count()
    };
    assert_eq!((asked("good"), asked("page")), (1, 3));
    let (lines, _) = rejects(&exporter);
    assert_eq!(lines.len(), 1, "once, not once a try");
    assert_eq!(lines[0]["value"], page);
    assert_eq!(
        (&lines[0]["task_id"], &lines[0]["detail_index"]),
        (&json!("page"), &Value::Null)
    );
    assert_eq!(LakeView::new(exporter.dest()).counts(), [1, 0, 0, 1]);
    exporter.run(&["run"]).with(69);
    assert_eq!((asked("good"), asked("page")), (1, 6), "it is tried again");
    exporter.run(&["verify"]).done();
}

#[test]
fn a_large_answer_that_breaks_off_leaves_no_row_and_is_kept_whole() {
    let folder = folder();
    let call = r#"{"CallID":"0123456789abcdef","AsrResult":[{"time":"00:00:01"}]}"#;
    let whole = answer("large", &format!("[{}]", vec![call; 60_000].join(",")));
    let half = whole[..whole.len() / 2].to_owned();
    let (exporter, code) = pulled(
        &folder,
        vec![
            ("large", Reply::ok(half.clone())),
            ("good", Reply::ok(answer("good", "[{}]"))),
        ],
    );
    assert_eq!(code, Some(65));
    let (lines, at) = rejects(&exporter);
    assert_eq!(lines.len(), 1);
    let kept = lines[0]["value_file"]
        .as_str()
        .expect("in a file of its own");
    assert!(fs::read(at.join(kept)).expect("readable") == half.as_bytes());
    assert_eq!(LakeView::new(exporter.dest()).counts(), [1, 0, 0, 1]);
    let staged = below(&exporter.dest().join("_export/staging"));
    assert!(staged.is_empty(), "staged files stay: {staged:?}");
    exporter.run(&["verify"]).done();
}

#[test]
fn a_call_over_the_limit_is_kept_whole_in_a_file_and_the_others_are_rows() {
    let folder = folder();
    let long = format!(
        r#"{{"CallID":"long","Comments":"{}"}}"#,
        "x".repeat(3 << 20)
    );
    let detail = format!(r#"[{{"id":0}},{long},{{"id":2}}]"#);
    let (exporter, code) = pulled(&folder, vec![("t", Reply::ok(answer("t", &detail)))]);
    assert_eq!(code, Some(65));
    let (lines, at) = rejects(&exporter);
    assert_eq!(lines[0]["detail_index"], 1);
    let reason = lines[0]["reason"].as_str().expect("a text");
    assert!(reason.contains("max_record_size"), "{reason}");
    let kept = lines[0]["value_file"]
        .as_str()
        .expect("in a file of its own");
    assert!(fs::read(at.join(kept)).expect("readable") == long.as_bytes());
    assert_eq!(LakeView::new(exporter.dest()).counts(), [2, 0, 0, 1]);
}

#[test]
fn an_answer_of_another_task_is_none() {
    let folder = folder();
    let (exporter, code) = pulled(&folder, vec![("asked", Reply::ok(answer("other", "[{}]")))]);
    assert!(matches!(code, Some(65 | 69)), "{code:?}");
    assert_eq!(LakeView::new(exporter.dest()).counts(), [0; 4]);
}

#[test]
fn text_that_is_not_unicode_stays_in_its_row() {
    let folder = folder();
    let mut text = answer("t", r#"[{"CalleeName":"@","CallID":"c"}]"#).into_bytes();
    let at = text
        .iter()
        .position(|byte| *byte == b'@')
        .expect("it is there");
    text[at] = 0xff;
    let (exporter, code) = pulled(&folder, vec![("t", Reply::ok(text))]);
    assert_eq!(code, Some(0), "a misfit is no reject");
    let call = LakeView::new(exporter.dest()).table("calls").remove(0);
    assert_eq!(call["call_id"].text(), Some("c"));
    assert_eq!(call["callee_name"].text(), None);
    let kept = r#"{"CalleeName":{"$json_base64":"Iv8i"}}"#;
    assert_eq!(call["extra_fields"].text(), Some(kept));
}
