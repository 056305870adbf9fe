//! The token goes nowhere else.

use super::*;

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
    assert_eq!(error.exit_code(), crate::exit_code::ExitCode::Settings);
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
