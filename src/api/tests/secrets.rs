//! Marked secrets never appear in output.

use super::*;

#[rstest]
#[case(|_: &SeenRequest| Reply::status(500))]
#[case(|_: &SeenRequest| Reply::Full(400, vec![], br#"{"code":9,"message":"MARKED"}"#.to_vec()))]
#[case(|_: &SeenRequest| Reply::Full(200, vec![], b"<p>MARKED</p>".to_vec()))]
#[case(|_: &SeenRequest| Reply::CutOff(br#"{"data":{"MARKED"#.to_vec()))]
#[case(|_: &SeenRequest| Reply::HangUp)]
#[case(|_: &SeenRequest| Reply::Full(302, vec!["location: https://x.y/MARKED?a=MARKED".to_owned()], vec![]))]
#[case(|_: &SeenRequest| Reply::json(&json!({"code": 12, "message": "MARKED", "data": "MARKED"})))]
#[case(|_: &SeenRequest| Reply::json(&json!({"code": 401, "status": "MARKED"})))]
#[case(|_: &SeenRequest| Reply::data(&json!({"list": [{"MARKED": "MARKED"}]})))]
#[case(|_: &SeenRequest| Reply::data(&json!({"token": "MARKED\nTOKEN"})))]
#[tokio::test]
async fn no_error_and_no_event_holds_anything_secret(
    #[case] reply: fn(&SeenRequest) -> Reply,
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
    match client.list_tasks(&workflow()).await {
        Ok(listing) => listing.fault.iter().for_each(|fault| chain(fault)),
        Err(error) => chain(&error),
    }
    if let Err(error) = client.task_detail(&task(), &mut Whole::default()).await {
        chain(&error);
    }
    texts.push(format!("{:?}", client.not_understood_so_far()));
    texts.push(format!("{:?}", log.all()));
    assert!(texts.len() >= 3);
    for text in texts {
        assert!(!text.contains("MARKED"), "{text}");
    }
}
