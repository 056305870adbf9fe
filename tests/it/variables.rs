//! Every setting from the environment, by one rule.

use crate::harness::vendor::past_days;
use crate::harness::{Exporter, NOW, Vendor, folder};

#[test]
fn a_setting_without_a_flag_has_a_variable_by_the_rule() {
    let (folder, vendor) = (folder(), Vendor::start(past_days(1, 1, 1)));
    let exporter = Exporter::new(folder.path()).against(vendor.url()).at(NOW);
    let exporter = exporter
        .unset("AIRUDDER_JOB")
        .set("AIRUDDER_RATE", "2000/s");
    // Read, and refused by the setting's own parser.
    for (variable, wrong, key) in [
        (
            "AIRUDDER_API_CONNECT_TIMEOUT",
            "soon",
            "api.connect_timeout",
        ),
        (
            "AIRUDDER_WRITE_COMPRESSION_LEVEL",
            "99",
            "write.compression_level",
        ),
        (
            "AIRUDDER_WRITE_BLOOM_FILTERS",
            "callee",
            "write.bloom_filters",
        ),
        (
            "AIRUDDER_API_LIST_TASKS_PATH",
            "tasks",
            "api.list_tasks.path",
        ),
        ("AIRUDDER_API_SUCCESS_CODES", "ok", "api.success_codes"),
        ("AIRUDDER_TASKS_HOLD_DAYS", "many", "tasks.hold_days"),
    ] {
        let ended = exporter.clone().set(variable, wrong).run(&["run"]).with(78);
        ended.saying(&[variable, key]);
    }
    // Read, and used: the sandbox knows no such path, and no other code of success.
    let elsewhere = exporter.clone().set("AIRUDDER_API_AUTH_PATH", "/elsewhere");
    elsewhere.run(&["run"]).with(69);
    let lists = exporter
        .set("AIRUDDER_API_SUCCESS_CODES", "200, 0")
        .set("AIRUDDER_WRITE_BLOOM_FILTERS", "callee_number,case_id")
        .set("AIRUDDER_API_LIST_TASKS_ITEMS", "[\"/data/list\"]");
    lists.run(&["run"]).done();
}

#[test]
fn a_long_name_and_a_short_one_are_the_same_setting() {
    let (folder, vendor) = (folder(), Vendor::start(past_days(1, 1, 1)));
    let exporter = Exporter::new(folder.path()).against(vendor.url()).at(NOW);
    exporter.run(&["run"]).done();
    let long = exporter.set("AIRUDDER_OUTPUT_FORMAT", "json");
    long.run(&["status"]).done().json();
    let both = long.set("AIRUDDER_FORMAT", "text");
    let ended = both.run(&["status"]).with(78);
    ended.saying(&["AIRUDDER_FORMAT", "AIRUDDER_OUTPUT_FORMAT", "unset one"]);
}

#[test]
fn a_variable_goes_before_the_job_file_in_the_profile_too() {
    let (folder, vendor) = (folder(), Vendor::start(past_days(1, 1, 1)));
    let exporter = Exporter::new(folder.path()).against(vendor.url()).at(NOW);
    let wrong = exporter.job("[api]\nrate = \"2000/s\"\nauth_path = \"/elsewhere\"\n");
    wrong.run(&["run"]).with(69);
    let right = wrong.set("AIRUDDER_API_AUTH_PATH", "/service/cloud/auth");
    right.run(&["run"]).done();
}

#[test]
fn an_unknown_variable_names_the_nearest_one() {
    let folder = folder();
    for (unknown, meant) in [
        ("AIRUDDER_MAX_ATTEMPTS", "AIRUDDER_API_MAX_ATTEMPTS"),
        (
            "AIRUDDER_API_LIST_TASK_PATH",
            "AIRUDDER_API_LIST_TASKS_PATH",
        ),
        ("AIRUDDER_WRITE_COMMIT_CALL", "AIRUDDER_WRITE_COMMIT_CALLS"),
    ] {
        let exporter = Exporter::new(folder.path()).set(unknown, "5");
        let ended = exporter.run(&["status"]).with(78);
        ended.saying(&[&format!("{unknown}; did you mean {meant}?")]);
    }
}
