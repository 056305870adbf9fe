//! JSON log lines as a contract: every line is an object with an event, a run id and a command, and
//! `docs/logs.md` and `schemas/json/log-event.json` say what each of them holds.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use airudder_export::sandbox::{Faults, SandboxOptions};
use serde_json::Value;

use crate::harness::vendor::past_days;
use crate::harness::{Ended, Exporter, NOW, Vendor, folder, project};

/// The lines of standard error, each of them an object.
fn lines(ended: &Ended) -> Vec<Value> {
    (ended.stderr.lines())
        .map(|line| {
            let object: Value = serde_json::from_str(line)
                .unwrap_or_else(|error| panic!("{error} in {line}\n{}", ended.stderr));
            assert!(object.is_object(), "{line}");
            object
        })
        .collect()
}

/// The lines, after a look at what all of them share.
#[track_caller]
fn of_one_start(ended: &Ended, command: &str) -> Vec<Value> {
    let lines = lines(ended);
    assert!(!lines.is_empty(), "nothing was said");
    for line in &lines {
        for key in ["timestamp", "level", "event", "run_id", "message"] {
            assert!(line[key].is_string(), "{key} is missing in {line}");
        }
        assert_eq!(line["command"], command, "{line}");
        assert_eq!(line["run_id"], lines[0]["run_id"], "{line}");
    }
    lines
}

fn noisy() -> SandboxOptions {
    SandboxOptions {
        faults: Faults::all(0.2),
        ..past_days(2, 4, 3)
    }
}

/// The events of `docs/logs.md` with their fields.
fn documented() -> BTreeMap<String, BTreeSet<String>> {
    let text = fs::read_to_string(project("docs/logs.md")).expect("the page is there");
    let mut events = BTreeMap::new();
    for line in text.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').collect();
        let [name, _, fields, _] = cells[..] else {
            continue;
        };
        let words = |cell: &str| -> Vec<String> {
            cell.split('`')
                .skip(1)
                .step_by(2)
                .map(str::to_owned)
                .collect()
        };
        events.insert(words(name)[0].clone(), words(fields).into_iter().collect());
    }
    assert!(events.len() > 20, "{events:?}");
    events
}

/// Every name of an event in the source.
fn in_source() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for file in crate::harness::lake::below(&project("src")) {
        if file.extension().is_none_or(|ending| ending != "rs") {
            continue;
        }
        let text = fs::read_to_string(&file).expect("readable");
        for (at, _) in text.match_indices("name: \"") {
            let before = text[..at].trim_end();
            if !before.ends_with("!(") {
                continue;
            }
            let rest = &text[at + 7..];
            names.insert(rest[..rest.find('"').expect("closed")].to_owned());
        }
        for word in [
            "last_line(\"",
            "last_line(\n            \"",
            "line::head(\"ERROR\", \"",
        ] {
            for (at, _) in text.match_indices(word) {
                let rest = &text[at + word.len()..];
                names.insert(rest[..rest.find('"').expect("closed")].to_owned());
            }
        }
    }
    names.retain(|name| !name.contains(' '));
    names
}

#[test]
fn the_page_lists_the_events_of_the_program_and_no_others() {
    let page: BTreeSet<String> = documented().into_keys().collect();
    let mut source = in_source();
    source.extend(["warning", "note", "detail", "library", "run_ended"].map(str::to_owned));
    assert_eq!(page, source);
}

/// The schema's events, with their properties beside the common ones.
fn in_schema() -> BTreeMap<String, Value> {
    let text = fs::read_to_string(project("schemas/json/log-event.json")).expect("it is there");
    let schema: Value = serde_json::from_str(&text).expect("JSON");
    let rules = schema["allOf"].as_array().expect("rules").iter();
    rules
        .map(|rule| {
            let event = rule["if"]["properties"]["event"]["const"].as_str();
            (event.expect("a name").to_owned(), rule["then"].clone())
        })
        .collect()
}

#[test]
fn the_schema_says_what_the_page_says() {
    let schema = in_schema();
    let fields = |then: &Value| -> BTreeSet<String> {
        let names = then["properties"].as_object().expect("properties").keys();
        names.filter(|name| *name != "level").cloned().collect()
    };
    let of_schema: BTreeMap<String, BTreeSet<String>> = (schema.iter())
        .map(|(event, then)| (event.clone(), fields(then)))
        .collect();
    assert_eq!(of_schema, documented());
}

/// Fails the test unless the fields of a line have the types of the schema.
#[track_caller]
fn assert_typed(line: &Value, schema: &BTreeMap<String, Value>) {
    let then = &schema[line["event"].as_str().expect("a name")];
    for (key, rule) in then["properties"].as_object().expect("properties") {
        let value = &line[key];
        let is_right = match (&rule["enum"], rule["type"].as_str()) {
            _ if value.is_null() => true,
            (Value::Array(words), _) => words.contains(value),
            (_, Some("number")) => value.is_number(),
            _ => value.is_string(),
        };
        assert!(is_right, "`{key}` is not {rule} in {line}");
    }
    for key in then["required"].as_array().into_iter().flatten() {
        assert!(
            !line[key.as_str().expect("a name")].is_null(),
            "{key} is missing in {line}"
        );
    }
}

#[test]
fn a_run_with_faults_says_only_what_the_page_lists() {
    let (folder, vendor) = (folder(), Vendor::start(noisy()));
    let exporter = Exporter::new(folder.path())
        .against(vendor.url())
        .at(NOW)
        .set("AIRUDDER_LOG_FORMAT", "json");
    let (page, schema) = (documented(), in_schema());
    let mut seen = BTreeSet::new();
    for args in [
        &["run", "-vv"][..],
        &["run", "-vv"],
        &["compact", "-vv"],
        &["verify", "-vv"],
    ] {
        let ended = exporter.run(args);
        for line in of_one_start(&ended, args[0]) {
            let event = line["event"].as_str().expect("a text");
            let fields = page.get(event);
            let fields =
                fields.unwrap_or_else(|| panic!("`{event}` is not in docs/logs.md: {line}"));
            for key in line.as_object().expect("an object").keys() {
                let is_common = [
                    "timestamp",
                    "level",
                    "event",
                    "run_id",
                    "command",
                    "message",
                ];
                assert!(
                    is_common.contains(&key.as_str()) || fields.contains(key),
                    "`{key}` of `{event}` is not in docs/logs.md: {line}"
                );
            }
            assert_typed(&line, &schema);
            seen.insert(event.to_owned());
        }
    }
    for event in [
        "run_started",
        "planned",
        "request",
        "retry",
        "task_accepted",
        "committed",
        "run_ended",
    ] {
        assert!(seen.contains(event), "{event} was never said: {seen:?}");
    }
}

#[test]
fn a_run_begins_and_ends_with_its_own_lines_and_the_id_of_its_report() {
    let (folder, vendor) = (folder(), Vendor::start(past_days(1, 2, 2)));
    let exporter = Exporter::new(folder.path())
        .against(vendor.url())
        .at(NOW)
        .set("AIRUDDER_LOG_FORMAT", "json")
        .set("AIRUDDER_FORMAT", "json");
    let ended = exporter.run(&["run"]).done();
    let lines = of_one_start(&ended, "run");
    let (first, last) = (&lines[0], &lines[lines.len() - 1]);
    assert_eq!(first["event"], "run_started", "{first}");
    assert_eq!(first["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(last["event"], "run_ended", "{last}");
    assert_eq!(last["exit_code"], 0, "{last}");
    assert_eq!(
        (&last["outcome"], &last["level"]),
        (&"done".into(), &"INFO".into())
    );
    // Standard output is one line, with the same run.
    assert_eq!(ended.stdout.lines().count(), 1, "{}", ended.stdout);
    assert_eq!(ended.json()["run_id"], last["run_id"]);

    let quiet = exporter.run(&["run", "-q"]).done();
    assert!(!quiet.stderr.contains("\"INFO\""), "{}", quiet.stderr);
}

#[test]
fn an_end_says_its_code_and_reason() {
    let folder = folder();
    let exporter = Exporter::new(folder.path())
        .against("http://127.0.0.1:9")
        .job("[api]\nmax_attempts = 1\n")
        .set("AIRUDDER_LOG_FORMAT", "json");
    let ended = exporter.run(&["run"]).with(69);
    let lines = of_one_start(&ended, "run");
    let ends: Vec<&Value> = lines
        .iter()
        .filter(|line| line["event"] == "run_ended")
        .collect();
    assert_eq!(ends.len(), 1, "{}", ended.stderr);
    assert_eq!(ends[0], &lines[lines.len() - 1]);
    assert_eq!(ends[0]["exit_code"], 69);
    assert_eq!(ends[0]["outcome"], "api_unavailable");
    assert!(
        ends[0]["reason"]
            .as_str()
            .expect("a text")
            .contains("base_url"),
        "{}",
        ends[0]
    );
    assert!(!ends[0]["advice"].as_str().expect("a text").is_empty());
}

#[test]
fn a_wrong_setting_and_wrong_usage_are_lines_too() {
    let folder = folder();
    let exporter = Exporter::new(folder.path()).set("AIRUDDER_LOG_FORMAT", "json");
    let wrong = exporter.clone().set("AIRUDDER_RATE", "fast");
    let line = of_one_start(&wrong.run(&["run"]).with(78), "run").remove(0);
    assert_eq!(
        (&line["event"], &line["exit_code"]),
        (&"run_ended".into(), &78.into())
    );
    let ended = exporter.run(&["run", "--rata"]).with(64);
    let line = lines(&ended).remove(0);
    assert_eq!(
        (&line["event"], &line["exit_code"]),
        (&"usage_error".into(), &64.into())
    );
    assert_eq!(line["command"], Value::Null);
}

#[test]
fn results_as_json_are_one_line_for_every_command() {
    let (folder, vendor) = (folder(), Vendor::start(past_days(1, 2, 2)));
    let exporter = Exporter::new(folder.path()).against(vendor.url()).at(NOW);
    exporter.run(&["run"]).done();
    for args in [
        &["plan", "run"][..],
        &["run"],
        &["backfill", "--last", "2d"],
        &["status"],
        &["verify"],
        &["compact"],
        &["compact", "--dry-run"],
        &["vacuum"],
        &["changes", "--since", "0"],
        &["files"],
        &["doctor"],
    ] {
        let ended = exporter.run(&[args, &["--format", "json"]].concat());
        ended.json();
        assert_eq!(
            ended.stdout.lines().count(),
            1,
            "{args:?}: {}",
            ended.stdout
        );
        assert!(ended.stdout.ends_with('\n'), "{args:?}");
    }
}
