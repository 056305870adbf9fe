//! The whole request path against a scripted server.

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use chrono::TimeDelta;
use rstest::rstest;
use serde_json::{Value, json};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::scripted::{Log, Reply, Seen, Server, options};
use super::*;
use crate::clock::Clock;
use crate::event::{Event, Events};
use crate::job::{ApiOptions, PagingStyle};
use crate::task::{TaskId, WorkflowId};

/// Keeps whole answers, and what it was told.
#[derive(Default)]
struct Whole {
    body: Vec<u8>,
    attempts: Vec<Attempt>,
    abandoned: usize,
    broken: bool,
}

impl AnswerSink for Whole {
    type Output = Value;

    async fn begin(&mut self, attempt: Attempt) -> Result<(), AnswerFault> {
        self.body.clear();
        self.attempts.push(attempt);
        Ok(())
    }

    async fn chunk(&mut self, bytes: Bytes) -> Result<(), AnswerFault> {
        if self.broken {
            return Err(AnswerFault::Fatal("disk full".into()));
        }
        self.body.extend_from_slice(&bytes);
        Ok(())
    }

    async fn finish(&mut self) -> Result<Verdict<Value>, AnswerFault> {
        let answer: Value =
            serde_json::from_slice(&self.body).map_err(|_| AnswerFault::NotJson {
                reason: "nonsense".to_owned(),
            })?;
        match answer["code"].as_i64() {
            Some(200) if answer["data"].is_null() => Err(AnswerFault::NoData),
            Some(200) => Ok(Verdict::Complete(answer["data"].clone())),
            code => Ok(Verdict::Refused {
                code: code.unwrap_or(-1),
            }),
        }
    }

    async fn abandon(&mut self) {
        self.abandoned += 1;
    }
}

fn client_with(options: ApiOptions, events: Events) -> ApiClient {
    ApiClient::new(options, Clock::system(), events, CancellationToken::new()).expect("valid")
}

fn client(server: &Server) -> (ApiClient, Arc<Log>) {
    let (log, events) = Log::events();
    (client_with(options(&server.base), events), log)
}

fn task() -> TaskId {
    TaskId::new("t1").expect("valid")
}

fn workflow() -> WorkflowId {
    WorkflowId::new("w1").expect("valid")
}

async fn detail(client: &ApiClient) -> Result<Value, DetailError> {
    client.task_detail(&task(), &mut Whole::default()).await
}

fn fine() -> Reply {
    Reply::data(&json!({"TaskID": "t1"}))
}

/// The first answers as given, then good ones.
async fn server_that(first: impl Fn(usize) -> Option<Reply> + Send + Sync + 'static) -> Server {
    Server::with_auth(move |_, n| first(n).unwrap_or_else(fine)).await
}

// Signing in

#[tokio::test]
async fn the_token_goes_out_as_the_vendor_wants_it() {
    let server = server_that(|_| None).await;
    let (client, _) = client(&server);
    assert_eq!(
        detail(&client).await.expect("an answer"),
        json!({"TaskID": "t1"})
    );
    let [auth, detail] = &server.seen()[..] else {
        panic!("two requests")
    };
    assert_eq!(
        auth.body,
        json!({"APPKey": "MARKED-KEY", "APPSecret": "MARKED-SECRET"})
    );
    assert_eq!(auth.token, None);
    assert_eq!(detail.path, "/service/cloud/workflow/taskdetail");
    assert_eq!(detail.token.as_deref(), Some("Token T1"));
    assert_eq!(detail.body, json!({"task_id": "t1"}));
}

#[rstest]
#[case::by_status(|| Reply::status(401))]
#[case::by_body_code(|| Reply::json(&json!({"data": null, "code": 401})))]
#[case::by_body_code_and_status(|| Reply::Full(400, vec![], br#"{"code":"401"}"#.to_vec()))]
#[tokio::test]
async fn an_expired_token_is_renewed_once_for_twenty_requests(#[case] expired: fn() -> Reply) {
    let server = Server::with_auth(move |seen, _| match seen.token.as_deref() {
        Some("Token T1") => expired(),
        Some("Token T2") => fine(),
        _ => Reply::status(500),
    })
    .await;
    let (client, _) = client(&server);
    let all = (0..20).map(|_| detail(&client));
    for answer in futures_util::future::join_all(all).await {
        answer.expect("an answer");
    }
    assert_eq!(server.count("auth"), 2);
}

#[rstest]
#[case(|| Reply::status(401))]
#[case(|| Reply::status(403))]
#[case(|| Reply::json(&json!({"data": null, "code": 403, "message": "MARKED"})))]
#[tokio::test]
async fn refused_credentials_end_the_run_after_one_request(#[case] refusal: fn() -> Reply) {
    let server = Server::start(move |_, _| refusal()).await;
    let (client, _) = client(&server);
    let all = futures_util::future::join_all((0..5).map(|_| detail(&client))).await;
    for answer in all {
        let Err(DetailError::Account(error)) = answer else {
            panic!("an error")
        };
        assert_eq!(error.exit_code(), crate::error::ExitCode::SignIn);
        assert!(error.to_string().contains("AIRUDDER_APP_SECRET"), "{error}");
    }
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn missing_credentials_are_named() {
    let mut options = options("http://127.0.0.1:1");
    options.credentials = None;
    let error = client_with(options, Events::default())
        .sign_in()
        .await
        .expect_err("missing");
    assert_eq!(error.exit_code(), crate::error::ExitCode::Settings);
    insta::assert_snapshot!(error, @"no credentials: set AIRUDDER_APP_KEY and AIRUDDER_APP_SECRET");
}

#[tokio::test]
async fn tokens_that_are_never_accepted_end_the_run() {
    let server = Server::with_auth(|_, _| Reply::status(401)).await;
    let (client, _) = client(&server);
    let error = detail(&client).await.expect_err("refused");
    let DetailError::Account(error) = error else {
        panic!("{error:?}")
    };
    assert_eq!(error.exit_code(), crate::error::ExitCode::SignIn);
    assert_eq!(server.count("auth"), 6);
}

#[tokio::test]
async fn one_task_that_is_always_refused_fails_alone() {
    let server = Server::with_auth(|seen, _| match seen.body["task_id"].as_str() {
        Some("t1") => fine(),
        _ => Reply::status(401),
    })
    .await;
    let (client, _) = client(&server);
    detail(&client).await.expect("an answer");
    let other = TaskId::new("t2").expect("valid");
    let error = client
        .task_detail(&other, &mut Whole::default())
        .await
        .expect_err("refused");
    assert!(matches!(error, DetailError::Failed { .. }), "{error:?}");
    detail(&client).await.expect("an answer");
}

#[tokio::test]
async fn signing_in_needs_no_second_place_in_flight() {
    let server = server_that(|n| (n == 0).then(|| Reply::status(401))).await;
    let mut options = options(&server.base);
    options.concurrency = std::num::NonZeroUsize::MIN;
    let client = client_with(options, Events::default());
    let all = futures_util::future::join_all((0..4).map(|_| detail(&client))).await;
    assert!(all.iter().all(Result::is_ok));
}

// Retries

#[rstest]
#[case("http_503", || Reply::status(503))]
#[case("code_500", || Reply::json(&json!({"code": 500})))]
#[case("http_429", || Reply::status(429))]
#[case("code_10705", || Reply::json(&json!({"code": 10705, "data": null})))]
#[case("code_10705", || Reply::Full(400, vec![], br#"{"code": 10705}"#.to_vec()))]
#[case("truncated", || Reply::CutOff(br#"{"data": {"TaskID"#.to_vec()))]
#[case("reset", || Reply::HangUp)]
#[case("not_json", || Reply::Full(200, vec![], b"<html>".to_vec()))]
#[case("no_data", || Reply::data(&Value::Null))]
#[case("http_404", || Reply::status(404))]
#[tokio::test]
async fn what_may_pass_is_asked_for_again(#[case] word: &str, #[case] fault: fn() -> Reply) {
    let server = server_that(move |n| (n < 2).then(fault)).await;
    let (client, log) = client(&server);
    let mut sink = Whole::default();
    client
        .task_detail(&task(), &mut sink)
        .await
        .expect("an answer");
    assert_eq!(log.outcomes(), [word, word, "ok"]);
    assert_eq!(sink.abandoned, if word == "truncated" { 2 } else { 0 });
}

#[tokio::test]
async fn a_gzip_body_is_unpacked_and_a_damaged_one_is_asked_for_again() {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packer
        .write_all(br#"{"data": {"TaskID": "t1"}, "code": 200}"#)
        .expect("in memory");
    let body = packer.finish().expect("in memory");
    let headers = || vec!["content-encoding: gzip".to_owned()];
    let server = Server::with_auth(move |_, n| {
        let end = if n == 0 { body.len() / 2 } else { body.len() };
        Reply::Full(200, headers(), body[..end].to_vec())
    })
    .await;
    let (client, log) = client(&server);
    detail(&client).await.expect("an answer");
    assert_eq!(log.outcomes(), ["truncated", "ok"]);
}

#[tokio::test]
async fn a_stalled_body_times_out() {
    let server = server_that(|n| (n == 0).then(|| Reply::Stall(b"{".to_vec()))).await;
    let mut options = options(&server.base);
    options.read_timeout = Duration::from_millis(50);
    let (log, events) = Log::events();
    detail(&client_with(options, events))
        .await
        .expect("an answer");
    assert_eq!(log.outcomes(), ["timeout", "ok"]);
}

#[tokio::test]
async fn an_answer_that_is_never_json_is_rejected_and_the_last_one_is_announced() {
    let server = Server::with_auth(|_, _| Reply::Full(200, vec![], b"<html>".to_vec())).await;
    let (client, _) = client(&server);
    let mut sink = Whole::default();
    let error = client
        .task_detail(&task(), &mut sink)
        .await
        .expect_err("rejected");
    assert!(matches!(error, DetailError::Rejected { .. }), "{error:?}");
    let last: Vec<bool> = sink
        .attempts
        .iter()
        .map(|attempt| attempt.is_last)
        .collect();
    assert_eq!(last, [false, false, false, false, false, true]);
    insta::assert_snapshot!(
        error,
        @"the answer for task t1 is rejected: an answer that is not JSON (nonsense), after 6 tries"
    );
}

#[tokio::test]
async fn a_task_that_vanished_gets_three_tries() {
    let server = Server::with_auth(|_, _| Reply::json(&json!({"code": 404}))).await;
    let (client, log) = client(&server);
    let error = detail(&client).await.expect_err("not there");
    assert!(matches!(error, DetailError::NotFound { .. }), "{error:?}");
    assert_eq!(log.outcomes().len(), 3);
}

#[tokio::test]
async fn a_refusal_is_not_asked_for_again() {
    let server = Server::with_auth(|_, _| Reply::json(&json!({"code": 7}))).await;
    let (client, log) = client(&server);
    let error = detail(&client).await.expect_err("refused");
    insta::assert_snapshot!(
        error,
        @"no useful answer for task t1: body code 7; if it means something else, add it to `success_codes`, `retry_codes`, `slow_down_codes`, `expired_codes` or `not_found_codes` in [api]"
    );
    assert_eq!(log.outcomes(), ["code_7"]);
}

#[tokio::test]
async fn a_destination_that_fails_is_not_asked_for_again() {
    let server = server_that(|_| None).await;
    let (client, _) = client(&server);
    let mut sink = Whole {
        broken: true,
        ..Whole::default()
    };
    let error = client
        .task_detail(&task(), &mut sink)
        .await
        .expect_err("disk full");
    assert!(
        matches!(error, DetailError::Destination { .. }),
        "{error:?}"
    );
    assert_eq!(server.count("taskdetail"), 1);
}

#[tokio::test]
async fn nobody_at_home_is_an_outage() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let base = format!("http://{}", port.local_addr().expect("bound"));
    drop(port);
    let error = client_with(options(&base), Events::default())
        .sign_in()
        .await
        .expect_err("none");
    let ApiError::Failed { failure, .. } = &error else {
        panic!("{error:?}")
    };
    assert!(failure.outcome.is_outage());
    insta::assert_snapshot!(
        error,
        @"no useful answer from `auth`: no connection, after 6 tries; check `base_url` and the network"
    );
}

/// Cancels the run at the first piece.
struct Cancels(Whole, CancellationToken);
impl AnswerSink for Cancels {
    type Output = Value;
    async fn begin(&mut self, attempt: Attempt) -> Result<(), AnswerFault> {
        self.0.begin(attempt).await
    }
    async fn chunk(&mut self, bytes: Bytes) -> Result<(), AnswerFault> {
        self.1.cancel();
        self.0.chunk(bytes).await
    }
    async fn finish(&mut self) -> Result<Verdict<Value>, AnswerFault> {
        self.0.finish().await
    }
    async fn abandon(&mut self) {
        self.0.abandon().await;
    }
}

#[tokio::test]
async fn cancelling_drops_what_is_in_flight() {
    let server = Server::with_auth(|_, _| Reply::Stall(b"{".to_vec())).await;
    let cancel = CancellationToken::new();
    let client = ApiClient::new(
        options(&server.base),
        Clock::system(),
        Events::default(),
        cancel.clone(),
    )
    .expect("valid");
    let mut sink = Cancels(Whole::default(), cancel);
    let error = client
        .task_detail(&task(), &mut sink)
        .await
        .expect_err("cancelled");
    assert!(matches!(error, DetailError::Cancelled), "{error:?}");
    assert_eq!(sink.0.abandoned, 1);
    assert!(matches!(
        client.sign_in().await,
        Ok(()) | Err(ApiError::Cancelled)
    ));
}

// Holds

#[rstest]
#[case::seconds(|| "retry-after: 1".to_owned())]
#[case::date(|| {
    let date = Clock::system().now() + TimeDelta::seconds(2);
    format!("retry-after: {}", date.format("%a, %d %b %Y %H:%M:%S GMT"))
})]
#[tokio::test]
async fn retry_after_holds_the_account(#[case] header: fn() -> String) {
    let server =
        server_that(move |n| (n == 0).then(|| Reply::Full(429, vec![header()], Vec::new()))).await;
    let (client, log) = client(&server);
    client.sign_in().await.expect("signed in");
    let start = Instant::now();
    detail(&client).await.expect("an answer");
    assert!(
        start.elapsed() >= Duration::from_millis(900),
        "{:?}",
        start.elapsed()
    );
    let events = log.all();
    assert!(
        events
            .iter()
            .any(|event| matches!(event, Event::Held { .. }))
    );
    let slowed =
        |event: &Event| matches!(event, Event::PaceChanged { per_second } if *per_second < 5001.0);
    assert!(events.iter().any(slowed));
}

#[rstest]
#[case("retry-after: Mon, 11 Mar 2024 08:00:00 GMT")]
#[case("retry-after: 0")]
#[tokio::test]
async fn retry_after_in_the_past_is_ignored(#[case] header: &'static str) {
    let server = server_that(move |n| {
        (n == 0).then(|| Reply::Full(429, vec![header.to_owned()], Vec::new()))
    })
    .await;
    let (client, _) = client(&server);
    let start = Instant::now();
    detail(&client).await.expect("an answer");
    assert!(
        start.elapsed() < Duration::from_millis(900),
        "{:?}",
        start.elapsed()
    );
}

#[tokio::test]
async fn a_retry_after_of_hours_ends_the_run_and_says_so() {
    let reply = || Reply::Full(429, vec!["retry-after: 86400".to_owned()], Vec::new());
    let server = Server::with_auth(move |_, _| reply()).await;
    let (client, _) = client(&server);
    let error = detail(&client).await.expect_err("too long");
    insta::assert_snapshot!(
        error,
        @"the API asked to wait 86400 s, more than `max_hold` allows (3600 s); run again later"
    );
}

// Redirects

#[tokio::test]
async fn a_redirect_is_not_followed_and_carries_no_token() {
    let elsewhere = Server::start(|_, _| fine()).await;
    let location = format!("location: {}/path?q=MARKED-QUERY", elsewhere.base);
    let server =
        Server::with_auth(move |_, _| Reply::Full(307, vec![location.clone()], Vec::new())).await;
    let (client, _) = client(&server);
    let error = detail(&client).await.expect_err("a redirect");
    assert!(elsewhere.seen().is_empty());
    assert_eq!(server.count("taskdetail"), 1);
    let text = error.to_string();
    assert!(
        text.contains(&elsewhere.base) && text.contains("`base_url`"),
        "{text}"
    );
    assert!(!text.contains("MARKED"), "{text}");
    let DetailError::Account(error) = error else {
        panic!("{error:?}")
    };
    assert_eq!(error.exit_code(), crate::error::ExitCode::Settings);
}

#[test]
fn plain_http_to_another_machine_is_refused() {
    let options = options("http://api.airudder.com");
    let client = ApiClient::new(
        options,
        Clock::system(),
        Events::default(),
        CancellationToken::new(),
    );
    assert!(matches!(client, Err(ApiError::Settings { .. })));
}

// Listings

fn ids(listing: &Listing<ListedTask>) -> String {
    listing
        .items
        .iter()
        .map(|task| task.id.as_str())
        .collect::<Vec<_>>()
        .join(" ")
}

/// A page of tasks: `"a b"`.
fn page(text: &str, total: Option<usize>) -> Reply {
    let list: Vec<Value> = text
        .split_whitespace()
        .map(|id| json!({"TaskID": id, "status": "finished"}))
        .collect();
    Reply::data(&json!({"list": list, "total": total}))
}

/// Pages `"a b|c d"`, one script for each pass; the last one is repeated.
async fn listing_server(passes: &'static [&'static str], total: Option<usize>) -> Server {
    let pass = AtomicUsize::new(0);
    Server::with_auth(move |seen, _| {
        let number = seen.body["page"].as_u64().expect("a page");
        let number = usize::try_from(number).expect("small");
        if number == 1 {
            pass.fetch_add(1, Ordering::SeqCst);
        }
        let now = (pass.load(Ordering::SeqCst) - 1).min(passes.len() - 1);
        page(
            passes[now].split('|').nth(number - 1).unwrap_or_default(),
            total,
        )
    })
    .await
}

#[rstest]
#[case::plain(&["a b|c"], None, "a b c", true)]
#[case::with_total(&["a b|c d"], Some(4), "a b c d", true)]
#[case::empty(&[""], Some(0), "", true)]
#[case::shifted(&["a b|b c|d", "x a|b c|d"], None, "a b c d x", true)]
#[case::repeated_once(&["a b|a b", "a b|c"], None, "a b c", true)]
#[case::short(&["a b|c"], Some(5), "a b c", false)]
#[tokio::test]
async fn listings_are_the_union_of_their_passes(
    #[case] passes: &'static [&'static str],
    #[case] total: Option<usize>,
    #[case] expected: &str,
    #[case] complete: bool,
) {
    let server = listing_server(passes, total).await;
    let (client, log) = client(&server);
    let listing = client.list_tasks(&workflow()).await.expect("a listing");
    assert_eq!(ids(&listing), expected);
    assert_eq!(listing.complete, complete);
    let warned = log
        .all()
        .iter()
        .any(|event| matches!(event, Event::Warning { .. }));
    assert_eq!(warned, !complete);
}

#[tokio::test]
async fn a_page_that_is_always_repeated_is_an_error() {
    let server = listing_server(&["a b|a b"], None).await;
    let (client, log) = client(&server);
    let error = client.list_tasks(&workflow()).await.expect_err("repeated");
    insta::assert_snapshot!(
        error,
        @"`list_tasks` repeated a page, 4 times in a row; check its page or cursor settings"
    );
    assert_eq!(log.outcomes().len(), 8);
}

#[tokio::test]
async fn the_page_cap_fails_loudly() {
    let server = Server::with_auth(|seen, _| {
        let n = seen.body["page"].as_u64().expect("a page");
        page(&format!("a{n} b{n}"), None)
    })
    .await;
    let mut options = options(&server.base);
    options.profile.list_tasks.paging.max_pages = std::num::NonZeroU32::new(3).expect("valid");
    let client = client_with(options, Events::default());
    let error = client.list_tasks(&workflow()).await.expect_err("too many");
    insta::assert_snapshot!(
        error,
        @"`list_tasks` has more than 3 pages; raise `max_pages` in [api.list_tasks], or `page_size`"
    );
}

#[tokio::test]
async fn workflows_are_asked_for_by_window_in_the_query() {
    let server = Server::with_auth(|_, _| {
        Reply::data(&json!({"list": [{"workflow_id": "w1"}], "total": 1}))
    })
    .await;
    let (client, _) = client(&server);
    let window = Window {
        from: "2024-03-11T00:00:00Z".parse().expect("valid"),
        to: "2024-03-12T00:00:00Z".parse().expect("valid"),
    };
    let listing = client.list_workflows(window).await.expect("a listing");
    assert_eq!(listing.items, [ListedWorkflow { id: workflow() }]);
    assert_eq!(
        server.seen()[1].query,
        "start_time=2024-03-11T00%3A00%3A00Z&end_time=2024-03-12T00%3A00%3A00Z&page=1&page_size=2"
    );
}

#[tokio::test]
async fn cursors_are_followed_to_the_end() {
    let server = Server::with_auth(|seen, _| {
        let (list, next) = match seen.body.get("after").and_then(Value::as_str) {
            None => (json!([{"task_id": "a"}]), json!("c1")),
            Some("c1") => (json!([]), json!("c2")),
            _ => (json!([{"task_id": "b"}, {"task_id": "c"}]), json!("")),
        };
        Reply::data(&json!({"list": list, "next": next}))
    })
    .await;
    let mut options = options(&server.base);
    options.profile.list_tasks.paging.style = PagingStyle::Cursor {
        param: "after".to_owned(),
        next: "/data/next".to_owned(),
    };
    let client = client_with(options, Events::default());
    assert_eq!(
        ids(&client.list_tasks(&workflow()).await.expect("a listing")),
        "a b c"
    );
    assert_eq!(server.count("tasklist"), 3);
    assert_eq!(server.seen()[1].body.get("page"), None);
}

#[rstest]
#[case(json!({"rows": []}), "`items` in [api.list_tasks]")]
#[case(json!({"list": [{"name": "MARKED"}]}), "`id_keys` in [api.list_tasks]")]
#[tokio::test]
async fn a_profile_that_does_not_fit_names_its_setting(#[case] data: Value, #[case] setting: &str) {
    let server = Server::with_auth(move |_, _| Reply::data(&data)).await;
    let (client, _) = client(&server);
    let error = client
        .list_tasks(&workflow())
        .await
        .expect_err("does not fit");
    assert_eq!(error.exit_code(), crate::error::ExitCode::Settings);
    let text = error.to_string();
    assert!(text.contains(setting) && !text.contains("MARKED"), "{text}");
}

#[tokio::test]
async fn a_path_that_is_not_there_names_its_setting() {
    let server = Server::with_auth(|_, _| Reply::status(404)).await;
    let (client, _) = client(&server);
    let error = client.list_tasks(&workflow()).await.expect_err("not there");
    insta::assert_snapshot!(
        error,
        @"no useful answer from `list_tasks`: HTTP status 404; check `path` in [api.list_tasks]"
    );
}

// Secrets

#[rstest]
#[case(|_: &Seen| Reply::status(500))]
#[case(|_: &Seen| Reply::Full(400, vec![], br#"{"code":9,"message":"MARKED"}"#.to_vec()))]
#[case(|_: &Seen| Reply::Full(200, vec![], b"<p>MARKED</p>".to_vec()))]
#[case(|_: &Seen| Reply::CutOff(br#"{"data":{"MARKED"#.to_vec()))]
#[case(|_: &Seen| Reply::HangUp)]
#[case(|_: &Seen| Reply::Full(302, vec!["location: https://x.y/MARKED?a=MARKED".to_owned()], vec![]))]
#[case(|_: &Seen| Reply::json(&json!({"code": 12, "message": "MARKED", "data": "MARKED"})))]
#[case(|_: &Seen| Reply::json(&json!({"code": 401, "status": "MARKED"})))]
#[case(|_: &Seen| Reply::data(&json!({"list": [{"MARKED": "MARKED"}]})))]
#[case(|_: &Seen| Reply::data(&json!({"token": "MARKED\nTOKEN"})))]
#[tokio::test]
async fn no_error_and_no_event_holds_anything_secret(
    #[case] reply: fn(&Seen) -> Reply,
    #[values(false, true)] auth_too: bool,
) {
    let server = Server::start(move |seen, _| {
        if seen.path.ends_with("auth") && !auth_too {
            Reply::data(&json!({"token": "MARKED-TOKEN"}))
        } else {
            reply(seen)
        }
    })
    .await;
    let (client, log) = client(&server);
    let mut texts = vec![format!("{client:?}")];
    let mut chain = |error: &(dyn std::error::Error + 'static)| {
        let mut error = Some(error);
        while let Some(this) = error {
            texts.push(format!("{this} {this:?} {this:#?}"));
            error = this.source();
        }
    };
    if let Err(error) = client.list_tasks(&workflow()).await {
        chain(&error);
    }
    if let Err(error) = client.task_detail(&task(), &mut Whole::default()).await {
        chain(&error);
    }
    texts.push(format!("{:?}", log.all()));
    assert!(texts.len() >= 3);
    for text in texts {
        assert!(!text.contains("MARKED"), "{text}");
    }
}
