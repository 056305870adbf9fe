//! One token for all requests, renewed once; a rejected sign-in ends the run.

use super::*;

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
#[case(|| Reply::Full(401, vec![], br#"{"message": "MARKED"}"#.to_vec()))]
#[case(|| Reply::Full(403, vec![], br#"{"code": 403, "message": "MARKED"}"#.to_vec()))]
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
        assert_eq!(error.exit_code(), crate::exit_code::ExitCode::SignIn);
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
    assert_eq!(error.exit_code(), crate::exit_code::ExitCode::Settings);
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
    assert_eq!(error.exit_code(), crate::exit_code::ExitCode::SignIn);
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

#[rstest]
#[case::proxy(|| Reply::Full(407, vec!["proxy-authenticate: Basic".to_owned()], vec![]), "HTTPS_PROXY")]
#[case::proxy_in_json(|| Reply::Full(407, vec![], br#"{"code": 403}"#.to_vec()), "HTTPS_PROXY")]
#[case::firewall(|| web_page(403), "firewall")]
#[case::bare_firewall(|| Reply::status(403), "firewall")]
#[case::page_with_401(|| web_page(401), "HTML")]
#[case::portal(|| Reply::Full(401, vec!["www-authenticate: Negotiate".to_owned()], vec![]), "401")]
#[case::login(|| web_page(200), "HTML")]
#[case::gateway(|| Reply::Full(404, vec![], b"default backend - 404".to_vec()), "auth_path")]
#[case::no_code(|| Reply::Full(403, vec![], br#"{"code": "AccessDenied"}"#.to_vec()), "`code`")]
#[tokio::test]
async fn a_page_at_the_sign_in_is_an_outage_and_no_refusal(
    #[case] reply: fn() -> Reply,
    #[case] part: &str,
) {
    let server = Server::start(move |_, _| reply()).await;
    let (client, _) = client(&server);
    let error = client.sign_in().await.expect_err("no API");
    assert_eq!(
        error.exit_code(),
        crate::exit_code::ExitCode::ApiUnavailable
    );
    assert_eq!(
        error.exit_code(),
        crate::exit_code::ExitCode::ApiUnavailable
    );
    let text = error.to_string();
    assert!(text.contains(part) && !text.contains("MARKED"), "{text}");
    assert_eq!(server.seen().len(), 6);
}

#[rstest]
#[case(json!({"token": ""}), "it is empty")]
#[case(json!({"token": "MARKED "}), "it has white space in it")]
#[case(json!({"Token": "MARKED"}), "there is nothing")]
#[case(json!(["MARKED"]), "there is nothing")]
#[case(json!(null), "there is nothing")]
#[tokio::test]
async fn a_sign_in_without_a_usable_token_is_said_to_be_that(
    #[case] data: Value,
    #[case] problem: &str,
) {
    let server = Server::start(move |_, _| Reply::data(&data)).await;
    let (client, _) = client(&server);
    let error = client.sign_in().await.expect_err("no token");
    assert_eq!(
        error.to_string(),
        format!(
            "no useful answer from `auth`: an answer without a usable token at /data/token \
             ({problem}), after 6 tries"
        )
    );
    assert_eq!(
        error.exit_code(),
        crate::exit_code::ExitCode::ApiUnavailable
    );
}

#[tokio::test]
async fn a_token_that_comes_late_is_taken() {
    let server = Server::start(|seen, n| match (seen.path.ends_with("auth"), n) {
        (true, 0) => Reply::data(&json!({"token": null})),
        (true, _) => Reply::data(&json!({"token": "T1"})),
        (false, _) => fine(),
    })
    .await;
    let (client, _) = client(&server);
    detail(&client).await.expect("an answer");
}

#[tokio::test]
async fn a_page_with_401_is_answered_with_one_new_token_a_request() {
    let server = Server::with_auth(|seen, _| match seen.token.as_deref() {
        Some("Token T1") => web_page(401),
        _ => fine(),
    })
    .await;
    let (client, _) = client(&server);
    detail(&client).await.expect("an answer");
    assert_eq!(server.count("auth"), 2);

    let closed = Server::with_auth(|_, _| web_page(401)).await;
    let (client, _) = self::client(&closed);
    let error = detail(&client).await.expect_err("a page");
    assert!(matches!(error, DetailError::Failed { .. }), "{error:?}");
    assert_eq!((closed.count("auth"), closed.count("taskdetail")), (2, 6));
}
