//! 429 and `Retry-After`.

use super::*;

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
