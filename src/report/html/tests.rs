//! The page as a whole, of a small lake.

use std::path::Path;

use chrono::{DateTime, Utc};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::*;
use crate::decode::base64;
use crate::lake::Lake;
use crate::report::status::StatusReport;
use crate::report::status::{StatusOptions, tests::small_lake};

fn time(text: &str) -> DateTime<Utc> {
    text.parse().expect("a time")
}

fn run(id: &str, outcome: &str, code: u8, misfits: &serde_json::Value) -> ReportedRun {
    let start = time("2024-03-13T00:30:00Z");
    let report = json!({
        "run_id": id, "command": "run", "started_at": start, "ended_at": start + chrono::TimeDelta::seconds(90),
        "outcome": outcome, "exit_code": code, "rejects": 3, "misfits": misfits,
        "listed": true, "listing_complete": true,
        "tasks": {"sealed": 1, "failed": 1},
        "written": {"calls": {"files": 1, "rows": 1234, "bytes": 2000}},
        "requests": {
            "total": 30, "bytes_received": 30_000_000, "retries": 2, "waited_seconds": 4.5, "holds": 1,
            "held_seconds": 2.0,
            "by_endpoint": {"task_detail": {
                "requests": 30, "outcomes": {"http_503": 2, "ok": 28}, "bytes": 30_000_000,
                "elapsed_seconds": 24.0, "slowest_seconds": 1.5
            }}
        }
    });
    serde_json::from_value(report).expect("a report")
}

async fn page(root: &Path, runs: &[ReportedRun], now: &str) -> String {
    let lake = small_lake(root).await;
    let now = time(now);
    let past = runs.iter().map(|run| run.past().clone()).collect();
    let options = StatusOptions {
        now,
        not_before: None,
    };
    let status = StatusReport::new(&lake, past, None, options);
    html_report(&HtmlInput {
        lake: &lake,
        status: &status,
        runs,
        dest: "./lake",
        flag: "--dest ./lake",
        now,
        most_days: 92,
    })
}

/// The content of the elements of a kind, with what their tag says.
fn elements<'a>(page: &'a str, name: &str) -> Vec<(&'a str, &'a str)> {
    let (open, close) = (format!("<{name}"), format!("</{name}>"));
    let parts = page.split(open.as_str()).skip(1);
    let element = |part: &'a str| {
        let (tag, rest) = part.split_once('>').expect("a tag ends");
        let (content, _) = rest.split_once(close.as_str()).expect("an element ends");
        (tag, content)
    };
    parts.map(element).collect()
}

#[tokio::test]
async fn a_small_lake_with_a_gap_and_failures() {
    let folder = tempfile::tempdir().expect("a folder");
    let misfits = json!([
        {"table": "calls", "key": "NewKey", "kind": "unknown_key", "count": 7},
        {"table": "calls", "key": "BorrowedAmount", "kind": "not_a_number", "count": 2},
    ]);
    let runs = [
        run("20240313T003000Z-aaaaaa", "rejects", 65, &misfits),
        run("20240312T003000Z-bbbbbb", "partial", 75, &json!([])),
    ];
    let page = page(folder.path(), &runs, "2024-03-15T12:00:00Z").await;
    let mut text = page.clone();
    for (name, what) in [("style", "the style"), ("script", "a script")] {
        for (_, content) in elements(&page, name) {
            text = text.replace(content, &format!("[{what}]"));
        }
    }
    let text = text.replace(&policy::policy(), "[the policy]");
    let text = text.replace(env!("CARGO_PKG_VERSION"), "[version]");
    insta::assert_snapshot!(text);
}

#[tokio::test]
async fn the_policy_allows_what_is_in_the_page_and_nothing_else() {
    let folder = tempfile::tempdir().expect("a folder");
    let runs = [
        run("20240313T003000Z-aaaaaa", "rejects", 65, &json!([])),
        run("20240312T003000Z-bbbbbb", "partial", 75, &json!([])),
    ];
    let page = page(folder.path(), &runs, "2024-03-15T12:00:00Z").await;
    let policy = page.split_once("http-equiv=\"Content-Security-Policy\" content=\"");
    let policy = policy.and_then(|(_, rest)| rest.split_once('"'));
    let policy = policy.expect("a policy").0.replace("&#39;", "'");
    assert!(policy.starts_with("default-src 'none'; "), "{policy}");
    assert!(!policy.contains("unsafe"), "{policy}");
    let mut hashes = 0;
    let scripts = elements(&page, "script").into_iter();
    let run = scripts.filter(|(tag, _)| !tag.contains("application/json"));
    for (_, content) in run.chain(elements(&page, "style")) {
        let hash = base64(&Sha256::digest(content.as_bytes()));
        assert!(policy.contains(&format!("'sha256-{hash}'")), "{policy}");
        hashes += 1;
    }
    assert_eq!((hashes, policy.matches("sha256-").count()), (3, 3));
    // Neither attributes with scripts or styles, nor anything to fetch.
    let shown = page.split_once("<script").expect("it has scripts").0;
    let shown = shown.split_once("</style>").expect("it has a style").1;
    for word in [" style=", " onload", " onclick", " src=", "http:", "https:"] {
        assert!(!shown.contains(word), "{word}");
    }
}

#[tokio::test]
async fn a_hostile_key_is_masked_and_text_is_escaped() {
    let folder = tempfile::tempdir().expect("a folder");
    let hostile = [
        "<script>alert(1)</script>",
        "</script><img src=x onerror=alert(1)>",
        "a\u{202e}b",
        "+6281234567890",
        "Budi Santoso",
        "k6281234567890",
    ];
    let misfit =
        |key: &&str| json!({"table": "calls", "key": key, "kind": "unknown_key", "count": 5});
    let mut misfits: Vec<_> = hostile.iter().map(misfit).collect();
    misfits.push(json!({"table": hostile[0], "key": "Plain", "kind": hostile[1], "count": 1}));
    let mut second = run("20240312T003000Z-bbbbbb", hostile[0], 75, &json!(misfits));
    second.past.command = hostile[1].to_owned();
    second.past.started_at = Some(time("2024-03-12T00:30:00Z"));
    let endpoint = second
        .requests
        .by_endpoint
        .remove("task_detail")
        .expect("there");
    second
        .requests
        .by_endpoint
        .insert(hostile[0].to_owned(), endpoint);
    let runs = [
        run("20240313T003000Z-aaaaaa", "done", 0, &json!(misfits)),
        second,
    ];
    let page = page(folder.path(), &runs, "2024-03-15T12:00:00Z").await;
    for text in hostile {
        assert!(!page.contains(text), "{text}");
    }
    for text in ["6281234567890", "Budi", "alert(1)", "\u{202e}"] {
        assert!(!page.contains(text), "{text}");
    }
    // All of them together, in one line.
    assert!(page.contains("(keys that look like data)"));
    assert!(page.contains(">60</td>"), "6 keys, 5 values, 2 runs");
    assert!(page.contains("Plain"));
    let figures = elements(&page, "script");
    let (_, figures) = figures.first().expect("figures");
    let figures: serde_json::Value = serde_json::from_str(figures).expect("JSON");
    assert!(figures.as_array().is_some_and(|charts| charts.len() == 5));
}

#[tokio::test]
async fn a_place_without_a_lake_has_a_page() {
    let folder = tempfile::tempdir().expect("a folder");
    let dest = crate::job::Destination::Local(folder.path().to_owned());
    let lake = Lake::open(&dest).await.expect("empty");
    let now = time("2024-03-15T12:00:00Z");
    let options = StatusOptions {
        now,
        not_before: None,
    };
    let status = StatusReport::new(&lake, Vec::new(), None, options);
    let page = html_report(&HtmlInput {
        lake: &lake,
        status: &status,
        runs: &[],
        dest: "./it's <a> lake",
        flag: "--dest ./lake",
        now,
        most_days: 92,
    });
    assert!(page.contains("No day yet.") && page.contains("No run has left a report."));
    assert!(!page.contains("<script"), "there is nothing to draw");
    assert!(
        page.contains("it&#39;s &#60;a&#62; lake"),
        "{}",
        &page[..4_000]
    );
}
