//! The sandbox from the client's side: over a socket, with the export's HTTP client.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chrono::{DateTime, Days, TimeDelta, Utc};
use futures_util::{StreamExt, future};
use reqwest::header::{AUTHORIZATION, RETRY_AFTER};
use reqwest::{Client, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};

use super::*;

mod faults;
mod quirks;

const NOON: &str = "2024-03-18T12:00:00Z";

fn options() -> SandboxOptions {
    SandboxOptions {
        tasks_per_day: 12,
        calls_per_task: 10,
        ..SandboxOptions::week_before(clock(NOON))
    }
}

fn clock(time: &str) -> Clock {
    Clock::starting_at(time.parse().expect("a time"))
}

/// A signed-in client of one sandbox.
struct Account {
    http: Client,
    sandbox: Sandbox,
    token: String,
}

impl Account {
    async fn of(options: SandboxOptions) -> Self {
        // The client needs a TLS provider even for plain connections; another test may have
        // installed one.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let sandbox = Sandbox::start(options).await.expect("a free port");
        let http = Client::builder().build().expect("a client");
        let mut account = Self {
            http,
            sandbox,
            token: String::new(),
        };
        account.token = account.sign_in().await;
        account
    }

    fn url(&self, path: &str) -> Url {
        self.sandbox.url().join(path).expect("a path")
    }

    async fn sign_in(&self) -> String {
        for _ in 0..10 {
            let key = json!({"APPKey": SANDBOX_KEY, "APPSecret": SANDBOX_SECRET});
            let Ok(answer) = self
                .http
                .post(self.url("service/cloud/auth"))
                .json(&key)
                .send()
                .await
            else {
                continue;
            };
            let Ok(answer) = answer.json::<Value>().await else {
                continue;
            };
            if let Some(token) = answer["data"]["token"].as_str() {
                return token.to_owned();
            }
        }
        String::new()
    }

    fn signed(&self, request: RequestBuilder) -> RequestBuilder {
        request.header(AUTHORIZATION, format!("Token {}", self.token))
    }

    async fn send(&self, request: RequestBuilder) -> Response {
        self.signed(request).send().await.expect("an answer")
    }

    async fn detail(&self, task: &str) -> Value {
        self.send(self.detail_request(task))
            .await
            .json()
            .await
            .expect("JSON")
    }

    fn detail_request(&self, task: &str) -> RequestBuilder {
        let url = self.url("service/cloud/workflow/taskdetail");
        self.http.post(url).json(&json!({"task_id": task}))
    }

    async fn task_list(&self, workflow: &str, page: usize, size: usize) -> Value {
        let url = self.url("service/cloud/workflow/tasklist");
        let body = json!({"workflow_id": workflow, "page": page, "page_size": size});
        self.send(self.http.post(url).json(&body))
            .await
            .json()
            .await
            .expect("JSON")
    }

    async fn workflows(&self, query: &str) -> Value {
        let url = self.url(&format!("service/cloud/workflow/list?{query}"));
        self.send(self.http.get(url))
            .await
            .json()
            .await
            .expect("JSON")
    }

    async fn all_workflows(&self) -> Vec<String> {
        let answer = self.workflows("page_size=1000").await;
        ids(&answer, "workflow_id")
    }

    fn finished(&self) -> SandboxTask {
        let mut tasks = self.sandbox.tasks().into_iter();
        tasks
            .find(|task| task.status.as_deref() == Some("finished"))
            .expect("some")
    }
}

fn ids(answer: &Value, key: &str) -> Vec<String> {
    let items = answer["data"]["list"].as_array().expect("a list");
    items
        .iter()
        .map(|item| item[key].as_str().expect("an id").to_owned())
        .collect()
}

/// Whether a test of this text has a fault of this name, alone or among others.
fn has_fault(tests: &str, name: &str) -> bool {
    tests.match_indices(name).any(|(at, _)| {
        let (before, rest) = (&tests[..at], &tests[at + name.len()..]);
        let mut rest = rest.chars();
        let ends = match rest.next() {
            Some(':') => rest.next().is_some_and(|next| next.is_ascii_digit()),
            next => next.is_some_and(|next| matches!(next, '"' | ',' | '=')),
        };
        before.ends_with(['"', ',']) && ends
    })
}

#[test]
fn every_kind_of_fault_has_a_test_that_shows_it() {
    let tests = concat!(include_str!("faults.rs"), include_str!("quirks.rs"));
    let missing: Vec<&str> = FaultKind::ALL
        .iter()
        .map(|kind| kind.name())
        .filter(|name| !has_fault(tests, name))
        .collect();
    assert!(
        missing.is_empty(),
        "no case in src/sandbox/tests/ shows {missing:?}"
    );
}

#[tokio::test]
async fn the_listings_lead_to_every_task_and_to_the_truth() {
    let account = Account::of(options()).await;
    let mut listed = BTreeMap::new();
    for workflow in account.all_workflows().await {
        let answer = account.task_list(&workflow, 1, 100).await;
        assert_eq!(answer["code"], 200);
        for item in answer["data"]["list"].as_array().expect("a list") {
            let id = item["task_id"].as_str().expect("an id").to_owned();
            listed.insert(id, (workflow.clone(), item.clone()));
        }
    }
    let truth: Vec<SandboxTask> = account
        .http
        .get(account.url("_sandbox/tasks"))
        .send()
        .await
        .expect("an answer")
        .json()
        .await
        .expect("JSON");
    assert_eq!(truth, account.sandbox.tasks());
    assert_eq!(truth.len(), 7 * 12);
    assert_eq!(listed.len(), truth.len());
    for task in truth {
        let (workflow, item) = &listed[&task.task_id];
        assert_eq!(*workflow, task.workflow_id);
        assert_eq!(item["status"].as_str(), task.status.as_deref());
        let start: DateTime<Utc> = item["schedule_start_time"]
            .as_str()
            .expect("text")
            .parse()
            .expect("a time");
        assert_eq!(start, task.schedule_start_time);
        let detail = account.detail(&task.task_id).await;
        let calls = detail["data"]["detail"].as_array().expect("calls");
        let sum = |key: &str| -> usize {
            calls
                .iter()
                .map(|call| call[key].as_array().map_or(0, Vec::len))
                .sum()
        };
        let found = (
            calls.len() as u64,
            sum("RedailCall") as u64,
            sum("AsrResult") as u64,
        );
        assert_eq!(found, (task.calls, task.redials, task.turns));
        assert_eq!(detail["data"]["Status"].as_str(), task.status.as_deref());
        let workflow = [
            &detail["data"]["workflow_id"],
            &detail["data"]["wokflow_id"],
        ];
        assert!(workflow.contains(&&Value::String(task.workflow_id)));
    }
    account.sandbox.stop().await;
}

#[tokio::test]
async fn pages_add_up_to_the_total() {
    let account = Account::of(SandboxOptions {
        page_size_max: 4,
        ..options()
    })
    .await;
    let mut seen = BTreeSet::new();
    let mut page = 1;
    loop {
        let answer = account
            .workflows(&format!("page={page}&page_size=100"))
            .await;
        let found = ids(&answer, "workflow_id");
        assert!(found.len() <= 4);
        if found.is_empty() {
            assert_eq!(answer["data"]["total"], seen.len());
            break;
        }
        assert!(found.into_iter().all(|id| seen.insert(id)), "an item twice");
        page += 1;
    }
    assert!(seen.len() >= 7);
}

#[tokio::test]
async fn workflows_are_listed_by_their_time_with_the_end_left_out() {
    let account = Account::of(options()).await;
    let all = account.workflows("page_size=100").await;
    let times: Vec<&str> = all["data"]["list"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|item| item["create_time"].as_str().expect("text"))
        .collect();
    let (newest, second) = (times[0], times[1]);
    let window = |query: String| {
        let account = &account;
        async move { ids(&account.workflows(&query).await, "workflow_id").len() }
    };
    assert_eq!(window(format!("start_time={newest}")).await, 1);
    assert_eq!(
        window(format!("start_time={second}&end_time={newest}")).await,
        1
    );
    assert_eq!(window(format!("end_time={newest}")).await, times.len() - 1);
    assert_eq!(account.workflows("start_time=yesterday").await["code"], 400);
    assert_eq!(account.workflows("page=0").await["code"], 400);
}

#[tokio::test]
async fn tasks_move_on_with_the_clock_until_they_are_final() {
    let account = Account::of(options()).await;
    let task = account.finished();
    let start = task.schedule_start_time;
    let mut calls = 0;
    let length = task.schedule_end_time - start;
    for (time, status) in [
        (start - TimeDelta::seconds(5), "pending"),
        (start + TimeDelta::minutes(1), "calling"),
        (start + length / 2, "calling"),
        (start + length, "finished"),
        (start + length + TimeDelta::days(3), "finished"),
    ] {
        account.sandbox.set_clock(Clock::starting_at(time));
        let token = account.sign_in().await;
        let request = account.detail_request(&task.task_id);
        let request = request.header(AUTHORIZATION, format!("Token {token}"));
        let detail: Value = request
            .send()
            .await
            .expect("sent")
            .json()
            .await
            .expect("JSON");
        // A task that was paused for a while is cancelled later than planned.
        assert_eq!(detail["data"]["Status"], status, "at {time}");
        let now = detail["data"]["detail"].as_array().expect("calls").len();
        assert!(now >= calls);
        calls = now;
    }
    assert_eq!(calls as u64, task.calls);
    account
        .sandbox
        .set_clock(Clock::starting_at(start - TimeDelta::days(30)));
    assert!(
        account
            .sandbox
            .tasks()
            .iter()
            .all(|task| task.status.is_none())
    );
}

#[tokio::test]
async fn a_final_task_has_the_same_bytes_whatever_was_asked_before() {
    let first = Account::of(options()).await;
    let task = first.finished().task_id;
    let text = first
        .send(first.detail_request(&task))
        .await
        .text()
        .await
        .expect("text");
    let second = Account::of(SandboxOptions {
        clock: clock("2024-04-01T00:00:00Z"),
        ..options()
    });
    let second = second.await;
    for other in second.sandbox.tasks().iter().take(5) {
        second.detail(&other.task_id).await;
    }
    assert_eq!(
        second
            .send(second.detail_request(&task))
            .await
            .text()
            .await
            .expect("text"),
        text
    );
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_with_a_reason() {
    let account = Account::of(options()).await;
    let post = |path: &str| account.http.post(account.url(path));
    let code = async |request: RequestBuilder| {
        let answer = account.send(request).await;
        let status = answer.status().as_u16();
        let body: Value = answer.json().await.expect("JSON");
        assert_eq!(body["data"], Value::Null);
        let text = body["message"].as_str().or(body["status"].as_str());
        assert!(text.is_some_and(|text| !text.is_empty() && text != "OK"));
        (status, body["code"].as_u64().expect("a code"))
    };
    let detail = "service/cloud/workflow/taskdetail";
    let json = |body: &'static str| {
        post(detail)
            .header("content-type", "application/json")
            .body(body)
    };
    assert_eq!(
        code(account.detail_request("0123456789abcdef")).await,
        (200, 404)
    );
    assert_eq!(code(json("{\"task_id\":")).await, (200, 400));
    assert_eq!(code(json("{}")).await, (200, 400));
    assert_eq!(
        code(post(detail).body("{\"task_id\":\"a\"}")).await,
        (200, 400)
    );
    assert_eq!(
        code(account.http.get(account.url(detail))).await,
        (405, 405)
    );
    assert_eq!(
        code(post("service/cloud/workflow/nothing")).await,
        (404, 404)
    );
    let list = post("service/cloud/workflow/tasklist").json(&json!({"workflow_id": "absent"}));
    assert_eq!(code(list).await, (200, 404));
    let auth = "service/cloud/auth";
    let stranger = json!({"APPKey": "who", "APPSecret": SANDBOX_SECRET});
    assert_eq!(code(post(auth).json(&stranger)).await, (200, 403));
    let wrong = json!({"APPKey": SANDBOX_KEY, "APPSecret": "guess"});
    assert_eq!(code(post(auth).json(&wrong)).await, (401, 401));
    assert_eq!(code(post(auth).json(&wrong)).await, (200, 401));
}

#[tokio::test]
async fn a_token_expires_and_is_refused_by_http_and_by_body() {
    let lifetime = Duration::from_hours(1);
    let account = Account::of(SandboxOptions {
        token_lifetime: lifetime,
        ..options()
    })
    .await;
    let task = account.finished().task_id;
    assert_eq!(account.detail(&task).await["code"], 200);
    assert_eq!(
        account.sign_in().await,
        account.token,
        "still valid, so the same"
    );
    account.sandbox.set_clock(clock("2024-03-18T13:00:01Z"));
    let mut statuses = Vec::new();
    for _ in 0..2 {
        let answer = account.send(account.detail_request(&task)).await;
        statuses.push(answer.status());
        assert_eq!(answer.json::<Value>().await.expect("JSON")["code"], 401);
    }
    assert_eq!(statuses, [StatusCode::UNAUTHORIZED, StatusCode::OK]);
    let token = account.sign_in().await;
    assert_ne!(token, account.token);
    let none = account
        .detail_request(&task)
        .send()
        .await
        .expect("an answer");
    assert_eq!(none.json::<Value>().await.expect("JSON")["code"], 401);
    let stats = account.sandbox.stats();
    assert_eq!((stats.tokens_issued, stats.unauthorized), (2, 3));
    assert_eq!(stats.details[&task], 4);
    assert_eq!(stats.details_complete[&task], 1);
}

#[tokio::test]
async fn requests_beyond_the_limit_are_refused_and_counted() {
    let limit = RateLimit {
        per_second: 0.001,
        burst: 2,
    };
    let account = Account::of(SandboxOptions {
        rate_limit: Some(limit),
        ..options()
    })
    .await;
    assert_eq!(
        account.workflows("").await["code"],
        200,
        "with signing in, that was two"
    );
    let mut seen = Vec::new();
    for _ in 0..4 {
        let url = account.url("service/cloud/workflow/list");
        let answer = account.send(account.http.get(url)).await;
        let after = answer
            .headers()
            .get(RETRY_AFTER)
            .map(|value| value.to_str().expect("text"));
        let form = match after {
            None => "none",
            Some(text) if text.parse::<u64>().is_ok() => "seconds",
            Some(text) => {
                assert!(DateTime::parse_from_rfc2822(text).is_ok(), "{text}");
                "date"
            }
        };
        let (status, form) = (answer.status().as_u16(), form.to_owned());
        let body: Value = answer.json().await.expect("JSON");
        seen.push((status, form, body["code"].as_u64().expect("a code")));
    }
    let row = |status, form: &str, code| (status, form.to_owned(), code);
    let expected = [
        row(429, "seconds", 429),
        row(429, "date", 429),
        row(429, "none", 429),
        row(200, "none", 10705),
    ];
    assert_eq!(seen, expected);
    let own = account
        .http
        .get(account.url("_sandbox/stats"))
        .send()
        .await
        .expect("an answer");
    let stats: SandboxStats = own.json().await.expect("JSON");
    assert_eq!(stats.rate_violations, 4);
    assert_eq!(stats.total_requests(), 6);
    assert_eq!(stats.requests[&Endpoint::ListWorkflows], 5);
    assert_eq!(stats, account.sandbox.stats());
}

#[tokio::test]
async fn the_most_requests_at_once_are_counted() {
    let latency = Duration::from_millis(100);
    let account = Account::of(SandboxOptions {
        latency,
        ..options()
    })
    .await;
    future::join_all((0..5).map(|_| account.workflows(""))).await;
    let stats = account.sandbox.stats();
    assert_eq!((stats.max_in_flight, stats.in_flight), (5, 0));
}

#[tokio::test]
async fn a_large_answer_arrives_in_pieces_and_whole() {
    let options = SandboxOptions {
        days: 1,
        tasks_per_day: 12,
        calls_per_task: 20_000,
        exact_calls: true,
        ..options()
    };
    let account = Account::of(options).await;
    let task = account.finished();
    let answer = account.send(account.detail_request(&task.task_id)).await;
    assert_eq!(answer.content_length(), None);
    let (mut bytes, mut rows) = (0, 0);
    let mut pieces = answer.bytes_stream();
    let mut rest = Vec::new();
    while let Some(piece) = pieces.next().await {
        let piece = piece.expect("a piece");
        bytes += piece.len();
        rest.extend_from_slice(&piece);
        rows += rest
            .windows(10)
            .filter(|window| window == b"\"RobotID\":")
            .count();
        rest.drain(..rest.len() - 9.min(rest.len()));
    }
    // The task itself also has a RobotID.
    assert_eq!(rows as u64, task.calls + 1);
    assert_eq!(task.calls, 20_000);
    assert!(bytes > 20_000 * 1900, "{bytes}");
    assert_eq!(account.sandbox.stats().details_complete[&task.task_id], 1);
}

#[tokio::test]
async fn compressed_answers_are_the_same() {
    let account = Account::of(SandboxOptions {
        gzip: true,
        ..options()
    })
    .await;
    let plain = Account::of(options()).await;
    let task = account.finished().task_id;
    let answer = account.send(account.detail_request(&task)).await;
    assert_eq!(
        answer.json::<Value>().await.expect("JSON"),
        plain.detail(&task).await
    );
}

#[tokio::test]
async fn the_default_is_the_week_that_ended_yesterday() {
    let clock = clock(NOON);
    let sandbox = Sandbox::start(SandboxOptions::week_before(clock.clone()))
        .await
        .expect("a port");
    let today = clock.now().date_naive();
    let days: BTreeSet<_> = sandbox
        .tasks()
        .iter()
        .map(|task| task.schedule_start_time.date_naive())
        .collect();
    let week: BTreeSet<_> = (1..=7)
        .map(|ago| today.checked_sub_days(Days::new(ago)).expect("in range"))
        .collect();
    assert_eq!(days, week);
}
