//! With a clock that the tests set.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::*;
use crate::job::{Environment, SettingFlags, load};

const NOON: &str = "2024-03-11T12:00:00Z";

fn at(time: &str) -> DateTime<Utc> {
    time.parse().expect("a time")
}

/// Credentials by a script that counts its runs.
struct Script {
    folder: tempfile::TempDir,
    credentials: Credentials,
}

impl Script {
    /// One that prints this, where `$n` is the number of its run.
    fn new(script: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        let count = path("count");
        fs::write(&count, "").expect("writable");
        let text = format!(
            "echo x >> '{count}'; n=$(wc -l < '{count}'); n=$((n)); {script}",
            count = count.display()
        );
        fs::write(path("script"), text).expect("writable");
        let command =
            ["sh", path("script").to_str().expect("Unicode")].map(|word| format!("{word:?}"));
        let command = format!("[{}]", command.join(","));
        let env = Environment::of([("AIRUDDER_STORE_CREDENTIAL_COMMAND", command)]);
        let flags = SettingFlags::default().with("dest", "s3://bucket/lake");
        let job = load(&flags, &env).expect("valid");
        let crate::job::Destination::Object(place) = job.dest else {
            panic!("it is a bucket")
        };
        let command = place.options.command.expect("a command");
        Self {
            folder,
            credentials: Credentials::new(&command, Clock::starting_at(at(NOON))),
        }
    }

    /// Prints an own key id in each run, and this expiration.
    fn expiring(expiration: &str) -> Self {
        Self::new(&Self::prints(expiration))
    }

    fn prints(expiration: &str) -> String {
        format!(
            r#"echo '{{"Version":1,"AccessKeyId":"key'$n'","SecretAccessKey":"MARK","SessionToken":"t","Expiration":"{expiration}"}}'"#
        )
    }

    /// The same credentials, at another time.
    fn at(&mut self, time: &str) {
        let shared = Arc::get_mut(&mut self.credentials.0).expect("the test alone has them");
        shared.clock = Clock::starting_at(at(time));
    }

    fn runs(&self) -> usize {
        let count = fs::read_to_string(self.count()).expect("readable");
        count.lines().count()
    }

    fn count(&self) -> PathBuf {
        Path::new(self.folder.path()).join("count")
    }

    async fn key(&self) -> Result<String, String> {
        let found = self.credentials.get().await;
        found
            .map(|credential| credential.key_id.clone())
            .map_err(|problem| {
                assert!(!problem.to_string().contains("MARK"), "{problem}");
                format!("{} {problem}", problem.is_first)
            })
    }
}

#[tokio::test]
async fn they_are_kept_until_five_minutes_before_they_expire() {
    let mut script = Script::expiring("2024-03-11T13:00:00Z");
    for (time, key) in [
        (NOON, "key1"),
        ("2024-03-11T12:54:00Z", "key1"),
        ("2024-03-11T12:55:01Z", "key2"),
        ("2024-03-11T12:55:01Z", "key2"),
    ] {
        script.at(time);
        assert_eq!(script.key().await.as_deref(), Ok(key), "{time}");
    }
    assert_eq!(script.runs(), 2);
}

#[tokio::test]
async fn those_that_never_expire_are_kept() {
    let mut script = Script::expiring("");
    script.key().await.expect("a key");
    script.at("2034-03-11T12:00:00Z");
    assert_eq!(script.key().await.as_deref(), Ok("key1"));
    assert_eq!(script.runs(), 1);
}

#[tokio::test]
async fn a_short_life_is_used_up_to_a_part_of_it() {
    // Less than the five minutes: renewed after an eighth of it, not for every request.
    let mut script = Script::expiring("2024-03-11T12:04:00Z");
    for (time, key) in [
        (NOON, "key1"),
        ("2024-03-11T12:00:29Z", "key1"),
        ("2024-03-11T12:00:31Z", "key2"),
        ("2024-03-11T12:00:50Z", "key2"),
    ] {
        script.at(time);
        assert_eq!(script.key().await.as_deref(), Ok(key), "{time}");
    }
}

#[tokio::test]
async fn the_old_ones_do_while_the_command_fails_and_not_longer() {
    let mut script = Script::new(&format!(
        "[ $n = 1 ] || {{ echo the session is over >&2; exit 7; }}; {}",
        Script::prints("2024-03-11T13:00:00Z")
    ));
    for (time, runs) in [
        (NOON, 1),
        ("2024-03-11T12:56:00Z", 2),
        // Not run again for every request.
        ("2024-03-11T12:56:10Z", 2),
        ("2024-03-11T12:56:31Z", 3),
    ] {
        script.at(time);
        assert_eq!(script.key().await.as_deref(), Ok("key1"), "{time}");
        assert_eq!(script.runs(), runs, "{time}");
    }
    for (time, runs) in [("2024-03-11T13:00:00Z", 4), ("2024-03-11T13:00:01Z", 4)] {
        script.at(time);
        let error = script.key().await.expect_err("expired");
        assert!(
            error.starts_with("false") && error.contains("the session is over"),
            "{error}"
        );
        assert_eq!(script.runs(), runs, "{time}");
    }
}

#[tokio::test]
async fn those_that_have_expired_when_they_arrive_are_refused() {
    let script = Script::expiring(NOON);
    let error = script.key().await.expect_err("expired");
    assert!(
        error.starts_with("true") && error.contains("expired at 2024-03-11T12:00:00Z"),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_at_once_run_the_command_once() {
    let script = Script::expiring("2024-03-11T13:00:00Z");
    let wanted = (0..20).map(|_| script.key());
    for key in futures_util::future::join_all(wanted).await {
        assert_eq!(key.as_deref(), Ok("key1"));
    }
    assert_eq!(script.runs(), 1);
    // Nor does it fail once for each.
    let script = Script::new("exit 1");
    let wanted = (0..20).map(|_| script.key());
    for key in futures_util::future::join_all(wanted).await {
        key.expect_err("it fails");
    }
    assert_eq!(script.runs(), 1);
}

#[tokio::test]
async fn a_request_that_is_given_up_leaves_the_command_its_turn() {
    let script = Script::expiring("2024-03-11T13:00:00Z");
    // Polled once: the command is started, and its result not waited for.
    let given_up = tokio::time::timeout(Duration::ZERO, script.key()).await;
    drop(given_up);
    assert_eq!(script.key().await.as_deref(), Ok("key1"));
    assert_eq!(script.runs(), 1);
}

#[tokio::test]
async fn the_store_s_word_that_they_have_expired_counts_once_they_were_accepted() {
    let script = Script::expiring("");
    let credential = script.credentials.get().await.expect("a key");
    let used = Used::of(&credential);
    assert!(!script.credentials.expired(&used));
    assert_eq!(script.key().await.as_deref(), Ok("key1"));
    script.credentials.accepted(&used);
    assert!(script.credentials.expired(&used));
    assert_eq!(script.key().await.as_deref(), Ok("key2"));
    // Late answers to requests with the old ones change nothing.
    assert!(script.credentials.expired(&used));
    script.credentials.accepted(&used);
    let used = Used::of(&script.credentials.get().await.expect("a key"));
    assert!(!script.credentials.expired(&used));
    assert_eq!(script.runs(), 2);
}
