//! Responses of gateways, proxies and captive portals: always an outage, never final.

use super::*;

#[rstest]
#[case(404)]
#[case(410)]
#[case(403)]
#[case(407)]
#[case(451)]
#[case(200)]
#[tokio::test]
async fn a_page_says_nothing_of_the_task(#[case] status: u16) {
    let server = Server::with_auth(move |_, _| web_page(status)).await;
    let (client, _) = client(&server);
    let error = detail(&client).await.expect_err("a page");
    assert!(!error.is_answered());
    if status == 200 {
        // The test sink reports every other body as "not JSON".
        assert!(matches!(error, DetailError::Rejected { .. }), "{error:?}");
    } else {
        assert!(matches!(error, DetailError::Failed { .. }), "{error:?}");
        assert!(error.to_string().contains("envelope"), "{error}");
    }
    assert_eq!(server.count("taskdetail"), 6);
}

#[rstest]
#[case(400)]
#[case(405)]
#[case(413)]
#[case(422)]
#[tokio::test]
async fn a_page_about_the_request_gets_three_tries(#[case] status: u16) {
    let server = Server::with_auth(move |_, _| web_page(status)).await;
    let (client, _) = client(&server);
    let error = detail(&client).await.expect_err("a page");
    assert!(matches!(error, DetailError::Failed { .. }), "{error:?}");
    assert_eq!(server.count("taskdetail"), 3);
}

#[rstest]
#[case(200)]
#[case(404)]
#[case(500)]
#[tokio::test]
async fn the_envelope_says_that_a_task_is_gone(#[case] status: u16) {
    let body = br#"{"code": 404, "status": "not found", "data": null}"#;
    let server = Server::with_auth(move |_, _| Reply::Full(status, vec![], body.to_vec())).await;
    let (client, _) = client(&server);
    let error = detail(&client).await.expect_err("gone");
    assert!(matches!(error, DetailError::NotFound { .. }), "{error:?}");
    assert!(error.is_answered());
}

#[tokio::test]
async fn an_unknown_code_with_404_does_not_say_that_a_task_is_gone() {
    let server =
        Server::with_auth(|_, _| Reply::Full(404, vec![], br#"{"code": 7001}"#.to_vec())).await;
    let (client, _) = client(&server);
    let error = detail(&client).await.expect_err("refused");
    assert!(matches!(error, DetailError::Failed { .. }), "{error:?}");
    assert!(error.to_string().contains("`not_found_codes`"), "{error}");
}

/// Requests this many tasks with this concurrency; returns the number of requests.
async fn storm(server: &Server, client: &ApiClient, tasks: usize, at_once: usize) -> usize {
    use futures_util::stream::{self, StreamExt as _};

    let before = server.count("taskdetail");
    stream::iter(0..tasks)
        .map(|_| async { detail(client).await.is_err() })
        .buffer_unordered(at_once)
        .collect::<Vec<_>>()
        .await;
    server.count("taskdetail") - before
}

#[tokio::test]
async fn after_twenty_failures_in_a_row_requests_get_a_single_try() {
    let down = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(true));
    let is_down = Arc::clone(&down);
    let server = Server::with_auth(move |_, _| {
        if is_down.load(Ordering::SeqCst) {
            web_page(502)
        } else {
            fine()
        }
    })
    .await;
    let (client, _) = client(&server);
    let requests = storm(&server, &client, 20, 16).await;
    assert!((60..=120).contains(&requests), "{requests}");
    assert!(client.is_down());
    assert_eq!(storm(&server, &client, 50, 16).await, 50);
    down.store(false, Ordering::SeqCst);
    detail(&client).await.expect("an answer");
    assert!(!client.is_down());
}

#[tokio::test]
async fn an_answer_of_the_api_between_pages_shows_that_it_is_there() {
    let server = Server::with_auth(|_, n| match n % 30 {
        29 => Reply::json(&json!({"code": 7})),
        _ => web_page(502),
    })
    .await;
    let (client, _) = client(&server);
    storm(&server, &client, 40, 1).await;
    assert!(!client.is_down());
}

#[tokio::test]
async fn stopping_ends_all_attempts() {
    let server = Server::with_auth(|_, _| web_page(502)).await;
    let mut options = options(&server.base);
    options.retry.base_backoff = Duration::from_hours(1);
    options.retry.max_backoff = Duration::from_hours(1);
    let client = client_with(options, Events::default());
    let giving_up = async {
        while server.count("taskdetail") < 3 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        client.stop_repeating();
    };
    let waiting = storm(&server, &client, 3, 3);
    let (requests, ()) = tokio::join!(waiting, giving_up);
    assert_eq!(requests, 3);
}
