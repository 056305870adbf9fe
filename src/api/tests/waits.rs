//! Reports of long waits, and the vendor's clock.

use super::*;

#[tokio::test]
async fn a_clock_that_is_far_off_is_said_once_with_its_direction() {
    let server = Server::start(|seen, _| {
        let body = if seen.path.ends_with("auth") {
            json!({"data": {"token": "T1"}, "code": 200})
        } else {
            json!({"data": {"TaskID": "t1"}, "code": 200})
        };
        let date = Clock::system().now() - TimeDelta::hours(30);
        let date = format!("date: {}", date.format("%a, %d %b %Y %H:%M:%S GMT"));
        Reply::Full(200, vec![date], body.to_string().into_bytes())
    })
    .await;
    let (log, events) = Log::events();
    // The run's time is independent of the machine's clock.
    let clock = Clock::starting_at("2024-03-18T00:30:00Z".parse().expect("valid"));
    let client = ApiClient::new(
        options(&server.base),
        clock,
        events,
        CancellationToken::new(),
    )
    .expect("valid");
    assert!(client.vendor_now().is_none());
    for _ in 0..3 {
        detail(&client).await.expect("an answer");
    }
    let warnings: Vec<_> = log
        .all()
        .into_iter()
        .filter_map(|event| match event {
            Event::Warning { text } => Some(text),
            _ => None,
        })
        .collect();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(
        warnings[0].contains("the clock of this machine is 1 d 6 h ahead of the API's")
            || warnings[0].contains("the clock of this machine is 1 d 5 h ahead of the API's"),
        "{warnings:?}"
    );
    let behind = Clock::system().now() - client.vendor_now().expect("known");
    assert!((behind - TimeDelta::hours(30)).abs() < TimeDelta::seconds(3));
}

#[tokio::test]
async fn a_page_of_a_gateway_says_nothing_of_the_vendors_clock() {
    let server = Server::with_auth(|_, _| {
        let date = "date: Mon, 11 Mar 2024 08:00:00 GMT".to_owned();
        Reply::Full(502, vec![date], b"<html>".to_vec())
    })
    .await;
    let (client, _) = client(&server);
    detail(&client).await.expect_err("a page");
    assert_eq!(client.vendor_clock(), None);
}
