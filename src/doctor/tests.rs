//! Runs the doctor against the sandbox, over a socket.

use std::path::Path;

use serde_json::json;
use tempfile::TempDir;

use super::*;
use crate::exit_code::ExitCode;
use crate::job::Destination;
use crate::job::environment::{APP_KEY, APP_SECRET};
use crate::lake::{CommitDraft, CommitKind, LakeOptions, LakeWriter, OpenTask};
use crate::sandbox::{SANDBOX_KEY, SANDBOX_SECRET, Sandbox, SandboxOptions};
use crate::task::{TaskId, TaskStatus};

const NOON: &str = "2024-03-18T12:00:00Z";

struct Practice {
    folder: TempDir,
    sandbox: Sandbox,
    flags: SettingFlags,
    secret: String,
}

impl Practice {
    async fn open() -> Self {
        Self::with(|_| {}).await
    }

    async fn with(change: impl FnOnce(&mut SandboxOptions)) -> Self {
        let clock = Clock::starting_at(NOON.parse().expect("a time"));
        let mut options = SandboxOptions {
            tasks_per_day: 8,
            calls_per_task: 30,
            ..SandboxOptions::week_before(clock)
        };
        change(&mut options);
        let sandbox = Sandbox::start(options).await.expect("a free port");
        let folder = tempfile::tempdir().expect("a folder");
        let flags = SettingFlags {
            as_of: Some(NOON.to_owned()),
            reads_api: true,
            ..SettingFlags::default()
        };
        let flags = flags
            .with("dest", folder.path().join("lake").to_str().expect("UTF-8"))
            .with("api.base_url", sandbox.url().as_str())
            .with("api.rate", "1000/s")
            .with("api.burst", "100");
        Self {
            folder,
            sandbox,
            flags,
            secret: SANDBOX_SECRET.to_owned(),
        }
    }

    fn job_file(&mut self, text: &str) {
        let path = self.folder.path().join("job.toml");
        std::fs::write(&path, text).expect("written");
        self.flags.job = Some(path);
    }

    async fn examine(&self) -> Diagnosis {
        let env = Environment::of([(APP_KEY, SANDBOX_KEY), (APP_SECRET, self.secret.as_str())]);
        let given = Given {
            flags: &self.flags,
            env: &env,
            events: Events::default(),
            cancel: CancellationToken::new(),
        };
        let mut told = Vec::new();
        let diagnosis = examine(given, &mut |check| told.push(check.clone())).await;
        assert_eq!(told, diagnosis.checks, "each check is told once");
        diagnosis
    }

    fn lake(&self) -> std::path::PathBuf {
        self.folder.path().join("lake")
    }
}

fn of<'a>(diagnosis: &'a Diagnosis, name: &str) -> &'a Check {
    let found = diagnosis.checks.iter().find(|check| check.name == name);
    found.unwrap_or_else(|| panic!("no check {name} in {diagnosis:#?}"))
}

fn is_empty(folder: &Path) -> bool {
    !folder.exists()
}

#[tokio::test]
async fn all_is_well_with_the_sandbox_and_its_zone() {
    let mut practice = Practice::open().await;
    practice.flags.set("source_timezone", "Asia/Jakarta");
    let diagnosis = practice.examine().await;
    assert_eq!(diagnosis.status, Status::Ok, "{diagnosis:#?}");
    assert_eq!(diagnosis.exit_code(), ExitCode::Done);
    let detail = of(&diagnosis, "task_detail");
    assert!(detail.what.starts_with("a whole answer of "), "{detail:?}");
    let zone = of(&diagnosis, "redial_times");
    assert!(zone.what.ends_with("fit Asia/Jakarta"), "{zone:?}");
    assert!(is_empty(&practice.lake()), "nothing is left of the probe");
}

#[tokio::test]
async fn the_source_time_zone_is_suggested() {
    let practice = Practice::open().await;
    let diagnosis = practice.examine().await;
    assert_eq!(diagnosis.status, Status::Warn, "{diagnosis:#?}");
    assert_eq!(diagnosis.exit_code(), ExitCode::Done);
    let advice = of(&diagnosis, "redial_times").advice.as_deref();
    let advice = advice.expect("a suggestion");
    assert!(advice.contains("Asia/Jakarta"), "{advice}");
}

#[tokio::test]
async fn a_zone_that_cannot_be_is_a_wrong_setting() {
    let mut practice =
        Practice::with(|options| options.source_timezone = chrono_tz::Asia::Kolkata).await;
    practice.flags.set("source_timezone", "America/Mexico_City");
    let diagnosis = practice.examine().await;
    assert_eq!(diagnosis.exit_code(), ExitCode::Settings, "{diagnosis:#?}");
    let zone = of(&diagnosis, "redial_times");
    assert!(
        zone.advice
            .as_deref()
            .is_some_and(|advice| advice.contains("Asia/Kolkata")),
        "{zone:?}"
    );
}

#[tokio::test]
async fn a_wrong_secret_is_a_refused_sign_in_and_is_shown_nowhere() {
    let mut practice = Practice::open().await;
    practice.secret = "marked-secret".to_owned();
    let diagnosis = practice.examine().await;
    assert_eq!(diagnosis.exit_code(), ExitCode::SignIn, "{diagnosis:#?}");
    assert_eq!(of(&diagnosis, "task_detail").status, Status::Skipped);
    assert!(!json!(diagnosis).to_string().contains("marked-secret"));
}

#[tokio::test]
async fn settings_that_do_not_load_are_the_first_failure() {
    let mut practice = Practice::open().await;
    practice.job_file("[api]\nrate = 'fast'\n");
    practice.flags.values.remove("api.rate");
    let diagnosis = practice.examine().await;
    assert_eq!(diagnosis.exit_code(), ExitCode::Settings);
    let first = &diagnosis.checks[0];
    assert_eq!((first.name, first.status), ("settings", Status::Fail));
    assert!(first.what.contains("`api.rate`"), "{first:?}");
    assert_eq!(of(&diagnosis, "sign_in").status, Status::Skipped);
}

#[tokio::test]
async fn a_mistyped_variable_fails() {
    let practice = Practice::open().await;
    let env = Environment::of([("AIRUDDER_DETS", "x")]);
    let given = Given {
        flags: &practice.flags,
        env: &env,
        events: Events::default(),
        cancel: CancellationToken::new(),
    };
    let diagnosis = examine(given, &mut |_| {}).await;
    let check = of(&diagnosis, "environment");
    assert_eq!(
        (check.status, check.exit),
        (Status::Fail, ExitCode::Settings)
    );
    assert_eq!(check.advice.as_deref(), Some("did you mean AIRUDDER_DEST?"));
    assert_eq!(of(&diagnosis, "credentials").exit, ExitCode::Settings);
    assert_eq!(of(&diagnosis, "sign_in").status, Status::Skipped);
}

#[tokio::test]
async fn a_wrong_path_and_wrong_keys_say_which_setting_changes_them() {
    let mut practice = Practice::open().await;
    practice.job_file("[api.list_tasks]\npath = '/service/cloud/nowhere'\n");
    let diagnosis = practice.examine().await;
    let check = of(&diagnosis, "list_tasks");
    assert_eq!(check.status, Status::Fail, "{diagnosis:#?}");
    assert_eq!(diagnosis.exit_code(), ExitCode::ApiUnavailable);
    assert_eq!(
        check.advice.as_deref(),
        Some("check `path` in [api.list_tasks]")
    );
    assert_eq!(of(&diagnosis, "list_workflows").status, Status::Ok);

    practice.job_file("[api.list_workflows]\nitems = ['/data/rows']\n");
    let check = practice.examine().await;
    let check = of(&check, "list_workflows");
    assert_eq!(
        (check.status, check.exit),
        (Status::Fail, ExitCode::Settings)
    );
    let advice = check.advice.as_deref().expect("advice");
    assert!(
        advice.ends_with("there are lists at `/data/list`"),
        "{advice}"
    );

    practice.job_file("[api.list_tasks]\nid_keys = ['job_id']\n");
    let check = practice.examine().await;
    let check = of(&check, "list_tasks");
    let advice = check.advice.as_deref().expect("advice");
    assert!(
        advice.contains("these look like it: `nodetask_id`, `task_id`"),
        "{advice}"
    );

    practice.job_file(
        "[api.list_tasks]\nstatus_keys = ['mood']\nschedule_end_keys = ['last']\ntotal = '/data/count'\n",
    );
    let diagnosis = practice.examine().await;
    let advice = |name| of(&diagnosis, name).advice.clone().expect("advice");
    assert!(
        advice("list_tasks.status").ends_with("`status`"),
        "{diagnosis:#?}"
    );
    assert!(advice("list_tasks.schedule_end").ends_with("`schedule_end_time`"));
    assert!(advice("list_tasks.total").contains("(`/data/total`)"));
    assert_eq!(diagnosis.exit_code(), ExitCode::Done);
}

#[tokio::test]
async fn a_destination_that_is_a_file_fails_with_advice() {
    let practice = Practice::open().await;
    std::fs::write(practice.lake(), "x").expect("written");
    let diagnosis = practice.examine().await;
    assert_eq!(
        diagnosis.exit_code(),
        ExitCode::Destination,
        "{diagnosis:#?}"
    );
    let check = of(&diagnosis, "dest.create_folder");
    assert!(
        check
            .advice
            .as_deref()
            .is_some_and(|advice| advice.contains("--dest")),
        "{check:?}"
    );
    assert_eq!(of(&diagnosis, "dest.rename").status, Status::Skipped);
    assert_eq!(of(&diagnosis, "sign_in").status, Status::Ok);
}

#[tokio::test]
async fn a_lake_of_another_zone_and_what_a_dead_run_left_are_noticed() {
    let mut practice = Practice::open().await;
    let clock = Clock::starting_at(NOON.parse().expect("a time"));
    let options = LakeOptions {
        dest: Destination::Local(practice.lake()),
        partition_timezone: chrono_tz::Asia::Jakarta,
    };
    let run = clock.run_id();
    let mut lake = LakeWriter::open(&options, run.clone(), clock, Events::default())
        .await
        .expect("a new lake");
    let mut draft = CommitDraft::new(run, CommitKind::Append, 0);
    let id = TaskId::new("t").expect("an id");
    draft.open.push(OpenTask::new(id, TaskStatus::Calling));
    lake.commit(draft).await.expect("committed");

    let diagnosis = practice.examine().await;
    let zone = of(&diagnosis, "lake.timezone");
    assert_eq!(
        (zone.status, zone.exit),
        (Status::Fail, ExitCode::Settings),
        "{diagnosis:#?}"
    );
    let at_work = of(&diagnosis, "lake.unfinished");
    assert_eq!(at_work.what, "1 run at work on it now");

    lake.close().await.expect("closed");
    std::fs::create_dir(
        practice
            .lake()
            .join("_export/staging/20240318T003000Z-k3x9qa"),
    )
    .expect("made");
    practice.flags.set("partition_timezone", "Asia/Jakarta");
    let diagnosis = practice.examine().await;
    assert_eq!(diagnosis.exit_code(), ExitCode::Done, "{diagnosis:#?}");
    let left = of(&diagnosis, "lake.unfinished");
    assert_eq!(
        (left.status, left.what.as_str()),
        (
            Status::Warn,
            "0 commits not published, 1 staging folder left over"
        )
    );
}

#[tokio::test]
async fn an_object_store_without_its_settings_is_a_setting_to_fix() {
    let mut practice = Practice::open().await;
    // No variable names the account.
    practice.flags.set("dest", "az://bucket/lake");
    let diagnosis = practice.examine().await;
    let check = of(&diagnosis, "destination");
    assert_eq!(check.exit, ExitCode::Settings);
    assert_eq!(of(&diagnosis, "task_detail").status, Status::Ok);
}

#[tokio::test]
async fn an_api_that_is_down_is_unavailable() {
    let practice = Practice::open().await;
    let Practice {
        folder: _folder,
        sandbox,
        flags,
        ..
    } = practice;
    sandbox.stop().await;
    let env = Environment::of([(APP_KEY, SANDBOX_KEY), (APP_SECRET, SANDBOX_SECRET)]);
    let given = Given {
        flags: &flags,
        env: &env,
        events: Events::default(),
        cancel: CancellationToken::new(),
    };
    let diagnosis = examine(given, &mut |_| {}).await;
    assert_eq!(diagnosis.exit_code(), ExitCode::ApiUnavailable);
    let check = of(&diagnosis, "sign_in");
    assert_eq!(
        check.advice.as_deref(),
        Some("check `base_url` and the network"),
        "{check:?}"
    );
}

#[tokio::test]
async fn nothing_of_an_answer_is_shown_but_names_and_counts() {
    let practice = Practice::open().await;
    let diagnosis = practice.examine().await;
    let text = json!(diagnosis).to_string();
    // Telephone numbers, row ids, call ids and case ids are all longer than a count.
    let mut words = text.split(|c: char| !c.is_ascii_hexdigit());
    let long = |word: &&str| word.bytes().filter(u8::is_ascii_digit).count() > 7;
    assert_eq!(words.find(long), None, "{text}");
    for task in practice.sandbox.tasks() {
        assert!(!text.contains(&task.task_id), "{text}");
    }
}
