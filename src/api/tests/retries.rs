//! Which outcomes are retried, and which are not.

use super::*;

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
async fn an_unreachable_api_is_an_outage() {
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
    type Error = io::Error;
    async fn begin(&mut self, attempt: Attempt) -> Result<(), AnswerFault<io::Error>> {
        self.0.begin(attempt).await
    }
    async fn chunk(&mut self, bytes: Bytes) -> Result<(), AnswerFault<io::Error>> {
        self.1.cancel();
        self.0.chunk(bytes).await
    }
    async fn finish(&mut self) -> Result<Verdict<Value>, AnswerFault<io::Error>> {
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

struct Slow(Whole, Duration);

impl AnswerSink for Slow {
    type Output = Value;
    type Error = io::Error;

    async fn begin(&mut self, attempt: Attempt) -> Result<(), AnswerFault<io::Error>> {
        self.0.begin(attempt).await
    }

    async fn chunk(&mut self, bytes: Bytes) -> Result<(), AnswerFault<io::Error>> {
        tokio::time::sleep(self.1).await;
        self.0.chunk(bytes).await
    }

    async fn finish(&mut self) -> Result<Verdict<Value>, AnswerFault<io::Error>> {
        self.0.finish().await
    }

    async fn abandon(&mut self) {
        self.0.abandon().await;
    }
}

#[tokio::test]
async fn back_pressure_is_no_read_timeout() {
    let server = server_that(|_| None).await;
    let mut options = options(&server.base);
    options.read_timeout = Duration::from_millis(100);
    let client = client_with(options, Events::default());
    let mut sink = Slow(Whole::default(), Duration::from_millis(300));
    client
        .task_detail(&task(), &mut sink)
        .await
        .expect("an answer");
    assert_eq!(sink.0.attempts.len(), 1);
}

#[test]
fn calls_may_be_spawned() {
    fn is_send<T: Send>(_: T) {}
    let client = client_with(options("http://127.0.0.1:1"), Events::default());
    is_send(client.sign_in());
    is_send(client.list_tasks(&workflow()));
    is_send(client.task_detail(&task(), &mut Whole::default()));
}
