//! The secret from a command: it signs in, is never printed, and its failures are told.

use std::fs;

use crate::harness::vendor::past_days;
use crate::harness::{Exporter, NOW, Vendor, folder};

fn exporter(folder: &std::path::Path, vendor: &Vendor) -> Exporter {
    let exporter = Exporter::new(folder).against(vendor.url()).at(NOW);
    exporter.unset("AIRUDDER_APP_SECRET")
}

fn with(exporter: &Exporter, command: &str) -> Exporter {
    let text = format!(
        "[api]\nrate = \"2000/s\"\nburst = 100\napp_secret_command_timeout = \"20s\"\n\
         app_secret_command = {command}\n"
    );
    exporter.clone().job(&text)
}

#[test]
fn a_command_of_the_job_file_or_of_a_variable_signs_in() {
    let (folder, vendor) = (folder(), Vendor::start(past_days(1, 1, 2)));
    let secret = folder.path().join("with space");
    fs::write(&secret, "sandbox-secret\n").expect("writable");
    let exporter = exporter(folder.path(), &vendor);
    let path = secret.to_str().expect("Unicode");
    for command in [
        format!("[\"/bin/cat\", \"{path}\"]"),
        format!("\"/bin/cat '{path}'\""),
        // As in a shell, $ may be escaped inside of double quotes.
        r#"'/bin/sh -c "s=sandbox-secret; echo \$s"'"#.to_owned(),
        "[\"/bin/sh\", \"-c\", \"echo sandbox-secret; echo warning >&2\"]".to_owned(),
    ] {
        let ended = with(&exporter, &command).run(&["plan", "run"]).done();
        assert!(!ended.stderr.contains("sandbox-secret"), "{}", ended.stderr);
    }
    for (variable, command) in [
        ("AIRUDDER_APP_SECRET_COMMAND", format!("/bin/cat '{path}'")),
        (
            "AIRUDDER_API_APP_SECRET_COMMAND",
            format!("[\"/bin/cat\", \"{path}\"]"),
        ),
    ] {
        exporter
            .clone()
            .set(variable, &command)
            .run(&["run"])
            .done();
    }
}

#[test]
fn a_command_that_fails_is_told_without_the_secret() {
    let (folder, vendor) = (folder(), Vendor::start(past_days(1, 1, 1)));
    let exporter = exporter(folder.path(), &vendor);
    for (command, parts) in [
        (
            r#"["/bin/sh", "-c", "echo MARK-SECRET; echo the vault is locked, MARK-SECRET >&2; exit 7"]"#,
            &["exit code 7", "the vault is locked, [secret]"][..],
        ),
        (r#"["/bin/sh", "-c", "true"]"#, &["printed nothing"]),
        (
            r#"["/bin/sh", "-c", "echo MARK; echo MARK"]"#,
            &["more than one line"],
        ),
        (
            r#""/not/there/MARK-PROGRAM""#,
            &["cannot be started", "/not/there"],
        ),
        (r#""""#, &["names no program"]),
        (r#""/bin/cat 'MARK""#, &["a quote (') is not closed"]),
        (r#"["", "MARK"]"#, &["the program"]),
        (r#""'' MARK""#, &["the program"]),
    ] {
        let ended = with(&exporter, command).run(&["run"]).with(78);
        let ended = ended.saying(&["api.app_secret_command"]).saying(parts);
        let said = ended.stderr.replace("MARK-PROGRAM", "");
        assert!(!said.contains("MARK"), "{said}");
        assert!(!ended.stdout.contains("MARK"), "{}", ended.stdout);
    }
    // Also where log lines are for programs, and in doctor's list.
    let command = r#"["/bin/sh", "-c", "echo MARK-SECRET; exit 7"]"#;
    let ended = with(&exporter, command).run(&["doctor"]).with(78);
    assert!(ended.stdout.contains("exit code 7"), "{}", ended.stdout);
    assert!(!format!("{ended:?}").contains("MARK"), "{ended:?}");
}

#[test]
fn a_command_that_never_ends_is_ended() {
    let (folder, vendor) = (folder(), Vendor::start(past_days(1, 1, 1)));
    let exporter =
        exporter(folder.path(), &vendor).set("AIRUDDER_APP_SECRET_COMMAND", "sleep 1000");
    let exporter = exporter.set("AIRUDDER_API_APP_SECRET_COMMAND_TIMEOUT", "50ms");
    let ended = exporter.run(&["run"]).with(78);
    ended.saying(&["did not end within 0.05 s", "app_secret_command_timeout"]);
}

#[test]
fn it_stands_beside_no_other_source_of_the_secret() {
    let (folder, vendor) = (folder(), Vendor::start(past_days(1, 1, 1)));
    let exporter =
        exporter(folder.path(), &vendor).set("AIRUDDER_APP_SECRET_COMMAND", "/bin/false");
    for (variable, other) in [
        ("AIRUDDER_APP_SECRET", "AIRUDDER_APP_SECRET"),
        ("AIRUDDER_APP_SECRET_FILE", "api.app_secret_file"),
    ] {
        let ended = exporter
            .clone()
            .set(variable, "MARK")
            .run(&["run"])
            .with(78);
        let ended = ended.saying(&["set twice", "AIRUDDER_APP_SECRET_COMMAND", other]);
        assert!(!ended.stderr.contains("MARK"), "{}", ended.stderr);
    }
}

#[test]
fn commands_without_the_api_do_not_run_it() {
    let (folder, vendor) = (folder(), Vendor::start(past_days(1, 1, 1)));
    let proof = folder.path().join("ran");
    let exporter = Exporter::new(folder.path()).against(vendor.url()).at(NOW);
    exporter.run(&["run"]).done();
    let command = format!("[\"/bin/sh\", \"-c\", \"touch '{}'\"]", proof.display());
    let exporter = with(&exporter.unset("AIRUDDER_APP_SECRET"), &command);
    exporter.run(&["status"]).done();
    assert!(!proof.exists());
    exporter.run(&["run"]).with(78);
    assert!(proof.exists());
}
