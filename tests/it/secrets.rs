//! Marked data: no secret, name, number or transcript is ever said, whatever happens and however
//! much is asked to be said.

use std::fs;

use airudder_export::parts::{TableName, table};
use parquet::file::metadata::ParquetMetaDataReader;
use serde_json::{Value, json};

use crate::harness::lake::below;
use crate::harness::scripted::{Reply, Scripted, TOKEN, account, answer};
use crate::harness::{Exporter, LakeView, NOW, folder, project};

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

#[test]
fn what_stands_where_a_list_of_names_or_ids_belongs_is_never_quoted() {
    let folder = folder();
    let text = answer("good", &json!([marked_call()]).to_string());
    let spread = text.replace(",\"", ",\n  \"");
    fs::write(folder.path().join("answer.json"), &spread).expect("writable");
    let exporter = Exporter::new(folder.path())
        .set("AIRUDDER_APP_KEY", "k")
        .set("AIRUDDER_APP_SECRET", "s")
        .set("RUST_LOG", "trace");
    let people = "+62811222333,MARK-NAME\n";
    for (args, input) in [
        (&["replay", "-"][..], text.as_str()),
        (&["replay", "-"], &spread),
        (&["replay", "-"], people),
        (&["replay", &text], ""),
        (&["run", "--task-ids", "-"], &text),
        (&["run", "--task-ids", "-"], people),
        (&["run", "--task-ids", "answer.json"], ""),
        (&["run", "--workflow-ids", "answer.json"], ""),
        (&["run", "--task-ids", &text], ""),
        (&["run", "--task-id", &text], ""),
    ] {
        let ended = exporter.run_with(args, input).with(64);
        let what = format!("{:?}", &args[..2]);
        no_mark(&what, &ended.stderr);
        no_mark(&what, &ended.stdout);
    }
    exporter
        .run_with(&["replay", "-"], "quick.toml\nnot/there\n")
        .with(64)
        .saying(&["line 2 of standard input (9 bytes)"]);
}

#[test]
fn keys_that_look_like_data_are_in_the_tables_only() {
    let folder = folder();
    let detail = r#"[{"+62811222333 MARK":1,"MARK José":2,"fresh_key":3,"RedailCall":[{"k62811222333MARK":4}]}]"#;
    fs::write(folder.path().join("a.json"), answer("good", detail)).expect("writable");
    let exporter = Exporter::new(folder.path()).set("RUST_LOG", "trace");
    for format in ["text", "json"] {
        let exporter = exporter.clone().set("AIRUDDER_FORMAT", format);
        let ended = exporter
            .run(&["-vvv", "replay", "--replace", "a.json"])
            .done();
        for (what, said) in [("stdout", &ended.stdout), ("stderr", &ended.stderr)] {
            no_mark(what, said);
        }
        assert!(ended.stdout.contains("fresh_key"), "{}", ended.stdout);
        assert!(ended.stdout.contains("look like data"), "{}", ended.stdout);
    }
    for path in below(&exporter.dest().join("_export")) {
        let bytes = fs::read(&path).expect("readable");
        no_mark(
            &path.display().to_string(),
            &String::from_utf8_lossy(&bytes),
        );
    }
    let rows = LakeView::new(exporter.dest()).table("calls");
    let extra = rows[0].0["extra_fields"].text().expect("it is kept");
    assert!(extra.contains("+62811222333 MARK"), "{extra}");
}

/// Turns the text after it around on a terminal.
const BIDI: char = '\u{202e}';

#[test]
fn no_character_that_a_terminal_obeys_is_written_to_it() {
    let task = format!("task{BIDI}gpj.exe\u{2066}");
    let answered = answer(&task, r#"["reject",{"CalleeName":"x"}]"#);
    let details = vec![
        (task.clone(), Reply::ok(answered.clone())),
        (format!("failing{BIDI}"), Reply::status(500, "")),
    ];
    let server = Scripted::start(move |request| {
        Some(match request.path.rsplit('/').next() {
            Some("list") => Reply::data(&json!({"list": [{
                "workflow_id": format!("w{BIDI}1"), "create_time": "2024-03-11T00:00:00Z",
            }], "total": 1})),
            _ => account(&details, request),
        })
    });
    let folder = folder();
    let saved = format!("a{BIDI}.json");
    fs::write(folder.path().join(&saved), &answered).expect("writable");
    fs::write(folder.path().join("cut.json"), &answered[..90]).expect("writable");
    let exporter = Exporter::new(folder.path())
        .against(server.url())
        .job(FEW_TRIES)
        .set("RUST_LOG", "trace")
        .at(NOW);
    for format in ["text", "json"] {
        let exporter = exporter
            .clone()
            .set("AIRUDDER_FORMAT", format)
            .set("AIRUDDER_LOG_FORMAT", format);
        for args in [
            &["-vvv", "plan", "run", "--tasks"][..],
            &["-vvv", "run"],
            &["-vvv", "status"],
            &["-vvv", "doctor"],
            &["-vvv", "verify"],
            &["-vvv", "replay", "--replace", &saved, "cut.json"],
            &["-vvv", "replay", &format!("gone{BIDI}")],
        ] {
            let ended = exporter.run(args);
            for said in [&ended.stdout, &ended.stderr] {
                let odd = said.chars().find(|&c| {
                    (c.is_control() && !"\n\t".contains(c))
                        || ('\u{2000}'..='\u{206f}').contains(&c) && !"–—…‘’“”".contains(c)
                });
                assert_eq!(odd, None, "{args:?} in {format}: {said}");
            }
            if format == "json" && args.contains(&"status") {
                // It is the same text to whoever reads the JSON.
                ended.json();
            }
        }
    }
    let commits = LakeView::new(exporter.dest()).commits();
    let log = Value::Array(commits).to_string();
    assert!(
        log.contains(&task),
        "the log knows the task under its own id"
    );
}

#[cfg(unix)]
#[test]
fn others_cannot_read_what_a_run_writes_unless_a_setting_lets_them() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = folder();
    let detail = json!([marked_call(), "MARK-REJECT"]).to_string();
    fs::write(folder.path().join("a.json"), answer("good", &detail)).expect("writable");
    let mode = |path: &std::path::Path| {
        let meta = fs::metadata(path).expect("it is there");
        (meta.permissions().mode() & 0o777, meta.is_dir())
    };
    for (umask, setting, file, dir) in [
        ("000", "", 0o640, 0o750),
        ("022", "", 0o640, 0o750),
        ("077", "", 0o600, 0o700),
        ("077", "0664", 0o664, 0o775),
        ("000", "0600", 0o600, 0o700),
    ] {
        let lake = format!("lake-{umask}-{setting}");
        let exporter = Exporter::new(folder.path())
            .lake(&lake)
            .set("AIRUDDER_FILE_MODE", setting)
            .through(&["sh", "-c", &format!("umask {umask}; exec \"$@\""), "sh"]);
        exporter.run(&["replay", "a.json"]).with(65);
        fs::write(exporter.dest().join("calls/stray.parquet"), "stray").expect("writable");
        exporter.run(&["verify", "--repair"]);
        let mut private = 0;
        for path in below(&exporter.dest()) {
            let name = path.display().to_string();
            if name.contains("/_export/rejects/") || name.contains("/_export/quarantine/") {
                assert_eq!(mode(&path), (0o600, false), "{name}");
                let above = path.parent().expect("a folder");
                assert_eq!(mode(above), (0o700, true), "the folder of {name}");
                private += 1;
            } else {
                // Who may only read can't open a lock, and so can't hold it.
                let is_lock = name.ends_with("lock");
                let file = if is_lock { file & 0o622 } else { file };
                assert_eq!(mode(&path), (file, false), "{name}");
                assert_eq!(
                    mode(path.parent().expect("a folder")),
                    (dir, true),
                    "of {name}"
                );
            }
        }
        assert!(private >= 2, "rejects, and what was put aside");
    }
}

#[test]
fn footers_hold_no_value_of_a_personal_column() {
    let folder = folder();
    let mut call = marked_call();
    call["id"] = json!(4_711);
    call["BorrowedAmount"] = json!("15.5");
    call["DueDate"] = json!("2024-03-01");
    call["CallID"] = json!("MARK-CALL");
    let mut other = marked_call();
    other["CalleeName"] = Value::Null;
    let detail = json!([call, other, call]).to_string();
    let text = answer("good", &detail).replacen(
        r#""Status""#,
        r#""TaskName":"MARK-TASK","workflow_name":"MARK-WORKFLOW","nodetask_name":"MARK-NODE","Status""#,
        1,
    );
    fs::write(folder.path().join("a.json"), &text).expect("writable");
    let exporter = Exporter::new(folder.path());
    exporter.run(&["replay", "a.json"]).done();
    // What rewrites files keeps to it.
    fs::write(
        folder.path().join("b.json"),
        text.replace("\"good\"", "\"fine\""),
    )
    .expect("writable");
    exporter.run(&["replay", "b.json"]).done();
    exporter.run(&["compact"]).done();
    let (mut personal, mut others) = (0, 0);
    let lake = LakeView::new(exporter.dest());
    for (name, files) in lake.live_files() {
        let table = table(TableName::parse(name).expect("a table"));
        for file in files {
            let open = fs::File::open(lake.root().join(&file)).expect("it is there");
            let mut reader = ParquetMetaDataReader::new();
            reader.try_parse(&open).expect("a Parquet file");
            let meta = reader.finish().expect("it was read");
            let pairs = meta
                .file_metadata()
                .key_value_metadata()
                .expect("there are some");
            let marked = pairs.iter().find(|pair| pair.key == "personal_columns");
            let marked: Vec<String> = serde_json::from_str(
                marked
                    .and_then(|pair| pair.value.as_deref())
                    .expect("it is there"),
            )
            .expect("JSON");
            for group in meta.row_groups() {
                for (chunk, column) in group.columns().iter().zip(&table.columns) {
                    let what = format!("{file} {}", column.name);
                    assert_eq!(marked.contains(&column.name), column.personal, "{what}");
                    if column.personal {
                        personal += 1;
                        assert_eq!(chunk.column_index_offset(), None, "{what}");
                        let Some(statistics) = chunk.statistics() else {
                            continue;
                        };
                        assert!(statistics.min_bytes_opt().is_none(), "{what}");
                        assert!(statistics.max_bytes_opt().is_none(), "{what}");
                        assert!(statistics.null_count_opt().is_some(), "{what}");
                        if column.name == "callee_name" {
                            assert_eq!(statistics.null_count_opt(), Some(2), "{what}");
                        }
                    } else if let Some(statistics) = chunk.statistics() {
                        others += u32::from(statistics.min_bytes_opt().is_some());
                    }
                }
            }
        }
    }
    assert!(
        personal > 20 && others > 20,
        "{personal} and {others} columns"
    );
    let said = exporter
        .run(&["schema", "--format", "arrow-json"])
        .done()
        .json();
    let fields = said["calls"]["fields"].as_array().expect("a list");
    let field = fields.iter().find(|field| field["name"] == "event_labels");
    assert_eq!(field.expect("a column")["metadata"][0]["key"], "personal");
}

#[test]
fn the_table_of_threats_names_tests_that_there_are() {
    let page = fs::read_to_string(project("docs/security.md")).expect("docs/security.md is there");
    let mut code = String::new();
    for folder in ["src", "tests"] {
        for path in below(&project(folder)) {
            if path.extension().is_some_and(|ending| ending == "rs") {
                code += &fs::read_to_string(&path).expect("readable");
            }
        }
    }
    // Who is trusted is a table, too.
    let (_, table) = page
        .split_once("| threat | what happens | test |")
        .expect("the table of threats");
    let rows: Vec<&str> = table
        .lines()
        .filter(|line| line.starts_with("| "))
        .collect();
    assert!(rows.len() >= 20, "{} threats", rows.len());
    for row in rows {
        assert_eq!(
            row.split('|').count(),
            5,
            "threat, what happens, test: {row}"
        );
        let tests = row.rsplit('|').nth(1).expect("a cell").split(',');
        for test in tests {
            let test = test.trim().trim_matches('`');
            assert!(code.contains(&format!("fn {test}(")), "`{test}` is no test");
        }
    }
}

#[test]
fn vulnerabilities_are_reported_in_private_and_no_address_is_invented() {
    let policy = fs::read_to_string(project("SECURITY.md")).expect("SECURITY.md is there");
    assert!(policy.contains("Report it in private"), "{policy}");
    assert!(!policy.contains('@'), "{policy}");
    for (page, link) in [
        ("SECURITY.md", "docs/security.md"),
        ("docs/security.md", "../SECURITY.md"),
    ] {
        let page = fs::read_to_string(project(page)).expect("it is there");
        assert!(page.contains(&format!("]({link})")), "{link}");
    }
}

#[test]
fn dependencies_are_held_by_the_gate() {
    let gate = fs::read_to_string(project(".ci/run")).expect("readable");
    assert!(gate.contains("cargo deny --locked check bans licenses sources"));
    assert!(project("deny.toml").exists());
}
