//! Proxies and private CAs: the variables that other programs read, too.

use std::fs;

use crate::harness::gateway::{HOST, Proxy, TlsServer, ca_file};
use crate::harness::vendor::past_days;
use crate::harness::{Exporter, LakeView, NOW, Vendor, folder};

fn few_tries(exporter: Exporter) -> Exporter {
    exporter.job(
        "[api]\nrate = \"2000/s\"\nburst = 100\nbase_backoff = \"1ms\"\nmax_attempts = 2\n\
         connect_timeout = \"5s\"\n",
    )
}

fn ca() -> String {
    ca_file().to_str().expect("Unicode").to_owned()
}

#[test]
fn a_private_ca_is_named_by_a_variable() {
    let (folder, vendor) = (folder(), Vendor::start(past_days(1, 2, 3)));
    let server = TlsServer::before(&vendor.url());
    let exporter = few_tries(Exporter::new(folder.path()).at(NOW));
    let exporter = exporter.against(format!("https://localhost:{}", server.port()));
    let ended = exporter.run(&["run"]).with(69);
    ended.saying(&["certificate"]);
    let by_file = exporter.clone().set("SSL_CERT_FILE", &ca());
    by_file.run(&["run"]).done();
    assert_eq!(LakeView::new(by_file.dest()).table("tasks").len(), 2);
    let certificates = folder.path().join("certificates");
    fs::create_dir(&certificates).expect("writable");
    fs::copy(ca_file(), certificates.join("ca.pem")).expect("writable");
    let path = certificates.to_str().expect("Unicode");
    let by_folder = exporter.lake("other").set("SSL_CERT_DIR", path);
    by_folder.run(&["run"]).done();
}

#[test]
fn a_proxy_leads_to_the_api() {
    let (folder, vendor) = (folder(), Vendor::start(past_days(1, 2, 3)));
    let server = TlsServer::before(&vendor.url());
    let proxy = Proxy::to(&server);
    let exporter = few_tries(Exporter::new(folder.path()).at(NOW)).set("SSL_CERT_FILE", &ca());
    let exporter = exporter.against(format!("https://{HOST}"));
    let through = exporter
        .clone()
        .set("HTTPS_PROXY", &proxy.url("me:MARK-PASSWORD@"));
    let ended = through.run(&["run", "-vv"]).done();
    assert!(!ended.stderr.contains("MARK"), "{}", ended.stderr);
    let asked = proxy.asked().clone();
    assert!(!asked.is_empty());
    for head in asked {
        assert!(
            head[0].starts_with(&format!("CONNECT {HOST}:443 ")),
            "{head:?}"
        );
        // The password goes to the proxy, the token never does.
        let has = |name: &str| {
            head.iter()
                .any(|line| line.to_lowercase().starts_with(name))
        };
        assert!(
            has("proxy-authorization: basic ") && !has("authorization:"),
            "{head:?}"
        );
    }
}

#[test]
fn an_exception_goes_around_the_proxy() {
    let (folder, vendor) = (folder(), Vendor::start(past_days(1, 1, 1)));
    let server = TlsServer::before(&vendor.url());
    let proxy = Proxy::to(&server);
    let exporter = few_tries(Exporter::new(folder.path()).at(NOW)).set("SSL_CERT_FILE", &ca());
    let exporter = exporter.set("HTTPS_PROXY", &proxy.url(""));
    let around = exporter.clone().against(format!("https://{HOST}"));
    // The name resolves nowhere.
    around
        .set("NO_PROXY", "example.com,.airudder.test")
        .run(&["run"])
        .with(69);
    // Loopback never takes one.
    let direct = exporter.against(format!("https://localhost:{}", server.port()));
    direct.run(&["run"]).done();
    assert!(proxy.asked().is_empty());
}

#[test]
fn certificates_that_cannot_be_used_are_a_wrong_setting() {
    let folder = folder();
    let exporter = Exporter::new(folder.path()).against("https://api.invalid");
    let text = folder.path().join("text");
    fs::write(&text, "no certificate").expect("writable");
    let text = text.to_str().expect("Unicode");
    for command in ["run", "plan run", "doctor", "backfill --last 2d"] {
        let args: Vec<&str> = command.split(' ').collect();
        for (variable, path) in [
            ("SSL_CERT_FILE", "/not/there.pem"),
            ("SSL_CERT_FILE", text),
            ("SSL_CERT_DIR", "/not/there"),
        ] {
            let ended = exporter.clone().set(variable, path).run(&args).with(78);
            let said = ended.stdout + &ended.stderr;
            assert!(said.contains(variable) && said.contains(path), "{said}");
        }
    }
}

#[test]
fn a_store_s_certificates_are_checked_too() {
    let folder = folder();
    let exporter = Exporter::new(folder.path()).set("AIRUDDER_DEST", "s3://bucket/lake");
    let exporter = exporter.set("SSL_CERT_FILE", "/not/there.pem");
    let ended = exporter.run(&["status"]).with(78);
    ended.saying(&["SSL_CERT_FILE", "/not/there.pem"]);
}

#[test]
fn loopback_without_tls_needs_no_certificates() {
    let (folder, vendor) = (folder(), Vendor::start(past_days(1, 1, 1)));
    let exporter = Exporter::new(folder.path()).against(vendor.url()).at(NOW);
    exporter
        .set("SSL_CERT_FILE", "/not/there.pem")
        .run(&["run"])
        .done();
}

/// A misspelt key in a job file is an error in an editor as it is in the program.
#[test]
#[ignore = "needs PyPI: just test-all"]
fn editors_check_job_files_as_the_program_does() {
    use crate::harness::{packages, project, skip};
    use std::process::Command;

    let packages = ["taplo==0.9.3", "check-jsonschema==0.39.0"];
    let programs = match packages::python("job-schema-venv", &packages) {
        Ok(programs) => programs,
        Err(why) => return skip(&why),
    };
    let folder = folder();
    let exporter = Exporter::new(folder.path());
    exporter.run(&["init", "short.toml"]).done();
    exporter.run(&["init", "--all", "all.toml"]).done();
    let printed = exporter.run(&["init", "--schema"]).done().stdout;
    let schema = folder.path().join("airudder.schema.json");
    assert_eq!(
        fs::read_to_string(&schema).expect("it was written"),
        printed
    );
    // Everything that is commented out, with its default or example.
    let all = fs::read_to_string(folder.path().join("all.toml")).expect("it was written");
    let mut set = String::new();
    for line in all.lines() {
        let is_key = line.starts_with('#') && !line.starts_with("# ") && line.contains(" = ");
        set.push_str(if is_key { &line[1..] } else { line });
        set.push('\n');
    }
    fs::write(folder.path().join("set.toml"), set).expect("writable");
    let misspelt = all.replace("[api]\n", "[api]\nratee = \"5/s\"\n");
    fs::write(folder.path().join("misspelt.toml"), misspelt).expect("writable");
    fs::write(
        folder.path().join("wrong.toml"),
        "#:schema ./airudder.schema.json\n[api]\nrate = 10\n",
    )
    .expect("writable");
    let mut files: Vec<_> = ["short.toml", "all.toml", "set.toml"]
        .map(|name| folder.path().join(name))
        .to_vec();
    files.extend(["jobs/nightly.toml", "jobs/backfill.toml"].map(project));
    let wrong = ["misspelt.toml", "wrong.toml"].map(|name| folder.path().join(name));
    for (path, is_right) in
        (files.iter().map(|path| (path, true))).chain(wrong.iter().map(|path| (path, false)))
    {
        let mut taplo = Command::new(programs.join("taplo"));
        taplo.args(["check", "--no-auto-config"]).arg(path);
        let mut validator = Command::new(programs.join("check-jsonschema"));
        validator.arg("--schemafile").arg(&schema).arg(path);
        for mut command in [taplo, validator] {
            let output = command.output().expect("it was installed");
            assert_eq!(
                output.status.success(),
                is_right,
                "{command:?}: {}{}",
                String::from_utf8_lossy(&output.stdout),
                String::from_utf8_lossy(&output.stderr)
            );
        }
    }
}
