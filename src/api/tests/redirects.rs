//! Redirects: the token is not sent to another address.

use super::*;

#[rstest]
#[tokio::test]
async fn a_redirect_is_not_followed_and_carries_no_token(
    #[values(301, 302, 303, 307, 308)] status: u16,
) {
    let elsewhere = Server::start(|_, _| fine()).await;
    let location = format!("location: {}/path?q=MARKED-QUERY", elsewhere.base);
    let server =
        Server::with_auth(move |_, _| Reply::Full(status, vec![location.clone()], Vec::new()))
            .await;
    let (client, _) = client(&server);
    let error = detail(&client).await.expect_err("a redirect");
    assert!(elsewhere.seen().is_empty());
    assert_eq!(server.count("taskdetail"), 6);
    let text = error.to_string();
    assert!(
        text.contains(&elsewhere.base) && text.contains("`base_url`"),
        "{text}"
    );
    assert!(!text.contains("MARKED"), "{text}");
    // The API issued a token, so its address is right and the redirect is an outage.
    assert!(matches!(error, DetailError::Failed { .. }), "{error:?}");
}

#[tokio::test]
async fn one_redirect_between_good_answers_is_asked_again() {
    let redirect = || Reply::Full(302, vec!["location: https://status.x/".to_owned()], vec![]);
    let server = server_that(move |n| (n == 0).then(redirect)).await;
    let (client, log) = client(&server);
    detail(&client).await.expect("an answer");
    assert_eq!(log.outcomes(), ["http_302", "ok"]);
}

#[rstest]
#[case(301, crate::exit_code::ExitCode::Settings)]
#[case(308, crate::exit_code::ExitCode::Settings)]
#[case(302, crate::exit_code::ExitCode::ApiUnavailable)]
#[case(307, crate::exit_code::ExitCode::ApiUnavailable)]
#[tokio::test]
async fn only_an_address_that_has_moved_for_good_and_never_answered_is_a_wrong_setting(
    #[case] status: u16,
    #[case] code: crate::exit_code::ExitCode,
) {
    let location = || vec!["location: https://elsewhere.example/MARKED".to_owned()];
    let server = Server::start(move |_, _| Reply::Full(status, location(), Vec::new())).await;
    let (client, _) = client(&server);
    let error = client.sign_in().await.expect_err("a redirect");
    assert_eq!(error.exit_code(), code);
    let text = error.to_string();
    assert!(
        text.contains("https://elsewhere.example") && text.contains("`base_url`"),
        "{text}"
    );
    assert!(!text.contains("MARKED"), "{text}");
    assert_eq!(server.seen().len(), 6);
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
