//! What the settings promise about safety, and that the worked examples work.

use std::fs;

use crate::harness::scripted::{Reply, Request, Scripted, account};
use crate::harness::vendor::past_days;
use crate::harness::{Exporter, NOW, Vendor, folder, project};

#[test]
fn a_redirect_to_another_host_never_carries_the_token() {
    let elsewhere = Scripted::start(|_| Some(Reply::status(404, "")));
    for status in [301, 302, 303, 307, 308] {
        let location = format!("location: {}/service/cloud/workflow/list", elsewhere.url());
        let server = Scripted::start(move |request| {
            let redirect = Reply {
                headers: vec![location.clone()],
                ..Reply::status(status, "")
            };
            let signs_in = request.path.ends_with("auth");
            Some(if signs_in {
                account(&[], request)
            } else {
                redirect
            })
        });
        let folder = folder();
        let exporter = Exporter::new(folder.path()).against(server.url());
        // The API gave a token at this address: it is an outage.
        exporter
            .run(&["run"])
            .with(69)
            .saying(&["redirect", "base_url"]);
        assert!(server.seen().iter().any(Request::has_token));
    }
    assert_eq!(elsewhere.seen().len(), 0, "it followed");
}

#[test]
fn a_redirect_of_the_sign_in_never_carries_the_secret() {
    let elsewhere = Scripted::start(|request| Some(account(&[], request)));
    let location = format!("location: {}/service/cloud/auth", elsewhere.url());
    let server = Scripted::start(move |_| {
        Some(Reply {
            headers: vec![location.clone()],
            ..Reply::status(307, "")
        })
    });
    let folder = folder();
    let exporter = Exporter::new(folder.path()).against(server.url());
    let ended = exporter.run(&["run"]).with(69);
    ended.saying(&["redirect", elsewhere.url(), "base_url"]);
    assert_eq!(elsewhere.seen().len(), 0, "it followed");
}

#[test]
fn an_address_that_has_moved_for_good_is_a_wrong_setting() {
    let server = Scripted::start(|_| {
        Some(Reply {
            headers: vec!["location: https://elsewhere.example/x".to_owned()],
            ..Reply::status(301, "")
        })
    });
    let folder = folder();
    let exporter = Exporter::new(folder.path()).against(server.url());
    let ended = exporter.run(&["run"]).with(78);
    ended.saying(&["https://elsewhere.example", "base_url"]);
}

#[test]
fn a_proxy_that_cannot_be_read_is_no_direct_connection() {
    let folder = folder();
    let exporter = Exporter::new(folder.path()).against("https://api.invalid");
    for (variable, value) in [
        ("HTTPS_PROXY", "garbage"),
        ("https_proxy", "::"),
        ("ALL_PROXY", "socks5://user:MARK-PASSWORD@proxy:1080"),
    ] {
        let ended = exporter.clone().set(variable, value).run(&["run"]).with(78);
        let ended = ended.saying(&[variable]);
        assert!(!ended.stderr.contains("MARK"), "{}", ended.stderr);
    }
}

#[test]
fn the_worked_job_files_work_with_plan() {
    let vendor = Vendor::start(past_days(2, 4, 3));
    for (job, args) in [
        ("nightly.toml", &["plan", "run"][..]),
        (
            "backfill.toml",
            &[
                "plan",
                "backfill",
                "--from",
                "2024-03-11",
                "--to",
                "2024-03-12",
            ],
        ),
    ] {
        let folder = folder();
        let text = fs::read_to_string(project("jobs").join(job)).expect("it ships");
        let exporter = Exporter::new(folder.path())
            .against(vendor.url())
            .at(NOW)
            .job(&text);
        let ended = exporter.run(args).done();
        assert!(
            ended.stdout.contains("final and settled"),
            "{}",
            ended.stdout
        );
        // The keys from files, as the examples have it.
        fs::write(folder.path().join("key"), "sandbox-key\n").expect("writable");
        fs::write(folder.path().join("secret"), "sandbox-secret\n").expect("writable");
        #[cfg(unix)]
        for name in ["key", "secret"] {
            use std::os::unix::fs::PermissionsExt as _;
            let owner_alone = fs::Permissions::from_mode(0o600);
            fs::set_permissions(folder.path().join(name), owner_alone).expect("ours");
        }
        let files = exporter
            .unset("AIRUDDER_APP_KEY")
            .unset("AIRUDDER_APP_SECRET")
            .set("AIRUDDER_APP_KEY_FILE", "key")
            .set("AIRUDDER_APP_SECRET_FILE", "secret");
        files.run(args).done();
    }
    assert_eq!(vendor.stats().details.len(), 0, "plan pulls nothing");
}

#[test]
fn the_job_file_that_init_writes_is_taken_as_it_is() {
    let (folder, vendor) = (folder(), Vendor::start(past_days(1, 2, 3)));
    let exporter = Exporter::new(folder.path()).against(vendor.url()).at(NOW);
    exporter.run(&["init", "fresh.toml"]).done();
    let fresh = exporter.set("AIRUDDER_JOB", "fresh.toml");
    fresh.run(&["plan", "run"]).done();
}

#[test]
fn a_flag_goes_before_a_variable_and_a_variable_before_the_job_file() {
    let (folder, vendor) = (folder(), Vendor::start(past_days(1, 1, 1)));
    let exporter = Exporter::new(folder.path())
        .unset("AIRUDDER_DEST")
        .against(vendor.url())
        .at(NOW)
        .job("dest = \"from-file\"\n");
    let at = |name: &str| folder.path().join(name).join("_export").exists();
    exporter.run(&["run"]).done();
    assert!(at("from-file"));
    let variable = exporter.set("AIRUDDER_DEST", "from-variable");
    variable.run(&["run"]).done();
    assert!(at("from-variable"));
    variable.run(&["run", "--dest", "from-flag"]).done();
    assert!(at("from-flag"));
}

#[test]
fn a_variable_that_nothing_reads_stops_every_command_that_has_settings() {
    let folder = folder();
    let exporter = Exporter::new(folder.path()).set("AIRUDDER_RAET", "5/s");
    for command in [
        "run",
        "replay x.json",
        "status",
        "files",
        "verify",
        "compact",
        "vacuum",
    ] {
        let args: Vec<&str> = command.split(' ').collect();
        exporter.run(&args).with(78).saying(&[
            "airudder-export: unknown environment variable AIRUDDER_RAET; did you mean AIRUDDER_RATE?",
        ]);
    }
    let ended = exporter.run(&["doctor"]).with(78);
    assert!(ended.stdout.contains("AIRUDDER_RAET"), "{}", ended.stdout);
    // These have no settings: a shell's start-up must not fail because of one.
    for command in ["schema", "completions bash", "init -"] {
        let args: Vec<&str> = command.split_whitespace().collect();
        exporter.run(&args).done();
    }
    // Kubernetes' own, for a service called airudder-export.
    let exporter = Exporter::new(folder.path());
    let exporter = exporter.set("AIRUDDER_EXPORT_PORT", "tcp://10.0.0.11:8787");
    fs::create_dir(exporter.dest()).expect("writable");
    exporter
        .set("AIRUDDER_EXPORT_SERVICE_HOST", "10.0.0.11")
        .run(&["status"])
        .done();
}

#[test]
fn a_setting_that_gives_way_to_another_one_is_said_with_both_names() {
    let folder = folder();
    let exporter = Exporter::new(folder.path());
    fs::create_dir(exporter.dest()).expect("writable");
    let sharded = exporter.clone().set("AIRUDDER_SHARD", "1/4");
    for (variable, value, key) in [
        ("AIRUDDER_RATE_PROCESSES", "2", "rate.processes"),
        ("AIRUDDER_SHARD_COUNT", "2", "tasks.shard_count"),
    ] {
        let ended = sharded.clone().set(variable, value).run(&["run"]).with(78);
        ended.saying(&[key, "tasks.shard", "4"]);
    }
    // It reads neither: it is one process for all shards.
    let both = sharded.set("AIRUDDER_SHARD_COUNT", "2");
    both.run(&["status"]).done();
    let json = exporter.clone().set("AIRUDDER_FORMAT", "json");
    json.run(&["files"])
        .done()
        .saying(&["output.format", "--format json"]);
    for said in ["--format=json", "--format=paths"] {
        let ended = json.run(&["files", said]).done();
        assert!(!ended.stderr.contains("output.format"), "{}", ended.stderr);
    }
    let rehearsal = exporter.clone().set("AIRUDDER_AS_OF", "2024-03-18");
    let ended = rehearsal.run(&["vacuum", "--dry-run"]).done();
    ended.saying(&["AIRUDDER_AS_OF", "--older-than"]);
    let spooled = exporter.set("AIRUDDER_STORE_SPOOL", "spool");
    let ended = spooled.run(&["status"]).done();
    ended.saying(&["store.spool", "`dest` is a folder"]);
}

#[test]
fn a_flag_of_listings_is_said_to_be_idle_where_tasks_are_named() {
    let vendor = Vendor::start(past_days(1, 2, 1));
    let folder = folder();
    let exporter = Exporter::new(folder.path()).against(vendor.url()).at(NOW);
    let task = vendor.truth()[0].task.task_id.clone();
    let named = ["plan", "run", "--task-id", &task, "--page-size", "7"];
    let ended = exporter.run(&named).done();
    ended.saying(&["api.page_size", "--page-size", "nothing is listed"]);
}

#[test]
fn a_bloom_filter_of_no_column_stops_the_run() {
    let folder = folder();
    let exporter = Exporter::new(folder.path()).job("[write]\nbloom_filters = [\"callee\"]\n");
    exporter.run(&["status"]).with(78).saying(&[
        "write.bloom_filters",
        "no table has a column `callee`",
        "callee_number",
    ]);
}

#[test]
fn a_job_file_that_is_there_is_bad_usage_and_not_a_broken_destination() {
    let folder = folder();
    let exporter = Exporter::new(folder.path());
    exporter.run(&["init"]).done();
    exporter.run(&["init"]).with(64).saying(&["--force"]);
    exporter.run(&["init", "--force", "--all"]).done();
}
