//! Commands and a dead man's switch: what they are told, what they are not, and that they change
//! nothing.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use rstest::rstest;

use crate::harness::scripted::{Reply, Scripted};
use crate::harness::vendor::past_days;
use crate::harness::{Exporter, NOW, Vendor, folder};

/// A program that writes its environment and arguments to a file.
fn script(folder: &Path, text: &str) -> PathBuf {
    let path = folder.join("hook.sh");
    fs::write(&path, format!("#!/bin/sh\n{text}\n")).expect("writable");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("ours");
    path
}

fn job(success: &Path, failure: &Path, more: &str) -> String {
    format!(
        "[api]\nrate = \"2000/s\"\nburst = 100\nbase_backoff = \"1ms\"\nmax_attempts = 1\n\
         [hooks]\non_success = [\"{}\", \"it's done; $(id)\"]\non_failure = [\"{}\", \"failed\"]\n{more}\n",
        success.display(),
        failure.display()
    )
}

fn told(path: &Path) -> BTreeMap<String, String> {
    let text = fs::read_to_string(path).expect("the hook was started");
    let pairs = text.lines().filter_map(|line| line.split_once('='));
    pairs
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

#[test]
fn a_hook_gets_the_facts_and_no_secret_and_no_shell() {
    let (folder, vendor) = (folder(), Vendor::start(past_days(1, 2, 2)));
    let hook = script(
        folder.path(),
        "env > told; echo \"ARGUMENT=$1\" >> told; echo printed",
    );
    let exporter = Exporter::new(folder.path())
        .against(vendor.url())
        .at(NOW)
        .job(&job(&hook, &hook, ""))
        .set("PATH", "/usr/bin:/bin")
        .set("AIRUDDER_RATE_SHARED", "redis://:MARK@127.0.0.1:9")
        .set(
            "AIRUDDER_API_TASK_DETAIL_EXTRA_PARAMS",
            "{ token = \"MARK\" }",
        )
        .set("OPENLINEAGE_API_KEY", "MARK");
    let ended = exporter.run(&["run", "--format", "json"]).done();
    let report = ended.json();
    let facts = told(&folder.path().join("told"));
    let fact = |name: &str| facts[&format!("AIRUDDER_EXPORT_{name}")].as_str();
    assert_eq!(fact("RUN_ID"), report["run_id"]);
    assert_eq!(
        (fact("COMMAND"), fact("EXIT_CODE"), fact("OUTCOME")),
        ("run", "0", "done")
    );
    assert_eq!(fact("REASON"), "done");
    assert_eq!(fact("DEST"), exporter.dest().to_str().expect("Unicode"));
    assert_eq!(facts["ARGUMENT"], "it's done; $(id)");
    assert!(fact("ROWS").parse::<u64>().expect("a number") > 0);
    assert!(!facts.contains_key("AIRUDDER_APP_KEY") && !facts.contains_key("AIRUDDER_APP_SECRET"));
    let text = fs::read_to_string(folder.path().join("told")).expect("written");
    assert!(
        !text.contains("MARK") && !text.contains("sandbox-secret"),
        "{text}"
    );
    assert!(ended.stderr.contains("printed"), "{}", ended.stderr);

    let dead = exporter.against("http://127.0.0.1:9");
    dead.run(&["run", "--log-format", "json"]).with(69);
    let facts = told(&folder.path().join("told"));
    assert_eq!(facts["AIRUDDER_EXPORT_EXIT_CODE"], "69");
    assert_eq!(facts["AIRUDDER_EXPORT_OUTCOME"], "api_unavailable");
    assert!(
        facts["AIRUDDER_EXPORT_REASON"].contains("base_url"),
        "{facts:?}"
    );
    assert_eq!(facts["ARGUMENT"], "failed");
}

#[test]
fn a_hook_may_start_this_program() {
    let (folder, vendor) = (folder(), Vendor::start(past_days(1, 2, 2)));
    let program = Path::new(env!("CARGO_BIN_EXE_airudder-export"));
    let hook = script(
        folder.path(),
        &format!("{} status --format json > told.json", program.display()),
    );
    let exporter = Exporter::new(folder.path())
        .against(vendor.url())
        .at(NOW)
        .job(&job(&hook, &hook, ""))
        .set("PATH", "/usr/bin:/bin");
    let ended = exporter.run(&["run"]).done();
    let text = fs::read_to_string(folder.path().join("told.json")).expect("started");
    assert!(text.contains("\"sequence\":1"), "{text} {}", ended.stderr);
}

#[rstest]
#[case("exit 3", "", "exit status: 3")]
#[case("sleep 600", "timeout = \"200ms\"", "`hooks.timeout`")]
#[case("sleep 600 & wait", "timeout = \"200ms\"", "was killed")]
fn a_hook_that_fails_or_hangs_is_a_warning(
    #[case] text: &str,
    #[case] more: &str,
    #[case] part: &str,
) {
    let (folder, vendor) = (folder(), Vendor::start(past_days(1, 1, 1)));
    let hook = script(folder.path(), text);
    let exporter = Exporter::new(folder.path())
        .against(vendor.url())
        .at(NOW)
        .job(&job(&hook, &hook, more))
        .set("PATH", "/usr/bin:/bin");
    exporter
        .run(&["run"])
        .done()
        .saying(&["`hooks.on_success`", part]);
}

#[test]
fn a_hook_that_is_not_there_is_a_warning() {
    let (folder, vendor) = (folder(), Vendor::start(past_days(1, 1, 1)));
    let none = folder.path().join("none");
    let exporter = Exporter::new(folder.path())
        .against(vendor.url())
        .at(NOW)
        .job(&job(&none, &none, ""));
    exporter
        .run(&["run"])
        .done()
        .saying(&["`hooks.on_success` could not be started"]);
}

#[test]
fn a_dead_mans_switch_hears_of_start_success_and_failure() {
    let server = Scripted::start(|_| Some(Reply::ok("OK")));
    let (folder, vendor) = (folder(), Vendor::start(past_days(1, 1, 1)));
    let exporter = Exporter::new(folder.path())
        .against(vendor.url())
        .at(NOW)
        .set(
            "AIRUDDER_HOOKS_PING",
            &format!("{}/MARK-uuid?x=1", server.url()),
        );
    exporter.run(&["run"]).done();
    exporter.run(&["compact", "--dry-run"]).done();
    exporter.run(&["plan", "run"]).done();
    let wrong = exporter.clone().set("AIRUDDER_APP_SECRET", "wrong");
    wrong.run(&["run"]).with(77);
    let paths: Vec<String> = server.seen().into_iter().map(|one| one.path).collect();
    assert_eq!(
        paths,
        [
            "/MARK-uuid/start",
            "/MARK-uuid",
            "/MARK-uuid/start",
            "/MARK-uuid/fail"
        ]
    );
    let deaf = exporter.set("AIRUDDER_HOOKS_PING", "http://127.0.0.1:9/MARK-uuid");
    let ended = deaf.run(&["run"]).done();
    let ended = ended.saying(&["`hooks.ping` (http://127.0.0.1:9) failed"]);
    assert!(!ended.stderr.contains("MARK"), "{}", ended.stderr);
}
