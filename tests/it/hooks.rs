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

/// `told` holds each argument in brackets on a line of its own.
const ARGUMENTS: &str = r#"printf '<%s>\n' "$@" > told"#;

/// An exporter whose job file has these lines under `[hooks]`, where `HOOK` is the program: in a
/// folder whose name has a space.
fn with_hooks(folder: &Path, vendor: &Vendor, lines: &str) -> Exporter {
    let inner = folder.join("with space");
    fs::create_dir_all(&inner).expect("ours");
    let hook = script(&inner, ARGUMENTS).display().to_string();
    let lines = lines.replace("HOOK", &hook);
    let api = "[api]\nrate = \"2000/s\"\nburst = 100\nmax_attempts = 1\nbase_backoff = \"1ms\"";
    Exporter::new(folder)
        .against(vendor.url())
        .at(NOW)
        .job(&format!("{api}\n[hooks]\n{lines}\n"))
        .set("PATH", "/usr/bin:/bin")
}

#[rstest]
#[case(r#"["HOOK", "--day", "a b,c"]"#, "<--day>\n<a b,c>\n")]
#[case(r#""'HOOK' --day 'a b,c'""#, "<--day>\n<a b,c>\n")]
#[case(r#"'"HOOK" --day "a b,c"'"#, "<--day>\n<a b,c>\n")]
#[case(r#"""" "HOOK"  x\ty '' """"#, "<x>\n<y>\n<>\n")]
#[case(
    r#"'"HOOK" $(id) ~ * | x; > y # z'"#,
    "<$(id)>\n<~>\n<*>\n<|>\n<x;>\n<>>\n<y>\n<#>\n<z>\n"
)]
#[case(
    r#"'"HOOK" "\$a \`b\` \"c\" \\ \d" e\ f'"#,
    "<$a `b` \"c\" \\ \\d>\n<e f>\n"
)]
// A list is taken as it is: no word of it is split.
#[case(r#"["HOOK", "'a' b", ""]"#, "<'a' b>\n<>\n")]
// A word that begins with a bracket is none in a text of the job file.
#[case(r#"'"HOOK" [x] "[y"'"#, "<[x]>\n<[y>\n")]
fn a_hook_is_a_list_or_a_text_split_as_a_shell_would(
    #[case] command: &str,
    #[case] arguments: &str,
    #[values("on_success", "on_failure")] hook: &str,
) {
    let (folder, vendor) = (folder(), Vendor::start(past_days(1, 1, 1)));
    let exporter = with_hooks(folder.path(), &vendor, &format!("{hook} = {command}"));
    if hook == "on_success" {
        exporter.run(&["run"]).done();
    } else {
        exporter
            .against("http://127.0.0.1:9")
            .run(&["run"])
            .with(69);
    }
    let told = fs::read_to_string(folder.path().join("told")).expect("the hook was started");
    assert_eq!(told, arguments);
}

#[rstest]
#[case(
    "'HOOK' --days 2024-03-01,2024-03-02 'a b'",
    "<--days>\n<2024-03-01,2024-03-02>\n<a b>\n"
)]
#[case("[\"HOOK\", \"a b\", \"c,d\"]", "<a b>\n<c,d>\n")]
fn a_variable_is_split_into_words_and_not_at_commas(
    #[case] command: &str,
    #[case] arguments: &str,
) {
    let (folder, vendor) = (folder(), Vendor::start(past_days(1, 1, 1)));
    let exporter = with_hooks(folder.path(), &vendor, "on_success = '/bin/false'");
    let hook = folder.path().join("with space/hook.sh");
    let command = command.replace("HOOK", hook.to_str().expect("Unicode"));
    let exporter = exporter.set("AIRUDDER_HOOKS_ON_SUCCESS", &command);
    exporter.run(&["run"]).done();
    let told = fs::read_to_string(folder.path().join("told")).expect("the hook was started");
    assert_eq!(told, arguments);
}

#[test]
fn an_empty_list_starts_nothing() {
    let (folder, vendor) = (folder(), Vendor::start(past_days(1, 1, 1)));
    for lines in ["on_success = []", "on_success = ''"] {
        let ended = with_hooks(folder.path(), &vendor, lines)
            .run(&["run"])
            .done();
        assert!(!ended.stderr.contains("hooks"), "{}", ended.stderr);
    }
    let exporter = with_hooks(folder.path(), &vendor, "on_success = '/bin/false'");
    let ended = exporter
        .set("AIRUDDER_HOOKS_ON_SUCCESS", "[]")
        .run(&["run"])
        .done();
    assert!(!ended.stderr.contains("hooks"), "{}", ended.stderr);
}

#[rstest]
#[case(r#""HOOK 'MARK""#, "a quote (') is not closed")]
#[case(r"'HOOK MARK\'", "ends with \\")]
#[case(r#"["", "MARK"]"#, "the program")]
#[case(r#""'' MARK""#, "the program")]
#[case("5", "a list of texts")]
#[case(r#"["MARK", 5]"#, "a list of texts")]
fn a_hook_that_is_no_command_is_refused_before_the_run(#[case] command: &str, #[case] part: &str) {
    let (folder, vendor) = (folder(), Vendor::start(past_days(1, 1, 1)));
    let exporter = with_hooks(folder.path(), &vendor, &format!("on_failure = {command}"));
    let ended = exporter.run(&["run"]).with(78);
    let ended = ended.saying(&["`hooks.on_failure` (from ", part]);
    assert!(!ended.stderr.contains("MARK"), "{}", ended.stderr);
}

#[rstest]
#[case("HOOK 'MARK", "a quote (') is not closed")]
#[case("[\"HOOK\", MARK]", "it is no value as in the job file")]
fn a_variable_that_is_no_command_is_named(#[case] command: &str, #[case] part: &str) {
    let (folder, vendor) = (folder(), Vendor::start(past_days(1, 1, 1)));
    let exporter = with_hooks(folder.path(), &vendor, "");
    let exporter = exporter.set("AIRUDDER_HOOKS_ON_FAILURE", command);
    let ended = exporter.run(&["run"]).with(78);
    let ended = ended.saying(&["AIRUDDER_HOOKS_ON_FAILURE", part]);
    assert!(!ended.stderr.contains("MARK"), "{}", ended.stderr);
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
    // The line of a shell as the only text of a list.
    let exporter = with_hooks(folder.path(), &vendor, "on_success = [\"/bin/echo done\"]");
    exporter.run(&["run"]).done().saying(&[
        "`hooks.on_success` could not be started",
        "in a list, each argument is a text of its own",
    ]);
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
