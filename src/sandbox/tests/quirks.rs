//! Each quirk as a client sees it, and that it is permanent.

use std::io::Read as _;

use reqwest::header::{
    ACCEPT_ENCODING, AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, DATE, LOCATION, RETRY_AFTER,
};
use reqwest::redirect::Policy;
use rstest::rstest;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::super::{FaultFamily, FaultKind, SandboxOptions, SandboxTask, SandboxTruth};
use super::{Account, Client, NOON, Response, options};

async fn account(faults: &str) -> Account {
    let faults = faults.parse().expect("valid");
    let mut account = Account::of(SandboxOptions {
        faults,
        ..options()
    })
    .await;
    account.http = Client::builder()
        .redirect(Policy::none())
        .no_gzip()
        .build()
        .expect("a client");
    // With unusual compression, the first token response may not have been decoded.
    account.token = account.sign_in().await;
    account
}

impl Account {
    /// A page of a workflow's tasks, as sent.
    async fn page(&self, workflow: &str, page: &str) -> String {
        let url = self.url("service/cloud/workflow/tasklist");
        let body = format!(r#"{{"workflow_id":"{workflow}",{page}}}"#);
        let request = self.http.post(url).header(CONTENT_TYPE, "application/json");
        utf8(self.send(request.body(body)).await).await
    }

    async fn detail_text(&self, task: &str) -> String {
        utf8(self.send(self.detail_request(task)).await).await
    }

    /// A workflow with several tasks, all of them final.
    fn workflow(&self) -> (String, Vec<SandboxTask>) {
        let tasks = self.sandbox.tasks();
        let workflow = tasks[0].workflow_id.clone();
        let of = |task: &SandboxTask| task.workflow_id == workflow;
        let tasks = tasks.into_iter().filter(of).collect();
        (workflow, tasks)
    }

    fn played(&self, kind: FaultKind) -> u64 {
        let faults = self.sandbox.stats().faults;
        faults.get(&kind).copied().unwrap_or_default()
    }
}

/// The body as sent: reading a response as text would strip a byte order mark.
async fn utf8(answer: Response) -> String {
    let bytes = answer.bytes().await.expect("bytes");
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

fn data(text: &str) -> Value {
    let answer: Value = serde_json::from_str(text).expect("JSON");
    assert_eq!(answer["code"], 200, "{text}");
    answer["data"].clone()
}

#[rstest]
#[case("total:page", &["2", "2"])]
#[case("total:first_page", &["N", "none"])]
#[case("total:capped=3", &["3", "3"])]
#[case("total:minus_one", &["-1", "-1"])]
#[case("total:zero", &["0", "0"])]
#[case("total:float", &["N.0", "N.0"])]
#[case("total:text", &["\"N\"", "\"N\""])]
#[case("total:word", &["\"many\"", "\"many\""])]
#[case("total:null", &["null", "null"])]
#[case("total:missing", &["none", "none"])]
#[case("total:off=-2", &["N-2", "N-2"])]
#[tokio::test]
async fn totals_have_their_form_on_every_page(#[case] form: &str, #[case] expected: &[&str]) {
    let account = account(form).await;
    let (workflow, tasks) = account.workflow();
    let count = tasks.len();
    assert!(count >= 4);
    for (page, expected) in (1..).zip(expected) {
        let text = account
            .page(&workflow, &format!(r#""page":{page},"page_size":2"#))
            .await;
        let total = text
            .split("\"total\":")
            .nth(1)
            .and_then(|rest| rest.split('}').next());
        let expected = expected
            .replace("N-2", &(count - 2).to_string())
            .replace('N', &count.to_string());
        assert_eq!(total.unwrap_or("none"), expected, "{text}");
        assert_eq!(data(&text)["list"].as_array().expect("a list").len(), 2);
    }
    assert_eq!(account.sandbox.stats().faults.len(), 1);
}

#[tokio::test]
async fn a_page_cap_is_below_what_was_asked_for() {
    let account = account("page:cap=2").await;
    let (workflow, tasks) = account.workflow();
    let mut seen = Vec::new();
    for page in 1.. {
        let text = account
            .page(&workflow, &format!(r#""page":{page},"page_size":100"#))
            .await;
        let items = data(&text)["list"].as_array().expect("a list").clone();
        assert!(items.len() <= 2);
        if items.is_empty() {
            break;
        }
        seen.extend(items);
    }
    assert_eq!(seen.len(), tasks.len());
}

#[rstest]
#[case("empty:null", r#"{"data":{"list":null,"total":N},"#)]
#[case("empty:object", r#"{"data":{"list":{},"total":N},"#)]
#[case("empty:text", r#"{"data":{"list":"","total":N},"#)]
#[case("empty:missing", r#"{"data":{"total":N},"#)]
#[case("empty:missing,total:missing", r#"{"data":{},"#)]
#[case("empty:data_null", r#"{"data":null,"#)]
#[case("empty:data_object", r#"{"data":{},"#)]
#[tokio::test]
async fn a_page_without_items_has_its_form(#[case] form: &str, #[case] expected: &str) {
    let account = account(form).await;
    let (workflow, tasks) = account.workflow();
    let expected = expected.replace('N', &tasks.len().to_string());
    let text = account.page(&workflow, r#""page":99"#).await;
    assert!(text.starts_with(&expected), "{text}");
    let first = account.page(&workflow, r#""page":1"#).await;
    assert_eq!(
        data(&first)["list"].as_array().expect("a list").len(),
        tasks.len()
    );
}

#[rstest]
#[case("item:no_id", r#"{"task_name":"#)]
#[case("item:null_id", r#"{"task_id":null,"#)]
#[case("item:empty_id", r#"{"task_id":"","#)]
#[case("item:blank_id", r#"{"task_id":"  ","#)]
#[tokio::test]
async fn items_lose_their_ids(#[case] form: &str, #[case] expected: &str) {
    let account = account(&format!("{form}:1")).await;
    let (_, tasks) = account.workflow();
    // The workflow listing lost its ids too, so the id comes from the truth.
    let text = account.page(&tasks[0].workflow_id, r#""page":1"#).await;
    assert_eq!(text.matches(expected).count(), tasks.len(), "{text}");
    assert!(!text.contains(&tasks[0].task_id));
    data(&text);
    let detail = account.detail(&tasks[0].task_id).await;
    assert_eq!(detail["code"], 200, "the task is there all the same");
}

#[tokio::test]
async fn an_item_may_be_no_object_and_another_may_come_twice() {
    let odd = account("item:no_object:1").await;
    let (workflow, tasks) = odd.workflow();
    let text = odd.page(&workflow, r#""page":1"#).await;
    let items = data(&text)["list"].as_array().expect("a list").clone();
    assert_eq!(items.len(), tasks.len());
    assert!(items.iter().all(|item| !item.is_object()));
    let twice = account("item:twice:1").await;
    let text = twice.page(&workflow, r#""page":2,"page_size":3"#).await;
    let list = data(&text);
    assert_eq!(list["total"], 2 * tasks.len());
    // The second item of the second task, and the third task twice.
    let ids = [&tasks[1].task_id, &tasks[2].task_id, &tasks[2].task_id];
    let found = list["list"].as_array().expect("a list");
    assert!(
        found
            .iter()
            .zip(ids)
            .all(|(item, id)| item["task_id"] == id.as_str())
    );
}

#[rstest]
#[case("item:number_id", 20)]
#[case("item:long_number_id", 30)]
#[tokio::test]
async fn ids_may_be_numbers_that_no_integer_holds(#[case] form: &str, #[case] digits: usize) {
    let account = account(&format!("{form}:1")).await;
    let (workflow, tasks) = account.workflow();
    let id = &tasks[0].task_id;
    assert!(
        id.len() == digits && id.bytes().all(|byte| byte.is_ascii_digit()),
        "{id}"
    );
    assert_eq!(workflow.len(), digits);
    let text = account.page(&workflow, r#""page":1"#).await;
    assert!(text.contains(&format!(r#"{{"task_id":{id},"#)), "{text}");
    let detail = account.detail_text(id).await;
    assert!(detail.contains(&format!(r#""TaskID":{id},"#)));
    assert!(detail.contains(&format!(r#"flow_id":{workflow},"#)));
}

#[tokio::test]
async fn ids_may_be_longer_than_any_client_takes() {
    let account = account("item:long_id:1").await;
    let (workflow, tasks) = account.workflow();
    assert_eq!((workflow.len(), tasks[0].task_id.len()), (2000, 2000));
    let text = account.page(&workflow, r#""page":1"#).await;
    assert_eq!(data(&text)["list"][0]["task_id"], tasks[0].task_id.as_str());
}

#[rstest]
#[case("status:completed", r#","status":"completed","#)]
#[case("status:stopped", r#","status":"stopped","#)]
#[case("status:missing", r#"","schedule_start_time":"#)]
#[case("status:null", r#","status":null,"#)]
#[case("status:empty", r#","status":"","#)]
#[case("status:number", r#","status":3,"#)]
#[case("start:word", r#","schedule_start_time":"tomorrow","#)]
#[case("start:epoch", r#","schedule_start_time":17"#)]
#[case("start:no_zone", r#","schedule_start_time":"2024-03-1"#)]
#[case("start:offset", r#"+07:00","schedule_end_time":"#)]
#[case("start:empty", r#","schedule_start_time":"","#)]
#[case("start:null", r#","schedule_start_time":null,"#)]
#[case("start:missing", r#"","schedule_end_time":"#)]
#[case("start:zero", r#","schedule_start_time":"0001-01-01T00:00:00Z","#)]
#[case("start:far", r#","schedule_start_time":"9999-12-31T23:59:59Z","#)]
#[case("end:word", r#","schedule_end_time":"tomorrow","#)]
#[case("end:epoch", r#","schedule_end_time":17"#)]
#[case("end:no_zone", r#","schedule_end_time":"2024-03-1"#)]
#[case("end:offset", r#"+07:00","nodetask_id":"#)]
#[case("end:empty", r#","schedule_end_time":"","#)]
#[case("end:null", r#","schedule_end_time":null,"#)]
#[case("end:missing", r#"","nodetask_id":"#)]
#[case("end:zero", r#","schedule_end_time":"0001-01-01T00:00:00Z","#)]
#[case("end:far", r#","schedule_end_time":"9999-12-31T23:59:59Z","#)]
#[tokio::test]
async fn listed_values_have_their_form_and_the_answer_is_right(
    #[case] form: &str,
    #[case] expected: &str,
) {
    let account = account(&format!("{form}:1")).await;
    let (workflow, tasks) = account.workflow();
    let text = account.page(&workflow, r#""page":1"#).await;
    assert_eq!(text.matches(expected).count(), tasks.len(), "{text}");
    data(&text);
    let detail = account.detail(&tasks[0].task_id).await;
    assert_eq!(
        detail["data"]["Status"].as_str(),
        tasks[0].status.as_deref()
    );
    assert!(
        detail["data"]["ScheduleStartTime"]
            .as_str()
            .expect("text")
            .ends_with('Z')
    );
}

#[tokio::test]
async fn a_time_without_zone_is_one_of_the_source_zone() {
    let account = account("start:no_zone:1").await;
    let (workflow, tasks) = account.workflow();
    let list = data(&account.page(&workflow, r#""page":1"#).await);
    let local = tasks[0]
        .schedule_start_time
        .with_timezone(&chrono_tz::Asia::Jakarta);
    let expected = local.format("%Y-%m-%d %H:%M:%S").to_string();
    assert_eq!(list["list"][0]["schedule_start_time"], expected.as_str());
}

#[rstest]
#[case("workflow:gone", 404)]
#[case("workflow:fails", 500)]
#[tokio::test]
async fn a_workflow_that_is_listed_may_not_list_its_tasks(#[case] form: &str, #[case] code: u64) {
    let account = account(&format!("{form}:0.4")).await;
    let mut failed = 0;
    let workflows = account.all_workflows().await;
    for workflow in &workflows {
        let answers = [
            account.task_list(workflow, 1, 100).await,
            account.task_list(workflow, 1, 100).await,
        ];
        assert_eq!(answers[0]["code"], answers[1]["code"], "it stays");
        if answers[0]["code"] == code {
            failed += 1;
            let truth = account.sandbox.tasks();
            let task = truth
                .iter()
                .find(|task| task.workflow_id == *workflow)
                .expect("one");
            assert_eq!(account.detail(&task.task_id).await["code"], 200);
        }
    }
    assert!(
        0 < failed && failed < workflows.len(),
        "{failed} of {}",
        workflows.len()
    );
}

#[rstest]
#[case("cursor:text,page:cap=2")]
#[case("cursor:number,page:cap=2")]
#[case("cursor:nested,page:cap=2")]
#[case("cursor:bool")]
#[tokio::test]
async fn a_cursor_must_come_back_as_it_was(#[case] form: &str) {
    let account = account(form).await;
    let (workflow, tasks) = account.workflow();
    let (mut seen, mut cursor) = (Vec::new(), None);
    loop {
        let ask = match &cursor {
            None => r#""page_size":100"#.to_owned(),
            Some(cursor) => format!(r#""page_size":100,"cursor":{cursor}"#),
        };
        let text = account.page(&workflow, &ask).await;
        let list = data(&text)["list"].as_array().expect("a list").clone();
        assert!(!list.is_empty());
        seen.extend(list.iter().map(|item| item["task_id"].clone()));
        let Some((_, next)) = text.split_once(",\"next\":") else {
            break;
        };
        let next = next
            .rsplit_once("},\"status\"")
            .expect("the envelope")
            .0
            .to_owned();
        let as_text = serde_json::to_string(&next).expect("a text");
        let refused = account
            .page(&workflow, &format!(r#""cursor":{as_text}"#))
            .await;
        assert!(refused.contains("\"code\":400"), "another type: {refused}");
        cursor = Some(next);
    }
    let expected: Vec<Value> = tasks.iter().map(|task| json!(task.task_id)).collect();
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn a_cursor_may_come_back_in_a_query() {
    for form in ["cursor:text,page:cap=2", "cursor:nested,page:cap=2"] {
        let account = account(form).await;
        let first = account.workflows("page_size=100").await;
        let next = match &first["data"]["next"] {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let mut url = account.url("service/cloud/workflow/list");
        url.query_pairs_mut().append_pair("cursor", &next);
        let request = account.http.get(url);
        let second: Value = account.send(request).await.json().await.expect("JSON");
        assert_ne!(second["data"]["list"][0], first["data"]["list"][0]);
        assert_eq!(account.workflows("cursor=x").await["code"], 400);
    }
}

#[rstest]
#[case("json:bom", "\u{feff}{\"data\":{\"list\":", "\u{feff}{\"data\":{")]
#[case("json:escaped_keys", r#","\u0074otal":"#, r#""\u0053tatus":"#)]
#[case("json:huge_number", r#","score":1e400"#, r#","Score":1e400"#)]
#[case("json:half_surrogate", "\\ud83d\"", "\\ud83d\"")]
#[case("json:nan", r#","score":NaN"#, r#""BorrowedAmount":NaN"#)]
#[case(
    "json:twin_equal",
    r#","total":{n},"total":{n}}"#,
    r#""Status":"{s}","Status":"{s}","#
)]
#[case("json:twin_total", r#","total":{n},"total":"#, r#""TaskID""#)]
#[case(
    "json:twin_status",
    r#""status":"{s}","status":"calling","#,
    r#""Status":"{s}","Status":"calling","#
)]
#[case("json:twin_id", r#","task_id":"another","#, r#","TaskID":""#)]
#[case("json:twin_code", r#"{"code":500,"data":"#, r#"{"code":500,"data":"#)]
#[tokio::test]
async fn json_is_odd_in_listings_and_in_answers(
    #[case] form: &str,
    #[case] listed: &str,
    #[case] answered: &str,
) {
    let account = account(&format!("{form}:1")).await;
    let (workflow, tasks) = account.workflow();
    let task = &tasks[0];
    let filled = |text: &str| {
        let text = text.replace("{n}", &tasks.len().to_string());
        text.replace("{s}", task.status.as_deref().expect("listed"))
    };
    let page = account.page(&workflow, r#""page":1"#).await;
    let listed = filled(listed);
    assert!(page.contains(&listed), "{listed} in {page}");
    let answer = account.detail_text(&task.task_id).await;
    let answered = filled(answered);
    assert!(answer.contains(&answered), "{answered} in {answer}");
    if form == "json:escaped_keys" {
        let plain: Value = serde_json::from_str(&answer).expect("JSON");
        assert_eq!(plain["data"]["TaskID"], task.task_id.as_str());
        assert!(!answer.contains("\"CallID\""));
    }
}

#[rstest]
#[case("gateway:302", 302, "<html>")]
#[case("gateway:401", 401, "<html>")]
#[case("gateway:403", 403, "<html>")]
#[case("gateway:404", 404, "<html>")]
#[case("gateway:404_json", 404, "{\"message\"")]
#[case("gateway:407", 407, "<html>")]
#[case("gateway:empty", 200, "")]
#[case("gateway:login", 200, "<!DOCTYPE html>")]
#[case("gateway:maintenance", 503, "<html>")]
#[tokio::test]
async fn a_gateway_answers_in_place_of_the_vendor_and_passes(
    #[case] form: &str,
    #[case] status: u16,
    #[case] start: &str,
) {
    let account = account(&format!("{form}:1")).await;
    assert_eq!(account.token.len(), 64, "signed in on the fourth try");
    let task = account.finished().task_id;
    for _ in 0..3 {
        let answer = account.send(account.detail_request(&task)).await;
        assert_eq!(answer.status().as_u16(), status);
        assert_eq!(answer.headers().contains_key(LOCATION), status == 302);
        let text = answer.text().await.expect("text");
        assert!(
            text.starts_with(start) && !text.contains("\"code\""),
            "{text}"
        );
    }
    assert_eq!(account.detail(&task).await["code"], 200);
}

#[rstest]
#[case("retry_after:decimal", "%")]
#[case("retry_after:imf", "%a, %d %b %Y %H:%M:%S GMT")]
#[case("retry_after:rfc850", "%A, %d-%b-%y %H:%M:%S GMT")]
#[case("retry_after:asctime", "%a %b %e %H:%M:%S %Y")]
#[tokio::test]
async fn retry_after_has_each_of_its_forms(#[case] form: &str, #[case] format: &str) {
    let account = account(&format!("{form}:1")).await;
    let task = account.finished().task_id;
    let answer = account.send(account.detail_request(&task)).await;
    assert_eq!(answer.status(), 429);
    let text = answer.headers()[RETRY_AFTER]
        .to_str()
        .expect("text")
        .to_owned();
    if format == "%" {
        assert!(["0.5", "1.5"].contains(&text.as_str()), "{text}");
        return;
    }
    let date = chrono::NaiveDateTime::parse_from_str(&text, format).expect("a date");
    let now: chrono::DateTime<chrono::Utc> = NOON.parse().expect("a time");
    let ahead = date - now.naive_utc();
    assert!((1..30).contains(&ahead.num_seconds()), "{text}");
}

#[rstest]
#[case("gzip:members", "gzip", true)]
#[case("gzip:upper", "GZIP", false)]
#[case("gzip:x", "x-gzip", false)]
#[tokio::test]
async fn answers_and_listings_are_compressed_in_odd_ways(
    #[case] form: &str,
    #[case] coding: &str,
    #[case] members: bool,
) {
    let account = account(&format!("{form}:1")).await;
    let task = account.finished().task_id;
    let list = account.http.get(account.url("service/cloud/workflow/list"));
    for request in [account.detail_request(&task), list] {
        let answer = account.send(request.header(ACCEPT_ENCODING, "gzip")).await;
        assert_eq!(answer.headers()[CONTENT_ENCODING], coding);
        let packed = answer.bytes().await.expect("bytes");
        let mut first = String::new();
        let one = flate2::bufread::GzDecoder::new(&packed[..]).read_to_string(&mut first);
        assert!(one.is_ok());
        let mut whole = String::new();
        let all = flate2::read::MultiGzDecoder::new(&packed[..]).read_to_string(&mut whole);
        assert!(all.is_ok());
        data(&whole);
        assert_eq!(first.len() < whole.len(), members);
    }
    assert_eq!(
        account.detail(&task).await["code"],
        200,
        "plain for who asks for plain"
    );
}

#[rstest]
#[case("date:behind", "Mon, 18 Mar 2024 06:00:")]
#[case("date:behind=-48", "Wed, 20 Mar 2024 12:00:")]
#[tokio::test]
async fn the_clock_in_the_headers_is_another(#[case] form: &str, #[case] expected: &str) {
    let account = account(form).await;
    let answer = account
        .send(account.detail_request(&account.finished().task_id))
        .await;
    let date = answer.headers()[DATE].to_str().expect("text");
    assert!(date.starts_with(expected), "{date}");
    assert_eq!(account.finished().status.as_deref(), Some("finished"));
}

#[tokio::test]
async fn a_header_may_have_a_space_before_its_colon() {
    let account = account("header:space:1").await;
    let address = account
        .sandbox
        .url()
        .socket_addrs(|| None)
        .expect("an address")[0];
    let mut stream = tokio::net::TcpStream::connect(address)
        .await
        .expect("it listens");
    let body = r#"{"APPKey":"sandbox-key","APPSecret":"sandbox-secret"}"#;
    // The client retried the sign-in until it succeeded; the next requests meet the fault.
    let request = format!(
        "POST /service/cloud/auth HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n\
         Connection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("text");
    assert!(answer.contains("\r\nx-sandbox-space :1\r\n"), "{answer}");
    assert!(
        answer.ends_with("\"status\":\"OK\",\"code\":200}"),
        "{answer}"
    );
}

#[rstest]
#[case("answer:status_case", r#","STATUS":"{status}","#)]
#[case("answer:status_word", r#","Status":"completed","#)]
#[case("answer:detail_renamed", r#""Details":[{"#)]
#[case("answer:detail_case", r#""Detail":[{"#)]
#[case("answer:detail_object", r#""detail":{"0":{"#)]
#[case("answer:detail_null", r#""detail":null"#)]
#[case("answer:end_far", r#""ScheduleEndTime":"2099-12-31T23:59:59Z""#)]
#[tokio::test]
async fn answers_have_their_form(#[case] form: &str, #[case] expected: &str) {
    let account = account(&format!("{form}:1")).await;
    let task = account.finished();
    let text = account.detail_text(&task.task_id).await;
    let expected = expected.replace("{status}", task.status.as_deref().unwrap_or_default());
    assert!(text.contains(&expected), "{expected} in {text}");
    let answer = data(&text);
    assert_eq!(answer["TaskID"], task.task_id.as_str());
    assert_eq!(task.calls == 0, form == "answer:detail_null");
    assert!(
        account.played(form.parse::<super::super::Faults>().expect("valid").quirks[0].kind) > 0
    );
}

#[tokio::test]
async fn an_answer_may_have_no_status() {
    let account = account("answer:no_status:1").await;
    let text = account.detail_text(&account.finished().task_id).await;
    assert!(data(&text).get("Status").is_none());
}

#[tokio::test]
async fn a_finished_task_calls_again_and_has_more_calls_then() {
    let account = account("answer:reopened:1").await;
    let task = account.finished();
    let end = task.schedule_end_time;
    let mut seen = Vec::new();
    for hours in [0, 19, 21, 23, 100] {
        let clock = super::Clock::starting_at(end + super::TimeDelta::hours(hours));
        account.sandbox.set_clock(clock);
        let token = account.sign_in().await;
        let request = account.detail_request(&task.task_id);
        let request = request.header(AUTHORIZATION, format!("Token {token}"));
        let detail: Value = request
            .send()
            .await
            .expect("sent")
            .json()
            .await
            .expect("JSON");
        let calls = detail["data"]["detail"].as_array().expect("calls").len();
        let status = detail["data"]["Status"].as_str().expect("text").to_owned();
        let tasks = account.sandbox.tasks();
        let truth = tasks
            .iter()
            .find(|one| one.task_id == task.task_id)
            .expect("it is there");
        assert_eq!(
            (truth.calls, truth.status.as_deref()),
            (calls as u64, Some(&*status))
        );
        seen.push((status, calls as u64 == task.calls));
    }
    let seen: Vec<(&str, bool)> = seen.iter().map(|(status, all)| (&**status, *all)).collect();
    let expected = [
        ("finished", false),
        ("finished", false),
        ("calling", true),
        ("finished", true),
        ("finished", true),
    ];
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn calls_are_gone_after_the_first_answer() {
    let account = account("answer:purged:1").await;
    let task = account.finished();
    let calls = async || {
        let answer = account.detail(&task.task_id).await;
        answer["data"]["detail"].as_array().expect("calls").len() as u64
    };
    assert_eq!(calls().await, task.calls);
    assert_eq!(calls().await, task.calls / 2);
    assert_eq!(account.finished().calls, task.calls, "there were that many");
}

#[tokio::test]
async fn the_truth_has_every_call_of_every_answer() {
    let account = account("item:number_id:0.3,total:page,answer:end_far:0.2").await;
    let url = account.url("_sandbox/truth");
    let truth: Vec<SandboxTruth> = account
        .http
        .get(url)
        .send()
        .await
        .expect("sent")
        .json()
        .await
        .expect("JSON");
    assert_eq!(truth, account.sandbox.truth());
    assert_eq!(truth.len(), 7 * 12);
    for one in truth {
        let answer = account.detail_text(&one.task.task_id).await;
        let calls = data(&answer)["detail"].as_array().expect("calls").clone();
        let ids: Vec<&str> = calls
            .iter()
            .filter_map(|call| call["CallID"].as_str())
            .collect();
        assert_eq!(ids, one.call_ids);
    }
}

#[tokio::test]
async fn the_statistics_are_short_whatever_was_asked_for() {
    let account = account("none").await;
    for task in account.sandbox.tasks() {
        account.detail(&task.task_id).await;
        account.detail(&task.task_id).await;
    }
    let get = async |path: &str| {
        let answer = account
            .http
            .get(account.url(path))
            .send()
            .await
            .expect("sent");
        answer.text().await.expect("text")
    };
    let stats = get("_sandbox/stats").await;
    assert!(stats.len() < 1000 && stats.lines().count() > 10, "{stats}");
    let stats: Value = serde_json::from_str(&stats).expect("JSON");
    let expected = json!({"tasks": 84, "times": 168, "most": 2});
    assert_eq!(stats["details_completed"], expected);
    assert_eq!(stats["requests"]["task_detail"], 168);
    let details: Value = serde_json::from_str(&get("_sandbox/details").await).expect("JSON");
    assert_eq!(details.as_object().expect("by task").len(), 84);
}

#[tokio::test]
async fn a_short_page_is_whole_the_next_time() {
    let account = account("page:short:1").await;
    let (workflow, tasks) = account.workflow();
    let mut counts = Vec::new();
    for _ in 0..4 {
        let list = data(&account.page(&workflow, r#""page":1"#).await);
        assert_eq!(list["total"], tasks.len());
        counts.push(list["list"].as_array().expect("a list").len());
    }
    let all = tasks.len();
    assert_eq!(counts, [all - 1, all - 1, all - 1, all]);
}

#[tokio::test]
async fn everything_at_once_is_still_an_answer() {
    let families: Vec<&str> = FaultFamily::ALL
        .iter()
        .filter(|family| !family.passes())
        .map(|family| family.name())
        .collect();
    let account = account(&format!("{},none", families.join(":0.5,"))).await;
    for task in account.sandbox.tasks() {
        let text = account.detail_text(&task.task_id).await;
        assert!(text.contains("\"code\":200}") || text.contains("\"\\u0063ode\":200}"));
        let url = account.url("service/cloud/workflow/tasklist");
        let body = json!({"workflow_id": task.workflow_id, "page": 2, "page_size": 2});
        let answer = account.send(account.http.post(url).json(&body)).await;
        assert!(answer.text().await.expect("text").contains("ode\":"));
    }
    let met = account.sandbox.stats().faults.len();
    assert!(met > 40, "{met} kinds");
}
