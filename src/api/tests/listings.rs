//! Listings: pages, passes and unions.

use super::*;
use crate::calendar::Window;
use crate::event::Endpoint;

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

/// Serves pages `"a b|c d"`, one script for each pass; the last script repeats.
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
async fn a_page_that_is_always_repeated_is_no_complete_listing() {
    let server = listing_server(&["a b|a b"], None).await;
    let (client, log) = client(&server);
    let listing = client.list_tasks(&workflow()).await.expect("a listing");
    assert_eq!((ids(&listing).as_str(), listing.complete), ("a b", false));
    assert_eq!(log.outcomes().len(), 8);
}

#[tokio::test]
async fn the_page_cap_is_a_fault_and_what_was_found_is_listed() {
    let server = Server::with_auth(|seen, _| {
        let n = seen.body["page"].as_u64().expect("a page");
        page(&format!("a{n} b{n}"), None)
    })
    .await;
    let mut options = options(&server.base);
    options.profile.list_tasks.paging.max_pages = std::num::NonZeroU32::new(3).expect("valid");
    let client = client_with(options, Events::default());
    let listing = client.list_tasks(&workflow()).await.expect("a listing");
    assert_eq!((listing.items.len(), listing.complete), (6, false));
    insta::assert_snapshot!(
        listing.fault.expect("a fault"),
        @"the listing `list_tasks` is not understood: it has more than 3 pages; raise `max_pages` in [api.list_tasks], or `page_size`"
    );
}

#[tokio::test]
async fn one_item_without_an_id_costs_no_other() {
    let server = Server::with_auth(|seen, _| {
        let first = json!([{"task_id": "a"}, {"name": "MARKED"}]);
        let list = if seen.body["page"] == 1 {
            first
        } else {
            json!([])
        };
        Reply::data(&json!({"list": list, "total": 2}))
    })
    .await;
    let (client, log) = client(&server);
    let listing = client.list_tasks(&workflow()).await.expect("a listing");
    assert_eq!((ids(&listing).as_str(), listing.complete), ("a", false));
    assert_eq!(
        client.not_understood_so_far(),
        [NotUnderstood {
            endpoint: Endpoint::ListTasks,
            key: "id_keys".to_owned(),
            shape: "missing",
            count: 1
        }]
    );
    let warnings = format!("{:?}", log.all());
    assert!(
        warnings.contains("id_keys") && !warnings.contains("MARKED"),
        "{warnings}"
    );
}

#[tokio::test]
async fn a_cursor_goes_back_as_it_came() {
    let long = "123456789012345678901234567890";
    let server = Server::with_auth(move |seen, _| {
        let body = seen.text.clone();
        if body.contains(&format!("\"after\":{long},")) {
            Reply::data(&json!({"list": [{"task_id": "b"}], "next": null}))
        } else {
            let body =
                format!(r#"{{"data":{{"list":[{{"task_id":"a"}}],"next":{long}}},"code":200}}"#);
            Reply::Full(200, Vec::new(), body.into_bytes())
        }
    })
    .await;
    let mut options = options(&server.base);
    options.profile.list_tasks.paging.style = PagingStyle::Cursor {
        param: "after".to_owned(),
        next: "/data/next".to_owned(),
    };
    let client = client_with(options, Events::default());
    let listing = client.list_tasks(&workflow()).await.expect("a listing");
    assert_eq!((ids(&listing).as_str(), listing.complete), ("a b", true));
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
#[case(json!({"list": {"0": "MARKED"}}), "`items` in [api.list_tasks]")]
#[tokio::test]
async fn a_profile_that_does_not_fit_names_its_setting(#[case] data: Value, #[case] setting: &str) {
    let server = Server::with_auth(move |_, _| Reply::data(&data)).await;
    let (client, _) = client(&server);
    let listing = client.list_tasks(&workflow()).await.expect("a listing");
    assert!(!listing.complete);
    let error = listing.fault.expect("does not fit");
    assert_eq!(error.exit_code(), crate::exit_code::ExitCode::Settings);
    let text = error.to_string();
    assert!(text.contains(setting) && !text.contains("MARKED"), "{text}");
}

#[tokio::test]
async fn a_path_that_is_not_there_names_its_setting() {
    let server = Server::with_auth(|_, _| Reply::status(404)).await;
    let (client, _) = client(&server);
    let listing = client.list_tasks(&workflow()).await.expect("a listing");
    let error = listing.fault.expect("not there");
    insta::assert_snapshot!(
        error,
        @"no useful answer from `list_tasks` of workflow w1: HTTP status 404 without the API's envelope (no body), after 6 tries; check `base_url` and `path` in [api.list_tasks]; or a gateway on the way is in trouble"
    );
    assert!(!error.is_gone());
}

#[rstest]
#[case(|| Reply::json(&json!({"code": 404, "data": null})), true)]
#[case(|| Reply::Full(404, vec![], br#"{"code": "404"}"#.to_vec()), true)]
#[case(|| Reply::Full(404, vec![], br#"{"code": 9}"#.to_vec()), false)]
#[case(|| Reply::json(&json!({"code": 9})), false)]
#[case(|| Reply::data(&Value::Null), false)]
#[case(|| Reply::status(503), false)]
#[case(|| web_page(200), false)]
#[case(|| Reply::HangUp, false)]
#[case(|| Reply::data(&json!({"rows": []})), false)]
#[tokio::test]
async fn only_the_vendors_envelope_says_that_a_workflow_is_gone(
    #[case] reply: fn() -> Reply,
    #[case] is_gone: bool,
) {
    let server = Server::with_auth(move |_, _| reply()).await;
    let (client, _) = client(&server);
    let listing = client.list_tasks(&workflow()).await.expect("a listing");
    let fault = listing.fault.expect("a fault");
    assert_eq!(fault.is_gone(), is_gone, "{fault:?}");
    if let ApiError::Failed { workflow: of, .. } = fault {
        assert_eq!(of, Some(workflow()));
    }
}
