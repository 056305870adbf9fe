//! Credentials for S3 from a command or an AWS profile: found, renewed while a run lasts, and their
//! failures told; nothing of them is ever said.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, SystemTime};

use crate::harness::scripted::{Reply, Request, Scripted, account, answer};
use crate::harness::small_bucket::{Keys, SmallBucket};
use crate::harness::vendor::past_days;
use crate::harness::{Ended, Exporter, LakeView, NOW, Vendor, folder};

/// Many commits; and no secret of the API in the environment of a command.
const MANY_COMMITS: &str = "[api]\nrate = \"2000/s\"\nburst = 100\n[write]\ncommit_calls = 1\n";

/// Prints credentials with an own key in each run, `key1` first; `$n` is its number.
const PRINTS: &str = r#"echo '{"Version":1,"AccessKeyId":"key'$n'","SecretAccessKey":"MARK-SECRET","SessionToken":"MARK-TOKEN"}'"#;

/// What the AWS command line says when a session is over.
const SESSION_OVER: &str = "Error loading SSO Token: The SSO session associated with this profile has \
                            expired or is otherwise invalid.";

/// A program in a folder that counts its runs.
struct Script {
    path: String,
    count: String,
}

impl Script {
    fn new(folder: &Path, name: &str, text: &str) -> Self {
        let path = |name: &str| folder.join(name).to_str().expect("Unicode").to_owned();
        let script = Self {
            path: path(name),
            count: path(&format!("{name}.count")),
        };
        fs::write(&script.count, "").expect("writable");
        let count = &script.count;
        let text = format!(
            "#!/bin/sh\n[ -z \"$AIRUDDER_APP_SECRET\" ] || exit 99\n\
             echo x >> '{count}'\nn=$(wc -l < '{count}')\nn=$((n))\n{text}\n"
        );
        write_program(&script.path, &text);
        script
    }

    fn runs(&self) -> usize {
        let count = fs::read_to_string(&self.count).expect("readable");
        count.lines().count()
    }

    fn for_store(&self, exporter: Exporter) -> Exporter {
        exporter.set(
            "AIRUDDER_STORE_CREDENTIAL_COMMAND",
            &format!("['{}']", self.path),
        )
    }
}

/// Not written in place: a program that is open for writing, by a process that another test starts at
/// this moment, too, can't be started.
fn write_program(path: &str, text: &str) {
    let status = std::process::Command::new("sh")
        .args(["-c", "printf %s \"$2\" > \"$1\" && chmod 755 \"$1\"", "sh"])
        .args([path, text])
        .status();
    assert!(status.expect("there is a shell").success());
}

#[track_caller]
fn discreet(ended: Ended) -> Ended {
    for said in [&ended.stdout, &ended.stderr] {
        assert!(!said.contains("MARK"), "{said}");
    }
    ended
}

fn keys(bucket: &SmallBucket) -> Vec<String> {
    bucket.signed().into_keys().collect()
}

#[test]
fn a_command_is_run_once_while_its_credentials_last() {
    let (folder, vendor) = (folder(), Vendor::start(past_days(1, 2, 2)));
    let bucket = SmallBucket::start(Keys::Last);
    let script = Script::new(folder.path(), "creds", PRINTS);
    let exporter = Exporter::new(folder.path()).against(vendor.url()).at(NOW);
    let exporter = script.for_store(bucket.exporter(exporter));
    let exporter = exporter.set("RUST_LOG", "trace");
    for (number, command) in ["run", "status", "doctor", "verify"].iter().enumerate() {
        let ended = discreet(exporter.run(&["-vvv", command])).done();
        assert_eq!(script.runs(), number + 1, "{command}: {}", ended.stderr);
        if *command == "doctor" {
            let from = "credentials from `store.credential_command`";
            assert!(ended.stdout.contains(from), "{}", ended.stdout);
        }
    }
    assert!(bucket.commits() > 0);
}

#[test]
fn new_credentials_are_had_when_the_store_says_that_the_old_ones_have_expired() {
    let (folder, vendor) = (folder(), Vendor::start(past_days(2, 2, 2)));
    let bucket = SmallBucket::start(Keys::LastForACommit);
    let script = Script::new(folder.path(), "creds", PRINTS);
    let exporter = Exporter::new(folder.path()).against(vendor.url()).at(NOW);
    let exporter = script.for_store(bucket.exporter(exporter.job(MANY_COMMITS)));
    discreet(exporter.run(&["run"])).done();
    let commits = bucket.commits();
    assert!(commits > 1, "{commits}");
    assert!(script.runs() > commits, "{} runs", script.runs());
    assert_eq!(keys(&bucket).len(), script.runs(), "{:?}", bucket.signed());
    discreet(exporter.run(&["verify"])).done();
}

#[test]
fn a_session_that_ends_in_the_middle_of_a_run_leaves_what_was_committed() {
    let (folder, vendor) = (folder(), Vendor::start(past_days(2, 2, 2)));
    let bucket = SmallBucket::start(Keys::LastForACommit);
    let ends = format!("[ $n = 1 ] || {{ echo '{SESSION_OVER}' >&2; exit 255; }}");
    let script = Script::new(folder.path(), "creds", &format!("{ends}\n{PRINTS}"));
    let exporter = Exporter::new(folder.path()).against(vendor.url()).at(NOW);
    let exporter = script.for_store(bucket.exporter(exporter.job(MANY_COMMITS)));
    let ended = discreet(exporter.run(&["run"])).with(74);
    ended.saying(&[
        "no credentials from `store.credential_command`",
        "exit code 255; it said: Error loading SSO Token",
        "what was committed is safe",
    ]);
    assert_eq!(bucket.commits(), 1);
    // A failure is remembered for a while, and the command not run for each request of the end.
    assert_eq!(script.runs(), 2);
    let again = Script::new(folder.path(), "again", &format!("n=$((n + 1))\n{PRINTS}"));
    let exporter = again.for_store(exporter);
    discreet(exporter.run(&["run"])).done();
    discreet(exporter.run(&["verify"])).done();
}

/// An account whose only task is answered once the credentials that were first printed are to be
/// renewed: after an eighth of their 24 seconds.
fn slow_account(count: &Path) -> Scripted {
    let (count, is_slow) = (count.to_owned(), AtomicBool::new(true));
    let details = vec![("slow".to_owned(), Reply::ok(answer("slow", "[{}]")))];
    Scripted::start(move |request: &Request| {
        if request.path.ends_with("/taskdetail") && is_slow.swap(false, Ordering::Relaxed) {
            let printed = fs::metadata(&count).and_then(|meta| meta.modified());
            let due = printed.expect("it was run") + Duration::from_secs(4);
            while SystemTime::UNIX_EPOCH.elapsed().expect("after 1970")
                < due
                    .duration_since(SystemTime::UNIX_EPOCH)
                    .expect("after 1970")
            {
                thread::sleep(Duration::from_millis(20));
            }
        }
        Some(account(&details, request))
    })
}

#[test]
fn short_lived_credentials_are_renewed_while_a_run_lasts() {
    let folder = folder();
    let bucket = SmallBucket::start(Keys::Last);
    let expiring = r#"end=$(date -u -d '+24 seconds' +%Y-%m-%dT%H:%M:%SZ)
echo '{"Version":1,"AccessKeyId":"key'$n'","SecretAccessKey":"MARK-SECRET","SessionToken":"MARK-TOKEN","Expiration":"'$end'"}'"#;
    let script = Script::new(folder.path(), "creds", expiring);
    let vendor = slow_account(script.count.as_ref());
    let exporter = Exporter::new(folder.path()).against(vendor.url());
    let exporter = script.for_store(bucket.exporter(exporter));
    discreet(exporter.run(&["run"])).done();
    assert!(script.runs() > 1, "{:?}", bucket.signed());
    assert_eq!(keys(&bucket).len(), script.runs(), "{:?}", bucket.signed());
    assert_eq!(bucket.commits(), 1);
}

#[test]
fn a_command_that_gives_none_is_told_before_anything_is_done() {
    let folder = folder();
    let bucket = SmallBucket::start(Keys::Last);
    let exporter = bucket.exporter(Exporter::new(folder.path()));
    let print = |text: &str| format!("echo '{text}'");
    let key = r#""AccessKeyId":"MARK-ID","SecretAccessKey":"MARK-SECRET""#;
    for (script, part) in [
        (
            format!("{PRINTS}; echo the vault is locked, MARK-SECRET >&2; exit 7"),
            "exit code 7; it said: the vault is locked, [secret]",
        ),
        ("true".to_owned(), "printed nothing on standard output"),
        (
            print("export AWS_ACCESS_KEY_ID=MARK"),
            "is not JSON (line 1, column 1)",
        ),
        (
            print(&format!(r#"[{{"Version":1,{key}}}]"#)),
            "is JSON, but no object",
        ),
        (print(&format!("{{{key}}}")), "has no `Version`"),
        (
            print(&format!(r#"{{"Version":2,{key}}}"#)),
            "`Version` that is not 1",
        ),
        (
            print(r#"{"Version":1,"AccessKeyId":"MARK"}"#),
            "has no `SecretAccessKey`",
        ),
        (
            print(r#"{"Version":1,"SecretAccessKey":"MARK"}"#),
            "has no `AccessKeyId`",
        ),
        (
            print(&format!(r#"{{"Version":1,{key},"Expiration":"MARK"}}"#)),
            "`Expiration` that is not a time",
        ),
        (
            print(&format!(
                r#"{{"Version":1,{key},"Expiration":"2024-03-11T08:00:00Z"}}"#
            )),
            "expired at 2024-03-11T08:00:00Z",
        ),
    ] {
        let script = Script::new(folder.path(), "creds", &script);
        let exporter = script.for_store(exporter.clone());
        for command in ["status", "verify"] {
            let ended = discreet(exporter.run(&[command])).with(78);
            ended.saying(&["no credentials from `store.credential_command`", part]);
        }
        assert_eq!(script.runs(), 2);
    }
    let with = |command: &str| {
        exporter
            .clone()
            .set("AIRUDDER_STORE_CREDENTIAL_COMMAND", command)
    };
    let ended = with("/not/there").run(&["status"]).with(78);
    ended.saying(&["store.credential_command", "`/not/there` cannot be started"]);
    with("''")
        .run(&["status"])
        .with(78)
        .saying(&["the program"]);
    with("[]").run(&["status"]).with(78).saying(&["no program"]);
    let slow = with("sleep 1000").set("AIRUDDER_STORE_CREDENTIAL_COMMAND_TIMEOUT", "50ms");
    let ended = slow.run(&["status"]).with(78);
    ended.saying(&[
        "did not end within 0.05 s",
        "store.credential_command_timeout",
    ]);
    assert!(bucket.signed().is_empty());
    let ended = with("/not/there").run(&["doctor"]);
    assert!(
        ended.stdout.contains("cannot be started"),
        "{}",
        ended.stdout
    );
}

#[test]
fn a_doctor_without_credentials_ends_as_a_wrong_setting() {
    let (folder, vendor) = (folder(), Vendor::start(past_days(1, 1, 1)));
    let bucket = SmallBucket::start(Keys::Last);
    let exporter = Exporter::new(folder.path()).against(vendor.url()).at(NOW);
    let exporter = bucket.exporter(exporter);
    let ended = exporter
        .set("AIRUDDER_STORE_CREDENTIAL_COMMAND", "/bin/false")
        .run(&["doctor"])
        .with(78);
    assert!(
        ended.stdout.contains("no credentials from"),
        "{}",
        ended.stdout
    );
}

/// An AWS command line that knows the profile `lake`, and what it was asked.
fn fake_aws(folder: &Path, exports: &str) -> (Script, String) {
    let bin = folder.join("bin");
    fs::create_dir_all(&bin).expect("writable");
    let asked = folder.join("asked").to_str().expect("Unicode").to_owned();
    let text = format!(
        "echo \"$*\" >> '{asked}'\n\
         case \"$*\" in\n\
         'configure get region --profile lake') echo eu-north-1 ;;\n\
         'configure get region --profile bare') exit 1 ;;\n\
         'configure export-credentials --format process --profile '*) {exports} ;;\n\
         *) echo 'The config profile could not be found' >&2; exit 255 ;;\n\
         esac"
    );
    (Script::new(&bin, "aws", &text), asked)
}

fn with_path(exporter: Exporter, folder: &Path) -> Exporter {
    let path = format!("{}:/usr/bin:/bin", folder.join("bin").display());
    exporter.set("PATH", &path)
}

#[test]
fn a_profile_gives_credentials_and_its_region() {
    let (folder, vendor) = (folder(), Vendor::start(past_days(1, 1, 2)));
    let bucket = SmallBucket::start(Keys::Last);
    let (_, asked) = fake_aws(folder.path(), PRINTS);
    let exporter = Exporter::new(folder.path()).against(vendor.url()).at(NOW);
    let exporter = with_path(bucket.exporter(exporter), folder.path());
    let by_aws = exporter.clone().set("AWS_PROFILE", "lake");
    discreet(by_aws.run(&["run"])).done();
    assert_eq!(keys(&bucket), ["key2/eu-north-1"]);
    let questions = fs::read_to_string(&asked).expect("it was asked");
    assert_eq!(
        questions,
        "configure get region --profile lake\n\
         configure export-credentials --format process --profile lake\n"
    );
    // A setting goes before the variable of all tools, and a region that is set before the profile's.
    let by_setting = by_aws.set("AIRUDDER_STORE_PROFILE", "bare");
    discreet(by_setting.run(&["status"])).done();
    let regional = by_setting.clone().set("AWS_REGION", "eu-west-3");
    let ended = discreet(regional.run(&["doctor"])).done();
    let line = "region eu-west-3, credentials from profile `bare` (`store.profile`, from \
                AIRUDDER_STORE_PROFILE)";
    assert!(ended.stdout.contains(line), "{}", ended.stdout);
    let used = keys(&bucket);
    assert_eq!(
        used,
        ["key2/eu-north-1", "key4/us-east-1", "key5/eu-west-3"]
    );
    // Keys in variables go before AWS_PROFILE, as in AWS's own tools.
    let keyed = exporter
        .set("AWS_PROFILE", "nothing")
        .set("AWS_ACCESS_KEY_ID", "key9")
        .set("AWS_SECRET_ACCESS_KEY", "MARK");
    let ended = discreet(keyed.run(&["doctor"])).done();
    assert!(
        ended.stdout.contains("credentials by AWS_ACCESS_KEY_ID"),
        "{}",
        ended.stdout
    );
}

#[test]
fn a_profile_that_gives_none_is_told_with_what_to_do() {
    let folder = folder();
    let bucket = SmallBucket::start(Keys::Last);
    let exporter = bucket.exporter(Exporter::new(folder.path()));
    let lake = exporter.set("AIRUDDER_STORE_PROFILE", "lake");
    let regional = lake.clone().set("AIRUDDER_STORE_REGION", "eu-north-1");
    // Asked for the region, or for the credentials.
    for exporter in [&lake, &regional] {
        let nowhere = exporter
            .clone()
            .set("PATH", folder.path().to_str().expect("Unicode"));
        let ended = nowhere.run(&["status"]).with(78);
        ended.saying(&[
            "profile `lake`",
            "store.profile",
            "`aws` cannot be started",
            "install it",
        ]);
    }
    for (exports, parts) in [
        (
            format!("echo '{SESSION_OVER}' >&2; exit 255"),
            [
                "The SSO session",
                "sign in with `aws sso login --profile lake`",
            ],
        ),
        (
            "echo 'aws: error: argument subcommand: Invalid choice' >&2; exit 2".to_owned(),
            ["Invalid choice", "version 2.9 or later"],
        ),
        (
            "echo 'AccessDenied: not yours' >&2; exit 253".to_owned(),
            ["not yours", "aws sts get-caller-identity --profile lake"],
        ),
    ] {
        fake_aws(folder.path(), &exports);
        let ended = with_path(lake.clone(), folder.path())
            .run(&["status"])
            .with(78);
        ended
            .saying(&["no credentials from profile `lake`"])
            .saying(&parts);
    }
    let other = with_path(lake.clone(), folder.path()).set("AIRUDDER_STORE_PROFILE", "gone");
    let ended = other.run(&["status"]).with(78);
    ended.saying(&[
        "cannot get the region of profile `gone`",
        "could not be found",
        "store.region",
    ]);
    assert!(bucket.signed().is_empty());
}

#[test]
fn a_second_source_is_refused_by_both_names() {
    let folder = folder();
    let bucket = SmallBucket::start(Keys::Last);
    let exporter = bucket.exporter(Exporter::new(folder.path()));
    let command = exporter
        .clone()
        .job("[store]\ncredential_command = [\"/bin/false\"]\n");
    let profile = exporter.clone().job("[store]\nprofile = \"lake\"\n");
    for (exporter, variable, setting) in [
        (
            &command,
            "AIRUDDER_STORE_PROFILE",
            "store.credential_command",
        ),
        (&command, "AWS_ACCESS_KEY_ID", "store.credential_command"),
        (
            &profile,
            "AIRUDDER_STORE_CREDENTIAL_COMMAND",
            "store.profile",
        ),
        (&profile, "AWS_SECRET_ACCESS_KEY", "store.profile"),
    ] {
        let both = exporter.clone().set(variable, "MARK");
        let ended = both.run(&["status"]).with(78);
        let ended = ended.saying(&["set twice", variable, setting, "line 2"]);
        // The name of a profile is no secret.
        let said = ended.stderr.replace("profile `MARK`", "");
        assert!(!said.contains("MARK"), "{said}");
    }
    // In a folder none is used.
    let local = command.lake("lake").set("AIRUDDER_STORE_PROFILE", "x");
    let ended = local.run(&["status"]);
    ended.saying(&[
        "`store.credential_command` (from ",
        "`store.profile` (from AIRUDDER_STORE_PROFILE) is not used: `dest` is a folder",
    ]);
}

#[test]
fn an_archive_and_a_lake_share_the_credentials_of_one_run() {
    let folder = folder();
    let bucket = SmallBucket::start(Keys::Last);
    for task in ["a", "b"] {
        bucket.put(
            &format!("answers/{task}.json"),
            answer(task, "[{}]").as_bytes(),
        );
    }
    let script = Script::new(folder.path(), "creds", PRINTS);
    let local = Exporter::new(folder.path());
    let there = script.for_store(bucket.exporter(local.clone()));
    discreet(there.run(&["replay", "s3://archive/answers"])).done();
    assert_eq!(script.runs(), 1);
    assert_eq!(bucket.commits(), 1);
    let endpoint = there.lake("lake");
    let ended = discreet(endpoint.run(&["replay", "s3://archive/answers"])).done();
    assert!(!ended.stderr.contains("not used"), "{}", ended.stderr);
    assert_eq!(LakeView::new(endpoint.dest()).table("tasks").len(), 2);
    assert_eq!(script.runs(), 2);
    let failing = endpoint.set("AIRUDDER_STORE_CREDENTIAL_COMMAND", "/bin/false");
    let ended = failing.run(&["replay", "s3://archive/answers"]).with(78);
    ended.saying(&["no credentials from `store.credential_command`"]);
}

#[test]
fn keys_in_variables_that_have_expired_are_told() {
    let (folder, vendor) = (folder(), Vendor::start(past_days(2, 2, 2)));
    let bucket = SmallBucket::start(Keys::LastForACommit);
    let exporter = Exporter::new(folder.path()).against(vendor.url()).at(NOW);
    let exporter = bucket
        .exporter(exporter.job(MANY_COMMITS))
        .set("AWS_ACCESS_KEY_ID", "key1")
        .set("AWS_SECRET_ACCESS_KEY", "MARK-SECRET");
    let ended = discreet(exporter.run(&["run"])).with(74);
    ended.saying(&["400", "what was committed is safe", "`credential_command`"]);
    assert_eq!(bucket.commits(), 1);
}
