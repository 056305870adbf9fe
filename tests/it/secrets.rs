//! Marked data: no secret, name, number or transcript is ever said, whatever happens and however
//! much is asked to be said.

use std::fs;

use serde_json::{Value, json};

use crate::harness::lake::below;
use crate::harness::scripted::{Reply, Scripted, TOKEN, account, answer};
use crate::harness::{Exporter, NOW, folder};

const FEW_TRIES: &str =
    "[api]\nrate = \"2000/s\"\nburst = 100\nbase_backoff = \"1ms\"\nmax_attempts = 2\n";

fn marked_call() -> Value {
    json!({
        "id": "MARK-ID", "CalleeName": "MARK-NAME", "CalleeNumber": "+62MARK-NUMBER",
        "caller_number": "MARK-CALLER", "case_id": "MARK-CASE", "Comments": "MARK-COMMENT",
        "CallStartTime": "MARK-TIME", "BorrowedAmount": "MARK-AMOUNT", "DueDate": "MARK-DATE",
        "ExtraA": "MARK-EXTRA", "new": "MARK-UNKNOWN", "NerSlots": {"x": "MARK-SLOT"},
        "AsrResult": [{"time": "MARK-OFFSET", "robottext": "MARK-ROBOT", "text": "MARK-TEXT"}, "MARK-TURN"],
        "RedailCall": [{"CallStartTime": "MARK-REDIAL", "callee_number": "MARK-CALLEE"}],
    })
}

/// An account in which everything that can go wrong has marks in it.
fn marked_account() -> Scripted {
    let detail = json!([marked_call(), "MARK-REJECT", marked_call()]).to_string();
    let good = answer("good", &detail);
    let ok = |text: String| Reply::ok(text);
    let refused =
        json!({"data": null, "status": "MARK-STATUS", "message": "MARK-MESSAGE", "code": 403});
    let redirect = Reply {
        headers: vec!["location: http://127.0.0.1:1/MARK-PATH?n=MARK-QUERY".to_owned()],
        ..Reply::status(302, "MARK-BODY")
    };
    Scripted::account(vec![
        ("good", ok(good.clone())),
        ("half", ok(good[..good.len() - 40].replace("good", "half"))),
        (
            "broken",
            ok(good
                .replace("good", "broken")
                .replace("MARK-NAME\"", "MARK-NAME\"x")),
        ),
        ("page", ok("<html>MARK-PAGE</html>".to_owned())),
        ("refused", ok(refused.to_string())),
        ("failing", Reply::status(500, refused.to_string())),
        (
            "twice",
            ok(good
                .replace("good", "twice")
                .replace(r#""code""#, r#""code":"MARK","code""#)),
        ),
        (
            "odd",
            ok(good
                .replace("good", "odd")
                .replace("finished", "MARK-TASK-STATUS")),
        ),
        ("moved", redirect),
    ])
}

fn no_mark(what: &str, text: &str) {
    if let Some(at) = text.find("MARK") {
        let from = text[..at]
            .char_indices()
            .rev()
            .nth(200)
            .map_or(0, |(at, _)| at);
        panic!(
            "{what} says it: …{}",
            &text[from..(at + 30).min(text.len())]
        );
    }
    assert!(!text.contains(TOKEN), "{what} says the token");
}

#[test]
fn nothing_marked_is_ever_said() {
    let server = marked_account();
    for format in ["text", "json"] {
        let folder = folder();
        let exporter = Exporter::new(folder.path())
            .against(server.url())
            .job(FEW_TRIES)
            .set("AIRUDDER_APP_KEY", "MARK-KEY")
            .set("AIRUDDER_APP_SECRET", "MARK-SECRET")
            .set("AIRUDDER_LOG_FORMAT", format)
            .set("AIRUDDER_FORMAT", format)
            .set("AIRUDDER_PROGRESS", "always")
            .set("RUST_LOG", "trace")
            .at(NOW);
        for args in [
            &["-vvv", "plan", "run"][..],
            &["-vvv", "run"],
            &["-vvv", "run", "--include-running"],
            &["-vvv", "verify"],
            &["-vvv", "status"],
            &["-vvv", "files"],
            &["-vvv", "doctor"],
        ] {
            let ended = exporter.run(args);
            let what = format!("{args:?} in {format}");
            no_mark(&what, &ended.stderr);
            no_mark(&what, &ended.stdout);
        }
        let mut files = 0;
        for path in below(&exporter.dest().join("_export")) {
            let name = path.display().to_string();
            if !name.contains("/rejects/") {
                // The log remembers a status as the vendor worded it; nothing else does.
                let mut text = fs::read_to_string(&path).expect("readable");
                if name.contains("/commits/") {
                    text = text.replace("MARK-TASK-STATUS", "");
                }
                no_mark(&name, &text);
                files += 1;
            }
        }
        assert!(files > 1, "the run wrote nothing");
    }
}

#[test]
fn a_replay_says_nothing_of_what_it_reads() {
    let folder = folder();
    let detail = json!([marked_call(), ["MARK-REJECT"]]).to_string();
    fs::write(folder.path().join("a.json"), answer("good", &detail)).expect("writable");
    fs::write(
        folder.path().join("b.json"),
        &answer("half", &detail)[..300],
    )
    .expect("writable");
    fs::write(folder.path().join("c.json"), "MARK-PAGE").expect("writable");
    let exporter = Exporter::new(folder.path()).set("RUST_LOG", "trace");
    let ended = exporter
        .run(&["-vvv", "replay", "a.json", "b.json", "c.json"])
        .with(65);
    no_mark("stderr", &ended.stderr);
    no_mark("stdout", &ended.stdout);
}

#[test]
fn a_sign_in_that_fails_says_nothing_of_what_was_sent_or_answered() {
    for reply in [
        Reply::status(401, "MARK-BODY"),
        Reply::ok(json!({"data": null, "status": "MARK-STATUS", "code": 403}).to_string()),
        Reply::ok(json!({"data": {"token": 5, "x": "MARK-DATA"}, "code": 200}).to_string()),
        Reply::ok("<html>MARK-PAGE"),
        Reply::ok(json!({"data": {"token": "MARK\ninjected"}, "code": 200}).to_string()),
    ] {
        let server = Scripted::start(move |request| {
            Some(match account(&[], request) {
                _ if request.path.ends_with("auth") => reply.clone(),
                other => other,
            })
        });
        let folder = folder();
        let exporter = Exporter::new(folder.path())
            .against(server.url())
            .job(FEW_TRIES)
            .set("AIRUDDER_APP_KEY", "MARK-KEY")
            .set("AIRUDDER_APP_SECRET", "MARK-SECRET")
            .set("RUST_LOG", "trace");
        let ended = exporter.run(&["-vvv", "run"]);
        assert!(
            matches!(ended.code, Some(69 | 77)),
            "{:?}: {}",
            ended.code,
            ended.stderr
        );
        no_mark("stderr", &ended.stderr);
        no_mark("stdout", &ended.stdout);
    }
}
