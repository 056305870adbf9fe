//! Each fault as a client sees it, and that it passes.

use std::collections::BTreeSet;

use reqwest::header::RETRY_AFTER;
use rstest::rstest;
use serde_json::Value;

use super::super::{Faults, FaultsError, SandboxOptions};
use super::{Account, ids, options};

/// The outcome of a detail request.
async fn outcome(account: &Account, task: &str) -> String {
    let Ok(answer) = account.signed(account.detail_request(task)).send().await else {
        return "no answer".to_owned();
    };
    let status = answer.status().as_u16();
    let wait = if answer.headers().contains_key(RETRY_AFTER) {
        " wait"
    } else {
        ""
    };
    let length = answer.content_length();
    match answer.bytes().await {
        Err(_) => format!("{status} broken"),
        Ok(body) => match serde_json::from_slice::<Value>(&body) {
            Ok(json) if json["code"] == 200 && json["data"].is_null() => "null".to_owned(),
            Ok(json) => format!("{status} {}{wait}", json["code"]),
            Err(_) if body.starts_with(b"<html>") => format!("{status} html"),
            Err(_) if length.is_none() => format!("{status} cut chunked"),
            Err(_) => format!("{status} cut"),
        },
    }
}

#[rstest]
#[case::http_500("http_500", &["500 500"])]
#[case::http_502("http_502", &["502 html"])]
#[case::http_503("http_503", &["503 html"])]
#[case::http_504("http_504", &["504 html"])]
#[case::rate_limited("rate_limited", &["429 429"])]
#[case::retry_after("rate_limited_retry_after", &["429 429 wait"])]
#[case::reset("reset", &["no answer", "200 broken"])]
#[case::truncated("truncated", &["200 broken"])]
#[case::truncated_complete("truncated_complete", &["200 cut chunked"])]
#[case::slow_body("slow_body", &["200 200"])]
#[case::html("html", &["200 html"])]
#[case::data_null("data_null", &["null"])]
#[case::body_code_500("body_code_500", &["200 500"])]
#[case::slow_down_code("slow_down_code", &["200 10705"])]
#[case::vanished_task("vanished_task", &["200 404"])]
#[tokio::test]
async fn each_fault_shows_and_passes(#[case] fault: FaultText, #[case] expected: &[&str]) {
    let faults = fault.0;
    let account = Account::of(SandboxOptions {
        faults,
        ..options()
    })
    .await;
    let task = account.finished().task_id;
    let mut seen = BTreeSet::new();
    for _ in 0..3 {
        for _ in 0..3 {
            seen.insert(outcome(&account, &task).await);
        }
        assert_eq!(
            outcome(&account, &task).await,
            "200 200",
            "the fourth try is spared"
        );
    }
    for found in &seen {
        assert!(expected.contains(&found.as_str()), "{found}");
    }
    assert!(account.sandbox.stats().total_faults() >= 9);
}

/// One fault by name, in every request that it can affect.
struct FaultText(Faults);

impl std::str::FromStr for FaultText {
    type Err = FaultsError;
    fn from_str(text: &str) -> Result<Self, FaultsError> {
        format!("{text}:1").parse().map(Self)
    }
}

#[tokio::test]
async fn an_expired_token_is_refused_for_everybody_until_renewed() {
    let faults = "expired_token:1".parse().expect("valid");
    let mut account = Account::of(SandboxOptions {
        faults,
        ..options()
    })
    .await;
    let task = account.finished().task_id;
    assert_eq!(outcome(&account, &task).await, "401 401");
    let old = account.token.clone();
    account.token = account.sign_in().await;
    assert_ne!(account.token, old);
    assert_eq!(outcome(&account, &task).await, "200 200");
    account.token = old;
    assert_eq!(account.workflows("").await["code"], 401);
}

#[tokio::test]
async fn pages_shift_and_repeat_when_told_to() {
    let faults = |text: &str| SandboxOptions {
        faults: format!("{text}:1").parse().expect("valid"),
        tasks_per_day: 12,
        ..options()
    };
    let pages = async |account: &Account| {
        let first = account.workflows("page=1&page_size=3").await;
        let second = account.workflows("page=2&page_size=3").await;
        (first, second)
    };
    let plain = Account::of(options()).await;
    let (first, second) = pages(&plain).await;
    let shifted = Account::of(faults("shifted_pages")).await;
    let (_, moved) = pages(&shifted).await;
    let expected = [
        &ids(&first, "workflow_id")[2..],
        &ids(&second, "workflow_id")[..2],
    ]
    .concat();
    assert_eq!(ids(&moved, "workflow_id"), expected);
    assert_eq!(
        moved["data"]["total"].as_u64(),
        second["data"]["total"].as_u64().map(|n| n + 1)
    );
    let repeated = Account::of(faults("repeated_page")).await;
    let (one, two) = pages(&repeated).await;
    assert_eq!(one, first);
    assert_eq!(two, first);
}

#[tokio::test]
async fn with_all_faults_at_once_everything_is_had_in_the_end() {
    let options = SandboxOptions {
        faults: Faults::all(0.5),
        tasks_per_day: 4,
        ..options()
    };
    let mut account = Account::of(options).await;
    for task in account.sandbox.tasks() {
        let mut tries = 0;
        while outcome(&account, &task.task_id).await != "200 200" {
            account.token = account.sign_in().await;
            tries += 1;
            assert!(tries < 12, "{} never answered", task.task_id);
        }
    }
    let stats = account.sandbox.stats();
    assert!(stats.faults.len() > 8, "{:?}", stats.faults);
    assert_eq!(stats.details_complete.len(), 28);
}
