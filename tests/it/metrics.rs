//! Figures of a run for Prometheus: the file, the pushgateway, and what they say.

#![allow(
    clippy::float_cmp,
    clippy::cast_precision_loss,
    reason = "figures are written and read digit by digit"
)]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::Value;

use crate::harness::scripted::{Reply, Request, Scripted};
use crate::harness::vendor::past_days;
use crate::harness::{Exporter, NOW, Vendor, folder};

/// The figures of a text, by name and labels as they are written.
fn figures(text: &str) -> BTreeMap<String, f64> {
    assert!(text.ends_with("# EOF\n"), "{text}");
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let figure = |line: &str| {
        let (name, value) = line.rsplit_once(' ').expect("a value");
        (
            name.trim_start_matches("airudder_export_").to_owned(),
            value.parse().expect("a number"),
        )
    };
    lines.map(figure).collect()
}

/// Fails the test unless the figures are what the report says.
fn assert_as_reported(figures: &BTreeMap<String, f64>, report: &Value, command: &str) {
    let is = |name: String, value: &Value| {
        let figure = figures.get(&name);
        assert_eq!(figure.copied(), value.as_f64(), "{name} in {figures:#?}");
    };
    let own = format!("{{command=\"{command}\"");
    is(
        format!("duration_seconds{own}}}"),
        &report["duration_seconds"],
    );
    is(format!("exit_code{own}}}"), &report["exit_code"]);
    is(format!("rejects{own}}}"), &report["rejects"]);
    is(format!("retries{own}}}"), &report["requests"]["retries"]);
    is(format!("holds{own}}}"), &report["requests"]["holds"]);
    is(
        format!("pace_wait_seconds{own}}}"),
        &report["requests"]["waited_seconds"],
    );
    is(
        format!("received_bytes{own}}}"),
        &report["requests"]["bytes_received"],
    );
    for (decision, count) in report["planned"].as_object().expect("planned") {
        is(
            format!("planned_tasks{own},decision=\"{decision}\"}}"),
            count,
        );
    }
    for (state, count) in report["tasks"].as_object().expect("tasks") {
        is(format!("tasks{own},state=\"{state}\"}}"), count);
    }
    for (table, written) in report["written"].as_object().expect("written") {
        is(format!("rows{own},table=\"{table}\"}}"), &written["rows"]);
        is(format!("files{own},table=\"{table}\"}}"), &written["files"]);
        is(
            format!("written_bytes{own},table=\"{table}\"}}"),
            &written["bytes"],
        );
    }
    for (endpoint, sums) in report["requests"]["by_endpoint"]
        .as_object()
        .expect("requests")
    {
        for (outcome, count) in sums["outcomes"].as_object().expect("outcomes") {
            let labels = format!("endpoint=\"{endpoint}\",outcome=\"{outcome}\"");
            is(format!("requests{own},{labels}}}"), count);
        }
    }
}

#[test]
fn the_file_says_what_the_report_says_and_keeps_the_last_success() {
    let (folder, vendor) = (folder(), Vendor::start(past_days(2, 3, 3)));
    let path = folder.path().join("airudder.prom");
    let exporter = Exporter::new(folder.path()).against(vendor.url()).at(NOW);
    let file = ["--metrics-file", path.to_str().expect("Unicode")];
    let range = ["--from", "2024-03-11", "--to", "2024-03-13"];
    exporter.run(&[&["backfill"], &range[..]].concat()).done();
    let run = [&["run", "--format", "json"], &file[..]].concat();
    let report = exporter.run(&run).done().json();
    let first = figures(&fs::read_to_string(&path).expect("written"));
    assert_as_reported(&first, &report, "run");
    let own = "{command=\"run\"}";
    let success = first[&format!("last_success_timestamp_seconds{own}")];
    let ended: chrono::DateTime<chrono::Utc> = report["ended_at"]
        .as_str()
        .expect("a time")
        .parse()
        .expect("a time");
    assert!((success - ended.timestamp_millis() as f64 / 1000.0).abs() < 1e-6);
    assert!(first[&format!("peak_memory_bytes{own}")] > 1e6);
    let days = ["complete", "incomplete", "missing"].map(|state| {
        let name = format!("lake_dates{{state=\"{state}\"}}");
        first[&name]
    });
    assert_eq!(days.iter().sum::<f64>(), 7.0, "{first:#?}");
    assert!(days[0] >= 1.0, "{days:?}");
    assert_eq!(first["lake_problems{kind=\"stale\"}"], 0.0);
    assert_eq!(
        fs::metadata(&path).expect("there").permissions().mode() & 0o777,
        0o644
    );

    // A maintenance command has figures of its own beside them.
    exporter.run(&[&["compact"], &file[..]].concat()).done();
    exporter.run(&[&["vacuum"], &file[..]].concat()).done();
    let both = figures(&fs::read_to_string(&path).expect("written"));
    assert_eq!(
        both[&format!("last_success_timestamp_seconds{own}")],
        success
    );
    for command in ["compact", "vacuum"] {
        assert_eq!(both[&format!("exit_code{{command=\"{command}\"}}")], 0.0);
    }

    // A run that fails says so and does not hide when the last one succeeded.
    let dead = exporter
        .clone()
        .at("2024-03-18T03:00:00Z")
        .job("[api]\nmax_attempts = 1\n")
        .against("http://127.0.0.1:9");
    dead.run(&[&["run"], &file[..]].concat()).with(69);
    let after = figures(&fs::read_to_string(&path).expect("written"));
    assert_eq!(after[&format!("exit_code{own}")], 69.0);
    assert_eq!(
        after[&format!("last_success_timestamp_seconds{own}")],
        success
    );
    assert_eq!(after["lake_problems{kind=\"last_run\"}"], 1.0);

    // The same if the lake can't be asked.
    let gone = dead.lake("quick.toml/none");
    gone.run(&[&["run"], &file[..]].concat()).with(74);
    let after = figures(&fs::read_to_string(&path).expect("written"));
    assert_eq!(after[&format!("exit_code{own}")], 74.0);
    assert_eq!(
        after[&format!("last_success_timestamp_seconds{own}")],
        success
    );
    assert_eq!(after["lake_dates{state=\"complete\"}"], days[0]);
    let left = fs::read_dir(folder.path()).expect("there").flatten();
    let is_aside =
        |path: std::path::PathBuf| path.extension().is_some_and(|ending| ending == "tmp");
    assert!(!left.map(|entry| entry.path()).any(is_aside));
}

#[test]
fn a_lost_file_is_no_lost_success() {
    let (folder, vendor) = (folder(), Vendor::start(past_days(1, 2, 2)));
    let path = folder.path().join("a.prom");
    let exporter = Exporter::new(folder.path())
        .against(vendor.url())
        .at(NOW)
        .set("AIRUDDER_METRICS_FILE", path.to_str().expect("Unicode"));
    exporter.run(&["run"]).done();
    let name = "last_success_timestamp_seconds{command=\"run\"}";
    let success = figures(&fs::read_to_string(&path).expect("written"))[name];
    fs::remove_file(&path).expect("ours");
    let wrong = exporter.set("AIRUDDER_APP_SECRET", "wrong");
    wrong.run(&["run"]).with(77);
    assert_eq!(
        figures(&fs::read_to_string(&path).expect("written"))[name],
        success
    );
}

#[test]
fn what_cannot_be_written_or_pushed_is_a_warning() {
    let (folder, vendor) = (folder(), Vendor::start(past_days(1, 1, 1)));
    let exporter = Exporter::new(folder.path())
        .against(vendor.url())
        .at(NOW)
        .set("AIRUDDER_METRICS_FILE", "no/such/folder/a.prom")
        .set("AIRUDDER_METRICS_PUSH", "http://user:MARK@127.0.0.1:9/MARK");
    let ended = exporter.run(&["run"]).done();
    let ended = ended.saying(&["`metrics.file`", "`metrics.push` (http://127.0.0.1:9)"]);
    assert!(!ended.stderr.contains("MARK"), "{}", ended.stderr);
    let wrong = exporter.set("AIRUDDER_METRICS_PUSH", "MARK");
    let ended = wrong.run(&["run"]).with(78).saying(&["metrics.push"]);
    assert!(!ended.stderr.contains("MARK"), "{}", ended.stderr);
}

#[test]
fn a_password_of_a_pushgateway_does_not_belong_in_a_job_file() {
    let folder = folder();
    let exporter = Exporter::new(folder.path())
        .against("http://127.0.0.1:9")
        .job("[metrics]\npush = \"http://user:MARK@host\"\n");
    let ended = exporter
        .run(&["run"])
        .with(78)
        .saying(&["metrics.push", "environment"]);
    assert!(!ended.stderr.contains("MARK"), "{}", ended.stderr);
}

#[test]
fn a_pushgateway_gets_the_figures_of_each_command_in_a_group_of_its_own() {
    let gateway = Scripted::start(|_| Some(Reply::ok("")));
    let (folder, vendor) = (folder(), Vendor::start(past_days(1, 2, 2)));
    let exporter = Exporter::new(folder.path())
        .against(vendor.url())
        .at(NOW)
        .set("AIRUDDER_METRICS_PUSH", gateway.url());
    let report = exporter.run(&["run", "--format", "json"]).done().json();
    exporter.run(&["compact"]).done();
    let seen: Vec<Request> = gateway.seen();
    let paths: Vec<&str> = seen.iter().map(|request| &*request.path).collect();
    assert_eq!(
        paths,
        [
            "/metrics/job/airudder_export/command/run",
            "/metrics/job/airudder_export/command/compact"
        ]
    );
    assert_eq!(seen[0].method, "POST");
    let text = String::from_utf8(seen[0].bytes.clone()).expect("text");
    assert_as_reported(&figures(&text), &report, "run");
}

#[test]
fn a_gateway_that_never_answers_is_not_waited_for() {
    let (silent, vendor) = (
        std::net::TcpListener::bind("127.0.0.1:0").expect("a free port"),
        Vendor::start(past_days(1, 1, 1)),
    );
    let folder = folder();
    let address = format!("http://{}", silent.local_addr().expect("it listens"));
    let exporter = Exporter::new(folder.path())
        .against(vendor.url())
        .at(NOW)
        .set("AIRUDDER_METRICS_PUSH", &address)
        .set("AIRUDDER_HOOKS_PING", &address)
        .set("OPENLINEAGE_URL", &address)
        .set("OTEL_EXPORTER_OTLP_ENDPOINT", &address);
    let ended = exporter.run(&["run"]).done();
    ended.saying(&[
        "metrics.push",
        "hooks.ping",
        "OPENLINEAGE_URL",
        "within 5 s",
    ]);
}
