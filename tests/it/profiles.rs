//! AWS profiles with the real AWS command line: keys, a process, and a role that is assumed at moto's
//! STS. The lake is in moto's S3; which key signs, a bucket of the tests' own says.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;

use crate::harness::bucket::Bucket;
use crate::harness::servers::{Kind, Server};
use crate::harness::small_bucket::{Keys, SmallBucket};
use crate::harness::vendor::past_days;
use crate::harness::{Ended, Exporter, NOW, Vendor, folder, packages, project, skip};

const KEY: &str = "AKIAMARKKEYS";
const PROCESS_KEY: &str = "AKIAMARKPROCESS";

/// The AWS command line, if one of version 2 is there: the first has no `export-credentials`.
#[expect(
    clippy::disallowed_methods,
    reason = "a tool is found as a shell finds it"
)]
fn aws() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain([PathBuf::from("/usr/bin")]);
    let mut found = folders.map(|folder| folder.join("aws"));
    found.find(|aws| {
        let output = Command::new(aws).arg("--version").output();
        output.is_ok_and(|output| {
            let said = String::from_utf8_lossy(&output.stdout).into_owned();
            said.starts_with("aws-cli/") && !said.starts_with("aws-cli/1.")
        })
    })
}

/// Profiles in a home of their own. Requests to STS go to this server.
fn profiles(home: &Path, sts: &str) {
    let write = |path: &str, text: &str| {
        let path = home.join(".aws").join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("writable");
        fs::write(path, text).expect("writable");
    };
    let printed = json!({
        "Version": 1, "AccessKeyId": PROCESS_KEY, "SecretAccessKey": "MARK-SECRET",
    });
    let process = home.join("printed.json");
    fs::write(&process, printed.to_string()).expect("writable");
    write(
        "config",
        &format!(
            "[profile keys]\naws_access_key_id = {KEY}\naws_secret_access_key = MARK-SECRET\n\
             region = eu-central-1\n\
             [profile process]\ncredential_process = /bin/cat {}\n\
             [profile role]\nrole_arn = arn:aws:iam::123456789012:role/lake\n\
             source_profile = keys\nregion = eu-north-1\n\
             [sso-session company]\nsso_region = us-east-1\n\
             sso_start_url = https://company.awsapps.com/start\n\
             [profile sso]\nsso_session = company\nsso_account_id = 123456789012\n\
             sso_role_name = lake\nregion = eu-north-1\n",
            process.display()
        ),
    );
    // AWS_ENDPOINT_URL_STS is for versions from 2.13 on.
    let parameter =
        |built_in: &str| json!({"builtIn": built_in, "required": false, "type": "String"});
    let flag = |built_in: &str| json!({"builtIn": built_in, "required": true, "default": false, "type": "Boolean"});
    let rules = json!({
        "version": "1.0",
        "parameters": {
            "Region": parameter("AWS::Region"),
            "Endpoint": parameter("SDK::Endpoint"),
            "UseDualStack": flag("AWS::UseDualStack"),
            "UseFIPS": flag("AWS::UseFIPS"),
            "UseGlobalEndpoint": flag("AWS::STS::UseGlobalEndpoint"),
        },
        "rules": [{
            "conditions": [], "type": "endpoint",
            "endpoint": {"url": sts, "headers": {}, "properties": {"authSchemes": [
                {"name": "sigv4", "signingName": "sts", "signingRegion": "us-east-1"},
            ]}},
        }],
    });
    let rules = rules.to_string();
    write("models/sts/2011-06-15/endpoint-rule-set-1.json", &rules);
}

#[track_caller]
fn discreet(ended: Ended) -> Ended {
    for said in [&ended.stdout, &ended.stderr] {
        assert!(!said.contains("MARK"), "{said}");
    }
    ended
}

#[test]
#[ignore = "needs moto from PyPI and the AWS command line from Debian: just test-all"]
fn the_aws_command_line_reads_every_kind_of_profile() {
    let Some(aws) = aws() else {
        return skip("there is no AWS command line of version 2: apt-get install awscli");
    };
    let server = match Server::of(Kind::Moto) {
        Ok(server) => server,
        Err(why) => return skip(&why),
    };
    let (folder, vendor) = (folder(), Vendor::start(past_days(1, 2, 3)));
    let bin = folder.path().join("bin");
    fs::create_dir(&bin).expect("writable");
    std::os::unix::fs::symlink(aws, bin.join("aws")).expect("writable");
    profiles(folder.path(), &server.endpoint());
    let small = SmallBucket::start(Keys::Last);
    let exporter = Exporter::new(folder.path())
        .against(vendor.url())
        .at(NOW)
        .set("HOME", folder.path().to_str().expect("Unicode"))
        .set("PATH", &format!("{}:/usr/bin:/bin", bin.display()))
        .set("AWS_ENDPOINT_URL_STS", &server.endpoint());
    let days = ["backfill", "--from", "2024-03-11", "--to", "2024-03-11"];
    for (profile, key, region) in [
        ("keys", KEY, "eu-central-1"),
        ("process", PROCESS_KEY, "us-east-1"),
        ("role", "ASIA", "eu-north-1"),
    ] {
        let dest = format!("s3://{}/{profile}", crate::harness::servers::BUCKET);
        let there = exporter
            .clone()
            .set("AIRUDDER_DEST", &dest)
            .set("AIRUDDER_STORE_ENDPOINT", &server.endpoint());
        // By the variable of all tools, and by the setting.
        let by_aws = there.clone().set("AWS_PROFILE", profile);
        discreet(by_aws.run(&days)).done();
        let by_setting = there.set("AIRUDDER_STORE_PROFILE", profile);
        let ended = discreet(by_setting.run(&["verify", "--format", "json"])).done();
        assert!(ended.json()["rows"].as_u64() > Some(0), "{}", ended.stdout);
        let ended = discreet(by_setting.run(&["doctor"])).done();
        let line = format!("region {region}");
        let line = format!("{line}, credentials from profile `{profile}` (`store.profile`");
        let line = line.replace("region us-east-1,", "region us-east-1, since none is set,");
        assert!(ended.stdout.contains(&line), "{}", ended.stdout);
        // moto does not ask who signed.
        let own = small.exporter(exporter.clone());
        discreet(own.set("AWS_PROFILE", profile).run(&["status"])).with(74);
        let signed = small.signed();
        let by_profile = |used: &&String| used.starts_with(key) && used.ends_with(region);
        assert!(signed.keys().any(|used| by_profile(&used)), "{signed:?}");
    }
    let bucket = Bucket::new(server, "keys");
    assert!(!crate::harness::shelf::Shelf::list(&bucket, "_export/commits").is_empty());
    // Without a sign-in.
    let own = small.exporter(exporter);
    let ended = own
        .clone()
        .set("AWS_PROFILE", "sso")
        .run(&["status"])
        .with(78);
    discreet(ended).saying(&["SSO", "sign in with `aws sso login --profile sso`"]);
    let ended = own.set("AWS_PROFILE", "nothing").run(&["status"]).with(78);
    discreet(ended).saying(&["profile `nothing` (from AWS_PROFILE)", "could not be found"]);
}

/// The script of docs/object-stores.md for those who have no version 2.
fn printed_script() -> String {
    let page = fs::read_to_string(project("docs/object-stores.md")).expect("it is there");
    let (_, script) = page.split_once("```python\n").expect("there is a script");
    let (script, _) = script.split_once("```").expect("it ends");
    script.to_owned()
}

#[test]
#[ignore = "needs moto and botocore from PyPI: just test-all"]
fn the_printed_script_gives_what_a_profile_has_without_the_aws_command_line() {
    let (server, python) = match (
        Server::of(Kind::Moto),
        packages::python("botocore-venv", &["botocore==1.43.62"]),
    ) {
        (Ok(server), Ok(programs)) => (server, programs.join("python")),
        (Err(why), _) | (_, Err(why)) => return skip(&why),
    };
    let folder = folder();
    profiles(folder.path(), &server.endpoint());
    let script = folder.path().join("credentials.py");
    fs::write(&script, printed_script()).expect("writable");
    let small = SmallBucket::start(Keys::Last);
    let exporter = small.exporter(Exporter::new(folder.path()));
    let exporter = exporter
        .set("HOME", folder.path().to_str().expect("Unicode"))
        .set("AWS_ENDPOINT_URL_STS", &server.endpoint());
    for (profile, key) in [("keys", KEY), ("process", PROCESS_KEY), ("role", "ASIA")] {
        let command = [python.display(), script.display()].map(|path| format!("'{path}'"));
        let command = format!("{} {profile}", command.join(" "));
        let by_script = exporter
            .clone()
            .set("AIRUDDER_STORE_CREDENTIAL_COMMAND", &command);
        // The bucket is empty, and takes the key.
        discreet(by_script.run(&["status"])).with(74);
        let signed = small.signed();
        assert!(
            signed.keys().any(|used| used.starts_with(key)),
            "{signed:?}"
        );
    }
}
