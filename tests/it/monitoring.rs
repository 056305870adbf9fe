//! `jobs/monitoring/`: alerts and a dashboard over metrics that exist, and a real Prometheus that
//! scrapes what a run pushed.

use std::collections::BTreeSet;
use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::harness::vendor::past_days;
use crate::harness::{Exporter, NOW, Vendor, folder, project, skip};

const PREFIX: &str = "airudder_export_";

/// The names of metrics in a text.
fn named(text: &str) -> BTreeSet<String> {
    let names = text.match_indices(PREFIX).map(|(at, _)| {
        let rest = text[at..].chars();
        rest.take_while(|sign| sign.is_ascii_alphanumeric() || *sign == '_')
            .collect()
    });
    names.collect()
}

/// The names of the metrics that a run, a compaction and a vacuum write.
fn written() -> BTreeSet<String> {
    let (folder, vendor) = (folder(), Vendor::start(past_days(2, 2, 3)));
    let path = folder.path().join("a.prom");
    let exporter = Exporter::new(folder.path())
        .against(vendor.url())
        .at(NOW)
        .set("AIRUDDER_METRICS_FILE", path.to_str().expect("Unicode"));
    exporter
        .run(&["backfill", "--from", "2024-03-11", "--to", "2024-03-14"])
        .done();
    // A second file in a partition, to be merged.
    for command in ["run", "compact", "vacuum"] {
        exporter.run(&[command]).done();
    }
    let text = fs::read_to_string(&path).expect("written");
    let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    named(&lines.join("\n"))
}

#[test]
fn alerts_dashboard_and_page_name_the_metrics_that_exist() {
    let written = written();
    let read = |path: &str| fs::read_to_string(project(path)).expect("it is there");
    // What a small clean lake has no figure of.
    let seldom = ["misfits_by_kind", "merged_files", "merged_bytes"];
    let all: BTreeSet<String> = (seldom.iter().map(|name| format!("{PREFIX}{name}")))
        .chain(written.iter().cloned())
        .collect();
    for path in [
        "jobs/monitoring/alerts.yml",
        "jobs/monitoring/alerts.test.yml",
        "jobs/monitoring/dashboard.json",
    ] {
        let names = named(&read(path));
        assert!(names.len() > 3, "{path}: {names:?}");
        let unknown: Vec<_> = names.difference(&all).collect();
        assert!(unknown.is_empty(), "{path} names {unknown:?}");
    }
    let board: Value = serde_json::from_str(&read("jobs/monitoring/dashboard.json")).expect("JSON");
    assert!(board["panels"].as_array().expect("panels").len() > 10);
    let page = read("docs/monitoring.md");
    let page: BTreeSet<String> = (page.lines())
        .filter_map(|line| line.strip_prefix("| `")?.split_once('`'))
        .map(|(name, _)| format!("{PREFIX}{name}"))
        .collect();
    let missing: Vec<_> = all.difference(&page).collect();
    assert!(missing.is_empty(), "docs/monitoring.md lacks {missing:?}");
}

/// A process that ends with its test.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        // It is ours, and may have ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("it listens").port()
}

fn start(program: &str, arguments: &[String], folder: &Path) -> Result<Server, String> {
    let child = Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    child
        .map(Server)
        .map_err(|error| format!("{program}: {error}"))
}

/// What a server answers, as text; empty while it does not.
fn get(url: &str) -> String {
    let output = Command::new("curl")
        .args(["-sgf", "--max-time", "5", url])
        .output();
    output.map_or_else(
        |_| String::new(),
        |output| String::from_utf8_lossy(&output.stdout).into_owned(),
    )
}

#[test]
#[ignore = "needs prometheus and prometheus-pushgateway from Debian: just test-all"]
#[allow(clippy::too_many_lines, reason = "one night, server by server")]
fn a_real_prometheus_scrapes_what_the_report_says() {
    let (folder, vendor) = (folder(), Vendor::start(past_days(2, 3, 3)));
    let monitoring = project("jobs/monitoring");
    for arguments in [
        ["check", "rules", "alerts.yml"],
        ["test", "rules", "alerts.test.yml"],
    ] {
        match Command::new("promtool")
            .args(arguments)
            .current_dir(&monitoring)
            .output()
        {
            Ok(output) => assert!(output.status.success(), "{output:?}"),
            Err(error) => return skip(&format!("promtool: {error}")),
        }
    }
    let (gateway, prometheus) = (free_port(), free_port());
    let address = |port: u16| format!("127.0.0.1:{port}");
    let listen = format!("--web.listen-address={}", address(gateway));
    let _gateway = match start("prometheus-pushgateway", &[listen], folder.path()) {
        Ok(server) => server,
        Err(why) => return skip(&why),
    };
    let config = format!(
        "global: {{scrape_interval: 1s}}\nscrape_configs:\n  - job_name: pushgateway\n    honor_labels: true\n    \
         static_configs: [{{targets: ['{}']}}]\n",
        address(gateway)
    );
    fs::write(folder.path().join("prometheus.yml"), config).expect("writable");
    let _prometheus = match start(
        "prometheus",
        &[
            "--config.file=prometheus.yml".to_owned(),
            "--storage.tsdb.path=data".to_owned(),
            format!("--web.listen-address={}", address(prometheus)),
        ],
        folder.path(),
    ) {
        Ok(server) => server,
        Err(why) => return skip(&why),
    };
    let started = Instant::now();
    let until = |what: &dyn Fn() -> bool| {
        while !what() {
            assert!(
                started.elapsed() < Duration::from_mins(1),
                "nothing answers"
            );
            thread::sleep(Duration::from_millis(100));
        }
    };
    until(&|| !get(&format!("http://{}/-/ready", address(gateway))).is_empty());
    let file = folder.path().join("a.prom");
    let exporter = Exporter::new(folder.path())
        .against(vendor.url())
        .at(NOW)
        .set("AIRUDDER_METRICS_FILE", file.to_str().expect("Unicode"))
        .set(
            "AIRUDDER_METRICS_PUSH",
            &format!("http://{}", address(gateway)),
        );
    let report = exporter.run(&["run", "--format", "json"]).done().json();

    let text = fs::File::open(&file).expect("written");
    let lint = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(text)
        .output();
    let lint = lint.expect("it was there before");
    assert!(
        lint.status.success(),
        "{}",
        String::from_utf8_lossy(&lint.stderr)
    );

    let query = |query: &str| -> Vec<Value> {
        let answer = get(&format!(
            "http://{}/api/v1/query?query={query}",
            address(prometheus)
        ));
        let answer: Value = serde_json::from_str(&answer).unwrap_or_default();
        answer["data"]["result"]
            .as_array()
            .cloned()
            .unwrap_or_default()
    };
    until(&|| !query("airudder_export_rows").is_empty());
    let value = |result: &Value| -> f64 {
        let text = result["value"][1].as_str().expect("a text");
        text.parse().expect("a number")
    };
    for result in query("airudder_export_rows") {
        let labels = &result["metric"];
        assert_eq!(
            (&labels["job"], &labels["command"]),
            (&"airudder_export".into(), &"run".into())
        );
        let written = &report["written"][labels["table"].as_str().expect("a table")];
        assert_eq!(Some(value(&result)), written["rows"].as_f64());
    }
    for (name, reported) in [
        ("exit_code", &report["exit_code"]),
        ("duration_seconds", &report["duration_seconds"]),
        ("received_bytes", &report["requests"]["bytes_received"]),
        ("rejects", &report["rejects"]),
    ] {
        let results = query(&format!("{PREFIX}{name}"));
        assert_eq!(
            results.iter().map(value).next(),
            reported.as_f64(),
            "{name}"
        );
    }
    let requests: f64 = query("airudder_export_requests").iter().map(value).sum();
    assert_eq!(Some(requests), report["requests"]["total"].as_f64());
}
